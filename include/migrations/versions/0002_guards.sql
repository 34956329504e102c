-- The database guards itself: what hand-written SQL could still do to money, and to the record of it, is refused here.

-- Amounts. NaN is greater than 0 to PostgreSQL, and whatever is added to it is NaN. --------------------------------------

ALTER TABLE ifms.fund_movement ADD CONSTRAINT amount_is_a_number CHECK (amount <> 'NaN');
ALTER TABLE ifms.allotment ADD CONSTRAINT amount_is_a_number CHECK (amount <> 'NaN');
ALTER TABLE ifms.payment ADD CONSTRAINT amount_is_a_number CHECK (amount <> 'NaN');
ALTER TABLE ifms.payment_instruction ADD CONSTRAINT amount_is_a_number CHECK (net_amount <> 'NaN' AND gross_amount <> 'NaN');
ALTER TABLE ifms.beneficiary ADD CONSTRAINT amount_is_a_number CHECK (amount <> 'NaN');

-- Whose money. A PI is paid from the sanction that it names to the treasury, of its own city. ----------------------------

ALTER TABLE ifms.sanction ADD CONSTRAINT sanction_as_named
    UNIQUE (id, tenant_id, hoa_code, ddo_code, master_allotment_id);
ALTER TABLE ifms.payment_instruction DROP CONSTRAINT payment_instruction_sanction_id_fkey;
ALTER TABLE ifms.payment_instruction ADD CONSTRAINT paid_by_its_own_sanction
    FOREIGN KEY (sanction_id, tenant_id, hoa_code, ddo_code, master_allotment_id)
    REFERENCES ifms.sanction (id, tenant_id, hoa_code, ddo_code, master_allotment_id);
ALTER TABLE ifms.allotment DROP CONSTRAINT allotment_sanction_id_fkey;
ALTER TABLE ifms.allotment ADD CONSTRAINT counts_on_its_own_sanction
    FOREIGN KEY (sanction_id, tenant_id, hoa_code, ddo_code, master_allotment_id)
    REFERENCES ifms.sanction (id, tenant_id, hoa_code, ddo_code, master_allotment_id);

CREATE TRIGGER content_is_frozen BEFORE UPDATE OF id, tenant_id, hoa_code, ddo_code, ssu_id, grantee_code, scheme_code,
    master_allotment_id, financial_year, sanctioned_amount ON ifms.sanction FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a sanction is what its initial allotment said');
CREATE TRIGGER content_is_frozen BEFORE UPDATE OF id, tenant_id, hoa_code, ddo_code, grantee_code, ssu_id, scheme_code,
    master_allotment_id, ssu_allotment_id, serial_no, kind, amount, sanction_balance, allotment_date, received_at
    ON ifms.allotment FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('an allotment is what the treasury said first');

-- Runs as the owner: who works on the ledger writes movements, and has no right to the balances themselves.
-- A movement is that of its PI or allotment, on the sanction of it, with the amount of it. Its id is taken under the
-- sanction's lock, so that the ids of a sanction's movements are in the order in which its balances changed.
CREATE OR REPLACE FUNCTION ifms.apply_movement() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    needs text := CASE NEW.kind WHEN 'DEBIT' THEN 'RESERVE' WHEN 'RELEASE' THEN 'RESERVE' WHEN 'REVERSAL' THEN 'DEBIT' END;
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
    UPDATE ifms.sanction SET
        allotted_amount = allotted_amount + CASE NEW.kind WHEN 'ALLOTMENT' THEN NEW.amount WHEN 'WITHDRAWAL' THEN -NEW.amount ELSE 0 END,
        reserved_amount = reserved_amount + CASE NEW.kind WHEN 'RESERVE' THEN NEW.amount WHEN 'RELEASE' THEN -NEW.amount WHEN 'DEBIT' THEN -NEW.amount ELSE 0 END,
        spent_amount = spent_amount + CASE NEW.kind WHEN 'DEBIT' THEN NEW.amount WHEN 'REVERSAL' THEN -NEW.amount ELSE 0 END,
        updated_at = now()
    WHERE id = NEW.sanction_id
      AND (NEW.kind <> 'RESERVE' OR allotted_amount - reserved_amount - spent_amount >= NEW.amount)
    RETURNING allotted_amount, reserved_amount, spent_amount
        INTO NEW.allotted_after, NEW.reserved_after, NEW.spent_after;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'sanction % has less than % available', NEW.sanction_id, NEW.amount
            USING ERRCODE = 'check_violation', CONSTRAINT = 'insufficient_funds';
    END IF;
    NEW.id := nextval('ifms.fund_movement_id_seq');
    RETURN NEW;
END $$;

-- Status and money agree, also when it is a movement that is written and not a status.
CREATE FUNCTION ifms.check_money_moved() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    agree boolean;
    pi    record;
BEGIN
    SELECT p.pi_number, p.status, array_agg(m.kind ORDER BY m.kind) AS kinds INTO pi
    FROM ifms.payment_instruction p JOIN ifms.fund_movement m ON m.payment_instruction_id = p.id
    WHERE p.id = NEW.payment_instruction_id GROUP BY p.id;
    agree := CASE pi.status
        WHEN 'PENDING' THEN pi.kinds = ARRAY['RESERVE']
        WHEN 'FAILED' THEN pi.kinds IN (ARRAY['RELEASE', 'RESERVE'], ARRAY['DEBIT', 'RESERVE', 'REVERSAL'])
        ELSE pi.kinds = ARRAY['DEBIT', 'RESERVE'] END;
    IF NOT agree THEN
        RAISE EXCEPTION 'payment instruction % is % but its movements are %', pi.pi_number, pi.status, pi.kinds
            USING ERRCODE = 'check_violation', CONSTRAINT = 'status_and_money_agree';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER status_and_money_agree AFTER INSERT ON ifms.fund_movement
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.payment_instruction_id IS NOT NULL)
    EXECUTE FUNCTION ifms.check_money_moved();

-- An allotment that has found its sanction has its movement, and keeps both.
CREATE FUNCTION ifms.check_allotment_counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.sanction_id IS NOT NULL AND NEW.sanction_id IS DISTINCT FROM OLD.sanction_id
       OR NEW.sanction_id IS NOT NULL AND NEW.amount > 0 AND NOT EXISTS (
           SELECT FROM ifms.fund_movement WHERE allotment_id = NEW.id AND sanction_id = NEW.sanction_id) THEN
        RAISE EXCEPTION 'allotment % counts once, by its movement', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'allotment_counts_once';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER allotment_counts_once AFTER INSERT OR UPDATE OF sanction_id ON ifms.allotment
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.check_allotment_counts();

-- Who is paid. --------------------------------------------------------------------------------------------------------

-- An account that was not known when the row was made may be added, once; no account is ever exchanged.
CREATE TRIGGER account_is_frozen BEFORE UPDATE OF account_sealed ON ifms.beneficiary
    FOR EACH ROW WHEN (OLD.account_sealed IS NOT NULL AND NEW.account_sealed IS DISTINCT FROM OLD.account_sealed)
    EXECUTE FUNCTION ifms.refuse_change('the account of a payment instruction''s beneficiary is frozen');
CREATE TRIGGER registry_id_is_frozen BEFORE UPDATE OF bank_account_id, created_at ON ifms.beneficiary FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('the content of a payment instruction is frozen');

CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.payment FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a payment is never forgotten: it would be paid again');
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.bill FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a bill is never forgotten: it would be paid again');
CREATE TRIGGER content_is_frozen BEFORE UPDATE OF tenant_id, bill_id ON ifms.bill FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a bill keeps its name');

-- A payment names its live original, from the transaction that makes it to the one in which it has FAILED.
CREATE FUNCTION ifms.check_paid_by() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.paid_by IS NOT NULL AND NOT EXISTS (
        SELECT FROM ifms.payment_instruction
        WHERE id = NEW.paid_by AND (tenant_id, payment_number, net_amount) = (NEW.tenant_id, NEW.payment_number, NEW.amount)
          AND pi_type = 'ORIGINAL' AND repayment_of IS NULL AND status <> 'FAILED'
    ) THEN
        RAISE EXCEPTION 'payment % is not paid by the payment instruction that it names', NEW.payment_number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'paid_by_its_own_instruction';
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.paid_by IS NOT NULL AND NEW.paid_by IS DISTINCT FROM OLD.paid_by AND EXISTS (
        SELECT FROM ifms.payment_instruction WHERE id = OLD.paid_by AND status <> 'FAILED'
    ) THEN
        RAISE EXCEPTION 'payment % is still paid by the payment instruction that it named', NEW.payment_number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'paid_by_its_own_instruction';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER paid_by_its_own_instruction AFTER INSERT OR UPDATE OF paid_by ON ifms.payment
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.check_paid_by();

-- The record. ---------------------------------------------------------------------------------------------------------

-- A call that was announced is completed, once; then it stays. Who works on the ledger has no right to delete one
-- (grants.sql); its owner has it, for calls that have been kept for as long as they must be.
CREATE TRIGGER said_is_said BEFORE UPDATE ON ifms.treasury_call
    FOR EACH ROW WHEN (OLD.outcome IS NOT NULL AND OLD IS DISTINCT FROM NEW)
    EXECUTE FUNCTION ifms.refuse_change('what was said to the treasury is not rewritten');
CREATE TRIGGER announced_is_announced BEFORE UPDATE OF id, service_id, bill_number, payment_instruction_id, request_sealed,
    created_at ON ifms.treasury_call FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a call is what was announced');
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON ifms.treasury_call FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('calls to the treasury are kept');

-- The same holds of a message: it is delivered, set aside, sent again; what it says stays.
CREATE TRIGGER content_is_frozen BEFORE UPDATE OF id, topic, tenant_id, ordering_key, payload, created_at ON ifms.outbox
    FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('what others must hear is not rewritten');
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON ifms.outbox FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('what others must hear is kept');

CREATE TRIGGER content_is_frozen BEFORE UPDATE OF bill_number, beneficiary_id, voucher_date, account_sealed,
    account_last4, ifsc, utr_number, challan_number, challan_date, reason, first_told_at ON ifms.unmatched_failure
    FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a reported failure is what the treasury said');

-- What has failed ------------------------------------------------------------------------------------------------------

-- As before, but for a PI that the SSU rejected after the bank had told of a failure: its payment gets another PI, which
-- pays all of its beneficiaries under new numbers.
CREATE OR REPLACE VIEW ifms.failed_beneficiary AS
SELECT b.id, p.tenant_id, coalesce(p.parent_pi_number, p.pi_number) AS original_pi_number, p.pi_number, p.payment_number,
       b.beneficiary_number, b.beneficiary_id, b.amount, b.account_last4, b.ifsc, b.status_message AS reason,
       b.challan_number, b.challan_date, b.failed_on, ifms.correct_by(b.failed_on) AS correct_by
FROM ifms.beneficiary b
JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
WHERE b.status = 'Payment Failed' AND b.failed_on IS NOT NULL AND p.status <> 'FAILED'
  AND NOT EXISTS (
      SELECT FROM ifms.beneficiary later
      WHERE later.beneficiary_number = b.beneficiary_number AND later.created_at > b.created_at
        AND (later.status <> 'Payment Failed' OR later.failed_on IS NOT NULL)
  );
