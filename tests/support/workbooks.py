"""Cells of a workbook, the unusual ones among them, and the same rows written in different ways."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal

from ifms.reports.files.workbook import Book
from ifms.reports.report import Kind, Row

AT = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
TEXTS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "{=1+1}",
    "000012345678901234567",
    "990017057960000000000000002",
    "1e5",
    "https://example.org/",
    "mailto:a@example.org",
    "internal:Sheet1!A1",
    " spaces ",
    "two\nlines",
    "tab\t",
    "ଓଡ଼ିଶା",
    "<a>&amp;",
    "<r><t>x</t></r>",
    "<r></r>",
    "<r>&<",
    "<r>& a < b</r>",
    "",
    "TRUE",
    "#REF!",
]


class Anything(str):
    """A text of another class."""


CELLS = {
    Kind.TEXT: [
        *TEXTS,
        "A & B",
        'a "name"',
        "a<b>",
        "_x0041_",
        "a_x",
        "a_b",
        "x" * 2000,
        7,
        Decimal("1.50"),
        Anything("x"),
    ],
    Kind.MONEY: [
        Decimal("0.00"),
        Decimal("-1.10"),
        Decimal("99999999.99"),
        5,
        Decimal("1E+9"),
        Decimal("-100000"),
        Decimal("1E+2"),
    ],
    Kind.COUNT: [0, -3, 10**12, 2.5, True],
    Kind.MILLISECONDS: [12, 1.25],
    Kind.PERCENT: [Decimal("99.5"), 3],
    Kind.DATE: [date(2026, 4, 1), date(1900, 3, 1), date(1900, 2, 28), date(2026, 12, 31)],
    Kind.INSTANT: [
        AT,
        datetime(2026, 4, 1, 18, 29, 59, 999999, tzinfo=UTC),
        datetime(1969, 12, 31, 18, 30, tzinfo=UTC),
        datetime(1942, 6, 1, tzinfo=UTC),
        datetime(1899, 1, 1, tzinfo=UTC),
        datetime(2099, 2, 28, 23, 59, 59, 1, tzinfo=UTC),
    ],
}


def in_rows(rows: Sequence[Row], kinds: list[Kind], *, whole: bool) -> bytes:
    """A workbook of these rows, between others that are put cell by cell: as whole rows, or each cell by itself."""
    buffer = io.BytesIO()
    with closing(Book(buffer, AT)) as book:
        sheet = book.sheet("Sample")
        for place in range(len(kinds)):
            book.put(sheet, Kind.TEXT, bold=True)(0, place, f"column {place}")
        written, puts = book.rows(sheet, kinds), [book.put(sheet, kind) for kind in kinds]
        if whole:
            written.write(1, rows[:2])
            written.write(3, rows[2:])
        else:
            for number, row in enumerate(rows, 1):
                for place, (put, value) in enumerate(zip(puts, row, strict=True)):
                    if value is not None:
                        put(number, place, value)
        book.put(sheet, Kind.TEXT, bold=True)(len(rows) + 1, 0, "Total")
        sheet.autofilter(0, 0, len(rows), len(kinds) - 1)
        book.save()
    return buffer.getvalue()
