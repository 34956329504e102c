"""ifms_pa alone: each approved bill has one payment after it, the others none."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 3, "persist_ms": 0})
def test_each_approved_bill_gets_one_payment(run_dag, airflow_connections, adapter):
    for _ in range(2):
        assert run_dag("ifms_pa").state == "success"
        state = airflow_connections.ask_platform("GET", "state")
        approved = {bill["id"] for bill in state["bills"] if bill["wfStatus"] == "APPROVED"}
        paid = [bill["billId"] for payment in state["payments"] for bill in payment["bills"]]
        assert len(state["bills"]) > len(approved) == 6
        assert sorted(paid) == sorted(approved)
        numbers = {row["payment_number"] for row in adapter.rows("SELECT payment_number FROM ifms.payment")}
        assert numbers == {payment["paymentNumber"] for payment in state["payments"]}
