"""Layout of a PDF's A4 pages: text that fits its column, tables (ReportLab's), charts (matplotlib's).

Everything is measured in points (1/72 inch). Widths come from the font itself, so nothing runs into its neighbour; what
is too long ends with an ellipsis. Charts need no colour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import FuncFormatter, MaxNLocator
from reportlab.lib import colors  # type: ignore[import-untyped]
from reportlab.pdfbase import pdfmetrics  # type: ignore[import-untyped]
from reportlab.pdfbase.ttfonts import TTFont  # type: ignore[import-untyped]
from reportlab.platypus import Flowable, LongTable  # type: ignore[import-untyped]

from ifms import clock
from ifms.money import grouped, grouped_count
from ifms.reports.report import Chart, Column, Kind, Row, Shape

WIDTH, HEIGHT = 841.89, 595.28
"""A4, lying, in points."""
LINES = 3
"""A cell's text takes so many lines at most."""
LEFT, RIGHT, TOP, BOTTOM = 36.0, WIDTH - 36.0, 34.0, HEIGHT - 30.0

LEADING = 1.2
"""From line to line, in sizes of the font."""

_FONTS = Path(matplotlib.get_data_path()) / "fonts/ttf"
_TITLE = FontProperties(fname=_FONTS / "DejaVuSans-Bold.ttf")
_SIDES = (2, 4)  # room at the left and at the right of a cell
# Told apart without colour: by lightness, by hatching, and by their order in the legend.
_FILLS = (
    ("#404040", ""),
    ("#d9d9d9", "///"),
    ("#8c8c8c", ""),
    ("#f2f2f2", "..."),
    ("#bfbfbf", "xxx"),
    ("#ffffff", "\\\\\\"),
)
_LINES = (("#000000", "-", "o"), ("#707070", "--", "s"), ("#404040", ":", "^"))
_SETTINGS: Any = {
    "pdf.fonttype": 42,  # the font itself: its text can be searched and copied
    "font.family": "DejaVu Sans",
    "text.parse_math": False,  # a $ in what the treasury said is a $
    "hatch.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@contextmanager
def settings() -> Iterator[None]:
    """What charts are drawn within."""
    with matplotlib.rc_context(_SETTINGS):
        yield


def cell_text(value: Any, kind: Kind) -> str:  # noqa: ANN401  (whatever a cell may hold)
    """A cell as people read it on paper."""
    if value is None:
        return ""
    match kind:
        case Kind.MONEY:
            return grouped(Decimal(value))
        case Kind.COUNT | Kind.MILLISECONDS:
            return grouped_count(round(value))
        case Kind.PERCENT:
            return f"{value:.1f}"
        case Kind.DATE if isinstance(value, date):
            return f"{value.day} {value:%b %Y}"
        case Kind.INSTANT if isinstance(value, datetime):
            local = clock.to_ist(value)
            return f"{local.day} {local:%b %Y, %H:%M}"
    return " ".join(drawable(str(value)).split())


@cache
def _drawn(character: str) -> str:
    """A character as the font has it: none that only controls something, a box for one that is not in it."""
    if character.isspace():
        return " "
    if not character.isprintable():
        return ""
    return character if ord(character) in _face(bold=False).face.charToGlyph else "□"


def drawable(text: str) -> str:
    """A text that the font can draw whatever the treasury said."""
    return "".join(map(_drawn, text))


def heading(column: Column) -> str:
    """A column's heading with the unit of what is below it."""
    return f"{column.heading} (₹)" if column.kind is Kind.MONEY else column.heading


@cache
def _face(bold: bool) -> TTFont:
    name = "DejaVuSans-Bold" if bold else "DejaVuSans"
    face = TTFont(name, str(_FONTS / f"{name}.ttf"))
    pdfmetrics.registerFont(face)
    return face


def font(*, bold: bool = False) -> str:
    """The name by which ReportLab knows the font."""
    return str(_face(bold).fontName)


@lru_cache(maxsize=100_000)
def measure(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a text is, in points."""
    return float(_face(bold).stringWidth(text, size))


def fitted(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """As much of a text as fits, with an ellipsis where something is missing."""
    if measure(text, size, bold=bold) <= width:
        return text
    kept = text
    while kept and measure(kept + "…", size, bold=bold) > width:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def wrapped(text: str, width: float, size: float, *, bold: bool = False, at_most: int = 99) -> list[str]:
    """A text in lines that fit; a number or a name that is longer than a line goes on in the next one.

    The last of `at_most` lines has the rest, as much as fits.
    """
    lines: list[str] = []
    words = text.split()
    while words:
        line = words.pop(0)
        while words and measure(f"{line} {words[0]}", size, bold=bold) <= width:
            line += f" {words.pop(0)}"
        if len(lines) == at_most - 1:
            lines.append(fitted(" ".join([line, *words]), width, size, bold=bold))
            break
        fits = len(line)
        while fits > 1 and measure(line[:fits], size, bold=bold) > width:
            fits -= 1
        if fits < len(line):
            fits = max(line.rfind("/", 0, fits), line.rfind("-", 0, fits)) + 1 or fits
            words.insert(0, line[fits:])
        lines.append(line[:fits])
    return lines or [""]


class Lines(Flowable):  # type: ignore[misc]
    """Lines of text across the page."""

    def __init__(self, text: str, size: float, *, bold: bool = False, after: float = 4) -> None:
        super().__init__()
        self.lines = wrapped(drawable(text), RIGHT - LEFT, size, bold=bold)
        self.size, self.bold = size, bold
        self.height = len(self.lines) * size * 1.25 + after

    def wrap(self, *_: float) -> tuple[float, float]:
        """What room it takes."""
        return RIGHT - LEFT, self.height

    def draw(self) -> None:
        """Draw it where it stands."""
        self.canv.setFont(font(bold=self.bold), self.size)
        for number, line in enumerate(self.lines, 1):
            self.canv.drawString(0, self.height - number * self.size * 1.25, line)


class Picture(Flowable):  # type: ignore[misc]
    """Room for a chart across the page. Where it came to stand is kept: `page` from 0, `at` from the bottom left."""

    def __init__(self, height: float, above: float, below: float, left: float, right: float) -> None:
        super().__init__()
        width, self.height = RIGHT - LEFT, above + height + below
        self.figure = Figure(figsize=(width / 72, self.height / 72), facecolor="none")
        place = (left / width, below / self.height, (right - left) / width, height / self.height)
        self.axes = self.figure.add_axes(place)
        self.page, self.at = 0, (0.0, 0.0)

    def wrap(self, *_: float) -> tuple[float, float]:
        """What room it takes."""
        return RIGHT - LEFT, self.height

    def draw(self) -> None:
        """Keep where it stands."""
        self.page, self.at = self.canv.getPageNumber() - 1, self.canv.absolutePosition(0, 0)


def table(
    columns: Sequence[Column], rows: Sequence[Row], total: Row | None = None, *, size: float, fill: bool
) -> LongTable:
    """A table whose headings are on each of its pages; across the whole page, or only if it needs it (`fill`).

    Texts are wrapped. A number never is: one that does not fit is set smaller.
    """
    wanted = [column.width * size * 0.6 + 8 for column in columns]
    scale = (RIGHT - LEFT) / sum(wanted)
    widths = [width * (scale if fill else min(scale, 1.0)) for width in wanted]
    rooms = [width - sum(_SIDES) for width in widths]
    content = [
        [
            "\n".join(wrapped(heading(c), room, size, bold=True, at_most=3))
            for c, room in zip(columns, rooms, strict=True)
        ]
    ]
    style: list[tuple[Any, ...]] = [
        ("FONT", (0, 0), (-1, -1), font(), size, size * LEADING),
        ("FONT", (0, 0), (-1, 0), font(bold=True), size, size * LEADING),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), _SIDES[0]),
        ("RIGHTPADDING", (0, 0), (-1, -1), _SIDES[1]),
        ("TOPPADDING", (0, 0), (-1, -1), size * 0.15),
        ("BOTTOMPADDING", (0, 0), (-1, -1), size * 0.2),
        ("BOTTOMPADDING", (0, 0), (-1, 0), 4),
        ("TOPPADDING", (0, 1), (-1, 1), 4),
        ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor(0xECECEC)),
        ("LINEBELOW", (0, 0), (-1, 0), 0.6, colors.black),
        ("LINEBELOW", (0, "splitlast"), (-1, "splitlast"), 0.4, colors.black),
        ("LINEBELOW", (0, -1), (-1, -1), 0.4, colors.black),
        *(("ALIGN", (place, 0), (place, -1), "RIGHT") for place, c in enumerate(columns) if c.kind.is_number),
    ]
    if total is not None:
        style.append(("FONT", (0, len(rows) + 1), (-1, len(rows) + 1), font(bold=True), size, size * LEADING))
    for number, row in enumerate([*rows, *([] if total is None else [total])], 1):
        cells = []
        bold = number > len(rows)
        for place, (column, value, room) in enumerate(zip(columns, row, rooms, strict=True)):
            text = cell_text(value, column.kind)
            if not column.kind.is_number:
                text = "\n".join(wrapped(text, room, size, bold=bold, at_most=LINES))
            elif (width := measure(text, size, bold=bold)) > room:
                style.append(("FONTSIZE", (place, number), (place, number), size * room / width))
            cells.append(text)
        content.append(cells)
    return LongTable(content, widths, repeatRows=1, style=style, hAlign="LEFT")


def short(kind: Kind) -> Callable[[float, int | None], str]:
    """How a scale has a number: amounts in crore and lakh."""

    def write(value: float, _: int | None = None) -> str:
        if kind is not Kind.MONEY:
            return grouped_count(round(value))
        for size, unit in ((1e7, " Cr"), (1e5, " L")):
            if abs(value) >= size:
                return f"₹{value / size:,.4g}{unit}".replace("₹-", "-₹")
        return f"₹{grouped_count(round(value))}".replace("₹-", "-₹")

    return write


def draw(axes: Axes, chart: Chart, columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """A table's chart."""
    by_name = {column.name: (place, column) for place, column in enumerate(columns)}
    shown = rows[: chart.at_most]
    at, axis_column = by_name[chart.category]
    names = [cell_text(row[at], axis_column.kind) for row in shown]
    kind = by_name[chart.series[0]][1].kind
    series = [(by_name[name][1].heading, [float(row[by_name[name][0]] or 0) for row in shown]) for name in chart.series]
    if chart.shape is Shape.LINES:
        for (label, values), (colour, style, marker) in zip(series, _LINES, strict=False):
            axes.plot(
                range(len(values)),
                values,
                color=colour,
                linestyle=style,
                marker=marker,
                markersize=3.5,
                linewidth=1.1,
                label=label,
            )
        axes.set_ylim(bottom=0)
    else:
        _bars(axes, chart, series, kind)
    scale, along = (axes.xaxis, axes.yaxis) if chart.lying else (axes.yaxis, axes.xaxis)
    scale.set_major_formatter(FuncFormatter(short(kind)))
    scale.set_major_locator(MaxNLocator(5, integer=kind is not Kind.MONEY))
    scale.grid(color="#c0c0c0", linewidth=0.4)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=7, length=2)
    shown_names = names if chart.lying else _thinned(names)
    along.set_ticks(range(len(names)), [fitted(name, 150, 7) for name in shown_names])
    if not chart.lying and sum(measure(name, 7) + 8 for name in shown_names) > 640:
        for tick in axes.get_xticklabels():
            tick.set(rotation=35, ha="right", rotation_mode="anchor")
    if len(series) > 1:
        axes.legend(
            fontsize=7,
            ncols=6,
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            frameon=False,
            handlelength=2.4,
            borderaxespad=0.2,
        )
    few = max(len(names), 3) - 0.5  # a single bar is not as broad as the page
    axes.set(**{"ylim" if chart.lying else "xlim": (-0.5, few)})
    if chart.lying:
        axes.invert_yaxis()
    more = len(rows) - len(shown)
    title = f"{chart.title} (the first {len(shown)} of {len(rows)})" if more else chart.title
    axes.set_title(title, fontproperties=_TITLE, fontsize=9, loc="left", pad=18 if len(series) > 1 else 6)


def _bars(axes: Axes, chart: Chart, series: Sequence[tuple[str, list[float]]], kind: Kind) -> None:
    many = len(series[0][1])
    grouped_bars = chart.shape is Shape.GROUPED
    thick = 0.78 / len(series) if grouped_bars else 0.62
    floor = [0.0] * many
    for number, (label, values) in enumerate(series):
        colour, hatch = _FILLS[number % len(_FILLS)]
        places = [place + (number - (len(series) - 1) / 2) * thick * grouped_bars for place in range(many)]
        options: dict[str, Any] = {
            "color": colour,
            "hatch": hatch,
            "edgecolor": "black",
            "linewidth": 0.5,
            "label": label,
        }
        if chart.lying:
            bars = axes.barh(places, values, thick, left=None if grouped_bars else floor, **options)
        else:
            bars = axes.bar(places, values, thick, bottom=None if grouped_bars else floor, **options)
        if grouped_bars and many * len(series) <= 26:
            write = short(kind)
            axes.bar_label(bars, [write(value, None) if value else "" for value in values], fontsize=6, padding=2)
        floor = [below + value for below, value in zip(floor, values, strict=True)]
    if not grouped_bars:
        write = short(kind)
        for place, total in enumerate(floor):
            if chart.lying:
                axes.annotate(
                    write(total, None), (total, place), (3, 0), textcoords="offset points", fontsize=6.5, va="center"
                )
            else:
                axes.annotate(
                    write(total, None), (place, total), (0, 3), textcoords="offset points", fontsize=6.5, ha="center"
                )
        if max(floor, default=0) > 0:  # room for the sums
            axes.set(**{"xlim" if chart.lying else "ylim": (0, max(floor) * 1.1)})
        return
    axes.margins(x=0.12 if chart.lying else 0.02, y=0.02 if chart.lying else 0.12)


def _thinned(names: list[str]) -> list[str]:
    """As many names as an axis has room for."""
    step = 1 + len(names) // 32
    return [name if place % step == 0 else "" for place, name in enumerate(names)]
