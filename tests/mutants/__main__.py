"""`make mutants`: which planted faults the tests let pass.

What is known already is kept in .mutants, a file for each module: a run that was ended goes on where it stopped. What
came of a module whose faults were all tried is noted in tests/mutants/tried.toml.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult
from rich.console import Console

from mutants import tried
from mutants.host import serve
from mutants.planting import Fault, lines_for, plant
from mutants.trials import Trial, Verdict
from mutants.tried import WORDS, Tried

REPO = Path(__file__).parents[2]
HERE = Path(__file__).parent
KEPT = REPO / ".mutants"
TRIED = HERE / "tried.toml"
BASELINE_SECONDS = 1200
IMPORT_SECONDS = 120
console = Console(highlight=False, markup=False, soft_wrap=True)
TIMEOUT, UNTESTED = "timeout", "no test runs it"


class Host:
    """The other end of a process that tries faults."""

    def __init__(self, root: Path = REPO) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(root, theirs))
        self.process.start()
        theirs.close()

    def ask(self, trial: Trial) -> Verdict:
        """Try it."""
        self.pipe.send(trial)
        verdict: Verdict = self.pipe.recv()
        return verdict

    def end(self) -> None:
        """Let it put away what it has, and go."""
        self.pipe.close()
        self.process.join(60)


@contextmanager
def hosts(number: int) -> Iterator[list[Host]]:
    """So many of them, side by side."""
    started = [Host() for _ in range(number)]
    try:
        yield started
    finally:
        for host in started:
            host.end()


class Selection:
    """Which tests look at a fault, and in which order."""

    def __init__(self, baseline: Verdict, own: str, caught: Iterable[tuple[str, int]] = ()) -> None:
        self.baseline, self.own = baseline, f"{own}::"
        self.kills = Counter(caught)

    def in_place(self, source: str, fault: Fault) -> bool:
        """Whether nothing of its statement is run before the first test is."""
        at_import = self.baseline.lines.get("", frozenset())
        return fault.path.endswith(".sql") or not lines_for(source, fault.line) & at_import

    def tests(self, source: str, fault: Fault) -> list[str]:
        """Those that run its statement, or all where importing the module does.

        Who has caught one nearby comes first, then the module's own. Of a file of SQL nobody knows which lines a test
        runs: all.
        """
        if fault.path.endswith(".sql"):
            chosen = list(self.baseline.seconds)
        else:
            chosen = self._running(lines_for(source, fault.line))
        return sorted(
            chosen,
            key=lambda test: (
                -self._caught_near(test, fault.line),
                not test.startswith(self.own),
                self.baseline.seconds[test],
            ),
        )

    def _running(self, lines: set[int]) -> list[str]:
        by_test, tests = self.baseline.lines, list(self.baseline.seconds)
        if lines & by_test.get("", frozenset()):
            return tests
        return [test for test in tests if lines & by_test.get(test, frozenset())]

    def _caught_near(self, test: str, line: int) -> float:
        return sum(n / (1 + abs(line - at)) for (each, at), n in self.kills.items() if each == test)


def main() -> int:
    """Plant, try, count. Exit code 1 when a fault survived that no reason is known for, or a reason has lost its fault."""
    modules: dict[str, list[str]] = tomllib.loads((HERE / "modules.toml").read_text())["modules"]
    explained: list[dict[str, str]] = tomllib.loads((HERE / "equivalent.toml").read_text()).get("equivalent", [])
    known = {each["key"]: each["why"] for each in explained}
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", help="part of a module's path; all when none is named")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="how many faults at a time")
    parser.add_argument("--again", action="store_true", help="try those once more that survived before")
    parser.add_argument("--changed", action="store_true", help="only modules that have changed since they were tried")
    asked = parser.parse_args()
    chosen = {
        path: tests for path, tests in modules.items() if not asked.modules or any(m in path for m in asked.modules)
    }
    if not chosen:
        parser.error(f"no module is named like {' or '.join(asked.modules)}; there are {', '.join(modules)}")
    if asked.changed:
        chosen = {path: chosen[path] for path in tried.changed(TRIED, REPO, chosen)}
    KEPT.mkdir(exist_ok=True)
    total: Counter[str] = Counter()
    stale = [each for each in explained if each["path"] not in modules]
    with hosts(asked.jobs) as working:
        for path, tests in chosen.items():
            began = time.monotonic()
            source = (REPO / path).read_text(encoding="utf-8")
            faults = plant(REPO, path)
            stale += without_a_fault(explained, path, faults)
            name = f"{path.removeprefix('include/ifms/').removesuffix('.py').replace('/', '.')}"
            version = tried.version_of(source)
            with use_db(str(KEPT / f"{name}.{version}.sqlite")) as session:
                there = {item.job_id for item in session.work_items}
                session.add_work_items(fault.item for fault in faults if fault.key not in there)
                _work(working, session, faults, tests, source, known, again=asked.again)
                counted = _report(name, session, faults, known, time.monotonic() - began)
            total += counted
            if not counted["not tried"]:
                tried.note(TRIED, path, Tried(version, counted))
    console.print(f"all: {_counted(total)}")
    console.print(f"on record in {TRIED.relative_to(REPO)}: {_counted(tried.total(TRIED, modules))}")
    if since := tried.changed(TRIED, REPO, modules):
        console.print(f"  not tried since they were changed: {', '.join(since)}")
    for each in stale:
        console.print(
            f"equivalent.toml: {each['key']} ({each['what']}) is no fault of {each['path']} any more:"
            " find what has become of it, or take it out"
        )
    return 1 if total["survived"] or stale else 0


def without_a_fault(explained: Sequence[Mapping[str, str]], path: str, faults: Sequence[Fault]) -> list[dict[str, str]]:
    """The explanations that are about a module, and about none of the faults that are planted there."""
    keys = {fault.key for fault in faults}
    return [dict(each) for each in explained if each["path"] == path and each["key"] not in keys]


def _work(
    working: Sequence[Host],
    session: WorkDB,
    faults: Sequence[Fault],
    files: Sequence[str],
    source: str,
    known: Mapping[str, str],
    *,
    again: bool,
) -> None:
    results = {item.job_id: result for item, result in session.completed_work_items}
    pending = [f for f in faults if f.key not in known and _is_open(results.get(f.key), again=again)]
    if not pending:
        return
    path = faults[0].path
    baseline = working[0].ask(Trial(path, None, files, None, BASELINE_SECONDS))
    if baseline.failed or baseline.timed_out:
        raise SystemExit(f"{path}: without any fault, {baseline.failed or 'the tests'} fails: {baseline.said}")
    lines = {fault.key: fault.line for fault in faults}
    caught = [(result.output, lines[key]) for key, result in results.items() if key in lines]
    selection = Selection(baseline, files[0], caught)
    waiting: SimpleQueue[Fault] = SimpleQueue()
    for fault in pending:
        waiting.put(fault)
    lock = threading.Lock()

    def work(host: Host) -> None:
        while not waiting.empty():
            with lock:
                try:
                    fault = waiting.get_nowait()
                except Empty:
                    break
                tests = selection.tests(source, fault)
                in_place = selection.in_place(source, fault)
            verdict = Verdict(said=UNTESTED)
            if tests:
                # No bound for all of them but what each may take: what they let pass they must have looked at.
                at_most = {test: 10 + 4 * baseline.seconds[test] for test in tests}
                seconds = IMPORT_SECONDS + sum(at_most.values())
                verdict = host.ask(Trial(path, fault.code, files, tests, seconds, at_most, in_place))
            with lock:
                if verdict.failed is not None and verdict.failed in baseline.seconds:
                    selection.kills[verdict.failed, fault.line] += 1
                session.set_result(fault.key, _result(fault, verdict))
                if console.is_terminal:
                    console.print(f"{path}: {waiting.qsize()} to go ", end="\r")
        # Whatever failed, failed because of a fault only if the host is still able to see none.
        sound = list(baseline.seconds)[:1]
        verdict = host.ask(Trial(path, source, files, sound, BASELINE_SECONDS))
        if verdict.failed or verdict.timed_out:
            raise SystemExit(f"{path}: by now {verdict.failed or sound[0]} fails without a fault, too: {verdict.said}")

    with ThreadPoolExecutor(len(working)) as pool:
        try:
            list(pool.map(work, working))
        finally:
            while not waiting.empty():  # Ctrl-C, or a host is gone: the others end with what they have in hand
                waiting.get_nowait()


def _is_open(result: WorkResult | None, *, again: bool) -> bool:
    return result is None or (again and (result.test_outcome is TestOutcome.SURVIVED or result.output == TIMEOUT))


def _result(fault: Fault, verdict: Verdict) -> WorkResult:
    if verdict.timed_out:
        return WorkResult(WorkerOutcome.NORMAL, TIMEOUT, TestOutcome.KILLED, fault.diff)
    outcome = TestOutcome.KILLED if verdict.failed else TestOutcome.SURVIVED
    return WorkResult(WorkerOutcome.NORMAL, verdict.failed or verdict.said, outcome, fault.diff)


def _report(
    name: str, session: WorkDB, faults: Sequence[Fault], known: Mapping[str, str], seconds: float
) -> Counter[str]:
    results = {item.job_id: result for item, result in session.completed_work_items}
    counted: Counter[str] = Counter()
    survivors = []
    for fault in faults:
        result = results.get(fault.key)
        if fault.key in known:
            counted["equivalent"] += 1
        elif result is None:
            counted["not tried"] += 1
        elif result.test_outcome is TestOutcome.SURVIVED:
            counted["survived"] += 1
            survivors.append((fault, result.output))
        else:
            counted["timeout" if result.output == TIMEOUT else "killed"] += 1
    console.print(f"{name}: {_counted(counted)} in {seconds:.0f} s")
    for fault, said in survivors:
        console.print(f"  {fault.key} {fault.path}:{fault.line}{f' ({said})' if said else ''}")
        console.print("\n".join(f"    {line}" for line in fault.diff.splitlines()))
    return counted


def _counted(counted: Counter[str]) -> str:
    of_each = [f"{counted[each]} {each}" for each in (*WORDS, "not tried") if counted[each]]
    return f"{counted.total()} planted, {', '.join(of_each) or 'none tried'}"


if __name__ == "__main__":
    sys.exit(main())
