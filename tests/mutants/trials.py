"""One fault and the tests that look at it: run in a fork, which ends with all that they have started."""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest


@dataclass(frozen=True)
class Trial:
    """A module, or a file of SQL, as it is to be read, and the tests that look at it, the likeliest to fail first."""

    path: str
    code: str | None
    files: Sequence[str]
    """All that look at the module."""
    tests: Sequence[str] | None
    seconds: float
    at_most: Mapping[str, float] = field(default_factory=dict)
    """How long one of the tests may take, in seconds: where a fault lets it go on for ever, the others need not be waited for."""
    in_place: bool = False
    """Nothing of the fault is run by importing the module, or anything that imports it."""


@dataclass(frozen=True)
class Verdict:
    """What came of it: `failed` names the first test that did."""

    failed: str | None = None
    timed_out: bool = False
    said: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    lines: Mapping[str, frozenset[int]] = field(default_factory=dict)
    modules: tuple[str, ...] = ()


Tell = Callable[[Verdict], NoReturn]


def forked(work: Callable[[Tell], Verdict], seconds: float) -> Verdict:
    """What `work` comes to in a fork that ends with all its children, at the latest after so many seconds."""
    mine, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(mine)
        os.setsid()

        def tell(verdict: Verdict) -> NoReturn:
            with os.fdopen(theirs, "wb") as out:
                pickle.dump(verdict, out)
            os._exit(0)

        try:
            tell(work(tell))
        except BaseException as error:
            tell(Verdict(failed="(none)", said=f"{type(error).__name__}: {error}"))
    os.close(theirs)
    told, ended = b"", False
    deadline = time.monotonic() + seconds
    with os.fdopen(mine, "rb", buffering=0) as answer:
        while not ended and select.select([answer], [], [], max(0.0, deadline - time.monotonic()))[0]:
            block = answer.read(1 << 16)
            told += block
            ended = not block
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    if not ended:
        return Verdict(timed_out=True)
    return pickle.loads(told) if told else Verdict(failed="(none)", said="the process of the tests died")


def live_in(folder: Path) -> None:
    """What this process, and all that it starts, makes of files for a while is made there."""
    tempfile.tempdir = str(folder)
    os.environ["TMPDIR"] = str(folder)


class FileRead:
    """What is read of one file in this process from now on: `text`, where one is given."""

    def __init__(self, file: Path) -> None:
        self.text: str | None = None
        self.was_read = False
        own, read_text, read_bytes = file.resolve(), Path.read_text, Path.read_bytes

        def given(path: Path) -> str | None:
            if path.resolve() != own:
                return None
            self.was_read = True
            return self.text

        def text_of(path: Path, *args: Any, **kwargs: Any) -> str:
            text = given(path)
            return read_text(path, *args, **kwargs) if text is None else text

        def bytes_of(path: Path) -> bytes:
            text = given(path)
            return read_bytes(path) if text is None else text.encode()

        Path.read_text, Path.read_bytes = text_of, bytes_of  # type: ignore[method-assign]


class Plugin:
    """Hands out what is kept, orders the tests, and tells of the first that fails."""

    def __init__(self, kept: Mapping[str, Any], tests: Sequence[str] | None, tell: Tell | None) -> None:
        self.kept, self.tell = kept, tell
        self.place = None if tests is None else {test: n for n, test in enumerate(tests)}
        self.seconds: dict[str, float] = {}
        self.at_most: Mapping[str, float] = {}

    def pytest_configure(self, config: pytest.Config) -> None:
        """xdist is left out here, and with it what registers its marker."""
        config.addinivalue_line("markers", "xdist_group(name): what one of its processes does")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Those that were asked for, in that order."""
        if self.place is not None:
            place = self.place
            items[:] = sorted((item for item in items if item.nodeid in place), key=lambda item: place[item.nodeid])

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Any:
        """The server and the migrated ledger are there already."""
        if fixturedef.argname not in self.kept:
            return None
        value = self.kept[fixturedef.argname]
        fixturedef.cached_result = (value, fixturedef.cache_key(request), None)
        return value

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """How long a test takes; one that takes longer than it may is the last."""
        began = time.monotonic()
        end = threading.Timer(self.at_most.get(item.nodeid, threading.TIMEOUT_MAX), self._too_long)
        end.daemon = True
        end.start()
        result = yield
        end.cancel()
        self.seconds[item.nodeid] = time.monotonic() - began
        return result

    def _too_long(self) -> None:
        if self.tell:
            self.tell(Verdict(timed_out=True))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that can't be imported has failed, too."""
        if report.failed and self.tell:
            self.tell(Verdict(failed=report.nodeid or "(none)", said=str(report.longrepr)[-2000:]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The first failure is enough: nothing is put away, the fork's databases go with it."""
        if report.failed and self.tell:
            self.tell(Verdict(failed=report.nodeid, said=str(report.longrepr)[-2000:]))


def run_pytest(folder: Path, files: Sequence[str], *plugins: object) -> int:
    """The tests of these files, whose own files are made in that folder; its exit code."""
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--basetemp={folder / 'pytest'}"]
    return pytest.main([*options, *files], plugins=list(plugins))
