"""The scheduler's own code, one turn of it, without its processes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from support import dags as support_dags


def turn_of_the_scheduler() -> list[Any]:
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
