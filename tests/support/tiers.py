"""Which of three tiers a test is in, by what it needs; `--tier` runs some of them.

`check` needs no server, no process and no Airflow; `prove` needs what takes long; `test` is the rest. Nothing is listed
test by test: the folder, the fixtures, the imports and the timeout say it. A test may ask for a higher tier by
`@pytest.mark.tier("prove")`. One in `check` that starts something nevertheless fails.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from inspect import getsourcefile, unwrap
from pathlib import Path
from typing import Any

import pytest

CHECK, TEST, PROVE = "check", "test", "prove"
TIERS = (CHECK, TEST, PROVE)
"""From the quickest to the longest."""

TESTS = Path(__file__).parents[1]
FOLDERS = {
    "bench": CHECK,
    "conformance": CHECK,
    "containers": TEST,
    "faults": CHECK,
    "include": CHECK,
    "include/examples": TEST,
    "include/ifms_standalone": PROVE,  # servers of its own are started, and their ports taken
    "mutants": CHECK,
    "support": CHECK,
    "dags": TEST,  # Airflow takes seconds to import
    "plugins": TEST,
    "deploy": PROVE,  # what is deployed is started
    "e2e": PROVE,
}
"""The tier that a test of a folder is in at least; the innermost counts. A folder that is not here is refused."""
LONG_FIXTURES = {
    "_broker",
    "_node",
    "kafka",
    "elasticsearch",
    "elasticsearch_8",
    "chromium",
    "java_world",
    "reported",
    "standalone",
    "run_dag",
    "run_backfill",
    "run_example",
}
"""Kafka, Elasticsearch, a browser, a Java adapter's rows, what reports show, an Airflow with its processes, DAG runs."""
SERVER_FIXTURES = {"postgres", "simulators", "pytester"}
STARTERS = (
    "airflow",
    "subprocess",
    "multiprocessing",
    "ifms_standalone.postgres",
    "ifms_standalone.processes",
    "ifms_simulator.serve",
)
"""A module that imports one of these, itself or by a helper of the tests, starts Airflow, processes or servers."""
_STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "pty.spawn"}

_TIER = pytest.StashKey[str]()
_running: list[str] = []
"""The test of `check` that runs now."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the choice."""
    parser.addoption(
        "--tier", metavar="TIER[,TIER]", default=",".join(TIERS), help=f"only tests of these tiers: {', '.join(TIERS)}"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a tier that is none; register the marker; watch what tests of `check` do."""
    config.addinivalue_line("markers", "tier(name): the tier of a test whose needs alone would put it in a lower one")
    if unknown := chosen(config) - set(TIERS):
        raise pytest.UsageError(f"--tier: {', '.join(sorted(unknown))} is none of {', '.join(TIERS)}")
    sys.addaudithook(_refuse)


def chosen(config: pytest.Config) -> set[str]:
    """The tiers that this run is for."""
    return set(config.getoption("--tier").split(","))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Don't import modules that have nothing for the quick tier."""
    if chosen(config) != {CHECK} or not collection_path.is_relative_to(TESTS):
        return None
    if collection_path.suffix == ".py" and (of_folder(collection_path) in (TEST, PROVE) or starts(collection_path)):
        return True
    return None


@pytest.hookimpl(trylast=True)  # when all marks are there
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of the chosen tiers; one that is in none ends the run."""
    wanted = chosen(config)
    places = [tier(item) for item in items]
    for item, place in zip(items, places, strict=True):
        item.stash[_TIER] = place
    if dropped := [item for item, place in zip(items, places, strict=True) if place not in wanted]:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item, place in zip(items, places, strict=True) if place in wanted]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    """Let a test of `check` start nothing."""
    if item.stash.get(_TIER, None) == CHECK:
        _running.append(item.nodeid)
    try:
        return (yield)
    finally:
        _running.clear()


def _refuse(event: str, _: tuple[Any, ...]) -> None:
    if _running and event in _STARTS:
        raise AssertionError(
            f"{_running[0]} is in the tier 'check' and starts a process ({event}): mark it with "
            f"@pytest.mark.tier({TEST!r}), or add to STARTERS in {Path(__file__).name} what it imports"
        )


def tier(item: pytest.Item) -> str:
    """The one tier of a test; raises pytest.UsageError where there is none for it."""
    if (least := of_folder(item.path)) is None:
        raise pytest.UsageError(f"{item.nodeid}: its folder is in no tier; add it to FOLDERS in {Path(__file__).name}")
    needs = [least]
    for mark in item.iter_markers("tier"):
        if mark.args[0] not in TIERS:
            raise pytest.UsageError(f"{item.nodeid}: tier {mark.args[0]!r} is none of {', '.join(TIERS)}")
        needs.append(mark.args[0])
    fixtures = set(getattr(item, "fixturenames", ()))
    if LONG_FIXTURES & fixtures or _asks_for_long(item):
        needs.append(PROVE)
    elif SERVER_FIXTURES & fixtures or _starts(item):
        needs.append(TEST)
    return max(needs, key=TIERS.index)


def of_folder(path: Path) -> str | None:
    """The lowest tier of the tests of a module at this place; None where nobody has said."""
    if not path.is_relative_to(TESTS):
        return TEST  # a sample that a test of ours runs
    below = path.parent.relative_to(TESTS)
    if below == Path():
        return CHECK
    return next((FOLDERS[str(each)] for each in (below, *below.parents) if str(each) in FOLDERS), None)


def _asks_for_long(item: pytest.Item) -> bool:
    """Whether it says itself that the time of other tests may not be enough."""
    limit = item.get_closest_marker("timeout")
    return limit is not None and limit.args[0] > float(item.config.getini("timeout"))


def _starts(item: pytest.Item) -> bool:
    """Whether its module, or the module of a fixture of its, can start something."""
    info = getattr(item, "_fixtureinfo", None)
    made = [each for known in info.name2fixturedefs.values() for each in known] if info is not None else []
    places = {item.path, *(_source(each.func) for each in made)}
    return any(starts(place) for place in places if place.is_relative_to(TESTS))


@cache
def _source(function: Any) -> Path:
    return Path(getsourcefile(unwrap(function)) or "")


@cache
def starts(module: Path) -> bool:
    """Whether the module of this file, or a helper that it imports, imports what starts something."""
    seen, waiting = set(), [module]
    while waiting:
        if (file := waiting.pop()) in seen:
            continue
        seen.add(file)
        for name in _imports(file):
            if any(name == each or name.startswith(f"{each}.") for each in STARTERS):
                return True
            below = f"{name.replace('.', '/')}.py"
            waiting += [place for root in (TESTS, TESTS.parent) if (place := root / below).is_file()]
    return False


@cache
def _imports(file: Path) -> frozenset[str]:
    """What a file imports when it runs, also inside of functions: `from a import b` is both a and a.b."""
    names: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(file.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
        waiting += ast.iter_child_nodes(node)
    return frozenset(names)
