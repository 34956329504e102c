"""ifms_reports: through its form, by itself, and the same files again; nothing in XCom, no treasury, no platform."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from support.failed import wage_bill

from ifms import clock

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]


@pytest.fixture
def folder(run_dag, without_retries, adapter, airflow_connections, monkeypatch, tmp_path) -> Path:
    """Where the DAG's files go; treasury and platform are gone once the ledger is filled."""
    from support import dags

    wage_bill(adapter)
    adapter.cycle()
    for name in ("TREASURY", "PLATFORM"):
        monkeypatch.delenv(f"AIRFLOW_CONN_IFMS_{name}")
    monkeypatch.setattr(dags._dag("ifms_reports").get_task("report"), "path", str(tmp_path / "made"))
    return tmp_path / "made"


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_form_and_by_itself(run_dag, adapter, folder, sweeps):
    head = adapter.rows("SELECT hoa_code FROM ifms.fund_register WHERE transaction_type = 'Expense'")[0]["hoa_code"]
    asked = {
        "report": "fund_register",
        "tenants": ["od.samplea"],
        "period": "all",
        "format": "csv",
        "hoa_code": head,
        "transaction_type": "Expense",
    }
    run = run_dag("ifms_reports", conf=asked)
    assert run.state == "success"
    [(name, content)] = files(folder).items()
    known = f"{clock.to_ist(run.data_interval_end):%Y-%m-%dT%H%M%S}"
    assert name == f"{known}/fund_register_all_od.samplea_{head}_expense.csv"
    assert content.count(b"\r\n") == 2

    before = set(files(folder))
    run = run_dag("ifms_reports")
    assert run.state == "success"
    known = f"{clock.to_ist(run.data_interval_end):%Y-%m-%dT%H%M%S}/"
    assert {name.startswith(known) for name in set(files(folder)) - before} == {True}
    mine = [name.removeprefix(known) for name in set(files(folder)) - before]
    assert {name.split(".")[-1] for name in mine} == {"csv", "xlsx", "pdf"}
    made = {
        "fund_register",
        "reconciliation",
        "response_times",
        "amounts_transferred",
        "bank_transfers",
        "project_payments",
        "payments_by_group",
    }
    assert {name.split("_20")[0] for name in mine} == made
    [row] = sweeps(run)
    assert row["counts"]["empty"] == 2  # nothing waits, nothing has failed


def test_what_is_empty_or_unknown_is_red_without_a_file(run_dag, folder, sweeps):
    for asked, said in (
        ({"report": "failure_reasons"}, "failure_reasons has nothing for financial year"),
        ({"report": "fund_register", "period": "2019-20"}, "fund_register has nothing for financial year 2019-20"),
        ({"tenants": ["od.nowhere"]}, "city 'od.nowhere' is not known here"),
    ):
        run = run_dag("ifms_reports", conf=asked)
        assert run.state == "failed"
        [row] = sweeps(run)
        assert said in row["message"]
        assert row["try_number"] == 1
    assert files(folder) == {}


def test_a_run_of_an_old_date_makes_the_same_files_again(run_dag, adapter, folder):
    at = clock.now()
    asked = {"report": "reconciliation", "format": "csv"}
    assert run_dag("ifms_reports", conf=asked, logical_date=at).state == "success"
    before = files(folder)
    wage_bill(adapter)
    for service in ("PA", "PI"):
        adapter.run(service)
    assert run_dag("ifms_reports", conf=asked, logical_date=at + timedelta(microseconds=1)).state == "success"
    assert files(folder) == before
    assert len(before) == 1
    assert run_dag("ifms_reports", conf=asked).state == "success"
    assert len(set(files(folder).values())) == 2
