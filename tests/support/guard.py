"""Ends what a test process has started, and removes its folders, when that process is gone however it went.

Each pytest process (each of xdist's, too) has a guard: a small process in a session of its own, so that Ctrl-C and a
kill of the process group do not reach it. It learns of every child, and of every folder whose name begins with "ifms-",
and acts once its parent is gone. A parent that ended well has left nothing to end.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

import psutil

PATIENCE_SECONDS = 5.0
"""How long what is asked to end may take, before it is killed."""
LOOK_EVERY_SECONDS = 0.2
FOLDERS = "ifms-"

_guards: list[subprocess.Popen[bytes]] = []
_pipes: list[tuple[int, int]] = []
"""The guard's pipe, by which it is known again."""


def start() -> None:
    """Give this process its guard, once."""
    if _guards:
        return
    # Inherited by all that is started, unless it is given an environment of its own.
    mark = f"TESTS_OF_{secrets.token_hex(8)}"
    _guards.append(
        subprocess.Popen(
            [sys.executable, "-I", __file__, str(os.getpid()), mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
    )
    os.environ[mark] = "1"
    _pipes.append(_identity(_number()))
    popen, mkdtemp = subprocess.Popen.__init__, tempfile.mkdtemp

    @functools.wraps(popen)
    def started(self: Any, *arguments: Any, **options: Any) -> None:
        popen(self, *arguments, **options)
        with contextlib.suppress(OSError):
            leads = os.getsid(self.pid) == self.pid
            _report(f"{'session' if leads else 'process'} {self.pid}")

    @functools.wraps(mkdtemp)
    def made(*arguments: Any, **options: Any) -> Any:
        folder = mkdtemp(*arguments, **options)
        if isinstance(folder, str) and os.path.basename(folder).startswith(FOLDERS):
            _report(f"folder {folder}")
        return folder

    subprocess.Popen.__init__ = started  # type: ignore[method-assign]
    tempfile.mkdtemp = made
    os.register_at_fork(after_in_child=lambda: _report(f"process {os.getpid()}"))


def _report(line: str) -> None:
    with contextlib.suppress(OSError):  # somebody has ended the guard: the tests go on
        if _identity(_number()) in _pipes:  # a forked child may have closed it, and given its number to another file
            os.write(_number(), f"{line}\n".encode())


def _number() -> int:
    pipe = _guards[0].stdin
    assert pipe is not None
    return pipe.fileno()


def _identity(number: int) -> tuple[int, int]:
    found = os.fstat(number)
    return found.st_dev, found.st_ino


# The guard's own process ----------------------------------------------------------------------------------------------


def watch(parent: int, mark: str) -> None:
    """Listen until the parent is gone, then end and remove what it has started and made."""
    processes: dict[int, float] = {}
    sessions: set[int] = set()
    folders: list[str] = []
    rest, open_ = b"", True
    while True:
        # Looked at before reading: what the parent has reported before it went is in the pipe. The pipe's own end says
        # too little, because a fork of the parent may hold it open.
        gone = os.getppid() != parent
        if open_ and select.select([0], [], [], 0 if gone else LOOK_EVERY_SECONDS)[0]:
            read = os.read(0, 65536)
            open_ = bool(read)
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                what, _, value = line.decode().partition(" ")
                if what == "folder":
                    folders.append(value)
                    continue
                if (begun := _begun(int(value))) is not None:
                    processes[int(value)] = begun
                if what == "session":
                    sessions.add(int(value))
        elif gone:
            break
        elif not open_:
            time.sleep(LOOK_EVERY_SECONDS)
    _end(mark, processes, sessions)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _begun(pid: int) -> float | None:
    with contextlib.suppress(psutil.Error):
        return float(psutil.Process(pid).create_time())
    return None


def _end(mark: str, processes: dict[int, float], sessions: set[int]) -> None:
    """Ask all that is left to end; kill what does not."""
    found: set[psutil.Process] = set()
    for how in (signal.SIGTERM, signal.SIGKILL):
        found |= _left(mark, processes, sessions)  # what was found before may have lost its parent
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.send_signal(how)
        psutil.wait_procs(found, PATIENCE_SECONDS)


def _left(mark: str, processes: dict[int, float], sessions: set[int]) -> set[psutil.Process]:
    """What was reported, with its children; what is in a session that was; what has inherited the mark."""
    ours = {leader for leader in sessions if _begun(leader) in (None, processes.get(leader))}  # else: another's by now
    found: set[psutil.Process] = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            begun, leader = process.create_time(), os.getsid(process.pid)
            if processes.get(process.pid) == begun:
                found |= {process, *process.children(recursive=True)}
            elif (leader in ours and begun >= processes.get(leader, begun)) or mark in process.environ():
                found.add(process)
    return {process for process in found if not _guards_another(process)}


def _guards_another(process: psutil.Process) -> bool:
    """Whether it is one of these guards, which has work of its own to do and then ends."""
    with contextlib.suppress(psutil.Error):
        return __file__ in process.cmdline()
    return False


if __name__ == "__main__":
    watch(int(sys.argv[1]), sys.argv[2])
