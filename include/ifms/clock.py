"""Time as the treasury and the platform count it: IST for dates and years, epoch milliseconds between services."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

IST = ZoneInfo("Asia/Kolkata")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """The current instant, in UTC."""
    return datetime.now(UTC)


def to_ist(instant: datetime) -> datetime:
    """`instant` on the treasury's wall clock.

    Raises ValueError for a naive datetime: its zone would be a guess.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant!r} has no time zone")
    return instant.astimezone(IST)


def wire_datetime(instant: datetime) -> str:
    """`yyyy-MM-dd HH:mm:ss` in IST, as the treasury's date-times are written."""
    return to_ist(instant).strftime("%Y-%m-%d %H:%M:%S")


def wire_date(instant: datetime) -> str:
    """`yyyy-MM-dd` in IST, as the treasury's dates are written."""
    return to_ist(instant).strftime("%Y-%m-%d")


def financial_year(day: datetime | date) -> int:
    """The first year of the financial year that holds `day`: it starts on 1 April IST."""
    local = to_ist(day).date() if isinstance(day, datetime) else day
    return local.year if local.month >= 4 else local.year - 1


def financial_year_label(first_year: int) -> str:
    """`2023` as DIGIT writes it: `2023-24`."""
    return f"{first_year}-{(first_year + 1) % 100:02d}"


def epoch_ms(instant: datetime) -> int:
    """Epoch milliseconds, as DIGIT's services exchange times; what is finer is cut off.

    Raises ValueError for a naive datetime: its zone would be a guess.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant!r} has no time zone")
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def from_epoch_ms(milliseconds: int) -> datetime:
    """The UTC instant of DIGIT's epoch milliseconds."""
    return _EPOCH + timedelta(milliseconds=milliseconds)
