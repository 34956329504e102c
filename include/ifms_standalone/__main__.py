"""`make run`: PostgreSQL, a simulated treasury and platform, Airflow, one whole cycle; then the UI, until Ctrl-C."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from rich.console import Console

from ifms.clock import now, to_ist
from ifms.ledger.migrate import migrate
from ifms.ledger.proposals import SINGLE
from ifms_standalone import airflow, postgres, signals
from ifms_standalone.airflow import Client
from ifms_standalone.cycle import DAG_IDS, Cycle
from ifms_standalone.errors import StandaloneError
from ifms_standalone.injected_failures import InjectedFailures
from ifms_standalone.outcome import Books, Outcome, Scope
from ifms_standalone.processes import Processes
from ifms_standalone.progress import Progress
from ifms_standalone.settings import Folder, Ports, Secrets, check_machine
from ifms_standalone.simulators import accepted_bills, add_bills, connections, payment_statuses, simulators

AIRFLOW_SECONDS = 600.0
TREASURY_SLOTS = 4


def main() -> int:
    """Run it; the exit code is 0 when all went as expected, 1 when not, 130 or 143 when it was stopped before."""
    parser = argparse.ArgumentParser(prog="python -m ifms_standalone", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the cycle: 0 if every payment came through")
    arguments = parser.parse_args()
    # Elsewhere than on a terminal (a log, a CI run) rich would fold tables at 80 columns.
    console = Console() if sys.stdout.isatty() else Console(width=140)
    try:
        with signals.raised_as_stopped():
            return _run(console, once=arguments.once)
    except StandaloneError as error:
        Console(stderr=True, soft_wrap=True).print(str(error), style="red", markup=False, highlight=False)
        return 1
    except signals.Stopped as stopped:
        return 128 + stopped.signum


def _run(console: Console, *, once: bool) -> int:
    ports = Ports.of(os.environ)
    folder = Folder()
    folder.make()
    with ExitStack() as stack:
        stack.enter_context(_alone(folder.root / "lock"))
        machine = _Machine(folder, ports, Secrets.kept_in(folder.secrets))
        machine.recover(console)
        try:
            with Progress(console) as progress:
                machine.start(stack, progress)
                complaints, outcome = machine.cycle(progress)
            outcome.show(console)
            complaints += outcome.complaints()
            _say_how_it_ended(console, complaints)
            if not once:
                _stay(console, machine)
            return 1 if complaints else 0
        finally:
            signals.ignore()
            console.print("Stopping what was started …", style="dim")


@dataclass
class _Machine:
    """All that runs, in the order of its start."""

    folder: Folder
    ports: Ports
    secrets: Secrets
    ledger: str = field(default="", repr=False)
    """The ledger's DSN, once PostgreSQL runs."""

    def __post_init__(self) -> None:
        self.processes = Processes(self.folder.processes, self.folder.logs)
        self.treasury, self.platform = simulators(self.ports)
        self.client = Client(self.ports.airflow, self.secrets.admin_password)

    def recover(self, console: Console) -> None:
        """End what a killed run has left; then see that there is room for a new one, before anything is started."""
        left = self.processes.end_leftovers()
        if postgres.stop_leftover(self.folder.postgres):
            left.append("PostgreSQL")
        if left:
            console.print(f"Ended what an earlier run had left: {', '.join(left)}.", style="dim")
        check_machine(self.folder.root)
        self.ports.check_free()

    def start(self, stack: ExitStack, progress: Progress) -> None:
        with progress.step("PostgreSQL") as step:
            log = self.folder.logs / "postgres.log"
            server = stack.enter_context(
                postgres.running(
                    self.folder.postgres, self.ports.postgres, password=self.secrets.postgres_password, log=log
                )
            )
            server.create_database("airflow")
            new = server.create_database("ifms")
            self.ledger = server.dsn("ifms")
            os.environ.setdefault(SINGLE, "true")  # whoever tries it out has nobody else
            migrate(self.ledger)
            airflow.admit_tasks(server)
            self.scope = Scope.from_now(self.ledger)  # from the second run on, DAGs run as soon as Airflow is up
            step.note = f"port {server.port}, {'new' if new else 'the data of the last run'}"
        stack.callback(self.processes.stop)
        with progress.step("simulated treasury and platform") as step:
            for simulator in (self.treasury, self.platform):
                simulator.start(self.processes, self.folder, os.environ)
            for simulator in (self.treasury, self.platform):
                simulator.wait(self.processes.check)
            step.note = f"{self.treasury.address}, {self.platform.address}, {add_bills(self.platform)}"
        with progress.step("Airflow") as step:
            self._start_airflow(server)
            deadline = time.monotonic() + AIRFLOW_SECONDS
            while missing := self._missing():
                step.note = f"waiting for {', '.join(missing)} (about half a minute in all)"
                self.processes.check()
                if time.monotonic() > deadline:
                    raise StandaloneError(
                        f"Airflow was not ready within {AIRFLOW_SECONDS:.0f} s: {', '.join(missing)} missing; "
                        f"its log is {self.processes.log('airflow')}."
                    )
                time.sleep(1)
            self.client.set_pool(airflow.TREASURY_POOL, TREASURY_SLOTS)
            step.note = self.client.address

    def cycle(self, progress: Progress) -> tuple[list[str], Outcome]:
        with psycopg.connect(self.ledger, autocommit=True) as ledger:
            injected = InjectedFailures(self.treasury, self.platform, ledger, self.scope)
            complaints = Cycle(self.client, ledger, self.scope.since, self.processes.check, injected).walk(progress)
        books = Books(accepted_bills(self.treasury), payment_statuses(self.platform))
        return complaints, Outcome.of(self.ledger, self.scope, injected.planted, books)

    def _start_airflow(self, server: postgres.Server) -> None:
        described = connections(self.treasury, self.platform, self.secrets)
        described["ifms_db"] = airflow.ledger_connection(server)
        log_ports = (postgres.free_port(), postgres.free_port())
        first_day = self.folder.first_day(to_ist(now()).date())
        environment = airflow.environment(self.folder, self.ports, self.secrets, log_ports, described, first_day)
        airflow.write_password(self.folder, self.secrets)
        airflow.write_command(self.folder)
        self.processes.start("airflow", [str(Path(sys.executable).parent / "airflow"), "standalone"], environment)

    def _missing(self) -> list[str]:
        """Name what Airflow lacks yet. Raises StandaloneError for a DAG file that can't be parsed."""
        if parts := self.client.unhealthy_parts():
            return parts
        self.client.log_in()
        missing = self.client.missing_dags(DAG_IDS)
        if missing and (errors := self.client.import_errors()):
            raise StandaloneError(f"Airflow can't parse {'; '.join(errors)}.")
        return missing


def _say_how_it_ended(console: Console, complaints: list[str]) -> None:
    if complaints:
        console.print("The cycle did not end as it should:", style="red")
        for complaint in complaints[:20]:
            console.print(f"  {complaint}", style="red", markup=False, highlight=False, soft_wrap=True)
        if len(complaints) > 20:
            console.print(f"  and {len(complaints) - 20} more", style="red")
    else:
        console.print(
            "Every payment of this cycle is paid, the platform has heard of it, and the sums agree.", style="green"
        )


def _stay(console: Console, machine: _Machine) -> None:
    """Keep all running until a signal comes. Raises StandaloneError when a process ends by itself."""
    console.print(
        f"\nAirflow is at [link]{machine.client.address}[/link]   user [bold]{airflow.USER}[/bold]   "
        f"password [bold]{machine.secrets.admin_password}[/bold]\n"
        f"Payments, the fund register and the runs are in its navigation, and by themselves at "
        f"[link]{machine.client.address}/ifms/[/link]\nCtrl-C stops everything; the data stay for the next "
        f"`make run`.",
        highlight=False,
    )
    try:
        while True:
            machine.processes.check()
            time.sleep(1)
    except signals.Stopped:
        return  # what it was waiting for


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold the folder's lock, which ends with this process. Raises StandaloneError if another run holds it."""
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise StandaloneError(
                f"Another `make run` is running here (process {file.read().strip() or 'unknown'}); end it first."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


if __name__ == "__main__":
    sys.exit(main())
