"""What a DAG is given so that somebody hears of its trouble: nothing by default, all by the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from support.environment import REPO

pytestmark = pytest.mark.airflow

PARSE = """
import json
from airflow.dag_processing.dagbag import DagBag
bag = DagBag("dags")
assert not bag.import_errors, bag.import_errors
def told(dag):
    [late] = dag.deadline or [None]
    return [late and late.interval.total_seconds(), late and late.callback.path, late and late.callback.kwargs, bool(dag.on_failure_callback)]
print("\\n" + json.dumps({name: told(dag) for name, dag in bag.dags.items()}))
"""


def parsed(**environment):
    done = subprocess.run(
        [sys.executable, "-c", PARSE],
        env=os.environ | environment,
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_by_default_nobody_is_told(monkeypatch):
    from ifms_airflow.alerts import alerts

    for chosen in ("", "  ", "none", "None"):
        monkeypatch.setenv("IFMS_ALERTS", chosen)
        assert alerts() == {}
    monkeypatch.delenv("IFMS_ALERTS")
    assert alerts() == {}


def test_the_environment_gives_every_dag_its_deadline_and_its_voice():
    every = parsed(IFMS_ALERTS="sample_webhook", IFMS_ALERT_MINUTES="90")
    assert len(every) >= 12
    expected = [5400.0, "ifms_airflow.notifier.Alert", {"to": "sample_webhook"}, True]
    assert every == dict.fromkeys(every, expected)


def test_a_deadline_can_be_left_out(monkeypatch):
    from ifms_airflow.alerts import alerts

    monkeypatch.setenv("IFMS_ALERTS", "log")
    monkeypatch.setenv("IFMS_ALERT_MINUTES", "none")
    assert alerts().keys() == {"on_failure_callback"}
    monkeypatch.delenv("IFMS_ALERT_MINUTES")
    assert alerts()["deadline"].interval == timedelta(hours=1)


@pytest.mark.parametrize("minutes", ["soon", "-1", "0", "nan", "inf"])
def test_minutes_that_are_none_are_named(monkeypatch, minutes):
    from ifms.errors import ConfigurationError
    from ifms_airflow.alerts import alerts

    monkeypatch.setenv("IFMS_ALERTS", "log")
    monkeypatch.setenv("IFMS_ALERT_MINUTES", minutes)
    with pytest.raises(ConfigurationError, match=f"IFMS_ALERT_MINUTES is '{minutes}'"):
        alerts()


def test_airflow_notes_the_deadline_of_a_run_and_hands_a_missed_one_to_the_triggerer(airflow_db, monkeypatch, capsys):
    """What the scheduler does, by its own functions: a run is queued, its time is up, the callback is queued."""
    from airflow.models import DagModel, DagRun
    from airflow.models.callback import CallbackState
    from airflow.models.deadline import Deadline
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType, DagRunType
    from sqlalchemy import select

    from ifms_airflow.alerts import alerts

    monkeypatch.setenv("IFMS_ALERTS", "log")
    with DAG("sample_alerts", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), **alerts()) as dag:
        EmptyOperator(task_id="nothing")
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.serialized_objects import DagSerialization, LazyDeserializedDAG

    DagBundlesManager().sync_bundles_to_db()
    with create_session() as session:
        name = next(iter(DagBundlesManager().get_all_dag_bundles())).name
        session.merge(DagModel(dag_id=dag.dag_id, bundle_name=name))
        session.flush()
        SerializedDagModel.write_dag(LazyDeserializedDAG.from_dag(dag), bundle_name=name, session=session)
        session.flush()
        served = SerializedDagModel.get_dag(dag.dag_id, session=session) or DagSerialization.deserialize_dag(
            DagSerialization.serialize_dag(dag)
        )
        run = served.create_dagrun(
            run_id="late",
            run_type=DagRunType.MANUAL,
            logical_date=None,
            run_after=datetime.now(UTC),
            state="queued",
            triggered_by=DagRunTriggeredByType.TEST,
            session=session,
        )
        session.flush()
        deadline = session.scalars(select(Deadline).join(DagRun).where(DagRun.id == run.id)).one()
        assert timedelta(minutes=59) < deadline.deadline_time - datetime.now(UTC) <= timedelta(minutes=60)
        deadline.handle_miss(session)
        assert deadline.missed
        assert deadline.callback.state == CallbackState.QUEUED
        assert deadline.callback.data["path"] == "ifms_airflow.notifier.Alert"
        told = deadline.callback.data["kwargs"]
        assert told["to"] == "log"
        assert told["context"]["dag_run"]["dag_run_id"] == "late"
        _run_as_the_triggerer_does(deadline.callback.data["path"], told, capsys)
        session.rollback()


def _run_as_the_triggerer_does(path, kwargs, capsys):
    import asyncio

    from airflow.triggers.callback import CallbackTrigger

    async def first():
        return [event async for event in CallbackTrigger(callback_path=path, callback_kwargs=kwargs).run()]

    events = asyncio.run(first())
    assert [event.payload["state"] for event in events][-1] == "success", events
    assert "IFMS: sample_alerts has not ended in time (run late)" in capsys.readouterr().out
