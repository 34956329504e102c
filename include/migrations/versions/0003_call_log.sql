-- The call log leaves the ledger: it is shipped, looked at under a record, and one day removed.

-- A reply that did not open under the REK may be anything, and a login's holds the token: sealed, like the request.
ALTER TABLE ifms.treasury_call ADD COLUMN response_sealed bytea;

-- Shipping. No row of its own per call, which would double what each call writes: the call's row remembers it. ------------

-- When Elasticsearch took it, or why it refused it. A call that was shipped as announced is due again when completed.
ALTER TABLE ifms.treasury_call ADD COLUMN shipped_at timestamptz;
ALTER TABLE ifms.treasury_call ADD COLUMN ship_error text;
CREATE INDEX treasury_call_unshipped ON ifms.treasury_call (created_at, id)
    WHERE shipped_at IS NULL AND ship_error IS NULL;
CREATE INDEX treasury_call_set_aside ON ifms.treasury_call (created_at) WHERE ship_error IS NOT NULL;
CREATE INDEX treasury_call_shipped ON ifms.treasury_call (created_at) WHERE shipped_at IS NOT NULL;

-- One run ships at a time: a claim on each call would write its row once more.
CREATE TABLE ifms.call_shipping (
    one            boolean PRIMARY KEY DEFAULT true CHECK (one),
    claim_token    uuid,
    claimed_until  timestamptz
);
INSERT INTO ifms.call_shipping DEFAULT VALUES;

-- What was said stays said; only what is known of its shipping changes.
DROP TRIGGER said_is_said ON ifms.treasury_call;
CREATE TRIGGER said_is_said BEFORE UPDATE OF id, service_id, bill_number, payment_instruction_id, sweep_run_id,
    request_sealed, rek_sealed, sek_sealed, auth_token_sealed, enc_request, enc_response, response_sealed, status_code,
    outcome, error_message, duration_ms, created_at ON ifms.treasury_call
    FOR EACH ROW WHEN (OLD.outcome IS NOT NULL AND OLD IS DISTINCT FROM NEW)
    EXECUTE FUNCTION ifms.refuse_change('what was said to the treasury is not rewritten');

-- Retention. -----------------------------------------------------------------------------------------------------------

-- Runs as the owner: who works on the ledger deletes nothing by itself. No call that is younger than 90 days, or whose
-- payment instruction still waits for something, is removed by it; without `unshipped_too` none that was not shipped.
CREATE FUNCTION ifms.remove_old_calls(before timestamptz, unshipped_too boolean, at_most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    removed bigint;
BEGIN
    IF before IS NULL OR before > now() - interval '90 days' THEN
        RAISE EXCEPTION 'calls to the treasury are kept for 90 days at least'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'calls_are_kept';
    END IF;
    -- Two statements, so that each has its index.
    IF unshipped_too THEN
        WITH old AS (
            SELECT c.id FROM ifms.treasury_call c
            WHERE c.created_at < before AND NOT EXISTS (
                SELECT FROM ifms.payment_instruction p WHERE p.id = c.payment_instruction_id
                AND p.status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS', 'PARTIAL'))
            ORDER BY c.created_at LIMIT at_most FOR UPDATE SKIP LOCKED)
        DELETE FROM ifms.treasury_call c USING old WHERE c.id = old.id;
    ELSE
        WITH old AS (
            SELECT c.id FROM ifms.treasury_call c
            WHERE c.created_at < before AND c.shipped_at IS NOT NULL AND NOT EXISTS (
                SELECT FROM ifms.payment_instruction p WHERE p.id = c.payment_instruction_id
                AND p.status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS', 'PARTIAL'))
            ORDER BY c.created_at LIMIT at_most FOR UPDATE SKIP LOCKED)
        DELETE FROM ifms.treasury_call c USING old WHERE c.id = old.id;
    END IF;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;
REVOKE EXECUTE ON FUNCTION ifms.remove_old_calls FROM PUBLIC;

-- Who looked. ----------------------------------------------------------------------------------------------------------

CREATE TABLE ifms.call_access (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    looked_at      timestamptz NOT NULL DEFAULT now(),
    call_id        text NOT NULL,
    source         text NOT NULL CHECK (source IN ('ledger', 'document')),
    os_user        text NOT NULL,
    airflow_user   text,
    database_user  text NOT NULL DEFAULT session_user,
    unmasked       boolean NOT NULL,
    reason         text,
    CHECK (NOT unmasked OR coalesce(btrim(reason), '') <> '')
);
CREATE INDEX call_access_by_call ON ifms.call_access (call_id, looked_at DESC);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.call_access FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('who looked at a call stays on record');
