"""A report on paper: every page says what it is, rows up to a number, sums of all, the same file again."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import pytest
from support.made_up import NASTY, chunks, row, write

from ifms.reports.files import pdf_file
from ifms.reports.files.paper import Page
from ifms.reports.files.pdf_file import PdfFile


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch):
    """`pages()`: the texts of each page of what was written last."""
    made: list[Page] = []
    kept = pdf_file._Document.save

    def save(self, stream):
        made[:] = self._pages
        kept(self, stream)

    monkeypatch.setattr(pdf_file._Document, "save", save)
    return lambda: [[text.get_text() for text in page.figure.texts] for page in made]


def test_every_page_says_what_it_is(tmp_path: Path, pages):
    write(PdfFile, tmp_path / "x.pdf", chunks(60))
    content = (tmp_path / "x.pdf").read_bytes()
    told = pages()
    assert len(told) == len(re.findall(rb"/Type /Page\b", content)) > 2
    assert told[0][0] == "Fund Allocation Register"
    assert {"financial year 2026-27 (1 Apr 2026 to 31 Mar 2027)", "24 Nov 2026, 00:00:00 IST", "all"} <= set(told[0])
    for number, texts in enumerate(told, 1):
        assert f"Page {number} of {len(told)}" in texts
        assert "Amounts in rupees (₹) · times in Indian Standard Time (IST)" in texts
    for texts in told[1:]:
        assert texts[0].startswith("Fund Allocation Register · financial year 2026-27")
        assert texts[0].endswith("as of 24 Nov 2026, 00:00:00 IST")
    assert content.count(b"/MediaBox [ 0 0 841.89 595.28 ]") == len(told)
    assert b"/CreationDate (D:20261123183000Z)" in content


def test_the_rupee_and_text_that_can_be_searched(tmp_path: Path):
    write(PdfFile, tmp_path / "x.pdf", chunks(3))
    content = (tmp_path / "x.pdf").read_bytes()
    assert b"DejaVuSans" in content
    maps = b"".join(_streams(content))
    assert b"<20b9>" in maps.lower(), "the rupee sign is mapped to its character"


def test_each_row_is_printed_with_indian_digits(tmp_path: Path, pages):
    write(PdfFile, tmp_path / "x.pdf", [[row(n, text) for n, text in enumerate(NASTY)]])
    told = [text for texts in pages() for text in texts]
    assert told.count("12,34,567.10") >= len(NASTY)
    assert "-2,98,750.05" in told
    assert "=1+1" in told
    assert "$x^2$" in told


def test_more_rows_than_somebody_reads_are_summed_and_that_is_said(tmp_path: Path, pages):
    write(PdfFile, tmp_path / "x.pdf", chunks(25, 4), at_most=20)
    told = [text for texts in pages() for text in texts]
    assert not any(text.startswith("PI-SA/") for text in told)
    assert any(text.startswith("The 25 rows are not printed one by one: that is done up to 20.") for text in told)
    assert "3,08,64,177.50" in told, "the sum of all"
    write(PdfFile, tmp_path / "x.pdf", chunks(20, 4), at_most=20)
    told = [text for texts in pages() for text in texts]
    assert len([text for text in told if text.startswith("PI-SA/")]) == 20


def _streams(content: bytes) -> list[bytes]:
    found = []
    for match in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL):
        try:
            found.append(zlib.decompress(match[1]))
        except zlib.error:
            continue
    return found
