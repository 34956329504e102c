"""The session's ground: Airflow's environment, set before anything imports it, and the fixtures of `support`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests import their helpers as `support.…`

from support import environment

pytest_plugins = [
    "support.figures",
    "support.databases",
    "support.dags",
    "support.simulators",
    "support.adapter",
    "support.ledger",
    "support.world",
    "support.operators",
]

_environment = environment.prepare()


@pytest.fixture(scope="session")
def process_environment() -> environment.Environment:
    """What this test process set up for Airflow."""
    return _environment


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of the fixture `simulators`."""
    config.addinivalue_line("markers", "simulators(treasury, platform): options of their create_app, as dicts")


@pytest.hookimpl(tryfirst=True)  # before xdist looks at the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what its fixtures say, and keep Airflow's tests together: they share one metadata database."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "postgres" in fixtures:
            item.add_marker(pytest.mark.postgres)
        if "airflow_db" in fixtures:
            item.add_marker(pytest.mark.airflow)
        if item.get_closest_marker("airflow"):
            item.add_marker(pytest.mark.xdist_group("airflow"))


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    _environment.remove()
