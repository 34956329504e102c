-- What must hold of the Java adapter's rows before they are taken in. A rule's query finds the rows that break it:
-- (tenant, name of what is left out, which row, why it does not fit). In this order: what is said of sanctions leaves
-- out payments. Headings: `-- rule: what is left out (a sanction by its id, a payment by its number, a row) | what to do`.

-- rule: sanction | name it in --units (see --help), or make it active in the master data, and run the import again
SELECT s.tenant_id, s.id, 'sanction ' || s.master_id || ' (' || s.id || ')', 'master data has no spending unit of '
        || s.tenant_id || ' with DDO ' || s.ddo_code
FROM java_sanction s
WHERE s.ssu_id IS NULL

-- rule: sanction | name it in --units (see --help), or make it active in the master data, and run the import again
SELECT s.tenant_id, s.id, 'sanction ' || s.master_id || ' (' || s.id || ')',
        'master data has no scheme of head of account ' || s.hoa_code
FROM java_sanction s
WHERE s.scheme_code IS NULL

-- rule: sanction | mend the row in the Java adapter's database and run the import again
SELECT s.tenant_id, s.id, 'sanction ' || s.master_id || ' (' || s.id || ')', 'it has no amount, no time, or no year'
FROM java_sanction s
WHERE s.sanctioned IS NULL
    OR s.sanctioned = 'NaN'
    OR s.created IS NULL
    OR s.financial_year !~ '^[0-9]{4}-[0-9]{2}$'

-- rule: sanction | join them into one, with its allotments and transactions, and run the import again
SELECT s.tenant_id, s.id, 'sanction ' || s.master_id || ' (' || s.id || ')', 'there are ' || n.n
        || ' sanctions of this city, head of account, DDO and number'
FROM java_sanction s
JOIN (SELECT tenant_id, hoa_code, ddo_code, master_id, count(*) AS n
FROM java_sanction
GROUP BY 1, 2, 3, 4
HAVING count(*) > 1) n USING (tenant_id, hoa_code, ddo_code, master_id)

-- rule: sanction | mend the row in the Java adapter's database and run the import again
SELECT s.tenant_id, s.id, 'sanction ' || s.master_id || ' (' || s.id || ')', 'its allotment '
        || coalesce(a.ssu_allotment_id, '?') || '/' || coalesce(a.serial_no::text, '?') || ' of '
        || coalesce(a.amount::text, 'nothing') || ' (' || coalesce(a.reported_kind, 'no type') || ') can''t be read'
FROM java_sanction s
JOIN java_allotment a ON a.sanction_id = s.id
WHERE a.kind IS NULL
    OR a.amount IS NULL
    OR a.amount < 0
    OR a.amount = 'NaN'
    OR a.serial_no IS NULL
    OR a.ssu_allotment_id IS NULL
    OR a.day IS NULL
    OR a.balance IS NULL

-- rule: sanction | ask the treasury which is right, remove the other and run the import again
SELECT s.tenant_id, s.id, 'sanction ' || s.master_id || ' (' || s.id || ')', 'allotment ' || a.ssu_allotment_id
        || '/' || a.serial_no || ' is there as ' || f.kind || ' of ' || f.amount || ' and as ' || a.kind || ' of '
        || a.amount
FROM java_sanction s
JOIN java_allotment a ON a.sanction_id = s.id
    AND a.repeated
JOIN java_allotment f ON f.sanction_id = s.id
    AND (f.ssu_allotment_id, f.serial_no) = (a.ssu_allotment_id, a.serial_no)
    AND NOT f.repeated
WHERE (f.kind, f.amount) <> (a.kind, a.amount)

-- rule: sanction | find out which is right; mend the summary, or import by the rows (--by-rows)
SELECT s.tenant_id, s.id, 'sanction ' || s.master_id || ' (' || s.id || ')', 'its summary says allotted '
        || coalesce(s.allotted::text, 'nothing') || ', available ' || coalesce(s.available::text, 'nothing')
        || '; its allotments (each once) and transactions say ' || r.allotted || ' and ' || r.allotted - r.spent
        || CASE
    WHEN r.again > 0 THEN '; ' || r.again || ' allotment(s) are there twice'
    ELSE '' END
FROM java_sanction s
JOIN java_by_rows r ON r.id = s.id
WHERE NOT r.accepted
    AND (s.summaries IS DISTINCT
FROM 1
    OR (s.allotted, s.available) IS DISTINCT
FROM (r.allotted, r.allotted - r.spent))

-- rule: payment | mend the row in the Java adapter's database and run the import again
SELECT p.tenant_id, p.payment_number, 'PI ' || coalesce(p.pi_number, '(' || p.id || ')'),
        'it has no number, no time, or names no payment'
FROM java_pi p
WHERE p.pi_number IS NULL
    OR NOT p.has_payment
    OR p.created IS NULL

-- rule: payment | write the number as the platform and the treasury have it, and run the import again
SELECT p.tenant_id, p.payment_number, 'PI ' || coalesce(p.pi_number, '(' || p.id || ')'), 'the number ' || p.odd
        || ' (its own, its payment''s or its original''s) holds a blank, or a character that is not seen or in no number,'
        || ' where it has a ?'
FROM java_pi p
WHERE p.odd IS NOT NULL

-- rule: payment | write the number as the treasury has it, and run the import again
SELECT p.tenant_id, p.payment_number, 'beneficiary ' || b.odd || ' of PI ' || coalesce(p.pi_number, p.id),
        'its number holds a blank, or a character that is not seen or in no number, where it has a ?'
FROM java_beneficiary b
JOIN java_pi p ON p.id = b.pi_id
WHERE b.odd IS NOT NULL

-- rule: payment | write the number of each as the platform has it, and run the import again
SELECT p.tenant_id, p.payment_number, 'PI ' || coalesce(p.pi_number, '(' || p.id || ')'), 'the numbers of payments '
        || n.names || ' differ only in small and capital letters'
FROM java_pi p
JOIN (SELECT tenant_id, ifms.plain_number(payment_number) AS plain,
        string_agg(DISTINCT payment_number, ' and ' ORDER BY payment_number) AS names
FROM java_pi
WHERE has_payment
GROUP BY 1, 2
HAVING count(DISTINCT payment_number) > 1) n ON (n.tenant_id, n.plain)
        = (p.tenant_id, ifms.plain_number(p.payment_number))

-- rule: payment | write the number as the platform has it, and run the import again
SELECT p.tenant_id, p.payment_number, 'PI ' || coalesce(p.pi_number, '(' || p.id || ')'),
        'this ledger knows its payment as ' || y.payment_number || ', in other letters'
FROM java_pi p
JOIN ifms.payment y ON (y.tenant_id, ifms.plain_number(y.payment_number))
        = (p.tenant_id, ifms.plain_number(p.payment_number))
WHERE y.payment_number <> p.payment_number
    AND p.has_payment
    AND p.ledger_id IS NULL

-- rule: payment | ask the treasury which of the two it knows, mend the row by its answer and run the import again
SELECT p.tenant_id, p.payment_number, 'PI ' || p.pi_number, 'this ledger has PI ' || i.pi_number
        || ', whose number differs only in small and capital letters'
FROM java_pi p
JOIN ifms.payment_instruction i ON ifms.plain_number(i.pi_number) = ifms.plain_number(p.pi_number)
WHERE i.pi_number <> p.pi_number
    AND p.ledger_id IS NULL

-- rule: payment | ask the treasury what it knows of this bill, mend the row by its answer and run the import again
SELECT p.tenant_id, p.payment_number, 'PI ' || coalesce(p.pi_number, '(' || p.id || ')'), 'there are ' || n.n
        || ' PIs of this number'
FROM java_pi p
JOIN (SELECT ifms.plain_number(pi_number) AS plain, count(*) AS n
FROM java_pi
GROUP BY 1
HAVING count(*) > 1) n ON n.plain = ifms.plain_number(p.pi_number)

-- rule: payment | mend the row in the Java adapter's database and run the import again
SELECT p.tenant_id, p.payment_number, 'PI ' || coalesce(p.pi_number, '(' || p.id || ')'), coalesce('its status '
        || p.reported_status || ' means nothing here', 'it has no status')
FROM java_pi p
LEFT JOIN java_tally t ON t.pi_id = p.id
WHERE p.reported_status IS NULL
    OR (p.target IS NULL
    AND t.n IS NOT NULL)

-- rule: payment | ask the treasury what it knows of this bill, mend the row by its answer and run the import again
SELECT p.tenant_id, p.payment_number, 'PI ' || coalesce(p.pi_number, '(' || p.id || ')'), 'it says '
        || coalesce(p.n::text, '?') || ' beneficiaries and ' || coalesce(p.net::text, '?') || ' of '
        || coalesce(p.gross::text, '?') || '; its rows are ' || coalesce(t.n, 0) || ' and ' || coalesce(t.total, 0)
FROM java_pi p
LEFT JOIN java_tally t ON t.pi_id = p.id
WHERE p.net IS NULL
    OR p.net <= 0
    OR p.net = 'NaN'
    OR p.gross IS NULL
    OR p.gross < p.net
    OR p.gross = 'NaN'
    OR t.n IS NULL
    OR t.n <> coalesce(p.n, t.n)
    OR t.total IS DISTINCT
FROM p.net

-- rule: payment | mend the row in the Java adapter's database and run the import again
SELECT p.tenant_id, p.payment_number, 'beneficiary ' || coalesce(b.number, '(' || b.id || ')') || ' of PI '
        || coalesce(p.pi_number, p.id),
        'its number, payee, kind of payee, amount or lines are missing or can''t be read'
FROM java_beneficiary b
JOIN java_pi p ON p.id = b.pi_id
WHERE b.number IS NULL
    OR b.payee_id IS NULL
    OR b.lines IS NULL
    OR b.amount IS NULL
    OR b.amount <= 0
    OR b.amount = 'NaN'
    OR b.payee_type IS NULL
    OR b.payee_type NOT IN ('IND', 'ORG', 'DEPT')

-- rule: payment | ask the treasury what it knows of this bill, mend the row by its answer and run the import again
SELECT p.tenant_id, p.payment_number, 'beneficiary ' || coalesce(b.number, '(' || b.id || ')') || ' of PI '
        || coalesce(p.pi_number, p.id), 'it is in this PI ' || n.n || ' times'
FROM java_beneficiary b
JOIN java_pi p ON p.id = b.pi_id
JOIN (SELECT pi_id, number, count(*) AS n
FROM java_beneficiary
GROUP BY 1, 2
HAVING count(*) > 1) n ON (n.pi_id, n.number) = (b.pi_id, b.number)

-- rule: payment | ask the treasury what it knows of this bill, mend the row by its answer and run the import again
SELECT p.tenant_id, p.payment_number, 'beneficiary ' || coalesce(b.number, '(' || b.id || ')') || ' of PI '
        || coalesce(p.pi_number, p.id), 'it is ' || coalesce(b.reported_status, 'without status') || ', the PI '
        || coalesce(p.reported_status, '?')
FROM java_beneficiary b
JOIN java_pi p ON p.id = b.pi_id
WHERE p.target IS NOT NULL
    AND p.target <> 'FAILED'
    AND NOT EXISTS (SELECT
FROM java_step s
WHERE s.subject = 'B'
    AND s.route = b.route
    AND CASE p.target
    WHEN 'INITIATED' THEN CASE p.pi_type
    WHEN 'ORIGINAL' THEN b.target = 'Payment Initiated'
    ELSE b.target IN ('Payment In Process', 'Payment Successful', 'Payment Failed') END
    WHEN 'APPROVED' THEN b.target = 'Payment Initiated'
    WHEN 'IN PROCESS' THEN b.target IN ('Payment In Process', 'Payment Successful', 'Payment Failed')
    WHEN 'SUCCESSFUL' THEN b.target = 'Payment Successful'
    ELSE b.target IN ('Payment Successful', 'Payment Failed') END)

-- rule: payment | ask the treasury what it knows of this bill, mend the row by its answer and run the import again
SELECT p.tenant_id, p.payment_number, 'beneficiary ' || coalesce(b.number, '(' || b.id || ')') || ' of PI '
        || coalesce(p.pi_number, p.id), 'it is Payment Successful without voucher or UTR'
FROM java_beneficiary b
JOIN java_pi p ON p.id = b.pi_id
WHERE b.reported_status = 'Payment Successful'
    AND p.target <> 'FAILED'
    AND (b.voucher_number IS NULL
    OR b.utr_number IS NULL)

-- rule: payment | ask the treasury what it knows of this bill, mend the row by its answer and run the import again
SELECT p.tenant_id, p.payment_number, 'PI ' || coalesce(p.pi_number, '(' || p.id || ')'), 'it is ' || p.reported_status
        || ', but none of its beneficiaries has failed'
FROM java_pi p
LEFT JOIN java_tally t ON t.pi_id = p.id
WHERE p.target IN ('PARTIAL', 'COMPLETED')
    AND coalesce(t.failed, 0) = 0

-- rule: payment | ask the treasury what it knows of this bill, mend the row by its answer and run the import again
SELECT p.tenant_id, p.payment_number, 'PI ' || coalesce(p.pi_number, '(' || p.id || ')'), 'it is ' || p.reported_status
        || ' without what the treasury must have told by then: ' || m.what
FROM java_pi p
CROSS JOIN LATERAL (SELECT concat_ws(', ', CASE
    WHEN p.pi_type = 'ORIGINAL'
    AND p.approved_id IS NULL THEN 'its id' END, CASE
    WHEN p.pi_type = 'ORIGINAL'
    AND p.approval_date IS NULL THEN 'the date of its approval' END, CASE
    WHEN p.target <> 'APPROVED'
    AND p.bill_ref IS NULL THEN 'its bill reference' END, CASE
    WHEN p.target <> 'APPROVED'
    AND p.token IS NULL THEN 'its token' END, CASE
    WHEN p.target <> 'APPROVED'
    AND p.token_date IS NULL THEN 'its token''s date' END, CASE
    WHEN p.target = 'IN PROCESS'
    AND p.fin_year IS NULL THEN 'its year' END, CASE
    WHEN p.advices > 1 THEN 'one advice, not ' || p.advices END) AS what) m
WHERE m.what <> ''
    AND p.target IN ('APPROVED', 'IN PROCESS', 'SUCCESSFUL', 'PARTIAL', 'COMPLETED')

-- rule: payment | ask the treasury which it has paid, get back what was paid twice, and mend the rows by its answer
SELECT tenant_id, payment_number, 'PIs ' || string_agg(pi_number || ' (' || reported_status || ')',
        ', ' ORDER BY created),
        'the payment has more than one original PI that has not FAILED: it may have been paid twice'
FROM java_pi
WHERE pi_type = 'ORIGINAL'
    AND reported_status <> 'FAILED'
GROUP BY 1, 2
HAVING count(*) > 1

-- rule: payment | ask the treasury what it knows of this bill, mend the row by its answer and run the import again
SELECT p.tenant_id, p.payment_number, 'PI ' || coalesce(p.pi_number, '(' || p.id || ')'), 'it is ' || p.reported_status
        || CASE
    WHEN p.is_active THEN ', active'
    ELSE ', not active' END || ', for ' || p.net || '; its transactions are ' || p.debits || ' DEBIT of '
        || p.debit || ', ' || p.reversals || ' REVERSAL of ' || p.reversal || CASE
    WHEN p.transactions > p.debits + p.reversals THEN ', and others'
    ELSE '' END
FROM java_pi p
WHERE p.transactions <> p.debits + p.reversals
    OR CASE
    WHEN p.pi_type = 'REVISED' THEN p.transactions > 0
    WHEN p.reported_status <> 'FAILED' THEN (p.debits, p.reversals, p.debit) <> (1, 0, p.net)
    WHEN p.transactions = 0 THEN coalesce(p.is_active, true)
    ELSE (p.debits, p.reversals, p.debit, p.reversal) <> (1, 1, p.net, p.net) END

-- rule: payment | see what is said of that sanction
SELECT p.tenant_id, p.payment_number, 'PI ' || coalesce(p.pi_number, '(' || p.id || ')'),
        'its money is on sanction ' || p.sanction_id || ', which can''t be imported, or on more than one'
FROM java_pi p
WHERE p.transactions > 0
    AND (p.sanctions > 1
    OR NOT EXISTS (SELECT
FROM java_sanction s
WHERE s.id = p.sanction_id
    AND s.tenant_id = p.tenant_id)
    OR EXISTS (SELECT
FROM java_misfit m
WHERE m.scope = 'sanction'
    AND m.name = p.sanction_id))

-- rule: payment | mend the row in the Java adapter's database and run the import again
SELECT p.tenant_id, p.payment_number, 'PI ' || coalesce(p.pi_number, '(' || p.id || ')'), 'it revises ' || p.parent
        || ', which is no original of this payment with a bill reference'
FROM java_pi p
WHERE p.pi_type = 'REVISED'
    AND NOT EXISTS (SELECT
FROM java_pi o
WHERE o.pi_number = p.parent
    AND o.pi_type = 'ORIGINAL'
    AND (o.tenant_id, o.payment_number) = (p.tenant_id, p.payment_number)
    AND o.bill_ref IS NOT NULL
    AND o.created < p.created)

-- rule: payment | ask the treasury what it knows of this bill, mend the row by its answer and run the import again
SELECT p.tenant_id, p.payment_number, 'beneficiary ' || coalesce(b.number, '(' || b.id || ')') || ' of PI '
        || coalesce(p.pi_number, p.id),
        'it is not in the original with this amount, or has not failed there or in a revision'
FROM java_beneficiary b
JOIN java_pi p ON p.id = b.pi_id
WHERE p.pi_type = 'REVISED'
    AND NOT EXISTS (SELECT
FROM java_pi o
JOIN java_beneficiary f ON f.pi_id = o.id
WHERE o.pi_number = p.parent
    AND (f.number, f.amount, f.target) = (b.number, b.amount, 'Payment Failed'))

-- rule: payment | ask the treasury what it knows of this bill, mend the row by its answer and run the import again
SELECT tenant_id, payment_number, 'PIs ' || string_agg(pi_number, ', ' ORDER BY created),
        'more than one revision is under way'
FROM java_pi
WHERE pi_type = 'REVISED'
    AND target = 'INITIATED'
GROUP BY tenant_id, payment_number, parent
HAVING count(*) > 1

-- rule: payment | ask the treasury what it knows of this bill, mend the row by its answer and run the import again
SELECT p.tenant_id, p.payment_number, 'beneficiary ' || coalesce(b.number, '(' || b.id || ')') || ' of PI '
        || coalesce(p.pi_number, p.id), 'its number is live in ' || n.n || ' PIs'
FROM java_beneficiary b
JOIN java_pi p ON p.id = b.pi_id
JOIN (SELECT number, count(*) AS n
FROM java_beneficiary
WHERE target <> 'Payment Failed'
GROUP BY 1
HAVING count(*) > 1) n USING (number)
WHERE b.target <> 'Payment Failed'

-- rule: payment | both may have been sent: ask the treasury which of them it has, before anything else is done
SELECT p.tenant_id, p.payment_number, 'PI ' || coalesce(p.pi_number, '(' || p.id || ')'), 'this ledger has PI '
        || i.pi_number || ' (' || i.status || ') of its own for this payment'
FROM java_pi p
JOIN ifms.payment_instruction i ON (i.tenant_id, i.payment_number) = (p.tenant_id, p.payment_number)
    AND i.imported_at IS NULL
    AND i.pi_type = 'ORIGINAL'
    AND i.repayment_of IS NULL
WHERE p.ledger_id IS NULL
    AND (p.reported_status <> 'FAILED'
    OR i.pi_number = p.pi_number)

-- rule: payment | both may have been sent: ask the treasury which of them it has, before anything else is done
SELECT p.tenant_id, p.payment_number, 'PI ' || coalesce(p.pi_number, '(' || p.id || ')'), 'this ledger has PI '
        || i.pi_number || ' (' || i.status || ') of its own, which pays again what has failed of PI ' || p.parent
FROM java_pi p
JOIN ifms.payment_instruction i ON i.parent_pi_number = p.parent
    OR i.repayment_of = p.parent
WHERE p.ledger_id IS NULL
    AND p.reported_status <> 'FAILED'
    AND i.imported_at IS NULL

-- rule: payment | find out which of the two is of this number, and mend the row before anything else is done
SELECT p.tenant_id, p.payment_number, 'PI ' || p.pi_number, 'this ledger has given its number to a PI of its own, for payment '
        || i.payment_number || ' of ' || i.tenant_id
FROM java_pi p
JOIN ifms.payment_instruction i ON i.pi_number = p.pi_number
WHERE i.imported_at IS NULL
    AND ((i.tenant_id, i.payment_number) <> (p.tenant_id, p.payment_number)
    OR i.pi_type <> p.pi_type
    OR i.repayment_of IS NOT NULL)

-- rule: payment | find out which of the two is of this number, and mend the row before anything else is done
SELECT p.tenant_id, p.payment_number, 'beneficiary ' || b.number || ' of PI ' || coalesce(p.pi_number, p.id),
        'this ledger pays another by its number, in PI ' || i.pi_number || ' for payment ' || i.payment_number || ' of '
        || i.tenant_id
FROM java_beneficiary b
JOIN java_pi p ON p.id = b.pi_id
JOIN ifms.beneficiary o ON o.beneficiary_number = b.number
JOIN ifms.payment_instruction i ON i.id = o.payment_instruction_id
WHERE b.target <> 'Payment Failed'
    AND o.status <> 'Payment Failed'
    AND (i.tenant_id, i.payment_number) <> (p.tenant_id, p.payment_number)

-- rule: payment | ask the platform which amount is right
SELECT p.tenant_id, p.payment_number, 'PI ' || coalesce(p.pi_number, '(' || p.id || ')'),
        'this ledger knows its payment with ' || y.amount || ', not with ' || p.net
FROM java_pi p
JOIN ifms.payment y ON (y.tenant_id, y.payment_number) = (p.tenant_id, p.payment_number)
WHERE p.pi_type = 'ORIGINAL'
    AND p.reported_status <> 'FAILED'
    AND y.amount <> p.net

-- rule: payment | ask the treasury what it knows of this bill, mend the row by its answer and run the import again
SELECT p.tenant_id, p.payment_number, 'PI ' || coalesce(p.pi_number, '(' || p.id || ')'), 'it is ' || p.reported_status
        || ' there and ' || i.status || ' here'
FROM java_pi p
JOIN ifms.payment_instruction i ON i.id = p.ledger_id
WHERE p.target <> i.status
    AND NOT EXISTS (SELECT
FROM java_step s
WHERE s.route = p.route
    AND s.from_status = i.status)
    -- The ledger has gone further by itself: what the Java adapter says is the past.
    AND NOT EXISTS (SELECT
FROM ifms.status_log l
WHERE l.payment_instruction_id = i.id
    AND l.from_status = p.target)

-- rule: row | find the row that it belongs to, or remove it
SELECT coalesce(r.content->>'tenantid', ''), r.source || ' ' || (r.content->>'id'), r.source || ' '
        || coalesce(r.content->>'id', '(without id)'), 'it belongs to no row that is there'
FROM java_row r
WHERE CASE r.source
    WHEN 'jit_payment_advice_details' THEN NOT EXISTS (SELECT
FROM java_pi p
WHERE p.id = r.content->>'piid')
    WHEN 'jit_beneficiary_details' THEN NOT EXISTS (SELECT
FROM java_pi p
WHERE p.id = r.content->>'piid')
    WHEN 'jit_pi_status_logs' THEN NOT EXISTS (SELECT
FROM java_pi p
WHERE p.id = r.content->>'piid')
    WHEN 'jit_beneficiary_lineitems' THEN NOT EXISTS (SELECT
FROM java_beneficiary b
WHERE b.id = r.content->>'beneficiaryid')
    WHEN 'jit_transaction_details' THEN NOT EXISTS (SELECT
FROM java_pi p
WHERE p.id = r.content->>'paymentinstid')
    WHEN 'jit_allotment_details' THEN NOT EXISTS (SELECT
FROM java_sanction s
WHERE s.id = r.content->>'sanctionid')
    WHEN 'jit_funds_summary' THEN NOT EXISTS (SELECT
FROM java_sanction s
WHERE s.id = r.content->>'sanctionid')
    ELSE false END

-- rule: row | name it in --units (see --help), or make it active in the master data, and run the import again
SELECT r.content->>'tenantid', 'va ' || (r.content->>'id'), 'jit_executed_va_logs ' || (r.content->>'id'),
        'master data has no spending unit of ' || (r.content->>'tenantid') || ' with DDO '
        || (r.content->>'ddocode')FROM java_row r
WHERE r.source = 'jit_executed_va_logs'
    AND NOT EXISTS (SELECT
FROM java_unit u
WHERE (u.tenant_id, u.ddo_code) = (r.content->>'tenantid', r.content->>'ddocode'))
