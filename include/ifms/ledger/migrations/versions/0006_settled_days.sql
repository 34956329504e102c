-- Which days are settled is asked by the day on which payments were raised, and by when their outcome became known.
CREATE INDEX payment_raised ON ifms.payment (raised_at);
CREATE INDEX status_log_of_outcomes ON ifms.status_log (created_at) WHERE to_status IN ('SUCCESSFUL', 'PARTIAL');
