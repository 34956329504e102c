"""What a period is, by the treasury's calendar, and what is none."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifms.errors import BadInputError
from ifms.reports.period import ALL, between, financial_year, of_financial_year, of_month, parse


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("text", "since", "until", "said"),
    [
        (
            "2026-27",
            utc(2026, 3, 31, 18, 30),
            utc(2027, 3, 31, 18, 30),
            "financial year 2026-27 (1 Apr 2026 to 31 Mar 2027)",
        ),
        ("1999-00", None, None, None),
        (" 2026-11 ", utc(2026, 10, 31, 18, 30), utc(2026, 11, 30, 18, 30), "1 Nov 2026 to 30 Nov 2026"),
        ("2026-12", utc(2026, 11, 30, 18, 30), utc(2026, 12, 31, 18, 30), "1 Dec 2026 to 31 Dec 2026"),
        ("2028-02", utc(2028, 1, 31, 18, 30), utc(2028, 2, 29, 18, 30), "1 Feb 2028 to 29 Feb 2028"),
        ("2026-11-23", utc(2026, 11, 22, 18, 30), utc(2026, 11, 23, 18, 30), "23 Nov 2026"),
        ("2026-11-01..2026-11-23", utc(2026, 10, 31, 18, 30), utc(2026, 11, 23, 18, 30), "1 Nov 2026 to 23 Nov 2026"),
        ("2026-11-23..2026-11-23", utc(2026, 11, 22, 18, 30), utc(2026, 11, 23, 18, 30), "23 Nov 2026"),
    ],
)
def test_a_period_lies_between_midnights_in_odisha(
    text: str, since: datetime | None, until: datetime | None, said: str | None
):
    if said is None:
        with pytest.raises(BadInputError):
            parse(text)
        return
    period = parse(text)
    assert (period.since, period.until, period.described, period.label) == (since, until, said, text.strip())


def test_only_a_financial_year_is_one():
    assert parse("2026-27").year == "2026-27"
    assert parse("2026-04-01..2027-03-31").year is None
    assert parse("all") is ALL
    assert (ALL.since, ALL.until, ALL.described) == (None, None, "all that is known")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026",
        "2026-13",
        "2026-28",
        "2026-11-31",
        "23-11-2026",
        "2026-1",
        "٢٠٢٦-٢٧",
        "2026-11-01..",
        "..2026-11-01",
        "2026-11-01..tomorrow",
        "9999-12",
        "0000-01",
        "2026-11-01..2026-11-02..2026-11-03",
        "'; DROP TABLE ifms.payment; --",
    ],
)
def test_what_is_no_period_is_refused_with_what_would_be_one(text: str):
    with pytest.raises(BadInputError, match=r"is no period: .*2026-27 \(a financial year\), 2026-11"):
        parse(text)


def test_days_turned_round_are_said_so():
    with pytest.raises(BadInputError, match="from 2026-11-23 to 2026-11-01 ends before it begins: turn the two"):
        parse("2026-11-23..2026-11-01")


@given(st.text(max_size=30))
def test_any_text_is_a_period_or_refused(text: str):
    with suppress(BadInputError):
        assert parse(text).label


@given(st.dates(date(2001, 1, 1), date(2180, 1, 1)), st.integers(0, 4000))
def test_days_follow_each_other_without_gap(first: date, days: int):
    period, following = (
        between(first, first + timedelta(days)),
        between(first + timedelta(days + 1), date(2199, 12, 31)),
    )
    assert period.until == following.since
    assert period.until is not None
    assert period.since is not None
    assert period.until - period.since == timedelta(days + 1)


def test_at_midnight_the_year_and_the_month_that_end_are_meant():
    midnight = utc(2027, 3, 31, 18, 30)  # 1 April in Odisha
    assert of_financial_year(midnight) == financial_year(2026) == parse("2026-27")
    assert of_financial_year(midnight + timedelta(microseconds=1)).label == "2027-28"
    assert of_month(midnight).label == "2027-03"
    assert of_month(midnight + timedelta(seconds=1)).label == "2027-04"
