-- Who may do what; run by `ifms migrate` each time, after the revisions, so that later tables and views have their part.
-- The owner migrates. `ifms_work` works: Airflow's connection ifms_db logs in as a member of it. `ifms_read` reads
-- reports: views, which show no account number but its last four digits (docs/views.md says what is in them), and of the
-- tables no more than what reports count.

GRANT USAGE ON SCHEMA ifms TO ifms_work, ifms_read;

-- Nobody but the owner deletes anything, but for names of saved searches. What must not be rewritten at all has no
-- UPDATE; of the other tables the triggers keep what is frozen.
REVOKE ALL ON ALL TABLES IN SCHEMA ifms FROM ifms_work, ifms_read;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA ifms TO ifms_work;
REVOKE UPDATE ON ifms.fund_movement, ifms.status_log, ifms.call_access, ifms.sanction, ifms.sanction_closing,
    ifms.started_run, ifms.proposal FROM ifms_work;
REVOKE INSERT ON ifms.setting FROM ifms_work;
-- Which acts need a second person, only the owner says; of a proposal only what becomes of it is written later.
REVOKE INSERT, UPDATE ON ifms.second_person FROM ifms_work;
GRANT UPDATE (approved_by, approved_at, single_person, refused_by, refused_at, refusal, done_at, done_in, failed_at,
    result) ON ifms.proposal TO ifms_work;
REVOKE INSERT, UPDATE ON ifms.status_transition, ifms.alembic_version, ifms.import_row, ifms.import_withheld,
    ifms.restored, ifms.restore_cleared, ifms.home, ifms.overview, ifms.overview_instruction, ifms.overview_failed
    FROM ifms_work;
-- Somebody's own list of searches, of which no record is kept.
GRANT DELETE ON ifms.saved_search TO ifms_work;
-- Enough to lock a sanction; its balances are written by the movements' trigger, which runs as the owner.
GRANT UPDATE (updated_at) ON ifms.sanction TO ifms_work;

-- PostgreSQL lets everybody run a new function. A trigger runs its own without that right; who reads a view needs it for
-- the functions that the view is made with, which only reckon with what they are given.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA ifms FROM PUBLIC, ifms_work, ifms_read;
GRANT EXECUTE ON FUNCTION ifms.correct_by(date, integer, integer, integer), ifms.financial_year, ifms.without_numbers
    TO ifms_work, ifms_read;
-- Counts of what neither sees row by row, small numbers left out.
GRANT EXECUTE ON FUNCTION ifms.payments_by_group TO ifms_work, ifms_read;
-- The same by the settings, which the views read for their readers.
GRANT EXECUTE ON FUNCTION ifms.correct_by(date) TO ifms_work;
-- By which a payment instruction reckons its columns of bills, and a view those of wards.
GRANT EXECUTE ON FUNCTION ifms.texts_of, ifms.bill_type TO ifms_work;
GRANT EXECUTE ON FUNCTION ifms.texts_of TO ifms_read;
-- What the overview counts is written as a whole by this alone.
GRANT EXECUTE ON FUNCTION ifms.refresh_overview TO ifms_work;
-- The one way in which calls to the treasury are ever deleted: the function keeps what must be kept.
GRANT EXECUTE ON FUNCTION ifms.remove_old_calls TO ifms_work;
-- What of a sanction is withheld, and whom a restored ledger may have paid: asked before a PI is made.
GRANT EXECUTE ON FUNCTION ifms.withheld, ifms.in_doubt(ifms.payment), ifms.in_doubt(ifms.payment_instruction)
    TO ifms_work;

DO $$
DECLARE
    report text;
BEGIN
    FOR report IN SELECT format('%I.%I', schemaname, viewname) FROM pg_views WHERE schemaname = 'ifms' LOOP
        EXECUTE 'REVOKE INSERT, UPDATE ON ' || report || ' FROM ifms_work';
        EXECUTE 'GRANT SELECT ON ' || report || ' TO ifms_read';
    END LOOP;
END $$;

-- What reports (include/ifms/reports) count, as it stood at an instant, beside the views: numbers, amounts, statuses and
-- instants. No name, no account, no text of anybody's.
GRANT SELECT (tenant_id, bill_id, payment_number, asked_at) ON ifms.bill TO ifms_read;
GRANT SELECT (tenant_id, payment_number, amount, raised_at, seen_at) ON ifms.payment TO ifms_read;
GRANT SELECT (id, tenant_id, hoa_code, pi_number, pi_type, repayment_of, payment_number, bill_type, net_amount, created_at)
    ON ifms.payment_instruction TO ifms_read;
GRANT SELECT (payment_instruction_id, beneficiary_number, amount, status, voucher_number, failed_on, created_at, updated_at)
    ON ifms.beneficiary TO ifms_read;
GRANT SELECT (id, payment_instruction_id, from_status, to_status, created_at) ON ifms.status_log TO ifms_read;
GRANT SELECT (payment_instruction_id, kind, amount, created_at) ON ifms.fund_movement TO ifms_read;
GRANT SELECT (tenant_id) ON ifms.sanction, ifms.va_watermark TO ifms_read;
-- Names of places and of budget heads, nobody's.
GRANT SELECT (kind, code, name) ON ifms.display_name TO ifms_read;
-- What an export asks before it begins, if a person has started it.
GRANT SELECT (dag_id, run_id, conf_sha256) ON ifms.started_run TO ifms_read;

-- Tables that the owner makes by other means than `ifms migrate`.
ALTER DEFAULT PRIVILEGES IN SCHEMA ifms GRANT SELECT, INSERT, UPDATE ON TABLES TO ifms_work;
