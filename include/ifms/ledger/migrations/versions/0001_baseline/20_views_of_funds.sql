-- Views of what has been sanctioned, allotted and spent.

-- The fund allocation register ----------------------------------------------------------------------------------------

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

-- Sanctions -----------------------------------------------------------------------------------------------------------

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
