"""Tables as files: CSV and XLSX, none of which can do anything in the program that opens it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

from openpyxl import Workbook  # type: ignore[import-untyped]
from openpyxl.cell import WriteOnlyCell  # type: ignore[import-untyped]

from ifms import clock

Cell = str | int | Decimal | date | datetime | None

# What a spreadsheet begins a formula with; also the minus sign and the wide forms, which some take for the narrow ones.
_FORMULA = ("=", "+", "-", "\u2212", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LONGEST = 32_767  # characters in a cell


def text(value: Cell) -> str:
    """A cell as a text; an instant on the treasury's clock."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return clock.wire_datetime(value)
    return str(value)


def harmless(value: Cell) -> str:
    """A cell of a CSV file: a text that a spreadsheet would take for a formula, or for a number, stays a text.

    A number is written as it is: also one below zero, which is no formula.
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
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title[:31])
    sheet.freeze_panes = "A2"
    for position, name in enumerate(header):
        sheet.column_dimensions[chr(ord("A") + position)].width = max(14, len(name) + 4)
    sheet.append([_xlsx_cell(sheet, name, bold=True) for name in header])
    for row in rows:
        sheet.append([_xlsx_cell(sheet, cell) for cell in row])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def printable(value: str) -> str:
    """A text without what a workbook can't hold: control characters, halves of a character, and what is too long."""
    return _UNPRINTABLE.sub("", value)[:_LONGEST]


def _xlsx_cell(sheet: object, value: Cell, *, bold: bool = False) -> WriteOnlyCell:
    if isinstance(value, datetime):
        cell = WriteOnlyCell(sheet, clock.to_ist(value).replace(tzinfo=None))
        cell.number_format = "yyyy-mm-dd hh:mm:ss"
        return cell
    if isinstance(value, str):
        cell = WriteOnlyCell(sheet, printable(value))
        cell.data_type = "s"  # openpyxl takes what begins with = for a formula
        cell.number_format = "@"
        if bold:
            cell.style = "Headline 4"
        return cell
    cell = WriteOnlyCell(sheet, value)
    if isinstance(value, Decimal):
        cell.number_format = "#,##0.00"
    return cell
