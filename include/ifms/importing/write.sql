-- The rows that fit, written into the ledger. Headings: `-- part: name`; `write.py` says when.

-- part: fit
-- What fits, with its rows; nothing else is read from here on.
CREATE TEMP TABLE fit_sanction ON COMMIT DROP AS
    SELECT * FROM java_sanction s
    WHERE NOT EXISTS (SELECT FROM java_misfit m WHERE (m.scope, m.tenant_id, m.name) = ('sanction', s.tenant_id, s.id));
CREATE TEMP TABLE fit_pi ON COMMIT DROP AS
    SELECT * FROM java_pi p
    WHERE NOT EXISTS (
        SELECT FROM java_misfit m WHERE (m.scope, m.tenant_id, m.name) = ('payment', p.tenant_id, p.payment_number));
CREATE INDEX ON fit_pi (id);
CREATE TEMP TABLE fit_beneficiary ON COMMIT DROP AS
    SELECT b.* FROM java_beneficiary b JOIN fit_pi p ON p.id = b.pi_id;
CREATE INDEX ON fit_beneficiary (id);
CREATE INDEX ON fit_beneficiary (pi_id);
CREATE TEMP TABLE fit_row ON COMMIT DROP AS
    SELECT source, content, place, md5(content::text) AS digest,
           CASE source WHEN 'jit_allotment_details' THEN
               concat_ws('/', content->>'id', content->>'sanctionid', content->>'ssuallotmentid',
                         content->>'allotmentserialno', content->>'createdtime')
               ELSE content->>'id' END AS source_id
    FROM java_row r WHERE CASE source
        WHEN 'jit_sanction_details' THEN EXISTS (SELECT FROM fit_sanction s WHERE s.id = content->>'id')
        WHEN 'jit_funds_summary' THEN EXISTS (SELECT FROM fit_sanction s WHERE s.id = content->>'sanctionid')
        WHEN 'jit_allotment_details' THEN EXISTS (SELECT FROM fit_sanction s JOIN java_allotment a ON a.sanction_id = s.id
                                                  WHERE a.place = r.place AND NOT a.repeated)
        WHEN 'jit_payment_inst_details' THEN EXISTS (SELECT FROM fit_pi p WHERE p.id = content->>'id')
        WHEN 'jit_transaction_details' THEN EXISTS (SELECT FROM fit_pi p WHERE p.id = content->>'paymentinstid')
        WHEN 'jit_beneficiary_lineitems' THEN EXISTS (
            SELECT FROM fit_beneficiary b WHERE b.id = content->>'beneficiaryid')
        WHEN 'jit_executed_va_logs' THEN EXISTS (SELECT FROM java_unit u WHERE (u.tenant_id, u.ddo_code)
                                                 = (content->>'tenantid', content->>'ddocode'))
        ELSE EXISTS (SELECT FROM fit_pi p WHERE p.id = content->>'piid') END;
CREATE INDEX ON fit_row (source);
ANALYZE fit_sanction, fit_pi, fit_beneficiary, fit_row;

-- part: withhold
-- What does not fit must not be paid anew, and what it has spent is not there for others.
INSERT INTO ifms.import_withheld AS w
    (tenant_id, payment_number, hoa_code, ddo_code, master_allotment_id, amount, reason)
WITH reasons AS (
    SELECT tenant_id, name, string_agg(about || ': ' || why, '; ' ORDER BY about, why) AS said
    FROM java_misfit WHERE scope = 'payment' GROUP BY 1, 2
), spent AS (
    SELECT coalesce(p.tenant_id, t.content->>'tenantid') AS tenant_id,
           coalesce(p.payment_number, 'transactions of PI ' || (t.content->>'paymentinstid')) AS name,
           s.hoa_code, s.ddo_code, s.master_id, s.tenant_id AS of_tenant,
           sum(CASE t.content->>'transactiontype' WHEN 'REVERSAL' THEN -1 ELSE 1 END
               * (t.content->>'transactionamount')::numeric) AS amount
    FROM java_row t
    LEFT JOIN java_sanction s ON s.id = t.content->>'sanctionid'
    -- What another city's PI took is withheld from the sanction's own city, which has no such payment.
    LEFT JOIN java_pi p ON p.id = t.content->>'paymentinstid' AND p.tenant_id = s.tenant_id
    WHERE t.source = 'jit_transaction_details' GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT coalesce(r.tenant_id, s.of_tenant, s.tenant_id), coalesce(r.name, s.name), s.hoa_code, s.ddo_code, s.master_id,
       greatest(coalesce(s.amount, 0), 0),
       left(coalesce(r.said, 'its transactions belong to no payment instruction of its city'), 4000)
FROM reasons r
FULL JOIN (SELECT * FROM spent s WHERE EXISTS (SELECT FROM reasons r WHERE (r.tenant_id, r.name) = (s.tenant_id, s.name))
                                    OR s.name LIKE 'transactions of PI %' AND s.amount <> 0) s
  ON (s.tenant_id, s.name) = (r.tenant_id, r.name)
ON CONFLICT (tenant_id, payment_number, hoa_code, ddo_code, master_allotment_id)
DO UPDATE SET amount = excluded.amount, reason = excluded.reason, last_told_at = now(), settled_at = NULL;
-- Settled is what was read now, and fits. What is not there any more may be missing from this copy alone.
UPDATE ifms.import_withheld w SET settled_at = now()
WHERE w.settled_at IS NULL AND w.last_told_at <> now() AND (
    EXISTS (SELECT FROM fit_pi p WHERE p.tenant_id = w.tenant_id
            AND (ifms.plain_number(w.payment_number) = ifms.plain_number(p.payment_number)
                 OR w.payment_number IN ('PI ' || p.pi_number, 'PI ' || p.id)))
    OR EXISTS (SELECT FROM java_pi p WHERE w.payment_number = 'transactions of PI ' || p.id)
    OR (w.tenant_id, w.payment_number) IN (SELECT tenant_id, name FROM java_removed));

-- part: funds
INSERT INTO ifms.sanction (id, tenant_id, hoa_code, ddo_code, ssu_id, grantee_code, scheme_code, master_allotment_id,
    financial_year, sanctioned_amount, created_at)
SELECT CASE WHEN pg_input_is_valid(s.id, 'uuid') AND NOT EXISTS (
                SELECT FROM ifms.sanction l WHERE l.id = CASE WHEN pg_input_is_valid(s.id, 'uuid') THEN s.id::uuid END)
            THEN s.id::uuid ELSE gen_random_uuid() END,
       s.tenant_id, s.hoa_code, s.ddo_code, s.ssu_id, s.grantee_code, s.scheme_code, s.master_id,
       coalesce((SELECT pg_temp.year_of(min(a.day)) FROM java_allotment a WHERE a.sanction_id = s.id), s.financial_year),
       s.sanctioned, s.created
FROM fit_sanction s
ON CONFLICT (tenant_id, hoa_code, ddo_code, master_allotment_id) DO NOTHING;

CREATE TEMP TABLE sanction_here ON COMMIT DROP AS
    SELECT s.id AS java_id, l.* FROM fit_sanction s JOIN ifms.sanction l
    ON (l.tenant_id, l.hoa_code, l.ddo_code, l.master_allotment_id) = (s.tenant_id, s.hoa_code, s.ddo_code, s.master_id);

INSERT INTO ifms.allotment (tenant_id, hoa_code, ddo_code, grantee_code, ssu_id, scheme_code, master_allotment_id,
    ssu_allotment_id, serial_no, kind, amount, sanction_balance, allotment_date, sanction_id, received_at)
SELECT s.tenant_id, s.hoa_code, s.ddo_code, s.grantee_code, s.ssu_id, s.scheme_code, s.master_allotment_id,
       a.ssu_allotment_id, a.serial_no, a.kind, a.amount, a.balance, a.day, s.id, coalesce(a.created, now())
FROM java_allotment a JOIN sanction_here s ON s.java_id = a.sanction_id WHERE NOT a.repeated
ON CONFLICT (tenant_id, hoa_code, ddo_code, master_allotment_id, ssu_allotment_id, serial_no) DO NOTHING;

-- One that waited here for its initial allotment counts now.
UPDATE ifms.allotment a SET sanction_id = s.id FROM sanction_here s
WHERE a.sanction_id IS NULL AND (a.tenant_id, a.hoa_code, a.ddo_code, a.master_allotment_id)
    = (s.tenant_id, s.hoa_code, s.ddo_code, s.master_allotment_id);

INSERT INTO ifms.va_watermark (tenant_id, hoa_code, ddo_code, grantee_code, ssu_id, fetched_until)
SELECT DISTINCT ON (1, 2, 3, 4) content->>'tenantid', content->>'hoacode', content->>'ddocode', content->>'granteecode',
       u.ssu_id, pg_temp.instant_of(content->>'lastexecuted')
FROM fit_row JOIN java_unit u ON (u.tenant_id, u.ddo_code) = (content->>'tenantid', content->>'ddocode')
WHERE source = 'jit_executed_va_logs' ORDER BY 1, 2, 3, 4, 6
ON CONFLICT (tenant_id, hoa_code, ddo_code, grantee_code)
DO UPDATE SET fetched_until = coalesce(va_watermark.fetched_until, excluded.fetched_until);

-- part: instructions
-- A payment's PIs one after the other, each from PENDING to where it stands: a beneficiary is live in one of them only.
-- One that has FAILED is that from its first row on: its payment, or its beneficiaries, may have another one here by now.
-- A beneficiary starts where it stands, and goes on by the steps if a later import finds it elsewhere.
INSERT INTO ifms.payment_instruction (id, tenant_id, pi_number, pi_type, parent_pi_number, payment_number, is_active,
    sanction_id, hoa_code, ddo_code, ssu_id, grantee_code, scheme_code, master_allotment_id, ssu_allotment_id,
    allotment_serial_no, gross_amount, net_amount, beneficiary_count, bill_date, financial_year, purpose,
    org_bill_ref_number, org_bill_date, additional_details, status, attempts, last_attempt, last_attempt_at, error_code,
    error_message, success_code, success_description, pi_approved_id, pi_approval_date, pa_fin_year, pa_advice_id,
    pa_advice_date, pa_bill_ref_number, pa_token_number, pa_token_date, paid_at, created_at, updated_at, imported_at,
    uncertain)
SELECT CASE WHEN pg_input_is_valid(p.id, 'uuid') AND NOT EXISTS (
                SELECT FROM ifms.payment_instruction l
                WHERE l.id = CASE WHEN pg_input_is_valid(p.id, 'uuid') THEN p.id::uuid END)
            THEN p.id::uuid ELSE gen_random_uuid() END,
       p.tenant_id, p.pi_number, p.pi_type, p.parent, p.payment_number, p.target <> 'FAILED',
       s.id, coalesce(s.hoa_code, ''), coalesce(s.ddo_code, ''), coalesce(s.ssu_id, u.ssu_id, ''), coalesce(s.grantee_code, ''),
       coalesce(s.scheme_code, ''), coalesce(s.master_allotment_id, ''), coalesce(a.ssu_allotment_id, ''),
       coalesce(a.serial_no, 0), p.gross, p.net, t.n, p.bill_date,
       pg_temp.year_of((p.created AT TIME ZONE 'Asia/Kolkata')::date), 'MUKTA', o.bill_ref, o.bill_date,
       -- a revised PI pays bills of its original: it is found by the same numbers
       CASE WHEN o.details IS NULL OR p.details @? '$.billNumber[*]' THEN p.details ELSE p.details || o.details END,
       CASE p.target WHEN 'FAILED' THEN 'FAILED' ELSE 'PENDING' END,
       CASE WHEN p.error = 'PAYMENT_INSUFFICIENT_FUNDS' THEN 0 ELSE 1 END,
       CASE WHEN p.route <> 'ORIGINAL DECLINED' AND p.route <> 'REVISED FAILED' THEN 'answered'
            WHEN p.error = 'PAYMENT_INSUFFICIENT_FUNDS' THEN 'never_sent'
            WHEN p.doubtful THEN 'unknown' ELSE 'rejected' END,
       p.created,
       CASE p.route WHEN 'ORIGINAL REJECTED' THEN 'PAYMENT_DECLINED' WHEN 'ORIGINAL DECLINED' THEN
                CASE WHEN starts_with(p.error, 'PAYMENT_') THEN p.error ELSE 'PAYMENT_FAILED' END
            WHEN 'REVISED FAILED' THEN 'CORRECTION_DECLINED' END,
       p.error, p.success_code, p.success_description, p.approved_id, p.approval_date, p.fin_year, p.advice_id,
       p.advice_date, p.bill_ref, p.token, p.token_date,
       CASE WHEN p.token IS NOT NULL AND p.target <> 'FAILED'
            THEN coalesce(t.paid_on::timestamp AT TIME ZONE 'Asia/Kolkata', p.modified) END,
       p.created, p.modified, now(), p.doubtful
FROM fit_pi p JOIN java_tally t ON t.pi_id = p.id
LEFT JOIN fit_pi o ON p.pi_type = 'REVISED' AND o.pi_number = p.parent
LEFT JOIN sanction_here s ON s.java_id = coalesce(p.sanction_id, o.sanction_id)
LEFT JOIN LATERAL (SELECT ssu_allotment_id, serial_no FROM ifms.allotment
                   WHERE sanction_id = s.id AND kind <> 'WITHDRAWAL' AND received_at <= p.created
                   ORDER BY serial_no DESC, received_at DESC LIMIT 1) a ON true
-- PIS wants an SSU: where no sanction tells it, the city's only one.
LEFT JOIN (SELECT tenant_id, min(ssu_id) AS ssu_id FROM java_unit GROUP BY 1 HAVING count(DISTINCT ssu_id) = 1) u
  ON u.tenant_id = p.tenant_id
WHERE p.ledger_id IS NULL AND p.generation = %(generation)s;

UPDATE fit_pi p SET ledger_id = l.id FROM ifms.payment_instruction l
WHERE p.ledger_id IS NULL AND p.generation = %(generation)s AND l.pi_number = p.pi_number;

INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status, from_status, to_status,
    message, created_at)
SELECT i.id, i.tenant_id, i.payment_number, 'IMPORT', 'STATUS_LOG_IMPORT_SUCCESS', s.from_status, s.to_status,
       'as the Java adapter had it', p.modified
FROM fit_pi p JOIN ifms.payment_instruction i ON i.id = p.ledger_id
JOIN java_step s ON s.subject = 'PI' AND s.route = p.route
WHERE p.target = 'FAILED' AND i.imported_at = now() AND p.generation = %(generation)s ORDER BY i.id, s.n;

INSERT INTO ifms.beneficiary (payment_instruction_id, beneficiary_number, beneficiary_id, beneficiary_type, amount,
    line_item_ids, name, account_last4, account_type, ifsc, bank_account_id, mobile, address, status_message,
    voucher_number, voucher_date, utr_number, utr_date, end_to_end_id, challan_number, challan_date, failed_on,
    created_at, updated_at, status, imported_as)
SELECT p.ledger_id, b.number, b.payee_id, b.payee_type, b.amount, b.lines, '', '', '', '', b.bank_account_id, '', '',
       b.message, b.voucher_number, b.voucher_date, b.utr_number, b.utr_date, b.end_to_end_id, b.challan_number,
       b.challan_date, b.failed_on, p.created, b.modified, s.status, s.status
FROM fit_beneficiary b JOIN fit_pi p ON p.id = b.pi_id
CROSS JOIN LATERAL (SELECT coalesce((SELECT to_status FROM java_step WHERE (subject, route) = ('B', b.route)
                                     ORDER BY n DESC LIMIT 1), 'Payment Pending')) AS s (status)
WHERE b.ledger_id IS NULL AND p.generation = %(generation)s;

-- Nothing else tells the planner in time how large they have become.
ANALYZE ifms.payment_instruction, ifms.beneficiary;

UPDATE fit_beneficiary b SET ledger_id = l.id FROM fit_pi p, ifms.beneficiary l
WHERE p.id = b.pi_id AND p.generation = %(generation)s AND b.ledger_id IS NULL
  AND l.payment_instruction_id = p.ledger_id AND l.beneficiary_number = b.number;

-- What the Java adapter has heard since an earlier import.
UPDATE ifms.payment_instruction i SET pi_approved_id = coalesce(i.pi_approved_id, p.approved_id),
    pi_approval_date = coalesce(i.pi_approval_date, p.approval_date), pa_fin_year = coalesce(i.pa_fin_year, p.fin_year),
    pa_advice_id = coalesce(i.pa_advice_id, p.advice_id), pa_advice_date = coalesce(i.pa_advice_date, p.advice_date),
    pa_bill_ref_number = coalesce(i.pa_bill_ref_number, p.bill_ref),
    pa_token_number = coalesce(i.pa_token_number, p.token), pa_token_date = coalesce(i.pa_token_date, p.token_date),
    paid_at = coalesce(i.paid_at, CASE WHEN p.token IS NOT NULL AND p.target <> 'FAILED' THEN p.modified END),
    error_message = CASE WHEN p.target = 'FAILED' THEN p.error ELSE i.error_message END,
    error_code = CASE WHEN p.target = 'FAILED' THEN 'PAYMENT_DECLINED' ELSE i.error_code END, updated_at = p.modified,
    is_active = p.target <> 'FAILED', claim_token = NULL, claimed_until = NULL
FROM fit_pi p JOIN java_step s ON s.subject = 'PI' AND s.route = p.route
WHERE i.id = p.ledger_id AND i.status = s.from_status AND i.imported_at <> now() AND p.generation = %(generation)s;
UPDATE ifms.beneficiary l SET status_message = b.message, voucher_number = b.voucher_number,
    voucher_date = b.voucher_date, utr_number = b.utr_number, utr_date = b.utr_date, end_to_end_id = b.end_to_end_id,
    challan_number = b.challan_number, challan_date = b.challan_date, failed_on = b.failed_on, updated_at = b.modified
FROM fit_beneficiary b JOIN fit_pi p ON p.id = b.pi_id JOIN java_step s ON s.subject = 'B' AND s.route = b.route
WHERE l.id = b.ledger_id AND l.status = s.from_status AND p.generation = %(generation)s;

-- part: beneficiary step
UPDATE ifms.beneficiary l SET status = s.to_status, imported_as = s.to_status
FROM fit_beneficiary b JOIN fit_pi p ON p.id = b.pi_id JOIN java_step s ON s.subject = 'B' AND s.route = b.route
WHERE l.id = b.ledger_id AND l.status = s.from_status AND p.generation = %(generation)s AND s.n = %(n)s

-- part: instruction step
WITH moved AS (
    UPDATE ifms.payment_instruction i SET status = s.to_status
    FROM fit_pi p JOIN java_step s ON s.subject = 'PI' AND s.route = p.route
    WHERE i.id = p.ledger_id AND i.status = s.from_status AND p.generation = %(generation)s AND s.n = %(n)s
    RETURNING i.id, i.tenant_id, i.payment_number, s.from_status, s.to_status, p.modified
)
INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status, from_status, to_status,
    message, created_at)
SELECT id, tenant_id, payment_number, 'IMPORT', 'STATUS_LOG_IMPORT_SUCCESS', from_status, to_status,
       'as the Java adapter had it', modified FROM moved

-- part: money
INSERT INTO ifms.fund_movement (sanction_id, kind, amount, allotment_id, payment_instruction_id, created_at)
SELECT sanction_id, kind, amount, allotment_id, pi_id, at FROM (
    SELECT a.sanction_id, CASE a.kind WHEN 'WITHDRAWAL' THEN 'WITHDRAWAL' ELSE 'ALLOTMENT' END AS kind, a.amount,
           a.id AS allotment_id, NULL::uuid AS pi_id, a.received_at AS at, a.serial_no AS place
    FROM ifms.allotment a JOIN sanction_here s ON s.id = a.sanction_id
    WHERE a.amount > 0 AND NOT EXISTS (SELECT FROM ifms.fund_movement m WHERE m.allotment_id = a.id)
    UNION ALL
    SELECT i.sanction_id, k.kind, i.net_amount, NULL, i.id, coalesce(k.at, p.created), k.place
    FROM fit_pi p JOIN ifms.payment_instruction i ON i.id = p.ledger_id
    CROSS JOIN LATERAL (VALUES ('RESERVE', p.created, 1000000001), ('DEBIT', p.debited, 1000000002),
                               ('REVERSAL', p.reversed, 1000000003)) k (kind, at, place)
    WHERE p.debits > 0 AND (k.kind <> 'REVERSAL' OR p.reversals > 0)
      AND NOT EXISTS (SELECT FROM ifms.fund_movement m WHERE m.payment_instruction_id = i.id AND m.kind = k.kind)
) moves
ORDER BY sanction_id, kind IN ('ALLOTMENT') DESC, at, place;

-- part: payments
-- Since when each stands where it stands: what a step here has changed, the Java adapter had changed before.
UPDATE ifms.payment_instruction i SET status_since = p.modified
FROM fit_pi p WHERE i.id = p.ledger_id AND now() IN (i.status_since, i.imported_at);

-- Numbers that the treasury may have: of this import, or taken for refused by an earlier one.
CREATE TEMP TABLE new_doubt ON COMMIT DROP AS
    SELECT i.id, i.tenant_id, i.payment_number FROM fit_pi p JOIN ifms.payment_instruction i ON i.id = p.ledger_id
    WHERE p.doubtful AND i.status = 'FAILED' AND (i.imported_at = now() OR NOT i.uncertain);
UPDATE ifms.payment_instruction i SET uncertain = true, last_attempt = 'unknown' FROM new_doubt d
WHERE d.id = i.id AND NOT i.uncertain;

-- Those that are known to be refused only as long as a phrase of the site says so.
INSERT INTO ifms.ended_by_phrase (phrase_id, payment_instruction_id)
SELECT DISTINCT e.phrase_id, i.id FROM java_ended e JOIN fit_pi p ON p.id = e.id
JOIN ifms.payment_instruction i ON i.id = p.ledger_id AND i.status = 'FAILED'
ON CONFLICT DO NOTHING;

-- Which payments are paid, and what holds back those whose PI has FAILED.
INSERT INTO ifms.payment (tenant_id, payment_number, payment_id, amount, raised_at)
SELECT DISTINCT ON (tenant_id, payment_number) tenant_id, payment_number, '', net,
       min(created) OVER (PARTITION BY tenant_id, payment_number)
FROM fit_pi WHERE pi_type = 'ORIGINAL' ORDER BY tenant_id, payment_number, target = 'FAILED', created DESC
ON CONFLICT (tenant_id, payment_number) DO NOTHING;

WITH freed AS (
    UPDATE ifms.payment y SET paid_by = NULL FROM ifms.payment_instruction i
    WHERE i.id = y.paid_by AND i.status = 'FAILED' AND i.imported_at IS NOT NULL
    RETURNING y.tenant_id, y.payment_number
)
INSERT INTO new_doubt SELECT i.id, i.tenant_id, i.payment_number
FROM freed JOIN ifms.payment_instruction i USING (tenant_id, payment_number) WHERE i.status = 'FAILED' AND i.uncertain;
UPDATE ifms.payment y SET paid_by = i.id, hold_code = NULL, hold_message = NULL, held_since = NULL, claim_token = NULL,
    claimed_until = NULL
FROM fit_pi p JOIN ifms.payment_instruction i ON i.id = p.ledger_id AND i.status <> 'FAILED'
WHERE p.pi_type = 'ORIGINAL' AND (y.tenant_id, y.payment_number) = (p.tenant_id, p.payment_number) AND y.paid_by IS NULL;

-- Whatever holds it back already, and whoever is at work on it: a person looks first. Once released it is asked about.
UPDATE ifms.payment y SET held_since = now(), claim_token = NULL, claimed_until = NULL, hold_code = 'PI_IN_DOUBT',
    hold_message = 'the treasury may have ' || n.numbers || ', FAILED without an answer that is known to refuse a bill: '
        'let the payment be resubmitted, and the treasury is asked about each before it gets another'
FROM (SELECT i.tenant_id, i.payment_number, string_agg('PI ' || i.pi_number, ', ' ORDER BY i.created_at, i.pi_number)
          AS numbers
      FROM ifms.payment_instruction i
      WHERE i.status = 'FAILED' AND i.uncertain
        AND EXISTS (SELECT FROM new_doubt d WHERE (d.tenant_id, d.payment_number) = (i.tenant_id, i.payment_number))
      GROUP BY 1, 2) n
WHERE (y.tenant_id, y.payment_number) = (n.tenant_id, n.payment_number) AND y.paid_by IS NULL;

UPDATE ifms.payment y SET held_since = now(),
    hold_code = CASE WHEN p.error = 'PAYMENT_INSUFFICIENT_FUNDS' THEN p.error ELSE 'PI_REJECTED' END,
    hold_message = 'the Java adapter''s PI ' || p.pi_number || CASE
        WHEN p.route = 'ORIGINAL REJECTED' THEN ' was rejected: ' || coalesce(p.error, 'no reason is kept')
        WHEN p.error = 'PAYMENT_INSUFFICIENT_FUNDS' THEN ' was never sent: no sanction had its amount'
        ELSE ' was not accepted: ' || coalesce(p.error, 'no reason is kept') END
FROM (SELECT DISTINCT ON (tenant_id, payment_number) * FROM fit_pi WHERE pi_type = 'ORIGINAL'
      ORDER BY tenant_id, payment_number, created DESC) p
WHERE (y.tenant_id, y.payment_number) = (p.tenant_id, p.payment_number) AND y.paid_by IS NULL AND y.hold_code IS NULL
  AND NOT EXISTS (SELECT FROM ifms.import_row r WHERE r.source = 'jit_payment_inst_details' AND r.source_id = p.id
                  AND r.content->>'pistatus' = 'FAILED');

-- part: history
INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status, message, created_at)
SELECT p.ledger_id, p.tenant_id, p.payment_number, r.content->>'serviceid', r.content->>'status',
       CASE WHEN jsonb_typeof(r.content->'additionaldetails') = 'string' THEN r.content->>'additionaldetails' END,
       coalesce(pg_temp.instant_of(r.content->>'createdtime'), p.modified)
FROM fit_row r JOIN fit_pi p ON p.id = r.content->>'piid'
WHERE r.source = 'jit_pi_status_logs'
  AND NOT EXISTS (SELECT FROM ifms.import_row k WHERE (k.source, k.source_id) = (r.source, r.source_id))
ORDER BY 7, r.place;

INSERT INTO ifms.import_row (source, source_id, digest, content)
SELECT source, source_id, digest, content FROM fit_row ON CONFLICT DO NOTHING;
