"""ifms_pag alone: approved PIs have their payment advice after it."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 1})
def test_approved_instructions_get_their_advice(run_dag, airflow_connections, adapter):
    for service in ("VA", "PA", "PI", "PIS"):
        adapter.run(service)
    assert run_dag("ifms_pag").state == "success"
    assert adapter.statuses() == {"IN PROCESS": 2}
    rows = adapter.rows(
        "SELECT pa_advice_id, pa_advice_date, pa_token_number, pa_bill_ref_number FROM ifms.payment_instruction"
    )
    assert all(value for row in rows for value in row.values())


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})
def test_initiated_instructions_are_not_asked_about(run_dag, airflow_connections, adapter, treasury):
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    assert run_dag("ifms_pag").state == "success"
    assert adapter.statuses() == {"INITIATED": 1}
    assert "PAG" not in treasury.state["calls"]
