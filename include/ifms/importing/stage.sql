-- The Java adapter's rows as they came (java_row), read into columns of this ledger's kinds. Whatever can't be read so
-- is NULL here, and `rules` says so; nothing is refused yet.

CREATE OR REPLACE FUNCTION pg_temp.text_of(told text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN lower(btrim(told)) IN ('', 'null') THEN NULL ELSE told END
$$;
-- A number by which a payment, a PI or a beneficiary is known: blanks around it, of whatever kind, make no other one.
CREATE OR REPLACE FUNCTION pg_temp.number_of(told text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT nullif(regexp_replace(pg_temp.text_of(told), format('^[%1$s]+|[%1$s]+$',
        '\s\u0085\u00a0\u00ad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff'), '', 'g'), '')
$$;
-- It without what is in no number: a payment is known here by that, though a row that needs it is left out by `rules`.
CREATE OR REPLACE FUNCTION pg_temp.plain_of(told text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT nullif(regexp_replace(pg_temp.number_of(told), '[^\x21-\x7e]', '', 'g'), '')
$$;
-- It with a ? for each of those; NULL where it has none.
CREATE OR REPLACE FUNCTION pg_temp.odd_of(told text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN pg_temp.number_of(told) ~ '[^\x21-\x7e]'
                THEN regexp_replace(pg_temp.number_of(told), '[^\x21-\x7e]', '?', 'g') END
$$;
CREATE OR REPLACE FUNCTION pg_temp.day_of(told text) RETURNS date LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN told ~ '^20[0-9]{2}-[0-9]{2}-[0-9]{2}' AND pg_input_is_valid(left(told, 10), 'date')
                THEN left(told, 10)::date END
$$;
-- Epoch milliseconds; an earlier version wrote seconds, and 1 where it could not read the date. What is not between
-- 2000 and 2099 is no time of a payment's.
CREATE OR REPLACE FUNCTION pg_temp.instant_of(told text) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN told::numeric >= 946771200 AND told::numeric < 4102358400
                THEN to_timestamp(told::double precision)
                WHEN told::numeric >= 946771200000 AND told::numeric < 4102358400000
                THEN to_timestamp((told::numeric / 1000)::double precision) END
$$;
CREATE OR REPLACE FUNCTION pg_temp.year_of(day date) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT y || '-' || lpad(((y + 1) % 100)::text, 2, '0')
    FROM (SELECT extract(year FROM day)::int - CASE WHEN extract(month FROM day) < 4 THEN 1 ELSE 0 END AS y) t
$$;

CREATE TEMP TABLE java_sanction ON COMMIT DROP AS
SELECT r->>'id' AS id, r->>'tenantid' AS tenant_id, r->>'hoacode' AS hoa_code, r->>'ddocode' AS ddo_code,
       r->>'masterallotmentid' AS master_id, (r->>'sanctionedamount')::numeric AS sanctioned,
       pg_temp.text_of(r->>'financialyear') AS financial_year, pg_temp.instant_of(r->>'createdtime') AS created,
       pg_temp.instant_of(r->>'lastmodifiedtime') AS modified, f.n AS summaries, f.allotted, f.available,
       u.ssu_id, u.grantee_code, h.scheme_code
FROM java_row
CROSS JOIN LATERAL (SELECT content AS r) c
LEFT JOIN (SELECT content->>'sanctionid' AS sanction_id, count(*) AS n,
                  sum((content->>'allottedamount')::numeric) AS allotted,
                  sum((content->>'availableamount')::numeric) AS available
           FROM java_row WHERE source = 'jit_funds_summary' GROUP BY 1) f ON f.sanction_id = r->>'id'
LEFT JOIN java_unit u ON (u.tenant_id, u.ddo_code) = (r->>'tenantid', r->>'ddocode')
LEFT JOIN java_head h ON h.hoa_code = r->>'hoacode'
WHERE source = 'jit_sanction_details';
CREATE INDEX ON java_sanction (id);

CREATE TEMP TABLE java_allotment ON COMMIT DROP AS
SELECT place, r->>'id' AS id, r->>'sanctionid' AS sanction_id, (r->>'allotmentserialno')::int AS serial_no,
       pg_temp.text_of(r->>'ssuallotmentid') AS ssu_allotment_id, (r->>'allotmentamount')::numeric AS amount,
       CASE lower(btrim(r->>'allotmenttransactiontype')) WHEN 'initial allotment' THEN 'INITIAL'
           WHEN 'additional allotment' THEN 'ADDITIONAL' WHEN 'allotment withdrawal' THEN 'WITHDRAWAL' END AS kind,
       r->>'allotmenttransactiontype' AS reported_kind, (r->>'sanctionbalance')::numeric AS balance,
       (pg_temp.instant_of(r->>'allotmentdate') AT TIME ZONE 'UTC')::date AS day,
       pg_temp.instant_of(r->>'createdtime') AS created,
       -- The same allotment told again; the first telling counts.
       row_number() OVER (PARTITION BY r->>'sanctionid', r->>'ssuallotmentid', r->>'allotmentserialno'
                          ORDER BY (r->>'createdtime')::numeric, place) > 1 AS repeated
FROM java_row CROSS JOIN LATERAL (SELECT content AS r) c WHERE source = 'jit_allotment_details';
CREATE INDEX ON java_allotment (place);
CREATE INDEX ON java_allotment (sanction_id);

CREATE TEMP TABLE java_pi ON COMMIT DROP AS
SELECT r->>'id' AS id, r->>'tenantid' AS tenant_id, pg_temp.number_of(r->>'pinumber') AS pi_number,
       pg_temp.number_of(r->>'parentpinumber') AS parent,
       CASE WHEN pg_temp.number_of(r->>'parentpinumber') IS NULL THEN 'ORIGINAL' ELSE 'REVISED' END AS pi_type,
       -- A PI without a payment is withheld under a name of its own.
       coalesce(pg_temp.plain_of(r->>'muktareferenceid'), 'PI ' || coalesce(r->>'pinumber', r->>'id')) AS payment_number,
       pg_temp.plain_of(r->>'muktareferenceid') IS NOT NULL AS has_payment,
       coalesce(pg_temp.odd_of(r->>'muktareferenceid'), pg_temp.odd_of(r->>'pinumber'),
                pg_temp.odd_of(r->>'parentpinumber')) AS odd,
       (r->>'numbeneficiaries')::int AS n, (r->>'grossamount')::numeric AS gross, (r->>'netamount')::numeric AS net,
       r->>'pistatus' AS reported_status, (r->>'isactive')::boolean AS is_active,
       pg_temp.text_of(r->>'pisuccesscode') AS success_code, pg_temp.text_of(r->>'pisuccessdesc') AS success_description,
       pg_temp.text_of(r->>'piapprovedid') AS approved_id, pg_temp.text_of(r->>'piapprovaldate') AS approval_date,
       pg_temp.text_of(r->>'pierrorresp') AS error,
       CASE WHEN jsonb_typeof(r->'additionaldetails') = 'object' THEN r->'additionaldetails' ELSE '{}' END AS details,
       pg_temp.instant_of(r->>'createdtime') AS created,
       coalesce(pg_temp.instant_of(r->>'lastmodifiedtime'), pg_temp.instant_of(r->>'createdtime')) AS modified,
       -- It told the treasury the UTC clock's time; this adapter tells Odisha's. The same text must come of it.
       date_trunc('second', pg_temp.instant_of(r->>'createdtime') AT TIME ZONE 'UTC') AT TIME ZONE 'Asia/Kolkata'
           AS bill_date,
       a.n AS advices, a.bill_ref, a.fin_year, a.advice_id, a.advice_date, a.token, a.token_date,
       coalesce(t.n, 0) AS transactions, coalesce(t.debits, 0) AS debits, coalesce(t.reversals, 0) AS reversals,
       coalesce(t.debit, 0) AS debit, coalesce(t.reversal, 0) AS reversal, t.sanctions, t.sanction_id, t.debited, t.reversed,
       NULL::text AS target, NULL::text AS route, NULL::int AS generation, NULL::uuid AS ledger_id,
       false AS doubtful  -- FAILED, and the treasury may have it: `doubts`
FROM java_row
CROSS JOIN LATERAL (SELECT content AS r) c
LEFT JOIN (SELECT content->>'piid' AS pi_id, count(*) AS n, max(pg_temp.text_of(content->>'pabillrefnumber')) AS bill_ref,
                  max(pg_temp.text_of(content->>'pafinyear')) AS fin_year,
                  max(pg_temp.text_of(content->>'paadviceid')) AS advice_id,
                  max(pg_temp.text_of(content->>'paadvicedate')) AS advice_date,
                  max(pg_temp.text_of(content->>'patokennumber')) AS token,
                  max(pg_temp.text_of(content->>'patokendate')) AS token_date
           FROM java_row WHERE source = 'jit_payment_advice_details' GROUP BY 1) a ON a.pi_id = r->>'id'
LEFT JOIN (SELECT content->>'paymentinstid' AS pi_id, count(*) AS n,
                  count(*) FILTER (WHERE content->>'transactiontype' = 'DEBIT') AS debits,
                  count(*) FILTER (WHERE content->>'transactiontype' = 'REVERSAL') AS reversals,
                  sum((content->>'transactionamount')::numeric) FILTER (WHERE content->>'transactiontype' = 'DEBIT') AS debit,
                  sum((content->>'transactionamount')::numeric)
                      FILTER (WHERE content->>'transactiontype' = 'REVERSAL') AS reversal,
                  min(pg_temp.instant_of(content->>'createdtime'))
                      FILTER (WHERE content->>'transactiontype' = 'DEBIT') AS debited,
                  min(pg_temp.instant_of(content->>'createdtime'))
                      FILTER (WHERE content->>'transactiontype' = 'REVERSAL') AS reversed,
                  count(DISTINCT content->>'sanctionid') AS sanctions, min(content->>'sanctionid') AS sanction_id
           FROM java_row WHERE source = 'jit_transaction_details' GROUP BY 1) t ON t.pi_id = r->>'id'
WHERE source = 'jit_payment_inst_details';
CREATE INDEX ON java_pi (id);
CREATE INDEX ON java_pi (tenant_id, payment_number);
CREATE INDEX ON java_pi (pi_number);

CREATE TEMP TABLE java_beneficiary ON COMMIT DROP AS
SELECT r->>'id' AS id, r->>'piid' AS pi_id, pg_temp.number_of(r->>'beneficiarynumber') AS number,
       pg_temp.odd_of(r->>'beneficiarynumber') AS odd,
       pg_temp.text_of(r->>'beneficiaryid') AS payee_id, r->>'beneficiarytype' AS payee_type,
       coalesce(pg_temp.text_of(r->>'bankaccountid'), pg_temp.text_of(r->>'bankaccountcode'), '') AS bank_account_id,
       (r->>'amount')::numeric AS amount, r->>'paymentstatus' AS reported_status,
       pg_temp.text_of(r->>'paymentstatusmessage') AS message, pg_temp.text_of(r->>'vouchernumber') AS voucher_number,
       (pg_temp.instant_of(r->>'voucherdate') AT TIME ZONE 'UTC')::date AS voucher_date,
       pg_temp.text_of(r->>'utrno') AS utr_number, pg_temp.day_of(r->>'utrdate') AS utr_date,
       pg_temp.text_of(r->>'endtoendid') AS end_to_end_id, pg_temp.text_of(r->>'challannumber') AS challan_number,
       pg_temp.day_of(r->>'challandate') AS challan_date,
       coalesce(pg_temp.instant_of(r->>'lastmodifiedtime'), pg_temp.instant_of(r->>'createdtime')) AS modified,
       l.lines, NULL::text AS target, NULL::text AS route, NULL::date AS failed_on, NULL::uuid AS ledger_id
FROM java_row
CROSS JOIN LATERAL (SELECT content AS r) c
LEFT JOIN (SELECT content->>'beneficiaryid' AS beneficiary_id,
                  CASE WHEN bool_and(pg_temp.text_of(content->>'lineitemid') IS NOT NULL)
                      THEN array_agg(content->>'lineitemid' ORDER BY place) END AS lines
           FROM java_row WHERE source = 'jit_beneficiary_lineitems' GROUP BY 1) l ON l.beneficiary_id = r->>'id'
WHERE source = 'jit_beneficiary_details';
CREATE INDEX ON java_beneficiary (id);
CREATE INDEX ON java_beneficiary (pi_id);

-- What each PI's beneficiaries come to.
CREATE TEMP TABLE java_tally ON COMMIT DROP AS
SELECT pi_id, count(*) AS n, sum(amount) AS total, count(*) FILTER (WHERE reported_status = 'Payment Failed') AS failed,
       count(*) FILTER (WHERE reported_status NOT IN ('Payment Failed', 'Payment Successful')) AS waiting,
       max(voucher_date) AS paid_on
FROM java_beneficiary GROUP BY pi_id;
CREATE INDEX ON java_tally (pi_id);

-- Where each stands in this ledger. The Java adapter called a PI SUCCESSFUL or PARTIAL with the first scroll: while some
-- of its beneficiaries have neither scroll nor failure, here it still waits for them.
UPDATE java_pi p SET target = CASE
    WHEN reported_status IN ('SUCCESSFUL', 'PARTIAL') AND t.waiting > 0
        THEN CASE pi_type WHEN 'ORIGINAL' THEN 'IN PROCESS' ELSE 'INITIATED' END
    WHEN reported_status IN ('INITIATED', 'SUCCESSFUL', 'PARTIAL', 'COMPLETED', 'FAILED') THEN reported_status
    WHEN reported_status IN ('APPROVED', 'IN PROCESS') AND pi_type = 'ORIGINAL' THEN reported_status END
FROM java_tally t WHERE t.pi_id = p.id;
UPDATE java_pi SET route = pi_type || ' ' || CASE
    WHEN target = 'FAILED' AND pi_type = 'ORIGINAL' THEN CASE WHEN debits > 0 THEN 'REJECTED' ELSE 'DECLINED' END
    ELSE target END;
UPDATE java_beneficiary b SET
    target = CASE
        WHEN p.target = 'FAILED' THEN 'Payment Failed'
        WHEN p.pi_type = 'REVISED' AND b.reported_status = 'Payment Initiated' THEN 'Payment In Process'
        ELSE b.reported_status END,
    failed_on = CASE WHEN b.reported_status = 'Payment Failed' AND p.target <> 'FAILED'
        THEN coalesce(b.challan_date, b.voucher_date, (b.modified AT TIME ZONE 'Asia/Kolkata')::date) END
FROM java_pi p WHERE p.id = b.pi_id;
UPDATE java_beneficiary b SET route = CASE p.route WHEN 'ORIGINAL REJECTED' THEN 'REJECTED'
        ELSE p.pi_type || ' ' || b.target END
FROM java_pi p WHERE p.id = b.pi_id;

-- The steps of each route, in their order.
CREATE TEMP TABLE java_step (subject text, route text, n int, from_status text, to_status text) ON COMMIT DROP;
INSERT INTO java_step
SELECT subject, route, n::int, steps[n], steps[n + 1] FROM (VALUES
    ('PI', 'ORIGINAL INITIATED', ARRAY['PENDING', 'INITIATED']),
    ('PI', 'ORIGINAL APPROVED', ARRAY['PENDING', 'INITIATED', 'APPROVED']),
    ('PI', 'ORIGINAL IN PROCESS', ARRAY['PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS']),
    ('PI', 'ORIGINAL SUCCESSFUL', ARRAY['PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS', 'SUCCESSFUL']),
    ('PI', 'ORIGINAL PARTIAL', ARRAY['PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS', 'SUCCESSFUL', 'PARTIAL']),
    ('PI', 'ORIGINAL COMPLETED',
        ARRAY['PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS', 'SUCCESSFUL', 'PARTIAL', 'COMPLETED']),
    ('PI', 'ORIGINAL DECLINED', ARRAY['PENDING', 'FAILED']),
    ('PI', 'ORIGINAL REJECTED', ARRAY['PENDING', 'INITIATED', 'FAILED']),
    ('PI', 'REVISED INITIATED', ARRAY['PENDING', 'INITIATED']),
    ('PI', 'REVISED SUCCESSFUL', ARRAY['PENDING', 'INITIATED', 'SUCCESSFUL']),
    ('PI', 'REVISED PARTIAL', ARRAY['PENDING', 'INITIATED', 'SUCCESSFUL', 'PARTIAL']),
    ('PI', 'REVISED COMPLETED', ARRAY['PENDING', 'INITIATED', 'SUCCESSFUL', 'PARTIAL', 'COMPLETED']),
    ('PI', 'REVISED FAILED', ARRAY['PENDING', 'FAILED']),
    ('B', 'REJECTED', ARRAY['Pending', 'Initiated', 'Failed']),
    ('B', 'ORIGINAL Payment Initiated', ARRAY['Pending', 'Initiated']),
    ('B', 'ORIGINAL Payment In Process', ARRAY['Pending', 'Initiated', 'In Process']),
    ('B', 'ORIGINAL Payment Successful', ARRAY['Pending', 'Initiated', 'In Process', 'Successful']),
    ('B', 'ORIGINAL Payment Failed', ARRAY['Pending', 'Initiated', 'In Process', 'Successful', 'Failed']),
    ('B', 'REVISED Payment In Process', ARRAY['Pending', 'In Process']),
    ('B', 'REVISED Payment Successful', ARRAY['Pending', 'In Process', 'Successful']),
    ('B', 'REVISED Payment Failed', ARRAY['Pending', 'In Process', 'Successful', 'Failed'])
) AS known (subject, route, steps) CROSS JOIN LATERAL generate_series(1, cardinality(steps) - 1) n;
UPDATE java_step SET from_status = 'Payment ' || from_status, to_status = 'Payment ' || to_status WHERE subject = 'B';

-- The order in which a payment's PIs are written, as they were made: a beneficiary is in one at a time. But those that
-- have FAILED before the others: an original, or a revision, is under way one at a time, and they may have been tried later.
UPDATE java_pi p SET generation = g.n
FROM (SELECT id, row_number() OVER (PARTITION BY tenant_id, payment_number
                                    ORDER BY pi_type, target <> 'FAILED', created, pi_number) AS n FROM java_pi) g
WHERE g.id = p.id;

-- What of it is in this ledger already.
UPDATE java_pi p SET ledger_id = i.id FROM ifms.payment_instruction i WHERE i.pi_number = p.pi_number AND i.imported_at IS NOT NULL;
UPDATE java_beneficiary b SET ledger_id = l.id FROM java_pi p, ifms.beneficiary l
WHERE p.id = b.pi_id AND l.payment_instruction_id = p.ledger_id AND l.beneficiary_number = b.number;

-- What does not fit: filled by `rules`.
CREATE TEMP TABLE java_misfit (
    scope text, tenant_id text, name text, about text, why text, remedy text
) ON COMMIT DROP;
ANALYZE java_row, java_sanction, java_allotment, java_pi, java_beneficiary, java_tally;
