"""A workbook's cells, the unusual ones; the same file again; nothing that is left over."""

from __future__ import annotations

import gc
import io
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openpyxl import load_workbook
from support.workbooks import AT, CELLS, TEXTS, in_rows

from ifms.money import grouped
from ifms.reports.files.workbook import Book, printable
from ifms.reports.report import Kind

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def made(kind: Kind, *values: Any) -> bytes:
    """A workbook with a column of these values."""
    buffer = io.BytesIO()
    with closing(Book(buffer, AT)) as book:
        put = book.put(book.sheet("Sample"), kind)
        for row, value in enumerate(values):
            put(row, 0, value)
        book.save()
    return buffer.getvalue()


def cells(content: bytes) -> list[Any]:
    """The cells of the column."""
    return [line[0] for line in load_workbook(io.BytesIO(content)).active.iter_rows()]


def shown(content: bytes) -> list[str]:
    """The texts as the file has them, and no cell that is anything else."""
    sheet = ElementTree.fromstring(zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml"))
    found = list(sheet.iter(f"{MAIN}c"))
    assert {cell.get("t") for cell in found} == {"inlineStr"}
    return ["".join(part.text or "" for part in cell.iter(f"{MAIN}t")) for cell in found]


def test_a_text_is_that_text_whatever_is_in_it():
    assert shown(made(Kind.TEXT, *TEXTS)) == TEXTS
    read = cells(made(Kind.TEXT, *TEXTS))
    assert [cell.value or "" for cell in read] == TEXTS
    assert {cell.number_format for cell in read} == {"@"}
    content = zipfile.ZipFile(io.BytesIO(made(Kind.TEXT, *TEXTS)))
    assert "xl/worksheets/_rels/sheet1.xml.rels" not in content.namelist(), "a link"


@given(st.text(max_size=50))
def test_no_text_breaks_a_workbook(text: str):
    [told] = shown(made(Kind.TEXT, text))
    assert "_x" in told or told == printable(text).replace("\r\n", "\n").replace("\r", "\n")


def test_what_looks_like_an_escaped_character_is_not_read_as_one():
    assert shown(made(Kind.TEXT, "_x0041_")) == ["_x005F_x0041_"]


def test_control_characters_and_halves_of_a_character_are_left_out():
    assert shown(made(Kind.TEXT, "a\x00b\x0bc\x1f\ud800d\ufffe")) == ["abcd"]


@pytest.mark.parametrize(
    "text",
    ["x" * 40_000, "\U0001f600" * 40_000, "x" + "\U0001f600" * 40_000, f"<r>{'x' * 40_000}", f"<r>{'x' * 32_760}</r>"],
)
def test_a_long_text_ends_where_a_cell_does(text: str):
    [told] = shown(made(Kind.TEXT, text))
    units = len(told.encode("utf-16-le")) // 2
    assert 32_766 <= units <= 32_767
    assert text.startswith(told)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("0.10"), "0.10"),
        (Decimal("-0.01"), "-0.01"),
        (Decimal("9999999999999.99"), "9999999999999.99"),
        (Decimal("123456789012345678901.23"), "1.234567890123457E+20"),
        (10**20, "1E+20"),
        (0, "0"),
    ],
)
def test_a_number_is_a_number_with_as_many_digits_as_a_spreadsheet_knows(value: Any, written: str):
    content = made(Kind.MONEY, value)
    assert f"<v>{written}</v>" in zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml").decode()
    [cell] = cells(content)
    assert (cell.data_type, float(cell.value)) == ("n", pytest.approx(float(value), rel=1e-15))


def as_shown(value: Decimal, number_format: str) -> str:
    """What a spreadsheet makes of an amount: sections with their conditions, placeholders filled from the right."""
    sections = [re.fullmatch(r"(?:\[>=(\d+)\])?(.*)", each) for each in number_format.split(";")]
    pattern = next(each[2] for each in sections if each and (each[1] is None or value >= int(each[1])))
    whole, paise = f"{abs(value):.2f}".split(".")
    if pattern == "#,##0.00":
        return f"{'-' if value < 0 else ''}{int(whole):,}.{paise}"
    *groups, last = pattern.removesuffix(".00").split("\\,")
    assert (set(groups), last) == ({"##"}, "##0")
    told = [whole[-3:]]
    rest = whole[:-3]
    for _ in groups[1:]:
        told.insert(0, rest[-2:])
        rest = rest[:-2]
    return f"{'-' if value < 0 else ''}{','.join([rest, *told])}.{paise}"


@pytest.mark.parametrize(
    "amount",
    [
        "0",
        "0.01",
        "-0.01",
        "999.5",
        "1000",
        "99999.99",
        "-99999",
        "-99999.99",
        "-100000",
        "100000",
        "-298750.05",
        "9999999.99",
        "10000000",
        "-10000000",
        "999999999",
        "999999999.99",
        "1000000000",
        "5000000000",
        "-123456789.10",
        "9999999999999.99",
        "-9999999999999.99",
        "12345678901234567",
    ],
)
def test_amounts_are_grouped_as_everywhere_else(amount: str):
    [cell] = cells(made(Kind.MONEY, Decimal(amount)))
    assert as_shown(Decimal(amount), cell.number_format) == grouped(Decimal(amount))


def test_a_day_is_a_day_and_a_text_before_a_spreadsheet_counts_them():
    days = [date(1900, 3, 1), date(2026, 11, 23), date(9999, 12, 31)]
    read = cells(made(Kind.DATE, *days))
    assert [cell.value.date() for cell in read] == days
    assert {cell.number_format for cell in read} == {"d mmm yyyy"}
    assert shown(made(Kind.DATE, date(1, 1, 1), date(1900, 2, 28))) == ["0001-01-01", "1900-02-28"]


def test_an_instant_is_on_the_treasurys_clock_to_the_second():
    [cell] = cells(made(Kind.INSTANT, datetime(2026, 11, 23, 18, 30, 59, 999_999, tzinfo=UTC)))
    assert str(cell.value) == "2026-11-24 00:00:59"
    assert shown(made(Kind.INSTANT, datetime(1899, 12, 31, tzinfo=UTC)))[0].startswith("1899-12-31 05:")


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_full_disk_is_said_as_one_and_nothing_is_left_over(spool: Path):
    class Disk(io.BytesIO):
        full = True

        def write(self, data: Any) -> int:
            if self.full:
                raise OSError(28, "No space left on device")
            return super().write(data)

    disk = Disk()
    with pytest.raises(OSError, match="No space left on device"), closing(Book(disk, AT)) as book:
        book.put(book.sheet("Sample"), Kind.TEXT)(0, 0, "a")
        assert list(spool.iterdir()) != []
        book.save()
    assert list(spool.iterdir()) == []
    disk.full = False
    del book
    gc.collect()  # the archive tries to end itself once more when it goes


def test_a_workbook_that_is_given_up_leaves_nothing_either(spool: Path):
    with closing(Book(io.BytesIO(), AT)) as book:
        put = book.put(book.sheet("Sample"), Kind.TEXT)
        for row in range(100):
            put(row, 0, "a")
    assert list(spool.iterdir()) == []


# XlsxWriter must make the same of it whatever else is installed: openpyxl wrote with lxml where there was one.
SAME = """
import sys
from pathlib import Path
import lxml.etree
from support.sample_data import NASTY, row, write
from ifms.reports.files.xlsx_file import XlsxFile
write(XlsxFile, Path(sys.argv[1]), [[row(n, text) for n, text in enumerate(NASTY)]])
print(*(name for name in ("openpyxl", "lxml") if name in sys.modules))
"""


def test_it_is_the_same_file_beside_another_library_for_xml(tmp_path: Path):
    from support.sample_data import NASTY, row, write

    from ifms.reports.files.xlsx_file import XlsxFile

    write(XlsxFile, tmp_path / "alone.xlsx", [[row(n, text) for n, text in enumerate(NASTY)]])
    fake = tmp_path / "beside" / "lxml"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("")
    (fake / "etree.py").write_text("LXML_VERSION = (6, 0, 0, 0)\ndef __getattr__(name): raise RuntimeError(name)\n")
    done = subprocess.run(
        [sys.executable, "-c", SAME, str(tmp_path / "beside.xlsx")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join([str(tmp_path / "beside"), *filter(None, sys.path)]),
            "TZ": "America/New_York",
        },
    )
    assert (done.returncode, done.stdout.split()) == (0, ["lxml"]), done.stderr
    assert (tmp_path / "beside.xlsx").read_bytes() == (tmp_path / "alone.xlsx").read_bytes()


@pytest.mark.parametrize("kind", Kind)
def test_a_whole_row_is_what_its_cells_are_one_by_one(kind: Kind):
    rows = [(each, "usual") for each in (*CELLS[kind], None)] + [(None, None), (None, "usual")]
    for shown in (rows, rows[::-1]):
        assert in_rows(shown, [kind, Kind.TEXT], whole=True) == in_rows(shown, [kind, Kind.TEXT], whole=False)


@given(
    st.lists(
        st.tuples(
            st.text(max_size=8),
            st.decimals(allow_nan=False, allow_infinity=False, places=2),
            st.datetimes(timezones=st.just(UTC), min_value=datetime(1900, 1, 2)),  # noqa: DTZ001
        )
    )
)
@example([("0", Decimal("0.00"), datetime(4148, 1, 1, 0, 0, 0, 999993, tzinfo=UTC))])
def test_whole_rows_of_anything_are_what_their_cells_are(rows: list[tuple[Any, ...]]):
    kinds = [Kind.TEXT, Kind.MONEY, Kind.INSTANT]
    assert in_rows(rows, kinds, whole=True) == in_rows(rows, kinds, whole=False)
