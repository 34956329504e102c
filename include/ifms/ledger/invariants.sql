-- What must hold of the ledger's rows, whoever wrote them: a query per rule, for one text per row that breaks it. Each
-- is one pass with joins and sums over whole tables, none asks row by row. What concerns money comes first: a run keeps
-- so many problems and no more.
--
-- A rule begins with three lines: `-- invariant: its name`, `-- holds: what must be`, `-- remedy: what to do when it is
-- broken`. Parameters are psycopg's, %(name)s, so a % is written %%; they and {signed}, {returnable}: invariants.py.

-- Money ---------------------------------------------------------------------------------------------------------------

-- invariant: balances_are_movements
-- holds: a sanction's allotted, reserved and spent amounts are the sums of its movements
-- remedy: Pause ifms_pi and compare with the treasury's register before anything else is paid
SELECT 'sanction ' || s.id || ' (' || s.tenant_id || ', ' || s.master_allotment_id || ') says allotted '
       || s.allotted_amount || ', reserved ' || s.reserved_amount || ', spent ' || s.spent_amount
       || '; its movements say ' || coalesce(m.allotted, 0) || ', ' || coalesce(m.reserved, 0) || ', '
       || coalesce(m.spent, 0)
FROM ifms.sanction s
LEFT JOIN (SELECT sanction_id, sum(allotted) AS allotted, sum(reserved) AS reserved, sum(spent) AS spent
           FROM ({signed}) signed GROUP BY sanction_id) m ON m.sanction_id = s.id
WHERE (s.allotted_amount, s.reserved_amount, s.spent_amount)
    IS DISTINCT FROM (coalesce(m.allotted, 0), coalesce(m.reserved, 0), coalesce(m.spent, 0))

-- invariant: movements_follow_one_another
-- holds: each movement of a sanction goes on from the balances that another one has left
-- remedy: Pause ifms_pi and compare with the treasury's register before anything else is paid
-- By what comes before and after, not by id: of two movements at once the later id may have been the first to wait.
WITH signed AS ({signed}), ends AS (
    SELECT sanction_id, id, 1 AS n, allotted_after, reserved_after, spent_after FROM signed
    UNION ALL
    SELECT sanction_id, id, -1, allotted_after - allotted, reserved_after - reserved, spent_after - spent
    FROM signed
    UNION ALL  -- from nothing …
    SELECT DISTINCT sanction_id, NULL::bigint, 1, 0, 0, 0 FROM signed
    UNION ALL  -- … to the sum of all
    SELECT sanction_id, NULL, -1, sum(allotted), sum(reserved), sum(spent) FROM signed GROUP BY sanction_id
), torn AS (
    SELECT sanction_id, min(id) AS id FROM ends
    GROUP BY sanction_id, allotted_after, reserved_after, spent_after HAVING sum(n) <> 0
)
SELECT 'sanction ' || t.sanction_id || ' (' || s.tenant_id || ', ' || s.master_allotment_id
       || '): the balances that its movements noted do not follow one another, first at movement ' || min(t.id)
FROM torn t JOIN ifms.sanction s ON s.id = t.sanction_id
GROUP BY t.sanction_id, s.tenant_id, s.master_allotment_id

-- invariant: allotments_are_movements
-- holds: an allotment has counted once, with its amount, on the sanction that it names
-- remedy: Pause ifms_pi and compare with the treasury's register before anything else is paid
SELECT 'allotment ' || a.id || ' (' || a.master_allotment_id || '/' || a.ssu_allotment_id || '/' || a.serial_no
       || ', ' || a.kind || ' of ' || a.amount || ') '
       || CASE WHEN a.sanction_id IS NULL THEN 'does not count, though its sanction is known'
               WHEN s.id IS DISTINCT FROM a.sanction_id THEN 'counts on a sanction that it does not name'
               WHEN m.id IS NULL THEN 'has no movement'
               ELSE 'has the movement ' || m.id || ', ' || m.kind || ' of ' || m.amount END
FROM ifms.allotment a
LEFT JOIN ifms.sanction s ON (s.tenant_id, s.hoa_code, s.ddo_code, s.master_allotment_id)
                           = (a.tenant_id, a.hoa_code, a.ddo_code, a.master_allotment_id)
LEFT JOIN ifms.fund_movement m ON m.allotment_id = a.id
WHERE s.id IS DISTINCT FROM a.sanction_id
   OR (m.id IS NULL AND a.amount > 0 AND a.sanction_id IS NOT NULL)
   OR (m.id IS NOT NULL AND (m.sanction_id, m.amount, m.kind) IS DISTINCT FROM
       (a.sanction_id, a.amount, CASE a.kind WHEN 'WITHDRAWAL' THEN 'WITHDRAWAL' ELSE 'ALLOTMENT' END))

-- invariant: allotments_count_in_one_city
-- holds: no allotment counts on open sanctions of two cities
-- remedy: Mend ifms.SSUDetails of the city whose unit it is not, and close its sanction (page Sanctions)
SELECT 'allotment ' || a.master_allotment_id || '/' || a.ssu_allotment_id || '/' || a.serial_no || ' of DDO ' || a.ddo_code
       || ', grantee ' || a.grantee_code || ', head of account ' || a.hoa_code || ', counts in '
       || string_agg(a.tenant_id, ' and ' ORDER BY a.tenant_id)
FROM ifms.allotment a JOIN ifms.sanction s ON s.id = a.sanction_id AND s.closed_at IS NULL
GROUP BY a.hoa_code, a.ddo_code, a.grantee_code, a.master_allotment_id, a.ssu_allotment_id, a.serial_no
HAVING count(*) > 1

-- invariant: status_and_money_agree
-- holds: a PI has reserved, spent, released or taken back its amount, as its status says
-- remedy: Pause ifms_pi and compare with the treasury's register before anything else is paid
SELECT 'PI ' || p.pi_number || ' (' || p.pi_type || ', ' || p.net_amount || ') is ' || p.status
       || ', its movements are ' || coalesce(m.said, 'none')
FROM ifms.payment_instruction p
LEFT JOIN (
    SELECT payment_instruction_id, count(*) AS n, min(amount) AS least, max(amount) AS most,
           count(*) FILTER (WHERE kind = 'RESERVE') AS reserved,
           count(*) FILTER (WHERE kind = 'DEBIT') AS debited,
           count(*) FILTER (WHERE kind = 'RELEASE') AS released,
           count(*) FILTER (WHERE kind = 'REVERSAL') AS reversed,
           string_agg(kind || ' ' || amount, ', ' ORDER BY id) AS said
    FROM ifms.fund_movement WHERE payment_instruction_id IS NOT NULL GROUP BY payment_instruction_id
) m ON m.payment_instruction_id = p.id
WHERE CASE
    WHEN p.pi_type = 'REVISED' OR p.sanction_id IS NULL THEN m.n IS NOT NULL
    WHEN m.n IS NULL OR m.least <> p.net_amount OR m.most <> p.net_amount THEN true
    WHEN p.status = 'PENDING' THEN (m.reserved, m.n) <> (1, 1)
    WHEN p.status = 'FAILED' THEN (m.reserved, m.released, m.n) <> (1, 1, 2)
                              AND (m.reserved, m.debited, m.reversed, m.n) <> (1, 1, 1, 3)
    ELSE (m.reserved, m.debited, m.n) <> (1, 1, 2) END

-- invariant: paid_by_its_own_sanction
-- holds: a PI is paid from the sanction that it names, of its own city
-- remedy: Pause ifms_pi and compare with the treasury's register before anything else is paid
SELECT 'PI ' || p.pi_number || ' of ' || p.tenant_id || ' names sanction ' || p.master_allotment_id
       || ' under ' || p.hoa_code || '; it is booked on ' || s.master_allotment_id || ' under ' || s.hoa_code
       || ' of ' || s.tenant_id
FROM ifms.payment_instruction p JOIN ifms.sanction s ON s.id = p.sanction_id
WHERE (p.tenant_id, p.hoa_code, p.ddo_code, p.master_allotment_id)
   <> (s.tenant_id, s.hoa_code, s.ddo_code, s.master_allotment_id)
UNION ALL
SELECT 'PI ' || p.pi_number || ' has the movement ' || m.id || ' on another sanction than its own'
FROM ifms.fund_movement m JOIN ifms.payment_instruction p ON p.id = m.payment_instruction_id
WHERE m.sanction_id <> p.sanction_id

-- Nobody is paid twice ------------------------------------------------------------------------------------------------

-- invariant: one_original_per_payment
-- holds: a payment has at most one original PI that has not FAILED
-- remedy: Pause ifms_pi and ifms_cor and ask the treasury what it has paid
SELECT 'payment ' || payment_number || ' of ' || tenant_id || ' has ' || count(*) || ' PIs: '
       || string_agg(pi_number || ' (' || status || ')', ', ' ORDER BY created_at, pi_number)
FROM ifms.payment_instruction
WHERE pi_type = 'ORIGINAL' AND status <> 'FAILED' AND repayment_of IS NULL
GROUP BY tenant_id, payment_number HAVING count(*) > 1

-- invariant: one_correction_at_a_time
-- holds: an original has at most one revision, and one repayment, under way
-- remedy: Pause ifms_pi and ifms_cor and ask the treasury what it has paid
SELECT 'PI ' || original || ' has ' || count(*) || ' PIs under way: '
       || string_agg(pi_number, ', ' ORDER BY pi_number)
FROM (SELECT coalesce(parent_pi_number, repayment_of) AS original, pi_type, pi_number
      FROM ifms.payment_instruction
      WHERE (pi_type = 'REVISED' AND status IN ('PENDING', 'INITIATED'))
         OR (repayment_of IS NOT NULL AND status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS'))) later
GROUP BY original, pi_type HAVING count(*) > 1

-- invariant: beneficiary_is_paid_once
-- holds: a beneficiary number is live in at most one PI
-- remedy: Pause ifms_pi and ifms_cor and ask the treasury what it has paid
SELECT 'beneficiary ' || b.beneficiary_number || ' is live in '
       || string_agg(p.pi_number, ', ' ORDER BY p.pi_number)
FROM (SELECT beneficiary_number, payment_instruction_id, count(*) OVER (PARTITION BY beneficiary_number) AS n
      FROM ifms.beneficiary WHERE status <> 'Payment Failed') b
JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
WHERE b.n > 1 GROUP BY b.beneficiary_number

-- invariant: imported_line_is_paid_once
-- holds: a line of a bill that an imported PI pays, or may pay though it is FAILED, is paid by no other payment
-- remedy: Pause ifms_pi and ask the treasury what it has paid, and the platform which payment is right
SELECT 'line ' || line || ' is paid by payment ' || theirs.payment_number || ', imported, and by '
       || string_agg(DISTINCT ours.payment_number, ', ')
FROM (SELECT p.tenant_id, p.payment_number, line
      FROM ifms.beneficiary b JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id, unnest(b.line_item_ids) line
      WHERE b.imported_as IS NOT NULL
        AND (p.status <> 'FAILED' OR p.uncertain AND (p.said_absent_at IS NULL OR p.said_absent_at <= p.found_failed_at))
     ) theirs
JOIN (SELECT p.tenant_id, p.payment_number, line
      FROM ifms.beneficiary b JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id, unnest(b.line_item_ids) line
      WHERE b.imported_as IS NULL AND p.status <> 'FAILED') ours USING (line)
WHERE (ours.tenant_id, ours.payment_number) <> (theirs.tenant_id, theirs.payment_number)
GROUP BY line, theirs.payment_number

-- invariant: bill_is_paid_once
-- holds: a bill is bound to one payment, and a payment known once, whatever their city's code
-- remedy: Ask the platform which payment is right; the other must not be paid
SELECT 'bill ' || bill_id || ' is bound to ' || count(*) || ' payments: '
       || string_agg(coalesce(payment_number, 'none yet') || ' of ' || tenant_id, ', ' ORDER BY payment_number, tenant_id)
FROM ifms.bill GROUP BY bill_id HAVING count(*) > 1
UNION ALL
SELECT 'payment ' || payment_id || ' is known ' || count(*) || ' times: '
       || string_agg(payment_number || ' of ' || tenant_id, ', ' ORDER BY payment_number, tenant_id)
FROM ifms.payment WHERE payment_id <> '' GROUP BY payment_id HAVING count(*) > 1

-- invariant: payments_pay_bills
-- holds: a payment that an original PI pays is for a bill, and the PI is signed
-- remedy: Pause ifms_pi; ask the platform what the payment is for, and find out who has written it
SELECT 'payment ' || p.payment_number || ' of ' || p.tenant_id || ', PI ' || p.pi_number || ', is for no bill'
FROM ifms.payment_instruction p
WHERE p.imported_at IS NULL AND p.pi_type = 'ORIGINAL' AND p.repayment_of IS NULL AND NOT EXISTS (
    SELECT FROM ifms.bill b WHERE b.tenant_id = p.tenant_id AND b.payment_number = p.payment_number)
UNION ALL
SELECT 'PI ' || pi_number || ' is not signed' FROM ifms.payment_instruction
WHERE imported_at IS NULL AND signature IS NULL

-- invariant: header_and_rows_agree
-- holds: a PI's number of beneficiaries and amount are those of its rows
-- remedy: Pause ifms_pi and ifms_cor and ask the treasury what it has paid
SELECT 'PI ' || p.pi_number || ' says ' || p.beneficiary_count || ' beneficiaries and ' || p.net_amount
       || ', its rows are ' || coalesce(b.n, 0) || ' and ' || coalesce(b.total, 0)
FROM ifms.payment_instruction p
LEFT JOIN (SELECT payment_instruction_id, count(*) AS n, sum(amount) AS total
           FROM ifms.beneficiary GROUP BY payment_instruction_id) b ON b.payment_instruction_id = p.id
WHERE (p.beneficiary_count, p.net_amount) IS DISTINCT FROM (b.n, b.total)

-- invariant: payment_and_its_instruction
-- holds: a payment names the live original PI that pays it, and that PI pays its amount
-- remedy: Do not let another PI be made for this payment before it is known which one pays it
WITH live AS (
    SELECT id, tenant_id, payment_number, pi_number, net_amount FROM ifms.payment_instruction
    WHERE pi_type = 'ORIGINAL' AND status <> 'FAILED' AND repayment_of IS NULL
)
SELECT 'PI ' || l.pi_number || ' pays payment ' || l.payment_number || ' of ' || l.tenant_id || ', '
       || CASE WHEN p.id IS NULL THEN 'which is not known here'
               WHEN p.paid_by IS DISTINCT FROM l.id THEN 'which does not name it'
               ELSE 'with ' || l.net_amount || ' instead of ' || p.amount END
FROM live l LEFT JOIN ifms.payment p USING (tenant_id, payment_number)
WHERE p.id IS NULL OR p.paid_by IS DISTINCT FROM l.id OR p.amount <> l.net_amount
UNION ALL
SELECT 'payment ' || p.payment_number || ' of ' || p.tenant_id
       || ' names a PI that does not pay it, or has FAILED'
FROM ifms.payment p LEFT JOIN live l ON l.id = p.paid_by
WHERE p.paid_by IS NOT NULL
  AND (l.id IS NULL OR (l.tenant_id, l.payment_number) <> (p.tenant_id, p.payment_number))

-- invariant: corrections_pay_what_failed
-- holds: a revision or repayment pays beneficiaries of its original, with their amounts
-- remedy: Pause ifms_pi and ifms_cor and ask the treasury what it has paid
SELECT 'PI ' || later.pi_number || ' follows ' || coalesce(later.parent_pi_number, later.repayment_of)
       || CASE WHEN o.id IS NULL THEN ', which is no original of the same payment'
               ELSE ', which does not pay ' || b.beneficiary_number || ' ' || b.amount END
FROM ifms.payment_instruction later
LEFT JOIN ifms.payment_instruction o
  ON o.pi_number = coalesce(later.parent_pi_number, later.repayment_of) AND o.pi_type = 'ORIGINAL'
 AND (o.tenant_id, o.payment_number) = (later.tenant_id, later.payment_number)
JOIN ifms.beneficiary b ON b.payment_instruction_id = later.id
LEFT JOIN ifms.beneficiary first ON first.payment_instruction_id = o.id
 AND first.beneficiary_number = b.beneficiary_number AND first.amount = b.amount
WHERE (later.parent_pi_number IS NOT NULL OR later.repayment_of IS NOT NULL) AND first.id IS NULL

-- invariant: corrections_follow_the_last_payment
-- holds: a revision or repayment follows the original that, or a revision of which, has paid its beneficiaries last
-- remedy: Pause ifms_pi and ifms_cor and ask the treasury what it has paid; settle by hand one that it lacks
SELECT 'PI ' || later.pi_number || ' follows ' || later.original || ', and ' || b.beneficiary_number
       || ' was paid last by ' || last.pi_number
FROM (SELECT id, pi_number, coalesce(parent_pi_number, repayment_of) AS original FROM ifms.payment_instruction
      WHERE (parent_pi_number IS NOT NULL OR repayment_of IS NOT NULL) AND status <> 'FAILED') later
JOIN ifms.beneficiary b ON b.payment_instruction_id = later.id
CROSS JOIN LATERAL (
    SELECT p.pi_number, coalesce(p.parent_pi_number, p.pi_number) AS original
    FROM ifms.beneficiary earlier JOIN ifms.payment_instruction p ON p.id = earlier.payment_instruction_id
    WHERE earlier.beneficiary_number = b.beneficiary_number AND earlier.created_at < b.created_at
      AND p.status <> 'FAILED'
    ORDER BY earlier.created_at DESC LIMIT 1) last
WHERE last.original <> later.original

-- What may be at the treasury -----------------------------------------------------------------------------------------

-- invariant: failed_is_not_at_the_treasury
-- holds: no PI that is FAILED here is at the treasury
-- remedy: Pause ifms_pi and ifms_cor and ask the treasury what it has paid
SELECT 'PI ' || pi_number || ' of ' || tenant_id || ' is FAILED here, and the treasury has it: its payment '
       || payment_number || ', ' || net_amount
FROM ifms.payment_instruction
WHERE found_failed_at IS NOT NULL AND (said_absent_at IS NULL OR said_absent_at < found_failed_at)

-- invariant: earlier_numbers_are_known
-- holds: of each payment's earlier PIs it is known whether the treasury has them
-- remedy: Ask the treasury about the PI that the message names; then let the payment be resubmitted
SELECT 'payment ' || payment_number || ' of ' || tenant_id || ', ' || amount || ', since ' || held_since || ': '
       || hold_message
FROM ifms.payment WHERE paid_by IS NULL AND hold_code = 'PI_IN_DOUBT'

-- invariant: withdrawn_phrases_end_nothing
-- holds: no other PI pays beside one that has FAILED by a phrase, now withdrawn, before anybody knew that it was wrong
-- remedy: Ask the treasury about the PI that the message names and have it stopped there; then say so with `ifms settle`
SELECT DISTINCT 'PI ' || p.pi_number || ' of ' || p.tenant_id || ', ' || p.net_amount || ', has FAILED by a phrase that '
       || f.withdrawn_by || ' withdrew at ' || f.withdrawn_at || ', and PI ' || later.pi_number || ' pays instead'
FROM ifms.ended_by_phrase e
JOIN ifms.phrase f ON f.id = e.phrase_id AND f.withdrawn_at IS NOT NULL
JOIN ifms.payment_instruction p ON p.id = e.payment_instruction_id AND p.status = 'FAILED'
 AND (p.said_absent_at IS NULL OR p.said_absent_at <= p.found_failed_at)
JOIN ifms.payment_instruction later ON (later.tenant_id, later.payment_number) = (p.tenant_id, p.payment_number)
 AND coalesce(later.parent_pi_number, later.repayment_of) IS NOT DISTINCT FROM coalesce(p.parent_pi_number, p.repayment_of)
 AND later.status <> 'FAILED' AND later.created_at > p.created_at AND later.created_at < f.withdrawn_at

-- invariant: answers_are_understood
-- holds: no PI waits behind an answer of the treasury that nobody understands
-- remedy: Ask the treasury what it means and say so: page 'Unknown answers', or `ifms phrases add`
SELECT a.service_id || ' says "' || left(a.sample, 200) || '" since ' || a.first_heard_at || ' about '
       || count(*) || ' PI(s), the first ' || min(p.pi_number)
FROM ifms.payment_instruction p JOIN ifms.unknown_answer a ON a.id = p.unknown_answer_id
GROUP BY a.id, a.service_id, a.sample, a.first_heard_at

-- History -------------------------------------------------------------------------------------------------------------

-- invariant: log_tells_the_status
-- holds: a PI's status log begins at PENDING, goes along allowed steps without a gap, and ends at its status
-- remedy: Find in ifms.status_log and ifms.treasury_call what the treasury said of it last
WITH steps AS (
    SELECT payment_instruction_id, id, from_status, to_status,
           lag(to_status, 1, 'PENDING') OVER told AS before, lead(id) OVER told IS NULL AS is_last
    FROM ifms.status_log WHERE to_status IS NOT NULL AND payment_instruction_id IS NOT NULL
    WINDOW told AS (PARTITION BY payment_instruction_id ORDER BY id)
)
SELECT 'PI ' || p.pi_number || ': its log goes from ' || coalesce(s.from_status, 'nowhere') || ' to '
       || s.to_status || CASE WHEN s.from_status IS DISTINCT FROM s.before
                              THEN ', though it was ' || s.before ELSE ', which is no allowed step' END
FROM steps s JOIN ifms.payment_instruction p ON p.id = s.payment_instruction_id
LEFT JOIN ifms.status_transition t
  ON t.subject = 'PAYMENT_INSTRUCTION' AND t.from_status = s.from_status AND t.to_status = s.to_status
WHERE s.from_status IS DISTINCT FROM s.before OR t.subject IS NULL
UNION ALL
SELECT 'PI ' || p.pi_number || ' is ' || p.status || ', its log ends at ' || coalesce(s.to_status, 'PENDING')
FROM ifms.payment_instruction p LEFT JOIN steps s ON s.payment_instruction_id = p.id AND s.is_last
WHERE p.status <> coalesce(s.to_status, 'PENDING')

-- invariant: treasury_has_answered
-- holds: the treasury has answered to each PI beyond PENDING, or told of it when asked, or it was cancelled unsent
-- remedy: Ask the treasury whether it has this bill
-- Older calls than the oldest that is kept can't be asked for.
SELECT 'PI ' || p.pi_number || ' is ' || p.status || ', but the treasury never answered to it'
FROM ifms.payment_instruction p
LEFT JOIN (
    SELECT payment_instruction_id FROM ifms.treasury_call
    WHERE service_id IN ('PI', 'COR') AND outcome IN ('answered', 'rejected')
    UNION
    SELECT payment_instruction_id FROM ifms.status_log
    WHERE to_status IN ('INITIATED', 'FAILED')
      AND (starts_with(message, 'found at the treasury by ') OR status LIKE '%%SETTLED_BY_HAND')
) heard ON heard.payment_instruction_id = p.id
WHERE p.status <> 'PENDING' AND heard.payment_instruction_id IS NULL AND p.imported_at IS NULL
  AND p.cancelled_by IS NULL
  AND p.created_at >= coalesce((SELECT min(created_at) FROM ifms.treasury_call), '-infinity')
  AND p.created_at > now() - interval '90 days'  -- older calls may have been removed: ifms.remove_old_calls

-- invariant: beneficiaries_follow_their_pi
-- holds: each beneficiary stands where its PI allows, and who is paid or has failed has the bank's word for it
-- remedy: Find in ifms.status_log and ifms.treasury_call what the treasury said of it last
SELECT 'beneficiary ' || b.beneficiary_number || ' of PI ' || p.pi_number || ', which is ' || p.status
       || ', is ' || b.status
FROM ifms.beneficiary b JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
LEFT JOIN jsonb_to_recordset(%(together)s) AS allowed (kind text, pi_status text, of text)
  ON allowed.kind = CASE WHEN p.pi_type = 'REVISED' THEN 'REVISED' WHEN p.repayment_of IS NULL THEN 'ORIGINAL'
                         ELSE 'REPAYMENT' END
 AND allowed.pi_status = p.status AND allowed.of = b.status
WHERE allowed.of IS NULL
UNION ALL
SELECT 'beneficiary ' || b.beneficiary_number || ' of PI ' || p.pi_number || ' is ' || b.status
       || CASE b.status WHEN 'Payment Failed' THEN ' since no day' ELSE ' without voucher or UTR' END
FROM ifms.beneficiary b JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
WHERE (b.status = 'Payment Successful' AND (b.voucher_number IS NULL OR b.utr_number IS NULL))
   OR (b.status = 'Payment Failed' AND b.failed_on IS NULL AND p.status <> 'FAILED')
UNION ALL
SELECT 'PI ' || p.pi_number || ' is ' || p.status || ', but none of its beneficiaries has failed'
FROM ifms.payment_instruction p
LEFT JOIN (SELECT DISTINCT payment_instruction_id FROM ifms.beneficiary WHERE status = 'Payment Failed') failed
  ON failed.payment_instruction_id = p.id
WHERE p.status IN ('PARTIAL', 'COMPLETED') AND failed.payment_instruction_id IS NULL

-- What others were told -----------------------------------------------------------------------------------------------

-- invariant: changes_are_told
-- holds: the platform hears of each PI that was accepted, FAILED or paid, and of each payment without funds
-- remedy: Tell the platform by hand, or write the message into ifms.outbox
WITH changed AS (
    SELECT p.key, count(*) FILTER (WHERE p.first AND l.to_status = 'INITIATED') AS accepted,
           count(*) FILTER (WHERE p.first AND l.to_status = 'FAILED') AS failed,
           count(*) FILTER (WHERE NOT p.first AND l.to_status = 'INITIATED') AS corrected,
           count(*) FILTER (WHERE l.to_status = 'SUCCESSFUL') AS paid
    FROM ifms.status_log l
    JOIN (SELECT id, tenant_id || ':' || payment_number AS key,
                 pi_type = 'ORIGINAL' AND repayment_of IS NULL AS first
          FROM ifms.payment_instruction) p ON p.id = l.payment_instruction_id
    WHERE l.to_status IN ('INITIATED', 'FAILED', 'SUCCESSFUL')
      AND l.service_id <> 'IMPORT'  -- the Java adapter has told of these
    GROUP BY p.key
), told AS (
    SELECT ordering_key AS key,
           count(*) FILTER (WHERE NOT payload ? 'lines' AND payload->>'status' = 'INITIATED') AS accepted,
           count(*) FILTER (
               WHERE payload->>'referenceStatus' IN ('PAYMENT_FAILED', 'PAYMENT_DECLINED')) AS failed,
           count(*) FILTER (WHERE payload->>'lineStatus' = 'INITIATED') AS corrected,
           count(*) FILTER (WHERE payload->>'lineStatus' = 'SUCCESSFUL'
                               OR NOT payload ? 'lines' AND payload->>'status' = 'SUCCESSFUL') AS paid,
           count(*) FILTER (WHERE payload->>'referenceStatus' = 'PAYMENT_INSUFFICIENT_FUNDS') AS unfunded
    FROM ifms.outbox WHERE topic = 'payment_status' GROUP BY ordering_key
)
SELECT 'payment ' || c.key || ' was ' || what || ' ' || done || ' time(s), which was told '
       || coalesce(heard, 0) || ' time(s)'
FROM changed c LEFT JOIN told t ON t.key = c.key
CROSS JOIN LATERAL (VALUES ('INITIATED', c.accepted, t.accepted), ('FAILED', c.failed, t.failed),
                           ('corrected', c.corrected, t.corrected), ('SUCCESSFUL', c.paid, t.paid))
    told_of (what, done, heard)
WHERE done > coalesce(heard, 0)
UNION ALL
SELECT 'payment ' || p.tenant_id || ':' || p.payment_number || ' waits for funds, which was never told'
FROM ifms.payment p LEFT JOIN told t ON t.key = p.tenant_id || ':' || p.payment_number
WHERE p.hold_code = 'PAYMENT_INSUFFICIENT_FUNDS' AND coalesce(t.unfunded, 0) = 0
  AND NOT EXISTS (SELECT FROM ifms.payment_instruction i  -- told by the Java adapter
                  WHERE (i.tenant_id, i.payment_number) = (p.tenant_id, p.payment_number)
                    AND i.imported_at IS NOT NULL)

-- invariant: failures_are_told
-- holds: the platform hears of each beneficiary whose payment came back
-- remedy: Tell the platform by hand, or write the message into ifms.outbox
SELECT 'beneficiary ' || f.beneficiary_number || ' of payment ' || f.key || ' has failed ' || f.n
       || ' time(s), told ' || coalesce(t.n, 0)
FROM (SELECT p.tenant_id || ':' || p.payment_number AS key, b.beneficiary_number, line, count(*) AS n
      FROM ifms.beneficiary b JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
      CROSS JOIN LATERAL unnest(b.line_item_ids[1:1]) line  -- its lines are told together
      WHERE b.status = 'Payment Failed' AND b.failed_on IS NOT NULL
        AND b.imported_as IS DISTINCT FROM b.status  -- the Java adapter has told of it
      GROUP BY 1, 2, 3) f
LEFT JOIN (SELECT o.ordering_key AS key, line, count(*) AS n
           FROM ifms.outbox o CROSS JOIN LATERAL jsonb_array_elements_text(o.payload->'lines') line
           WHERE o.topic = 'payment_status' AND o.payload->>'lineStatus' = 'FAILED' GROUP BY 1, 2) t
  USING (key, line)
WHERE f.n > coalesce(t.n, 0)

-- invariant: zero_lines_are_nobodys
-- holds: a line that a PI notes as nothing to pay is no beneficiary's (but of an imported PI), and no message tells of it
-- remedy: Pause ifms_pi and ifms_cor and ask the treasury what it has paid
WITH noted AS (
    SELECT p.tenant_id, p.payment_number, p.pi_number, line #>> '{}' AS line
    FROM ifms.payment_instruction p
    CROSS JOIN LATERAL jsonb_path_query(p.additional_details, '$.nothingToPay[*].lineItemId') line
    WHERE p.additional_details ? 'nothingToPay'
)
SELECT DISTINCT 'line ' || n.line || ' is noted on PI ' || n.pi_number || ' as nothing to pay, and '
       || b.beneficiary_number || ' of PI ' || p.pi_number || ' is paid for it'
FROM noted n JOIN ifms.payment_instruction p USING (tenant_id, payment_number)
JOIN ifms.beneficiary b ON b.payment_instruction_id = p.id AND n.line = ANY(b.line_item_ids)
WHERE p.imported_at IS NULL
UNION ALL
SELECT 'line ' || n.line || ' is noted on PI ' || n.pi_number || ' as nothing to pay, and message ' || o.id
       || ' tells the platform that it is ' || (o.payload->>'lineStatus')
FROM noted n JOIN ifms.outbox o ON o.ordering_key = n.tenant_id || ':' || n.payment_number
WHERE o.topic = 'payment_status' AND o.payload->'lines' ? n.line

-- invariant: lines_are_told
-- holds: the last that the platform was told of each line is how its beneficiary stands, and of a payment if all is paid
-- remedy: Tell the platform by hand, or write the message into ifms.outbox
-- What the platform must have been told last of a line: by the last PI that pays it, and that the treasury has
-- accepted. A message without lines is about all of a payment's. Nearly every payment has one PI whose beneficiaries all
-- stand alike, and was told so as a whole, which is seen without a look at any line; the others are compared line by line.
WITH of_pi AS (
    SELECT payment_instruction_id AS id, count(*) FILTER (WHERE status <> 'Payment Pending') AS known,
           count(*) FILTER (WHERE status = 'Payment Successful') AS paid,
           count(*) FILTER (WHERE status = 'Payment Failed') AS failed,
           bool_and(imported_as IS NOT DISTINCT FROM status) AS imported
    FROM ifms.beneficiary GROUP BY 1
), last AS (
    SELECT ordering_key AS key, max(id) AS id
    FROM ifms.outbox WHERE topic = 'payment_status' AND NOT payload ? 'lines' GROUP BY 1
), looked_at AS MATERIALIZED (
    SELECT tenant_id || ':' || payment_number AS key FROM ifms.payment_instruction
    GROUP BY tenant_id, payment_number HAVING count(*) > 1
    UNION
    SELECT ordering_key FROM ifms.outbox WHERE topic = 'payment_status' AND payload ? 'lines'
    UNION
    SELECT p.tenant_id || ':' || p.payment_number FROM ifms.payment_instruction p JOIN of_pi ON of_pi.id = p.id
    LEFT JOIN last ON last.key = p.tenant_id || ':' || p.payment_number LEFT JOIN ifms.outbox o ON o.id = last.id
    WHERE (of_pi.known > 0 OR p.status = 'FAILED') AND NOT (of_pi.imported AND p.status <> 'FAILED')
      AND o.payload->>'status' IS DISTINCT FROM
          CASE WHEN p.status = 'FAILED' OR of_pi.failed = of_pi.known THEN 'FAILED'
               WHEN of_pi.paid = of_pi.known THEN 'SUCCESSFUL'
               WHEN of_pi.paid = 0 AND of_pi.failed = 0 THEN 'INITIATED' ELSE 'each otherwise' END
), stands AS (
    SELECT DISTINCT ON (p.tenant_id, p.payment_number, line)
           p.tenant_id || ':' || p.payment_number AS key, line, b.beneficiary_number, b.status, p.pi_number,
           p.status AS pi_status,
           CASE WHEN p.status = 'FAILED' OR b.status = 'Payment Failed' THEN 'FAILED'
                WHEN b.status = 'Payment Successful' THEN 'SUCCESSFUL' ELSE 'INITIATED' END AS expected,
           b.imported_as = b.status AND (p.status <> 'FAILED' OR i.id IS NOT NULL) AS by_import
    FROM ifms.payment_instruction p JOIN ifms.beneficiary b ON b.payment_instruction_id = p.id
    LEFT JOIN ifms.status_log i ON i.payment_instruction_id = p.id AND i.service_id = 'IMPORT'
     AND i.to_status = 'FAILED'
    CROSS JOIN LATERAL unnest(b.line_item_ids) line
    WHERE p.id = ANY (ARRAY(  -- by their index, though nobody can estimate how few they are
        SELECT id FROM looked_at JOIN ifms.payment_instruction ON tenant_id || ':' || payment_number = key))
      AND (b.status <> 'Payment Pending' OR p.status = 'FAILED')
    ORDER BY p.tenant_id, p.payment_number, line, b.created_at DESC
)
SELECT 'line ' || line || ' of payment ' || key || ' was told '
       || coalesce('to be ' || said || ' last', 'of to nobody') || '; it is ' || expected || ': '
       || beneficiary_number || ' of PI ' || pi_number || ' (' || pi_status || ') is ' || status
FROM stands LEFT JOIN LATERAL (
    SELECT CASE WHEN payload ? 'lines' THEN payload->>'lineStatus' ELSE payload->>'status' END AS said
    FROM ifms.outbox
    WHERE topic = 'payment_status' AND ordering_key = key AND (NOT payload ? 'lines' OR payload->'lines' ? line)
    ORDER BY id DESC LIMIT 1) last_word ON true
WHERE by_import IS NOT TRUE  -- the Java adapter has told of these
  AND said IS DISTINCT FROM expected
UNION ALL
SELECT 'payment ' || key || ' was told to be ' || said || ' last; ' || paid || ' of its ' || lines || ' lines are paid'
FROM (SELECT key, count(*) AS lines, count(*) FILTER (WHERE expected = 'SUCCESSFUL') AS paid,
             -- The Java adapter's PIs pay lines of no rupees, too: what was tried there and failed may name more than is owed.
             count(*) FILTER (WHERE expected = 'SUCCESSFUL' OR by_import IS NOT TRUE OR pi_status <> 'FAILED') AS owed
      FROM stands GROUP BY key) whole
CROSS JOIN LATERAL (
    SELECT payload->>'status' AS said FROM ifms.outbox WHERE topic = 'payment_status' AND ordering_key = key
    ORDER BY id DESC LIMIT 1) last_word
WHERE (said = 'SUCCESSFUL') <> (paid > 0 AND paid = owed)

-- invariant: beneficiaries_are_told
-- holds: while SMS are wanted, each who is paid or whose payment came back is told; departments are not
-- remedy: Tell them by hand: no sweep will do it any more
SELECT 'beneficiary ' || b.beneficiary_number || ' of payment ' || p.payment_number || ' is ' || b.status
       || ', and no SMS says so'
FROM ifms.notice n
JOIN ifms.beneficiary b ON b.updated_at > n.wanted_since + interval '1 minute'  -- a sweep may not have seen it
JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
LEFT JOIN (SELECT DISTINCT ordering_key, payload->>'outcome' AS outcome FROM ifms.outbox WHERE topic = 'sms') t
  ON t.ordering_key = p.tenant_id || ':' || b.beneficiary_number
 AND t.outcome = CASE b.status WHEN 'Payment Successful' THEN 'paid' ELSE 'failed' END
WHERE n.topic = 'sms' AND n.wanted AND b.beneficiary_type <> 'DEPT' AND p.status <> 'FAILED'
  AND (b.status = 'Payment Successful' OR b.status = 'Payment Failed' AND b.failed_on IS NOT NULL)
  AND t.ordering_key IS NULL

-- invariant: messages_are_delivered
-- holds: no message is set aside, or waits for long
-- remedy: Mend what it says and start ifms_relay, with 'Send again' for what was set aside
SELECT 'message ' || id || ' about ' || ordering_key
       || CASE WHEN set_aside_at IS NULL THEN ' is not delivered since ' || created_at ELSE ' is set aside' END
       || coalesce(': ' || last_error, '')
FROM (SELECT DISTINCT ON (topic, ordering_key) * FROM ifms.outbox WHERE delivered_at IS NULL
      ORDER BY topic, ordering_key, id) next  -- what is behind it waits for it
WHERE set_aside_at IS NOT NULL OR created_at < now() - %(undelivered)s

-- Time ----------------------------------------------------------------------------------------------------------------

-- invariant: watermarks_are_past
-- holds: funds are fetched up to now, not up to a day to come
-- remedy: Mend the clock of whoever runs ifms_va and start it: it asks from the beginning on and sets the watermark back
SELECT 'the watermark of ' || tenant_id || ', ' || hoa_code || ', ' || ddo_code || ' is at ' || fetched_until
FROM ifms.va_watermark WHERE fetched_until > now() + interval '5 minutes'  -- clocks differ

-- invariant: claims_are_given_back
-- holds: no row waits under a claim that has long run out
-- remedy: See whether the DAG that works on it runs at all
WITH claimed AS (
    SELECT 'PI ' || pi_number || ' (' || status || ')' AS what, claimed_until FROM ifms.payment_instruction
    WHERE status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS')
    UNION ALL SELECT 'payment ' || payment_number, claimed_until FROM ifms.payment WHERE paid_by IS NULL
    UNION ALL SELECT 'message ' || id, claimed_until FROM ifms.outbox WHERE delivered_at IS NULL
    UNION ALL SELECT 'the watermark of ' || tenant_id || ', ' || hoa_code || ', ' || ddo_code, claimed_until
              FROM ifms.va_watermark
)
SELECT what || ' is claimed by a run that had until ' || claimed_until || ' for it'
FROM claimed WHERE claimed_until < now() - %(forgotten)s

-- invariant: pending_is_settled
-- holds: no PI stays PENDING for long
-- remedy: ifms_pi asks about it first in its next run; see what it says there
SELECT 'PI ' || pi_number || ' is PENDING since ' || created_at || ', after ' || attempts
       || ' attempt(s), the last ' || coalesce(last_attempt, 'not known') || coalesce(': ' || error_message, '')
FROM ifms.payment_instruction WHERE status = 'PENDING' AND created_at < now() - %(pending)s

-- What waits ----------------------------------------------------------------------------------------------------------

-- invariant: statuses_move_on
-- holds: no PI that the treasury has stands still for long
-- remedy: Ask the treasury, or the SSU, what became of this bill; the next sweep takes up what it answers by then
SELECT 'PI ' || p.pi_number || ' (' || p.pi_type || ') is ' || p.status || ' since ' || p.status_since || '; '
       || waits.what || coalesce(', which said: ' || ifms.without_numbers(p.error_message), '')
FROM ifms.payment_instruction p
JOIN jsonb_to_recordset(%(waits)s) AS waits (pi_type text, status text, long interval, what text)
  ON waits.pi_type = p.pi_type AND waits.status = p.status
WHERE p.status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS') AND p.status_since < now() - waits.long

-- invariant: payments_get_instructions
-- holds: no payment is without a PI for long
-- remedy: Mend what it says, have funds allotted, or see that tenant.tenants has its city; then start ifms_pi for it
-- What is withheld or in doubt no run may take up: nothing_is_withheld and nothing_is_in_doubt say so.
SELECT 'payment ' || payment_number || ' of ' || tenant_id || ', ' || amount || ', is on hold since '
       || held_since || ' (' || hold_code || '): ' || left(ifms.without_numbers(hold_message), 500)
FROM ifms.payment
WHERE paid_by IS NULL AND hold_code IS NOT NULL
  AND hold_code NOT IN ('PAYMENT_CANCELLED', 'BILL_NOT_APPROVED')  -- the platform wants it so
  AND held_since < now()
      - CASE hold_code WHEN 'PAYMENT_INSUFFICIENT_FUNDS' THEN %(unfunded)s::interval ELSE %(held)s::interval END
UNION ALL
SELECT 'payment ' || y.payment_number || ' of ' || y.tenant_id || ', ' || y.amount || ', waits since '
       || greatest(y.raised_at, y.seen_at, y.released_at) || ', and no run of ifms_pi has taken it up'
       || coalesce(' since ' || y.polled_at, '')
FROM ifms.payment y
WHERE y.paid_by IS NULL AND y.hold_code IS NULL
  AND y.raised_at < now() - %(held)s::interval
  AND greatest(y.raised_at, y.seen_at, y.released_at) < now() - %(held)s::interval
  AND NOT EXISTS (SELECT FROM ifms.import_withheld w WHERE w.settled_at IS NULL AND w.tenant_id = y.tenant_id
                  AND ifms.plain_number(w.payment_number) = ifms.plain_number(y.payment_number))
  AND NOT ifms.in_doubt(y)

-- invariant: allotments_count
-- holds: no allotment waits for long for the initial one of its sanction, without which it counts for nothing
-- remedy: Ask the treasury for the initial allotment, and for the right DDO; once it tells of it, backfill ifms_va from then
SELECT 'allotment ' || a.master_allotment_id || '/' || a.ssu_allotment_id || '/' || a.serial_no || ' (' || a.kind
       || ' of ' || a.amount || ') of ' || a.tenant_id || ', DDO ' || a.ddo_code || ', head of account ' || a.hoa_code
       || ', waits since ' || a.received_at || ' for the initial allotment of its sanction'
       || coalesce('; there is one of this number of DDO ' || other.ddos, '')
FROM ifms.allotment a
LEFT JOIN LATERAL (
    SELECT string_agg(DISTINCT s.ddo_code, ', ') AS ddos, bool_or(s.ddo_code = a.ddo_code) AS same FROM ifms.sanction s
    WHERE (s.tenant_id, s.hoa_code, s.master_allotment_id) = (a.tenant_id, a.hoa_code, a.master_allotment_id)
) other ON true
WHERE a.sanction_id IS NULL AND a.received_at < now() - %(uncounted)s::interval
  AND other.same IS NOT TRUE  -- allotments_are_movements
  AND NOT EXISTS (  -- it counts in the city whose unit it is by now
      SELECT FROM ifms.allotment there
      WHERE there.sanction_id IS NOT NULL
        AND (there.hoa_code, there.ddo_code, there.grantee_code, there.master_allotment_id, there.ssu_allotment_id,
             there.serial_no)
          = (a.hoa_code, a.ddo_code, a.grantee_code, a.master_allotment_id, a.ssu_allotment_id, a.serial_no))

-- invariant: failures_are_matched
-- holds: no payment that came back is unaccounted for long
-- remedy: Ask the treasury which bill it means; one that is nobody's here is closed on the page Failures, or by `ifms failures close-reported`
SELECT 'failure ' || id || ' of bill ' || bill_number || ', '
       || coalesce('beneficiary ' || nullif(beneficiary_id, ''), 'account ***' || account_last4, 'nobody named')
       || ', told since ' || first_told_at || ', matches nothing: ' || why_unmatched
FROM ifms.reported_failure
WHERE matched_at IS NULL AND settled_at IS NULL AND first_told_at < now() - %(unmatched)s::interval

-- invariant: one_transfer_each
-- holds: nobody is told of as paid by another transfer than before, or as was not sent, unless a person knows of that one
-- remedy: Ask the treasury whom it has paid, and whether by both, and settle it on the page Failures, or by `ifms failures settle-transfer`
SELECT 'beneficiary ' || b.beneficiary_number || ' of PI ' || p.pi_number || ', ' || b.status || ' by '
       || coalesce(b.utr_number, 'none') || ', is told of as paid by ' || t.utr_number
       || coalesce(' (' || t.not_as_sent || ')', '') || ', since ' || t.first_told_at || ' (' || t.id || ')'
FROM ifms.other_transfer t JOIN ifms.beneficiary b ON b.id = t.beneficiary_row
JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
WHERE t.settled_at IS NULL

-- invariant: failures_are_corrected
-- holds: who has failed is corrected in good time, or paid anew, or a person has said why not
-- remedy: Mend the account and start ifms_cor (after its last day: 'new original'), or close it on the page Failures
-- Who waits for a revision or repayment of the same original that is on its way is none: statuses_move_on tells of that.
SELECT 'beneficiary ' || beneficiary_number || ' of PI ' || pi_number || ' (' || tenant_id || '), ' || amount
       || ', has failed on ' || failed_on || CASE WHEN days_left < 0 THEN ', the last day to correct it was '
                                                  ELSE ', the last day to correct it is ' END || correct_by
       || CASE WHEN original_pi_number <> pi_number THEN '; its original is ' || original_pi_number ELSE '' END
       || ' (' || id || ')'
FROM ifms.failed_beneficiary
WHERE next_step <> 'WAIT' AND closed_at IS NULL
  AND correct_by - %(uncorrected)s::interval <= now() AT TIME ZONE 'Asia/Kolkata'

-- invariant: failures_are_asked_for
-- holds: the treasury has told lately what came back of each voucher date of which a payment may still come back
-- remedy: Start ifms_fd; if it ends red, see what its run says of these dates
SELECT CASE count(*) WHEN 1 THEN 'voucher date ' || min(day)
                     ELSE count(*) || ' voucher dates, ' || min(day) || ' to ' || max(day) END
       || CASE WHEN last IS NULL THEN ': ifms_fd has never had an answer about what came back'
               ELSE ': the last answer about what came back was on ' || last END
FROM (SELECT day, (a.answered_at AT TIME ZONE 'Asia/Kolkata')::date AS last FROM ({returnable}) returnable
      LEFT JOIN ifms.voucher_date_asked a ON a.voucher_date = day
      WHERE a.answered_at IS NULL OR a.answered_at < now() - %(unasked)s::interval) unasked
GROUP BY last

-- What people have approved -------------------------------------------------------------------------------------------

-- invariant: approved_is_done
-- holds: what a second person has approved is done within an hour, or is said to have failed
-- remedy: See what became of it on the page of proposals; start it anew, or let it be proposed again once it has expired
SELECT 'proposal ' || id || ' (' || act || ' of ' || subject || '), which ' || approved_by || ' approved at ' || approved_at
       || ', is not done, and can be until ' || expires_at + interval '1 day'
FROM ifms.proposal
WHERE approved_at < now() - interval '1 hour' AND done_at IS NULL AND failed_at IS NULL
  AND expires_at > now() - interval '1 day'

-- What was imported or restored ---------------------------------------------------------------------------------------

-- invariant: nothing_is_withheld
-- holds: every payment that the Java adapter has worked on is imported
-- remedy: See what `ifms import-java` says of it; until it is imported its payment gets no PI
SELECT 'payment ' || payment_number || ' of ' || tenant_id || ': ' || left(reason, 500)
FROM ifms.import_withheld WHERE settled_at IS NULL

-- invariant: numbers_name_one_payment
-- holds: no two payments of a city are paid whose numbers differ only in small and capital letters, or in blanks
-- remedy: Ask the platform which of them it has; the treasury is to stop what is not paid yet, and what was paid twice claimed back
SELECT 'payments ' || string_agg(payment_number, ' and ' ORDER BY payment_number) || ' of ' || tenant_id
       || ', whose numbers differ in nothing else, have a PI each'
FROM ifms.payment WHERE paid_by IS NOT NULL
GROUP BY tenant_id, ifms.plain_number(payment_number) HAVING count(*) > 1

-- invariant: nothing_is_in_doubt
-- holds: of what a restored ledger may have forgotten the PI, it is known whether it was paid
-- remedy: Ask the treasury, then `ifms after-restore clear`; see docs/operations.md
SELECT 'payment ' || y.payment_number || ' of ' || y.tenant_id || ', ' || y.amount FROM ifms.payment y
WHERE y.paid_by IS NULL AND ifms.in_doubt(y)
UNION ALL
SELECT 'PI ' || p.pi_number || ', whose failed beneficiaries may have been corrected'
FROM ifms.payment_instruction p
WHERE p.pi_type = 'ORIGINAL' AND p.status IN ('PARTIAL', 'COMPLETED') AND ifms.in_doubt(p)
  AND EXISTS (SELECT FROM ifms.failed_beneficiary f WHERE f.original_pi_number = p.pi_number)
UNION ALL
SELECT 'PI ' || pi_number || ' of ' || tenant_id || ', ' || net_amount || ', which is PENDING and held back'
FROM ifms.payment_instruction WHERE status = 'PENDING' AND held_back
