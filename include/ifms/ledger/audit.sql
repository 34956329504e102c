-- What must hold of the chain of records: rules in the form of invariants.sql. Each is one pass over the links and the
-- rows that they are about.

-- invariant: chain_is_whole
-- holds: each link of a city's chain follows on the one before it
-- remedy: Pause the DAGs that pay; compare with the newest anchor and a backup, and find out who has had the owner's password
SELECT 'link ' || number || ' of ' || coalesce(nullif(chain, ''), 'the state') || ' (' || source || ' ' || row_id
       || ') does not follow on link ' || coalesce(previous, 0) || ': a link was changed, put in or taken out there'
FROM (
    SELECT l.*, lag(number) OVER in_order AS previous, lag(hash) OVER in_order AS before FROM ifms.audit_link l
    WINDOW in_order AS (PARTITION BY chain ORDER BY number)) l
WHERE number <> coalesce(previous, 0) + 1
   OR hash <> ifms.link_hash(before, chain, number, source, event, row_id, content, linked_at)

-- invariant: records_are_as_linked
-- holds: each row that the chain knows is there, as it was when it was linked
-- remedy: Pause the DAGs that pay; compare the row with a backup, and find out who has had the owner's password
-- A call to the treasury that was kept for long enough is removed, and the removal is a record of its own.
SELECT l.source || ' ' || l.row_id || ' of ' || coalesce(nullif(l.chain, ''), 'the state') || ', link ' || l.number
       || CASE WHEN r.row_id IS NULL THEN ', is not there any more' ELSE ', is not as it was when it was linked' END
FROM ifms.audit_link l
LEFT JOIN (SELECT * FROM ifms.linked_records() WHERE event = 'made' OR source = 'treasury_call') r  -- one row of each
    ON (r.source, r.row_id) = (l.source, l.row_id)
WHERE l.content IS DISTINCT FROM ifms.record_hash(l.source, l.event, r."row")
  AND NOT (r.row_id IS NULL AND l.source = 'treasury_call' AND l.linked_at
           < coalesce((SELECT max(made_before) FROM ifms.call_removal) + interval '1 hour', '-infinity'))

-- invariant: records_are_linked
-- holds: each row of the records has its link
-- remedy: Pause the DAGs that pay; find out who has written the row past the ledger's rules, with the owner's password
SELECT r.source || ' ' || r.row_id || ' of ' || r."at" || ' has no link'
       || CASE r.event WHEN 'made' THEN '' ELSE ' of how it ended' END
       || ': it was written past the ledger''s rules'
FROM ifms.linked_records() r
WHERE NOT EXISTS (SELECT FROM ifms.audit_link l
                  WHERE (l.source, l.event, l.row_id) = (r.source, r.event, r.row_id))
