"""Words and numbers on paper: as people write them, within their columns, without colour."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from ifms.reports.files import paper
from ifms.reports.files.paper import LEFT, LINES, RIGHT, Grid, Page, draw, fitted, measure, said, short, wrapped
from ifms.reports.report import Chart, Column, Kind, Shape


@pytest.mark.parametrize(
    ("value", "kind", "written"),
    [
        (Decimal("1234567"), Kind.MONEY, "12,34,567.00"),
        (Decimal("-1234567.5"), Kind.MONEY, "-12,34,567.50"),
        (0, Kind.MONEY, "0.00"),
        (1234567, Kind.COUNT, "12,34,567"),
        (100, Kind.COUNT, "100"),
        (Decimal("33.3"), Kind.PERCENT, "33.3"),
        (date(2026, 11, 4), Kind.DATE, "04-11-2026"),
        (datetime(2026, 11, 23, 18, 30, tzinfo=UTC), Kind.INSTANT, "24-11-2026 00:00"),
        ("two\nlines\t", Kind.TEXT, "two lines"),
        ("a\x00b ଓ₹", Kind.TEXT, "ab □₹"),
        (None, Kind.MONEY, ""),
    ],
)  # fmt: skip
def test_cells_as_people_write_them(value: Any, kind: Kind, written: str):
    assert said(value, kind) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "₹0"),
        (999, "₹999"),
        (99_999, "₹99,999"),
        (150_000, "₹1.5 L"),
        (12_500_000, "₹1.25 Cr"),
        (-150_000, "-₹1.5 L"),
    ],
)
def test_scales_in_lakh_and_crore(value: float, written: str):
    assert short(Kind.MONEY)(value, None) == written
    assert short(Kind.COUNT)(150_000, None) == "1,50,000"


def test_the_rupee_sign_is_in_the_font():
    for bold in (False, True):
        assert paper._face(bold).get_char_index(ord("₹")) > 0


@pytest.mark.filterwarnings("error")
@given(st.text(max_size=60), st.floats(20, 200), st.integers(1, 4))
@settings(max_examples=60)
def test_no_text_leaves_its_column(whatever: str, width: float, at_most: int):
    text = said(whatever, Kind.TEXT)
    assert measure(fitted(text, width, 7), 7) <= width
    lines = wrapped(text, width, 7, at_most=at_most)
    assert len(lines) <= at_most
    assert all(measure(line, 7) <= width for line in lines)
    if not lines[-1].endswith("…"):
        assert "".join(lines).replace(" ", "") == "".join(text.split())


def test_a_number_of_an_account_head_is_not_cut_but_wrapped():
    grid = Grid([Column("a", "Head of Account", width=15), Column("b", "Amount", Kind.MONEY, width=12)] * 4)
    head, amount = grid.cells(["990017057960000000000000002", Decimal(1)] * 4)[:2]
    assert "".join(head) == "990017057960000000000000002"
    assert 1 <= len(head) <= LINES
    assert amount == ["1.00"]


def test_columns_stand_apart_and_numbers_end_at_the_right():
    columns = [
        Column("a", "City"),
        Column("b", "Amount", Kind.MONEY, width=18),
        Column("c", "Days", Kind.COUNT, width=4),
    ]
    grid, page = Grid(columns), Page()
    assert grid.ends[0][0] >= LEFT
    assert grid.right <= RIGHT + 0.01
    for (_, end), (start, _) in zip(grid.ends, grid.ends[1:], strict=False):
        assert end < start
    grid.head(page)
    grid.row(page, grid.cells(["od.samplea", Decimal("9999999999999.99"), 7]))
    money = next(text for text in page.figure.texts if text.get_text() == "99,99,99,99,99,999.99")
    assert money.get_horizontalalignment() == "right"
    assert money.get_position()[0] * paper.WIDTH == pytest.approx(grid.ends[1][1])
    assert measure("99,99,99,99,99,999.99", money.get_fontsize()) <= grid.ends[1][1] - grid.ends[1][0] + 0.01


def drawn(shape: Shape, rows: list[tuple[Any, ...]], *, lying: bool = False) -> Any:
    columns = [Column("name", "Name"), Column("a", "Allotted", Kind.MONEY), Column("b", "Expense", Kind.MONEY)]
    with paper.settings():
        axes = Figure(figsize=(8, 3)).add_subplot()
        draw(axes, Chart("Sample", "name", ("a", "b"), shape, lying=lying), columns, rows)
    return axes


@pytest.mark.parametrize("lying", [False, True])
@pytest.mark.parametrize("shape", [Shape.GROUPED, Shape.STACKED])
def test_bars_differ_without_colour_and_are_named(shape: Shape, lying: bool):
    axes = drawn(
        shape, [("od.samplea", Decimal(150_000), Decimal(5)), ("od.sampleb", Decimal(0), Decimal(-7))], lying=lying
    )
    looks = {(bar.patches[0].get_hatch(), bar.patches[0].get_facecolor()) for bar in axes.containers}
    assert len({hatch for hatch, _ in looks}) == 2
    assert all(len(set(face[:3])) == 1 for _, face in looks), "shades of grey only"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["Allotted", "Expense"]
    ticks = axes.get_yticklabels() if lying else axes.get_xticklabels()
    assert [tick.get_text() for tick in ticks] == ["od.samplea", "od.sampleb"]
    assert any("₹1.5 L" in text.get_text() for text in axes.texts)


def test_lines_differ_without_colour():
    axes = drawn(Shape.LINES, [(f"2026-11-{day:02d}", Decimal(day), None) for day in range(1, 41)])
    assert len({(line.get_linestyle(), line.get_marker()) for line in axes.lines}) == 2
    assert "(the first 24 of 40)" in axes.get_title(loc="left")


def test_a_dollar_is_a_dollar():
    with paper.settings():
        page = Page()
        page.say("costs $5$ and \\frac{1}{2} ^_", 9)
        page.figure.savefig("/dev/null", format="pdf")
