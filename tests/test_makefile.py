"""What `make install` says, run on a copy of the Makefile with a Python of the test's own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from support.environment import REPO

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed here")

NEW = """#!/bin/sh
[ "$1" = -m ] && mkdir -p .venv/bin && cp uv python .venv/bin
exit 0
"""
OLD = """#!/bin/sh
[ "$1" = --version ] && echo "Python {version}" >&{stream}
exit 1
"""
UV = """#!/bin/sh
[ "$1" = --version ] && sed -n 's/^UV_VERSION := /uv /p' Makefile
exit 0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the Makefile, and the files that it looks at."""
    shutil.copy(REPO / "Makefile", tmp_path)
    for name in ("requirements.txt", "requirements-dev.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    program(tmp_path / "uv", UV)
    return tmp_path


def program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def install(folder: Path, python: str = "./python") -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", "install", f"PYTHON={python}"]
    environment = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, check=False)


def test_setting_up_says_one_line_and_nothing_the_second_time(folder: Path):
    program(folder / "python", NEW)
    first, second = install(folder), install(folder)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert first.stdout == "Setting up the environment in .venv (once, about half a minute)\n"
    assert first.stderr == ""
    assert ".venv" not in second.stdout


@pytest.mark.parametrize(("version", "stream"), [("2.7.18", 2), ("3.6.9", 1), ("3.10.12", 1)])
def test_a_python_too_old_is_named(folder: Path, version: str, stream: int):
    """Python 2 says its version on the error stream."""
    program(folder / "python", OLD.format(version=version, stream=stream))
    done = install(folder)
    assert done.returncode != 0
    assert done.stdout == (
        f"make: Python {version} is too old; Python 3.11 or later is needed (PYTHON=/path/to/python)\n"
    )


def test_no_python_at_all_is_said(folder: Path):
    assert "make: no no-such-python here; install Python 3.11 or later" in install(folder, "no-such-python").stdout
