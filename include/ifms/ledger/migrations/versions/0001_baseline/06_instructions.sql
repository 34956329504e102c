-- Payment instructions: their rows, which status may follow which, and what does not change.

-- A JSON array of texts as an array; anything else is empty.
CREATE FUNCTION ifms.texts_of(value jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY(SELECT jsonb_array_elements_text(CASE jsonb_typeof(value) WHEN 'array' THEN value ELSE '[]' END))
$$;
-- What bills are for, by the beginnings of their numbers; NULL without bills, or when nothing is known of them.
CREATE FUNCTION ifms.bill_type(bill_numbers text[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN min(kind) IS DISTINCT FROM max(kind) THEN 'MIXED' ELSE nullif(min(kind), '') END
    FROM (SELECT CASE left(number, 3) WHEN 'WB/' THEN 'WAGE' WHEN 'PB/' THEN 'PURCHASE' WHEN 'SB/' THEN 'SUPERVISION'
                                      ELSE '' END AS kind
          FROM unnest(bill_numbers) number) kinds
$$;

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
    -- NULL only of an imported one that the treasury never took: which sanction it was tried on was not kept.
    sanction_id          uuid,
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
    -- What it pays, as columns: once per PI and not once for each row of a view, and with an index by bill.
    -- Written by a trigger: a generated column would be computed again with each change of the row.
    bill_numbers         text[] NOT NULL,
    work_order_numbers   text[] NOT NULL,
    bill_type            text,
    project_numbers      text[] NOT NULL,
    -- Who has asked for it through the API: DIGIT is told so as its createdBy.
    asked_by             text CHECK (btrim(asked_by) <> ''),
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
    -- A submission of it may have arrived without its outcome having been told at once. Never unset.
    uncertain            boolean NOT NULL DEFAULT false,
    -- What the treasury answered to the last submission when that settled nothing: [{"code": …, "text": …}].
    refusal              jsonb,
    -- That submission was the first that can have arrived.
    refused_first        boolean NOT NULL DEFAULT false,
    -- Since when its status service says, asked after that refusal, that it does not know the bill.
    absent_since         timestamptz,
    -- The ledger was restored: it is asked about and not submitted before somebody has cleared it.
    held_back            boolean NOT NULL DEFAULT false,
    -- A person has said what became of it; or has cancelled it before it was sent.
    settled_by           text,
    -- When a person has said, the last time, that the treasury lacks it.
    said_absent_at       timestamptz,
    cancelled_by         text CHECK (btrim(cancelled_by) <> ''),
    -- FAILED here, and its status service was found to show it; anew after a person has said that the treasury lacks it.
    found_failed_at      timestamptz,
    -- How many sweeps running have been refused with the same text (error_message).
    same_refusals        integer NOT NULL DEFAULT 0,
    -- The treasury's last answer about it is one that nobody understands.
    unknown_answer_id    uuid REFERENCES ifms.unknown_answer,
    -- FD has told of failures of it that it could not take in its status: they are looked at whenever it moves.
    unmatched_failures   boolean NOT NULL DEFAULT false,
    -- Since when it has its status. An import says of its rows when the Java adapter last changed them.
    status_since         timestamptz NOT NULL DEFAULT now(),
    polled_at            timestamptz,
    failures_polled_at   timestamptz,
    claim_token          uuid,
    claimed_until        timestamptz,
    -- When the row was imported; NULL for this adapter's own.
    imported_at          timestamptz,
    -- Who has taken it in from the treasury, which had it when this ledger had lost it. It was never sent from here.
    adopted_by           text CHECK (btrim(adopted_by) <> ''),
    -- Over all that it pays, under a key that is not in the database (ifms.ledger.binding): what has no signature, or one
    -- that does not fit, is not sent. Imported ones have none; another adapter has sent them.
    signature            bytea,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    CHECK ((pi_type = 'REVISED') = (parent_pi_number IS NOT NULL)),
    CHECK ((pi_type = 'REVISED') = (org_bill_ref_number IS NOT NULL AND org_bill_date IS NOT NULL)),
    CHECK (repayment_of IS NULL OR pi_type = 'ORIGINAL'),
    CONSTRAINT amount_is_a_number CHECK (net_amount <> 'NaN' AND gross_amount <> 'NaN'),
    -- It is paid from the sanction that it names to the treasury, of its own city.
    CONSTRAINT paid_by_its_own_sanction FOREIGN KEY (sanction_id, tenant_id, hoa_code, ddo_code, master_allotment_id)
        REFERENCES ifms.sanction (id, tenant_id, hoa_code, ddo_code, master_allotment_id),
    CONSTRAINT sanction_is_known CHECK (
        sanction_id IS NOT NULL OR (imported_at IS NOT NULL AND pi_type = 'ORIGINAL' AND status IN ('PENDING', 'FAILED'))),
    CONSTRAINT adopted_is_an_original CHECK (
        adopted_by IS NULL OR (pi_type = 'ORIGINAL' AND repayment_of IS NULL AND imported_at IS NULL))
);
COMMENT ON TABLE ifms.payment_instruction IS 'Payment instructions: what was sent to the treasury, frozen, and where each stands.';
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
CREATE INDEX payment_instruction_by_payment ON ifms.payment_instruction (payment_number, tenant_id);
CREATE INDEX payment_instruction_by_sanction ON ifms.payment_instruction (sanction_id);
-- What the sweeps claim from: only PIs that still wait for something, least recently asked about first.
CREATE INDEX payment_instruction_due ON ifms.payment_instruction (status, pi_type, polled_at NULLS FIRST)
    WHERE status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS');
ALTER TABLE ifms.payment ADD FOREIGN KEY (paid_by) REFERENCES ifms.payment_instruction;
CREATE INDEX payment_instruction_unknown_answer ON ifms.payment_instruction (unknown_answer_id)
    WHERE unknown_answer_id IS NOT NULL;
-- Earlier numbers of a payment that are asked about before it gets another.
CREATE INDEX payment_instruction_failed_uncertain ON ifms.payment_instruction (tenant_id, payment_number)
    WHERE status = 'FAILED' AND uncertain;
CREATE INDEX payment_instruction_found_failed ON ifms.payment_instruction (found_failed_at)
    WHERE found_failed_at IS NOT NULL;
-- Revisions whose payments have all come back before FTPS told their references.
CREATE INDEX payment_instruction_without_token ON ifms.payment_instruction (polled_at NULLS FIRST)
    WHERE pi_type = 'REVISED' AND pa_token_number IS NULL AND status IN ('PARTIAL', 'COMPLETED');
CREATE INDEX payment_instruction_held_back ON ifms.payment_instruction (pi_number) WHERE status = 'PENDING' AND held_back;
-- What another run holds is looked up every two seconds by who waits for it: few rows of many.
CREATE INDEX payment_instruction_claimed ON ifms.payment_instruction (claimed_until) WHERE claimed_until IS NOT NULL;

-- Those that have FAILED, or of which it was taken for known that the treasury lacks them, by what a site's own phrase says
-- and no shipped one: with the phrase, that is no longer known.
CREATE TABLE ifms.ended_by_phrase (
    phrase_id               uuid NOT NULL REFERENCES ifms.phrase,
    payment_instruction_id  uuid NOT NULL REFERENCES ifms.payment_instruction,
    noted_at                timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (phrase_id, payment_instruction_id)
);
COMMENT ON TABLE ifms.ended_by_phrase IS 'Payment instructions that have FAILED by what a site''s own phrase says.';
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.ended_by_phrase FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('by which phrase a payment instruction has ended stays on record');

-- One index for each way in which they are looked for, the newest first; the id makes the order total, so that the next
-- page can begin after the last row of this one, however deep.
CREATE INDEX payment_instruction_by_time ON ifms.payment_instruction (created_at DESC, id DESC);
CREATE INDEX payment_instruction_by_change ON ifms.payment_instruction (updated_at DESC, id DESC);
CREATE INDEX payment_instruction_by_status ON ifms.payment_instruction (status, created_at DESC, id DESC);
CREATE INDEX payment_instruction_by_city ON ifms.payment_instruction (tenant_id, created_at DESC, id DESC);
CREATE INDEX payment_instruction_by_city_status
    ON ifms.payment_instruction (tenant_id, status, created_at DESC, id DESC);
CREATE INDEX payment_instruction_by_number ON ifms.payment_instruction (pi_number text_pattern_ops);
CREATE INDEX payment_instruction_revised ON ifms.payment_instruction (created_at DESC, id DESC)
    WHERE pi_type = 'REVISED';
CREATE INDEX payment_instruction_inactive ON ifms.payment_instruction (created_at DESC, id DESC) WHERE NOT is_active;
CREATE INDEX payment_instruction_repayments ON ifms.payment_instruction (repayment_of) WHERE repayment_of IS NOT NULL;
-- What waits for a person, or may: not many among many that are done.
CREATE INDEX payment_instruction_for_action ON ifms.payment_instruction (created_at DESC, id DESC)
    WHERE status IN ('PENDING', 'FAILED', 'PARTIAL', 'COMPLETED');
-- Bills, work orders, projects and wards by one index: each is a list in additional_details, and asked for by
-- additional_details @> '{"billNumber": ["…"]}'.
CREATE INDEX payment_instruction_by_details ON ifms.payment_instruction USING gin (additional_details jsonb_path_ops);
-- Beside that on the JSON, by which the pages' search goes: of an array PostgreSQL expects thousands with one number, and
-- a search for the newest would rather read them all in the order of time.
CREATE INDEX payment_instruction_by_bill_numbers ON ifms.payment_instruction USING gin (bill_numbers);
-- A head of account that hardly any has, and an amount: without these a search for the newest would read them all.
CREATE INDEX payment_instruction_by_head ON ifms.payment_instruction (hoa_code, created_at DESC, id DESC);
CREATE INDEX payment_instruction_by_amount ON ifms.payment_instruction (net_amount, created_at DESC, id DESC);

-- DIGIT's index knows a document by its id. A payment that has no PI stands there under its own id; the first PI that is
-- made of it takes that id, and with it the place: so the index never has both.
CREATE FUNCTION ifms.take_payments_id() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    its_payment uuid := (SELECT y.id FROM ifms.payment y
                         WHERE y.tenant_id = NEW.tenant_id AND y.payment_number = NEW.payment_number);
BEGIN
    IF its_payment IS NOT NULL AND NOT EXISTS (SELECT FROM ifms.payment_instruction p WHERE p.id = its_payment) THEN
        NEW.id := its_payment;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER first_one_has_its_payments_id BEFORE INSERT ON ifms.payment_instruction FOR EACH ROW
    WHEN (NEW.pi_type = 'ORIGINAL' AND NEW.repayment_of IS NULL AND NEW.imported_at IS NULL)
    EXECUTE FUNCTION ifms.take_payments_id();

-- Statuses: which may follow which. -----------------------------------------------------------------------------------

-- Filled from ifms.ledger.statuses by `ifms migrate`, checked here.
CREATE TABLE ifms.status_transition (
    subject      text NOT NULL CHECK (subject IN ('PAYMENT_INSTRUCTION', 'BENEFICIARY')),
    from_status  text NOT NULL,
    to_status    text NOT NULL,
    PRIMARY KEY (subject, from_status, to_status)
);
COMMENT ON TABLE ifms.status_transition IS 'Which status may follow which; a copy of the code''s table.';

CREATE FUNCTION ifms.refuse_first_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a new row of % starts as %, not as %', TG_TABLE_NAME, TG_ARGV[0], NEW.status
        USING ERRCODE = 'check_violation', CONSTRAINT = 'status_transition';
END $$;
-- What its owner imports may be over with its first row: its payment may have another one by then.
CREATE TRIGGER first_status BEFORE INSERT ON ifms.payment_instruction FOR EACH ROW
    WHEN (NEW.status IS DISTINCT FROM 'PENDING' AND (NEW.imported_at IS NULL OR NEW.status IS DISTINCT FROM 'FAILED'))
    EXECUTE FUNCTION ifms.refuse_first_status('PENDING');

CREATE FUNCTION ifms.check_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM ifms.status_transition
        WHERE subject = TG_ARGV[0] AND from_status = OLD.status AND to_status = NEW.status
    ) THEN
        RAISE EXCEPTION '% % may not go from % to %', TG_TABLE_NAME, OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'status_transition';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER check_transition BEFORE UPDATE OF status ON ifms.payment_instruction FOR EACH ROW
    WHEN (NEW.status IS DISTINCT FROM OLD.status) EXECUTE FUNCTION ifms.check_transition('PAYMENT_INSTRUCTION');

CREATE FUNCTION ifms.say_what_it_pays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.bill_numbers := ifms.texts_of(NEW.additional_details -> 'billNumber');
    NEW.work_order_numbers := ifms.texts_of(NEW.additional_details -> 'referenceId');
    NEW.bill_type := ifms.bill_type(NEW.bill_numbers);
    NEW.project_numbers := ifms.texts_of(NEW.additional_details -> 'projectNumber');
    RETURN NEW;
END $$;
CREATE TRIGGER say_what_it_pays
    BEFORE INSERT OR UPDATE OF additional_details, bill_numbers, work_order_numbers, bill_type, project_numbers
    ON ifms.payment_instruction FOR EACH ROW EXECUTE FUNCTION ifms.say_what_it_pays();
-- For rows, too, that are loaded past the other triggers, as a generated column would be.
ALTER TABLE ifms.payment_instruction ENABLE ALWAYS TRIGGER say_what_it_pays;

CREATE FUNCTION ifms.note_status_since() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.status_since := CASE TG_OP WHEN 'INSERT' THEN NEW.created_at ELSE now() END;
    RETURN NEW;
END $$;
CREATE TRIGGER status_since_it_was_made BEFORE INSERT ON ifms.payment_instruction
    FOR EACH ROW EXECUTE FUNCTION ifms.note_status_since();
CREATE TRIGGER status_since BEFORE UPDATE OF status ON ifms.payment_instruction
    FOR EACH ROW WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION ifms.note_status_since();

-- The content of a payment instruction never changes once it is written. ----------------------------------------------

CREATE TRIGGER content_is_frozen BEFORE UPDATE OF tenant_id, pi_number, pi_type, parent_pi_number, payment_number,
    sanction_id, hoa_code, ddo_code, ssu_id, grantee_code, scheme_code, master_allotment_id, ssu_allotment_id,
    allotment_serial_no, gross_amount, net_amount, beneficiary_count, bill_date, financial_year, purpose, created_at,
    repayment_of, org_bill_ref_number, org_bill_date
    ON ifms.payment_instruction FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('the content of a payment instruction is frozen');
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.payment_instruction FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a payment instruction is never deleted');
CREATE TRIGGER owner_imports BEFORE INSERT ON ifms.payment_instruction FOR EACH ROW
    WHEN (NEW.imported_at IS NOT NULL) EXECUTE FUNCTION ifms.check_import();
CREATE TRIGGER signed_when_made BEFORE INSERT ON ifms.payment_instruction FOR EACH ROW
    WHEN (NEW.signature IS NULL AND NEW.imported_at IS NULL)
    EXECUTE FUNCTION ifms.refuse_change('a payment instruction is signed when it is made');
CREATE TRIGGER signature_is_frozen BEFORE UPDATE OF signature ON ifms.payment_instruction
    FOR EACH ROW WHEN (NEW.signature IS DISTINCT FROM OLD.signature) EXECUTE FUNCTION ifms.check_signed_anew();
CREATE TRIGGER import_is_frozen BEFORE UPDATE OF imported_at ON ifms.payment_instruction FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('whether a payment instruction was imported does not change');
CREATE TRIGGER adoption_is_frozen BEFORE UPDATE OF adopted_by ON ifms.payment_instruction FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('whether a payment instruction was adopted does not change');
CREATE TRIGGER asker_is_frozen BEFORE UPDATE OF asked_by ON ifms.payment_instruction FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('who has asked for a payment instruction stays on record');
-- A sweep may be under way while a standby takes over.
CREATE TRIGGER ledger_is_at_home BEFORE INSERT ON ifms.payment_instruction
    FOR EACH STATEMENT EXECUTE FUNCTION ifms.check_home();

-- What the treasury has told of it is not told otherwise.
CREATE TRIGGER outcome_is_told_once BEFORE UPDATE OF paid_at, pi_approved_id, pi_approval_date, pa_fin_year, pa_advice_id,
    pa_advice_date, pa_bill_ref_number, pa_token_number, pa_token_date, success_code, success_description
    ON ifms.payment_instruction FOR EACH ROW
    WHEN (NEW.imported_at IS NULL AND (
        (OLD.pi_approved_id IS NOT NULL
            AND (NEW.pi_approved_id, NEW.pi_approval_date) IS DISTINCT FROM (OLD.pi_approved_id, OLD.pi_approval_date))
        OR (OLD.pa_advice_id IS NOT NULL
            AND (NEW.pa_fin_year, NEW.pa_advice_id, NEW.pa_advice_date)
                IS DISTINCT FROM (OLD.pa_fin_year, OLD.pa_advice_id, OLD.pa_advice_date))
        -- A revision is paid bit by bit while it waits, and its references may be told otherwise with each scroll.
        OR ((OLD.pi_type <> 'REVISED' OR OLD.status <> 'INITIATED') AND (
            (OLD.paid_at IS NOT NULL AND NEW.paid_at IS DISTINCT FROM OLD.paid_at)
            OR (OLD.pa_bill_ref_number IS NOT NULL
                AND (NEW.pa_bill_ref_number, NEW.pa_token_number, NEW.pa_token_date)
                    IS DISTINCT FROM (OLD.pa_bill_ref_number, OLD.pa_token_number, OLD.pa_token_date))))))
    EXECUTE FUNCTION ifms.refuse_change('what the treasury reported of a payment instruction stays as it was reported');

-- How a submission ends: acceptance, its status service, or a person; never a guess. ----------------------------------

CREATE TRIGGER once_uncertain BEFORE UPDATE OF uncertain ON ifms.payment_instruction
    FOR EACH ROW WHEN (OLD.uncertain AND NOT NEW.uncertain)
    EXECUTE FUNCTION ifms.refuse_change('that a submission may have arrived is not unsaid');
CREATE TRIGGER settled_once BEFORE UPDATE OF settled_by ON ifms.payment_instruction
    FOR EACH ROW WHEN (OLD.settled_by IS NOT NULL AND NEW.settled_by IS DISTINCT FROM OLD.settled_by
        AND (OLD.status <> 'FAILED' OR NEW.said_absent_at IS NOT DISTINCT FROM OLD.said_absent_at))
    EXECUTE FUNCTION ifms.refuse_change('who has settled a payment instruction stays on record');
CREATE TRIGGER said_absent_once BEFORE UPDATE OF said_absent_at ON ifms.payment_instruction
    FOR EACH ROW WHEN (OLD.said_absent_at IS NOT NULL AND NEW.said_absent_at IS DISTINCT FROM OLD.said_absent_at
        AND (NEW.said_absent_at IS NULL OR NEW.said_absent_at < OLD.said_absent_at
             OR OLD.found_failed_at IS NULL OR OLD.found_failed_at < OLD.said_absent_at))
    EXECUTE FUNCTION ifms.refuse_change('that the treasury lacks it is said once, until it is shown again');

-- Once a submission may have arrived, a PI fails only by its status service's word, given twice and some time apart after
-- the treasury has refused it, by the refusal of the only submission that was made, or by a person.
CREATE FUNCTION ifms.check_settled_by_fact() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.settled_by IS NULL AND (NEW.refusal IS NULL OR NOT NEW.refused_first
            AND (NEW.absent_since IS NULL OR NEW.absent_since > now() - interval '59 minutes')) THEN
        RAISE EXCEPTION 'payment instruction % may have arrived at the treasury: that it did not is not known', NEW.pi_number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'settled_by_fact';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER settled_by_fact BEFORE UPDATE OF status ON ifms.payment_instruction
    FOR EACH ROW WHEN (OLD.status = 'PENDING' AND NEW.status = 'FAILED' AND NEW.uncertain AND NEW.imported_at IS NULL)
    EXECUTE FUNCTION ifms.check_settled_by_fact();
-- A person's word ends the waiting, not the doubt: before its payment has another PI, its status service is asked.
CREATE TRIGGER settled_in_doubt BEFORE UPDATE OF status ON ifms.payment_instruction
    FOR EACH ROW WHEN (OLD.status = 'PENDING' AND NEW.status = 'FAILED' AND NEW.settled_by IS NOT NULL
        AND NOT NEW.uncertain AND OLD.last_attempt IS DISTINCT FROM 'never_sent')
    EXECUTE FUNCTION ifms.refuse_change('a submission that may have arrived stays in doubt when a person settles it');

-- Nothing of it can have arrived, and nobody is about to send it: it FAILS in the statement that says who has cancelled it.
CREATE FUNCTION ifms.check_cancelled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR OLD.cancelled_by IS NOT NULL OR OLD.status <> 'PENDING' OR NEW.status <> 'FAILED'
       OR OLD.uncertain OR NEW.uncertain OR OLD.held_back OR OLD.last_attempt IS DISTINCT FROM 'never_sent'
       OR NEW.last_attempt IS DISTINCT FROM 'never_sent' OR OLD.claimed_until >= clock_timestamp() THEN
        RAISE EXCEPTION 'payment instruction % may have arrived at the treasury, or has ended: it is not cancelled',
            NEW.pi_number USING ERRCODE = 'check_violation', CONSTRAINT = 'cancelled_before_it_was_sent';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER cancelled_before_it_was_sent BEFORE UPDATE OF cancelled_by ON ifms.payment_instruction
    FOR EACH ROW WHEN (NEW.cancelled_by IS DISTINCT FROM OLD.cancelled_by) EXECUTE FUNCTION ifms.check_cancelled();
CREATE TRIGGER not_cancelled_when_made BEFORE INSERT ON ifms.payment_instruction
    FOR EACH ROW WHEN (NEW.cancelled_by IS NOT NULL) EXECUTE FUNCTION ifms.check_cancelled();
