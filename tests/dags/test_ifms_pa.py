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


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0, "persist_ms": 0})
def test_a_chosen_bill_with_a_line_of_nothing_is_paid_and_told_so(run_dag, airflow_connections, adapter):
    """Chosen, paid for its other lines, and settled on the platform line by line."""
    chosen, other = airflow_connections.ask_platform(
        "POST", "bills", {"type": "wage", "tenantId": "od.samplea", "amounts": ["500.00", "0"], "count": 2}
    )
    assert run_dag("ifms_va").state == "success"
    assert run_dag("ifms_pa", conf={"bills": [chosen["billNumber"]]}).state == "success"
    for service in ("pi", "pis", "pag", "pd", "relay"):
        assert run_dag(f"ifms_{service}").state == "success"
    state = airflow_connections.ask_platform("GET", "state")
    bills = {bill["id"]: bill["paymentStatus"] for bill in state["bills"]}
    assert bills == {chosen["id"]: "SUCCESSFUL", other["id"]: None}
    [payment] = state["payments"]
    lines = [line for detail in payment["bills"][0]["billDetails"] for line in detail["payableLineItems"]]
    assert [line["status"] for line in lines] == ["SUCCESSFUL", "SUCCESSFUL"]
    [pi] = adapter.rows("SELECT * FROM ifms.payment_instruction")
    assert (pi["status"], pi["net_amount"], pi["beneficiary_count"]) == ("SUCCESSFUL", 500, 1)
    assert [each["lineItemId"] for each in pi["additional_details"]["nothingToPay"]] == [
        line["lineItemId"] for line in lines if not line["paidAmount"]
    ]
