"""What AnnounceSettledDaysOperator refuses before it looks at anything; tests/dags/test_ifms_settled.py runs it."""

from types import SimpleNamespace
from typing import Any

import pytest

from ifms.errors import BadInputError

pytestmark = pytest.mark.airflow


def execute(day: Any, **run: Any) -> None:
    from ifms_airflow.operators import AnnounceSettledDaysOperator

    told = {"data_interval_start": None, "data_interval_end": None} | run
    AnnounceSettledDaysOperator(task_id="announce", day=day).execute({"dag_run": SimpleNamespace(**told)})


@pytest.mark.parametrize("day", ["yesterday", "23-11-2026", "2026-02-29", 20261123, ["2026-11-23"]])
def test_what_is_no_day_is_named_so(day: Any) -> None:
    with pytest.raises(BadInputError, match="day must be a date like 2026-11-23"):
        execute(day)


def test_a_run_without_an_interval_must_be_told_the_day() -> None:
    with pytest.raises(BadInputError, match="no data interval: name the day"):
        execute("")
