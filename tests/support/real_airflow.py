"""Airflow's parts as processes of their own, on a PostgreSQL of a test's own: started, killed, waited for."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from ifms import clock
from ifms.ledger.migrate import migrate
from ifms_standalone import airflow, postgres
from ifms_standalone.processes import Processes
from ifms_standalone.settings import REPOSITORY, Folder, Ports, Secrets

if TYPE_CHECKING:  # the measurements run this too, which are no tests
    from support.adapter import Adapter
    from support.simulators import Simulators

PATIENCE_SECONDS = 300  # for what only takes as long as the machine is busy
MIGRATED = "Database migration done"
PARTS = ("api-server", "scheduler", "dag-processor")
AIRFLOW = str(Path(sys.executable).parent / "airflow")


@dataclass
class RealAirflow:
    """Airflow's parts as processes of their own, and how to kill one of them."""

    processes: Processes
    record: Path
    environment: dict[str, str]
    client: airflow.Client

    def start(self, part: str, *arguments: str) -> None:
        """Start a part: `airflow` with the arguments, or with the part's name."""
        self.processes.start(part, [AIRFLOW, *(arguments or (part,))], self.environment)

    def kill(self, part: str) -> None:
        """Kill the process that was started for a part, and nothing that it has started."""
        os.kill(self.pid(part), signal.SIGKILL)

    def kill_all(self, part: str) -> None:
        """Kill a part with all that it has started, as when its machine goes."""
        _kill_sessions({self.pid(part)})

    def end(self) -> None:
        """Kill all of it."""
        kill_all_of(self.processes, self.record)

    def healthy(self, *parts: str) -> bool:
        """Whether these parts, by the names of Airflow's health page, are up."""
        return not {"api_server", "metadatabase", *parts} & set(self.client.unhealthy_parts())

    def pid(self, part: str) -> int:
        """The process of a part, and so the session of all that it has started."""
        pid: int = [each["pid"] for each in json.loads(self.record.read_text()) if each["name"] == part][-1]
        return pid


def kill_all_of(processes: Processes, record: Path) -> None:
    """Kill what was started, and what outlived the part that had started it: nobody wants its data."""
    _kill_sessions({each["pid"] for each in json.loads(record.read_text())})
    processes.stop()


def _kill_sessions(sessions: set[int]) -> None:
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) in sessions:
                os.kill(pid, signal.SIGKILL)


def ledger_on(server: postgres.Server, simulators: Simulators) -> Adapter:
    """The adapter on a ledger of `server` that Airflow's tasks work on."""
    from support.adapter import Adapter
    from support.databases import create_logins

    server.create_database("ifms")
    migrate(server.dsn("ifms"))
    create_logins(server)
    airflow.admit_tasks(server)
    return Adapter(server.dsn("ifms"), simulators)


@contextmanager
def running(
    server: postgres.Server,
    connections: Mapping[str, Any],
    root: Path,
    dag: str,
    settings: Mapping[str, str] | None = None,
) -> Iterator[RealAirflow]:
    """A scheduler, an API server and a DAG processor, up and with `dag` parsed, which is the only one there.

    `connections` are those to the treasury and the platform, by id; `settings` are for the environment of all parts.
    """
    folder = Folder(root)
    folder.make()
    secrets = replace(Secrets.kept_in(folder.secrets), postgres_password=server.password)
    ports = Ports(airflow=postgres.free_port(), postgres=server.port)
    described = {**connections, "ifms_db": airflow.ledger_connection(server)}
    log_ports = (postgres.free_port(), postgres.free_port())
    today = clock.to_ist(clock.now()).date()
    environment = airflow.environment(folder, ports, secrets, log_ports, described, today)
    environment |= only(root / "dags", dag) | dict(settings or {})
    server.create_database("airflow")
    airflow.write_password(folder, secrets)
    made = RealAirflow(
        Processes(folder.processes, folder.logs),
        folder.processes,
        environment,
        airflow.Client(ports.airflow, secrets.admin_password),
    )
    made.start("migrate", "db", "migrate")
    try:
        until(lambda: MIGRATED in made.processes.log("migrate").read_text(), "no metadata database")
        for part in PARTS:
            made.start(part)
        until(lambda: made.healthy("scheduler", "dag_processor"), "Airflow is not up")
        made.client.log_in()
        until(lambda: not made.client.missing_dags((dag,)), f"{dag} is not parsed")
        made.client.set_pool(airflow.TREASURY_POOL, 4)
        yield made
    finally:
        made.end()


def only(folder: Path, *dags: str) -> dict[str, str]:
    """Put these DAGs into a new folder, and tell Airflow: parsing the others would cost more than the rest of a test."""
    folder.mkdir()
    for dag in dags:
        shutil.copy(REPOSITORY / "dags" / f"{dag}.py", folder)
    return {"AIRFLOW__CORE__DAGS_FOLDER": str(folder)}


def until(true: Callable[[], bool], otherwise: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.5)
