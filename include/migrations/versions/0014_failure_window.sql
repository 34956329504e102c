-- When the treasury last told, and we understood, what came back of one voucher date. The reconciliation names a date
-- that must be asked about and was not. Dates are the treasury's (IST).
CREATE TABLE ifms.voucher_date_asked (
    voucher_date  date PRIMARY KEY
        CONSTRAINT voucher_date_asked_voucher_date_in_bounds
        CHECK (voucher_date >= '2000-01-01' AND voucher_date < '2100-01-01'),
    answered_at   timestamptz NOT NULL
        CONSTRAINT voucher_date_asked_answered_at_in_bounds
        CHECK (answered_at >= '2000-01-01 00:00+00' AND answered_at < '2100-01-01 00:00+00'),
    sweep_run_id  uuid NOT NULL
);
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.voucher_date_asked FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('that a voucher date was asked about stays on record');

-- Is anybody paid by a voucher of this date whose money may still come back? Also finds those without a voucher date.
CREATE INDEX beneficiary_returnable ON ifms.beneficiary (voucher_date, updated_at) WHERE status = 'Payment Successful';
