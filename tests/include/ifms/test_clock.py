"""Days and years are the treasury's (IST), wherever the host stands and whatever zone an instant comes in."""

import time
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ifms import clock

NEW_YORK = timezone(timedelta(hours=-4))
HALF_A_MINUTE = timedelta(seconds=30)

# The turn of the financial year: 1 April 00:00 IST is 31 March 18:30 UTC.
TURN = {
    "31 March, 18:29 UTC": (datetime(2024, 3, 31, 18, 29, tzinfo=UTC), 2023),
    "31 March, 23:59:59 IST": (datetime(2024, 3, 31, 23, 59, 59, tzinfo=clock.IST), 2023),
    "31 March, last microsecond IST": (datetime(2024, 3, 31, 23, 59, 59, 999999, tzinfo=clock.IST), 2023),
    "1 April, 00:00 IST": (datetime(2024, 4, 1, tzinfo=clock.IST), 2024),
    "31 March, 18:30 UTC": (datetime(2024, 3, 31, 18, 30, tzinfo=UTC), 2024),
    "31 March, 18:31 UTC": (datetime(2024, 3, 31, 18, 31, tzinfo=UTC), 2024),
    "31 March, 14:31 in New York": (datetime(2024, 3, 31, 14, 31, tzinfo=NEW_YORK), 2024),
    "31 December, 18:31 UTC": (datetime(2024, 12, 31, 18, 31, tzinfo=UTC), 2024),
    "1 January": (date(2025, 1, 1), 2024),
    "29 February": (date(2024, 2, 29), 2023),
    "31 March": (date(2024, 3, 31), 2023),
    "1 April": (date(2024, 4, 1), 2024),
}


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Kolkata"])
def _host_zone(request, monkeypatch):
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_host_zone")
@pytest.mark.parametrize(("day", "year"), TURN.values(), ids=TURN.keys())
def test_the_financial_year_turns_at_midnight_in_odisha(day, year):
    assert clock.financial_year(day) == year


@pytest.mark.parametrize(("year", "label"), [(2023, "2023-24"), (1999, "1999-00"), (2008, "2008-09")])
def test_the_label_of_a_financial_year(year, label):
    assert clock.financial_year_label(year) == label


@pytest.mark.usefixtures("_host_zone")
@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2024, 2, 28, 18, 29, 59, tzinfo=UTC), "2024-02-28 23:59:59"),
        (datetime(2024, 2, 28, 18, 30, tzinfo=UTC), "2024-02-29 00:00:00"),
        (datetime(2024, 2, 29, 18, 30, tzinfo=UTC), "2024-03-01 00:00:00"),
        (datetime(2023, 2, 28, 18, 30, tzinfo=UTC), "2023-03-01 00:00:00"),
        (datetime(2024, 6, 1, 9, 5, 7, 999999, tzinfo=clock.IST), "2024-06-01 09:05:07"),
        (datetime(2024, 6, 1, 20, tzinfo=NEW_YORK), "2024-06-02 05:30:00"),
    ],
)
def test_dates_to_the_treasury_are_ist(instant, text):
    assert clock.wire_datetime(instant) == text
    assert clock.wire_date(instant) == text[:10]


@pytest.mark.parametrize("read", [clock.to_ist, clock.wire_datetime, clock.wire_date, clock.financial_year])
def test_a_datetime_without_zone_is_refused(read):
    with pytest.raises(ValueError, match="no time zone"):
        read(datetime(2024, 4, 1))  # noqa: DTZ001  (what is tested)


def test_now_is_the_current_instant_in_utc():
    now = clock.now()
    assert now.tzinfo is UTC
    assert abs(now.timestamp() - time.time()) < HALF_A_MINUTE.total_seconds()


def test_to_ist_keeps_the_instant():
    instant = datetime(2024, 3, 31, 18, 30, tzinfo=UTC)
    assert clock.to_ist(instant) == instant
    assert clock.to_ist(instant).isoformat() == "2024-04-01T00:00:00+05:30"


@pytest.mark.usefixtures("_host_zone")
def test_epoch_milliseconds():
    assert clock.epoch_ms(datetime(2024, 4, 1, tzinfo=clock.IST)) == 1711909800000
    assert clock.from_epoch_ms(1711909800000) == datetime(2024, 3, 31, 18, 30, tzinfo=UTC)
    assert clock.from_epoch_ms(1711909800001).microsecond == 1000
    assert clock.from_epoch_ms(0).tzinfo is UTC


@example(1001)
@example(1091961141011)
@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_epoch_milliseconds_come_back_as_they_were(milliseconds):
    assert clock.epoch_ms(clock.from_epoch_ms(milliseconds)) == milliseconds


def test_epoch_milliseconds_of_a_datetime_without_zone_are_refused():
    with pytest.raises(ValueError, match="no time zone"):
        clock.epoch_ms(datetime(2024, 4, 1))  # noqa: DTZ001  (what is tested)
