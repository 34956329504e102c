"""ifms_reports' operator: what a form's fields mean, as of when, and where the files go."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
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
