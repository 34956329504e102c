-- Who may do what; run by `ifms migrate` each time, after the revisions, so that later tables and views have their part.
-- The owner migrates. `ifms_work` works: Airflow's connection ifms_db logs in as a member of it. `ifms_read` reads
-- reports: views, which show no account number but its last four digits (docs/views.md says what is in them), and of the
-- tables no more than what reports count.

GRANT USAGE ON SCHEMA ifms TO ifms_work, ifms_read;

-- Nobody but the owner deletes anything, but for names of saved searches. Of a record nothing is updated, of other tables
-- the columns that the work changes; when each may change say the triggers.
REVOKE ALL ON ALL TABLES IN SCHEMA ifms FROM ifms_work, ifms_read;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA ifms TO ifms_work;
REVOKE INSERT ON ifms.setting, ifms.status_transition, ifms.alembic_version, ifms.import_row, ifms.import_withheld,
    ifms.restored, ifms.restore_cleared, ifms.home, ifms.overview, ifms.overview_instruction, ifms.overview_failed,
    ifms.audit_link, ifms.call_removal, ifms.status_log, ifms.fund_movement, ifms.call_access, ifms.person_action,
    ifms.sanction_closing, ifms.started_run, ifms.proposal, ifms.second_person
    FROM ifms_work;

-- Records say their time, their number and the database's user themselves.
GRANT INSERT (payment_instruction_id, tenant_id, payment_number, service_id, status, from_status, to_status, message,
    sweep_run_id) ON ifms.status_log TO ifms_work;
GRANT INSERT (sanction_id, kind, amount, allotment_id, payment_instruction_id) ON ifms.fund_movement TO ifms_work;
GRANT INSERT (call_id, source, os_user, airflow_user, unmasked, reason) ON ifms.call_access TO ifms_work;
GRANT INSERT (tenant_id, person, action, subject, reason) ON ifms.person_action TO ifms_work;
GRANT INSERT (sanction_id, closed, reason, person) ON ifms.sanction_closing TO ifms_work;
GRANT INSERT (dag_id, run_id, started_by, tenants, conf_sha256) ON ifms.started_run TO ifms_work;
GRANT INSERT (act, tenant_id, subject, parameters, amount, reason, proposed_by) ON ifms.proposal TO ifms_work;
-- Which acts need a second person, only the owner says; of a proposal only what becomes of it is written later.
GRANT UPDATE (approved_by, refused_by, refused_at, refusal, done_at, done_in, failed_at, result)
    ON ifms.proposal TO ifms_work;

GRANT UPDATE (status, is_active, attempts, last_attempt, last_attempt_at, error_code, error_message, success_code,
    success_description, pi_approved_id, pi_approval_date, pa_fin_year, pa_advice_id, pa_advice_date,
    pa_bill_ref_number, pa_token_number, pa_token_date, paid_at, uncertain, refusal, refused_first, absent_since,
    held_back, settled_by, said_absent_at, cancelled_by, found_failed_at, same_refusals, unknown_answer_id,
    unmatched_failures, polled_at, failures_polled_at, claim_token, claimed_until, updated_at) ON ifms.payment_instruction TO ifms_work;
GRANT UPDATE (status, status_message, voucher_number, voucher_date, utr_number, utr_date, end_to_end_id,
    challan_number, challan_date, failed_on, account_sealed, account_last4, ifsc, same_account_by, updated_at)
    ON ifms.beneficiary TO ifms_work;
GRANT UPDATE (payment_id, paid_by, hold_code, hold_message, held_since, released_at, polled_at, claim_token,
    claimed_until, bill_numbers, tries) ON ifms.payment TO ifms_work;
GRANT UPDATE (tenant_id, payment_number, asked_at, duplicate_since, claim_token, claimed_until) ON ifms.bill TO ifms_work;
GRANT UPDATE (sanction_id) ON ifms.allotment TO ifms_work;
-- Enough to lock a sanction; its balances are written by the movements' trigger, which runs as the owner.
GRANT UPDATE (updated_at) ON ifms.sanction TO ifms_work;
GRANT UPDATE (fetched_until, asked_from, polled_at, claim_token, claimed_until) ON ifms.va_watermark TO ifms_work;
GRANT UPDATE (rek_sealed, sek_sealed, auth_token_sealed, enc_request, enc_response, response_sealed, status_code,
    outcome, error_message, duration_ms, shipped_at, ship_error) ON ifms.treasury_call TO ifms_work;
GRANT UPDATE (attempts, next_attempt_at, last_error, delivered_at, set_aside_at, undeliverable, claim_token,
    claimed_until) ON ifms.outbox TO ifms_work;
GRANT UPDATE (wanted, wanted_since, missing_since) ON ifms.notice TO ifms_work;
GRANT UPDATE (state, counts, problems, message, finished_at, discovered_at, presumed_dead) ON ifms.sweep_run TO ifms_work;
GRANT UPDATE (last_told_at, why_unmatched, matched_at, settled_at, settled_by, settled_reason)
    ON ifms.reported_failure TO ifms_work;
GRANT UPDATE (last_told_at, settled_at, settled_by, settled_reason, has_paid) ON ifms.other_transfer TO ifms_work;
GRANT UPDATE (answered_at, sweep_run_id) ON ifms.voucher_date_asked TO ifms_work;
GRANT UPDATE (sample, times, last_heard_at, phrase_id) ON ifms.unknown_answer TO ifms_work;
GRANT UPDATE (withdrawn_at, withdrawn_by, withdrawn_reason) ON ifms.phrase TO ifms_work;
GRANT UPDATE (next_at) ON ifms.call_rate TO ifms_work;
GRANT UPDATE (claim_token, claimed_until) ON ifms.call_shipping TO ifms_work;
GRANT UPDATE (use_earlier_years, correction_days, correction_last_month, correction_last_day, changed_at)
    ON ifms.setting TO ifms_work;
GRANT UPDATE (name, changed_at) ON ifms.display_name TO ifms_work;
GRANT UPDATE (language, chosen_at) ON ifms.user_language TO ifms_work;
-- Somebody's own list of searches, of which no record is kept.
GRANT UPDATE (query, saved_at), DELETE ON ifms.saved_search TO ifms_work;

-- PostgreSQL lets everybody run a new function. A trigger runs its own without that right; who reads a view needs it for
-- the functions that the view is made with, which only reckon with what they are given.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA ifms FROM PUBLIC, ifms_work, ifms_read;
GRANT EXECUTE ON FUNCTION ifms.correct_by(date, integer, integer, integer), ifms.financial_year, ifms.without_numbers,
    ifms.plain_number TO ifms_work, ifms_read;
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
-- By which UTRs are compared, in an index that a write keeps.
GRANT EXECUTE ON FUNCTION ifms.utr_key TO ifms_work;
-- By which the chain of records is verified.
GRANT EXECUTE ON FUNCTION ifms.linked_records, ifms.record_hash, ifms.link_hash TO ifms_work;
-- What of a sanction is withheld, and whom a restored ledger may have paid: asked before a PI is made.
GRANT EXECUTE ON FUNCTION ifms.withheld, ifms.in_doubt(ifms.payment), ifms.in_doubt(ifms.payment_instruction)
    TO ifms_work;

DO $$
DECLARE
    report text;
BEGIN
    FOR report IN SELECT format('%I.%I', schemaname, viewname) FROM pg_views WHERE schemaname = 'ifms' LOOP
        EXECUTE 'REVOKE INSERT ON ' || report || ' FROM ifms_work';
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
ALTER DEFAULT PRIVILEGES IN SCHEMA ifms REVOKE UPDATE ON TABLES FROM ifms_work;
ALTER DEFAULT PRIVILEGES IN SCHEMA ifms GRANT SELECT, INSERT ON TABLES TO ifms_work;
