-- Movements of money: append-only; a sanction's balances change by them and by nothing else.

CREATE TABLE ifms.fund_movement (
    id                      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sanction_id             uuid NOT NULL REFERENCES ifms.sanction,
    kind                    text NOT NULL CHECK (kind IN ('ALLOTMENT', 'WITHDRAWAL', 'RESERVE', 'RELEASE', 'DEBIT', 'REVERSAL')),
    amount                  numeric(15,2) NOT NULL CHECK (amount > 0),
    allotment_id            uuid REFERENCES ifms.allotment,
    payment_instruction_id  uuid REFERENCES ifms.payment_instruction,
    -- The sanction's balances after this movement, written by the trigger: the register needs no running sum.
    allotted_after          numeric(15,2) NOT NULL,
    reserved_after          numeric(15,2) NOT NULL,
    spent_after             numeric(15,2) NOT NULL,
    created_at              timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT amount_is_a_number CHECK (amount <> 'NaN'),
    CHECK ((kind IN ('ALLOTMENT', 'WITHDRAWAL')) = (allotment_id IS NOT NULL)),
    CHECK ((allotment_id IS NULL) = (payment_instruction_id IS NOT NULL))
);
COMMENT ON TABLE ifms.fund_movement IS 'Movements of a sanction''s money: append-only; its balances change by them and by nothing else.';
CREATE UNIQUE INDEX allotment_moves_once ON ifms.fund_movement (allotment_id);
CREATE UNIQUE INDEX instruction_moves_once ON ifms.fund_movement (payment_instruction_id, kind);
CREATE UNIQUE INDEX reserved_is_posted_or_released_once ON ifms.fund_movement (payment_instruction_id)
    WHERE kind IN ('DEBIT', 'RELEASE');
CREATE INDEX fund_movement_by_sanction ON ifms.fund_movement (sanction_id, id);
-- The fund register of some sanctions, without the reservations, which are no transactions of it.
CREATE INDEX fund_movement_register ON ifms.fund_movement (sanction_id, id)
    INCLUDE (kind, amount, created_at) WHERE kind IN ('ALLOTMENT', 'WITHDRAWAL', 'DEBIT', 'REVERSAL');
-- Rows that are written in the order of time, and never changed: an index of almost no size, and no work, finds a day.
CREATE INDEX fund_movement_by_time ON ifms.fund_movement USING brin (created_at)
    WITH (pages_per_range = 32, autosummarize = on);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.fund_movement FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('movements are append-only');

-- Runs as the owner: who works on the ledger writes movements, and has no right to the balances themselves.
-- A movement is that of its PI or allotment, on the sanction of it, with the amount of it. Its id is taken under the
-- sanction's lock, so that the ids of a sanction's movements are in the order in which its balances changed. What an
-- imported PI has spent is booked whatever is available, and nothing is reserved from what PIs have spent that could not
-- be imported.
CREATE FUNCTION ifms.apply_movement() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    needs text := CASE NEW.kind WHEN 'DEBIT' THEN 'RESERVE' WHEN 'RELEASE' THEN 'RESERVE' WHEN 'REVERSAL' THEN 'DEBIT' END;
    own   boolean := false;
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
    IF NEW.kind = 'RESERVE' THEN
        SELECT imported_at IS NULL INTO own FROM ifms.payment_instruction
        WHERE id = NEW.payment_instruction_id AND sanction_id = NEW.sanction_id AND net_amount = NEW.amount
          AND pi_type = 'ORIGINAL';
    ELSIF NEW.kind IN ('ALLOTMENT', 'WITHDRAWAL') THEN
        PERFORM FROM ifms.allotment a
        JOIN ifms.sanction s ON s.id = NEW.sanction_id AND (s.tenant_id, s.hoa_code, s.ddo_code, s.master_allotment_id)
                                                         = (a.tenant_id, a.hoa_code, a.ddo_code, a.master_allotment_id)
        WHERE a.id = NEW.allotment_id AND a.amount = NEW.amount
          AND (a.kind = 'WITHDRAWAL') = (NEW.kind = 'WITHDRAWAL');
    END IF;
    IF NEW.kind IN ('RESERVE', 'ALLOTMENT', 'WITHDRAWAL') AND NOT FOUND THEN
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
CREATE TRIGGER apply_movement BEFORE INSERT ON ifms.fund_movement
    FOR EACH ROW EXECUTE FUNCTION ifms.apply_movement();

CREATE FUNCTION ifms.guard_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF (NEW.allotted_amount, NEW.reserved_amount, NEW.spent_amount) <> (0, 0, 0) THEN
            RAISE EXCEPTION 'a sanction starts with nothing allotted, reserved or spent: its movements follow'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'balances_follow_movements';
        END IF;
    ELSIF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'the balances of sanction % change by movements only', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'balances_follow_movements';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_balances BEFORE INSERT OR UPDATE OF allotted_amount, reserved_amount, spent_amount ON ifms.sanction
    FOR EACH ROW EXECUTE FUNCTION ifms.guard_balances();

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

-- Status and money agree, whoever wrote them: looked at when the transaction commits. ---------------------------------

CREATE FUNCTION ifms.check_money() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    pi       record;
    kinds    text[];
    expected text[];
BEGIN
    SELECT id, pi_number, pi_type, status, sanction_id, net_amount INTO pi
    FROM ifms.payment_instruction WHERE id = NEW.id;
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
CREATE CONSTRAINT TRIGGER status_and_money_agree AFTER INSERT OR UPDATE OF status ON ifms.payment_instruction
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.check_money();

-- Also when it is a movement that is written and not a status.
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
