"""A sweep of ifms_reconcile: red when a rule is broken, blind to what a running sweep has not committed, and what it does
with PIs that stay PENDING. The rules themselves: tests/include/ifms/ledger/test_invariants.py."""

import threading
from datetime import timedelta

import psycopg
import pytest
from support.adapter import assert_money_is_right
from support.failed import paid_and_failed, wage_bill

from ifms.errors import SweepError, SweepNeedsAttentionError
from ifms.ledger.invariants import INVARIANTS
from ifms.ledger.limits import Limits
from ifms.services.witnesses import WITNESSED

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})

WAITING = (
    "SELECT pi_number, claim_token, claimed_until, polled_at FROM ifms.payment_instruction WHERE status = 'PENDING'"
)


def execute(adapter, statement, *values):
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(statement, values)


@pytest.fixture
def pending(adapter, treasury):
    """A PI whose reply was lost, as old as it may be and an hour more."""
    wage_bill(adapter, payees=1)
    for service in ("VA", "PA"):
        adapter.run(service)
    for service in ("PI", "PIS"):
        treasury.rule(service, "lost_reply")
    with pytest.raises(SweepError):
        adapter.run("PI")
    execute(adapter, "UPDATE ifms.payment_instruction SET created_at = created_at - interval '25 hours'")
    treasury.clear()
    return adapter


def test_a_right_ledger_is_green_and_says_how_many_rules_it_looked_at(adapter):
    paid_and_failed(adapter)
    assert adapter.reconcile().counts == {"rules": len(INVARIANTS) + len(WITNESSED), "asked_first": 0}
    [row] = adapter.rows("SELECT * FROM ifms.sweep_run WHERE service_id = 'RECONCILE'")
    assert (row["state"], row["problems"], row["message"]) == ("success", [], None)


def test_a_broken_rule_is_red_and_its_rows_are_named_with_what_to_do(adapter):
    paid_and_failed(adapter)
    execute(adapter, "UPDATE ifms.sanction SET spent_amount = spent_amount + 1 WHERE spent_amount > 0")
    execute(adapter, "UPDATE ifms.beneficiary SET amount = amount + 1")
    with pytest.raises(SweepNeedsAttentionError, match="3 problem.*the first: balances_are_movements: sanction "):
        adapter.reconcile()
    [row] = adapter.rows("SELECT * FROM ifms.sweep_run WHERE service_id = 'RECONCILE'")
    assert row["state"] == "failed"
    assert row["counts"]["balances_are_movements"] == row["counts"]["header_and_rows_agree"] == 1
    [money, rows, signed] = row["problems"]
    assert signed.startswith("instructions_are_signed: the account number of beneficiary ")
    [sanction] = adapter.rows("SELECT id::text FROM ifms.sanction WHERE spent_amount > 0")
    assert sanction["id"] in money
    assert "Pause ifms_pi" in money
    assert adapter.rows("SELECT pi_number FROM ifms.payment_instruction")[0]["pi_number"] in rows


def test_of_many_rows_it_names_some_and_counts_all(adapter):
    wage_bill(adapter, payees=1)
    adapter.cycle()
    execute(
        adapter,
        """INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload, set_aside_at)
        SELECT 'payment_status', 't', 'key ' || n, '{}', now() FROM generate_series(1, 300) n""",
    )
    with pytest.raises(SweepNeedsAttentionError):
        adapter.reconcile()
    [row] = adapter.rows("SELECT * FROM ifms.sweep_run WHERE service_id = 'RECONCILE'")
    assert row["counts"]["messages_are_delivered"] == 300
    assert (len(row["problems"]), row["problems"][-1]) == (11, "messages_are_delivered: and 290 more")


def test_a_pi_that_stays_pending_is_named_and_asked_about_first(pending, treasury):
    with pytest.raises(SweepNeedsAttentionError, match="pending_is_settled: PI PI-SA/.*the last unknown"):
        pending.reconcile()
    [pi] = pending.rows(WAITING)
    assert (pi["claim_token"], pi["claimed_until"], pi["polled_at"]) == (None, None, None)
    calls = treasury.state["calls"]
    assert calls.get("PI") == 1, "it sends nothing itself"
    pending.run("PI")  # PIS is asked, and knows it
    assert pending.statuses() == {"INITIATED": 1}
    assert treasury.state["calls"]["PI"] == 1
    assert_money_is_right(pending, treasury)
    pending.reconcile()


def test_how_long_is_long_can_be_chosen(pending):
    pending.reconcile(Limits(pending=timedelta(hours=26)))
    assert pending.rows(WAITING)[0]["polled_at"] is not None


def test_a_pi_that_a_run_holds_is_left_alone(pending):
    held = "UPDATE ifms.payment_instruction SET claim_token = gen_random_uuid(), claimed_until = now() + interval '{}'"
    execute(pending, held.format("5 minutes"))
    before = pending.rows(WAITING)
    with pytest.raises(SweepNeedsAttentionError):
        pending.reconcile()
    assert pending.rows(WAITING) == before
    execute(pending, held.format("-1 minutes"))  # its lease has run out
    with pytest.raises(SweepNeedsAttentionError):
        pending.reconcile()
    assert pending.rows(WAITING)[0]["claim_token"] is None


def test_a_pi_that_is_locked_just_now_is_not_waited_for(pending):
    with psycopg.connect(pending.dsn) as connection:
        connection.execute("SELECT FROM ifms.payment_instruction FOR UPDATE")
        with pytest.raises(SweepNeedsAttentionError):
            pending.reconcile()
        connection.rollback()
    assert pending.rows(WAITING)[0]["polled_at"] is not None


def test_sweeps_at_work_raise_no_false_alarm(adapter):
    adapter.simulators.ask_platform(
        "POST", "bills", {"type": "wage", "tenantId": "od.samplea", "payees": 2, "count": 40}
    )
    for service in ("VA", "PA"):
        adapter.run(service)
    ended = threading.Event()

    def work():
        try:
            for service in ("PI", "PIS", "PAG", "PD"):
                adapter.run(service)
        finally:
            ended.set()

    thread = threading.Thread(target=work)
    thread.start()
    looked = 0
    while not ended.is_set():
        adapter.reconcile()
        looked += 1
    thread.join()
    assert looked > 1
    assert adapter.statuses() == {"SUCCESSFUL": 40}
    adapter.reconcile()
