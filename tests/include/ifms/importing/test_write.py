"""What the Java adapter had is here: every row and every column, and what it has done since."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import pytest
from psycopg import errors
from support.databases import as_worker
from support.failed import TENANT
from support.java import broken, imported, statuses
from support.java_rows import (
    CITY,
    FAILED,
    NEW_YEAR,
    ORIGINALS,
    OTHER,
    SOME_ID,
    TABLES,
    copied,
    kept,
    moved,
    people,
    person,
    pi,
)

from ifms.cities import Cities
from ifms.errors import BadInputError
from ifms.importing import rules
from ifms.ledger import funds
from ifms.queries import instruction, search


def test_all_that_it_had_is_here(java_world, here):
    report = imported(java_world, here)
    assert (report.misfits, report.rehearsed) == ([], False)
    assert len(report.tables) == 10
    assert all(t.agrees and t.here == t.rows and not t.left_out for t in report.tables), report.tables
    assert statuses(here) == statuses(java_world.adapter)
    assert {status for _, status in statuses(here)} == {
        "INITIATED",
        "APPROVED",
        "IN PROCESS",
        "SUCCESSFUL",
        "PARTIAL",
        "COMPLETED",
        "FAILED",
    }
    balances = "SELECT master_allotment_id, hoa_code, allotted_amount, reserved_amount, spent_amount, available_amount, ssu_id, grantee_code, scheme_code, financial_year FROM ifms.sanction ORDER BY 1, 2"
    assert here.rows(balances) == java_world.adapter.rows(balances)
    sent = "SELECT pi_number, bill_date, pi_approved_id, pa_token_number, pa_bill_ref_number, org_bill_ref_number, org_bill_date, ssu_id, net_amount FROM ifms.payment_instruction WHERE sanction_id IS NOT NULL ORDER BY 1"
    accepted = f"SELECT * FROM ({sent}) p WHERE pi_number IN (SELECT pi_number FROM ifms.payment_instruction JOIN ifms.fund_movement m ON m.payment_instruction_id = payment_instruction.id OR pi_type = 'REVISED' WHERE kind = 'DEBIT') ORDER BY 1"
    assert here.rows(accepted) == java_world.adapter.rows(accepted)  # the treasury is asked in the very same words
    people = "SELECT beneficiary_number, beneficiary_id, amount, line_item_ids, status, voucher_number, utr_number, failed_on FROM ifms.beneficiary b JOIN ifms.payment_instruction p ON p.id = payment_instruction_id WHERE p.status <> 'FAILED' ORDER BY 1, p.created_at"
    columns = people.replace("status, voucher", "b.status, voucher")
    assert here.rows(columns) == java_world.adapter.rows(columns)
    marks = "SELECT tenant_id, hoa_code, ddo_code, grantee_code, ssu_id, date_trunc('milliseconds', fetched_until) AS until FROM ifms.va_watermark ORDER BY 2"
    assert here.rows(marks) == java_world.adapter.rows(marks)
    assert broken(here) == {}


def test_every_column_is_kept_and_every_log(java_world, here):
    imported(java_world, here)
    for table in ("jit_payment_inst_details", "jit_beneficiary_details", "jit_transaction_details"):
        kept = here.rows("SELECT content FROM ifms.import_row WHERE source = %s ORDER BY source_id", table)
        there = java_world.database.run(f"SELECT to_jsonb(t) AS content FROM {table} t ORDER BY id")
        assert kept == there
    logs = java_world.database.run("SELECT count(*) AS n FROM jit_pi_status_logs")[0]["n"]
    assert here.rows("SELECT count(*) AS n FROM ifms.status_log WHERE service_id <> 'IMPORT'") == [{"n": logs}]


def test_what_it_has_done_since_is_copied_the_next_time(java_world, here):
    imported(java_world, here)
    initiated, approved = java_world.number["INITIATED"], java_world.number["APPROVED"]
    # The SSU has rejected one; the advice of the other is made.
    run, keep = java_world.database.run, java_world.database.keep
    run(
        "UPDATE jit_payment_inst_details SET pistatus = 'FAILED', pierrorresp = 'rejected', lastmodifiedby = 'test' WHERE pinumber = %s",
        initiated,
    )
    run(
        "UPDATE jit_beneficiary_details SET paymentstatus = 'Payment Failed' WHERE piid IN (SELECT id FROM jit_payment_inst_details WHERE pinumber = %s)",
        initiated,
    )
    [debit] = run(
        "SELECT t.* FROM jit_transaction_details t JOIN jit_payment_inst_details p ON p.id = paymentinstid WHERE pinumber = %s",
        initiated,
    )
    keep(
        "jit_transaction_details",
        tenantId=debit["tenantid"],
        sanctionId=debit["sanctionid"],
        paymentInstId=debit["paymentinstid"],
        transactionAmount=debit["transactionamount"],
        transactionType="REVERSAL",
    )
    run(
        "UPDATE jit_funds_summary SET availableamount = availableamount + %s WHERE sanctionid = %s",
        debit["transactionamount"],
        debit["sanctionid"],
    )
    run("UPDATE jit_payment_inst_details SET pistatus = 'IN PROCESS' WHERE pinumber = %s", approved)
    run(
        "UPDATE jit_beneficiary_details SET paymentstatus = 'Payment In Process' WHERE piid IN (SELECT id FROM jit_payment_inst_details WHERE pinumber = %s)",
        approved,
    )
    run(
        "UPDATE jit_payment_advice_details SET pabillrefnumber = '71', pafinyear = '2026', patokennumber = '72', patokendate = '2026-01-02' WHERE piid IN (SELECT id FROM jit_payment_inst_details WHERE pinumber = %s)",
        approved,
    )
    report = imported(java_world, here)
    assert report.misfits == []
    people = run(
        "SELECT count(*) AS n FROM jit_beneficiary_details WHERE piid IN (SELECT id FROM jit_payment_inst_details WHERE pinumber IN (%s, %s))",
        initiated,
        approved,
    )[0]["n"]
    assert report.changed == 2 + people + 1 + 1 + 1  # PIs, beneficiaries, transaction, summary, advice
    rows = {r["pi_number"]: r for r in here.rows("SELECT * FROM ifms.payment_instruction")}
    assert (rows[approved]["status"], rows[approved]["pa_token_number"]) == ("IN PROCESS", "72")
    assert rows[initiated]["status"] == "FAILED"
    [payment] = here.rows("SELECT * FROM ifms.payment WHERE payment_number = %s", rows[initiated]["payment_number"])
    assert (payment["paid_by"], payment["hold_code"]) == (None, "PI_REJECTED")
    assert broken(here) == {}


def test_since_when_each_stands_where_it_stands_is_its_own_time(java_world, here):
    """Not the import's: what had waited for a month then has waited for a month."""
    imported(java_world, here)
    rows = here.rows("SELECT pi_number, status, status_since, created_at, updated_at FROM ifms.payment_instruction")
    assert rows
    for row in rows:
        assert row["status_since"] == (row["created_at"] if row["status"] == "PENDING" else row["updated_at"]), row


def test_what_this_ledger_changes_of_an_imported_pi_is_told_from_then_on(java_world, here):
    imported(java_world, here)
    number = java_world.number["IN PROCESS"]
    of = "payment_instruction_id = (SELECT id FROM ifms.payment_instruction WHERE pi_number = %s)"
    with psycopg.connect(here.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            f"UPDATE ifms.beneficiary SET status = 'Payment Successful', voucher_number = 'v', utr_number = 'u' WHERE {of}",
            (number,),
        )
    assert set(broken(here)) == {"lines_are_told"}


def test_an_imported_pi_that_is_rejected_here_is_told_of(java_world, here):
    imported(java_world, here)
    assert "lines_are_told" not in broken(here)
    with psycopg.connect(here.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE ifms.payment_instruction SET status = 'FAILED' WHERE pi_number = %s",
            (java_world.number["INITIATED"],),
        )
    assert "lines_are_told" in broken(here)


def test_a_line_of_no_rupees_that_was_tried_there_is_not_missed_among_those_that_are_paid(java_world, here):
    """The Java adapter's PIs name such lines, those of this ledger don't."""
    imported(java_world, here)
    [own] = here.rows(
        "SELECT id, tenant_id, payment_number FROM ifms.payment_instruction WHERE pi_number = %s",
        java_world.number["IN PROCESS"],
    )
    [tried] = here.rows("SELECT id FROM ifms.payment_instruction WHERE pi_number = %s", java_world.number["INITIATED"])
    key = f"{own['tenant_id']}:{own['payment_number']}"
    with psycopg.connect(here.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE ifms.beneficiary SET status = 'Payment Successful' WHERE payment_instruction_id = %s",
            (own["id"],),
        )
        connection.execute(
            "UPDATE ifms.payment_instruction SET payment_number = %s, status = 'FAILED' WHERE id = %s",
            (own["payment_number"], tried["id"]),
        )
        connection.execute(
            "UPDATE ifms.beneficiary SET created_at = created_at - interval '1 year' WHERE payment_instruction_id = %s",
            (tried["id"],),
        )
        connection.execute(
            "UPDATE ifms.status_log SET to_status = 'FAILED' WHERE payment_instruction_id = %s AND service_id = 'IMPORT'",
            (tried["id"],),
        )
        connection.execute(
            "INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload, delivered_at) VALUES"
            " ('payment_status', %s, %s, '{\"status\": \"SUCCESSFUL\"}', now())",
            (own["tenant_id"], key),
        )
    assert "lines_are_told" not in broken(here)


def test_only_the_owner_imports(java_world, here):
    imported(java_world, here)
    with psycopg.connect(as_worker(here.dsn), autocommit=True) as worker:
        columns = [
            row[0]
            for row in worker.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'ifms' AND table_name = 'payment_instruction' AND is_generated = 'NEVER' AND column_name NOT IN ('id', 'pi_number', 'status')"
            )
        ]
        names = ", ".join(columns)
        with pytest.raises(errors.CheckViolation, match="only the owner"):
            worker.execute(
                f"INSERT INTO ifms.payment_instruction (pi_number, {names}) SELECT 'PI-XX/1', {names} FROM ifms.payment_instruction LIMIT 1".encode()
            )
        with pytest.raises(errors.CheckViolation, match="only the owner"):
            worker.execute(
                """
                INSERT INTO ifms.beneficiary SELECT (jsonb_populate_record(b, jsonb_build_object(
                    'id', gen_random_uuid(), 'beneficiary_number', 'x'))).* FROM ifms.beneficiary b LIMIT 1
                """
            )
        with pytest.raises(errors.InsufficientPrivilege):
            worker.execute("UPDATE ifms.beneficiary SET imported_as = 'Payment Failed'")
        with pytest.raises(errors.InsufficientPrivilege):
            worker.execute("UPDATE ifms.import_withheld SET settled_at = now()")
        with pytest.raises(errors.InsufficientPrivilege):
            worker.execute("UPDATE ifms.payment_instruction SET imported_at = NULL")


def test_what_the_treasury_paid_before_is_booked_though_it_overdraws_and_nothing_more_is_reserved(java_world, here):
    """Two PIs at once took the same money, as the Java adapter let them: that is what its rows say, and it is so."""
    run = java_world.database.run
    [debit] = run(
        "SELECT t.*, s.masterallotmentid FROM jit_transaction_details t JOIN jit_sanction_details s ON s.id = t.sanctionid LIMIT 1"
    )
    run("UPDATE jit_payment_inst_details SET lastmodifiedby = 'test'")
    run("UPDATE jit_allotment_details SET allotmentamount = 1 WHERE sanctionid = %s", debit["sanctionid"])
    assert imported(java_world, here, by_rows=[debit["masterallotmentid"]]).misfits == []
    [sanction] = here.rows("SELECT id, available_amount FROM ifms.sanction WHERE available_amount < 0")
    assert broken(here) == {}
    with psycopg.connect(as_worker(here.dsn), autocommit=True) as worker:
        found = funds.choose_funding(
            worker,
            TENANT,
            Decimal(1),
            [
                (row["ddo_code"], row["grantee_code"], row["hoa_code"])
                for row in here.rows("SELECT * FROM ifms.sanction")
            ],
            financial_year=here.rows("SELECT max(financial_year) AS y FROM ifms.sanction")[0]["y"],
        )
        assert found is not None
        assert found.sanction_id != sanction["id"]


def test_the_database_itself_refuses_a_pi_for_what_was_left_out(java_world, here):
    number = java_world.number["APPROVED"]
    java_world.database.run(
        "UPDATE jit_payment_inst_details SET pistatus = '?', lastmodifiedby = 'test' WHERE pinumber = %s", number
    )
    imported(java_world, here)
    [withheld] = here.rows("SELECT * FROM ifms.import_withheld")
    with psycopg.connect(here.dsn, autocommit=True) as owner:
        columns = [
            row[0]
            for row in owner.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'ifms' AND table_name = 'payment_instruction' AND is_generated = 'NEVER' AND column_name NOT IN ('id', 'pi_number', 'status', 'imported_at', 'payment_number')"
            )
        ]
        names = ", ".join(columns)
        with pytest.raises(errors.CheckViolation, match="could not be imported"):
            owner.execute(
                f"INSERT INTO ifms.payment_instruction (pi_number, payment_number, {names}) SELECT 'PI-XX/1', %s, {names} FROM ifms.payment_instruction LIMIT 1".encode(),
                (withheld["payment_number"],),
            )


def test_people_find_and_see_every_pi_that_was_imported(java_world, here):
    imported(java_world, here)
    numbers = [row["pi_number"] for row in here.rows("SELECT pi_number FROM ifms.payment_instruction")]
    with psycopg.connect(as_worker(here.dsn)) as connection:
        for number in numbers:
            whole = instruction.by_number(connection, number, Cities.ALL)
            assert whole is not None
            assert instruction.around(connection, whole, Cities.ALL)
        assert search.count(connection, search.Criteria(tenant_id=TENANT), Cities.ALL) == len(numbers)


A_SANCTION = "5a5c7a3e-0000-4000-8000-000000000001"


def test_what_is_left_out_is_withheld_with_what_it_has_spent_and_why(rows):
    for change in (
        person("initiated-0", paymentstatus="Payment Lost", beneficiarytype="x"),
        pi("approved", pistatus="SENT"),
        moved("approved-DEBIT", sanctionid="s3"),
        pi("rejected", pistatus="SENT"),
        pi("declined", pistatus="SENT"),
        copied("jit_transaction_details", "paid-DEBIT", "lost", paymentinstid="none", transactionamount=7),
        copied("jit_transaction_details", "paid-DEBIT", "gone", paymentinstid="other", transactionamount=7),
        copied("jit_transaction_details", "gone", "back", paymentinstid="other", transactiontype="REVERSAL"),
        "UPDATE jit_funds_summary SET availableamount = availableamount + CASE sanctionid WHEN 's1' THEN 93 ELSE -100 END WHERE sanctionid IN ('s1', 's3')",
    ):
        rows.database.run(change)
    with rows.taken_over() as (report, look):
        assert not [remark for remark in report.remarks if "stays withheld" in remark]
        found = look("SELECT * FROM ifms.import_withheld ORDER BY payment_number")
        spent = look("SELECT spent_amount + ifms.withheld(s) AS n FROM ifms.sanction s ORDER BY master_allotment_id")
    names = ("tenant_id", "payment_number", "hoa_code", "ddo_code", "master_allotment_id", "amount", "settled_at")
    assert [tuple(row[name] for name in names) for row in found] == [
        (CITY, "APPROVED", None, None, None, 0, None),
        (CITY, "DECLINED", None, None, None, 0, None),
        (CITY, "INITIATED", "H1", "D1", "M-s1", 100, None),
        (CITY, "REJECTED", "H1", "D1", "M-s1", 0, None),
        (OTHER, "transactions of PI approved", "H2", "D2", "M-s3", 100, None),
        (CITY, "transactions of PI none", "H1", "D1", "M-s1", 7, None),
    ]
    assert found[2]["reason"] == (
        "beneficiary N-initiated-0 of PI PI-initiated: it is Payment Lost, the PI INITIATED; beneficiary N-initiated-0"
        " of PI PI-initiated: its number, payee, kind of payee, amount or lines are missing or can't be read"
    )
    assert found[-1]["reason"] == "its transactions belong to no payment instruction of its city"
    assert {row["last_told_at"] for row in found} == {row["first_told_at"] for row in found}
    assert [row["n"] for row in spent] == [707, 0, 100]  # all but what came back
    left_out = {t.name.removeprefix("jit_"): (t.left_out, t.money_left_out) for t in report.tables if t.left_out}
    assert left_out == {
        "allotment_details": (1, 80),
        "payment_inst_details": (4, 400),
        "payment_advice_details": (4, 0),
        "pi_status_logs": (4, 0),
        "beneficiary_details": (8, 400),
        "beneficiary_lineitems": (8, 0),
        "transaction_details": (7, 421),
    }
    order = ["row"] * 3 + ["payment"] * (len(report.misfits) - 3)
    assert [m.scope for m in report.misfits] == order


def test_a_sanction_that_is_left_out_is_left_out_with_all_that_it_paid(rows):
    rows.database.run("UPDATE jit_funds_summary SET allottedamount = 1 WHERE sanctionid = 's1'")
    with rows.taken_over() as (report, look):
        held = look("SELECT payment_number, amount FROM ifms.import_withheld ORDER BY 1")
        there = look("SELECT master_allotment_id AS of FROM ifms.sanction ORDER BY 1")
        pis = look("SELECT pi_number FROM ifms.payment_instruction")
        booked = look("SELECT sum(amount) AS n FROM ifms.fund_movement")
    paid = {name.upper(): 0 if name == "rejected" else 100 for name in ORIGINALS if name != "declined"}
    assert {row["payment_number"]: row["amount"] for row in held} == paid
    assert [row["of"] for row in there] == ["M-s2", "M-s3"]
    assert [row["pi_number"] for row in pis] == ["PI-declined"]
    assert booked == [{"n": 250 + 80 + 30}]
    assert [m.scope for m in report.misfits] == ["sanction", *["payment"] * len(paid)]
    left_out = {t.name.removeprefix("jit_"): t.left_out for t in report.tables if t.left_out}
    assert left_out == {
        "sanction_details": 1,
        "funds_summary": 1,
        "allotment_details": 3,
        "payment_inst_details": 11,
        "payment_advice_details": 11,
        "beneficiary_details": 20,
        "beneficiary_lineitems": 20,
        "transaction_details": 10,
        "pi_status_logs": 11,
    }
    assert [m.about for m in report.misfits[1:]] == sorted(f"PI PI-{x}" for x in (*(n.lower() for n in paid),))


TOLD_BEFORE = """
    INSERT INTO ifms.import_withheld (tenant_id, payment_number, hoa_code, ddo_code, master_allotment_id, amount, reason,
        first_told_at, last_told_at, settled_at)
    VALUES ('od.sample', 'INITIATED', 'H1', 'D1', 'M-s1', 1, 'another', '2026-02-01', '2026-02-02', '2026-02-03'),
           ('od.sample', 'APPROVED', 'H1', 'D1', 'M-s1', 1, 'another', '2026-02-01', '2026-02-02', NULL),
           ('od.sample', 'PAID', 'H1', 'D1', 'M-s1', 1, 'another', '2026-02-01', '2026-02-02', '2026-02-03')
"""


def test_what_fits_now_is_settled_and_what_does_not_again_is_withheld_anew(rows):
    rows.database.run(pi("initiated", pistatus="SENT"))
    with rows.taken_over(here=TOLD_BEFORE) as (_, look):
        [now] = look("SELECT now() AS t")
        found = {row["payment_number"]: row for row in look("SELECT * FROM ifms.import_withheld")}
    earlier = [datetime(2026, 2, n, tzinfo=UTC) for n in (1, 2, 3)]
    again = found["INITIATED"]
    assert (again["amount"], "SENT" in again["reason"], again["settled_at"]) == (100, True, None)
    assert (again["first_told_at"], again["last_told_at"]) == (earlier[0], now["t"])
    assert {name: (row["last_told_at"], row["settled_at"]) for name, row in found.items() if row is not again} == {
        "APPROVED": (earlier[1], now["t"]),
        "PAID": (earlier[1], earlier[2]),
    }


def test_what_was_withheld_under_its_pi_s_number_or_id_is_settled_in_its_own_city_alone(rows):
    names = ("APPROVED", "PI PI-approved", "PI approved")
    told = """
        INSERT INTO ifms.import_withheld (tenant_id, payment_number, hoa_code, ddo_code, master_allotment_id, amount,
            reason, first_told_at, last_told_at)
        SELECT tenant_id, name, 'H1', 'D1', 'M-s1', 1, 'another', '2026-02-01', '2026-02-02'
        FROM unnest(ARRAY['od.sample', 'od.other']) tenant_id, unnest(
            ARRAY['APPROVED', 'PI PI-approved', 'PI approved', 'transactions of PI approved']) name
    """
    with rows.taken_over(here=told) as (_, look):
        found = look("SELECT * FROM ifms.import_withheld WHERE settled_at IS NULL ORDER BY payment_number")
    assert [(row["tenant_id"], row["payment_number"]) for row in found] == [("od.other", name) for name in names[:3]]


def test_whose_pi_was_paid_is_paid_though_another_was_rejected_before(rows):
    rows.replace_all({name: ORIGINALS[name] for name in ("rejected", "paid")}, {})
    with rows.taken_over() as (report, look):
        assert report.misfits == []
        assert look(
            "SELECT p.payment_number, b.status FROM ifms.beneficiary b JOIN ifms.payment_instruction p ON p.id = payment_instruction_id ORDER BY 1"
        ) == [
            {"payment_number": name, "status": status}
            for name, status in (("PAID", "Payment Successful"), ("REJECTED", FAILED))
            for _ in range(2)
        ]


def test_two_payments_of_the_same_lines_that_were_both_sent_there_are_remarked(rows):
    """The Java adapter, run twice at once, made two payments of one bill."""
    pays = "UPDATE jit_beneficiary_lineitems SET lineitemid = 'line %s' WHERE id = '%s-line'"
    for line, of in (
        ("paid-0", "approved-0"),
        ("paid-1", "approved-1"),
        ("completed-1", "processed-1"),  # which a revision pays, too
        ("partial-0", "scrolled-0"),
        ("processed-0", "rejected-0"),  # which has failed
    ):
        rows.database.run(pays % (line, of))
    asked = "ask it to stop what is not paid yet, and claim back what was paid twice"
    with rows.taken_over() as (report, look):
        assert report.misfits == []
        assert [each for each in report.remarks if "same" in each] == [
            "payments APPROVED and PAID of od.sample pay the same 2 lines, one of them line paid-0, and the treasury has "
            f"been sent both: {asked}",
            "payments COMPLETED and PROCESSED of od.sample pay the same line line completed-1, and the treasury has been "
            f"sent both: {asked}",
            "payments PARTIAL and SCROLLED of od.sample pay the same line line partial-0, and the treasury has been sent "
            f"both: {asked}",
        ]
        assert {
            row["status"]
            for row in look("SELECT status FROM ifms.payment_instruction WHERE pi_number IN ('PI-paid', 'PI-approved')")
        } == {"SUCCESSFUL", "APPROVED"}


GONE = """
    INSERT INTO ifms.import_withheld (tenant_id, payment_number, hoa_code, ddo_code, master_allotment_id, amount, reason,
        first_told_at, last_told_at)
    VALUES ('od.sample', 'GONE', 'H1', 'D1', 'M-s1', 100, 'PI PI-gone: it is SENT', '2026-02-01', '2026-02-02')
"""
WITHHELD = "SELECT payment_number FROM ifms.import_withheld WHERE settled_at IS NULL"


@pytest.mark.parametrize("emptied", [False, True])
def test_what_is_not_there_any_more_stays_withheld_until_somebody_says_that_it_was_removed(rows, emptied):
    """An older copy, or an empty one, says nothing of what the treasury has of it."""
    if emptied:
        rows.database.run("TRUNCATE " + ", ".join(TABLES))
    with rows.taken_over(here=GONE) as (report, look):
        assert look(WITHHELD) == [{"payment_number": "GONE"}]
        assert [each for each in report.remarks if "GONE" in each] == [
            "payment GONE of od.sample stays withheld, though this database has it no more; if its rows were removed "
            "because nothing of it was ever sent, name it with --removed"
        ]
    with rows.taken_over(here=GONE, removed=["GONE"]) as (report, look):
        assert look(WITHHELD) == []
        assert not [each for each in report.remarks if "GONE" in each]
    theirs = GONE.replace("od.sample", "od.other")
    with rows.taken_over(here=GONE + ";" + theirs, removed=["GONE"], removed_of="od.other") as (report, look):
        assert look("SELECT tenant_id FROM ifms.import_withheld WHERE settled_at IS NULL") == [
            {"tenant_id": "od.sample"}
        ]
    with (
        pytest.raises(BadInputError, match="--removed ANOTHER: no payment of this number is withheld here"),
        rows.taken_over(here=GONE, removed=["ANOTHER"]),
    ):
        pass


@pytest.mark.parametrize("blank", [" ", "\t", "\n", "\u00a0", "\ufeff"])
def test_a_number_with_blanks_around_it_is_that_number(rows, blank):
    rows.database.run(
        "UPDATE jit_payment_inst_details SET muktareferenceid = %s WHERE pinumber = 'PI-approved'",
        f"{blank}APPROVED{blank}",
    )
    known = """
        INSERT INTO ifms.payment (tenant_id, payment_number, payment_id, amount, raised_at)
        VALUES ('od.sample', 'APPROVED', 'sample', 100, now())
    """
    with rows.taken_over(here=known) as (_, look):
        assert look("SELECT paid_by IS NOT NULL AS paid FROM ifms.payment WHERE payment_number = 'APPROVED'") == [
            {"paid": True}
        ]


KNOWN = f"""
    INSERT INTO ifms.sanction (id, tenant_id, hoa_code, ddo_code, ssu_id, grantee_code, scheme_code, master_allotment_id,
        financial_year, sanctioned_amount)
    VALUES ('{A_SANCTION}', 'od.sample', 'H1', 'D1', 'SSU1', 'G1', 'S1', 'M-s2', '2025-26', 9000);
    WITH told AS (
        INSERT INTO ifms.allotment (tenant_id, hoa_code, ddo_code, grantee_code, ssu_id, scheme_code, master_allotment_id,
            ssu_allotment_id, serial_no, kind, amount, sanction_balance, allotment_date, sanction_id)
        SELECT 'od.sample', 'H1', 'D1', 'G1', 'SSU1', 'S1', of, 'A', n, kind, amount, 0, '2026-01-01', id::uuid
        FROM (VALUES ('M-s2', 1, 'INITIAL', 250, '{A_SANCTION}'), ('M-s2', 5, 'ADDITIONAL', 5, '{A_SANCTION}'),
                     ('M-s1', 2, 'ADDITIONAL', 10, NULL), ('M-s1', 7, 'ADDITIONAL', 6, NULL),
                     ('M-s9', 2, 'ADDITIONAL', 1, NULL)) known (of, n, kind, amount, id)
        RETURNING id, sanction_id, amount
    )
    INSERT INTO ifms.fund_movement (sanction_id, kind, amount, allotment_id)
    SELECT sanction_id, 'ALLOTMENT', amount, id FROM told WHERE sanction_id IS NOT NULL;
"""


def test_what_this_ledger_had_of_a_sanction_stays_and_counts_once(rows):
    rows.database.run(copied("jit_sanction_details", "s2", A_SANCTION, masterallotmentid="M-u", hoacode="H2"))
    rows.database.run(copied("jit_funds_summary", "f-s3", "f-u", sanctionid=A_SANCTION, tenantid=CITY))
    with rows.taken_over(here=KNOWN) as (report, look):
        found = look("SELECT *, id::text AS key FROM ifms.sanction ORDER BY master_allotment_id")
        counted = look(
            "SELECT a.serial_no, a.master_allotment_id AS of, s.master_allotment_id AS on FROM ifms.allotment a"
            " LEFT JOIN ifms.sanction s ON s.id = a.sanction_id ORDER BY 2, 1"
        )
    assert report.misfits == []
    assert [(row["master_allotment_id"], row["allotted_amount"]) for row in found] == [
        ("M-s1", 5006),
        ("M-s2", 305),
        ("M-s3", 0),
        ("M-u", 0),
    ]
    assert found[1]["key"] == A_SANCTION != found[3]["key"]
    assert [(row["of"], row["serial_no"]) for row in counted] == [
        *(("M-s1", n) for n in (1, 2, 7)),
        *(("M-s2", n) for n in (1, 2, 3, 4, 5)),
        ("M-s9", 2),
    ]
    assert {row["of"] for row in counted if row["on"] != row["of"]} == {"M-s9"}


@pytest.mark.parametrize(
    ("here", "until"), [("NULL", datetime(2026, 1, 1, tzinfo=UTC)), ("'2026-02-01'", datetime(2026, 2, 1, tzinfo=UTC))]
)
def test_a_watermark_that_this_ledger_has_stays(rows, here, until):
    known = f"INSERT INTO ifms.va_watermark (tenant_id, hoa_code, ddo_code, grantee_code, ssu_id, fetched_until) VALUES ('{CITY}', 'H1', 'D1', 'G1', 'SSU1', {here})"
    with rows.taken_over(here=known) as (_, look):
        assert [row["fetched_until"] for row in look("SELECT * FROM ifms.va_watermark")] == [until]


def test_of_several_watermarks_of_a_ddo_the_earliest_counts(rows):
    rows.database.run(copied("jit_executed_va_logs", "va", "later", lastexecuted=NEW_YEAR + 60_000))
    rows.database.run(
        copied(
            "jit_executed_va_logs",
            "va",
            "elsewhere",
            tenantid=OTHER,
            ddocode="D2",
            hoacode="H2",
            lastexecuted=NEW_YEAR + 60_000,
        )
    )
    rows.database.run(copied("jit_executed_va_logs", "va", "earlier", lastexecuted=NEW_YEAR - 60_000))
    with rows.taken_over() as (_, look):
        found = look("SELECT * FROM ifms.va_watermark ORDER BY hoa_code")
        assert [(r["tenant_id"], r["ssu_id"], r["fetched_until"].minute) for r in found] == [
            (CITY, "SSU1", 59),
            (OTHER, "SSU2", 1),
        ]


def test_a_payment_that_this_ledger_knows_is_paid_and_no_other_pi_is_made_for_it(rows):
    known = """
        INSERT INTO ifms.payment (tenant_id, payment_number, payment_id, amount, raised_at, hold_code, hold_message,
            held_since, claim_token, claimed_until)
        SELECT tenant, name, tenant || name, 100, '2026-02-01', code, 'waits' || substr(code, 9, 0), CASE WHEN code <> '' THEN now() END,
               gen_random_uuid(), now() + interval '1 hour'
        FROM (VALUES ('od.sample', 'INITIATED', 'NO_FUNDS'), ('od.other', 'INITIATED', 'NO_FUNDS'), ('od.sample', 'REJECTED', 'NO_FUNDS')) known (tenant, name, code)
    """
    with rows.taken_over(here=known) as (report, look):
        found = look(
            "SELECT y.*, i.pi_number FROM ifms.payment y LEFT JOIN ifms.payment_instruction i ON i.id = y.paid_by WHERE y.payment_id <> '' ORDER BY y.payment_number, y.tenant_id"
        )
    assert report.misfits == []
    names = ("tenant_id", "payment_number", "pi_number", "hold_code")
    assert [tuple(row[name] for name in names) for row in found] == [
        (OTHER, "INITIATED", None, "NO_FUNDS"),
        (CITY, "INITIATED", "PI-initiated", None),
        (CITY, "REJECTED", None, "NO_FUNDS"),  # held already
    ]
    assert [row["claim_token"] is None for row in found] == [False, True, False]
    assert (found[1]["hold_message"], found[1]["held_since"], found[1]["claimed_until"]) == (None, None, None)


def test_a_watermark_of_a_ddo_that_is_nobodys_is_left_out(rows):
    rows.database.run("UPDATE jit_executed_va_logs SET ddocode = 'D9'")
    with rows.taken_over() as (report, look):
        assert [(t.name, t.left_out) for t in report.tables if t.here == 0] == [("jit_executed_va_logs", 1)]
        assert look("SELECT FROM ifms.va_watermark") == []


def test_a_pi_whose_id_another_has_here_gets_an_id_of_its_own(rows):
    for table, column in (
        ("jit_payment_inst_details", "id"),
        ("jit_beneficiary_details", "piid"),
        ("jit_payment_advice_details", "piid"),
        ("jit_pi_status_logs", "piid"),
    ):
        rows.database.run(f"UPDATE {table} SET {column} = '{SOME_ID}' WHERE {column} = 'declined'")
    with rows.taken_over(here=kept("PI-here", "HERE", "FAILED", id=SOME_ID, imported_at="2026-02-01")) as (_, look):
        found = look("SELECT pi_number, id::text AS key FROM ifms.payment_instruction ORDER BY pi_number")
    ids = {row["pi_number"]: row["key"] for row in found}
    assert len(ids) == 13
    assert ids["PI-here"] == SOME_ID != ids["PI-declined"]


def test_what_was_tried_and_failed_beside_a_live_pi_is_taken_over_too(rows):
    """An original after one that is paid, with another amount; a revision after one that is under way."""
    rows.database.run(pi("declined", muktareferenceid="INITIATED", netamount=90, grossamount=90))
    rows.database.run(person("declined-0", amount=50))
    rows.add("late-2", 60, "FAILED", [FAILED], "PI-again", "Read timed out")
    rows.database.run(pi("late-2", muktareferenceid="AGAIN"))
    rows.database.run(person("late-2-0", beneficiarynumber="N-again-1"))
    with rows.taken_over() as (report, look):
        found = look(
            "SELECT pi_number, status FROM ifms.payment_instruction WHERE payment_number IN ('INITIATED', 'AGAIN') ORDER BY 1"
        )
        [payment] = look("SELECT * FROM ifms.payment WHERE payment_number = 'INITIATED'")
    assert report.misfits == []
    assert {row["pi_number"]: row["status"] for row in found} == {
        "PI-again": "COMPLETED",
        "PI-again-2": "INITIATED",
        "PI-declined": "FAILED",
        "PI-initiated": "INITIATED",
        "PI-late-2": "FAILED",
    }
    assert (payment["amount"], payment["hold_code"], payment["paid_by"] is None) == (100, None, False)


def test_what_has_failed_there_is_taken_over_beside_what_this_ledger_has_sent_since(rows):
    """A payment that both adapters have tried, and a revision of each."""
    rows.database.run(pi("completed-2", pistatus="FAILED", pierrorresp="Read timed out"))
    rows.database.run(people("completed-2", paymentstatus=FAILED))
    own = {
        "pi_type": "REVISED",
        "parent_pi_number": "PI-completed",
        "org_bill_ref_number": "B",
        "org_bill_date": "2026-01-01",
    }
    paid = "INSERT INTO ifms.payment (tenant_id, payment_number, payment_id, amount, raised_at, paid_by) SELECT tenant_id, payment_number, '', 100, now(), id FROM ifms.payment_instruction"
    here = f"{kept('PI-here', 'DECLINED')}; {paid}; {kept('PI-here-2', 'COMPLETED', **own)}"
    with rows.taken_over(here=here) as (report, look):
        found = look(
            "SELECT pi_number, status FROM ifms.payment_instruction WHERE payment_number IN ('DECLINED', 'COMPLETED') ORDER BY 1"
        )
    assert report.misfits == []
    assert {row["pi_number"]: row["status"] for row in found} == {
        "PI-completed": "COMPLETED",
        "PI-completed-2": "FAILED",
        "PI-declined": "FAILED",
        "PI-here": "INITIATED",
        "PI-here-2": "INITIATED",
    }


def test_a_number_that_a_failed_pi_named_with_another_amount_is_counted_with_both(rows):
    rows.database.run(pi("declined", netamount=90, grossamount=90))
    rows.database.run(person("declined-0", beneficiarynumber="N-paid-0", amount=50))
    with rows.taken_over() as (report, look):
        [table] = [t for t in report.tables if t.name == "jit_beneficiary_details"]
        found = look("SELECT amount, status FROM ifms.beneficiary WHERE beneficiary_number = 'N-paid-0' ORDER BY 1")
    assert (table.money_here, table.left_out) == (10 * 100 - 10 + 2 * 40, 0)
    assert [tuple(row.values()) for row in found] == [(50, "Payment Failed"), (60, "Payment Successful")]


def test_a_rehearsal_finds_what_the_database_refuses_at_the_end_of_a_transaction(rows, monkeypatch):
    monkeypatch.setattr(rules, "find_violations", lambda connection: None)
    rows.database.run(person("initiated-0", amount=61))
    with pytest.raises(errors.CheckViolation), rows.taken_over():
        pass
