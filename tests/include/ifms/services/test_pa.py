"""A payment for each approved bill, once."""

import threading
import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from ifms.errors import SweepNeedsAttentionError
from ifms.ledger.bills import bind_bills, claim_bills
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


def test_a_bill_that_another_city_s_rows_have_is_told_and_the_others_are_paid(adapter, simulators):
    """A city with another code keeps the ids of its bills, which may have been paid under the old one."""
    state = simulators.ask_platform("GET", "state")
    paid, asked = [bill for bill in state["bills"] if bill["wfStatus"] == "APPROVED"][:2]
    with psycopg.connect(adapter.dsn) as connection:
        bind_bills(connection, "od.gone", {"EP/0/2024-25/06/01/999999": [paid["id"]]})
        claim_bills(connection, "od.gone", [asked["id"]], timedelta(minutes=5))
    for _ in range(2):
        sweep = adapter.sweep("PA")
        with pytest.raises(SweepNeedsAttentionError), sweep:
            adapter.work(sweep)
        by_payment, claimed = sorted(sweep.problems, key=lambda text: paid["id"] not in text)
        assert (
            f"bill {paid['billNumber']} of {paid['tenantId']} is known here as bill {paid['id']} of od.gone"
            in by_payment
        )
        assert "which payment EP/0/2024-25/06/01/999999 pays" in by_payment
        assert f"bill {asked['billNumber']} of {asked['tenantId']} is known here as" in claimed
        assert "od.gone, which has no payment" in claimed
    assert len(payments(simulators)) == 4


def test_a_payment_that_the_platform_never_stored_is_told(adapter, simulators):
    simulators.ask_platform("POST", "settings", {"persist_ms": 3_600_000})
    adapter.run("PA")
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("UPDATE ifms.bill SET asked_at = now() - interval '2 hours'")
    with pytest.raises(SweepNeedsAttentionError, match="still calls the bill unpaid"):
        adapter.run("PA")


ALONE = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0, "persist_ms": 0})
WAGES = {"type": "wage", "tenantId": "od.samplea", "payees": 1}
DUPLICATE = {"service": "payment_create", "effect": "errors", "code": "EG_PAYMENT_DUPLICATE_PAYMENT_ERROR"}


def an_hour_later(adapter):
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("UPDATE ifms.bill SET duplicate_since = duplicate_since - interval '61 minutes'")


@ALONE
def test_a_bill_that_is_refused_as_paid_and_called_unpaid_is_told_after_an_hour(adapter, simulators):
    bill = simulators.ask_platform("POST", "bills", WAGES)[0]
    simulators.ask_platform("POST", "rules", DUPLICATE)
    for _ in range(2):
        assert adapter.run("PA").counts["refused_as_paid"] == 1
    an_hour_later(adapter)
    for _ in range(2):
        with pytest.raises(SweepNeedsAttentionError, match=f"bill {bill['billNumber']} .*no payment is found"):
            adapter.run("PA")
    simulators.ask_platform("DELETE", "rules")
    assert adapter.run("PA").counts["payments_created"] == 1


def told_unpaid(simulators, monkeypatch, **changes):
    """A bill with a payment, which the platform calls unpaid; the search tells the payment with these changes."""
    bill = simulators.ask_platform("POST", "bills", WAGES | {"with_payments": True})[0]
    with PlatformClient(simulators.platform_config()) as platform:
        unpaid = platform.bills("od.samplea", [bill["id"]])[bill["id"]].model_copy(update={"payment_status": None})
    search = PlatformClient.payments

    def payments(self, tenant, **criteria):
        for payment in search(self, tenant, **criteria):
            yield payment.model_copy(update=changes)

    monkeypatch.setattr(PlatformClient, "bills_to_pay", lambda *_, **__: iter([unpaid]))
    monkeypatch.setattr(PlatformClient, "payments", payments)
    return bill


@ALONE
def test_the_payment_of_a_bill_that_is_called_unpaid_is_taken_up_after_an_hour(adapter, simulators, monkeypatch):
    bill = told_unpaid(simulators, monkeypatch)
    assert adapter.run("PA").counts["refused_as_paid"] == 1
    assert adapter.rows("SELECT * FROM ifms.payment") == []
    an_hour_later(adapter)
    counts = adapter.run("PA").counts
    assert (counts["payments_found"], counts["payments_created"]) == (1, 0)
    [known] = adapter.rows("SELECT payment_number, bill_numbers FROM ifms.payment")
    assert known == {"payment_number": bill["paymentNumber"], "bill_numbers": [bill["billNumber"]]}
    [bound] = adapter.rows("SELECT bill_id, payment_number FROM ifms.bill")
    assert bound == {"bill_id": bill["id"], "payment_number": bill["paymentNumber"]}
    assert adapter.run("PA").counts["asked_for_already"] == 1


@ALONE
@pytest.mark.parametrize("status", ["SUCCESSFUL", "FAILED", "CANCELLED"])
def test_a_payment_that_has_gone_its_way_elsewhere_is_named_and_not_taken_up(adapter, simulators, monkeypatch, status):
    bill = told_unpaid(simulators, monkeypatch, status=status)
    adapter.run("PA")
    an_hour_later(adapter)
    with pytest.raises(SweepNeedsAttentionError, match=rf"payment {bill['paymentNumber']} of od.samplea \({status}\)"):
        adapter.run("PA")
    assert adapter.rows("SELECT * FROM ifms.payment") == []


@ALONE
def test_approved_bills_without_a_workflow_state_are_named_in_each_run(adapter, simulators):
    bills = simulators.ask_platform("POST", "bills", WAGES | {"count": 13})
    for bill in bills[1:]:
        order = {"billNumber": bill["billNumber"], "status": "ACTIVE", "wfStatus": None}
        simulators.ask_platform("POST", "statuses", order)
    for _ in range(2):
        sweep = adapter.sweep("PA")
        with pytest.raises(SweepNeedsAttentionError), sweep:
            adapter.work(sweep)
        assert sweep.counts["without_workflow"] == 12
        [problem] = sweep.problems
        assert sum(bill["billNumber"] in problem for bill in bills) == 10
        assert "and 2 more: the platform does not tell the state of the workflow" in problem
    assert len(payments(simulators)) == 1


@ALONE
def test_a_bill_that_another_payment_has_taken_meanwhile_keeps_no_other(adapter, simulators, monkeypatch):
    """ifms_pi may bind a bill while its payment is asked for."""
    bills = simulators.ask_platform("POST", "bills", WAGES | {"count": 3})
    create = PlatformClient.create_payment

    def taken(self, payment):
        if payment.bills[0].bill_id == bills[0]["id"]:
            with psycopg.connect(adapter.dsn) as connection:
                bind_bills(connection, "od.samplea", {"EP/0/2024-25/06/01/999999": [bills[0]["id"]]})
        return create(self, payment)

    monkeypatch.setattr(PlatformClient, "create_payment", taken)
    with pytest.raises(SweepNeedsAttentionError, match=f"1 problem.*pays bill {bills[0]['id']}, which payment"):
        adapter.run("PA")
    assert len(adapter.rows("SELECT * FROM ifms.bill WHERE payment_number IS NOT NULL")) == 3


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
