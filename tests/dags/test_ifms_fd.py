"""ifms_fd alone: failures are booked; what was missed is asked for, by the scheduler and by a backfill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from support import dags as support_dags
from support import failed
from support.simulators import LOG_KEY

from ifms.sealing import Sealer
from ifms.services.fd import voucher_dates

pytestmark = pytest.mark.airflow


def asked(adapter) -> list[date]:
    """The voucher dates of all FD calls, in the order of the calls."""
    sealer = Sealer.from_config(LOG_KEY)
    rows = adapter.rows("SELECT request_sealed FROM ifms.treasury_call WHERE service_id = 'FD' ORDER BY created_at")
    return [date.fromisoformat(json.loads(sealer.open(r["request_sealed"]))["params"]["voucherDate"]) for r in rows]


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_failure_is_booked_and_the_outbox_tells(run_dag, airflow_connections, adapter, treasury):
    failed.wage_bill(adapter)
    adapter.cycle()
    failed.fail(adapter)
    run = run_dag("ifms_fd")
    assert run.state == "success"
    assert sorted(asked(adapter)) == voucher_dates(run.data_interval_start, run.data_interval_end)
    assert adapter.statuses() == {"PARTIAL": 1}
    assert len(failed.failing(adapter)) == 1
    [told] = adapter.rows("SELECT payload FROM ifms.outbox ORDER BY id DESC LIMIT 1")
    assert (told["payload"]["status"], told["payload"]["lineStatus"]) == ("PARTIAL", "FAILED")


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_failure_that_matches_nothing_is_red_once_and_kept(run_dag, airflow_connections, adapter):
    today = datetime.now(UTC) + timedelta(hours=5.5)
    order = {"bill_number": "PI-XX/2020-21/000001", "unknown": True, "beneficiaries": ["BN-XX/1"]}
    airflow_connections.ask_treasury("POST", "failures", order | {"voucher_date": f"{today:%Y-%m-%d}"})
    assert run_dag("ifms_fd").state == "failed"
    [row] = adapter.rows("SELECT message FROM ifms.sweep_run")
    assert "PI-XX/2020-21/000001" in row["message"]
    assert run_dag("ifms_fd").state == "success"  # it has been shown, and stays in the table
    assert len(adapter.rows("SELECT id FROM ifms.unmatched_failure WHERE matched_at IS NULL")) == 1


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
    # Each run asks for its own 72 hours, so that every date of the week and of the three days before it was asked for.
    wanted = [day for run in runs for day in voucher_dates(run.data_interval_start, run.data_interval_end)]
    assert sorted(asked(adapter)) == sorted(wanted)
    first, last = runs[0].data_interval_start, runs[-1].data_interval_end
    assert last - first == timedelta(days=6) + timedelta(hours=72)
    assert set(asked(adapter)) == set(voucher_dates(first, last))

    run_dag("ifms_fd")  # the payment failed today: after the last firing time of the backfill, maybe
    assert len(failed.failing(adapter)) == 1
    once = money()
    assert {run.state for run in run_backfill("ifms_fd", now - timedelta(days=7), now)} == {"success"}
    assert len(asked(adapter)) == 2 * len(wanted) + 4
    assert money() == once


def next_runs(last: datetime | None, now: datetime) -> Iterator[Any]:
    """The runs that the scheduler makes at `now` when the last one's window ended at `last`."""
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables.base import DataInterval, TimeRestriction

    dag = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(support_dags._dag("ifms_fd")))
    restriction = TimeRestriction(earliest=dag.start_date, latest=None, catchup=dag.catchup)
    before = None if last is None else DataInterval(last - timedelta(hours=72), last)
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
    assert set(dates) == set(voucher_dates(fired(last) - timedelta(hours=48), fired(back)))  # without a gap


def test_the_first_run_that_asks_is_on_the_start_date_and_looks_back_from_there():
    """Airflow leaves out the tasks of a run whose date, its window's start, is before the DAG's start date."""
    start = support_dags._dag("ifms_fd").start_date
    asking = [info for info in next_runs(None, fired("2026-11-03")) if info.data_interval.start >= start]
    assert [info.run_after for info in asking] == [fired(f"2026-11-0{day}") for day in (1, 2, 3)]
    assert asking[0].data_interval.start == fired("2026-10-29")


def test_a_scheduler_that_was_not_away_has_nothing_to_catch_up_with():
    assert list(next_runs(fired("2026-12-01"), fired("2026-12-02") - timedelta(seconds=1))) == []
