"""A report on paper: what was asked for, charts, sums, and the rows as long as somebody would turn their pages.

A4 across; each page has the report's title, its period, its `as of` and its number. The same report is the same file.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC
from typing import Any, BinaryIO

from matplotlib.backends.backend_pdf import PdfPages
from pypdf import PdfReader, PdfWriter, Transformation
from reportlab.lib import colors  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]
from reportlab.platypus import (  # type: ignore[import-untyped]
    BaseDocTemplate,
    CondPageBreak,
    Frame,
    PageTemplate,
    Spacer,
    Table,
)

from ifms.money import grouped_count
from ifms.reports.files import pdf_layout
from ifms.reports.files.pdf_layout import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Lines, Picture
from ifms.reports.report import Aggregates, Report, Request, Row
from ifms.reports.report import Table as Sums

_PART = 500
"""So many rows are one table: a longer one costs more with each page that it is broken at."""
_TABLE_ROWS = 60
_CHART_HEIGHT = 132.0
_ROOM = BOTTOM - 16 - TOP - 20
"""The height of a page between its head and its foot."""
_TABLE_ROOM = 120.0  # a table does not begin lower than this above the foot
_ASKED, _ASKED_SIZE = 96.0, 8.5
_CHART_LEFT = {True: 160.0, False: 62.0}  # names of heads of account and of reasons are long


class PdfFile:
    """A sink that writes to a binary stream; `at_most` rows one by one, else as many as the report has printed."""

    every_row, takes_columns = False, False

    def __init__(self, stream: BinaryIO, report: Report, request: Request, *, at_most: int | None = None) -> None:
        self._stream, self._report, self._request = stream, report, request
        self._at_most = report.printed if at_most is None else at_most
        self._parts: list[Sequence[Row]] = []
        self._added = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Keep rows while they are few enough to be printed."""
        self._added += len(rows)
        if self._added <= self._at_most:
            self._parts.append(rows)
        else:
            self._parts.clear()

    def finish(self, counted: Aggregates) -> None:
        """Lay the pages out, and write them."""
        with pdf_layout.settings():
            made = _Document(self._report, self._request)
            made.cover(counted)
            made.tables(counted)
            if counted.rows <= self._at_most:
                made.rows([row for part in self._parts for row in part], counted)
            else:
                made.left_out(counted.rows, self._at_most)
            made.save(self._stream)

    def close(self) -> None:
        """Nothing is held."""


class _Document:
    """The pages: ReportLab lays them out and breaks tables, matplotlib's charts are put where room was left."""

    def __init__(self, report: Report, request: Request) -> None:
        self._report, self._request = report, request
        self._story: list[Any] = []
        self._pictures: list[Picture] = []

    def _say(self, text: str, size: float, *, bold: bool = False, after: float = 4) -> None:
        self._story.append(Lines(text, size, bold=bold, after=after))

    def cover(self, counted: Aggregates) -> None:
        """The first page: title, what was asked for, the first charts."""
        self._say(self._report.title, 17, bold=True, after=3)
        self._say(self._report.about, 8.5, after=7)
        asked = [*self._request.described(), ("Rows", grouped_count(counted.rows))]
        cells = [
            [name, pdf_layout.fitted(pdf_layout.drawable(value), RIGHT - LEFT - _ASKED, _ASKED_SIZE)]
            for name, value in asked
        ]
        style = [
            ("FONT", (0, 0), (0, -1), pdf_layout.font(bold=True), _ASKED_SIZE, 12),
            ("FONT", (1, 0), (1, -1), pdf_layout.font(), _ASKED_SIZE, 12),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 0),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 0),
            ("BOTTOMPADDING", (0, -1), (-1, -1), 8),
            ("LINEBELOW", (0, -1), (-1, -1), 0.6, colors.black),
        ]
        self._story += [Table(cells, [_ASKED, RIGHT - LEFT - _ASKED], style=style, hAlign="LEFT"), Spacer(0, 14)]

    def tables(self, counted: Aggregates) -> None:
        """The charts, then the sums that they are drawn from."""
        from ifms.reports.aggregates import rows_of

        made = [(table, rows_of(table.make(counted))) for table in self._report.tables]
        for table, rows in made:
            if table.chart and rows:
                self._chart(table, rows)
        for table, rows in made:
            if rows:
                self._table(table, rows)

    def _chart(self, table: Sums, rows: Sequence[Row]) -> None:
        assert table.chart is not None
        bars = min(len(rows), table.chart.at_most) * (len(table.chart.series) if table.chart.shape == "grouped" else 1)
        height = max(90.0, min(_CHART_HEIGHT, 40.0 + 17 * bars)) if table.chart.lying else _CHART_HEIGHT
        below = 24.0 if table.chart.lying else 44.0
        picture = Picture(height, 30.0, below, _CHART_LEFT[table.chart.lying], RIGHT - LEFT - 30)
        pdf_layout.draw(picture.axes, table.chart, table.columns, rows)
        self._pictures.append(picture)
        self._story.append(picture)

    def _table(self, table: Sums, rows: Sequence[Row]) -> None:
        shown = rows[:_TABLE_ROWS]
        total = None
        if any(column.total for column in table.columns) and len(rows) > 1:
            sums = [sum(row[place] or 0 for row in rows) if c.total else None for place, c in enumerate(table.columns)]
            total = ["Total", *sums[1:]]
        self._story.append(CondPageBreak(_TABLE_ROOM))
        self._say(table.title, 10, bold=True)
        self._story += [pdf_layout.table(table.columns, shown, total, size=7.5, fill=False), Spacer(0, 8)]
        if len(rows) > len(shown):
            more = grouped_count(len(rows) - len(shown))
            self._say(f"And {more} more: the workbook (XLSX) has all of them.", 7.5, after=8)
        self._story.append(Spacer(0, 6))

    def rows(self, rows: Sequence[Row], counted: Aggregates) -> None:
        """All rows, one by one."""
        places = [place for place, column in enumerate(self._report.columns) if column.on_paper]
        columns = [self._report.columns[place] for place in places]
        total = None
        if counted.totals:
            total = ["Total", *(counted.totals.get(column.name) for column in columns[1:])]
        lines = [[row[place] for place in places] for row in rows]
        self._story.append(CondPageBreak(_ROOM - 1))
        for first in range(0, max(len(lines), 1), _PART):
            part, last = lines[first : first + _PART], first + _PART >= len(lines)
            self._story.append(pdf_layout.table(columns, part, total if last else None, size=6.6, fill=True))

    def left_out(self, many: int, at_most: int) -> None:
        """Instead of thousands of pages."""
        self._say(
            f"The {grouped_count(many)} rows are not printed one by one: that is done up to "
            f"{grouped_count(at_most)}. The sums above are of all of them; CSV and XLSX have each.",
            8.5,
            bold=True,
        )

    def save(self, stream: BinaryIO) -> None:
        """Lay the pages out, put the charts into them, and write them."""
        laid = io.BytesIO()
        document = BaseDocTemplate(laid, pagesize=(WIDTH, HEIGHT), invariant=1)
        document.addPageTemplates(
            [
                PageTemplate("first", _frame(_ROOM + 20), autoNextPageTemplate="later"),
                PageTemplate("later", _frame(_ROOM), onPage=self._head),
            ]
        )
        document.build(self._story, canvasmaker=_Numbered)
        drawn = io.BytesIO()
        with PdfPages(drawn) as charts:
            for picture in self._pictures:
                charts.savefig(picture.figure)
        pages = PdfWriter(clone_from=PdfReader(laid))
        for picture, chart in zip(self._pictures, PdfReader(drawn).pages if self._pictures else (), strict=True):
            page = pages.pages[picture.page]
            page.merge_transformed_page(chart, Transformation().translate(*picture.at))
        for page in pages.pages:
            page.compress_content_streams()
        pages.metadata = {
            "/Title": f"{self._report.title}, {self._request.period.described}",
            "/Creator": "MUKTA IFMS adapter",
            "/CreationDate": self._request.as_of.astimezone(UTC).strftime("D:%Y%m%d%H%M%SZ"),
        }
        pages.write(stream)

    def _head(self, canvas: Canvas, _: object) -> None:
        line = f"{self._report.title} · {self._request.period.described} · as of {self._request.known_at}"
        canvas.setFont(pdf_layout.font(), 7.5)
        canvas.drawString(LEFT, HEIGHT - TOP - 6, pdf_layout.fitted(pdf_layout.drawable(line), RIGHT - LEFT, 7.5))
        _rule(canvas, HEIGHT - TOP - 10)


def _frame(height: float) -> Frame:
    return Frame(LEFT, HEIGHT - BOTTOM + 16, RIGHT - LEFT, height, 0, 0, 0, 0)


def _rule(canvas: Canvas, y: float) -> None:
    canvas.setLineWidth(0.4)
    canvas.line(LEFT, y, RIGHT, y)


class _Numbered(Canvas):  # type: ignore[misc]
    """Pages that know at the end how many they are."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._states: list[dict[str, Any]] = []

    def showPage(self) -> None:
        """Keep the page until its foot can be written."""
        self._states.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        """Write each page's foot, and all of them."""
        for number, state in enumerate(self._states, 1):
            self.__dict__.update(state)
            _rule(self, HEIGHT - BOTTOM + 8)
            self.setFont(pdf_layout.font(), 7)
            self.drawString(LEFT, HEIGHT - BOTTOM, "Amounts in rupees (₹) · times in Indian Standard Time (IST)")
            self.drawRightString(RIGHT, HEIGHT - BOTTOM, f"Page {number} of {len(self._states)}")
            super().showPage()
        super().save()
