-- Calls to the treasury: what was said in each, who looked at it, and when the next may begin.

-- Request, keys and token are sealed under the connection's log_key; the reply stays as it came, encrypted under the
-- sealed REK.
CREATE TABLE ifms.treasury_call (
    id                      uuid PRIMARY KEY,
    service_id              text NOT NULL,
    bill_number             text,
    payment_instruction_id  uuid REFERENCES ifms.payment_instruction,
    sweep_run_id            uuid,
    request_sealed          bytea,
    rek_sealed              bytea,
    sek_sealed              bytea,
    auth_token_sealed       bytea,
    enc_request             text,
    enc_response            text,
    -- A reply that did not open under the REK may be anything, and a login's holds the token.
    response_sealed         bytea,
    status_code             integer,
    outcome                 text CHECK (outcome IN ('answered', 'rejected', 'never_sent', 'unknown')),
    error_message           text,
    duration_ms             integer,
    -- When Elasticsearch took it, or why it refused it. A call that was shipped as announced is due again when completed.
    shipped_at              timestamptz,
    ship_error              text,
    created_at              timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ifms.treasury_call IS 'Calls to the treasury, sealed; logins included.';
CREATE INDEX treasury_call_by_bill ON ifms.treasury_call (bill_number, created_at DESC);
CREATE INDEX treasury_call_by_instruction ON ifms.treasury_call (payment_instruction_id, created_at DESC);
CREATE INDEX treasury_call_by_time ON ifms.treasury_call (created_at);
CREATE INDEX treasury_call_unshipped ON ifms.treasury_call (created_at, id)
    WHERE shipped_at IS NULL AND ship_error IS NULL;
CREATE INDEX treasury_call_set_aside ON ifms.treasury_call (created_at) WHERE ship_error IS NOT NULL;
CREATE INDEX treasury_call_shipped ON ifms.treasury_call (created_at) WHERE shipped_at IS NOT NULL;

-- A call that was announced is completed, once; then what was said stays, and only what is known of its shipping changes.
-- Who works on the ledger has no right to delete one (grants.sql); its owner has it, for calls that have been kept for as
-- long as they must be.
CREATE TRIGGER said_is_said BEFORE UPDATE OF id, service_id, bill_number, payment_instruction_id, sweep_run_id,
    request_sealed, rek_sealed, sek_sealed, auth_token_sealed, enc_request, enc_response, response_sealed, status_code,
    outcome, error_message, duration_ms, created_at ON ifms.treasury_call
    FOR EACH ROW WHEN (OLD.outcome IS NOT NULL AND OLD IS DISTINCT FROM NEW)
    EXECUTE FUNCTION ifms.refuse_change('what was said to the treasury is not rewritten');
CREATE TRIGGER announced_is_announced BEFORE UPDATE OF id, service_id, bill_number, payment_instruction_id, request_sealed,
    created_at ON ifms.treasury_call FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a call is what was announced');
-- A call that was shipped as announced is due again when it is completed; one that is complete was shipped once.
CREATE TRIGGER shipped_once BEFORE UPDATE OF shipped_at ON ifms.treasury_call FOR EACH ROW
    WHEN (OLD.outcome IS NOT NULL AND OLD.shipped_at IS NOT NULL AND NEW.shipped_at IS DISTINCT FROM OLD.shipped_at)
    EXECUTE FUNCTION ifms.refuse_change('when a call was shipped stays on record');
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON ifms.treasury_call FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('calls to the treasury are kept');

-- One run ships at a time: a claim on each call would write its row once more.
CREATE TABLE ifms.call_shipping (
    id             boolean PRIMARY KEY DEFAULT true CHECK (id),
    claim_token    uuid,
    claimed_until  timestamptz
);
COMMENT ON TABLE ifms.call_shipping IS 'Who ships calls to Elasticsearch at the moment.';
INSERT INTO ifms.call_shipping DEFAULT VALUES;

-- Which calls to the treasury are not kept any more: by whom they were removed, and up to which time.
CREATE TABLE ifms.call_removal (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made_before    timestamptz NOT NULL,
    unshipped_too  boolean NOT NULL,
    removed        bigint NOT NULL CHECK (removed > 0),
    database_user  text NOT NULL DEFAULT session_user,
    removed_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ifms.call_removal IS 'Calls to the treasury that were kept for long enough and removed. Append-only.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.call_removal FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('which calls were removed stays on record');

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
    IF removed > 0 THEN
        INSERT INTO ifms.call_removal (made_before, unshipped_too, removed) VALUES (before, unshipped_too, removed);
    END IF;
    RETURN removed;
END $$;
REVOKE EXECUTE ON FUNCTION ifms.remove_old_calls FROM PUBLIC;

-- Who looked.
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
COMMENT ON TABLE ifms.call_access IS 'Who has opened which call to the treasury.';
CREATE INDEX call_access_by_call ON ifms.call_access (call_id, looked_at DESC);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.call_access FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('who looked at a call stays on record');

-- When the next call to the treasury may begin, per account there (client id and address): whoever wants to call moves
-- it on, so all workers share one limit, by this database's clock. What a killed worker has reserved just passes.
CREATE TABLE ifms.call_rate (
    account  text PRIMARY KEY,
    next_at  timestamptz NOT NULL
);
COMMENT ON TABLE ifms.call_rate IS 'When the next call to the treasury may begin, per account there.';
