"""ifms_va alone: the cities' money is known after it, and counted once."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0})
def test_money_of_every_city_is_recorded_once(run_dag, airflow_connections, adapter, money):
    assert run_dag("ifms_va").state == "success"
    once = money()
    assert {row["tenant_id"] for row in once["sanction"]} == {"od.samplea", "od.sampleb"}
    assert all(row["available_amount"] == row["allotted_amount"] > 0 for row in once["sanction"])
    assert {row["kind"] for row in once["fund_movement"]} <= {"ALLOTMENT", "WITHDRAWAL"}

    assert run_dag("ifms_va").state == "success"
    assert money() == once


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0})
def test_a_city_without_unit_is_said_and_the_other_is_asked_for(run_dag, airflow_connections, adapter):
    airflow_connections.ask_platform(
        "POST", "masters", {"tenantId": "od.samplea", "module": "ifms", "name": "SSUDetails", "data": []}
    )
    assert run_dag("ifms_va").state == "success"
    assert {row["tenant_id"] for row in adapter.rows("SELECT tenant_id FROM ifms.sanction")} == {"od.sampleb"}
    [row] = adapter.rows("SELECT problems FROM ifms.sweep_run")
    assert "od.samplea" in row["problems"][0]
