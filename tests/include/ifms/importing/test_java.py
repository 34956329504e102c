"""Taking over from the Java adapter: again, in rehearsal, beside sweeps; and the sweeps go on where it stopped."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest
from support.adapter import assert_money_is_right
from support.failed import TENANT, fail, mend, wage_bill
from support.java import broken, contents, imported, take_over
from support.java_rows import MASTERS, allotment, person

from ifms.errors import LedgerError
from ifms.importing import rules
from ifms.services.correction_order import Order


def test_again_changes_nothing(java_world, here):
    imported(java_world, here)
    before = contents(here)
    report = imported(java_world, here)
    assert report.changed == 0
    assert contents(here) == before


def test_a_rehearsal_says_the_same_and_leaves_nothing(java_world, here):
    rehearsed = imported(java_world, here, rehearse=True)
    assert set(contents(here).values().__iter__().__next__()[0].values()) == {None}
    real = imported(java_world, here)
    assert rehearsed.rehearsed
    assert (rehearsed.tables, rehearsed.states, rehearsed.changed) == (real.tables, real.states, real.changed)


def test_sweeps_that_are_at_work_are_waited_for_and_named(rows, ledger_dsn, monkeypatch):
    with psycopg.connect(ledger_dsn) as busy:
        busy.execute("LOCK TABLE ifms.payment IN ROW EXCLUSIVE MODE")
        monkeypatch.setattr("ifms.importing.java.PATIENCE", "200ms")
        with pytest.raises(LedgerError, match="pause the DAGs"):
            take_over(ledger_dsn, rows.database, MASTERS)


def test_what_was_broken_before_is_not_held_against_an_import(rows):
    waits = (
        "INSERT INTO ifms.payment (tenant_id, payment_number, payment_id, amount, raised_at, hold_code, hold_message,"
        " held_since) VALUES ('od.sample', 'HERE', '1', 1, '2026-01-01', 'PI_REJECTED', 'sample', '2026-01-01')"
    )
    with rows.taken_over(here=waits) as (report, look):
        assert report.misfits == []
        assert look("SELECT count(*) AS n FROM ifms.payment WHERE paid_by IS NOT NULL") == [{"n": 8}]


def test_what_does_not_fit_is_said_once(rows):
    for key in ("b2", "b5"):  # the same allotment, told twice
        rows.database.run(allotment(key, allotmenttransactiontype="more"))
    with rows.taken_over("M-s2") as (report, _):
        assert [misfit.why for misfit in report.misfits] == ["its allotment A/2 of 80.00 (more) can't be read"]


@pytest.mark.parametrize(("key", "available", "said"), [("s1", "4200.00", "4207.00"), ("s2", "300.00", "307.00")])
def test_a_sanction_that_is_imported_by_its_rows_is_remarked_where_its_summary_said_otherwise(
    rows, key, available, said
):
    rows.database.run(f"UPDATE jit_funds_summary SET availableamount = availableamount + 7 WHERE sanctionid = '{key}'")
    with rows.taken_over("M-s1", "M-s2") as (report, _):
        assert [remark for remark in report.remarks if "by its rows" in remark] == [
            f"sanction M-{key} is imported by its rows, available {available}; the Java adapter's summary said {said}"
        ]


def test_what_an_import_would_break_is_refused_and_nothing_is_changed(rows, ledger_dsn, monkeypatch):
    monkeypatch.setattr(rules, "find_violations", lambda connection: None)
    for key in ("paid-0", "partial-0"):
        rows.database.run(person(key, vouchernumber=None))
    with pytest.raises(LedgerError, match="beneficiaries_follow_their_pi: .*PI-paid.*PI-partial"):
        take_over(ledger_dsn, rows.database, MASTERS)
    with psycopg.connect(ledger_dsn) as connection:
        assert connection.execute("SELECT count(*) FROM ifms.sanction").fetchone() == (0,)


def test_the_sweeps_go_on_where_the_cron_stopped(java_world, here):
    """Last of all: it moves the treasury on."""
    imported(java_world, here)
    before = {r["pi_number"]: r["status"] for r in here.rows("SELECT pi_number, status FROM ifms.payment_instruction")}
    paid = {r["payment_number"] for r in here.rows("SELECT payment_number FROM ifms.payment WHERE paid_by IS NOT NULL")}
    va = here.run("VA")
    assert va.counts["allotments_new"] == 0  # the watermark goes on, and what was counted is not counted again
    wage_bill(here)
    here.run("PA")
    here.run("PI")
    new = here.rows("SELECT * FROM ifms.payment_instruction WHERE imported_at IS NULL")
    assert new
    assert paid.isdisjoint(row["payment_number"] for row in new)  # what has a PI gets no second one
    for _ in range(3):
        for service in ("PIS", "PAG", "PD", "FTPS"):
            here.run(service)
    after = {r["pi_number"]: r["status"] for r in here.rows("SELECT pi_number, status FROM ifms.payment_instruction")}
    number = java_world.number
    for state in ("INITIATED", "APPROVED", "IN PROCESS"):
        assert (before[number[state]], after[number[state]]) == (state, "SUCCESSFUL")
    assert after[number["REJECTED"]] == "FAILED"
    # A beneficiary that had failed before the import is corrected, from its account at the time of the original.
    mend(here, account="000088880001")
    for state in ("PARTIAL", "AGAIN"):
        here.correct(Order(TENANT, number[state]))
    state = java_world.treasury.state
    by_number = {c["number"]: c for c in state["corrections"]}
    for row in here.rows(
        "SELECT pi_number, parent_pi_number FROM ifms.payment_instruction WHERE pi_type = 'REVISED' AND imported_at IS NULL"
    ):
        told = by_number[row["pi_number"]]["params"]
        [sent] = [b for b in state["bills"] if b["number"] == row["parent_pi_number"]]
        accounts = {
            p["benefId"]: (p["benfAcctNo"], p["benfBankIfscCode"]) for p in sent["params"]["beneficiaryDetails"]
        }
        listed = told.get("beneficiaryDetails") or told["beneficiaryDtls"]
        for each in listed:
            assert (each["orgAccountNo"], each["orgIfsc"]) == accounts[each["benefId"]]
    # A failure that FD tells of today, about a PI that was paid before.
    fail(here, 1, number["SUCCESSFUL"])
    for service in ("FTPS", "FD", "FTFPS", "RELAY"):
        here.run(service)
    assert here.rows("SELECT status FROM ifms.payment_instruction WHERE pi_number = %s", number["SUCCESSFUL"]) == [
        {"status": "PARTIAL"}
    ]
    assert here.rows("SELECT sum(spent_amount) AS n FROM ifms.sanction")[0]["n"] > Decimal(0)
    assert_money_is_right(here, java_world.treasury)
    assert broken(here) == {}
    here.reconcile()
