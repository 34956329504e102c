"""ifms_pi alone: each payment has one PI at the treasury after it, its money spent."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 2})
def test_each_payment_gets_one_instruction(run_dag, airflow_connections, adapter, treasury):
    adapter.run("VA")
    adapter.run("PA")
    for _ in range(2):
        assert run_dag("ifms_pi").state == "success"
        assert adapter.statuses() == {"INITIATED": 4}
        assert list(treasury.accepted.values()) == [1] * 4
    [sums] = adapter.rows("SELECT sum(reserved_amount) AS reserved, sum(spent_amount) AS spent FROM ifms.sanction")
    [owed] = adapter.rows("SELECT sum(amount) AS owed FROM ifms.payment")
    assert (sums["reserved"], sums["spent"]) == (0, owed["owed"])


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})
def test_a_payment_without_funds_is_said_once_and_stays_green(run_dag, airflow_connections, adapter, treasury):
    adapter.run("PA")
    for _ in range(2):
        assert run_dag("ifms_pi").state == "success"
    assert adapter.rows("SELECT hold_code FROM ifms.payment") == [{"hold_code": "PAYMENT_INSUFFICIENT_FUNDS"}]
    assert len(adapter.rows("SELECT id FROM ifms.outbox")) == 1
    assert treasury.accepted == {}


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
@pytest.mark.parametrize("broken", ["no_account", "masked", "bad_ifsc"])
def test_a_payee_who_cannot_be_paid_is_named_and_the_others_are_paid(
    run_dag, airflow_connections, adapter, treasury, broken
):
    order = {"type": "wage", "tenantId": "od.samplea", "payees": 2}
    [bad] = airflow_connections.ask_platform("POST", "bills", order | {"broken": broken})
    airflow_connections.ask_platform("POST", "bills", order)
    adapter.run("VA")
    adapter.run("PA")
    assert run_dag("ifms_pi").state == "failed"
    [row] = adapter.rows("SELECT message, problems FROM ifms.sweep_run WHERE dag_id = 'ifms_pi'")
    assert row["message"].startswith("SweepNeedsAttentionError: ")
    assert any(bad["payees"][1] in problem for problem in row["problems"])
    assert adapter.statuses() == {"INITIATED": 1}
    assert len(treasury.accepted) == 1
