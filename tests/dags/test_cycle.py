"""From approved bills to paid beneficiaries, DAG by DAG, as the scheduler would run them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.dags import RunDag
from support.simulators import Simulators

pytestmark = pytest.mark.airflow

CYCLE = ("ifms_va", "ifms_pa", "ifms_pi", "ifms_pis", "ifms_pag", "ifms_pd")
TENANTS = 27
NOBODY: dict[str, set[str]] = {dag_id: set() for dag_id in CYCLE}


@pytest.fixture
def news(airflow_db: str) -> Iterator[Any]:
    """`news(run)`: which assets a DAG run updated."""
    with psycopg.connect(airflow_db, autocommit=True) as connection:

        def updated(run: Any) -> set[str]:
            found = connection.execute(
                """
                SELECT asset.name FROM asset_event JOIN asset ON asset.id = asset_event.asset_id
                WHERE source_dag_id = %s AND source_run_id = %s
                """,
                (run.dag_id, run.run_id),
            )
            return {name for (name,) in found}

        yield updated


@pytest.mark.simulators(platform={"cities": TENANTS, "bills_per_city": 1})
def test_every_approved_bill_of_27_cities_is_paid_once(
    run_dag: RunDag, airflow_connections: Simulators, adapter: Adapter, treasury: Treasury, news: Any, airflow_db: str
):
    first = {dag_id: run_dag(dag_id) for dag_id in CYCLE}
    assert {dag_id: run.state for dag_id, run in first.items()} == dict.fromkeys(CYCLE, "success")

    # Every PI is paid, and so is every beneficiary.
    assert adapter.statuses() == {"SUCCESSFUL": TENANTS}
    assert adapter.rows("SELECT DISTINCT status FROM ifms.beneficiary") == [{"status": "Payment Successful"}]
    assert len(adapter.rows("SELECT DISTINCT tenant_id FROM ifms.payment_instruction")) == TENANTS

    # The sums agree: with the movements, with the treasury, and with the bills.
    assert_money_is_right(adapter, treasury)
    assert set(treasury.accepted.values()) == {1}
    assert len(treasury.accepted) == TENANTS
    [sums] = adapter.rows(
        """
        SELECT (SELECT sum(spent_amount) FROM ifms.sanction) AS spent,
               (SELECT sum(reserved_amount) FROM ifms.sanction) AS reserved,
               (SELECT sum(net_amount) FROM ifms.payment_instruction) AS instructed,
               (SELECT sum(amount) FROM ifms.payment) AS owed
        """
    )
    assert sums["spent"] == sums["instructed"] == sums["owed"] > 0
    assert sums["reserved"] == 0

    # News woke ifms_pi; nothing else was told to anybody.
    told = {dag_id: news(run) for dag_id, run in first.items()}
    assert told == NOBODY | {"ifms_va": {"ifms_allotments"}, "ifms_pa": {"ifms_payments"}}

    # A second round has nothing to do, and says nothing.
    before = treasury.state
    second = {dag_id: run_dag(dag_id) for dag_id in CYCLE}
    assert {dag_id: run.state for dag_id, run in second.items()} == dict.fromkeys(CYCLE, "success")
    assert {dag_id: news(run) for dag_id, run in second.items()} == NOBODY
    after = treasury.state
    assert after["bills"] == before["bills"]
    assert {**after["calls"], "VA": 0} == {**before["calls"], "VA": 0}

    # Each sweep left one row, and rows are the only hand-over between tasks.
    rows = adapter.rows(
        "SELECT dag_id, run_id, state, finished_at IS NOT NULL AS finished, problems FROM ifms.sweep_run"
    )
    assert len(rows) == 2 * len(CYCLE)
    assert all(row["state"] == "success" and row["finished"] and row["problems"] == [] for row in rows)
    assert {(row["dag_id"], row["run_id"]) for row in rows} == {
        (run.dag_id, run.run_id) for run in (*first.values(), *second.values())
    }
    with psycopg.connect(airflow_db) as connection:
        assert connection.execute("SELECT count(*) FROM xcom").fetchone() == (0,)
