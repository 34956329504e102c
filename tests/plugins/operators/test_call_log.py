"""Shipping and removing as tasks: thin, and harmless where there is no Elasticsearch."""

from __future__ import annotations

import json

import psycopg
import pytest
from support.calls import failed, write, write_many

from ifms.clock import now
from ifms.errors import BadInputError

pytestmark = pytest.mark.airflow


@pytest.fixture
def runs(adapter):
    """`runs(dag_run)`: what each task of it counted."""

    def found(run):
        rows = adapter.rows("SELECT service_id, counts, problems FROM ifms.sweep_run WHERE run_id = %s", run.run_id)
        return {row["service_id"]: row for row in rows}

    return found


@pytest.fixture
def with_elasticsearch(airflow_connections, elasticsearch, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_ELASTICSEARCH", json.dumps(elasticsearch.connection(request_timeout=60)))
    return elasticsearch


def test_the_relay_ships(run_dag, with_elasticsearch, ledger, runs):
    write(ledger.db, failed())
    run = run_dag("ifms_relay")
    assert run.state == "success"
    assert runs(run)["SHIP"]["counts"]["shipped"] == 1
    assert len(with_elasticsearch.documents("ifms-error-logs")) == 1


def test_the_form_ships_again_what_was_refused(run_dag, with_elasticsearch, ledger, runs):
    write(ledger.db, failed())
    with ledger.connect() as connection:
        connection.execute("UPDATE ifms.treasury_call SET ship_error = 'refused'")
    assert "shipped" not in runs(run_dag("ifms_relay"))["SHIP"]["counts"]
    assert runs(run_dag("ifms_relay", conf={"calls_again": True}))["SHIP"]["counts"]["shipped"] == 1


def test_without_an_elasticsearch_calls_stay_and_nothing_is_red(run_dag, airflow_connections, ledger, runs, ledger_dsn):
    write_many(ledger_dsn, 3)
    run = run_dag("ifms_relay")
    assert run.state == "success"
    assert "SHIP" not in runs(run)
    assert ledger.one("SELECT count(*) FROM ifms.treasury_call WHERE shipped_at IS NULL") == 3


def test_an_elasticsearch_that_hangs_fails_nothing(run_dag, with_elasticsearch, ledger, runs, adapter, monkeypatch):
    write(ledger.db, failed(started_at=now()))
    with with_elasticsearch.stopped(), monkeypatch.context() as impatient:
        described = json.dumps(with_elasticsearch.connection(request_timeout=1))
        impatient.setenv("AIRFLOW_CONN_IFMS_ELASTICSEARCH", described)
        run = run_dag("ifms_relay")
    assert run.state == "success"
    assert "Elasticsearch" in runs(run)["SHIP"]["problems"][0]
    assert run_dag("ifms_relay").state == "success"
    assert len(with_elasticsearch.documents("ifms-error-logs")) == 1


def test_old_calls_are_removed_after_they_were_shipped(run_dag, with_elasticsearch, ledger, ledger_dsn, runs):
    write_many(ledger_dsn, 3)
    with psycopg.connect(ledger_dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ifms.treasury_call SET created_at = created_at - interval '401 days'")
    removed = sum(runs(run_dag("ifms_relay"))["REMOVE_CALLS"]["counts"].get("removed", 0) for _ in range(2))
    assert removed == 3
    assert ledger.one("SELECT count(*) FROM ifms.treasury_call") == 0
    assert len(with_elasticsearch.documents("ifms-request-logs")) == 3


@pytest.mark.parametrize("again", ["false", "yes", 1.5, [], "{{ params.calls_again }}"])
def test_what_is_neither_yes_nor_no_is_refused(again):
    from ifms_airflow.operators import ShipCallsOperator

    with pytest.raises(BadInputError, match="calls_again"):
        ShipCallsOperator(task_id="ship", again=again).execute({})


def test_calls_are_kept_for_90_days_at_least_and_for_good_where_that_is_said():
    from ifms_airflow.operators import RemoveOldCallsOperator

    with pytest.raises(BadInputError, match="90 days"):
        RemoveOldCallsOperator(task_id="remove", keep_days=30).execute({})
    RemoveOldCallsOperator(task_id="remove", keep_days=None).execute({})  # asks nobody
