-- Money that the treasury has sanctioned and allotted to a city; what may be spent is decided in 08_money.sql.
-- NaN is greater than 0 to PostgreSQL, and whatever is added to it is NaN: each amount is refused that is no number.

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
    -- NULL while it is open; written by the rows of sanction_closing and by nothing else. Kept here, too, because whoever
    -- has locked a sanction to pay from it then knows that it is open.
    closed_at            timestamptz,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, hoa_code, ddo_code, master_allotment_id),
    CONSTRAINT sanction_as_named UNIQUE (id, tenant_id, hoa_code, ddo_code, master_allotment_id)
);
COMMENT ON TABLE ifms.sanction IS 'Money that the treasury has sanctioned, and what of it is allotted, reserved and spent.';
CREATE INDEX sanction_by_year ON ifms.sanction (tenant_id, financial_year);
CREATE INDEX sanction_of_year ON ifms.sanction (financial_year, hoa_code);
CREATE INDEX sanction_by_change ON ifms.sanction (updated_at DESC, id DESC);
-- Whether some sanction of a city has an amount: asked for each payment that waits for funds.
CREATE INDEX sanction_with_funds ON ifms.sanction (tenant_id, financial_year, available_amount)
    WHERE closed_at IS NULL;
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.sanction FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a sanction is never deleted');
CREATE TRIGGER content_is_frozen BEFORE UPDATE OF id, tenant_id, hoa_code, ddo_code, ssu_id, grantee_code, scheme_code,
    master_allotment_id, financial_year, sanctioned_amount ON ifms.sanction FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a sanction is what its initial allotment said');

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
    sanction_id          uuid,
    received_at          timestamptz NOT NULL DEFAULT now(),
    -- What the treasury names an allotment by: it counts once, however often it is told.
    UNIQUE (tenant_id, hoa_code, ddo_code, master_allotment_id, ssu_allotment_id, serial_no),
    CONSTRAINT amount_is_a_number CHECK (amount <> 'NaN'),
    CONSTRAINT counts_on_its_own_sanction FOREIGN KEY (sanction_id, tenant_id, hoa_code, ddo_code, master_allotment_id)
        REFERENCES ifms.sanction (id, tenant_id, hoa_code, ddo_code, master_allotment_id)
);
COMMENT ON TABLE ifms.allotment IS 'Money that the treasury has allotted to a sanction, or withdrawn: each as it told it, once.';
-- Whether another city has counted it.
CREATE INDEX allotment_by_name ON ifms.allotment (master_allotment_id, ssu_allotment_id, serial_no);
CREATE INDEX allotment_by_sanction ON ifms.allotment (sanction_id, serial_no DESC);
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.allotment FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('an allotment is never deleted');
CREATE TRIGGER content_is_frozen BEFORE UPDATE OF id, tenant_id, hoa_code, ddo_code, grantee_code, ssu_id, scheme_code,
    master_allotment_id, ssu_allotment_id, serial_no, kind, amount, sanction_balance, allotment_date, received_at
    ON ifms.allotment FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('an allotment is what the treasury said first');

CREATE TABLE ifms.va_watermark (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id      text NOT NULL,
    hoa_code       text NOT NULL,
    ddo_code       text NOT NULL,
    grantee_code   text NOT NULL,
    ssu_id         text NOT NULL,
    -- The instant just before the last answered call: what the treasury enters later is asked for next time.
    fetched_until  timestamptz,
    -- From when on it was first asked for, or from before that since; NULL before, and when another adapter has done it.
    asked_from     timestamptz,
    polled_at      timestamptz,
    claim_token    uuid,
    claimed_until  timestamptz,
    UNIQUE (tenant_id, hoa_code, ddo_code, grantee_code)
);
COMMENT ON TABLE ifms.va_watermark IS 'Up to when allotments have been fetched.';
CREATE INDEX va_watermark_due ON ifms.va_watermark (polled_at NULLS FIRST);

-- Closed sanctions. ---------------------------------------------------------------------------------------------------

-- Who has closed a sanction, so that no more is paid from it, or opened it again, and why. The last row counts.
CREATE TABLE ifms.sanction_closing (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sanction_id  uuid NOT NULL REFERENCES ifms.sanction,
    closed       boolean NOT NULL,
    reason       text NOT NULL CHECK (btrim(reason) <> ''),
    person       text NOT NULL CHECK (btrim(person) <> ''),
    noted_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ifms.sanction_closing IS 'Who has closed a sanction or opened it again, and why; the last row counts.';
CREATE INDEX sanction_closing_by_sanction ON ifms.sanction_closing (sanction_id, id DESC);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.sanction_closing FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('who has closed a sanction or opened it again stays on record');

CREATE FUNCTION ifms.apply_closing() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE ifms.sanction SET closed_at = CASE WHEN NEW.closed THEN NEW.noted_at END, updated_at = now()
    WHERE id = NEW.sanction_id AND (closed_at IS NULL) = NEW.closed;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'sanction % is % already', NEW.sanction_id, CASE WHEN NEW.closed THEN 'closed' ELSE 'open' END
            USING ERRCODE = 'check_violation', CONSTRAINT = 'closed_once';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER apply_closing AFTER INSERT ON ifms.sanction_closing
    FOR EACH ROW EXECUTE FUNCTION ifms.apply_closing();

CREATE FUNCTION ifms.check_closed_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT CASE WHEN closed THEN noted_at END FROM ifms.sanction_closing
        WHERE sanction_id = NEW.id ORDER BY id DESC LIMIT 1) IS DISTINCT FROM NEW.closed_at THEN
        RAISE EXCEPTION 'sanction % is closed and opened by a row of sanction_closing', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'closed_by_somebody';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER closed_by_somebody BEFORE UPDATE OF closed_at ON ifms.sanction
    FOR EACH ROW EXECUTE FUNCTION ifms.check_closed_at();
CREATE TRIGGER opened_when_made BEFORE INSERT ON ifms.sanction FOR EACH ROW WHEN (NEW.closed_at IS NOT NULL)
    EXECUTE FUNCTION ifms.refuse_change('a sanction is open when it is made');
