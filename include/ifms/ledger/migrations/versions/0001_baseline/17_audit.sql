-- What people do, and the chain of hashes over all records.

-- What people do on the pages and at a terminal, where no other record says it.
CREATE TABLE ifms.person_action (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id      text CHECK (tenant_id <> ''),  -- NULL: of more than one city
    person         text NOT NULL CHECK (btrim(person) <> ''),
    action         text NOT NULL CHECK (action ~ '^[a-z][a-z_]*$'),
    subject        text NOT NULL CHECK (length(subject) <= 2000),
    reason         text CHECK (btrim(reason) <> ''),
    database_user  text NOT NULL DEFAULT session_user,
    acted_at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ifms.person_action IS
    'What a person has done through the adapter: who (as the auth manager knows them, or os:NAME at a terminal), what, with what, why. Append-only.';
CREATE INDEX person_action_by_time ON ifms.person_action (acted_at);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.person_action FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('what a person has done stays on record');

-- The chain -----------------------------------------------------------------------------------------------------------

-- A link for each row of the records, made by the database in the transaction that makes the row: the SHA-256 of the row,
-- and of that, the link's own place and the hash before it. What is changed, missing or put between shows
-- (ifms.ledger.audit); that the whole chain was not made anew, the anchors show that are kept elsewhere.
CREATE TABLE ifms.audit_link (
    chain      text NOT NULL,  -- a city; empty for what is of no single one
    number     bigint NOT NULL CHECK (number > 0),
    source     text NOT NULL,  -- the table
    event      text NOT NULL CHECK (event IN ('made', 'decided', 'ended')),
    row_id     text NOT NULL,
    content    bytea NOT NULL CHECK (octet_length(content) = 32),
    hash       bytea NOT NULL CHECK (octet_length(hash) = 32),
    linked_at  timestamptz NOT NULL,
    PRIMARY KEY (chain, number)
);
COMMENT ON TABLE ifms.audit_link IS
    'The hash chain of each city''s records: of movements, status log, calls, who looked at them, and what people did. Append-only, written by the database alone.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ifms.audit_link FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('the chain of records is append-only');

-- What of a row is kept for good, hashed. Of a call that is what was announced, and in the end all but what its shipping
-- changes and what another log key seals anew (which its own seal protects). A column that a later version adds counts
-- where it is not NULL, so that older links hold.
CREATE FUNCTION ifms.record_hash(source text, event text, "row" jsonb) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT sha256(convert_to(jsonb_strip_nulls(CASE
        WHEN source = 'treasury_call' AND event = 'made' THEN jsonb_build_object(
            'id', "row" -> 'id', 'service_id', "row" -> 'service_id', 'bill_number', "row" -> 'bill_number',
            'payment_instruction_id', "row" -> 'payment_instruction_id', 'created_at', "row" -> 'created_at')
        WHEN source = 'treasury_call' THEN "row" - ARRAY['request_sealed', 'rek_sealed', 'sek_sealed',
            'auth_token_sealed', 'response_sealed', 'shipped_at', 'ship_error']
        WHEN source = 'phrase' AND event = 'made' THEN "row" - ARRAY['withdrawn_at', 'withdrawn_by', 'withdrawn_reason']
        WHEN source = 'proposal' AND event = 'made' THEN "row" - ARRAY['approved_by', 'approved_at', 'single_person',
            'refused_by', 'refused_at', 'refusal', 'done_at', 'done_in', 'failed_at', 'result']
        WHEN source = 'proposal' AND event = 'decided' THEN "row" - ARRAY['done_at', 'done_in', 'failed_at', 'result']
        ELSE "row" END)::text, 'UTF8'))
$$;

CREATE FUNCTION ifms.link_hash(before bytea, chain text, number bigint, source text, event text, row_id text,
    content bytea, linked_at timestamptz) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT sha256(coalesce(before, '') || content || convert_to(concat_ws(E'\n', chain, number, source, event, row_id,
        (extract(epoch FROM linked_at) * 1000000)::bigint), 'UTF8'))
$$;

-- In whose chain a row is that names no city itself; empty for one of no single city.
CREATE FUNCTION ifms.city_of_record(source text, "row" jsonb) RETURNS text
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    city text;
BEGIN
    IF source IN ('fund_movement', 'sanction_closing') THEN
        SELECT s.tenant_id INTO city FROM ifms.sanction s WHERE s.id = ("row" ->> 'sanction_id')::uuid;
    ELSIF source = 'treasury_call' THEN
        SELECT p.tenant_id INTO city FROM ifms.payment_instruction p
        WHERE p.id = ("row" ->> 'payment_instruction_id')::uuid;
    ELSIF source = 'call_access' AND "row" ->> 'source' = 'ledger' THEN
        SELECT p.tenant_id INTO city FROM ifms.treasury_call c
        JOIN ifms.payment_instruction p ON p.id = c.payment_instruction_id
        WHERE c.id = CASE WHEN "row" ->> 'call_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                     THEN ("row" ->> 'call_id')::uuid END;
    ELSIF source = 'started_run' AND jsonb_typeof("row" -> 'tenants') = 'array' THEN
        IF jsonb_array_length("row" -> 'tenants') = 1 THEN
            city := "row" -> 'tenants' ->> 0;
        END IF;
    END IF;
    RETURN coalesce(city, '');
END $$;

-- Adds a link for a row. Others that write the city's records wait for it until this transaction has ended.
CREATE FUNCTION ifms.add_link(source text, event text, row_id text, "row" jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    -- A trigger hands on its table's name, whose collation would be every variable's: no index would fit the city.
    city text COLLATE "default" := "row" ->> 'tenant_id';
    content bytea := ifms.record_hash(source, event, "row");
    at timestamptz;
BEGIN
    IF city IS NULL THEN
        city := ifms.city_of_record(source, "row");
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('ifms.audit_link ' || city, 0));
    at := clock_timestamp();  -- once the link before is there
    INSERT INTO ifms.audit_link (chain, number, source, event, row_id, content, hash, linked_at)
    SELECT city, coalesce(last.number, 0) + 1, source, event, row_id, content,
           ifms.link_hash(last.hash, city, coalesce(last.number, 0) + 1, source, event, row_id, content, at), at
    FROM (VALUES (true)) AS one
    LEFT JOIN LATERAL (SELECT l.number, l.hash FROM ifms.audit_link l WHERE l.chain = city ORDER BY l.number DESC LIMIT 1)
        AS last ON true;
END $$;

-- Links a row when its transaction commits. Arguments: the event, and the columns of the table's key.
CREATE FUNCTION ifms.link_row() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET bytea_output = 'hex'
    AS $$
DECLARE
    written jsonb := to_jsonb(NEW);
    key text := written ->> TG_ARGV[1];
BEGIN
    FOR place IN 2 .. TG_NARGS - 1 LOOP
        key := key || ' ' || (written ->> TG_ARGV[place]);
    END LOOP;
    PERFORM ifms.add_link(TG_TABLE_NAME, TG_ARGV[0], key, written);
    RETURN NULL;
END $$;

-- The rows that have a link: whose, of which event, and when that was.
CREATE FUNCTION ifms.linked_records() RETURNS TABLE (source text, event text, row_id text, "at" timestamptz, "row" jsonb)
    LANGUAGE sql STABLE
    AS $$
    SELECT 'fund_movement', 'made', id::text, created_at, to_jsonb(t) FROM ifms.fund_movement t
    UNION ALL SELECT 'status_log', 'made', id::text, created_at, to_jsonb(t) FROM ifms.status_log t
    UNION ALL SELECT 'treasury_call', CASE WHEN outcome IS NULL THEN 'made' ELSE 'ended' END, id::text, created_at,
        to_jsonb(t) FROM ifms.treasury_call t
    UNION ALL SELECT 'call_access', 'made', id::text, looked_at, to_jsonb(t) FROM ifms.call_access t
    UNION ALL SELECT 'call_removal', 'made', id::text, removed_at, to_jsonb(t) FROM ifms.call_removal t
    UNION ALL SELECT 'person_action', 'made', id::text, acted_at, to_jsonb(t) FROM ifms.person_action t
    UNION ALL SELECT 'sanction_closing', 'made', id::text, noted_at, to_jsonb(t) FROM ifms.sanction_closing t
    UNION ALL SELECT 'started_run', 'made', dag_id || ' ' || run_id, started_at, to_jsonb(t) FROM ifms.started_run t
    UNION ALL SELECT 'restore_cleared', 'made', restored_id || ' ' || tenant_id || ' ' || number || ' ' || kind, cleared_at,
        to_jsonb(t) FROM ifms.restore_cleared t
    UNION ALL SELECT 'phrase', 'made', id::text, added_at, to_jsonb(t) FROM ifms.phrase t
    UNION ALL SELECT 'phrase', 'ended', id::text, withdrawn_at, to_jsonb(t) FROM ifms.phrase t
        WHERE withdrawn_at IS NOT NULL
    UNION ALL SELECT 'proposal', 'made', id::text, proposed_at, to_jsonb(t) FROM ifms.proposal t
    UNION ALL SELECT 'proposal', 'decided', id::text, coalesce(approved_at, refused_at), to_jsonb(t) FROM ifms.proposal t
        WHERE approved_at IS NOT NULL OR refused_at IS NOT NULL
    UNION ALL SELECT 'proposal', 'ended', id::text, coalesce(done_at, failed_at), to_jsonb(t) FROM ifms.proposal t
        WHERE done_at IS NOT NULL OR failed_at IS NOT NULL
$$;

CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.fund_movement DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'id');
CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.status_log DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'id');
CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.call_access DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'id');
CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.call_removal DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'id');
CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.person_action DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'id');
CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.sanction_closing DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'id');
CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.started_run DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'dag_id', 'run_id');
CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.restore_cleared DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'restored_id', 'tenant_id', 'number');
CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.phrase DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'id');
CREATE CONSTRAINT TRIGGER linked_when_withdrawn AFTER UPDATE OF withdrawn_at ON ifms.phrase DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.withdrawn_at IS NULL AND NEW.withdrawn_at IS NOT NULL)
    EXECUTE FUNCTION ifms.link_row('ended', 'id');
CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.proposal DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'id');
CREATE CONSTRAINT TRIGGER linked_when_decided AFTER UPDATE ON ifms.proposal DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (num_nonnulls(OLD.approved_at, OLD.refused_at) = 0
                       AND num_nonnulls(NEW.approved_at, NEW.refused_at) > 0)
    EXECUTE FUNCTION ifms.link_row('decided', 'id');
CREATE CONSTRAINT TRIGGER linked_when_ended AFTER UPDATE ON ifms.proposal DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (num_nonnulls(OLD.done_at, OLD.failed_at) = 0 AND num_nonnulls(NEW.done_at, NEW.failed_at) > 0)
    EXECUTE FUNCTION ifms.link_row('ended', 'id');
CREATE CONSTRAINT TRIGGER linked_when_announced AFTER INSERT ON ifms.treasury_call DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.outcome IS NULL) EXECUTE FUNCTION ifms.link_row('made', 'id');
CREATE CONSTRAINT TRIGGER linked_when_written AFTER INSERT ON ifms.treasury_call DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.outcome IS NOT NULL) EXECUTE FUNCTION ifms.link_row('ended', 'id');
CREATE CONSTRAINT TRIGGER linked_when_completed AFTER UPDATE OF outcome ON ifms.treasury_call DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.outcome IS NULL AND NEW.outcome IS NOT NULL)
    EXECUTE FUNCTION ifms.link_row('ended', 'id');
