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
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import count, repeat
from pathlib import Path
from typing import Any

import psycopg

from bench.sweep import Measured, Order
from ifms.ledger import restores
from ifms.ledger.migrate import migrate
from standalone.errors import StandaloneError
from standalone.postgres import Server, free_port, running
from standalone.processes import Processes
from standalone.settings import REPOSITORY, Folder
from standalone.simulators import PLATFORM, TREASURY, Simulator

ALLOTMENT = "1000000000.00"  # rupees per head of account: more than all that is seeded


@dataclass
class Ground:
    """The running parts. A ledger is known by its database's name; sweeps run on copies, so each starts alike."""

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

    def _copy(self, ledger: str) -> str:
        name = f"copy_{next(self._numbers)}"
        self.server.create_database(name, template=ledger)
        with psycopg.connect(self.server.dsn(name)) as owner:
            restores.nothing_lost(owner, "copied to be measured", "bench")
        return name

    def sweep(
        self, service: str, ledger: str, *tenants: str, concurrency: int = 16, traced: bool = False, logged: bool = True
    ) -> Measured:
        """Run a sweep in a fresh Python process. Raises StandaloneError with its last words when it fails."""
        return self._run(self._order(service, ledger, tenants, concurrency=concurrency, traced=traced, logged=logged))

    def _order(self, service: str, ledger: str, tenants: tuple[str, ...], **more: Any) -> Order:
        return Order(
            service=service, tenants=tenants, dsn=self.server.dsn(ledger), treasury=self.treasury.address,
            platform=self.platform.address, public_key=self.public_key, log_key=self.log_key, **more,
        )  # fmt: skip

    def _run(self, order: Order, ready: threading.Barrier | None = None) -> Measured:
        """Run it; it begins when all who wait at `ready` are there, with all that they import."""
        with subprocess.Popen(
            [sys.executable, "-m", "bench.sweep"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY,
        ) as process:  # fmt: skip
            if ready is not None:
                assert process.stdout is not None
                process.stdout.readline()
                ready.wait()
            # The order goes through stdin: it holds a password, which the list of processes would show.
            out, err = process.communicate(json.dumps(asdict(order)))
        if process.returncode != 0:
            said = err.strip().splitlines() or [f"exit code {process.returncode}"]
            raise StandaloneError(f"The {order.service} sweep failed: {said[-1]}.")
        return Measured(**json.loads(out.splitlines()[-1]))

    def shared_sweep(
        self, service: str, ledger: str, tenant: str, workers: int, concurrency: int, calls_per_second: float | None
    ) -> float:
        """Let so many processes share a sweep on a copy of `ledger`; seconds from the first call to the last answer.

        Raises StandaloneError when one of them fails.
        """
        copy = self._copy(ledger)
        before = len(self._arrivals())
        orders = [
            self._order(
                service, copy, (tenant,), concurrency=concurrency, shard=shard, shards=workers,
                calls_per_second=calls_per_second,
            )
            for shard in range(workers)
        ]  # fmt: skip
        try:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(self._run, orders, repeat(threading.Barrier(workers))))
        finally:
            self.server.drop_database(copy)
        arrived = self._arrivals()[before:]
        latency: float = self.treasury.control("GET", "settings")["latency_ms"]
        return max(arrived) - min(arrived) + latency / 1000

    def _arrivals(self) -> list[float]:
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
        copy = self._copy(ledger)
        try:
            return self.sweep(service, copy, *tenants, concurrency=concurrency, traced=traced, logged=logged)
        finally:
            self.server.drop_database(copy)


@contextmanager
def ground() -> Iterator[Ground]:
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
                yield Ground(server, treasury, platform, base64.b64encode(secrets.token_bytes(32)).decode())
            finally:
                processes.stop()
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _start(processes: Processes, folder: Folder, simulator: Simulator, *options: str) -> None:
    program = str(Path(sys.executable).parent / "ifms")
    place = ["--port", simulator.address.rsplit(":", 1)[1], "--state", str(folder.simulators / f"{simulator.name}.db")]
    processes.start(simulator.name, [program, "simulate", simulator.name, *place, *options], os.environ)
