-- What may have a payment instruction that this ledger does not know: of an import that did not fit, or of before a restore.

-- An import. ----------------------------------------------------------------------------------------------------------

-- Each row of the Java adapter's tables that was taken in, with all of its columns; again when it has changed since.
CREATE TABLE ifms.import_row (
    source       text NOT NULL,
    source_id    text NOT NULL,
    digest       text NOT NULL,
    content      jsonb NOT NULL,
    imported_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, source_id, digest)
);
COMMENT ON TABLE ifms.import_row IS 'Rows of the Java adapter''s tables as they were taken in.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.import_row FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('what was imported stays on record');

-- Payments that the Java adapter has made PIs for which could not be taken in. Until that is settled nothing is paid for
-- them, and what its PIs have spent is not available to others.
CREATE TABLE ifms.import_withheld (
    id                   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id            text NOT NULL,
    payment_number       text NOT NULL,
    hoa_code             text,
    ddo_code             text,
    master_allotment_id  text,
    amount               numeric(15,2) NOT NULL DEFAULT 0 CHECK (amount >= 0 AND amount <> 'NaN'),
    reason               text NOT NULL,
    first_told_at        timestamptz NOT NULL DEFAULT now(),
    last_told_at         timestamptz NOT NULL DEFAULT now(),
    settled_at           timestamptz,
    UNIQUE NULLS NOT DISTINCT (tenant_id, payment_number, hoa_code, ddo_code, master_allotment_id)
);
COMMENT ON TABLE ifms.import_withheld IS 'Payments of the Java adapter that could not be taken in: nothing is paid for them until that is settled.';
CREATE INDEX import_withheld_money ON ifms.import_withheld (tenant_id, hoa_code, ddo_code, master_allotment_id)
    WHERE settled_at IS NULL;
CREATE INDEX import_withheld_number ON ifms.import_withheld (tenant_id, ifms.plain_number(payment_number))
    WHERE settled_at IS NULL;
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.import_withheld FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('what could not be imported is settled, not forgotten');

CREATE FUNCTION ifms.withheld(of ifms.sanction) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(w.amount), 0) FROM ifms.import_withheld w
    WHERE w.settled_at IS NULL AND (w.tenant_id, w.hoa_code, w.ddo_code, w.master_allotment_id)
        = (of.tenant_id, of.hoa_code, of.ddo_code, of.master_allotment_id)
$$;

-- A restore. ----------------------------------------------------------------------------------------------------------

-- The ledger was restored from a backup: what was done between the backup and `restored_at` it does not know. So what is
-- older than that and has no PI here may have one at the treasury.
CREATE TABLE ifms.restored (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    restored_at  timestamptz NOT NULL DEFAULT now(),
    last_known   timestamptz,  -- the last sweep that this ledger remembers
    os_user      text NOT NULL
);
COMMENT ON TABLE ifms.restored IS 'When the ledger was restored from a backup.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.restored FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a restore stays on record');
-- What somebody has asked the treasury about: a payment; a PENDING PI, whether it has been replaced; a PI with failed
-- beneficiaries, whether they have been corrected. One answer is none to the other questions about the same number.
CREATE TABLE ifms.restore_cleared (
    restored_id  bigint NOT NULL REFERENCES ifms.restored,
    tenant_id    text NOT NULL,  -- two cities may have payments of one number
    number       text NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('PAYMENT', 'PENDING PI', 'FAILED BENEFICIARIES')),
    reason       text NOT NULL CHECK (btrim(reason) <> ''),
    os_user      text NOT NULL,
    cleared_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (restored_id, tenant_id, number, kind)
);
COMMENT ON TABLE ifms.restore_cleared IS 'What somebody has asked the treasury about after a restore.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.restore_cleared FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('who has cleared what stays on record');

CREATE FUNCTION ifms.in_doubt(of ifms.payment) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM ifms.restored r WHERE of.raised_at < r.restored_at AND NOT EXISTS (
        SELECT FROM ifms.restore_cleared c
        WHERE (c.restored_id, c.tenant_id, c.number, c.kind) = (r.id, of.tenant_id, of.payment_number, 'PAYMENT')))
$$;
-- An original with beneficiaries that may have failed by then: somebody may have corrected them. What was adopted may
-- have been corrected likewise. When the bank has given the money back is not always known: a challan may be dated seven
-- days ahead (DAYS_AHEAD of ledger/limits.py), and where none was told it was at the earliest on the day of the voucher,
-- and on any day where that is not known either.
CREATE FUNCTION ifms.in_doubt(of ifms.payment_instruction) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM ifms.restored r WHERE (of.created_at < r.restored_at OR of.adopted_by IS NOT NULL)
        AND EXISTS (SELECT FROM ifms.payment_instruction p JOIN ifms.beneficiary b ON b.payment_instruction_id = p.id
                    WHERE of.pi_number IN (p.pi_number, p.parent_pi_number) AND b.status = 'Payment Failed'
                      AND b.failed_on IS NOT NULL AND (p.created_at < r.restored_at OR p.adopted_by IS NOT NULL)
                      AND CASE WHEN b.challan_date IS NOT NULL THEN b.challan_date - 7
                               ELSE least(b.failed_on, coalesce(b.voucher_date, '-infinity')) END
                          <= (r.restored_at AT TIME ZONE 'Asia/Kolkata')::date)
        AND NOT EXISTS (SELECT FROM ifms.restore_cleared c
                        WHERE (c.restored_id, c.tenant_id, c.number, c.kind)
                            = (r.id, of.tenant_id, of.pi_number, 'FAILED BENEFICIARIES')))
$$;

-- No PI for whom one may be at the treasury already; but what a restored ledger has lost may be adopted, and nothing else
-- may. An adopted PI is no way to send one for a payment in doubt: none is PENDING, or without what the treasury has told
-- of it, when its transaction commits.
CREATE FUNCTION ifms.check_withheld() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    first    text := coalesce(NEW.parent_pi_number, NEW.repayment_of);
    plain    text := ifms.plain_number(NEW.payment_number);
    other    text;
    doubtful boolean;
BEGIN
    IF EXISTS (SELECT FROM ifms.import_withheld WHERE settled_at IS NULL
               AND tenant_id = NEW.tenant_id AND ifms.plain_number(payment_number) = plain) THEN
        RAISE EXCEPTION 'payment % of % has payment instructions of the Java adapter that could not be imported',
            NEW.payment_number, NEW.tenant_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_is_withheld';
    END IF;
    SELECT p.pi_number || ' (' || p.status || ') of payment ' || p.payment_number INTO other
    FROM ifms.payment y JOIN ifms.payment_instruction p ON (p.tenant_id, p.payment_number) = (y.tenant_id, y.payment_number)
    WHERE y.tenant_id = NEW.tenant_id AND ifms.plain_number(y.payment_number) = plain
      AND y.payment_number <> NEW.payment_number AND (p.status <> 'FAILED' OR p.uncertain) LIMIT 1;
    IF other IS NOT NULL THEN
        RAISE EXCEPTION 'its number differs only in small and capital letters, or in blanks, from that of PI %, which may '
            'have paid it: ask the treasury, and cancel on the platform what is paid', other
            USING ERRCODE = 'check_violation', CONSTRAINT = 'number_names_one_payment';
    END IF;
    doubtful := first IS NULL AND EXISTS (SELECT FROM ifms.payment y WHERE ifms.in_doubt(y)
               AND (y.tenant_id, y.payment_number) = (NEW.tenant_id, NEW.payment_number))
       OR EXISTS (SELECT FROM ifms.payment_instruction p WHERE p.pi_number = first AND ifms.in_doubt(p));
    IF NEW.adopted_by IS NOT NULL AND NOT doubtful THEN
        RAISE EXCEPTION 'payment % is not in doubt: only what a restored ledger has lost is adopted', NEW.payment_number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'adopted_was_lost';
    END IF;
    IF doubtful AND NEW.adopted_by IS NULL THEN
        RAISE EXCEPTION 'the ledger was restored, and % may have a payment instruction that it does not know: ask the '
            'treasury, then clear it with `ifms after-restore clear`', coalesce(first, NEW.payment_number)
            USING ERRCODE = 'check_violation', CONSTRAINT = 'restored_and_in_doubt';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payment_is_withheld BEFORE INSERT ON ifms.payment_instruction FOR EACH ROW
    WHEN (NEW.imported_at IS NULL) EXECUTE FUNCTION ifms.check_withheld();

CREATE FUNCTION ifms.check_adopted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ifms.payment_instruction p JOIN ifms.payment y ON y.paid_by = p.id
                   WHERE p.id = NEW.id AND p.status NOT IN ('PENDING', 'FAILED', 'INITIATED', 'APPROVED')
                     AND p.pi_approved_id IS NOT NULL AND p.pa_bill_ref_number IS NOT NULL
                     AND p.pa_token_number IS NOT NULL) THEN
        RAISE EXCEPTION 'payment instruction % is adopted as what the treasury has told of it, or not at all', NEW.pi_number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'adopted_is_at_the_treasury';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER adopted_is_at_the_treasury AFTER INSERT ON ifms.payment_instruction
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.adopted_by IS NOT NULL) EXECUTE FUNCTION ifms.check_adopted();

-- A PENDING PI of before a restore may have been declined and replaced since: nobody submits it before the owner has
-- cleared it, for every restore that it has been through, and said why (ifms.restore_cleared).
CREATE FUNCTION ifms.check_cleared() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE')
       OR EXISTS (SELECT FROM ifms.restored r WHERE r.restored_at > NEW.created_at AND NOT EXISTS (
              SELECT FROM ifms.restore_cleared c
              WHERE (c.restored_id, c.tenant_id, c.number, c.kind)
                  = (r.id, NEW.tenant_id, NEW.pi_number, 'PENDING PI'))) THEN
        RAISE EXCEPTION 'payment instruction % is held back since the ledger was restored, until it is cleared', NEW.pi_number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'held_back_until_cleared';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER held_back_until_cleared BEFORE UPDATE OF held_back ON ifms.payment_instruction
    FOR EACH ROW WHEN (OLD.held_back AND NOT NEW.held_back) EXECUTE FUNCTION ifms.check_cleared();
