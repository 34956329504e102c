-- Nothing waits for ever unseen: since when each payment instruction stands where it stands, and which of them have
-- failures still to take.

-- Since when it has its status. An import says of its rows when the Java adapter last changed them.
ALTER TABLE ifms.payment_instruction ADD COLUMN status_since timestamptz NOT NULL DEFAULT now();
UPDATE ifms.payment_instruction p SET status_since = coalesce(l.at, p.created_at)
FROM ifms.payment_instruction same
LEFT JOIN (SELECT payment_instruction_id, to_status, max(created_at) AS at FROM ifms.status_log
           WHERE to_status IS NOT NULL GROUP BY 1, 2) l
  ON l.payment_instruction_id = same.id AND l.to_status = same.status
WHERE same.id = p.id;

CREATE FUNCTION ifms.note_status_since() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.status_since := CASE TG_OP WHEN 'INSERT' THEN NEW.created_at ELSE now() END;
    RETURN NEW;
END $$;
CREATE TRIGGER status_since_it_was_made BEFORE INSERT ON ifms.payment_instruction
    FOR EACH ROW EXECUTE FUNCTION ifms.note_status_since();
CREATE TRIGGER status_since BEFORE UPDATE OF status ON ifms.payment_instruction
    FOR EACH ROW WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION ifms.note_status_since();

-- FD has told of failures of it that it could not take in its status: they are looked at whenever it moves.
ALTER TABLE ifms.payment_instruction ADD COLUMN unmatched_failures boolean NOT NULL DEFAULT false;
UPDATE ifms.payment_instruction p SET unmatched_failures = true
FROM ifms.unmatched_failure u WHERE u.bill_number = p.pi_number AND u.matched_at IS NULL;
CREATE INDEX unmatched_failure_open ON ifms.unmatched_failure (bill_number) WHERE matched_at IS NULL;

-- What another run holds is looked up every two seconds by who waits for it: few rows of many.
CREATE INDEX payment_instruction_claimed ON ifms.payment_instruction (claimed_until) WHERE claimed_until IS NOT NULL;
CREATE INDEX payment_claimed ON ifms.payment (claimed_until) WHERE claimed_until IS NOT NULL;

-- A failure that is nobody's here is closed by a person, with a reason; should it match after all, it is booked.
ALTER TABLE ifms.unmatched_failure ADD COLUMN settled_at timestamptz, ADD COLUMN settled_by text,
    ADD COLUMN settled_reason text,
    ADD CONSTRAINT settled_with_a_reason CHECK ((settled_at IS NULL) = (settled_by IS NULL)
        AND (settled_at IS NULL) = (settled_reason IS NULL) AND btrim(settled_reason) <> '');
CREATE TRIGGER settled_once BEFORE UPDATE OF settled_at, settled_by, settled_reason ON ifms.unmatched_failure
    FOR EACH ROW WHEN (OLD.settled_at IS NOT NULL)
    EXECUTE FUNCTION ifms.refuse_change('who has closed a reported failure, and why, stays on record');
