-- A day of year 9999, or an infinite time, in one row ends every query that reckons with it: 90 days later, how old, how
-- many milliseconds since. So each day and each time of the ledger is between 2000 and 2099; what the treasury or the
-- platform tells is within these bounds before it comes here. A table that a later revision adds says so itself.
DO $$
DECLARE
    each record;
BEGIN
    FOR each IN
        SELECT c.table_name, c.column_name FROM information_schema.columns c
        JOIN information_schema.tables t USING (table_schema, table_name)
        WHERE t.table_schema = 'ifms' AND t.table_type = 'BASE TABLE'
          AND t.table_name <> 'overview_failed'  -- says its own
          AND c.data_type IN ('date', 'timestamp with time zone')
        ORDER BY c.table_name, c.ordinal_position
    LOOP
        EXECUTE format('ALTER TABLE ifms.%I ADD CONSTRAINT %I CHECK (%I >= %L AND %I < %L)',
            each.table_name, each.table_name || '_' || each.column_name || '_in_bounds',
            each.column_name, '2000-01-01 00:00+00', each.column_name, '2100-01-01 00:00+00');
    END LOOP;
END $$;
