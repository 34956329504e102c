"""The platform hears of each change, in order per payment, at least once; what it refuses stays visible."""

from collections import Counter

import psycopg
import pytest

from ifms.errors import SweepNeedsAttentionError
from ifms.ledger.claims import Claim
from ifms.services.relay import REFUSALS

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})


def platform_payment(simulators):
    return simulators.ask_platform("GET", "state")["payments"][0]


def lines(payment):
    return [
        line["status"]
        for bill in payment["bills"]
        for detail in bill["billDetails"]
        for line in detail["payableLineItems"]
    ]


def settle(simulators):
    while simulators.ask_platform("GET", "state")["waiting"]:
        pass


def outbox(adapter):
    return adapter.rows("SELECT * FROM ifms.outbox ORDER BY id")


def due_now(adapter):
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("UPDATE ifms.outbox SET next_attempt_at = now()")


def test_a_paid_payment_ends_successful_on_every_level(adapter, simulators):
    adapter.cycle()
    sweep = adapter.run("RELAY")
    assert sweep.counts["delivered"] == 2  # INITIATED, then SUCCESSFUL
    settle(simulators)
    payment = platform_payment(simulators)
    assert payment["status"] == "SUCCESSFUL"
    assert set(lines(payment)) == {"SUCCESSFUL"}
    bills = simulators.ask_platform("GET", "state")["bills"]
    assert {bill["paymentStatus"] for bill in bills if bill["wfStatus"] == "APPROVED"} == {"SUCCESSFUL"}
    assert adapter.run("RELAY").counts["delivered"] == 0


def test_a_failed_and_corrected_payment_is_told_line_by_line(adapter, simulators):
    adapter.cycle()
    number = adapter.rows("SELECT pi_number FROM ifms.payment_instruction")[0]["pi_number"]
    simulators.ask_treasury("POST", "failures", {"bill_number": number, "beneficiaries": 1})
    adapter.run("FD")
    adapter.run("RELAY")
    settle(simulators)
    payment = platform_payment(simulators)
    assert payment["status"] == "PARTIAL"
    assert Counter(lines(payment)) == Counter(SUCCESSFUL=3, FAILED=1)
    assert {bill["status"] for bill in payment["bills"]} == {"PARTIAL"}
    failed = adapter.rows("SELECT beneficiary_id FROM ifms.failed_beneficiary")[0]["beneficiary_id"]
    change = {"tenantId": "od.samplea", "referenceId": failed, "accountNumber": "000099990001"}
    simulators.ask_platform("POST", "accounts", change)
    adapter.correct()
    adapter.run("RELAY")
    settle(simulators)
    assert Counter(lines(platform_payment(simulators))) == Counter(SUCCESSFUL=3, INITIATED=1)
    adapter.run("FTPS")
    adapter.run("RELAY")
    settle(simulators)
    payment = platform_payment(simulators)
    assert payment["status"] == "SUCCESSFUL"
    assert set(lines(payment)) == {"SUCCESSFUL"}


def test_a_platform_that_is_down_delays_and_drops_nothing(adapter, simulators):
    adapter.cycle()
    simulators.ask_platform("POST", "rules", {"service": "payment_update", "effect": "http_status", "status": 503})
    for _ in range(REFUSALS + 2):
        sweep = adapter.run("RELAY")
        assert sweep.counts["delivered"] == 0
        due_now(adapter)
    first, second = outbox(adapter)
    assert (first["attempts"], second["attempts"]) == (REFUSALS + 2, 0)
    assert first["set_aside_at"] is None
    assert "503" in first["last_error"]
    simulators.ask_platform("DELETE", "rules")
    adapter.run("RELAY")
    assert all(row["delivered_at"] for row in outbox(adapter))


def test_a_run_that_has_fallen_behind_its_lease_says_nothing(adapter, simulators, monkeypatch):
    """Another run may have told the platform something newer, which this one's message would undo."""
    adapter.cycle()
    with monkeypatch.context() as patch:
        patch.setattr(Claim, "seconds_left", property(lambda _: 1.0))
        assert adapter.run("RELAY").counts["fallen_behind"] == 1
    assert "payment_update" not in simulators.ask_platform("GET", "state")["calls"]
    assert adapter.run("RELAY").counts["delivered"] == 0  # its claim has not run out yet
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("UPDATE ifms.outbox SET claimed_until = now() - interval '1 second'")
    assert adapter.run("RELAY").counts["delivered"] == 2


def test_the_asynchronous_payment_is_waited_for(adapter, simulators):
    """ "Payment id is invalid" right after the payment was created: tried again, delivered."""
    adapter.cycle()
    error = {"code": "EG_EXPENSE_PAYMENT_UPDATE_ERROR", "message": "Payment id is invalid"}
    rule = {"service": "payment_update", "effect": "errors", "times": 1}
    simulators.ask_platform("POST", "rules", rule | error)
    adapter.run("RELAY")
    assert outbox(adapter)[0]["delivered_at"] is None
    due_now(adapter)
    adapter.run("RELAY")
    assert all(row["delivered_at"] for row in outbox(adapter))


def test_what_is_refused_for_good_is_set_aside_and_sent_again_on_request(adapter, simulators):
    adapter.cycle()
    error = {"code": "EG_PAYMENT_UPDATE_STATUS_NOTNULL", "message": "sample refusal"}
    simulators.ask_platform("POST", "rules", {"service": "payment_update", "effect": "errors"} | error)
    for _ in range(REFUSALS - 1):
        adapter.run("RELAY")
        due_now(adapter)
    with pytest.raises(SweepNeedsAttentionError, match="set aside: .*sample refusal"):
        adapter.run("RELAY")
    first, second = outbox(adapter)
    assert first["set_aside_at"] is not None
    simulators.ask_platform("DELETE", "rules")
    assert adapter.run("RELAY").counts["delivered"] == 0  # what follows waits, so that the order holds
    assert second["delivered_at"] is None
    sweep = adapter.relay(again=[first["id"]])
    assert sweep.counts["delivered"] == 2
