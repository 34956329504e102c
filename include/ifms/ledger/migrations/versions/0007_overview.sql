-- Payments without a payment instruction -----------------------------------------------------------------------------

-- The numbers of its bills, as the run that raised it or last looked at it knew them; and how often a run has looked at
-- it and made no PI.
ALTER TABLE ifms.payment
    ADD COLUMN bill_numbers text[] NOT NULL DEFAULT '{}',
    ADD COLUMN tries integer NOT NULL DEFAULT 0 CHECK (tries >= 0);
UPDATE ifms.payment SET tries = 1 WHERE hold_code IS NOT NULL;
CREATE INDEX payment_waiting_bills ON ifms.payment USING gin (bill_numbers) WHERE paid_by IS NULL;
CREATE INDEX payment_waiting_in_city ON ifms.payment (tenant_id, raised_at, id) WHERE paid_by IS NULL;

CREATE OR REPLACE VIEW ifms.waiting_payment AS
SELECT y.id, y.tenant_id, y.payment_number, y.payment_id, y.amount,
       ARRAY(SELECT b.bill_id FROM ifms.bill b
             WHERE b.tenant_id = y.tenant_id AND b.payment_number = y.payment_number ORDER BY b.bill_id) AS bill_ids,
       CASE WHEN y.bill_numbers <> '{}' THEN y.bill_numbers ELSE coalesce(earlier.bill_numbers, '{}') END AS bill_numbers,
       y.raised_at, y.seen_at, y.polled_at, y.hold_code,
       coalesce(ifms.without_numbers(y.hold_message),
                CASE WHEN y.polled_at IS NULL THEN 'no run of ifms_pi has taken it up yet'
                     ELSE 'a run of ifms_pi has taken it up and has not said why it has no payment instruction' END) AS why,
       y.held_since, extract(day FROM now() - y.raised_at)::integer AS age_days,
       (SELECT count(*) FROM ifms.payment_instruction p
        WHERE p.tenant_id = y.tenant_id AND p.payment_number = y.payment_number AND p.pi_type = 'ORIGINAL'
          AND p.repayment_of IS NULL) AS attempts,
       earlier.pi_number AS last_pi_number, y.tries
FROM ifms.payment y
LEFT JOIN LATERAL (
    SELECT p.pi_number, p.bill_numbers FROM ifms.payment_instruction p
    WHERE p.tenant_id = y.tenant_id AND p.payment_number = y.payment_number AND p.pi_type = 'ORIGINAL'
      AND p.repayment_of IS NULL
    ORDER BY p.created_at DESC, p.id DESC LIMIT 1
) earlier ON true
WHERE y.paid_by IS NULL;
COMMENT ON VIEW ifms.waiting_payment IS
    'Payments that have no payment instruction (PI), or none that has not failed: one row each, with why. Cheap to ask whole (few wait), by raised_at, and by tenant_id.';
COMMENT ON COLUMN ifms.waiting_payment.bill_numbers IS 'The numbers of these bills, as the run knew them that raised it or looked at it last, else by its last PI; empty when nobody knew them.';
COMMENT ON COLUMN ifms.waiting_payment.tries IS 'How often a run has looked at it and made no PI.';

-- DIGIT's index knows a document by its id. A payment that has no PI stands there under its own id; the first PI that is
-- made of it takes that id, and with it the place: so the index never has both.
CREATE FUNCTION ifms.take_payments_id() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    its_payment uuid := (SELECT y.id FROM ifms.payment y
                         WHERE y.tenant_id = NEW.tenant_id AND y.payment_number = NEW.payment_number);
BEGIN
    IF its_payment IS NOT NULL AND NOT EXISTS (SELECT FROM ifms.payment_instruction p WHERE p.id = its_payment) THEN
        NEW.id := its_payment;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER first_one_has_its_payments_id BEFORE INSERT ON ifms.payment_instruction FOR EACH ROW
    WHEN (NEW.pi_type = 'ORIGINAL' AND NEW.repayment_of IS NULL AND NEW.imported_at IS NULL)
    EXECUTE FUNCTION ifms.take_payments_id();

-- All that the index hears of a payment and its PIs is told in order: one key for them.
CREATE OR REPLACE FUNCTION ifms.tell_index() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload)
    SELECT 'pi_index', NEW.tenant_id, NEW.tenant_id || ':' || NEW.payment_number,
           jsonb_build_object('piNumber', NEW.pi_number, 'status', NEW.status)
    WHERE EXISTS (SELECT FROM ifms.notice WHERE topic = 'pi_index' AND wanted_until > now());
    RETURN NULL;
END $$;

CREATE FUNCTION ifms.tell_index_of_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload)
    SELECT 'pi_index', NEW.tenant_id, NEW.tenant_id || ':' || NEW.payment_number,
           jsonb_build_object('paymentNumber', NEW.payment_number)
    WHERE EXISTS (SELECT FROM ifms.notice WHERE topic = 'pi_index' AND wanted_until > now())
      AND NOT EXISTS (SELECT FROM ifms.payment_instruction p  -- that one stands for it
                      WHERE p.tenant_id = NEW.tenant_id AND p.payment_number = NEW.payment_number);
    RETURN NULL;
END $$;
CREATE TRIGGER tell_index_of_why AFTER UPDATE OF hold_code, hold_message ON ifms.payment FOR EACH ROW
    WHEN (NEW.paid_by IS NULL AND (NEW.hold_code, NEW.hold_message) IS DISTINCT FROM (OLD.hold_code, OLD.hold_message))
    EXECUTE FUNCTION ifms.tell_index_of_payment();

-- How everything stands ----------------------------------------------------------------------------------------------

-- What the first page counts of all PIs and all failed payments, by city, state and day: a million rows are added up by
-- the sweeps at their ends, once for everybody, and not by each who looks. Written as a whole from the ledger's own rows,
-- so that it is right as of its instant, whatever happened before; no write of a sweep waits for it.
CREATE TABLE ifms.overview (
    only_one  boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    as_of     timestamptz,
    took      interval NOT NULL DEFAULT '0'
);
INSERT INTO ifms.overview DEFAULT VALUES;
CREATE TABLE ifms.overview_instruction (
    tenant_id     text NOT NULL,
    pi_type       text NOT NULL,
    status        text NOT NULL,
    -- Of those that wait for somebody: the day (IST) since when they have had their status, and the first instant on it.
    since_on      date,
    since         timestamptz,
    instructions  bigint NOT NULL,
    amount        numeric NOT NULL,
    UNIQUE NULLS NOT DISTINCT (tenant_id, pi_type, status, since_on)
);
CREATE TABLE ifms.overview_failed (
    tenant_id   text NOT NULL,
    correct_by  date NOT NULL,
    -- Whether a revised PI or a repayment of the same original is under way, for which they wait.
    busy        boolean NOT NULL,
    payments    bigint NOT NULL,
    amount      numeric NOT NULL,
    UNIQUE (tenant_id, correct_by, busy)
);
-- As each day and each time of the ledger; a failure of its last year may be corrected in the next.
ALTER TABLE ifms.overview ADD CONSTRAINT overview_as_of_in_bounds
    CHECK (as_of >= '2000-01-01 00:00+00' AND as_of < '2100-01-01 00:00+00');
ALTER TABLE ifms.overview_instruction
    ADD CONSTRAINT overview_instruction_since_on_in_bounds CHECK (since_on >= '2000-01-01' AND since_on < '2100-01-01'),
    ADD CONSTRAINT overview_instruction_since_in_bounds
        CHECK (since >= '2000-01-01 00:00+00' AND since < '2100-01-01 00:00+00');
ALTER TABLE ifms.overview_failed ADD CONSTRAINT overview_failed_correct_by_in_bounds
    CHECK (correct_by >= '2000-01-01' AND correct_by < '2100-12-31');
COMMENT ON TABLE ifms.overview IS 'As of when the overview counts, and how long that took.';
COMMENT ON TABLE ifms.overview_instruction IS 'Payment instructions of a city in a status, since a day: how many, and their rupees, as of ifms.overview.';
COMMENT ON TABLE ifms.overview_failed IS 'Failed payments of a city that nobody has taken over, by their last day: how many, and their rupees, as of ifms.overview.';

-- As the owner: who works on the ledger deletes nothing by itself. One at a time; who comes while it is done, or so soon
-- after it that it would take more than a twentieth of the time, goes on without. Returns whether it was done.
CREATE FUNCTION ifms.refresh_overview() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    began timestamptz := clock_timestamp();
BEGIN
    IF NOT pg_try_advisory_xact_lock('ifms.overview'::regclass::oid::bigint) OR EXISTS (
        SELECT FROM ifms.overview WHERE as_of + 20 * took > began) THEN
        RETURN false;
    END IF;
    DELETE FROM ifms.overview_instruction;
    INSERT INTO ifms.overview_instruction (tenant_id, pi_type, status, since_on, since, instructions, amount)
    SELECT p.tenant_id, p.pi_type, p.status, day.since_on, CASE WHEN day.since_on IS NOT NULL THEN min(p.status_since) END,
           count(*), sum(p.net_amount)
    FROM ifms.payment_instruction p CROSS JOIN LATERAL (
        SELECT CASE WHEN p.status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS')
                    THEN (p.status_since AT TIME ZONE 'Asia/Kolkata')::date END AS since_on) day
    GROUP BY 1, 2, 3, 4;
    DELETE FROM ifms.overview_failed;
    INSERT INTO ifms.overview_failed (tenant_id, correct_by, busy, payments, amount)
    SELECT f.tenant_id, f.correct_by, f.busy_pi_number IS NOT NULL, count(*), sum(f.amount)
    FROM ifms.failed_beneficiary f GROUP BY 1, 2, 3;
    UPDATE ifms.overview SET as_of = began, took = clock_timestamp() - began;
    RETURN true;
END $$;
