"""Ports, secrets and the machine: what is wrong is said in one sentence, before anything is started."""

from __future__ import annotations

import base64
import json
import socket
import stat
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from ifms_standalone import settings
from ifms_standalone.errors import StandaloneError
from ifms_standalone.postgres import free_port
from ifms_standalone.settings import Folder, Ports, Secrets


def test_ports_have_defaults_and_variables() -> None:
    assert Ports.of({}) == Ports(airflow=8080, postgres=5433, treasury=8091, platform=8092)
    assert Ports.of({"IFMS_PORT_TREASURY": "9001"}).treasury == 9001


@pytest.mark.parametrize("given", ["", "0", "65536", "-1", "http", "8080 ", "८०८०"])
def test_what_is_no_port_is_refused(given: str) -> None:
    with pytest.raises(StandaloneError, match=r"^IFMS_PORT_AIRFLOW is .*, which is no port number"):
        Ports.of({"IFMS_PORT_AIRFLOW": given})


def test_two_of_the_same_are_refused() -> None:
    with pytest.raises(StandaloneError, match="IFMS_PORT_AIRFLOW and IFMS_PORT_PLATFORM are both 8080"):
        Ports.of({"IFMS_PORT_PLATFORM": "8080"})


def test_a_port_in_use_is_named_with_its_variable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = Ports(free_port(), free_port(), treasury=port, platform=free_port())
        with pytest.raises(StandaloneError, match=rf"^Port {port} \(treasury\) .*set IFMS_PORT_TREASURY"):
            ports.check_free()
    ports.check_free()


def test_secrets_are_made_once_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    made = Secrets.kept_in(file)
    assert Secrets.kept_in(file) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(base64.b64decode(made.log_key)) == len(base64.b64decode(made.signing_key)) == 32
    assert made.log_key != made.signing_key
    assert len(base64.urlsafe_b64decode(made.fernet_key)) == 32
    assert not any(value in repr(made) for value in json.loads(file.read_text()).values())
    assert Secrets.kept_in(tmp_path / "others.json") != made


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"fernet_key": "x"}'])
def test_damaged_secrets_are_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.json").write_text(text)
    with pytest.raises(StandaloneError, match=r"secrets\.json are damaged"):
        Secrets.kept_in(tmp_path / "secrets.json")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StandaloneError, match=r"run can't be made or written: Not a directory\.$"):
        Folder(tmp_path / "file" / "run").make()


def test_the_first_day_stays_the_first(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.first_day(date(2026, 11, 23)) == date(2026, 11, 23)
    assert folder.first_day(date(2026, 11, 25)) == date(2026, 11, 23)
    (tmp_path / "first-day").write_text("yesterday")
    with pytest.raises(StandaloneError, match="first-day can't be read or written"):
        folder.first_day(date(2026, 11, 26))


def test_only_the_owner_sees_logs_and_state(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "run")
    folder.make()
    folder.make()
    for each in (folder.logs, folder.airflow, folder.simulators):
        assert stat.S_IMODE(each.stat().st_mode) == 0o700


@pytest.mark.parametrize(("disk", "memory", "said"), [(499, 9000, "499 MB are free"), (9000, 99, "99 MB of memory")])
def test_too_small_a_machine_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: int, memory: int, said: str
) -> None:
    monkeypatch.setattr(settings.shutil, "disk_usage", lambda _: SimpleNamespace(free=disk * 2**20))
    monkeypatch.setattr(settings.psutil, "virtual_memory", lambda: SimpleNamespace(available=memory * 2**20))
    with pytest.raises(StandaloneError, match=said):
        settings.check_machine(tmp_path)
