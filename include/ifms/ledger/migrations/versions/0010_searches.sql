-- Filters of the list of payment instructions ---------------------------------------------------------------------------

-- Bills, work orders, projects and wards by one index: each is a list in additional_details, and asked for by
-- additional_details @> '{"billNumber": ["…"]}'.
DROP INDEX ifms.payment_instruction_by_bill;
CREATE INDEX payment_instruction_by_details ON ifms.payment_instruction USING gin (additional_details jsonb_path_ops);
-- A head of account that hardly any has, and an amount: without these a search for the newest would read them all.
CREATE INDEX payment_instruction_by_head ON ifms.payment_instruction (hoa_code, created_at DESC, id DESC);
CREATE INDEX payment_instruction_by_amount ON ifms.payment_instruction (net_amount, created_at DESC, id DESC);

-- Searches that somebody has given a name ---------------------------------------------------------------------------------

CREATE TABLE ifms.saved_search (
    id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    owner     text NOT NULL CHECK (btrim(owner) <> ''),
    name      text NOT NULL CHECK (btrim(name) <> '' AND length(name) <= 80),
    -- The fields of the list's form as its address has them: what is found is what their reader may see then.
    query     text NOT NULL CHECK (length(query) <= 4000),
    saved_at  timestamptz NOT NULL DEFAULT now() CHECK (saved_at >= '2000-01-01 00:00+00' AND saved_at < '2100-01-01 00:00+00'),
    UNIQUE (owner, name)
);
COMMENT ON TABLE ifms.saved_search IS 'Searches of the list of payment instructions that a user of the pages has given a name: theirs alone, and deleted when they say so.';
