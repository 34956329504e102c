-- Bills and payments of the platform, as the adapter came to know them.

-- A number as two spellings of it share it: small letters are capitals, and blanks and what is not seen are left out.
CREATE FUNCTION ifms.plain_number(number text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT upper(regexp_replace(number, '[^\x21-\x7e]', '', 'g'))
$$;

-- The platform owns a payment; what is kept here is what the adapter must remember of it: its amount when first seen, and
-- why it has no payment instruction yet.
CREATE TABLE ifms.payment (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id       text NOT NULL,
    payment_number  text NOT NULL,
    -- As it was first seen; '' where that is not known: of an imported one, or once a person has released a conflict.
    payment_id      text NOT NULL,
    amount          numeric(15,2) NOT NULL CHECK (amount > 0),
    -- As the run that raised it or last looked at it knew them.
    bill_numbers    text[] NOT NULL DEFAULT '{}',
    paid_by         uuid,
    hold_code       text,
    hold_message    text,
    held_since      timestamptz,
    -- When a person has let it have a new PI, the last time: what was declined before that may be sent again as it is.
    released_at     timestamptz,
    -- How often a run has looked at it and made no PI.
    tries           integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    raised_at       timestamptz NOT NULL,
    seen_at         timestamptz NOT NULL DEFAULT now(),
    polled_at       timestamptz,
    claim_token     uuid,
    claimed_until   timestamptz,
    UNIQUE (tenant_id, payment_number),
    CONSTRAINT amount_is_a_number CHECK (amount <> 'NaN'),
    CHECK ((hold_code IS NULL) = (hold_message IS NULL AND held_since IS NULL))
);
-- The platform's ids are unique over all cities, and stay when a city gets another code: what is known under one code is
-- not taken in under another.
CREATE UNIQUE INDEX payment_is_known_once ON ifms.payment (payment_id) WHERE payment_id <> '';
COMMENT ON TABLE ifms.payment IS 'Payments of the platform as they were first seen, and why one has no payment instruction yet.';
-- Asked before a PI is made: a number that is spelled in two ways names one payment, which is paid once.
CREATE INDEX payment_by_plain_number ON ifms.payment (tenant_id, ifms.plain_number(payment_number));
CREATE INDEX payment_due ON ifms.payment (raised_at, id) WHERE paid_by IS NULL;
CREATE INDEX payment_waiting_bills ON ifms.payment USING gin (bill_numbers) WHERE paid_by IS NULL;
CREATE INDEX payment_waiting_in_city ON ifms.payment (tenant_id, raised_at, id) WHERE paid_by IS NULL;
-- Which days are settled is asked by the day on which payments were raised.
CREATE INDEX payment_raised ON ifms.payment (raised_at);
-- What another run holds is looked up every two seconds by who waits for it: few rows of many.
CREATE INDEX payment_claimed ON ifms.payment (claimed_until) WHERE claimed_until IS NOT NULL;
CREATE TRIGGER amount_is_frozen BEFORE UPDATE OF tenant_id, payment_number, amount ON ifms.payment FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a payment keeps the amount it was first seen with');
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.payment FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a payment is never forgotten: it would be paid again');

-- A bill is paid by one payment. The platform refuses a second one only once it has stored the first, which it does a
-- little after it has answered; so the right to create a bill's payment is claimed here before it is asked for. Its id is
-- unique over all cities: a city that gets another code, or shares another's rows, does not pay its bills once more.
CREATE TABLE ifms.bill (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id       text NOT NULL,
    bill_id         text NOT NULL,
    payment_number  text,
    claim_token     uuid,
    claimed_until   timestamptz,
    asked_at        timestamptz NOT NULL DEFAULT now(),
    -- Since when the platform refuses its payment as a second one, though it calls the bill unpaid.
    duplicate_since timestamptz,
    UNIQUE (bill_id)
);
COMMENT ON TABLE ifms.bill IS 'Bills of the platform and the one payment that pays each.';
-- The bills of a payment are in its PI's signature.
CREATE INDEX bill_by_payment ON ifms.bill (tenant_id, payment_number) WHERE payment_number IS NOT NULL;
CREATE FUNCTION ifms.check_paid_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.payment_number IS NOT NULL
       AND (NEW.tenant_id, NEW.payment_number) IS DISTINCT FROM (OLD.tenant_id, OLD.payment_number) THEN
        RAISE EXCEPTION 'bill % is paid by payment % of %, not by % of %',
            OLD.bill_id, OLD.payment_number, OLD.tenant_id, NEW.payment_number, NEW.tenant_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'bill_is_paid_once';
    END IF;
    IF NEW.tenant_id <> OLD.tenant_id AND NEW.payment_number IS NULL THEN
        RAISE EXCEPTION 'bill % is of %: without a payment it becomes no other city''s', OLD.bill_id, OLD.tenant_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'bill_is_paid_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bill_is_paid_once BEFORE UPDATE OF tenant_id, payment_number ON ifms.bill
    FOR EACH ROW EXECUTE FUNCTION ifms.check_paid_once();
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.bill FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a bill is never forgotten: it would be paid again');
CREATE TRIGGER content_is_frozen BEFORE UPDATE OF bill_id ON ifms.bill FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a bill keeps its name');
