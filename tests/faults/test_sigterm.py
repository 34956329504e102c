"""F25: SIGTERM in a sweep, through Airflow's own task runner: no new calls, what is under way is settled, the rest is due."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from support import failed
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.processes import until

from ifms.errors import SweepError

pytestmark = [
    pytest.mark.tier("prove"),
    pytest.mark.airflow,
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}),
]

WITHIN_SECONDS = 30
CONCURRENCY = 2
BILLS = 8
SLOW_MS = 25_000
GIVEN_BACK_WITHIN_SECONDS = 4.5


@dataclass
class Terminated:
    """A run whose process got SIGTERM: the calls made when the signal came and in all, and how long it took to end."""

    run: Any
    calls_by_then: int
    calls: int
    seconds: float


@pytest.fixture
def terminate(run_dag, treasury: Treasury, change_connection, without_retries) -> Callable[..., Terminated]:
    """`terminate(dag_id, service)`: run it, with SIGTERM to its process once the treasury has got a call of `service`.

    The treasury answers calls of that service late, after `ms`; two are under way at a time.
    """
    change_connection("ifms_treasury", max_concurrency=CONCURRENCY)

    def made(service: str) -> int:
        state = treasury.state
        return int(state["logins"] if service == "AUTH" else state["calls"].get(service, 0))

    def run_and_terminate(dag_id: str, service: str, ms: int = 800) -> Terminated:
        treasury.rule(service, "latency", ms=ms, after=True)  # the call has had its effect, and its answer is awaited
        before = made(service)
        over, sent = threading.Event(), {"at": 0.0, "calls": 0}

        def shut_down() -> None:
            while not over.is_set() and made(service) == before:
                time.sleep(0.02)
            sent["at"] = time.monotonic()
            os.kill(os.getpid(), signal.SIGTERM)
            sent["calls"] = made(service)

        unnoticed = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # so that this process lives if Airflow does not care
        watcher = threading.Thread(target=shut_down)
        watcher.start()
        try:
            run = run_dag(dag_id)
            ended = time.monotonic()
        finally:
            over.set()
            watcher.join()
            signal.signal(signal.SIGTERM, unnoticed)
            treasury.clear()
        return Terminated(run, int(sent["calls"]) - before, made(service) - before, ended - sent["at"])

    return run_and_terminate


@pytest.fixture
def stopped(adapter: Adapter, sweeps) -> Callable[[Terminated], None]:
    """`stopped(terminated)`: it ended as a stopped sweep shall, soon, with nothing in its hands."""

    def check(ended: Terminated) -> None:
        assert ended.run.state == "failed"
        assert ended.seconds < WITHIN_SECONDS
        assert ended.calls - ended.calls_by_then <= CONCURRENCY, "only what a thread had in its hands"
        [row] = sweeps(ended.run)
        assert row["message"].startswith("SweepStoppedError: ")
        for table in ("payment", "payment_instruction"):
            assert adapter.rows(f"SELECT id FROM ifms.{table} WHERE claim_token IS NOT NULL") == []
        half_known = "SELECT id FROM ifms.payment_instruction WHERE last_attempt = 'sending'"
        assert adapter.rows(half_known) == [], "what was under way is settled"
        unwritten = "SELECT id FROM ifms.treasury_call WHERE outcome IS NULL"
        assert adapter.rows(unwritten) == [], "each announced call is written down, or withdrawn"

    return check


def test_new_instructions(run_dag, terminate, stopped, adapter: Adapter, treasury: Treasury):
    adapter.run("VA")
    for _ in range(BILLS):
        failed.wage_bill(adapter, 2)
    adapter.run("PA")
    ended = terminate("ifms_pi", "PI")
    stopped(ended)
    assert 1 <= ended.calls < BILLS
    assert adapter.statuses()["INITIATED"] == ended.calls == len(treasury.accepted)
    assert_money_is_right(adapter, treasury)

    assert run_dag("ifms_pi").state == "success"
    assert adapter.statuses() == {"INITIATED": BILLS}
    assert set(treasury.accepted.values()) == {1}
    assert treasury.state["calls"]["PI"] == BILLS, "what was not begun was never sent"
    assert_money_is_right(adapter, treasury)


def test_what_is_not_begun_is_given_back_while_slow_calls_are_under_way(
    terminate, stopped, adapter: Adapter, treasury: Treasury
):
    """Airflow kills a task five seconds after it has told it to end when a person has marked it failed, say."""
    adapter.run("VA")
    for _ in range(BILLS):
        failed.wage_bill(adapter, 2)
    adapter.run("PA")
    held: list[int] = []

    def look() -> None:
        until(lambda: int(treasury.state["calls"].get("PI", 0)) >= 1)
        time.sleep(GIVEN_BACK_WITHIN_SECONDS)
        held.append(len(adapter.rows("SELECT id FROM ifms.payment WHERE claim_token IS NOT NULL")))
        held.append(len(adapter.rows("SELECT id FROM ifms.payment_instruction WHERE claim_token IS NOT NULL")))

    looking = threading.Thread(target=look)
    looking.start()
    ended = terminate("ifms_pi", "PI", ms=SLOW_MS)
    looking.join()
    stopped(ended)
    assert held == [0, ended.calls], "only what is under way is still held"
    assert adapter.statuses()["INITIATED"] == ended.calls == len(treasury.accepted)
    assert_money_is_right(adapter, treasury)


def test_no_call_is_made_after_a_slow_login(terminate, adapter: Adapter, treasury: Treasury, sweeps):
    adapter.run("VA")
    for _ in range(BILLS):
        failed.wage_bill(adapter, 2)
    adapter.run("PA")
    ended = terminate("ifms_pi", "AUTH", ms=2000)
    [row] = sweeps(ended.run)
    assert row["message"].startswith("SweepStoppedError: ")
    assert "PI" not in treasury.state["calls"]
    assert adapter.rows("SELECT id FROM ifms.payment_instruction WHERE claim_token IS NOT NULL") == []
    assert_money_is_right(adapter, treasury)


@pytest.mark.parametrize("unknown_bill", ["error", "empty"])
def test_what_may_have_arrived_is_not_sent_again_by_a_sweep_that_stops(
    run_dag, terminate, stopped, adapter: Adapter, treasury: Treasury, unknown_bill: str
):
    """Its status is asked for when the signal comes; the sending that would follow is a new call."""
    treasury.settings(unknown_bill=unknown_bill)
    adapter.run("VA")
    for _ in range(BILLS):
        failed.wage_bill(adapter, 2)
    adapter.run("PA")
    treasury.rule("PI", "refuse")
    with suppress(SweepError):
        adapter.run("PI")
    treasury.clear()
    assert adapter.statuses() == {"PENDING": BILLS}
    ended = terminate("ifms_pi", "PIS")
    stopped(ended)
    assert 1 <= ended.calls < BILLS
    assert len(treasury.accepted) == 0
    assert adapter.statuses() == {"PENDING": BILLS}
    unknown = adapter.rows("SELECT id FROM ifms.payment_instruction WHERE last_attempt = 'unknown'")
    assert len(unknown) == BILLS, "what may have arrived stays so"
    assert_money_is_right(adapter, treasury)

    assert run_dag("ifms_pi").state == "success"
    assert adapter.statuses() == {"INITIATED": BILLS}
    assert set(treasury.accepted.values()) == {1}
    assert_money_is_right(adapter, treasury)


def test_corrections(run_dag, terminate, stopped, adapter: Adapter, treasury: Treasury):
    originals = 5
    adapter.run("VA")
    for _ in range(originals):
        failed.wage_bill(adapter, 2)
    for service in ("PA", "PI", "PIS", "PAG", "PD"):
        adapter.run(service)
    for row in adapter.rows("SELECT pi_number FROM ifms.payment_instruction"):
        failed.fail(adapter, 1, row["pi_number"])
    adapter.run("FD")
    failed.mend(adapter)
    ended = terminate("ifms_cor", "COR")
    stopped(ended)
    assert 1 <= ended.calls < originals
    assert adapter.statuses()["COMPLETED"] == ended.calls == len(treasury.state["corrections"])
    assert_money_is_right(adapter, treasury)

    assert run_dag("ifms_cor").state == "success"
    assert adapter.statuses() == {"COMPLETED": originals, "INITIATED": originals}
    assert treasury.state["calls"]["COR"] == originals
    assert failed.failing(adapter) == []
    assert_money_is_right(adapter, treasury)
