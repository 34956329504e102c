"""ifms_pi's operator: what it could not settle stays PENDING, and its next run settles it under the same number."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support import dags as support_dags
from support.adapter import assert_money_is_right

from ifms.errors import BadInputError

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


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})
def test_a_form_s_payment_under_way_is_refused_by_the_first_try_and_settled_by_the_next(
    run_dag, airflow_connections, adapter, treasury, sweeps, monkeypatch
):
    """The first try has made the new PI and could not send it: the retry must not stumble over it."""
    adapter.run("VA")
    adapter.run("PA")
    [payment] = adapter.rows("SELECT payment_number FROM ifms.payment")
    form = {"payments": [payment["payment_number"]]}
    task = support_dags._dag("ifms_pi").tasks[0]
    treasury.rule("PI", "refuse", mode="close", times=1)
    with monkeypatch.context() as quick:
        quick.setitem(task.partial_kwargs, "retry_delay", timedelta(seconds=1))
        quick.setitem(task.partial_kwargs, "retry_policy", None)
        run = run_dag("ifms_pi", conf=form)
    assert run.state == "success"
    rows = sorted(sweeps(run), key=lambda row: row["try_number"])
    assert [(row["try_number"], row["state"]) for row in rows] == [(1, "failed"), (2, "success")]
    assert "has a payment instruction under way" in rows[1]["problems"][0]
    assert adapter.statuses() == {"INITIATED": 1}
    assert_money_is_right(adapter, treasury)

    again = run_dag("ifms_pi", conf=form)
    assert again.state == "failed"


@pytest.mark.parametrize("value", ["EP/0/2024-25/06/01/000001", [7], [""], {"a": "b"}])
def test_payments_are_a_list_of_numbers(value):
    from ifms_airflow.operators.sweep import texts

    with pytest.raises(BadInputError, match="payments must be a list of texts"):
        texts("payments", value)


def test_each_text_counts_once():
    from ifms_airflow.operators.sweep import texts

    assert texts("payments", [" b", "a", "b "]) == ["b", "a"]
