"""A workbook, in which a text is never more than a text, and whose rows pass through files instead of memory.

Written by XlsxWriter, in rows from the top to the bottom. The same cells are the same file: its time is given.
"""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile

import xlsxwriter  # type: ignore[import-untyped]
from xlsxwriter.exceptions import FileCreateError  # type: ignore[import-untyped]
from xlsxwriter.utility import xl_col_to_name  # type: ignore[import-untyped]
from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

from ifms import clock
from ifms.reports.batches import Batch
from ifms.reports.files import cells
from ifms.reports.report import Kind, Row

Put = Callable[[int, int, Any], object]
"""Writes a cell: its row and its column, counted from 0, and what is in it."""
Maker = Callable[[Any], str | None]
"""What is behind the row's number in a cell, by the cell's value; None for one that is not usual."""
Style = Callable[[str], str]
"""What is behind that number in each cell of a number format."""

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
# Nothing that is written may be guessed to be something else.
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}
_ROWS = b"<!--rows-->"  # in no text: there it would be escaped
_SHEET = re.compile(r"sheet(\d+)\.xml")
# Packed at this level, a register of a million rows is a quarter larger than at the usual one, in a third of the time.
_FAST = 1
_LARGE, _PIECE = 2 * 10**9, 2**17
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LONGEST = 32_767  # UTF-16 units in a cell
_FIRST_DAY = date(1900, 3, 1)  # a spreadsheet counts no days before 1900, and 29 February 1900, which was none
# A text that is in the file as it is here, but for what XML escapes: nothing blank at its ends, and nothing that looks
# like an escape or the markup of XlsxWriter.
_USUAL = re.compile(r"(?!\s|<r>)[^\x00-\x1f\ud800-\udfff\ufffe\uffff]{1,1000}(?<!\s)")
_DAY, _IST = 86_400, 19_800  # seconds; the second is how far India's clock is ahead
_DAY_ZERO, _DAY_OF_1970 = 693_594, 25_568


class Book:
    """A workbook on its way to `stream`, made at `at`. Close it whether it was saved or not."""

    def __init__(self, stream: BinaryIO, at: datetime) -> None:
        self._rows = TemporaryDirectory(prefix="ifms-xlsx-")
        self._stream, self._without_rows = stream, io.BytesIO()
        self._book = xlsxwriter.Workbook(self._without_rows, _OPTIONS | {"tmpdir": self._rows.name})
        made = at.astimezone(UTC).replace(tzinfo=None, microsecond=0)
        self._book.set_properties({"author": "MUKTA IFMS adapter", "created": made})
        self._looks: dict[tuple[tuple[str, Any], ...], Any] = {}

    def sheet(self, title: str) -> Any:  # noqa: ANN401  (XlsxWriter has no types)
        """Another sheet, after those that are there; it can be filled while others are."""
        return self._book.add_worksheet(title, _Sheet)

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

    def rows(self, sheet: Any, kinds: Sequence[Kind]) -> Rows:  # noqa: ANN401  (XlsxWriter has no types)
        """What writes whole rows of cells of these kinds into a sheet that has been begun."""

        def style(number_format: str) -> str:
            return f'" s="{self._look(num_format=number_format)._get_xf_index()}"'

        puts = [(self.put(sheet, kind), _MAKERS.get(kind, _count_cell)(kind, style)) for kind in kinds]
        return Rows(sheet, kinds, puts)

    def _look(self, **given: Any) -> Any:  # noqa: ANN401  (XlsxWriter has no types)
        key = tuple(sorted(given.items()))
        if key not in self._looks:
            self._looks[key] = self._book.add_format(given)
        return self._looks[key]

    def save(self) -> None:
        """Write all of it to the stream: what XlsxWriter makes, and the rows where it has left a mark for them."""
        try:
            self._book.close()
        except FileCreateError as error:  # a full disk is one, whoever notices it
            raise error.args[0] from None
        sheets = self._book.worksheets()
        with (
            ZipFile(self._without_rows) as made,
            ZipFile(self._stream, "w", ZIP_DEFLATED, compresslevel=_FAST) as whole,
        ):
            for name in made.namelist():
                before, mark, behind = made.read(name).partition(_ROWS)
                rows = Path(sheets[int(_SHEET.findall(name)[0]) - 1].row_data_filename) if mark else None
                large = rows is not None and rows.stat().st_size > _LARGE
                with whole.open(name, "w", force_zip64=large) as part:
                    part.write(before)
                    if rows is not None:
                        with rows.open("rb") as lines:
                            shutil.copyfileobj(lines, part, _PIECE)
                    part.write(behind)

    def close(self) -> None:
        """Take away the files that the rows passed through."""
        self._rows.cleanup()


class _Sheet(Worksheet):  # type: ignore[misc]
    """A sheet that takes rows as they are in its file, too, in the order of all of its rows."""

    def come_to(self, row: int) -> None:
        """Write what was put into the rows before this one, cell by cell."""
        if row > self.previous_row:
            self._write_single_row(row)

    def write_lines(self, first: int, lines: Sequence[str]) -> None:
        """Write rows, of which the first is counted from 0."""
        self.come_to(first)
        self.write_bytes(first, "".join(lines).encode(), len(lines))

    def write_bytes(self, first: int, lines: bytes, many: int) -> None:
        """Write so many rows, of which the first is counted from 0."""
        self.come_to(first)
        self.fh.flush()
        self.fh.buffer.write(lines)
        self.previous_row = self.dim_rowmax = first + many - 1

    def _write_optimized_sheet_data(self) -> None:
        """Leave a mark for the rows: they are packed from their own file, not copied through another two."""
        if self.dim_rowmin is None:
            super()._write_optimized_sheet_data()
            return
        self._xml_start_tag("sheetData")
        self.fh.write(_ROWS.decode())
        self._xml_end_tag("sheetData")
        self.row_data_fh.close()


class Rows:
    """Whole rows of one sheet, each made as one text: XlsxWriter takes ten times as long to put each of their cells.

    The file is the same. A row with a cell that is not usual is put cell by cell.
    """

    def __init__(self, sheet: Any, kinds: Sequence[Kind], columns: Sequence[tuple[Put, Maker]]) -> None:  # noqa: ANN401
        self._sheet, self._kinds = sheet, kinds
        self._puts = [put for put, _ in columns]
        self._names = [xl_col_to_name(place) for place in range(len(columns))]
        # A cell of column B, row 7: what is before the 7 is the same in all rows.
        self._cells = [(f'<c r="{name}', make) for name, (_, make) in zip(self._names, columns, strict=True)]

    def write(self, first: int, rows: Sequence[Row]) -> None:
        """Write rows, of which the first is counted from 0, below all that are there."""
        if not rows:
            return
        self._sheet.come_to(first)  # so that looks are counted in the order in which they are seen
        if isinstance(rows, Batch) and self._write_columns(first, rows):
            return
        lines: list[str] = []
        for number, row in enumerate(rows, first):
            line = self._line(number + 1, row)
            if line is not None:
                lines.append(line)
                continue
            self._flush(number, lines)
            for place, (put, value) in enumerate(zip(self._puts, row, strict=True)):
                if value is not None:
                    put(number, place, value)
            self._sheet.come_to(number + 1)
        self._flush(first + len(rows), lines)

    def _write_columns(self, first: int, batch: Batch) -> bool:
        """Write rows that come in columns; False when one is not usual."""
        try:
            lines = cells.lines(first + 1, batch.columns, self._kinds, [make for _, make in self._cells], self._names)
        except cells.UnusualError:
            return False
        self._sheet.write_bytes(first, lines, len(batch))
        return True

    def _flush(self, behind: int, lines: list[str]) -> None:
        if lines:
            self._sheet.write_lines(behind - len(lines), lines)
            lines.clear()

    def _line(self, name: int, row: Row) -> str | None:
        """A row as the file has it; None when a cell is unusual, or all are empty."""
        made = [f'<row r="{name}">']
        for (before, behind), value in zip(self._cells, row, strict=True):
            if value is not None:
                cell = behind(value)
                if cell is None:
                    return None
                made.append(f"{before}{name}{cell}")
        made.append("</row>")
        return "".join(made) if len(made) > 2 else None


def _text_cell(kind: Kind, style_of: Style) -> Maker:
    style = style_of(FORMATS[kind])

    @lru_cache(maxsize=256)
    def make(value: Any) -> str | None:  # noqa: ANN401
        text = str(value)
        if not _USUAL.fullmatch(text) or "_x" in text:
            return None
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return f'{style} t="inlineStr"><is><t>{text}</t></is></c>'

    return make


def _money_cell(kind: Kind, style_of: Style) -> Maker:
    style, wide = style_of(FORMATS[kind]), cache(style_of)

    def make(value: Decimal | int) -> str:
        look = style if _BELOW < value < _ABOVE else wide(_wide(value))
        return f"{look}><v>{value:.16G}</v></c>"

    return make


def _count_cell(kind: Kind, style_of: Style) -> Maker:
    style = style_of(FORMATS[kind])

    def make(value: Any) -> str | None:  # noqa: ANN401
        return f"{style}><v>{value:.16G}</v></c>" if value.__class__ is int else None

    return make


def _day_cell(kind: Kind, style_of: Style) -> Maker:
    style = style_of(FORMATS[kind])

    @lru_cache(maxsize=256)
    def make(value: date) -> str | None:
        if value.__class__ is not date or value < _FIRST_DAY:
            return None
        return f"{style}><v>{value.toordinal() - _DAY_ZERO}</v></c>"

    return make


def _instant_cell(kind: Kind, style_of: Style) -> Maker:
    style = style_of(FORMATS[kind])

    def make(value: datetime) -> str | None:
        seconds = int(value.replace(microsecond=0).timestamp()) if value.tzinfo else -1  # a float may round them up
        if seconds < 0:  # India's clock was not always so far ahead
            return None
        day, second = divmod(seconds + _IST, _DAY)
        return f"{style}><v>{day + _DAY_OF_1970 + second / _DAY + 1:.16G}</v></c>"

    return make


_MAKERS: dict[Kind, Callable[[Kind, Style], Maker]] = {
    Kind.TEXT: _text_cell,
    Kind.MONEY: _money_cell,
    Kind.DATE: _day_cell,
    Kind.INSTANT: _instant_cell,
}


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
        look = other(_wide(value))
    sheet.write_number(row, column, value, look)


def _wide(value: Decimal | int) -> str:
    """The format of an amount that has more digits than the usual one groups."""
    digits = len(f"{abs(value):.2f}") - len(".00")
    return r"##\," * ((digits - 2) // 2) + "##0.00"


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
