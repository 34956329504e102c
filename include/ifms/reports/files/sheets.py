"""Tables as files: CSV and XLSX, none of which can do anything in the program that opens it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal

from ifms import clock
from ifms.reports.report import Kind

Cell = str | int | Decimal | date | datetime | None

# What a spreadsheet begins a formula with; also the minus sign and the wide forms, which some take for the narrow ones.
_FORMULA = ("=", "+", "-", "\u2212", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def text(value: Cell) -> str:
    """A cell as a text; an instant on the treasury's clock."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return clock.wire_datetime(value)
    return str(value)


def harmless(value: Cell) -> str:
    """A cell of a CSV file: a text that a spreadsheet would take for a formula stays a text.

    A number is written as it is: also one below zero, which is no formula. So is a text of digits, as programs read the
    file, too; a spreadsheet rounds a long one and drops leading zeros, so the register's page says to take XLSX.
    """
    written = text(value)
    if isinstance(value, int | Decimal):
        return written
    if written.lstrip(" \n").startswith(_FORMULA):
        return f"'{written}"
    return written


def csv_rows(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """The lines of a CSV file, with the mark by which spreadsheets know UTF-8."""
    yield "\ufeff"
    yield csv_line(header)
    for values in rows:
        yield csv_line(values)


def csv_line(cells: Sequence[Cell]) -> str:
    """One line of a CSV file."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow([harmless(cell) for cell in cells])
    return buffer.getvalue()


def xlsx(title: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """A workbook of one sheet; texts are texts whatever they begin with, amounts are numbers with two decimals."""
    from ifms.reports.files.workbook import Book

    buffer = io.BytesIO()
    with closing(Book(buffer, clock.now())) as book:
        sheet = book.sheet(title[:31])
        sheet.freeze_panes(1, 0)
        for place, name in enumerate(header):
            sheet.set_column(place, place, max(14, len(name) + 4))
            book.put(sheet, Kind.TEXT, bold=True)(0, place, name)
        puts = {kind: book.put(sheet, kind) for kind in Kind}
        for number, row in enumerate(rows, 1):
            for place, cell in enumerate(row):
                if cell is not None:
                    puts[_kind(cell)](number, place, cell)
        book.save()
    return buffer.getvalue()


def _kind(cell: Cell) -> Kind:
    match cell:
        case datetime():
            return Kind.INSTANT
        case date():
            return Kind.DATE
        case Decimal():
            return Kind.MONEY
        case int():
            return Kind.COUNT
    return Kind.TEXT
