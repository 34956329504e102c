"""The session's ground: Airflow's environment, set before anything imports it, and the fixtures of `support`."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest
from _pytest.nodeid import coerce_node_id

sys.path.insert(0, str(Path(__file__).parent))  # tests import their helpers as `support.…`

from support import environment, guard

pytest_plugins = [
    "support.tiers",
    "support.timings",
    "support.figures",
    "support.databases",
    "support.dags",
    "support.shared_params",
    "support.simulators",
    "support.past",
    "support.adapter",
    "support.uncertain",
    "support.ledger",
    "support.reported",
    "support.operators",
    "support.search_engine",
    "support.broker",
    "support.api",
    "support.every_page",
]

guard.start()
_environment = environment.prepare()


@pytest.fixture(scope="session")
def process_environment() -> environment.Environment:
    """What this test process set up for Airflow."""
    return _environment


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of the fixture `simulators`."""
    config.addinivalue_line("markers", "simulators(treasury, platform): options of their create_app, as dicts")


@pytest.hookimpl(optionalhook=True)  # where planted faults are tried, xdist is left out
def pytest_xdist_auto_num_workers() -> int:
    """Two processes more than processors: a third of a test's time it waits for PostgreSQL, a simulator or a disk."""
    return len(os.sched_getaffinity(0)) + 2


def pytest_collection_finish() -> None:
    """Keep what was collected, which stays to the end, out of each search for garbage: a tenth of a run's CPU."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)  # before xdist looks at the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what its fixtures say, and keep together what shares what is slow to make."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "postgres" in fixtures:
            item.add_marker(pytest.mark.postgres)
        if "airflow_db" in fixtures:
            item.add_marker(pytest.mark.airflow)
        for shared in ("elasticsearch", "elasticsearch_8", "kafka", "reported"):
            if shared in fixtures:
                item.add_marker(pytest.mark.xdist_group(shared))
        if "PYTEST_XDIST_WORKER" in os.environ:
            _keep_together(item)


def _keep_together(item: pytest.Item) -> None:
    """Give an item to the one of xdist's processes that has its group.

    xdist 3.8 writes the group into an attribute that pytest 9.2 no longer reads, so its mark alone does nothing.
    """
    groups = sorted({mark.args[0] for mark in item.iter_markers("xdist_group")})
    if groups:
        item._id = coerce_node_id(f"{item.nodeid}@{'_'.join(groups)}")


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    _environment.remove()
