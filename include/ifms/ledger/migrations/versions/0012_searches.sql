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

-- Wards and projects' names, where the platform's bills tell them --------------------------------------------------------

CREATE OR REPLACE VIEW ifms.payment_instruction_summary AS
SELECT p.id, p.tenant_id, p.pi_number, p.pi_type, p.parent_pi_number, p.payment_number, p.status, p.net_amount,
       p.hoa_code, p.master_allotment_id, p.financial_year, p.beneficiary_count,
       b.successful_count, b.failed_count, ifms.without_numbers(p.error_message) AS error_message, p.attempts,
       p.last_attempt, p.created_at, p.updated_at,
       p.gross_amount, p.repayment_of, p.is_active, p.ddo_code, p.ssu_id, p.ssu_allotment_id, p.allotment_serial_no,
       p.bill_numbers,
       p.bill_date, b.successful_amount, b.failed_amount, p.pi_approved_id, p.pi_approval_date, p.pa_fin_year,
       p.pa_advice_id, p.pa_advice_date, p.pa_bill_ref_number, p.pa_token_number, p.pa_token_date,
       CASE WHEN p.pi_type = 'REVISED' THEN p.paid_at
            WHEN p.status = 'SUCCESSFUL' THEN p.status_since
            WHEN p.status IN ('PARTIAL', 'COMPLETED') THEN (
                SELECT l.created_at FROM ifms.status_log l
                WHERE l.payment_instruction_id = p.id AND l.to_status = 'SUCCESSFUL' ORDER BY l.id LIMIT 1)
       END AS paid_at,
       p.error_code, p.last_attempt_at, (p.created_at AT TIME ZONE 'Asia/Kolkata')::date AS created_on,
       p.work_order_numbers, p.bill_type, p.project_numbers,
       ifms.texts_of(p.additional_details -> 'projectName') AS project_names,
       ifms.texts_of(p.additional_details -> 'ward') AS wards
FROM ifms.payment_instruction p
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE status = 'Payment Successful') AS successful_count,
           count(*) FILTER (WHERE status = 'Payment Failed') AS failed_count,
           coalesce(sum(amount) FILTER (WHERE status = 'Payment Successful'), 0) AS successful_amount,
           coalesce(sum(amount) FILTER (WHERE status = 'Payment Failed'), 0) AS failed_amount
    FROM ifms.beneficiary WHERE payment_instruction_id = p.id
) b;
COMMENT ON COLUMN ifms.payment_instruction_summary.project_names IS 'The names of these projects; empty where the platform''s bills do not tell them.';
COMMENT ON COLUMN ifms.payment_instruction_summary.wards IS 'The wards of these bills, as the platform''s boundary codes; empty where its bills do not tell them.';
