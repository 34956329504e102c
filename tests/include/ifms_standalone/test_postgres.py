"""The embedded PostgreSQL: starts, keeps its data, survives a kill, and says plainly what is wrong."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from ifms_standalone import postgres
from ifms_standalone.postgres import PostgresError, Server, free_port


def test_databases_are_made_copied_and_dropped(postgres: Server) -> None:
    assert postgres.create_database("original")
    assert not postgres.create_database("original")
    with psycopg.connect(postgres.dsn("original"), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    assert postgres.create_database("copy", template="original")
    connection = psycopg.connect(postgres.dsn("copy"))
    assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
    postgres.drop_database("copy")  # though somebody is connected
    connection.close()
    postgres.drop_database("original")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(postgres.dsn("copy"))


def test_only_the_password_opens_it(postgres: Server) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.dsn().replace(postgres.password, "wrong"))
    assert postgres.password not in repr(postgres)


def test_tests_run_without_fsync_and_the_default_with_it(postgres: Server, tmp_path: Path) -> None:
    assert _setting(postgres, "fsync") == "off"
    with _durable(tmp_path) as server:
        assert [_setting(server, name) for name in ("fsync", "full_page_writes", "synchronous_commit")] == ["on"] * 3
        assert _setting(server, "TimeZone") == "UTC"


def test_data_survive_a_restart_and_a_kill(tmp_path: Path) -> None:
    with _durable(tmp_path) as server:
        server.create_database("kept")
    with _durable(tmp_path) as server:
        assert not server.create_database("kept")
        os.kill(server.pid, signal.SIGKILL)
        _until(lambda: not _listening(server.port))
    assert (tmp_path / "data" / "postmaster.pid").exists()
    with _durable(tmp_path) as server:
        assert not server.create_database("kept")
    assert not (tmp_path / "data" / "postmaster.pid").exists()


def test_a_server_left_by_a_killed_run_is_stopped(tmp_path: Path) -> None:
    with _durable(tmp_path) as left:
        assert postgres.stop_leftover(tmp_path / "data")
        assert not _listening(left.port)
    assert not postgres.stop_leftover(tmp_path / "data")


def test_a_pid_file_with_somebody_elses_number_is_removed(tmp_path: Path) -> None:
    with _durable(tmp_path):
        pass
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (tmp_path / "data" / "postmaster.pid").write_text(f"{stranger.pid}\n")
        with _durable(tmp_path) as server:
            assert _setting(server, "port") == str(server.port)
        assert stranger.poll() is None
        stranger.kill()


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PostgresError, match=f"did not start on port {port}: ") as raised, _durable(tmp_path, port):
            pass
    assert "\n" not in str(raised.value)


def test_another_password_is_said(tmp_path: Path) -> None:
    with _durable(tmp_path):
        pass
    with (
        pytest.raises(PostgresError, match="made with another password"),
        postgres.running(tmp_path / "data", free_port(), password="another"),
    ):
        pass


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(PostgresError, match=r"can't be kept in .*: Not a directory|File exists"),
        postgres.running(tmp_path / "file" / "data", free_port(), password="sample"),
    ):
        pass


def test_damaged_data_are_said(tmp_path: Path) -> None:
    with _durable(tmp_path):
        pass
    (tmp_path / "data" / "PG_VERSION").write_text("12\n")
    with (
        pytest.raises(PostgresError, match=r"did not start on port .*: database files are incompatible with server"),
        _durable(tmp_path),
    ):
        pass


def test_an_interrupted_first_start_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "data.new").mkdir()
    (tmp_path / "data.new" / "half").write_text("")
    with _durable(tmp_path) as server:
        assert server.create_database("sample")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run PostgreSQL as somebody else")
class TestAsRootWithoutUserNamespaces:
    @pytest.fixture(autouse=True)
    def no_namespaces(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ifms_standalone.postgres._NAMESPACE", ("false",))

    @pytest.mark.skipif(
        any(not folder.stat().st_mode & stat.S_IXOTH for folder in Path(sys.prefix).resolve().parents),
        reason="the environment is below a folder that only its owner enters, so nobody can't run what is in it",
    )
    def test_it_runs_as_nobody(self) -> None:
        with postgres.throwaway() as server:
            assert psutil.Process(server.pid).uids().effective == 65534
            assert _setting(server, "fsync") == "off"

    def test_a_folder_that_nobody_reaches_is_said(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)
        with pytest.raises(PostgresError, match=r"does not run as root.*run it as another user"), _durable(tmp_path):
            pass


def _durable(folder: Path, port: int | None = None):
    return postgres.running(folder / "data", port or free_port(), password="sample")


def _setting(server: Server, name: str) -> str:
    with psycopg.connect(server.dsn()) as connection:
        row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return row[0]


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
