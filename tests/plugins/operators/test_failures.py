"""ifms_fd's operator: which days a run asks for, and how it ends when the treasury is away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import time_machine

from ifms.errors import BadInputError

pytestmark = pytest.mark.airflow

NOW = datetime(2027, 3, 31, 18, 31, tzinfo=UTC)


def period(start, end):
    from ifms_airflow.operators import FetchFailuresOperator

    run = SimpleNamespace(data_interval_start=start, data_interval_end=end)
    return FetchFailuresOperator(task_id="fetch_failures").period({"dag_run": run})


@pytest.mark.parametrize("days", [3, 7, 366])
def test_a_run_asks_for_its_data_interval(days):
    assert period(NOW - timedelta(days=days), NOW) == (NOW - timedelta(days=days), NOW)


@pytest.mark.parametrize(("start", "end"), [(None, None), (None, NOW), (NOW, None)])
def test_a_run_without_one_asks_for_the_last_72_hours(start, end):
    with time_machine.travel(NOW, tick=False):
        assert period(start, end) == (NOW - timedelta(hours=72), NOW)


def test_ten_years_are_refused():
    with pytest.raises(BadInputError, match="longer than 366 days"):
        period(NOW - timedelta(days=3653), NOW)


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_treasury_that_is_away_is_worth_a_retry(run_dag, airflow_connections, treasury, sweeps, without_retries):
    treasury.rule("FD", "refuse", mode="close")
    run = run_dag("ifms_fd")
    assert run.state == "failed"
    [row] = sweeps(run)
    assert row["message"].startswith("SweepUnreachableError: ")
    treasury.clear()
    assert run_dag("ifms_fd").state == "success"


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_it_needs_no_platform(run_dag, airflow_connections, sweeps, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_IFMS_PLATFORM")
    run = run_dag("ifms_fd")
    assert run.state == "success"
    assert [row["counts"]["done"] for row in sweeps(run)] == [4]
