"""What is planted goes wrong in the adapter itself, and what is done about it ends as the report expects."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from support.adapter import Adapter

from ifms.ledger.payments import release_holds
from ifms.services.correction_order import Order
from ifms_standalone.errors import StandaloneError
from ifms_standalone.injected_failures import LATE_DAYS, InjectedFailures
from ifms_standalone.outcome import Books, Outcome, Planted, Scope
from ifms_standalone.simulators import Simulator, accepted_bills, payment_statuses

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 3})


@pytest.fixture
def injected(adapter: Adapter) -> Iterator[InjectedFailures]:
    treasury, platform = (
        Simulator(name, urlsplit(address).port or 0)
        for name, address in (("treasury", adapter.simulators.treasury), ("platform", adapter.simulators.platform))
    )
    with psycopg.connect(adapter.dsn, autocommit=True) as ledger:
        yield InjectedFailures(treasury, platform, ledger, Scope.from_now(adapter.dsn))


def _run(adapter: Adapter, *services: str) -> None:
    for service in services:
        adapter.run(service)


def _outcome(adapter: Adapter, injected: InjectedFailures) -> Outcome:
    books = Books(accepted_bills(injected.treasury), payment_statuses(injected.platform))
    return Outcome.of(adapter.dsn, injected.scope, injected.planted, books)


def test_both_are_planted_and_mended(adapter: Adapter, injected: InjectedFailures) -> None:
    _run(adapter, "VA")
    injected.pay_days_ago(LATE_DAYS)
    _run(adapter, "PA", "PI")
    rejected = injected.reject_one()
    _run(adapter, "PIS")
    form = injected.rejected_payments()
    assert form is not None
    release_holds(injected.ledger, form["payments"])
    _run(adapter, "PI", "PIS", "PAG", "PD")
    assert injected.rejected_payments() is None
    injected.return_one()
    injected.pay_days_ago(1)
    _run(adapter, "FD")
    assert not any(each.came_back for each in _outcome(adapter, injected).instructions)  # the bank has not told it yet
    injected.pay_days_ago(0)
    _run(adapter, "FD")
    [late] = adapter.rows(
        "SELECT amount, failed_on - voucher_date AS days FROM ifms.beneficiary WHERE voucher_date < failed_on"
    )
    assert late["days"] == LATE_DAYS
    assert [each.came_back for each in _outcome(adapter, injected).instructions if each.came_back] == [late["amount"]]
    assert _outcome(adapter, injected).complaints()[0].endswith("is PARTIAL, not COMPLETED")
    injected.correct_account()
    form = injected.correction()
    assert form is not None
    adapter.correct(Order(form["tenant"], form["pi_number"]))
    _run(adapter, "FTPS", "FTFPS")
    assert any("has not heard of" in complaint for complaint in _outcome(adapter, injected).complaints())
    adapter.relay()

    outcome = _outcome(adapter, injected)
    assert outcome.complaints() == []
    returned = injected.planted.returned
    assert injected.planted == Planted(rejected, form["pi_number"])
    assert rejected != returned
    by_number = {each.pi_number: each for each in outcome.instructions}
    assert len(by_number) == 5
    assert by_number[rejected].money_back
    assert [each.corrects for each in outcome.instructions if each.corrects] == [returned]
    assert [each.instead_of for each in outcome.instructions if each.instead_of] == [rejected]
    assert len(outcome.summary()) == 2

    # The same, but nobody knows that it was planted.
    others = Outcome.of(adapter.dsn, injected.scope, Planted(), Books(accepted_bills(injected.treasury), {}))
    complaints = others.complaints()
    assert any(complaint.startswith(f"{rejected} is FAILED (") for complaint in complaints)
    assert f"{returned} is COMPLETED" in complaints
    assert sum("unknown on the platform" in complaint for complaint in complaints) == 3


def test_a_rejection_that_a_run_before_has_left_is_the_one(adapter: Adapter, injected: InjectedFailures) -> None:
    _run(adapter, "VA", "PA", "PI")
    numbers = [row["pi_number"] for row in adapter.rows("SELECT pi_number FROM ifms.payment_instruction ORDER BY 1")]
    rule = {"service": "PIS", "effect": "reject", "bill_number": numbers[-1], "times": 1}
    adapter.simulators.ask_treasury("POST", "rules", rule)
    assert injected.reject_one() == numbers[-1]
    assert len(injected.treasury.control("GET", "rules")) == 1


def test_one_that_an_ssu_has_decided_on_already_is_not_rejected(adapter: Adapter, injected: InjectedFailures) -> None:
    rule = {"service": "PI", "effect": "lost_reply", "times": 2}
    adapter.simulators.ask_treasury("POST", "rules", rule)
    _run(adapter, "VA", "PA", "PI")
    [other] = adapter.rows("SELECT pi_number FROM ifms.payment_instruction WHERE status = 'INITIATED'")
    _run(adapter, "PI")  # asks for the status of both, as whose answer was lost
    assert adapter.statuses() == {"INITIATED": 3}
    assert injected.reject_one() == other["pi_number"]
    _run(adapter, "PIS")
    assert adapter.statuses() == {"APPROVED": 2, "FAILED": 1}


def test_what_is_not_of_this_cycle_is_left_alone(adapter: Adapter, injected: InjectedFailures) -> None:
    adapter.cycle()
    later = InjectedFailures(injected.treasury, injected.platform, injected.ledger, Scope.from_now(adapter.dsn))
    with pytest.raises(StandaloneError, match="none could be rejected"):
        later.reject_one()
    with pytest.raises(StandaloneError, match="the bank could return nothing"):
        later.return_one()
    with pytest.raises(StandaloneError, match="there is no account to correct"):
        later.correct_account()
    assert (later.planted, later.correction(), later.rejected_payments()) == (Planted(), None, None)
