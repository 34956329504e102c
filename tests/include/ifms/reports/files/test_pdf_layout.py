"""Words and numbers on paper: as people write them, within their columns, without colour."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from pypdf import PdfReader
from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate

from ifms.reports.files import pdf_layout
from ifms.reports.files.pdf_layout import LEFT, LINES, RIGHT, cell_text, draw, fitted, measure, short, table, wrapped
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
        (date(2026, 11, 4), Kind.DATE, "4 Nov 2026"),
        (datetime(2026, 11, 23, 18, 30, tzinfo=UTC), Kind.INSTANT, "24 Nov 2026, 00:00"),
        ("two\nlines\t", Kind.TEXT, "two lines"),
        ("a\x00b ଓ₹", Kind.TEXT, "ab □₹"),
        (None, Kind.MONEY, ""),
    ],
)
def test_cells_as_people_write_them(value: Any, kind: Kind, written: str):
    assert cell_text(value, kind) == written


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
        assert pdf_layout._face(bold).face.charToGlyph[ord("₹")] > 0


@pytest.mark.filterwarnings("error")
@given(st.text(max_size=60), st.floats(20, 200), st.integers(1, 4))
@settings(max_examples=60)
def test_no_text_leaves_its_column(whatever: str, width: float, at_most: int):
    text = cell_text(whatever, Kind.TEXT)
    assert measure(fitted(text, width, 7), 7) <= width
    lines = wrapped(text, width, 7, at_most=at_most)
    assert len(lines) <= at_most
    assert all(measure(line, 7) <= width for line in lines)
    if not lines[-1].endswith("…"):
        assert "".join(lines).replace(" ", "") == "".join(text.split())


def placed(columns: list[Column], rows: list[Any], **options: Any) -> list[list[tuple[str, float, float]]]:
    """What is drawn of a table on each page: texts with the place of their left end and their size."""
    buffer = io.BytesIO()
    page = (pdf_layout.WIDTH, 200)
    document = BaseDocTemplate(buffer, pagesize=page)
    document.addPageTemplates(PageTemplate("all", Frame(LEFT, 0, RIGHT - LEFT, 200, 0, 0, 0, 0)))
    document.build([table(columns, rows, size=7, fill=True, **options)])
    told: list[list[tuple[str, float, float]]] = []
    for each in PdfReader(buffer).pages:
        found: list[tuple[str, float, float]] = []
        each.extract_text(
            visitor_text=lambda text, cm, tm, _, size, found=found: (
                found.append((text.strip(), cm[4] + tm[4], size)) if text.strip() else None
            )
        )
        told.append(found)
    return told


def test_a_number_of_an_account_head_is_not_cut_but_wrapped():
    columns = [Column("a", "Head of Account", width=15), Column("b", "Amount", Kind.MONEY, width=12)] * 4
    [page] = placed(columns, [["990017057960000000000000002", Decimal(1)] * 4])
    told = " ".join(text for text, _, _ in page).split()
    digits = [text for text in told if text.isdigit()]
    assert "".join(digits).count("0") == "990017057960000000000000002".count("0") * 4
    assert 4 < len(digits) <= 4 * LINES
    assert told.count("1.00") == 4


def test_columns_stand_apart_and_numbers_end_at_the_right():
    columns = [
        Column("a", "City", width=40),
        Column("b", "Amount", Kind.MONEY, width=12),
        Column("c", "Days", Kind.COUNT, width=4),
    ]
    rows = [["od.samplea", Decimal("9999999999999.99"), 7], ["od.sampleb", Decimal("1.00"), 1234567]]
    [page] = placed(columns, rows, total=["Total", Decimal(3), 5])
    by_text = {text: (x, size) for text, x, size in page}
    assert {"City", "Amount (₹)", "Days", "od.samplea", "od.sampleb", "Total", "12,34,567", "5"} <= set(by_text)
    ends = {text: x + measure(text, size) for text, (x, size) in by_text.items()}
    assert ends["99,99,99,99,99,999.99"] == pytest.approx(ends["1.00"], abs=0.3)
    assert ends["12,34,567"] == pytest.approx(ends["7"], abs=0.3)
    assert ends["12,34,567"] <= RIGHT
    assert by_text["99,99,99,99,99,999.99"][0] >= ends["od.samplea"]
    assert by_text["12,34,567"][0] >= ends["1.00"]


def test_a_number_that_does_not_fit_is_set_smaller():
    columns = [Column("a", "Amount", Kind.MONEY, width=4), Column("b", "City", width=60)]
    [page] = placed(columns, [[Decimal("9999999999999.99"), "od.samplea"], [Decimal(1), "od.sampleb"]])
    sizes = {text: size for text, _, size in page}
    room = (RIGHT - LEFT) * (4 * 7 * 0.6 + 8) / (64 * 7 * 0.6 + 16) - 6
    assert sizes["1.00"] == 7
    assert sizes["99,99,99,99,99,999.99"] < 7
    assert measure("99,99,99,99,99,999.99", sizes["99,99,99,99,99,999.99"]) <= room + 0.1


def test_headings_are_on_each_page_of_a_table():
    pages = placed([Column("a", "City"), Column("b", "Days", Kind.COUNT)], [[f"od.sample{n}", n] for n in range(50)])
    assert len(pages) > 2
    assert all({"City", "Days"} <= {text for text, _, _ in page} for page in pages)
    assert [text for page in pages for text, _, _ in page if text.startswith("od.")] == [
        f"od.sample{n}" for n in range(50)
    ]


def drawn(shape: Shape, rows: list[tuple[Any, ...]], *, lying: bool = False) -> Any:
    columns = [Column("name", "Name"), Column("a", "Allotted", Kind.MONEY), Column("b", "Expense", Kind.MONEY)]
    with pdf_layout.settings():
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
    axes = drawn(Shape.GROUPED, [("costs $5$ and \\frac{1}{2} ^_", Decimal(1), None)])
    with pdf_layout.settings():
        axes.figure.savefig(io.BytesIO(), format="pdf")
    assert axes.get_xticklabels()[0].get_text() == "costs $5$ and \\frac{1}{2} ^_"
