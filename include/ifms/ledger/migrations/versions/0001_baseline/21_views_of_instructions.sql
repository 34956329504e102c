-- Views of payments and payment instructions: who was paid what, and what waits.

-- Payment instructions ------------------------------------------------------------------------------------------------

CREATE VIEW ifms.payment_instruction_summary AS
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
       p.work_order_numbers, p.bill_type, p.project_numbers,
       ifms.texts_of(p.additional_details -> 'projectName') AS project_names,
       ifms.texts_of(p.additional_details -> 'ward') AS wards
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
COMMENT ON COLUMN ifms.payment_instruction_summary.paid_at IS 'Instant, UTC, at which the ledger learned that all its beneficiaries had their debit scrolls, also where the bank has given some back since; NULL before, and where some failed instead.';
COMMENT ON COLUMN ifms.payment_instruction_summary.error_code IS 'DIGIT''s code of why it failed, like PAYMENT_DECLINED; NULL without any.';
COMMENT ON COLUMN ifms.payment_instruction_summary.last_attempt_at IS 'Instant, UTC, of the last attempt to send it; NULL before the first.';
COMMENT ON COLUMN ifms.payment_instruction_summary.created_on IS 'Date, IST, of created_at: the PI date. Narrow created_at instead where many are asked for: this one has no index.';
COMMENT ON COLUMN ifms.payment_instruction_summary.work_order_numbers IS 'The work orders (contracts) of these bills; empty when they are not known.';
COMMENT ON COLUMN ifms.payment_instruction_summary.bill_type IS 'WAGE, PURCHASE or SUPERVISION, by the beginnings of bill_numbers; MIXED for bills of several types, NULL when no type is known.';
COMMENT ON COLUMN ifms.payment_instruction_summary.project_numbers IS 'The projects of these bills; empty when they are not known, as of PIs that were imported.';
COMMENT ON COLUMN ifms.payment_instruction_summary.project_names IS 'The names of these projects; empty where the platform''s bills do not tell them.';
COMMENT ON COLUMN ifms.payment_instruction_summary.wards IS 'The wards of these bills, as the platform''s boundary codes; empty where its bills do not tell them.';

-- Payment instructions that wait --------------------------------------------------------------------------------------

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

-- Payments that wait --------------------------------------------------------------------------------------------------

CREATE VIEW ifms.waiting_payment AS
SELECT y.id, y.tenant_id, y.payment_number, y.payment_id, y.amount,
       ARRAY(SELECT b.bill_id FROM ifms.bill b
             WHERE b.tenant_id = y.tenant_id AND b.payment_number = y.payment_number ORDER BY b.bill_id) AS bill_ids,
       CASE WHEN y.bill_numbers <> '{}' THEN y.bill_numbers ELSE coalesce(earlier.bill_numbers, '{}') END AS bill_numbers,
       y.raised_at, y.seen_at, y.polled_at, y.hold_code,
       coalesce(ifms.without_numbers(y.hold_message),
                CASE WHEN y.polled_at IS NULL THEN 'no run of ifms_pi has taken it up yet'
                     ELSE 'a run of ifms_pi has taken it up and has not said why it has no payment instruction' END) AS why,
       y.held_since, extract(day FROM now() - y.raised_at)::integer AS age_days,
       (SELECT count(*) FROM ifms.payment_instruction p
        WHERE p.tenant_id = y.tenant_id AND p.payment_number = y.payment_number AND p.pi_type = 'ORIGINAL'
          AND p.repayment_of IS NULL) AS attempts,
       earlier.pi_number AS last_pi_number, y.tries
FROM ifms.payment y
LEFT JOIN LATERAL (
    SELECT p.pi_number, p.bill_numbers FROM ifms.payment_instruction p
    WHERE p.tenant_id = y.tenant_id AND p.payment_number = y.payment_number AND p.pi_type = 'ORIGINAL'
      AND p.repayment_of IS NULL
    ORDER BY p.created_at DESC, p.id DESC LIMIT 1
) earlier ON true
WHERE y.paid_by IS NULL;

COMMENT ON VIEW ifms.waiting_payment IS
    'Payments that have no payment instruction (PI), or none that has not failed: one row each, with why. Cheap to ask whole (few wait), by raised_at, and by tenant_id.';
COMMENT ON COLUMN ifms.waiting_payment.id IS 'The ledger''s id of the payment.';
COMMENT ON COLUMN ifms.waiting_payment.tenant_id IS 'The city, as DIGIT names it.';
COMMENT ON COLUMN ifms.waiting_payment.payment_number IS 'DIGIT''s number of the payment.';
COMMENT ON COLUMN ifms.waiting_payment.payment_id IS 'DIGIT''s id of the payment.';
COMMENT ON COLUMN ifms.waiting_payment.amount IS 'Rupees, as it was first seen.';
COMMENT ON COLUMN ifms.waiting_payment.bill_ids IS 'DIGIT''s ids of the bills that it pays; empty where the adapter has not raised it and has made no PI for it.';
COMMENT ON COLUMN ifms.waiting_payment.bill_numbers IS 'The numbers of these bills, as the run knew them that raised it or looked at it last, else by its last PI; empty when nobody knew them.';
COMMENT ON COLUMN ifms.waiting_payment.raised_at IS 'Instant, UTC: when it was raised.';
COMMENT ON COLUMN ifms.waiting_payment.seen_at IS 'Instant, UTC: when the ledger first heard of it.';
COMMENT ON COLUMN ifms.waiting_payment.polled_at IS 'Instant, UTC: when a run last took it up; NULL before the first, and for one that was put first in the queue.';
COMMENT ON COLUMN ifms.waiting_payment.hold_code IS 'Why it has no PI, as a code like PAYMENT_INSUFFICIENT_FUNDS or PAYMENT_NOT_PAYABLE; NULL when nothing holds it.';
COMMENT ON COLUMN ifms.waiting_payment.why IS 'The same as a sentence; long numbers are hidden but for their last four digits.';
COMMENT ON COLUMN ifms.waiting_payment.held_since IS 'Instant, UTC: since when this holds it; NULL when nothing does.';
COMMENT ON COLUMN ifms.waiting_payment.age_days IS 'Whole days of 24 hours since it was raised.';
COMMENT ON COLUMN ifms.waiting_payment.attempts IS 'How many PIs it had, all of which have failed.';
COMMENT ON COLUMN ifms.waiting_payment.last_pi_number IS 'The last of them; NULL when it had none.';
COMMENT ON COLUMN ifms.waiting_payment.tries IS 'How often a run has looked at it and made no PI.';

-- Who was paid what ---------------------------------------------------------------------------------------------------

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
                  AND q.status <> 'FAILED'
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

-- How many of which group ---------------------------------------------------------------------------------------------

-- Whole months that touch the period. A number below ten is NULL; where a month of a city would have just one such, its
-- next smallest is NULL, too: else the missing one is what other reports' sums leave over. As the owner, since who makes
-- reports may not read the columns.
CREATE FUNCTION ifms.payments_by_group(since timestamptz, until timestamptz, as_of timestamptz, tenants text[])
    RETURNS TABLE (month text, tenant_id text, gender text, social_category text, payments bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH paid AS (
        SELECT p.id, p.tenant_id,
               (SELECT min(l.created_at) FROM ifms.status_log l
                WHERE l.payment_instruction_id = p.id AND l.to_status IN ('SUCCESSFUL', 'PARTIAL', 'COMPLETED')
                  AND l.created_at < $3) AS at
        FROM ifms.payment_instruction p
        WHERE p.created_at < $3 AND ($4 IS NULL OR p.tenant_id = ANY ($4))
          AND (SELECT l.to_status FROM ifms.status_log l
               WHERE l.payment_instruction_id = p.id AND l.to_status IS NOT NULL AND l.created_at < $3
               ORDER BY l.id DESC LIMIT 1) IN ('SUCCESSFUL', 'PARTIAL', 'COMPLETED')
    ), counted AS (
        SELECT to_char(paid.at AT TIME ZONE 'Asia/Kolkata', 'YYYY-MM') AS month, paid.tenant_id,
               coalesce(b.gender, 'not known') AS gender, coalesce(b.social_category, 'not known') AS social_category,
               count(*) AS payments
        FROM paid JOIN ifms.beneficiary b ON b.payment_instruction_id = paid.id
        WHERE b.beneficiary_type = 'IND'
          AND NOT (b.status = 'Payment Failed' AND b.failed_on IS NOT NULL AND b.updated_at < $3)
          AND ($1 IS NULL OR paid.at >= date_trunc('month', $1, 'Asia/Kolkata'))
          AND ($2 IS NULL OR paid.at < date_trunc('month', $2 - interval '1 microsecond', 'Asia/Kolkata')
                                       + interval '1 month')
        GROUP BY 1, 2, 3, 4
    ), ranked AS (
        SELECT c.*, count(*) FILTER (WHERE c.payments < 10) OVER of_city AS small,
               row_number() OVER (PARTITION BY c.month, c.tenant_id
                                  ORDER BY c.payments, c.gender, c.social_category) AS place
        FROM counted c WINDOW of_city AS (PARTITION BY c.month, c.tenant_id)
    )
    SELECT month, tenant_id, gender, social_category,
           CASE WHEN payments >= 10 AND NOT (small = 1 AND place = 2) THEN payments END
    FROM ranked ORDER BY 1, 2, 3, 4
$$;
COMMENT ON FUNCTION ifms.payments_by_group IS 'How many payments to individuals reached them, by the month (IST) in which they were debited, city, gender and social category; fewer than ten are NULL.';
