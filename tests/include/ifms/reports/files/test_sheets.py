"""Files for spreadsheets: whatever a name begins with, nothing in them is a formula, and numbers stay numbers."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from ifms.reports.files.sheets import csv_rows, harmless, text, xlsx
from ifms.reports.files.workbook import RUPEES

BEGINNINGS = ["=1+1", "+1", "-1", "−1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1", "＝1", "＠x"]


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_what_would_be_a_formula_is_a_text(beginning: str):
    assert harmless(beginning) == f"'{beginning}"
    book = load_workbook(io.BytesIO(xlsx("Sample", ["Name"], [[beginning]])))
    assert book.active["A2"].data_type == "s"


@given(st.text())
def test_no_text_whatever_begins_a_formula(value: str):
    written = harmless(value)
    assert written[:1] not in {"=", "+", "-", "@", "\t", "\r", "−"}
    assert written.removeprefix("'") == value or written == value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("-10.50"), "-10.50"),
        (-3, "-3"),
        (None, ""),
        (date(2024, 6, 1), "2024-06-01"),
        (datetime(2024, 6, 1, 20, tzinfo=UTC), "2024-06-02 01:30:00"),
        ("000012345678", "000012345678"),
        ("PI-SA/2024-25/000001", "PI-SA/2024-25/000001"),
    ],
)
def test_other_cells_are_as_they_are(value: object, written: str):
    assert harmless(value) == text(value) == written  # type: ignore[arg-type]


def test_a_csv_file_is_read_back_as_it_was():
    rows = [['Sample, "Payee"', Decimal("1.50")], ["ଓଡ଼ିଶା\nline", 3]]
    told = "".join(csv_rows(["Name", "Amount"], rows))
    assert told.startswith("\ufeff")
    assert list(csv.reader(io.StringIO(told[1:]))) == [
        ["Name", "Amount"],
        ['Sample, "Payee"', "1.50"],
        ["ଓଡ଼ିଶା\nline", "3"],
    ]


def test_an_account_number_keeps_its_zeros_in_a_workbook():
    content = xlsx("Sample", ["Account", "Amount"], [["000012345678901234567", Decimal("12345.50")]])
    sheet = load_workbook(io.BytesIO(content)).active
    assert (sheet["A2"].value, sheet["A2"].number_format) == ("000012345678901234567", "@")
    assert (sheet["B2"].value, sheet["B2"].number_format) == (12345.5, RUPEES)


def test_control_characters_do_not_break_a_workbook():
    content = xlsx("Sample", ["Name"], [["a\x00b\x0bc"]])
    assert load_workbook(io.BytesIO(content)).active["A2"].value == "abc"
    assert "<f>" not in zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml").decode()
