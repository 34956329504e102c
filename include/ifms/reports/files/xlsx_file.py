"""A report as a workbook: a summary with its charts, and the rows, written while they come.

A sheet takes 1,048,576 rows; what is more goes on in the next sheet, and both say so. The same report is the same file:
its times are those of the report, not of the machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from openpyxl import Workbook  # type: ignore[import-untyped]
from openpyxl.cell import WriteOnlyCell  # type: ignore[import-untyped]
from openpyxl.chart import BarChart, LineChart, Reference  # type: ignore[import-untyped]
from openpyxl.styles import Alignment, Font, PatternFill  # type: ignore[import-untyped]
from openpyxl.utils import get_column_letter  # type: ignore[import-untyped]
from openpyxl.utils.datetime import to_excel  # type: ignore[import-untyped]
from openpyxl.worksheet.worksheet import Worksheet  # type: ignore[import-untyped]
from openpyxl.writer.excel import ExcelWriter  # type: ignore[import-untyped]

from ifms import clock
from ifms.reports.files.sheets import printable
from ifms.reports.report import Column, Kind, Report, Request, Row, Shape, Table

if TYPE_CHECKING:
    from ifms.reports.counting import Counted

SHEET_ROWS = 1_048_576
"""What a sheet of the format takes, its heading included."""

_RUPEES = r"[>=10000000]##\,##\,##\,##0.00;[>=100000]##\,##\,##0.00;#,##0.00"
_FORMATS = {
    Kind.TEXT: "@",
    Kind.MONEY: _RUPEES,
    Kind.COUNT: "#,##0",
    Kind.MILLISECONDS: "#,##0",
    Kind.PERCENT: "0.0",
    Kind.DATE: "yyyy-mm-dd",
    Kind.INSTANT: "yyyy-mm-dd hh:mm:ss",
}
_HEAD = Font(bold=True)
_SHADE = PatternFill("solid", fgColor="E7E6E6")
_EARLIEST = (1980, 1, 1, 0, 0, 0)


class XlsxFile:
    """A sink that writes to a binary stream that can tell where it is; `sheet_rows` for tests."""

    def __init__(self, stream: BinaryIO, report: Report, request: Request, *, sheet_rows: int = SHEET_ROWS) -> None:
        self._stream, self._report, self._request = stream, report, request
        self._book = Workbook(write_only=True)
        self._summary = self._book.create_sheet("Summary")
        self._sheet_rows = sheet_rows
        self._sheets: list[_Rows] = []

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows, in another sheet when this one is full."""
        for row in rows:
            # One row is left for the sentence that it goes on, or for the sums.
            if not self._sheets or self._sheets[-1].used >= self._sheet_rows - 1:
                self._next_sheet()
            self._sheets[-1].append(row)

    def finish(self, counted: Counted) -> None:
        """Write the sums under the rows, the summary with its charts, and the file."""
        if not self._sheets:
            self._next_sheet()
        if counted.totals:
            self._sheets[-1].total(counted.totals)
        for sheet in self._sheets:
            sheet.close()
        _Summary(self._summary, self._report, self._request).write(counted, [sheet.title for sheet in self._sheets])
        _save(self._book, self._stream, self._request.as_of)

    def _next_sheet(self) -> None:
        title = "Rows" if not self._sheets else f"Rows {len(self._sheets) + 1}"
        if self._sheets:
            self._sheets[-1].say(f"A sheet takes no more rows: they go on in the sheet '{title}'.")
        self._sheets.append(_Rows(self._book.create_sheet(title), title, self._report.columns))


class _Rows:
    """One sheet of rows, written as text into openpyxl's stream: an object for each cell takes six times as long."""

    def __init__(self, sheet: Any, title: str, columns: Sequence[Column]) -> None:  # noqa: ANN401  (untyped)
        self.title, self.used = title, 1
        self._sheet, self._columns = sheet, columns
        sheet.freeze_panes = "A2"
        sheet.print_title_rows = "1:1"
        sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", Worksheet.PAPERSIZE_A4
        sheet.page_setup.fitToHeight = 0
        sheet.sheet_properties.pageSetUpPr.fitToPage = True
        for place, column in enumerate(columns, 1):
            sheet.column_dimensions[get_column_letter(place)].width = max(column.width, len(column.heading) + 2, 10)
        sheet.append([_head(sheet, column) for column in columns])
        self._writers = [
            _writer(get_column_letter(place), _cell(sheet, column.kind).style_id, column.kind)
            for place, column in enumerate(columns, 1)
        ]
        sheet._values_to_row = lambda values, _: values
        sheet._writer.write_row = self._write

    def append(self, row: Row) -> None:
        """The next row."""
        self.used += 1
        self._sheet.append(row if isinstance(row, tuple) else tuple(row))

    def total(self, totals: dict[str, Any]) -> None:
        """A last row with the columns' sums."""
        cells = [_cell(self._sheet, each.kind, totals.get(each.name), bold=True) for each in self._columns]
        self._last(cells, "Total")

    def say(self, sentence: str) -> None:
        """A last row with a sentence."""
        self._last([None], sentence)

    def close(self) -> None:
        """What belongs to the sheet as a whole."""
        self._sheet.auto_filter.ref = f"A1:{get_column_letter(len(self._columns))}{self.used}"

    def _last(self, cells: list[Any], first: str) -> None:
        del self._sheet._values_to_row, self._sheet._writer.write_row
        self._sheet.append([_cell(self._sheet, Kind.TEXT, first, bold=True), *cells[1:]])

    def _write(self, stream: Any, row: Row, number: int) -> None:  # noqa: ANN401  (untyped)
        cells = [write(number, value) for write, value in zip(self._writers, row, strict=True) if value is not None]
        stream._file(f'<row r="{number}">{"".join(cells)}</row>')


def _writer(letter: str, style: int, kind: Kind) -> Callable[[int, Any], str]:
    """What writes a column's cells: a text is a text whatever it begins with, a Decimal keeps each of its digits."""
    if kind is Kind.TEXT:
        return lambda number, value: (
            f'<c r="{letter}{number}" s="{style}" t="inlineStr"><is><t xml:space="preserve">'
            f"{escape(printable(str(value)))}</t></is></c>"
        )
    convert = {Kind.DATE: to_excel, Kind.INSTANT: _serial}.get(kind, str)
    return lambda number, value: f'<c r="{letter}{number}" s="{style}" t="n"><v>{convert(value)}</v></c>'


def _serial(instant: datetime) -> str:
    """An instant as a spreadsheet counts: days, in IST, to the second."""
    return f"{to_excel(clock.to_ist(instant).replace(tzinfo=None, microsecond=0)):.6f}"


def _cell(sheet: Any, kind: Kind, value: Any = None, *, bold: bool = False) -> Any:  # noqa: ANN401  (untyped)
    cell = WriteOnlyCell(sheet, None)
    cell.number_format = _FORMATS[kind]
    if bold:
        cell.font = _HEAD
    if kind is Kind.TEXT and value is not None:
        cell.value = printable(str(value))
        cell.data_type = "s"  # openpyxl takes what begins with = for a formula
    elif value is not None:
        cell.value = clock.to_ist(value).replace(tzinfo=None) if kind is Kind.INSTANT else value
        cell.number_format = _FORMATS[kind]  # openpyxl has one of its own for dates
    return cell


def _head(sheet: Any, column: Column) -> Any:  # noqa: ANN401  (untyped)
    said = f"{column.heading} (₹)" if column.kind is Kind.MONEY else column.heading
    cell = _cell(sheet, Kind.TEXT, f"{said} (IST)" if column.kind is Kind.INSTANT else said, bold=True)
    cell.fill = _SHADE
    cell.alignment = Alignment(horizontal="right" if column.kind.is_number else "left", wrap_text=True, vertical="top")
    return cell


class _Summary:
    """The first sheet: what was asked for, each table with its sums, each chart beside its table."""

    def __init__(self, sheet: Any, report: Report, request: Request) -> None:  # noqa: ANN401  (untyped)
        self._sheet, self._report, self._request = sheet, report, request
        self._row = 0

    def write(self, counted: Counted, sheets: Sequence[str]) -> None:
        from ifms.reports.counting import rows_of  # noqa: PLC0415  (pandas is slow to load)

        for place in range(1, 1 + max(len(table.columns) for table in self._report.tables)):
            self._sheet.column_dimensions[get_column_letter(place)].width = 24 if place == 1 else 18
        self._say(self._report.title, size=14)
        self._say(self._report.about)
        self._say("")
        for name, value in self._request.said():
            self._append([_cell(self._sheet, Kind.TEXT, name, bold=True), _cell(self._sheet, Kind.TEXT, value)])
        self._append([_cell(self._sheet, Kind.TEXT, "Rows", bold=True), _cell(self._sheet, Kind.COUNT, counted.rows)])
        if len(sheets) > 1:
            self._say(
                f"One sheet takes {SHEET_ROWS:,} rows at most: they go on from sheet to sheet, {', '.join(sheets)}."
            )
        self._say("Amounts are in rupees, times are Indian Standard Time.")
        for table in self._report.tables:
            self._table(table, rows_of(table.make(counted)))

    def _table(self, table: Table, rows: Sequence[Row]) -> None:
        self._say("")
        self._say(table.title, size=12)
        self._append([_head(self._sheet, column) for column in table.columns])
        first = self._row
        for row in rows:
            self._append([_cell(self._sheet, c.kind, v) for c, v in zip(table.columns, row, strict=True)])
        if any(column.total for column in table.columns) and len(rows) > 1:
            sums = [sum(row[place] or 0 for row in rows) if c.total else None for place, c in enumerate(table.columns)]
            cells = [_cell(self._sheet, c.kind, v, bold=True) for c, v in zip(table.columns, sums, strict=True)]
            self._append([_cell(self._sheet, Kind.TEXT, "Total", bold=True), *cells[1:]])
        if table.chart and rows:
            self._chart(table, first, min(len(rows), table.chart.at_most))

    def _chart(self, table: Table, head: int, many: int) -> None:
        assert table.chart is not None
        names = [column.name for column in table.columns]
        drawn = LineChart() if table.chart.shape is Shape.LINES else BarChart()
        if isinstance(drawn, BarChart):
            drawn.type = "bar" if table.chart.lying else "col"
            if table.chart.shape is Shape.STACKED:
                drawn.grouping, drawn.overlap = "stacked", 100
        for name in table.chart.series:
            place = names.index(name) + 1
            drawn.add_data(Reference(self._sheet, place, head, place, head + many), titles_from_data=True)
        place = names.index(table.chart.category) + 1
        drawn.set_categories(Reference(self._sheet, place, head + 1, place, head + many))
        drawn.title = table.chart.title
        drawn.height, drawn.width = 9.0, 20.0
        drawn.x_axis.delete = drawn.y_axis.delete = False
        drawn.y_axis.number_format = "#,##0"
        drawn.legend.position = "b"
        self._sheet.add_chart(drawn, f"A{self._row + 2}")
        for _ in range(20):  # the chart lies over these
            self._say("")

    def _say(self, sentence: str, size: int | None = None) -> None:
        cell = _cell(self._sheet, Kind.TEXT, sentence or None)
        if size:
            cell.font = Font(bold=True, size=size)
        self._append([cell])

    def _append(self, cells: list[Any]) -> None:
        self._row += 1
        self._sheet.append(cells)


class _DatedZip(ZipFile):
    """An archive whose members all bear one time: openpyxl writes the machine's into each."""

    def __init__(self, stream: BinaryIO, at: datetime) -> None:
        super().__init__(stream, "w", ZIP_DEFLATED, allowZip64=True)
        self._at = max(clock.to_ist(at).timetuple()[:6], _EARLIEST)
        self._modified = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()

    def writestr(self, zinfo_or_arcname: Any, data: Any, *_: Any, **__: Any) -> None:  # noqa: ANN401  (zipfile's)
        written = data.encode() if isinstance(data, str) else data
        if zinfo_or_arcname == "docProps/core.xml":
            written = re.sub(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*", rb"\g<1>" + self._modified, written)
        super().writestr(self._member(zinfo_or_arcname), written)

    def write(self, filename: Any, arcname: Any = None, *_: Any, **__: Any) -> None:  # noqa: ANN401  (zipfile's)
        member = self._member(arcname or filename)
        with open(filename, "rb") as source, self.open(member, "w", force_zip64=True) as target:
            while block := source.read(1 << 16):
                target.write(block)

    def _member(self, name: str) -> ZipInfo:
        member = ZipInfo(str(name), self._at)
        member.compress_type = ZIP_DEFLATED
        return member


def _save(book: Any, stream: BinaryIO, at: datetime) -> None:  # noqa: ANN401  (untyped)
    book.properties.creator = "MUKTA IFMS adapter"
    ExcelWriter(book, _DatedZip(stream, at)).save()
