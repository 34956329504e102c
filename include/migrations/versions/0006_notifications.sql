-- Whom the outbox tells besides the platform's payments: by SMS those who were paid or were not, and the index of PIs.

-- Which of them anybody wants to hear. ifms_relay renews it while its connection says so; where nobody has for a week,
-- nothing more is written, so that an installation without a broker has nothing that waits for one.
CREATE TABLE ifms.notice (
    topic         text PRIMARY KEY CHECK (topic IN ('sms', 'pi_index')),
    wanted_since  timestamptz NOT NULL DEFAULT now(),
    wanted_until  timestamptz NOT NULL
);

-- Closed without anybody having heard it: `last_error` says why (a payee without a phone).
ALTER TABLE ifms.outbox ADD COLUMN unheard boolean NOT NULL DEFAULT false;
ALTER TABLE ifms.outbox ADD CONSTRAINT unheard_is_closed CHECK (delivered_at IS NOT NULL OR NOT unheard);

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

-- What has not been heard, by whom, and since when.
CREATE VIEW ifms.outbox_lag AS
SELECT topic,
       count(*) FILTER (WHERE set_aside_at IS NULL) AS due,
       count(*) FILTER (WHERE set_aside_at IS NOT NULL) AS set_aside,
       min(created_at) FILTER (WHERE set_aside_at IS NULL) AS oldest
FROM ifms.outbox WHERE delivered_at IS NULL GROUP BY topic;
COMMENT ON VIEW ifms.outbox_lag IS
    'What the outbox has still to tell, a row per topic that has something; the platform''s payments, SMS, the index of PIs.';
COMMENT ON COLUMN ifms.outbox_lag.topic IS 'Whom it is for: payment_status (the platform), sms or pi_index.';
COMMENT ON COLUMN ifms.outbox_lag.due IS 'How many messages wait to be delivered.';
COMMENT ON COLUMN ifms.outbox_lag.set_aside IS 'How many were given up: a person sends them again by ifms_relay''s form.';
COMMENT ON COLUMN ifms.outbox_lag.oldest IS 'Instant, UTC, at which the oldest that waits was written; NULL when none does.';
