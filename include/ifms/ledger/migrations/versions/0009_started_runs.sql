-- DAG runs that a person has started through the adapter's pages or its API, which have looked at that person's rights.
CREATE TABLE ifms.started_run (
    dag_id text NOT NULL CHECK (dag_id <> ''),
    run_id text NOT NULL CHECK (run_id <> ''),
    started_by text NOT NULL CHECK (started_by <> ''),
    tenants text[] CHECK (cardinality(tenants) > 0),
    conf_sha256 bytea NOT NULL CHECK (octet_length(conf_sha256) = 32),
    started_at timestamptz NOT NULL DEFAULT now()
        CHECK (started_at >= '2000-01-01 00:00+00' AND started_at < '2100-01-01 00:00+00'),
    PRIMARY KEY (dag_id, run_id)
);
COMMENT ON TABLE ifms.started_run IS
    'DAG runs that a person has started through the pages or the API, who had the right to: by whom, for which cities (NULL: all), and the SHA-256 of the form. A run that somebody starts otherwise begins only if IFMS_RIGHTS lets them act in all cities.';

-- Who has asked for a payment instruction through the API: DIGIT is told so as its createdBy.
ALTER TABLE ifms.payment_instruction ADD COLUMN asked_by text CHECK (btrim(asked_by) <> '');
CREATE TRIGGER asker_is_frozen BEFORE UPDATE OF asked_by ON ifms.payment_instruction FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('who has asked for a payment instruction stays on record');
