"""A report on paper: every page says what it is, rows up to a number, sums of all, the same file again."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from pypdf import PdfReader
from support.sample_data import NASTY, REGISTER, chunks, row, write

from ifms.reports.files.pdf_file import PdfFile

pytestmark = pytest.mark.tier("prove")  # a page takes a fiftieth of a second to lay out, and they are many


def pages(path: Path) -> list[list[str]]:
    """The lines of each page, as somebody copies them."""
    return [page.extract_text().splitlines() for page in PdfReader(path).pages]


@pytest.mark.parametrize("many", [1, 7, 24, 25, 60])
def test_every_page_says_what_it_is_and_none_is_empty(tmp_path: Path, many: int):
    write(PdfFile, tmp_path / "x.pdf", chunks(many))
    told = pages(tmp_path / "x.pdf")
    assert len(told) > 2
    assert told[0][0] == "Fund Allocation Register"
    for said in ("financial year 2026-27 (1 Apr 2026 to 31 Mar 2027)", "24 Nov 2026, 00:00:00 IST", "all"):
        assert any(said in line for line in told[0]), said
    for number, lines in enumerate(told, 1):
        assert any(f"Page {number} of {len(told)}" in line for line in lines)
        assert any("Amounts in rupees (₹) · times in Indian Standard Time (IST)" in line for line in lines)
        assert len(lines) > 5
    for lines in told[1:]:
        assert any(
            line.startswith("Fund Allocation Register · financial year 2026-27")
            and line.endswith("as of 24 Nov 2026, 00:00:00 IST")
            for line in lines
        )
    for lines in told[2:]:
        assert "Transaction Number" in " ".join(lines), "the headings, again"
    document = PdfReader(tmp_path / "x.pdf")
    assert {tuple(page.mediabox) for page in document.pages} == {(0, 0, 841.89, 595.28)}
    assert str(document.metadata.creation_date) == "2026-11-23 18:30:00+00:00"  # type: ignore[union-attr]


def test_the_rupee_and_text_that_can_be_searched_also_in_charts(tmp_path: Path):
    write(PdfFile, tmp_path / "x.pdf", chunks(3))
    first, second, *_ = pages(tmp_path / "x.pdf")
    assert any("Allotted and spent, by month of recording" in line for line in first), "a chart's title"
    assert any("₹37.04 L" in line for line in first), "a chart's bar"
    assert any("Allotted (₹)" in line for line in second)
    fonts = {
        str(font.get_object()["/BaseFont"])
        for page in PdfReader(tmp_path / "x.pdf").pages
        for font in page["/Resources"]["/Font"].values()  # type: ignore[index]
    }
    assert any("DejaVuSans" in font for font in fonts)


def test_each_row_is_printed_with_indian_digits(tmp_path: Path):
    write(PdfFile, tmp_path / "x.pdf", [[row(n, text) for n, text in enumerate(NASTY)]])
    told = "\n".join("\n".join(lines) for lines in pages(tmp_path / "x.pdf"))
    assert told.count("12,34,567.10") >= len(NASTY)
    for text in ("-2,98,750.05", "=1+1", "$x^2$", "<a>&amp;"):
        assert text in told, text


def test_more_rows_than_somebody_reads_are_summed_and_that_is_said(tmp_path: Path):
    write(PdfFile, tmp_path / "x.pdf", chunks(25, 4), at_most=20)
    told = [line for lines in pages(tmp_path / "x.pdf") for line in lines]
    assert not any("PI-SA/" in line for line in told)
    assert any(line.startswith("The 25 rows are not printed one by one: that is done up to 20.") for line in told)
    assert any("3,08,64,177.50" in line for line in told), "the sum of all"
    write(PdfFile, tmp_path / "x.pdf", chunks(20, 4), at_most=20)
    told = [line for lines in pages(tmp_path / "x.pdf") for line in lines]
    assert sum(line.count("PI-SA/") for line in told) == 20


def test_a_long_register_is_printed_row_by_row_in_its_order(tmp_path: Path):
    assert REGISTER.printed >= 20_000, "a city's year"
    many = 1203  # three tables
    write(PdfFile, tmp_path / "x.pdf", chunks(many, 250))
    told = "\n".join("\n".join(lines) for lines in pages(tmp_path / "x.pdf"))
    assert re.findall(r"PI-SA/2026-27/(\d{6})", told) == [f"{number:06d}" for number in range(many)]


def test_the_largest_amounts_stay_whole(tmp_path: Path):
    write(PdfFile, tmp_path / "x.pdf", [[row(1, amount=Decimal("9999999999999.99"))]])
    assert any("99,99,99,99,99,999.99" in line for lines in pages(tmp_path / "x.pdf") for line in lines)
