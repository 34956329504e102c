"""Run DAGs as Airflow runs them, without a scheduler: real DAG runs and task instances, tasks in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow.models import DagRun
    from airflow.sdk import DAG

RunDag = Callable[..., "DagRun"]
RunBackfill = Callable[..., "list[DagRun]"]


@pytest.fixture
def run_dag(airflow_db: str) -> RunDag:
    """`run_dag(dag_id, conf=None, logical_date=None) -> DagRun`: one manual run, finished when it returns.

    What Airflow's scheduler does is not there: pools, limits of parallel runs, and runs started by asset events. A
    retry waits its real delay. Connections come from the fixture `airflow_connections`.
    """
    return _run_dag


@pytest.fixture
def run_backfill(airflow_db: str) -> RunBackfill:
    """`run_backfill(dag_id, from_date, to_date) -> list[DagRun]`: Airflow's own backfill, run after run.

    The range counts logical dates, both ends included. Runs of the range that are there already are run again.
    """
    return _run_backfill


def _run_dag(dag_id: str, conf: dict[str, Any] | None = None, logical_date: datetime | None = None) -> DagRun:
    dag = _dag(dag_id)
    with _params_left_alone(dag):
        return dag.test(logical_date=logical_date or datetime.now(UTC), run_conf=conf)


@contextmanager
def _params_left_alone(dag: DAG) -> Iterator[None]:
    """Airflow writes a run's conf into the DAG's Param objects; here they outlive the run, and serve the next one."""
    params = [owner.params.get_param(name) for owner in (dag, *dag.tasks) for name in owner.params]
    values = [param.value for param in params]
    try:
        yield
    finally:
        for param, value in zip(params, values, strict=True):
            param.value = value


def _run_backfill(dag_id: str, from_date: datetime, to_date: datetime) -> list[DagRun]:
    from airflow.models.backfill import Backfill, BackfillDagRun, ReprocessBehavior, _create_backfill
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    _sync()
    backfill = _create_backfill(
        dag_id=dag_id,
        from_date=from_date,
        to_date=to_date,
        max_active_runs=1,
        reverse=False,
        dag_run_conf=None,
        triggering_user_name="test",
        reprocess_behavior=ReprocessBehavior.COMPLETED,
    )
    with create_session() as session:
        runs = session.scalars(
            select(DagRun)
            .join(BackfillDagRun, BackfillDagRun.dag_run_id == DagRun.id)
            .where(BackfillDagRun.backfill_id == backfill.id)
            .order_by(BackfillDagRun.sort_ordinal)
        ).all()
        for run in runs:
            _finish(run, session)
        session.get_one(Backfill, backfill.id).completed_at = datetime.now(UTC)  # the scheduler's part
        session.commit()
        session.expunge_all()
    return list(runs)


def _finish(run: DagRun, session: Any, run_task: Callable[..., Any] | None = None) -> None:
    """Run the tasks of a queued DAG run until none is left, in the way of `DAG.test`, or each by `run_task`."""
    from airflow.sdk.definitions.dag import _run_task
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.utils.state import DagRunState, TaskInstanceState

    dag = _dag(run.dag_id)
    run.dag = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    run.state = DagRunState.RUNNING
    session.commit()
    while run.state == DagRunState.RUNNING:
        ready, _ = run.update_state(session=session)
        for task_instance in ready:
            task_instance.try_number += 1
            task_instance.state = TaskInstanceState.SCHEDULED
        session.commit()
        with _params_left_alone(dag):
            for task_instance in ready:
                (run_task or _run_task)(ti=task_instance, task=dag.task_dict[task_instance.task_id])
        session.expire_all()


@cache
def _bag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag()
    assert not bag.import_errors, bag.import_errors
    return bag


def _dag(dag_id: str) -> DAG:
    dag: DAG = _bag().dags[dag_id]
    return dag


@cache
def _sync() -> None:
    """Write the DAGs to the metadata database, as the DAG processor does (`DAG.test` does it by itself)."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import sync_bag_to_db

    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    for bundle in manager.get_all_dag_bundles():
        sync_bag_to_db(_bag(), bundle.name, bundle.version)
