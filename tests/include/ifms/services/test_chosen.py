"""Bills that an operator has chosen: each number has its line, and what is wrong with one stops no other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from support.adapter import Adapter
from support.processes import Job, at_once

from ifms.errors import BadInputError, SweepNeedsAttentionError
from ifms.ledger.bills import claim_bills
from ifms.ledger.runs import RunContext
from ifms.platform.client import PlatformClient
from ifms.platform.models import Bill, NewPayment
from ifms.services.chosen import MOST, bill_numbers
from ifms.sweep.scope import Scope

pytestmark = pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0, "persist_ms": 0})


def order(adapter: Adapter, kind: str = "wage", city: str = "od.samplea", **more: Any) -> Any:
    """An approved bill, or what is asked for."""
    return adapter.simulators.ask_platform("POST", "bills", {"type": kind, "tenantId": city} | more)[0]


def payments(adapter: Adapter) -> list[Any]:
    """What the platform has stored, once nothing is on its way any more."""
    while (state := adapter.simulators.ask_platform("GET", "state"))["waiting"]:
        time.sleep(0.02)
    return list(state["payments"])


def paid(adapter: Adapter) -> list[str]:
    """The ids of the bills that have a payment."""
    return sorted(bill["billId"] for payment in payments(adapter) for bill in payment["bills"])


def choose(adapter: Adapter, *numbers: str, tenants: tuple[str, ...] | None = None) -> tuple[list[str], bool]:
    """What a run says of these, and whether it is red."""
    sweep = adapter.sweep("PA")
    try:
        with sweep:
            adapter.work(sweep, Scope(bills=numbers, tenants=tenants))
    except SweepNeedsAttentionError:
        return sweep.problems, True
    return sweep.problems, False


@pytest.mark.parametrize("lines", [["A/1", "B/2"], ["A/1, B/2"], ["A/1,B/2,", " A/1 "], ["B/2 A/1"], ["A/1\nB/2"]])
def test_numbers_are_one_per_line_or_apart_by_commas_and_count_once(lines: list[str]):
    assert set(bill_numbers(lines)) == {"A/1", "B/2"}
    assert len(bill_numbers(lines)) == 2


@pytest.mark.parametrize("lines", [[], [""], [" , "], [f"WB/{n}" for n in range(MOST + 1)]])
def test_none_and_more_than_200_are_refused(lines: list[str]):
    with pytest.raises(BadInputError, match="choose 1 to 200 bills"):
        bill_numbers(lines)


def test_200_are_taken_on_one_line():
    assert len(bill_numbers([", ".join(f"WB/{n}" for n in range(MOST))])) == MOST


@pytest.mark.parametrize("text", ["WB/1';--", "{{", "X" * 129, "WB/\u0967", "a\x00"])
def test_what_can_be_no_number_is_refused(text: str):
    with pytest.raises(BadInputError, match="is no bill number"):
        bill_numbers(["WB/1", text])


def test_chosen_bills_get_their_payments_and_no_others(adapter: Adapter):
    """Of every kind, in every city."""
    mine = [order(adapter), order(adapter, "purchase", "od.sampleb"), order(adapter, "supervision")]
    order(adapter)
    said, red = choose(adapter, *(bill["billNumber"] for bill in mine))
    assert not red
    assert paid(adapter) == sorted(bill["id"] for bill in mine)
    made = {payment["paymentNumber"] for payment in payments(adapter)}
    assert made == {row["payment_number"] for row in adapter.rows("SELECT payment_number FROM ifms.payment")}
    assert len(said) == 3
    assert all("is made" in text for text in said)
    assert all(any(bill["billNumber"] in text for text in said) for bill in mine)


def test_more_than_ten_bills_of_a_kind_are_all_found(adapter: Adapter):
    """The platform's workflow status is null beyond the tenth bill of a page."""
    bills = adapter.simulators.ask_platform("POST", "bills", {"type": "wage", "tenantId": "od.samplea", "count": 25})
    said, red = choose(adapter, *(bill["billNumber"] for bill in bills))
    assert (len(said), red) == (25, False)
    assert paid(adapter) == sorted(bill["id"] for bill in bills)


def test_each_number_that_can_not_be_paid_is_told_and_the_others_are_paid(adapter: Adapter):
    good, again, off = (order(adapter) for _ in range(3))
    elsewhere = order(adapter, city="od.sampleb")
    nothing = order(adapter, amounts=["0"])
    waits = order(adapter, "purchase", wfStatus="PENDING_FOR_APPROVAL")
    has = order(adapter, with_payments=True)
    adapter.simulators.ask_platform("POST", "statuses", {"billNumber": off["billNumber"], "status": "CANCELLED"})
    choose(adapter, again["billNumber"])
    known = {row["bill_id"]: row["payment_number"] for row in adapter.rows("SELECT * FROM ifms.bill")}
    wanted = [off, again, waits, has, elsewhere, nothing, good]
    said, red = choose(adapter, "WB/0/none", *(bill["billNumber"] for bill in wanted), tenants=("od.samplea",))
    assert red
    for number, text in (
        ("WB/0/none", "is not found in od.samplea"),
        (elsewhere["billNumber"], "is not found in od.samplea"),
        (off["billNumber"], "is CANCELLED"),
        (waits["billNumber"], "PENDING_FOR_APPROVAL"),
        (again["billNumber"], f"has payment {known[again['id']]} (INITIATED) already"),
        (has["billNumber"], f"has payment {has['paymentNumber']} (INITIATED) already"),
        (nothing["billNumber"], "only lines of zero rupees"),
        (good["billNumber"], "is made"),
    ):
        assert [line for line in said if f"bill {number} " in line and text in line], (number, text, said)
    assert len(said) == 8
    assert "is made" in said[-1]
    assert paid(adapter) == sorted(bill["id"] for bill in (again, has, good))


def test_of_a_later_try_the_payments_of_the_try_before_are_no_problem(adapter: Adapter):
    bill = order(adapter)
    choose(adapter, bill["billNumber"])
    sweep = adapter.sweep("PA")
    sweep.context = RunContext("ifms_pa", "sample", 0, 2)
    with sweep:
        adapter.work(sweep, Scope(bills=(bill["billNumber"],)))
    [said] = sweep.problems
    assert "already" in said


def test_a_number_of_several_bills_pays_none_of_them(adapter: Adapter, monkeypatch: pytest.MonkeyPatch):
    one, other = order(adapter), order(adapter, city="od.sampleb")
    real = PlatformClient.bills_by_number

    def same(client: PlatformClient, tenant: str, numbers: Any) -> Iterator[Bill]:
        wanted = [other["billNumber"]] if tenant == "od.sampleb" else numbers
        for bill in real(client, tenant, wanted):
            yield bill.model_copy(update={"bill_number": one["billNumber"]})

    monkeypatch.setattr(PlatformClient, "bills_by_number", same)
    said, red = choose(adapter, one["billNumber"])
    assert red
    assert "is several bills" in said[0]
    assert paid(adapter) == []


def test_a_city_that_can_not_be_read_is_told_and_the_others_are_paid(adapter: Adapter):
    bill = order(adapter, city="od.sampleb")
    rule = {"service": "bill_search", "effect": "http_status", "status": 400, "times": 1}
    adapter.simulators.ask_platform("POST", "rules", rule)
    said, red = choose(adapter, bill["billNumber"], "WB/0/none")
    assert red
    assert "the bills of od.samplea could not all be read" in said[0]
    assert any("WB/0/none is not found in any of the 2 cities; od.samplea could not be read" in text for text in said)
    assert paid(adapter) == [bill["id"]]


def test_a_bill_that_another_run_is_asking_for_is_left_to_it(adapter: Adapter):
    bill = order(adapter)
    with psycopg.connect(adapter.dsn) as connection:
        claim_bills(connection, "od.samplea", [bill["id"]], timedelta(minutes=5))
    said, red = choose(adapter, bill["billNumber"])
    assert red
    assert "another run is asking for its payment now" in said[0]
    assert payments(adapter) == []


def test_a_bill_that_another_city_s_rows_have_gets_one_line(adapter: Adapter):
    bill, other = order(adapter), order(adapter)
    with psycopg.connect(adapter.dsn) as connection:
        claim_bills(connection, "od.gone", [bill["id"]], timedelta(minutes=5))
    said, red = choose(adapter, bill["billNumber"], other["billNumber"])
    assert red
    [line] = [text for text in said if bill["billNumber"] in text]
    assert "of od.gone, which has no payment" in line
    assert paid(adapter) == [other["id"]]


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0, "persist_ms": 1500})
def test_the_sweep_and_three_choosers_at_once_make_one_payment_per_bill(adapter: Adapter):
    """The platform stores a payment a while after it has answered: until then it would take a second one."""
    bills = [order(adapter) for _ in range(6)]
    numbers = tuple(bill["billNumber"] for bill in bills)
    chosen = Job("PA", Scope(bills=numbers))
    endings = at_once(adapter, Job("PA"), chosen, chosen, chosen)
    assert all(ending.typed for ending in endings), endings
    assert paid(adapter) == sorted(bill["id"] for bill in bills)
    assert sum(ending.counts.get("payments_created", 0) for ending in endings) == 6
    for ending in endings[1:]:
        assert sorted(number for number in numbers for text in ending.problems if number in text) == sorted(numbers)


def test_a_payment_that_appears_meanwhile_is_told(adapter: Adapter, monkeypatch: pytest.MonkeyPatch):
    """Somebody else has it made after the bill was read: the platform refuses a second one."""
    bill = order(adapter)
    real = PlatformClient.create_payment

    def after_another(client: PlatformClient, payment: NewPayment) -> Any:
        real(client, payment)
        payments(adapter)
        return real(client, payment)

    monkeypatch.setattr(PlatformClient, "create_payment", after_another)
    said, red = choose(adapter, bill["billNumber"])
    assert red
    assert "(INITIATED) already" in said[0]
    assert len(payments(adapter)) == 1
