-- What has happened to payments and their payment instructions.

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
COMMENT ON TABLE ifms.status_log IS 'What was heard of payments and payment instructions: append-only.';
CREATE INDEX status_log_by_instruction ON ifms.status_log (payment_instruction_id, id DESC);
CREATE INDEX status_log_by_payment ON ifms.status_log (tenant_id, payment_number, id DESC);
-- Rows that are written in the order of time, and never changed: an index of almost no size, and no work, finds a day.
CREATE INDEX status_log_by_time ON ifms.status_log USING brin (created_at)
    WITH (pages_per_range = 32, autosummarize = on);
-- Which days are settled is asked by when the outcome of their payments became known, too.
CREATE INDEX status_log_of_outcomes ON ifms.status_log (created_at) WHERE to_status IN ('SUCCESSFUL', 'PARTIAL');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.status_log FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('the status log is append-only');

-- A change of status that the log tells of is one that may happen, and leads to where the payment instruction is: at
-- once, or by another one that the log tells of after it.
CREATE FUNCTION ifms.check_logged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ifms.payment_instruction p
                   WHERE p.id = NEW.payment_instruction_id AND p.status = NEW.to_status)
       AND NOT EXISTS (SELECT FROM ifms.status_log l WHERE l.payment_instruction_id = NEW.payment_instruction_id
                       AND l.id > NEW.id AND l.from_status = NEW.to_status)
       OR NOT EXISTS (SELECT FROM ifms.status_transition t WHERE t.subject = 'PAYMENT_INSTRUCTION'
                      AND (t.from_status, t.to_status) = (NEW.from_status, NEW.to_status)) THEN
        RAISE EXCEPTION 'the payment instruction did not go from % to %, and so the status log cannot say it',
            NEW.from_status, NEW.to_status USING ERRCODE = 'check_violation', CONSTRAINT = 'log_agrees';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER log_agrees AFTER INSERT ON ifms.status_log DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.to_status IS NOT NULL) EXECUTE FUNCTION ifms.check_logged();
