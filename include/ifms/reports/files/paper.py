"""Sheets of A4 paper: text that fits its column, tables, charts that need no colour. Draws on matplotlib's figures.

Everything is placed in points (1/72 inch) from the top left corner. Widths come from the font itself, so nothing runs
into its neighbour; what is too long ends with an ellipsis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ifms import clock
from ifms.money import grouped, grouped_count
from ifms.reports.report import Chart, Column, Kind, Row, Shape

WIDTH, HEIGHT = 841.89, 595.28
"""A4, lying, in points."""
LINES = 3
"""A cell's text takes so many lines at most."""
LEFT, RIGHT, TOP, BOTTOM = 36.0, WIDTH - 36.0, 34.0, HEIGHT - 30.0

_FONTS = Path(matplotlib.get_data_path()) / "fonts/ttf"
_PLAIN, _BOLD = (FontProperties(fname=_FONTS / name) for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"))
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
    """What all drawing happens within."""
    with matplotlib.rc_context(_SETTINGS):
        yield


def said(value: Any, kind: Kind) -> str:  # noqa: ANN401  (whatever a cell may hold)
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
            return f"{value:%d-%m-%Y}"
        case Kind.INSTANT if isinstance(value, datetime):
            return f"{clock.to_ist(value):%d-%m-%Y %H:%M}"
    return " ".join(drawable(str(value)).split())


@cache
def _drawn(character: str) -> str:
    """A character as the font has it: none that only controls something, a box for one that is not in it."""
    if character.isspace():
        return " "
    if not character.isprintable():
        return ""
    return character if _face(bold=False).get_char_index(ord(character)) else "□"


def drawable(text: str) -> str:
    """A text that the font can draw whatever the treasury said."""
    return "".join(map(_drawn, text))


def heading(column: Column) -> str:
    """A column's heading with the unit of what is below it."""
    return f"{column.heading} (₹)" if column.kind is Kind.MONEY else column.heading


@cache
def _face(bold: bool) -> FT2Font:
    return FT2Font(str(_FONTS / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")))


@cache
def _advance(character: str, bold: bool) -> float:
    face = _face(bold)
    face.set_size(10, 72)
    return float(face.load_char(ord(character)).linearHoriAdvance) / 65536 / 10


def measure(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a text is, in points."""
    return size * sum(_advance(character, bold) for character in text)


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


class Page:
    """One sheet. `y` is where the next thing goes."""

    def __init__(self) -> None:
        self.figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
        self.y = TOP

    @property
    def room(self) -> float:
        """Points that are left above the foot."""
        return BOTTOM - 16 - self.y

    def text(self, x: float, y: float, text: str, size: float, *, bold: bool = False, right: bool = False) -> None:
        """A line of text whose base is at `y`; `x` is its left end, or its right one."""
        self.figure.text(
            x / WIDTH, 1 - y / HEIGHT, drawable(text), fontproperties=_BOLD if bold else _PLAIN, size=size,
            ha="right" if right else "left", va="baseline",
        )  # fmt: skip

    def line(self, y: float, *, left: float = LEFT, right: float = RIGHT, weight: float = 0.6) -> None:
        """A rule across the page."""
        at = 1 - y / HEIGHT
        self.figure.add_artist(Line2D([left / WIDTH, right / WIDTH], [at, at], color="black", linewidth=weight))

    def shade(self, top: float, height: float, right: float = RIGHT) -> None:
        """A light ground behind a line of a table."""
        corner = (LEFT / WIDTH, 1 - (top + height) / HEIGHT)
        self.figure.add_artist(
            Rectangle(corner, (right - LEFT) / WIDTH, height / HEIGHT, facecolor="#ececec", edgecolor="none", zorder=-1)
        )

    def say(self, text: str, size: float, *, bold: bool = False, after: float = 4) -> None:
        """Lines of text across the page."""
        for each in wrapped(text, RIGHT - LEFT, size, bold=bold):
            self.y += size * 1.25
            self.text(LEFT, self.y, each, size, bold=bold)
        self.y += after

    def axes(self, height: float, left: float = LEFT, right: float = RIGHT) -> Axes:
        """Room for a chart."""
        bottom = 1 - (self.y + height) / HEIGHT
        made = self.figure.add_axes((left / WIDTH, bottom, (right - left) / WIDTH, height / HEIGHT))
        self.y += height
        return made


class Grid:
    """The columns of a table on paper: where each begins and ends, scaled to the page."""

    def __init__(self, columns: Sequence[Column], *, size: float = 7.0, fill: bool = True) -> None:
        self.columns, self.size = columns, size
        wanted = [column.width * size * 0.6 + 8 for column in columns]
        scale = (RIGHT - LEFT) / sum(wanted)
        if not fill:
            scale = min(scale, 1.0)
        self.ends: list[tuple[float, float]] = []
        x = LEFT
        for width in wanted:
            self.ends.append((x + 2, x + width * scale - 4))
            x += width * scale
        self.right = x
        self.pitch = size * 1.55
        self._headings = [
            wrapped(heading(column), end - start, size, bold=True, at_most=3)
            for column, (start, end) in zip(columns, self.ends, strict=True)
        ]
        self.head_height = max(map(len, self._headings)) * size * 1.2 + 6

    def head(self, page: Page) -> None:
        """The headings."""
        page.shade(page.y, self.head_height, self.right)
        for column, lines, (start, end) in zip(self.columns, self._headings, self.ends, strict=True):
            for number, each in enumerate(lines, 1):
                number_right = column.kind.is_number
                page.text(
                    end if number_right else start, page.y + number * self.size * 1.2, each, self.size, bold=True,
                    right=number_right,
                )  # fmt: skip
        page.y += self.head_height
        page.line(page.y, right=self.right)
        page.y += 1

    def cells(self, values: Row, *, bold: bool = False) -> list[list[str]]:
        """A row's cells in lines: texts are wrapped, numbers never are."""
        return [
            [said(value, column.kind)]
            if column.kind.is_number
            else wrapped(said(value, column.kind), end - start, self.size, bold=bold, at_most=LINES)
            for value, column, (start, end) in zip(values, self.columns, self.ends, strict=True)
        ]

    def height(self, cells: Sequence[Sequence[str]]) -> float:
        """How much of the page a row takes, in points."""
        return self.pitch + (max(map(len, cells)) - 1) * self.size * 1.2

    def row(self, page: Page, cells: Sequence[Sequence[str]], *, bold: bool = False) -> None:
        """One row; a number that does not fit is set smaller, never cut."""
        page.y += self.pitch
        for lines, column, (start, end) in zip(cells, self.columns, self.ends, strict=True):
            if column.kind.is_number:
                [text] = lines
                size = min(self.size, self.size * (end - start) / max(measure(text, self.size, bold=bold), 1e-9))
                if text:
                    page.text(end, page.y, text, size, bold=bold, right=True)
                continue
            for number, text in enumerate(lines):
                if text:
                    page.text(start, page.y + number * self.size * 1.2, text, self.size, bold=bold)
        page.y += self.height(cells) - self.pitch

    def end(self, page: Page) -> None:
        """The rule under the table."""
        page.y += 4
        page.line(page.y, right=self.right, weight=0.4)


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
    names = [said(row[at], axis_column.kind) for row in shown]
    kind = by_name[chart.series[0]][1].kind
    series = [(by_name[name][1].heading, [float(row[by_name[name][0]] or 0) for row in shown]) for name in chart.series]
    if chart.shape is Shape.LINES:
        for (label, values), (colour, style, marker) in zip(series, _LINES, strict=False):
            axes.plot(range(len(values)), values, color=colour, linestyle=style, marker=marker, markersize=3.5,
                      linewidth=1.1, label=label)  # fmt: skip
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
            fontsize=7, ncols=6, loc="lower left", bbox_to_anchor=(0, 1.0), frameon=False, handlelength=2.4,
            borderaxespad=0.2,
        )  # fmt: skip
    few = max(len(names), 3) - 0.5  # a single bar is not as broad as the page
    axes.set(**{"ylim" if chart.lying else "xlim": (-0.5, few)})
    if chart.lying:
        axes.invert_yaxis()
    more = len(rows) - len(shown)
    title = f"{chart.title} (the first {len(shown)} of {len(rows)})" if more else chart.title
    axes.set_title(title, fontproperties=_BOLD, fontsize=9, loc="left", pad=18 if len(series) > 1 else 6)


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
                axes.annotate(write(total, None), (total, place), (3, 0), textcoords="offset points", fontsize=6.5,
                              va="center")  # fmt: skip
            else:
                axes.annotate(write(total, None), (place, total), (0, 3), textcoords="offset points", fontsize=6.5,
                              ha="center")  # fmt: skip
        if max(floor, default=0) > 0:  # room for the sums
            axes.set(**{"xlim" if chart.lying else "ylim": (0, max(floor) * 1.1)})
        return
    axes.margins(x=0.12 if chart.lying else 0.02, y=0.02 if chart.lying else 0.12)


def _thinned(names: list[str]) -> list[str]:
    """As many names as an axis has room for."""
    step = 1 + len(names) // 32
    return [name if place % step == 0 else "" for place, name in enumerate(names)]
