-- Where the ledger lives. A restored backup, a copy and a promoted standby may lack what was sent to the treasury since,
-- and would send it again under new numbers: no sweep begins and no PI is made there before somebody has said what it is.

CREATE TABLE ifms.home (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    place     text NOT NULL,
    noted_at  timestamptz NOT NULL DEFAULT now(),
    os_user   text,  -- NULL: nobody, the ledger was new
    reason    text NOT NULL CHECK (btrim(reason) <> '')
);
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
-- A sweep may be under way while a standby takes over.
CREATE TRIGGER ledger_is_at_home BEFORE INSERT ON ifms.payment_instruction
    FOR EACH STATEMENT EXECUTE FUNCTION ifms.check_home();
