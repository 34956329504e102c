-- One index for each way in which payment instructions are looked for, the newest first; the id makes the order total,
-- so that the next page can begin after the last row of this one, however deep.

CREATE INDEX payment_instruction_by_time ON ifms.payment_instruction (created_at DESC, id DESC);
CREATE INDEX payment_instruction_by_change ON ifms.payment_instruction (updated_at DESC, id DESC);
CREATE INDEX payment_instruction_by_status ON ifms.payment_instruction (status, created_at DESC, id DESC);
-- Replaces payment_instruction_newest: the same, in the order that pages have.
CREATE INDEX payment_instruction_by_city ON ifms.payment_instruction (tenant_id, created_at DESC, id DESC);
DROP INDEX ifms.payment_instruction_newest;
CREATE INDEX payment_instruction_by_city_status
    ON ifms.payment_instruction (tenant_id, status, created_at DESC, id DESC);
CREATE INDEX payment_instruction_by_number ON ifms.payment_instruction (pi_number text_pattern_ops);
CREATE INDEX payment_instruction_by_payment_number ON ifms.payment_instruction (payment_number);
CREATE INDEX payment_instruction_revised ON ifms.payment_instruction (created_at DESC, id DESC)
    WHERE pi_type = 'REVISED';
CREATE INDEX payment_instruction_inactive ON ifms.payment_instruction (created_at DESC, id DESC) WHERE NOT is_active;
CREATE INDEX payment_instruction_repayments ON ifms.payment_instruction (repayment_of) WHERE repayment_of IS NOT NULL;
-- What waits for a person: not many among many that are done.
CREATE INDEX payment_instruction_for_action ON ifms.payment_instruction (created_at DESC, id DESC)
    WHERE status IN ('PENDING', 'FAILED', 'PARTIAL');
CREATE INDEX payment_instruction_by_bill
    ON ifms.payment_instruction USING gin ((additional_details -> 'billNumber') jsonb_path_ops);

CREATE INDEX sanction_of_year ON ifms.sanction (financial_year, hoa_code);
CREATE INDEX sanction_by_change ON ifms.sanction (updated_at DESC, id DESC);
-- The fund register of some sanctions, without the reservations, which are no transactions of it.
CREATE INDEX fund_movement_register ON ifms.fund_movement (sanction_id, id)
    INCLUDE (kind, amount, created_at) WHERE kind IN ('ALLOTMENT', 'WITHDRAWAL', 'DEBIT', 'REVERSAL');
