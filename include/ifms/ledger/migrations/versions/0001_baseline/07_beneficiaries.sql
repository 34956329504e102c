-- Beneficiaries of payment instructions: written with them, and each paid once.

CREATE TABLE ifms.beneficiary (
    id                      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    payment_instruction_id  uuid NOT NULL REFERENCES ifms.payment_instruction,
    beneficiary_number      text NOT NULL,
    beneficiary_id          text NOT NULL,
    beneficiary_type        text NOT NULL CHECK (beneficiary_type IN ('IND', 'ORG', 'DEPT')),
    amount                  numeric(15,2) NOT NULL CHECK (amount > 0),
    line_item_ids           text[] NOT NULL CHECK (cardinality(line_item_ids) > 0),
    name                    text NOT NULL,
    -- NULL only where the account was not known when the row was made: then the platform's audit log tells it.
    account_sealed          bytea,
    account_last4           text NOT NULL CHECK (length(account_last4) <= 4),
    account_type            text NOT NULL,
    -- '' only where it was imported, until a correction has asked the platform for it: as are name and account.
    ifsc                    text NOT NULL,
    bank_account_id         text NOT NULL,
    -- Of a revision: the name of the person who has chosen, on purpose, the account whose payment had failed. NULL where
    -- the registry had another account. Part of the PI's content: a revision that is sent again is known to be meant so.
    same_account_by         text CONSTRAINT same_account_has_a_name CHECK (btrim(same_account_by) <> ''),
    mobile                  text NOT NULL,
    address                 text NOT NULL,
    -- What the registry says of an individual, as it was when the payment instruction was written. Nobody reads it row by
    -- row but who works on the ledger: for others payments_by_group counts, and leaves small numbers out.
    gender                  text CHECK (gender ~ '^[A-Z][A-Z0-9 _-]{0,39}$'),
    social_category         text CHECK (social_category ~ '^[A-Z][A-Z0-9 _-]{0,39}$'),
    status                  text NOT NULL DEFAULT 'Payment Pending',
    status_message          text,
    voucher_number          text,
    voucher_date            date,
    utr_number              text,
    utr_date                date,
    end_to_end_id           text,
    challan_number          text,
    challan_date            date,
    failed_on               date,
    -- The last status that an import gave the row; NULL for this adapter's own. The platform heard of it from the adapter
    -- before this one.
    imported_as             text CHECK (imported_as IN ('Payment Pending', 'Payment Initiated', 'Payment In Process',
                                                        'Payment Successful', 'Payment Failed')),
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    UNIQUE (payment_instruction_id, beneficiary_number),
    CONSTRAINT amount_is_a_number CHECK (amount <> 'NaN'),
    CONSTRAINT beneficiary_ifsc_check CHECK (
        ifsc ~ '^[A-Z]{4}0[A-Z0-9]{6}$' OR (ifsc = '' AND imported_as IS NOT NULL))
);
COMMENT ON TABLE ifms.beneficiary IS 'Who is paid by a payment instruction, how much and on which account (sealed), and what became of it.';
COMMENT ON COLUMN ifms.beneficiary.gender IS 'Of an individual, as the registry has it, like FEMALE; NULL where it has none.';
COMMENT ON COLUMN ifms.beneficiary.social_category IS 'Of an individual, as the registry has it, like SC; NULL where it has none.';
CREATE INDEX beneficiary_failed ON ifms.beneficiary (payment_instruction_id) WHERE status = 'Payment Failed';
-- A beneficiary keeps its number through revisions until it is paid; it is paid once: only a failed row frees the number.
CREATE UNIQUE INDEX one_live_payment_per_beneficiary ON ifms.beneficiary (beneficiary_number)
    WHERE status <> 'Payment Failed';
CREATE INDEX beneficiary_by_number ON ifms.beneficiary (beneficiary_number, created_at DESC);
-- Few rows of many.
CREATE INDEX beneficiary_failed_on ON ifms.beneficiary (failed_on) WHERE status = 'Payment Failed';
-- Is anybody paid by a voucher of this date whose money may still come back?
CREATE INDEX beneficiary_returnable ON ifms.beneficiary (voucher_date, updated_at) WHERE status = 'Payment Successful';
-- Whose voucher date is not known, or can't be right (DAYS_AHEAD and RETURNABLE_DAYS of ledger/limits.py): few rows.
CREATE INDEX beneficiary_undated ON ifms.beneficiary (updated_at)
    WHERE status = 'Payment Successful'
      AND (voucher_date IS NULL
           OR voucher_date > (updated_at AT TIME ZONE 'Asia/Kolkata')::date + 7
           OR voucher_date < (updated_at AT TIME ZONE 'Asia/Kolkata')::date - 100);
-- A bank reconciles by these. They come with the debit scroll, so most rows have one and none has many.
CREATE INDEX beneficiary_by_utr ON ifms.beneficiary (utr_number) WHERE utr_number IS NOT NULL;
CREATE INDEX beneficiary_by_voucher ON ifms.beneficiary (voucher_number) WHERE voucher_number IS NOT NULL;
CREATE INDEX beneficiary_by_voucher_date ON ifms.beneficiary (voucher_date) WHERE voucher_date IS NOT NULL;

-- What its owner imports starts as it stood in the adapter before this one.
CREATE TRIGGER first_status BEFORE INSERT ON ifms.beneficiary FOR EACH ROW
    WHEN (NEW.status IS DISTINCT FROM 'Payment Pending' AND NEW.status IS DISTINCT FROM NEW.imported_as)
    EXECUTE FUNCTION ifms.refuse_first_status('Payment Pending');
CREATE TRIGGER check_transition BEFORE UPDATE OF status ON ifms.beneficiary FOR EACH ROW
    WHEN (NEW.status IS DISTINCT FROM OLD.status) EXECUTE FUNCTION ifms.check_transition('BENEFICIARY');

CREATE TRIGGER content_is_frozen BEFORE UPDATE OF payment_instruction_id, beneficiary_number, beneficiary_id,
    beneficiary_type, amount, line_item_ids, name, account_type, mobile, address
    ON ifms.beneficiary FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('the content of a payment instruction is frozen');
CREATE TRIGGER account_is_filled_once BEFORE UPDATE OF ifsc, account_last4 ON ifms.beneficiary FOR EACH ROW
    WHEN ((OLD.imported_as IS NULL OR OLD.ifsc <> '') AND (NEW.ifsc, NEW.account_last4) <> (OLD.ifsc, OLD.account_last4))
    EXECUTE FUNCTION ifms.refuse_change('the content of a payment instruction is frozen');
CREATE TRIGGER registry_id_is_frozen BEFORE UPDATE OF bank_account_id, created_at ON ifms.beneficiary FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('the content of a payment instruction is frozen');
-- An account that was not known when the row was made may be added, once; no account is ever exchanged.
CREATE TRIGGER account_is_frozen BEFORE UPDATE OF account_sealed ON ifms.beneficiary
    FOR EACH ROW WHEN (OLD.account_sealed IS NOT NULL AND NEW.account_sealed IS DISTINCT FROM OLD.account_sealed)
    EXECUTE FUNCTION ifms.check_resealed();
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.beneficiary FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a beneficiary is never deleted');
CREATE TRIGGER owner_imports BEFORE INSERT OR UPDATE OF imported_as ON ifms.beneficiary FOR EACH ROW
    WHEN (NEW.imported_as IS NOT NULL) EXECUTE FUNCTION ifms.check_import();
CREATE TRIGGER choice_is_frozen BEFORE UPDATE OF same_account_by ON ifms.beneficiary FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('who has chosen the same account stays on record');
CREATE TRIGGER group_is_frozen BEFORE UPDATE OF gender, social_category ON ifms.beneficiary
    FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('the content of a payment instruction is frozen');

-- What the treasury reported of a beneficiary comes with the status that it means, in one change, and stays.
CREATE TRIGGER outcome_is_told_once BEFORE UPDATE OF voucher_number, voucher_date, utr_number, utr_date, end_to_end_id,
    challan_number, challan_date, failed_on ON ifms.beneficiary FOR EACH ROW
    WHEN (NEW.imported_as IS NULL AND (
        ((NEW.voucher_number, NEW.voucher_date, NEW.utr_number, NEW.utr_date, NEW.end_to_end_id)
            IS DISTINCT FROM (OLD.voucher_number, OLD.voucher_date, OLD.utr_number, OLD.utr_date, OLD.end_to_end_id)
         AND (NEW.status <> 'Payment Successful' OR OLD.status = NEW.status))
        OR ((NEW.challan_number, NEW.challan_date, NEW.failed_on)
            IS DISTINCT FROM (OLD.challan_number, OLD.challan_date, OLD.failed_on)
         AND (NEW.status <> 'Payment Failed' OR OLD.status = NEW.status))))
    EXECUTE FUNCTION ifms.refuse_change('what the treasury reported of a beneficiary stays as it was reported');

-- Header and rows agree: checked when the transaction that wrote them commits.
CREATE FUNCTION ifms.check_beneficiaries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    rows  bigint;
    total numeric;
BEGIN
    SELECT count(*), sum(amount) INTO rows, total FROM ifms.beneficiary WHERE payment_instruction_id = NEW.id;
    IF rows <> NEW.beneficiary_count OR total IS DISTINCT FROM NEW.net_amount THEN
        RAISE EXCEPTION 'payment instruction % says % beneficiaries and %, its rows are % and %',
            NEW.pi_number, NEW.beneficiary_count, NEW.net_amount, rows, total
            USING ERRCODE = 'check_violation', CONSTRAINT = 'beneficiaries_agree';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER beneficiaries_agree AFTER INSERT ON ifms.payment_instruction
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.check_beneficiaries();

-- A beneficiary is written with its header. An imported PI keeps the time at which it was made.
CREATE FUNCTION ifms.check_written_with_header() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- now() is the transaction's: only the transaction that wrote the header sees its created_at as now.
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT payment_instruction_id AS id FROM written) AS header
        WHERE NOT EXISTS (SELECT FROM ifms.payment_instruction p
                          WHERE p.id = header.id AND now() IN (p.created_at, p.imported_at))
    ) THEN
        RAISE EXCEPTION 'a beneficiary is written with its payment instruction, not later'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'written_with_header';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER written_with_header AFTER INSERT ON ifms.beneficiary REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION ifms.check_written_with_header();

-- A line of a bill is paid by one payment. The bills of the adapter before this one are not known here, only their lines:
-- that it made two payments for one bill shows when the second one gets its PI. It gets none either while the treasury
-- may have a FAILED PI of the first, until a person has said that it lacks that.
CREATE INDEX beneficiary_imported_lines ON ifms.beneficiary USING gin (line_item_ids) WHERE imported_as IS NOT NULL;
-- Never by a look at all rows, which is what PostgreSQL plans while the table is young, and then keeps for a connection.
CREATE FUNCTION ifms.check_line_is_paid_once() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    line    text;
    other   text;
    number  text;
    unclear text;
BEGIN
    SELECT p.payment_number, (SELECT min(each) FROM unnest(w.line_item_ids) each WHERE each = ANY(b.line_item_ids)),
           o.payment_number, CASE WHEN o.status = 'FAILED' THEN o.pi_number END
    INTO number, line, other, unclear
    FROM written w
    JOIN ifms.payment_instruction p ON p.id = w.payment_instruction_id
    JOIN ifms.beneficiary b ON b.imported_as IS NOT NULL AND b.line_item_ids && w.line_item_ids
    JOIN ifms.payment_instruction o ON o.id = b.payment_instruction_id
     AND (o.status <> 'FAILED' OR o.uncertain AND (o.said_absent_at IS NULL OR o.said_absent_at <= o.found_failed_at))
    WHERE w.imported_as IS NULL AND (o.tenant_id, o.payment_number) <> (p.tenant_id, p.payment_number)
    ORDER BY 1, 2, 4 NULLS FIRST LIMIT 1;
    IF unclear IS NOT NULL THEN
        RAISE EXCEPTION 'payment % pays line %, and so may PI % of payment % of the adapter before this one: ask the treasury; if it lacks that PI, say so with `ifms settle`',
            number, line, unclear, other
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'line_is_paid_once', TABLE = 'beneficiary';
    ELSIF other IS NOT NULL THEN
        RAISE EXCEPTION 'payment % pays line %, which payment % of the adapter before this one pays already: ask the platform which of them is right',
            number, line, other
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'line_is_paid_once', TABLE = 'beneficiary';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER line_is_paid_once AFTER INSERT ON ifms.beneficiary REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION ifms.check_line_is_paid_once();
