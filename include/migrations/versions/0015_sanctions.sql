-- Which sanction pays, until when a failed payment is corrected, and the end of a payment instruction that was never sent.

-- Settings. ------------------------------------------------------------------------------------------------------------

-- The settings of the treasury's connection that the database must know, too: one row, made equal to the connection by
-- each sweep that calls the treasury. What is decided by them here and in Python is decided by this row.
CREATE TABLE ifms.setting (
    only_one               boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    use_earlier_years      boolean NOT NULL DEFAULT false,
    correction_days        integer NOT NULL DEFAULT 90 CHECK (correction_days BETWEEN 1 AND 3650),
    -- A day that each year has: 2001 is no leap year.
    correction_last_month  integer NOT NULL DEFAULT 4,
    correction_last_day    integer NOT NULL DEFAULT 30
        CHECK (make_date(2001, correction_last_month, correction_last_day) IS NOT NULL),
    changed_at             timestamptz NOT NULL DEFAULT now() CONSTRAINT setting_changed_at_in_bounds
        CHECK (changed_at >= '2000-01-01 00:00+00' AND changed_at < '2100-01-01 00:00+00')
);
INSERT INTO ifms.setting DEFAULT VALUES;
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.setting FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('the settings are changed, not deleted');

-- Closed sanctions. ----------------------------------------------------------------------------------------------------

-- Who has closed a sanction, so that no more is paid from it, or opened it again, and why. The last row counts.
CREATE TABLE ifms.sanction_closing (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sanction_id  uuid NOT NULL REFERENCES ifms.sanction,
    closed       boolean NOT NULL,
    reason       text NOT NULL CHECK (btrim(reason) <> ''),
    person       text NOT NULL CHECK (btrim(person) <> ''),
    noted_at     timestamptz NOT NULL DEFAULT now() CONSTRAINT sanction_closing_noted_at_in_bounds
        CHECK (noted_at >= '2000-01-01 00:00+00' AND noted_at < '2100-01-01 00:00+00')
);
CREATE INDEX sanction_closing_by_sanction ON ifms.sanction_closing (sanction_id, id DESC);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.sanction_closing FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('who has closed a sanction or opened it again stays on record');

-- NULL while it is open; written by the rows above and by nothing else. Kept here, too, because whoever has locked a
-- sanction to pay from it then knows that it is open.
ALTER TABLE ifms.sanction ADD COLUMN closed_at timestamptz CONSTRAINT sanction_closed_at_in_bounds
    CHECK (closed_at >= '2000-01-01 00:00+00' AND closed_at < '2100-01-01 00:00+00');

CREATE FUNCTION ifms.apply_closing() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE ifms.sanction SET closed_at = CASE WHEN NEW.closed THEN NEW.noted_at END, updated_at = now()
    WHERE id = NEW.sanction_id AND (closed_at IS NULL) = NEW.closed;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'sanction % is % already', NEW.sanction_id, CASE WHEN NEW.closed THEN 'closed' ELSE 'open' END
            USING ERRCODE = 'check_violation', CONSTRAINT = 'closed_once';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER apply_closing AFTER INSERT ON ifms.sanction_closing
    FOR EACH ROW EXECUTE FUNCTION ifms.apply_closing();

CREATE FUNCTION ifms.check_closed_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT CASE WHEN closed THEN noted_at END FROM ifms.sanction_closing
        WHERE sanction_id = NEW.id ORDER BY id DESC LIMIT 1) IS DISTINCT FROM NEW.closed_at THEN
        RAISE EXCEPTION 'sanction % is closed and opened by a row of sanction_closing', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'closed_by_somebody';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER closed_by_somebody BEFORE UPDATE OF closed_at ON ifms.sanction
    FOR EACH ROW EXECUTE FUNCTION ifms.check_closed_at();
CREATE TRIGGER opened_when_made BEFORE INSERT ON ifms.sanction FOR EACH ROW WHEN (NEW.closed_at IS NOT NULL)
    EXECUTE FUNCTION ifms.refuse_change('a sanction is open when it is made');

-- A payment instruction that reserves money does so from an open sanction; one that is imported, or adopted from the
-- treasury, says what was.
CREATE FUNCTION ifms.check_sanction_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ifms.sanction WHERE id = NEW.sanction_id AND closed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'sanction % of % is closed: nothing is paid from it', NEW.master_allotment_id, NEW.tenant_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'sanction_is_open';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sanction_is_open BEFORE INSERT ON ifms.payment_instruction FOR EACH ROW
    WHEN (NEW.imported_at IS NULL AND NEW.adopted_by IS NULL AND NEW.pi_type = 'ORIGINAL')
    EXECUTE FUNCTION ifms.check_sanction_open();

-- Whether some sanction of a city has an amount: asked for each payment that waits for funds.
CREATE INDEX sanction_with_funds ON ifms.sanction (tenant_id, financial_year, available_amount)
    WHERE closed_at IS NULL;

-- What stands where nothing is paid from. --------------------------------------------------------------------------------

-- The financial year of a day (IST), as sanctions and payment instructions name it.
CREATE FUNCTION ifms.financial_year(day date) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_char(day - interval '3 months', 'YYYY') || '-' || to_char(day + interval '9 months', 'YY')
$$;

CREATE OR REPLACE VIEW ifms.fund_register AS
SELECT s.tenant_id, s.financial_year, s.hoa_code, s.ddo_code, s.ssu_id, s.master_allotment_id,
       m.id AS movement_id,
       CASE m.kind
           WHEN 'ALLOTMENT' THEN CASE a.kind WHEN 'INITIAL' THEN 'Initial Allotment' ELSE 'Additional Allotment' END
           WHEN 'WITHDRAWAL' THEN 'Withdrawal'
           WHEN 'DEBIT' THEN 'Expense'
           WHEN 'REVERSAL' THEN 'Expense Reversed'
       END AS transaction_type,
       coalesce(p.pi_number, a.ssu_allotment_id || '/' || a.serial_no) AS transaction_number,
       coalesce(a.allotment_date, (p.created_at AT TIME ZONE 'Asia/Kolkata')::date) AS transaction_date,
       m.amount AS transaction_amount,
       s.sanctioned_amount - m.allotted_after AS sanctioned_balance,
       m.allotted_after - m.spent_after AS fund_available,
       m.created_at AS recorded_at,
       s.id AS sanction_id, s.grantee_code, s.scheme_code, s.sanctioned_amount,
       a.ssu_allotment_id, a.serial_no AS allotment_serial_no, a.sanction_balance AS treasury_balance,
       p.payment_number,
       m.allotted_after, m.reserved_after, m.spent_after,
       m.allotted_after - m.reserved_after - m.spent_after AS unreserved_after,
       s.available_amount AS available_now,
       CASE WHEN s.closed_at IS NOT NULL OR s.financial_year < today.financial_year AND NOT o.use_earlier_years
            THEN greatest(s.available_amount, 0) ELSE 0 END AS not_used,
       CASE WHEN s.closed_at IS NOT NULL THEN 'CLOSED'
            WHEN s.financial_year < today.financial_year AND NOT o.use_earlier_years THEN 'EARLIER YEAR'
       END AS not_used_because,
       CASE WHEN s.closed_at IS NOT NULL THEN (
           SELECT c.reason FROM ifms.sanction_closing c WHERE c.sanction_id = s.id ORDER BY c.id DESC LIMIT 1)
       END AS closed_reason
FROM ifms.fund_movement m
JOIN ifms.sanction s ON s.id = m.sanction_id
LEFT JOIN ifms.allotment a ON a.id = m.allotment_id
LEFT JOIN ifms.payment_instruction p ON p.id = m.payment_instruction_id
CROSS JOIN ifms.setting o
CROSS JOIN (SELECT ifms.financial_year((now() AT TIME ZONE 'Asia/Kolkata')::date) AS financial_year) today
WHERE m.kind IN ('ALLOTMENT', 'WITHDRAWAL', 'DEBIT', 'REVERSAL');
COMMENT ON COLUMN ifms.fund_register.available_now IS 'Rupees that are on the sanction and not reserved, now: the same in each of its rows.';
COMMENT ON COLUMN ifms.fund_register.not_used IS 'Rupees of available_now that no PI is made from; 0 where PIs are. The same in each row of a sanction: add it up once for each sanction_id.';
COMMENT ON COLUMN ifms.fund_register.not_used_because IS 'CLOSED (by a person: closed_reason) or EARLIER YEAR (today''s payments are not made from it, as the connection''s use_earlier_years is off); NULL where PIs are made from it.';
COMMENT ON COLUMN ifms.fund_register.closed_reason IS 'Why the sanction was closed; NULL while it is open.';

-- Until when a failed payment is corrected. ------------------------------------------------------------------------------

-- So many days, or the given day after the end of the failure's financial year if that is earlier.
CREATE FUNCTION ifms.correct_by(failed_on date, days integer, last_month integer, last_day integer)
RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT least(failed_on + days, make_date(
        extract(year FROM failed_on - interval '3 months')::integer + CASE WHEN last_month >= 4 THEN 1 ELSE 2 END,
        last_month, last_day))
$$;
-- By the settings: the one rule, for the views, the queries and the code.
CREATE OR REPLACE FUNCTION ifms.correct_by(failed_on date) RETURNS date LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT ifms.correct_by(failed_on, o.correction_days, o.correction_last_month, o.correction_last_day)
    FROM ifms.setting o
$$;

CREATE OR REPLACE VIEW ifms.failed_beneficiary AS
SELECT b.id, p.tenant_id, coalesce(p.parent_pi_number, p.pi_number) AS original_pi_number, p.pi_number, p.payment_number,
       b.beneficiary_number, b.beneficiary_id, b.amount, b.account_last4, b.ifsc,
       ifms.without_numbers(b.status_message) AS reason,
       b.challan_number, b.challan_date, b.failed_on,
       ifms.correct_by(b.failed_on, o.correction_days, o.correction_last_month, o.correction_last_day) AS correct_by,
       ifms.correct_by(b.failed_on, o.correction_days, o.correction_last_month, o.correction_last_day)
           - (now() AT TIME ZONE 'Asia/Kolkata')::date AS days_left,
       CASE WHEN busy.pi_number IS NOT NULL THEN 'WAIT'
            WHEN ifms.correct_by(b.failed_on, o.correction_days, o.correction_last_month, o.correction_last_day)
                 >= (now() AT TIME ZONE 'Asia/Kolkata')::date THEN 'CORRECT'
            ELSE 'PAY ANEW' END AS next_step,
       busy.pi_number AS busy_pi_number,
       p.pi_type, p.status AS pi_status, p.financial_year, p.hoa_code, b.beneficiary_type, b.utr_number, b.utr_date,
       b.voucher_number, b.voucher_date
FROM ifms.beneficiary b
JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
CROSS JOIN ifms.setting o
LEFT JOIN LATERAL (
    SELECT f.pi_number FROM ifms.payment_instruction f
    WHERE f.parent_pi_number = coalesce(p.parent_pi_number, p.pi_number) AND f.status IN ('PENDING', 'INITIATED')
    UNION ALL
    SELECT f.pi_number FROM ifms.payment_instruction f
    WHERE f.repayment_of = coalesce(p.parent_pi_number, p.pi_number)
      AND f.status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS')
    LIMIT 1
) busy ON true
WHERE b.status = 'Payment Failed' AND b.failed_on IS NOT NULL AND p.status <> 'FAILED'
  AND NOT EXISTS (
      SELECT FROM ifms.beneficiary later
      WHERE later.beneficiary_number = b.beneficiary_number AND later.created_at > b.created_at
        AND (later.status <> 'Payment Failed' OR later.failed_on IS NOT NULL)
  );
COMMENT ON COLUMN ifms.failed_beneficiary.failed_on IS 'Date of the failure, IST, from which the days of a correction count.';
COMMENT ON COLUMN ifms.failed_beneficiary.correct_by IS 'Last date, IST, on which it can be corrected: 90 days after the failure, or 30 April of the next financial year if that is earlier; other days when the treasury''s connection says so.';

-- The end of a payment instruction that was never sent. ------------------------------------------------------------------

-- Who has cancelled it.
ALTER TABLE ifms.payment_instruction ADD COLUMN cancelled_by text CHECK (btrim(cancelled_by) <> '');

-- Nothing of it can have arrived, and nobody is about to send it: it FAILS in the statement that says who has cancelled it.
CREATE FUNCTION ifms.check_cancelled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR OLD.cancelled_by IS NOT NULL OR OLD.status <> 'PENDING' OR NEW.status <> 'FAILED'
       OR OLD.uncertain OR NEW.uncertain OR OLD.held_back OR OLD.last_attempt IS DISTINCT FROM 'never_sent'
       OR NEW.last_attempt IS DISTINCT FROM 'never_sent' OR OLD.claimed_until >= clock_timestamp() THEN
        RAISE EXCEPTION 'payment instruction % may have arrived at the treasury, or has ended: it is not cancelled',
            NEW.pi_number USING ERRCODE = 'check_violation', CONSTRAINT = 'cancelled_before_it_was_sent';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER cancelled_before_it_was_sent BEFORE UPDATE OF cancelled_by ON ifms.payment_instruction
    FOR EACH ROW WHEN (NEW.cancelled_by IS DISTINCT FROM OLD.cancelled_by) EXECUTE FUNCTION ifms.check_cancelled();
CREATE TRIGGER not_cancelled_when_made BEFORE INSERT ON ifms.payment_instruction
    FOR EACH ROW WHEN (NEW.cancelled_by IS NOT NULL) EXECUTE FUNCTION ifms.check_cancelled();
