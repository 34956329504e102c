"""A report as a workbook: cells of the right kind, sums, charts, a next sheet, bounded memory."""

from __future__ import annotations

import zipfile
from decimal import Decimal
from pathlib import Path

import pytest
from openpyxl import load_workbook
from support.memory_peak import peak
from support.sample_data import NASTY, chunks, row, write

from ifms.reports.aggregates import Counted
from ifms.reports.catalogue import REPORTS
from ifms.reports.files.xlsx_file import SHEET_ROWS, XlsxFile

LARGEST = Decimal("9999999999999.99")


@pytest.fixture
def book(tmp_path: Path):
    rows = [[row(n, text, LARGEST if n == 0 else Decimal("0.01")) for n, text in enumerate(NASTY)]]
    write(XlsxFile, tmp_path / "x.xlsx", rows)
    return load_workbook(tmp_path / "x.xlsx")


def test_texts_are_texts_and_amounts_are_numbers(book):
    sheet = book["Rows"]
    for line, text in zip(sheet.iter_rows(min_row=2, max_row=1 + len(NASTY)), NASTY, strict=True):
        assert (line[4].value, line[4].data_type) == (text.replace("\x00\x0b", ""), "s")
        assert (line[1].value, line[1].number_format) == ("990017057960000000000000002", "@")
        for cell in line[7:10]:
            assert cell.data_type == "n"
            assert cell.number_format.endswith("##0.00")
    assert sheet["H2"].value == float(LARGEST)
    assert sheet["J2"].value == -298750.05
    assert str(sheet["F2"].value) == "2026-11-23 00:00:00"
    assert f"{sheet['K2'].value:%Y-%m-%d %H:%M}" == "2026-11-23 17:31"
    assert (sheet["F2"].number_format, sheet["K2"].number_format) == ("d mmm yyyy", "d mmm yyyy, hh:mm:ss")


def test_no_formula_and_every_digit_in_the_file(tmp_path: Path):
    write(XlsxFile, tmp_path / "x.xlsx", [[row(1, "=1+1", LARGEST)]])
    content = zipfile.ZipFile(tmp_path / "x.xlsx")
    sheets = [content.read(name).decode() for name in content.namelist() if name.startswith("xl/worksheets/sheet")]
    assert len(sheets) == 2
    assert all("<f>" not in sheet and "<f " not in sheet for sheet in sheets)
    assert "<v>9999999999999.99</v>" in sheets[1]


def test_headings_stay_in_sight_and_can_be_filtered(book):
    sheet = book["Rows"]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == f"A1:K{1 + len(NASTY)}"
    assert (sheet.page_setup.orientation, sheet.print_title_rows) == ("landscape", "$1:$1")
    assert [cell.value for cell in sheet[1]][7:] == [
        "Transaction Amount (₹)",
        "Sanctioned Balance (₹)",
        "Fund Available (₹)",
        "Recorded (IST)",
    ]


def test_the_summary_says_what_was_asked_and_draws_it(book):
    summary = book["Summary"]
    said = {line[0].value: line[1].value for line in summary.iter_rows() if line[0].value}
    assert said["Period"] == "financial year 2026-27 (1 Apr 2026 to 31 Mar 2027)"
    assert said["As of"] == "24 Nov 2026, 00:00:00 IST"
    assert (said["Cities"], said["Rows"]) == ("all", len(NASTY))
    standing, lying = summary._charts
    assert (standing.type, lying.type) == ("col", "bar")
    for chart, series in ((standing, 2), (lying, 2)):
        assert len(chart.series) == series
        assert chart.y_axis.number_format.formatCode == "[>=10000000]##\\,##\\,##\\,##0;[>=100000]##\\,##\\,##0;#,##0"
        assert {str(each.val.numRef.f).split("!")[0] for each in chart.series} == {"Summary"}
    assert said["Expense"] == len(NASTY)
    assert book.properties.creator == "MUKTA IFMS adapter"
    assert book.properties.created == book.properties.modified
    assert str(book.properties.created) == "2026-11-23 18:30:00"


def test_columns_that_can_be_added_have_their_sum(tmp_path: Path):
    report = REPORTS["payment_ageing"]
    rows = [
        ("PI", "od.samplea", "PAYMENT", None, "EP", "x", Decimal(f"{n}.10"), None, 0, "under 1 day") for n in (1, 2)
    ]
    counted = Counted(report)
    counted.add(rows)
    from support.sample_data import asked

    with (tmp_path / "x.xlsx").open("wb") as stream:
        sink = XlsxFile(stream, report, asked(period="all"))
        sink.add(rows)
        sink.finish(counted)
    sheet = load_workbook(tmp_path / "x.xlsx")["Rows"]
    assert [cell.value for cell in sheet[4]][:7] == ["Total", None, None, None, None, None, 3.2]
    assert sheet["D2"].value is None


def test_rows_go_on_in_the_next_sheet_with_a_sentence(tmp_path: Path):
    write(XlsxFile, tmp_path / "x.xlsx", chunks(25, 4), sheet_rows=12)
    book = load_workbook(tmp_path / "x.xlsx")
    assert book.sheetnames == ["Summary", "Rows", "Rows 2", "Rows 3"]
    numbers = []
    for name, following in (("Rows", "Rows 2"), ("Rows 2", "Rows 3"), ("Rows 3", None)):
        sheet = book[name]
        assert sheet.max_row <= 12
        assert sheet["A1"].value == "Head of Account"
        assert sheet.freeze_panes == "A2"
        numbers += [cell.value for cell in sheet["E"][1:] if cell.value]
        if following:
            assert (
                sheet.cell(sheet.max_row, 1).value
                == f"A sheet takes no more rows: they go on in the sheet '{following}'."
            )
    assert numbers == [f"PI-SA/2026-27/{n:06d}" for n in range(25)]
    texts = [str(cell.value) for cell in book["Summary"]["A"]]
    assert any("they go on from sheet to sheet, Rows, Rows 2, Rows 3" in text for text in texts)
    assert SHEET_ROWS == 1_048_576


def test_memory_does_not_grow_with_the_rows(tmp_path: Path):
    def work(many: int) -> None:
        write(XlsxFile, tmp_path / "x.xlsx", chunks(many, 250))

    work(10)  # what is loaded once
    few, many = (peak(lambda n=n: work(n)) for n in (500, 5000))  # type: ignore[misc]
    assert many < 1.3 * few
