-- What the treasury's texts mean.

-- A site's own rows beside those that are shipped (ifms/wire/phrases.toml). They count from the next sweep on.
CREATE TABLE ifms.phrase (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    services          text[] NOT NULL CHECK (cardinality(services) > 0),
    text              text NOT NULL CHECK (btrim(text) <> ''),
    meaning           text NOT NULL CHECK (btrim(meaning) <> ''),
    reason            text NOT NULL CHECK (btrim(reason) <> ''),
    added_by          text NOT NULL CHECK (btrim(added_by) <> ''),
    added_at          timestamptz NOT NULL DEFAULT now(),
    withdrawn_at      timestamptz,
    withdrawn_by      text,
    withdrawn_reason  text,
    CHECK ((withdrawn_at IS NULL) = (withdrawn_by IS NULL)),
    CHECK ((withdrawn_at IS NULL) = (withdrawn_reason IS NULL OR btrim(withdrawn_reason) = ''))
);
COMMENT ON TABLE ifms.phrase IS 'A site''s own rows of the phrasebook: what texts of the treasury mean.';
CREATE UNIQUE INDEX phrase_said_once ON ifms.phrase (lower(text), services) WHERE withdrawn_at IS NULL;
CREATE TRIGGER content_is_frozen BEFORE UPDATE OF id, services, text, meaning, reason, added_by, added_at ON ifms.phrase
    FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a phrase is withdrawn, not rewritten');
CREATE TRIGGER withdrawn_once BEFORE UPDATE ON ifms.phrase FOR EACH ROW WHEN (OLD.withdrawn_at IS NOT NULL)
    EXECUTE FUNCTION ifms.refuse_change('a withdrawn phrase stays withdrawn');
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.phrase FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('a phrase is withdrawn, not deleted');

-- Texts that no phrase matched, each once, without its bill's number and long numbers: how often, and since when.
CREATE TABLE ifms.unknown_answer (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    service_id      text NOT NULL,
    template        text NOT NULL,
    sample          text NOT NULL,
    times           bigint NOT NULL DEFAULT 1,
    first_heard_at  timestamptz NOT NULL DEFAULT now(),
    last_heard_at   timestamptz NOT NULL DEFAULT now(),
    -- The phrase that gave it its meaning.
    phrase_id       uuid REFERENCES ifms.phrase,
    UNIQUE (service_id, template)
);
COMMENT ON TABLE ifms.unknown_answer IS 'Texts of the treasury that no phrase matched.';
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.unknown_answer FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('an answer that nobody understood is given a meaning, not forgotten');
