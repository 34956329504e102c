"""When the DAGs run, and what all of them have in common. Reads the environment; nothing else at parse time."""

from __future__ import annotations

import os
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import (
    AssetOrTimeSchedule,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
)
from airflow.sdk.definitions.asset import BaseAsset
from airflow.sdk.exceptions import AirflowNotFoundException

from ifms.errors import (
    IfmsError,
    PlatformUnavailableError,
    SweepStoppedError,
    SweepUnreachableError,
    TreasuryUnreachableError,
)

TIMEZONE = "Asia/Kolkata"
POOL = "ifms_treasury"
OWNER = "ifms"

# Of our own errors, only what a little patience mends is tried again: a network that was down, a stopped worker.
# What is not ours (a database that restarts, a task that ran out of time) has Airflow's default: tried again, too.
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=[
                PlatformUnavailableError,
                SweepStoppedError,
                SweepUnreachableError,
                TreasuryUnreachableError,
            ],
            action=RetryAction.RETRY,
            reason="out of reach for now",
        ),
        RetryRule(
            exception=[IfmsError, AirflowNotFoundException], action=RetryAction.FAIL, reason="a person must look at it"
        ),
    ]
)

DEFAULT_ARGS: dict[str, Any] = {
    "owner": OWNER,
    "pool": POOL,
    "retries": 3,
    "retry_delay": timedelta(minutes=5),
    "retry_policy": RETRY_POLICY,
    "execution_timeout": timedelta(hours=2),
    "do_xcom_push": False,
}

# What a form takes: nothing that could be SQL or a template, nor the word that a template's rendering makes nothing of.
TENANT: dict[str, Any] = {"type": ["null", "string"], "pattern": r"^\s*[a-z]+\.[a-z0-9]+\s*$"}
NUMBER: dict[str, Any] = {"type": ["null", "string"], "pattern": r"^(?!None$)[A-Za-z0-9/._-]{1,256}$"}

TENANTS = Param(
    None,
    type=["null", "array"],
    items=TENANT | {"type": "string"},
    title="Cities",
    description="Only these cities: tenant ids like od.samplea, one per line; all of them when empty.",
)


BILLS = Param(
    None,
    type=["null", "array"],
    items={"type": "string", "pattern": r"^(?!\s*None\s*$)[A-Za-z0-9/._, -]{1,30000}$"},
    minItems=1,
    title="Bills",
    description="Only these bills: 1 to 200 numbers like WB/2024-25/000001, one per line or apart by commas; all "
    "approved bills without payment when empty.",
)


PI_NUMBERS = Param(
    None,
    type=["null", "array"],
    items=NUMBER | {"type": "string"},
    title="Payment instructions",
    description="Only these: numbers like PI-SA/2024-25/000001, one per line; all that are due when empty.",
)


PROPOSAL = Param(
    None,
    type=["null", "string"],
    pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    title="Proposal",
    description="What another person has approved on the adapter's pages, which start such a run by themselves.",
)


def start_date() -> datetime | None:
    """The day (IST) from which on ifms_fd catches up: IFMS_START_DATE as yyyy-mm-dd; None, if unset: on none."""
    chosen = os.environ.get("IFMS_START_DATE", "").strip()
    return None if not chosen else datetime.combine(date.fromisoformat(chosen), time(), ZoneInfo(TIMEZONE))


def clock(service: str, cron: str, *, interval: timedelta = timedelta(days=1)) -> CronTriggerTimetable | None:
    """The schedule of `service`: its default, or the environment variable IFMS_SCHEDULE_<service>; None for `none`.

    `interval` is the data interval that ends when a run fires; a backfill's range counts the interval's starts.
    """
    chosen = os.environ.get(f"IFMS_SCHEDULE_{service}", "").strip() or cron
    if chosen.lower() == "none":
        return None
    return CronTriggerTimetable(chosen, timezone=TIMEZONE, interval=interval)


def intervals(service: str, cron: str) -> CronDataIntervalTimetable | None:
    """Like `clock`, with data intervals that follow each other without a gap, whatever the schedule."""
    timetable = clock(service, cron)
    return None if timetable is None else CronDataIntervalTimetable(timetable.expression, timezone=TIMEZONE)


def bells_or_clock(
    bells: BaseAsset | None, service: str, cron: str, *, interval: timedelta = timedelta(days=1)
) -> AssetOrTimeSchedule | CronTriggerTimetable | BaseAsset | None:
    """On any of `bells`, and by `clock`; by one of them alone where the other is none."""
    timetable = clock(service, cron, interval=interval)
    if bells is None:
        return timetable
    if timetable is None:
        return bells
    return AssetOrTimeSchedule(timetable=timetable, assets=bells)


def failure_days() -> int:
    """How far back FD asks for what came back from the bank: IFMS_FD_DAYS, 100 days by default, at most a year."""
    days = int(os.environ.get("IFMS_FD_DAYS", "").strip() or 100)
    if not 1 <= days <= 366:
        raise ValueError(f"IFMS_FD_DAYS is {days}: it must be a number of days from 1 to 366")
    return days


def call_log_days() -> int | None:
    """For how many days calls stay in the ledger: IFMS_CALL_LOG_DAYS, 400 by default; None for `none`: for good."""
    chosen = os.environ.get("IFMS_CALL_LOG_DAYS", "").strip() or "400"
    return None if chosen.lower() == "none" else int(chosen)


def remove_unshipped_calls() -> bool:
    """Whether old calls go even if no Elasticsearch has them: only if IFMS_REMOVE_UNSHIPPED_CALLS is `yes`."""
    return os.environ.get("IFMS_REMOVE_UNSHIPPED_CALLS", "").strip().lower() == "yes"


def reports_path() -> str | None:
    """Where reports go: IFMS_REPORTS_PATH, a folder or the URL of an object storage; None: Airflow's own folder."""
    return os.environ.get("IFMS_REPORTS_PATH", "").strip() or None


def anchors_path() -> str | None:
    """Where the folder `anchors` of the records is: IFMS_ANCHORS_PATH, else where reports go."""
    return os.environ.get("IFMS_ANCHORS_PATH", "").strip() or reports_path()


def shards() -> list[int]:
    """The literal list that a sweep is mapped over: IFMS_SHARDS of them, one by default."""
    return list(range(max(1, int(os.environ.get("IFMS_SHARDS", "").strip() or 1))))
