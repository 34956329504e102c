"""A PostgreSQL of a test's own that keeps its data through a crash: fsync on, stopped and started at will."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import psutil
import psycopg
from support.databases import create_logins

from ifms.ledger.migrate import migrate
from ifms_standalone.postgres import Server, free_port, running

_numbers = count(1)


class Durable:
    """A server on `folder`; its port and password stay through all its lives."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._password = secrets.token_hex(8)
        self._stack = ExitStack()
        self.server: Server

    def start(self) -> None:
        """Start it on the same data."""
        self.server = self._stack.enter_context(
            running(self._folder / "data", self._port, password=self._password, log=self._folder / "log")
        )

    def crash(self) -> None:
        """Let it end at once, as after a power cut: the next start recovers from its log (SIGQUIT, "immediate")."""
        process = psutil.Process(self.server.pid)
        os.kill(self.server.pid, signal.SIGQUIT)
        process.wait(60)
        self._stack.close()

    def stop(self) -> None:
        """Stop it."""
        self._stack.close()

    @contextmanager
    def promoted(self) -> Iterator[Server]:
        """A standby that has followed the server until now, and takes over."""
        self.stop()
        folder = self._folder / "standby"
        shutil.copytree(self._folder / "data", folder / "data")
        self.start()
        (folder / "data" / "standby.signal").touch()
        try:
            with running(folder / "data", free_port(), password=self._password) as server:
                with psycopg.connect(server.dsn(), autocommit=True) as connection:
                    assert connection.execute("SELECT pg_promote()").fetchone() == (True,)
                yield server
        finally:
            shutil.rmtree(folder)

    def ledger(self) -> str:
        """The DSN of a new, empty ledger."""
        name = f"ledger_{next(_numbers)}"
        template = "ledger_template"
        if self.server.create_database(template):
            migrate(self.server.dsn(template))
            create_logins(self.server)
        self.server.create_database(name, template)
        return self.server.dsn(name)


@contextmanager
def durable() -> Iterator[Durable]:
    """A server in a folder of its own, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="ifms-pg-"))
    folder.chmod(0o711)  # PostgreSQL may have to run as another user, who passes through here
    made = Durable(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)
