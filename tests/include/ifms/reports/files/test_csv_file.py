"""A report as CSV: exact, harmless, in bounded memory."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from support.memory_peak import peak
from support.sample_data import NASTY, REGISTER, asked, chunks, row

from ifms.reports.files.csv_file import CsvFile


def written(path: Path, rows: object) -> list[list[str]]:
    with path.open("wb") as stream:
        sink = CsvFile(stream, REGISTER, asked())
        for each in rows:  # type: ignore[attr-defined]
            sink.add(each)
        sink.finish(None)  # type: ignore[arg-type]
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def test_headings_rows_and_nothing_else(tmp_path: Path):
    told = written(tmp_path / "x.csv", [[row(1), row(2)], [row(3)]])
    assert told[0] == [column.heading for column in REGISTER.columns]
    assert [line[4] for line in told[1:]] == [f"PI-SA/2026-27/{n:06d}" for n in (1, 2, 3)]
    assert told[1][5:] == ["2026-11-23", "Expense", "1234567.10", "900000.00", "-298750.05", "2026-11-23 17:31:02"]


def test_nothing_in_it_is_a_formula(tmp_path: Path):
    told = written(tmp_path / "x.csv", [[row(n, text) for n, text in enumerate(NASTY)]])
    for line, text in zip(told[1:], NASTY, strict=True):
        assert line[4] in (text, f"'{text}")
        assert line[4][:1] not in {"=", "+", "-", "@", "\t", "−"}


def test_memory_does_not_grow_with_the_rows(tmp_path: Path):
    few, many = (peak(lambda n=n: _write(tmp_path / "x.csv", n)) for n in (500, 5000))  # type: ignore[misc]
    assert many < 1.3 * few


def _write(path: Path, many: int) -> None:
    with path.open("wb") as stream:
        sink = CsvFile(stream, REGISTER, asked())
        for each in chunks(many, 250):
            sink.add(each)
