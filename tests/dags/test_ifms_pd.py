"""ifms_pd alone: a PI is SUCCESSFUL once every beneficiary has its scroll, and not before."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})
def test_scrolls_are_kept_as_they_come(run_dag, airflow_connections, adapter, treasury):
    for service in ("VA", "PA", "PI", "PIS", "PAG"):
        adapter.run(service)
    treasury.rule("PD", "partial_scrolls", beneficiaries=1)
    assert run_dag("ifms_pd").state == "success"
    assert adapter.statuses() == {"IN PROCESS": 1}
    assert len(adapter.rows("SELECT id FROM ifms.beneficiary WHERE utr_number IS NOT NULL")) == 1

    treasury.clear()
    assert run_dag("ifms_pd").state == "success"
    assert adapter.statuses() == {"SUCCESSFUL": 1}
    assert adapter.rows("SELECT id FROM ifms.beneficiary WHERE utr_number IS NULL OR voucher_number IS NULL") == []
