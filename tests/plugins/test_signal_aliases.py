"""Signals' aliases are tied to their assets when a DAG run begins, so that tasks which end at once all end well."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from support import dags

pytestmark = pytest.mark.airflow
TIED = """
    SELECT a.name FROM asset_alias_asset t JOIN asset_alias a ON a.id = t.alias_id JOIN asset s ON s.id = t.asset_id
    WHERE a.name = s.name ORDER BY 1
"""


@pytest.fixture
def _new(airflow_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's database with our DAGs, of which none has run; nothing is remembered of another one."""
    from ifms_airflow import signal_aliases

    dags._sync()
    with psycopg.connect(airflow_db) as connection:
        connection.execute("DELETE FROM asset_alias_asset")
    monkeypatch.setattr(signal_aliases, "_tied", set())


def begin() -> None:
    from ifms_airflow import signal_aliases

    signal_aliases.on_dag_run_running(SimpleNamespace(dag_id="ifms_va"), "started")


@pytest.mark.usefixtures("_new")
def test_they_are_tied_when_a_run_begins_and_asked_about_once(airflow_db: str, monkeypatch: pytest.MonkeyPatch):
    from ifms_airflow import signal_aliases

    begin()
    with psycopg.connect(airflow_db) as connection:
        tied = {name for (name,) in connection.execute(TIED)}
    assert {"ifms_allotments", "ifms_outbox", "ifms_payments"} <= tied
    asked: list[str] = []
    monkeypatch.setattr(signal_aliases, "tie", lambda name: asked.append(name) or True)
    begin()
    assert not tied & set(asked)


@pytest.mark.usefixtures("_new")
def test_tasks_that_end_at_once_all_register_their_event(airflow_db: str):
    from airflow.assets.manager import asset_manager
    from airflow.utils.session import create_session
    from sqlalchemy import text

    from ifms_airflow.assets import ALLOTMENTS

    begin()
    asset = SimpleNamespace(name=ALLOTMENTS.asset.name, uri="ifms://allotments/")

    def register(session: Any) -> None:
        names = {ALLOTMENTS.alias.name}
        event = asset_manager.register_asset_change(asset=asset, source_alias_names=names, session=session)
        assert event is not None

    with create_session(scoped=False) as first, create_session(scoped=False) as second:
        second.execute(text("SET LOCAL lock_timeout = '5s'"))
        register(first)
        register(second)
    with psycopg.connect(airflow_db) as connection:
        assert ("ifms_allotments",) in connection.execute(TIED).fetchall()


@pytest.mark.usefixtures("_new")
def test_the_schedulers_own_transaction_is_left_alone(airflow_db: str):
    from airflow.utils.session import create_session
    from airflow.utils.sqlalchemy import prohibit_commit
    from sqlalchemy import text

    with create_session() as session, prohibit_commit(session) as guard:
        session.execute(text("CREATE TEMPORARY TABLE half_done (id int) ON COMMIT DROP"))
        begin()
        assert session.scalar(text("SELECT count(*) FROM half_done")) == 0
        guard.commit()
    with psycopg.connect(airflow_db) as connection:
        assert ("ifms_allotments",) in connection.execute(TIED).fetchall()


@pytest.mark.usefixtures("_new")
def test_what_was_not_parsed_is_tied_later(airflow_db: str):
    from ifms_airflow import signal_aliases

    assert signal_aliases.tie("ifms_none") is False
    begin()
    with psycopg.connect(airflow_db) as connection:
        connection.execute("DELETE FROM asset_alias_asset")
    assert signal_aliases.tie("ifms_outbox") is True
    assert signal_aliases.tie("ifms_outbox") is True
    with psycopg.connect(airflow_db) as connection:
        assert connection.execute(TIED).fetchall() == [("ifms_outbox",)]


def test_the_scheduler_listens():
    from airflow.listeners.listener import get_listener_manager

    from ifms_airflow import signal_aliases

    assert get_listener_manager().pm.is_registered(signal_aliases)
