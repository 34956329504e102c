"""ifms_fd alone: failures are booked, however late; what was missed is asked for, by the scheduler and by a backfill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from support import dags as support_dags
from support import failed
from support.keys import call_text

from ifms.services.fd import voucher_dates

pytestmark = pytest.mark.airflow


def asked(adapter) -> list[date]:
    """The voucher dates of all FD calls, in the order of the calls."""
    rows = adapter.rows("SELECT * FROM ifms.treasury_call WHERE service_id = 'FD' ORDER BY created_at")
    return [date.fromisoformat(json.loads(call_text(r))["params"]["voucherDate"]) for r in rows]


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_failure_is_booked_and_the_outbox_tells(run_dag, airflow_connections, adapter, treasury):
    failed.wage_bill(adapter)
    adapter.cycle()
    failed.fail(adapter)
    run = run_dag("ifms_fd")
    assert run.state == "success"
    [voucher] = adapter.rows("SELECT DISTINCT voucher_date AS day FROM ifms.beneficiary")
    assert asked(adapter) == [voucher["day"]]
    assert adapter.statuses() == {"PARTIAL": 1}
    assert len(failed.failing(adapter)) == 1
    [told] = adapter.rows("SELECT payload FROM ifms.outbox ORDER BY id DESC LIMIT 1")
    assert (told["payload"]["status"], told["payload"]["lineStatus"]) == ("PARTIAL", "FAILED")


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_failure_that_matches_nothing_is_red_once_and_kept(run_dag, airflow_connections, adapter):
    today = datetime.now(UTC) + timedelta(hours=5.5)
    order = {"bill_number": "PI-XX/2020-21/000001", "unknown": True, "beneficiaries": ["BN-XX/1"]}
    airflow_connections.ask_treasury("POST", "failures", order | {"voucher_date": f"{today:%Y-%m-%d}"})
    form = {"since": f"{today - timedelta(days=1):%Y-%m-%d}"}
    assert run_dag("ifms_fd", form).state == "failed"
    [row] = adapter.rows("SELECT message FROM ifms.sweep_run")
    assert "PI-XX/2020-21/000001" in row["message"]
    assert run_dag("ifms_fd", form).state == "success"  # it has been shown, and stays in the table
    assert len(adapter.rows("SELECT id FROM ifms.reported_failure WHERE matched_at IS NULL")) == 1


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_backfill_of_a_week_asks_for_every_date_and_the_second_one_changes_nothing(
    run_dag, run_backfill, airflow_connections, adapter, treasury, money
):
    failed.wage_bill(adapter)
    adapter.cycle()
    failed.fail(adapter)
    now = datetime.now(UTC)
    runs = run_backfill("ifms_fd", now - timedelta(days=7), now)
    assert len(runs) == 7
    assert {run.state for run in runs} == {"success"}
    wanted = [day for run in runs for day in voucher_dates(run.data_interval_start, run.data_interval_end)]
    assert sorted(asked(adapter)) == sorted(wanted)
    first, last = runs[0].data_interval_start, runs[-1].data_interval_end
    assert last - first == timedelta(days=7)
    assert set(asked(adapter)) == set(voucher_dates(first, last))

    run_dag("ifms_fd")  # the payment failed today: after the last firing time of the backfill, maybe
    assert len(failed.failing(adapter)) == 1
    once = money()
    assert {run.state for run in run_backfill("ifms_fd", now - timedelta(days=7), now)} == {"success"}
    assert len(asked(adapter)) == 2 * len(wanted) + 1
    assert money() == once


@pytest.mark.parametrize("reading", ["on", "since"])
@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_return_of_99_days_ago_is_booked(run_dag, airflow_connections, adapter, treasury, sweeps, reading):
    treasury.settings(fd_reading=reading)
    failed.wage_bill(adapter)
    adapter.run("VA")
    treasury.settings(clock_offset_seconds=-99 * 86400)
    for service in ("PA", "PI", "PIS", "PAG", "PD"):
        adapter.run(service)
    treasury.settings(clock_offset_seconds=0)
    order = {"bill_number": failed.original(adapter)["pi_number"], "beneficiaries": 1, "late_days": 99}
    airflow_connections.ask_treasury("POST", "failures", order)
    [voucher] = adapter.rows("SELECT DISTINCT voucher_date AS day FROM ifms.beneficiary")
    run = run_dag("ifms_fd")
    assert run.state == "success"
    assert asked(adapter) == [voucher["day"]]
    assert adapter.statuses() == {"PARTIAL": 1}
    number = int(f"{voucher['day']:%Y%m%d}")
    [counts] = [row["counts"] for row in sweeps(run)]
    assert (counts["dates_asked"], counts["oldest_date_asked"], counts["newest_date_asked"]) == (1, number, number)


@pytest.mark.parametrize("chosen", ["0", "-1", "367", "a year"])
def test_a_window_of_no_days_is_no_setting(monkeypatch, chosen):
    from ifms_airflow.schedules import failure_days

    monkeypatch.setenv("IFMS_FD_DAYS", chosen)
    with pytest.raises(ValueError, match="IFMS_FD_DAYS|invalid literal"):
        failure_days()


def next_runs(last: datetime | None, now: datetime) -> Iterator[Any]:
    """The runs that the scheduler makes at `now` when the last one's window ended at `last`."""
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables.base import DataInterval, TimeRestriction

    dag = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(support_dags._dag("ifms_fd")))
    restriction = TimeRestriction(earliest=dag.start_date, latest=None, catchup=dag.catchup)
    before = None if last is None else DataInterval(last - timedelta(days=1), last)
    while True:
        info = dag.timetable.next_dagrun_info(last_automated_data_interval=before, restriction=restriction)
        if info is None or info.run_after > now:
            return
        yield info
        before = info.data_interval


def fired(day: str) -> datetime:
    """22:00 in Odisha."""
    return datetime.fromisoformat(f"{day}T22:00:00+05:30")


@pytest.mark.parametrize(
    ("last", "back"),
    [
        ("2026-12-01", "2026-12-02"),
        ("2026-12-01", "2026-12-08"),
        ("2027-03-28", "2027-05-07"),
        ("2028-02-26", "2028-03-04"),
    ],
    ids=["a day", "a week", "40 days over a financial year's end", "a week over 29 February"],
)
def test_after_an_outage_the_scheduler_asks_for_every_missed_date(last, back):
    infos = list(next_runs(fired(last), fired(back)))
    ends = [info.data_interval.end for info in infos]
    assert ends == [fired(last) + timedelta(days=n + 1) for n in range((fired(back) - fired(last)).days)]
    assert all(info.run_after == info.data_interval.end for info in infos)
    dates = [day for info in infos for day in voucher_dates(info.data_interval.start, info.data_interval.end)]
    missed = voucher_dates(fired(last), fired(back))
    assert set(missed) <= set(dates)
    assert set(dates) == set(missed)  # without a gap, the day of the last run again


def test_the_first_run_that_asks_is_on_the_start_date_and_looks_back_from_there():
    """Airflow leaves out the tasks of a run whose date, its window's start, is before the DAG's start date."""
    start = support_dags._dag("ifms_fd").start_date
    asking = [info for info in next_runs(None, fired("2026-11-03")) if info.data_interval.start >= start]
    assert [info.run_after for info in asking] == [fired(f"2026-11-0{day}") for day in (1, 2, 3)]
    assert asking[0].data_interval.start == fired("2026-10-31")


def test_a_scheduler_that_was_not_away_has_nothing_to_catch_up_with():
    assert list(next_runs(fired("2026-12-01"), fired("2026-12-02") - timedelta(seconds=1))) == []
