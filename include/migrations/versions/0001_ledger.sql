-- The ledger. Money is numeric(15,2) rupees; instants are timestamptz; the treasury's own dates are dates (IST).
-- What must never happen is refused here, even to SQL written by hand: every rule below is a constraint or a trigger.

-- Sweeps ---------------------------------------------------------------------------------------------------------------

CREATE TABLE ifms.sweep_run (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    service_id   text NOT NULL,
    dag_id       text,
    run_id       text,
    shard        integer NOT NULL DEFAULT 0,
    try_number   integer,
    state        text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'success', 'failed')),
    counts       jsonb NOT NULL DEFAULT '{}',
    problems     jsonb NOT NULL DEFAULT '[]',
    message      text,
    started_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz
);
CREATE INDEX sweep_run_by_service ON ifms.sweep_run (service_id, started_at DESC);
CREATE INDEX sweep_run_by_dag_run ON ifms.sweep_run (dag_id, run_id);

-- Funds ----------------------------------------------------------------------------------------------------------------

CREATE TABLE ifms.sanction (
    id                   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id            text NOT NULL,
    hoa_code             text NOT NULL,
    ddo_code             text NOT NULL,
    ssu_id               text NOT NULL,
    grantee_code         text NOT NULL,
    scheme_code          text NOT NULL,
    master_allotment_id  text NOT NULL,
    financial_year       text NOT NULL CHECK (financial_year ~ '^[0-9]{4}-[0-9]{2}$'),
    sanctioned_amount    numeric(15,2) NOT NULL,
    allotted_amount      numeric(15,2) NOT NULL DEFAULT 0,
    reserved_amount      numeric(15,2) NOT NULL DEFAULT 0 CHECK (reserved_amount >= 0),
    spent_amount         numeric(15,2) NOT NULL DEFAULT 0 CHECK (spent_amount >= 0),
    -- Below zero only after a withdrawal of money that was already spent: then nothing more can be reserved.
    available_amount     numeric(15,2) NOT NULL GENERATED ALWAYS AS (allotted_amount - reserved_amount - spent_amount) STORED,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, hoa_code, ddo_code, master_allotment_id)
);
CREATE INDEX sanction_by_year ON ifms.sanction (tenant_id, financial_year);

CREATE TABLE ifms.allotment (
    id                   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id            text NOT NULL,
    hoa_code             text NOT NULL,
    ddo_code             text NOT NULL,
    grantee_code         text NOT NULL,
    ssu_id               text NOT NULL,
    scheme_code          text NOT NULL,
    master_allotment_id  text NOT NULL,
    ssu_allotment_id     text NOT NULL,
    serial_no            integer NOT NULL,
    kind                 text NOT NULL CHECK (kind IN ('INITIAL', 'ADDITIONAL', 'WITHDRAWAL')),
    amount               numeric(15,2) NOT NULL CHECK (amount >= 0),
    sanction_balance     numeric(15,2) NOT NULL,
    allotment_date       date NOT NULL,
    -- NULL while the initial allotment that makes its sanction has not been heard of.
    sanction_id          uuid REFERENCES ifms.sanction,
    received_at          timestamptz NOT NULL DEFAULT now(),
    -- What the treasury names an allotment by: it counts once, however often it is told.
    UNIQUE (tenant_id, hoa_code, ddo_code, master_allotment_id, ssu_allotment_id, serial_no)
);
CREATE INDEX allotment_by_sanction ON ifms.allotment (sanction_id, serial_no DESC);

CREATE TABLE ifms.va_watermark (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id      text NOT NULL,
    hoa_code       text NOT NULL,
    ddo_code       text NOT NULL,
    grantee_code   text NOT NULL,
    ssu_id         text NOT NULL,
    -- The instant just before the last answered call: what the treasury enters later is asked for next time.
    fetched_until  timestamptz,
    polled_at      timestamptz,
    claim_token    uuid,
    claimed_until  timestamptz,
    UNIQUE (tenant_id, hoa_code, ddo_code, grantee_code)
);
CREATE INDEX va_watermark_due ON ifms.va_watermark (polled_at NULLS FIRST);

-- Payments -------------------------------------------------------------------------------------------------------------

-- An expense payment of the platform, as the adapter came to know it. The platform owns it; what is kept here is
-- what the adapter must remember of it: its amount when first seen, and why it has no payment instruction yet.
CREATE TABLE ifms.payment (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id       text NOT NULL,
    payment_number  text NOT NULL,
    payment_id      text NOT NULL,
    amount          numeric(15,2) NOT NULL CHECK (amount > 0),
    paid_by         uuid,
    hold_code       text,
    hold_message    text,
    held_since      timestamptz,
    raised_at       timestamptz NOT NULL,
    seen_at         timestamptz NOT NULL DEFAULT now(),
    polled_at       timestamptz,
    claim_token     uuid,
    claimed_until   timestamptz,
    UNIQUE (tenant_id, payment_number),
    CHECK ((hold_code IS NULL) = (hold_message IS NULL AND held_since IS NULL))
);
CREATE INDEX payment_due ON ifms.payment (raised_at, id) WHERE paid_by IS NULL;

-- A bill is paid by one payment. The platform refuses a second one only once it has stored the first, which it does a
-- little after it has answered; so the right to create a bill's payment is claimed here before it is asked for.
CREATE TABLE ifms.bill (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id       text NOT NULL,
    bill_id         text NOT NULL,
    payment_number  text,
    claim_token     uuid,
    claimed_until   timestamptz,
    asked_at        timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, bill_id)
);
CREATE FUNCTION ifms.check_paid_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.payment_number IS NOT NULL AND NEW.payment_number IS DISTINCT FROM OLD.payment_number THEN
        RAISE EXCEPTION 'bill % is paid by payment %, not by %', OLD.bill_id, OLD.payment_number, NEW.payment_number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'bill_is_paid_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bill_is_paid_once BEFORE UPDATE OF payment_number ON ifms.bill
    FOR EACH ROW EXECUTE FUNCTION ifms.check_paid_once();

CREATE TABLE ifms.payment_instruction (
    id                   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id            text NOT NULL,
    pi_number            text NOT NULL UNIQUE,
    pi_type              text NOT NULL CHECK (pi_type IN ('ORIGINAL', 'REVISED')),
    parent_pi_number     text REFERENCES ifms.payment_instruction (pi_number),
    -- An original for beneficiaries whose failed payments can't be corrected any more: it pays them anew.
    repayment_of         text REFERENCES ifms.payment_instruction (pi_number),
    payment_number       text NOT NULL,
    status               text NOT NULL DEFAULT 'PENDING',
    is_active            boolean NOT NULL DEFAULT true,
    -- What was sent, frozen: the same number always goes with the same content.
    sanction_id          uuid NOT NULL REFERENCES ifms.sanction,
    hoa_code             text NOT NULL,
    ddo_code             text NOT NULL,
    ssu_id               text NOT NULL,
    grantee_code         text NOT NULL,
    scheme_code          text NOT NULL,
    master_allotment_id  text NOT NULL,
    ssu_allotment_id     text NOT NULL,
    allotment_serial_no  integer NOT NULL,
    gross_amount         numeric(15,2) NOT NULL CHECK (gross_amount > 0),
    net_amount           numeric(15,2) NOT NULL CHECK (net_amount > 0 AND net_amount <= gross_amount),
    beneficiary_count    integer NOT NULL CHECK (beneficiary_count > 0),
    bill_date            timestamptz NOT NULL,
    financial_year       text NOT NULL CHECK (financial_year ~ '^[0-9]{4}-[0-9]{2}$'),
    purpose              text NOT NULL,
    -- A revision names its original to the treasury by these.
    org_bill_ref_number  text,
    org_bill_date        timestamptz,
    additional_details   jsonb NOT NULL DEFAULT '{}',
    -- What is known of the attempts to send it.
    attempts             integer NOT NULL DEFAULT 0,
    last_attempt         text CHECK (last_attempt IN ('sending', 'answered', 'rejected', 'never_sent', 'unknown')),
    last_attempt_at      timestamptz,
    error_code           text,
    error_message        text,
    -- What the treasury answered, verbatim where it must be sent back.
    success_code         text,
    success_description  text,
    pi_approved_id       text,
    pi_approval_date     text,
    pa_fin_year          text,
    pa_advice_id         text,
    pa_advice_date       text,
    pa_bill_ref_number   text,
    pa_token_number      text,
    pa_token_date        text,
    paid_at              timestamptz,
    polled_at            timestamptz,
    failures_polled_at   timestamptz,
    claim_token          uuid,
    claimed_until        timestamptz,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    CHECK ((pi_type = 'REVISED') = (parent_pi_number IS NOT NULL)),
    CHECK ((pi_type = 'REVISED') = (org_bill_ref_number IS NOT NULL AND org_bill_date IS NOT NULL)),
    CHECK (repayment_of IS NULL OR pi_type = 'ORIGINAL')
);
-- One live original per payment, one revision or repayment under way per original: an index forbids the second.
CREATE UNIQUE INDEX one_original_per_payment ON ifms.payment_instruction (tenant_id, payment_number)
    WHERE pi_type = 'ORIGINAL' AND status <> 'FAILED' AND repayment_of IS NULL;
CREATE UNIQUE INDEX one_revision_at_a_time ON ifms.payment_instruction (parent_pi_number)
    WHERE pi_type = 'REVISED' AND status IN ('PENDING', 'INITIATED');
CREATE UNIQUE INDEX one_repayment_at_a_time ON ifms.payment_instruction (repayment_of)
    WHERE repayment_of IS NOT NULL AND status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS');
CREATE INDEX payment_instruction_by_parent ON ifms.payment_instruction (parent_pi_number) WHERE parent_pi_number IS NOT NULL;
-- What FTFPS claims from: revisions that the bank may still return.
CREATE INDEX payment_instruction_returnable ON ifms.payment_instruction (failures_polled_at NULLS FIRST)
    WHERE pi_type = 'REVISED' AND pa_token_number IS NOT NULL;
CREATE INDEX payment_instruction_partial ON ifms.payment_instruction (tenant_id, pi_number)
    WHERE pi_type = 'ORIGINAL' AND status IN ('PARTIAL', 'COMPLETED');
CREATE INDEX payment_instruction_by_payment ON ifms.payment_instruction (tenant_id, payment_number);
CREATE INDEX payment_instruction_newest ON ifms.payment_instruction (tenant_id, created_at DESC, id);
CREATE INDEX payment_instruction_by_sanction ON ifms.payment_instruction (sanction_id);
-- What the sweeps claim from: only PIs that still wait for something, least recently asked about first.
CREATE INDEX payment_instruction_due ON ifms.payment_instruction (status, pi_type, polled_at NULLS FIRST)
    WHERE status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS');
ALTER TABLE ifms.payment ADD FOREIGN KEY (paid_by) REFERENCES ifms.payment_instruction;

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
    ifsc                    text NOT NULL CHECK (ifsc ~ '^[A-Z]{4}0[A-Z0-9]{6}$'),
    bank_account_id         text NOT NULL,
    mobile                  text NOT NULL,
    address                 text NOT NULL,
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
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    UNIQUE (payment_instruction_id, beneficiary_number)
);
CREATE INDEX beneficiary_failed ON ifms.beneficiary (payment_instruction_id) WHERE status = 'Payment Failed';
-- A beneficiary keeps its number through revisions until it is paid; it is paid once: only a failed row frees the number.
CREATE UNIQUE INDEX one_live_payment_per_beneficiary ON ifms.beneficiary (beneficiary_number)
    WHERE status <> 'Payment Failed';
CREATE INDEX beneficiary_by_number ON ifms.beneficiary (beneficiary_number, created_at DESC);

-- Statuses: which may follow which. Filled from ifms.ledger.statuses by the migration's Python, checked here. ------------

CREATE TABLE ifms.status_transition (
    subject      text NOT NULL CHECK (subject IN ('PAYMENT_INSTRUCTION', 'BENEFICIARY')),
    from_status  text NOT NULL,
    to_status    text NOT NULL,
    PRIMARY KEY (subject, from_status, to_status)
);

CREATE FUNCTION ifms.check_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> TG_ARGV[1] THEN
            RAISE EXCEPTION 'a new row of % starts as %, not as %', TG_TABLE_NAME, TG_ARGV[1], NEW.status
                USING ERRCODE = 'check_violation', CONSTRAINT = 'status_transition';
        END IF;
    ELSIF NEW.status <> OLD.status AND NOT EXISTS (
        SELECT FROM ifms.status_transition
        WHERE subject = TG_ARGV[0] AND from_status = OLD.status AND to_status = NEW.status
    ) THEN
        RAISE EXCEPTION '% % may not go from % to %', TG_TABLE_NAME, OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'status_transition';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER check_transition BEFORE INSERT OR UPDATE OF status ON ifms.payment_instruction
    FOR EACH ROW EXECUTE FUNCTION ifms.check_transition('PAYMENT_INSTRUCTION', 'PENDING');
CREATE TRIGGER check_transition BEFORE INSERT OR UPDATE OF status ON ifms.beneficiary
    FOR EACH ROW EXECUTE FUNCTION ifms.check_transition('BENEFICIARY', 'Payment Pending');

-- The content of a PI never changes once it is written. -----------------------------------------------------------------

CREATE FUNCTION ifms.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0]
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER content_is_frozen BEFORE UPDATE OF tenant_id, pi_number, pi_type, parent_pi_number, payment_number,
    sanction_id, hoa_code, ddo_code, ssu_id, grantee_code, scheme_code, master_allotment_id, ssu_allotment_id,
    allotment_serial_no, gross_amount, net_amount, beneficiary_count, bill_date, financial_year, purpose, created_at,
    repayment_of, org_bill_ref_number, org_bill_date
    ON ifms.payment_instruction FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('the content of a payment instruction is frozen');
CREATE TRIGGER content_is_frozen BEFORE UPDATE OF payment_instruction_id, beneficiary_number, beneficiary_id,
    beneficiary_type, amount, line_item_ids, name, account_last4, account_type, ifsc, mobile, address
    ON ifms.beneficiary FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('the content of a payment instruction is frozen');
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.payment_instruction FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a payment instruction is never deleted');
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.beneficiary FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a beneficiary is never deleted');
CREATE TRIGGER amount_is_frozen BEFORE UPDATE OF tenant_id, payment_number, amount ON ifms.payment FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a payment keeps the amount it was first seen with');

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
CREATE FUNCTION ifms.check_written_with_header() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- now() is the transaction's: only the transaction that wrote the header sees its created_at as now.
    IF NOT EXISTS (
        SELECT FROM ifms.payment_instruction WHERE id = NEW.payment_instruction_id AND created_at = now()
    ) THEN
        RAISE EXCEPTION 'a beneficiary is written with its payment instruction, not later'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'written_with_header';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER written_with_header BEFORE INSERT ON ifms.beneficiary
    FOR EACH ROW EXECUTE FUNCTION ifms.check_written_with_header();
CREATE CONSTRAINT TRIGGER beneficiaries_agree AFTER INSERT ON ifms.payment_instruction
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.check_beneficiaries();

-- Movements of money: append-only; a sanction's balances change by them and by nothing else. -----------------------------

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
    CHECK ((kind IN ('ALLOTMENT', 'WITHDRAWAL')) = (allotment_id IS NOT NULL)),
    CHECK ((allotment_id IS NULL) = (payment_instruction_id IS NOT NULL))
);
CREATE UNIQUE INDEX allotment_moves_once ON ifms.fund_movement (allotment_id);
CREATE UNIQUE INDEX instruction_moves_once ON ifms.fund_movement (payment_instruction_id, kind);
CREATE UNIQUE INDEX reserved_is_posted_or_released_once ON ifms.fund_movement (payment_instruction_id)
    WHERE kind IN ('DEBIT', 'RELEASE');
CREATE INDEX fund_movement_by_sanction ON ifms.fund_movement (sanction_id, id);

CREATE FUNCTION ifms.apply_movement() RETURNS trigger LANGUAGE plpgsql AS $$
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
    RETURN NEW;
END $$;
CREATE TRIGGER apply_movement BEFORE INSERT ON ifms.fund_movement
    FOR EACH ROW EXECUTE FUNCTION ifms.apply_movement();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.fund_movement FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('movements are append-only');

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
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.sanction FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a sanction is never deleted');
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.allotment FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('an allotment is never deleted');

-- Status and money agree, whoever wrote them: looked at when the transaction commits.
CREATE FUNCTION ifms.check_money() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    pi       ifms.payment_instruction%ROWTYPE;
    kinds    text[];
    expected text[];
BEGIN
    SELECT * INTO pi FROM ifms.payment_instruction WHERE id = NEW.id;
    IF pi.pi_type = 'REVISED' THEN
        RETURN NULL;  -- a revision spends what its original already spent
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

-- History --------------------------------------------------------------------------------------------------------------

CREATE TABLE ifms.status_log (
    id                      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_instruction_id  uuid REFERENCES ifms.payment_instruction,
    tenant_id               text NOT NULL,
    payment_number          text NOT NULL,
    service_id              text NOT NULL,
    status                  text NOT NULL,
    from_status             text,
    to_status               text,
    message                 text,
    sweep_run_id            uuid,
    created_at              timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX status_log_by_instruction ON ifms.status_log (payment_instruction_id, id DESC);
CREATE INDEX status_log_by_payment ON ifms.status_log (tenant_id, payment_number, id DESC);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.status_log FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('the status log is append-only');

-- Everything said to the treasury. Request, keys and token are sealed under the connection's log_key; the reply stays as
-- it came, encrypted under the sealed REK.
CREATE TABLE ifms.treasury_call (
    id                      uuid PRIMARY KEY,
    service_id              text NOT NULL,
    bill_number             text,
    payment_instruction_id  uuid REFERENCES ifms.payment_instruction,
    sweep_run_id            uuid,
    request_sealed          bytea,
    rek_sealed              bytea,
    sek_sealed              bytea,
    auth_token_sealed       bytea,
    enc_request             text,
    enc_response            text,
    status_code             integer,
    outcome                 text CHECK (outcome IN ('answered', 'rejected', 'never_sent', 'unknown')),
    error_message           text,
    duration_ms             integer,
    created_at              timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX treasury_call_by_bill ON ifms.treasury_call (bill_number, created_at DESC);
CREATE INDEX treasury_call_by_instruction ON ifms.treasury_call (payment_instruction_id, created_at DESC);
CREATE INDEX treasury_call_by_time ON ifms.treasury_call (created_at);

-- Failures that the treasury reported and that match no payment instruction or beneficiary: kept until somebody has seen
-- to them. The account number is sealed, like everywhere.
CREATE TABLE ifms.unmatched_failure (
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
    reason           text,
    why_unmatched    text NOT NULL,
    first_told_at    timestamptz NOT NULL DEFAULT now(),
    last_told_at     timestamptz NOT NULL DEFAULT now(),
    matched_at       timestamptz,
    -- Older replies name nobody but by account and UTR.
    UNIQUE NULLS NOT DISTINCT (bill_number, beneficiary_id, voucher_date, challan_number, utr_number, account_last4, ifsc)
);
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.unmatched_failure FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a reported failure is never dropped');

-- What others must hear, written in the transaction of the change that they must hear of.
CREATE TABLE ifms.outbox (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic            text NOT NULL,
    tenant_id        text NOT NULL,
    ordering_key     text NOT NULL,
    payload          jsonb NOT NULL,
    attempts         integer NOT NULL DEFAULT 0,
    next_attempt_at  timestamptz NOT NULL DEFAULT now(),
    last_error       text,
    delivered_at     timestamptz,
    set_aside_at     timestamptz,
    claim_token      uuid,
    claimed_until    timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_due ON ifms.outbox (id) WHERE delivered_at IS NULL;
CREATE INDEX outbox_by_key ON ifms.outbox (topic, ordering_key, id);

-- Views for people and reports -----------------------------------------------------------------------------------------

CREATE VIEW ifms.fund_register AS
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
       m.created_at AS recorded_at
FROM ifms.fund_movement m
JOIN ifms.sanction s ON s.id = m.sanction_id
LEFT JOIN ifms.allotment a ON a.id = m.allotment_id
LEFT JOIN ifms.payment_instruction p ON p.id = m.payment_instruction_id
WHERE m.kind IN ('ALLOTMENT', 'WITHDRAWAL', 'DEBIT', 'REVERSAL');

CREATE VIEW ifms.payment_instruction_summary AS
SELECT p.id, p.tenant_id, p.pi_number, p.pi_type, p.parent_pi_number, p.payment_number, p.status, p.net_amount,
       p.hoa_code, p.master_allotment_id, p.financial_year, p.beneficiary_count,
       b.successful_count, b.failed_count, p.error_message, p.attempts, p.last_attempt, p.created_at, p.updated_at
FROM ifms.payment_instruction p
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE status = 'Payment Successful') AS successful_count,
           count(*) FILTER (WHERE status = 'Payment Failed') AS failed_count
    FROM ifms.beneficiary WHERE payment_instruction_id = p.id
) b;

CREATE VIEW ifms.open_payment_instruction AS
SELECT p.id, p.tenant_id, p.pi_number, p.pi_type, p.payment_number, p.status, p.net_amount,
       CASE p.status WHEN 'PENDING' THEN 'PI' WHEN 'INITIATED' THEN CASE p.pi_type WHEN 'ORIGINAL' THEN 'PIS' ELSE 'FTPS' END
                     WHEN 'APPROVED' THEN 'PAG' WHEN 'IN PROCESS' THEN 'PD' END AS next_service,
       now() - p.created_at AS age, p.last_attempt, p.error_message, p.polled_at, p.created_at
FROM ifms.payment_instruction p
WHERE p.status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS');

-- A failed payment can be corrected for 90 days, or until 30 April of the next financial year if that is earlier.
CREATE FUNCTION ifms.correct_by(failed_on date) RETURNS date LANGUAGE sql IMMUTABLE AS $$
    SELECT least(failed_on + 90, make_date(
        extract(year FROM failed_on)::int + CASE WHEN extract(month FROM failed_on) >= 4 THEN 1 ELSE 0 END, 4, 30))
$$;

-- One row per beneficiary whose last payment failed, as long as nobody has taken it over.
CREATE VIEW ifms.failed_beneficiary AS
SELECT b.id, p.tenant_id, coalesce(p.parent_pi_number, p.pi_number) AS original_pi_number, p.pi_number, p.payment_number,
       b.beneficiary_number, b.beneficiary_id, b.amount, b.account_last4, b.ifsc, b.status_message AS reason,
       b.challan_number, b.challan_date, b.failed_on, ifms.correct_by(b.failed_on) AS correct_by
FROM ifms.beneficiary b
JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
WHERE b.status = 'Payment Failed' AND b.failed_on IS NOT NULL
  AND NOT EXISTS (
      SELECT FROM ifms.beneficiary later
      WHERE later.beneficiary_number = b.beneficiary_number AND later.created_at > b.created_at
        AND (later.status <> 'Payment Failed' OR later.failed_on IS NOT NULL)
  );
