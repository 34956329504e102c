-- What the registry says of an individual, as it was when the payment instruction was written. Nobody reads it row by row
-- but who works on the ledger: for others the function below counts, and leaves small numbers out.
ALTER TABLE ifms.beneficiary
    ADD COLUMN gender          text CHECK (gender ~ '^[A-Z][A-Z0-9 _-]{0,39}$'),
    ADD COLUMN social_category text CHECK (social_category ~ '^[A-Z][A-Z0-9 _-]{0,39}$');
COMMENT ON COLUMN ifms.beneficiary.gender IS 'Of an individual, as the registry has it, like FEMALE; NULL where it has none.';
COMMENT ON COLUMN ifms.beneficiary.social_category IS 'Of an individual, as the registry has it, like SC; NULL where it has none.';

CREATE TRIGGER group_is_frozen BEFORE UPDATE OF gender, social_category ON ifms.beneficiary
    FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('the content of a payment instruction is frozen');

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
