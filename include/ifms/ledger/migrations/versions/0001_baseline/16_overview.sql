-- How everything stands, for the first page.

-- What the first page counts of all PIs and all failed payments, by city, state and day: a million rows are added up by
-- the sweeps at their ends, once for everybody, and not by each who looks. Written as a whole from the ledger's own rows,
-- so that it is right as of its instant, whatever happened before; no write of a sweep waits for it.
CREATE TABLE ifms.overview (
    only_one  boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    as_of     timestamptz,
    took      interval NOT NULL DEFAULT '0'
);
INSERT INTO ifms.overview DEFAULT VALUES;
CREATE TABLE ifms.overview_instruction (
    tenant_id     text NOT NULL,
    pi_type       text NOT NULL,
    status        text NOT NULL,
    -- Of those that wait for somebody: the day (IST) since when they have had their status, and the first instant on it.
    since_on      date,
    since         timestamptz,
    instructions  bigint NOT NULL,
    amount        numeric NOT NULL,
    UNIQUE NULLS NOT DISTINCT (tenant_id, pi_type, status, since_on)
);
CREATE TABLE ifms.overview_failed (
    tenant_id   text NOT NULL,
    -- A failure of the ledger's last year may be corrected in the next.
    correct_by  date NOT NULL CONSTRAINT overview_failed_correct_by_in_bounds
                CHECK (correct_by >= '2000-01-01' AND correct_by < '2100-12-31'),
    -- Whether a revised PI or a repayment of the same original is under way, for which they wait.
    busy        boolean NOT NULL,
    payments    bigint NOT NULL,
    amount      numeric NOT NULL,
    UNIQUE (tenant_id, correct_by, busy)
);
COMMENT ON TABLE ifms.overview IS 'As of when the overview counts, and how long that took.';
COMMENT ON TABLE ifms.overview_instruction IS 'Payment instructions of a city in a status, since a day: how many, and their rupees, as of ifms.overview.';
COMMENT ON TABLE ifms.overview_failed IS 'Failed payments of a city that nobody has taken over, by their last day: how many, and their rupees, as of ifms.overview.';

-- As the owner: who works on the ledger deletes nothing by itself. One at a time; who comes while it is done, or so soon
-- after it that it would take more than a twentieth of the time, goes on without. Returns whether it was done.
CREATE FUNCTION ifms.refresh_overview() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    began timestamptz := clock_timestamp();
BEGIN
    IF NOT pg_try_advisory_xact_lock('ifms.overview'::regclass::oid::bigint) OR EXISTS (
        SELECT FROM ifms.overview WHERE as_of + 20 * took > began) THEN
        RETURN false;
    END IF;
    DELETE FROM ifms.overview_instruction;
    INSERT INTO ifms.overview_instruction (tenant_id, pi_type, status, since_on, since, instructions, amount)
    SELECT p.tenant_id, p.pi_type, p.status, day.since_on, CASE WHEN day.since_on IS NOT NULL THEN min(p.status_since) END,
           count(*), sum(p.net_amount)
    FROM ifms.payment_instruction p CROSS JOIN LATERAL (
        SELECT CASE WHEN p.status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS')
                    THEN (p.status_since AT TIME ZONE 'Asia/Kolkata')::date END AS since_on) day
    GROUP BY 1, 2, 3, 4;
    DELETE FROM ifms.overview_failed;
    INSERT INTO ifms.overview_failed (tenant_id, correct_by, busy, payments, amount)
    SELECT f.tenant_id, f.correct_by, f.busy_pi_number IS NOT NULL, count(*), sum(f.amount)
    FROM ifms.failed_beneficiary f GROUP BY 1, 2, 3;
    UPDATE ifms.overview SET as_of = began, took = clock_timestamp() - began;
    RETURN true;
END $$;
