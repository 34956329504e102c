-- A revised PI and a repayment pay bills of their original: they are found by the same bill and work-order numbers. A PI
-- that has bill numbers of its own keeps them. An original may itself be a repayment: hence from the first one down.
WITH RECURSIVE kept AS (
    SELECT pi_number, additional_details AS details FROM ifms.payment_instruction
    WHERE parent_pi_number IS NULL AND repayment_of IS NULL
    UNION ALL
    SELECT p.pi_number,
           CASE WHEN p.additional_details @? '$.billNumber[*]' THEN p.additional_details
                WHEN jsonb_typeof(p.additional_details) = 'object' AND jsonb_typeof(kept.details) = 'object'
                THEN p.additional_details || kept.details
                ELSE kept.details END
    FROM kept JOIN ifms.payment_instruction p
        ON kept.pi_number = coalesce(p.parent_pi_number, p.repayment_of)
)
UPDATE ifms.payment_instruction p SET additional_details = kept.details
FROM kept WHERE kept.pi_number = p.pi_number AND kept.details @? '$.billNumber[*]'
  AND p.additional_details IS DISTINCT FROM kept.details;

CREATE OR REPLACE VIEW ifms.payment_instruction_summary AS
SELECT p.id, p.tenant_id, p.pi_number, p.pi_type, p.parent_pi_number, p.payment_number, p.status, p.net_amount,
       p.hoa_code, p.master_allotment_id, p.financial_year, p.beneficiary_count,
       b.successful_count, b.failed_count, ifms.without_numbers(p.error_message) AS error_message, p.attempts,
       p.last_attempt, p.created_at, p.updated_at,
       p.gross_amount, p.repayment_of, p.is_active, p.ddo_code, p.ssu_id, p.ssu_allotment_id, p.allotment_serial_no,
       ARRAY(SELECT jsonb_array_elements_text(CASE jsonb_typeof(p.additional_details -> 'billNumber')
           WHEN 'array' THEN p.additional_details -> 'billNumber' ELSE '[]' END)) AS bill_numbers,
       p.bill_date, b.successful_amount, b.failed_amount, p.pi_approved_id, p.pi_approval_date, p.pa_fin_year,
       p.pa_advice_id, p.pa_advice_date, p.pa_bill_ref_number, p.pa_token_number, p.pa_token_date, p.paid_at,
       p.error_code, p.last_attempt_at, (p.created_at AT TIME ZONE 'Asia/Kolkata')::date AS created_on,
       ARRAY(SELECT jsonb_array_elements_text(CASE jsonb_typeof(p.additional_details -> 'referenceId')
           WHEN 'array' THEN p.additional_details -> 'referenceId' ELSE '[]' END)) AS work_order_numbers
FROM ifms.payment_instruction p
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE status = 'Payment Successful') AS successful_count,
           count(*) FILTER (WHERE status = 'Payment Failed') AS failed_count,
           coalesce(sum(amount) FILTER (WHERE status = 'Payment Successful'), 0) AS successful_amount,
           coalesce(sum(amount) FILTER (WHERE status = 'Payment Failed'), 0) AS failed_amount
    FROM ifms.beneficiary WHERE payment_instruction_id = p.id
) b;

COMMENT ON COLUMN ifms.payment_instruction_summary.work_order_numbers IS 'The work orders (contracts) of these bills; empty when they are not known.';
