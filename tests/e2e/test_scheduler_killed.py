"""F11: the scheduler is killed for 45 s while payment instructions are being sent, and started again.

Its workers live on, and when it is back it starts the task again beside the copy that still runs: only the claims in the
ledger keep both from sending the same thing. The run is late by then: the scheduler notes it, the triggerer tells it at a
webhook that only Airflow's database knows; and a run that fails is told by the DAG processor. What its tasks have to tell
an OpenTelemetry collector, it hears when they end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support import figures
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.collector import Collector, collector
from support.real_airflow import RealAirflow, ledger_on, running, until
from support.simulators import Simulators
from support.webhook import Webhook, webhook

from ifms_standalone import airflow, postgres

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}),
]

BILLS = 200
LATENCY_MS = 2000  # two at a time: the first copy is at work until long after the scheduler is back
DEAD_SECONDS = 45
GOING_AGAIN_SECONDS = 180

ALERT_MINUTES = 0.5  # over while the scheduler is dead
TOKEN = "sample-token"


@pytest.fixture
def ledger_server() -> Iterator[postgres.Server]:
    """A PostgreSQL for Airflow and the ledger."""
    with postgres.throwaway() as server:
        yield server


@pytest.fixture
def adapter(ledger_server: postgres.Server, simulators: Simulators) -> Adapter:
    """The adapter on the ledger that Airflow works on."""
    return ledger_on(ledger_server, simulators)


@pytest.fixture
def told() -> Iterator[Webhook]:
    """Who is told when something is wrong."""
    with webhook() as made:
        yield made


@pytest.fixture
def metrics() -> Iterator[Collector]:
    """Whom Airflow tells its metrics."""
    with collector() as made:
        yield made


@pytest.fixture
def real_airflow(
    ledger_server: postgres.Server, simulators: Simulators, tmp_path: Path, told: Webhook, metrics: Collector
) -> Iterator[RealAirflow]:
    """All of Airflow's parts, up and with its DAGs parsed."""
    settings = {"IFMS_ALERTS": "sample_webhook", "IFMS_ALERT_MINUTES": str(ALERT_MINUTES), **metrics.environment()}
    connections = simulators.connections(max_concurrency=2)
    with running(ledger_server, connections, tmp_path / "run", "ifms_pi", settings) as made:
        made.start("triggerer")
        connection = {"connection_id": "sample_webhook", **told.connection(password=TOKEN)}
        made.client._call("POST", "/api/v2/connections", connection)
        yield made


def sweeps(adapter: Adapter) -> list[dict[str, Any]]:
    """What ifms_pi's first task has left, the oldest first."""
    return adapter.rows(
        "SELECT * FROM ifms.sweep_run WHERE service_id = 'PI' AND dag_id = 'ifms_pi' ORDER BY started_at"
    )


def end_open_transactions(server: postgres.Server) -> None:
    """End what the scheduler had open when it was killed: the server will, by its idle_in_transaction_session_timeout.

    The tasks that it has forked keep its connection, so nothing else would tell the server.
    """
    with psycopg.connect(server.dsn("airflow"), autocommit=True) as connection:
        time.sleep(1)  # what belongs to others is done by then
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state LIKE 'idle in transaction%' AND state_change < now() - interval '0.9 seconds'"
        )


def begun_again(adapter: Adapter, server: postgres.Server) -> bool:
    """Whether the second copy has begun: at once, or after the DAG's retry delay if the first was told to stop before.

    That delay is not waited for.
    """
    with psycopg.connect(server.dsn("airflow")) as connection:
        connection.execute(
            "UPDATE task_instance SET end_date = end_date - interval '5 minutes'"
            " WHERE state = 'up_for_retry' AND end_date > now() - interval '5 minutes'"
        )
    return len(sweeps(adapter)) >= 2


def _beginnings(told: Webhook) -> list[str]:
    return [text.partition(". ")[0] for text in told.texts()]


def a_late_run_and_a_failed_one_are_told(real_airflow: RealAirflow, told: Webhook, late: str) -> None:
    """Wait until it is told of a run that was late, and of one that fails."""
    real_airflow.client.trigger("ifms_pi", "no-such-city", {"tenants": ["od.nosuch"]})
    for beginning in (
        f"IFMS: ifms_pi has not ended in time (run {late})",
        "IFMS: ifms_pi has failed (run no-such-city)",
    ):
        until(lambda beginning=beginning: beginning in _beginnings(told), f"nobody is told: {beginning}")  # type: ignore[misc]
        assert _beginnings(told).count(beginning) == 1
    assert {(path, token) for path, token, _ in told.told} == {("/hooks/1", f"Bearer {TOKEN}")}
    for part in ("scheduler", "triggerer", "dag-processor"):
        assert TOKEN not in real_airflow.processes.log(part).read_text()


def test_no_payment_is_sent_twice_and_it_goes_on(
    real_airflow: RealAirflow,
    adapter: Adapter,
    treasury: Treasury,
    told: Webhook,
    metrics: Collector,
    ledger_server: postgres.Server,
):
    bill = {"type": "wage", "tenantId": "od.samplea", "payees": 1, "count": BILLS}
    adapter.simulators.ask_platform("POST", "bills", bill)
    adapter.run("VA")
    adapter.run("PA")
    treasury.settings(latency_ms=LATENCY_MS)
    real_airflow.client.unpause("ifms_pi")
    real_airflow.client.trigger("ifms_pi", "f11")
    until(lambda: len(treasury.accepted) >= 2, "no PI is being sent")

    real_airflow.kill("scheduler")
    end_open_transactions(ledger_server)
    time.sleep(DEAD_SECONDS)
    assert_money_is_right(adapter, treasury)
    real_airflow.start("scheduler")
    began = time.monotonic()
    until(lambda: begun_again(adapter, ledger_server), "the task was not started again")
    first, second = sweeps(adapter)
    assert (first["try_number"], second["try_number"]) == (1, 2), "the first copy has not ended by itself"
    # Airflow tells the first copy to stop when its next heartbeat is refused: before or after the second has begun.
    assert first["message"].startswith(("its process ended without a word", "SweepStoppedError: stopped on request"))
    assert len(treasury.accepted) < BILLS
    treasury.settings(latency_ms=0)
    until(lambda: real_airflow.client.state("ifms_pi", "f11") in airflow.FINISHED, "the run does not end")
    took = time.monotonic() - began

    assert real_airflow.client.state("ifms_pi", "f11") == "success"
    # What the first copy had begun beside the second one when it was killed is the next sweep's, once its lease is over.
    with psycopg.connect(adapter.dsn) as connection:
        for table in ("payment", "payment_instruction"):
            connection.execute(f"UPDATE ifms.{table} SET claimed_until = now() WHERE claim_token IS NOT NULL")
    adapter.run("PI")
    assert adapter.statuses() == {"INITIATED": BILLS}
    assert set(treasury.accepted.values()) == {1}
    assert {bill["received"] for bill in treasury.state["bills"]} == {1}, "no PI was even sent a second time"
    assert_money_is_right(adapter, treasury)
    figures.add("seconds until it went on after the scheduler was killed for 45", round(took))
    assert took < GOING_AGAIN_SECONDS
    a_late_run_and_a_failed_one_are_told(real_airflow, told, "f11")
    assert {"ifms.sweep.pi.success", "ifms.sweep.pi.failed", "ifms.sweep.pi.duration"} <= metrics.told.keys()
