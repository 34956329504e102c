-- What a PI pays, as columns: once per PI and not once for each row of a view, and with an index by bill. ----------------

-- A JSON array of texts as an array; anything else is empty.
CREATE FUNCTION ifms.texts_of(value jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY(SELECT jsonb_array_elements_text(CASE jsonb_typeof(value) WHEN 'array' THEN value ELSE '[]' END))
$$;
-- What bills are for, by the beginnings of their numbers; NULL without bills, or when nothing is known of them.
CREATE FUNCTION ifms.bill_type(bill_numbers text[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN min(kind) IS DISTINCT FROM max(kind) THEN 'MIXED' ELSE nullif(min(kind), '') END
    FROM (SELECT CASE left(number, 3) WHEN 'WB/' THEN 'WAGE' WHEN 'PB/' THEN 'PURCHASE' WHEN 'SB/' THEN 'SUPERVISION'
                                      ELSE '' END AS kind
          FROM unnest(bill_numbers) number) kinds
$$;
ALTER TABLE ifms.payment_instruction
    ADD COLUMN bill_numbers text[] NOT NULL
        GENERATED ALWAYS AS (ifms.texts_of(additional_details -> 'billNumber')) STORED,
    ADD COLUMN work_order_numbers text[] NOT NULL
        GENERATED ALWAYS AS (ifms.texts_of(additional_details -> 'referenceId')) STORED,
    ADD COLUMN bill_type text
        GENERATED ALWAYS AS (ifms.bill_type(ifms.texts_of(additional_details -> 'billNumber'))) STORED,
    ADD COLUMN project_numbers text[] NOT NULL
        GENERATED ALWAYS AS (ifms.texts_of(additional_details -> 'projectNumber')) STORED;
-- Beside that on the JSON, by which the pages' search goes: of an array PostgreSQL expects thousands with one number, and
-- a search for the newest would rather read them all in the order of time.
CREATE INDEX payment_instruction_by_bill_numbers ON ifms.payment_instruction USING gin (bill_numbers);

-- A bank reconciles by these. They come with the debit scroll, so most rows have one and none has many.
CREATE INDEX beneficiary_by_utr ON ifms.beneficiary (utr_number) WHERE utr_number IS NOT NULL;
CREATE INDEX beneficiary_by_voucher ON ifms.beneficiary (voucher_number) WHERE voucher_number IS NOT NULL;
CREATE INDEX beneficiary_by_voucher_date ON ifms.beneficiary (voucher_date) WHERE voucher_date IS NOT NULL;
-- Rows that are written in the order of time, and never changed: an index of almost no size, and no work, finds a day.
CREATE INDEX status_log_by_time ON ifms.status_log USING brin (created_at)
    WITH (pages_per_range = 32, autosummarize = on);

-- The view has the name by which readers know it; the table holds sealed accounts, too, and what has matched since.
ALTER TABLE ifms.unmatched_failure RENAME TO reported_failure;
ALTER INDEX ifms.unmatched_failure_open RENAME TO reported_failure_open;
DO $$
DECLARE
    old text;
BEGIN
    FOR old IN SELECT conname FROM pg_constraint
               WHERE conrelid = 'ifms.reported_failure'::regclass AND starts_with(conname, 'unmatched_failure_') LOOP
        EXECUTE format('ALTER TABLE ifms.reported_failure RENAME CONSTRAINT %I TO %I',
                       old, replace(old, 'unmatched_failure_', 'reported_failure_'));
    END LOOP;
END $$;

-- Payment instructions -------------------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW ifms.payment_instruction_summary AS
SELECT p.id, p.tenant_id, p.pi_number, p.pi_type, p.parent_pi_number, p.payment_number, p.status, p.net_amount,
       p.hoa_code, p.master_allotment_id, p.financial_year, p.beneficiary_count,
       b.successful_count, b.failed_count, ifms.without_numbers(p.error_message) AS error_message, p.attempts,
       p.last_attempt, p.created_at, p.updated_at,
       p.gross_amount, p.repayment_of, p.is_active, p.ddo_code, p.ssu_id, p.ssu_allotment_id, p.allotment_serial_no,
       p.bill_numbers,
       p.bill_date, b.successful_amount, b.failed_amount, p.pi_approved_id, p.pi_approval_date, p.pa_fin_year,
       p.pa_advice_id, p.pa_advice_date, p.pa_bill_ref_number, p.pa_token_number, p.pa_token_date,
       CASE WHEN p.pi_type = 'REVISED' THEN p.paid_at
            WHEN p.status = 'SUCCESSFUL' THEN p.status_since
            WHEN p.status IN ('PARTIAL', 'COMPLETED') THEN (
                SELECT l.created_at FROM ifms.status_log l
                WHERE l.payment_instruction_id = p.id AND l.to_status = 'SUCCESSFUL' ORDER BY l.id LIMIT 1)
       END AS paid_at,
       p.error_code, p.last_attempt_at, (p.created_at AT TIME ZONE 'Asia/Kolkata')::date AS created_on,
       p.work_order_numbers, p.bill_type, p.project_numbers
FROM ifms.payment_instruction p
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE status = 'Payment Successful') AS successful_count,
           count(*) FILTER (WHERE status = 'Payment Failed') AS failed_count,
           coalesce(sum(amount) FILTER (WHERE status = 'Payment Successful'), 0) AS successful_amount,
           coalesce(sum(amount) FILTER (WHERE status = 'Payment Failed'), 0) AS failed_amount
    FROM ifms.beneficiary WHERE payment_instruction_id = p.id
) b;
COMMENT ON VIEW ifms.payment_instruction_summary IS
    'Payment instructions (PI): one row each, with what became of its beneficiaries. Cheap to ask by pi_number (with its beginning, too), payment_number, status, tenant_id, created_at, updated_at, by tenant_id and status together, and by bill_numbers (&& or @>); narrow financial_year by one of these.';
COMMENT ON COLUMN ifms.payment_instruction_summary.paid_at IS 'Instant, UTC, at which the ledger learned that all its beneficiaries had their debit scrolls, also where the bank has given some back since; NULL before, and where some failed instead.';
COMMENT ON COLUMN ifms.payment_instruction_summary.bill_type IS 'WAGE, PURCHASE or SUPERVISION, by the beginnings of bill_numbers; MIXED for bills of several types, NULL when no type is known.';
COMMENT ON COLUMN ifms.payment_instruction_summary.project_numbers IS 'The projects of these bills; empty when they are not known, as of PIs that were imported.';

-- Who was paid what ----------------------------------------------------------------------------------------------------

CREATE VIEW ifms.beneficiary_payment AS
SELECT b.id, p.id AS payment_instruction_id, p.tenant_id, p.pi_number, p.pi_type,
       coalesce(p.parent_pi_number, p.pi_number) AS original_pi_number, p.repayment_of, p.payment_number,
       p.bill_numbers, p.bill_type, p.work_order_numbers, p.project_numbers, p.hoa_code, p.financial_year,
       p.ddo_code, p.ssu_id, p.master_allotment_id, p.status AS pi_status, p.created_at,
       b.beneficiary_number, b.beneficiary_id, b.beneficiary_type, b.amount, b.status,
       b.voucher_number, b.voucher_date, b.utr_number, b.utr_date, b.end_to_end_id,
       ifms.without_numbers(b.status_message) AS reason, b.challan_number, b.challan_date, b.failed_on,
       b.account_last4, b.ifsc, b.line_item_ids,
       CASE WHEN p.status = 'FAILED' AND p.pi_type = 'ORIGINAL' AND p.repayment_of IS NULL THEN (
                SELECT q.pi_number FROM ifms.payment_instruction q
                WHERE q.tenant_id = p.tenant_id AND q.payment_number = p.payment_number AND q.pi_type = 'ORIGINAL'
                  AND q.status <> 'FAILED' AND q.repayment_of IS NULL)
            WHEN b.status = 'Payment Failed' THEN (
                SELECT q.pi_number FROM ifms.beneficiary later
                JOIN ifms.payment_instruction q ON q.id = later.payment_instruction_id
                WHERE later.beneficiary_number = b.beneficiary_number AND later.created_at > b.created_at
                  AND (later.status <> 'Payment Failed' OR later.failed_on IS NOT NULL)
                ORDER BY later.created_at LIMIT 1)
       END AS superseded_by,
       b.updated_at
FROM ifms.beneficiary b
JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id;

COMMENT ON VIEW ifms.beneficiary_payment IS
    'Who is paid what: one row per beneficiary and payment instruction (PI), from the day on which the PI was made. Who is paid anew after a failure has a row in each PI that has tried it; only one of them can be paid, so amounts of the status Payment Successful add up to what was paid. Cheap to ask by utr_number, voucher_number, voucher_date, pi_number, payment_number, beneficiary_number, bill_numbers (&& or @>), created_at, and by tenant_id with created_at; narrow bill_type, hoa_code and financial_year by one of these.';
COMMENT ON COLUMN ifms.beneficiary_payment.id IS 'The ledger''s id of the row; failed_beneficiary has the same.';
COMMENT ON COLUMN ifms.beneficiary_payment.payment_instruction_id IS 'The ledger''s id of the PI.';
COMMENT ON COLUMN ifms.beneficiary_payment.tenant_id IS 'The city, as DIGIT names it.';
COMMENT ON COLUMN ifms.beneficiary_payment.pi_number IS 'The PI that pays it: the bill number by which the treasury knows it.';
COMMENT ON COLUMN ifms.beneficiary_payment.pi_type IS 'ORIGINAL, or REVISED for one that pays beneficiaries of its original whose payments failed.';
COMMENT ON COLUMN ifms.beneficiary_payment.original_pi_number IS 'Of a revised PI its original; else pi_number.';
COMMENT ON COLUMN ifms.beneficiary_payment.repayment_of IS 'Of an original that pays failed payments anew, which can''t be corrected any more: the PI whose they were. Else NULL.';
COMMENT ON COLUMN ifms.beneficiary_payment.payment_number IS 'DIGIT''s payment that it is part of.';
COMMENT ON COLUMN ifms.beneficiary_payment.bill_numbers IS 'DIGIT''s bills that the PI pays; empty when they are not known.';
COMMENT ON COLUMN ifms.beneficiary_payment.bill_type IS 'WAGE, PURCHASE or SUPERVISION, by the beginnings of bill_numbers; MIXED for bills of several types, NULL when no type is known.';
COMMENT ON COLUMN ifms.beneficiary_payment.work_order_numbers IS 'The work orders (contracts) of these bills; empty when they are not known.';
COMMENT ON COLUMN ifms.beneficiary_payment.project_numbers IS 'The projects of these bills; empty when they are not known, as of PIs that were imported.';
COMMENT ON COLUMN ifms.beneficiary_payment.hoa_code IS 'Head of account that it is paid from.';
COMMENT ON COLUMN ifms.beneficiary_payment.financial_year IS 'The PI''s financial year, like 2024-25: from 1 April to 31 March, IST.';
COMMENT ON COLUMN ifms.beneficiary_payment.ddo_code IS 'Drawing and disbursing officer of the spending unit.';
COMMENT ON COLUMN ifms.beneficiary_payment.ssu_id IS 'Spending unit (SSU), as the treasury names it.';
COMMENT ON COLUMN ifms.beneficiary_payment.master_allotment_id IS 'The treasury''s name of the sanction that it is paid from.';
COMMENT ON COLUMN ifms.beneficiary_payment.pi_status IS 'Status of the PI: see statuses.md.';
COMMENT ON COLUMN ifms.beneficiary_payment.created_at IS 'Instant, UTC: when the PI was written and its money reserved.';
COMMENT ON COLUMN ifms.beneficiary_payment.beneficiary_number IS 'The payment''s number at the treasury (benefId); later PIs that pay it anew keep it.';
COMMENT ON COLUMN ifms.beneficiary_payment.beneficiary_id IS 'Who is paid: DIGIT''s id of the individual or organisation, or of a department''s account.';
COMMENT ON COLUMN ifms.beneficiary_payment.beneficiary_type IS 'IND (individual), ORG (organisation) or DEPT (department).';
COMMENT ON COLUMN ifms.beneficiary_payment.amount IS 'Rupees. Add up those of one status: over all, who is paid anew would count twice.';
COMMENT ON COLUMN ifms.beneficiary_payment.status IS 'Payment Pending, Payment Initiated, Payment In Process, Payment Successful or Payment Failed. Of a PI that FAILED it says how far it had come: nothing of it is on its way (pi_status).';
COMMENT ON COLUMN ifms.beneficiary_payment.voucher_number IS 'The treasury''s voucher of the transfer; NULL before its debit scroll, and when none was told. A failed payment keeps it.';
COMMENT ON COLUMN ifms.beneficiary_payment.voucher_date IS 'Date of the voucher, IST: the day on which it counts as paid. NULL before its debit scroll, and when none was told.';
COMMENT ON COLUMN ifms.beneficiary_payment.utr_number IS 'The bank''s reference of the transfer (UTR); NULL before its debit scroll, and when none was told.';
COMMENT ON COLUMN ifms.beneficiary_payment.utr_date IS 'Date of that, IST; NULL when none was told.';
COMMENT ON COLUMN ifms.beneficiary_payment.end_to_end_id IS 'The transfer''s end-to-end id at the bank; NULL when none was told.';
COMMENT ON COLUMN ifms.beneficiary_payment.reason IS 'What the treasury or the bank said last of it, of a failure why; long numbers are hidden but for their last four digits. NULL without words.';
COMMENT ON COLUMN ifms.beneficiary_payment.challan_number IS 'Challan by which the money came back; NULL when none was told.';
COMMENT ON COLUMN ifms.beneficiary_payment.challan_date IS 'Date of the challan, IST; NULL when none was told.';
COMMENT ON COLUMN ifms.beneficiary_payment.failed_on IS 'Date, IST, on which the bank gave it back; NULL otherwise, also where the whole PI failed before it was paid.';
COMMENT ON COLUMN ifms.beneficiary_payment.account_last4 IS 'The last four digits of the account.';
COMMENT ON COLUMN ifms.beneficiary_payment.ifsc IS 'IFSC of the branch; empty where it was imported and nobody has asked for it yet.';
COMMENT ON COLUMN ifms.beneficiary_payment.line_item_ids IS 'DIGIT''s payable lines of the bills that it pays.';
COMMENT ON COLUMN ifms.beneficiary_payment.superseded_by IS 'Of a failed payment the next PI that pays it anew: a revised one, a new original, or, where the whole PI FAILED, its payment''s later original. NULL while there is none, and of payments that have not failed.';
COMMENT ON COLUMN ifms.beneficiary_payment.updated_at IS 'Instant, UTC: when the ledger last changed it.';

-- Sanctions ------------------------------------------------------------------------------------------------------------

CREATE VIEW ifms.sanction_summary AS
SELECT s.id, s.tenant_id, s.financial_year, s.hoa_code, s.ddo_code, s.ssu_id, s.grantee_code, s.scheme_code,
       s.master_allotment_id, s.sanctioned_amount, s.allotted_amount, s.reserved_amount, s.spent_amount,
       s.available_amount, s.sanctioned_amount - s.allotted_amount AS sanctioned_balance,
       s.allotted_amount - s.spent_amount AS fund_available,
       CASE WHEN s.closed_at IS NOT NULL OR unused.earlier THEN greatest(s.available_amount, 0) ELSE 0 END AS not_used,
       CASE WHEN s.closed_at IS NOT NULL THEN 'CLOSED' WHEN unused.earlier THEN 'EARLIER YEAR' END AS not_used_because,
       s.closed_at,
       CASE WHEN s.closed_at IS NOT NULL THEN (
           SELECT c.reason FROM ifms.sanction_closing c WHERE c.sanction_id = s.id ORDER BY c.id DESC LIMIT 1)
       END AS closed_reason,
       counted.allotments AS allotment_count, last.kind AS last_allotment_kind,
       last.ssu_allotment_id AS last_ssu_allotment_id, last.serial_no AS last_allotment_serial_no,
       last.allotment_date AS last_allotment_date, last.amount AS last_allotment_amount,
       last.sanction_balance AS treasury_balance, s.created_at, s.updated_at
FROM ifms.sanction s
CROSS JOIN ifms.setting o
CROSS JOIN LATERAL (
    SELECT NOT o.use_earlier_years
           AND s.financial_year < ifms.financial_year((now() AT TIME ZONE 'Asia/Kolkata')::date) AS earlier) unused
CROSS JOIN LATERAL (SELECT count(*) AS allotments FROM ifms.allotment a WHERE a.sanction_id = s.id) counted
LEFT JOIN LATERAL (
    SELECT a.kind, a.ssu_allotment_id, a.serial_no, a.allotment_date, a.amount, a.sanction_balance
    FROM ifms.allotment a WHERE a.sanction_id = s.id ORDER BY a.serial_no DESC, a.received_at DESC, a.id DESC LIMIT 1
) last ON true;

COMMENT ON VIEW ifms.sanction_summary IS
    'Sanctions: one row each, as they stand now; fund_register says how they came to it. Cheap to ask whole (some of each city and year), by tenant_id with financial_year, and by financial_year with hoa_code.';
COMMENT ON COLUMN ifms.sanction_summary.id IS 'The ledger''s id of the sanction: sanction_id of fund_register.';
COMMENT ON COLUMN ifms.sanction_summary.tenant_id IS 'The city, as DIGIT names it.';
COMMENT ON COLUMN ifms.sanction_summary.financial_year IS 'Its financial year, like 2024-25: from 1 April to 31 March, IST.';
COMMENT ON COLUMN ifms.sanction_summary.hoa_code IS 'Head of account.';
COMMENT ON COLUMN ifms.sanction_summary.ddo_code IS 'Drawing and disbursing officer of the spending unit.';
COMMENT ON COLUMN ifms.sanction_summary.ssu_id IS 'Spending unit (SSU), as the treasury names it.';
COMMENT ON COLUMN ifms.sanction_summary.grantee_code IS 'Grantee of the spending unit.';
COMMENT ON COLUMN ifms.sanction_summary.scheme_code IS 'Scheme of the sanction.';
COMMENT ON COLUMN ifms.sanction_summary.master_allotment_id IS 'What the treasury names the sanction by (mstAllotmentDistId).';
COMMENT ON COLUMN ifms.sanction_summary.sanctioned_amount IS 'Rupees: all of the sanction, as its initial allotment told it.';
COMMENT ON COLUMN ifms.sanction_summary.allotted_amount IS 'Rupees allotted, withdrawals taken off.';
COMMENT ON COLUMN ifms.sanction_summary.reserved_amount IS 'Rupees reserved for PIs that the treasury has not taken yet.';
COMMENT ON COLUMN ifms.sanction_summary.spent_amount IS 'Rupees spent by PIs that the treasury took, reversed ones taken off.';
COMMENT ON COLUMN ifms.sanction_summary.available_amount IS 'Rupees that further PIs could reserve: allotted less reserved and spent; below zero when money that was spent has been withdrawn.';
COMMENT ON COLUMN ifms.sanction_summary.sanctioned_balance IS 'Rupees: sanctioned less allotted, as the register counts it.';
COMMENT ON COLUMN ifms.sanction_summary.fund_available IS 'Rupees: allotted less spent, as the register counts it; what is reserved is still in it.';
COMMENT ON COLUMN ifms.sanction_summary.not_used IS 'Rupees of available_amount that no PI is made from; 0 where PIs are.';
COMMENT ON COLUMN ifms.sanction_summary.not_used_because IS 'CLOSED (by a person: closed_reason) or EARLIER YEAR (today''s payments are not made from it, as the connection''s use_earlier_years is off); NULL where PIs are made from it.';
COMMENT ON COLUMN ifms.sanction_summary.closed_at IS 'Instant, UTC, at which it was closed; NULL while it is open.';
COMMENT ON COLUMN ifms.sanction_summary.closed_reason IS 'Why it was closed; NULL while it is open.';
COMMENT ON COLUMN ifms.sanction_summary.allotment_count IS 'How many allotments and withdrawals the treasury has told of it.';
COMMENT ON COLUMN ifms.sanction_summary.last_allotment_kind IS 'The last of them, by its serial number: INITIAL, ADDITIONAL or WITHDRAWAL.';
COMMENT ON COLUMN ifms.sanction_summary.last_ssu_allotment_id IS 'The treasury''s id of that one (ssuAllotmentId).';
COMMENT ON COLUMN ifms.sanction_summary.last_allotment_serial_no IS 'Its serial number (allotmentTxnSlNo).';
COMMENT ON COLUMN ifms.sanction_summary.last_allotment_date IS 'Its date, IST, as the treasury has it.';
COMMENT ON COLUMN ifms.sanction_summary.last_allotment_amount IS 'Its rupees, zero or more; the kind says which way they went.';
COMMENT ON COLUMN ifms.sanction_summary.treasury_balance IS 'Rupees: what the treasury said is left of the sanction after it (availableBalance).';
COMMENT ON COLUMN ifms.sanction_summary.created_at IS 'Instant, UTC: when the ledger first heard of the sanction.';
COMMENT ON COLUMN ifms.sanction_summary.updated_at IS 'Instant, UTC: when the ledger last changed it.';

-- History --------------------------------------------------------------------------------------------------------------

CREATE VIEW ifms.status_history AS
SELECT l.id, l.payment_instruction_id, l.tenant_id, l.payment_number, p.pi_number, p.pi_type, l.service_id, l.status,
       l.from_status, l.to_status, ifms.without_numbers(l.message) AS message, l.created_at, l.sweep_run_id
FROM ifms.status_log l
LEFT JOIN ifms.payment_instruction p ON p.id = l.payment_instruction_id;

COMMENT ON VIEW ifms.status_history IS
    'What has happened to payments and their payment instructions (PI): one row each time that a service of the treasury, or a person, was heard. Sort by id for the order in which it happened. Cheap to ask by pi_number, by tenant_id with payment_number, and by created_at.';
COMMENT ON COLUMN ifms.status_history.id IS 'Number of the row: grows in the order in which it was written.';
COMMENT ON COLUMN ifms.status_history.payment_instruction_id IS 'The ledger''s id of the PI; NULL for a payment that has none.';
COMMENT ON COLUMN ifms.status_history.tenant_id IS 'The city, as DIGIT names it.';
COMMENT ON COLUMN ifms.status_history.payment_number IS 'DIGIT''s payment.';
COMMENT ON COLUMN ifms.status_history.pi_number IS 'PI number: the bill number by which the treasury knows it. NULL for a payment that has none.';
COMMENT ON COLUMN ifms.status_history.pi_type IS 'ORIGINAL or REVISED; NULL for a payment that has no PI.';
COMMENT ON COLUMN ifms.status_history.service_id IS 'The service that was heard, or was not: PI, PIS, PAG, PD, FD, COR, FTPS or FTFPS; IMPORT for what another adapter had, others for what a person did.';
COMMENT ON COLUMN ifms.status_history.status IS 'What came of it, as STATUS_LOG_<service>_<outcome>.';
COMMENT ON COLUMN ifms.status_history.from_status IS 'Status of the PI before it; NULL when it did not change.';
COMMENT ON COLUMN ifms.status_history.to_status IS 'Status of the PI after it; NULL when it did not change.';
COMMENT ON COLUMN ifms.status_history.message IS 'What was said; long numbers are hidden but for their last four digits. NULL without words.';
COMMENT ON COLUMN ifms.status_history.created_at IS 'Instant, UTC: when the ledger wrote it; of an import when the Java adapter last changed the PI.';
COMMENT ON COLUMN ifms.status_history.sweep_run_id IS 'The run that heard it; NULL without one.';

-- Failures that match nothing ------------------------------------------------------------------------------------------

CREATE VIEW ifms.unmatched_failure AS
SELECT f.id, f.bill_number, p.tenant_id, p.payment_number, p.status AS pi_status,
       nullif(f.beneficiary_id, '') AS beneficiary_number, f.voucher_date, f.account_last4, f.ifsc, f.utr_number,
       f.challan_number, f.challan_date, ifms.without_numbers(f.reason) AS reason,
       ifms.without_numbers(f.why_unmatched) AS why_unmatched,
       CASE WHEN f.matched_at IS NOT NULL THEN 'MATCHED' WHEN f.settled_at IS NOT NULL THEN 'CLOSED' ELSE 'OPEN'
       END AS state,
       f.first_told_at, f.last_told_at, f.matched_at, f.settled_at, f.settled_by,
       ifms.without_numbers(f.settled_reason) AS settled_reason
FROM ifms.reported_failure f
LEFT JOIN ifms.payment_instruction p ON p.pi_number = f.bill_number;

COMMENT ON VIEW ifms.unmatched_failure IS
    'Failures that the treasury reported and that matched no payment instruction (PI) or beneficiary when they were told: one row each. Those of the state OPEN are for a person to look into. Cheap to ask whole (they are few) and by bill_number.';
COMMENT ON COLUMN ifms.unmatched_failure.id IS 'The ledger''s id of the failure, by which `ifms failures` closes it.';
COMMENT ON COLUMN ifms.unmatched_failure.bill_number IS 'The bill number that the treasury named: of ours, a PI number.';
COMMENT ON COLUMN ifms.unmatched_failure.tenant_id IS 'The city of the PI with that number; NULL when there is none.';
COMMENT ON COLUMN ifms.unmatched_failure.payment_number IS 'DIGIT''s payment that the PI pays; NULL when there is none.';
COMMENT ON COLUMN ifms.unmatched_failure.pi_status IS 'Status of the PI: see statuses.md. NULL when there is none.';
COMMENT ON COLUMN ifms.unmatched_failure.beneficiary_number IS 'The payment''s number at the treasury (benefId) that it named; NULL when it named none.';
COMMENT ON COLUMN ifms.unmatched_failure.voucher_date IS 'Date of the voucher, IST, that it named.';
COMMENT ON COLUMN ifms.unmatched_failure.account_last4 IS 'The last four digits of the account that it named; NULL when it named none.';
COMMENT ON COLUMN ifms.unmatched_failure.ifsc IS 'IFSC of the branch that it named; NULL when it named none.';
COMMENT ON COLUMN ifms.unmatched_failure.utr_number IS 'The bank''s reference of the transfer (UTR) that it named; NULL when it named none.';
COMMENT ON COLUMN ifms.unmatched_failure.challan_number IS 'Challan by which the money came back; NULL when none was told.';
COMMENT ON COLUMN ifms.unmatched_failure.challan_date IS 'Date of the challan, IST; NULL when none was told.';
COMMENT ON COLUMN ifms.unmatched_failure.reason IS 'Why it failed, in the bank''s words; long numbers are hidden but for their last four digits. NULL when it gave none.';
COMMENT ON COLUMN ifms.unmatched_failure.why_unmatched IS 'Why it matched nothing, when it was last looked at.';
COMMENT ON COLUMN ifms.unmatched_failure.state IS 'OPEN, MATCHED (it was booked after all: matched_at) or CLOSED (by a person: settled_reason).';
COMMENT ON COLUMN ifms.unmatched_failure.first_told_at IS 'Instant, UTC, since which it is kept.';
COMMENT ON COLUMN ifms.unmatched_failure.last_told_at IS 'Instant, UTC, at which the treasury last told it.';
COMMENT ON COLUMN ifms.unmatched_failure.matched_at IS 'Instant, UTC, at which it was booked; NULL when it was not.';
COMMENT ON COLUMN ifms.unmatched_failure.settled_at IS 'Instant, UTC, at which a person closed it; NULL when nobody has.';
COMMENT ON COLUMN ifms.unmatched_failure.settled_by IS 'Who closed it; NULL when nobody has.';
COMMENT ON COLUMN ifms.unmatched_failure.settled_reason IS 'Why it was closed; NULL when nobody has.';

-- Payments that wait ---------------------------------------------------------------------------------------------------

CREATE VIEW ifms.waiting_payment AS
SELECT y.id, y.tenant_id, y.payment_number, y.payment_id, y.amount,
       ARRAY(SELECT b.bill_id FROM ifms.bill b
             WHERE b.tenant_id = y.tenant_id AND b.payment_number = y.payment_number ORDER BY b.bill_id) AS bill_ids,
       coalesce(earlier.bill_numbers, '{}') AS bill_numbers, y.raised_at, y.seen_at, y.polled_at, y.hold_code,
       coalesce(ifms.without_numbers(y.hold_message),
                CASE WHEN y.polled_at IS NULL THEN 'no run of ifms_pi has taken it up yet'
                     ELSE 'a run of ifms_pi has taken it up and has not said why it has no payment instruction' END) AS why,
       y.held_since, extract(day FROM now() - y.raised_at)::integer AS age_days,
       (SELECT count(*) FROM ifms.payment_instruction p
        WHERE p.tenant_id = y.tenant_id AND p.payment_number = y.payment_number AND p.pi_type = 'ORIGINAL'
          AND p.repayment_of IS NULL) AS attempts,
       earlier.pi_number AS last_pi_number
FROM ifms.payment y
LEFT JOIN LATERAL (
    SELECT p.pi_number, p.bill_numbers FROM ifms.payment_instruction p
    WHERE p.tenant_id = y.tenant_id AND p.payment_number = y.payment_number AND p.pi_type = 'ORIGINAL'
      AND p.repayment_of IS NULL
    ORDER BY p.created_at DESC, p.id DESC LIMIT 1
) earlier ON true
WHERE y.paid_by IS NULL;

COMMENT ON VIEW ifms.waiting_payment IS
    'Payments that have no payment instruction (PI), or none that has not failed: one row each, with why. Cheap to ask whole (few wait), and by raised_at.';
COMMENT ON COLUMN ifms.waiting_payment.id IS 'The ledger''s id of the payment.';
COMMENT ON COLUMN ifms.waiting_payment.tenant_id IS 'The city, as DIGIT names it.';
COMMENT ON COLUMN ifms.waiting_payment.payment_number IS 'DIGIT''s number of the payment.';
COMMENT ON COLUMN ifms.waiting_payment.payment_id IS 'DIGIT''s id of the payment.';
COMMENT ON COLUMN ifms.waiting_payment.amount IS 'Rupees, as it was first seen.';
COMMENT ON COLUMN ifms.waiting_payment.bill_ids IS 'DIGIT''s ids of the bills that it pays; empty where the adapter has not raised it and has made no PI for it.';
COMMENT ON COLUMN ifms.waiting_payment.bill_numbers IS 'The numbers of these bills, by its last PI; empty when it had none.';
COMMENT ON COLUMN ifms.waiting_payment.raised_at IS 'Instant, UTC: when it was raised.';
COMMENT ON COLUMN ifms.waiting_payment.seen_at IS 'Instant, UTC: when the ledger first heard of it.';
COMMENT ON COLUMN ifms.waiting_payment.polled_at IS 'Instant, UTC: when a run last took it up; NULL before the first, and for one that was put first in the queue.';
COMMENT ON COLUMN ifms.waiting_payment.hold_code IS 'Why it has no PI, as a code like PAYMENT_INSUFFICIENT_FUNDS or PAYMENT_NOT_PAYABLE; NULL when nothing holds it.';
COMMENT ON COLUMN ifms.waiting_payment.why IS 'The same as a sentence; long numbers are hidden but for their last four digits.';
COMMENT ON COLUMN ifms.waiting_payment.held_since IS 'Instant, UTC: since when this holds it; NULL when nothing does.';
COMMENT ON COLUMN ifms.waiting_payment.age_days IS 'Whole days of 24 hours since it was raised.';
COMMENT ON COLUMN ifms.waiting_payment.attempts IS 'How many PIs it had, all of which have failed.';
COMMENT ON COLUMN ifms.waiting_payment.last_pi_number IS 'The last of them; NULL when it had none.';

-- Tables ---------------------------------------------------------------------------------------------------------------

COMMENT ON TABLE ifms.allotment IS 'Money that the treasury has allotted to a sanction, or withdrawn: each as it told it, once.';
COMMENT ON TABLE ifms.beneficiary IS 'Who is paid by a payment instruction, how much and on which account (sealed), and what became of it.';
COMMENT ON TABLE ifms.bill IS 'Bills of the platform and the one payment that pays each.';
COMMENT ON TABLE ifms.call_access IS 'Who has opened which call to the treasury.';
COMMENT ON TABLE ifms.call_rate IS 'When the next call to the treasury may begin, per account there.';
COMMENT ON TABLE ifms.call_shipping IS 'Who ships calls to Elasticsearch at the moment.';
COMMENT ON TABLE ifms.fund_movement IS 'Movements of a sanction''s money: append-only; its balances change by them and by nothing else.';
COMMENT ON TABLE ifms.home IS 'Where the ledger lives: a copy or a restored one pays nothing before somebody has said what it is.';
COMMENT ON TABLE ifms.import_row IS 'Rows of the Java adapter''s tables as they were taken in.';
COMMENT ON TABLE ifms.import_withheld IS 'Payments of the Java adapter that could not be taken in: nothing is paid for them until that is settled.';
COMMENT ON TABLE ifms.notice IS 'Which messages besides the platform''s anybody wants to hear.';
COMMENT ON TABLE ifms.outbox IS 'What others must hear, written with the change that they must hear of.';
COMMENT ON TABLE ifms.payment IS 'Payments of the platform as they were first seen, and why one has no payment instruction yet.';
COMMENT ON TABLE ifms.payment_instruction IS 'Payment instructions: what was sent to the treasury, frozen, and where each stands.';
COMMENT ON TABLE ifms.phrase IS 'A site''s own rows of the phrasebook: what texts of the treasury mean.';
COMMENT ON TABLE ifms.reported_failure IS 'Failures that the treasury reported and that matched nothing when they were told.';
COMMENT ON TABLE ifms.restore_cleared IS 'What somebody has asked the treasury about after a restore.';
COMMENT ON TABLE ifms.restored IS 'When the ledger was restored from a backup.';
COMMENT ON TABLE ifms.sanction IS 'Money that the treasury has sanctioned, and what of it is allotted, reserved and spent.';
COMMENT ON TABLE ifms.sanction_closing IS 'Who has closed a sanction or opened it again, and why; the last row counts.';
COMMENT ON TABLE ifms.setting IS 'The settings of the treasury''s connection that the database must know: one row.';
COMMENT ON TABLE ifms.status_log IS 'What was heard of payments and payment instructions: append-only.';
COMMENT ON TABLE ifms.status_transition IS 'Which status may follow which; a copy of the code''s table.';
COMMENT ON TABLE ifms.sweep_run IS 'Runs of the sweeps: their state, counts and problems.';
COMMENT ON TABLE ifms.treasury_call IS 'Calls to the treasury, sealed; logins included.';
COMMENT ON TABLE ifms.unknown_answer IS 'Texts of the treasury that no phrase matched.';
COMMENT ON TABLE ifms.va_watermark IS 'Up to when allotments have been fetched.';
COMMENT ON TABLE ifms.voucher_date_asked IS 'When the treasury last told what came back of a voucher date.';
