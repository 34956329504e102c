"""A real PgBouncer before the tests' PostgreSQL, from Debian's package pgbouncer.

Where there is none, its tests are skipped with a sentence; in CI they fail instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from support.databases import LOGINS, PASSWORD

from ifms_standalone.postgres import LOOPBACK, free_port

STARTED_WITHIN_SECONDS = 60


@dataclass(frozen=True)
class Pooler:
    """A running PgBouncer."""

    port: int

    def dsn(self, address: str) -> str:
        """The database of an address, with the pooler before it."""
        parts = urlsplit(address)
        return parts._replace(netloc=f"{parts.username}:{parts.password}@{LOOPBACK}:{self.port}").geturl()


def program() -> str:
    """Where PgBouncer is; without it the test is skipped, in CI it fails."""
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")  # which not everybody's PATH has
    if found is None:
        reason = "there is no pgbouncer here: on Debian, apt-get install pgbouncer"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def pooler(address: str, mode: str, size: int, patience: int = 60) -> Iterator[Pooler]:
    """Run one before the server of `address`, in `mode`, with `size` of the server's sessions for each login.

    Who gets none within `patience` seconds is refused.
    """
    server = urlsplit(address)
    made = Pooler(free_port())
    folder = Path(tempfile.mkdtemp(prefix="ifms-pgbouncer-"))
    logins = {str(server.username): str(server.password)} | dict.fromkeys(LOGINS.values(), PASSWORD)
    (folder / "logins").write_text("".join(f'"{login}" "{password}"\n' for login, password in logins.items()))
    (folder / "pgbouncer.ini").write_text(
        f"""
        [databases]
        * = host={server.hostname} port={server.port}
        [pgbouncer]
        listen_addr = {LOOPBACK}
        listen_port = {made.port}
        unix_socket_dir =
        auth_type = plain
        auth_file = {folder}/logins
        pool_mode = {mode}
        default_pool_size = {size}
        query_wait_timeout = {patience}
        """
    )
    command = [program(), str(folder / "pgbouncer.ini")]
    if os.geteuid() == 0:  # as whom it does not run
        command[1:1] = ["-u", "nobody"]
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "nobody")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(made, address, process, folder / "log")
        yield made
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(made: Pooler, address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTED_WITHIN_SECONDS
    while True:
        try:
            psycopg.connect(made.dsn(address), connect_timeout=5).close()
        except psycopg.OperationalError:
            alive = process.poll() is None and time.monotonic() < deadline
            assert alive, f"PgBouncer did not start: {log.read_text()}"
            time.sleep(0.05)
        else:
            return
