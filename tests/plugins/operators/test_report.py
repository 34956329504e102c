"""ifms_reports' operator: what a form's fields mean, as of when, and where the files go."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from openpyxl import load_workbook
from support.databases import as_worker
from support.reported import Reported

from ifms import clock
from ifms.errors import BadInputError, NothingToReportError, ReportTargetError

pytestmark = pytest.mark.airflow


@pytest.fixture
def execute(reported: Reported, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """`execute(at, report=…)`: the operator's work as of `at`; the folder that it wrote into."""
    from ifms_airflow.operators import ReportOperator

    ledger = urlsplit(as_worker(reported.adapter.dsn))
    connection = {
        "conn_type": "postgres",
        "host": ledger.hostname,
        "port": ledger.port,
        "login": ledger.username,
        "password": ledger.password,
        "schema": ledger.path.lstrip("/"),
    }
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_DB", json.dumps(connection))

    def run(at: datetime, **options: Any) -> Path:
        context: Any = {
            "dag_run": SimpleNamespace(data_interval_end=at, run_after=None, run_type="manual"),
            "ti": SimpleNamespace(dag_id="sample", run_id="sample", try_number=1),
        }
        options = {"path": str(tmp_path / "reports")} | options
        ReportOperator(task_id="report", **options).execute(context)
        return tmp_path / "reports" / f"{clock.to_ist(at):%Y-%m-%dT%H%M%S}"

    return run


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_names_are_the_catalogues():
    from ifms.queries.funds import KINDS
    from ifms.reports.catalogue import FORMATS, REPORTS
    from ifms_airflow.operators import report

    assert tuple(REPORTS) == report.REPORTS
    assert report.FORMATS == FORMATS
    assert tuple(KINDS) == report.TRANSACTION_TYPES


def test_one_report_as_of_the_intervals_end(execute: Any, reported: Reported):
    at, told = reported.told["revised"]
    folder = execute(at, report="reconciliation", format="csv")
    [name] = names(folder)
    assert name.startswith("reconciliation_20")
    assert (folder / name).read_bytes() == told["reconciliation"]
    assert execute(at, report="reconciliation", format="csv") == folder
    assert (folder / name).read_bytes() == told["reconciliation"]
    [*_, row] = reported.adapter.rows("SELECT * FROM ifms.sweep_run WHERE service_id = 'REPORTS' ORDER BY started_at")
    assert (row["state"], row["counts"]) == ("success", {"files": 1, "rows": 1})


def test_all_reports_but_those_without_rows_which_are_named(execute: Any, reported: Reported):
    folder = execute(reported.at("paid"), format="csv", tenants=["od.samplea"])
    assert [name.split("_20")[0] for name in names(folder)] == [
        "amounts_transferred",
        "bank_transfers",
        "fund_register",
        "payments_by_group",
        "project_payments",
        "reconciliation",
        "response_times",
    ]
    [*_, row] = reported.adapter.rows("SELECT * FROM ifms.sweep_run WHERE service_id = 'REPORTS' ORDER BY started_at")
    assert (row["state"], row["counts"]["empty"], row["counts"]["files"]) == ("success", 2, 7)
    assert [text.split()[0] for text in row["problems"]] == ["payment_ageing", "failure_reasons"]


def public_key() -> str:
    """As a treasury's is given: base64 of DER."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


@pytest.fixture
def anchored(reported: Reported, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Path, Any]:
    """A folder with an anchor of the whole ledger, as if made just before its end, under the connection's key."""
    from ifms.services.audit import anchor_of, write_anchor
    from ifms.signing import Signer

    key = secrets.token_bytes(32)
    extra = {
        "public_key": public_key(),
        "log_key": base64.b64encode(secrets.token_bytes(32)).decode(),
        "signing_key": base64.b64encode(key).decode(),
    }
    connection = {
        "conn_type": "ifms_treasury",
        "host": "http://127.0.0.1:1",
        "login": "sample",
        "password": "sample",
        "extra": extra,
    }
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_TREASURY", json.dumps(connection))
    with reported.db() as db:
        anchor = replace(db.read_snapshot(anchor_of), at=reported.at("pending") - timedelta(microseconds=1))
    folder = tmp_path / "kept" / "anchors"
    folder.mkdir(parents=True)
    (folder / anchor.name).write_text(write_anchor(anchor, Signer(key)))
    return folder, anchor


def heads_in(folder: Path, cities: str = "all") -> list[tuple[Any, ...]]:
    """The rows below the title, in the workbook's summary."""
    [file] = folder.glob(f"*_{cities}.xlsx")
    rows = list(load_workbook(file)["Summary"].iter_rows(values_only=True))
    [title] = [place for place, row in enumerate(rows) if row[0] == "Where the records were last anchored"]
    made = []
    for row in rows[title + 2 :]:
        if row[0] is None:
            break
        made.append(row[:3])
    return made


def test_the_reconciliation_says_where_the_records_were_last_anchored(execute: Any, reported: Reported, anchored: Any):
    folder, anchor = anchored
    told = {"report": "reconciliation", "format": "xlsx", "anchors": str(folder.parent)}
    expected = sorted((head.chain or "the state", head.number, head.hash.hex()) for head in anchor.heads)
    assert len(expected) >= 2
    assert heads_in(execute(reported.at("pending"), **told)) == expected
    assert heads_in(execute(reported.at("revised"), **told)) == [], "it was not anchored yet"
    of_city = heads_in(execute(reported.at("pending"), tenants=["od.samplea"], **told), "od.samplea")
    assert of_city == [each for each in expected if each[0] == "od.samplea"]


def test_an_anchor_that_is_not_as_it_was_signed_is_told_of_and_not_told(
    execute: Any, reported: Reported, anchored: Any
):
    folder, anchor = anchored
    file = folder / anchor.name
    file.write_text(file.read_text().replace('"number": ', '"number": 1'))
    at = reported.at("pending")
    assert heads_in(execute(at, report="reconciliation", format="xlsx", anchors=str(folder.parent))) == []
    [*_, row] = reported.adapter.rows("SELECT * FROM ifms.sweep_run WHERE service_id = 'REPORTS' ORDER BY started_at")
    assert row["state"] == "success"
    assert "where the records were last anchored is not told" in row["problems"][0]


def test_a_filter_of_the_register_means_the_register(execute: Any, reported: Reported):
    folder = execute(reported.at("pending"), format="csv", transaction_type="Expense", period="all")
    assert names(folder) == ["fund_register_all_all_expense.csv"]


def test_one_report_without_rows_fails_and_leaves_nothing(execute: Any, reported: Reported, tmp_path: Path):
    with pytest.raises(NothingToReportError, match="no file was written"):
        execute(reported.at("paid"), report="failure_reasons", format="csv")
    assert [path for path in (tmp_path / "reports").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"report": "register"}, "is no report"),
        ({"format": "docx"}, "is no format"),
        ({"period": "soon"}, "is no period"),
        ({"period": "2026-11-02..2026-11-01"}, "ends before it begins"),
        ({"tenants": ["od.nowhere"]}, "is not known here"),
        ({"tenants": "x; DROP TABLE ifms.payment"}, "is not known here"),
        ({"tenants": 7}, "tenants must be a list"),
        ({"period": 2026}, "period must be a text"),
        ({"hoa_code": 990017}, "hoa_code must be a text"),
        ({"report": "reconciliation", "hoa_code": "9900"}, "are filters of fund_register only"),
    ],
)
def test_what_can_not_be_asked_is_said(execute: Any, reported: Reported, tmp_path: Path, options: Any, said: str):
    with pytest.raises(BadInputError, match=said):
        execute(reported.at("pending"), **options)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_place_that_can_not_be_written_to(execute: Any, reported: Reported, tmp_path: Path):
    (tmp_path / "taken").write_text("a file")
    for path in (str(tmp_path / "taken"), f"file://{tmp_path}/taken", "nosuchstorage://bucket/reports"):
        with pytest.raises(ReportTargetError, match="reports can't be written to"):
            execute(reported.at("paid"), report="fund_register", path=path)


def test_an_object_storage(execute: Any, reported: Reported, monkeypatch: pytest.MonkeyPatch):
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import fs
    from fsspec.implementations.memory import MemoryFileSystem

    monkeypatch.setitem(fs._register_filesystems(), "memory", lambda _: MemoryFileSystem())  # type: ignore[arg-type]
    at, told = reported.told["paid"]
    execute(at, report="fund_register", format="csv", path="memory://bucket/reports")
    folder = ObjectStoragePath("memory://bucket/reports") / f"{clock.to_ist(at):%Y-%m-%dT%H%M%S}"
    [file] = MemoryFileSystem().ls(folder.path, detail=False)
    assert file.split("/")[-1].startswith("fund_register_20")
    assert MemoryFileSystem().cat_file(file) == told["fund_register"]


def test_a_storage_that_breaks_half_way_keeps_no_half_file(
    execute: Any, reported: Reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from fsspec.implementations.local import LocalFileSystem

    def breaks(self: object, *_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LocalFileSystem, "mv", breaks)
    with pytest.raises(ReportTargetError, match="No space left on device"):
        execute(reported.at("paid"), report="fund_register", format="csv")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_without_a_data_interval_it_is_as_of_when_the_run_was_due():
    from ifms_airflow.operators.report import _known_at

    due = datetime(2026, 11, 24, tzinfo=UTC)
    run: Any = {"dag_run": SimpleNamespace(data_interval_end=None, run_after=due)}
    assert _known_at(run) == due
