"""The tests of one module, collected once: a fault in a function is put into forks of that, where all is imported.

Most of what a fault costs is importing what it is in and collecting its tests. What can't be put in place (a constant,
a default, what importing has run already) is left to who imports the module anew.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import zip_longest
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

from mutants.trials import FileRead, Plugin, Tell, Trial, Verdict, forked, live_in, run_pytest


class NotInPlaceError(Exception):
    """The fault is in no function that is loaded."""


class Collected:
    """The other end of a process that has collected a module's tests."""

    def __init__(self, root: Path, kept: Mapping[str, Any]) -> None:
        self.root, self.kept = root, kept
        self.of: tuple[str, tuple[str, ...]] | None = None
        self.pid = 0
        self.pipe: Connection | None = None

    def ask(self, trial: Trial, place: Path) -> Verdict | None:
        """Try it there; None when it can't be."""
        if self.of != (trial.path, tuple(trial.files)):
            self.end()
            self._start(trial)
        assert self.pipe is not None
        try:
            self.pipe.send((trial, place))
            verdict: Verdict | None = self.pipe.recv()
        except (EOFError, OSError):
            self.end()
            return None
        return verdict

    def _start(self, trial: Trial) -> None:
        self.pipe, theirs = Pipe()
        self.of = (trial.path, tuple(trial.files))
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.pipe.close()
                _serve(self.root, trial, self.kept, theirs)
            finally:
                os._exit(1)
        theirs.close()

    def end(self) -> None:
        """Let it go."""
        if self.pipe is not None:
            self.pipe.close()
            os.waitpid(self.pid, 0)
        self.of = self.pipe = None


def _serve(root: Path, trial: Trial, kept: Mapping[str, Any], pipe: Connection) -> None:
    """Collect, then answer each trial until the other end is closed; pytest does not come back from that."""
    folder = Path(tempfile.mkdtemp(prefix="collected-"))
    folder.chmod(0o711)
    file = FileRead(root / trial.path)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        run_pytest(folder, trial.files, _Loop(kept, root / trial.path, file, pipe))


class _Loop(Plugin):
    """In the place of running all that was collected: what each trial asks for, in a fork."""

    def __init__(self, kept: Mapping[str, Any], path: Path, file: FileRead, pipe: Connection) -> None:
        super().__init__(kept, None, None)
        self.path, self.file, self.pipe = path, file, pipe
        self.functions: dict[tuple[str, int], list[FunctionType]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Until the other end is closed."""
        # Read by importing, it is kept somewhere: another text would come too late.
        usable = not session.testsfailed and not (self.file.was_read and self.path.suffix == ".sql")
        gc.unfreeze()  # what is frozen is not listed
        self.functions = functions_of(self.path)
        gc.freeze()
        with contextlib.suppress(EOFError, BrokenPipeError):
            while True:
                trial, place = self.pipe.recv()
                self.pipe.send(self._try(session, trial, place) if usable else None)
        os._exit(0)

    def _try(self, session: pytest.Session, trial: Trial, place: Path) -> Verdict | None:
        assert trial.code is not None
        changes: list[tuple[FunctionType, CodeType]] = []
        if self.path.suffix == ".py":
            try:
                changes = list(self._changes(trial.code))
            except NotInPlaceError:
                return None
        return forked(partial(self._run, session, trial, changes, place), trial.seconds)

    def _changes(self, code: str) -> Iterator[tuple[FunctionType, CodeType]]:
        own = compile(self.path.read_text(encoding="utf-8"), str(self.path), "exec", dont_inherit=True)
        for mine, wrong in changed_functions(own, compile(code, str(self.path), "exec", dont_inherit=True)):
            functions = self.functions.get((mine.co_qualname, mine.co_firstlineno))
            if not functions or mine.co_freevars != wrong.co_freevars:
                raise NotInPlaceError(mine.co_qualname)
            yield from ((function, wrong) for function in functions)

    def _run(
        self,
        session: pytest.Session,
        trial: Trial,
        changes: list[tuple[FunctionType, CodeType]],
        place: Path,
        tell: Tell,
    ) -> Verdict:
        live_in(place)
        self.tell, self.at_most = tell, trial.at_most
        self.file.text = trial.code if self.path.suffix != ".py" else None
        for function, wrong in changes:
            function.__code__ = wrong
        by_name = {item.nodeid: item for item in session.items}
        items = [by_name[test] for test in trial.tests or by_name]
        for item, following in zip_longest(items, items[1:]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        return Verdict(seconds=self.seconds)


def functions_of(path: Path) -> dict[tuple[str, int], list[FunctionType]]:
    """The functions of a file that are loaded, by their qualified names and first lines."""
    found: dict[tuple[str, int], list[FunctionType]] = {}
    for each in gc.get_objects():
        if type(each) is FunctionType and each.__code__.co_filename == str(path):
            found.setdefault((each.__code__.co_qualname, each.__code__.co_firstlineno), []).append(each)
    return found


_OF_FUNCTION = ("co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_flags", "co_exceptiontable")
_OPTIMIZED = 0x1
"""Of co_flags: a function's code, not a module's or a class's (inspect.CO_OPTIMIZED)."""


def changed_functions(own: CodeType, wrong: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """The functions of a module that are not the same in another version of it, the outermost ones.

    Raises NotInPlaceError where anything else is not the same.
    """
    if _same_by_itself(own, wrong):
        for mine, theirs in zip(_within(own), _within(wrong), strict=True):
            if mine.co_flags & _OPTIMIZED:
                if not _same(mine, theirs):
                    yield mine, theirs
            else:
                yield from changed_functions(mine, theirs)
    else:
        raise NotInPlaceError(own.co_qualname)


def _same(one: CodeType, other: CodeType) -> bool:
    return _same_by_itself(one, other) and all(map(_same, _within(one), _within(other)))


def _same_by_itself(one: CodeType, other: CodeType) -> bool:
    """But for what is in it; a change of lines is none."""
    constants = [[repr(c) for c in code.co_consts if not isinstance(c, CodeType)] for code in (one, other)]
    return (
        all(getattr(one, name) == getattr(other, name) for name in _OF_FUNCTION)
        and constants[0] == constants[1]
        and len(_within(one)) == len(_within(other))
    )


def _within(code: CodeType) -> list[CodeType]:
    return [each for each in code.co_consts if isinstance(each, CodeType)]
