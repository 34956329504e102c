-- What has happened, what was said to the treasury, and what others must hear.

CREATE TABLE ifms.status_log (
    id                      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_instruction_id  uuid REFERENCES ifms.payment_instruction,
    tenant_id               text NOT NULL,
    payment_number          text NOT NULL,
    service_id              text NOT NULL,
    status                  text NOT NULL,
    from_status             text,
    to_status               text,
    message                 text,
    sweep_run_id            uuid,
    created_at              timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX status_log_by_instruction ON ifms.status_log (payment_instruction_id, id DESC);
CREATE INDEX status_log_by_payment ON ifms.status_log (tenant_id, payment_number, id DESC);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.status_log FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('the status log is append-only');

-- Calls to the treasury. ----------------------------------------------------------------------------------------------

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
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON ifms.treasury_call FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('calls to the treasury are kept');

-- One run ships at a time: a claim on each call would write its row once more.
CREATE TABLE ifms.call_shipping (
    id             boolean PRIMARY KEY DEFAULT true CHECK (id),
    claim_token    uuid,
    claimed_until  timestamptz
);
INSERT INTO ifms.call_shipping DEFAULT VALUES;

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
CREATE INDEX call_access_by_call ON ifms.call_access (call_id, looked_at DESC);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.call_access FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('who looked at a call stays on record');

-- When the next call to the treasury may begin, per account there (client id and address): whoever wants to call moves
-- it on, so all workers share one limit, by this database's clock. What a killed worker has reserved just passes.
CREATE TABLE ifms.call_rate (
    account  text PRIMARY KEY,
    next_at  timestamptz NOT NULL
);

-- What others must hear, written in the transaction of the change that they must hear of. -----------------------------

CREATE TABLE ifms.outbox (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic            text NOT NULL,
    tenant_id        text NOT NULL,
    ordering_key     text NOT NULL,
    payload          jsonb NOT NULL,
    attempts         integer NOT NULL DEFAULT 0,
    next_attempt_at  timestamptz NOT NULL DEFAULT now(),
    last_error       text,
    delivered_at     timestamptz,
    set_aside_at     timestamptz,
    claim_token      uuid,
    claimed_until    timestamptz,
    -- Closed without anybody having heard it: `last_error` says why (a payee without a phone).
    undeliverable          boolean NOT NULL DEFAULT false,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT undeliverable_is_closed CHECK (delivered_at IS NOT NULL OR NOT undeliverable)
);
CREATE INDEX outbox_due ON ifms.outbox (id) WHERE delivered_at IS NULL;
CREATE INDEX outbox_by_key ON ifms.outbox (topic, ordering_key, id);
-- It is delivered, set aside, sent again; what it says stays.
CREATE TRIGGER content_is_frozen BEFORE UPDATE OF id, topic, tenant_id, ordering_key, payload, created_at ON ifms.outbox
    FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('what others must hear is not rewritten');
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON ifms.outbox FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('what others must hear is kept');

-- Which of the topics besides the platform's payments anybody wants to hear. ifms_relay renews it while its connection says
-- so; where nobody has for a week, nothing more is written: an installation without a broker has nothing that waits for one.
CREATE TABLE ifms.notice (
    topic         text PRIMARY KEY CHECK (topic IN ('sms', 'pi_index')),
    wanted_since  timestamptz NOT NULL DEFAULT now(),
    wanted_until  timestamptz NOT NULL
);

-- The index hears of each status of a PI, whatever changed it, in the transaction that did. What it hears is read when it
-- is told: the row says only that there is news.
CREATE FUNCTION ifms.tell_index() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload)
    SELECT 'pi_index', NEW.tenant_id, NEW.tenant_id || ':' || NEW.pi_number,
           jsonb_build_object('piNumber', NEW.pi_number, 'status', NEW.status)
    WHERE EXISTS (SELECT FROM ifms.notice WHERE topic = 'pi_index' AND wanted_until > now());
    RETURN NULL;
END $$;
CREATE TRIGGER tell_index_of_a_new_one AFTER INSERT ON ifms.payment_instruction
    FOR EACH ROW EXECUTE FUNCTION ifms.tell_index();
CREATE TRIGGER tell_index_of_a_change AFTER UPDATE OF status ON ifms.payment_instruction
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION ifms.tell_index();
