-- What settles a submission whose outcome is not known: acceptance, its status service, or a person; never a guess.

-- What the treasury's texts mean. --------------------------------------------------------------------------------------

-- A site's own rows beside those that are shipped (ifms/wire/phrases.toml). They count from the next sweep on.
CREATE TABLE ifms.phrase (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    services          text[] NOT NULL CHECK (cardinality(services) > 0),
    text              text NOT NULL CHECK (btrim(text) <> ''),
    meaning           text NOT NULL CHECK (btrim(meaning) <> ''),
    reason            text NOT NULL CHECK (btrim(reason) <> ''),
    added_by          text NOT NULL CHECK (btrim(added_by) <> ''),
    added_at          timestamptz NOT NULL DEFAULT now(),
    withdrawn_at      timestamptz,
    withdrawn_by      text,
    withdrawn_reason  text,
    CHECK ((withdrawn_at IS NULL) = (withdrawn_by IS NULL)),
    CHECK ((withdrawn_at IS NULL) = (withdrawn_reason IS NULL OR btrim(withdrawn_reason) = ''))
);
CREATE UNIQUE INDEX phrase_said_once ON ifms.phrase (lower(text), services) WHERE withdrawn_at IS NULL;
CREATE TRIGGER content_is_frozen BEFORE UPDATE OF id, services, text, meaning, reason, added_by, added_at ON ifms.phrase
    FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a phrase is withdrawn, not rewritten');
CREATE TRIGGER withdrawn_once BEFORE UPDATE ON ifms.phrase FOR EACH ROW WHEN (OLD.withdrawn_at IS NOT NULL)
    EXECUTE FUNCTION ifms.refuse_change('a withdrawn phrase stays withdrawn');
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.phrase FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a phrase is withdrawn, not deleted');

-- Texts that no phrase matched, each once, without its bill's number and long numbers: how often, and since when.
CREATE TABLE ifms.unknown_answer (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    service_id      text NOT NULL,
    template        text NOT NULL,
    sample          text NOT NULL,
    times           bigint NOT NULL DEFAULT 1,
    first_heard_at  timestamptz NOT NULL DEFAULT now(),
    last_heard_at   timestamptz NOT NULL DEFAULT now(),
    -- The phrase that gave it its meaning.
    phrase_id       uuid REFERENCES ifms.phrase,
    UNIQUE (service_id, template)
);
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.unknown_answer FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('an answer that nobody understood is given a meaning, not forgotten');

-- Submissions. -----------------------------------------------------------------------------------------------------------

-- A submission of it may have arrived without its outcome having been told at once. Never unset.
ALTER TABLE ifms.payment_instruction ADD COLUMN uncertain boolean NOT NULL DEFAULT false;
-- What the treasury answered to the last submission when that settled nothing: [{"code": …, "text": …}].
ALTER TABLE ifms.payment_instruction ADD COLUMN refusal jsonb;
-- That submission was the first that can have arrived.
ALTER TABLE ifms.payment_instruction ADD COLUMN refused_first boolean NOT NULL DEFAULT false;
-- Since when its status service says, asked after that refusal, that it does not know the bill.
ALTER TABLE ifms.payment_instruction ADD COLUMN absent_since timestamptz;
-- The ledger was restored: it is asked about and not submitted before somebody has cleared it.
ALTER TABLE ifms.payment_instruction ADD COLUMN held_back boolean NOT NULL DEFAULT false;
-- A person has said what became of it.
ALTER TABLE ifms.payment_instruction ADD COLUMN settled_by text;
-- FAILED here, and its status service was found to show it.
ALTER TABLE ifms.payment_instruction ADD COLUMN found_failed_at timestamptz;
-- How many sweeps running have been refused with the same text (error_message).
ALTER TABLE ifms.payment_instruction ADD COLUMN same_refusals integer NOT NULL DEFAULT 0;
-- The treasury's last answer about it is one that nobody understands.
ALTER TABLE ifms.payment_instruction ADD COLUMN unknown_answer_id uuid REFERENCES ifms.unknown_answer;

CREATE INDEX payment_instruction_unknown_answer ON ifms.payment_instruction (unknown_answer_id)
    WHERE unknown_answer_id IS NOT NULL;
-- Earlier numbers of a payment that are asked about before it gets another.
CREATE INDEX payment_instruction_failed_uncertain ON ifms.payment_instruction (tenant_id, payment_number)
    WHERE status = 'FAILED' AND uncertain;
CREATE INDEX payment_instruction_found_failed ON ifms.payment_instruction (found_failed_at)
    WHERE found_failed_at IS NOT NULL;

CREATE TRIGGER once_uncertain BEFORE UPDATE OF uncertain ON ifms.payment_instruction
    FOR EACH ROW WHEN (OLD.uncertain AND NOT NEW.uncertain)
    EXECUTE FUNCTION ifms.refuse_change('that a submission may have arrived is not unsaid');
CREATE TRIGGER settled_once BEFORE UPDATE OF settled_by ON ifms.payment_instruction
    FOR EACH ROW WHEN (OLD.settled_by IS NOT NULL AND NEW.settled_by IS DISTINCT FROM OLD.settled_by)
    EXECUTE FUNCTION ifms.refuse_change('who has settled a payment instruction stays on record');

-- Once a submission may have arrived, a PI fails only by its status service's word, given twice and some time apart after
-- the treasury has refused it, by the refusal of the only submission that was made, or by a person.
CREATE FUNCTION ifms.check_settled_by_fact() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.settled_by IS NULL AND (NEW.refusal IS NULL OR NOT NEW.refused_first
            AND (NEW.absent_since IS NULL OR NEW.absent_since > now() - interval '59 minutes')) THEN
        RAISE EXCEPTION 'payment instruction % may have arrived at the treasury: that it did not is not known', NEW.pi_number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'settled_by_fact';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER settled_by_fact BEFORE UPDATE OF status ON ifms.payment_instruction
    FOR EACH ROW WHEN (OLD.status = 'PENDING' AND NEW.status = 'FAILED' AND NEW.uncertain AND NEW.imported_at IS NULL)
    EXECUTE FUNCTION ifms.check_settled_by_fact();

-- Revisions whose payments have all come back before FTPS told their references.
CREATE INDEX payment_instruction_without_token ON ifms.payment_instruction (polled_at NULLS FIRST)
    WHERE pi_type = 'REVISED' AND pa_token_number IS NULL AND status IN ('PARTIAL', 'COMPLETED');
