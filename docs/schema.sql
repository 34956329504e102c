-- The ledger's schema after the last revision, as pg_dump writes it. Made by `make schema`; change the migrations instead
-- (include/ifms/ledger/migrations), which say why.


--
-- Name: ifms; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA ifms;

--
-- Name: add_link(text, text, text, jsonb); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.add_link(source text, event text, row_id text, "row" jsonb) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    -- A trigger hands on its table's name, whose collation would be every variable's: no index would fit the city.
    city text COLLATE "default" := "row" ->> 'tenant_id';
    content bytea := ifms.record_hash(source, event, "row");
    at timestamptz;
BEGIN
    IF city IS NULL THEN
        city := ifms.city_of_record(source, "row");
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('ifms.audit_link ' || city, 0));
    at := clock_timestamp();  -- once the link before is there
    INSERT INTO ifms.audit_link (chain, number, source, event, row_id, content, hash, linked_at)
    SELECT city, coalesce(last.number, 0) + 1, source, event, row_id, content,
           ifms.link_hash(last.hash, city, coalesce(last.number, 0) + 1, source, event, row_id, content, at), at
    FROM (VALUES (true)) AS one
    LEFT JOIN LATERAL (SELECT l.number, l.hash FROM ifms.audit_link l WHERE l.chain = city ORDER BY l.number DESC LIMIT 1)
        AS last ON true;
END $$;

--
-- Name: apply_closing(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.apply_closing() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    UPDATE ifms.sanction SET closed_at = CASE WHEN NEW.closed THEN NEW.noted_at END, updated_at = now()
    WHERE id = NEW.sanction_id AND (closed_at IS NULL) = NEW.closed;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'sanction % is % already', NEW.sanction_id, CASE WHEN NEW.closed THEN 'closed' ELSE 'open' END
            USING ERRCODE = 'check_violation', CONSTRAINT = 'closed_once';
    END IF;
    RETURN NULL;
END $$;

--
-- Name: apply_movement(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.apply_movement() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    needs text := CASE NEW.kind WHEN 'DEBIT' THEN 'RESERVE' WHEN 'RELEASE' THEN 'RESERVE' WHEN 'REVERSAL' THEN 'DEBIT' END;
    own   boolean := false;
BEGIN
    IF needs IS NOT NULL AND NOT EXISTS (
        SELECT FROM ifms.fund_movement
        WHERE payment_instruction_id = NEW.payment_instruction_id AND kind = needs
          AND sanction_id = NEW.sanction_id AND amount = NEW.amount
    ) THEN
        RAISE EXCEPTION 'a % of % for payment instruction % has no % of the same amount before it',
            NEW.kind, NEW.amount, NEW.payment_instruction_id, needs
            USING ERRCODE = 'check_violation', CONSTRAINT = 'movement_has_its_pair';
    END IF;
    IF NEW.kind = 'RESERVE' THEN
        SELECT imported_at IS NULL INTO own FROM ifms.payment_instruction
        WHERE id = NEW.payment_instruction_id AND sanction_id = NEW.sanction_id AND net_amount = NEW.amount
          AND pi_type = 'ORIGINAL';
    ELSIF NEW.kind IN ('ALLOTMENT', 'WITHDRAWAL') THEN
        PERFORM FROM ifms.allotment a
        JOIN ifms.sanction s ON s.id = NEW.sanction_id AND (s.tenant_id, s.hoa_code, s.ddo_code, s.master_allotment_id)
                                                         = (a.tenant_id, a.hoa_code, a.ddo_code, a.master_allotment_id)
        WHERE a.id = NEW.allotment_id AND a.amount = NEW.amount
          AND (a.kind = 'WITHDRAWAL') = (NEW.kind = 'WITHDRAWAL');
    END IF;
    IF NEW.kind IN ('RESERVE', 'ALLOTMENT', 'WITHDRAWAL') AND NOT FOUND THEN
        RAISE EXCEPTION 'a % of % on sanction % is not that of its payment instruction or allotment',
            NEW.kind, NEW.amount, NEW.sanction_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'movement_is_of_its_cause';
    END IF;
    UPDATE ifms.sanction s SET
        allotted_amount = allotted_amount + CASE NEW.kind WHEN 'ALLOTMENT' THEN NEW.amount WHEN 'WITHDRAWAL' THEN -NEW.amount ELSE 0 END,
        reserved_amount = reserved_amount + CASE NEW.kind WHEN 'RESERVE' THEN NEW.amount WHEN 'RELEASE' THEN -NEW.amount WHEN 'DEBIT' THEN -NEW.amount ELSE 0 END,
        spent_amount = spent_amount + CASE NEW.kind WHEN 'DEBIT' THEN NEW.amount WHEN 'REVERSAL' THEN -NEW.amount ELSE 0 END,
        updated_at = now()
    WHERE id = NEW.sanction_id
      AND (NOT own OR allotted_amount - reserved_amount - spent_amount - ifms.withheld(s) >= NEW.amount)
    RETURNING allotted_amount, reserved_amount, spent_amount
        INTO NEW.allotted_after, NEW.reserved_after, NEW.spent_after;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'sanction % has less than % available', NEW.sanction_id, NEW.amount
            USING ERRCODE = 'check_violation', CONSTRAINT = 'insufficient_funds';
    END IF;
    NEW.id := nextval('ifms.fund_movement_id_seq');
    RETURN NEW;
END $$;

--
-- Name: bill_type(text[]); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.bill_type(bill_numbers text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN min(kind) IS DISTINCT FROM max(kind) THEN 'MIXED' ELSE nullif(min(kind), '') END
    FROM (SELECT CASE left(number, 3) WHEN 'WB/' THEN 'WAGE' WHEN 'PB/' THEN 'PURCHASE' WHEN 'SB/' THEN 'SUPERVISION'
                                      ELSE '' END AS kind
          FROM unnest(bill_numbers) number) kinds
$$;

--
-- Name: check_adopted(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_adopted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ifms.payment_instruction p JOIN ifms.payment y ON y.paid_by = p.id
                   WHERE p.id = NEW.id AND p.status NOT IN ('PENDING', 'FAILED', 'INITIATED', 'APPROVED')
                     AND p.pi_approved_id IS NOT NULL AND p.pa_bill_ref_number IS NOT NULL
                     AND p.pa_token_number IS NOT NULL) THEN
        RAISE EXCEPTION 'payment instruction % is adopted as what the treasury has told of it, or not at all', NEW.pi_number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'adopted_is_at_the_treasury';
    END IF;
    RETURN NULL;
END $$;

--
-- Name: check_allotment_counts(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_allotment_counts() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.sanction_id IS NOT NULL AND NEW.sanction_id IS DISTINCT FROM OLD.sanction_id
       OR NEW.sanction_id IS NOT NULL AND NEW.amount > 0 AND NOT EXISTS (
           SELECT FROM ifms.fund_movement WHERE allotment_id = NEW.id AND sanction_id = NEW.sanction_id) THEN
        RAISE EXCEPTION 'allotment % counts once, by its movement', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'allotment_counts_once';
    END IF;
    RETURN NULL;
END $$;

--
-- Name: check_beneficiaries(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_beneficiaries() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    rows  bigint;
    total numeric;
BEGIN
    SELECT count(*), sum(amount) INTO rows, total FROM ifms.beneficiary WHERE payment_instruction_id = NEW.id;
    IF rows <> NEW.beneficiary_count OR total IS DISTINCT FROM NEW.net_amount THEN
        RAISE EXCEPTION 'payment instruction % says % beneficiaries and %, its rows are % and %',
            NEW.pi_number, NEW.beneficiary_count, NEW.net_amount, rows, total
            USING ERRCODE = 'check_violation', CONSTRAINT = 'beneficiaries_agree';
    END IF;
    RETURN NULL;
END $$;

--
-- Name: check_cancelled(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_cancelled() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'INSERT' OR OLD.cancelled_by IS NOT NULL OR OLD.status <> 'PENDING' OR NEW.status <> 'FAILED'
       OR OLD.uncertain OR NEW.uncertain OR OLD.held_back OR OLD.last_attempt IS DISTINCT FROM 'never_sent'
       OR NEW.last_attempt IS DISTINCT FROM 'never_sent' OR OLD.claimed_until >= clock_timestamp() THEN
        RAISE EXCEPTION 'payment instruction % may have arrived at the treasury, or has ended: it is not cancelled',
            NEW.pi_number USING ERRCODE = 'check_violation', CONSTRAINT = 'cancelled_before_it_was_sent';
    END IF;
    RETURN NEW;
END $$;

--
-- Name: check_cleared(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_cleared() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE')
       OR EXISTS (SELECT FROM ifms.restored r WHERE r.restored_at > NEW.created_at AND NOT EXISTS (
              SELECT FROM ifms.restore_cleared c
              WHERE (c.restored_id, c.tenant_id, c.number, c.kind)
                  = (r.id, NEW.tenant_id, NEW.pi_number, 'PENDING PI'))) THEN
        RAISE EXCEPTION 'payment instruction % is held back since the ledger was restored, until it is cleared', NEW.pi_number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'held_back_until_cleared';
    END IF;
    RETURN NEW;
END $$;

--
-- Name: check_closed_at(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_closed_at() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF (SELECT CASE WHEN closed THEN noted_at END FROM ifms.sanction_closing
        WHERE sanction_id = NEW.id ORDER BY id DESC LIMIT 1) IS DISTINCT FROM NEW.closed_at THEN
        RAISE EXCEPTION 'sanction % is closed and opened by a row of sanction_closing', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'closed_by_somebody';
    END IF;
    RETURN NEW;
END $$;

--
-- Name: check_home(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_home() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
DECLARE
    home text := (SELECT place FROM ifms.home ORDER BY id DESC LIMIT 1);
BEGIN
    IF home IS NULL THEN
        INSERT INTO ifms.home (place, reason) VALUES (ifms.place(), 'the ledger was new');
    ELSIF home <> ifms.place() THEN
        RAISE EXCEPTION 'this ledger was restored, copied or moved: it was at % and is at %. It may not know what was '
            'sent to the treasury since, and would pay it again. Pause all DAGs; then `ifms after-restore begin`, or, '
            'if nothing at all was lost, `ifms after-restore nothing-lost`', home, ifms.place()
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_is_at_home';
    END IF;
    RETURN NULL;
END $$;

--
-- Name: check_import(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_import() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RAISE EXCEPTION 'only the owner of % imports rows into it', TG_TABLE_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = 'owner_imports';
    END IF;
    RETURN NEW;
END $$;

--
-- Name: check_line_is_paid_once(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_line_is_paid_once() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    line    text;
    other   text;
    number  text;
    unclear text;
BEGIN
    SELECT p.payment_number, (SELECT min(each) FROM unnest(w.line_item_ids) each WHERE each = ANY(b.line_item_ids)),
           o.payment_number, CASE WHEN o.status = 'FAILED' THEN o.pi_number END
    INTO number, line, other, unclear
    FROM written w
    JOIN ifms.payment_instruction p ON p.id = w.payment_instruction_id
    JOIN ifms.beneficiary b ON b.imported_as IS NOT NULL AND b.line_item_ids && w.line_item_ids
    JOIN ifms.payment_instruction o ON o.id = b.payment_instruction_id
     AND (o.status <> 'FAILED' OR o.uncertain AND (o.said_absent_at IS NULL OR o.said_absent_at <= o.found_failed_at))
    WHERE w.imported_as IS NULL AND (o.tenant_id, o.payment_number) <> (p.tenant_id, p.payment_number)
    ORDER BY 1, 2, 4 NULLS FIRST LIMIT 1;
    IF unclear IS NOT NULL THEN
        RAISE EXCEPTION 'payment % pays line %, and so may PI % of payment % of the adapter before this one: ask the treasury; if it lacks that PI, say so with `ifms settle`',
            number, line, unclear, other
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'line_is_paid_once', TABLE = 'beneficiary';
    ELSIF other IS NOT NULL THEN
        RAISE EXCEPTION 'payment % pays line %, which payment % of the adapter before this one pays already: ask the platform which of them is right',
            number, line, other
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'line_is_paid_once', TABLE = 'beneficiary';
    END IF;
    RETURN NULL;
END $$;

--
-- Name: check_logged(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_logged() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ifms.payment_instruction p
                   WHERE p.id = NEW.payment_instruction_id AND p.status = NEW.to_status)
       AND NOT EXISTS (SELECT FROM ifms.status_log l WHERE l.payment_instruction_id = NEW.payment_instruction_id
                       AND l.id > NEW.id AND l.from_status = NEW.to_status)
       OR NOT EXISTS (SELECT FROM ifms.status_transition t WHERE t.subject = 'PAYMENT_INSTRUCTION'
                      AND (t.from_status, t.to_status) = (NEW.from_status, NEW.to_status)) THEN
        RAISE EXCEPTION 'the payment instruction did not go from % to %, and so the status log cannot say it',
            NEW.from_status, NEW.to_status USING ERRCODE = 'check_violation', CONSTRAINT = 'log_agrees';
    END IF;
    RETURN NULL;
END $$;

--
-- Name: check_money(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_money() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    pi       record;
    kinds    text[];
    expected text[];
BEGIN
    SELECT id, pi_number, pi_type, status, sanction_id, net_amount INTO pi
    FROM ifms.payment_instruction WHERE id = NEW.id;
    IF pi.pi_type = 'REVISED' THEN
        RETURN NULL;  -- a revision spends what its original already spent
    END IF;
    IF pi.sanction_id IS NULL AND pi.status = 'FAILED' AND NOT EXISTS (
        SELECT FROM ifms.fund_movement WHERE payment_instruction_id = pi.id) THEN
        RETURN NULL;  -- imported; it never moved any
    END IF;
    SELECT coalesce(array_agg(kind ORDER BY kind), '{}') INTO kinds
    FROM ifms.fund_movement WHERE payment_instruction_id = pi.id AND amount = pi.net_amount;
    expected := CASE pi.status WHEN 'PENDING' THEN ARRAY['RESERVE'] ELSE ARRAY['DEBIT', 'RESERVE'] END;
    IF kinds <> expected AND NOT (
        pi.status = 'FAILED' AND kinds IN (ARRAY['RELEASE', 'RESERVE'], ARRAY['DEBIT', 'RESERVE', 'REVERSAL'])
    ) OR (pi.status = 'FAILED' AND kinds = expected) THEN
        RAISE EXCEPTION 'payment instruction % is % but its movements are %', pi.pi_number, pi.status, kinds
            USING ERRCODE = 'check_violation', CONSTRAINT = 'status_and_money_agree';
    END IF;
    RETURN NULL;
END $$;

--
-- Name: check_money_moved(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_money_moved() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    agree boolean;
    pi    record;
BEGIN
    SELECT p.pi_number, p.status, array_agg(m.kind ORDER BY m.kind) AS kinds INTO pi
    FROM ifms.payment_instruction p JOIN ifms.fund_movement m ON m.payment_instruction_id = p.id
    WHERE p.id = NEW.payment_instruction_id GROUP BY p.id;
    agree := CASE pi.status
        WHEN 'PENDING' THEN pi.kinds = ARRAY['RESERVE']
        WHEN 'FAILED' THEN pi.kinds IN (ARRAY['RELEASE', 'RESERVE'], ARRAY['DEBIT', 'RESERVE', 'REVERSAL'])
        ELSE pi.kinds = ARRAY['DEBIT', 'RESERVE'] END;
    IF NOT agree THEN
        RAISE EXCEPTION 'payment instruction % is % but its movements are %', pi.pi_number, pi.status, pi.kinds
            USING ERRCODE = 'check_violation', CONSTRAINT = 'status_and_money_agree';
    END IF;
    RETURN NULL;
END $$;

--
-- Name: check_paid_by(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_paid_by() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.paid_by IS NOT NULL AND NOT EXISTS (
        SELECT FROM ifms.payment_instruction
        WHERE id = NEW.paid_by AND (tenant_id, payment_number, net_amount) = (NEW.tenant_id, NEW.payment_number, NEW.amount)
          AND pi_type = 'ORIGINAL' AND repayment_of IS NULL AND status <> 'FAILED'
    ) THEN
        RAISE EXCEPTION 'payment % is not paid by the payment instruction that it names', NEW.payment_number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'paid_by_its_own_instruction';
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.paid_by IS NOT NULL AND NEW.paid_by IS DISTINCT FROM OLD.paid_by AND EXISTS (
        SELECT FROM ifms.payment_instruction WHERE id = OLD.paid_by AND status <> 'FAILED'
    ) THEN
        RAISE EXCEPTION 'payment % is still paid by the payment instruction that it named', NEW.payment_number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'paid_by_its_own_instruction';
    END IF;
    RETURN NULL;
END $$;

--
-- Name: check_paid_once(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_paid_once() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF OLD.payment_number IS NOT NULL
       AND (NEW.tenant_id, NEW.payment_number) IS DISTINCT FROM (OLD.tenant_id, OLD.payment_number) THEN
        RAISE EXCEPTION 'bill % is paid by payment % of %, not by % of %',
            OLD.bill_id, OLD.payment_number, OLD.tenant_id, NEW.payment_number, NEW.tenant_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'bill_is_paid_once';
    END IF;
    IF NEW.tenant_id <> OLD.tenant_id AND NEW.payment_number IS NULL THEN
        RAISE EXCEPTION 'bill % is of %: without a payment it becomes no other city''s', OLD.bill_id, OLD.tenant_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'bill_is_paid_once';
    END IF;
    RETURN NEW;
END $$;

--
-- Name: check_resealed(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_resealed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF coalesce(current_setting('ifms.resealing', true), '') <> 'on' OR NEW.account_sealed IS NULL
       OR NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RAISE EXCEPTION '% on % is refused: an account that is known is frozen', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;

--
-- Name: check_sanction_open(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_sanction_open() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF EXISTS (SELECT FROM ifms.sanction WHERE id = NEW.sanction_id AND closed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'sanction % of % is closed: nothing is paid from it', NEW.master_allotment_id, NEW.tenant_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'sanction_is_open';
    END IF;
    RETURN NEW;
END $$;

--
-- Name: check_settled_by_fact(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_settled_by_fact() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.settled_by IS NULL AND (NEW.refusal IS NULL OR NOT NEW.refused_first
            AND (NEW.absent_since IS NULL OR NEW.absent_since > now() - interval '59 minutes')) THEN
        RAISE EXCEPTION 'payment instruction % may have arrived at the treasury: that it did not is not known', NEW.pi_number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'settled_by_fact';
    END IF;
    RETURN NEW;
END $$;

--
-- Name: check_signed_anew(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_signed_anew() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF coalesce(current_setting('ifms.resealing', true), '') <> 'on' OR OLD.signature IS NULL OR NEW.signature IS NULL
       OR NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RAISE EXCEPTION '% on % is refused: a signature is frozen', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;

--
-- Name: check_transition(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_transition() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM ifms.status_transition
        WHERE subject = TG_ARGV[0] AND from_status = OLD.status AND to_status = NEW.status
    ) THEN
        RAISE EXCEPTION '% % may not go from % to %', TG_TABLE_NAME, OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'status_transition';
    END IF;
    RETURN NEW;
END $$;

--
-- Name: check_withheld(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_withheld() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    first    text := coalesce(NEW.parent_pi_number, NEW.repayment_of);
    plain    text := ifms.plain_number(NEW.payment_number);
    other    text;
    doubtful boolean;
BEGIN
    IF EXISTS (SELECT FROM ifms.import_withheld WHERE settled_at IS NULL
               AND tenant_id = NEW.tenant_id AND ifms.plain_number(payment_number) = plain) THEN
        RAISE EXCEPTION 'payment % of % has payment instructions of the Java adapter that could not be imported',
            NEW.payment_number, NEW.tenant_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_is_withheld';
    END IF;
    SELECT p.pi_number || ' (' || p.status || ') of payment ' || p.payment_number INTO other
    FROM ifms.payment y JOIN ifms.payment_instruction p ON (p.tenant_id, p.payment_number) = (y.tenant_id, y.payment_number)
    WHERE y.tenant_id = NEW.tenant_id AND ifms.plain_number(y.payment_number) = plain
      AND y.payment_number <> NEW.payment_number AND (p.status <> 'FAILED' OR p.uncertain) LIMIT 1;
    IF other IS NOT NULL THEN
        RAISE EXCEPTION 'its number differs only in small and capital letters, or in blanks, from that of PI %, which may '
            'have paid it: ask the treasury, and cancel on the platform what is paid', other
            USING ERRCODE = 'check_violation', CONSTRAINT = 'number_names_one_payment';
    END IF;
    doubtful := first IS NULL AND EXISTS (SELECT FROM ifms.payment y WHERE ifms.in_doubt(y)
               AND (y.tenant_id, y.payment_number) = (NEW.tenant_id, NEW.payment_number))
       OR EXISTS (SELECT FROM ifms.payment_instruction p WHERE p.pi_number = first AND ifms.in_doubt(p));
    IF NEW.adopted_by IS NOT NULL AND NOT doubtful THEN
        RAISE EXCEPTION 'payment % is not in doubt: only what a restored ledger has lost is adopted', NEW.payment_number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'adopted_was_lost';
    END IF;
    IF doubtful AND NEW.adopted_by IS NULL THEN
        RAISE EXCEPTION 'the ledger was restored, and % may have a payment instruction that it does not know: ask the '
            'treasury, then clear it with `ifms after-restore clear`', coalesce(first, NEW.payment_number)
            USING ERRCODE = 'check_violation', CONSTRAINT = 'restored_and_in_doubt';
    END IF;
    RETURN NEW;
END $$;

--
-- Name: check_written_with_header(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.check_written_with_header() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    -- now() is the transaction's: only the transaction that wrote the header sees its created_at as now.
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT payment_instruction_id AS id FROM written) AS header
        WHERE NOT EXISTS (SELECT FROM ifms.payment_instruction p
                          WHERE p.id = header.id AND now() IN (p.created_at, p.imported_at))
    ) THEN
        RAISE EXCEPTION 'a beneficiary is written with its payment instruction, not later'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'written_with_header';
    END IF;
    RETURN NULL;
END $$;

--
-- Name: city_of_record(text, jsonb); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.city_of_record(source text, "row" jsonb) RETURNS text
    LANGUAGE plpgsql STABLE
    AS $_$
DECLARE
    city text;
BEGIN
    IF source IN ('fund_movement', 'sanction_closing') THEN
        SELECT s.tenant_id INTO city FROM ifms.sanction s WHERE s.id = ("row" ->> 'sanction_id')::uuid;
    ELSIF source = 'treasury_call' THEN
        SELECT p.tenant_id INTO city FROM ifms.payment_instruction p
        WHERE p.id = ("row" ->> 'payment_instruction_id')::uuid;
    ELSIF source = 'call_access' AND "row" ->> 'source' = 'ledger' THEN
        SELECT p.tenant_id INTO city FROM ifms.treasury_call c
        JOIN ifms.payment_instruction p ON p.id = c.payment_instruction_id
        WHERE c.id = CASE WHEN "row" ->> 'call_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                     THEN ("row" ->> 'call_id')::uuid END;
    ELSIF source = 'started_run' AND jsonb_typeof("row" -> 'tenants') = 'array' THEN
        IF jsonb_array_length("row" -> 'tenants') = 1 THEN
            city := "row" -> 'tenants' ->> 0;
        END IF;
    END IF;
    RETURN coalesce(city, '');
END $_$;

--
-- Name: correct_by(date); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.correct_by(failed_on date) RETURNS date
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT ifms.correct_by(failed_on, o.correction_days, o.correction_last_month, o.correction_last_day)
    FROM ifms.setting o
$$;

--
-- Name: correct_by(date, integer, integer, integer); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.correct_by(failed_on date, days integer, last_month integer, last_day integer) RETURNS date
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT least(failed_on + days, make_date(
        extract(year FROM failed_on - interval '3 months')::integer + CASE WHEN last_month >= 4 THEN 1 ELSE 2 END,
        last_month, last_day))
$$;

--
-- Name: financial_year(date); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.financial_year(day date) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT to_char(day - interval '3 months', 'YYYY') || '-' || to_char(day + interval '9 months', 'YY')
$$;

--
-- Name: guard_balances(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.guard_balances() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF (NEW.allotted_amount, NEW.reserved_amount, NEW.spent_amount) <> (0, 0, 0) THEN
            RAISE EXCEPTION 'a sanction starts with nothing allotted, reserved or spent: its movements follow'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'balances_follow_movements';
        END IF;
    ELSIF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'the balances of sanction % change by movements only', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'balances_follow_movements';
    END IF;
    RETURN NEW;
END $$;

--
-- Name: payment; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.payment (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    tenant_id text NOT NULL,
    payment_number text NOT NULL,
    payment_id text NOT NULL,
    amount numeric(15,2) NOT NULL,
    bill_numbers text[] DEFAULT '{}'::text[] NOT NULL,
    paid_by uuid,
    hold_code text,
    hold_message text,
    held_since timestamp with time zone,
    released_at timestamp with time zone,
    tries integer DEFAULT 0 NOT NULL,
    raised_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    polled_at timestamp with time zone,
    claim_token uuid,
    claimed_until timestamp with time zone,
    CONSTRAINT amount_is_a_number CHECK ((amount <> 'NaN'::numeric)),
    CONSTRAINT payment_amount_check CHECK ((amount > (0)::numeric)),
    CONSTRAINT payment_check CHECK (((hold_code IS NULL) = ((hold_message IS NULL) AND (held_since IS NULL)))),
    CONSTRAINT payment_claimed_until_in_bounds CHECK (((claimed_until >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (claimed_until < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_held_since_in_bounds CHECK (((held_since >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (held_since < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_polled_at_in_bounds CHECK (((polled_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (polled_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_raised_at_in_bounds CHECK (((raised_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (raised_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_released_at_in_bounds CHECK (((released_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (released_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_seen_at_in_bounds CHECK (((seen_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (seen_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_tries_check CHECK ((tries >= 0))
);

--
-- Name: TABLE payment; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.payment IS 'Payments of the platform as they were first seen, and why one has no payment instruction yet.';

--
-- Name: in_doubt(ifms.payment); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.in_doubt(of ifms.payment) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    SELECT EXISTS (SELECT FROM ifms.restored r WHERE of.raised_at < r.restored_at AND NOT EXISTS (
        SELECT FROM ifms.restore_cleared c
        WHERE (c.restored_id, c.tenant_id, c.number, c.kind) = (r.id, of.tenant_id, of.payment_number, 'PAYMENT')))
$$;

--
-- Name: payment_instruction; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.payment_instruction (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    tenant_id text NOT NULL,
    pi_number text NOT NULL,
    pi_type text NOT NULL,
    parent_pi_number text,
    repayment_of text,
    payment_number text NOT NULL,
    status text DEFAULT 'PENDING'::text NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    sanction_id uuid,
    hoa_code text NOT NULL,
    ddo_code text NOT NULL,
    ssu_id text NOT NULL,
    grantee_code text NOT NULL,
    scheme_code text NOT NULL,
    master_allotment_id text NOT NULL,
    ssu_allotment_id text NOT NULL,
    allotment_serial_no integer NOT NULL,
    gross_amount numeric(15,2) NOT NULL,
    net_amount numeric(15,2) NOT NULL,
    beneficiary_count integer NOT NULL,
    bill_date timestamp with time zone NOT NULL,
    financial_year text NOT NULL,
    purpose text NOT NULL,
    org_bill_ref_number text,
    org_bill_date timestamp with time zone,
    additional_details jsonb DEFAULT '{}'::jsonb NOT NULL,
    bill_numbers text[] NOT NULL,
    work_order_numbers text[] NOT NULL,
    bill_type text,
    project_numbers text[] NOT NULL,
    asked_by text,
    attempts integer DEFAULT 0 NOT NULL,
    last_attempt text,
    last_attempt_at timestamp with time zone,
    error_code text,
    error_message text,
    success_code text,
    success_description text,
    pi_approved_id text,
    pi_approval_date text,
    pa_fin_year text,
    pa_advice_id text,
    pa_advice_date text,
    pa_bill_ref_number text,
    pa_token_number text,
    pa_token_date text,
    paid_at timestamp with time zone,
    uncertain boolean DEFAULT false NOT NULL,
    refusal jsonb,
    refused_first boolean DEFAULT false NOT NULL,
    absent_since timestamp with time zone,
    held_back boolean DEFAULT false NOT NULL,
    settled_by text,
    said_absent_at timestamp with time zone,
    cancelled_by text,
    found_failed_at timestamp with time zone,
    same_refusals integer DEFAULT 0 NOT NULL,
    unknown_answer_id uuid,
    unmatched_failures boolean DEFAULT false NOT NULL,
    status_since timestamp with time zone DEFAULT now() NOT NULL,
    polled_at timestamp with time zone,
    failures_polled_at timestamp with time zone,
    claim_token uuid,
    claimed_until timestamp with time zone,
    imported_at timestamp with time zone,
    adopted_by text,
    signature bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT adopted_is_an_original CHECK (((adopted_by IS NULL) OR ((pi_type = 'ORIGINAL'::text) AND (repayment_of IS NULL) AND (imported_at IS NULL)))),
    CONSTRAINT amount_is_a_number CHECK (((net_amount <> 'NaN'::numeric) AND (gross_amount <> 'NaN'::numeric))),
    CONSTRAINT payment_instruction_absent_since_in_bounds CHECK (((absent_since >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (absent_since < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_instruction_adopted_by_check CHECK ((btrim(adopted_by) <> ''::text)),
    CONSTRAINT payment_instruction_asked_by_check CHECK ((btrim(asked_by) <> ''::text)),
    CONSTRAINT payment_instruction_beneficiary_count_check CHECK ((beneficiary_count > 0)),
    CONSTRAINT payment_instruction_bill_date_in_bounds CHECK (((bill_date >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (bill_date < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_instruction_cancelled_by_check CHECK ((btrim(cancelled_by) <> ''::text)),
    CONSTRAINT payment_instruction_check CHECK (((net_amount > (0)::numeric) AND (net_amount <= gross_amount))),
    CONSTRAINT payment_instruction_check1 CHECK (((pi_type = 'REVISED'::text) = (parent_pi_number IS NOT NULL))),
    CONSTRAINT payment_instruction_check2 CHECK (((pi_type = 'REVISED'::text) = ((org_bill_ref_number IS NOT NULL) AND (org_bill_date IS NOT NULL)))),
    CONSTRAINT payment_instruction_check3 CHECK (((repayment_of IS NULL) OR (pi_type = 'ORIGINAL'::text))),
    CONSTRAINT payment_instruction_claimed_until_in_bounds CHECK (((claimed_until >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (claimed_until < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_instruction_created_at_in_bounds CHECK (((created_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (created_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_instruction_failures_polled_at_in_bounds CHECK (((failures_polled_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (failures_polled_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_instruction_financial_year_check CHECK ((financial_year ~ '^[0-9]{4}-[0-9]{2}$'::text)),
    CONSTRAINT payment_instruction_found_failed_at_in_bounds CHECK (((found_failed_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (found_failed_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_instruction_gross_amount_check CHECK ((gross_amount > (0)::numeric)),
    CONSTRAINT payment_instruction_imported_at_in_bounds CHECK (((imported_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (imported_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_instruction_last_attempt_at_in_bounds CHECK (((last_attempt_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (last_attempt_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_instruction_last_attempt_check CHECK ((last_attempt = ANY (ARRAY['sending'::text, 'answered'::text, 'rejected'::text, 'never_sent'::text, 'unknown'::text]))),
    CONSTRAINT payment_instruction_org_bill_date_in_bounds CHECK (((org_bill_date >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (org_bill_date < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_instruction_paid_at_in_bounds CHECK (((paid_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (paid_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_instruction_pi_type_check CHECK ((pi_type = ANY (ARRAY['ORIGINAL'::text, 'REVISED'::text]))),
    CONSTRAINT payment_instruction_polled_at_in_bounds CHECK (((polled_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (polled_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_instruction_said_absent_at_in_bounds CHECK (((said_absent_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (said_absent_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_instruction_status_since_in_bounds CHECK (((status_since >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (status_since < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT payment_instruction_updated_at_in_bounds CHECK (((updated_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (updated_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT sanction_is_known CHECK (((sanction_id IS NOT NULL) OR ((imported_at IS NOT NULL) AND (pi_type = 'ORIGINAL'::text) AND (status = ANY (ARRAY['PENDING'::text, 'FAILED'::text])))))
);

--
-- Name: TABLE payment_instruction; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.payment_instruction IS 'Payment instructions: what was sent to the treasury, frozen, and where each stands.';

--
-- Name: in_doubt(ifms.payment_instruction); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.in_doubt(of ifms.payment_instruction) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    SELECT EXISTS (SELECT FROM ifms.restored r WHERE (of.created_at < r.restored_at OR of.adopted_by IS NOT NULL)
        AND EXISTS (SELECT FROM ifms.payment_instruction p JOIN ifms.beneficiary b ON b.payment_instruction_id = p.id
                    WHERE of.pi_number IN (p.pi_number, p.parent_pi_number) AND b.status = 'Payment Failed'
                      AND b.failed_on IS NOT NULL AND (p.created_at < r.restored_at OR p.adopted_by IS NOT NULL)
                      AND CASE WHEN b.challan_date IS NOT NULL THEN b.challan_date - 7
                               ELSE least(b.failed_on, coalesce(b.voucher_date, '-infinity')) END
                          <= (r.restored_at AT TIME ZONE 'Asia/Kolkata')::date)
        AND NOT EXISTS (SELECT FROM ifms.restore_cleared c
                        WHERE (c.restored_id, c.tenant_id, c.number, c.kind)
                            = (r.id, of.tenant_id, of.pi_number, 'FAILED BENEFICIARIES')))
$$;

--
-- Name: link_hash(bytea, text, bigint, text, text, text, bytea, timestamp with time zone); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.link_hash(before bytea, chain text, number bigint, source text, event text, row_id text, content bytea, linked_at timestamp with time zone) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT sha256(coalesce(before, '') || content || convert_to(concat_ws(E'\n', chain, number, source, event, row_id,
        (extract(epoch FROM linked_at) * 1000000)::bigint), 'UTF8'))
$$;

--
-- Name: link_row(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.link_row() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET bytea_output TO 'hex'
    AS $$
DECLARE
    written jsonb := to_jsonb(NEW);
    key text := written ->> TG_ARGV[1];
BEGIN
    FOR place IN 2 .. TG_NARGS - 1 LOOP
        key := key || ' ' || (written ->> TG_ARGV[place]);
    END LOOP;
    PERFORM ifms.add_link(TG_TABLE_NAME, TG_ARGV[0], key, written);
    RETURN NULL;
END $$;

--
-- Name: linked_records(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.linked_records() RETURNS TABLE(source text, event text, row_id text, at timestamp with time zone, "row" jsonb)
    LANGUAGE sql STABLE
    AS $$
    SELECT 'fund_movement', 'made', id::text, created_at, to_jsonb(t) FROM ifms.fund_movement t
    UNION ALL SELECT 'status_log', 'made', id::text, created_at, to_jsonb(t) FROM ifms.status_log t
    UNION ALL SELECT 'treasury_call', CASE WHEN outcome IS NULL THEN 'made' ELSE 'ended' END, id::text, created_at,
        to_jsonb(t) FROM ifms.treasury_call t
    UNION ALL SELECT 'call_access', 'made', id::text, looked_at, to_jsonb(t) FROM ifms.call_access t
    UNION ALL SELECT 'call_removal', 'made', id::text, removed_at, to_jsonb(t) FROM ifms.call_removal t
    UNION ALL SELECT 'person_action', 'made', id::text, acted_at, to_jsonb(t) FROM ifms.person_action t
    UNION ALL SELECT 'sanction_closing', 'made', id::text, noted_at, to_jsonb(t) FROM ifms.sanction_closing t
    UNION ALL SELECT 'started_run', 'made', dag_id || ' ' || run_id, started_at, to_jsonb(t) FROM ifms.started_run t
    UNION ALL SELECT 'restore_cleared', 'made', restored_id || ' ' || tenant_id || ' ' || number || ' ' || kind, cleared_at,
        to_jsonb(t) FROM ifms.restore_cleared t
    UNION ALL SELECT 'phrase', 'made', id::text, added_at, to_jsonb(t) FROM ifms.phrase t
    UNION ALL SELECT 'phrase', 'ended', id::text, withdrawn_at, to_jsonb(t) FROM ifms.phrase t
        WHERE withdrawn_at IS NOT NULL
    UNION ALL SELECT 'proposal', 'made', id::text, proposed_at, to_jsonb(t) FROM ifms.proposal t
    UNION ALL SELECT 'proposal', 'decided', id::text, coalesce(approved_at, refused_at), to_jsonb(t) FROM ifms.proposal t
        WHERE approved_at IS NOT NULL OR refused_at IS NOT NULL
    UNION ALL SELECT 'proposal', 'ended', id::text, coalesce(done_at, failed_at), to_jsonb(t) FROM ifms.proposal t
        WHERE done_at IS NOT NULL OR failed_at IS NOT NULL
$$;

--
-- Name: note_status_since(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.note_status_since() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.status_since := CASE TG_OP WHEN 'INSERT' THEN NEW.created_at ELSE now() END;
    RETURN NEW;
END $$;

--
-- Name: payments_by_group(timestamp with time zone, timestamp with time zone, timestamp with time zone, text[]); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.payments_by_group(since timestamp with time zone, until timestamp with time zone, as_of timestamp with time zone, tenants text[]) RETURNS TABLE(month text, tenant_id text, gender text, social_category text, payments bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
$_$;

--
-- Name: FUNCTION payments_by_group(since timestamp with time zone, until timestamp with time zone, as_of timestamp with time zone, tenants text[]); Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON FUNCTION ifms.payments_by_group(since timestamp with time zone, until timestamp with time zone, as_of timestamp with time zone, tenants text[]) IS 'How many payments to individuals reached them, by the month (IST) in which they were debited, city, gender and social category; fewer than ten are NULL.';

--
-- Name: place(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.place() RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT format('server %s, timeline %s, database %s', (SELECT system_identifier FROM pg_control_system()),
                  left(pg_walfile_name(pg_current_wal_lsn()), 8), d.oid)
    FROM pg_database d WHERE d.datname = current_database()
$$;

--
-- Name: plain_number(text); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.plain_number(number text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT upper(regexp_replace(number, '[^\x21-\x7e]', '', 'g'))
$$;

--
-- Name: proposal_goes_its_way(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.proposal_goes_its_way() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    said    ifms.second_person;
    moment  timestamptz := clock_timestamp();
    decided text[] := '{approved_by,approved_at,single_person,refused_by,refused_at,refusal,done_at,done_in,failed_at,result}';
    wrong   text;
BEGIN
    SELECT * INTO STRICT said FROM ifms.second_person;
    IF TG_OP = 'INSERT' THEN
        IF num_nonnulls(NEW.approved_by, NEW.approved_at, NEW.refused_by, NEW.refused_at, NEW.refusal, NEW.done_at,
                        NEW.done_in, NEW.failed_at, NEW.result) > 0 OR NEW.single_person THEN
            wrong := 'it begins undecided';
        END IF;
        NEW.proposed_at := moment;
        NEW.expires_at := moment + make_interval(days => said.proposal_days);
    ELSIF to_jsonb(NEW) - decided <> to_jsonb(OLD) - decided THEN
        wrong := 'what was proposed is frozen';
    ELSE
        IF (NEW.approved_by, NEW.approved_at, NEW.single_person)
                IS DISTINCT FROM (OLD.approved_by, OLD.approved_at, OLD.single_person) THEN
            NEW.approved_at := moment;
            NEW.single_person := lower(btrim(NEW.approved_by)) = lower(btrim(NEW.proposed_by));
            IF OLD.approved_at IS NOT NULL OR OLD.refused_at IS NOT NULL THEN
                wrong := 'it is decided already';
            ELSIF moment >= OLD.expires_at THEN
                wrong := 'it has expired';
            ELSIF NEW.single_person AND NOT said.single_person THEN
                wrong := 'it is approved by another person than the one who proposed it';
            END IF;
        END IF;
        IF (NEW.refused_by, NEW.refused_at, NEW.refusal)
                IS DISTINCT FROM (OLD.refused_by, OLD.refused_at, OLD.refusal) THEN
            NEW.refused_at := moment;
            IF OLD.approved_at IS NOT NULL OR OLD.refused_at IS NOT NULL THEN
                wrong := 'it is decided already';
            END IF;
        END IF;
        IF (NEW.done_at, NEW.done_in, NEW.failed_at, NEW.result)
                IS DISTINCT FROM (OLD.done_at, OLD.done_in, OLD.failed_at, OLD.result) THEN
            IF OLD.approved_at IS NULL THEN
                wrong := 'it is approved before it is done';
            ELSIF OLD.done_at IS NOT NULL OR OLD.failed_at IS NOT NULL THEN
                wrong := 'it has ended already';
            ELSIF NEW.done_at IS NOT NULL AND moment >= OLD.expires_at + interval '1 day' THEN
                wrong := 'it has expired';
            END IF;
            IF NEW.done_at IS NOT NULL THEN
                NEW.done_at := moment;
            ELSE
                NEW.failed_at := moment;
            END IF;
        END IF;
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'proposal % is not changed so: %', NEW.id, wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'proposal_goes_its_way';
    END IF;
    RETURN NEW;
END $$;

--
-- Name: record_hash(text, text, jsonb); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.record_hash(source text, event text, "row" jsonb) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT sha256(convert_to(jsonb_strip_nulls(CASE
        WHEN source = 'treasury_call' AND event = 'made' THEN jsonb_build_object(
            'id', "row" -> 'id', 'service_id', "row" -> 'service_id', 'bill_number', "row" -> 'bill_number',
            'payment_instruction_id', "row" -> 'payment_instruction_id', 'created_at', "row" -> 'created_at')
        WHEN source = 'treasury_call' THEN "row" - ARRAY['request_sealed', 'rek_sealed', 'sek_sealed',
            'auth_token_sealed', 'response_sealed', 'shipped_at', 'ship_error']
        WHEN source = 'phrase' AND event = 'made' THEN "row" - ARRAY['withdrawn_at', 'withdrawn_by', 'withdrawn_reason']
        WHEN source = 'proposal' AND event = 'made' THEN "row" - ARRAY['approved_by', 'approved_at', 'single_person',
            'refused_by', 'refused_at', 'refusal', 'done_at', 'done_in', 'failed_at', 'result']
        WHEN source = 'proposal' AND event = 'decided' THEN "row" - ARRAY['done_at', 'done_in', 'failed_at', 'result']
        ELSE "row" END)::text, 'UTF8'))
$$;

--
-- Name: refresh_overview(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.refresh_overview() RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    began timestamptz := clock_timestamp();
BEGIN
    IF NOT pg_try_advisory_xact_lock('ifms.overview'::regclass::oid::bigint) OR EXISTS (
        SELECT FROM ifms.overview WHERE as_of + 20 * took > began) THEN
        RETURN false;
    END IF;
    DELETE FROM ifms.overview_instruction;
    INSERT INTO ifms.overview_instruction (tenant_id, pi_type, status, since_on, since, instructions, amount)
    SELECT p.tenant_id, p.pi_type, p.status, day.since_on, CASE WHEN day.since_on IS NOT NULL THEN min(p.status_since) END,
           count(*), sum(p.net_amount)
    FROM ifms.payment_instruction p CROSS JOIN LATERAL (
        SELECT CASE WHEN p.status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS')
                    THEN (p.status_since AT TIME ZONE 'Asia/Kolkata')::date END AS since_on) day
    GROUP BY 1, 2, 3, 4;
    DELETE FROM ifms.overview_failed;
    INSERT INTO ifms.overview_failed (tenant_id, correct_by, busy, payments, amount)
    SELECT f.tenant_id, f.correct_by, f.busy_pi_number IS NOT NULL, count(*), sum(f.amount)
    FROM ifms.failed_beneficiary f GROUP BY 1, 2, 3;
    UPDATE ifms.overview SET as_of = began, took = clock_timestamp() - began;
    RETURN true;
END $$;

--
-- Name: refuse_change(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0]
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END $$;

--
-- Name: refuse_first_status(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.refuse_first_status() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'a new row of % starts as %, not as %', TG_TABLE_NAME, TG_ARGV[0], NEW.status
        USING ERRCODE = 'check_violation', CONSTRAINT = 'status_transition';
END $$;

--
-- Name: remove_old_calls(timestamp with time zone, boolean, integer); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.remove_old_calls(before timestamp with time zone, unshipped_too boolean, at_most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    removed bigint;
BEGIN
    IF before IS NULL OR before > now() - interval '90 days' THEN
        RAISE EXCEPTION 'calls to the treasury are kept for 90 days at least'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'calls_are_kept';
    END IF;
    -- Two statements, so that each has its index.
    IF unshipped_too THEN
        WITH old AS (
            SELECT c.id FROM ifms.treasury_call c
            WHERE c.created_at < before AND NOT EXISTS (
                SELECT FROM ifms.payment_instruction p WHERE p.id = c.payment_instruction_id
                AND p.status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS', 'PARTIAL'))
            ORDER BY c.created_at LIMIT at_most FOR UPDATE SKIP LOCKED)
        DELETE FROM ifms.treasury_call c USING old WHERE c.id = old.id;
    ELSE
        WITH old AS (
            SELECT c.id FROM ifms.treasury_call c
            WHERE c.created_at < before AND c.shipped_at IS NOT NULL AND NOT EXISTS (
                SELECT FROM ifms.payment_instruction p WHERE p.id = c.payment_instruction_id
                AND p.status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS', 'PARTIAL'))
            ORDER BY c.created_at LIMIT at_most FOR UPDATE SKIP LOCKED)
        DELETE FROM ifms.treasury_call c USING old WHERE c.id = old.id;
    END IF;
    GET DIAGNOSTICS removed = ROW_COUNT;
    IF removed > 0 THEN
        INSERT INTO ifms.call_removal (made_before, unshipped_too, removed) VALUES (before, unshipped_too, removed);
    END IF;
    RETURN removed;
END $$;

--
-- Name: say_what_it_pays(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.say_what_it_pays() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.bill_numbers := ifms.texts_of(NEW.additional_details -> 'billNumber');
    NEW.work_order_numbers := ifms.texts_of(NEW.additional_details -> 'referenceId');
    NEW.bill_type := ifms.bill_type(NEW.bill_numbers);
    NEW.project_numbers := ifms.texts_of(NEW.additional_details -> 'projectNumber');
    RETURN NEW;
END $$;

--
-- Name: take_payments_id(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.take_payments_id() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    its_payment uuid := (SELECT y.id FROM ifms.payment y
                         WHERE y.tenant_id = NEW.tenant_id AND y.payment_number = NEW.payment_number);
BEGIN
    IF its_payment IS NOT NULL AND NOT EXISTS (SELECT FROM ifms.payment_instruction p WHERE p.id = its_payment) THEN
        NEW.id := its_payment;
    END IF;
    RETURN NEW;
END $$;

--
-- Name: tell_index(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.tell_index() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload)
    SELECT 'pi_index', NEW.tenant_id, NEW.tenant_id || ':' || NEW.payment_number,
           jsonb_build_object('piNumber', NEW.pi_number, 'status', NEW.status)
    WHERE EXISTS (SELECT FROM ifms.notice WHERE topic = 'pi_index' AND wanted);
    RETURN NULL;
END $$;

--
-- Name: tell_index_of_payment(); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.tell_index_of_payment() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload)
    SELECT 'pi_index', NEW.tenant_id, NEW.tenant_id || ':' || NEW.payment_number,
           jsonb_build_object('paymentNumber', NEW.payment_number)
    WHERE EXISTS (SELECT FROM ifms.notice WHERE topic = 'pi_index' AND wanted)
      AND NOT EXISTS (SELECT FROM ifms.payment_instruction p  -- that one stands for it
                      WHERE p.tenant_id = NEW.tenant_id AND p.payment_number = NEW.payment_number);
    RETURN NULL;
END $$;

--
-- Name: texts_of(jsonb); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.texts_of(value jsonb) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ARRAY(SELECT jsonb_array_elements_text(CASE jsonb_typeof(value) WHEN 'array' THEN value ELSE '[]' END))
$$;

--
-- Name: utr_key(text); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.utr_key(utr text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT upper(btrim(utr, E' \t\n\r\f\x0B') COLLATE "C")
$$;

--
-- Name: sanction; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.sanction (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    tenant_id text NOT NULL,
    hoa_code text NOT NULL,
    ddo_code text NOT NULL,
    ssu_id text NOT NULL,
    grantee_code text NOT NULL,
    scheme_code text NOT NULL,
    master_allotment_id text NOT NULL,
    financial_year text NOT NULL,
    sanctioned_amount numeric(15,2) NOT NULL,
    allotted_amount numeric(15,2) DEFAULT 0 NOT NULL,
    reserved_amount numeric(15,2) DEFAULT 0 NOT NULL,
    spent_amount numeric(15,2) DEFAULT 0 NOT NULL,
    available_amount numeric(15,2) GENERATED ALWAYS AS (((allotted_amount - reserved_amount) - spent_amount)) STORED NOT NULL,
    closed_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT sanction_closed_at_in_bounds CHECK (((closed_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (closed_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT sanction_created_at_in_bounds CHECK (((created_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (created_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT sanction_financial_year_check CHECK ((financial_year ~ '^[0-9]{4}-[0-9]{2}$'::text)),
    CONSTRAINT sanction_reserved_amount_check CHECK ((reserved_amount >= (0)::numeric)),
    CONSTRAINT sanction_spent_amount_check CHECK ((spent_amount >= (0)::numeric)),
    CONSTRAINT sanction_updated_at_in_bounds CHECK (((updated_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (updated_at < '2100-01-01 00:00:00+00'::timestamp with time zone)))
);

--
-- Name: TABLE sanction; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.sanction IS 'Money that the treasury has sanctioned, and what of it is allotted, reserved and spent.';

--
-- Name: withheld(ifms.sanction); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.withheld(of ifms.sanction) RETURNS numeric
    LANGUAGE sql STABLE
    AS $$
    SELECT coalesce(sum(w.amount), 0) FROM ifms.import_withheld w
    WHERE w.settled_at IS NULL AND (w.tenant_id, w.hoa_code, w.ddo_code, w.master_allotment_id)
        = (of.tenant_id, of.hoa_code, of.ddo_code, of.master_allotment_id)
$$;

--
-- Name: without_numbers(text); Type: FUNCTION; Schema: ifms; Owner: -
--

CREATE FUNCTION ifms.without_numbers(said text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT regexp_replace(said, '[0-9]{5,}([0-9]{4})', '*****\1', 'g')
$$;

--
-- Name: allotment; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.allotment (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    tenant_id text NOT NULL,
    hoa_code text NOT NULL,
    ddo_code text NOT NULL,
    grantee_code text NOT NULL,
    ssu_id text NOT NULL,
    scheme_code text NOT NULL,
    master_allotment_id text NOT NULL,
    ssu_allotment_id text NOT NULL,
    serial_no integer NOT NULL,
    kind text NOT NULL,
    amount numeric(15,2) NOT NULL,
    sanction_balance numeric(15,2) NOT NULL,
    allotment_date date NOT NULL,
    sanction_id uuid,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT allotment_allotment_date_in_bounds CHECK (((allotment_date >= '2000-01-01'::date) AND (allotment_date < '2100-01-01'::date))),
    CONSTRAINT allotment_amount_check CHECK ((amount >= (0)::numeric)),
    CONSTRAINT allotment_kind_check CHECK ((kind = ANY (ARRAY['INITIAL'::text, 'ADDITIONAL'::text, 'WITHDRAWAL'::text]))),
    CONSTRAINT allotment_received_at_in_bounds CHECK (((received_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (received_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT amount_is_a_number CHECK ((amount <> 'NaN'::numeric))
);

--
-- Name: TABLE allotment; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.allotment IS 'Money that the treasury has allotted to a sanction, or withdrawn: each as it told it, once.';

--
-- Name: audit_link; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.audit_link (
    chain text NOT NULL,
    number bigint NOT NULL,
    source text NOT NULL,
    event text NOT NULL,
    row_id text NOT NULL,
    content bytea NOT NULL,
    hash bytea NOT NULL,
    linked_at timestamp with time zone NOT NULL,
    CONSTRAINT audit_link_content_check CHECK ((octet_length(content) = 32)),
    CONSTRAINT audit_link_event_check CHECK ((event = ANY (ARRAY['made'::text, 'decided'::text, 'ended'::text]))),
    CONSTRAINT audit_link_hash_check CHECK ((octet_length(hash) = 32)),
    CONSTRAINT audit_link_linked_at_in_bounds CHECK (((linked_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (linked_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT audit_link_number_check CHECK ((number > 0))
);

--
-- Name: TABLE audit_link; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.audit_link IS 'The hash chain of each city''s records: of movements, status log, calls, who looked at them, and what people did. Append-only, written by the database alone.';

--
-- Name: beneficiary; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.beneficiary (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    payment_instruction_id uuid NOT NULL,
    beneficiary_number text NOT NULL,
    beneficiary_id text NOT NULL,
    beneficiary_type text NOT NULL,
    amount numeric(15,2) NOT NULL,
    line_item_ids text[] NOT NULL,
    name text NOT NULL,
    account_sealed bytea,
    account_last4 text NOT NULL,
    account_type text NOT NULL,
    ifsc text NOT NULL,
    bank_account_id text NOT NULL,
    same_account_by text,
    mobile text NOT NULL,
    address text NOT NULL,
    gender text,
    social_category text,
    status text DEFAULT 'Payment Pending'::text NOT NULL,
    status_message text,
    voucher_number text,
    voucher_date date,
    utr_number text,
    utr_date date,
    end_to_end_id text,
    challan_number text,
    challan_date date,
    failed_on date,
    imported_as text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT amount_is_a_number CHECK ((amount <> 'NaN'::numeric)),
    CONSTRAINT beneficiary_account_last4_check CHECK ((length(account_last4) <= 4)),
    CONSTRAINT beneficiary_amount_check CHECK ((amount > (0)::numeric)),
    CONSTRAINT beneficiary_beneficiary_type_check CHECK ((beneficiary_type = ANY (ARRAY['IND'::text, 'ORG'::text, 'DEPT'::text]))),
    CONSTRAINT beneficiary_challan_date_in_bounds CHECK (((challan_date >= '2000-01-01'::date) AND (challan_date < '2100-01-01'::date))),
    CONSTRAINT beneficiary_created_at_in_bounds CHECK (((created_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (created_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT beneficiary_failed_on_in_bounds CHECK (((failed_on >= '2000-01-01'::date) AND (failed_on < '2100-01-01'::date))),
    CONSTRAINT beneficiary_gender_check CHECK ((gender ~ '^[A-Z][A-Z0-9 _-]{0,39}$'::text)),
    CONSTRAINT beneficiary_ifsc_check CHECK (((ifsc ~ '^[A-Z]{4}0[A-Z0-9]{6}$'::text) OR ((ifsc = ''::text) AND (imported_as IS NOT NULL)))),
    CONSTRAINT beneficiary_imported_as_check CHECK ((imported_as = ANY (ARRAY['Payment Pending'::text, 'Payment Initiated'::text, 'Payment In Process'::text, 'Payment Successful'::text, 'Payment Failed'::text]))),
    CONSTRAINT beneficiary_line_item_ids_check CHECK ((cardinality(line_item_ids) > 0)),
    CONSTRAINT beneficiary_social_category_check CHECK ((social_category ~ '^[A-Z][A-Z0-9 _-]{0,39}$'::text)),
    CONSTRAINT beneficiary_updated_at_in_bounds CHECK (((updated_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (updated_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT beneficiary_utr_date_in_bounds CHECK (((utr_date >= '2000-01-01'::date) AND (utr_date < '2100-01-01'::date))),
    CONSTRAINT beneficiary_voucher_date_in_bounds CHECK (((voucher_date >= '2000-01-01'::date) AND (voucher_date < '2100-01-01'::date))),
    CONSTRAINT same_account_has_a_name CHECK ((btrim(same_account_by) <> ''::text))
);

--
-- Name: TABLE beneficiary; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.beneficiary IS 'Who is paid by a payment instruction, how much and on which account (sealed), and what became of it.';

--
-- Name: COLUMN beneficiary.gender; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary.gender IS 'Of an individual, as the registry has it, like FEMALE; NULL where it has none.';

--
-- Name: COLUMN beneficiary.social_category; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary.social_category IS 'Of an individual, as the registry has it, like SC; NULL where it has none.';

--
-- Name: beneficiary_payment; Type: VIEW; Schema: ifms; Owner: -
--

CREATE VIEW ifms.beneficiary_payment AS
 SELECT b.id,
    p.id AS payment_instruction_id,
    p.tenant_id,
    p.pi_number,
    p.pi_type,
    COALESCE(p.parent_pi_number, p.pi_number) AS original_pi_number,
    p.repayment_of,
    p.payment_number,
    p.bill_numbers,
    p.bill_type,
    p.work_order_numbers,
    p.project_numbers,
    p.hoa_code,
    p.financial_year,
    p.ddo_code,
    p.ssu_id,
    p.master_allotment_id,
    p.status AS pi_status,
    p.created_at,
    b.beneficiary_number,
    b.beneficiary_id,
    b.beneficiary_type,
    b.amount,
    b.status,
    b.voucher_number,
    b.voucher_date,
    b.utr_number,
    b.utr_date,
    b.end_to_end_id,
    ifms.without_numbers(b.status_message) AS reason,
    b.challan_number,
    b.challan_date,
    b.failed_on,
    b.account_last4,
    b.ifsc,
    b.line_item_ids,
        CASE
            WHEN ((p.status = 'FAILED'::text) AND (p.pi_type = 'ORIGINAL'::text) AND (p.repayment_of IS NULL)) THEN ( SELECT q.pi_number
               FROM ifms.payment_instruction q
              WHERE ((q.tenant_id = p.tenant_id) AND (q.payment_number = p.payment_number) AND (q.pi_type = 'ORIGINAL'::text) AND (q.status <> 'FAILED'::text) AND (q.repayment_of IS NULL)))
            WHEN (b.status = 'Payment Failed'::text) THEN ( SELECT q.pi_number
               FROM (ifms.beneficiary later
                 JOIN ifms.payment_instruction q ON ((q.id = later.payment_instruction_id)))
              WHERE ((later.beneficiary_number = b.beneficiary_number) AND (later.created_at > b.created_at) AND (q.status <> 'FAILED'::text) AND ((later.status <> 'Payment Failed'::text) OR (later.failed_on IS NOT NULL)))
              ORDER BY later.created_at
             LIMIT 1)
            ELSE NULL::text
        END AS superseded_by,
    b.updated_at
   FROM (ifms.beneficiary b
     JOIN ifms.payment_instruction p ON ((p.id = b.payment_instruction_id)));

--
-- Name: VIEW beneficiary_payment; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON VIEW ifms.beneficiary_payment IS 'Who is paid what: one row per beneficiary and payment instruction (PI), from the day on which the PI was made. Who is paid anew after a failure has a row in each PI that has tried it; only one of them can be paid, so amounts of the status Payment Successful add up to what was paid. Cheap to ask by utr_number, voucher_number, voucher_date, pi_number, payment_number, beneficiary_number, bill_numbers (&& or @>), created_at, and by tenant_id with created_at; narrow bill_type, hoa_code and financial_year by one of these.';

--
-- Name: COLUMN beneficiary_payment.id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.id IS 'The ledger''s id of the row; failed_beneficiary has the same.';

--
-- Name: COLUMN beneficiary_payment.payment_instruction_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.payment_instruction_id IS 'The ledger''s id of the PI.';

--
-- Name: COLUMN beneficiary_payment.tenant_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.tenant_id IS 'The city, as DIGIT names it.';

--
-- Name: COLUMN beneficiary_payment.pi_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.pi_number IS 'The PI that pays it: the bill number by which the treasury knows it.';

--
-- Name: COLUMN beneficiary_payment.pi_type; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.pi_type IS 'ORIGINAL, or REVISED for one that pays beneficiaries of its original whose payments failed.';

--
-- Name: COLUMN beneficiary_payment.original_pi_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.original_pi_number IS 'Of a revised PI its original; else pi_number.';

--
-- Name: COLUMN beneficiary_payment.repayment_of; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.repayment_of IS 'Of an original that pays failed payments anew, which can''t be corrected any more: the PI whose they were. Else NULL.';

--
-- Name: COLUMN beneficiary_payment.payment_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.payment_number IS 'DIGIT''s payment that it is part of.';

--
-- Name: COLUMN beneficiary_payment.bill_numbers; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.bill_numbers IS 'DIGIT''s bills that the PI pays; empty when they are not known.';

--
-- Name: COLUMN beneficiary_payment.bill_type; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.bill_type IS 'WAGE, PURCHASE or SUPERVISION, by the beginnings of bill_numbers; MIXED for bills of several types, NULL when no type is known.';

--
-- Name: COLUMN beneficiary_payment.work_order_numbers; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.work_order_numbers IS 'The work orders (contracts) of these bills; empty when they are not known.';

--
-- Name: COLUMN beneficiary_payment.project_numbers; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.project_numbers IS 'The projects of these bills; empty when they are not known, as of PIs that were imported.';

--
-- Name: COLUMN beneficiary_payment.hoa_code; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.hoa_code IS 'Head of account that it is paid from.';

--
-- Name: COLUMN beneficiary_payment.financial_year; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.financial_year IS 'The PI''s financial year, like 2024-25: from 1 April to 31 March, IST.';

--
-- Name: COLUMN beneficiary_payment.ddo_code; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.ddo_code IS 'Drawing and disbursing officer of the spending unit.';

--
-- Name: COLUMN beneficiary_payment.ssu_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.ssu_id IS 'Spending unit (SSU), as the treasury names it.';

--
-- Name: COLUMN beneficiary_payment.master_allotment_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.master_allotment_id IS 'The treasury''s name of the sanction that it is paid from.';

--
-- Name: COLUMN beneficiary_payment.pi_status; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.pi_status IS 'Status of the PI: see statuses.md.';

--
-- Name: COLUMN beneficiary_payment.created_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.created_at IS 'Instant, UTC: when the PI was written and its money reserved.';

--
-- Name: COLUMN beneficiary_payment.beneficiary_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.beneficiary_number IS 'The payment''s number at the treasury (benefId); later PIs that pay it anew keep it.';

--
-- Name: COLUMN beneficiary_payment.beneficiary_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.beneficiary_id IS 'Who is paid: DIGIT''s id of the individual or organisation, or of a department''s account.';

--
-- Name: COLUMN beneficiary_payment.beneficiary_type; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.beneficiary_type IS 'IND (individual), ORG (organisation) or DEPT (department).';

--
-- Name: COLUMN beneficiary_payment.amount; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.amount IS 'Rupees. Add up those of one status: over all, who is paid anew would count twice.';

--
-- Name: COLUMN beneficiary_payment.status; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.status IS 'Payment Pending, Payment Initiated, Payment In Process, Payment Successful or Payment Failed. Of a PI that FAILED it says how far it had come: nothing of it is on its way (pi_status).';

--
-- Name: COLUMN beneficiary_payment.voucher_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.voucher_number IS 'The treasury''s voucher of the transfer; NULL before its debit scroll, and when none was told. A failed payment keeps it.';

--
-- Name: COLUMN beneficiary_payment.voucher_date; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.voucher_date IS 'Date of the voucher, IST: the day on which it counts as paid. NULL before its debit scroll, and when none was told.';

--
-- Name: COLUMN beneficiary_payment.utr_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.utr_number IS 'The bank''s reference of the transfer (UTR); NULL before its debit scroll, and when none was told.';

--
-- Name: COLUMN beneficiary_payment.utr_date; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.utr_date IS 'Date of that, IST; NULL when none was told.';

--
-- Name: COLUMN beneficiary_payment.end_to_end_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.end_to_end_id IS 'The transfer''s end-to-end id at the bank; NULL when none was told.';

--
-- Name: COLUMN beneficiary_payment.reason; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.reason IS 'What the treasury or the bank said last of it, of a failure why; long numbers are hidden but for their last four digits. NULL without words.';

--
-- Name: COLUMN beneficiary_payment.challan_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.challan_number IS 'Challan by which the money came back; NULL when none was told.';

--
-- Name: COLUMN beneficiary_payment.challan_date; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.challan_date IS 'Date of the challan, IST; NULL when none was told.';

--
-- Name: COLUMN beneficiary_payment.failed_on; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.failed_on IS 'Date, IST, on which the bank gave it back; NULL otherwise, also where the whole PI failed before it was paid.';

--
-- Name: COLUMN beneficiary_payment.account_last4; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.account_last4 IS 'The last four digits of the account.';

--
-- Name: COLUMN beneficiary_payment.ifsc; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.ifsc IS 'IFSC of the branch; empty where it was imported and nobody has asked for it yet.';

--
-- Name: COLUMN beneficiary_payment.line_item_ids; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.line_item_ids IS 'DIGIT''s payable lines of the bills that it pays.';

--
-- Name: COLUMN beneficiary_payment.superseded_by; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.superseded_by IS 'Of a failed payment the next PI that pays it anew: a revised one, a new original, or, where the whole PI FAILED, its payment''s later original. NULL while there is none, and of payments that have not failed.';

--
-- Name: COLUMN beneficiary_payment.updated_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.beneficiary_payment.updated_at IS 'Instant, UTC: when the ledger last changed it.';

--
-- Name: bill; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.bill (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    tenant_id text NOT NULL,
    bill_id text NOT NULL,
    payment_number text,
    claim_token uuid,
    claimed_until timestamp with time zone,
    asked_at timestamp with time zone DEFAULT now() NOT NULL,
    duplicate_since timestamp with time zone,
    CONSTRAINT bill_asked_at_in_bounds CHECK (((asked_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (asked_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT bill_claimed_until_in_bounds CHECK (((claimed_until >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (claimed_until < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT bill_duplicate_since_in_bounds CHECK (((duplicate_since >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (duplicate_since < '2100-01-01 00:00:00+00'::timestamp with time zone)))
);

--
-- Name: TABLE bill; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.bill IS 'Bills of the platform and the one payment that pays each.';

--
-- Name: call_access; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.call_access (
    id bigint NOT NULL,
    looked_at timestamp with time zone DEFAULT now() NOT NULL,
    call_id text NOT NULL,
    source text NOT NULL,
    os_user text NOT NULL,
    airflow_user text,
    database_user text DEFAULT SESSION_USER NOT NULL,
    unmasked boolean NOT NULL,
    reason text,
    CONSTRAINT call_access_check CHECK (((NOT unmasked) OR (COALESCE(btrim(reason), ''::text) <> ''::text))),
    CONSTRAINT call_access_looked_at_in_bounds CHECK (((looked_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (looked_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT call_access_source_check CHECK ((source = ANY (ARRAY['ledger'::text, 'document'::text])))
);

--
-- Name: TABLE call_access; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.call_access IS 'Who has opened which call to the treasury.';

--
-- Name: call_access_id_seq; Type: SEQUENCE; Schema: ifms; Owner: -
--

ALTER TABLE ifms.call_access ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ifms.call_access_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: treasury_call; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.treasury_call (
    id uuid NOT NULL,
    service_id text NOT NULL,
    bill_number text,
    payment_instruction_id uuid,
    sweep_run_id uuid,
    request_sealed bytea,
    rek_sealed bytea,
    sek_sealed bytea,
    auth_token_sealed bytea,
    enc_request text,
    enc_response text,
    response_sealed bytea,
    status_code integer,
    outcome text,
    error_message text,
    duration_ms integer,
    shipped_at timestamp with time zone,
    ship_error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT treasury_call_created_at_in_bounds CHECK (((created_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (created_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT treasury_call_outcome_check CHECK ((outcome = ANY (ARRAY['answered'::text, 'rejected'::text, 'never_sent'::text, 'unknown'::text]))),
    CONSTRAINT treasury_call_shipped_at_in_bounds CHECK (((shipped_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (shipped_at < '2100-01-01 00:00:00+00'::timestamp with time zone)))
);

--
-- Name: TABLE treasury_call; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.treasury_call IS 'Calls to the treasury, sealed; logins included.';

--
-- Name: call_log; Type: VIEW; Schema: ifms; Owner: -
--

CREATE VIEW ifms.call_log AS
 SELECT id,
    service_id,
    bill_number,
    outcome,
    status_code,
    ifms.without_numbers(error_message) AS error,
    duration_ms,
    created_at,
    payment_instruction_id,
    sweep_run_id
   FROM ifms.treasury_call c;

--
-- Name: VIEW call_log; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON VIEW ifms.call_log IS 'Calls to the treasury, logins included: one row each, without what was said in them. Cheap to ask by created_at, bill_number and payment_instruction_id. Older calls may have been removed: see shipping to Elasticsearch.';

--
-- Name: COLUMN call_log.id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.call_log.id IS 'Id of the call, by which `ifms log open` shows it to whoever holds the key.';

--
-- Name: COLUMN call_log.service_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.call_log.service_id IS 'The service: AUTH (login), VA, PI, PIS, PAG, PD, FD, COR, FTPS or FTFPS.';

--
-- Name: COLUMN call_log.bill_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.call_log.bill_number IS 'The PI number that it is about; AUTH for a login, NULL for a call about many.';

--
-- Name: COLUMN call_log.outcome; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.call_log.outcome IS 'answered, rejected (answered with errors), never_sent or unknown (it may have arrived); NULL while it is under way, and for good if its process died.';

--
-- Name: COLUMN call_log.status_code; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.call_log.status_code IS 'HTTP status of the reply; NULL without one.';

--
-- Name: COLUMN call_log.error; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.call_log.error IS 'What went wrong, in the treasury''s words or ours; long numbers are hidden but for their last four digits. NULL when nothing did.';

--
-- Name: COLUMN call_log.duration_ms; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.call_log.duration_ms IS 'Milliseconds from its beginning to the last byte of the reply.';

--
-- Name: COLUMN call_log.created_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.call_log.created_at IS 'Instant, UTC, of its beginning.';

--
-- Name: COLUMN call_log.payment_instruction_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.call_log.payment_instruction_id IS 'The ledger''s id of the PI that it is about; NULL for other calls.';

--
-- Name: COLUMN call_log.sweep_run_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.call_log.sweep_run_id IS 'The run that made it; NULL for a call that no run made.';

--
-- Name: call_rate; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.call_rate (
    account text NOT NULL,
    next_at timestamp with time zone NOT NULL,
    CONSTRAINT call_rate_next_at_in_bounds CHECK (((next_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (next_at < '2100-01-01 00:00:00+00'::timestamp with time zone)))
);

--
-- Name: TABLE call_rate; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.call_rate IS 'When the next call to the treasury may begin, per account there.';

--
-- Name: call_removal; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.call_removal (
    id bigint NOT NULL,
    made_before timestamp with time zone NOT NULL,
    unshipped_too boolean NOT NULL,
    removed bigint NOT NULL,
    database_user text DEFAULT SESSION_USER NOT NULL,
    removed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT call_removal_made_before_in_bounds CHECK (((made_before >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (made_before < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT call_removal_removed_at_in_bounds CHECK (((removed_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (removed_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT call_removal_removed_check CHECK ((removed > 0))
);

--
-- Name: TABLE call_removal; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.call_removal IS 'Calls to the treasury that were kept for long enough and removed. Append-only.';

--
-- Name: call_removal_id_seq; Type: SEQUENCE; Schema: ifms; Owner: -
--

ALTER TABLE ifms.call_removal ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ifms.call_removal_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: call_shipping; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.call_shipping (
    id boolean DEFAULT true NOT NULL,
    claim_token uuid,
    claimed_until timestamp with time zone,
    CONSTRAINT call_shipping_claimed_until_in_bounds CHECK (((claimed_until >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (claimed_until < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT call_shipping_id_check CHECK (id)
);

--
-- Name: TABLE call_shipping; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.call_shipping IS 'Who ships calls to Elasticsearch at the moment.';

--
-- Name: closed_failure; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.closed_failure (
    beneficiary_row uuid NOT NULL,
    closed_at timestamp with time zone DEFAULT now() NOT NULL,
    closed_by text NOT NULL,
    reason text NOT NULL,
    CONSTRAINT closed_failure_closed_at_in_bounds CHECK (((closed_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (closed_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT closed_failure_reason_check CHECK ((btrim(reason) <> ''::text))
);

--
-- Name: TABLE closed_failure; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.closed_failure IS 'Failed beneficiaries of whom a person has said why nobody pays them any more.';

--
-- Name: display_name; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.display_name (
    kind text NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT display_name_changed_at_in_bounds CHECK (((changed_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (changed_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT display_name_code_check CHECK ((btrim(code) <> ''::text)),
    CONSTRAINT display_name_kind_check CHECK ((kind = ANY (ARRAY['CITY'::text, 'HEAD'::text]))),
    CONSTRAINT display_name_name_check CHECK ((btrim(name) <> ''::text))
);

--
-- Name: TABLE display_name; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.display_name IS 'Names of cities (CITY) and heads of account (HEAD), as the platform''s master data had them when VA last read it. A name decides nothing.';

--
-- Name: other_transfer; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.other_transfer (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    beneficiary_row uuid NOT NULL,
    utr_number text NOT NULL,
    voucher_number text,
    voucher_date date,
    not_as_sent text,
    first_told_at timestamp with time zone DEFAULT now() NOT NULL,
    last_told_at timestamp with time zone DEFAULT now() NOT NULL,
    settled_at timestamp with time zone,
    settled_by text,
    settled_reason text,
    has_paid boolean,
    CONSTRAINT other_transfer_first_told_at_in_bounds CHECK (((first_told_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (first_told_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT other_transfer_last_told_at_in_bounds CHECK (((last_told_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (last_told_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT other_transfer_settled_at_in_bounds CHECK (((settled_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (settled_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT other_transfer_voucher_date_in_bounds CHECK (((voucher_date >= '2000-01-01'::date) AND (voucher_date < '2100-01-01'::date))),
    CONSTRAINT settled_with_a_reason CHECK ((((settled_at IS NULL) = (settled_by IS NULL)) AND ((settled_at IS NULL) = (settled_reason IS NULL)) AND ((settled_at IS NULL) = (has_paid IS NULL)) AND (btrim(settled_reason) <> ''::text)))
);

--
-- Name: TABLE other_transfer; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.other_transfer IS 'Transfers by another UTR than the one that the treasury told before of the same beneficiary, or otherwise than it was sent.';

--
-- Name: doubtful_transfer; Type: VIEW; Schema: ifms; Owner: -
--

CREATE VIEW ifms.doubtful_transfer AS
 SELECT t.id,
    t.beneficiary_row AS beneficiary_payment_id,
    p.tenant_id,
    p.pi_number,
    p.payment_number,
    b.beneficiary_number,
    b.beneficiary_id,
    b.amount,
    b.status,
    b.utr_number AS known_utr_number,
    t.utr_number,
    t.voucher_number,
    t.voucher_date,
    t.not_as_sent,
        CASE
            WHEN (t.settled_at IS NULL) THEN 'OPEN'::text
            WHEN t.has_paid THEN 'PAID'::text
            ELSE 'NOT PAID'::text
        END AS state,
    t.first_told_at,
    t.last_told_at,
    t.settled_at,
    t.settled_by,
    ifms.without_numbers(t.settled_reason) AS settled_reason
   FROM ((ifms.other_transfer t
     JOIN ifms.beneficiary b ON ((b.id = t.beneficiary_row)))
     JOIN ifms.payment_instruction p ON ((p.id = b.payment_instruction_id)));

--
-- Name: VIEW doubtful_transfer; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON VIEW ifms.doubtful_transfer IS 'Transfers that the treasury told of a beneficiary of whom it had told another one, by another UTR, or otherwise than they were sent: one row each. Those of the state OPEN wait for a person who asks the treasury. Cheap to ask whole (they are few).';

--
-- Name: COLUMN doubtful_transfer.id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.id IS 'The ledger''s id of the transfer, by which `ifms failures settle-transfer` settles it.';

--
-- Name: COLUMN doubtful_transfer.beneficiary_payment_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.beneficiary_payment_id IS 'The ledger''s id of the payment that it is told of.';

--
-- Name: COLUMN doubtful_transfer.tenant_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.tenant_id IS 'The city, as DIGIT names it.';

--
-- Name: COLUMN doubtful_transfer.pi_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.pi_number IS 'The PI by which the beneficiary is paid.';

--
-- Name: COLUMN doubtful_transfer.payment_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.payment_number IS 'DIGIT''s payment that it is part of.';

--
-- Name: COLUMN doubtful_transfer.beneficiary_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.beneficiary_number IS 'The payment''s number at the treasury (benefId).';

--
-- Name: COLUMN doubtful_transfer.beneficiary_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.beneficiary_id IS 'Who is paid: DIGIT''s id of the individual or organisation, or of a department''s account.';

--
-- Name: COLUMN doubtful_transfer.amount; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.amount IS 'Rupees that the PI pays to the beneficiary.';

--
-- Name: COLUMN doubtful_transfer.status; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.status IS 'Status of the beneficiary''s payment: see statuses.md.';

--
-- Name: COLUMN doubtful_transfer.known_utr_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.known_utr_number IS 'The bank''s reference (UTR) of the transfer that was told first; NULL when none was.';

--
-- Name: COLUMN doubtful_transfer.utr_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.utr_number IS 'The bank''s reference (UTR) of this other transfer, as it was told.';

--
-- Name: COLUMN doubtful_transfer.voucher_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.voucher_number IS 'The treasury''s voucher of this transfer; NULL when none was told.';

--
-- Name: COLUMN doubtful_transfer.voucher_date; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.voucher_date IS 'Date of the voucher, IST; NULL when none was told.';

--
-- Name: COLUMN doubtful_transfer.not_as_sent; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.not_as_sent IS 'What it names otherwise than was sent: another account, by its last digits, or another IFSC; NULL when nothing.';

--
-- Name: COLUMN doubtful_transfer.state; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.state IS 'OPEN, or what a person has found out: PAID (money has reached the beneficiary by it, too) or NOT PAID.';

--
-- Name: COLUMN doubtful_transfer.first_told_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.first_told_at IS 'Instant, UTC, since which it is kept.';

--
-- Name: COLUMN doubtful_transfer.last_told_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.last_told_at IS 'Instant, UTC, at which the treasury last told it.';

--
-- Name: COLUMN doubtful_transfer.settled_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.settled_at IS 'Instant, UTC, at which a person settled it; NULL when nobody has.';

--
-- Name: COLUMN doubtful_transfer.settled_by; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.settled_by IS 'Who settled it; NULL when nobody has.';

--
-- Name: COLUMN doubtful_transfer.settled_reason; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.doubtful_transfer.settled_reason IS 'How that is known; NULL when nobody has settled it.';

--
-- Name: ended_by_phrase; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.ended_by_phrase (
    phrase_id uuid NOT NULL,
    payment_instruction_id uuid NOT NULL,
    noted_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT ended_by_phrase_noted_at_in_bounds CHECK (((noted_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (noted_at < '2100-01-01 00:00:00+00'::timestamp with time zone)))
);

--
-- Name: TABLE ended_by_phrase; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.ended_by_phrase IS 'Payment instructions that have FAILED by what a site''s own phrase says.';

--
-- Name: setting; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.setting (
    only_one boolean DEFAULT true NOT NULL,
    use_earlier_years boolean DEFAULT false NOT NULL,
    correction_days integer DEFAULT 90 NOT NULL,
    correction_last_month integer DEFAULT 4 NOT NULL,
    correction_last_day integer DEFAULT 30 NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT setting_changed_at_in_bounds CHECK (((changed_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (changed_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT setting_check CHECK ((make_date(2001, correction_last_month, correction_last_day) IS NOT NULL)),
    CONSTRAINT setting_correction_days_check CHECK (((correction_days >= 1) AND (correction_days <= 3650))),
    CONSTRAINT setting_only_one_check CHECK (only_one)
);

--
-- Name: TABLE setting; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.setting IS 'The settings of the treasury''s connection that the database must know: one row.';

--
-- Name: failed_beneficiary; Type: VIEW; Schema: ifms; Owner: -
--

CREATE VIEW ifms.failed_beneficiary AS
 SELECT b.id,
    p.tenant_id,
    COALESCE(p.parent_pi_number, p.pi_number) AS original_pi_number,
    p.pi_number,
    p.payment_number,
    b.beneficiary_number,
    b.beneficiary_id,
    b.amount,
    b.account_last4,
    b.ifsc,
    ifms.without_numbers(b.status_message) AS reason,
    b.challan_number,
    b.challan_date,
    b.failed_on,
    ifms.correct_by(b.failed_on, o.correction_days, o.correction_last_month, o.correction_last_day) AS correct_by,
    (ifms.correct_by(b.failed_on, o.correction_days, o.correction_last_month, o.correction_last_day) - ((now() AT TIME ZONE 'Asia/Kolkata'::text))::date) AS days_left,
        CASE
            WHEN (busy.pi_number IS NOT NULL) THEN 'WAIT'::text
            WHEN (ifms.correct_by(b.failed_on, o.correction_days, o.correction_last_month, o.correction_last_day) >= ((now() AT TIME ZONE 'Asia/Kolkata'::text))::date) THEN 'CORRECT'::text
            ELSE 'PAY ANEW'::text
        END AS next_step,
    busy.pi_number AS busy_pi_number,
    p.pi_type,
    p.status AS pi_status,
    p.financial_year,
    p.hoa_code,
    b.beneficiary_type,
    b.utr_number,
    b.utr_date,
    b.voucher_number,
    b.voucher_date,
    closed.closed_at,
    closed.closed_by,
    ifms.without_numbers(closed.reason) AS closed_reason,
    ( SELECT
                CASE
                    WHEN bool_or((t.settled_at IS NULL)) THEN 'OPEN'::text
                    ELSE 'PAID'::text
                END AS "case"
           FROM ifms.other_transfer t
          WHERE ((t.beneficiary_row = b.id) AND ((t.settled_at IS NULL) OR t.has_paid))
         HAVING (count(*) > 0)) AS other_transfer
   FROM ((((ifms.beneficiary b
     JOIN ifms.payment_instruction p ON ((p.id = b.payment_instruction_id)))
     CROSS JOIN ifms.setting o)
     LEFT JOIN ifms.closed_failure closed ON ((closed.beneficiary_row = b.id)))
     LEFT JOIN LATERAL ( SELECT f.pi_number
           FROM ifms.payment_instruction f
          WHERE ((f.parent_pi_number = COALESCE(p.parent_pi_number, p.pi_number)) AND (f.status = ANY (ARRAY['PENDING'::text, 'INITIATED'::text])))
        UNION ALL
         SELECT f.pi_number
           FROM ifms.payment_instruction f
          WHERE ((f.repayment_of = COALESCE(p.parent_pi_number, p.pi_number)) AND (f.status = ANY (ARRAY['PENDING'::text, 'INITIATED'::text, 'APPROVED'::text, 'IN PROCESS'::text])))
 LIMIT 1) busy ON (true))
  WHERE ((b.status = 'Payment Failed'::text) AND (b.failed_on IS NOT NULL) AND (p.status <> 'FAILED'::text) AND (NOT (EXISTS ( SELECT
           FROM (ifms.beneficiary later
             JOIN ifms.payment_instruction q ON ((q.id = later.payment_instruction_id)))
          WHERE ((later.beneficiary_number = b.beneficiary_number) AND (later.created_at > b.created_at) AND (q.status <> 'FAILED'::text) AND ((later.status <> 'Payment Failed'::text) OR (later.failed_on IS NOT NULL)))))));

--
-- Name: VIEW failed_beneficiary; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON VIEW ifms.failed_beneficiary IS 'Failed payments that nobody has taken over: one row per beneficiary whose last payment the bank gave back, until a revised PI, or a new original, pays it. Cheap to ask whole (few have failed), by failed_on and by pi_number.';

--
-- Name: COLUMN failed_beneficiary.id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.id IS 'The ledger''s id of the failed payment.';

--
-- Name: COLUMN failed_beneficiary.tenant_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.tenant_id IS 'The city, as DIGIT names it.';

--
-- Name: COLUMN failed_beneficiary.original_pi_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.original_pi_number IS 'The original PI: a correction names it.';

--
-- Name: COLUMN failed_beneficiary.pi_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.pi_number IS 'The PI by which it was paid last: the original, or a revised one.';

--
-- Name: COLUMN failed_beneficiary.payment_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.payment_number IS 'DIGIT''s payment that it is part of.';

--
-- Name: COLUMN failed_beneficiary.beneficiary_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.beneficiary_number IS 'The payment''s number at the treasury (benefId); revised PIs keep it.';

--
-- Name: COLUMN failed_beneficiary.beneficiary_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.beneficiary_id IS 'Who is paid: DIGIT''s id of the individual or organisation, or of a department''s account.';

--
-- Name: COLUMN failed_beneficiary.amount; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.amount IS 'Rupees that came back.';

--
-- Name: COLUMN failed_beneficiary.account_last4; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.account_last4 IS 'The last four digits of the account that was tried.';

--
-- Name: COLUMN failed_beneficiary.ifsc; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.ifsc IS 'IFSC of the branch that was tried.';

--
-- Name: COLUMN failed_beneficiary.reason; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.reason IS 'Why, in the bank''s words; long numbers are hidden but for their last four digits. NULL when it gave none.';

--
-- Name: COLUMN failed_beneficiary.challan_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.challan_number IS 'Challan by which the money came back; NULL when none was told.';

--
-- Name: COLUMN failed_beneficiary.challan_date; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.challan_date IS 'Date of the challan, IST; NULL when none was told.';

--
-- Name: COLUMN failed_beneficiary.failed_on; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.failed_on IS 'Date of the failure, IST, from which the days of a correction count.';

--
-- Name: COLUMN failed_beneficiary.correct_by; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.correct_by IS 'Last date, IST, on which it can be corrected: 90 days after the failure, or 30 April of the next financial year if that is earlier; other days when the treasury''s connection says so.';

--
-- Name: COLUMN failed_beneficiary.days_left; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.days_left IS 'Days from today (IST) to correct_by: 0 on the last day, below zero when it is over.';

--
-- Name: COLUMN failed_beneficiary.next_step; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.next_step IS 'CORRECT (mend the account, then ifms_cor), WAIT (busy_pi_number is on its way) or PAY ANEW (the time is over: a new original PI).';

--
-- Name: COLUMN failed_beneficiary.busy_pi_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.busy_pi_number IS 'The revised PI, or new original, of the same original that is still on its way; NULL without one.';

--
-- Name: COLUMN failed_beneficiary.pi_type; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.pi_type IS 'ORIGINAL or REVISED: of pi_number.';

--
-- Name: COLUMN failed_beneficiary.pi_status; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.pi_status IS 'Status of pi_number: see statuses.md.';

--
-- Name: COLUMN failed_beneficiary.financial_year; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.financial_year IS 'Financial year of pi_number, like 2024-25: from 1 April to 31 March, IST.';

--
-- Name: COLUMN failed_beneficiary.hoa_code; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.hoa_code IS 'Head of account that it is paid from.';

--
-- Name: COLUMN failed_beneficiary.beneficiary_type; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.beneficiary_type IS 'IND (individual), ORG (organisation) or DEPT (department).';

--
-- Name: COLUMN failed_beneficiary.utr_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.utr_number IS 'The bank''s reference of the transfer that failed; NULL when none was told.';

--
-- Name: COLUMN failed_beneficiary.utr_date; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.utr_date IS 'Date of that, IST; NULL when none was told.';

--
-- Name: COLUMN failed_beneficiary.voucher_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.voucher_number IS 'The treasury''s voucher of the transfer; NULL when none was told.';

--
-- Name: COLUMN failed_beneficiary.voucher_date; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.voucher_date IS 'Date of the voucher, IST; NULL when none was told.';

--
-- Name: COLUMN failed_beneficiary.closed_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.closed_at IS 'Instant, UTC, at which a person said that it is not paid any more; NULL when nobody has.';

--
-- Name: COLUMN failed_beneficiary.closed_by; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.closed_by IS 'Who said so; NULL when nobody has.';

--
-- Name: COLUMN failed_beneficiary.closed_reason; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.closed_reason IS 'Why it is not paid any more; NULL when nobody has said so.';

--
-- Name: COLUMN failed_beneficiary.other_transfer; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.failed_beneficiary.other_transfer IS 'OPEN: the treasury tells of another transfer, and nobody is paid before a person has settled that (doubtful_transfer). PAID: by another one the money has arrived, so nobody corrects it. NULL when there is none.';

--
-- Name: fund_movement; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.fund_movement (
    id bigint NOT NULL,
    sanction_id uuid NOT NULL,
    kind text NOT NULL,
    amount numeric(15,2) NOT NULL,
    allotment_id uuid,
    payment_instruction_id uuid,
    allotted_after numeric(15,2) NOT NULL,
    reserved_after numeric(15,2) NOT NULL,
    spent_after numeric(15,2) NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT amount_is_a_number CHECK ((amount <> 'NaN'::numeric)),
    CONSTRAINT fund_movement_amount_check CHECK ((amount > (0)::numeric)),
    CONSTRAINT fund_movement_check CHECK (((kind = ANY (ARRAY['ALLOTMENT'::text, 'WITHDRAWAL'::text])) = (allotment_id IS NOT NULL))),
    CONSTRAINT fund_movement_check1 CHECK (((allotment_id IS NULL) = (payment_instruction_id IS NOT NULL))),
    CONSTRAINT fund_movement_created_at_in_bounds CHECK (((created_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (created_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT fund_movement_kind_check CHECK ((kind = ANY (ARRAY['ALLOTMENT'::text, 'WITHDRAWAL'::text, 'RESERVE'::text, 'RELEASE'::text, 'DEBIT'::text, 'REVERSAL'::text])))
);

--
-- Name: TABLE fund_movement; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.fund_movement IS 'Movements of a sanction''s money: append-only; its balances change by them and by nothing else.';

--
-- Name: fund_movement_id_seq; Type: SEQUENCE; Schema: ifms; Owner: -
--

ALTER TABLE ifms.fund_movement ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ifms.fund_movement_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: sanction_closing; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.sanction_closing (
    id bigint NOT NULL,
    sanction_id uuid NOT NULL,
    closed boolean NOT NULL,
    reason text NOT NULL,
    person text NOT NULL,
    noted_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT sanction_closing_noted_at_in_bounds CHECK (((noted_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (noted_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT sanction_closing_person_check CHECK ((btrim(person) <> ''::text)),
    CONSTRAINT sanction_closing_reason_check CHECK ((btrim(reason) <> ''::text))
);

--
-- Name: TABLE sanction_closing; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.sanction_closing IS 'Who has closed a sanction or opened it again, and why; the last row counts.';

--
-- Name: fund_register; Type: VIEW; Schema: ifms; Owner: -
--

CREATE VIEW ifms.fund_register AS
 SELECT s.tenant_id,
    s.financial_year,
    s.hoa_code,
    s.ddo_code,
    s.ssu_id,
    s.master_allotment_id,
    m.id AS movement_id,
        CASE m.kind
            WHEN 'ALLOTMENT'::text THEN
            CASE a.kind
                WHEN 'INITIAL'::text THEN 'Initial Allotment'::text
                ELSE 'Additional Allotment'::text
            END
            WHEN 'WITHDRAWAL'::text THEN 'Withdrawal'::text
            WHEN 'DEBIT'::text THEN 'Expense'::text
            WHEN 'REVERSAL'::text THEN 'Expense Reversed'::text
            ELSE NULL::text
        END AS transaction_type,
    COALESCE(p.pi_number, ((a.ssu_allotment_id || '/'::text) || a.serial_no)) AS transaction_number,
    COALESCE(a.allotment_date, ((p.created_at AT TIME ZONE 'Asia/Kolkata'::text))::date) AS transaction_date,
    m.amount AS transaction_amount,
    (s.sanctioned_amount - m.allotted_after) AS sanctioned_balance,
    (m.allotted_after - m.spent_after) AS fund_available,
    m.created_at AS recorded_at,
    s.id AS sanction_id,
    s.grantee_code,
    s.scheme_code,
    s.sanctioned_amount,
    a.ssu_allotment_id,
    a.serial_no AS allotment_serial_no,
    a.sanction_balance AS treasury_balance,
    p.payment_number,
    m.allotted_after,
    m.reserved_after,
    m.spent_after,
    ((m.allotted_after - m.reserved_after) - m.spent_after) AS unreserved_after,
    s.available_amount AS available_now,
        CASE
            WHEN ((s.closed_at IS NOT NULL) OR ((s.financial_year < today.financial_year) AND (NOT o.use_earlier_years))) THEN GREATEST(s.available_amount, (0)::numeric)
            ELSE (0)::numeric
        END AS not_used,
        CASE
            WHEN (s.closed_at IS NOT NULL) THEN 'CLOSED'::text
            WHEN ((s.financial_year < today.financial_year) AND (NOT o.use_earlier_years)) THEN 'EARLIER YEAR'::text
            ELSE NULL::text
        END AS not_used_because,
        CASE
            WHEN (s.closed_at IS NOT NULL) THEN ( SELECT c.reason
               FROM ifms.sanction_closing c
              WHERE (c.sanction_id = s.id)
              ORDER BY c.id DESC
             LIMIT 1)
            ELSE NULL::text
        END AS closed_reason
   FROM (((((ifms.fund_movement m
     JOIN ifms.sanction s ON ((s.id = m.sanction_id)))
     LEFT JOIN ifms.allotment a ON ((a.id = m.allotment_id)))
     LEFT JOIN ifms.payment_instruction p ON ((p.id = m.payment_instruction_id)))
     CROSS JOIN ifms.setting o)
     CROSS JOIN ( SELECT ifms.financial_year(((now() AT TIME ZONE 'Asia/Kolkata'::text))::date) AS financial_year) today)
  WHERE (m.kind = ANY (ARRAY['ALLOTMENT'::text, 'WITHDRAWAL'::text, 'DEBIT'::text, 'REVERSAL'::text]));

--
-- Name: VIEW fund_register; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON VIEW ifms.fund_register IS 'The fund allocation register: one row per transaction of a sanction''s money, allotted, withdrawn, spent or given back. Balances are the sanction''s, after the row. Sort by movement_id for the order in which things happened. Cheap to ask by financial_year (with tenant_id, hoa_code), by sanction_id and by recorded_at.';

--
-- Name: COLUMN fund_register.tenant_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.tenant_id IS 'The city, as DIGIT names it.';

--
-- Name: COLUMN fund_register.financial_year; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.financial_year IS 'The sanction''s financial year, like 2024-25: from 1 April to 31 March, IST.';

--
-- Name: COLUMN fund_register.hoa_code; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.hoa_code IS 'Head of account.';

--
-- Name: COLUMN fund_register.ddo_code; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.ddo_code IS 'Drawing and disbursing officer of the spending unit.';

--
-- Name: COLUMN fund_register.ssu_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.ssu_id IS 'Spending unit (SSU), as the treasury names it.';

--
-- Name: COLUMN fund_register.master_allotment_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.master_allotment_id IS 'What the treasury names the sanction by (mstAllotmentDistId).';

--
-- Name: COLUMN fund_register.movement_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.movement_id IS 'Number of the row: grows in the order in which a sanction''s balances changed.';

--
-- Name: COLUMN fund_register.transaction_type; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.transaction_type IS 'Initial Allotment, Additional Allotment, Withdrawal, Expense (the treasury has taken a payment instruction) or Expense Reversed (its spending unit rejected it).';

--
-- Name: COLUMN fund_register.transaction_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.transaction_number IS 'Of an expense the PI number; of an allotment the treasury''s id and serial number, as id/serial.';

--
-- Name: COLUMN fund_register.transaction_date; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.transaction_date IS 'Date, IST: of an allotment the treasury''s own, of an expense or its reversal the day on which its PI was created.';

--
-- Name: COLUMN fund_register.transaction_amount; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.transaction_amount IS 'Rupees, more than zero; the type says which way they go.';

--
-- Name: COLUMN fund_register.sanctioned_balance; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.sanctioned_balance IS 'Rupees: sanctioned less allotted, after this row; a withdrawal gives back to it.';

--
-- Name: COLUMN fund_register.fund_available; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.fund_available IS 'Rupees: allotments less withdrawals and expenses, reversed expenses added back, after this row. What is reserved for PIs that the treasury has not taken yet is still in it: see unreserved_after.';

--
-- Name: COLUMN fund_register.recorded_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.recorded_at IS 'Instant, UTC: when the ledger recorded it.';

--
-- Name: COLUMN fund_register.sanction_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.sanction_id IS 'The ledger''s id of the sanction: rows with the same one share their balances.';

--
-- Name: COLUMN fund_register.grantee_code; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.grantee_code IS 'Grantee of the spending unit.';

--
-- Name: COLUMN fund_register.scheme_code; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.scheme_code IS 'Scheme of the sanction.';

--
-- Name: COLUMN fund_register.sanctioned_amount; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.sanctioned_amount IS 'Rupees: all of the sanction, as its initial allotment told it.';

--
-- Name: COLUMN fund_register.ssu_allotment_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.ssu_allotment_id IS 'The treasury''s id of the allotment (ssuAllotmentId); NULL for an expense or its reversal.';

--
-- Name: COLUMN fund_register.allotment_serial_no; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.allotment_serial_no IS 'The allotment''s serial number (allotmentTxnSlNo); NULL for an expense or its reversal.';

--
-- Name: COLUMN fund_register.treasury_balance; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.treasury_balance IS 'Rupees: what the treasury said is left of the sanction after this allotment (availableBalance); NULL for an expense or its reversal.';

--
-- Name: COLUMN fund_register.payment_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.payment_number IS 'DIGIT''s payment that the expense, or its reversal, is for; NULL for an allotment.';

--
-- Name: COLUMN fund_register.allotted_after; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.allotted_after IS 'Rupees allotted to the sanction, withdrawals taken off, after this row.';

--
-- Name: COLUMN fund_register.reserved_after; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.reserved_after IS 'Rupees reserved for PIs that the treasury had not taken yet, after this row.';

--
-- Name: COLUMN fund_register.spent_after; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.spent_after IS 'Rupees spent by PIs that the treasury took, reversed ones taken off, after this row.';

--
-- Name: COLUMN fund_register.unreserved_after; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.unreserved_after IS 'Rupees that further PIs could reserve, after this row; below zero when money that was spent has been withdrawn.';

--
-- Name: COLUMN fund_register.available_now; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.available_now IS 'Rupees that are on the sanction and not reserved, now: the same in each of its rows.';

--
-- Name: COLUMN fund_register.not_used; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.not_used IS 'Rupees of available_now that no PI is made from; 0 where PIs are. The same in each row of a sanction: add it up once for each sanction_id.';

--
-- Name: COLUMN fund_register.not_used_because; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.not_used_because IS 'CLOSED (by a person: closed_reason) or EARLIER YEAR (today''s payments are not made from it, as the connection''s use_earlier_years is off); NULL where PIs are made from it.';

--
-- Name: COLUMN fund_register.closed_reason; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.fund_register.closed_reason IS 'Why the sanction was closed; NULL while it is open.';

--
-- Name: home; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.home (
    id bigint NOT NULL,
    place text NOT NULL,
    noted_at timestamp with time zone DEFAULT now() NOT NULL,
    os_user text,
    reason text NOT NULL,
    CONSTRAINT home_noted_at_in_bounds CHECK (((noted_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (noted_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT home_reason_check CHECK ((btrim(reason) <> ''::text))
);

--
-- Name: TABLE home; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.home IS 'Where the ledger lives: a copy or a restored one pays nothing before somebody has said what it is.';

--
-- Name: home_id_seq; Type: SEQUENCE; Schema: ifms; Owner: -
--

ALTER TABLE ifms.home ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ifms.home_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: import_row; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.import_row (
    source text NOT NULL,
    source_id text NOT NULL,
    digest text NOT NULL,
    content jsonb NOT NULL,
    imported_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT import_row_imported_at_in_bounds CHECK (((imported_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (imported_at < '2100-01-01 00:00:00+00'::timestamp with time zone)))
);

--
-- Name: TABLE import_row; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.import_row IS 'Rows of the Java adapter''s tables as they were taken in.';

--
-- Name: import_withheld; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.import_withheld (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    tenant_id text NOT NULL,
    payment_number text NOT NULL,
    hoa_code text,
    ddo_code text,
    master_allotment_id text,
    amount numeric(15,2) DEFAULT 0 NOT NULL,
    reason text NOT NULL,
    first_told_at timestamp with time zone DEFAULT now() NOT NULL,
    last_told_at timestamp with time zone DEFAULT now() NOT NULL,
    settled_at timestamp with time zone,
    CONSTRAINT import_withheld_amount_check CHECK (((amount >= (0)::numeric) AND (amount <> 'NaN'::numeric))),
    CONSTRAINT import_withheld_first_told_at_in_bounds CHECK (((first_told_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (first_told_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT import_withheld_last_told_at_in_bounds CHECK (((last_told_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (last_told_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT import_withheld_settled_at_in_bounds CHECK (((settled_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (settled_at < '2100-01-01 00:00:00+00'::timestamp with time zone)))
);

--
-- Name: TABLE import_withheld; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.import_withheld IS 'Payments of the Java adapter that could not be taken in: nothing is paid for them until that is settled.';

--
-- Name: notice; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.notice (
    topic text NOT NULL,
    wanted boolean NOT NULL,
    wanted_since timestamp with time zone DEFAULT now() NOT NULL,
    missing_since timestamp with time zone,
    CONSTRAINT notice_missing_since_in_bounds CHECK (((missing_since >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (missing_since < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT notice_topic_check CHECK ((topic = ANY (ARRAY['sms'::text, 'pi_index'::text]))),
    CONSTRAINT notice_wanted_since_in_bounds CHECK (((wanted_since >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (wanted_since < '2100-01-01 00:00:00+00'::timestamp with time zone)))
);

--
-- Name: TABLE notice; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.notice IS 'Which messages besides the platform''s anybody wants to hear.';

--
-- Name: status_log; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.status_log (
    id bigint NOT NULL,
    payment_instruction_id uuid,
    tenant_id text NOT NULL,
    payment_number text NOT NULL,
    service_id text NOT NULL,
    status text NOT NULL,
    from_status text,
    to_status text,
    message text,
    sweep_run_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT status_log_created_at_in_bounds CHECK (((created_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (created_at < '2100-01-01 00:00:00+00'::timestamp with time zone)))
);

--
-- Name: TABLE status_log; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.status_log IS 'What was heard of payments and payment instructions: append-only.';

--
-- Name: open_payment_instruction; Type: VIEW; Schema: ifms; Owner: -
--

CREATE VIEW ifms.open_payment_instruction AS
 SELECT p.id,
    p.tenant_id,
    p.pi_number,
    p.pi_type,
    p.payment_number,
    p.status,
    p.net_amount,
        CASE p.status
            WHEN 'PENDING'::text THEN 'PI'::text
            WHEN 'INITIATED'::text THEN
            CASE p.pi_type
                WHEN 'ORIGINAL'::text THEN 'PIS'::text
                ELSE 'FTPS'::text
            END
            WHEN 'APPROVED'::text THEN 'PAG'::text
            WHEN 'IN PROCESS'::text THEN 'PD'::text
            ELSE NULL::text
        END AS next_service,
    (now() - p.created_at) AS age,
    p.last_attempt,
    ifms.without_numbers(p.error_message) AS error_message,
    p.polled_at,
    p.created_at,
    p.parent_pi_number,
    p.repayment_of,
    p.financial_year,
    p.hoa_code,
    p.ddo_code,
    p.ssu_id,
    p.beneficiary_count,
    p.attempts,
    p.last_attempt_at,
    (EXTRACT(day FROM (now() - p.created_at)))::integer AS age_days,
    COALESCE(since.created_at, p.created_at) AS waiting_since,
        CASE p.status
            WHEN 'PENDING'::text THEN
            CASE
                WHEN (COALESCE(p.last_attempt, 'never_sent'::text) = 'never_sent'::text) THEN 'SENDING'::text
                ELSE 'ANSWER'::text
            END
            WHEN 'INITIATED'::text THEN
            CASE p.pi_type
                WHEN 'ORIGINAL'::text THEN 'APPROVAL'::text
                ELSE 'SCROLLS'::text
            END
            WHEN 'APPROVED'::text THEN 'ADVICE'::text
            ELSE 'SCROLLS'::text
        END AS waits_for,
        CASE p.status
            WHEN 'PENDING'::text THEN
            CASE COALESCE(p.last_attempt, 'never_sent'::text)
                WHEN 'never_sent'::text THEN 'it has not reached the treasury: it is sent again'::text
                WHEN 'sending'::text THEN 'it is being sent, or its run died: the treasury is asked before it is sent again'::text
                ELSE 'it may have arrived: the treasury is asked before it is sent again'::text
            END
            WHEN 'INITIATED'::text THEN
            CASE p.pi_type
                WHEN 'ORIGINAL'::text THEN 'the spending unit has not approved it'::text
                ELSE 'not every beneficiary has a debit scroll'::text
            END
            WHEN 'APPROVED'::text THEN 'the treasury has not made its payment advice'::text
            ELSE 'not every beneficiary has a debit scroll'::text
        END AS why_it_waits,
    said.service_id AS last_service,
    said.status AS last_status,
    ifms.without_numbers(said.message) AS last_message,
    said.created_at AS last_heard_at
   FROM ((ifms.payment_instruction p
     LEFT JOIN LATERAL ( SELECT l.service_id,
            l.status,
            l.message,
            l.created_at
           FROM ifms.status_log l
          WHERE (l.payment_instruction_id = p.id)
          ORDER BY l.id DESC
         LIMIT 1) said ON (true))
     LEFT JOIN LATERAL ( SELECT l.created_at
           FROM ifms.status_log l
          WHERE ((l.payment_instruction_id = p.id) AND (l.to_status = p.status))
          ORDER BY l.id DESC
         LIMIT 1) since ON (true))
  WHERE (p.status = ANY (ARRAY['PENDING'::text, 'INITIATED'::text, 'APPROVED'::text, 'IN PROCESS'::text]));

--
-- Name: VIEW open_payment_instruction; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON VIEW ifms.open_payment_instruction IS 'Payment instructions (PI) that wait for the treasury: one row each, with how long, for what and why. Cheap to ask whole (few are open at a time), by status and by tenant_id.';

--
-- Name: COLUMN open_payment_instruction.id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.id IS 'The ledger''s id of the PI.';

--
-- Name: COLUMN open_payment_instruction.tenant_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.tenant_id IS 'The city, as DIGIT names it.';

--
-- Name: COLUMN open_payment_instruction.pi_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.pi_number IS 'PI number: the bill number by which the treasury knows it.';

--
-- Name: COLUMN open_payment_instruction.pi_type; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.pi_type IS 'ORIGINAL, or REVISED for one that pays beneficiaries of its parent whose payments failed.';

--
-- Name: COLUMN open_payment_instruction.payment_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.payment_number IS 'DIGIT''s payment that it pays.';

--
-- Name: COLUMN open_payment_instruction.status; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.status IS 'PENDING, INITIATED, APPROVED or IN PROCESS: see statuses.md.';

--
-- Name: COLUMN open_payment_instruction.net_amount; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.net_amount IS 'Rupees that its beneficiaries get together.';

--
-- Name: COLUMN open_payment_instruction.next_service; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.next_service IS 'The treasury''s service whose answer it waits for: PI (ifms_pi, which also sends a PENDING revised one), PIS, PAG, PD or FTPS.';

--
-- Name: COLUMN open_payment_instruction.age; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.age IS 'Interval since it was created, until now.';

--
-- Name: COLUMN open_payment_instruction.last_attempt; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.last_attempt IS 'What became of the last attempt to send it: sending, answered, rejected, never_sent or unknown (it may have arrived).';

--
-- Name: COLUMN open_payment_instruction.error_message; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.error_message IS 'What the treasury said last against it, or why it was not sent; long numbers are hidden but for their last four digits. NULL without any.';

--
-- Name: COLUMN open_payment_instruction.polled_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.polled_at IS 'Instant, UTC: when a run last took it up; NULL before the first, and for one that was put first in the queue.';

--
-- Name: COLUMN open_payment_instruction.created_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.created_at IS 'Instant, UTC: when it was written and its money reserved.';

--
-- Name: COLUMN open_payment_instruction.parent_pi_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.parent_pi_number IS 'Of a revised PI its original; NULL for an original.';

--
-- Name: COLUMN open_payment_instruction.repayment_of; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.repayment_of IS 'Of an original that pays failed payments anew: the PI whose they were. Else NULL.';

--
-- Name: COLUMN open_payment_instruction.financial_year; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.financial_year IS 'Its financial year, like 2024-25: from 1 April to 31 March, IST.';

--
-- Name: COLUMN open_payment_instruction.hoa_code; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.hoa_code IS 'Head of account that it is paid from.';

--
-- Name: COLUMN open_payment_instruction.ddo_code; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.ddo_code IS 'Drawing and disbursing officer of the spending unit.';

--
-- Name: COLUMN open_payment_instruction.ssu_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.ssu_id IS 'Spending unit (SSU), as the treasury names it.';

--
-- Name: COLUMN open_payment_instruction.beneficiary_count; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.beneficiary_count IS 'How many beneficiaries it pays.';

--
-- Name: COLUMN open_payment_instruction.attempts; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.attempts IS 'How often sending it was begun.';

--
-- Name: COLUMN open_payment_instruction.last_attempt_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.last_attempt_at IS 'Instant, UTC, of the last attempt to send it; NULL before the first.';

--
-- Name: COLUMN open_payment_instruction.age_days; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.age_days IS 'Whole days of 24 hours since it was created.';

--
-- Name: COLUMN open_payment_instruction.waiting_since; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.waiting_since IS 'Instant, UTC: since when it has had its status.';

--
-- Name: COLUMN open_payment_instruction.waits_for; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.waits_for IS 'SENDING (it has not reached the treasury), ANSWER (it may have), APPROVAL (by the spending unit), ADVICE (payment advice) or SCROLLS (debit scrolls).';

--
-- Name: COLUMN open_payment_instruction.why_it_waits; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.why_it_waits IS 'The same as a sentence.';

--
-- Name: COLUMN open_payment_instruction.last_service; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.last_service IS 'The service that was last heard, or was not; NULL before the first.';

--
-- Name: COLUMN open_payment_instruction.last_status; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.last_status IS 'What came of it, as STATUS_LOG_<service>_<outcome>; NULL before the first.';

--
-- Name: COLUMN open_payment_instruction.last_message; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.last_message IS 'What it said; long numbers are hidden but for their last four digits. NULL without words.';

--
-- Name: COLUMN open_payment_instruction.last_heard_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.open_payment_instruction.last_heard_at IS 'Instant, UTC, of that; NULL before the first.';

--
-- Name: outbox; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.outbox (
    id bigint NOT NULL,
    topic text NOT NULL,
    tenant_id text NOT NULL,
    ordering_key text NOT NULL,
    payload jsonb NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone DEFAULT now() NOT NULL,
    last_error text,
    delivered_at timestamp with time zone,
    set_aside_at timestamp with time zone,
    claim_token uuid,
    claimed_until timestamp with time zone,
    undeliverable boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT outbox_claimed_until_in_bounds CHECK (((claimed_until >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (claimed_until < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT outbox_created_at_in_bounds CHECK (((created_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (created_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT outbox_delivered_at_in_bounds CHECK (((delivered_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (delivered_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT outbox_next_attempt_at_in_bounds CHECK (((next_attempt_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (next_attempt_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT outbox_set_aside_at_in_bounds CHECK (((set_aside_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (set_aside_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT undeliverable_is_closed CHECK (((delivered_at IS NOT NULL) OR (NOT undeliverable)))
);

--
-- Name: TABLE outbox; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.outbox IS 'What others must hear, written with the change that they must hear of.';

--
-- Name: outbox_id_seq; Type: SEQUENCE; Schema: ifms; Owner: -
--

ALTER TABLE ifms.outbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ifms.outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: outbox_lag; Type: VIEW; Schema: ifms; Owner: -
--

CREATE VIEW ifms.outbox_lag AS
 SELECT topic,
    count(*) FILTER (WHERE (set_aside_at IS NULL)) AS due,
    count(*) FILTER (WHERE (set_aside_at IS NOT NULL)) AS set_aside,
    min(created_at) FILTER (WHERE (set_aside_at IS NULL)) AS oldest
   FROM ifms.outbox
  WHERE (delivered_at IS NULL)
  GROUP BY topic;

--
-- Name: VIEW outbox_lag; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON VIEW ifms.outbox_lag IS 'What the outbox has still to tell, a row per topic that has something; the platform''s payments, SMS, the index of PIs.';

--
-- Name: COLUMN outbox_lag.topic; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.outbox_lag.topic IS 'Whom it is for: payment_status (the platform), sms or pi_index.';

--
-- Name: COLUMN outbox_lag.due; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.outbox_lag.due IS 'How many messages wait to be delivered.';

--
-- Name: COLUMN outbox_lag.set_aside; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.outbox_lag.set_aside IS 'How many were given up: a person sends them again by ifms_relay''s form.';

--
-- Name: COLUMN outbox_lag.oldest; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.outbox_lag.oldest IS 'Instant, UTC, at which the oldest that waits was written; NULL when none does.';

--
-- Name: overview; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.overview (
    only_one boolean DEFAULT true NOT NULL,
    as_of timestamp with time zone,
    took interval DEFAULT '00:00:00'::interval NOT NULL,
    CONSTRAINT overview_as_of_in_bounds CHECK (((as_of >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (as_of < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT overview_only_one_check CHECK (only_one)
);

--
-- Name: TABLE overview; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.overview IS 'As of when the overview counts, and how long that took.';

--
-- Name: overview_failed; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.overview_failed (
    tenant_id text NOT NULL,
    correct_by date NOT NULL,
    busy boolean NOT NULL,
    payments bigint NOT NULL,
    amount numeric NOT NULL,
    CONSTRAINT overview_failed_correct_by_in_bounds CHECK (((correct_by >= '2000-01-01'::date) AND (correct_by < '2100-12-31'::date)))
);

--
-- Name: TABLE overview_failed; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.overview_failed IS 'Failed payments of a city that nobody has taken over, by their last day: how many, and their rupees, as of ifms.overview.';

--
-- Name: overview_instruction; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.overview_instruction (
    tenant_id text NOT NULL,
    pi_type text NOT NULL,
    status text NOT NULL,
    since_on date,
    since timestamp with time zone,
    instructions bigint NOT NULL,
    amount numeric NOT NULL,
    CONSTRAINT overview_instruction_since_in_bounds CHECK (((since >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (since < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT overview_instruction_since_on_in_bounds CHECK (((since_on >= '2000-01-01'::date) AND (since_on < '2100-01-01'::date)))
);

--
-- Name: TABLE overview_instruction; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.overview_instruction IS 'Payment instructions of a city in a status, since a day: how many, and their rupees, as of ifms.overview.';

--
-- Name: payment_instruction_summary; Type: VIEW; Schema: ifms; Owner: -
--

CREATE VIEW ifms.payment_instruction_summary AS
 SELECT p.id,
    p.tenant_id,
    p.pi_number,
    p.pi_type,
    p.parent_pi_number,
    p.payment_number,
    p.status,
    p.net_amount,
    p.hoa_code,
    p.master_allotment_id,
    p.financial_year,
    p.beneficiary_count,
    b.successful_count,
    b.failed_count,
    ifms.without_numbers(p.error_message) AS error_message,
    p.attempts,
    p.last_attempt,
    p.created_at,
    p.updated_at,
    p.gross_amount,
    p.repayment_of,
    p.is_active,
    p.ddo_code,
    p.ssu_id,
    p.ssu_allotment_id,
    p.allotment_serial_no,
    p.bill_numbers,
    p.bill_date,
    b.successful_amount,
    b.failed_amount,
    p.pi_approved_id,
    p.pi_approval_date,
    p.pa_fin_year,
    p.pa_advice_id,
    p.pa_advice_date,
    p.pa_bill_ref_number,
    p.pa_token_number,
    p.pa_token_date,
        CASE
            WHEN (p.pi_type = 'REVISED'::text) THEN p.paid_at
            WHEN (p.status = 'SUCCESSFUL'::text) THEN p.status_since
            WHEN (p.status = ANY (ARRAY['PARTIAL'::text, 'COMPLETED'::text])) THEN ( SELECT l.created_at
               FROM ifms.status_log l
              WHERE ((l.payment_instruction_id = p.id) AND (l.to_status = 'SUCCESSFUL'::text))
              ORDER BY l.id
             LIMIT 1)
            ELSE NULL::timestamp with time zone
        END AS paid_at,
    p.error_code,
    p.last_attempt_at,
    ((p.created_at AT TIME ZONE 'Asia/Kolkata'::text))::date AS created_on,
    p.work_order_numbers,
    p.bill_type,
    p.project_numbers,
    ifms.texts_of((p.additional_details -> 'projectName'::text)) AS project_names,
    ifms.texts_of((p.additional_details -> 'ward'::text)) AS wards
   FROM (ifms.payment_instruction p
     CROSS JOIN LATERAL ( SELECT count(*) FILTER (WHERE (beneficiary.status = 'Payment Successful'::text)) AS successful_count,
            count(*) FILTER (WHERE (beneficiary.status = 'Payment Failed'::text)) AS failed_count,
            COALESCE(sum(beneficiary.amount) FILTER (WHERE (beneficiary.status = 'Payment Successful'::text)), (0)::numeric) AS successful_amount,
            COALESCE(sum(beneficiary.amount) FILTER (WHERE (beneficiary.status = 'Payment Failed'::text)), (0)::numeric) AS failed_amount
           FROM ifms.beneficiary
          WHERE (beneficiary.payment_instruction_id = p.id)) b);

--
-- Name: VIEW payment_instruction_summary; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON VIEW ifms.payment_instruction_summary IS 'Payment instructions (PI): one row each, with what became of its beneficiaries. Cheap to ask by pi_number (with its beginning, too), payment_number, status, tenant_id, created_at, updated_at, by tenant_id and status together, and by bill_numbers (&& or @>); narrow financial_year by one of these.';

--
-- Name: COLUMN payment_instruction_summary.id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.id IS 'The ledger''s id of the PI.';

--
-- Name: COLUMN payment_instruction_summary.tenant_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.tenant_id IS 'The city, as DIGIT names it.';

--
-- Name: COLUMN payment_instruction_summary.pi_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.pi_number IS 'PI number: the bill number by which the treasury knows it.';

--
-- Name: COLUMN payment_instruction_summary.pi_type; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.pi_type IS 'ORIGINAL, or REVISED for one that pays beneficiaries of its parent whose payments failed.';

--
-- Name: COLUMN payment_instruction_summary.parent_pi_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.parent_pi_number IS 'Of a revised PI its original; NULL for an original.';

--
-- Name: COLUMN payment_instruction_summary.payment_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.payment_number IS 'DIGIT''s payment that it pays.';

--
-- Name: COLUMN payment_instruction_summary.status; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.status IS 'PENDING, INITIATED, APPROVED, IN PROCESS, SUCCESSFUL, PARTIAL, COMPLETED or FAILED: see statuses.md.';

--
-- Name: COLUMN payment_instruction_summary.net_amount; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.net_amount IS 'Rupees that its beneficiaries get together. Do not add revised PIs to their originals: they pay the same money.';

--
-- Name: COLUMN payment_instruction_summary.hoa_code; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.hoa_code IS 'Head of account that it is paid from.';

--
-- Name: COLUMN payment_instruction_summary.master_allotment_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.master_allotment_id IS 'The treasury''s name of the sanction that it is paid from.';

--
-- Name: COLUMN payment_instruction_summary.financial_year; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.financial_year IS 'Its financial year, like 2024-25: from 1 April to 31 March, IST.';

--
-- Name: COLUMN payment_instruction_summary.beneficiary_count; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.beneficiary_count IS 'How many beneficiaries it pays.';

--
-- Name: COLUMN payment_instruction_summary.successful_count; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.successful_count IS 'How many of them are paid.';

--
-- Name: COLUMN payment_instruction_summary.failed_count; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.failed_count IS 'How many of their payments failed, also where a later PI has paid them since.';

--
-- Name: COLUMN payment_instruction_summary.error_message; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.error_message IS 'What the treasury said last against it, or why it was not sent; long numbers are hidden but for their last four digits. NULL without any.';

--
-- Name: COLUMN payment_instruction_summary.attempts; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.attempts IS 'How often sending it was begun.';

--
-- Name: COLUMN payment_instruction_summary.last_attempt; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.last_attempt IS 'What became of the last: sending, answered, rejected, never_sent or unknown (it may have arrived).';

--
-- Name: COLUMN payment_instruction_summary.created_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.created_at IS 'Instant, UTC: when it was written and its money reserved.';

--
-- Name: COLUMN payment_instruction_summary.updated_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.updated_at IS 'Instant, UTC: when the ledger last changed it.';

--
-- Name: COLUMN payment_instruction_summary.gross_amount; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.gross_amount IS 'Rupees before deductions; at least net_amount.';

--
-- Name: COLUMN payment_instruction_summary.repayment_of; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.repayment_of IS 'Of an original that pays failed payments anew, which can''t be corrected any more: the PI whose they were. Else NULL.';

--
-- Name: COLUMN payment_instruction_summary.is_active; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.is_active IS 'Whether it is DIGIT''s active one: not, once it has failed.';

--
-- Name: COLUMN payment_instruction_summary.ddo_code; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.ddo_code IS 'Drawing and disbursing officer of the spending unit.';

--
-- Name: COLUMN payment_instruction_summary.ssu_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.ssu_id IS 'Spending unit (SSU), as the treasury names it.';

--
-- Name: COLUMN payment_instruction_summary.ssu_allotment_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.ssu_allotment_id IS 'The treasury''s id of the allotment that it names.';

--
-- Name: COLUMN payment_instruction_summary.allotment_serial_no; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.allotment_serial_no IS 'Serial number of that allotment.';

--
-- Name: COLUMN payment_instruction_summary.bill_numbers; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.bill_numbers IS 'DIGIT''s bills that it pays; empty when they are not known.';

--
-- Name: COLUMN payment_instruction_summary.bill_date; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.bill_date IS 'Instant, UTC, of the bill date that the treasury was told; it counts dates in IST.';

--
-- Name: COLUMN payment_instruction_summary.successful_amount; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.successful_amount IS 'Rupees that have been paid to its beneficiaries.';

--
-- Name: COLUMN payment_instruction_summary.failed_amount; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.failed_amount IS 'Rupees of its payments that failed, also where a later PI has paid them since.';

--
-- Name: COLUMN payment_instruction_summary.pi_approved_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.pi_approved_id IS 'The treasury''s id of the approved PI (pmtInstId); NULL before its approval, like the next columns before their service answers.';

--
-- Name: COLUMN payment_instruction_summary.pi_approval_date; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.pi_approval_date IS 'Date of the approval, IST, as the treasury wrote it: a text.';

--
-- Name: COLUMN payment_instruction_summary.pa_fin_year; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.pa_fin_year IS 'Financial year of the payment advice, as the treasury wrote it.';

--
-- Name: COLUMN payment_instruction_summary.pa_advice_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.pa_advice_id IS 'The treasury''s id of the payment advice.';

--
-- Name: COLUMN payment_instruction_summary.pa_advice_date; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.pa_advice_date IS 'Date of the advice, IST, as the treasury wrote it: a text.';

--
-- Name: COLUMN payment_instruction_summary.pa_bill_ref_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.pa_bill_ref_number IS 'Online bill reference of the advice.';

--
-- Name: COLUMN payment_instruction_summary.pa_token_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.pa_token_number IS 'Token number of the advice.';

--
-- Name: COLUMN payment_instruction_summary.pa_token_date; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.pa_token_date IS 'Date of the token, IST, as the treasury wrote it: a text.';

--
-- Name: COLUMN payment_instruction_summary.paid_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.paid_at IS 'Instant, UTC, at which the ledger learned that all its beneficiaries had their debit scrolls, also where the bank has given some back since; NULL before, and where some failed instead.';

--
-- Name: COLUMN payment_instruction_summary.error_code; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.error_code IS 'DIGIT''s code of why it failed, like PAYMENT_DECLINED; NULL without any.';

--
-- Name: COLUMN payment_instruction_summary.last_attempt_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.last_attempt_at IS 'Instant, UTC, of the last attempt to send it; NULL before the first.';

--
-- Name: COLUMN payment_instruction_summary.created_on; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.created_on IS 'Date, IST, of created_at: the PI date. Narrow created_at instead where many are asked for: this one has no index.';

--
-- Name: COLUMN payment_instruction_summary.work_order_numbers; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.work_order_numbers IS 'The work orders (contracts) of these bills; empty when they are not known.';

--
-- Name: COLUMN payment_instruction_summary.bill_type; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.bill_type IS 'WAGE, PURCHASE or SUPERVISION, by the beginnings of bill_numbers; MIXED for bills of several types, NULL when no type is known.';

--
-- Name: COLUMN payment_instruction_summary.project_numbers; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.project_numbers IS 'The projects of these bills; empty when they are not known, as of PIs that were imported.';

--
-- Name: COLUMN payment_instruction_summary.project_names; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.project_names IS 'The names of these projects; empty where the platform''s bills do not tell them.';

--
-- Name: COLUMN payment_instruction_summary.wards; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.payment_instruction_summary.wards IS 'The wards of these bills, as the platform''s boundary codes; empty where its bills do not tell them.';

--
-- Name: person_action; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.person_action (
    id bigint NOT NULL,
    tenant_id text,
    person text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    reason text,
    database_user text DEFAULT SESSION_USER NOT NULL,
    acted_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT person_action_acted_at_in_bounds CHECK (((acted_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (acted_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT person_action_action_check CHECK ((action ~ '^[a-z][a-z_]*$'::text)),
    CONSTRAINT person_action_person_check CHECK ((btrim(person) <> ''::text)),
    CONSTRAINT person_action_reason_check CHECK ((btrim(reason) <> ''::text)),
    CONSTRAINT person_action_subject_check CHECK ((length(subject) <= 2000)),
    CONSTRAINT person_action_tenant_id_check CHECK ((tenant_id <> ''::text))
);

--
-- Name: TABLE person_action; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.person_action IS 'What a person has done through the adapter: who (as the auth manager knows them, or os:NAME at a terminal), what, with what, why. Append-only.';

--
-- Name: person_action_id_seq; Type: SEQUENCE; Schema: ifms; Owner: -
--

ALTER TABLE ifms.person_action ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ifms.person_action_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: phrase; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.phrase (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    services text[] NOT NULL,
    text text NOT NULL,
    meaning text NOT NULL,
    reason text NOT NULL,
    added_by text NOT NULL,
    added_at timestamp with time zone DEFAULT now() NOT NULL,
    withdrawn_at timestamp with time zone,
    withdrawn_by text,
    withdrawn_reason text,
    CONSTRAINT phrase_added_at_in_bounds CHECK (((added_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (added_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT phrase_added_by_check CHECK ((btrim(added_by) <> ''::text)),
    CONSTRAINT phrase_check CHECK (((withdrawn_at IS NULL) = (withdrawn_by IS NULL))),
    CONSTRAINT phrase_check1 CHECK (((withdrawn_at IS NULL) = ((withdrawn_reason IS NULL) OR (btrim(withdrawn_reason) = ''::text)))),
    CONSTRAINT phrase_meaning_check CHECK ((btrim(meaning) <> ''::text)),
    CONSTRAINT phrase_reason_check CHECK ((btrim(reason) <> ''::text)),
    CONSTRAINT phrase_services_check CHECK ((cardinality(services) > 0)),
    CONSTRAINT phrase_text_check CHECK ((btrim(text) <> ''::text)),
    CONSTRAINT phrase_withdrawn_at_in_bounds CHECK (((withdrawn_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (withdrawn_at < '2100-01-01 00:00:00+00'::timestamp with time zone)))
);

--
-- Name: TABLE phrase; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.phrase IS 'A site''s own rows of the phrasebook: what texts of the treasury mean.';

--
-- Name: proposal; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.proposal (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    act text NOT NULL,
    tenant_id text,
    subject text NOT NULL,
    parameters jsonb NOT NULL,
    amount numeric(15,2),
    reason text NOT NULL,
    proposed_by text NOT NULL,
    proposed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    approved_by text,
    approved_at timestamp with time zone,
    single_person boolean DEFAULT false NOT NULL,
    refused_by text,
    refused_at timestamp with time zone,
    refusal text,
    done_at timestamp with time zone,
    done_in text,
    failed_at timestamp with time zone,
    result text,
    CONSTRAINT approved_by_somebody CHECK (((approved_by IS NULL) = (approved_at IS NULL))),
    CONSTRAINT decided_once CHECK (((approved_at IS NULL) OR (refused_at IS NULL))),
    CONSTRAINT done_after_approval CHECK (((approved_at IS NOT NULL) OR ((done_at IS NULL) AND (failed_at IS NULL) AND (NOT single_person)))),
    CONSTRAINT ended_once CHECK (((done_at IS NULL) OR (failed_at IS NULL))),
    CONSTRAINT proposal_act_check CHECK ((act = ANY (ARRAY['settle'::text, 'transfer'::text, 'same_account'::text, 'repayment'::text, 'adopt'::text, 'release'::text, 'sanction'::text, 'phrase'::text, 'correction'::text, 'resubmission'::text]))),
    CONSTRAINT proposal_amount_check CHECK (((amount >= (0)::numeric) AND (amount <> 'NaN'::numeric))),
    CONSTRAINT proposal_approved_at_in_bounds CHECK (((approved_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (approved_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT proposal_approved_by_check CHECK ((btrim(approved_by) <> ''::text)),
    CONSTRAINT proposal_done_at_in_bounds CHECK (((done_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (done_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT proposal_done_in_check CHECK ((done_in <> ''::text)),
    CONSTRAINT proposal_expires_at_in_bounds CHECK (((expires_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (expires_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT proposal_failed_at_in_bounds CHECK (((failed_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (failed_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT proposal_parameters_check CHECK ((jsonb_typeof(parameters) = 'object'::text)),
    CONSTRAINT proposal_proposed_at_in_bounds CHECK (((proposed_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (proposed_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT proposal_proposed_by_check CHECK ((btrim(proposed_by) <> ''::text)),
    CONSTRAINT proposal_reason_check CHECK (((btrim(reason) <> ''::text) AND (length(reason) <= 1000))),
    CONSTRAINT proposal_refusal_check CHECK ((btrim(refusal) <> ''::text)),
    CONSTRAINT proposal_refused_at_in_bounds CHECK (((refused_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (refused_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT proposal_refused_by_check CHECK ((btrim(refused_by) <> ''::text)),
    CONSTRAINT proposal_result_check CHECK ((result <> ''::text)),
    CONSTRAINT proposal_subject_check CHECK (((btrim(subject) <> ''::text) AND (length(subject) <= 1000))),
    CONSTRAINT proposal_tenant_id_check CHECK ((tenant_id <> ''::text)),
    CONSTRAINT refused_by_somebody_with_a_reason CHECK ((((refused_by IS NULL) = (refused_at IS NULL)) AND ((refused_by IS NULL) = (refusal IS NULL)))),
    CONSTRAINT result_of_what_ended CHECK (((result IS NULL) OR (done_at IS NOT NULL) OR (failed_at IS NOT NULL))),
    CONSTRAINT two_people CHECK ((single_person OR (lower(btrim(approved_by)) <> lower(btrim(proposed_by)))))
);

--
-- Name: TABLE proposal; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.proposal IS 'Acts that one person has proposed and another approves or refuses; what became of each.';

--
-- Name: reported_failure; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.reported_failure (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    bill_number text NOT NULL,
    beneficiary_id text NOT NULL,
    voucher_date date NOT NULL,
    account_sealed bytea,
    account_last4 text,
    ifsc text,
    utr_number text,
    challan_number text,
    challan_date date,
    bill_ref_number text,
    reason text,
    why_unmatched text NOT NULL,
    first_told_at timestamp with time zone DEFAULT now() NOT NULL,
    last_told_at timestamp with time zone DEFAULT now() NOT NULL,
    matched_at timestamp with time zone,
    settled_at timestamp with time zone,
    settled_by text,
    settled_reason text,
    CONSTRAINT reported_failure_challan_date_in_bounds CHECK (((challan_date >= '2000-01-01'::date) AND (challan_date < '2100-01-01'::date))),
    CONSTRAINT reported_failure_first_told_at_in_bounds CHECK (((first_told_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (first_told_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT reported_failure_last_told_at_in_bounds CHECK (((last_told_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (last_told_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT reported_failure_matched_at_in_bounds CHECK (((matched_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (matched_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT reported_failure_settled_at_in_bounds CHECK (((settled_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (settled_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT reported_failure_voucher_date_in_bounds CHECK (((voucher_date >= '2000-01-01'::date) AND (voucher_date < '2100-01-01'::date))),
    CONSTRAINT settled_with_a_reason CHECK ((((settled_at IS NULL) = (settled_by IS NULL)) AND ((settled_at IS NULL) = (settled_reason IS NULL)) AND (btrim(settled_reason) <> ''::text)))
);

--
-- Name: TABLE reported_failure; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.reported_failure IS 'Failures that the treasury reported and that matched nothing when they were told.';

--
-- Name: restore_cleared; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.restore_cleared (
    restored_id bigint NOT NULL,
    tenant_id text NOT NULL,
    number text NOT NULL,
    kind text NOT NULL,
    reason text NOT NULL,
    os_user text NOT NULL,
    cleared_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT restore_cleared_cleared_at_in_bounds CHECK (((cleared_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (cleared_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT restore_cleared_kind_check CHECK ((kind = ANY (ARRAY['PAYMENT'::text, 'PENDING PI'::text, 'FAILED BENEFICIARIES'::text]))),
    CONSTRAINT restore_cleared_reason_check CHECK ((btrim(reason) <> ''::text))
);

--
-- Name: TABLE restore_cleared; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.restore_cleared IS 'What somebody has asked the treasury about after a restore.';

--
-- Name: restored; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.restored (
    id bigint NOT NULL,
    restored_at timestamp with time zone DEFAULT now() NOT NULL,
    last_known timestamp with time zone,
    os_user text NOT NULL,
    CONSTRAINT restored_last_known_in_bounds CHECK (((last_known >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (last_known < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT restored_restored_at_in_bounds CHECK (((restored_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (restored_at < '2100-01-01 00:00:00+00'::timestamp with time zone)))
);

--
-- Name: TABLE restored; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.restored IS 'When the ledger was restored from a backup.';

--
-- Name: restored_id_seq; Type: SEQUENCE; Schema: ifms; Owner: -
--

ALTER TABLE ifms.restored ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ifms.restored_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: returned_payment; Type: VIEW; Schema: ifms; Owner: -
--

CREATE VIEW ifms.returned_payment AS
 SELECT b.id,
    p.tenant_id,
    p.pi_number,
    p.payment_number,
    b.beneficiary_number,
    b.amount,
    ifms.without_numbers(b.status_message) AS reason,
    b.challan_number,
    b.challan_date,
    b.failed_on,
    ifms.correct_by(b.failed_on, o.correction_days, o.correction_last_month, o.correction_last_day) AS correct_by,
    b.payment_instruction_id,
    b.created_at,
    b.updated_at AS recorded_at
   FROM ((ifms.beneficiary b
     JOIN ifms.payment_instruction p ON ((p.id = b.payment_instruction_id)))
     CROSS JOIN ifms.setting o)
  WHERE ((b.status = 'Payment Failed'::text) AND (b.failed_on IS NOT NULL));

--
-- Name: VIEW returned_payment; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON VIEW ifms.returned_payment IS 'Payments that the bank gave back: one row per beneficiary and PI, also where a later PI has paid them since; failed_beneficiary has those that wait for somebody. Cheap to ask by failed_on and payment_instruction_id.';

--
-- Name: COLUMN returned_payment.id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.returned_payment.id IS 'The ledger''s id of the payment: failed_beneficiary has the same.';

--
-- Name: COLUMN returned_payment.tenant_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.returned_payment.tenant_id IS 'The city, as DIGIT names it.';

--
-- Name: COLUMN returned_payment.pi_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.returned_payment.pi_number IS 'The PI by which it was paid.';

--
-- Name: COLUMN returned_payment.payment_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.returned_payment.payment_number IS 'DIGIT''s payment that it is part of.';

--
-- Name: COLUMN returned_payment.beneficiary_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.returned_payment.beneficiary_number IS 'The payment''s number at the treasury (benefId); revised PIs keep it.';

--
-- Name: COLUMN returned_payment.amount; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.returned_payment.amount IS 'Rupees that came back.';

--
-- Name: COLUMN returned_payment.reason; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.returned_payment.reason IS 'Why, in the bank''s words; long numbers are hidden but for their last four digits. NULL when it gave none.';

--
-- Name: COLUMN returned_payment.challan_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.returned_payment.challan_number IS 'Challan by which the money came back; NULL when none was told.';

--
-- Name: COLUMN returned_payment.challan_date; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.returned_payment.challan_date IS 'Date of the challan, IST; NULL when none was told.';

--
-- Name: COLUMN returned_payment.failed_on; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.returned_payment.failed_on IS 'Date of the failure, IST, from which the days of a correction count.';

--
-- Name: COLUMN returned_payment.correct_by; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.returned_payment.correct_by IS 'Last date, IST, on which it can be corrected, or could be: see failed_beneficiary.';

--
-- Name: COLUMN returned_payment.payment_instruction_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.returned_payment.payment_instruction_id IS 'The ledger''s id of the PI.';

--
-- Name: COLUMN returned_payment.created_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.returned_payment.created_at IS 'Instant, UTC: when the PI was written.';

--
-- Name: COLUMN returned_payment.recorded_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.returned_payment.recorded_at IS 'Instant, UTC: when the ledger recorded that it came back.';

--
-- Name: sanction_closing_id_seq; Type: SEQUENCE; Schema: ifms; Owner: -
--

ALTER TABLE ifms.sanction_closing ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ifms.sanction_closing_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: sanction_summary; Type: VIEW; Schema: ifms; Owner: -
--

CREATE VIEW ifms.sanction_summary AS
 SELECT s.id,
    s.tenant_id,
    s.financial_year,
    s.hoa_code,
    s.ddo_code,
    s.ssu_id,
    s.grantee_code,
    s.scheme_code,
    s.master_allotment_id,
    s.sanctioned_amount,
    s.allotted_amount,
    s.reserved_amount,
    s.spent_amount,
    s.available_amount,
    (s.sanctioned_amount - s.allotted_amount) AS sanctioned_balance,
    (s.allotted_amount - s.spent_amount) AS fund_available,
        CASE
            WHEN ((s.closed_at IS NOT NULL) OR unused.earlier) THEN GREATEST(s.available_amount, (0)::numeric)
            ELSE (0)::numeric
        END AS not_used,
        CASE
            WHEN (s.closed_at IS NOT NULL) THEN 'CLOSED'::text
            WHEN unused.earlier THEN 'EARLIER YEAR'::text
            ELSE NULL::text
        END AS not_used_because,
    s.closed_at,
        CASE
            WHEN (s.closed_at IS NOT NULL) THEN ( SELECT c.reason
               FROM ifms.sanction_closing c
              WHERE (c.sanction_id = s.id)
              ORDER BY c.id DESC
             LIMIT 1)
            ELSE NULL::text
        END AS closed_reason,
    counted.allotments AS allotment_count,
    last.kind AS last_allotment_kind,
    last.ssu_allotment_id AS last_ssu_allotment_id,
    last.serial_no AS last_allotment_serial_no,
    last.allotment_date AS last_allotment_date,
    last.amount AS last_allotment_amount,
    last.sanction_balance AS treasury_balance,
    s.created_at,
    s.updated_at
   FROM ((((ifms.sanction s
     CROSS JOIN ifms.setting o)
     CROSS JOIN LATERAL ( SELECT ((NOT o.use_earlier_years) AND (s.financial_year < ifms.financial_year(((now() AT TIME ZONE 'Asia/Kolkata'::text))::date))) AS earlier) unused)
     CROSS JOIN LATERAL ( SELECT count(*) AS allotments
           FROM ifms.allotment a
          WHERE (a.sanction_id = s.id)) counted)
     LEFT JOIN LATERAL ( SELECT a.kind,
            a.ssu_allotment_id,
            a.serial_no,
            a.allotment_date,
            a.amount,
            a.sanction_balance
           FROM ifms.allotment a
          WHERE (a.sanction_id = s.id)
          ORDER BY a.serial_no DESC, a.received_at DESC, a.id DESC
         LIMIT 1) last ON (true));

--
-- Name: VIEW sanction_summary; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON VIEW ifms.sanction_summary IS 'Sanctions: one row each, as they stand now; fund_register says how they came to it. Cheap to ask whole (some of each city and year), by tenant_id with financial_year, and by financial_year with hoa_code.';

--
-- Name: COLUMN sanction_summary.id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.id IS 'The ledger''s id of the sanction: sanction_id of fund_register.';

--
-- Name: COLUMN sanction_summary.tenant_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.tenant_id IS 'The city, as DIGIT names it.';

--
-- Name: COLUMN sanction_summary.financial_year; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.financial_year IS 'Its financial year, like 2024-25: from 1 April to 31 March, IST.';

--
-- Name: COLUMN sanction_summary.hoa_code; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.hoa_code IS 'Head of account.';

--
-- Name: COLUMN sanction_summary.ddo_code; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.ddo_code IS 'Drawing and disbursing officer of the spending unit.';

--
-- Name: COLUMN sanction_summary.ssu_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.ssu_id IS 'Spending unit (SSU), as the treasury names it.';

--
-- Name: COLUMN sanction_summary.grantee_code; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.grantee_code IS 'Grantee of the spending unit.';

--
-- Name: COLUMN sanction_summary.scheme_code; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.scheme_code IS 'Scheme of the sanction.';

--
-- Name: COLUMN sanction_summary.master_allotment_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.master_allotment_id IS 'What the treasury names the sanction by (mstAllotmentDistId).';

--
-- Name: COLUMN sanction_summary.sanctioned_amount; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.sanctioned_amount IS 'Rupees: all of the sanction, as its initial allotment told it.';

--
-- Name: COLUMN sanction_summary.allotted_amount; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.allotted_amount IS 'Rupees allotted, withdrawals taken off.';

--
-- Name: COLUMN sanction_summary.reserved_amount; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.reserved_amount IS 'Rupees reserved for PIs that the treasury has not taken yet.';

--
-- Name: COLUMN sanction_summary.spent_amount; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.spent_amount IS 'Rupees spent by PIs that the treasury took, reversed ones taken off.';

--
-- Name: COLUMN sanction_summary.available_amount; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.available_amount IS 'Rupees that further PIs could reserve: allotted less reserved and spent; below zero when money that was spent has been withdrawn.';

--
-- Name: COLUMN sanction_summary.sanctioned_balance; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.sanctioned_balance IS 'Rupees: sanctioned less allotted, as the register counts it.';

--
-- Name: COLUMN sanction_summary.fund_available; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.fund_available IS 'Rupees: allotted less spent, as the register counts it; what is reserved is still in it.';

--
-- Name: COLUMN sanction_summary.not_used; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.not_used IS 'Rupees of available_amount that no PI is made from; 0 where PIs are.';

--
-- Name: COLUMN sanction_summary.not_used_because; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.not_used_because IS 'CLOSED (by a person: closed_reason) or EARLIER YEAR (today''s payments are not made from it, as the connection''s use_earlier_years is off); NULL where PIs are made from it.';

--
-- Name: COLUMN sanction_summary.closed_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.closed_at IS 'Instant, UTC, at which it was closed; NULL while it is open.';

--
-- Name: COLUMN sanction_summary.closed_reason; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.closed_reason IS 'Why it was closed; NULL while it is open.';

--
-- Name: COLUMN sanction_summary.allotment_count; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.allotment_count IS 'How many allotments and withdrawals the treasury has told of it.';

--
-- Name: COLUMN sanction_summary.last_allotment_kind; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.last_allotment_kind IS 'The last of them, by its serial number: INITIAL, ADDITIONAL or WITHDRAWAL.';

--
-- Name: COLUMN sanction_summary.last_ssu_allotment_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.last_ssu_allotment_id IS 'The treasury''s id of that one (ssuAllotmentId).';

--
-- Name: COLUMN sanction_summary.last_allotment_serial_no; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.last_allotment_serial_no IS 'Its serial number (allotmentTxnSlNo).';

--
-- Name: COLUMN sanction_summary.last_allotment_date; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.last_allotment_date IS 'Its date, IST, as the treasury has it.';

--
-- Name: COLUMN sanction_summary.last_allotment_amount; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.last_allotment_amount IS 'Its rupees, zero or more; the kind says which way they went.';

--
-- Name: COLUMN sanction_summary.treasury_balance; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.treasury_balance IS 'Rupees: what the treasury said is left of the sanction after it (availableBalance).';

--
-- Name: COLUMN sanction_summary.created_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.created_at IS 'Instant, UTC: when the ledger first heard of the sanction.';

--
-- Name: COLUMN sanction_summary.updated_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.sanction_summary.updated_at IS 'Instant, UTC: when the ledger last changed it.';

--
-- Name: saved_search; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.saved_search (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    owner text NOT NULL,
    name text NOT NULL,
    query text NOT NULL,
    saved_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT saved_search_name_check CHECK (((btrim(name) <> ''::text) AND (length(name) <= 80))),
    CONSTRAINT saved_search_owner_check CHECK ((btrim(owner) <> ''::text)),
    CONSTRAINT saved_search_query_check CHECK ((length(query) <= 4000)),
    CONSTRAINT saved_search_saved_at_in_bounds CHECK (((saved_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (saved_at < '2100-01-01 00:00:00+00'::timestamp with time zone)))
);

--
-- Name: TABLE saved_search; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.saved_search IS 'Searches of the list of payment instructions that a user of the pages has given a name: theirs alone, and deleted when they say so.';

--
-- Name: second_person; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.second_person (
    only_row boolean DEFAULT true NOT NULL,
    acts text[] DEFAULT '{settle,transfer,same_account,repayment,adopt,release,sanction,phrase,correction,resubmission}'::text[] NOT NULL,
    above_amount numeric(15,2),
    proposal_days integer DEFAULT 7 NOT NULL,
    single_person boolean DEFAULT false NOT NULL,
    CONSTRAINT second_person_above_amount_check CHECK (((above_amount >= (0)::numeric) AND (above_amount <> 'NaN'::numeric))),
    CONSTRAINT second_person_only_row_check CHECK (only_row),
    CONSTRAINT second_person_proposal_days_check CHECK (((proposal_days >= 1) AND (proposal_days <= 90)))
);

--
-- Name: TABLE second_person; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.second_person IS 'Which acts need a second person, in one row that `ifms migrate` writes.';

--
-- Name: started_run; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.started_run (
    dag_id text NOT NULL,
    run_id text NOT NULL,
    started_by text NOT NULL,
    tenants text[],
    conf_sha256 bytea NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT started_run_conf_sha256_check CHECK ((octet_length(conf_sha256) = 32)),
    CONSTRAINT started_run_dag_id_check CHECK ((dag_id <> ''::text)),
    CONSTRAINT started_run_run_id_check CHECK ((run_id <> ''::text)),
    CONSTRAINT started_run_started_at_in_bounds CHECK (((started_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (started_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT started_run_started_by_check CHECK ((started_by <> ''::text)),
    CONSTRAINT started_run_tenants_check CHECK ((cardinality(tenants) > 0))
);

--
-- Name: TABLE started_run; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.started_run IS 'DAG runs that a person has started through the pages or the API, who had the right to: by whom, for which cities (NULL: all), and the SHA-256 of the form. A run that somebody starts otherwise begins only if IFMS_RIGHTS lets them act in all cities.';

--
-- Name: status_history; Type: VIEW; Schema: ifms; Owner: -
--

CREATE VIEW ifms.status_history AS
 SELECT l.id,
    l.payment_instruction_id,
    l.tenant_id,
    l.payment_number,
    p.pi_number,
    p.pi_type,
    l.service_id,
    l.status,
    l.from_status,
    l.to_status,
    ifms.without_numbers(l.message) AS message,
    l.created_at,
    l.sweep_run_id
   FROM (ifms.status_log l
     LEFT JOIN ifms.payment_instruction p ON ((p.id = l.payment_instruction_id)));

--
-- Name: VIEW status_history; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON VIEW ifms.status_history IS 'What has happened to payments and their payment instructions (PI): one row each time that a service of the treasury, or a person, was heard. Sort by id for the order in which it happened. Cheap to ask by pi_number, by tenant_id with payment_number, and by created_at.';

--
-- Name: COLUMN status_history.id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.status_history.id IS 'Number of the row: grows in the order in which it was written.';

--
-- Name: COLUMN status_history.payment_instruction_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.status_history.payment_instruction_id IS 'The ledger''s id of the PI; NULL for a payment that has none.';

--
-- Name: COLUMN status_history.tenant_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.status_history.tenant_id IS 'The city, as DIGIT names it.';

--
-- Name: COLUMN status_history.payment_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.status_history.payment_number IS 'DIGIT''s payment.';

--
-- Name: COLUMN status_history.pi_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.status_history.pi_number IS 'PI number: the bill number by which the treasury knows it. NULL for a payment that has none.';

--
-- Name: COLUMN status_history.pi_type; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.status_history.pi_type IS 'ORIGINAL or REVISED; NULL for a payment that has no PI.';

--
-- Name: COLUMN status_history.service_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.status_history.service_id IS 'The service that was heard, or was not: PI, PIS, PAG, PD, FD, COR, FTPS or FTFPS; IMPORT for what another adapter had, others for what a person did.';

--
-- Name: COLUMN status_history.status; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.status_history.status IS 'What came of it, as STATUS_LOG_<service>_<outcome>.';

--
-- Name: COLUMN status_history.from_status; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.status_history.from_status IS 'Status of the PI before it; NULL when it did not change.';

--
-- Name: COLUMN status_history.to_status; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.status_history.to_status IS 'Status of the PI after it; NULL when it did not change.';

--
-- Name: COLUMN status_history.message; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.status_history.message IS 'What was said; long numbers are hidden but for their last four digits. NULL without words.';

--
-- Name: COLUMN status_history.created_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.status_history.created_at IS 'Instant, UTC: when the ledger wrote it; of an import when the Java adapter last changed the PI.';

--
-- Name: COLUMN status_history.sweep_run_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.status_history.sweep_run_id IS 'The run that heard it; NULL without one.';

--
-- Name: status_log_id_seq; Type: SEQUENCE; Schema: ifms; Owner: -
--

ALTER TABLE ifms.status_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ifms.status_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: status_transition; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.status_transition (
    subject text NOT NULL,
    from_status text NOT NULL,
    to_status text NOT NULL,
    CONSTRAINT status_transition_subject_check CHECK ((subject = ANY (ARRAY['PAYMENT_INSTRUCTION'::text, 'BENEFICIARY'::text])))
);

--
-- Name: TABLE status_transition; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.status_transition IS 'Which status may follow which; a copy of the code''s table.';

--
-- Name: sweep_run; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.sweep_run (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    service_id text NOT NULL,
    dag_id text,
    run_id text,
    shard integer DEFAULT 0 NOT NULL,
    try_number integer,
    state text DEFAULT 'running'::text NOT NULL,
    counts jsonb DEFAULT '{}'::jsonb NOT NULL,
    problems jsonb DEFAULT '[]'::jsonb NOT NULL,
    message text,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    discovered_at timestamp with time zone,
    presumed_dead boolean DEFAULT false NOT NULL,
    CONSTRAINT sweep_run_discovered_at_in_bounds CHECK (((discovered_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (discovered_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT sweep_run_finished_at_in_bounds CHECK (((finished_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (finished_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT sweep_run_started_at_in_bounds CHECK (((started_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (started_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT sweep_run_state_check CHECK ((state = ANY (ARRAY['running'::text, 'success'::text, 'failed'::text])))
);

--
-- Name: TABLE sweep_run; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.sweep_run IS 'Runs of the sweeps: their state, counts and problems.';

--
-- Name: unknown_answer; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.unknown_answer (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    service_id text NOT NULL,
    template text NOT NULL,
    sample text NOT NULL,
    times bigint DEFAULT 1 NOT NULL,
    first_heard_at timestamp with time zone DEFAULT now() NOT NULL,
    last_heard_at timestamp with time zone DEFAULT now() NOT NULL,
    phrase_id uuid,
    CONSTRAINT unknown_answer_first_heard_at_in_bounds CHECK (((first_heard_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (first_heard_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT unknown_answer_last_heard_at_in_bounds CHECK (((last_heard_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (last_heard_at < '2100-01-01 00:00:00+00'::timestamp with time zone)))
);

--
-- Name: TABLE unknown_answer; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.unknown_answer IS 'Texts of the treasury that no phrase matched.';

--
-- Name: unmatched_failure; Type: VIEW; Schema: ifms; Owner: -
--

CREATE VIEW ifms.unmatched_failure AS
 SELECT f.id,
    f.bill_number,
    p.tenant_id,
    p.payment_number,
    p.status AS pi_status,
    NULLIF(f.beneficiary_id, ''::text) AS beneficiary_number,
    f.voucher_date,
    f.account_last4,
    f.ifsc,
    f.utr_number,
    f.challan_number,
    f.challan_date,
    ifms.without_numbers(f.reason) AS reason,
    ifms.without_numbers(f.why_unmatched) AS why_unmatched,
        CASE
            WHEN (f.matched_at IS NOT NULL) THEN 'MATCHED'::text
            WHEN (f.settled_at IS NOT NULL) THEN 'CLOSED'::text
            ELSE 'OPEN'::text
        END AS state,
    f.first_told_at,
    f.last_told_at,
    f.matched_at,
    f.settled_at,
    f.settled_by,
    ifms.without_numbers(f.settled_reason) AS settled_reason
   FROM (ifms.reported_failure f
     LEFT JOIN ifms.payment_instruction p ON ((p.pi_number = f.bill_number)));

--
-- Name: VIEW unmatched_failure; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON VIEW ifms.unmatched_failure IS 'Failures that the treasury reported and that matched no payment instruction (PI) or beneficiary when they were told: one row each. Those of the state OPEN are for a person to look into. Cheap to ask whole (they are few) and by bill_number.';

--
-- Name: COLUMN unmatched_failure.id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.id IS 'The ledger''s id of the failure, by which `ifms failures close-reported` closes it.';

--
-- Name: COLUMN unmatched_failure.bill_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.bill_number IS 'The bill number that the treasury named: of ours, a PI number.';

--
-- Name: COLUMN unmatched_failure.tenant_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.tenant_id IS 'The city of the PI with that number; NULL when there is none.';

--
-- Name: COLUMN unmatched_failure.payment_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.payment_number IS 'DIGIT''s payment that the PI pays; NULL when there is none.';

--
-- Name: COLUMN unmatched_failure.pi_status; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.pi_status IS 'Status of the PI: see statuses.md. NULL when there is none.';

--
-- Name: COLUMN unmatched_failure.beneficiary_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.beneficiary_number IS 'The payment''s number at the treasury (benefId) that it named; NULL when it named none.';

--
-- Name: COLUMN unmatched_failure.voucher_date; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.voucher_date IS 'Date of the voucher, IST, that it named.';

--
-- Name: COLUMN unmatched_failure.account_last4; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.account_last4 IS 'The last four digits of the account that it named; NULL when it named none.';

--
-- Name: COLUMN unmatched_failure.ifsc; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.ifsc IS 'IFSC of the branch that it named; NULL when it named none.';

--
-- Name: COLUMN unmatched_failure.utr_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.utr_number IS 'The bank''s reference of the transfer (UTR) that it named; NULL when it named none.';

--
-- Name: COLUMN unmatched_failure.challan_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.challan_number IS 'Challan by which the money came back; NULL when none was told.';

--
-- Name: COLUMN unmatched_failure.challan_date; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.challan_date IS 'Date of the challan, IST; NULL when none was told.';

--
-- Name: COLUMN unmatched_failure.reason; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.reason IS 'Why it failed, in the bank''s words; long numbers are hidden but for their last four digits. NULL when it gave none.';

--
-- Name: COLUMN unmatched_failure.why_unmatched; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.why_unmatched IS 'Why it matched nothing, when it was last looked at.';

--
-- Name: COLUMN unmatched_failure.state; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.state IS 'OPEN, MATCHED (it was booked after all: matched_at) or CLOSED (by a person: settled_reason).';

--
-- Name: COLUMN unmatched_failure.first_told_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.first_told_at IS 'Instant, UTC, since which it is kept.';

--
-- Name: COLUMN unmatched_failure.last_told_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.last_told_at IS 'Instant, UTC, at which the treasury last told it.';

--
-- Name: COLUMN unmatched_failure.matched_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.matched_at IS 'Instant, UTC, at which it was booked; NULL when it was not.';

--
-- Name: COLUMN unmatched_failure.settled_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.settled_at IS 'Instant, UTC, at which a person closed it; NULL when nobody has.';

--
-- Name: COLUMN unmatched_failure.settled_by; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.settled_by IS 'Who closed it; NULL when nobody has.';

--
-- Name: COLUMN unmatched_failure.settled_reason; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.unmatched_failure.settled_reason IS 'Why it was closed; NULL when nobody has.';

--
-- Name: user_language; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.user_language (
    user_name text NOT NULL,
    language text NOT NULL,
    chosen_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT user_language_chosen_at_in_bounds CHECK (((chosen_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (chosen_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT user_language_language_check CHECK ((language ~ '^[a-z]{2,3}$'::text)),
    CONSTRAINT user_language_user_name_check CHECK ((user_name <> ''::text))
);

--
-- Name: TABLE user_language; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.user_language IS 'The language in which a user reads the pages, by login name, as last chosen there.';

--
-- Name: va_watermark; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.va_watermark (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    tenant_id text NOT NULL,
    hoa_code text NOT NULL,
    ddo_code text NOT NULL,
    grantee_code text NOT NULL,
    ssu_id text NOT NULL,
    fetched_until timestamp with time zone,
    asked_from timestamp with time zone,
    polled_at timestamp with time zone,
    claim_token uuid,
    claimed_until timestamp with time zone,
    CONSTRAINT va_watermark_asked_from_in_bounds CHECK (((asked_from >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (asked_from < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT va_watermark_claimed_until_in_bounds CHECK (((claimed_until >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (claimed_until < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT va_watermark_fetched_until_in_bounds CHECK (((fetched_until >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (fetched_until < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT va_watermark_polled_at_in_bounds CHECK (((polled_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (polled_at < '2100-01-01 00:00:00+00'::timestamp with time zone)))
);

--
-- Name: TABLE va_watermark; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.va_watermark IS 'Up to when allotments have been fetched.';

--
-- Name: voucher_date_asked; Type: TABLE; Schema: ifms; Owner: -
--

CREATE TABLE ifms.voucher_date_asked (
    voucher_date date NOT NULL,
    answered_at timestamp with time zone NOT NULL,
    sweep_run_id uuid NOT NULL,
    CONSTRAINT voucher_date_asked_answered_at_in_bounds CHECK (((answered_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (answered_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT voucher_date_asked_voucher_date_in_bounds CHECK (((voucher_date >= '2000-01-01'::date) AND (voucher_date < '2100-01-01'::date)))
);

--
-- Name: TABLE voucher_date_asked; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON TABLE ifms.voucher_date_asked IS 'When the treasury last told what came back of a voucher date.';

--
-- Name: waiting_payment; Type: VIEW; Schema: ifms; Owner: -
--

CREATE VIEW ifms.waiting_payment AS
 SELECT y.id,
    y.tenant_id,
    y.payment_number,
    y.payment_id,
    y.amount,
    ARRAY( SELECT b.bill_id
           FROM ifms.bill b
          WHERE ((b.tenant_id = y.tenant_id) AND (b.payment_number = y.payment_number))
          ORDER BY b.bill_id) AS bill_ids,
        CASE
            WHEN (y.bill_numbers <> '{}'::text[]) THEN y.bill_numbers
            ELSE COALESCE(earlier.bill_numbers, '{}'::text[])
        END AS bill_numbers,
    y.raised_at,
    y.seen_at,
    y.polled_at,
    y.hold_code,
    COALESCE(ifms.without_numbers(y.hold_message),
        CASE
            WHEN (y.polled_at IS NULL) THEN 'no run of ifms_pi has taken it up yet'::text
            ELSE 'a run of ifms_pi has taken it up and has not said why it has no payment instruction'::text
        END) AS why,
    y.held_since,
    (EXTRACT(day FROM (now() - y.raised_at)))::integer AS age_days,
    ( SELECT count(*) AS count
           FROM ifms.payment_instruction p
          WHERE ((p.tenant_id = y.tenant_id) AND (p.payment_number = y.payment_number) AND (p.pi_type = 'ORIGINAL'::text) AND (p.repayment_of IS NULL))) AS attempts,
    earlier.pi_number AS last_pi_number,
    y.tries
   FROM (ifms.payment y
     LEFT JOIN LATERAL ( SELECT p.pi_number,
            p.bill_numbers
           FROM ifms.payment_instruction p
          WHERE ((p.tenant_id = y.tenant_id) AND (p.payment_number = y.payment_number) AND (p.pi_type = 'ORIGINAL'::text) AND (p.repayment_of IS NULL))
          ORDER BY p.created_at DESC, p.id DESC
         LIMIT 1) earlier ON (true))
  WHERE (y.paid_by IS NULL);

--
-- Name: VIEW waiting_payment; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON VIEW ifms.waiting_payment IS 'Payments that have no payment instruction (PI), or none that has not failed: one row each, with why. Cheap to ask whole (few wait), by raised_at, and by tenant_id.';

--
-- Name: COLUMN waiting_payment.id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.waiting_payment.id IS 'The ledger''s id of the payment.';

--
-- Name: COLUMN waiting_payment.tenant_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.waiting_payment.tenant_id IS 'The city, as DIGIT names it.';

--
-- Name: COLUMN waiting_payment.payment_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.waiting_payment.payment_number IS 'DIGIT''s number of the payment.';

--
-- Name: COLUMN waiting_payment.payment_id; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.waiting_payment.payment_id IS 'DIGIT''s id of the payment.';

--
-- Name: COLUMN waiting_payment.amount; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.waiting_payment.amount IS 'Rupees, as it was first seen.';

--
-- Name: COLUMN waiting_payment.bill_ids; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.waiting_payment.bill_ids IS 'DIGIT''s ids of the bills that it pays; empty where the adapter has not raised it and has made no PI for it.';

--
-- Name: COLUMN waiting_payment.bill_numbers; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.waiting_payment.bill_numbers IS 'The numbers of these bills, as the run knew them that raised it or looked at it last, else by its last PI; empty when nobody knew them.';

--
-- Name: COLUMN waiting_payment.raised_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.waiting_payment.raised_at IS 'Instant, UTC: when it was raised.';

--
-- Name: COLUMN waiting_payment.seen_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.waiting_payment.seen_at IS 'Instant, UTC: when the ledger first heard of it.';

--
-- Name: COLUMN waiting_payment.polled_at; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.waiting_payment.polled_at IS 'Instant, UTC: when a run last took it up; NULL before the first, and for one that was put first in the queue.';

--
-- Name: COLUMN waiting_payment.hold_code; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.waiting_payment.hold_code IS 'Why it has no PI, as a code like PAYMENT_INSUFFICIENT_FUNDS or PAYMENT_NOT_PAYABLE; NULL when nothing holds it.';

--
-- Name: COLUMN waiting_payment.why; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.waiting_payment.why IS 'The same as a sentence; long numbers are hidden but for their last four digits.';

--
-- Name: COLUMN waiting_payment.held_since; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.waiting_payment.held_since IS 'Instant, UTC: since when this holds it; NULL when nothing does.';

--
-- Name: COLUMN waiting_payment.age_days; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.waiting_payment.age_days IS 'Whole days of 24 hours since it was raised.';

--
-- Name: COLUMN waiting_payment.attempts; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.waiting_payment.attempts IS 'How many PIs it had, all of which have failed.';

--
-- Name: COLUMN waiting_payment.last_pi_number; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.waiting_payment.last_pi_number IS 'The last of them; NULL when it had none.';

--
-- Name: COLUMN waiting_payment.tries; Type: COMMENT; Schema: ifms; Owner: -
--

COMMENT ON COLUMN ifms.waiting_payment.tries IS 'How often a run has looked at it and made no PI.';

--
-- Name: allotment allotment_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.allotment
    ADD CONSTRAINT allotment_pkey PRIMARY KEY (id);

--
-- Name: allotment allotment_tenant_id_hoa_code_ddo_code_master_allotment_id_s_key; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.allotment
    ADD CONSTRAINT allotment_tenant_id_hoa_code_ddo_code_master_allotment_id_s_key UNIQUE (tenant_id, hoa_code, ddo_code, master_allotment_id, ssu_allotment_id, serial_no);

--
-- Name: audit_link audit_link_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.audit_link
    ADD CONSTRAINT audit_link_pkey PRIMARY KEY (chain, number);

--
-- Name: beneficiary beneficiary_payment_instruction_id_beneficiary_number_key; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.beneficiary
    ADD CONSTRAINT beneficiary_payment_instruction_id_beneficiary_number_key UNIQUE (payment_instruction_id, beneficiary_number);

--
-- Name: beneficiary beneficiary_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.beneficiary
    ADD CONSTRAINT beneficiary_pkey PRIMARY KEY (id);

--
-- Name: bill bill_bill_id_key; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.bill
    ADD CONSTRAINT bill_bill_id_key UNIQUE (bill_id);

--
-- Name: bill bill_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.bill
    ADD CONSTRAINT bill_pkey PRIMARY KEY (id);

--
-- Name: call_access call_access_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.call_access
    ADD CONSTRAINT call_access_pkey PRIMARY KEY (id);

--
-- Name: call_rate call_rate_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.call_rate
    ADD CONSTRAINT call_rate_pkey PRIMARY KEY (account);

--
-- Name: call_removal call_removal_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.call_removal
    ADD CONSTRAINT call_removal_pkey PRIMARY KEY (id);

--
-- Name: call_shipping call_shipping_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.call_shipping
    ADD CONSTRAINT call_shipping_pkey PRIMARY KEY (id);

--
-- Name: closed_failure closed_failure_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.closed_failure
    ADD CONSTRAINT closed_failure_pkey PRIMARY KEY (beneficiary_row);

--
-- Name: display_name display_name_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.display_name
    ADD CONSTRAINT display_name_pkey PRIMARY KEY (kind, code);

--
-- Name: ended_by_phrase ended_by_phrase_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.ended_by_phrase
    ADD CONSTRAINT ended_by_phrase_pkey PRIMARY KEY (phrase_id, payment_instruction_id);

--
-- Name: fund_movement fund_movement_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.fund_movement
    ADD CONSTRAINT fund_movement_pkey PRIMARY KEY (id);

--
-- Name: home home_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.home
    ADD CONSTRAINT home_pkey PRIMARY KEY (id);

--
-- Name: import_row import_row_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.import_row
    ADD CONSTRAINT import_row_pkey PRIMARY KEY (source, source_id, digest);

--
-- Name: import_withheld import_withheld_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.import_withheld
    ADD CONSTRAINT import_withheld_pkey PRIMARY KEY (id);

--
-- Name: import_withheld import_withheld_tenant_id_payment_number_hoa_code_ddo_code__key; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.import_withheld
    ADD CONSTRAINT import_withheld_tenant_id_payment_number_hoa_code_ddo_code__key UNIQUE NULLS NOT DISTINCT (tenant_id, payment_number, hoa_code, ddo_code, master_allotment_id);

--
-- Name: notice notice_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.notice
    ADD CONSTRAINT notice_pkey PRIMARY KEY (topic);

--
-- Name: other_transfer other_transfer_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.other_transfer
    ADD CONSTRAINT other_transfer_pkey PRIMARY KEY (id);

--
-- Name: outbox outbox_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);

--
-- Name: overview_failed overview_failed_tenant_id_correct_by_busy_key; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.overview_failed
    ADD CONSTRAINT overview_failed_tenant_id_correct_by_busy_key UNIQUE (tenant_id, correct_by, busy);

--
-- Name: overview_instruction overview_instruction_tenant_id_pi_type_status_since_on_key; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.overview_instruction
    ADD CONSTRAINT overview_instruction_tenant_id_pi_type_status_since_on_key UNIQUE NULLS NOT DISTINCT (tenant_id, pi_type, status, since_on);

--
-- Name: overview overview_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.overview
    ADD CONSTRAINT overview_pkey PRIMARY KEY (only_one);

--
-- Name: payment_instruction payment_instruction_pi_number_key; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.payment_instruction
    ADD CONSTRAINT payment_instruction_pi_number_key UNIQUE (pi_number);

--
-- Name: payment_instruction payment_instruction_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.payment_instruction
    ADD CONSTRAINT payment_instruction_pkey PRIMARY KEY (id);

--
-- Name: payment payment_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.payment
    ADD CONSTRAINT payment_pkey PRIMARY KEY (id);

--
-- Name: payment payment_tenant_id_payment_number_key; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.payment
    ADD CONSTRAINT payment_tenant_id_payment_number_key UNIQUE (tenant_id, payment_number);

--
-- Name: person_action person_action_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.person_action
    ADD CONSTRAINT person_action_pkey PRIMARY KEY (id);

--
-- Name: phrase phrase_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.phrase
    ADD CONSTRAINT phrase_pkey PRIMARY KEY (id);

--
-- Name: proposal proposal_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.proposal
    ADD CONSTRAINT proposal_pkey PRIMARY KEY (id);

--
-- Name: reported_failure reported_failure_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.reported_failure
    ADD CONSTRAINT reported_failure_pkey PRIMARY KEY (id);

--
-- Name: restore_cleared restore_cleared_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.restore_cleared
    ADD CONSTRAINT restore_cleared_pkey PRIMARY KEY (restored_id, tenant_id, number, kind);

--
-- Name: restored restored_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.restored
    ADD CONSTRAINT restored_pkey PRIMARY KEY (id);

--
-- Name: sanction sanction_as_named; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.sanction
    ADD CONSTRAINT sanction_as_named UNIQUE (id, tenant_id, hoa_code, ddo_code, master_allotment_id);

--
-- Name: sanction_closing sanction_closing_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.sanction_closing
    ADD CONSTRAINT sanction_closing_pkey PRIMARY KEY (id);

--
-- Name: sanction sanction_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.sanction
    ADD CONSTRAINT sanction_pkey PRIMARY KEY (id);

--
-- Name: sanction sanction_tenant_id_hoa_code_ddo_code_master_allotment_id_key; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.sanction
    ADD CONSTRAINT sanction_tenant_id_hoa_code_ddo_code_master_allotment_id_key UNIQUE (tenant_id, hoa_code, ddo_code, master_allotment_id);

--
-- Name: saved_search saved_search_owner_name_key; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.saved_search
    ADD CONSTRAINT saved_search_owner_name_key UNIQUE (owner, name);

--
-- Name: saved_search saved_search_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.saved_search
    ADD CONSTRAINT saved_search_pkey PRIMARY KEY (id);

--
-- Name: second_person second_person_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.second_person
    ADD CONSTRAINT second_person_pkey PRIMARY KEY (only_row);

--
-- Name: setting setting_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.setting
    ADD CONSTRAINT setting_pkey PRIMARY KEY (only_one);

--
-- Name: started_run started_run_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.started_run
    ADD CONSTRAINT started_run_pkey PRIMARY KEY (dag_id, run_id);

--
-- Name: status_log status_log_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.status_log
    ADD CONSTRAINT status_log_pkey PRIMARY KEY (id);

--
-- Name: status_transition status_transition_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.status_transition
    ADD CONSTRAINT status_transition_pkey PRIMARY KEY (subject, from_status, to_status);

--
-- Name: sweep_run sweep_run_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.sweep_run
    ADD CONSTRAINT sweep_run_pkey PRIMARY KEY (id);

--
-- Name: treasury_call treasury_call_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.treasury_call
    ADD CONSTRAINT treasury_call_pkey PRIMARY KEY (id);

--
-- Name: unknown_answer unknown_answer_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.unknown_answer
    ADD CONSTRAINT unknown_answer_pkey PRIMARY KEY (id);

--
-- Name: unknown_answer unknown_answer_service_id_template_key; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.unknown_answer
    ADD CONSTRAINT unknown_answer_service_id_template_key UNIQUE (service_id, template);

--
-- Name: user_language user_language_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.user_language
    ADD CONSTRAINT user_language_pkey PRIMARY KEY (user_name);

--
-- Name: va_watermark va_watermark_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.va_watermark
    ADD CONSTRAINT va_watermark_pkey PRIMARY KEY (id);

--
-- Name: va_watermark va_watermark_tenant_id_hoa_code_ddo_code_grantee_code_key; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.va_watermark
    ADD CONSTRAINT va_watermark_tenant_id_hoa_code_ddo_code_grantee_code_key UNIQUE (tenant_id, hoa_code, ddo_code, grantee_code);

--
-- Name: voucher_date_asked voucher_date_asked_pkey; Type: CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.voucher_date_asked
    ADD CONSTRAINT voucher_date_asked_pkey PRIMARY KEY (voucher_date);

--
-- Name: allotment_by_name; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX allotment_by_name ON ifms.allotment USING btree (master_allotment_id, ssu_allotment_id, serial_no);

--
-- Name: allotment_by_sanction; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX allotment_by_sanction ON ifms.allotment USING btree (sanction_id, serial_no DESC);

--
-- Name: allotment_moves_once; Type: INDEX; Schema: ifms; Owner: -
--

CREATE UNIQUE INDEX allotment_moves_once ON ifms.fund_movement USING btree (allotment_id);

--
-- Name: beneficiary_by_number; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX beneficiary_by_number ON ifms.beneficiary USING btree (beneficiary_number, created_at DESC);

--
-- Name: beneficiary_by_utr; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX beneficiary_by_utr ON ifms.beneficiary USING btree (utr_number) WHERE (utr_number IS NOT NULL);

--
-- Name: beneficiary_by_voucher; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX beneficiary_by_voucher ON ifms.beneficiary USING btree (voucher_number) WHERE (voucher_number IS NOT NULL);

--
-- Name: beneficiary_by_voucher_date; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX beneficiary_by_voucher_date ON ifms.beneficiary USING btree (voucher_date) WHERE (voucher_date IS NOT NULL);

--
-- Name: beneficiary_failed; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX beneficiary_failed ON ifms.beneficiary USING btree (payment_instruction_id) WHERE (status = 'Payment Failed'::text);

--
-- Name: beneficiary_failed_on; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX beneficiary_failed_on ON ifms.beneficiary USING btree (failed_on) WHERE (status = 'Payment Failed'::text);

--
-- Name: beneficiary_imported_lines; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX beneficiary_imported_lines ON ifms.beneficiary USING gin (line_item_ids) WHERE (imported_as IS NOT NULL);

--
-- Name: beneficiary_returnable; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX beneficiary_returnable ON ifms.beneficiary USING btree (voucher_date, updated_at) WHERE (status = 'Payment Successful'::text);

--
-- Name: beneficiary_undated; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX beneficiary_undated ON ifms.beneficiary USING btree (updated_at) WHERE ((status = 'Payment Successful'::text) AND ((voucher_date IS NULL) OR (voucher_date > (((updated_at AT TIME ZONE 'Asia/Kolkata'::text))::date + 7)) OR (voucher_date < (((updated_at AT TIME ZONE 'Asia/Kolkata'::text))::date - 100))));

--
-- Name: bill_by_payment; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX bill_by_payment ON ifms.bill USING btree (tenant_id, payment_number) WHERE (payment_number IS NOT NULL);

--
-- Name: call_access_by_call; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX call_access_by_call ON ifms.call_access USING btree (call_id, looked_at DESC);

--
-- Name: fund_movement_by_sanction; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX fund_movement_by_sanction ON ifms.fund_movement USING btree (sanction_id, id);

--
-- Name: fund_movement_by_time; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX fund_movement_by_time ON ifms.fund_movement USING brin (created_at) WITH (pages_per_range='32', autosummarize='on');

--
-- Name: fund_movement_register; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX fund_movement_register ON ifms.fund_movement USING btree (sanction_id, id) INCLUDE (kind, amount, created_at) WHERE (kind = ANY (ARRAY['ALLOTMENT'::text, 'WITHDRAWAL'::text, 'DEBIT'::text, 'REVERSAL'::text]));

--
-- Name: import_withheld_money; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX import_withheld_money ON ifms.import_withheld USING btree (tenant_id, hoa_code, ddo_code, master_allotment_id) WHERE (settled_at IS NULL);

--
-- Name: import_withheld_number; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX import_withheld_number ON ifms.import_withheld USING btree (tenant_id, ifms.plain_number(payment_number)) WHERE (settled_at IS NULL);

--
-- Name: instruction_moves_once; Type: INDEX; Schema: ifms; Owner: -
--

CREATE UNIQUE INDEX instruction_moves_once ON ifms.fund_movement USING btree (payment_instruction_id, kind);

--
-- Name: one_live_payment_per_beneficiary; Type: INDEX; Schema: ifms; Owner: -
--

CREATE UNIQUE INDEX one_live_payment_per_beneficiary ON ifms.beneficiary USING btree (beneficiary_number) WHERE (status <> 'Payment Failed'::text);

--
-- Name: one_original_per_payment; Type: INDEX; Schema: ifms; Owner: -
--

CREATE UNIQUE INDEX one_original_per_payment ON ifms.payment_instruction USING btree (tenant_id, payment_number) WHERE ((pi_type = 'ORIGINAL'::text) AND (status <> 'FAILED'::text) AND (repayment_of IS NULL));

--
-- Name: one_repayment_at_a_time; Type: INDEX; Schema: ifms; Owner: -
--

CREATE UNIQUE INDEX one_repayment_at_a_time ON ifms.payment_instruction USING btree (repayment_of) WHERE ((repayment_of IS NOT NULL) AND (status = ANY (ARRAY['PENDING'::text, 'INITIATED'::text, 'APPROVED'::text, 'IN PROCESS'::text])));

--
-- Name: one_revision_at_a_time; Type: INDEX; Schema: ifms; Owner: -
--

CREATE UNIQUE INDEX one_revision_at_a_time ON ifms.payment_instruction USING btree (parent_pi_number) WHERE ((pi_type = 'REVISED'::text) AND (status = ANY (ARRAY['PENDING'::text, 'INITIATED'::text])));

--
-- Name: other_transfer_once; Type: INDEX; Schema: ifms; Owner: -
--

CREATE UNIQUE INDEX other_transfer_once ON ifms.other_transfer USING btree (beneficiary_row, ifms.utr_key(utr_number));

--
-- Name: other_transfer_open; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX other_transfer_open ON ifms.other_transfer USING btree (first_told_at) WHERE (settled_at IS NULL);

--
-- Name: outbox_by_key; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX outbox_by_key ON ifms.outbox USING btree (topic, ordering_key, id);

--
-- Name: outbox_due; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX outbox_due ON ifms.outbox USING btree (id) WHERE (delivered_at IS NULL);

--
-- Name: payment_by_plain_number; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_by_plain_number ON ifms.payment USING btree (tenant_id, ifms.plain_number(payment_number));

--
-- Name: payment_claimed; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_claimed ON ifms.payment USING btree (claimed_until) WHERE (claimed_until IS NOT NULL);

--
-- Name: payment_due; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_due ON ifms.payment USING btree (raised_at, id) WHERE (paid_by IS NULL);

--
-- Name: payment_instruction_by_amount; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_by_amount ON ifms.payment_instruction USING btree (net_amount, created_at DESC, id DESC);

--
-- Name: payment_instruction_by_bill_numbers; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_by_bill_numbers ON ifms.payment_instruction USING gin (bill_numbers);

--
-- Name: payment_instruction_by_change; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_by_change ON ifms.payment_instruction USING btree (updated_at DESC, id DESC);

--
-- Name: payment_instruction_by_city; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_by_city ON ifms.payment_instruction USING btree (tenant_id, created_at DESC, id DESC);

--
-- Name: payment_instruction_by_city_status; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_by_city_status ON ifms.payment_instruction USING btree (tenant_id, status, created_at DESC, id DESC);

--
-- Name: payment_instruction_by_details; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_by_details ON ifms.payment_instruction USING gin (additional_details jsonb_path_ops);

--
-- Name: payment_instruction_by_head; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_by_head ON ifms.payment_instruction USING btree (hoa_code, created_at DESC, id DESC);

--
-- Name: payment_instruction_by_number; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_by_number ON ifms.payment_instruction USING btree (pi_number text_pattern_ops);

--
-- Name: payment_instruction_by_parent; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_by_parent ON ifms.payment_instruction USING btree (parent_pi_number) WHERE (parent_pi_number IS NOT NULL);

--
-- Name: payment_instruction_by_payment; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_by_payment ON ifms.payment_instruction USING btree (payment_number, tenant_id);

--
-- Name: payment_instruction_by_sanction; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_by_sanction ON ifms.payment_instruction USING btree (sanction_id);

--
-- Name: payment_instruction_by_status; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_by_status ON ifms.payment_instruction USING btree (status, created_at DESC, id DESC);

--
-- Name: payment_instruction_by_time; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_by_time ON ifms.payment_instruction USING btree (created_at DESC, id DESC);

--
-- Name: payment_instruction_claimed; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_claimed ON ifms.payment_instruction USING btree (claimed_until) WHERE (claimed_until IS NOT NULL);

--
-- Name: payment_instruction_due; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_due ON ifms.payment_instruction USING btree (status, pi_type, polled_at NULLS FIRST) WHERE (status = ANY (ARRAY['PENDING'::text, 'INITIATED'::text, 'APPROVED'::text, 'IN PROCESS'::text]));

--
-- Name: payment_instruction_failed_uncertain; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_failed_uncertain ON ifms.payment_instruction USING btree (tenant_id, payment_number) WHERE ((status = 'FAILED'::text) AND uncertain);

--
-- Name: payment_instruction_for_action; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_for_action ON ifms.payment_instruction USING btree (created_at DESC, id DESC) WHERE (status = ANY (ARRAY['PENDING'::text, 'FAILED'::text, 'PARTIAL'::text, 'COMPLETED'::text]));

--
-- Name: payment_instruction_found_failed; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_found_failed ON ifms.payment_instruction USING btree (found_failed_at) WHERE (found_failed_at IS NOT NULL);

--
-- Name: payment_instruction_held_back; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_held_back ON ifms.payment_instruction USING btree (pi_number) WHERE ((status = 'PENDING'::text) AND held_back);

--
-- Name: payment_instruction_inactive; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_inactive ON ifms.payment_instruction USING btree (created_at DESC, id DESC) WHERE (NOT is_active);

--
-- Name: payment_instruction_partial; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_partial ON ifms.payment_instruction USING btree (tenant_id, pi_number) WHERE ((pi_type = 'ORIGINAL'::text) AND (status = ANY (ARRAY['PARTIAL'::text, 'COMPLETED'::text])));

--
-- Name: payment_instruction_repayments; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_repayments ON ifms.payment_instruction USING btree (repayment_of) WHERE (repayment_of IS NOT NULL);

--
-- Name: payment_instruction_returnable; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_returnable ON ifms.payment_instruction USING btree (failures_polled_at NULLS FIRST) WHERE ((pi_type = 'REVISED'::text) AND (pa_token_number IS NOT NULL));

--
-- Name: payment_instruction_revised; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_revised ON ifms.payment_instruction USING btree (created_at DESC, id DESC) WHERE (pi_type = 'REVISED'::text);

--
-- Name: payment_instruction_unknown_answer; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_unknown_answer ON ifms.payment_instruction USING btree (unknown_answer_id) WHERE (unknown_answer_id IS NOT NULL);

--
-- Name: payment_instruction_without_token; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_instruction_without_token ON ifms.payment_instruction USING btree (polled_at NULLS FIRST) WHERE ((pi_type = 'REVISED'::text) AND (pa_token_number IS NULL) AND (status = ANY (ARRAY['PARTIAL'::text, 'COMPLETED'::text])));

--
-- Name: payment_is_known_once; Type: INDEX; Schema: ifms; Owner: -
--

CREATE UNIQUE INDEX payment_is_known_once ON ifms.payment USING btree (payment_id) WHERE (payment_id <> ''::text);

--
-- Name: payment_raised; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_raised ON ifms.payment USING btree (raised_at);

--
-- Name: payment_waiting_bills; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_waiting_bills ON ifms.payment USING gin (bill_numbers) WHERE (paid_by IS NULL);

--
-- Name: payment_waiting_in_city; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX payment_waiting_in_city ON ifms.payment USING btree (tenant_id, raised_at, id) WHERE (paid_by IS NULL);

--
-- Name: person_action_by_time; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX person_action_by_time ON ifms.person_action USING btree (acted_at);

--
-- Name: phrase_said_once; Type: INDEX; Schema: ifms; Owner: -
--

CREATE UNIQUE INDEX phrase_said_once ON ifms.phrase USING btree (lower(text), services) WHERE (withdrawn_at IS NULL);

--
-- Name: proposal_by_time; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX proposal_by_time ON ifms.proposal USING btree (proposed_at DESC, id DESC);

--
-- Name: proposal_open; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX proposal_open ON ifms.proposal USING btree (act, subject) WHERE ((approved_at IS NULL) AND (refused_at IS NULL));

--
-- Name: proposal_to_be_done; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX proposal_to_be_done ON ifms.proposal USING btree (act, subject) WHERE ((approved_at IS NOT NULL) AND (done_at IS NULL) AND (failed_at IS NULL));

--
-- Name: proposal_undecided; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX proposal_undecided ON ifms.proposal USING btree (proposed_at DESC, id DESC) WHERE ((approved_at IS NULL) AND (refused_at IS NULL));

--
-- Name: reported_failure_once; Type: INDEX; Schema: ifms; Owner: -
--

CREATE UNIQUE INDEX reported_failure_once ON ifms.reported_failure USING btree (bill_number, beneficiary_id, voucher_date, challan_number, ifms.utr_key(utr_number), account_last4, ifsc, bill_ref_number) NULLS NOT DISTINCT;

--
-- Name: reported_failure_open; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX reported_failure_open ON ifms.reported_failure USING btree (bill_number) WHERE (matched_at IS NULL);

--
-- Name: reserved_is_posted_or_released_once; Type: INDEX; Schema: ifms; Owner: -
--

CREATE UNIQUE INDEX reserved_is_posted_or_released_once ON ifms.fund_movement USING btree (payment_instruction_id) WHERE (kind = ANY (ARRAY['DEBIT'::text, 'RELEASE'::text]));

--
-- Name: sanction_by_change; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX sanction_by_change ON ifms.sanction USING btree (updated_at DESC, id DESC);

--
-- Name: sanction_by_year; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX sanction_by_year ON ifms.sanction USING btree (tenant_id, financial_year);

--
-- Name: sanction_closing_by_sanction; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX sanction_closing_by_sanction ON ifms.sanction_closing USING btree (sanction_id, id DESC);

--
-- Name: sanction_of_year; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX sanction_of_year ON ifms.sanction USING btree (financial_year, hoa_code);

--
-- Name: sanction_with_funds; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX sanction_with_funds ON ifms.sanction USING btree (tenant_id, financial_year, available_amount) WHERE (closed_at IS NULL);

--
-- Name: status_log_by_instruction; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX status_log_by_instruction ON ifms.status_log USING btree (payment_instruction_id, id DESC);

--
-- Name: status_log_by_payment; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX status_log_by_payment ON ifms.status_log USING btree (tenant_id, payment_number, id DESC);

--
-- Name: status_log_by_time; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX status_log_by_time ON ifms.status_log USING brin (created_at) WITH (pages_per_range='32', autosummarize='on');

--
-- Name: status_log_of_outcomes; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX status_log_of_outcomes ON ifms.status_log USING btree (created_at) WHERE (to_status = ANY (ARRAY['SUCCESSFUL'::text, 'PARTIAL'::text]));

--
-- Name: sweep_run_by_dag_run; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX sweep_run_by_dag_run ON ifms.sweep_run USING btree (dag_id, run_id);

--
-- Name: sweep_run_by_service; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX sweep_run_by_service ON ifms.sweep_run USING btree (service_id, started_at DESC);

--
-- Name: treasury_call_by_bill; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX treasury_call_by_bill ON ifms.treasury_call USING btree (bill_number, created_at DESC);

--
-- Name: treasury_call_by_instruction; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX treasury_call_by_instruction ON ifms.treasury_call USING btree (payment_instruction_id, created_at DESC);

--
-- Name: treasury_call_by_time; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX treasury_call_by_time ON ifms.treasury_call USING btree (created_at);

--
-- Name: treasury_call_set_aside; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX treasury_call_set_aside ON ifms.treasury_call USING btree (created_at) WHERE (ship_error IS NOT NULL);

--
-- Name: treasury_call_shipped; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX treasury_call_shipped ON ifms.treasury_call USING btree (created_at) WHERE (shipped_at IS NOT NULL);

--
-- Name: treasury_call_unshipped; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX treasury_call_unshipped ON ifms.treasury_call USING btree (created_at, id) WHERE ((shipped_at IS NULL) AND (ship_error IS NULL));

--
-- Name: va_watermark_due; Type: INDEX; Schema: ifms; Owner: -
--

CREATE INDEX va_watermark_due ON ifms.va_watermark USING btree (polled_at NULLS FIRST);

--
-- Name: beneficiary account_is_filled_once; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER account_is_filled_once BEFORE UPDATE OF ifsc, account_last4 ON ifms.beneficiary FOR EACH ROW WHEN ((((old.imported_as IS NULL) OR (old.ifsc <> ''::text)) AND ((new.ifsc <> old.ifsc) OR (new.account_last4 <> old.account_last4)))) EXECUTE FUNCTION ifms.refuse_change('the content of a payment instruction is frozen');

--
-- Name: beneficiary account_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER account_is_frozen BEFORE UPDATE OF account_sealed ON ifms.beneficiary FOR EACH ROW WHEN (((old.account_sealed IS NOT NULL) AND (new.account_sealed IS DISTINCT FROM old.account_sealed))) EXECUTE FUNCTION ifms.check_resealed();

--
-- Name: reported_failure account_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER account_is_frozen BEFORE UPDATE OF account_sealed ON ifms.reported_failure FOR EACH ROW WHEN ((new.account_sealed IS DISTINCT FROM old.account_sealed)) EXECUTE FUNCTION ifms.check_resealed();

--
-- Name: payment_instruction adopted_is_at_the_treasury; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER adopted_is_at_the_treasury AFTER INSERT ON ifms.payment_instruction DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.adopted_by IS NOT NULL)) EXECUTE FUNCTION ifms.check_adopted();

--
-- Name: payment_instruction adoption_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER adoption_is_frozen BEFORE UPDATE OF adopted_by ON ifms.payment_instruction FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('whether a payment instruction was adopted does not change');

--
-- Name: allotment allotment_counts_once; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER allotment_counts_once AFTER INSERT OR UPDATE OF sanction_id ON ifms.allotment DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.check_allotment_counts();

--
-- Name: payment amount_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER amount_is_frozen BEFORE UPDATE OF tenant_id, payment_number, amount ON ifms.payment FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a payment keeps the amount it was first seen with');

--
-- Name: treasury_call announced_is_announced; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER announced_is_announced BEFORE UPDATE OF id, service_id, bill_number, payment_instruction_id, request_sealed, created_at ON ifms.treasury_call FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a call is what was announced');

--
-- Name: audit_link append_only; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ifms.audit_link FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('the chain of records is append-only');

--
-- Name: call_access append_only; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ifms.call_access FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('who looked at a call stays on record');

--
-- Name: call_removal append_only; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ifms.call_removal FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('which calls were removed stays on record');

--
-- Name: closed_failure append_only; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ifms.closed_failure FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('who has closed a failed beneficiary, and why, stays on record');

--
-- Name: fund_movement append_only; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ifms.fund_movement FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('movements are append-only');

--
-- Name: home append_only; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ifms.home FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('where the ledger was stays on record');

--
-- Name: import_row append_only; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ifms.import_row FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('what was imported stays on record');

--
-- Name: person_action append_only; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ifms.person_action FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('what a person has done stays on record');

--
-- Name: restore_cleared append_only; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ifms.restore_cleared FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('who has cleared what stays on record');

--
-- Name: restored append_only; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ifms.restored FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a restore stays on record');

--
-- Name: sanction_closing append_only; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ifms.sanction_closing FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('who has closed a sanction or opened it again stays on record');

--
-- Name: started_run append_only; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ifms.started_run FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('who has started a run stays on record');

--
-- Name: status_log append_only; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ifms.status_log FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('the status log is append-only');

--
-- Name: sanction_closing apply_closing; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER apply_closing AFTER INSERT ON ifms.sanction_closing FOR EACH ROW EXECUTE FUNCTION ifms.apply_closing();

--
-- Name: fund_movement apply_movement; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER apply_movement BEFORE INSERT ON ifms.fund_movement FOR EACH ROW EXECUTE FUNCTION ifms.apply_movement();

--
-- Name: payment_instruction asker_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER asker_is_frozen BEFORE UPDATE OF asked_by ON ifms.payment_instruction FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('who has asked for a payment instruction stays on record');

--
-- Name: payment_instruction beneficiaries_agree; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER beneficiaries_agree AFTER INSERT ON ifms.payment_instruction DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.check_beneficiaries();

--
-- Name: bill bill_is_paid_once; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER bill_is_paid_once BEFORE UPDATE OF tenant_id, payment_number ON ifms.bill FOR EACH ROW EXECUTE FUNCTION ifms.check_paid_once();

--
-- Name: payment_instruction cancelled_before_it_was_sent; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER cancelled_before_it_was_sent BEFORE UPDATE OF cancelled_by ON ifms.payment_instruction FOR EACH ROW WHEN ((new.cancelled_by IS DISTINCT FROM old.cancelled_by)) EXECUTE FUNCTION ifms.check_cancelled();

--
-- Name: beneficiary check_transition; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER check_transition BEFORE UPDATE OF status ON ifms.beneficiary FOR EACH ROW WHEN ((new.status IS DISTINCT FROM old.status)) EXECUTE FUNCTION ifms.check_transition('BENEFICIARY');

--
-- Name: payment_instruction check_transition; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER check_transition BEFORE UPDATE OF status ON ifms.payment_instruction FOR EACH ROW WHEN ((new.status IS DISTINCT FROM old.status)) EXECUTE FUNCTION ifms.check_transition('PAYMENT_INSTRUCTION');

--
-- Name: beneficiary choice_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER choice_is_frozen BEFORE UPDATE OF same_account_by ON ifms.beneficiary FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('who has chosen the same account stays on record');

--
-- Name: sanction closed_by_somebody; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER closed_by_somebody BEFORE UPDATE OF closed_at ON ifms.sanction FOR EACH ROW EXECUTE FUNCTION ifms.check_closed_at();

--
-- Name: allotment content_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER content_is_frozen BEFORE UPDATE OF id, tenant_id, hoa_code, ddo_code, grantee_code, ssu_id, scheme_code, master_allotment_id, ssu_allotment_id, serial_no, kind, amount, sanction_balance, allotment_date, received_at ON ifms.allotment FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('an allotment is what the treasury said first');

--
-- Name: beneficiary content_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER content_is_frozen BEFORE UPDATE OF payment_instruction_id, beneficiary_number, beneficiary_id, beneficiary_type, amount, line_item_ids, name, account_type, mobile, address ON ifms.beneficiary FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('the content of a payment instruction is frozen');

--
-- Name: bill content_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER content_is_frozen BEFORE UPDATE OF bill_id ON ifms.bill FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a bill keeps its name');

--
-- Name: other_transfer content_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER content_is_frozen BEFORE UPDATE OF beneficiary_row, utr_number, voucher_number, voucher_date, not_as_sent, first_told_at ON ifms.other_transfer FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a transfer is what the treasury said');

--
-- Name: outbox content_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER content_is_frozen BEFORE UPDATE OF id, topic, tenant_id, ordering_key, payload, created_at ON ifms.outbox FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('what others must hear is not rewritten');

--
-- Name: payment_instruction content_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER content_is_frozen BEFORE UPDATE OF tenant_id, pi_number, pi_type, parent_pi_number, payment_number, sanction_id, hoa_code, ddo_code, ssu_id, grantee_code, scheme_code, master_allotment_id, ssu_allotment_id, allotment_serial_no, gross_amount, net_amount, beneficiary_count, bill_date, financial_year, purpose, created_at, repayment_of, org_bill_ref_number, org_bill_date ON ifms.payment_instruction FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('the content of a payment instruction is frozen');

--
-- Name: phrase content_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER content_is_frozen BEFORE UPDATE OF id, services, text, meaning, reason, added_by, added_at ON ifms.phrase FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a phrase is withdrawn, not rewritten');

--
-- Name: reported_failure content_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER content_is_frozen BEFORE UPDATE OF bill_number, beneficiary_id, voucher_date, account_last4, ifsc, utr_number, challan_number, challan_date, bill_ref_number, reason, first_told_at ON ifms.reported_failure FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a reported failure is what the treasury said');

--
-- Name: sanction content_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER content_is_frozen BEFORE UPDATE OF id, tenant_id, hoa_code, ddo_code, ssu_id, grantee_code, scheme_code, master_allotment_id, financial_year, sanctioned_amount ON ifms.sanction FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a sanction is what its initial allotment said');

--
-- Name: outbox delivered_once; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER delivered_once BEFORE UPDATE OF delivered_at ON ifms.outbox FOR EACH ROW WHEN (((old.delivered_at IS NOT NULL) AND (new.delivered_at IS DISTINCT FROM old.delivered_at) AND (NOT (old.undeliverable AND (new.delivered_at IS NULL))))) EXECUTE FUNCTION ifms.refuse_change('when a message was delivered stays on record');

--
-- Name: sweep_run ended_once; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER ended_once BEFORE UPDATE ON ifms.sweep_run FOR EACH ROW WHEN (((old.state <> 'running'::text) AND (NOT old.presumed_dead) AND (old.* IS DISTINCT FROM new.*))) EXECUTE FUNCTION ifms.refuse_change('how a run ended stays on record');

--
-- Name: payment_instruction first_one_has_its_payments_id; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER first_one_has_its_payments_id BEFORE INSERT ON ifms.payment_instruction FOR EACH ROW WHEN (((new.pi_type = 'ORIGINAL'::text) AND (new.repayment_of IS NULL) AND (new.imported_at IS NULL))) EXECUTE FUNCTION ifms.take_payments_id();

--
-- Name: beneficiary first_status; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER first_status BEFORE INSERT ON ifms.beneficiary FOR EACH ROW WHEN (((new.status IS DISTINCT FROM 'Payment Pending'::text) AND (new.status IS DISTINCT FROM new.imported_as))) EXECUTE FUNCTION ifms.refuse_first_status('Payment Pending');

--
-- Name: payment_instruction first_status; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER first_status BEFORE INSERT ON ifms.payment_instruction FOR EACH ROW WHEN (((new.status IS DISTINCT FROM 'PENDING'::text) AND ((new.imported_at IS NULL) OR (new.status IS DISTINCT FROM 'FAILED'::text)))) EXECUTE FUNCTION ifms.refuse_first_status('PENDING');

--
-- Name: proposal goes_its_way; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER goes_its_way BEFORE INSERT OR UPDATE ON ifms.proposal FOR EACH ROW EXECUTE FUNCTION ifms.proposal_goes_its_way();

--
-- Name: beneficiary group_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER group_is_frozen BEFORE UPDATE OF gender, social_category ON ifms.beneficiary FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('the content of a payment instruction is frozen');

--
-- Name: sanction guard_balances; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER guard_balances BEFORE INSERT OR UPDATE OF allotted_amount, reserved_amount, spent_amount ON ifms.sanction FOR EACH ROW EXECUTE FUNCTION ifms.guard_balances();

--
-- Name: payment_instruction held_back_until_cleared; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER held_back_until_cleared BEFORE UPDATE OF held_back ON ifms.payment_instruction FOR EACH ROW WHEN ((old.held_back AND (NOT new.held_back))) EXECUTE FUNCTION ifms.check_cleared();

--
-- Name: payment_instruction import_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER import_is_frozen BEFORE UPDATE OF imported_at ON ifms.payment_instruction FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('whether a payment instruction was imported does not change');

--
-- Name: payment_instruction ledger_is_at_home; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER ledger_is_at_home BEFORE INSERT ON ifms.payment_instruction FOR EACH STATEMENT EXECUTE FUNCTION ifms.check_home();

--
-- Name: sweep_run ledger_is_at_home; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER ledger_is_at_home BEFORE INSERT ON ifms.sweep_run FOR EACH STATEMENT EXECUTE FUNCTION ifms.check_home();

--
-- Name: beneficiary line_is_paid_once; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER line_is_paid_once AFTER INSERT ON ifms.beneficiary REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ifms.check_line_is_paid_once();

--
-- Name: call_access linked; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.call_access DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'id');

--
-- Name: call_removal linked; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.call_removal DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'id');

--
-- Name: fund_movement linked; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.fund_movement DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'id');

--
-- Name: person_action linked; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.person_action DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'id');

--
-- Name: phrase linked; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.phrase DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'id');

--
-- Name: proposal linked; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.proposal DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'id');

--
-- Name: restore_cleared linked; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.restore_cleared DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'restored_id', 'tenant_id', 'number');

--
-- Name: sanction_closing linked; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.sanction_closing DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'id');

--
-- Name: started_run linked; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.started_run DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'dag_id', 'run_id');

--
-- Name: status_log linked; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER linked AFTER INSERT ON ifms.status_log DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.link_row('made', 'id');

--
-- Name: treasury_call linked_when_announced; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER linked_when_announced AFTER INSERT ON ifms.treasury_call DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.outcome IS NULL)) EXECUTE FUNCTION ifms.link_row('made', 'id');

--
-- Name: treasury_call linked_when_completed; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER linked_when_completed AFTER UPDATE OF outcome ON ifms.treasury_call DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((old.outcome IS NULL) AND (new.outcome IS NOT NULL))) EXECUTE FUNCTION ifms.link_row('ended', 'id');

--
-- Name: proposal linked_when_decided; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER linked_when_decided AFTER UPDATE ON ifms.proposal DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((num_nonnulls(old.approved_at, old.refused_at) = 0) AND (num_nonnulls(new.approved_at, new.refused_at) > 0))) EXECUTE FUNCTION ifms.link_row('decided', 'id');

--
-- Name: proposal linked_when_ended; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER linked_when_ended AFTER UPDATE ON ifms.proposal DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((num_nonnulls(old.done_at, old.failed_at) = 0) AND (num_nonnulls(new.done_at, new.failed_at) > 0))) EXECUTE FUNCTION ifms.link_row('ended', 'id');

--
-- Name: phrase linked_when_withdrawn; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER linked_when_withdrawn AFTER UPDATE OF withdrawn_at ON ifms.phrase DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((old.withdrawn_at IS NULL) AND (new.withdrawn_at IS NOT NULL))) EXECUTE FUNCTION ifms.link_row('ended', 'id');

--
-- Name: treasury_call linked_when_written; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER linked_when_written AFTER INSERT ON ifms.treasury_call DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.outcome IS NOT NULL)) EXECUTE FUNCTION ifms.link_row('ended', 'id');

--
-- Name: status_log log_agrees; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER log_agrees AFTER INSERT ON ifms.status_log DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.to_status IS NOT NULL)) EXECUTE FUNCTION ifms.check_logged();

--
-- Name: ended_by_phrase never_changed; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER never_changed BEFORE DELETE OR UPDATE OR TRUNCATE ON ifms.ended_by_phrase FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('by which phrase a payment instruction has ended stays on record');

--
-- Name: allotment never_deleted; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.allotment FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('an allotment is never deleted');

--
-- Name: beneficiary never_deleted; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.beneficiary FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a beneficiary is never deleted');

--
-- Name: bill never_deleted; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.bill FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a bill is never forgotten: it would be paid again');

--
-- Name: import_withheld never_deleted; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.import_withheld FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('what could not be imported is settled, not forgotten');

--
-- Name: other_transfer never_deleted; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.other_transfer FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a transfer that the treasury told is never dropped');

--
-- Name: payment never_deleted; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.payment FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a payment is never forgotten: it would be paid again');

--
-- Name: payment_instruction never_deleted; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.payment_instruction FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a payment instruction is never deleted');

--
-- Name: phrase never_deleted; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.phrase FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a phrase is withdrawn, not deleted');

--
-- Name: proposal never_deleted; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.proposal FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a proposal is never deleted');

--
-- Name: reported_failure never_deleted; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.reported_failure FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a reported failure is never dropped');

--
-- Name: sanction never_deleted; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.sanction FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('a sanction is never deleted');

--
-- Name: second_person never_deleted; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.second_person FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('which acts need a second person is always said');

--
-- Name: setting never_deleted; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.setting FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('the settings are changed, not deleted');

--
-- Name: unknown_answer never_deleted; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.unknown_answer FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('an answer that nobody understood is given a meaning, not forgotten');

--
-- Name: voucher_date_asked never_deleted; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ifms.voucher_date_asked FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('that a voucher date was asked about stays on record');

--
-- Name: outbox never_emptied; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER never_emptied BEFORE TRUNCATE ON ifms.outbox FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('what others must hear is kept');

--
-- Name: treasury_call never_emptied; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER never_emptied BEFORE TRUNCATE ON ifms.treasury_call FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('calls to the treasury are kept');

--
-- Name: payment_instruction not_cancelled_when_made; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER not_cancelled_when_made BEFORE INSERT ON ifms.payment_instruction FOR EACH ROW WHEN ((new.cancelled_by IS NOT NULL)) EXECUTE FUNCTION ifms.check_cancelled();

--
-- Name: payment_instruction once_uncertain; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER once_uncertain BEFORE UPDATE OF uncertain ON ifms.payment_instruction FOR EACH ROW WHEN ((old.uncertain AND (NOT new.uncertain))) EXECUTE FUNCTION ifms.refuse_change('that a submission may have arrived is not unsaid');

--
-- Name: sanction opened_when_made; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER opened_when_made BEFORE INSERT ON ifms.sanction FOR EACH ROW WHEN ((new.closed_at IS NOT NULL)) EXECUTE FUNCTION ifms.refuse_change('a sanction is open when it is made');

--
-- Name: beneficiary outcome_is_told_once; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER outcome_is_told_once BEFORE UPDATE OF voucher_number, voucher_date, utr_number, utr_date, end_to_end_id, challan_number, challan_date, failed_on ON ifms.beneficiary FOR EACH ROW WHEN (((new.imported_as IS NULL) AND (((((((new.voucher_number IS DISTINCT FROM old.voucher_number) OR (new.voucher_date IS DISTINCT FROM old.voucher_date)) OR (new.utr_number IS DISTINCT FROM old.utr_number)) OR (new.utr_date IS DISTINCT FROM old.utr_date)) OR (new.end_to_end_id IS DISTINCT FROM old.end_to_end_id)) AND ((new.status <> 'Payment Successful'::text) OR (old.status = new.status))) OR ((((new.challan_number IS DISTINCT FROM old.challan_number) OR (new.challan_date IS DISTINCT FROM old.challan_date)) OR (new.failed_on IS DISTINCT FROM old.failed_on)) AND ((new.status <> 'Payment Failed'::text) OR (old.status = new.status)))))) EXECUTE FUNCTION ifms.refuse_change('what the treasury reported of a beneficiary stays as it was reported');

--
-- Name: payment_instruction outcome_is_told_once; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER outcome_is_told_once BEFORE UPDATE OF paid_at, pi_approved_id, pi_approval_date, pa_fin_year, pa_advice_id, pa_advice_date, pa_bill_ref_number, pa_token_number, pa_token_date, success_code, success_description ON ifms.payment_instruction FOR EACH ROW WHEN (((new.imported_at IS NULL) AND (((old.pi_approved_id IS NOT NULL) AND ((new.pi_approved_id IS DISTINCT FROM old.pi_approved_id) OR (new.pi_approval_date IS DISTINCT FROM old.pi_approval_date))) OR ((old.pa_advice_id IS NOT NULL) AND (((new.pa_fin_year IS DISTINCT FROM old.pa_fin_year) OR (new.pa_advice_id IS DISTINCT FROM old.pa_advice_id)) OR (new.pa_advice_date IS DISTINCT FROM old.pa_advice_date))) OR (((old.pi_type <> 'REVISED'::text) OR (old.status <> 'INITIATED'::text)) AND (((old.paid_at IS NOT NULL) AND (new.paid_at IS DISTINCT FROM old.paid_at)) OR ((old.pa_bill_ref_number IS NOT NULL) AND (((new.pa_bill_ref_number IS DISTINCT FROM old.pa_bill_ref_number) OR (new.pa_token_number IS DISTINCT FROM old.pa_token_number)) OR (new.pa_token_date IS DISTINCT FROM old.pa_token_date)))))))) EXECUTE FUNCTION ifms.refuse_change('what the treasury reported of a payment instruction stays as it was reported');

--
-- Name: beneficiary owner_imports; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER owner_imports BEFORE INSERT OR UPDATE OF imported_as ON ifms.beneficiary FOR EACH ROW WHEN ((new.imported_as IS NOT NULL)) EXECUTE FUNCTION ifms.check_import();

--
-- Name: payment_instruction owner_imports; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER owner_imports BEFORE INSERT ON ifms.payment_instruction FOR EACH ROW WHEN ((new.imported_at IS NOT NULL)) EXECUTE FUNCTION ifms.check_import();

--
-- Name: payment paid_by_its_own_instruction; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER paid_by_its_own_instruction AFTER INSERT OR UPDATE OF paid_by ON ifms.payment DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.check_paid_by();

--
-- Name: payment_instruction payment_is_withheld; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER payment_is_withheld BEFORE INSERT ON ifms.payment_instruction FOR EACH ROW WHEN ((new.imported_at IS NULL)) EXECUTE FUNCTION ifms.check_withheld();

--
-- Name: beneficiary registry_id_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER registry_id_is_frozen BEFORE UPDATE OF bank_account_id, created_at ON ifms.beneficiary FOR EACH STATEMENT EXECUTE FUNCTION ifms.refuse_change('the content of a payment instruction is frozen');

--
-- Name: payment_instruction said_absent_once; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER said_absent_once BEFORE UPDATE OF said_absent_at ON ifms.payment_instruction FOR EACH ROW WHEN (((old.said_absent_at IS NOT NULL) AND (new.said_absent_at IS DISTINCT FROM old.said_absent_at) AND ((new.said_absent_at IS NULL) OR (new.said_absent_at < old.said_absent_at) OR (old.found_failed_at IS NULL) OR (old.found_failed_at < old.said_absent_at)))) EXECUTE FUNCTION ifms.refuse_change('that the treasury lacks it is said once, until it is shown again');

--
-- Name: treasury_call said_is_said; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER said_is_said BEFORE UPDATE OF id, service_id, bill_number, payment_instruction_id, sweep_run_id, request_sealed, rek_sealed, sek_sealed, auth_token_sealed, enc_request, enc_response, response_sealed, status_code, outcome, error_message, duration_ms, created_at ON ifms.treasury_call FOR EACH ROW WHEN (((old.outcome IS NOT NULL) AND (old.* IS DISTINCT FROM new.*))) EXECUTE FUNCTION ifms.refuse_change('what was said to the treasury is not rewritten');

--
-- Name: payment_instruction sanction_is_open; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER sanction_is_open BEFORE INSERT ON ifms.payment_instruction FOR EACH ROW WHEN (((new.imported_at IS NULL) AND (new.adopted_by IS NULL) AND (new.pi_type = 'ORIGINAL'::text))) EXECUTE FUNCTION ifms.check_sanction_open();

--
-- Name: payment_instruction say_what_it_pays; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER say_what_it_pays BEFORE INSERT OR UPDATE OF additional_details, bill_numbers, work_order_numbers, bill_type, project_numbers ON ifms.payment_instruction FOR EACH ROW EXECUTE FUNCTION ifms.say_what_it_pays();

ALTER TABLE ifms.payment_instruction ENABLE ALWAYS TRIGGER say_what_it_pays;

--
-- Name: payment_instruction settled_by_fact; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER settled_by_fact BEFORE UPDATE OF status ON ifms.payment_instruction FOR EACH ROW WHEN (((old.status = 'PENDING'::text) AND (new.status = 'FAILED'::text) AND new.uncertain AND (new.imported_at IS NULL))) EXECUTE FUNCTION ifms.check_settled_by_fact();

--
-- Name: payment_instruction settled_in_doubt; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER settled_in_doubt BEFORE UPDATE OF status ON ifms.payment_instruction FOR EACH ROW WHEN (((old.status = 'PENDING'::text) AND (new.status = 'FAILED'::text) AND (new.settled_by IS NOT NULL) AND (NOT new.uncertain) AND (old.last_attempt IS DISTINCT FROM 'never_sent'::text))) EXECUTE FUNCTION ifms.refuse_change('a submission that may have arrived stays in doubt when a person settles it');

--
-- Name: other_transfer settled_once; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER settled_once BEFORE UPDATE OF settled_at, settled_by, settled_reason, has_paid ON ifms.other_transfer FOR EACH ROW WHEN ((old.settled_at IS NOT NULL)) EXECUTE FUNCTION ifms.refuse_change('who has settled a transfer, and why, stays on record');

--
-- Name: payment_instruction settled_once; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER settled_once BEFORE UPDATE OF settled_by ON ifms.payment_instruction FOR EACH ROW WHEN (((old.settled_by IS NOT NULL) AND (new.settled_by IS DISTINCT FROM old.settled_by) AND ((old.status <> 'FAILED'::text) OR (NOT (new.said_absent_at IS DISTINCT FROM old.said_absent_at))))) EXECUTE FUNCTION ifms.refuse_change('who has settled a payment instruction stays on record');

--
-- Name: reported_failure settled_once; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER settled_once BEFORE UPDATE OF settled_at, settled_by, settled_reason ON ifms.reported_failure FOR EACH ROW WHEN ((old.settled_at IS NOT NULL)) EXECUTE FUNCTION ifms.refuse_change('who has closed a reported failure, and why, stays on record');

--
-- Name: treasury_call shipped_once; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER shipped_once BEFORE UPDATE OF shipped_at ON ifms.treasury_call FOR EACH ROW WHEN (((old.outcome IS NOT NULL) AND (old.shipped_at IS NOT NULL) AND (new.shipped_at IS DISTINCT FROM old.shipped_at))) EXECUTE FUNCTION ifms.refuse_change('when a call was shipped stays on record');

--
-- Name: payment_instruction signature_is_frozen; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER signature_is_frozen BEFORE UPDATE OF signature ON ifms.payment_instruction FOR EACH ROW WHEN ((new.signature IS DISTINCT FROM old.signature)) EXECUTE FUNCTION ifms.check_signed_anew();

--
-- Name: payment_instruction signed_when_made; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER signed_when_made BEFORE INSERT ON ifms.payment_instruction FOR EACH ROW WHEN (((new.signature IS NULL) AND (new.imported_at IS NULL))) EXECUTE FUNCTION ifms.refuse_change('a payment instruction is signed when it is made');

--
-- Name: fund_movement status_and_money_agree; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER status_and_money_agree AFTER INSERT ON ifms.fund_movement DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.payment_instruction_id IS NOT NULL)) EXECUTE FUNCTION ifms.check_money_moved();

--
-- Name: payment_instruction status_and_money_agree; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE CONSTRAINT TRIGGER status_and_money_agree AFTER INSERT OR UPDATE OF status ON ifms.payment_instruction DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ifms.check_money();

--
-- Name: payment_instruction status_since; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER status_since BEFORE UPDATE OF status ON ifms.payment_instruction FOR EACH ROW WHEN ((new.status <> old.status)) EXECUTE FUNCTION ifms.note_status_since();

--
-- Name: payment_instruction status_since_it_was_made; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER status_since_it_was_made BEFORE INSERT ON ifms.payment_instruction FOR EACH ROW EXECUTE FUNCTION ifms.note_status_since();

--
-- Name: payment_instruction tell_index_of_a_change; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER tell_index_of_a_change AFTER UPDATE OF status ON ifms.payment_instruction FOR EACH ROW WHEN ((old.status <> new.status)) EXECUTE FUNCTION ifms.tell_index();

--
-- Name: payment_instruction tell_index_of_a_new_one; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER tell_index_of_a_new_one AFTER INSERT ON ifms.payment_instruction FOR EACH ROW EXECUTE FUNCTION ifms.tell_index();

--
-- Name: payment tell_index_of_why; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER tell_index_of_why AFTER UPDATE OF hold_code, hold_message ON ifms.payment FOR EACH ROW WHEN (((new.paid_by IS NULL) AND ((new.hold_code IS DISTINCT FROM old.hold_code) OR (new.hold_message IS DISTINCT FROM old.hold_message)))) EXECUTE FUNCTION ifms.tell_index_of_payment();

--
-- Name: phrase withdrawn_once; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER withdrawn_once BEFORE UPDATE ON ifms.phrase FOR EACH ROW WHEN ((old.withdrawn_at IS NOT NULL)) EXECUTE FUNCTION ifms.refuse_change('a withdrawn phrase stays withdrawn');

--
-- Name: beneficiary written_with_header; Type: TRIGGER; Schema: ifms; Owner: -
--

CREATE TRIGGER written_with_header AFTER INSERT ON ifms.beneficiary REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ifms.check_written_with_header();

--
-- Name: beneficiary beneficiary_payment_instruction_id_fkey; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.beneficiary
    ADD CONSTRAINT beneficiary_payment_instruction_id_fkey FOREIGN KEY (payment_instruction_id) REFERENCES ifms.payment_instruction(id);

--
-- Name: closed_failure closed_failure_beneficiary_row_fkey; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.closed_failure
    ADD CONSTRAINT closed_failure_beneficiary_row_fkey FOREIGN KEY (beneficiary_row) REFERENCES ifms.beneficiary(id);

--
-- Name: allotment counts_on_its_own_sanction; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.allotment
    ADD CONSTRAINT counts_on_its_own_sanction FOREIGN KEY (sanction_id, tenant_id, hoa_code, ddo_code, master_allotment_id) REFERENCES ifms.sanction(id, tenant_id, hoa_code, ddo_code, master_allotment_id);

--
-- Name: ended_by_phrase ended_by_phrase_payment_instruction_id_fkey; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.ended_by_phrase
    ADD CONSTRAINT ended_by_phrase_payment_instruction_id_fkey FOREIGN KEY (payment_instruction_id) REFERENCES ifms.payment_instruction(id);

--
-- Name: ended_by_phrase ended_by_phrase_phrase_id_fkey; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.ended_by_phrase
    ADD CONSTRAINT ended_by_phrase_phrase_id_fkey FOREIGN KEY (phrase_id) REFERENCES ifms.phrase(id);

--
-- Name: fund_movement fund_movement_allotment_id_fkey; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.fund_movement
    ADD CONSTRAINT fund_movement_allotment_id_fkey FOREIGN KEY (allotment_id) REFERENCES ifms.allotment(id);

--
-- Name: fund_movement fund_movement_payment_instruction_id_fkey; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.fund_movement
    ADD CONSTRAINT fund_movement_payment_instruction_id_fkey FOREIGN KEY (payment_instruction_id) REFERENCES ifms.payment_instruction(id);

--
-- Name: fund_movement fund_movement_sanction_id_fkey; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.fund_movement
    ADD CONSTRAINT fund_movement_sanction_id_fkey FOREIGN KEY (sanction_id) REFERENCES ifms.sanction(id);

--
-- Name: other_transfer other_transfer_beneficiary_row_fkey; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.other_transfer
    ADD CONSTRAINT other_transfer_beneficiary_row_fkey FOREIGN KEY (beneficiary_row) REFERENCES ifms.beneficiary(id);

--
-- Name: payment_instruction paid_by_its_own_sanction; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.payment_instruction
    ADD CONSTRAINT paid_by_its_own_sanction FOREIGN KEY (sanction_id, tenant_id, hoa_code, ddo_code, master_allotment_id) REFERENCES ifms.sanction(id, tenant_id, hoa_code, ddo_code, master_allotment_id);

--
-- Name: payment_instruction payment_instruction_parent_pi_number_fkey; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.payment_instruction
    ADD CONSTRAINT payment_instruction_parent_pi_number_fkey FOREIGN KEY (parent_pi_number) REFERENCES ifms.payment_instruction(pi_number);

--
-- Name: payment_instruction payment_instruction_repayment_of_fkey; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.payment_instruction
    ADD CONSTRAINT payment_instruction_repayment_of_fkey FOREIGN KEY (repayment_of) REFERENCES ifms.payment_instruction(pi_number);

--
-- Name: payment_instruction payment_instruction_unknown_answer_id_fkey; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.payment_instruction
    ADD CONSTRAINT payment_instruction_unknown_answer_id_fkey FOREIGN KEY (unknown_answer_id) REFERENCES ifms.unknown_answer(id);

--
-- Name: payment payment_paid_by_fkey; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.payment
    ADD CONSTRAINT payment_paid_by_fkey FOREIGN KEY (paid_by) REFERENCES ifms.payment_instruction(id);

--
-- Name: restore_cleared restore_cleared_restored_id_fkey; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.restore_cleared
    ADD CONSTRAINT restore_cleared_restored_id_fkey FOREIGN KEY (restored_id) REFERENCES ifms.restored(id);

--
-- Name: sanction_closing sanction_closing_sanction_id_fkey; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.sanction_closing
    ADD CONSTRAINT sanction_closing_sanction_id_fkey FOREIGN KEY (sanction_id) REFERENCES ifms.sanction(id);

--
-- Name: status_log status_log_payment_instruction_id_fkey; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.status_log
    ADD CONSTRAINT status_log_payment_instruction_id_fkey FOREIGN KEY (payment_instruction_id) REFERENCES ifms.payment_instruction(id);

--
-- Name: treasury_call treasury_call_payment_instruction_id_fkey; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.treasury_call
    ADD CONSTRAINT treasury_call_payment_instruction_id_fkey FOREIGN KEY (payment_instruction_id) REFERENCES ifms.payment_instruction(id);

--
-- Name: unknown_answer unknown_answer_phrase_id_fkey; Type: FK CONSTRAINT; Schema: ifms; Owner: -
--

ALTER TABLE ONLY ifms.unknown_answer
    ADD CONSTRAINT unknown_answer_phrase_id_fkey FOREIGN KEY (phrase_id) REFERENCES ifms.phrase(id);

--
-- Name: SCHEMA ifms; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA ifms TO ifms_work;
GRANT USAGE ON SCHEMA ifms TO ifms_read;

--
-- Name: FUNCTION add_link(source text, event text, row_id text, "row" jsonb); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.add_link(source text, event text, row_id text, "row" jsonb) FROM PUBLIC;

--
-- Name: FUNCTION apply_closing(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.apply_closing() FROM PUBLIC;

--
-- Name: FUNCTION apply_movement(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.apply_movement() FROM PUBLIC;

--
-- Name: FUNCTION bill_type(bill_numbers text[]); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.bill_type(bill_numbers text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION ifms.bill_type(bill_numbers text[]) TO ifms_work;

--
-- Name: FUNCTION check_adopted(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_adopted() FROM PUBLIC;

--
-- Name: FUNCTION check_allotment_counts(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_allotment_counts() FROM PUBLIC;

--
-- Name: FUNCTION check_beneficiaries(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_beneficiaries() FROM PUBLIC;

--
-- Name: FUNCTION check_cancelled(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_cancelled() FROM PUBLIC;

--
-- Name: FUNCTION check_cleared(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_cleared() FROM PUBLIC;

--
-- Name: FUNCTION check_closed_at(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_closed_at() FROM PUBLIC;

--
-- Name: FUNCTION check_home(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_home() FROM PUBLIC;

--
-- Name: FUNCTION check_import(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_import() FROM PUBLIC;

--
-- Name: FUNCTION check_line_is_paid_once(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_line_is_paid_once() FROM PUBLIC;

--
-- Name: FUNCTION check_logged(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_logged() FROM PUBLIC;

--
-- Name: FUNCTION check_money(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_money() FROM PUBLIC;

--
-- Name: FUNCTION check_money_moved(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_money_moved() FROM PUBLIC;

--
-- Name: FUNCTION check_paid_by(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_paid_by() FROM PUBLIC;

--
-- Name: FUNCTION check_paid_once(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_paid_once() FROM PUBLIC;

--
-- Name: FUNCTION check_resealed(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_resealed() FROM PUBLIC;

--
-- Name: FUNCTION check_sanction_open(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_sanction_open() FROM PUBLIC;

--
-- Name: FUNCTION check_settled_by_fact(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_settled_by_fact() FROM PUBLIC;

--
-- Name: FUNCTION check_signed_anew(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_signed_anew() FROM PUBLIC;

--
-- Name: FUNCTION check_transition(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_transition() FROM PUBLIC;

--
-- Name: FUNCTION check_withheld(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_withheld() FROM PUBLIC;

--
-- Name: FUNCTION check_written_with_header(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.check_written_with_header() FROM PUBLIC;

--
-- Name: FUNCTION city_of_record(source text, "row" jsonb); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.city_of_record(source text, "row" jsonb) FROM PUBLIC;

--
-- Name: FUNCTION correct_by(failed_on date); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.correct_by(failed_on date) FROM PUBLIC;
GRANT ALL ON FUNCTION ifms.correct_by(failed_on date) TO ifms_work;

--
-- Name: FUNCTION correct_by(failed_on date, days integer, last_month integer, last_day integer); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.correct_by(failed_on date, days integer, last_month integer, last_day integer) FROM PUBLIC;
GRANT ALL ON FUNCTION ifms.correct_by(failed_on date, days integer, last_month integer, last_day integer) TO ifms_work;
GRANT ALL ON FUNCTION ifms.correct_by(failed_on date, days integer, last_month integer, last_day integer) TO ifms_read;

--
-- Name: FUNCTION financial_year(day date); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.financial_year(day date) FROM PUBLIC;
GRANT ALL ON FUNCTION ifms.financial_year(day date) TO ifms_work;
GRANT ALL ON FUNCTION ifms.financial_year(day date) TO ifms_read;

--
-- Name: FUNCTION guard_balances(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.guard_balances() FROM PUBLIC;

--
-- Name: TABLE payment; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.payment TO ifms_work;

--
-- Name: COLUMN payment.tenant_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(tenant_id) ON TABLE ifms.payment TO ifms_read;

--
-- Name: COLUMN payment.payment_number; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(payment_number) ON TABLE ifms.payment TO ifms_read;

--
-- Name: COLUMN payment.payment_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(payment_id) ON TABLE ifms.payment TO ifms_work;

--
-- Name: COLUMN payment.amount; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(amount) ON TABLE ifms.payment TO ifms_read;

--
-- Name: COLUMN payment.bill_numbers; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(bill_numbers) ON TABLE ifms.payment TO ifms_work;

--
-- Name: COLUMN payment.paid_by; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(paid_by) ON TABLE ifms.payment TO ifms_work;

--
-- Name: COLUMN payment.hold_code; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(hold_code) ON TABLE ifms.payment TO ifms_work;

--
-- Name: COLUMN payment.hold_message; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(hold_message) ON TABLE ifms.payment TO ifms_work;

--
-- Name: COLUMN payment.held_since; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(held_since) ON TABLE ifms.payment TO ifms_work;

--
-- Name: COLUMN payment.released_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(released_at) ON TABLE ifms.payment TO ifms_work;

--
-- Name: COLUMN payment.tries; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(tries) ON TABLE ifms.payment TO ifms_work;

--
-- Name: COLUMN payment.raised_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(raised_at) ON TABLE ifms.payment TO ifms_read;

--
-- Name: COLUMN payment.seen_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(seen_at) ON TABLE ifms.payment TO ifms_read;

--
-- Name: COLUMN payment.polled_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(polled_at) ON TABLE ifms.payment TO ifms_work;

--
-- Name: COLUMN payment.claim_token; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(claim_token) ON TABLE ifms.payment TO ifms_work;

--
-- Name: COLUMN payment.claimed_until; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(claimed_until) ON TABLE ifms.payment TO ifms_work;

--
-- Name: FUNCTION in_doubt(of ifms.payment); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.in_doubt(of ifms.payment) FROM PUBLIC;
GRANT ALL ON FUNCTION ifms.in_doubt(of ifms.payment) TO ifms_work;

--
-- Name: TABLE payment_instruction; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.id; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(id) ON TABLE ifms.payment_instruction TO ifms_read;

--
-- Name: COLUMN payment_instruction.tenant_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(tenant_id) ON TABLE ifms.payment_instruction TO ifms_read;

--
-- Name: COLUMN payment_instruction.pi_number; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(pi_number) ON TABLE ifms.payment_instruction TO ifms_read;

--
-- Name: COLUMN payment_instruction.pi_type; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(pi_type) ON TABLE ifms.payment_instruction TO ifms_read;

--
-- Name: COLUMN payment_instruction.repayment_of; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(repayment_of) ON TABLE ifms.payment_instruction TO ifms_read;

--
-- Name: COLUMN payment_instruction.payment_number; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(payment_number) ON TABLE ifms.payment_instruction TO ifms_read;

--
-- Name: COLUMN payment_instruction.status; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(status) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.is_active; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(is_active) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.hoa_code; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(hoa_code) ON TABLE ifms.payment_instruction TO ifms_read;

--
-- Name: COLUMN payment_instruction.net_amount; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(net_amount) ON TABLE ifms.payment_instruction TO ifms_read;

--
-- Name: COLUMN payment_instruction.bill_type; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(bill_type) ON TABLE ifms.payment_instruction TO ifms_read;

--
-- Name: COLUMN payment_instruction.attempts; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(attempts) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.last_attempt; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(last_attempt) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.last_attempt_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(last_attempt_at) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.error_code; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(error_code) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.error_message; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(error_message) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.success_code; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(success_code) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.success_description; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(success_description) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.pi_approved_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(pi_approved_id) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.pi_approval_date; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(pi_approval_date) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.pa_fin_year; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(pa_fin_year) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.pa_advice_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(pa_advice_id) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.pa_advice_date; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(pa_advice_date) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.pa_bill_ref_number; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(pa_bill_ref_number) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.pa_token_number; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(pa_token_number) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.pa_token_date; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(pa_token_date) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.paid_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(paid_at) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.uncertain; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(uncertain) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.refusal; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(refusal) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.refused_first; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(refused_first) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.absent_since; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(absent_since) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.held_back; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(held_back) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.settled_by; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(settled_by) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.said_absent_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(said_absent_at) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.cancelled_by; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(cancelled_by) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.found_failed_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(found_failed_at) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.same_refusals; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(same_refusals) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.unknown_answer_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(unknown_answer_id) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.unmatched_failures; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(unmatched_failures) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.polled_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(polled_at) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.failures_polled_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(failures_polled_at) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.claim_token; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(claim_token) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.claimed_until; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(claimed_until) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: COLUMN payment_instruction.created_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(created_at) ON TABLE ifms.payment_instruction TO ifms_read;

--
-- Name: COLUMN payment_instruction.updated_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(updated_at) ON TABLE ifms.payment_instruction TO ifms_work;

--
-- Name: FUNCTION in_doubt(of ifms.payment_instruction); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.in_doubt(of ifms.payment_instruction) FROM PUBLIC;
GRANT ALL ON FUNCTION ifms.in_doubt(of ifms.payment_instruction) TO ifms_work;

--
-- Name: FUNCTION link_hash(before bytea, chain text, number bigint, source text, event text, row_id text, content bytea, linked_at timestamp with time zone); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.link_hash(before bytea, chain text, number bigint, source text, event text, row_id text, content bytea, linked_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION ifms.link_hash(before bytea, chain text, number bigint, source text, event text, row_id text, content bytea, linked_at timestamp with time zone) TO ifms_work;

--
-- Name: FUNCTION link_row(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.link_row() FROM PUBLIC;

--
-- Name: FUNCTION linked_records(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.linked_records() FROM PUBLIC;
GRANT ALL ON FUNCTION ifms.linked_records() TO ifms_work;

--
-- Name: FUNCTION note_status_since(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.note_status_since() FROM PUBLIC;

--
-- Name: FUNCTION payments_by_group(since timestamp with time zone, until timestamp with time zone, as_of timestamp with time zone, tenants text[]); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.payments_by_group(since timestamp with time zone, until timestamp with time zone, as_of timestamp with time zone, tenants text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION ifms.payments_by_group(since timestamp with time zone, until timestamp with time zone, as_of timestamp with time zone, tenants text[]) TO ifms_work;
GRANT ALL ON FUNCTION ifms.payments_by_group(since timestamp with time zone, until timestamp with time zone, as_of timestamp with time zone, tenants text[]) TO ifms_read;

--
-- Name: FUNCTION place(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.place() FROM PUBLIC;

--
-- Name: FUNCTION plain_number(number text); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.plain_number(number text) FROM PUBLIC;
GRANT ALL ON FUNCTION ifms.plain_number(number text) TO ifms_work;
GRANT ALL ON FUNCTION ifms.plain_number(number text) TO ifms_read;

--
-- Name: FUNCTION proposal_goes_its_way(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.proposal_goes_its_way() FROM PUBLIC;

--
-- Name: FUNCTION record_hash(source text, event text, "row" jsonb); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.record_hash(source text, event text, "row" jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION ifms.record_hash(source text, event text, "row" jsonb) TO ifms_work;

--
-- Name: FUNCTION refresh_overview(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.refresh_overview() FROM PUBLIC;
GRANT ALL ON FUNCTION ifms.refresh_overview() TO ifms_work;

--
-- Name: FUNCTION refuse_change(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.refuse_change() FROM PUBLIC;

--
-- Name: FUNCTION refuse_first_status(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.refuse_first_status() FROM PUBLIC;

--
-- Name: FUNCTION remove_old_calls(before timestamp with time zone, unshipped_too boolean, at_most integer); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.remove_old_calls(before timestamp with time zone, unshipped_too boolean, at_most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION ifms.remove_old_calls(before timestamp with time zone, unshipped_too boolean, at_most integer) TO ifms_work;

--
-- Name: FUNCTION say_what_it_pays(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.say_what_it_pays() FROM PUBLIC;

--
-- Name: FUNCTION take_payments_id(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.take_payments_id() FROM PUBLIC;

--
-- Name: FUNCTION tell_index(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.tell_index() FROM PUBLIC;

--
-- Name: FUNCTION tell_index_of_payment(); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.tell_index_of_payment() FROM PUBLIC;

--
-- Name: FUNCTION texts_of(value jsonb); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.texts_of(value jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION ifms.texts_of(value jsonb) TO ifms_work;
GRANT ALL ON FUNCTION ifms.texts_of(value jsonb) TO ifms_read;

--
-- Name: FUNCTION utr_key(utr text); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.utr_key(utr text) FROM PUBLIC;
GRANT ALL ON FUNCTION ifms.utr_key(utr text) TO ifms_work;

--
-- Name: TABLE sanction; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.sanction TO ifms_work;

--
-- Name: COLUMN sanction.tenant_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(tenant_id) ON TABLE ifms.sanction TO ifms_read;

--
-- Name: COLUMN sanction.updated_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(updated_at) ON TABLE ifms.sanction TO ifms_work;

--
-- Name: FUNCTION withheld(of ifms.sanction); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.withheld(of ifms.sanction) FROM PUBLIC;
GRANT ALL ON FUNCTION ifms.withheld(of ifms.sanction) TO ifms_work;

--
-- Name: FUNCTION without_numbers(said text); Type: ACL; Schema: ifms; Owner: -
--

REVOKE ALL ON FUNCTION ifms.without_numbers(said text) FROM PUBLIC;
GRANT ALL ON FUNCTION ifms.without_numbers(said text) TO ifms_work;
GRANT ALL ON FUNCTION ifms.without_numbers(said text) TO ifms_read;

--
-- Name: TABLE allotment; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.allotment TO ifms_work;

--
-- Name: COLUMN allotment.sanction_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(sanction_id) ON TABLE ifms.allotment TO ifms_work;

--
-- Name: TABLE audit_link; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.audit_link TO ifms_work;

--
-- Name: TABLE beneficiary; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.beneficiary TO ifms_work;

--
-- Name: COLUMN beneficiary.payment_instruction_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(payment_instruction_id) ON TABLE ifms.beneficiary TO ifms_read;

--
-- Name: COLUMN beneficiary.beneficiary_number; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(beneficiary_number) ON TABLE ifms.beneficiary TO ifms_read;

--
-- Name: COLUMN beneficiary.amount; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(amount) ON TABLE ifms.beneficiary TO ifms_read;

--
-- Name: COLUMN beneficiary.account_sealed; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(account_sealed) ON TABLE ifms.beneficiary TO ifms_work;

--
-- Name: COLUMN beneficiary.account_last4; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(account_last4) ON TABLE ifms.beneficiary TO ifms_work;

--
-- Name: COLUMN beneficiary.ifsc; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(ifsc) ON TABLE ifms.beneficiary TO ifms_work;

--
-- Name: COLUMN beneficiary.same_account_by; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(same_account_by) ON TABLE ifms.beneficiary TO ifms_work;

--
-- Name: COLUMN beneficiary.status; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(status) ON TABLE ifms.beneficiary TO ifms_work;
GRANT SELECT(status) ON TABLE ifms.beneficiary TO ifms_read;

--
-- Name: COLUMN beneficiary.status_message; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(status_message) ON TABLE ifms.beneficiary TO ifms_work;

--
-- Name: COLUMN beneficiary.voucher_number; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(voucher_number) ON TABLE ifms.beneficiary TO ifms_work;
GRANT SELECT(voucher_number) ON TABLE ifms.beneficiary TO ifms_read;

--
-- Name: COLUMN beneficiary.voucher_date; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(voucher_date) ON TABLE ifms.beneficiary TO ifms_work;

--
-- Name: COLUMN beneficiary.utr_number; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(utr_number) ON TABLE ifms.beneficiary TO ifms_work;

--
-- Name: COLUMN beneficiary.utr_date; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(utr_date) ON TABLE ifms.beneficiary TO ifms_work;

--
-- Name: COLUMN beneficiary.end_to_end_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(end_to_end_id) ON TABLE ifms.beneficiary TO ifms_work;

--
-- Name: COLUMN beneficiary.challan_number; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(challan_number) ON TABLE ifms.beneficiary TO ifms_work;

--
-- Name: COLUMN beneficiary.challan_date; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(challan_date) ON TABLE ifms.beneficiary TO ifms_work;

--
-- Name: COLUMN beneficiary.failed_on; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(failed_on) ON TABLE ifms.beneficiary TO ifms_work;
GRANT SELECT(failed_on) ON TABLE ifms.beneficiary TO ifms_read;

--
-- Name: COLUMN beneficiary.created_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(created_at) ON TABLE ifms.beneficiary TO ifms_read;

--
-- Name: COLUMN beneficiary.updated_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(updated_at) ON TABLE ifms.beneficiary TO ifms_work;
GRANT SELECT(updated_at) ON TABLE ifms.beneficiary TO ifms_read;

--
-- Name: TABLE beneficiary_payment; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.beneficiary_payment TO ifms_work;
GRANT SELECT ON TABLE ifms.beneficiary_payment TO ifms_read;

--
-- Name: TABLE bill; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.bill TO ifms_work;

--
-- Name: COLUMN bill.tenant_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(tenant_id) ON TABLE ifms.bill TO ifms_work;
GRANT SELECT(tenant_id) ON TABLE ifms.bill TO ifms_read;

--
-- Name: COLUMN bill.bill_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(bill_id) ON TABLE ifms.bill TO ifms_read;

--
-- Name: COLUMN bill.payment_number; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(payment_number) ON TABLE ifms.bill TO ifms_work;
GRANT SELECT(payment_number) ON TABLE ifms.bill TO ifms_read;

--
-- Name: COLUMN bill.claim_token; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(claim_token) ON TABLE ifms.bill TO ifms_work;

--
-- Name: COLUMN bill.claimed_until; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(claimed_until) ON TABLE ifms.bill TO ifms_work;

--
-- Name: COLUMN bill.asked_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(asked_at) ON TABLE ifms.bill TO ifms_work;
GRANT SELECT(asked_at) ON TABLE ifms.bill TO ifms_read;

--
-- Name: COLUMN bill.duplicate_since; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(duplicate_since) ON TABLE ifms.bill TO ifms_work;

--
-- Name: TABLE call_access; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.call_access TO ifms_work;

--
-- Name: COLUMN call_access.call_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(call_id) ON TABLE ifms.call_access TO ifms_work;

--
-- Name: COLUMN call_access.source; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(source) ON TABLE ifms.call_access TO ifms_work;

--
-- Name: COLUMN call_access.os_user; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(os_user) ON TABLE ifms.call_access TO ifms_work;

--
-- Name: COLUMN call_access.airflow_user; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(airflow_user) ON TABLE ifms.call_access TO ifms_work;

--
-- Name: COLUMN call_access.unmasked; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(unmasked) ON TABLE ifms.call_access TO ifms_work;

--
-- Name: COLUMN call_access.reason; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(reason) ON TABLE ifms.call_access TO ifms_work;

--
-- Name: TABLE treasury_call; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.treasury_call TO ifms_work;

--
-- Name: COLUMN treasury_call.rek_sealed; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(rek_sealed) ON TABLE ifms.treasury_call TO ifms_work;

--
-- Name: COLUMN treasury_call.sek_sealed; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(sek_sealed) ON TABLE ifms.treasury_call TO ifms_work;

--
-- Name: COLUMN treasury_call.auth_token_sealed; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(auth_token_sealed) ON TABLE ifms.treasury_call TO ifms_work;

--
-- Name: COLUMN treasury_call.enc_request; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(enc_request) ON TABLE ifms.treasury_call TO ifms_work;

--
-- Name: COLUMN treasury_call.enc_response; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(enc_response) ON TABLE ifms.treasury_call TO ifms_work;

--
-- Name: COLUMN treasury_call.response_sealed; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(response_sealed) ON TABLE ifms.treasury_call TO ifms_work;

--
-- Name: COLUMN treasury_call.status_code; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(status_code) ON TABLE ifms.treasury_call TO ifms_work;

--
-- Name: COLUMN treasury_call.outcome; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(outcome) ON TABLE ifms.treasury_call TO ifms_work;

--
-- Name: COLUMN treasury_call.error_message; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(error_message) ON TABLE ifms.treasury_call TO ifms_work;

--
-- Name: COLUMN treasury_call.duration_ms; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(duration_ms) ON TABLE ifms.treasury_call TO ifms_work;

--
-- Name: COLUMN treasury_call.shipped_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(shipped_at) ON TABLE ifms.treasury_call TO ifms_work;

--
-- Name: COLUMN treasury_call.ship_error; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(ship_error) ON TABLE ifms.treasury_call TO ifms_work;

--
-- Name: TABLE call_log; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.call_log TO ifms_work;
GRANT SELECT ON TABLE ifms.call_log TO ifms_read;

--
-- Name: TABLE call_rate; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.call_rate TO ifms_work;

--
-- Name: COLUMN call_rate.next_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(next_at) ON TABLE ifms.call_rate TO ifms_work;

--
-- Name: TABLE call_removal; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.call_removal TO ifms_work;

--
-- Name: TABLE call_shipping; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.call_shipping TO ifms_work;

--
-- Name: COLUMN call_shipping.claim_token; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(claim_token) ON TABLE ifms.call_shipping TO ifms_work;

--
-- Name: COLUMN call_shipping.claimed_until; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(claimed_until) ON TABLE ifms.call_shipping TO ifms_work;

--
-- Name: TABLE closed_failure; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.closed_failure TO ifms_work;

--
-- Name: TABLE display_name; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.display_name TO ifms_work;

--
-- Name: COLUMN display_name.kind; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(kind) ON TABLE ifms.display_name TO ifms_read;

--
-- Name: COLUMN display_name.code; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(code) ON TABLE ifms.display_name TO ifms_read;

--
-- Name: COLUMN display_name.name; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(name) ON TABLE ifms.display_name TO ifms_work;
GRANT SELECT(name) ON TABLE ifms.display_name TO ifms_read;

--
-- Name: COLUMN display_name.changed_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(changed_at) ON TABLE ifms.display_name TO ifms_work;

--
-- Name: TABLE other_transfer; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.other_transfer TO ifms_work;

--
-- Name: COLUMN other_transfer.last_told_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(last_told_at) ON TABLE ifms.other_transfer TO ifms_work;

--
-- Name: COLUMN other_transfer.settled_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(settled_at) ON TABLE ifms.other_transfer TO ifms_work;

--
-- Name: COLUMN other_transfer.settled_by; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(settled_by) ON TABLE ifms.other_transfer TO ifms_work;

--
-- Name: COLUMN other_transfer.settled_reason; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(settled_reason) ON TABLE ifms.other_transfer TO ifms_work;

--
-- Name: COLUMN other_transfer.has_paid; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(has_paid) ON TABLE ifms.other_transfer TO ifms_work;

--
-- Name: TABLE doubtful_transfer; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.doubtful_transfer TO ifms_work;
GRANT SELECT ON TABLE ifms.doubtful_transfer TO ifms_read;

--
-- Name: TABLE ended_by_phrase; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.ended_by_phrase TO ifms_work;

--
-- Name: TABLE setting; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.setting TO ifms_work;

--
-- Name: COLUMN setting.use_earlier_years; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(use_earlier_years) ON TABLE ifms.setting TO ifms_work;

--
-- Name: COLUMN setting.correction_days; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(correction_days) ON TABLE ifms.setting TO ifms_work;

--
-- Name: COLUMN setting.correction_last_month; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(correction_last_month) ON TABLE ifms.setting TO ifms_work;

--
-- Name: COLUMN setting.correction_last_day; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(correction_last_day) ON TABLE ifms.setting TO ifms_work;

--
-- Name: COLUMN setting.changed_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(changed_at) ON TABLE ifms.setting TO ifms_work;

--
-- Name: TABLE failed_beneficiary; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.failed_beneficiary TO ifms_work;
GRANT SELECT ON TABLE ifms.failed_beneficiary TO ifms_read;

--
-- Name: TABLE fund_movement; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.fund_movement TO ifms_work;

--
-- Name: COLUMN fund_movement.sanction_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(sanction_id) ON TABLE ifms.fund_movement TO ifms_work;

--
-- Name: COLUMN fund_movement.kind; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(kind) ON TABLE ifms.fund_movement TO ifms_work;
GRANT SELECT(kind) ON TABLE ifms.fund_movement TO ifms_read;

--
-- Name: COLUMN fund_movement.amount; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(amount) ON TABLE ifms.fund_movement TO ifms_work;
GRANT SELECT(amount) ON TABLE ifms.fund_movement TO ifms_read;

--
-- Name: COLUMN fund_movement.allotment_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(allotment_id) ON TABLE ifms.fund_movement TO ifms_work;

--
-- Name: COLUMN fund_movement.payment_instruction_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(payment_instruction_id) ON TABLE ifms.fund_movement TO ifms_work;
GRANT SELECT(payment_instruction_id) ON TABLE ifms.fund_movement TO ifms_read;

--
-- Name: COLUMN fund_movement.created_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(created_at) ON TABLE ifms.fund_movement TO ifms_read;

--
-- Name: TABLE sanction_closing; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.sanction_closing TO ifms_work;

--
-- Name: COLUMN sanction_closing.sanction_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(sanction_id) ON TABLE ifms.sanction_closing TO ifms_work;

--
-- Name: COLUMN sanction_closing.closed; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(closed) ON TABLE ifms.sanction_closing TO ifms_work;

--
-- Name: COLUMN sanction_closing.reason; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(reason) ON TABLE ifms.sanction_closing TO ifms_work;

--
-- Name: COLUMN sanction_closing.person; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(person) ON TABLE ifms.sanction_closing TO ifms_work;

--
-- Name: TABLE fund_register; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.fund_register TO ifms_work;
GRANT SELECT ON TABLE ifms.fund_register TO ifms_read;

--
-- Name: TABLE home; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.home TO ifms_work;

--
-- Name: TABLE import_row; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.import_row TO ifms_work;

--
-- Name: TABLE import_withheld; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.import_withheld TO ifms_work;

--
-- Name: TABLE notice; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.notice TO ifms_work;

--
-- Name: COLUMN notice.wanted; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(wanted) ON TABLE ifms.notice TO ifms_work;

--
-- Name: COLUMN notice.wanted_since; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(wanted_since) ON TABLE ifms.notice TO ifms_work;

--
-- Name: COLUMN notice.missing_since; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(missing_since) ON TABLE ifms.notice TO ifms_work;

--
-- Name: TABLE status_log; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.status_log TO ifms_work;

--
-- Name: COLUMN status_log.id; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(id) ON TABLE ifms.status_log TO ifms_read;

--
-- Name: COLUMN status_log.payment_instruction_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(payment_instruction_id) ON TABLE ifms.status_log TO ifms_work;
GRANT SELECT(payment_instruction_id) ON TABLE ifms.status_log TO ifms_read;

--
-- Name: COLUMN status_log.tenant_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(tenant_id) ON TABLE ifms.status_log TO ifms_work;

--
-- Name: COLUMN status_log.payment_number; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(payment_number) ON TABLE ifms.status_log TO ifms_work;

--
-- Name: COLUMN status_log.service_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(service_id) ON TABLE ifms.status_log TO ifms_work;

--
-- Name: COLUMN status_log.status; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(status) ON TABLE ifms.status_log TO ifms_work;

--
-- Name: COLUMN status_log.from_status; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(from_status) ON TABLE ifms.status_log TO ifms_work;
GRANT SELECT(from_status) ON TABLE ifms.status_log TO ifms_read;

--
-- Name: COLUMN status_log.to_status; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(to_status) ON TABLE ifms.status_log TO ifms_work;
GRANT SELECT(to_status) ON TABLE ifms.status_log TO ifms_read;

--
-- Name: COLUMN status_log.message; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(message) ON TABLE ifms.status_log TO ifms_work;

--
-- Name: COLUMN status_log.sweep_run_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(sweep_run_id) ON TABLE ifms.status_log TO ifms_work;

--
-- Name: COLUMN status_log.created_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(created_at) ON TABLE ifms.status_log TO ifms_read;

--
-- Name: TABLE open_payment_instruction; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.open_payment_instruction TO ifms_work;
GRANT SELECT ON TABLE ifms.open_payment_instruction TO ifms_read;

--
-- Name: TABLE outbox; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.outbox TO ifms_work;

--
-- Name: COLUMN outbox.attempts; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(attempts) ON TABLE ifms.outbox TO ifms_work;

--
-- Name: COLUMN outbox.next_attempt_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(next_attempt_at) ON TABLE ifms.outbox TO ifms_work;

--
-- Name: COLUMN outbox.last_error; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(last_error) ON TABLE ifms.outbox TO ifms_work;

--
-- Name: COLUMN outbox.delivered_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(delivered_at) ON TABLE ifms.outbox TO ifms_work;

--
-- Name: COLUMN outbox.set_aside_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(set_aside_at) ON TABLE ifms.outbox TO ifms_work;

--
-- Name: COLUMN outbox.claim_token; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(claim_token) ON TABLE ifms.outbox TO ifms_work;

--
-- Name: COLUMN outbox.claimed_until; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(claimed_until) ON TABLE ifms.outbox TO ifms_work;

--
-- Name: COLUMN outbox.undeliverable; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(undeliverable) ON TABLE ifms.outbox TO ifms_work;

--
-- Name: TABLE outbox_lag; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.outbox_lag TO ifms_work;
GRANT SELECT ON TABLE ifms.outbox_lag TO ifms_read;

--
-- Name: TABLE overview; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.overview TO ifms_work;

--
-- Name: TABLE overview_failed; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.overview_failed TO ifms_work;

--
-- Name: TABLE overview_instruction; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.overview_instruction TO ifms_work;

--
-- Name: TABLE payment_instruction_summary; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.payment_instruction_summary TO ifms_work;
GRANT SELECT ON TABLE ifms.payment_instruction_summary TO ifms_read;

--
-- Name: TABLE person_action; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.person_action TO ifms_work;

--
-- Name: COLUMN person_action.tenant_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(tenant_id) ON TABLE ifms.person_action TO ifms_work;

--
-- Name: COLUMN person_action.person; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(person) ON TABLE ifms.person_action TO ifms_work;

--
-- Name: COLUMN person_action.action; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(action) ON TABLE ifms.person_action TO ifms_work;

--
-- Name: COLUMN person_action.subject; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(subject) ON TABLE ifms.person_action TO ifms_work;

--
-- Name: COLUMN person_action.reason; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(reason) ON TABLE ifms.person_action TO ifms_work;

--
-- Name: TABLE phrase; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.phrase TO ifms_work;

--
-- Name: COLUMN phrase.withdrawn_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(withdrawn_at) ON TABLE ifms.phrase TO ifms_work;

--
-- Name: COLUMN phrase.withdrawn_by; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(withdrawn_by) ON TABLE ifms.phrase TO ifms_work;

--
-- Name: COLUMN phrase.withdrawn_reason; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(withdrawn_reason) ON TABLE ifms.phrase TO ifms_work;

--
-- Name: TABLE proposal; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.proposal TO ifms_work;

--
-- Name: COLUMN proposal.act; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(act) ON TABLE ifms.proposal TO ifms_work;

--
-- Name: COLUMN proposal.tenant_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(tenant_id) ON TABLE ifms.proposal TO ifms_work;

--
-- Name: COLUMN proposal.subject; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(subject) ON TABLE ifms.proposal TO ifms_work;

--
-- Name: COLUMN proposal.parameters; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(parameters) ON TABLE ifms.proposal TO ifms_work;

--
-- Name: COLUMN proposal.amount; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(amount) ON TABLE ifms.proposal TO ifms_work;

--
-- Name: COLUMN proposal.reason; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(reason) ON TABLE ifms.proposal TO ifms_work;

--
-- Name: COLUMN proposal.proposed_by; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(proposed_by) ON TABLE ifms.proposal TO ifms_work;

--
-- Name: COLUMN proposal.approved_by; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(approved_by) ON TABLE ifms.proposal TO ifms_work;

--
-- Name: COLUMN proposal.refused_by; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(refused_by) ON TABLE ifms.proposal TO ifms_work;

--
-- Name: COLUMN proposal.refused_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(refused_at) ON TABLE ifms.proposal TO ifms_work;

--
-- Name: COLUMN proposal.refusal; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(refusal) ON TABLE ifms.proposal TO ifms_work;

--
-- Name: COLUMN proposal.done_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(done_at) ON TABLE ifms.proposal TO ifms_work;

--
-- Name: COLUMN proposal.done_in; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(done_in) ON TABLE ifms.proposal TO ifms_work;

--
-- Name: COLUMN proposal.failed_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(failed_at) ON TABLE ifms.proposal TO ifms_work;

--
-- Name: COLUMN proposal.result; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(result) ON TABLE ifms.proposal TO ifms_work;

--
-- Name: TABLE reported_failure; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.reported_failure TO ifms_work;

--
-- Name: COLUMN reported_failure.why_unmatched; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(why_unmatched) ON TABLE ifms.reported_failure TO ifms_work;

--
-- Name: COLUMN reported_failure.last_told_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(last_told_at) ON TABLE ifms.reported_failure TO ifms_work;

--
-- Name: COLUMN reported_failure.matched_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(matched_at) ON TABLE ifms.reported_failure TO ifms_work;

--
-- Name: COLUMN reported_failure.settled_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(settled_at) ON TABLE ifms.reported_failure TO ifms_work;

--
-- Name: COLUMN reported_failure.settled_by; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(settled_by) ON TABLE ifms.reported_failure TO ifms_work;

--
-- Name: COLUMN reported_failure.settled_reason; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(settled_reason) ON TABLE ifms.reported_failure TO ifms_work;

--
-- Name: TABLE restore_cleared; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.restore_cleared TO ifms_work;

--
-- Name: TABLE restored; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.restored TO ifms_work;

--
-- Name: TABLE returned_payment; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.returned_payment TO ifms_work;
GRANT SELECT ON TABLE ifms.returned_payment TO ifms_read;

--
-- Name: TABLE sanction_summary; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.sanction_summary TO ifms_work;
GRANT SELECT ON TABLE ifms.sanction_summary TO ifms_read;

--
-- Name: TABLE saved_search; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT,DELETE ON TABLE ifms.saved_search TO ifms_work;

--
-- Name: COLUMN saved_search.query; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(query) ON TABLE ifms.saved_search TO ifms_work;

--
-- Name: COLUMN saved_search.saved_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(saved_at) ON TABLE ifms.saved_search TO ifms_work;

--
-- Name: TABLE second_person; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.second_person TO ifms_work;

--
-- Name: TABLE started_run; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.started_run TO ifms_work;

--
-- Name: COLUMN started_run.dag_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(dag_id) ON TABLE ifms.started_run TO ifms_work;
GRANT SELECT(dag_id) ON TABLE ifms.started_run TO ifms_read;

--
-- Name: COLUMN started_run.run_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(run_id) ON TABLE ifms.started_run TO ifms_work;
GRANT SELECT(run_id) ON TABLE ifms.started_run TO ifms_read;

--
-- Name: COLUMN started_run.started_by; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(started_by) ON TABLE ifms.started_run TO ifms_work;

--
-- Name: COLUMN started_run.tenants; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(tenants) ON TABLE ifms.started_run TO ifms_work;

--
-- Name: COLUMN started_run.conf_sha256; Type: ACL; Schema: ifms; Owner: -
--

GRANT INSERT(conf_sha256) ON TABLE ifms.started_run TO ifms_work;
GRANT SELECT(conf_sha256) ON TABLE ifms.started_run TO ifms_read;

--
-- Name: TABLE status_history; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.status_history TO ifms_work;
GRANT SELECT ON TABLE ifms.status_history TO ifms_read;

--
-- Name: TABLE status_transition; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.status_transition TO ifms_work;

--
-- Name: TABLE sweep_run; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.sweep_run TO ifms_work;

--
-- Name: COLUMN sweep_run.state; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(state) ON TABLE ifms.sweep_run TO ifms_work;

--
-- Name: COLUMN sweep_run.counts; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(counts) ON TABLE ifms.sweep_run TO ifms_work;

--
-- Name: COLUMN sweep_run.problems; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(problems) ON TABLE ifms.sweep_run TO ifms_work;

--
-- Name: COLUMN sweep_run.message; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(message) ON TABLE ifms.sweep_run TO ifms_work;

--
-- Name: COLUMN sweep_run.finished_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(finished_at) ON TABLE ifms.sweep_run TO ifms_work;

--
-- Name: COLUMN sweep_run.discovered_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(discovered_at) ON TABLE ifms.sweep_run TO ifms_work;

--
-- Name: COLUMN sweep_run.presumed_dead; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(presumed_dead) ON TABLE ifms.sweep_run TO ifms_work;

--
-- Name: TABLE unknown_answer; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.unknown_answer TO ifms_work;

--
-- Name: COLUMN unknown_answer.sample; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(sample) ON TABLE ifms.unknown_answer TO ifms_work;

--
-- Name: COLUMN unknown_answer.times; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(times) ON TABLE ifms.unknown_answer TO ifms_work;

--
-- Name: COLUMN unknown_answer.last_heard_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(last_heard_at) ON TABLE ifms.unknown_answer TO ifms_work;

--
-- Name: COLUMN unknown_answer.phrase_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(phrase_id) ON TABLE ifms.unknown_answer TO ifms_work;

--
-- Name: TABLE unmatched_failure; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.unmatched_failure TO ifms_work;
GRANT SELECT ON TABLE ifms.unmatched_failure TO ifms_read;

--
-- Name: TABLE user_language; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.user_language TO ifms_work;

--
-- Name: COLUMN user_language.language; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(language) ON TABLE ifms.user_language TO ifms_work;

--
-- Name: COLUMN user_language.chosen_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(chosen_at) ON TABLE ifms.user_language TO ifms_work;

--
-- Name: TABLE va_watermark; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.va_watermark TO ifms_work;

--
-- Name: COLUMN va_watermark.tenant_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT(tenant_id) ON TABLE ifms.va_watermark TO ifms_read;

--
-- Name: COLUMN va_watermark.fetched_until; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(fetched_until) ON TABLE ifms.va_watermark TO ifms_work;

--
-- Name: COLUMN va_watermark.asked_from; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(asked_from) ON TABLE ifms.va_watermark TO ifms_work;

--
-- Name: COLUMN va_watermark.polled_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(polled_at) ON TABLE ifms.va_watermark TO ifms_work;

--
-- Name: COLUMN va_watermark.claim_token; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(claim_token) ON TABLE ifms.va_watermark TO ifms_work;

--
-- Name: COLUMN va_watermark.claimed_until; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(claimed_until) ON TABLE ifms.va_watermark TO ifms_work;

--
-- Name: TABLE voucher_date_asked; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT,INSERT ON TABLE ifms.voucher_date_asked TO ifms_work;

--
-- Name: COLUMN voucher_date_asked.answered_at; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(answered_at) ON TABLE ifms.voucher_date_asked TO ifms_work;

--
-- Name: COLUMN voucher_date_asked.sweep_run_id; Type: ACL; Schema: ifms; Owner: -
--

GRANT UPDATE(sweep_run_id) ON TABLE ifms.voucher_date_asked TO ifms_work;

--
-- Name: TABLE waiting_payment; Type: ACL; Schema: ifms; Owner: -
--

GRANT SELECT ON TABLE ifms.waiting_payment TO ifms_work;
GRANT SELECT ON TABLE ifms.waiting_payment TO ifms_read;

--
-- Name: DEFAULT PRIVILEGES FOR TABLES; Type: DEFAULT ACL; Schema: ifms; Owner: -
--

ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA ifms GRANT SELECT,INSERT ON TABLES TO ifms_work;

--
-- PostgreSQL database dump complete
--
