"""An asset event starts ifms_pi or ifms_relay: through the scheduler's own code, one turn of it, without its processes."""

from __future__ import annotations

import pytest
from support import dags as support_dags
from support.scheduler import turn_of_the_scheduler

pytestmark = pytest.mark.airflow


@pytest.fixture
def _only_the_bells(run_dag, request):
    """The DAG that the bell of this test starts is switched on, the others are not; no earlier bell still rings.

    Nor is a run of it left from another test: the scheduler would let the next one wait.
    """
    from airflow.models.asset import AssetDagRunQueue
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete, update

    support_dags._sync()

    def switch(*, paused: bool) -> None:
        with create_session() as session:
            session.execute(delete(AssetDagRunQueue))
            unfinished = update(DagRun).where(DagRun.dag_id == request.param, DagRun.state.in_(("queued", "running")))
            session.execute(unfinished.values(state="failed"))
            session.execute(update(DagModel).where(DagModel.dag_id == request.param).values(is_paused=paused))

    switch(paused=False)
    yield
    switch(paused=True)


@pytest.mark.parametrize("_only_the_bells", ["ifms_pi"], indirect=True)
@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 1})
def test_new_payments_and_new_money_start_one_run_of_ifms_pi(
    _only_the_bells, run_dag, airflow_connections, adapter, treasury
):
    run_dag("ifms_va")
    run_dag("ifms_pa")
    [run] = turn_of_the_scheduler()  # two bells, one run
    assert (run.dag_id, run.run_type, run.logical_date, run.state) == ("ifms_pi", "asset_triggered", None, "success")
    assert adapter.statuses() == {"INITIATED": 2}

    run_dag("ifms_va")
    run_dag("ifms_pa")
    assert turn_of_the_scheduler() == []  # no news, no run


@pytest.mark.parametrize("_only_the_bells", ["ifms_pi"], indirect=True)
@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})
def test_either_bell_is_enough(_only_the_bells, run_dag, airflow_connections, adapter):
    run_dag("ifms_pa")
    [first] = turn_of_the_scheduler()
    assert first.state == "success"
    assert adapter.rows("SELECT hold_code FROM ifms.payment") == [{"hold_code": "PAYMENT_INSUFFICIENT_FUNDS"}]

    run_dag("ifms_va")
    [second] = turn_of_the_scheduler()
    assert second.state == "success"
    assert adapter.statuses() == {"INITIATED": 1}  # the payment that waited got its PI by itself


@pytest.mark.parametrize("_only_the_bells", ["ifms_relay"], indirect=True)
@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})
def test_what_the_platform_must_hear_starts_one_run_of_ifms_relay(
    _only_the_bells, run_dag, airflow_connections, adapter
):
    adapter.run("VA")
    adapter.run("PA")
    run_dag("ifms_pi")
    run_dag("ifms_pis")
    [run] = turn_of_the_scheduler()
    assert (run.dag_id, run.run_type, run.state) == ("ifms_relay", "asset_triggered", "success")
    assert adapter.rows("SELECT id FROM ifms.outbox WHERE delivered_at IS NULL") == []

    run_dag("ifms_pag")
    assert turn_of_the_scheduler() == []  # the advice is nobody else's business
