"""What a sweep is measured on: PostgreSQL that waits for its disk, both simulators, each in a process of its own."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg

from bench.sweep import Measured, Order
from ifms.ledger import restores
from ifms.ledger.migrate import migrate
from ifms_standalone.errors import StandaloneError
from ifms_standalone.postgres import Server, free_port, running
from ifms_standalone.processes import Processes
from ifms_standalone.settings import REPOSITORY, Folder
from ifms_standalone.simulators import PLATFORM, TREASURY, Simulator

ALLOTMENT = "1000000000.00"  # rupees per head of account: more than all that is seeded


@dataclass
class Harness:
    """The running parts. A ledger is known by its database's name; sweeps run on copies, so each starts alike.

    `root` is the folder that holds all of it.
    """

    root: Path
    server: Server
    treasury: Simulator
    platform: Simulator
    log_key: str = field(repr=False)

    def __post_init__(self) -> None:
        self.public_key: str = self.treasury.control("GET", "public-key")["public_key"]
        self._numbers = count(1)

    def new_ledger(self, name: str) -> None:
        """Make an empty ledger."""
        self.server.create_database(name)
        migrate(self.server.dsn(name))

    def copy(self, ledger: str, name: str | None = None) -> str:
        """Make a copy of a ledger to work on; its name."""
        name = name or f"copy_{next(self._numbers)}"
        self.server.create_database(name, template=ledger)
        with psycopg.connect(self.server.dsn(name)) as owner:
            restores.nothing_lost(owner, "copied to be measured", "bench")
        return name

    def sweep(
        self, service: str, ledger: str, *tenants: str, concurrency: int = 16, traced: bool = False, logged: bool = True
    ) -> Measured:
        """Run a sweep in a fresh Python process. Raises StandaloneError with its last words when it fails."""
        order = Order(
            service=service,
            tenants=tenants,
            dsn=self.server.dsn(ledger),
            treasury=self.treasury.address,
            platform=self.platform.address,
            public_key=self.public_key,
            log_key=self.log_key,
            concurrency=concurrency,
            traced=traced,
            logged=logged,
        )
        before = self._database_cpu()
        # The order goes through stdin: it holds a password, which the list of processes would show.
        process = subprocess.run(
            [sys.executable, "-m", "bench.sweep"],
            input=json.dumps(asdict(order)),
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            check=False,
        )
        if process.returncode != 0:
            lines = process.stderr.strip().splitlines() or [f"exit code {process.returncode}"]
            raise StandaloneError(f"The {service} sweep failed: {lines[-1]}.")
        measured = Measured(**json.loads(process.stdout))
        return replace(measured, database_cpu_seconds=self._database_cpu() - before)

    def _database_cpu(self) -> float:
        """CPU seconds of PostgreSQL since it was started: of all processes that it has, and of those that it had."""
        server, seconds = psutil.Process(self.server.pid), 0.0
        for process in [*server.children(), server]:
            with suppress(psutil.NoSuchProcess):  # it has ended: the server, asked last, counts it
                seconds += sum(process.cpu_times()[:4])
        return seconds

    def arrivals(self) -> list[float]:
        """When each call came to the treasury, in epoch seconds."""
        times: list[float] = self.treasury.control("GET", "arrivals")["arrivals"]
        return times

    def sweep_on_copy(
        self,
        service: str,
        ledger: str,
        *tenants: str,
        concurrency: int = 16,
        traced: bool = False,
        logged: bool = True,
    ) -> Measured:
        """Run a sweep on a copy of `ledger`, which stays as it is."""
        copy = self.copy(ledger)
        try:
            return self.sweep(service, copy, *tenants, concurrency=concurrency, traced=traced, logged=logged)
        finally:
            self.server.drop_database(copy)


@contextmanager
def harness() -> Iterator[Harness]:
    """Start PostgreSQL with fsync, as `make run` does, and both simulators; all is gone afterwards.

    Raises StandaloneError.
    """
    kept = Folder()
    kept.make()  # beside the data of `make run`, on a real disk: a system's folder for temporary files may be memory
    root = Path(tempfile.mkdtemp(prefix="bench-", dir=kept.root))
    try:
        root.chmod(0o711)  # PostgreSQL may have to run as another user, who passes through here
        folder = Folder(root)
        folder.make()
        processes = Processes(folder.processes, folder.logs)
        with running(folder.postgres, free_port(), password=secrets.token_hex(8)) as server:
            try:
                treasury, platform = Simulator(TREASURY, free_port()), Simulator(PLATFORM, free_port())
                _start(processes, folder, treasury, "--allotment", ALLOTMENT)
                _start(processes, folder, platform, "--cities", "2", "--bills-per-city", "0")
                for simulator in (treasury, platform):
                    simulator.wait(processes.check)
                yield Harness(root, server, treasury, platform, base64.b64encode(secrets.token_bytes(32)).decode())
            finally:
                processes.stop()
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _start(processes: Processes, folder: Folder, simulator: Simulator, *options: str) -> None:
    program = str(Path(sys.executable).parent / "ifms")
    place = ["--port", simulator.address.rsplit(":", 1)[1], "--state", str(folder.simulators / f"{simulator.name}.db")]
    processes.start(simulator.name, [program, "simulate", simulator.name, *place, *options], os.environ)
