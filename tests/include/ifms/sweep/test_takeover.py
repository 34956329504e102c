"""F11, F1: a run finds its rows in the hands of another that began before it; it waits for them, and only for them.

What Airflow has started anew beside a copy that is still at work, or that was killed, would else find nothing to do and
end green, and the rest would be left to the next day's run.
"""

from __future__ import annotations

import threading
import time
import uuid
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from support import failed
from support.adapter import EVERYTHING, Adapter, Treasury, assert_money_is_right

from ifms.errors import SweepError, SweepStoppedError
from ifms.ledger.runs import RunContext
from ifms.sweep.run import Sweep
from ifms.sweep.scope import Scope

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})

LEASE = "10 min"
LEFT_SECONDS = 3


@pytest.fixture
def funded(adapter: Adapter) -> Adapter:
    """Allotments, and two payments without a PI."""
    adapter.run("VA")
    for _ in range(2):
        failed.wage_bill(adapter, 2)
    adapter.run("PA")
    return adapter


def take(adapter: Adapter, table: str, *, left: str = f"{LEFT_SECONDS} s", where: str = "true") -> None:
    """Another run has taken rows a while ago; so much of its lease is left."""
    with psycopg.connect(adapter.dsn) as connection:
        taken = connection.execute(
            f"UPDATE ifms.{table} SET claim_token = %s, claimed_until = clock_timestamp() + %s::interval,"
            f" polled_at = clock_timestamp() - interval '1 min' WHERE {where}",
            (uuid.uuid4(), left),
        )
    assert taken.rowcount


def run(adapter: Adapter, service: str, patience: float, stop: threading.Event | None = None) -> Sweep:
    sweep = adapter.sweep(service, stop)
    sweep.patience_seconds = patience
    with sweep:
        adapter.work(sweep, EVERYTHING)
    return sweep


def statuses(adapter: Adapter) -> dict[str, int]:
    return dict(adapter.statuses())


def test_payments_in_the_hands_of_a_run_that_was_killed(funded: Adapter, treasury: Treasury):
    take(funded, "payment")
    run(funded, "PI", patience=60)
    assert statuses(funded) == {"INITIATED": 2}
    assert_money_is_right(funded, treasury)


def test_instructions_in_the_hands_of_a_run_that_was_killed(funded: Adapter, treasury: Treasury):
    treasury.rule("PI", "lost_reply")
    with suppress(SweepError):
        funded.run("PI")
    treasury.clear()
    take(funded, "payment_instruction")
    run(funded, "PI", patience=60)
    assert statuses(funded) == {"INITIATED": 2}
    assert set(treasury.accepted.values()) == {1}
    assert_money_is_right(funded, treasury)


def test_instructions_that_come_free_while_payments_are_awaited(funded: Adapter, treasury: Treasury):
    """Their lease has run out by the time they are looked at again: that is no reason to leave them."""
    treasury.rule("PI", "lost_reply")
    with suppress(SweepError):
        funded.run("PI")
    treasury.clear()
    failed.wage_bill(funded)
    funded.run("PA")
    take(funded, "payment_instruction", left="1 sec")
    take(funded, "payment", where="paid_by IS NULL", left="3 sec")
    run(funded, "PI", patience=60)
    assert statuses(funded) == {"INITIATED": 3}
    assert set(treasury.accepted.values()) == {1}
    assert_money_is_right(funded, treasury)


@pytest.mark.parametrize(("service", "after"), [("PIS", "APPROVED"), ("VA", "INITIATED")])
def test_what_other_services_ask_about(funded: Adapter, treasury: Treasury, service: str, after: str):
    funded.run("PI")
    take(funded, "va_watermark" if service == "VA" else "payment_instruction")
    assert run(funded, service, patience=60).counts["answered"] >= 2
    assert statuses(funded) == {after: 2}


def test_a_revision_in_the_hands_of_a_run_that_was_killed(funded: Adapter, treasury: Treasury):
    for service in ("PI", "PIS", "PAG", "PD"):
        funded.run(service)
    failed.fail(funded)
    funded.run("FD")
    failed.mend(funded)
    treasury.rule("COR", "lost_reply")
    with suppress(SweepError):
        funded.correct()
    treasury.clear()
    take(funded, "payment_instruction", where="pi_type = 'REVISED'")
    run(funded, "COR", patience=60)
    assert [row["status"] for row in failed.revisions(funded)] == ["INITIATED"]
    assert_money_is_right(funded, treasury)


def test_what_the_other_run_finishes_is_not_done_again(funded: Adapter, treasury: Treasury):
    treasury.rule("PI", "latency", ms=1500)
    other = threading.Thread(target=funded.run, args=("PI",))
    other.start()
    while not funded.rows("SELECT 1 FROM ifms.payment_instruction"):
        time.sleep(0.02)
    run(funded, "PI", patience=60)
    assert statuses(funded) == {"INITIATED": 2}, "it ends only when the other one's are settled"
    other.join()
    assert treasury.state["calls"]["PI"] == 2
    assert_money_is_right(funded, treasury)


def test_what_was_taken_after_the_run_began_is_not_awaited(funded: Adapter, treasury: Treasury):
    with funded.sweep("PI") as sweep:
        sweep.patience_seconds = 60
        take(funded, "payment", left=LEASE)
        funded.work(sweep, EVERYTHING)
    assert sweep.problems == []
    assert statuses(funded) == {}


def test_it_is_stopped_while_it_waits(funded: Adapter, treasury: Treasury):
    take(funded, "payment", left="9 min")
    stop = threading.Event()
    threading.Timer(1, stop.set).start()
    with pytest.raises(SweepStoppedError):
        run(funded, "PI", patience=600, stop=stop)
    assert statuses(funded) == {}


def test_its_patience_ends_and_it_says_what_is_left(funded: Adapter, treasury: Treasury):
    take(funded, "payment", left="9 min")
    sweep: Any = run(funded, "PI", patience=0.1)
    assert sweep.problems == ["2 are still in the hands of another run; they are left to the next one"]


def test_the_operators_are_patient_longer_than_any_lease():
    from ifms.services import cor, pi, va
    from ifms.sweep import status_poll
    from ifms_airflow.operators.sweep import PATIENCE_SECONDS

    assert all(module.LEASE.total_seconds() < PATIENCE_SECONDS for module in (cor, pi, status_poll, va))


def test_a_shard_that_had_to_wait_for_a_worker_asks_nothing_again(funded: Adapter, treasury: Treasury):
    def asked_by(shard: int, try_number: int = 1) -> int:
        before = treasury.state["calls"].get("PIS", 0)
        sweep = funded.sweep("PIS")
        sweep.context = RunContext("sample", "one-run", shard, try_number)
        with sweep:
            funded.work(sweep, Scope(shard=shard, shards=3))
        return int(treasury.state["calls"].get("PIS", 0) - before)

    funded.run("PI")
    treasury.rule("PIS", "plain_reply", text='{"serviceId": "PIS", "data": []}')  # what was asked about stays due
    assert asked_by(0) == 2
    assert asked_by(1) == 0
    assert asked_by(0, try_number=2) == 2, "a try again asks again"
    with psycopg.connect(funded.dsn) as connection:  # one was claimed by a shard of this run that was killed
        connection.execute(
            "UPDATE ifms.payment_instruction SET claim_token = %s, claimed_until = now(), polled_at = clock_timestamp()"
            " WHERE id = (SELECT id FROM ifms.payment_instruction LIMIT 1)",
            (uuid.uuid4(),),
        )
    assert asked_by(2) == 1
