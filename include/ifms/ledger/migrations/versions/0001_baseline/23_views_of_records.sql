-- Views of what has happened and what was said.

-- History -------------------------------------------------------------------------------------------------------------

CREATE VIEW ifms.status_history AS
SELECT l.id, l.payment_instruction_id, l.tenant_id, l.payment_number, p.pi_number, p.pi_type, l.service_id, l.status,
       l.from_status, l.to_status, ifms.without_numbers(l.message) AS message, l.created_at, l.sweep_run_id
FROM ifms.status_log l
LEFT JOIN ifms.payment_instruction p ON p.id = l.payment_instruction_id;

COMMENT ON VIEW ifms.status_history IS
    'What has happened to payments and their payment instructions (PI): one row each time that a service of the treasury, or a person, was heard. Sort by id for the order in which it happened. Cheap to ask by pi_number, by tenant_id with payment_number, and by created_at.';
COMMENT ON COLUMN ifms.status_history.id IS 'Number of the row: grows in the order in which it was written.';
COMMENT ON COLUMN ifms.status_history.payment_instruction_id IS 'The ledger''s id of the PI; NULL for a payment that has none.';
COMMENT ON COLUMN ifms.status_history.tenant_id IS 'The city, as DIGIT names it.';
COMMENT ON COLUMN ifms.status_history.payment_number IS 'DIGIT''s payment.';
COMMENT ON COLUMN ifms.status_history.pi_number IS 'PI number: the bill number by which the treasury knows it. NULL for a payment that has none.';
COMMENT ON COLUMN ifms.status_history.pi_type IS 'ORIGINAL or REVISED; NULL for a payment that has no PI.';
COMMENT ON COLUMN ifms.status_history.service_id IS 'The service that was heard, or was not: PI, PIS, PAG, PD, FD, COR, FTPS or FTFPS; IMPORT for what another adapter had, others for what a person did.';
COMMENT ON COLUMN ifms.status_history.status IS 'What came of it, as STATUS_LOG_<service>_<outcome>.';
COMMENT ON COLUMN ifms.status_history.from_status IS 'Status of the PI before it; NULL when it did not change.';
COMMENT ON COLUMN ifms.status_history.to_status IS 'Status of the PI after it; NULL when it did not change.';
COMMENT ON COLUMN ifms.status_history.message IS 'What was said; long numbers are hidden but for their last four digits. NULL without words.';
COMMENT ON COLUMN ifms.status_history.created_at IS 'Instant, UTC: when the ledger wrote it; of an import when the Java adapter last changed the PI.';
COMMENT ON COLUMN ifms.status_history.sweep_run_id IS 'The run that heard it; NULL without one.';

-- Calls ---------------------------------------------------------------------------------------------------------------

CREATE VIEW ifms.call_log AS
SELECT c.id, c.service_id, c.bill_number, c.outcome, c.status_code, ifms.without_numbers(c.error_message) AS error,
       c.duration_ms, c.created_at, c.payment_instruction_id, c.sweep_run_id
FROM ifms.treasury_call c;

COMMENT ON VIEW ifms.call_log IS
    'Calls to the treasury, logins included: one row each, without what was said in them. Cheap to ask by created_at, bill_number and payment_instruction_id. Older calls may have been removed: see shipping to Elasticsearch.';
COMMENT ON COLUMN ifms.call_log.id IS 'Id of the call, by which `ifms log open` shows it to whoever holds the key.';
COMMENT ON COLUMN ifms.call_log.service_id IS 'The service: AUTH (login), VA, PI, PIS, PAG, PD, FD, COR, FTPS or FTFPS.';
COMMENT ON COLUMN ifms.call_log.bill_number IS 'The PI number that it is about; AUTH for a login, NULL for a call about many.';
COMMENT ON COLUMN ifms.call_log.outcome IS 'answered, rejected (answered with errors), never_sent or unknown (it may have arrived); NULL while it is under way, and for good if its process died.';
COMMENT ON COLUMN ifms.call_log.status_code IS 'HTTP status of the reply; NULL without one.';
COMMENT ON COLUMN ifms.call_log.error IS 'What went wrong, in the treasury''s words or ours; long numbers are hidden but for their last four digits. NULL when nothing did.';
COMMENT ON COLUMN ifms.call_log.duration_ms IS 'Milliseconds from its beginning to the last byte of the reply.';
COMMENT ON COLUMN ifms.call_log.created_at IS 'Instant, UTC, of its beginning.';
COMMENT ON COLUMN ifms.call_log.payment_instruction_id IS 'The ledger''s id of the PI that it is about; NULL for other calls.';
COMMENT ON COLUMN ifms.call_log.sweep_run_id IS 'The run that made it; NULL for a call that no run made.';

-- Messages ------------------------------------------------------------------------------------------------------------

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
