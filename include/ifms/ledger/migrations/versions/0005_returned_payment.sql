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
