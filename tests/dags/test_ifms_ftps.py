"""ifms_ftps alone: a revised PI is SUCCESSFUL once every beneficiary has its scroll."""

from __future__ import annotations

import pytest
from support import failed

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]


def test_a_corrected_payment_is_paid(run_dag, run_backfill, airflow_connections, adapter, treasury, last_days):
    failed.paid_and_failed(adapter)
    assert run_dag("ifms_ftps").state == "success"  # originals are not asked about
    assert "FTPS" not in treasury.state["calls"]

    failed.mend(adapter)
    adapter.correct()
    assert {run.state for run in run_backfill("ifms_ftps", *last_days)} == {"success"}  # made after its intervals
    assert "FTPS" not in treasury.state["calls"]

    assert run_dag("ifms_ftps").state == "success"
    [revision] = failed.revisions(adapter)
    assert revision["status"] == "SUCCESSFUL"
    assert all(revision[name] for name in ("pa_bill_ref_number", "pa_token_number", "pa_token_date", "paid_at"))
    assert failed.failing(adapter) == []
    assert run_dag("ifms_ftps").state == "success"
    assert treasury.state["calls"]["FTPS"] == 1
