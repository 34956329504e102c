"""A payment for each approved bill, once."""

import threading
import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from ifms.errors import SweepNeedsAttentionError
from ifms.ledger.bills import bind_bills
from ifms.ledger.claims import Claim
from ifms.platform.client import PlatformClient
from ifms.services import pa
from ifms.sweep.scope import Scope

pytestmark = pytest.mark.simulators(platform={"cities": 2})


def payments(simulators):
    """What the platform has stored, once nothing is on its way any more."""
    while True:
        state = simulators.ask_platform("GET", "state")
        if not state["waiting"]:
            return state["payments"]
        time.sleep(0.02)


def test_each_approved_bill_gets_one_payment(adapter, simulators):
    sweep = adapter.run("PA")
    assert sweep.counts["payments_created"] == 6
    assert len(payments(simulators)) == 6
    waiting = [b for b in simulators.ask_platform("GET", "state")["bills"] if b["wfStatus"] != "APPROVED"]
    assert len(waiting) == 2
    assert {bill["paymentStatus"] for bill in waiting} == {None}
    known = adapter.rows("SELECT payment_number, amount FROM ifms.payment")
    assert {row["payment_number"] for row in known} == {p["paymentNumber"] for p in payments(simulators)}


@pytest.mark.simulators(platform={"cities": 2, "persist_ms": 400})
def test_again_and_at_once_make_no_second_payment(adapter, simulators):
    """The platform stores a payment a little after it has answered: until then it would take a second one."""
    threads = [threading.Thread(target=adapter.run, args=("PA",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    adapter.run("PA")
    assert len(payments(simulators)) == 6
    assert {row["payment_number"] for row in adapter.rows("SELECT payment_number FROM ifms.bill")} == {
        p["paymentNumber"] for p in payments(simulators)
    }


def test_a_bill_that_two_payments_pay_is_paid_once(adapter, simulators):
    """Whoever made the second one: the ledger binds a bill to one payment."""
    order = {"type": "wage", "tenantId": "od.samplea", "payees": 1, "with_payments": True}
    bill = simulators.ask_platform("POST", "bills", order)[0]
    adapter.run("VA")
    with psycopg.connect(adapter.dsn) as connection:
        bind_bills(connection, "od.samplea", {"EP/0/2024-25/06/01/999999": [bill["id"]]})
    with pytest.raises(SweepNeedsAttentionError, match="pays already"):
        adapter.run("PI")
    assert adapter.rows("SELECT count(*) AS n FROM ifms.payment_instruction")[0]["n"] == 0
    assert adapter.rows("SELECT hold_message FROM ifms.payment")[0]["hold_message"].count(bill["paymentNumber"]) >= 1


def test_a_payment_that_the_platform_never_stored_is_told(adapter, simulators):
    simulators.ask_platform("POST", "settings", {"persist_ms": 3_600_000})
    adapter.run("PA")
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("UPDATE ifms.bill SET asked_at = now() - interval '2 hours'")
    with pytest.raises(SweepNeedsAttentionError, match="still calls the bill unpaid"):
        adapter.run("PA")


def test_a_lost_reply_makes_no_second_payment(adapter, simulators):
    simulators.ask_platform("POST", "rules", {"service": "payment_create", "effect": "lost_reply", "times": 1})
    with pytest.raises(SweepNeedsAttentionError, match="looked at again"):
        adapter.run("PA")
    adapter.run("PA")
    assert len(payments(simulators)) == 6


def test_a_bill_whose_sums_disagree_is_named_and_the_others_are_paid(adapter, simulators):
    bill = simulators.ask_platform("POST", "bills", {"type": "wage", "tenantId": "od.samplea", "broken": "sums"})[0]
    with pytest.raises(SweepNeedsAttentionError, match=bill["billNumber"]):
        adapter.run("PA")
    assert len(payments(simulators)) == 6


def test_a_line_that_was_replaced_is_not_paid(adapter, simulators):
    order = {"type": "wage", "tenantId": "od.samplea", "broken": "inactive_line", "amounts": [500]}
    simulators.ask_platform("POST", "bills", order)
    adapter.run("PA")
    assert {row["amount"] for row in adapter.rows("SELECT amount FROM ifms.payment")} >= {500}


def test_more_than_ten_bills_of_a_city_are_all_found(adapter, simulators):
    """The platform's workflow status is null beyond the tenth bill of a page."""
    simulators.ask_platform("POST", "bills", {"type": "supervision", "tenantId": "od.samplea", "count": 25})
    assert adapter.run("PA").counts["payments_created"] == 31


def test_an_old_period_holds_no_bill(adapter, simulators):
    old = datetime(2020, 1, 1, tzinfo=UTC)
    adapter.run("PA", Scope(since=old, until=old + timedelta(days=1)))
    assert payments(simulators) == []


def test_two_shards_take_different_cities(adapter, simulators):
    adapter.run("PA", Scope(shard=0, shards=2))
    assert {p["tenantId"] for p in payments(simulators)} == {"od.samplea"}
    adapter.run("PA", Scope(shard=1, shards=2))
    assert {p["tenantId"] for p in payments(simulators)} == {"od.samplea", "od.sampleb"}


def test_a_run_that_has_fallen_behind_its_lease_asks_for_no_payment(adapter, simulators, monkeypatch):
    """Another run may have asked for it, and the platform takes a second one until it has stored the first."""
    with monkeypatch.context() as patch:
        patch.setattr(Claim, "seconds_left", property(lambda _: 1.0))
        assert adapter.run("PA").counts["fallen_behind"] == 6
    assert payments(simulators) == []
    assert adapter.run("PA").counts["payments_created"] == 6


def test_a_payment_that_the_ledger_refuses_keeps_no_other_from_being_known(adapter, simulators, monkeypatch):
    """Told together, and by themselves when the database takes them not so."""
    adapter.run("PA")
    payments(simulators)
    with adapter.sweep("PI") as sweep, PlatformClient(simulators.platform_config()) as platform:
        told = list(platform.payments("od.samplea"))
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM ifms.payment")
    real = pa._raised_at
    odd = told[1].payment_number

    def raised_at(payment, created):
        return datetime(1999, 1, 1, tzinfo=UTC) if payment.payment_number == odd else real(payment, created)

    monkeypatch.setattr(pa, "_raised_at", raised_at)
    with pytest.raises(SweepNeedsAttentionError, match=odd), adapter.sweep("PI") as sweep:
        pa.remember(sweep, told)
    known = {row["payment_number"] for row in adapter.rows("SELECT payment_number FROM ifms.payment")}
    assert known == {payment.payment_number for payment in told} - {odd}
