-- Acts that one person proposes and another approves.

-- Which acts need a second person --------------------------------------------------------------------------------------

-- One row, which only the owner writes: `ifms migrate` makes it equal to the environment (IFMS_SECOND_PERSON …). Who
-- works on the ledger reads it, so that no process with other variables is a way around it.
CREATE TABLE ifms.second_person (
    only_row           boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- As ifms.proposal has them; correction and resubmission count from above_amount on.
    acts               text[] NOT NULL DEFAULT '{settle,transfer,same_account,repayment,adopt,release,sanction,phrase,correction,resubmission}',
    above_amount       numeric(15, 2) CHECK (above_amount >= 0 AND above_amount <> 'NaN'),
    proposal_days      integer NOT NULL DEFAULT 7 CHECK (proposal_days BETWEEN 1 AND 90),
    single_person      boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE ifms.second_person IS 'Which acts need a second person, in one row that `ifms migrate` writes.';
INSERT INTO ifms.second_person DEFAULT VALUES;
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.second_person FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('which acts need a second person is always said');

-- What somebody has proposed, and what became of it ----------------------------------------------------------------------

CREATE TABLE ifms.proposal (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    act           text NOT NULL CHECK (act IN ('settle', 'transfer', 'same_account', 'repayment', 'adopt', 'release',
                                               'sanction', 'phrase', 'correction', 'resubmission')),
    tenant_id     text CHECK (tenant_id <> ''),
    subject       text NOT NULL CHECK (btrim(subject) <> '' AND length(subject) <= 1000),
    -- What the act is given; accounts by their last four digits alone.
    parameters    jsonb NOT NULL CHECK (jsonb_typeof(parameters) = 'object'),
    amount        numeric(15, 2) CHECK (amount >= 0 AND amount <> 'NaN'),
    reason        text NOT NULL CHECK (btrim(reason) <> '' AND length(reason) <= 1000),
    proposed_by   text NOT NULL CHECK (btrim(proposed_by) <> ''),
    proposed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    approved_by   text CHECK (btrim(approved_by) <> ''),
    approved_at   timestamptz,
    single_person boolean NOT NULL DEFAULT false,
    refused_by    text CHECK (btrim(refused_by) <> ''),
    refused_at    timestamptz,
    refusal       text CHECK (btrim(refusal) <> ''),
    done_at       timestamptz,
    done_in       text CHECK (done_in <> ''),
    failed_at     timestamptz,
    result        text CHECK (result <> ''),
    CONSTRAINT approved_by_somebody CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
    CONSTRAINT refused_by_somebody_with_a_reason
        CHECK ((refused_by IS NULL) = (refused_at IS NULL) AND (refused_by IS NULL) = (refusal IS NULL)),
    CONSTRAINT decided_once CHECK (approved_at IS NULL OR refused_at IS NULL),
    CONSTRAINT done_after_approval CHECK (approved_at IS NOT NULL OR (done_at IS NULL AND failed_at IS NULL AND NOT single_person)),
    CONSTRAINT ended_once CHECK (done_at IS NULL OR failed_at IS NULL),
    CONSTRAINT result_of_what_ended CHECK (result IS NULL OR done_at IS NOT NULL OR failed_at IS NOT NULL),
    CONSTRAINT two_people CHECK (single_person OR lower(btrim(approved_by)) <> lower(btrim(proposed_by)))
);
COMMENT ON TABLE ifms.proposal IS 'Acts that one person has proposed and another approves or refuses; what became of each.';
CREATE INDEX proposal_open ON ifms.proposal (act, subject) WHERE approved_at IS NULL AND refused_at IS NULL;
CREATE INDEX proposal_to_be_done ON ifms.proposal (act, subject)
    WHERE approved_at IS NOT NULL AND done_at IS NULL AND failed_at IS NULL;
CREATE INDEX proposal_by_time ON ifms.proposal (proposed_at DESC, id DESC);
CREATE INDEX proposal_undecided ON ifms.proposal (proposed_at DESC, id DESC) WHERE approved_at IS NULL AND refused_at IS NULL;
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.proposal FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a proposal is never deleted');

-- The database's clock and setting decide: when it was proposed and until when it counts, whether it may be approved
-- now, by whom, and whether one person did both.
CREATE FUNCTION ifms.proposal_goes_its_way() RETURNS trigger
    LANGUAGE plpgsql AS $$
DECLARE
    said    ifms.second_person;
    moment  timestamptz := clock_timestamp();
    decided text[] := '{approved_by,approved_at,single_person,refused_by,refused_at,refusal,done_at,done_in,failed_at,result}';
    wrong   text;
BEGIN
    SELECT * INTO STRICT said FROM ifms.second_person;
    IF TG_OP = 'INSERT' THEN
        IF num_nonnulls(NEW.approved_by, NEW.approved_at, NEW.refused_by, NEW.refused_at, NEW.refusal, NEW.done_at,
                        NEW.done_in, NEW.failed_at, NEW.result) > 0 OR NEW.single_person THEN
            wrong := 'it begins undecided';
        END IF;
        NEW.proposed_at := moment;
        NEW.expires_at := moment + make_interval(days => said.proposal_days);
    ELSIF to_jsonb(NEW) - decided <> to_jsonb(OLD) - decided THEN
        wrong := 'what was proposed is frozen';
    ELSE
        IF (NEW.approved_by, NEW.approved_at, NEW.single_person)
                IS DISTINCT FROM (OLD.approved_by, OLD.approved_at, OLD.single_person) THEN
            NEW.approved_at := moment;
            NEW.single_person := lower(btrim(NEW.approved_by)) = lower(btrim(NEW.proposed_by));
            IF OLD.approved_at IS NOT NULL OR OLD.refused_at IS NOT NULL THEN
                wrong := 'it is decided already';
            ELSIF moment >= OLD.expires_at THEN
                wrong := 'it has expired';
            ELSIF NEW.single_person AND NOT said.single_person THEN
                wrong := 'it is approved by another person than the one who proposed it';
            END IF;
        END IF;
        IF (NEW.refused_by, NEW.refused_at, NEW.refusal)
                IS DISTINCT FROM (OLD.refused_by, OLD.refused_at, OLD.refusal) THEN
            NEW.refused_at := moment;
            IF OLD.approved_at IS NOT NULL OR OLD.refused_at IS NOT NULL THEN
                wrong := 'it is decided already';
            END IF;
        END IF;
        IF (NEW.done_at, NEW.done_in, NEW.failed_at, NEW.result)
                IS DISTINCT FROM (OLD.done_at, OLD.done_in, OLD.failed_at, OLD.result) THEN
            IF OLD.approved_at IS NULL THEN
                wrong := 'it is approved before it is done';
            ELSIF OLD.done_at IS NOT NULL OR OLD.failed_at IS NOT NULL THEN
                wrong := 'it has ended already';
            ELSIF NEW.done_at IS NOT NULL AND moment >= OLD.expires_at + interval '1 day' THEN
                wrong := 'it has expired';
            END IF;
            IF NEW.done_at IS NOT NULL THEN
                NEW.done_at := moment;
            ELSE
                NEW.failed_at := moment;
            END IF;
        END IF;
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'proposal % is not changed so: %', NEW.id, wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'proposal_goes_its_way';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER goes_its_way BEFORE INSERT OR UPDATE ON ifms.proposal FOR EACH ROW
    EXECUTE FUNCTION ifms.proposal_goes_its_way();
