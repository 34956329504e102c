"""ifms_fd's operator: which days a run asks for, and how it ends when the treasury is away."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
import time_machine

from ifms.errors import BadInputError

pytestmark = pytest.mark.airflow

NOW = datetime(2027, 3, 31, 18, 31, tzinfo=UTC)  # 1 April in Odisha
DAY = timedelta(days=1)


def period(kind, end=NOW, length=DAY, **form):
    from ifms_airflow.operators import FetchFailuresOperator

    start = None if end is None else end - length
    run = SimpleNamespace(run_type=kind, data_interval_start=start, data_interval_end=end)
    with time_machine.travel(NOW, tick=False):
        return FetchFailuresOperator(task_id="fetch_failures", **form).period({"dag_run": run})


def dates(first, last):
    first, last = date.fromisoformat(first), date.fromisoformat(last)
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


@pytest.mark.parametrize("kind", ["scheduled", "manual", "asset_triggered"])
@pytest.mark.parametrize("end", [NOW, NOW - DAY + timedelta(seconds=1), None])
def test_a_run_asks_for_what_may_still_come_back(kind, end):
    assert period(kind, end) is None


def test_a_run_that_is_made_up_for_asks_for_every_date_of_its_interval():
    """The next one was due before it ran, and asks for the window."""
    assert period("scheduled", NOW - DAY) == dates("2027-03-30", "2027-03-31")
    assert period("scheduled", NOW - 40 * DAY) == dates("2027-02-19", "2027-02-20")
    assert period("manual", NOW - 40 * DAY) is None


@pytest.mark.parametrize(("days", "first"), [(1, "2027-03-31"), (7, "2027-03-25"), (366, "2026-03-31")])
def test_a_backfill_asks_for_every_date_of_its_interval(days, first):
    assert period("backfill", length=days * DAY) == dates(first, "2027-04-01")


def test_a_form_asks_for_every_date_of_its_period():
    assert period("manual", since="2026-12-30", until="2027-01-02") == dates("2026-12-30", "2027-01-02")
    assert period("manual", since="2027-03-30") == dates("2027-03-30", "2027-04-01")
    assert period("manual", since="2027-04-01", until="2027-04-01") == dates("2027-04-01", "2027-04-01")
    assert len(period("manual", since="2026-04-01", until="2027-04-01")) == 366


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"since": "2026-03-31", "until": "2027-04-01"}, "longer than 366 days"),
        ({"since": "2017-04-01"}, "longer than 366 days"),
        ({"since": "2027-03-02", "until": "2027-03-01"}, "ends on 2027-03-01, before it begins"),
        ({"since": "2027-03-02", "until": "2027-04-02"}, "2027-04-02, which is still to come"),
        ({"until": "2027-03-02"}, "since must be a date"),
        ({"since": "01-03-2027"}, "since must be a date"),
        ({"since": "2027-03-01", "until": "{{ 1 }}"}, "until must be a date"),
        ({"since": 20270301}, "since must be a date"),
        ({"since": "2027-02-29"}, "since must be a date"),
    ],
)
def test_what_is_no_period_is_refused(form, said):
    with pytest.raises(BadInputError, match=said):
        period("manual", **form)


def test_a_backfill_of_ten_years_is_refused():
    with pytest.raises(BadInputError, match="longer than 366 days"):
        period("backfill", length=3653 * DAY)


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_treasury_that_is_away_is_worth_a_retry(run_dag, airflow_connections, treasury, sweeps, without_retries):
    treasury.rule("FD", "refuse", mode="close")
    since = str(datetime.now(UTC).date() - DAY)
    run = run_dag("ifms_fd", {"since": since})
    assert run.state == "failed"
    [row] = sweeps(run)
    assert row["message"].startswith("SweepUnreachableError: ")
    treasury.clear()
    assert run_dag("ifms_fd", {"since": since}).state == "success"


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_it_needs_no_platform(run_dag, airflow_connections, sweeps, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_IFMS_PLATFORM")
    run = run_dag("ifms_fd", {"since": "2026-10-01", "until": "2026-10-04"})
    assert run.state == "success"
    [counts] = [row["counts"] for row in sweeps(run)]
    assert (counts["done"], counts["dates_asked"]) == (4, 4)
    assert (counts["oldest_date_asked"], counts["newest_date_asked"]) == (20261001, 20261004)
