"""Housekeeping: what is old goes, what is not stays, and a dry run changes nothing."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ifms_airflow import housekeeping

NOW = datetime.now(UTC)
MONTH_AGO = NOW - timedelta(days=30)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """An old run's log, a new one's, one that is old but still open for writing, and a link."""
    folder = tmp_path / "logs"
    for run, age in (("old", 31), ("new", 29)):
        file = folder / "dag_id=ifms_pa" / f"run_id={run}" / "task_id=create_payments" / "attempt=1.log"
        file.parent.mkdir(parents=True)
        file.write_text("sample")
        then = (NOW - timedelta(days=age)).timestamp()
        os.utime(file, (then, then))
    (folder / "latest").symlink_to(tmp_path)
    return folder


def left(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("run_id=*")}


def test_old_logs_go_with_their_folders(logs):
    outside = logs.parent / "outside.log"
    outside.write_text("sample")
    os.utime(outside, (0, 0))
    assert housekeeping.remove_old_logs(logs, MONTH_AGO, dry_run=True) == (1, len("sample"))
    assert left(logs) == {"dag_id=ifms_pa/run_id=old", "dag_id=ifms_pa/run_id=new"}
    assert housekeeping.remove_old_logs(logs, MONTH_AGO) == (1, len("sample"))
    assert left(logs) == {"dag_id=ifms_pa/run_id=new"}
    assert outside.exists(), "what a link points at is not ours"
    assert (logs / "latest").is_symlink()
    assert housekeeping.remove_old_logs(logs, MONTH_AGO) == (0, 0)


def test_the_folder_itself_stays(tmp_path):
    housekeeping.remove_old_logs(tmp_path, NOW)
    assert tmp_path.is_dir()


@pytest.mark.parametrize(
    ("given", "expected"), [("", 30), (" ", 30), ("7", 7), (" 400 ", 400), ("none", None), ("None", None)]
)
def test_how_long_is_said_by_the_environment(monkeypatch, given, expected):
    monkeypatch.setenv("IFMS_LOG_DAYS", given)
    assert housekeeping.days("IFMS_LOG_DAYS", 30) == expected


@pytest.mark.parametrize("given", ["0", "6", "-30", "3661", "a month", "30.5"])
def test_what_would_remove_too_much_is_no_setting(monkeypatch, given):
    monkeypatch.setenv("IFMS_LOG_DAYS", given)
    with pytest.raises(ValueError, match="IFMS_LOG_DAYS is"):
        housekeeping.days("IFMS_LOG_DAYS", 30)


@pytest.fixture
def runs(airflow_db):
    """`runs()`: who wrote into Airflow's log of events, of two that were there: long ago and now."""
    from airflow.models.log import Log
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    def owners() -> set[str]:
        with create_session() as session:
            return set(session.scalars(select(Log.owner).where(Log.event == "sample")))

    with create_session() as session:
        for owner, age in (("old", 91), ("new", 89)):
            event = Log(event="sample", owner=owner)
            event.dttm = NOW - timedelta(days=age)
            session.add(event)
    yield owners
    with create_session() as session:
        session.execute(delete(Log).where(Log.event == "sample"))


@pytest.mark.airflow
def test_old_rows_of_airflow_go_and_no_copy_is_left(runs, logs, monkeypatch, capsys):
    monkeypatch.setattr("airflow.configuration.conf.get", _with_logs(logs))
    assert housekeeping.main(["--dry-run"]) == 0
    assert runs() == {"old", "new"}
    assert left(logs) == {"dag_id=ifms_pa/run_id=old", "dag_id=ifms_pa/run_id=new"}
    assert housekeeping.main(["--once"]) == 0
    assert runs() == {"new"}
    assert left(logs) == {"dag_id=ifms_pa/run_id=new"}
    assert archived() == []


@pytest.mark.airflow
def test_none_keeps_all(runs, logs, monkeypatch):
    monkeypatch.setattr("airflow.configuration.conf.get", _with_logs(logs))
    monkeypatch.setenv("IFMS_LOG_DAYS", "none")
    monkeypatch.setenv("IFMS_METADATA_DAYS", "none")
    assert housekeeping.main(["--once"]) == 0
    assert runs() == {"old", "new"}
    assert len(left(logs)) == 2


def test_once_tells_of_a_failure(monkeypatch):
    monkeypatch.setenv("IFMS_LOG_DAYS", "1")
    assert housekeeping.main(["--once"]) == 1


def archived() -> list[str]:
    """Tables that `airflow db clean` keeps what it removes in, unless it is told not to."""
    from airflow import settings
    from sqlalchemy import inspect

    return [name for name in inspect(settings.engine).get_table_names() if name.startswith("_airflow_deleted__")]


def _with_logs(folder: Path):
    from airflow.configuration import conf

    get = conf.get

    def instead(section, key, *args, **options):
        return str(folder) if (section, key) == ("logging", "base_log_folder") else get(section, key, *args, **options)

    return instead


def test_runs_without_news_leave_no_logs_after_a_day(airflow_db: str, tmp_path: Path):
    import psycopg

    from ifms_airflow.assets import PAYMENTS

    runs = {
        "quiet": ("success", 2, False),
        "quiet today": ("success", 0, False),
        "news": ("success", 2, True),
        "red": ("failed", 2, False),
        "running": ("running", None, False),
    }
    files = {name: tmp_path / "dag_id=ifms_pa" / f"run_id={name}" / "task_id=a" / "attempt=1.log" for name in runs}
    files |= {"unknown": tmp_path / "dag_id=ifms_pa" / "run_id=unknown" / "a.log"}
    files |= {"another": tmp_path / "dag_id=ifms_pi" / "run_id=quiet" / "a.log"}
    for file in files.values():
        file.parent.mkdir(parents=True)
        file.write_text("sample")
    with psycopg.connect(airflow_db) as connection:
        asset = connection.execute("SELECT id FROM asset WHERE name = %s", (PAYMENTS.asset.name,)).fetchone()
        asset_id = asset[0] if asset else 1
        for name, (state, days, told) in runs.items():
            ended = None if days is None else NOW - timedelta(days=days)
            connection.execute(
                "INSERT INTO dag_run (dag_id, run_id, state, run_type, run_after, end_date, clear_number, log_template_id,"
                " conf, span_status) VALUES ('ifms_pa', %s, %s, 'scheduled', now(), %s, 0, NULL, '{}', 'not_started')",
                (name, state, ended),
            )
            if told:
                connection.execute(
                    "INSERT INTO asset_event (asset_id, extra, source_dag_id, source_run_id, source_task_id,"
                    " source_map_index, timestamp) VALUES (%s, '{}', 'ifms_pa', %s, 'a', -1, now())",
                    (asset_id, name),
                )
    try:
        day_ago = NOW - timedelta(days=1)
        assert housekeeping.remove_quiet_logs(tmp_path, day_ago, dry_run=True) == 1
        assert all(file.exists() for file in files.values())
        assert housekeeping.remove_quiet_logs(tmp_path, day_ago) == 1
        assert {name for name, file in files.items() if not file.exists()} == {"quiet"}
        assert not (tmp_path / "dag_id=ifms_pa" / "run_id=quiet").exists()
        assert housekeeping.remove_quiet_logs(tmp_path / "none", day_ago) == 0
    finally:
        with psycopg.connect(airflow_db) as connection:
            connection.execute("DELETE FROM asset_event WHERE source_run_id = 'news'")
            connection.execute("DELETE FROM dag_run WHERE dag_id = 'ifms_pa' AND run_id = ANY(%s)", (list(runs),))
