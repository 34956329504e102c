-- What the bank has given back, as far as it is not in the beneficiaries' rows.

-- By what UTRs are compared: they are capitals and digits, and the same one may come in small letters, or with blanks
-- around it. What is kept is as it was told. `ifms.wire.bank.same_utr` does the same.
CREATE FUNCTION ifms.utr_key(utr text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT upper(btrim(utr, E' \t\n\r\f\x0B') COLLATE "C")
$$;

-- Failures that the treasury reported and that match no payment instruction or beneficiary, or say of one what is known
-- to be otherwise: kept until somebody has seen to them. The account number is sealed, like everywhere. The view unmatched_failure has the name by which readers know
-- it; the table holds the sealed accounts, too, and what has matched since.
CREATE TABLE ifms.reported_failure (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    bill_number      text NOT NULL,
    beneficiary_id   text NOT NULL,
    voucher_date     date NOT NULL,
    account_sealed   bytea,
    account_last4    text,
    ifsc             text,
    utr_number       text,
    challan_number   text,
    challan_date     date,
    bill_ref_number  text,
    reason           text,
    why_unmatched    text NOT NULL,
    first_told_at    timestamptz NOT NULL DEFAULT now(),
    last_told_at     timestamptz NOT NULL DEFAULT now(),
    matched_at       timestamptz,
    -- One that is nobody's here is closed by a person, with a reason; should it match after all, it is booked.
    settled_at       timestamptz,
    settled_by       text,
    settled_reason   text,
    CONSTRAINT settled_with_a_reason CHECK ((settled_at IS NULL) = (settled_by IS NULL)
        AND (settled_at IS NULL) = (settled_reason IS NULL) AND btrim(settled_reason) <> '')
);
-- Older replies name nobody but by account and UTR.
CREATE UNIQUE INDEX reported_failure_once ON ifms.reported_failure (bill_number, beneficiary_id, voucher_date,
    challan_number, ifms.utr_key(utr_number), account_last4, ifsc, bill_ref_number) NULLS NOT DISTINCT;
COMMENT ON TABLE ifms.reported_failure IS 'Failures that the treasury reported and that matched nothing when they were told.';
CREATE INDEX reported_failure_open ON ifms.reported_failure (bill_number) WHERE matched_at IS NULL;
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.reported_failure FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a reported failure is never dropped');
CREATE TRIGGER content_is_frozen BEFORE UPDATE OF bill_number, beneficiary_id, voucher_date,
    account_last4, ifsc, utr_number, challan_number, challan_date, bill_ref_number, reason, first_told_at ON ifms.reported_failure
    FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a reported failure is what the treasury said');
CREATE TRIGGER account_is_frozen BEFORE UPDATE OF account_sealed ON ifms.reported_failure
    FOR EACH ROW WHEN (NEW.account_sealed IS DISTINCT FROM OLD.account_sealed) EXECUTE FUNCTION ifms.check_resealed();
CREATE TRIGGER settled_once BEFORE UPDATE OF settled_at, settled_by, settled_reason ON ifms.reported_failure
    FOR EACH ROW WHEN (OLD.settled_at IS NOT NULL)
    EXECUTE FUNCTION ifms.refuse_change('who has closed a reported failure, and why, stays on record');

-- Transfers that the treasury told of somebody of whom it had told another one, paid or failed: by another UTR. Until a
-- person has asked it, who has failed is not corrected: he may be paid. And those that it told otherwise than they were
-- sent, on another account: who waits is not paid by one until a person says that it has paid.
CREATE TABLE ifms.other_transfer (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    beneficiary_row  uuid NOT NULL REFERENCES ifms.beneficiary,
    utr_number       text NOT NULL,
    voucher_number   text,
    voucher_date     date,
    not_as_sent      text,
    first_told_at    timestamptz NOT NULL DEFAULT now(),
    last_told_at     timestamptz NOT NULL DEFAULT now(),
    settled_at       timestamptz,
    settled_by       text,
    settled_reason   text,
    -- By this transfer, too, money has reached the beneficiary: who has failed by the other one is never corrected.
    has_paid         boolean,
    CONSTRAINT settled_with_a_reason CHECK ((settled_at IS NULL) = (settled_by IS NULL)
        AND (settled_at IS NULL) = (settled_reason IS NULL) AND (settled_at IS NULL) = (has_paid IS NULL)
        AND btrim(settled_reason) <> '')
);
CREATE UNIQUE INDEX other_transfer_once ON ifms.other_transfer (beneficiary_row, ifms.utr_key(utr_number));
COMMENT ON TABLE ifms.other_transfer IS 'Transfers by another UTR than the one that the treasury told before of the same beneficiary, or otherwise than it was sent.';
CREATE INDEX other_transfer_open ON ifms.other_transfer (first_told_at) WHERE settled_at IS NULL;
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.other_transfer FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a transfer that the treasury told is never dropped');
CREATE TRIGGER content_is_frozen BEFORE UPDATE OF beneficiary_row, utr_number, voucher_number, voucher_date,
    not_as_sent, first_told_at ON ifms.other_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a transfer is what the treasury said');
CREATE TRIGGER settled_once BEFORE UPDATE OF settled_at, settled_by, settled_reason, has_paid ON ifms.other_transfer
    FOR EACH ROW WHEN (OLD.settled_at IS NOT NULL)
    EXECUTE FUNCTION ifms.refuse_change('who has settled a transfer, and why, stays on record');

-- Failed beneficiaries of whom a person has said why nobody pays them any more: reconciliation does not tell of them.
CREATE TABLE ifms.closed_failure (
    beneficiary_row  uuid PRIMARY KEY REFERENCES ifms.beneficiary,
    closed_at        timestamptz NOT NULL DEFAULT now(),
    closed_by        text NOT NULL,
    reason           text NOT NULL CHECK (btrim(reason) <> '')
);
COMMENT ON TABLE ifms.closed_failure IS 'Failed beneficiaries of whom a person has said why nobody pays them any more.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.closed_failure FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('who has closed a failed beneficiary, and why, stays on record');

-- When the treasury last told, and we understood, what came back of one voucher date. The reconciliation names a date
-- that must be asked about and was not. Dates are the treasury's (IST).
CREATE TABLE ifms.voucher_date_asked (
    voucher_date  date PRIMARY KEY,
    answered_at   timestamptz NOT NULL,
    sweep_run_id  uuid NOT NULL
);
COMMENT ON TABLE ifms.voucher_date_asked IS 'When the treasury last told what came back of a voucher date.';
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.voucher_date_asked FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('that a voucher date was asked about stays on record');
