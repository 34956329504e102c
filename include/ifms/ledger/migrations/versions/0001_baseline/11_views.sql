-- The views are a contract: a column keeps its name, its type and its place; new ones come behind the last. What each
-- says is said here, by COMMENT, and docs/views.md is made from it. Rupees are numeric, never rounded on the way.

-- A text of the treasury's or a bank's may quote an account number: all but its last four digits are hidden.
CREATE FUNCTION ifms.without_numbers(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(said, '[0-9]{5,}([0-9]{4})', '*****\1', 'g')
$$;

-- The financial year of a day (IST), as sanctions and payment instructions name it.
CREATE FUNCTION ifms.financial_year(day date) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_char(day - interval '3 months', 'YYYY') || '-' || to_char(day + interval '9 months', 'YY')
$$;

-- Until when a failed payment is corrected: so many days, or the given day after the end of the failure's financial year if
-- that is earlier.
CREATE FUNCTION ifms.correct_by(failed_on date, days integer, last_month integer, last_day integer)
RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT least(failed_on + days, make_date(
        extract(year FROM failed_on - interval '3 months')::integer + CASE WHEN last_month >= 4 THEN 1 ELSE 2 END,
        last_month, last_day))
$$;
-- By the settings: the one rule, for the views, the queries and the code.
CREATE FUNCTION ifms.correct_by(failed_on date) RETURNS date LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT ifms.correct_by(failed_on, o.correction_days, o.correction_last_month, o.correction_last_day)
    FROM ifms.setting o
$$;

-- The fund allocation register -----------------------------------------------------------------------------------------

CREATE VIEW ifms.fund_register AS
SELECT s.tenant_id, s.financial_year, s.hoa_code, s.ddo_code, s.ssu_id, s.master_allotment_id,
       m.id AS movement_id,
       CASE m.kind
           WHEN 'ALLOTMENT' THEN CASE a.kind WHEN 'INITIAL' THEN 'Initial Allotment' ELSE 'Additional Allotment' END
           WHEN 'WITHDRAWAL' THEN 'Withdrawal'
           WHEN 'DEBIT' THEN 'Expense'
           WHEN 'REVERSAL' THEN 'Expense Reversed'
       END AS transaction_type,
       coalesce(p.pi_number, a.ssu_allotment_id || '/' || a.serial_no) AS transaction_number,
       coalesce(a.allotment_date, (p.created_at AT TIME ZONE 'Asia/Kolkata')::date) AS transaction_date,
       m.amount AS transaction_amount,
       s.sanctioned_amount - m.allotted_after AS sanctioned_balance,
       m.allotted_after - m.spent_after AS fund_available,
       m.created_at AS recorded_at,
       s.id AS sanction_id, s.grantee_code, s.scheme_code, s.sanctioned_amount,
       a.ssu_allotment_id, a.serial_no AS allotment_serial_no, a.sanction_balance AS treasury_balance,
       p.payment_number,
       m.allotted_after, m.reserved_after, m.spent_after,
       m.allotted_after - m.reserved_after - m.spent_after AS unreserved_after,
       s.available_amount AS available_now,
       CASE WHEN s.closed_at IS NOT NULL OR s.financial_year < today.financial_year AND NOT o.use_earlier_years
            THEN greatest(s.available_amount, 0) ELSE 0 END AS not_used,
       CASE WHEN s.closed_at IS NOT NULL THEN 'CLOSED'
            WHEN s.financial_year < today.financial_year AND NOT o.use_earlier_years THEN 'EARLIER YEAR'
       END AS not_used_because,
       CASE WHEN s.closed_at IS NOT NULL THEN (
           SELECT c.reason FROM ifms.sanction_closing c WHERE c.sanction_id = s.id ORDER BY c.id DESC LIMIT 1)
       END AS closed_reason
FROM ifms.fund_movement m
JOIN ifms.sanction s ON s.id = m.sanction_id
LEFT JOIN ifms.allotment a ON a.id = m.allotment_id
LEFT JOIN ifms.payment_instruction p ON p.id = m.payment_instruction_id
CROSS JOIN ifms.setting o
CROSS JOIN (SELECT ifms.financial_year((now() AT TIME ZONE 'Asia/Kolkata')::date) AS financial_year) today
WHERE m.kind IN ('ALLOTMENT', 'WITHDRAWAL', 'DEBIT', 'REVERSAL');

COMMENT ON VIEW ifms.fund_register IS
    'The fund allocation register: one row per transaction of a sanction''s money, allotted, withdrawn, spent or given back. Balances are the sanction''s, after the row. Sort by movement_id for the order in which things happened. Cheap to ask by financial_year (with tenant_id, hoa_code), by sanction_id and by recorded_at.';
COMMENT ON COLUMN ifms.fund_register.tenant_id IS 'The city, as DIGIT names it.';
COMMENT ON COLUMN ifms.fund_register.financial_year IS 'The sanction''s financial year, like 2024-25: from 1 April to 31 March, IST.';
COMMENT ON COLUMN ifms.fund_register.hoa_code IS 'Head of account.';
COMMENT ON COLUMN ifms.fund_register.ddo_code IS 'Drawing and disbursing officer of the spending unit.';
COMMENT ON COLUMN ifms.fund_register.ssu_id IS 'Spending unit (SSU), as the treasury names it.';
COMMENT ON COLUMN ifms.fund_register.master_allotment_id IS 'What the treasury names the sanction by (mstAllotmentDistId).';
COMMENT ON COLUMN ifms.fund_register.movement_id IS 'Number of the row: grows in the order in which a sanction''s balances changed.';
COMMENT ON COLUMN ifms.fund_register.transaction_type IS 'Initial Allotment, Additional Allotment, Withdrawal, Expense (the treasury has taken a payment instruction) or Expense Reversed (its spending unit rejected it).';
COMMENT ON COLUMN ifms.fund_register.transaction_number IS 'Of an expense the PI number; of an allotment the treasury''s id and serial number, as id/serial.';
COMMENT ON COLUMN ifms.fund_register.transaction_date IS 'Date, IST: of an allotment the treasury''s own, of an expense or its reversal the day on which its PI was created.';
COMMENT ON COLUMN ifms.fund_register.transaction_amount IS 'Rupees, more than zero; the type says which way they go.';
COMMENT ON COLUMN ifms.fund_register.sanctioned_balance IS 'Rupees: sanctioned less allotted, after this row; a withdrawal gives back to it.';
COMMENT ON COLUMN ifms.fund_register.fund_available IS 'Rupees: allotments less withdrawals and expenses, reversed expenses added back, after this row. What is reserved for PIs that the treasury has not taken yet is still in it: see unreserved_after.';
COMMENT ON COLUMN ifms.fund_register.recorded_at IS 'Instant, UTC: when the ledger recorded it.';
COMMENT ON COLUMN ifms.fund_register.sanction_id IS 'The ledger''s id of the sanction: rows with the same one share their balances.';
COMMENT ON COLUMN ifms.fund_register.grantee_code IS 'Grantee of the spending unit.';
COMMENT ON COLUMN ifms.fund_register.scheme_code IS 'Scheme of the sanction.';
COMMENT ON COLUMN ifms.fund_register.sanctioned_amount IS 'Rupees: all of the sanction, as its initial allotment told it.';
COMMENT ON COLUMN ifms.fund_register.ssu_allotment_id IS 'The treasury''s id of the allotment (ssuAllotmentId); NULL for an expense or its reversal.';
COMMENT ON COLUMN ifms.fund_register.allotment_serial_no IS 'The allotment''s serial number (allotmentTxnSlNo); NULL for an expense or its reversal.';
COMMENT ON COLUMN ifms.fund_register.treasury_balance IS 'Rupees: what the treasury said is left of the sanction after this allotment (availableBalance); NULL for an expense or its reversal.';
COMMENT ON COLUMN ifms.fund_register.payment_number IS 'DIGIT''s payment that the expense, or its reversal, is for; NULL for an allotment.';
COMMENT ON COLUMN ifms.fund_register.allotted_after IS 'Rupees allotted to the sanction, withdrawals taken off, after this row.';
COMMENT ON COLUMN ifms.fund_register.reserved_after IS 'Rupees reserved for PIs that the treasury had not taken yet, after this row.';
COMMENT ON COLUMN ifms.fund_register.spent_after IS 'Rupees spent by PIs that the treasury took, reversed ones taken off, after this row.';
COMMENT ON COLUMN ifms.fund_register.unreserved_after IS 'Rupees that further PIs could reserve, after this row; below zero when money that was spent has been withdrawn.';
COMMENT ON COLUMN ifms.fund_register.available_now IS 'Rupees that are on the sanction and not reserved, now: the same in each of its rows.';
COMMENT ON COLUMN ifms.fund_register.not_used IS 'Rupees of available_now that no PI is made from; 0 where PIs are. The same in each row of a sanction: add it up once for each sanction_id.';
COMMENT ON COLUMN ifms.fund_register.not_used_because IS 'CLOSED (by a person: closed_reason) or EARLIER YEAR (today''s payments are not made from it, as the connection''s use_earlier_years is off); NULL where PIs are made from it.';
COMMENT ON COLUMN ifms.fund_register.closed_reason IS 'Why the sanction was closed; NULL while it is open.';

-- Payment instructions -------------------------------------------------------------------------------------------------

CREATE VIEW ifms.payment_instruction_summary AS
SELECT p.id, p.tenant_id, p.pi_number, p.pi_type, p.parent_pi_number, p.payment_number, p.status, p.net_amount,
       p.hoa_code, p.master_allotment_id, p.financial_year, p.beneficiary_count,
       b.successful_count, b.failed_count, ifms.without_numbers(p.error_message) AS error_message, p.attempts,
       p.last_attempt, p.created_at, p.updated_at,
       p.gross_amount, p.repayment_of, p.is_active, p.ddo_code, p.ssu_id, p.ssu_allotment_id, p.allotment_serial_no,
       ARRAY(SELECT jsonb_array_elements_text(CASE jsonb_typeof(p.additional_details -> 'billNumber')
           WHEN 'array' THEN p.additional_details -> 'billNumber' ELSE '[]' END)) AS bill_numbers,
       p.bill_date, b.successful_amount, b.failed_amount, p.pi_approved_id, p.pi_approval_date, p.pa_fin_year,
       p.pa_advice_id, p.pa_advice_date, p.pa_bill_ref_number, p.pa_token_number, p.pa_token_date, p.paid_at,
       p.error_code, p.last_attempt_at, (p.created_at AT TIME ZONE 'Asia/Kolkata')::date AS created_on
FROM ifms.payment_instruction p
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE status = 'Payment Successful') AS successful_count,
           count(*) FILTER (WHERE status = 'Payment Failed') AS failed_count,
           coalesce(sum(amount) FILTER (WHERE status = 'Payment Successful'), 0) AS successful_amount,
           coalesce(sum(amount) FILTER (WHERE status = 'Payment Failed'), 0) AS failed_amount
    FROM ifms.beneficiary WHERE payment_instruction_id = p.id
) b;

COMMENT ON VIEW ifms.payment_instruction_summary IS
    'Payment instructions (PI): one row each, with what became of its beneficiaries. Cheap to ask by pi_number (with its beginning, too), payment_number, status, tenant_id, created_at, updated_at, and by tenant_id and status together; narrow financial_year by one of these.';
COMMENT ON COLUMN ifms.payment_instruction_summary.id IS 'The ledger''s id of the PI.';
COMMENT ON COLUMN ifms.payment_instruction_summary.tenant_id IS 'The city, as DIGIT names it.';
COMMENT ON COLUMN ifms.payment_instruction_summary.pi_number IS 'PI number: the bill number by which the treasury knows it.';
COMMENT ON COLUMN ifms.payment_instruction_summary.pi_type IS 'ORIGINAL, or REVISED for one that pays beneficiaries of its parent whose payments failed.';
COMMENT ON COLUMN ifms.payment_instruction_summary.parent_pi_number IS 'Of a revised PI its original; NULL for an original.';
COMMENT ON COLUMN ifms.payment_instruction_summary.payment_number IS 'DIGIT''s payment that it pays.';
COMMENT ON COLUMN ifms.payment_instruction_summary.status IS 'PENDING, INITIATED, APPROVED, IN PROCESS, SUCCESSFUL, PARTIAL, COMPLETED or FAILED: see statuses.md.';
COMMENT ON COLUMN ifms.payment_instruction_summary.net_amount IS 'Rupees that its beneficiaries get together. Do not add revised PIs to their originals: they pay the same money.';
COMMENT ON COLUMN ifms.payment_instruction_summary.hoa_code IS 'Head of account that it is paid from.';
COMMENT ON COLUMN ifms.payment_instruction_summary.master_allotment_id IS 'The treasury''s name of the sanction that it is paid from.';
COMMENT ON COLUMN ifms.payment_instruction_summary.financial_year IS 'Its financial year, like 2024-25: from 1 April to 31 March, IST.';
COMMENT ON COLUMN ifms.payment_instruction_summary.beneficiary_count IS 'How many beneficiaries it pays.';
COMMENT ON COLUMN ifms.payment_instruction_summary.successful_count IS 'How many of them are paid.';
COMMENT ON COLUMN ifms.payment_instruction_summary.failed_count IS 'How many of their payments failed, also where a later PI has paid them since.';
COMMENT ON COLUMN ifms.payment_instruction_summary.error_message IS 'What the treasury said last against it, or why it was not sent; long numbers are hidden but for their last four digits. NULL without any.';
COMMENT ON COLUMN ifms.payment_instruction_summary.attempts IS 'How often sending it was begun.';
COMMENT ON COLUMN ifms.payment_instruction_summary.last_attempt IS 'What became of the last: sending, answered, rejected, never_sent or unknown (it may have arrived).';
COMMENT ON COLUMN ifms.payment_instruction_summary.created_at IS 'Instant, UTC: when it was written and its money reserved.';
COMMENT ON COLUMN ifms.payment_instruction_summary.updated_at IS 'Instant, UTC: when the ledger last changed it.';
COMMENT ON COLUMN ifms.payment_instruction_summary.gross_amount IS 'Rupees before deductions; at least net_amount.';
COMMENT ON COLUMN ifms.payment_instruction_summary.repayment_of IS 'Of an original that pays failed payments anew, which can''t be corrected any more: the PI whose they were. Else NULL.';
COMMENT ON COLUMN ifms.payment_instruction_summary.is_active IS 'Whether it is DIGIT''s active one: not, once it has failed.';
COMMENT ON COLUMN ifms.payment_instruction_summary.ddo_code IS 'Drawing and disbursing officer of the spending unit.';
COMMENT ON COLUMN ifms.payment_instruction_summary.ssu_id IS 'Spending unit (SSU), as the treasury names it.';
COMMENT ON COLUMN ifms.payment_instruction_summary.ssu_allotment_id IS 'The treasury''s id of the allotment that it names.';
COMMENT ON COLUMN ifms.payment_instruction_summary.allotment_serial_no IS 'Serial number of that allotment.';
COMMENT ON COLUMN ifms.payment_instruction_summary.bill_numbers IS 'DIGIT''s bills that it pays; empty when they are not known.';
COMMENT ON COLUMN ifms.payment_instruction_summary.bill_date IS 'Instant, UTC, of the bill date that the treasury was told; it counts dates in IST.';
COMMENT ON COLUMN ifms.payment_instruction_summary.successful_amount IS 'Rupees that have been paid to its beneficiaries.';
COMMENT ON COLUMN ifms.payment_instruction_summary.failed_amount IS 'Rupees of its payments that failed, also where a later PI has paid them since.';
COMMENT ON COLUMN ifms.payment_instruction_summary.pi_approved_id IS 'The treasury''s id of the approved PI (pmtInstId); NULL before its approval, like the next columns before their service answers.';
COMMENT ON COLUMN ifms.payment_instruction_summary.pi_approval_date IS 'Date of the approval, IST, as the treasury wrote it: a text.';
COMMENT ON COLUMN ifms.payment_instruction_summary.pa_fin_year IS 'Financial year of the payment advice, as the treasury wrote it.';
COMMENT ON COLUMN ifms.payment_instruction_summary.pa_advice_id IS 'The treasury''s id of the payment advice.';
COMMENT ON COLUMN ifms.payment_instruction_summary.pa_advice_date IS 'Date of the advice, IST, as the treasury wrote it: a text.';
COMMENT ON COLUMN ifms.payment_instruction_summary.pa_bill_ref_number IS 'Online bill reference of the advice.';
COMMENT ON COLUMN ifms.payment_instruction_summary.pa_token_number IS 'Token number of the advice.';
COMMENT ON COLUMN ifms.payment_instruction_summary.pa_token_date IS 'Date of the token, IST, as the treasury wrote it: a text.';
COMMENT ON COLUMN ifms.payment_instruction_summary.paid_at IS 'Of a revised PI the instant, UTC, at which the ledger learned that all had their debit scrolls; NULL before, and for an original.';
COMMENT ON COLUMN ifms.payment_instruction_summary.error_code IS 'DIGIT''s code of why it failed, like PAYMENT_DECLINED; NULL without any.';
COMMENT ON COLUMN ifms.payment_instruction_summary.last_attempt_at IS 'Instant, UTC, of the last attempt to send it; NULL before the first.';
COMMENT ON COLUMN ifms.payment_instruction_summary.created_on IS 'Date, IST, of created_at: the PI date. Narrow created_at instead where many are asked for: this one has no index.';

-- What waits -----------------------------------------------------------------------------------------------------------

CREATE VIEW ifms.open_payment_instruction AS
SELECT p.id, p.tenant_id, p.pi_number, p.pi_type, p.payment_number, p.status, p.net_amount,
       CASE p.status WHEN 'PENDING' THEN 'PI' WHEN 'INITIATED' THEN CASE p.pi_type WHEN 'ORIGINAL' THEN 'PIS' ELSE 'FTPS' END
                     WHEN 'APPROVED' THEN 'PAG' WHEN 'IN PROCESS' THEN 'PD' END AS next_service,
       now() - p.created_at AS age, p.last_attempt, ifms.without_numbers(p.error_message) AS error_message, p.polled_at,
       p.created_at,
       p.parent_pi_number, p.repayment_of, p.financial_year, p.hoa_code, p.ddo_code, p.ssu_id, p.beneficiary_count,
       p.attempts, p.last_attempt_at,
       extract(day FROM now() - p.created_at)::integer AS age_days,
       coalesce(since.created_at, p.created_at) AS waiting_since,
       CASE p.status
           WHEN 'PENDING' THEN CASE WHEN coalesce(p.last_attempt, 'never_sent') = 'never_sent' THEN 'SENDING' ELSE 'ANSWER' END
           WHEN 'INITIATED' THEN CASE p.pi_type WHEN 'ORIGINAL' THEN 'APPROVAL' ELSE 'SCROLLS' END
           WHEN 'APPROVED' THEN 'ADVICE'
           ELSE 'SCROLLS'
       END AS waits_for,
       CASE p.status
           WHEN 'PENDING' THEN CASE coalesce(p.last_attempt, 'never_sent')
               WHEN 'never_sent' THEN 'it has not reached the treasury: it is sent again'
               WHEN 'sending' THEN 'it is being sent, or its run died: the treasury is asked before it is sent again'
               ELSE 'it may have arrived: the treasury is asked before it is sent again' END
           WHEN 'INITIATED' THEN CASE p.pi_type WHEN 'ORIGINAL' THEN 'the spending unit has not approved it'
                                                ELSE 'not every beneficiary has a debit scroll' END
           WHEN 'APPROVED' THEN 'the treasury has not made its payment advice'
           ELSE 'not every beneficiary has a debit scroll'
       END AS why_it_waits,
       said.service_id AS last_service, said.status AS last_status, ifms.without_numbers(said.message) AS last_message,
       said.created_at AS last_heard_at
FROM ifms.payment_instruction p
LEFT JOIN LATERAL (
    SELECT l.service_id, l.status, l.message, l.created_at FROM ifms.status_log l
    WHERE l.payment_instruction_id = p.id ORDER BY l.id DESC LIMIT 1
) said ON true
LEFT JOIN LATERAL (
    SELECT l.created_at FROM ifms.status_log l
    WHERE l.payment_instruction_id = p.id AND l.to_status = p.status ORDER BY l.id DESC LIMIT 1
) since ON true
WHERE p.status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS');

COMMENT ON VIEW ifms.open_payment_instruction IS
    'Payment instructions (PI) that wait for the treasury: one row each, with how long, for what and why. Cheap to ask whole (few are open at a time), by status and by tenant_id.';
COMMENT ON COLUMN ifms.open_payment_instruction.id IS 'The ledger''s id of the PI.';
COMMENT ON COLUMN ifms.open_payment_instruction.tenant_id IS 'The city, as DIGIT names it.';
COMMENT ON COLUMN ifms.open_payment_instruction.pi_number IS 'PI number: the bill number by which the treasury knows it.';
COMMENT ON COLUMN ifms.open_payment_instruction.pi_type IS 'ORIGINAL, or REVISED for one that pays beneficiaries of its parent whose payments failed.';
COMMENT ON COLUMN ifms.open_payment_instruction.payment_number IS 'DIGIT''s payment that it pays.';
COMMENT ON COLUMN ifms.open_payment_instruction.status IS 'PENDING, INITIATED, APPROVED or IN PROCESS: see statuses.md.';
COMMENT ON COLUMN ifms.open_payment_instruction.net_amount IS 'Rupees that its beneficiaries get together.';
COMMENT ON COLUMN ifms.open_payment_instruction.next_service IS 'The treasury''s service whose answer it waits for: PI (ifms_pi, which also sends a PENDING revised one), PIS, PAG, PD or FTPS.';
COMMENT ON COLUMN ifms.open_payment_instruction.age IS 'Interval since it was created, until now.';
COMMENT ON COLUMN ifms.open_payment_instruction.last_attempt IS 'What became of the last attempt to send it: sending, answered, rejected, never_sent or unknown (it may have arrived).';
COMMENT ON COLUMN ifms.open_payment_instruction.error_message IS 'What the treasury said last against it, or why it was not sent; long numbers are hidden but for their last four digits. NULL without any.';
COMMENT ON COLUMN ifms.open_payment_instruction.polled_at IS 'Instant, UTC: when a run last took it up; NULL before the first, and for one that was put first in the queue.';
COMMENT ON COLUMN ifms.open_payment_instruction.created_at IS 'Instant, UTC: when it was written and its money reserved.';
COMMENT ON COLUMN ifms.open_payment_instruction.parent_pi_number IS 'Of a revised PI its original; NULL for an original.';
COMMENT ON COLUMN ifms.open_payment_instruction.repayment_of IS 'Of an original that pays failed payments anew: the PI whose they were. Else NULL.';
COMMENT ON COLUMN ifms.open_payment_instruction.financial_year IS 'Its financial year, like 2024-25: from 1 April to 31 March, IST.';
COMMENT ON COLUMN ifms.open_payment_instruction.hoa_code IS 'Head of account that it is paid from.';
COMMENT ON COLUMN ifms.open_payment_instruction.ddo_code IS 'Drawing and disbursing officer of the spending unit.';
COMMENT ON COLUMN ifms.open_payment_instruction.ssu_id IS 'Spending unit (SSU), as the treasury names it.';
COMMENT ON COLUMN ifms.open_payment_instruction.beneficiary_count IS 'How many beneficiaries it pays.';
COMMENT ON COLUMN ifms.open_payment_instruction.attempts IS 'How often sending it was begun.';
COMMENT ON COLUMN ifms.open_payment_instruction.last_attempt_at IS 'Instant, UTC, of the last attempt to send it; NULL before the first.';
COMMENT ON COLUMN ifms.open_payment_instruction.age_days IS 'Whole days of 24 hours since it was created.';
COMMENT ON COLUMN ifms.open_payment_instruction.waiting_since IS 'Instant, UTC: since when it has had its status.';
COMMENT ON COLUMN ifms.open_payment_instruction.waits_for IS 'SENDING (it has not reached the treasury), ANSWER (it may have), APPROVAL (by the spending unit), ADVICE (payment advice) or SCROLLS (debit scrolls).';
COMMENT ON COLUMN ifms.open_payment_instruction.why_it_waits IS 'The same as a sentence.';
COMMENT ON COLUMN ifms.open_payment_instruction.last_service IS 'The service that was last heard, or was not; NULL before the first.';
COMMENT ON COLUMN ifms.open_payment_instruction.last_status IS 'What came of it, as STATUS_LOG_<service>_<outcome>; NULL before the first.';
COMMENT ON COLUMN ifms.open_payment_instruction.last_message IS 'What it said; long numbers are hidden but for their last four digits. NULL without words.';
COMMENT ON COLUMN ifms.open_payment_instruction.last_heard_at IS 'Instant, UTC, of that; NULL before the first.';

-- What has failed ------------------------------------------------------------------------------------------------------

CREATE VIEW ifms.failed_beneficiary AS
SELECT b.id, p.tenant_id, coalesce(p.parent_pi_number, p.pi_number) AS original_pi_number, p.pi_number, p.payment_number,
       b.beneficiary_number, b.beneficiary_id, b.amount, b.account_last4, b.ifsc,
       ifms.without_numbers(b.status_message) AS reason,
       b.challan_number, b.challan_date, b.failed_on,
       ifms.correct_by(b.failed_on, o.correction_days, o.correction_last_month, o.correction_last_day) AS correct_by,
       ifms.correct_by(b.failed_on, o.correction_days, o.correction_last_month, o.correction_last_day)
           - (now() AT TIME ZONE 'Asia/Kolkata')::date AS days_left,
       CASE WHEN busy.pi_number IS NOT NULL THEN 'WAIT'
            WHEN ifms.correct_by(b.failed_on, o.correction_days, o.correction_last_month, o.correction_last_day)
                 >= (now() AT TIME ZONE 'Asia/Kolkata')::date THEN 'CORRECT'
            ELSE 'PAY ANEW' END AS next_step,
       busy.pi_number AS busy_pi_number,
       p.pi_type, p.status AS pi_status, p.financial_year, p.hoa_code, b.beneficiary_type, b.utr_number, b.utr_date,
       b.voucher_number, b.voucher_date
FROM ifms.beneficiary b
JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
CROSS JOIN ifms.setting o
LEFT JOIN LATERAL (
    SELECT f.pi_number FROM ifms.payment_instruction f
    WHERE f.parent_pi_number = coalesce(p.parent_pi_number, p.pi_number) AND f.status IN ('PENDING', 'INITIATED')
    UNION ALL
    SELECT f.pi_number FROM ifms.payment_instruction f
    WHERE f.repayment_of = coalesce(p.parent_pi_number, p.pi_number)
      AND f.status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS')
    LIMIT 1
) busy ON true
WHERE b.status = 'Payment Failed' AND b.failed_on IS NOT NULL AND p.status <> 'FAILED'
  AND NOT EXISTS (
      SELECT FROM ifms.beneficiary later
      WHERE later.beneficiary_number = b.beneficiary_number AND later.created_at > b.created_at
        AND (later.status <> 'Payment Failed' OR later.failed_on IS NOT NULL)
  );

COMMENT ON VIEW ifms.failed_beneficiary IS
    'Failed payments that nobody has taken over: one row per beneficiary whose last payment the bank gave back, until a revised PI, or a new original, pays it. Cheap to ask whole (few have failed), by failed_on and by pi_number.';
COMMENT ON COLUMN ifms.failed_beneficiary.id IS 'The ledger''s id of the failed payment.';
COMMENT ON COLUMN ifms.failed_beneficiary.tenant_id IS 'The city, as DIGIT names it.';
COMMENT ON COLUMN ifms.failed_beneficiary.original_pi_number IS 'The original PI: a correction names it.';
COMMENT ON COLUMN ifms.failed_beneficiary.pi_number IS 'The PI by which it was paid last: the original, or a revised one.';
COMMENT ON COLUMN ifms.failed_beneficiary.payment_number IS 'DIGIT''s payment that it is part of.';
COMMENT ON COLUMN ifms.failed_beneficiary.beneficiary_number IS 'The payment''s number at the treasury (benefId); revised PIs keep it.';
COMMENT ON COLUMN ifms.failed_beneficiary.beneficiary_id IS 'Who is paid: DIGIT''s id of the individual or organisation, or of a department''s account.';
COMMENT ON COLUMN ifms.failed_beneficiary.amount IS 'Rupees that came back.';
COMMENT ON COLUMN ifms.failed_beneficiary.account_last4 IS 'The last four digits of the account that was tried.';
COMMENT ON COLUMN ifms.failed_beneficiary.ifsc IS 'IFSC of the branch that was tried.';
COMMENT ON COLUMN ifms.failed_beneficiary.reason IS 'Why, in the bank''s words; long numbers are hidden but for their last four digits. NULL when it gave none.';
COMMENT ON COLUMN ifms.failed_beneficiary.challan_number IS 'Challan by which the money came back; NULL when none was told.';
COMMENT ON COLUMN ifms.failed_beneficiary.challan_date IS 'Date of the challan, IST; NULL when none was told.';
COMMENT ON COLUMN ifms.failed_beneficiary.failed_on IS 'Date of the failure, IST, from which the days of a correction count.';
COMMENT ON COLUMN ifms.failed_beneficiary.correct_by IS 'Last date, IST, on which it can be corrected: 90 days after the failure, or 30 April of the next financial year if that is earlier; other days when the treasury''s connection says so.';
COMMENT ON COLUMN ifms.failed_beneficiary.days_left IS 'Days from today (IST) to correct_by: 0 on the last day, below zero when it is over.';
COMMENT ON COLUMN ifms.failed_beneficiary.next_step IS 'CORRECT (mend the account, then ifms_cor), WAIT (busy_pi_number is on its way) or PAY ANEW (the time is over: a new original PI).';
COMMENT ON COLUMN ifms.failed_beneficiary.busy_pi_number IS 'The revised PI, or new original, of the same original that is still on its way; NULL without one.';
COMMENT ON COLUMN ifms.failed_beneficiary.pi_type IS 'ORIGINAL or REVISED: of pi_number.';
COMMENT ON COLUMN ifms.failed_beneficiary.pi_status IS 'Status of pi_number: see statuses.md.';
COMMENT ON COLUMN ifms.failed_beneficiary.financial_year IS 'Financial year of pi_number, like 2024-25: from 1 April to 31 March, IST.';
COMMENT ON COLUMN ifms.failed_beneficiary.hoa_code IS 'Head of account that it is paid from.';
COMMENT ON COLUMN ifms.failed_beneficiary.beneficiary_type IS 'IND (individual), ORG (organisation) or DEPT (department).';
COMMENT ON COLUMN ifms.failed_beneficiary.utr_number IS 'The bank''s reference of the transfer that failed; NULL when none was told.';
COMMENT ON COLUMN ifms.failed_beneficiary.utr_date IS 'Date of that, IST; NULL when none was told.';
COMMENT ON COLUMN ifms.failed_beneficiary.voucher_number IS 'The treasury''s voucher of the transfer; NULL when none was told.';
COMMENT ON COLUMN ifms.failed_beneficiary.voucher_date IS 'Date of the voucher, IST; NULL when none was told.';

-- Calls ----------------------------------------------------------------------------------------------------------------

CREATE VIEW ifms.call_log AS
SELECT c.id, c.service_id, c.bill_number, c.outcome, c.status_code, ifms.without_numbers(c.error_message) AS error,
       c.duration_ms, c.created_at, c.payment_instruction_id, c.sweep_run_id
FROM ifms.treasury_call c;

COMMENT ON VIEW ifms.call_log IS
    'Calls to the treasury, logins included: one row each, without what was said in them. Cheap to ask by created_at, bill_number and payment_instruction_id. Older calls may have been removed: see shipping to Elasticsearch.';
COMMENT ON COLUMN ifms.call_log.id IS 'Id of the call, by which `ifms log open` shows it to whoever holds the key.';
COMMENT ON COLUMN ifms.call_log.service_id IS 'The service: AUTH (login), VA, PI, PIS, PAG, PD, FD, COR, FTPS or FTFPS.';
COMMENT ON COLUMN ifms.call_log.bill_number IS 'The PI number that it is about; AUTH for a login, NULL for a call about many.';
COMMENT ON COLUMN ifms.call_log.outcome IS 'answered, rejected (answered with errors), never_sent or unknown (it may have arrived); NULL while it is under way, and for good if its process died.';
COMMENT ON COLUMN ifms.call_log.status_code IS 'HTTP status of the reply; NULL without one.';
COMMENT ON COLUMN ifms.call_log.error IS 'What went wrong, in the treasury''s words or ours; long numbers are hidden but for their last four digits. NULL when nothing did.';
COMMENT ON COLUMN ifms.call_log.duration_ms IS 'Milliseconds from its beginning to the last byte of the reply.';
COMMENT ON COLUMN ifms.call_log.created_at IS 'Instant, UTC, of its beginning.';
COMMENT ON COLUMN ifms.call_log.payment_instruction_id IS 'The ledger''s id of the PI that it is about; NULL for other calls.';
COMMENT ON COLUMN ifms.call_log.sweep_run_id IS 'The run that made it; NULL for a call that no run made.';

-- Messages ------------------------------------------------------------------------------------------------------------

-- What has not been heard, by whom, and since when.
CREATE VIEW ifms.outbox_lag AS
SELECT topic,
       count(*) FILTER (WHERE set_aside_at IS NULL) AS due,
       count(*) FILTER (WHERE set_aside_at IS NOT NULL) AS set_aside,
       min(created_at) FILTER (WHERE set_aside_at IS NULL) AS oldest
FROM ifms.outbox WHERE delivered_at IS NULL GROUP BY topic;
COMMENT ON VIEW ifms.outbox_lag IS
    'What the outbox has still to tell, a row per topic that has something; the platform''s payments, SMS, the index of PIs.';
COMMENT ON COLUMN ifms.outbox_lag.topic IS 'Whom it is for: payment_status (the platform), sms or pi_index.';
COMMENT ON COLUMN ifms.outbox_lag.due IS 'How many messages wait to be delivered.';
COMMENT ON COLUMN ifms.outbox_lag.set_aside IS 'How many were given up: a person sends them again by ifms_relay''s form.';
COMMENT ON COLUMN ifms.outbox_lag.oldest IS 'Instant, UTC, at which the oldest that waits was written; NULL when none does.';
