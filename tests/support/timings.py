"""How long the tests of each module take, and the order that comes of it: the longest first, spread over the processes.

`--renew-timings` writes what this run took into timings.json. A module that takes less than a second is not in it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling

FILE = Path(__file__).parents[1] / "timings.json"
WHOLE_SECONDS = 20.0
"""A module that takes longer is not kept together: its tests are spread by themselves."""

_taken: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer to renew the file."""
    parser.addoption("--renew-timings", action="store_true", help=f"write what the modules took into {FILE.name}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count what a test took, with its fixtures."""
    _taken[module_of(report.nodeid)] += report.duration


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Renew the file, in the process that knows of all tests."""
    if session.config.getoption("--renew-timings") and not hasattr(session.config, "workerinput"):
        known = {name: seconds for name, seconds in read().items() if (FILE.parent / name).is_file()}
        FILE.write_text(json.dumps(renewed(known, _taken), indent=0, sort_keys=True) + "\n")


def renewed(before: Mapping[str, float], taken: Mapping[str, float]) -> dict[str, float]:
    """What was known, with what these modules took now."""
    now = {name: round(seconds, 1) for name, seconds in {**before, **taken}.items()}
    return {name: seconds for name, seconds in now.items() if seconds >= 1}


@cache
def read() -> dict[str, float]:
    """The seconds of each module that takes one or more."""
    return json.loads(FILE.read_text()) if FILE.exists() else {}


@pytest.hookimpl(trylast=True)  # when the groups are there
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put what takes longest first, where xdist spreads it."""
    if hasattr(config, "workerinput"):
        places = longest_first([item.nodeid for item in items], read())
        items.sort(key=lambda item: places[unit(item.nodeid, read())])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give xdist's processes a module at a time."""
    return ByModule(config, log) if config.getoption("dist") == "loadgroup" else None


class ByModule(LoadGroupScheduling):
    """A group, a module, or one test of a long module at a time."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid, read())


def unit(nodeid: str, seconds: Mapping[str, float]) -> str:
    """What a test is run together with."""
    _, at, group = nodeid.rpartition("@")
    if at and "]" not in group and "/" not in group:
        return group
    module = module_of(nodeid)
    return nodeid if seconds.get(module, 0) > WHOLE_SECONDS else module


def longest_first(ids: Sequence[str], seconds: Mapping[str, float]) -> dict[str, int]:
    """The place of each unit of these tests, of which a module's time is shared evenly by its tests."""
    tests = Counter(map(module_of, ids))
    takes: Counter[str] = Counter()
    for nodeid in ids:
        module = module_of(nodeid)
        takes[unit(nodeid, seconds)] += seconds.get(module, 0.5) / tests[module]
    return {name: place for place, name in enumerate(sorted(takes, key=lambda name: (-takes[name], name)))}


def module_of(nodeid: str) -> str:
    """The path of a test's module, below the folder of all tests."""
    return nodeid.split("::", maxsplit=1)[0].removeprefix("tests/")
