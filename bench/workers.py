"""How a sweep gets faster with more workers: Airflow, a real Redis and Celery workers, each with one shard at a time.

All of them live on one machine, and starting a task takes seconds of its processor. That is no part of a sweep, so it
is kept out: the treasury answers slowly until every worker is at its shard, then as fast as it shall, and calls count
from when the last slow answer has come. What is measured is the time from then until the last answer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from rich.console import Console
from tests.support import redis
from tests.support.real_airflow import running, until
from tests.support.workers import Crew, settings

from bench.figures import Workers
from bench.harness import Harness
from bench.sweep import SIGNING_KEY
from ifms_standalone import airflow
from ifms_standalone.errors import StandaloneError
from ifms_standalone.simulators import CLIENT_ID, CLIENT_SECRET

DAG = "ifms_pis"
LEDGER = "ifms"  # the database that Airflow's connection names
SLOW_MS, LATENCY_MS = 2000, 200
AT_A_TIME = 4
CALLS_A_SECOND = 40.0
ALLOWED = 1.2


@dataclass(frozen=True)
class _Sweep:
    """One DAG run to measure: by how many workers, and under which limit of the treasury's."""

    crew: int
    limit: float | None = None

    @property
    def run_id(self) -> str:
        return f"{self.crew}-workers{'-limited' if self.limit else ''}"

    @property
    def names(self) -> list[str]:
        """The workers; those that know of a limit are others than those that don't."""
        return [f"{'limited' if self.limit else 'worker'}-{number}" for number in range(1, self.crew + 1)]


def measure_workers(made: Harness, ledger: str, crews: Sequence[int], console: Console) -> list[Workers] | str:
    """Let more and more workers share the PIS sweep of `ledger`, then all of them under the treasury's limit.

    Each once, on a copy, so that each finds the same to do. A sentence where there is no Redis. Raises StandaloneError.
    """
    if reason := redis.missing():
        return reason
    airflow.admit_tasks(made.server)
    try:
        with console.status("Airflow is starting"), redis.running() as broker:
            ours = {"IFMS_SHARDS": str(max(crews)), "IFMS_SCHEDULE_PIS": "none"}
            ours |= settings(broker, made.server)
            with running(made.server, connections(made), made.root / "workers", DAG, ours) as parts:
                crew = Crew(parts, made.server)
                parts.client.unpause(DAG)
                return [
                    _measure(made, ledger, crew, sweep, console)
                    for sweep in (*map(_Sweep, crews), _Sweep(max(crews), CALLS_A_SECOND))
                ]
    except AssertionError as late:  # what the tests wait for, too
        raise StandaloneError(f"The workers could not be measured: {late}.") from late


def _measure(made: Harness, ledger: str, crew: Crew, sweep: _Sweep, console: Console) -> Workers:
    """Run one; the workers of the one before are there already, if they know of the same limit."""
    with console.status(f"PIS sweep by {sweep.crew} Celery workers"):
        if sweep.limit:
            for name in list(crew.up):
                crew.kill(name)
            crew.airflow.environment.update(_environment(connections(made, sweep.limit)))
        crew.start(*(name for name in sweep.names if name not in crew.up))
        made.copy(ledger, LEDGER)
        due = _counts(made, "SELECT count(*) FROM ifms.payment_instruction WHERE status = 'INITIATED'")[0]
        _latency(made, SLOW_MS)
        client = crew.airflow.client
        client.trigger(DAG, sweep.run_id)
        until(lambda: _called(made, sweep)[0] == sweep.crew, f"of {sweep.crew} workers, some get nothing to do")
        _latency(made, LATENCY_MS)
        since = time.time() + SLOW_MS / 1000
        until(lambda: client.state(DAG, sweep.run_id) in airflow.FINISHED, f"{sweep.run_id} does not end")
        answered = _called(made, sweep)[1]
        made.server.drop_database(LEDGER)
    if answered != due:
        raise StandaloneError(f"PIS sweep by {sweep.crew} workers: of {due} calls, {answered} were answered.")
    arrived = [at for at in made.arrivals() if at >= since]
    if not arrived:
        raise StandaloneError(f"PIS sweep by {sweep.crew} workers: it had ended before all of them were at it.")
    seconds = max(arrived) - since + LATENCY_MS / 1000
    return Workers(sweep.crew, len(arrived), LATENCY_MS, AT_A_TIME, sweep.limit, (seconds,), ALLOWED)


def _called(made: Harness, sweep: _Sweep) -> tuple[int, int]:
    """How many shards have had an answer of the treasury so far, and how many answers there were."""
    return _counts(
        made,
        "SELECT count(DISTINCT r.shard), count(*) FROM ifms.sweep_run r JOIN ifms.treasury_call c"
        " ON c.sweep_run_id = r.id WHERE r.run_id = %s AND c.service_id = 'PIS' AND c.outcome = 'answered'",
        sweep.run_id,
    )


def _counts(made: Harness, query: str, *values: object) -> tuple[int, ...]:
    with psycopg.connect(made.server.dsn(LEDGER)) as connection:
        row = connection.execute(query, values).fetchone()
    assert row is not None
    return tuple(row)


def _latency(made: Harness, milliseconds: int) -> None:
    made.treasury.control("POST", "settings", {"latency_ms": milliseconds})


def connections(made: Harness, limit: float | None = None) -> dict[str, Any]:
    """Airflow's connections to both simulators; `limit` is the treasury's, in calls a second."""
    keys = {"public_key": made.public_key, "log_key": made.log_key, "signing_key": SIGNING_KEY}
    extra = {**keys, "max_concurrency": AT_A_TIME}
    treasury = {"conn_type": "ifms_treasury", "host": made.treasury.address, "login": CLIENT_ID}
    return {
        "ifms_treasury": treasury
        | {"password": CLIENT_SECRET, "extra": extra | ({"calls_per_second": limit} if limit else {})},
        "ifms_platform": {"conn_type": "ifms_platform", "host": made.platform.address},
    }


def _environment(connections: Mapping[str, Any]) -> dict[str, str]:
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection) for name, connection in connections.items()}
