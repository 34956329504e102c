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


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 2, "persist_ms": 0})
def test_chosen_bills_alone_are_paid_and_each_number_is_told(
    run_dag, airflow_connections, adapter, sweeps, monkeypatch
):
    """By one task, however many there are: it alone knows which number is found nowhere."""
    bills = airflow_connections.ask_platform("GET", "state")["bills"]
    one, other = [bill for bill in bills if bill["wfStatus"] == "APPROVED"][1:3]
    run = run_dag("ifms_pa", conf={"bills": [f"{one['billNumber']}, {other['billNumber']}", one["billNumber"]]})
    assert run.state == "success"
    assert sum(row["counts"].get("payments_created", 0) for row in sweeps(run)) == 2
    state = airflow_connections.ask_platform("GET", "state")
    assert {bill["billId"] for payment in state["payments"] for bill in payment["bills"]} == {one["id"], other["id"]}
    run = run_dag("ifms_pa", conf={"bills": [one["billNumber"], "WB/0/none"]})
    assert run.state == "failed"
    said = [text for row in sweeps(run) for text in row["problems"]]
    assert len(said) == 2
    assert any("WB/0/none is not found in any of the 2 cities" in text for text in said)
    assert any(one["billNumber"] in text and "already" in text for text in said)


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})
def test_bills_that_are_no_numbers_are_refused_before_anything_is_asked(airflow_connections, adapter):
    from ifms.errors import BadInputError
    from ifms_airflow.operators import CreatePaymentsOperator

    for bills, said in (
        ([], "choose 1 to 200"),
        (["WB/1';"], "no bill number"),
        ("WB/1", "list of texts"),
        ([7], "list"),
    ):
        operator = CreatePaymentsOperator(task_id="sample", bills=bills)
        with pytest.raises(BadInputError, match=said):
            operator.scope({"dag_run": type("Run", (), {"run_type": "manual"})()})


def test_chosen_bills_are_one_tasks_however_many_there_are():
    """It alone knows which number is found nowhere."""
    from ifms_airflow.operators import CreatePaymentsOperator

    context = {"dag_run": type("Run", (), {"run_type": "manual"})()}
    for shard, bills in ((0, ("WB/1", "WB/2")), (1, ())):
        operator = CreatePaymentsOperator(task_id="sample", bills=["WB/1", "WB/2"], shard=shard, shards=2)
        scope = operator.scope(context)
        assert (scope.bills, scope.shard, scope.shards) == (bills, 0, 1)
    scope = CreatePaymentsOperator(task_id="sample", shard=1, shards=2).scope(context)
    assert (scope.bills, scope.shard, scope.shards) == (None, 1, 2)


@pytest.mark.simulators(platform={"cities": 3, "bills_per_city": 0})
def test_a_run_that_finds_nothing_asks_each_city_once_on_one_connection(
    run_dag, airflow_connections, sweeps, monkeypatch
):
    """288 such runs a day: who we are, which cities there are, and a search of each one's bills; nothing else."""
    from ifms.ledger import session

    opened = []
    connect = session.connect
    monkeypatch.setattr(session, "connect", lambda *given, **more: opened.append(1) or connect(*given, **more))
    before = airflow_connections.ask_platform("GET", "state")["calls"]
    run = run_dag("ifms_pa")
    assert (run.state, len(sweeps(run))) == ("success", 1)
    calls = airflow_connections.ask_platform("GET", "state")["calls"]
    made = {name: count - before.get(name, 0) for name, count in calls.items()}
    assert made == {"user": 1, "mdms": 1, "bill_search": 3}
    assert len(opened) == 1
