"""F11: the scheduler is killed for 45 s while payment instructions are being sent, and started again.

Its workers live on, and when it is back it starts the task again beside the copy that still runs: only the claims in the
ledger keep both from sending the same thing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
from support import figures
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.databases import create_logins
from support.simulators import Simulators

from ifms import clock
from ifms.ledger.migrate import migrate
from standalone import airflow, postgres
from standalone.processes import Processes
from standalone.settings import Folder, Ports, Secrets

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}),
]

BILLS = 200
LATENCY_MS = 2000  # two at a time: the first copy is at work until long after the scheduler is back
DEAD_SECONDS = 45
GOING_AGAIN_SECONDS = 120
PATIENCE_SECONDS = 300  # for what only takes as long as the machine is busy
MIGRATED = "Database migration done"
PARTS = ("api-server", "scheduler", "dag-processor")


@dataclass
class RealAirflow:
    """Airflow's parts as processes of their own, and how to kill one of them."""

    processes: Processes
    record: Path
    environment: dict[str, str]
    client: airflow.Client

    def start(self, part: str) -> None:
        """Start a part."""
        self.processes.start(part, [str(Path(sys.executable).parent / "airflow"), part], self.environment)

    def kill(self, part: str) -> None:
        """Kill the process that was started for a part, and nothing that it has started."""
        pids = [each["pid"] for each in json.loads(self.record.read_text()) if each["name"] == part]
        os.kill(pids[-1], signal.SIGKILL)

    def end(self) -> None:
        """Kill all of it, and what outlived the part that had started it: nobody wants its data."""
        sessions = {each["pid"] for each in json.loads(self.record.read_text())}
        for pid in psutil.pids():
            with suppress(ProcessLookupError, PermissionError):
                if os.getsid(pid) in sessions:
                    os.kill(pid, signal.SIGKILL)
        self.processes.stop()

    def healthy(self, *parts: str) -> bool:
        """Whether these parts, by the names of Airflow's health page, are up."""
        return not {"api_server", "metadatabase", *parts} & set(self.client.unhealthy_parts())


@pytest.fixture
def ledger_server() -> Iterator[postgres.Server]:
    """A PostgreSQL for Airflow and the ledger."""
    with postgres.throwaway() as server:
        yield server


@pytest.fixture
def adapter(ledger_server: postgres.Server, simulators: Simulators) -> Adapter:
    """The adapter on the ledger that Airflow works on."""
    ledger_server.create_database("ifms")
    migrate(ledger_server.dsn("ifms"))
    create_logins(ledger_server)
    airflow.admit_tasks(ledger_server)
    return Adapter(ledger_server.dsn("ifms"), simulators)


@pytest.fixture
def real_airflow(ledger_server: postgres.Server, simulators: Simulators, tmp_path: Path) -> Iterator[RealAirflow]:
    """A scheduler, an API server and a DAG processor, up and with its DAGs parsed."""
    folder = Folder(tmp_path / "run")
    folder.make()
    secrets = replace(Secrets.kept_in(folder.secrets), postgres_password=ledger_server.password)
    addresses = {
        name: urlsplit(url).port or 0
        for name, url in (("treasury", simulators.treasury), ("platform", simulators.platform))
    }
    ports = Ports(airflow=postgres.free_port(), postgres=ledger_server.port, **addresses)
    described = simulators.connections() | {"ifms_db": airflow.ledger_connection(ledger_server)}
    described["ifms_treasury"]["extra"] |= {"max_concurrency": 2}
    log_ports = (postgres.free_port(), postgres.free_port())
    environment = airflow.environment(folder, ports, secrets, log_ports, described, clock.to_ist(clock.now()).date())
    ledger_server.create_database("airflow")
    airflow.write_password(folder, secrets)
    with ExitStack() as stack:
        running = RealAirflow(
            Processes(folder.processes, folder.logs), folder.processes, environment,
            airflow.Client(ports.airflow, secrets.admin_password),
        )  # fmt: skip
        stack.callback(running.end)
        running.processes.start("migrate", [str(Path(sys.executable).parent / "airflow"), "db", "migrate"], environment)
        until(lambda: MIGRATED in running.processes.log("migrate").read_text(), "no metadata database")
        for part in PARTS:
            running.start(part)
        until(lambda: running.healthy("scheduler", "dag_processor"), "Airflow is not up")
        running.client.log_in()
        until(lambda: not running.client.missing_dags(("ifms_pi",)), "ifms_pi is not parsed")
        running.client.set_pool(airflow.TREASURY_POOL, 4)
        yield running


def until(true: Callable[[], bool], otherwise: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.5)


def sweeps(adapter: Adapter) -> list[dict[str, Any]]:
    """What ifms_pi's first task has left, the oldest first."""
    return adapter.rows(
        "SELECT * FROM ifms.sweep_run WHERE service_id = 'PI' AND dag_id = 'ifms_pi' ORDER BY started_at"
    )


def test_no_payment_is_sent_twice_and_it_goes_on(real_airflow: RealAirflow, adapter: Adapter, treasury: Treasury):
    bill = {"type": "wage", "tenantId": "od.samplea", "payees": 1, "count": BILLS}
    adapter.simulators.ask_platform("POST", "bills", bill)
    adapter.run("VA")
    adapter.run("PA")
    treasury.settings(latency_ms=LATENCY_MS)
    real_airflow.client.unpause("ifms_pi")
    real_airflow.client.trigger("ifms_pi", "f11")
    until(lambda: len(treasury.accepted) >= 2, "no PI is being sent")

    real_airflow.kill("scheduler")
    time.sleep(DEAD_SECONDS)
    assert_money_is_right(adapter, treasury)
    real_airflow.start("scheduler")
    began = time.monotonic()
    until(lambda: len(sweeps(adapter)) >= 2, "the task was not started again")
    first, second = sweeps(adapter)
    assert (first["try_number"], second["try_number"]) == (1, 2), "the first copy has not ended by itself"
    # Airflow ends the first copy: with SIGTERM, and with SIGKILL five seconds later, which a busy machine may not need.
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
