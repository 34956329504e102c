"""What a task of ours costs before it does anything, in CPU: its imports, and a run of ifms_pa that finds nothing.

Beyond Airflow's own: a process has Airflow's task runner, its hook for PostgreSQL with the driver, and a DAG's parts
(an asset, a timetable) imported before it begins to measure. A task's imports are its DAG file and all that its
operator names, also inside of functions that only some runs come to. Each is measured in a process of its own. What
the hooks import only when they meet a service that is configured (the client of Elasticsearch: 0.7 s) is not in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from bench.harness import Harness
from ifms_standalone.errors import StandaloneError
from ifms_standalone.postgres import LOOPBACK, free_port
from ifms_standalone.processes import Processes
from ifms_standalone.settings import REPOSITORY, Folder
from ifms_standalone.simulators import PLATFORM, Simulator

IMPORTS_LIMIT, IDLE_LIMIT = 0.4, 1.0
CITIES = 27
TIMES = 3


@dataclass(frozen=True)
class Imports:
    """What a task imports beyond Airflow's own: seconds of CPU, and modules."""

    dag: str
    task: str
    seconds: float
    modules: tuple[str, ...]


@dataclass(frozen=True)
class Startup:
    """The imports of each task, and what runs of ifms_pa took that found nothing, imports included."""

    imports: tuple[Imports, ...]
    idle: tuple[float, ...]


def measure(made: Harness, console: Console) -> Startup:
    """Measure all tasks, and idle runs on an empty ledger and a platform of 27 cities. Raises StandaloneError."""
    with console.status("imports of each task"):
        runs = [imports() for _ in range(TIMES)]
    middle = tuple(
        Imports(first.dag, first.task, median(run[place].seconds for run in runs), first.modules)
        for place, first in enumerate(runs[0])
    )
    made.new_ledger("startup")
    with console.status(f"ifms_pa with nothing to do, {CITIES} cities"), _platform(made.root / "startup") as address:
        idle = [_in_a_process({"idle": _connections(made.server.dsn("startup"), address)}) for _ in range(TIMES)]
    return Startup(middle, tuple(idle))


def table(measured: Startup) -> Table:
    """All of it, against its limits."""
    made = Table(title="Start-up of tasks, seconds of CPU beyond Airflow's own (medians)")
    made.add_column("what")
    for heading in ("modules", "CPU", "allowed", ""):
        made.add_column(heading, justify="right")
    for each in sorted(measured.imports, key=lambda imports: imports.seconds):
        _row(made, f"imports of {each.dag}.{each.task}", len(each.modules), each.seconds, IMPORTS_LIMIT)
    _row(made, f"a run of ifms_pa that finds nothing in {CITIES} cities", None, median(measured.idle), IDLE_LIMIT)
    return made


def _row(made: Table, what: str, modules: int | None, seconds: float, limit: float) -> None:
    verdict = "[green]ok[/]" if seconds <= limit else "[red]over[/]"
    made.add_row(what, "" if modules is None else f"{modules}", f"{seconds:.2f} s", f"{limit:.1f} s", verdict)


def imports() -> list[Imports]:
    """What each task of each DAG imports, measured in processes of their own. Raises StandaloneError."""
    return [Imports(each["dag"], each["task"], each["seconds"], tuple(each["modules"])) for each in _in_a_process({})]


@contextmanager
def _platform(root: Path) -> Iterator[str]:
    """A platform of 27 cities, all of whose bills are paid."""
    root.mkdir()
    folder = Folder(root)
    folder.make()
    processes, simulator = Processes(folder.processes, folder.logs), Simulator(PLATFORM, free_port())
    program, state = str(Path(sys.executable).parent / "ifms"), str(folder.simulators / "platform.db")
    options = ["--port", str(simulator.port), "--state", state, "--cities", str(CITIES), "--bills-per-city", "0"]
    try:
        processes.start(PLATFORM, [program, "simulate", PLATFORM, *options], os.environ)
        simulator.wait(processes.check)
        yield simulator.address
    finally:
        processes.stop()


def _connections(dsn: str, platform: str) -> dict[str, str]:
    """Airflow's connections, as the environment gives them."""
    ledger = urlsplit(dsn)
    described = {
        "IFMS_PLATFORM": {"conn_type": "ifms_platform", "host": platform},
        "IFMS_DB": {
            "conn_type": "postgres",
            "host": ledger.hostname,
            "port": ledger.port,
            "login": ledger.username,
            "password": ledger.password,
            "schema": ledger.path.lstrip("/"),
        },
    }
    environment = {f"AIRFLOW_CONN_{name}": json.dumps(connection) for name, connection in described.items()}
    return environment | {"IFMS_PLATFORM_HTTP_HOSTS": LOOPBACK}


def _in_a_process(order: dict[str, Any]) -> Any:  # noqa: ANN401  (JSON)
    with tempfile.TemporaryDirectory(prefix="ifms-startup-") as home:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "IFMS_"))}
        environment |= {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        # The order goes through stdin: it holds a password, which the list of processes would show.
        done = subprocess.run(
            [sys.executable, "-m", "bench.startup_task"],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            env=environment,
            check=False,
        )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise StandaloneError(f"The start-up could not be measured: {lines[-1]}.")
    return json.loads(done.stdout.splitlines()[-1])
