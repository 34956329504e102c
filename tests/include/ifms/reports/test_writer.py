"""Reports of a ledger that the real services filled: the same again later, exact, whole or not there at all."""

from __future__ import annotations

import csv
import io
import tempfile
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from openpyxl import load_workbook
from support.databases import as_reader
from support.reported import Reported

from ifms import clock
from ifms.cli import main
from ifms.errors import BadInputError, NothingToReportError, ReportTargetError
from ifms.ledger import session
from ifms.ledger.database import Database
from ifms.reports import writer
from ifms.reports.catalogue import REPORTS, request


def test_what_a_report_told_it_tells_again_after_all_that_came_later(reported: Reported, tmp_path: Path):
    assert len(reported.told) > 8
    changed = 0
    for step, (at, told) in reported.told.items():
        for name, before in told.items():
            assert reported.csv(name, tmp_path, as_of=at) == before, (step, name)
            changed += before != reported.csv(name, tmp_path)
    assert changed > 30, "a report that never changes would prove nothing"


def test_workbook_and_document_are_the_same_files_again(reported: Reported, tmp_path: Path):
    for name in ("fund_register",):
        files = [
            reported.make(name, tmp_path / again, "xlsx", "pdf", as_of=reported.at("corrected")).files
            for again in ("once", "twice")
        ]
        for one, other in zip(*files, strict=True):
            assert one.name == other.name
            assert one.read_bytes() == other.read_bytes(), one.name


def test_amounts_are_the_ledgers_to_the_paisa(reported: Reported, tmp_path: Path):
    [sums] = reported.adapter.rows(
        """
        SELECT sum(allotted_amount) AS allotted, sum(spent_amount) AS spent, sum(available_amount + reserved_amount) AS left
        FROM ifms.sanction
        """
    )
    [paid] = reported.adapter.rows(
        """
        SELECT sum(b.amount) AS paid FROM ifms.beneficiary b
        JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id WHERE b.status = 'Payment Successful'
        """
    )
    moved: dict[str, Decimal] = {}
    for row in reported.rows("fund_register", period="all"):
        moved[row["transaction_type"]] = moved.get(row["transaction_type"], Decimal(0)) + row["transaction_amount"]
    assert moved["Initial Allotment"] + moved["Additional Allotment"] - moved["Withdrawal"] == sums["allotted"]
    assert moved["Expense"] - moved["Expense Reversed"] == sums["spent"]
    payments = reported.rows("reconciliation", period="all")
    assert sum(row["paid"] for row in payments) == paid["paid"]
    assert sum(row["debited"] for row in payments) == sums["spent"]
    made = reported.make("fund_register", tmp_path, "xlsx", period="all")
    summary = load_workbook(made.files[0])["Summary"]
    [total] = [
        row for row in summary.iter_rows(values_only=True) if row[0] == "Total" and len(row) > 7 and row[7] is not None
    ][-1:]  # by city
    assert Decimal(str(total[7])) == sums["left"]


def test_csv_and_workbook_have_the_same_rows(reported: Reported, tmp_path: Path):
    for name, report in REPORTS.items():
        made = reported.make(name, tmp_path, "csv", "xlsx", period="all")
        told = list(csv.reader(io.StringIO(made.files[0].read_text("utf-8-sig"))))
        sheet = load_workbook(made.files[1])["Rows"]
        assert len(told) - 1 == made.rows
        cells = list(sheet.iter_rows(min_row=2, max_row=1 + made.rows, values_only=True))
        for line, row in zip(told[1:], cells, strict=True):
            for text, cell, column in zip(line, row, report.columns, strict=True):
                if column.kind.is_number and text:
                    assert Decimal(text) == Decimal(str(cell)), (name, column.name)
                else:
                    assert text.removeprefix("'")[:10] == ("" if cell is None else str(cell))[:10], (name, column.name)


def test_an_empty_report_is_said_and_leaves_no_file(reported: Reported, tmp_path: Path):
    said = r"fund_register has nothing of od.samplea for financial year 2019-20 .* no file was written"
    with pytest.raises(NothingToReportError, match=said):
        reported.make("fund_register", tmp_path, "csv", "xlsx", "pdf", period="2019-20", tenants=["od.samplea"])
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_city_is_named_with_those_that_are_known(reported: Reported, tmp_path: Path):
    with pytest.raises(BadInputError, match=r"'od.nowhere' is not known here; the ledger knows od.samplea, od.sampleb"):
        reported.make("payment_ageing", tmp_path, tenants=["od.samplea", "od.nowhere"])
    assert list(tmp_path.iterdir()) == []


def test_what_is_yet_to_come_is_not_reported(reported: Reported, tmp_path: Path):
    with pytest.raises(BadInputError, match="is yet to come"):
        reported.make("payment_ageing", tmp_path, as_of=clock.now() + timedelta(hours=1))


def test_a_place_that_can_not_be_written_to_is_named(reported: Reported, tmp_path: Path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ReportTargetError, match=r"can't be written to .*taken/below: Not a directory; free it"):
        reported.make("fund_register", tmp_path / "taken" / "below", period="all")


def test_a_disk_that_is_full_is_said(reported: Reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from ifms.reports.files.csv_file import CsvFile

    def full(self: object, rows: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CsvFile, "add", full)
    with pytest.raises(ReportTargetError, match="can't be written to .*: No space left on device; free it"):
        reported.make("fund_register", tmp_path, period="all")
    assert list(tmp_path.iterdir()) == []


def test_what_breaks_half_way_leaves_the_old_file_and_no_half_one(
    reported: Reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made = reported.make("fund_register", tmp_path, "csv", "xlsx", period="all")
    before = [path.read_bytes() for path in made.files]

    class Broken(Exception):
        pass

    (tmp_path / "spool").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spool"))

    from ifms.reports.files.xlsx_file import XlsxFile

    def breaks(self: object, counted: object) -> None:
        raise Broken

    monkeypatch.setattr(XlsxFile, "finish", breaks)
    with pytest.raises(Broken):
        reported.make("fund_register", tmp_path, "csv", "xlsx", period="all")
    assert sorted(tmp_path.iterdir()) == sorted([*made.files, tmp_path / "spool"])
    assert list((tmp_path / "spool").iterdir()) == [], "what the rows passed through"
    assert [path.read_bytes() for path in made.files] == before


def test_rows_come_some_at_a_time_and_progress_is_told(
    reported: Reported, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    monkeypatch.setattr(writer, "PROGRESS", 5)
    caplog.set_level("INFO", "ifms.reports")
    report = REPORTS["fund_register"]
    asked = request(report, clock.now(), period="all")
    with reported.db() as db:
        made = writer.make(db, report, asked, ("csv",), tmp_path, chunk=2)
        chunks = db.read_snapshot(lambda c: list(writer.read(c, report, asked, chunk=2)))
    assert {len(rows) for rows in chunks[:-1]} == {2}
    assert sum(map(len, chunks)) == made.rows
    assert "fund_register: 6 rows so far" in caplog.messages
    assert caplog.messages[-1] == f"fund_register: {made.rows} rows in {made.files[0].name}"


def test_a_report_is_read_where_nothing_can_be_written(reported: Reported):
    with reported.db() as db, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        db.read_snapshot(lambda c: c.execute("UPDATE ifms.payment SET polled_at = now()"))


@pytest.mark.parametrize("name", REPORTS)
def test_the_reading_login_makes_the_same(reported: Reported, tmp_path: Path, name: str):
    """`ifms report`, as who logs in as ifms_reports runs it."""
    for step in ("pending", "settled"):
        at, told = reported.told[step]
        assert told[name] is not None
        words = [
            "--dsn",
            as_reader(reported.adapter.dsn),
            "--as-of",
            at.isoformat(),
            "--to-folder",
            str(tmp_path / step),
        ]
        assert main(["report", name, "--format", "csv", "xlsx", "pdf", *words]) == 0
        [csv] = (tmp_path / step).glob("*.csv")
        assert csv.read_bytes() == told[name]
        assert len(list((tmp_path / step).iterdir())) == 3


def test_the_reading_login_is_told_of_an_unknown_city(reported: Reported):
    with Database(lambda: session.connect(as_reader(reported.adapter.dsn))) as db:
        asked = request(REPORTS["reconciliation"], clock.now(), tenants=["od.nowhere"])
        with pytest.raises(BadInputError, match="is not known here; the ledger knows od"):
            writer.make(db, REPORTS["reconciliation"], asked, ["csv"], Path())
