"""The script of cells, run from its first to its last as an editor would, by somebody who only reads."""

from __future__ import annotations

import runpy
from decimal import Decimal

import pytest
from support import failed
from support.adapter import Adapter
from support.databases import as_reader
from support.environment import REPO

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]
SCRIPT = REPO / "include" / "examples" / "notebook_ifms_payments.py"


def run(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_DB", as_reader(adapter.dsn).replace("postgresql://", "postgres://", 1))
    return runpy.run_path(str(SCRIPT))


def test_its_cells_tell_what_was_paid_and_what_is_owed(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    failed.paid_and_failed(adapter, 3, 1)
    held = run(adapter, monkeypatch)
    [one] = adapter.rows("SELECT amount FROM ifms.beneficiary WHERE status = 'Payment Failed'")
    [rest] = adapter.rows("SELECT sum(amount) AS amount FROM ifms.beneficiary WHERE status = 'Payment Successful'")
    paid = held["paid"].reset_index()
    assert paid["bill_type"].unique().tolist() == ["WAGE"]
    assert (paid["count"].sum(), paid["sum"].sum()) == (2, rest["amount"])
    assert held["owed"]["amount"].tolist() == [one["amount"]]
    said = capsys.readouterr().out
    assert f"Still owed: {one['amount']} rupees to 1" in said
    assert "Sanctions on which the register differs: 0" in said


def test_an_empty_ledger_has_paid_and_owes_nothing(adapter: Adapter, monkeypatch: pytest.MonkeyPatch):
    held = run(adapter, monkeypatch)
    assert len(held["paid"]) == 0
    assert held["owed"]["amount"].sum() == Decimal(0)
