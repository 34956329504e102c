-- What the Java adapter has done before this one: its rows live under the same rules, but for what it never kept.

-- When the row was imported; NULL for this adapter's own. Only the ledger's owner imports, and says so truly.
ALTER TABLE ifms.payment_instruction ADD COLUMN imported_at timestamptz;
-- The last status that an import gave the row; NULL for this adapter's own. The platform heard of it from the adapter
-- before this one.
ALTER TABLE ifms.beneficiary ADD COLUMN imported_as text;

CREATE FUNCTION ifms.check_import() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RAISE EXCEPTION 'only the owner of % imports rows into it', TG_TABLE_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = 'owner_imports';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER owner_imports BEFORE INSERT ON ifms.payment_instruction FOR EACH ROW
    WHEN (NEW.imported_at IS NOT NULL) EXECUTE FUNCTION ifms.check_import();
CREATE TRIGGER owner_imports BEFORE INSERT OR UPDATE OF imported_as ON ifms.beneficiary FOR EACH ROW
    WHEN (NEW.imported_as IS NOT NULL) EXECUTE FUNCTION ifms.check_import();
CREATE TRIGGER import_is_frozen BEFORE UPDATE OF imported_at ON ifms.payment_instruction FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('whether a payment instruction was imported does not change');

-- A PI that the treasury never took: the Java adapter did not keep which sanction it was tried on, and no money moved.
ALTER TABLE ifms.payment_instruction ALTER COLUMN sanction_id DROP NOT NULL;
ALTER TABLE ifms.payment_instruction ADD CONSTRAINT sanction_is_known CHECK (
    sanction_id IS NOT NULL OR (imported_at IS NOT NULL AND pi_type = 'ORIGINAL' AND status IN ('PENDING', 'FAILED')));

CREATE OR REPLACE FUNCTION ifms.check_money() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    pi       ifms.payment_instruction%ROWTYPE;
    kinds    text[];
    expected text[];
BEGIN
    SELECT * INTO pi FROM ifms.payment_instruction WHERE id = NEW.id;
    IF pi.pi_type = 'REVISED' THEN
        RETURN NULL;  -- a revision spends what its original already spent
    END IF;
    IF pi.sanction_id IS NULL AND pi.status = 'FAILED' AND NOT EXISTS (
        SELECT FROM ifms.fund_movement WHERE payment_instruction_id = pi.id) THEN
        RETURN NULL;  -- imported; it never moved any
    END IF;
    SELECT coalesce(array_agg(kind ORDER BY kind), '{}') INTO kinds
    FROM ifms.fund_movement WHERE payment_instruction_id = pi.id AND amount = pi.net_amount;
    expected := CASE pi.status WHEN 'PENDING' THEN ARRAY['RESERVE'] ELSE ARRAY['DEBIT', 'RESERVE'] END;
    IF kinds <> expected AND NOT (
        pi.status = 'FAILED' AND kinds IN (ARRAY['RELEASE', 'RESERVE'], ARRAY['DEBIT', 'RESERVE', 'REVERSAL'])
    ) OR (pi.status = 'FAILED' AND kinds = expected) THEN
        RAISE EXCEPTION 'payment instruction % is % but its movements are %', pi.pi_number, pi.status, kinds
            USING ERRCODE = 'check_violation', CONSTRAINT = 'status_and_money_agree';
    END IF;
    RETURN NULL;
END $$;

-- An imported PI keeps the time at which it was made; its beneficiaries are written with it all the same.
CREATE OR REPLACE FUNCTION ifms.check_written_with_header() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- now() is the transaction's: only the transaction that wrote the header sees its created_at as now.
    IF NOT EXISTS (
        SELECT FROM ifms.payment_instruction
        WHERE id = NEW.payment_instruction_id AND now() IN (created_at, imported_at)
    ) THEN
        RAISE EXCEPTION 'a beneficiary is written with its payment instruction, not later'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'written_with_header';
    END IF;
    RETURN NEW;
END $$;

-- Names and accounts were never in the Java adapter's tables: '' until a correction has asked the platform for them.
ALTER TABLE ifms.beneficiary DROP CONSTRAINT beneficiary_ifsc_check;
ALTER TABLE ifms.beneficiary ADD CONSTRAINT beneficiary_ifsc_check CHECK (
    ifsc ~ '^[A-Z]{4}0[A-Z0-9]{6}$' OR (ifsc = '' AND imported_as IS NOT NULL));
DROP TRIGGER content_is_frozen ON ifms.beneficiary;
CREATE TRIGGER content_is_frozen BEFORE UPDATE OF payment_instruction_id, beneficiary_number, beneficiary_id,
    beneficiary_type, amount, line_item_ids, name, account_type, mobile, address
    ON ifms.beneficiary FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('the content of a payment instruction is frozen');
CREATE TRIGGER account_is_filled_once BEFORE UPDATE OF ifsc, account_last4 ON ifms.beneficiary FOR EACH ROW
    WHEN ((OLD.imported_as IS NULL OR OLD.ifsc <> '') AND (NEW.ifsc, NEW.account_last4) <> (OLD.ifsc, OLD.account_last4))
    EXECUTE FUNCTION ifms.refuse_change('the content of a payment instruction is frozen');

-- Each row of the Java adapter's tables that was taken in, with all of its columns; again when it has changed since.
CREATE TABLE ifms.import_row (
    source       text NOT NULL,
    source_id    text NOT NULL,
    digest       text NOT NULL,
    content      jsonb NOT NULL,
    imported_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, source_id, digest)
);
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
CREATE INDEX import_withheld_money ON ifms.import_withheld (tenant_id, hoa_code, ddo_code, master_allotment_id)
    WHERE settled_at IS NULL;
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.import_withheld FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('what could not be imported is settled, not forgotten');

CREATE FUNCTION ifms.withheld(of ifms.sanction) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(w.amount), 0) FROM ifms.import_withheld w
    WHERE w.settled_at IS NULL AND (w.tenant_id, w.hoa_code, w.ddo_code, w.master_allotment_id)
        = (of.tenant_id, of.hoa_code, of.ddo_code, of.master_allotment_id)
$$;

-- As before, but: what an imported PI has spent is booked whatever is available, and nothing is reserved from what PIs
-- have spent that could not be imported.
CREATE OR REPLACE FUNCTION ifms.apply_movement() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    needs text := CASE NEW.kind WHEN 'DEBIT' THEN 'RESERVE' WHEN 'RELEASE' THEN 'RESERVE' WHEN 'REVERSAL' THEN 'DEBIT' END;
    own   boolean := NEW.kind = 'RESERVE' AND EXISTS (
        SELECT FROM ifms.payment_instruction WHERE id = NEW.payment_instruction_id AND imported_at IS NULL);
BEGIN
    IF needs IS NOT NULL AND NOT EXISTS (
        SELECT FROM ifms.fund_movement
        WHERE payment_instruction_id = NEW.payment_instruction_id AND kind = needs
          AND sanction_id = NEW.sanction_id AND amount = NEW.amount
    ) THEN
        RAISE EXCEPTION 'a % of % for payment instruction % has no % of the same amount before it',
            NEW.kind, NEW.amount, NEW.payment_instruction_id, needs
            USING ERRCODE = 'check_violation', CONSTRAINT = 'movement_has_its_pair';
    END IF;
    IF NEW.kind = 'RESERVE' AND NOT EXISTS (
        SELECT FROM ifms.payment_instruction
        WHERE id = NEW.payment_instruction_id AND sanction_id = NEW.sanction_id AND net_amount = NEW.amount
          AND pi_type = 'ORIGINAL'
    ) OR NEW.kind IN ('ALLOTMENT', 'WITHDRAWAL') AND NOT EXISTS (
        SELECT FROM ifms.allotment a
        JOIN ifms.sanction s ON s.id = NEW.sanction_id AND (s.tenant_id, s.hoa_code, s.ddo_code, s.master_allotment_id)
                                                         = (a.tenant_id, a.hoa_code, a.ddo_code, a.master_allotment_id)
        WHERE a.id = NEW.allotment_id AND a.amount = NEW.amount
          AND (a.kind = 'WITHDRAWAL') = (NEW.kind = 'WITHDRAWAL')
    ) THEN
        RAISE EXCEPTION 'a % of % on sanction % is not that of its payment instruction or allotment',
            NEW.kind, NEW.amount, NEW.sanction_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'movement_is_of_its_cause';
    END IF;
    UPDATE ifms.sanction s SET
        allotted_amount = allotted_amount + CASE NEW.kind WHEN 'ALLOTMENT' THEN NEW.amount WHEN 'WITHDRAWAL' THEN -NEW.amount ELSE 0 END,
        reserved_amount = reserved_amount + CASE NEW.kind WHEN 'RESERVE' THEN NEW.amount WHEN 'RELEASE' THEN -NEW.amount WHEN 'DEBIT' THEN -NEW.amount ELSE 0 END,
        spent_amount = spent_amount + CASE NEW.kind WHEN 'DEBIT' THEN NEW.amount WHEN 'REVERSAL' THEN -NEW.amount ELSE 0 END,
        updated_at = now()
    WHERE id = NEW.sanction_id
      AND (NOT own OR allotted_amount - reserved_amount - spent_amount - ifms.withheld(s) >= NEW.amount)
    RETURNING allotted_amount, reserved_amount, spent_amount
        INTO NEW.allotted_after, NEW.reserved_after, NEW.spent_after;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'sanction % has less than % available', NEW.sanction_id, NEW.amount
            USING ERRCODE = 'check_violation', CONSTRAINT = 'insufficient_funds';
    END IF;
    NEW.id := nextval('ifms.fund_movement_id_seq');
    RETURN NEW;
END $$;

-- After a restore. -----------------------------------------------------------------------------------------------------

-- The ledger was restored from a backup: what was done between the backup and `restored_at` it does not know. So what is
-- older than that and has no PI here may have one at the treasury.
CREATE TABLE ifms.restored (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    restored_at  timestamptz NOT NULL DEFAULT now(),
    last_known   timestamptz,  -- the last sweep that this ledger remembers
    os_user      text NOT NULL
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.restored FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a restore stays on record');
-- Payments, and PIs whose failed beneficiaries may be corrected, that somebody has asked the treasury about.
CREATE TABLE ifms.restore_cleared (
    restored_id  bigint NOT NULL REFERENCES ifms.restored,
    number       text NOT NULL,
    reason       text NOT NULL CHECK (btrim(reason) <> ''),
    os_user      text NOT NULL,
    cleared_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (restored_id, number)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.restore_cleared FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('who has cleared what stays on record');

CREATE FUNCTION ifms.in_doubt(of ifms.payment) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM ifms.restored r WHERE of.raised_at < r.restored_at AND NOT EXISTS (
        SELECT FROM ifms.restore_cleared c WHERE c.restored_id = r.id AND c.number = of.payment_number))
$$;
-- An original with beneficiaries that had failed by then: somebody may have corrected them.
CREATE FUNCTION ifms.in_doubt(of ifms.payment_instruction) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM ifms.restored r WHERE of.created_at < r.restored_at
        AND EXISTS (SELECT FROM ifms.payment_instruction p JOIN ifms.beneficiary b ON b.payment_instruction_id = p.id
                    WHERE of.pi_number IN (p.pi_number, p.parent_pi_number) AND b.status = 'Payment Failed'
                      AND b.failed_on <= (r.restored_at AT TIME ZONE 'Asia/Kolkata')::date)
        AND NOT EXISTS (SELECT FROM ifms.restore_cleared c WHERE c.restored_id = r.id AND c.number = of.pi_number))
$$;

-- No PI for whom one may be at the treasury already: of an import that did not fit, or of before a restore.
CREATE FUNCTION ifms.check_withheld() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    first text := coalesce(NEW.parent_pi_number, NEW.repayment_of);
BEGIN
    IF EXISTS (SELECT FROM ifms.import_withheld WHERE settled_at IS NULL
               AND tenant_id = NEW.tenant_id AND payment_number = NEW.payment_number) THEN
        RAISE EXCEPTION 'payment % of % has payment instructions of the Java adapter that could not be imported',
            NEW.payment_number, NEW.tenant_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_is_withheld';
    END IF;
    IF first IS NULL AND EXISTS (SELECT FROM ifms.payment y WHERE ifms.in_doubt(y)
               AND (y.tenant_id, y.payment_number) = (NEW.tenant_id, NEW.payment_number))
       OR EXISTS (SELECT FROM ifms.payment_instruction p WHERE p.pi_number = first AND ifms.in_doubt(p)) THEN
        RAISE EXCEPTION 'the ledger was restored, and % may have a payment instruction that it does not know: ask the '
            'treasury, then clear it with `ifms after-restore clear`', coalesce(first, NEW.payment_number)
            USING ERRCODE = 'check_violation', CONSTRAINT = 'restored_and_in_doubt';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payment_is_withheld BEFORE INSERT ON ifms.payment_instruction FOR EACH ROW
    WHEN (NEW.imported_at IS NULL) EXECUTE FUNCTION ifms.check_withheld();

-- A new log key. -------------------------------------------------------------------------------------------------------

-- An account is never exchanged; its owner may seal the same account under another key (`ifms reseal`), and says so.
CREATE FUNCTION ifms.check_resealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('ifms.resealing', true), '') <> 'on' OR NEW.account_sealed IS NULL
       OR NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RAISE EXCEPTION '% on % is refused: an account that is known is frozen', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER account_is_frozen ON ifms.beneficiary;
CREATE TRIGGER account_is_frozen BEFORE UPDATE OF account_sealed ON ifms.beneficiary
    FOR EACH ROW WHEN (OLD.account_sealed IS NOT NULL AND NEW.account_sealed IS DISTINCT FROM OLD.account_sealed)
    EXECUTE FUNCTION ifms.check_resealed();
DROP TRIGGER content_is_frozen ON ifms.unmatched_failure;
CREATE TRIGGER content_is_frozen BEFORE UPDATE OF bill_number, beneficiary_id, voucher_date,
    account_last4, ifsc, utr_number, challan_number, challan_date, reason, first_told_at ON ifms.unmatched_failure
    FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a reported failure is what the treasury said');
CREATE TRIGGER account_is_frozen BEFORE UPDATE OF account_sealed ON ifms.unmatched_failure
    FOR EACH ROW WHEN (NEW.account_sealed IS DISTINCT FROM OLD.account_sealed) EXECUTE FUNCTION ifms.check_resealed();
