-- Views of what the bank has given back.

-- Failed payments that wait -------------------------------------------------------------------------------------------

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
       b.voucher_number, b.voucher_date,
       closed.closed_at, closed.closed_by, ifms.without_numbers(closed.reason) AS closed_reason,
       (SELECT CASE WHEN bool_or(t.settled_at IS NULL) THEN 'OPEN' ELSE 'PAID' END FROM ifms.other_transfer t
        WHERE t.beneficiary_row = b.id AND (t.settled_at IS NULL OR t.has_paid) HAVING count(*) > 0) AS other_transfer
FROM ifms.beneficiary b
JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
CROSS JOIN ifms.setting o
LEFT JOIN ifms.closed_failure closed ON closed.beneficiary_row = b.id
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
      SELECT FROM ifms.beneficiary later JOIN ifms.payment_instruction q ON q.id = later.payment_instruction_id
      WHERE later.beneficiary_number = b.beneficiary_number AND later.created_at > b.created_at AND q.status <> 'FAILED'
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
COMMENT ON COLUMN ifms.failed_beneficiary.closed_at IS 'Instant, UTC, at which a person said that it is not paid any more; NULL when nobody has.';
COMMENT ON COLUMN ifms.failed_beneficiary.closed_by IS 'Who said so; NULL when nobody has.';
COMMENT ON COLUMN ifms.failed_beneficiary.closed_reason IS 'Why it is not paid any more; NULL when nobody has said so.';
COMMENT ON COLUMN ifms.failed_beneficiary.other_transfer IS 'OPEN: the treasury tells of another transfer, and nobody is paid before a person has settled that (doubtful_transfer). PAID: by another one the money has arrived, so nobody corrects it. NULL when there is none.';

-- All that came back --------------------------------------------------------------------------------------------------

-- What the report of failures is made of: without it a reader would need the bank's own words, which may quote an account.
CREATE VIEW ifms.returned_payment AS
SELECT b.id, p.tenant_id, p.pi_number, p.payment_number, b.beneficiary_number, b.amount,
       ifms.without_numbers(b.status_message) AS reason, b.challan_number, b.challan_date, b.failed_on,
       ifms.correct_by(b.failed_on, o.correction_days, o.correction_last_month, o.correction_last_day) AS correct_by,
       b.payment_instruction_id, b.created_at, b.updated_at AS recorded_at
FROM ifms.beneficiary b
JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
CROSS JOIN ifms.setting o
WHERE b.status = 'Payment Failed' AND b.failed_on IS NOT NULL;

COMMENT ON VIEW ifms.returned_payment IS
    'Payments that the bank gave back: one row per beneficiary and PI, also where a later PI has paid them since; failed_beneficiary has those that wait for somebody. Cheap to ask by failed_on and payment_instruction_id.';
COMMENT ON COLUMN ifms.returned_payment.id IS 'The ledger''s id of the payment: failed_beneficiary has the same.';
COMMENT ON COLUMN ifms.returned_payment.tenant_id IS 'The city, as DIGIT names it.';
COMMENT ON COLUMN ifms.returned_payment.pi_number IS 'The PI by which it was paid.';
COMMENT ON COLUMN ifms.returned_payment.payment_number IS 'DIGIT''s payment that it is part of.';
COMMENT ON COLUMN ifms.returned_payment.beneficiary_number IS 'The payment''s number at the treasury (benefId); revised PIs keep it.';
COMMENT ON COLUMN ifms.returned_payment.amount IS 'Rupees that came back.';
COMMENT ON COLUMN ifms.returned_payment.reason IS 'Why, in the bank''s words; long numbers are hidden but for their last four digits. NULL when it gave none.';
COMMENT ON COLUMN ifms.returned_payment.challan_number IS 'Challan by which the money came back; NULL when none was told.';
COMMENT ON COLUMN ifms.returned_payment.challan_date IS 'Date of the challan, IST; NULL when none was told.';
COMMENT ON COLUMN ifms.returned_payment.failed_on IS 'Date of the failure, IST, from which the days of a correction count.';
COMMENT ON COLUMN ifms.returned_payment.correct_by IS 'Last date, IST, on which it can be corrected, or could be: see failed_beneficiary.';
COMMENT ON COLUMN ifms.returned_payment.payment_instruction_id IS 'The ledger''s id of the PI.';
COMMENT ON COLUMN ifms.returned_payment.created_at IS 'Instant, UTC: when the PI was written.';
COMMENT ON COLUMN ifms.returned_payment.recorded_at IS 'Instant, UTC: when the ledger recorded that it came back.';

-- Failures that match nothing -----------------------------------------------------------------------------------------

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
COMMENT ON COLUMN ifms.unmatched_failure.id IS 'The ledger''s id of the failure, by which `ifms failures close-reported` closes it.';
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

-- Transfers by another UTR --------------------------------------------------------------------------------------------

CREATE VIEW ifms.doubtful_transfer AS
SELECT t.id, t.beneficiary_row AS beneficiary_payment_id, p.tenant_id, p.pi_number, p.payment_number,
       b.beneficiary_number, b.beneficiary_id, b.amount, b.status, b.utr_number AS known_utr_number, t.utr_number,
       t.voucher_number, t.voucher_date, t.not_as_sent,
       CASE WHEN t.settled_at IS NULL THEN 'OPEN' WHEN t.has_paid THEN 'PAID' ELSE 'NOT PAID' END AS state,
       t.first_told_at, t.last_told_at, t.settled_at, t.settled_by,
       ifms.without_numbers(t.settled_reason) AS settled_reason
FROM ifms.other_transfer t
JOIN ifms.beneficiary b ON b.id = t.beneficiary_row
JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id;

COMMENT ON VIEW ifms.doubtful_transfer IS
    'Transfers that the treasury told of a beneficiary of whom it had told another one, by another UTR, or otherwise than they were sent: one row each. Those of the state OPEN wait for a person who asks the treasury. Cheap to ask whole (they are few).';
COMMENT ON COLUMN ifms.doubtful_transfer.id IS 'The ledger''s id of the transfer, by which `ifms failures settle-transfer` settles it.';
COMMENT ON COLUMN ifms.doubtful_transfer.beneficiary_payment_id IS 'The ledger''s id of the payment that it is told of.';
COMMENT ON COLUMN ifms.doubtful_transfer.tenant_id IS 'The city, as DIGIT names it.';
COMMENT ON COLUMN ifms.doubtful_transfer.pi_number IS 'The PI by which the beneficiary is paid.';
COMMENT ON COLUMN ifms.doubtful_transfer.payment_number IS 'DIGIT''s payment that it is part of.';
COMMENT ON COLUMN ifms.doubtful_transfer.beneficiary_number IS 'The payment''s number at the treasury (benefId).';
COMMENT ON COLUMN ifms.doubtful_transfer.beneficiary_id IS 'Who is paid: DIGIT''s id of the individual or organisation, or of a department''s account.';
COMMENT ON COLUMN ifms.doubtful_transfer.amount IS 'Rupees that the PI pays to the beneficiary.';
COMMENT ON COLUMN ifms.doubtful_transfer.status IS 'Status of the beneficiary''s payment: see statuses.md.';
COMMENT ON COLUMN ifms.doubtful_transfer.known_utr_number IS 'The bank''s reference (UTR) of the transfer that was told first; NULL when none was.';
COMMENT ON COLUMN ifms.doubtful_transfer.utr_number IS 'The bank''s reference (UTR) of this other transfer, as it was told.';
COMMENT ON COLUMN ifms.doubtful_transfer.voucher_number IS 'The treasury''s voucher of this transfer; NULL when none was told.';
COMMENT ON COLUMN ifms.doubtful_transfer.voucher_date IS 'Date of the voucher, IST; NULL when none was told.';
COMMENT ON COLUMN ifms.doubtful_transfer.not_as_sent IS 'What it names otherwise than was sent: another account, by its last digits, or another IFSC; NULL when nothing.';
COMMENT ON COLUMN ifms.doubtful_transfer.state IS 'OPEN, or what a person has found out: PAID (money has reached the beneficiary by it, too) or NOT PAID.';
COMMENT ON COLUMN ifms.doubtful_transfer.first_told_at IS 'Instant, UTC, since which it is kept.';
COMMENT ON COLUMN ifms.doubtful_transfer.last_told_at IS 'Instant, UTC, at which the treasury last told it.';
COMMENT ON COLUMN ifms.doubtful_transfer.settled_at IS 'Instant, UTC, at which a person settled it; NULL when nobody has.';
COMMENT ON COLUMN ifms.doubtful_transfer.settled_by IS 'Who settled it; NULL when nobody has.';
COMMENT ON COLUMN ifms.doubtful_transfer.settled_reason IS 'How that is known; NULL when nobody has settled it.';
