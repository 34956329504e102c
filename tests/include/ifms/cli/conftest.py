"""What the tests of the commands share: the program, and the sentence that a command ends with."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ifms.cli import main

IFMS = Path(sys.executable).with_name("ifms")


@pytest.fixture
def ifms():
    """Run the installed program."""

    def run(*arguments):
        return subprocess.run([IFMS, *arguments], capture_output=True, text=True, timeout=300, check=False)

    return run


@pytest.fixture
def closed_port():
    """A port of this machine that nobody listens at."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def refused(capsys):
    """Run a command that must fail; the sentence that it ends with."""

    def run(*arguments):
        assert main(arguments) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("ifms: ")
        return said.err.removeprefix("ifms: ")

    return run
