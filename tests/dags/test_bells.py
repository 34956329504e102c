"""An asset event starts ifms_pi or ifms_relay: through the scheduler's own code, one turn of it, without its processes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support import dags as support_dags

pytestmark = pytest.mark.airflow


def turn_of_the_scheduler() -> list[object]:
    """Let the scheduler make the DAG runs that asset events ask for, and finish them here."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.sqlalchemy import prohibit_commit
    from sqlalchemy import select, update

    tomorrow = datetime.now(UTC) + timedelta(days=1)  # the clock is not what is looked at here
    with create_session() as session:  # the scheduler notes by itself, elsewhere in its turn, that a run has ended
        session.execute(update(DagModel).values(exceeds_max_non_backfill=False, next_dagrun_create_after=tomorrow))
    with create_session() as session, prohibit_commit(session) as guard:
        SchedulerJobRunner(Job())._create_dagruns_for_dags(guard, session)
    with create_session() as session:
        runs = session.scalars(
            select(DagRun).where(DagRun.run_type == "asset_triggered", DagRun.state == "queued")
        ).all()
        for run in runs:
            support_dags._finish(run, session)
        session.expunge_all()
    return list(runs)


@pytest.fixture
def _only_the_bells(run_dag, request):
    """The DAG that the bell of this test starts is switched on, the others are not; no earlier bell still rings."""
    from airflow.models.asset import AssetDagRunQueue
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete, update

    support_dags._sync()

    def switch(*, paused: bool) -> None:
        with create_session() as session:
            session.execute(delete(AssetDagRunQueue))
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
