"""A worker, or a pod, that is told to end while the treasury answers slowly: its tasks hear, settle and give back.

The signal goes to the process that the container was started with, and to no other, as the image's own init does it.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis as redis_client
from support import compose, redis, workers
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.real_airflow import ledger_on, running, until
from support.redis import Server as Broker
from support.simulators import Simulators
from support.workers import Crew

from ifms_standalone import postgres

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}),
]

BILLS = 24
AT_A_TIME = 4
SLOW_SECONDS = 25
SETTLED_WITHIN_SECONDS = 30
GRACE_SECONDS = int(compose.written()["services"]["worker"]["stop_grace_period"].removesuffix("s"))
STOPPED = "SweepStoppedError: stopped on request; what was under way is settled, the rest is still due"


@pytest.fixture
def ledger_server() -> Iterator[postgres.Server]:
    """A PostgreSQL for Airflow and the ledger."""
    with postgres.throwaway() as server:
        yield server


@pytest.fixture
def adapter(ledger_server: postgres.Server, simulators: Simulators) -> Adapter:
    """The adapter on the ledger that the tasks work on."""
    return ledger_on(ledger_server, simulators)


@pytest.fixture
def broker() -> Iterator[Broker]:
    """The queue of tasks."""
    with redis.running() as server:
        yield server


@pytest.fixture
def crew(ledger_server: postgres.Server, simulators: Simulators, broker: Broker, tmp_path: Path) -> Iterator[Crew]:
    """Airflow with its Celery executor, and no worker yet."""
    connections = simulators.connections(max_concurrency=AT_A_TIME)
    ours = {"IFMS_SHARDS": "2", "IFMS_SCHEDULE_PI": "none", "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2"}
    with running(
        ledger_server, connections, tmp_path / "run", "ifms_pi", workers.settings(broker, ledger_server) | ours
    ) as made:
        yield Crew(made, ledger_server)


@pytest.fixture
def due(adapter: Adapter, treasury: Treasury) -> None:
    """Payments that wait, and a treasury that takes each PI and is slow to say so."""
    bill = {"type": "wage", "tenantId": "od.samplea", "payees": 1, "count": BILLS}
    adapter.simulators.ask_platform("POST", "bills", bill)
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "latency", ms=SLOW_SECONDS * 1000, after=True)


def under_way(treasury: Treasury) -> int:
    return int(treasury.state["calls"].get("PI", 0))


def stopped(crew: Crew, pid: int) -> tuple[int, float, float]:
    """Send TERM to this process alone; its exit code, after how many seconds it was gone, and when (epoch) it was sent."""
    began, told_at = time.monotonic(), time.time()
    os.kill(pid, signal.SIGTERM)
    while (code := crew.airflow.processes.code(pid)) is None:
        assert time.monotonic() < began + GRACE_SECONDS, "it would be killed"
        time.sleep(0.1)
    return code, time.monotonic() - began, told_at


def assert_nothing_is_held(adapter: Adapter, treasury: Treasury, told_at: float, shards: int) -> None:
    """What a stopped sweep leaves: its ends told, nothing claimed, what was under way settled, the rest still due."""
    for table in ("payment", "payment_instruction"):
        assert adapter.rows(f"SELECT id FROM ifms.{table} WHERE claim_token IS NOT NULL") == []
    sweeps = adapter.rows(
        """
        SELECT state, message, extract(epoch FROM finished_at)::float8 AS ended FROM ifms.sweep_run
        WHERE dag_id = 'ifms_pi' AND service_id = 'PI'
        """
    )
    assert [(row["state"], row["message"]) for row in sweeps] == [("failed", STOPPED)] * shards
    settled = max(row["ended"] for row in sweeps) - told_at
    assert settled < SETTLED_WITHIN_SECONDS, f"settled after {settled:.1f} s"
    assert adapter.rows("SELECT id FROM ifms.treasury_call WHERE outcome IS NULL") == []
    assert adapter.rows("SELECT id FROM ifms.payment_instruction WHERE last_attempt = 'sending'") == []
    assert adapter.statuses()["INITIATED"] == len(treasury.accepted) == under_way(treasury) < BILLS
    assert_money_is_right(adapter, treasury)


def task_states(crew: Crew) -> set[str]:
    """Of the shards that have begun."""
    with psycopg.connect(crew.server.dsn("airflow")) as connection:
        rows = connection.execute(
            "SELECT state FROM task_instance WHERE map_index >= 0 AND start_date IS NOT NULL"
        ).fetchall()
    return {state for (state,) in rows}


@pytest.mark.usefixtures("due")
def test_a_worker(crew: Crew, adapter: Adapter, treasury: Treasury):
    crew.airflow.client.unpause("ifms_pi")
    crew.airflow.client.trigger("ifms_pi", "stopped")
    crew.start("worker-1")
    until(lambda: under_way(treasury) == 2 * AT_A_TIME, "the shards do not begin")
    assert crew.is_well("worker-1")
    code, seconds, told_at = stopped(crew, crew.airflow.pid("worker-1"))
    assert code == 0, crew.airflow.processes.log("worker-1").read_text()[-4000:]
    assert under_way(treasury) == 2 * AT_A_TIME, "no call was begun any more"
    assert seconds < GRACE_SECONDS, f"gone after {seconds:.1f} s"
    assert_nothing_is_held(adapter, treasury, told_at, shards=2)
    assert task_states(crew) == {"up_for_retry"}


@pytest.mark.usefixtures("due")
def test_a_pod(crew: Crew, adapter: Adapter, treasury: Treasury, broker: Broker):
    """What the Kubernetes executor runs in a pod, given one task from the queue."""
    crew.airflow.client.unpause("ifms_pi")
    crew.airflow.client.trigger("ifms_pi", "stopped")
    client = redis_client.Redis(port=broker.port, password=broker.password)
    queued: list[str] = []

    def come() -> bool:
        while (message := client.rpop("default")) is not None:
            (workload,), *_ = json.loads(base64.b64decode(json.loads(message)["body"]))  # type: ignore[arg-type]
            if json.loads(workload)["ti"]["task_id"] == "create_payment_instructions":
                queued.append(workload)
        return bool(queued)

    until(come, "no shard is queued")
    workload = queued[0]
    command = [sys.executable, "-m", "airflow.sdk.execution_time.execute_workload", "--json-string", workload]
    crew.airflow.processes.start("pod", command, crew.airflow.environment)
    until(lambda: under_way(treasury) == AT_A_TIME, "the shard does not begin")
    code, seconds, told_at = stopped(crew, crew.airflow.pid("pod"))
    assert code == 0, crew.airflow.processes.log("pod").read_text()[-4000:]
    assert under_way(treasury) == AT_A_TIME, "no call was begun any more"
    assert seconds < GRACE_SECONDS, f"gone after {seconds:.1f} s"
    assert_nothing_is_held(adapter, treasury, told_at, shards=1)
    assert task_states(crew) == {"up_for_retry"}
