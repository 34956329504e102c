"""One process that keeps what all tests need, and forks for each planted fault: it costs its tests and little else.

The module with the fault in it never reaches the disk: the fork imports it from the text that it is given.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import psycopg
import pytest
from psycopg import sql

from ifms_standalone.postgres import Server, throwaway
from mutants.collected import Collected
from mutants.trials import FileRead, Plugin, Tell, Trial, Verdict, forked, live_in, run_pytest

ROOM = 2 * 1024**3
"""Bytes that must be free in memory's own file system for PostgreSQL to live there, where a copy costs 20 ms."""


def serve(root: Path, pipe: Connection) -> None:
    """Answer each Trial with its Verdict until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asks; this ends with the pipe
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM:
        os.environ["TMPDIR"] = str(memory)
    os.chdir(root)
    folder = Path(tempfile.mkdtemp(prefix="ifms-mutants-"))
    folder.chmod(0o711)
    tempfile.tempdir = str(folder)
    try:
        with throwaway() as server:
            kept = {"postgres": server, "ledger_template": "ledger_template"}
            forked(partial(_make_template, server), 120)
            _warm_up()
            collected = Collected(root, kept)
            with contextlib.suppress(EOFError, BrokenPipeError):
                while True:
                    trial = pipe.recv()
                    place = Path(tempfile.mkdtemp(prefix="trial-"))
                    place.chmod(0o711)
                    verdict = collected.ask(trial, place) if trial.in_place else None
                    if verdict is None:
                        verdict = forked(partial(_try, root, trial, kept, place), trial.seconds)
                    shutil.rmtree(place, ignore_errors=True)
                    _drop_databases(server.dsn())
                    _preload(verdict.modules)
                    pipe.send(verdict)
            collected.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_template(server: Server, _tell: Tell) -> Verdict:
    from support.databases import make_template

    make_template(server, "ledger_template")
    return Verdict()


def _warm_up() -> None:
    """What support.simulators makes once a process: here, once for all forks."""
    from support import simulators

    from ifms.clock import now, to_ist

    simulators._treasury_state()
    for options in ("{}", '{"bills_per_city": 1, "cities": 1}', '{"cities": 1}'):
        simulators._platform_state(options, to_ist(now()).date())


def _preload(modules: Sequence[str]) -> None:
    """Import what a trial has imported and the project does not have: nothing that can hold a fault, or knows what can."""
    for name in modules:
        if not name.startswith("airflow") and name not in sys.modules:
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def _drop_databases(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        left = connection.execute(
            "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname NOT IN ('postgres', 'ledger_template')"
        ).fetchall()
        for (name,) in left:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


class _Planted(importlib.machinery.SourceFileLoader, importlib.abc.MetaPathFinder):  # type: ignore[misc]  # as typeshed has them
    """Gives one module another code than its file has."""

    def __init__(self, name: str, path: Path, code: str) -> None:
        super().__init__(name, str(path))
        self.text = code

    def find_spec(self, name: str, _path: Any = None, _target: ModuleType | None = None) -> Any:
        """It finds that module only."""
        return importlib.util.spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, _fullname: str) -> CodeType:
        """Compiled from the text; no bytecode is read or kept."""
        return compile(self.text, self.path, "exec", dont_inherit=True)


def _try(root: Path, trial: Trial, kept: Mapping[str, Any], folder: Path, tell: Tell) -> Verdict:
    live_in(folder)
    name = trial.path.removeprefix("include/").removesuffix(".py").replace("/", ".")
    if name in sys.modules:
        raise RuntimeError(f"{name} is imported before its fault could be planted: every fault would seem to survive")
    if trial.code is not None and trial.path.endswith(".sql"):
        FileRead(root / trial.path).text = trial.code
    elif trial.code is not None:
        sys.meta_path.insert(0, _Planted(name, root / trial.path, trial.code))
    watched = _Watched(root / trial.path) if trial.code is None else None
    plugin = Plugin(kept, trial.tests, tell)
    plugin.at_most = trial.at_most
    files = [file for file in trial.files if trial.tests is None or any(t.startswith(f"{file}::") for t in trial.tests)]
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = run_pytest(folder, files, plugin, *([watched] if watched else []))
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        return Verdict(failed="(none)", said=out.getvalue()[-2000:])
    lines = watched.by_test() if watched else {}
    return Verdict(seconds=plugin.seconds, lines=lines, modules=_installed(root) if watched else ())


def _installed(root: Path) -> tuple[str, ...]:
    """The modules here that are none of the project's own."""
    own, environment = str(root.resolve()), str(Path(sys.prefix))

    def is_own(module: ModuleType) -> bool:
        file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), "")
        return file.startswith(own) and not file.startswith(environment)

    return tuple(name for name, module in list(sys.modules.items()) if not is_own(module))


class _Watched:
    """Which lines of a module each test runs; under the empty name those that importing it does.

    What tests share is made in the first of them that has it, and run by all of them.
    """

    def __init__(self, path: Path) -> None:
        import coverage

        self.path = str(path)
        self.coverage = coverage.Coverage(data_file=None, include=[self.path], context="")
        self.coverage.start()
        self.now = ""
        self.users: dict[str, set[str]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
        """What is run from now on, this test runs."""
        for fixtures in item._fixtureinfo.name2fixturedefs.values():
            for fixture in fixtures:
                self.users.setdefault(_name_of(fixture), set()).add(item.nodeid)
        self._switch(item.nodeid)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """What it runs, each test runs that has it."""
        test = self.now
        if fixturedef.scope != "function":
            self._switch(_name_of(fixturedef))
        result = yield
        self._switch(test)
        return result

    def _switch(self, context: str) -> None:
        self.now = context
        self.coverage.switch_context(context)

    def by_test(self) -> dict[str, frozenset[int]]:
        """The lines by test."""
        self.coverage.stop()
        found: dict[str, set[int]] = {}
        for line, contexts in self.coverage.get_data().contexts_by_lineno(self.path).items():
            for context in contexts:
                for test in self.users.get(context, {context}):
                    found.setdefault(test, set()).add(line)
        return {test: frozenset(lines) for test, lines in found.items()}


def _name_of(fixture: Any) -> str:
    return f"{fixture.baseid}::{fixture.argname} (fixture)"
