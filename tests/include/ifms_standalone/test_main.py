"""The command: what stops it is one sentence and exit code 1, before anything is started."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ifms_standalone import __main__ as command
from ifms_standalone.postgres import free_port
from ifms_standalone.settings import Folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    folder = Folder(tmp_path / "run")
    monkeypatch.setattr(command, "Folder", lambda: folder)
    monkeypatch.setattr(sys, "argv", ["standalone", "--once"])
    for name in ("AIRFLOW", "POSTGRES", "TREASURY", "PLATFORM"):
        monkeypatch.setenv(f"IFMS_PORT_{name}", str(free_port()))
    return folder


def test_a_port_in_use(elsewhere: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("IFMS_PORT_PLATFORM", str(taken.getsockname()[1]))
        assert command.main() == 1
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "(platform) can't be used: Address already in use; set IFMS_PORT_PLATFORM" in said.err
    assert not elsewhere.postgres.exists()
    assert not elsewhere.processes.exists()


def test_a_second_one_in_the_same_folder(elsewhere: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere.make()
    holder = (
        "import fcntl, os, sys, time\n"
        f"file = open({str(elsewhere.root / 'lock')!r}, 'w')\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "file.write(str(os.getpid())); file.flush()\n"
        "print('held', flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert command.main() == 1
        other.kill()
    assert f"(process {other.pid}); end it first." in capsys.readouterr().err
