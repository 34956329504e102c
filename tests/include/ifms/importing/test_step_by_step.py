"""What the Java adapter did between several imports is here afterwards as if one had taken it over at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import psycopg
import pytest
from psycopg.rows import dict_row
from support.java import take_over
from support.java_rows import FAILED, MASTERS, ORIGINALS, REVISIONS, SUCCESSFUL, advice

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
STATES = ((FIRST, {}), (SECOND, {}), (THIRD, {"completed": ("INITIATED", WAITS)}), (ORIGINALS, REVISIONS))
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
    "again-2": ["INITIATED"],
}
MINUTES = {name: n for n, name in enumerate(ORIGINALS)} | {f"{name}-2": 50 + n for n, name in enumerate(REVISIONS)}
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
            yield reports, lambda table: (ledger.execute(TABLES[table]).fetchall(), look(TABLES[table]))
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
    assert [report.changed for report in reports] == [92, 35, 35, 42, 0]
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
    assert {row["updated_at"].hour for row in rows if row["pi"] in ("completed-2", "again-2")} == {3}


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
