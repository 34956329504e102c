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
