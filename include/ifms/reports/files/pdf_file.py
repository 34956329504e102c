"""A report on paper: what was asked for, charts, sums, and the rows as long as somebody would turn their pages.

A4 across; each page has the report's title, its period, its `as of` and its number. The same report is the same file.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any, BinaryIO

from matplotlib.backends.backend_pdf import PdfPages

from ifms.money import grouped_count
from ifms.reports.files import paper
from ifms.reports.files.paper import BOTTOM, LEFT, RIGHT, Grid, Page
from ifms.reports.report import Report, Request, Row, Table

if TYPE_CHECKING:
    from ifms.reports.counting import Counted

ROWS = 1000
"""So many rows are printed one by one; of more, the sums are, and a sentence that says where all of them are."""
_TABLE_ROWS = 60
_CHART_HEIGHT = 132.0
_CHART_LEFT = {True: LEFT + 160, False: LEFT + 62}  # names of heads of account and of reasons are long


class PdfFile:
    """A sink that writes to a binary stream; `at_most` rows one by one."""

    def __init__(self, stream: BinaryIO, report: Report, request: Request, *, at_most: int = ROWS) -> None:
        self._stream, self._report, self._request, self._at_most = stream, report, request, at_most
        self._rows: list[Row] = []

    def add(self, rows: Sequence[Row]) -> None:
        """Keep rows while they are few enough to be printed."""
        missing = self._at_most + 1 - len(self._rows)
        self._rows += rows[: max(0, missing)]

    def finish(self, counted: Counted) -> None:
        """Lay the pages out, and write them."""
        with paper.settings():
            made = _Document(self._report, self._request)
            made.cover(counted)
            made.tables(counted)
            if counted.rows <= self._at_most:
                made.rows(self._rows, counted)
            else:
                made.left_out(counted.rows, self._at_most)
            made.save(self._stream)

    def close(self) -> None:
        """Nothing is held."""


class _Document:
    def __init__(self, report: Report, request: Request) -> None:
        self._report, self._request = report, request
        self._pages: list[Page] = []

    def _new_page(self) -> Page:
        page = Page()
        self._pages.append(page)
        if len(self._pages) > 1:
            said = f"{self._report.title} · {self._request.period.said} · as of {self._request.known_at}"
            page.y += 6
            page.text(LEFT, page.y, paper.fitted(said, RIGHT - LEFT, 7.5), 7.5)
            page.y += 4
            page.line(page.y, weight=0.4)
            page.y += 10
        return page

    @property
    def _page(self) -> Page:
        return self._pages[-1]

    def cover(self, counted: Counted) -> None:
        """The first page: title, what was asked for, the first charts."""
        page = self._new_page()
        page.say(self._report.title, 17, bold=True, after=3)
        page.say(self._report.about, 8.5, after=7)
        asked = [*self._request.said(), ("Rows", grouped_count(counted.rows))]
        for name, value in asked:
            page.y += 12
            page.text(LEFT, page.y, name, 8.5, bold=True)
            page.text(LEFT + 96, page.y, paper.fitted(value, RIGHT - LEFT - 96, 8.5), 8.5)
        page.y += 8
        page.line(page.y)
        page.y += 14

    def tables(self, counted: Counted) -> None:
        """The charts, then the sums that they are drawn from."""
        from ifms.reports.counting import rows_of  # noqa: PLC0415  (pandas is slow to load)

        made = [(table, rows_of(table.make(counted))) for table in self._report.tables]
        for table, rows in made:
            if table.chart and rows:
                self._chart(table, rows)
        for table, rows in made:
            if rows:
                self._table(table, rows)

    def _chart(self, table: Table, rows: Sequence[Row]) -> None:
        assert table.chart is not None
        bars = min(len(rows), table.chart.at_most) * (len(table.chart.series) if table.chart.shape == "grouped" else 1)
        height = max(90.0, min(_CHART_HEIGHT, 40.0 + 17 * bars)) if table.chart.lying else _CHART_HEIGHT
        around = 30.0 + (24.0 if table.chart.lying else 44.0)
        if self._page.room < height + around:
            self._new_page()
        page = self._page
        page.y += 30
        axes = page.axes(height, _CHART_LEFT[table.chart.lying], RIGHT - 30)
        paper.draw(axes, table.chart, table.columns, rows)
        page.y += around - 30

    def _table(self, table: Table, rows: Sequence[Row]) -> None:
        grid = Grid(table.columns, size=7.5, fill=False)
        shown = rows[:_TABLE_ROWS]
        if self._page.room < grid.head_height + 34 + min(len(shown) + 1, 6) * grid.pitch:
            self._new_page()
        self._page.say(table.title, 10, bold=True, after=4)
        grid.head(self._page)
        for row in shown:
            self._line(grid, row)
        if any(column.total for column in table.columns) and len(rows) > 1:
            sums = [sum(row[place] or 0 for row in rows) if c.total else None for place, c in enumerate(table.columns)]
            self._line(grid, ["Total", *sums[1:]], bold=True)
        grid.end(self._page)
        self._page.y += 6
        if len(rows) > len(shown):
            self._page.say(
                f"And {grouped_count(len(rows) - len(shown))} more: the workbook (XLSX) has all of them.", 7.5, after=8
            )
        self._page.y += 6

    def _line(self, grid: Grid, values: Sequence[Any], *, bold: bool = False) -> None:
        cells = grid.cells(values, bold=bold)
        if self._page.room < grid.height(cells) + 4:
            grid.end(self._page)
            grid.head(self._new_page())
        grid.row(self._page, cells, bold=bold)

    def rows(self, rows: Sequence[Row], counted: Counted) -> None:
        """All rows, one by one."""
        places = [place for place, column in enumerate(self._report.columns) if column.on_paper]
        grid = Grid([self._report.columns[place] for place in places], size=6.6)
        self._new_page()
        grid.head(self._page)
        for row in rows:
            self._line(grid, [row[place] for place in places])
        if counted.totals:
            sums = [counted.totals.get(column.name) for column in grid.columns]
            self._line(grid, ["Total", *sums[1:]], bold=True)
        grid.end(self._page)

    def left_out(self, many: int, at_most: int) -> None:
        """Instead of thousands of pages."""
        if self._page.room < 40:
            self._new_page()
        self._page.say(
            f"The {grouped_count(many)} rows are not printed one by one: that is done up to "
            f"{grouped_count(at_most)}. The sums above are of all of them; CSV and XLSX have each.",
            8.5, bold=True,
        )  # fmt: skip

    def save(self, stream: BinaryIO) -> None:
        """Number the pages and write them, one after the other."""
        about = {
            "Title": f"{self._report.title}, {self._request.period.said}", "Creator": "MUKTA IFMS adapter",
            "Producer": "matplotlib", "CreationDate": self._request.as_of.astimezone(UTC),
        }  # fmt: skip
        with PdfPages(stream, metadata=about) as document:
            for number, page in enumerate(self._pages, 1):
                page.line(BOTTOM - 8, weight=0.4)
                page.text(LEFT, BOTTOM, "Amounts in rupees (₹) · times in Indian Standard Time (IST)", 7)
                page.text(RIGHT, BOTTOM, f"Page {number} of {len(self._pages)}", 7, right=True)
                document.savefig(page.figure)
