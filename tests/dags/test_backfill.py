"""A backfill asks again, and changes nothing twice."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from support.adapter import assert_money_is_right

pytestmark = pytest.mark.airflow

CYCLE = ("ifms_va", "ifms_pa", "ifms_pi", "ifms_pis", "ifms_pag", "ifms_pd")


def spell(dag_id: str, days: tuple[datetime, datetime]) -> tuple[datetime, datetime]:
    """The days; of ifms_pa, which fires every five minutes, the last ten minutes."""
    return (days[1] - timedelta(minutes=10), days[1]) if dag_id == "ifms_pa" else days


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 3})
def test_backfill_of_a_finished_cycle_changes_nothing(
    run_backfill, airflow_connections, adapter, treasury, money, age, last_days
):
    adapter.cycle()
    age(36)
    before = money()
    assert set(before["accepted"].values()) == {1}
    for dag_id in CYCLE:
        for time in ("first", "second"):
            runs = run_backfill(dag_id, *spell(dag_id, last_days))
            assert len(runs) >= 2
            assert {run.state for run in runs} == {"success"}, (dag_id, time)
            assert money() == before, (dag_id, time)


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 1})
def test_backfill_walks_a_cycle_that_stood_still_and_the_second_one_changes_nothing(
    run_backfill, airflow_connections, adapter, treasury, money, age, last_days
):
    adapter.run("VA")
    adapter.run("PA")
    age(36)
    for dag_id, status in (
        ("ifms_pi", "INITIATED"),
        ("ifms_pis", "APPROVED"),
        ("ifms_pag", "IN PROCESS"),
        ("ifms_pd", "SUCCESSFUL"),
    ):
        assert {run.state for run in run_backfill(dag_id, *last_days)} == {"success"}
        assert adapter.statuses() == {status: 2}
        once = money()
        run_backfill(dag_id, *last_days)
        assert money() == once
        if dag_id == "ifms_pi":  # PIs were made just now
            age(36)
    assert_money_is_right(adapter, treasury)


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 1})
@pytest.mark.parametrize(
    ("dag_id", "before", "status"),
    [
        ("ifms_pis", ("VA", "PA", "PI"), "INITIATED"),
        ("ifms_pag", ("VA", "PA", "PI", "PIS"), "APPROVED"),
        ("ifms_pd", ("VA", "PA", "PI", "PIS", "PAG"), "IN PROCESS"),
    ],
)
def test_backfill_asks_about_the_instructions_of_its_interval_only(
    run_backfill, airflow_connections, adapter, treasury, age, last_days, dag_id, before, status
):
    for service in before:
        adapter.run(service)
    age(36, "od.samplea")
    asked = treasury.state["calls"].get(dag_id.removeprefix("ifms_").upper(), 0)
    run_backfill(dag_id, *last_days)
    rows = {row["tenant_id"]: row["status"] for row in adapter.rows("SELECT * FROM ifms.payment_instruction")}
    assert rows["od.sampleb"] == status
    assert rows["od.samplea"] != status
    assert treasury.state["calls"][dag_id.removeprefix("ifms_").upper()] == asked + 1


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 1})
def test_backfill_instructs_the_payments_of_its_interval_only(
    run_backfill, airflow_connections, adapter, treasury, age, last_days
):
    adapter.run("VA")
    adapter.run("PA")
    age(36, "od.samplea")
    run_backfill("ifms_pi", *last_days)
    rows = adapter.rows("SELECT tenant_id, status FROM ifms.payment_instruction")
    assert rows == [{"tenant_id": "od.samplea", "status": "INITIATED"}]


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 1})
def test_backfill_leaves_bills_alone_that_came_after_its_interval(
    run_backfill, airflow_connections, adapter, last_days
):
    first = last_days[0]  # long before: the sample's bills may be as old as this process
    runs = run_backfill("ifms_pa", first, first + timedelta(minutes=15))
    assert {run.state for run in runs} == {"success"}
    assert airflow_connections.ask_platform("GET", "state")["payments"] == []
    assert adapter.rows("SELECT id FROM ifms.payment") == []


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_backfill_of_allotments_asks_from_its_interval_on_and_counts_nothing_twice(
    run_backfill, airflow_connections, adapter, treasury, money, last_days
):
    adapter.run("VA")
    asked, before = treasury.state["calls"]["VA"], money()
    assert before["allotment"]
    runs = run_backfill("ifms_va", *last_days)
    counts = adapter.rows("SELECT counts FROM ifms.sweep_run WHERE dag_id = 'ifms_va'")
    assert [row["counts"].get("allotments_new") for row in counts] == [0] * len(runs)
    assert treasury.state["calls"]["VA"] > asked
    assert money() == before
