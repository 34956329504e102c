-- What others must hear, written in the transaction of the change that they must hear of.

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
    undeliverable    boolean NOT NULL DEFAULT false,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT undeliverable_is_closed CHECK (delivered_at IS NOT NULL OR NOT undeliverable)
);
COMMENT ON TABLE ifms.outbox IS 'What others must hear, written with the change that they must hear of.';
CREATE INDEX outbox_due ON ifms.outbox (id) WHERE delivered_at IS NULL;
CREATE INDEX outbox_by_key ON ifms.outbox (topic, ordering_key, id);
-- It is delivered, set aside, sent again; what it says stays.
CREATE TRIGGER content_is_frozen BEFORE UPDATE OF id, topic, tenant_id, ordering_key, payload, created_at ON ifms.outbox
    FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('what others must hear is not rewritten');
-- A message was heard when it was heard; only one that nobody was there to hear may be sent again.
CREATE TRIGGER delivered_once BEFORE UPDATE OF delivered_at ON ifms.outbox FOR EACH ROW
    WHEN (OLD.delivered_at IS NOT NULL AND NEW.delivered_at IS DISTINCT FROM OLD.delivered_at
          AND NOT (OLD.undeliverable AND NEW.delivered_at IS NULL))
    EXECUTE FUNCTION ifms.refuse_change('when a message was delivered stays on record');
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON ifms.outbox FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('what others must hear is kept');

-- Which of the topics besides the platform's payments anybody wants to hear, as ifms_relay's connection said last. Where it
-- finds no connection for a week, nothing more is written: an installation without a broker has nothing that waits for one.
-- While ifms_relay itself does not run, all is written, and waits.
CREATE TABLE ifms.notice (
    topic         text PRIMARY KEY CHECK (topic IN ('sms', 'pi_index')),
    wanted        boolean NOT NULL,
    wanted_since  timestamptz NOT NULL DEFAULT now(),
    missing_since timestamptz  -- since when ifms_relay finds no connection
);
COMMENT ON TABLE ifms.notice IS 'Which messages besides the platform''s anybody wants to hear.';

-- The index hears of each status of a PI, whatever changed it, in the transaction that did. What it hears is read when it
-- is told: the row says only that there is news. All that it hears of a payment and its PIs is told in order: one key.
CREATE FUNCTION ifms.tell_index() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload)
    SELECT 'pi_index', NEW.tenant_id, NEW.tenant_id || ':' || NEW.payment_number,
           jsonb_build_object('piNumber', NEW.pi_number, 'status', NEW.status)
    WHERE EXISTS (SELECT FROM ifms.notice WHERE topic = 'pi_index' AND wanted);
    RETURN NULL;
END $$;
CREATE TRIGGER tell_index_of_a_new_one AFTER INSERT ON ifms.payment_instruction
    FOR EACH ROW EXECUTE FUNCTION ifms.tell_index();
CREATE TRIGGER tell_index_of_a_change AFTER UPDATE OF status ON ifms.payment_instruction
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION ifms.tell_index();

CREATE FUNCTION ifms.tell_index_of_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload)
    SELECT 'pi_index', NEW.tenant_id, NEW.tenant_id || ':' || NEW.payment_number,
           jsonb_build_object('paymentNumber', NEW.payment_number)
    WHERE EXISTS (SELECT FROM ifms.notice WHERE topic = 'pi_index' AND wanted)
      AND NOT EXISTS (SELECT FROM ifms.payment_instruction p  -- that one stands for it
                      WHERE p.tenant_id = NEW.tenant_id AND p.payment_number = NEW.payment_number);
    RETURN NULL;
END $$;
CREATE TRIGGER tell_index_of_why AFTER UPDATE OF hold_code, hold_message ON ifms.payment FOR EACH ROW
    WHEN (NEW.paid_by IS NULL AND (NEW.hold_code, NEW.hold_message) IS DISTINCT FROM (OLD.hold_code, OLD.hold_message))
    EXECUTE FUNCTION ifms.tell_index_of_payment();
