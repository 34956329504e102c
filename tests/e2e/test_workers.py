"""Two Celery workers on one sweep, and one of them is killed in the middle, with all that it had started.

The other one works on; when the leases of what the dead one had in its hands have run out, that is taken over. Both
share the treasury's limit of calls a second.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from support import compose, redis
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.real_airflow import RealAirflow, ledger_on, running, until
from support.simulators import Simulators

from standalone import postgres

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}),
]

BILLS = 80
LATENCY_MS = 300
CALLS_A_SECOND = 4  # a worker with two calls at a time would make more than 6, two of them 13
KILLED_AFTER = 30
AT_A_TIME = 2
IN_ITS_HANDS = 5  # AHEAD times as many, and one that is just being written
WORKERS = ("worker-1", "worker-2")
HOST = "sample-host"
WORKER = compose.written()["services"]["worker"]


@pytest.fixture
def ledger_server() -> Iterator[postgres.Server]:
    """A PostgreSQL for Airflow and the ledger."""
    with postgres.throwaway() as server:
        yield server


@pytest.fixture
def adapter(ledger_server: postgres.Server, simulators: Simulators) -> Adapter:
    """The adapter on the ledger that the workers work on."""
    return ledger_on(ledger_server, simulators)


@pytest.fixture
def real_airflow(ledger_server: postgres.Server, simulators: Simulators, tmp_path: Path) -> Iterator[RealAirflow]:
    """Airflow with its Celery executor, and two workers that each take one task at a time."""
    with redis.running() as broker:
        database = f"db+postgresql+psycopg2://{ledger_server.dsn('airflow').partition('://')[2]}"
        settings = {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": broker.url,
            "AIRFLOW__CELERY__RESULT_BACKEND": database,
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "1",
            "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
            "IFMS_SHARDS": "3",
        }
        treasury = {"max_concurrency": AT_A_TIME, "calls_per_second": CALLS_A_SECOND}
        with running(ledger_server, simulators, tmp_path / "run", "ifms_pi", treasury, settings) as made:
            for name in WORKERS:
                pid_file = str(tmp_path / f"{name}.pid")
                made.start(
                    name,
                    *WORKER["command"],
                    "--celery-hostname",
                    f"{name}@{HOST}",
                    "--pid",
                    pid_file,
                    "--skip-serve-logs",
                )
            for name in WORKERS:
                until(lambda name=name: "ready" in made.processes.log(name).read_text(), f"{name} is not up")  # type: ignore[misc]
            yield made


def at_work(adapter: Adapter) -> int:
    """How many sweeps have had an answer from the treasury and go on."""
    return len(
        adapter.rows(
            """
            SELECT DISTINCT r.id FROM ifms.sweep_run r JOIN ifms.treasury_call c ON c.sweep_run_id = r.id
            WHERE r.service_id = 'PI' AND r.dag_id = 'ifms_pi' AND r.state = 'running' AND c.outcome = 'answered'
              AND c.service_id = 'PI'
            """
        )
    )


def is_well(real_airflow: RealAirflow, worker: str) -> bool:
    """What docker-compose.yaml's health check says of a worker."""
    check = WORKER["healthcheck"]["test"][1].replace('"celery@$$HOSTNAME"', f"{worker}@{HOST}")
    path = os.pathsep.join([str(Path(sys.executable).parent), real_airflow.environment["PATH"]])
    return subprocess.run(
        ["sh", "-c", check], env={**real_airflow.environment, "PATH": path}, capture_output=True, check=False
    ).returncode == 0  # fmt: skip


def test_a_killed_worker_s_work_is_taken_over_within_the_limit(
    real_airflow: RealAirflow, adapter: Adapter, treasury: Treasury
):
    bill = {"type": "wage", "tenantId": "od.samplea", "payees": 1, "count": BILLS}
    adapter.simulators.ask_platform("POST", "bills", bill)
    adapter.run("VA")
    adapter.run("PA")
    treasury.settings(latency_ms=LATENCY_MS)
    before = len(treasury.arrivals)
    real_airflow.client.unpause("ifms_pi")
    real_airflow.client.trigger("ifms_pi", "two-workers")
    until(lambda: at_work(adapter) == 2, "the work does not spread over both workers")
    until(lambda: len(treasury.accepted) >= KILLED_AFTER, "it does not go on")
    assert at_work(adapter) == 2

    real_airflow.kill_all(WORKERS[0])
    assert len(treasury.accepted) < BILLS
    still: list[int] = [-1]

    def rests() -> bool:
        time.sleep(3)
        still.append(len(treasury.accepted))
        return still[-1] == still[-2]

    until(rests, "the other worker does not come to an end of what is free")
    left = BILLS - still[-1]
    assert left > 0, "the killed worker had something in its hands"
    # Only one worker is left, with one task at a time: so what is under a claim now was the killed one's.
    with psycopg.connect(adapter.dsn) as connection:
        for table in ("payment", "payment_instruction"):
            connection.execute(f"UPDATE ifms.{table} SET claimed_until = now() WHERE claim_token IS NOT NULL")
    until(lambda: adapter.statuses() == {"INITIATED": BILLS}, "what the killed worker held is not taken over")

    assert [is_well(real_airflow, name) for name in WORKERS] == [False, True]
    assert set(treasury.accepted.values()) == {1}
    assert {each["received"] for each in treasury.state["bills"]} == {1}, "no PI was even sent a second time"
    calls = treasury.state["calls"]
    assert calls["PI"] == BILLS
    assert calls.get("PIS", 0) <= IN_ITS_HANDS, "only what may have been sent was asked about"
    arrived = sorted(treasury.arrivals[before:])
    started = adapter.rows(
        "SELECT extract(epoch FROM min(started_at))::float8 AS at FROM ifms.sweep_run WHERE dag_id = 'ifms_pi'"
    )
    began = started[0]["at"]
    early = min(at - began - place / CALLS_A_SECOND for place, at in enumerate(arrived))
    assert early >= -0.01, "at no moment more calls had come than the limit allows"
    assert_money_is_right(adapter, treasury)
