"""Schedules from the environment, and which error is tried again."""

from __future__ import annotations

import copy
import inspect
from datetime import timedelta

import psycopg
import pytest

from ifms import errors
from ifms.errors import IfmsError

pytestmark = pytest.mark.airflow

# A little patience mends these; every other error of ours waits for a person.
WORTH_A_RETRY = {
    errors.PlatformUnavailableError,
    errors.SweepStoppedError,
    errors.SweepUnreachableError,
    errors.TreasuryStoppedError,
    errors.TreasuryUnreachableError,
}
OURS = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, IfmsError)]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IFMS_SCHEDULE_VA", "IFMS_SHARDS", "IFMS_START_DATE"):
        monkeypatch.delenv(name, raising=False)


def decided(error: BaseException) -> str:
    """What Airflow does when a task ends with `error`."""
    from ifms_airflow.schedules import RETRY_POLICY

    return RETRY_POLICY.evaluate(error, try_number=1, max_tries=3).action.name


@pytest.mark.parametrize("kind", OURS)
def test_only_what_patience_mends_is_tried_again(kind: type[IfmsError]):
    assert decided(kind("what happened")) == ("RETRY" if kind in WORTH_A_RETRY else "FAIL")


def test_an_error_is_judged_by_itself_not_by_its_cause():
    error = errors.BadInputError("not this")
    error.__cause__ = errors.PlatformUnavailableError("no answer")
    assert decided(error) == "FAIL"


def test_a_missing_connection_is_not_tried_again():
    from airflow.sdk.exceptions import AirflowNotFoundException

    assert decided(AirflowNotFoundException("The conn_id `ifms_treasury` isn't defined")) == "FAIL"


def test_what_is_not_ours_has_airflow_s_default():
    from airflow.sdk.exceptions import AirflowTaskTimeout

    for error in (psycopg.OperationalError("gone"), AirflowTaskTimeout("too long"), MemoryError()):
        assert decided(error) == "DEFAULT"


def test_the_policy_tells_why():
    from ifms_airflow.schedules import RETRY_POLICY

    for error in (errors.SweepStoppedError("stopped"), errors.WireError("garbage")):
        assert RETRY_POLICY.evaluate(error, try_number=1, max_tries=3).reason


def test_clock_has_the_default_in_indian_time():
    from ifms_airflow.schedules import clock

    timetable = clock("VA", "0 22 * * *")
    assert timetable is not None
    assert (timetable.expression, timetable.timezone) == ("0 22 * * *", "Asia/Kolkata")
    assert timetable.interval == timedelta(days=1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("5 4 * * *", "5 4 * * *"), ("  @hourly ", "0 * * * *"), ("", "0 22 * * *"), (" ", "0 22 * * *")],
)
def test_clock_takes_the_environment_s_cron(monkeypatch: pytest.MonkeyPatch, given: str, expected: str):
    from ifms_airflow.schedules import clock

    monkeypatch.setenv("IFMS_SCHEDULE_VA", given)
    timetable = clock("VA", "0 22 * * *", interval=timedelta(hours=1))
    assert timetable is not None
    assert timetable.expression in {expected, given.strip()}
    assert timetable.interval == timedelta(hours=1)


@pytest.mark.parametrize("none", ["none", "NONE", " None "])
def test_none_turns_the_clock_off_and_leaves_the_bells(monkeypatch: pytest.MonkeyPatch, none: str):
    from ifms_airflow.assets import ALLOTMENTS, PAYMENTS
    from ifms_airflow.schedules import bells_or_clock, clock

    monkeypatch.setenv("IFMS_SCHEDULE_VA", none)
    bells = PAYMENTS.asset | ALLOTMENTS.asset
    assert clock("VA", "0 22 * * *") is None
    assert bells_or_clock(bells, "VA", "0 22 * * *") is bells


def test_bells_and_clock_together():
    from airflow.sdk import AssetOrTimeSchedule

    from ifms_airflow.assets import PAYMENTS
    from ifms_airflow.schedules import bells_or_clock

    schedule = bells_or_clock(PAYMENTS.asset, "VA", "0 21 * * *")
    assert isinstance(schedule, AssetOrTimeSchedule)
    assert schedule.timetable.expression == "0 21 * * *"


@pytest.mark.parametrize(("given", "expected"), [("", [0]), ("1", [0]), (" 3 ", [0, 1, 2]), ("0", [0]), ("-2", [0])])
def test_shards(monkeypatch: pytest.MonkeyPatch, given: str, expected: list[int]):
    from ifms_airflow.schedules import shards

    monkeypatch.setenv("IFMS_SHARDS", given)
    assert shards() == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [(" 2027-04-01 ", "2027-04-01"), ("2028-02-29", "2028-02-29")],
)
def test_the_start_is_a_midnight_in_odisha(monkeypatch: pytest.MonkeyPatch, given: str, expected: str):
    from ifms_airflow.schedules import start_date

    monkeypatch.setenv("IFMS_START_DATE", given)
    start = start_date()
    assert start is not None
    assert start.isoformat() == f"{expected}T00:00:00+05:30"


@pytest.mark.parametrize("given", ["", " "])
def test_nothing_is_caught_up_with_from_a_date_that_nobody_has_said(monkeypatch: pytest.MonkeyPatch, given: str):
    from ifms_airflow.schedules import start_date

    monkeypatch.setenv("IFMS_START_DATE", given)
    assert start_date() is None


def test_a_start_that_is_no_day_is_an_error(monkeypatch: pytest.MonkeyPatch):
    from ifms_airflow.schedules import start_date

    monkeypatch.setenv("IFMS_START_DATE", "01/11/2026")
    with pytest.raises(ValueError, match="01/11/2026"):
        start_date()


@pytest.mark.parametrize("given", ["od.samplea", " od.samplea", "od.samplea ", "\tod.samplea  "])
def test_a_city_may_have_blanks_around_it(given: str):
    """As pasted; the operators strip them."""
    from ifms_airflow.schedules import TENANTS

    assert copy.copy(TENANTS).resolve([given]) == [given]  # it keeps what it resolves


@pytest.mark.parametrize("given", ["od .samplea", "od. samplea", " ", "od.a od.b", "od.samplea\nod.sampleb"])
def test_a_city_has_no_blank_within(given: str):
    from airflow.sdk.exceptions import ParamValidationError

    from ifms_airflow.schedules import TENANTS

    with pytest.raises(ParamValidationError):
        copy.copy(TENANTS).resolve([given])
