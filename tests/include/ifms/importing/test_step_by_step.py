"""What the Java adapter did between several imports is here afterwards as if one had taken it over at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import psycopg
import pytest
from psycopg.rows import dict_row
from support.databases import rewrite
from support.java import take_over
from support.java_rows import FAILED, MASTERS, NEW_YEAR, ORIGINALS, REVISIONS, SUCCESSFUL, advice, person, pi

WAITS, UNDER_WAY = "Payment Initiated", "Payment In Process"
FIRST = dict.fromkeys(ORIGINALS, ("INITIATED", WAITS, WAITS)) | {"declined": ORIGINALS["declined"]}
SECOND = FIRST | {
    "approved": ORIGINALS["approved"],
    "processed": ORIGINALS["approved"],
    "scrolled": ("IN PROCESS", UNDER_WAY, UNDER_WAY),
    "paid": ("IN PROCESS", UNDER_WAY, UNDER_WAY),
    "partial": ("SUCCESSFUL", SUCCESSFUL, SUCCESSFUL),
    "completed": ("SUCCESSFUL", SUCCESSFUL, UNDER_WAY),
    "again": ("SUCCESSFUL", SUCCESSFUL, SUCCESSFUL),
}
THIRD = SECOND | {"completed": ("PARTIAL", SUCCESSFUL, FAILED), "again": ("PARTIAL", SUCCESSFUL, FAILED)}
LAST = {"completed": REVISIONS["completed"]}
STATES = ((FIRST, {}), (SECOND, {}), (THIRD, {"completed": ("INITIATED", WAITS)}), (ORIGINALS, LAST))
# Where each PI stood after each import, from the one that it came with on; one an hour.
STOOD = {
    "initiated": ["INITIATED"] * 4,
    "approved": ["INITIATED", *["APPROVED"] * 3],
    "processed": ["INITIATED", "APPROVED", "APPROVED", "IN PROCESS"],
    "scrolled": ["INITIATED", *["IN PROCESS"] * 3],
    "paid": ["INITIATED", "IN PROCESS", "IN PROCESS", "SUCCESSFUL"],
    "partial": ["INITIATED", "SUCCESSFUL", "SUCCESSFUL", "PARTIAL"],
    "completed": ["INITIATED", "IN PROCESS", "PARTIAL", "COMPLETED"],
    "again": ["INITIATED", "SUCCESSFUL", "PARTIAL", "COMPLETED"],
    "rejected": ["INITIATED", "INITIATED", "INITIATED", "FAILED"],
    "declined": ["FAILED"] * 4,
    "completed-2": ["INITIATED", "SUCCESSFUL"],
}
MINUTES = {name: n for n, name in enumerate(ORIGINALS)} | {"completed-2": 50}
OF_EACH = "SELECT right(i.pi_number, -3) AS pi, {}.* FROM ifms.payment_instruction i"
TABLES = {  # in the same order for both
    "payment_instruction": OF_EACH.format("i") + " ORDER BY 1",
    "beneficiary": OF_EACH.format("b")
    + " JOIN ifms.beneficiary b ON b.payment_instruction_id = i.id ORDER BY 1, b.beneficiary_number",
    "payment": "SELECT y.*, i.pi_number FROM ifms.payment y LEFT JOIN ifms.payment_instruction i ON i.id = y.paid_by"
    " ORDER BY y.payment_number",
    "sanction": "SELECT * FROM ifms.sanction ORDER BY master_allotment_id",
    "status_log": OF_EACH.format("l")
    + " JOIN ifms.status_log l ON l.payment_instruction_id = i.id ORDER BY 1, l.service_id, l.id",
    "fund_movement": "SELECT i.pi_number, a.serial_no, m.* FROM ifms.fund_movement m"
    " LEFT JOIN ifms.payment_instruction i ON i.id = m.payment_instruction_id"
    " LEFT JOIN ifms.allotment a ON a.id = m.allotment_id ORDER BY 1, 2, m.kind, m.amount",
    "import_row": "SELECT DISTINCT ON (source, source_id) source, source_id FROM ifms.import_row"
    " ORDER BY source, source_id, imported_at DESC",
}
# What they are called, when they came, and what of it is known later than at once.
OTHERWISE = {"id", "payment_instruction_id", "sanction_id", "allotment_id", "paid_by", "imported_at", "seen_at"}
OTHERWISE |= {"held_since", "paid_at", "allotted_after", "reserved_after", "spent_after"}
TIMES = {"payment_instruction": {"updated_at", "status_since"}, "beneficiary": {"updated_at"}}
TIMES |= {"status_log": {"created_at"}, "sanction": {"updated_at"}}


@pytest.fixture(scope="module")
def imported(all_rows, postgres, ledger_template):
    """The reports of an import in each state, and the rows of a table afterwards and of an import of the last alone."""
    postgres.create_database("step_by_step", ledger_template)
    dsn = postgres.dsn("step_by_step")
    reports = []
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as ledger:
        for hour, (originals, revisions) in enumerate(STATES):
            all_rows.replace_all(originals, revisions, minutes=60 * hour)
            if originals is ORIGINALS:  # what the SSU has rejected is not paid, whatever its advice says
                all_rows.database.run(advice("rejected", patokennumber="T"))
            # A sweep that was at work when its DAG was paused.
            ledger.execute("UPDATE ifms.payment_instruction SET claim_token = gen_random_uuid(), claimed_until = now()")
            reports.append(take_over(dsn, all_rows.database, MASTERS))
        reports.append(take_over(dsn, all_rows.database, MASTERS))
        with all_rows.taken_over() as (_, look):
            found = {table: (ledger.execute(query).fetchall(), look(query)) for table, query in TABLES.items()}
    yield reports, found.__getitem__
    all_rows.restore()
    postgres.drop_database("step_by_step")


@pytest.mark.parametrize("table", TABLES)
def test_what_comes_by_and_by_is_what_comes_at_once(imported, table):
    by_and_by, at_once = (
        [
            {n: v for n, v in row.items() if n not in OTHERWISE | TIMES.get(table, set()) and "claim" not in n}
            for row in rows
        ]
        for rows in imported[1](table)
    )
    assert at_once
    assert by_and_by == at_once


def test_each_import_copies_what_is_new_or_has_changed_and_the_last_again_nothing(imported):
    reports, _ = imported
    assert [report.misfits for report in reports] == [[]] * 5
    assert [report.changed for report in reports] == [92, 35, 35, 37, 0]
    assert reports[3].states == reports[4].states


def test_a_step_is_told_with_the_time_that_the_java_adapter_made_it(imported):
    steps, _ = imported[1]("status_log")
    instructions, _ = imported[1]("payment_instruction")
    for name, stood in STOOD.items():
        since = len(STATES) - len(stood)
        hours = [since, *(since + n for n, (before, after) in enumerate(pairwise(stood), 1) if before != after)]
        times = [datetime(2026, 1, 1, hour, MINUTES[name], 1, tzinfo=UTC) for hour in hours]
        told = [row["created_at"] for row in steps if row["pi"] == name and row["service_id"] == "IMPORT"]
        assert sorted(set(told)) == times, name
        [row] = [row for row in instructions if row["pi"] == name]
        assert row["updated_at"] == row["status_since"] == times[-1], name


def test_a_beneficiary_has_changed_when_it_had_there(imported):
    rows, _ = imported[1]("beneficiary")
    for name in ORIGINALS:
        first, second = (row["updated_at"] for row in rows if row["pi"] == name)
        for m, changed in ((1, first), (2, second)):
            stood = [originals[name][m] for originals, _ in STATES]
            hour = max(n for n in range(4) if n == 0 or stood[n] != stood[n - 1])
            assert changed == datetime(2026, 1, 1, hour, MINUTES[name], 1, tzinfo=UTC), name
    assert [row["updated_at"].hour for row in rows if row["pi"] == "completed-2"] == [3]


def test_who_was_at_work_on_what_has_moved_since_has_lost_it(imported):
    rows, _ = imported[1]("payment_instruction")
    moved = {name for name, stood in STOOD.items() if stood[-2:] != stood[-1:] * 2}
    assert {row["pi"] for row in rows if row["claim_token"] is None} == moved


def test_when_it_was_paid_is_when_that_was_known_here(imported):
    rows, at_once = imported[1]("payment_instruction")
    told = {"processed": 3, "scrolled": 1, "paid": 1, "partial": 1, "completed": 1, "again": 1, "completed-2": 3}
    assert {row["pi"]: row["paid_at"] for row in rows if row["paid_at"]} == {
        name: datetime(2026, 1, 1, hour, MINUTES[name], 1, tzinfo=UTC) for name, hour in told.items()
    }
    assert {row["pi"] for row in at_once if row["paid_at"]} == told.keys()
    assert [row["pa_token_number"] for row in rows if row["pi"] == "rejected"] == ["T"]


def test_what_waits_for_an_answer_here_is_no_reason_to_refuse_the_next_import(rows, ledger_dsn):
    """Neither is what stands still there: the Java adapter's PIs of January do."""
    run = rows.database.run
    days = {n: int((datetime.now(UTC) - timedelta(days=n)).timestamp() * 1000) for n in (5, 4)}
    run(f"UPDATE jit_beneficiary_details SET voucherdate = {days[5]} WHERE vouchernumber IS NOT NULL")
    take_over(ledger_dsn, rows.database, MASTERS)
    with psycopg.connect(ledger_dsn) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("UPDATE ifms.payment_instruction SET imported_at = imported_at - interval '2 days'")
    run(
        "UPDATE jit_beneficiary_details SET paymentstatus = 'Payment Successful', vouchernumber = 'V', utrno = 'U',"
        f" voucherdate = {days[4]} WHERE id = 'scrolled-1'"
    )
    assert take_over(ledger_dsn, rows.database, MASTERS).changed == 1


def test_a_revision_goes_its_way_when_its_beneficiary_has_failed_again(rows, ledger_dsn):
    steps = TABLES["status_log"].replace("ORDER BY", "WHERE i.pi_number = 'PI-completed-2' ORDER BY")
    people = (
        "SELECT status, failed_on FROM ifms.beneficiary WHERE beneficiary_number = 'N-completed-1' ORDER BY created_at"
    )
    stood = ["PENDING", "INITIATED", "SUCCESSFUL"]
    for status, reported in (("INITIATED", WAITS), ("PARTIAL", FAILED), ("COMPLETED", FAILED)):
        stood += [status] if status != "INITIATED" else []
        rows.replace_all(ORIGINALS, {"completed": (status, reported)})
        assert take_over(ledger_dsn, rows.database, MASTERS).misfits == []
        with psycopg.connect(ledger_dsn, row_factory=dict_row) as ledger, rows.taken_over() as (_, look):
            for found in (ledger.execute(steps).fetchall(), look(steps)):
                told = [(row["from_status"], row["to_status"]) for row in found if row["service_id"] == "IMPORT"]
                assert told == list(pairwise(stood[:2] if status == "INITIATED" else stood))
            assert ledger.execute(people).fetchall() == look(people)


@pytest.mark.parametrize("minutes", [-1, 1])
def test_one_that_is_live_takes_the_place_of_one_that_was_rejected_since(rows, ledger_dsn, minutes):
    """Also when a clock that was late says that it was made before."""
    rows.replace_all({"rejected": ("INITIATED", WAITS, WAITS)}, {})
    assert take_over(ledger_dsn, rows.database, MASTERS).misfits == []
    rows.replace_all({"rejected": ORIGINALS["rejected"], "instead": ("INITIATED", WAITS, WAITS)}, {}, minutes=60)
    rows.database.run(pi("instead", muktareferenceid="REJECTED", createdtime=NEW_YEAR + 60_000 * minutes))
    assert take_over(ledger_dsn, rows.database, MASTERS).misfits == []
    with psycopg.connect(ledger_dsn) as ledger:
        paid_by = "SELECT pi_number, p.status FROM ifms.payment_instruction p JOIN ifms.payment y ON y.paid_by = p.id"
        assert ledger.execute(paid_by).fetchall() == [("PI-instead", "INITIATED")]


def test_a_pi_that_is_the_only_one_goes_on_and_another_that_comes_later_is_booked(rows, ledger_dsn):
    paid = {"paid": ORIGINALS["paid"]}
    for originals in ({"paid": ("IN PROCESS", UNDER_WAY, UNDER_WAY)}, paid, paid | {"initiated": FIRST["initiated"]}):
        rows.replace_all(originals, {})
        assert take_over(ledger_dsn, rows.database, MASTERS).misfits == []
    with psycopg.connect(ledger_dsn) as ledger:
        found = ledger.execute("SELECT status, voucher_number FROM ifms.beneficiary ORDER BY 1 DESC").fetchall()
        spent = ledger.execute("SELECT sum(spent_amount) FROM ifms.sanction").fetchone()
    assert found == [(SUCCESSFUL, "V")] * 2 + [(WAITS, None)] * 2
    assert spent == (200,)


def test_what_was_tried_and_failed_comes_later_than_what_is_live_here(rows, ledger_dsn):
    """Originals of a paid payment, refused, in doubt and rejected, and a revision beside one that is under way."""
    run = rows.database.run
    take_over(ledger_dsn, rows.database, MASTERS)
    for n, (name, error) in enumerate((("refused", "Insufficient fund"), ("unanswered", "Read timed out"))):
        rows.add(name, 70 + n, "FAILED", [FAILED, FAILED], error=error)
    rows.add("late-2", 72, "FAILED", [FAILED], "PI-again", "Read timed out")
    run(person("late-2-0", beneficiarynumber="N-again-1"))
    run(pi("late-2", muktareferenceid="AGAIN"))
    run(pi("unanswered", muktareferenceid="PAID"))
    for name in ("refused", "rejected"):  # the second was the original of another payment: now it is of this one, too
        run(pi(name, muktareferenceid="PAID"))
    run("UPDATE jit_payment_inst_details SET pinumber = 'PI-rejected-too', id = 'rejected-too' WHERE id = 'rejected'")
    for table, column in (("jit_beneficiary_details", "piid"), ("jit_payment_advice_details", "piid")):
        run(f"UPDATE {table} SET {column} = 'rejected-too', id = id || '-too' WHERE {column} = 'rejected'")
    run("UPDATE jit_beneficiary_lineitems SET beneficiaryid = beneficiaryid || '-too' WHERE id LIKE 'rejected%'")
    run(
        "UPDATE jit_transaction_details SET paymentinstid = 'rejected-too', id = id || '-too' WHERE id LIKE 'rejected%'"
    )
    run("UPDATE jit_pi_status_logs SET piid = 'rejected-too', id = id || '-too' WHERE id LIKE 'rejected%'")
    report = take_over(ledger_dsn, rows.database, MASTERS)
    assert report.misfits == []
    assert [remark.split(" is FAILED")[0] for remark in report.remarks if "beside" in remark] == ["PI PI-unanswered"]
    with psycopg.connect(ledger_dsn) as ledger:
        found = ledger.execute(
            """
            SELECT right(i.pi_number, -3), i.status, i.uncertain, i.status_since = i.updated_at,
                   (SELECT array_agg(l.from_status || ' ' || l.to_status ORDER BY l.id) FROM ifms.status_log l
                    WHERE l.payment_instruction_id = i.id AND l.to_status IS NOT NULL),
                   (SELECT array_agg(m.kind ORDER BY m.id) FROM ifms.fund_movement m WHERE m.payment_instruction_id = i.id)
            FROM ifms.payment_instruction i
            WHERE i.pi_number IN ('PI-refused', 'PI-unanswered', 'PI-late-2', 'PI-rejected-too') ORDER BY 1
            """
        ).fetchall()
        [paid] = ledger.execute(
            "SELECT i.pi_number, y.hold_code FROM ifms.payment y JOIN ifms.payment_instruction i ON i.id = y.paid_by"
            " WHERE y.payment_number = 'PAID'"
        )
    at_once, after_a_while = ["PENDING FAILED"], ["PENDING INITIATED", "INITIATED FAILED"]
    assert found == [
        ("late-2", "FAILED", True, True, at_once, None),
        ("refused", "FAILED", False, True, at_once, None),
        ("rejected-too", "FAILED", False, True, after_a_while, ["RESERVE", "DEBIT", "REVERSAL"]),
        ("unanswered", "FAILED", True, True, at_once, None),
    ]
    assert paid == ("PI-paid", None)


def test_what_this_ledger_has_made_of_it_since_stays(rows, ledger_dsn):
    """Its sweeps have gone on with one PI, and the Java adapter's row of another has become unreadable."""
    take_over(ledger_dsn, rows.database, MASTERS)
    looked_at = (
        "SELECT i.pi_number, i.status, i.status_since, i.updated_at, i.claim_token, b.status, b.voucher_number, y.paid_by"
        " FROM ifms.payment_instruction i JOIN ifms.beneficiary b ON b.payment_instruction_id = i.id"
        " JOIN ifms.payment y ON (y.tenant_id, y.payment_number) = (i.tenant_id, i.payment_number)"
        " WHERE i.pi_number IN ('PI-approved', 'PI-paid') ORDER BY b.beneficiary_number"
    )
    rewrite(
        ledger_dsn,
        """
        WITH moved AS (
            UPDATE ifms.payment_instruction SET status = 'IN PROCESS', status_since = '2026-03-01',
                claim_token = gen_random_uuid(), claimed_until = now() + interval '1 hour'
            WHERE pi_number = 'PI-approved' RETURNING *
        ), paid AS (
            UPDATE ifms.beneficiary SET status = 'Payment Successful', voucher_number = 'here', utr_number = 'here'
            WHERE payment_instruction_id = (SELECT id FROM moved)
        )
        INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status, from_status,
            to_status) SELECT id, tenant_id, payment_number, 'PAG', 'sample', 'APPROVED', 'IN PROCESS' FROM moved
        """,
    )
    with psycopg.connect(ledger_dsn) as ledger:  # the SSU has rejected a third: its money is back here, and not there
        ledger.execute(
            """
            WITH failed AS (
                UPDATE ifms.payment_instruction SET status = 'FAILED', is_active = false WHERE pi_number = 'PI-initiated'
                RETURNING *
            ), people AS (
                UPDATE ifms.beneficiary SET status = 'Payment Failed'
                WHERE payment_instruction_id = (SELECT id FROM failed)
            ), unpaid AS (
                UPDATE ifms.payment SET paid_by = NULL WHERE paid_by = (SELECT id FROM failed)
            ), logged AS (
                INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status,
                    from_status, to_status)
                SELECT id, tenant_id, payment_number, 'PIS', 'sample', 'INITIATED', 'FAILED' FROM failed
            )
            INSERT INTO ifms.fund_movement (sanction_id, kind, amount, payment_instruction_id)
            SELECT sanction_id, 'REVERSAL', net_amount, id FROM failed
            """
        )
    rows.database.run(pi("paid", pistatus="SENT"))
    with psycopg.connect(ledger_dsn, autocommit=True) as ledger:
        before = ledger.execute(looked_at).fetchall()
        report = take_over(ledger_dsn, rows.database, MASTERS)
        assert ledger.execute(looked_at).fetchall() == before
        assert ledger.execute("SELECT spent_amount FROM ifms.sanction WHERE spent_amount > 0").fetchall() == [(700,)]
    assert {misfit.about for misfit in report.misfits} == {"PI PI-paid"}
    assert {row[5] for row in before} == {"Payment Successful"}
    assert None not in {row[-1] for row in before}


def test_doubts_are_held_once_and_what_a_person_has_released_stays_so(rows, ledger_dsn):
    """One in doubt behind one that is rejected later; one that was taken for refused; and two refused ones."""
    holds = "SELECT payment_number, hold_code, hold_message FROM ifms.payment WHERE paid_by IS NULL ORDER BY 1"
    attempts = (
        "SELECT pi_number, last_attempt, uncertain FROM ifms.payment_instruction WHERE status = 'FAILED' ORDER BY 1"
    )
    run = rows.database.run
    rows.add("old", -5, "FAILED", [FAILED, FAILED], error="Read timed out")
    run(pi("old", muktareferenceid="REJECTED"))
    for n, name in enumerate(("misread", "refused", "late")):
        rows.add(name, 20 + n, "FAILED", [FAILED, FAILED], error="Insufficient fund")
    run(pi("rejected", pistatus="INITIATED"))
    run("UPDATE jit_beneficiary_details SET paymentstatus = 'Payment Initiated' WHERE piid = 'rejected'")
    run("DELETE FROM jit_transaction_details WHERE id = 'rejected-REVERSAL'")
    less = "UPDATE jit_funds_summary SET availableamount = availableamount - 100 WHERE sanctionid = 's1'"
    run(less)
    take_over(ledger_dsn, rows.database, MASTERS)
    with psycopg.connect(ledger_dsn, autocommit=True) as ledger:
        held = {name: code for name, code, _ in ledger.execute(holds)}
        assert held == {"DECLINED": "PAYMENT_INSUFFICIENT_FUNDS"} | dict.fromkeys(
            ("LATE", "MISREAD", "REFUSED"), "PI_REJECTED"
        )
        rejected = ("jit_payment_inst_details", "jit_beneficiary_details", "jit_transaction_details")
        for table in rejected:
            run(f"DELETE FROM {table} WHERE id LIKE 'rejected%'")
            run(f"INSERT INTO {table} SELECT * FROM kept.{table} WHERE id LIKE 'rejected%'")
        run(less.replace("-", "+"))
        run(pi("misread", pierrorresp="Read timed out"))
        take_over(ledger_dsn, rows.database, MASTERS)
        held = {name: (code, message) for name, code, message in ledger.execute(holds)}
        assert {name: code for name, (code, _) in held.items()} == {
            "DECLINED": "PAYMENT_INSUFFICIENT_FUNDS",
            "LATE": "PI_REJECTED",
            "MISREAD": "PI_IN_DOUBT",
            "REFUSED": "PI_REJECTED",
            "REJECTED": "PI_IN_DOUBT",
        }
        assert held["REJECTED"][1].startswith("the treasury may have PI PI-old, FAILED without")
        tried = {number.removeprefix("PI-"): attempt for number, *attempt in ledger.execute(attempts)}
        assert tried == {
            "declined": ["never_sent", False],
            "late": ["rejected", False],
            "misread": ["unknown", True],
            "old": ["unknown", True],
            "refused": ["rejected", False],
            "rejected": ["answered", False],
        }
        released = ("MISREAD", "REJECTED", "REFUSED")
        ledger.execute(
            "UPDATE ifms.payment SET hold_code = NULL, hold_message = NULL, held_since = NULL"
            " WHERE payment_number = ANY(%s)",
            [list(released)],
        )
        run(pi("late", pierrorresp="Read timed out"))
        rows.add("older", -9, "FAILED", [FAILED, FAILED], error="Insufficient fund")
        run(pi("older", muktareferenceid="REFUSED"))  # not the last one, for which it was held
        take_over(ledger_dsn, rows.database, MASTERS)
        held = {name: code for name, code, _ in ledger.execute(holds)}
        assert held == dict.fromkeys(released) | {"DECLINED": "PAYMENT_INSUFFICIENT_FUNDS", "LATE": "PI_IN_DOUBT"}
