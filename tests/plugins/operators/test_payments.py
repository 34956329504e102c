"""ifms_pa's operator: needs no treasury; a bill that can't be paid is named and the others are paid."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 1})
def test_payments_of_one_city_without_a_treasury(run_dag, airflow_connections, adapter, sweeps, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_IFMS_TREASURY")
    run = run_dag("ifms_pa", conf={"tenants": ["od.samplea"]})
    assert run.state == "success"
    assert [row["counts"]["payments_created"] for row in sweeps(run)] == [1]
    assert {row["tenant_id"] for row in adapter.rows("SELECT tenant_id FROM ifms.payment")} == {"od.samplea"}


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})
def test_a_bill_whose_sums_disagree_is_named_and_the_others_are_paid(run_dag, airflow_connections, adapter, sweeps):
    [broken] = airflow_connections.ask_platform(
        "POST", "bills", {"type": "purchase", "tenantId": "od.samplea", "broken": "sums"}
    )
    run = run_dag("ifms_pa")
    assert run.state == "failed"
    [row] = sweeps(run)
    assert broken["billNumber"] in row["message"]
    assert row["message"].startswith("SweepNeedsAttentionError: ")
    assert row["counts"]["payments_created"] == 1


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})
def test_a_platform_that_is_away_is_worth_a_retry(run_dag, airflow_connections, sweeps, without_retries):
    airflow_connections.ask_platform("POST", "rules", {"service": "mdms", "effect": "refuse"})
    run = run_dag("ifms_pa")
    assert run.state == "failed"
    [row] = sweeps(run)
    assert row["message"].startswith("PlatformUnavailableError: ")
