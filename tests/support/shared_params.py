"""No test leaves a run's conf in the params that DAGs share; its own module, for `tiers` goes by what a module imports."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_conf_is_left() -> Iterator[None]:
    """Find who has left it: the next test of the process would pay those cities alone."""
    yield
    if schedules := sys.modules.get("ifms_airflow.schedules"):
        for shared in (schedules.TENANTS, schedules.BILLS, schedules.PI_NUMBERS):
            left, shared.value = shared.value, None
            assert left is None
