"""A real Redis for tests, from Debian's package redis-server.

Where there is none, its tests are skipped with a sentence; in CI they fail instead.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import redis

from ifms_standalone.postgres import LOOPBACK, free_port

STARTED_WITHIN_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A running Redis."""

    port: int
    password: str = field(repr=False)
    pid: int = 0

    @property
    def url(self) -> str:
        """Its address, with the password in it."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"


def missing(name: str = "redis-server") -> str | None:
    """Why there is no such program here, as a sentence; None if there is."""
    return None if shutil.which(name) else f"there is no {name} here: on Debian, apt-get install redis-server"


def program(name: str = "redis-server") -> str:
    """Where a program of Redis is; without it the test is skipped, in CI it fails."""
    if reason := missing(name):
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return str(shutil.which(name))


@contextmanager
def running(script: str = "", password: str | None = None, ca: Path | None = None) -> Iterator[Server]:
    """Run a server on a free port, its data in a folder that goes afterwards.

    `script` starts it otherwise, as a shell's: by `redis-server -`, with the password in REDISCLI_AUTH. With `ca`
    it speaks TLS alone, with a certificate of that authority.
    """
    server = Server(free_port(), password or secrets.token_hex(8))
    folder = Path(tempfile.mkdtemp(prefix="ifms-redis-"))
    place = ["--bind", LOOPBACK, "--port", str(server.port), "--dir", str(folder)]
    with (folder / "log").open("wb") as log:
        command = [program(), *place, "--requirepass", server.password]
        if script:
            assert "redis-server - " in script
            if ca is not None:
                place[2:4] = ["--port", "0", "--tls-port", str(server.port)]
            command = ["sh", "-c", script.replace("redis-server - ", shlex.join([program(), "-", *place]) + " ")]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=os.environ | {"REDISCLI_AUTH": server.password},
        )
    try:
        deadline = time.monotonic() + STARTED_WITHIN_SECONDS
        while True:
            try:
                known = {"ssl": True, "ssl_ca_certs": str(ca)} if ca is not None else {}
                redis.Redis(port=server.port, password=server.password, **known).ping()
                break
            except redis.exceptions.ConnectionError:
                alive = process.poll() is None and time.monotonic() < deadline
                assert alive, f"Redis did not start: {(folder / 'log').read_text()}"
                time.sleep(0.05)
        yield replace(server, pid=process.pid)
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
