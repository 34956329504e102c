-- What a restored ledger may have forgotten: held back until it is cleared, or adopted from the treasury.

-- Held back. -----------------------------------------------------------------------------------------------------------

-- A PENDING PI of before a restore may have been declined and replaced since: nobody submits it before the owner has
-- cleared it, for every restore that it has been through, and said why (ifms.restore_cleared).
CREATE FUNCTION ifms.check_cleared() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE')
       OR EXISTS (SELECT FROM ifms.restored r WHERE r.restored_at > NEW.created_at AND NOT EXISTS (
              SELECT FROM ifms.restore_cleared c WHERE c.restored_id = r.id AND c.number = NEW.pi_number)) THEN
        RAISE EXCEPTION 'payment instruction % is held back since the ledger was restored, until it is cleared', NEW.pi_number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'held_back_until_cleared';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER held_back_until_cleared BEFORE UPDATE OF held_back ON ifms.payment_instruction
    FOR EACH ROW WHEN (OLD.held_back AND NOT NEW.held_back) EXECUTE FUNCTION ifms.check_cleared();
CREATE INDEX payment_instruction_held_back ON ifms.payment_instruction (pi_number) WHERE status = 'PENDING' AND held_back;

-- Adopted. -------------------------------------------------------------------------------------------------------------

-- Who has taken the PI in from the treasury, which had it when this ledger had lost it. It was never sent from here.
ALTER TABLE ifms.payment_instruction ADD COLUMN adopted_by text CHECK (btrim(adopted_by) <> '');
ALTER TABLE ifms.payment_instruction ADD CONSTRAINT adopted_is_an_original CHECK (
    adopted_by IS NULL OR (pi_type = 'ORIGINAL' AND repayment_of IS NULL AND imported_at IS NULL));
CREATE TRIGGER adoption_is_frozen BEFORE UPDATE OF adopted_by ON ifms.payment_instruction FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('whether a payment instruction was adopted does not change');

-- As before, but: what a restored ledger has lost may be adopted, and nothing else may. An adopted PI is no way to send
-- one for a payment in doubt: none is PENDING, or without what the treasury has told of it, when its transaction commits.
CREATE OR REPLACE FUNCTION ifms.check_withheld() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    first    text := coalesce(NEW.parent_pi_number, NEW.repayment_of);
    doubtful boolean;
BEGIN
    IF EXISTS (SELECT FROM ifms.import_withheld WHERE settled_at IS NULL
               AND tenant_id = NEW.tenant_id AND payment_number = NEW.payment_number) THEN
        RAISE EXCEPTION 'payment % of % has payment instructions of the Java adapter that could not be imported',
            NEW.payment_number, NEW.tenant_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_is_withheld';
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

-- What was adopted may have been corrected, like all that is older than the restore.
CREATE OR REPLACE FUNCTION ifms.in_doubt(of ifms.payment_instruction) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM ifms.restored r WHERE (of.created_at < r.restored_at OR of.adopted_by IS NOT NULL)
        AND EXISTS (SELECT FROM ifms.payment_instruction p JOIN ifms.beneficiary b ON b.payment_instruction_id = p.id
                    WHERE of.pi_number IN (p.pi_number, p.parent_pi_number) AND b.status = 'Payment Failed'
                      AND b.failed_on <= (r.restored_at AT TIME ZONE 'Asia/Kolkata')::date)
        AND NOT EXISTS (SELECT FROM ifms.restore_cleared c WHERE c.restored_id = r.id AND c.number = of.pi_number))
$$;
