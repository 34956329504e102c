"""Servers and folders of a test run are gone soon after it, however it was ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from support.environment import REPO

pytestmark = pytest.mark.tier("prove")  # runs of pytest, which are started to be killed

PATIENCE_SECONDS = 300  # for what only takes as long as the machine is busy

HOLDS_POSTGRES = """
import json, time
from pathlib import Path

def test_that_takes_long(postgres, ledger_dsn, process_environment):
    folders = [str(postgres.data), str(process_environment.home)]
    Path("held.new").write_text(json.dumps({"pids": [postgres.pid], "folders": folders}))
    Path("held.new").rename("held")
    time.sleep(600)
"""
HOLDS_JAVA = """
import json, time
from pathlib import Path

def test_that_takes_long(kafka):
    broker = kafka.broker
    Path("held.new").write_text(json.dumps({"pids": [broker.process.pid], "folders": [str(broker.work)]}))
    Path("held.new").rename("held")
    time.sleep(600)
"""
SLEEPS = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
STARTS = {
    "child of a child": (
        "import subprocess, sys, time; from pathlib import Path;"
        f"child = subprocess.Popen([sys.executable, '-c', {SLEEPS!r}]);"
        "Path('pid').write_text(str(child.pid)); time.sleep(600)",
        False,
    ),
    "of a session whose leader is gone": (
        "import subprocess, sys; from pathlib import Path;"
        f"child = subprocess.Popen([sys.executable, '-c', {SLEEPS!r}], env={{}});"
        "Path('pid').write_text(str(child.pid))",
        True,
    ),
    "in a session of its own whose parent is gone": (
        "import subprocess, sys; from pathlib import Path;"
        f"child = subprocess.Popen([sys.executable, '-c', {SLEEPS!r}], start_new_session=True);"
        "Path('pid').write_text(str(child.pid))",
        False,
    ),
}
FORKS = """
import multiprocessing, os, signal, sys, time
from pathlib import Path
from support import guard

def stop():
    Path("pid").write_text(str(os.getpid()))
    os.kill(os.getpid(), signal.SIGSTOP)

if __name__ == "__main__":
    guard.start()
    multiprocessing.get_context(sys.argv[1]).Process(target=stop, daemon=True).start()
    time.sleep(600)
"""


@pytest.fixture
def held(tmp_path: Path):
    """`held(test, *options)`: a pytest that runs this test now, its servers and its folders."""
    started: list[subprocess.Popen[bytes]] = []

    def hold(test: str, *options: str) -> tuple[subprocess.Popen[bytes], list[psutil.Process], list[Path]]:
        (tmp_path / "test_held.py").write_text(test)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "IFMS_"))}
        environment["PYTHONPATH"] = os.pathsep.join(str(REPO / each) for each in ("tests", "include", "plugins"))
        command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", *options, "test_held.py"]
        with (tmp_path / "output").open("wb") as output:
            # Whoever started this run in the background has it ignore SIGINT, and what it starts would, too.
            before = signal.signal(signal.SIGINT, signal.default_int_handler)
            try:
                run = subprocess.Popen(
                    command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
                )
            finally:
                signal.signal(signal.SIGINT, before)
        started.append(run)
        until(lambda: (tmp_path / "held").exists() or run.poll() is not None, "the test did not begin")
        assert run.poll() is None, (tmp_path / "output").read_text()
        written = json.loads((tmp_path / "held").read_text())
        return run, [psutil.Process(pid) for pid in written["pids"]], [Path(folder) for folder in written["folders"]]

    yield hold
    for run in started:
        run.kill()
        run.wait()


def until(true: Callable[[], object], otherwise: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def ends(run: subprocess.Popen[bytes], servers: list[psutil.Process], folders: list[Path], how: signal.Signals) -> None:
    """The run is ended in this way, and nothing of it stays."""
    assert servers
    assert all(alive(server) for server in servers)
    assert all(folder.exists() for folder in folders)
    run.send_signal(how)
    run.wait(PATIENCE_SECONDS)
    until(lambda: not any(alive(server) for server in servers), f"a server outlives {how.name}: {servers}")
    until(lambda: not any(folder.exists() for folder in folders), f"a folder outlives {how.name}: {folders}")


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("options", [("-n0",), ("-n2", "--dist", "loadgroup")], ids=["alone", "xdist"])
def test_postgresql_ends_with_the_run(held, options: tuple[str, ...], how: signal.Signals):
    ends(*held(HOLDS_POSTGRES, *options), how)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_java_ends_with_the_run(held, kafka, how: signal.Signals):
    """The fixture is asked for here, too, so that this is skipped where there is no Kafka."""
    ends(*held(HOLDS_JAVA, "-n2", "--dist", "loadgroup"), how)


def killed(command: list[str], folder: Path) -> psutil.Process:
    """The process whose number is written into `pid` by one that has a guard, and has been killed by now."""
    with subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(REPO / "tests")}) as run:
        until(lambda: (folder / "pid").exists() and (folder / "pid").read_text(), "nothing began")
        started = psutil.Process(int((folder / "pid").read_text()))
        assert alive(started)
        time.sleep(0.5)  # for its parent to be gone, where it goes
        run.kill()
    return started


@pytest.mark.parametrize("name", STARTS)
def test_what_a_child_has_started_ends_with_the_run(tmp_path: Path, name: str):
    """As Airflow's parts do, which lose the parent that has started them; what does not listen is killed."""
    child, leader = STARTS[name]
    owner = (
        "import subprocess, sys, time; from support import guard; guard.start();"
        f"subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session={leader}).wait(); time.sleep(600)"
    )
    left = killed([sys.executable, "-c", owner], tmp_path)
    until(lambda: not alive(left), "it stayed")


@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
def test_a_forked_child_that_stands_still_ends_with_the_run(tmp_path: Path, context: str):
    (tmp_path / "forks.py").write_text(FORKS)
    left = killed([sys.executable, "forks.py", context], tmp_path)
    until(lambda: not alive(left), "it stayed")


def test_a_child_that_has_closed_the_guards_pipe_writes_into_no_other_file(tmp_path: Path):
    child = (
        "import os, subprocess; from support import guard; guard.start();"
        "number = guard._guards[0].stdin.fileno();"
        "other = os.open('other', os.O_CREAT | os.O_WRONLY); os.dup2(other, number);"
        "subprocess.run(['true']); os.fork()"
    )
    environment = os.environ | {"PYTHONPATH": str(REPO / "tests")}
    subprocess.run([sys.executable, "-c", child], cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "other").read_bytes() == b""


def test_what_is_not_of_the_run_stays(tmp_path: Path):
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as stranger:
        kept = tmp_path / "ifms-kept"
        kept.mkdir()
        owner = "import tempfile; from support import guard; guard.start(); print(tempfile.mkdtemp(prefix='ifms-'))"
        environment = os.environ | {"PYTHONPATH": str(REPO / "tests")}
        done = subprocess.run(
            [sys.executable, "-c", owner], env=environment, capture_output=True, text=True, check=True
        )
        made = Path(done.stdout.strip())
        until(lambda: not made.exists(), "the folder stayed")
        stays = stranger.poll() is None
        stranger.kill()
    assert kept.exists()
    assert stays
