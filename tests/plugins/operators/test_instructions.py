"""ifms_pi's operator: what it could not settle stays PENDING, and its next run settles it under the same number."""

from __future__ import annotations

import pytest
from support.adapter import assert_money_is_right

pytestmark = pytest.mark.airflow


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 2})
def test_a_lost_reply_is_settled_by_the_next_run(run_dag, airflow_connections, adapter, treasury, sweeps):
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "lost_reply", times=1)
    first = run_dag("ifms_pi")
    assert adapter.statuses() == {"INITIATED": 3, "PENDING": 1}
    [row] = sweeps(first)
    assert row["counts"]["outcome_unknown"] == 1

    assert run_dag("ifms_pi").state == "success"
    assert adapter.statuses() == {"INITIATED": 4}
    assert_money_is_right(adapter, treasury)


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})
def test_a_treasury_that_is_away_is_worth_a_retry_and_changes_no_number(
    run_dag, airflow_connections, adapter, treasury, sweeps, without_retries
):
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "refuse", mode="close")
    first = run_dag("ifms_pi")
    assert first.state == "failed"
    [row] = sweeps(first)
    assert row["message"].startswith("SweepUnreachableError: ")
    [before] = adapter.rows("SELECT pi_number, status FROM ifms.payment_instruction")
    assert before["status"] == "PENDING"

    treasury.clear()
    assert run_dag("ifms_pi").state == "success"
    assert adapter.rows("SELECT pi_number, status FROM ifms.payment_instruction") == [before | {"status": "INITIATED"}]
    assert_money_is_right(adapter, treasury)
