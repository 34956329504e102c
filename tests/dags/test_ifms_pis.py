"""ifms_pis alone: approved PIs go on, rejected ones give their money back."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 1})
def test_approved_and_rejected(run_dag, airflow_connections, adapter, treasury):
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    [rejected, approved] = adapter.rows("SELECT pi_number, net_amount FROM ifms.payment_instruction ORDER BY pi_number")
    treasury.rule("PIS", "reject", bill_number=rejected["pi_number"])
    assert run_dag("ifms_pis").state == "success"
    rows = adapter.rows("SELECT pi_number, status FROM ifms.payment_instruction ORDER BY pi_number")
    assert [row["status"] for row in rows] == ["FAILED", "APPROVED"]
    [sums] = adapter.rows("SELECT sum(reserved_amount) AS reserved, sum(spent_amount) AS spent FROM ifms.sanction")
    assert (sums["reserved"], sums["spent"]) == (0, approved["net_amount"])


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1}, treasury={"pace_seconds": 3600})
def test_no_news_is_green_and_changes_nothing(run_dag, airflow_connections, adapter, money):
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    before = money()
    assert run_dag("ifms_pis").state == "success"
    assert adapter.statuses() == {"INITIATED": 1}
    assert money() == before
