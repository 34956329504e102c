"""Rows of the fund register that nobody's ledger has: for what writes files, which does not look at what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from ifms.reports.aggregates import Counted
from ifms.reports.catalogue import REPORTS, request
from ifms.reports.report import Request

REGISTER = REPORTS["fund_register"]
AS_OF = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
NASTY = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "−1",
    "$x^2$",
    "<a>&amp;\x00\x0b",
    "ଓଡ଼ିଶା",
    " spaces ",
    "00012345678901234567",
]


def asked(**filters: Any) -> Request:
    """A request as of the midnight that ends 23 November 2026."""
    return request(REGISTER, AS_OF, **filters)


def row(number: int, text: str | None = None, amount: Decimal = Decimal("1234567.10")) -> tuple[Any, ...]:
    """One expense."""
    return (
        "Sample Component",
        "990017057960000000000000002",
        "od.samplea",
        "1316141730",
        text or f"PI-SA/2026-27/{number:06d}",
        date(2026, 11, 23),
        "Expense",
        amount,
        Decimal("900000.00"),
        Decimal("-298750.05"),
        datetime(2026, 11, 23, 12, 1, 2, 345678, tzinfo=UTC),
    )


def chunks(many: int, size: int = 1000) -> Iterator[list[tuple[Any, ...]]]:
    """So many rows, some at a time."""
    for start in range(0, many, size):
        yield [row(number) for number in range(start, min(start + size, many))]


def write(kind: Any, path: Path, rows: Any, **options: Any) -> Counted:
    """A file of these chunks of rows."""
    counted = Counted(REGISTER)
    with path.open("wb") as stream:
        sink = kind(stream, REGISTER, asked(), **options)
        for each in rows:
            sink.add(each)
            counted.add(each)
        sink.finish(counted)
        sink.close()
    return counted
