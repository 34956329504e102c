"""ifms_va's operator: one city or all, and news only when there is some."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow


@pytest.mark.simulators(platform={"cities": 3, "bills_per_city": 0})
def test_one_city_then_the_others(run_dag, airflow_connections, adapter, sweeps):
    first = run_dag("ifms_va", conf={"tenants": ["od.sampleb"]})
    assert first.state == "success"
    assert {row["tenant_id"] for row in adapter.rows("SELECT tenant_id FROM ifms.sanction")} == {"od.sampleb"}
    [row] = sweeps(first)
    assert row["counts"]["allotments_new"] > 0

    assert run_dag("ifms_va").state == "success"
    assert len(adapter.rows("SELECT DISTINCT tenant_id FROM ifms.sanction")) == 3


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0})
def test_a_reply_that_is_not_understood_is_red_and_the_rest_is_kept(
    run_dag, airflow_connections, adapter, treasury, sweeps
):
    treasury.rule("VA", "html", times=1)
    run = run_dag("ifms_va")
    assert run.state == "failed"
    [row] = sweeps(run)
    assert row["message"].startswith("SweepNeedsAttentionError: ")
    assert row["counts"]["problems"] == 1
    assert "allotments of od." in row["problems"][0]
    assert adapter.rows("SELECT count(*) AS n FROM ifms.allotment")[0]["n"] > 0

    assert run_dag("ifms_va").state == "success"
    assert adapter.rows("SELECT id FROM ifms.va_watermark WHERE fetched_until IS NULL") == []
