"""The Dockerfile, without Docker: what it copies is enough to build the package from, and it is the Airflow of the pins."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest
from support import compose

DOCKERFILE = (compose.REPO / "Dockerfile").read_text()


def instructions(name: str) -> list[str]:
    """What follows the name of an instruction, for each of them."""
    return re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """What .dockerignore leaves of the repository."""
    rules = [line for line in (compose.REPO / ".dockerignore").read_text().splitlines() if line[:1] not in ("", "#")]
    assert rules[0] == "*"
    kept = [rule[1:] for rule in rules if rule.startswith("!")]
    never = [rule.removeprefix("**/") for rule in rules if rule.startswith("**/")]
    made = tmp_path / "context"
    made.mkdir()
    for name in kept:
        source = compose.REPO / name
        if source.is_dir():
            shutil.copytree(source, made / name, ignore=shutil.ignore_patterns(*never))
        elif source.exists():
            shutil.copy(source, made / name)
    return made


def test_it_is_built_on_the_airflow_of_the_pins():
    (base,) = instructions("FROM")
    version, python = re.fullmatch(r"apache/airflow:([0-9.]+)-python([0-9.]+)", base).groups()  # type: ignore[union-attr]
    pinned = (compose.REPO / "requirements.txt").read_text()
    assert f"\napache-airflow=={version} " in pinned
    assert tuple(map(int, python.split("."))) >= (3, 11)


def test_its_labels_say_what_it_is():
    labels = dict(re.findall(r'org\.opencontainers\.image\.([\w.]+)="([^"]*)"', DOCKERFILE))
    project = tomllib.loads((compose.REPO / "pyproject.toml").read_text())["project"]
    assert (labels["version"], labels["description"]) == (project["version"], project["description"])
    assert [labels["base.name"]] == instructions("FROM")


def test_nobody_is_root_in_it():
    assert instructions("USER") == ["airflow"]


def test_every_requirement_is_checked_by_its_hash():
    (install,) = [line for line in instructions("RUN") if "requirements.txt" in line]
    assert "--require-hashes" in install


def test_the_context_is_small_and_holds_no_secret(context):
    files = [path for path in context.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 8_000_000
    assert not [path for path in files if fnmatch(path.name, "*.env") or path.name.startswith(".env")]
    assert {path.name for path in context.iterdir()} <= {
        "dags",
        "deploy",
        "include",
        "plugins",
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "requirements.txt",
    }


def test_what_is_copied_is_there_and_enough_for_the_package(context, tmp_path):
    inside = tmp_path / "image"
    for copied in instructions("COPY"):
        *sources, target = [part for part in copied.split() if not part.startswith("--")]
        place = inside / target.lstrip("/")
        for source in sources:
            found = context / source
            assert found.exists(), source
            if found.is_dir():
                shutil.copytree(found, place, dirs_exist_ok=True)
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(found, place)
    assert sorted(path.name for path in (inside / "opt/airflow/dags").glob("*.py")) == sorted(
        path.name for path in (compose.REPO / "dags").glob("*.py")
    )
    assert sorted(path.name for path in (inside / "opt/airflow/plugins").iterdir()) == [
        ".airflowignore",
        "ifms_plugin.py",
    ]
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path / "wheel")],
        cwd=inside / "tmp/ifms",
        check=True,
        capture_output=True,
    )
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    for root in ("include", "plugins"):
        for path in (compose.REPO / root).rglob("*"):
            name = path.relative_to(compose.REPO / root).as_posix()
            if name.startswith("examples/"):  # to be copied from here, not to be run there
                continue
            if path.is_file() and "/" in name and "__pycache__" not in name:
                assert name in packed, f"{name} is missing in the image"
    entries = zipfile.ZipFile(wheel).read(next(name for name in packed if name.endswith("entry_points.txt"))).decode()
    assert "apache_airflow_provider" in entries


def test_what_it_tries_at_the_end_can_be_done_here():
    smoke = instructions("RUN")[-1]
    assert (
        smoke
        == 'airflow version && ifms --help && python -c "import ifms_airflow.operators, ifms_deployment, ifms_simulator.serve"'
    )
    for command in smoke.split(" && ")[1:]:
        program, _, rest = command.partition(" ")
        subprocess.run(f"{Path(sys.executable).with_name(program)} {rest}", shell=True, check=True, capture_output=True)
