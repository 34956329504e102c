"""What the platform is told of each line, at each step: the same as the ledger holds, whichever PI pays it and in which
order the treasury tells. Each fault that was seen is planted again: `lines_are_told` names it."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from support import failed
from support.failed import TENANT, fail, mend, original, wage_bill

from ifms.errors import SweepNeedsAttentionError, SweepUnreachableError
from ifms.ledger import failure_matching, failures, outbox
from ifms.services import pd
from ifms.services.correction_order import Order
from ifms.sweep import status_poll, submission
from ifms.sweep.scope import Scope

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})

WORDS = {
    "Payment Initiated": "INITIATED",
    "Payment In Process": "INITIATED",
    "Payment Successful": "SUCCESSFUL",
    "Payment Failed": "FAILED",
}


@pytest.fixture(autouse=True)
def quick(adapter):
    adapter.simulators.ask_platform("POST", "settings", {"persist_ms": 0})


def told(adapter):
    """Deliver everything; the payment's status at the platform, and its lines' in the order of the beneficiaries.

    Asserts that the lines are as the ledger has them and that the invariants hold.
    """
    while adapter.relay().counts["delivered"]:
        pass
    [payment] = adapter.simulators.ask_platform("GET", "state")["payments"]
    lines = {
        line["lineItemId"]: line["status"]
        for bill in payment["bills"]
        for detail in bill["billDetails"]
        for line in detail["payableLineItems"]
    }
    rows = adapter.rows(
        "SELECT beneficiary_number, status, line_item_ids FROM ifms.beneficiary "
        "WHERE status <> 'Payment Pending' ORDER BY created_at"
    )
    last = {row["beneficiary_number"]: row for row in rows}
    for row in last.values():
        assert {lines[line] for line in row["line_item_ids"]} == {WORDS[row["status"]]}, row
    adapter.reconcile()
    return payment["status"], [WORDS[last[number]["status"]] for number in sorted(last)]


def advised(adapter, payees=3):
    """A wage bill whose payment advice is made."""
    adapter.run("VA")
    wage_bill(adapter, payees)
    for service in ("PA", "PI", "PIS", "PAG"):
        adapter.run(service)


def forgets(monkeypatch, module, name):
    """The fault: nobody is told."""
    monkeypatch.setattr(module, name, lambda *_: None)


def assert_named(adapter):
    with pytest.raises(SweepNeedsAttentionError):
        adapter.reconcile()
    [row] = adapter.rows(
        "SELECT counts FROM ifms.sweep_run WHERE service_id = 'RECONCILE' ORDER BY started_at DESC LIMIT 1"
    )
    assert row["counts"]["lines_are_told"]


def test_the_paid_are_told_though_a_failure_was_known_first(adapter):
    advised(adapter)
    assert told(adapter) == ("INITIATED", ["INITIATED"] * 3)
    fail(adapter, 1)
    adapter.run("FD")
    assert told(adapter) == ("PARTIAL", ["FAILED", "INITIATED", "INITIATED"])
    adapter.run("PD")
    assert original(adapter)["status"] == "PARTIAL"
    assert told(adapter) == ("PARTIAL", ["FAILED", "SUCCESSFUL", "SUCCESSFUL"])


def test_the_paid_of_a_partial_pi_that_nobody_is_told_of_are_named(adapter, monkeypatch):
    advised(adapter)
    fail(adapter, 1)
    adapter.run("FD")
    forgets(monkeypatch, pd, "enqueue_paid")
    adapter.run("PD")
    assert_named(adapter)


def test_the_paid_are_told_while_others_wait(adapter, treasury):
    advised(adapter)
    treasury.rule("PD", "partial_scrolls", beneficiaries=1)
    adapter.run("PD")
    assert told(adapter) == ("INITIATED", ["SUCCESSFUL", "INITIATED", "INITIATED"])
    adapter.run("PD")
    treasury.clear()
    adapter.run("PD")
    assert told(adapter) == ("SUCCESSFUL", ["SUCCESSFUL"] * 3)
    said = adapter.rows("SELECT payload FROM ifms.outbox WHERE topic = 'payment_status' ORDER BY id")
    assert [row["payload"].get("lineStatus") for row in said] == [None, "SUCCESSFUL", None], "no news, no message"


def test_the_paid_that_nobody_is_told_of_while_others_wait_are_named(adapter, treasury, monkeypatch):
    advised(adapter)
    treasury.rule("PD", "partial_scrolls", beneficiaries=1)
    forgets(monkeypatch, pd, "enqueue_paid")
    adapter.run("PD")
    assert_named(adapter)


def test_a_revision_s_paid_are_told_as_they_come(adapter, treasury):
    adapter.run("VA")
    failed.paid_and_failed(adapter, payees=3, failures=2)
    mend(adapter)
    adapter.correct()
    assert told(adapter) == ("INITIATED", ["INITIATED", "INITIATED", "SUCCESSFUL"])
    treasury.rule("FTPS", "partial_scrolls", beneficiaries=1)
    adapter.run("FTPS")
    assert told(adapter) == ("INITIATED", ["SUCCESSFUL", "INITIATED", "SUCCESSFUL"])
    [revision] = failed.revisions(adapter)
    [waiting] = adapter.rows("SELECT beneficiary_number FROM ifms.beneficiary WHERE status = 'Payment In Process'")
    fail(adapter, [waiting["beneficiary_number"]], revision["pi_number"])
    adapter.run("FTFPS")
    assert told(adapter) == ("PARTIAL", ["SUCCESSFUL", "FAILED", "SUCCESSFUL"])
    treasury.clear()
    adapter.run("FTPS")
    mend(adapter, account="000099990009")
    adapter.correct()
    adapter.run("FTPS")
    assert told(adapter) == ("SUCCESSFUL", ["SUCCESSFUL"] * 3)


@pytest.fixture
def repaid(adapter):
    """A payment of two, of which one has failed, whose repayment the treasury has accepted; the repayment's number."""
    adapter.run("VA")
    failed.paid_and_failed(adapter, 2, 1)
    failed.long_ago(adapter)
    adapter.correct(Order(TENANT, original(adapter)["pi_number"], new_original=True))
    assert told(adapter) == ("INITIATED", ["INITIATED", "SUCCESSFUL"])
    [row] = adapter.rows("SELECT pi_number FROM ifms.payment_instruction WHERE repayment_of IS NOT NULL")
    return row["pi_number"]


def test_of_a_rejected_repayment_the_lines_are_failed_again(adapter, treasury, repaid):
    treasury.rule("PIS", "reject", bill_number=repaid)
    adapter.run("PIS")
    with pytest.raises(SweepNeedsAttentionError, match="^1 problem.*failures_are_corrected"):  # its last day is over
        adapter.reconcile()
    with psycopg.connect(adapter.dsn) as connection:
        [found] = connection.execute("SELECT id FROM ifms.failed_beneficiary").fetchone()
        failures.close_beneficiary(connection, found, reason="sample reason", person="a tester")
    assert told(adapter) == ("PARTIAL", ["FAILED", "SUCCESSFUL"])


def test_a_rejected_repayment_that_nobody_is_told_of_is_named(adapter, treasury, repaid, monkeypatch):
    treasury.rule("PIS", "reject", bill_number=repaid)
    forgets(monkeypatch, failure_matching, "_enqueue_failed")
    adapter.run("PIS")
    assert_named(adapter)


@pytest.fixture
def revised_both(adapter, repaid):
    """The repayment fails, and so does the other one's payment: a revision of each PI is under way; their numbers."""
    for service in ("PIS", "PAG", "PD"):
        adapter.run(service)
    assert told(adapter) == ("SUCCESSFUL", ["SUCCESSFUL", "SUCCESSFUL"])
    first = original(adapter)["pi_number"]
    fail(adapter, "all", repaid)
    adapter.run("FD")
    [again] = failed.failing(adapter)
    [other] = {row["beneficiary_number"] for row in adapter.rows("SELECT beneficiary_number FROM ifms.beneficiary")} - {
        again
    }
    fail(adapter, [other], first)
    adapter.run("FD")
    assert told(adapter) == ("PARTIAL", ["FAILED", "FAILED"])
    mend(adapter)
    adapter.correct(Order(TENANT, repaid), Order(TENANT, first, beneficiary_numbers=(other,)))
    assert told(adapter) == ("INITIATED", ["INITIATED", "INITIATED"])
    return [revision["pi_number"] for revision in failed.revisions(adapter)]


def test_a_payment_is_successful_only_once_everybody_is_paid(adapter, revised_both):
    adapter.run("FTPS", Scope(pi_numbers=tuple(revised_both[:1])))
    status, lines = told(adapter)
    assert (status, sorted(lines)) == ("INITIATED", ["INITIATED", "SUCCESSFUL"])
    adapter.run("FTPS")
    assert told(adapter) == ("SUCCESSFUL", ["SUCCESSFUL", "SUCCESSFUL"])


def test_a_payment_that_is_called_successful_too_early_is_named(adapter, revised_both, monkeypatch):
    monkeypatch.setattr(
        pd,
        "enqueue_paid",
        lambda c, pi, *_: outbox.enqueue_payment_status(
            c, pi.tenant_id, pi.payment_number, "SUCCESSFUL", "PAYMENT_SUCCESS"
        ),
    )
    adapter.run("FTPS", Scope(pi_numbers=tuple(revised_both[:1])))
    assert_named(adapter)


# Failures that come early ---------------------------------------------------------------------------------------------


def steps(adapter, number):
    """A PI's statuses as its log tells them."""
    rows = adapter.rows(
        "SELECT l.service_id, l.from_status, l.to_status FROM ifms.status_log l JOIN ifms.payment_instruction p "
        "ON p.id = l.payment_instruction_id WHERE p.pi_number = %s AND l.to_status IS NOT NULL ORDER BY l.id",
        number,
    )
    return [(row["service_id"], row["from_status"], row["to_status"]) for row in rows]


@pytest.mark.parametrize("after", ["PI", "PIS"])
def test_a_pi_whose_beneficiaries_all_failed_before_its_advice_ends_partial_with_it(adapter, treasury, after):
    """Seen: IN PROCESS for ever, as neither PD nor FD had anything new to tell."""
    adapter.run("VA")
    wage_bill(adapter, 2)
    for service in ("PA", "PI", "PIS")[: 2 if after == "PI" else 3]:
        adapter.run(service)
    fail(adapter, "all")
    adapter.run("FD")
    assert told(adapter) == ("PARTIAL", ["FAILED", "FAILED"])
    treasury.rule("PD", "partial_scrolls", beneficiaries=0)
    for service in ("PIS", "PAG", "PD", "FD", "PD", "FD"):
        adapter.run(service)
        assert told(adapter) == ("PARTIAL", ["FAILED", "FAILED"])
    pi = original(adapter)
    assert steps(adapter, pi["pi_number"]) == [
        ("PI", "PENDING", "INITIATED"),
        ("PIS", "INITIATED", "APPROVED"),
        ("PAG", "APPROVED", "IN PROCESS"),
        ("PAG", "IN PROCESS", "PARTIAL"),
    ]
    assert (pi["status"], pi["claim_token"], pi["pa_token_number"] is None) == ("PARTIAL", None, False)
    mend(adapter)
    adapter.correct()
    treasury.clear()
    adapter.run("FTPS")
    assert told(adapter) == ("SUCCESSFUL", ["SUCCESSFUL", "SUCCESSFUL"])


def test_a_pi_of_which_all_failed_and_that_stands_in_process_goes_on_when_fd_tells_again(adapter, treasury):
    """As an import may leave one."""
    advised(adapter, payees=1)
    fail(adapter, "all")
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ifms.beneficiary SET status = 'Payment Failed', failed_on = current_date")
    adapter.run("FD")
    assert adapter.statuses() == {"PARTIAL": 1}


@pytest.fixture
def told_early(adapter, treasury):
    """A PI that is PENDING here and paid there; FD has told that its only payment came back."""
    adapter.run("VA")
    wage_bill(adapter, 1)
    adapter.run("PA")
    treasury.rule("PI", "lost_reply", times=1)
    treasury.rule("PIS", "error", errorMsg="try later")
    with pytest.raises(SweepUnreachableError):
        adapter.run("PI")
    fail(adapter, "all")
    with pytest.raises(SweepNeedsAttentionError, match="the payment instruction is PENDING"):
        adapter.run("FD")
    assert original(adapter)["unmatched_failures"]
    treasury.clear()
    return original(adapter)["pi_number"]


def nothing_unmatched(adapter):
    assert adapter.rows("SELECT id FROM ifms.reported_failure WHERE matched_at IS NULL") == []
    assert not original(adapter)["unmatched_failures"]
    return True


def test_a_failure_told_too_early_is_booked_when_its_pi_moves(adapter, treasury, told_early):
    """Seen: forgotten, so that the debit scroll made the PI SUCCESSFUL: the money was back at the treasury."""
    adapter.run("PI")
    adapter.run("PIS")  # it was claimed INITIATED, with what FD had left
    assert nothing_unmatched(adapter)
    assert told(adapter) == ("PARTIAL", ["FAILED"])
    for service in ("PAG", "PD"):
        adapter.run(service)
        assert told(adapter) == ("PARTIAL", ["FAILED"])
    assert adapter.statuses() == {"PARTIAL": 1}


@pytest.mark.parametrize("last", ["PAG", "PD"])
def test_at_each_step_it_is_looked_at_again(adapter, treasury, told_early, last, monkeypatch):
    """Whatever was missed before: here the sealing key was not at hand for some steps."""
    services = ("PI", "PIS", "PAG", "PD")
    with monkeypatch.context() as patched:
        patched.setattr(status_poll, "rematch", lambda *_: 0)
        patched.setattr(submission, "rematch", lambda *_: 0)
        for service in services[: services.index(last)]:
            adapter.run(service)
    assert original(adapter)["unmatched_failures"]
    adapter.run(last)
    assert nothing_unmatched(adapter)
    assert told(adapter) == ("PARTIAL", ["FAILED"])
    assert steps(adapter, told_early)[-1] == (
        ("FD", "IN PROCESS", "PARTIAL") if last == "PAG" else ("FD", "SUCCESSFUL", "PARTIAL")
    )


def test_fd_begins_with_what_it_had_left(adapter, treasury, told_early, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(status_poll, "rematch", lambda *_: 0)
        patched.setattr(submission, "rematch", lambda *_: 0)
        for service in ("PI", "PIS", "PAG", "PD"):
            adapter.run(service)
    assert adapter.statuses() == {"SUCCESSFUL": 1}
    long_after = original(adapter)["created_at"].replace(year=2030)
    sweep = adapter.run("FD", Scope(since=long_after, until=long_after + timedelta(hours=1)))  # it is not told again
    assert sweep.counts["failures_matched_late"] == 1
    assert nothing_unmatched(adapter)
    assert told(adapter) == ("PARTIAL", ["FAILED"])


def test_a_failure_of_somebody_else_stays_kept_with_its_reason(adapter, treasury, told_early):
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute(
            "INSERT INTO ifms.reported_failure (bill_number, beneficiary_id, voucher_date, why_unmatched) "
            "VALUES (%s, 'BN-X', '2026-06-01', 'sample')",
            (told_early,),
        )
    adapter.run("PI")
    adapter.run("PIS")
    [row] = adapter.rows("SELECT beneficiary_id, why_unmatched FROM ifms.reported_failure WHERE matched_at IS NULL")
    assert row == {"beneficiary_id": "BN-X", "why_unmatched": failure_matching.NO_SUCH_BENEFICIARY}
    assert not original(adapter)["unmatched_failures"]
