"""Which part of time a report is about: a financial year, a month, a day, days from one to another, or all of it.

Days are the treasury's (IST). A period ends where its last day does; a report never sees more than was known at its
`as of`, whatever the period.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from ifms import clock
from ifms.errors import BadInputError

_FORMS = "2026-27 (a financial year), 2026-11 (a month), 2026-11-23 (a day), 2026-11-01..2026-11-23 or all"
_PAIR = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 2000, 2200


@dataclass(frozen=True)
class Period:
    """From one instant up to another one, which is not part of it; None: without end on that side."""

    label: str
    """As it is written in a form and in a file's name."""
    since: datetime | None = None
    until: datetime | None = None
    year: str | None = None
    """The financial year, like 2026-27, when it is one."""

    @property
    def described(self) -> str:
        """As people read it."""
        if self.since is None or self.until is None:
            return "all that is known"
        first, last = clock.to_ist(self.since).date(), (clock.to_ist(self.until) - timedelta(days=1)).date()
        days = _date_text(first) if first == last else f"{_date_text(first)} to {_date_text(last)}"
        return f"financial year {self.year} ({days})" if self.year else days


ALL = Period("all")


def parse(text: str) -> Period:
    """The period that a form's field names.

    A pair of numbers like 2026-27 is a financial year if the second follows the first, else a year and a month. Raises
    BadInputError for what is no period, and for one that ends before it begins.
    """
    stripped = text.strip()
    if stripped.lower() == "all":
        return ALL
    if pair := _PAIR.fullmatch(stripped):
        first, second = int(pair[1]), int(pair[2])
        if second == (first + 1) % 100:
            return financial_year(first)
        if 1 <= second <= 12:
            return between(_day(f"{stripped}-01", stripped), _month_end(first, second, stripped), label=stripped)
    elif _DAY.fullmatch(stripped):
        day = _day(stripped, stripped)
        return between(day, day, label=stripped)
    elif ".." in stripped:
        first_day, last_day = (_day(part.strip(), stripped) for part in stripped.split("..", 1))
        return between(first_day, last_day)
    raise BadInputError(f"{stripped[:40]!r} is no period: write {_FORMS}")


def financial_year(first: int) -> Period:
    """The financial year that begins in this year: 2026 is 2026-27."""
    label = clock.financial_year_label(first)
    made = between(_day(f"{first:04d}-04-01", label), _day(f"{first + 1:04d}-03-31", label), label=label)
    return Period(made.label, made.since, made.until, label)


def between(first: date, last: date, *, label: str | None = None) -> Period:
    """From the beginning of one day to the end of another. Raises BadInputError when the first comes after the last."""
    if first > last:
        raise BadInputError(f"the period from {first} to {last} ends before it begins: turn the two days round")
    since = datetime(first.year, first.month, first.day, tzinfo=clock.IST)
    end = last + timedelta(days=1)
    return Period(label or f"{first}..{last}", since, datetime(end.year, end.month, end.day, tzinfo=clock.IST))


def of_financial_year(as_of: datetime) -> Period:
    """The financial year of the last instant before `as_of`: at midnight of 1 April it is the one that has ended."""
    return financial_year(clock.financial_year(as_of - timedelta(microseconds=1)))


def of_month(as_of: datetime) -> Period:
    """The month of the last instant before `as_of`."""
    return parse(f"{clock.to_ist(as_of - timedelta(microseconds=1)):%Y-%m}")


def _day(text: str, whole: str) -> date:
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise BadInputError(f"{whole[:40]!r} is no period: {text[:20]!r} is no day; write {_FORMS}")
    return day


def _month_end(year: int, month: int, whole: str) -> date:
    follows = _day(f"{year + month // 12:04d}-{month % 12 + 1:02d}-01", whole)
    return follows - timedelta(days=1)


def _date_text(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
