-- The runs of the sweeps, those that people start, the settings that the database must know, and where the ledger lives.

CREATE TABLE ifms.sweep_run (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    service_id     text NOT NULL,
    dag_id         text,
    run_id         text,
    shard          integer NOT NULL DEFAULT 0,
    try_number     integer,
    state          text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'success', 'failed')),
    counts         jsonb NOT NULL DEFAULT '{}',
    problems       jsonb NOT NULL DEFAULT '[]',
    message        text,
    started_at     timestamptz NOT NULL DEFAULT now(),
    finished_at    timestamptz,
    -- Since when all that its part of the cities had to do is in the ledger, for the other shards, too.
    discovered_at  timestamptz,
    -- Nothing was heard of it for so long that it was taken for dead.
    presumed_dead  boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE ifms.sweep_run IS 'Runs of the sweeps: their state, counts and problems.';
CREATE INDEX sweep_run_by_service ON ifms.sweep_run (service_id, started_at DESC);
CREATE INDEX sweep_run_by_dag_run ON ifms.sweep_run (dag_id, run_id);
-- How a run ended, it says once; of one that was taken for dead, it may do so later.
CREATE TRIGGER ended_once BEFORE UPDATE ON ifms.sweep_run FOR EACH ROW
    WHEN (OLD.state <> 'running' AND NOT OLD.presumed_dead AND OLD IS DISTINCT FROM NEW)
    EXECUTE FUNCTION ifms.refuse_change('how a run ended stays on record');

-- DAG runs that a person has started through the adapter's pages or its API, which have looked at that person's rights.
CREATE TABLE ifms.started_run (
    dag_id       text NOT NULL CHECK (dag_id <> ''),
    run_id       text NOT NULL CHECK (run_id <> ''),
    started_by   text NOT NULL CHECK (started_by <> ''),
    tenants      text[] CHECK (cardinality(tenants) > 0),
    conf_sha256  bytea NOT NULL CHECK (octet_length(conf_sha256) = 32),
    started_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dag_id, run_id)
);
COMMENT ON TABLE ifms.started_run IS
    'DAG runs that a person has started through the pages or the API, who had the right to: by whom, for which cities (NULL: all), and the SHA-256 of the form. A run that somebody starts otherwise begins only if IFMS_RIGHTS lets them act in all cities.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.started_run FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('who has started a run stays on record');

-- The settings of the treasury's connection that the database must know, too: one row, made equal to the connection by
-- each sweep that calls the treasury. What is decided by them here and in Python is decided by this row.
CREATE TABLE ifms.setting (
    only_one               boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    use_earlier_years      boolean NOT NULL DEFAULT false,
    correction_days        integer NOT NULL DEFAULT 90 CHECK (correction_days BETWEEN 1 AND 3650),
    -- A day that each year has: 2001 is no leap year.
    correction_last_month  integer NOT NULL DEFAULT 4,
    correction_last_day    integer NOT NULL DEFAULT 30
        CHECK (make_date(2001, correction_last_month, correction_last_day) IS NOT NULL),
    changed_at             timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ifms.setting IS 'The settings of the treasury''s connection that the database must know: one row.';
INSERT INTO ifms.setting DEFAULT VALUES;
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.setting FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('the settings are changed, not deleted');

-- Where the ledger lives. ---------------------------------------------------------------------------------------------

-- A restored backup, a copy and a promoted standby may lack what was sent to the treasury since, and would send it again
-- under new numbers: no sweep begins and no PI is made there before somebody has said what it is.
CREATE TABLE ifms.home (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    place     text NOT NULL,
    noted_at  timestamptz NOT NULL DEFAULT now(),
    os_user   text,  -- NULL: nobody, the ledger was new
    reason    text NOT NULL CHECK (btrim(reason) <> '')
);
COMMENT ON TABLE ifms.home IS 'Where the ledger lives: a copy or a restored one pays nothing before somebody has said what it is.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.home FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('where the ledger was stays on record');

-- The server, how often it was restored or promoted (its timeline), and the database there.
CREATE FUNCTION ifms.place() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('server %s, timeline %s, database %s', (SELECT system_identifier FROM pg_control_system()),
                  left(pg_walfile_name(pg_current_wal_lsn()), 8), d.oid)
    FROM pg_database d WHERE d.datname = current_database()
$$;

-- As the owner: who works on the ledger can't say that it is at home.
CREATE FUNCTION ifms.check_home() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    home text := (SELECT place FROM ifms.home ORDER BY id DESC LIMIT 1);
BEGIN
    IF home IS NULL THEN
        INSERT INTO ifms.home (place, reason) VALUES (ifms.place(), 'the ledger was new');
    ELSIF home <> ifms.place() THEN
        RAISE EXCEPTION 'this ledger was restored, copied or moved: it was at % and is at %. It may not know what was '
            'sent to the treasury since, and would pay it again. Pause all DAGs; then `ifms after-restore begin`, or, '
            'if nothing at all was lost, `ifms after-restore nothing-lost`', home, ifms.place()
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_is_at_home';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_is_at_home BEFORE INSERT ON ifms.sweep_run FOR EACH STATEMENT EXECUTE FUNCTION ifms.check_home();
