"""A report as a workbook: a summary with its charts, and the rows, written while they come.

A sheet takes 1,048,576 rows; what is more goes on in the next sheet, and both say so. The same report is the same file:
its times are those of the report, not of the machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

from ifms.reports.files.workbook import FORMATS, Book
from ifms.reports.report import Aggregates, Column, Kind, Report, Request, Row, Shape, Table

SHEET_ROWS = 1_048_576
"""What a sheet of the format takes, its heading included."""

_SUMMARY = "Summary"
_A4 = 9
_LEAST = {Kind.DATE: 13, Kind.INSTANT: 23}  # narrower, and a spreadsheet shows ### for a date
_HEAD = {"bold": True, "pattern": 1, "fg_color": "#E7E6E6", "text_wrap": True, "valign": "top"}


class XlsxFile:
    """A sink that writes to a binary stream that can tell where it is; `sheet_rows` for tests."""

    every_row, takes_columns = True, True

    def __init__(self, stream: BinaryIO, report: Report, request: Request, *, sheet_rows: int = SHEET_ROWS) -> None:
        self._report, self._request = report, request
        self._book = Book(stream, request.as_of)
        self._summary = self._book.sheet(_SUMMARY)
        self._sheet_rows = sheet_rows
        self._sheets: list[_Rows] = []

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows, in another sheet when this one is full."""
        while rows:
            # One row is left for the sentence that it goes on, or for the sums.
            if not self._sheets or self._sheets[-1].used >= self._sheet_rows - 1:
                self._next_sheet()
            room = self._sheet_rows - 1 - self._sheets[-1].used
            self._sheets[-1].extend(rows[:room])
            rows = rows[room:]

    def finish(self, counted: Aggregates) -> None:
        """Write the sums under the rows, the summary with its charts, and the file."""
        if not self._sheets:
            self._next_sheet()
        if counted.totals:
            self._sheets[-1].total(counted.totals)
        for sheet in self._sheets:
            sheet.end()
        summary = _Summary(self._book, self._summary, self._report, self._request)
        summary.write(counted, [sheet.title for sheet in self._sheets])
        self._book.save()

    def close(self) -> None:
        """Take away what the rows passed through."""
        self._book.close()

    def _next_sheet(self) -> None:
        title = "Rows" if not self._sheets else f"Rows {len(self._sheets) + 1}"
        if self._sheets:
            self._sheets[-1].say(f"A sheet takes no more rows: they go on in the sheet '{title}'.")
        self._sheets.append(_Rows(self._book, title, self._report.columns))


class _Rows:
    """One sheet of rows."""

    def __init__(self, book: Book, title: str, columns: Sequence[Column]) -> None:
        self.title, self.used = title, 1
        self._book, self._columns = book, columns
        self._sheet = book.sheet(title)
        self._sheet.freeze_panes(1, 0)
        self._sheet.repeat_rows(0)
        self._sheet.set_landscape()
        self._sheet.set_paper(_A4)
        self._sheet.fit_to_pages(1, 0)
        for place, column in enumerate(columns):
            self._sheet.set_column(
                place, place, max(column.width, len(column.heading) + 2, _LEAST.get(column.kind, 10))
            )
            _head(book, self._sheet, 0, place, column)
        self._rows = book.rows(self._sheet, [column.kind for column in columns])

    def extend(self, rows: Sequence[Row]) -> None:
        """The next rows."""
        self._rows.write(self.used, rows)
        self.used += len(rows)

    def total(self, totals: dict[str, Any]) -> None:
        """A last row with the columns' sums."""
        self.say("Total")
        for place, column in enumerate(self._columns):
            if place and totals.get(column.name) is not None:
                self._book.put(self._sheet, column.kind, bold=True)(self.used, place, totals[column.name])

    def say(self, sentence: str) -> None:
        """A last row with a sentence."""
        self._book.put(self._sheet, Kind.TEXT, bold=True)(self.used, 0, sentence)

    def end(self) -> None:
        """What belongs to the sheet as a whole: a filter, which hides no sums and no sentence."""
        self._sheet.autofilter(0, 0, self.used - 1, len(self._columns) - 1)


def _head(book: Book, sheet: Any, row: int, place: int, column: Column) -> None:  # noqa: ANN401  (untyped)
    unit = {Kind.MONEY: " (₹)", Kind.INSTANT: " (IST)"}.get(column.kind, "")
    put = book.put(sheet, Kind.TEXT, **_HEAD, align="right" if column.kind.is_number else "left")
    put(row, place, column.heading + unit)


class _Summary:
    """The first sheet: what was asked for, each table with its sums, each chart beside its table."""

    def __init__(self, book: Book, sheet: Any, report: Report, request: Request) -> None:  # noqa: ANN401  (untyped)
        self._book, self._sheet, self._report, self._request = book, sheet, report, request
        self._row = 0

    def write(self, counted: Aggregates, sheets: Sequence[str]) -> None:
        from ifms.reports.aggregates import rows_of

        self._sheet.set_column(0, 0, 24)
        self._sheet.set_column(1, max((len(table.columns) for table in self._report.tables), default=2) - 1, 18)
        self._say(self._report.title, bold=True, font_size=14)
        self._say(self._report.about)
        self._row += 1
        for name, value in self._request.described():
            self._asked(name, value, Kind.TEXT)
        self._asked("Rows", counted.rows, Kind.COUNT)
        if len(sheets) > 1:
            self._say(
                f"One sheet takes {SHEET_ROWS:,} rows at most: they go on from sheet to sheet, {', '.join(sheets)}."
            )
        self._say("Amounts are in rupees, times are Indian Standard Time.")
        for table in self._report.tables:
            self._table(table, rows_of(table.make(counted)))

    def _table(self, table: Table, rows: Sequence[Row]) -> None:
        self._row += 1
        self._say(table.title, bold=True, font_size=12)
        first = self._row
        for place, column in enumerate(table.columns):
            _head(self._book, self._sheet, first, place, column)
        self._row += 1
        for row in rows:
            self._line(table, row)
        if any(column.total for column in table.columns) and len(rows) > 1:
            sums = [sum(row[place] or 0 for row in rows) if c.total else None for place, c in enumerate(table.columns)]
            self._book.put(self._sheet, Kind.TEXT, bold=True)(self._row, 0, "Total")
            self._line(table, [None, *sums[1:]], bold=True)
        if table.chart and rows:
            self._chart(table, first, rows[: table.chart.at_most])

    def _chart(self, table: Table, head: int, rows: Sequence[Row]) -> None:
        assert table.chart is not None
        names = [column.name for column in table.columns]
        kind = "line" if table.chart.shape is Shape.LINES else "bar" if table.chart.lying else "column"
        stacked = {"subtype": "stacked"} if table.chart.shape is Shape.STACKED else {}
        drawn = self._book.chart({"type": kind, **stacked})

        def below(place: int) -> list[Any]:
            return [_SUMMARY, head + 1, place, head + len(rows), place]

        category = below(names.index(table.chart.category))
        for place in map(names.index, table.chart.series):
            drawn.add_series({"name": [_SUMMARY, head, place], "categories": category, "values": below(place)})
        drawn.set_title({"name": table.chart.title, "name_font": {"size": 12}})
        drawn.set_size({"width": 756, "height": 340})
        scale = drawn.set_x_axis if kind == "bar" else drawn.set_y_axis  # XlsxWriter turns the axes with the bars
        scale({"num_format": FORMATS[table.columns[names.index(table.chart.series[0])].kind].replace(".00", "")})
        drawn.set_legend({"position": "bottom"})
        self._sheet.insert_chart(self._row + 1, 0, drawn)
        self._row += 20  # the chart lies over these

    def _line(self, table: Table, values: Row, **look: Any) -> None:
        for place, (column, value) in enumerate(zip(table.columns, values, strict=True)):
            if value is not None:
                self._book.put(self._sheet, column.kind, **look)(self._row, place, value)
        self._row += 1

    def _asked(self, name: str, value: object, kind: Kind) -> None:
        self._book.put(self._sheet, Kind.TEXT, bold=True)(self._row, 0, name)
        self._book.put(self._sheet, kind)(self._row, 1, value)
        self._row += 1

    def _say(self, sentence: str, **look: Any) -> None:
        self._book.put(self._sheet, Kind.TEXT, **look)(self._row, 0, sentence)
        self._row += 1
