"""A workbook, in which a text is never more than a text, and whose rows pass through files instead of memory.

Written by XlsxWriter, in rows from the top to the bottom. The same cells are the same file: its time is given.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import xlsxwriter  # type: ignore[import-untyped]
from xlsxwriter.exceptions import FileCreateError  # type: ignore[import-untyped]

from ifms import clock
from ifms.reports.report import Kind

Put = Callable[[int, int, Any], object]
"""Writes a cell: its row and its column, counted from 0, and what is in it."""

RUPEES = r"[>=10000000]##\,##\,##\,##0.00;[>=100000]##\,##\,##0.00;#,##0.00"
"""Digits grouped as in India, for amounts between these two: a format takes two conditions."""
_BELOW, _ABOVE = -100_000, 1_000_000_000

FORMATS = {
    Kind.TEXT: "@",
    Kind.MONEY: RUPEES,
    Kind.COUNT: "#,##0",
    Kind.MILLISECONDS: "#,##0",
    Kind.PERCENT: "0.0",
    Kind.DATE: "d mmm yyyy",
    Kind.INSTANT: "d mmm yyyy, hh:mm:ss",
}
# Nothing that is written may be guessed to be something else; a sheet's file may be larger than 4 GB.
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
    "use_zip64": True,
}
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LONGEST = 32_767  # UTF-16 units in a cell
_FIRST_DAY = date(1900, 3, 1)  # a spreadsheet counts no days before 1900, and 29 February 1900, which was none


class Book:
    """A workbook on its way to `stream`, made at `at`. Close it whether it was saved or not."""

    def __init__(self, stream: BinaryIO, at: datetime) -> None:
        self._rows = TemporaryDirectory(prefix="ifms-xlsx-")
        self._book = xlsxwriter.Workbook(stream, _OPTIONS | {"tmpdir": self._rows.name})
        made = at.astimezone(UTC).replace(tzinfo=None, microsecond=0)
        self._book.set_properties({"author": "MUKTA IFMS adapter", "created": made})
        self._looks: dict[tuple[tuple[str, Any], ...], Any] = {}

    def sheet(self, title: str) -> Any:  # noqa: ANN401  (XlsxWriter has no types)
        """Another sheet, after those that are there; it can be filled while others are."""
        return self._book.add_worksheet(title)

    def chart(self, kind: dict[str, str]) -> Any:  # noqa: ANN401  (XlsxWriter has no types)
        """A chart, to be put into a sheet."""
        return self._book.add_chart(kind)

    def put(self, sheet: Any, kind: Kind, **look: Any) -> Put:  # noqa: ANN401  (XlsxWriter has no types)
        """What writes cells of a kind into a sheet, with this look besides (XlsxWriter's properties of a format)."""
        usual = self._look(num_format=FORMATS[kind], **look)
        if kind is Kind.MONEY:
            return partial(_money, sheet, usual, lambda number_format: self._look(num_format=number_format, **look))
        how = {Kind.TEXT: _text, Kind.DATE: _day, Kind.INSTANT: _instant}.get(kind, _number)
        return partial(how, sheet, usual)

    def _look(self, **given: Any) -> Any:  # noqa: ANN401  (XlsxWriter has no types)
        key = tuple(sorted(given.items()))
        if key not in self._looks:
            self._looks[key] = self._book.add_format(given)
        return self._looks[key]

    def save(self) -> None:
        """Write all of it to the stream."""
        try:
            self._book.close()
        except FileCreateError as error:  # a full disk is one, whoever notices it
            raise error.args[0] from None

    def close(self) -> None:
        """Take away the files that the rows passed through."""
        self._rows.cleanup()


def printable(value: str) -> str:
    """A text without what a workbook can't hold: control characters, halves of a character, and what is too long."""
    kept = _UNPRINTABLE.sub("", value)
    if len(kept) <= _LONGEST // 2:
        return kept
    return kept.encode("utf-16-le")[: 2 * _LONGEST].decode("utf-16-le", "ignore")


def _text(sheet: Any, look: Any, row: int, column: int, value: object) -> None:  # noqa: ANN401
    text = printable(str(value))
    if text.startswith("<r>") and text.endswith("</r>"):
        # XlsxWriter takes this for markup of its own and writes it as it is; in pieces it is a text like any other.
        sheet.write_rich_string(row, column, "<", "r", text[2:], look)
    else:
        sheet.write_string(row, column, text, look)


def _number(sheet: Any, look: Any, row: int, column: int, value: Any) -> None:  # noqa: ANN401
    sheet.write_number(row, column, value, look)


def _money(sheet: Any, look: Any, other: Callable[[str], Any], row: int, column: int, value: Decimal | int) -> None:  # noqa: ANN401
    if not _BELOW < value < _ABOVE:
        digits = len(f"{abs(value):.2f}") - len(".00")
        look = other(r"##\," * ((digits - 2) // 2) + "##0.00")
    sheet.write_number(row, column, value, look)


def _day(sheet: Any, look: Any, row: int, column: int, value: date) -> None:  # noqa: ANN401
    if value < _FIRST_DAY:
        sheet.write_string(row, column, value.isoformat(), look)
    else:
        sheet.write_datetime(row, column, value, look)


def _instant(sheet: Any, look: Any, row: int, column: int, value: datetime) -> None:  # noqa: ANN401
    local = clock.to_ist(value).replace(tzinfo=None, microsecond=0)
    if local.date() < _FIRST_DAY:
        sheet.write_string(row, column, local.isoformat(" "), look)
    else:
        sheet.write_datetime(row, column, local, look)
