"""From approved bills to paid beneficiaries, DAG by DAG, as the scheduler would run them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from support import failed
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.dags import RunDag
from support.simulators import Simulators

pytestmark = pytest.mark.airflow

CYCLE = ("ifms_va", "ifms_pa", "ifms_pi", "ifms_pis", "ifms_pag", "ifms_pd")
AFTERWARDS = ("ifms_fd", "ifms_cor", "ifms_ftps", "ifms_ftfps", "ifms_relay")
ALL = (*CYCLE, *AFTERWARDS)
TENANTS = 27
NOBODY: dict[str, set[str]] = {dag_id: set() for dag_id in ALL}
TO_THE_RELAY = {"ifms_outbox"}


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
    first = {dag_id: run_dag(dag_id) for dag_id in ALL}
    assert {dag_id: run.state for dag_id, run in first.items()} == dict.fromkeys(ALL, "success")

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

    # News woke ifms_pi; what the platform had to hear rang for ifms_relay until it was delivered.
    told = {dag_id: news(run) for dag_id, run in first.items()}
    assert told == dict.fromkeys(ALL, TO_THE_RELAY) | {
        "ifms_va": {"ifms_allotments"},
        "ifms_pa": {"ifms_payments"},
        "ifms_relay": set(),
    }
    assert adapter.rows("SELECT id FROM ifms.outbox WHERE delivered_at IS NULL") == []
    while (platform := airflow_connections.ask_platform("GET", "state"))["waiting"]:
        pass
    assert {payment["status"] for payment in platform["payments"]} == {"SUCCESSFUL"}

    # A second round has nothing to do, and says nothing.
    before = treasury.state
    second = {dag_id: run_dag(dag_id) for dag_id in ALL}
    assert {dag_id: run.state for dag_id, run in second.items()} == dict.fromkeys(ALL, "success")
    assert {dag_id: news(run) for dag_id, run in second.items()} == NOBODY
    after = treasury.state
    assert after["bills"] == before["bills"]
    always = {"VA": 0, "FD": 0}  # these ask whatever is known already
    assert after["calls"] | always == before["calls"] | always

    # Each sweep left one row (further tasks of ifms_pi and ifms_relay another), and rows are the only hand-over between tasks.
    rows = adapter.rows(
        "SELECT dag_id, run_id, state, finished_at IS NOT NULL AS finished, problems FROM ifms.sweep_run"
    )
    assert len(rows) == 2 * (len(ALL) + 2)
    assert all(row["state"] == "success" and row["finished"] and row["problems"] == [] for row in rows)
    assert {(row["dag_id"], row["run_id"]) for row in rows} == {
        (run.dag_id, run.run_id) for run in (*first.values(), *second.values())
    }
    assert xcoms(airflow_db) == 0


def xcoms(airflow_db: str) -> int:
    """Airflow's own hand-over between tasks, which nobody here uses."""
    with psycopg.connect(airflow_db) as connection:
        [[count]] = connection.execute("SELECT count(*) FROM xcom").fetchall()
        return int(count)


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_failed_payment_is_corrected_and_the_platform_hears_each_step_once(
    run_dag: RunDag, airflow_connections: Simulators, adapter: Adapter, treasury: Treasury, news: Any, airflow_db: str
):
    failed.wage_bill(adapter)
    for dag_id in (*CYCLE, "ifms_relay"):
        assert run_dag(dag_id).state == "success"

    def step(dag_id: str, rings: bool) -> None:
        run = run_dag(dag_id)
        assert run.state == "success", dag_id
        assert news(run) == (TO_THE_RELAY if rings else set()), dag_id
        assert run_dag("ifms_relay").state == "success"
        assert adapter.rows("SELECT id FROM ifms.outbox WHERE delivered_at IS NULL") == []

    step("ifms_fd", rings=False)
    failed.fail(adapter)
    step("ifms_fd", rings=True)
    step("ifms_fd", rings=False)
    step("ifms_cor", rings=False)  # the account is the one that failed
    failed.mend(adapter)
    step("ifms_cor", rings=True)
    step("ifms_ftps", rings=True)
    step("ifms_ftfps", rings=False)
    failed.fail(adapter, "all", failed.revisions(adapter)[0]["pi_number"])
    step("ifms_ftfps", rings=True)
    failed.mend(adapter, account="000099990002")
    step("ifms_cor", rings=True)
    step("ifms_ftps", rings=True)
    step("ifms_pi", rings=False)
    assert adapter.statuses() == {"COMPLETED": 2, "SUCCESSFUL": 1}
    assert failed.failing(adapter) == []
    while (platform := airflow_connections.ask_platform("GET", "state"))["waiting"]:
        pass
    assert {payment["status"] for payment in platform["payments"]} == {"SUCCESSFUL"}
    assert_money_is_right(adapter, treasury)
    assert xcoms(airflow_db) == 0
