"""The line that the UI's list of DAGs shows: what, and when in Indian time, where the UI itself shows UTC."""

from __future__ import annotations

import re

import pytest
from support.environment import REPO

pytestmark = pytest.mark.airflow

EVERY = re.compile(r"\*/(\d+) \* \* \* \*")
DAILY = re.compile(r"(\d+) (\d+) \* \* \*")


def when(cron: str) -> str:
    """How a description ends for this default schedule."""
    if every := EVERY.fullmatch(cron):
        return f"every {every[1]} minutes"
    daily = DAILY.fullmatch(cron)
    assert daily, cron
    return f"daily {int(daily[2]):02d}:{int(daily[1]):02d} IST"


def test_every_dag_says_in_one_line_what_it_does_and_when():
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import AssetOrTimeSchedule

    dags = DagBag(REPO / "dags").dags
    assert dags
    for dag_id, dag in dags.items():
        what, _, time = (dag.description or "").partition(": ")
        assert len(what) > 5, dag_id
        assert len(dag.description) < 100, dag_id
        clock = getattr(dag.timetable, "timetable", dag.timetable)
        cron = getattr(clock, "expression", None)
        assert time.endswith(when(cron) if cron else "by hand"), dag_id
        assert time.startswith("on ") is isinstance(dag.timetable, AssetOrTimeSchedule), dag_id
