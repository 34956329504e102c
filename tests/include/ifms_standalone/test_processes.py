"""Processes are recorded, watched and ended, with all that they have started; also after the launcher was killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ifms_standalone import processes
from ifms_standalone.errors import StandaloneError
from ifms_standalone.processes import Processes

# Starts a child that leaves the process group, as Airflow's task runner does, says both numbers, and waits. Where the
# tests run in the background, it would be born deaf to SIGINT, and the first half minute's patience would be sat out.
FAMILY = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], process_group=0)
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
"""
STUBBORN = "import signal, time\n" + "".join(
    f"signal.signal(signal.{name}, signal.SIG_IGN)\n" for name in ("SIGINT", "SIGTERM")
)


@pytest.fixture
def started(tmp_path: Path):
    return Processes(tmp_path / "processes.json", tmp_path)


def test_stop_ends_the_whole_family(started: Processes) -> None:
    started.start("family", [sys.executable, "-c", FAMILY], os.environ)
    family = _numbers(started.log("family"))
    started.check()
    started.stop()
    assert not any(_alive(pid) for pid in family)


def test_a_process_that_ignores_signals_is_killed(started: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PATIENCE_SECONDS", dict.fromkeys(processes.PATIENCE_SECONDS, 0.3))
    program = STUBBORN + "import os; print(os.getpid(), flush=True)\ntime.sleep(600)"
    started.start("stubborn", [sys.executable, "-c", program], os.environ)
    (pid,) = _numbers(started.log("stubborn"))
    started.stop()
    assert not _alive(pid)


def test_one_that_ended_by_itself_is_named(started: Processes) -> None:
    started.start("short", [sys.executable, "-c", "raise SystemExit(3)"], os.environ)
    _until_raised(started.check, r"short ended with 3; its log is .*short\.log")
    started.stop()


def test_one_that_was_killed_is_named(started: Processes) -> None:
    started.start("victim", [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], os.environ)
    _until_raised(started.check, "victim was killed, perhaps for want of memory")
    started.stop()


def test_what_cannot_start_is_said(started: Processes) -> None:
    with pytest.raises(StandaloneError, match="ghost could not be started: No such file"):
        started.start("ghost", ["/nowhere/ghost"], os.environ)


def test_the_next_run_ends_what_a_killed_one_left(tmp_path: Path) -> None:
    launcher = f"""
import os, sys
from pathlib import Path
from ifms_standalone.processes import Processes
left = Processes(Path({str(tmp_path)!r}) / "processes.json", Path({str(tmp_path)!r}))
left.start("family", [sys.executable, "-c", {FAMILY!r}], os.environ)
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", launcher], check=False)
    family = _numbers(tmp_path / "family.log")
    assert all(_alive(pid) for pid in family)
    next_run = Processes(tmp_path / "processes.json", tmp_path)
    assert next_run.end_leftovers() == ["family"]
    assert not any(_alive(pid) for pid in family)
    assert next_run.end_leftovers() == []


def test_a_number_that_somebody_else_has_by_now_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as stranger:
        record = [{"name": "old", "pid": stranger.pid, "started": time.time() - 3600}]
        (tmp_path / "processes.json").write_text(json.dumps(record))
        assert Processes(tmp_path / "processes.json", tmp_path).end_leftovers() == []
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"name": "x"}]'])
def test_a_damaged_record_is_no_obstacle(tmp_path: Path, text: str) -> None:
    (tmp_path / "processes.json").write_text(text)
    assert Processes(tmp_path / "processes.json", tmp_path).end_leftovers() == []


def _numbers(log: Path) -> list[int]:
    deadline = time.monotonic() + 20
    while not (log.exists() and log.read_text().endswith("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return [int(word) for word in log.read_text().split()]


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _until_raised(call, match: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            call()
        except StandaloneError as error:
            with pytest.raises(StandaloneError, match=match):
                raise error
            return
        time.sleep(0.02)
    pytest.fail("nothing was raised")
