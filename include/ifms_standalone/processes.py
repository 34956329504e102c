"""Start processes, remember them on disk, and end every one of them: also those that a killed run has left.

Each process leads a session of its own. Whatever it starts stays in that session even when it leaves the process group
or loses its parent (Airflow's task runners do both), so a session is what gets ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from ifms_standalone.errors import StandaloneError
from ifms_standalone.signals import held

PATIENCE_SECONDS = {signal.SIGINT: 30.0, signal.SIGTERM: 10.0, signal.SIGKILL: 5.0}
"""How long to wait after each signal before the next, harder one."""


@dataclass(frozen=True)
class _Record:
    name: str
    pid: int
    started: float
    """The process's start time, epoch seconds: with it, a number that was given to somebody else is recognised."""


class Processes:
    """The processes of a run; they write to log files in `logs` and are recorded in `record`."""

    def __init__(self, record: Path, logs: Path) -> None:
        self._file = record
        self._logs = logs
        self._running: list[tuple[_Record, subprocess.Popen[bytes]]] = []

    def start(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        """Start `command`. Raises StandaloneError if it can't be."""
        with held():  # a signal between starting and remembering would leave a process that nobody knows
            try:
                with self.log(name).open("ab") as log:
                    process = subprocess.Popen(  # noqa: S603
                        command,
                        env=dict(environment),
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
            except OSError as error:
                raise StandaloneError(f"{name} could not be started: {error.strerror} ({command[0]}).") from error
            record = _Record(name, process.pid, psutil.Process(process.pid).create_time())
            self._running.append((record, process))
            self._write()

    def log(self, name: str) -> Path:
        """Name the file that holds what process `name` says."""
        return self._logs / f"{name}.log"

    def code(self, pid: int) -> int | None:
        """With what the process has ended that was started as `pid`; None while it is alive."""
        [process] = [process for record, process in self._running if record.pid == pid]
        return process.poll()

    def check(self) -> None:
        """Raise StandaloneError if one of them has ended by itself."""
        for record, process in self._running:
            if (code := process.poll()) is not None:
                reason = "was killed, perhaps for want of memory" if code == -signal.SIGKILL else f"ended with {code}"
                raise StandaloneError(f"{record.name} {reason}; its log is {self.log(record.name)}.")

    def stop(self) -> None:
        """End all, last one first, and everything that they have started."""
        while self._running:
            record, process = self._running[-1]
            _end_session(record)
            process.wait()
            self._running.pop()
            self._write()

    def end_leftovers(self) -> list[str]:
        """End what a killed run has left, and return the names."""
        try:
            records = [_Record(**fields) for fields in json.loads(self._file.read_text())]
        except (FileNotFoundError, ValueError, TypeError):
            return []
        ended = [record.name for record in reversed(records) if _end_session(record)]
        self._file.unlink()
        return ended

    def _write(self) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps([asdict(record) for record, _ in self._running], indent=1))
        fresh.rename(self._file)


def _end_session(record: _Record) -> bool:
    """Ask, press, kill; False if nothing of the session was alive."""
    members = _members(record)
    found = bool(members)
    for how, patience in PATIENCE_SECONDS.items():
        # The leader alone is asked first: it knows in which order to end what it has started.
        leaders = [member for member in members if member.pid == record.pid]
        for member in (leaders or members) if how == signal.SIGINT else members:
            _signal(member, how)
        deadline = time.monotonic() + patience
        while (members := _members(record)) and time.monotonic() < deadline:
            if how == signal.SIGINT and leaders and record.pid not in {member.pid for member in members}:
                break  # it has ended and left some behind
            time.sleep(0.05)
        if not members:
            break
    return found


def _members(record: _Record) -> list[psutil.Process]:
    """List the living processes of the record's session."""
    members = []
    for pid in psutil.pids():
        try:
            if os.getsid(pid) != record.pid:
                continue
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            started = process.create_time()
        except (OSError, psutil.Error):
            continue
        if pid == record.pid and abs(started - record.started) > 1:
            return []  # the number has been given to another session
        if started >= record.started - 1:
            members.append(process)
    return members


def _signal(process: psutil.Process, how: signal.Signals) -> None:
    try:
        process.send_signal(how)
    except psutil.NoSuchProcess:
        return
