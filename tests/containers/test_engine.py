"""What `make containers` says where it can't run, and that it knows every image; containers themselves are run by hand."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from support import compose

from containers import engine, standins
from containers.engine import CheckError


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of the PATH, and an engine's programs in it that find no engine."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("docker", "dockerd", "iptables", "debootstrap"):
        program(folder / name, "exit 1")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(engine, "OF_THE_MACHINE", tmp_path / "docker.sock")
    return folder


def test_without_root_it_says_how(programs: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(CheckError, match="need root: sudo make containers"):
        engine.check_machine()


def test_what_is_missing_is_named_with_the_command_that_gets_it(programs: Path):
    for name in ("docker", "dockerd", "debootstrap"):
        (programs / name).unlink()
    with pytest.raises(CheckError, match="apt-get install --no-install-recommends debootstrap docker.io$"):
        engine.check_machine()


def test_it_does_not_run_beside_another_engine(programs: Path):
    engine.check_machine()
    engine.OF_THE_MACHINE.touch()
    engine.check_machine()  # a socket that an engine has left
    program(programs / "docker", "exit 0")
    with pytest.raises(CheckError, match="a Docker engine runs on this machine already"):
        engine.check_machine()


def test_an_engine_that_can_t_start_is_told_of_in_its_own_words(programs: Path, tmp_path: Path):
    program(programs / "ip", "echo default via 192.0.2.1 dev lo")
    program(programs / "dockerd", "echo first; echo no such thing as a bridge here >&2; exit 1")
    with (
        pytest.raises(CheckError, match="no Docker engine can run here .*: no such thing as a bridge here"),
        engine.running(tmp_path),
    ):
        pytest.fail("it runs")


def test_without_compose_and_go_it_says_what_to_install(programs: Path, tmp_path: Path):
    assert shutil.which("go") is None
    made = engine.Engine("unix:///sample", tmp_path)
    with pytest.raises(CheckError, match="no Compose here, and no Go to build it with"):
        made.use(compose.FILE, folder=compose.REPO, environment=tmp_path)


def test_there_is_a_recipe_for_every_image_that_is_not_ours():
    services = compose.written()["services"]
    theirs = {
        name
        for name, service in services.items()
        if "mukta-ifms-adapter" not in service["image"] and name != "certificates"
    }
    assert services["certificates"]["image"] == services["postgres"]["image"]
    assert {folder.name for folder in standins.IMAGES.iterdir()} == theirs | {"base", "airflow"}
