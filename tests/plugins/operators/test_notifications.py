"""Notifying as a task: thin, and harmless where there is no Kafka, or none that answers."""

from __future__ import annotations

import json

import psycopg
import pytest
from support import failed

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]


@pytest.fixture
def with_kafka(airflow_connections, kafka, monkeypatch):
    kafka.topic("sms")
    kafka.topic("index")
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_KAFKA", json.dumps(kafka.connection()))
    return kafka


def notified(adapter, run):
    return adapter.rows("SELECT * FROM ifms.sweep_run WHERE service_id = 'NOTIFY' AND run_id = %s", run.run_id)


def test_the_relay_notifies(run_dag, with_kafka, adapter):
    assert run_dag("ifms_relay").state == "success"  # from now on it is wanted
    failed.wage_bill(adapter, payees=1)
    adapter.cycle()
    run = run_dag("ifms_relay")
    assert run.state == "success"
    [row] = notified(adapter, run)
    assert row["counts"]["delivered"] == 1 + 5
    [record] = with_kafka.messages(f"{with_kafka.name}-sms")
    assert json.loads(record.value).keys() == {"mobileNumber", "message"}
    assert len(with_kafka.messages(f"{with_kafka.name}-index")) == 5


def test_without_a_kafka_nothing_waits_and_nothing_is_red(run_dag, airflow_connections, adapter, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_IFMS_KAFKA", raising=False)
    failed.wage_bill(adapter, payees=1)
    adapter.cycle()
    run = run_dag("ifms_relay")
    assert run.state == "success"
    assert notified(adapter, run) == []
    assert adapter.rows("SELECT * FROM ifms.outbox WHERE delivered_at IS NULL") == []


def test_a_connection_that_is_missing_for_a_while_loses_nothing(run_dag, with_kafka, adapter, monkeypatch):
    run_dag("ifms_relay")
    monkeypatch.delenv("AIRFLOW_CONN_IFMS_KAFKA")
    for _ in range(2):
        assert run_dag("ifms_relay").state == "success"
        failed.wage_bill(adapter, payees=1)
        adapter.cycle()
    waiting = "SELECT count(*) AS n FROM ifms.outbox WHERE delivered_at IS NULL AND topic <> 'payment_status'"
    assert adapter.rows(waiting) == [{"n": 2 * 6}]
    with psycopg.connect(adapter.dsn) as owner:
        owner.execute("UPDATE ifms.notice SET missing_since = missing_since - interval '7 days'")
    assert run_dag("ifms_relay").state == "success"
    assert adapter.rows(waiting) == [{"n": 0}]


def test_a_template_that_can_not_be_used_is_a_problem_of_the_run_and_the_sms_go_out(
    run_dag, with_kafka, adapter, monkeypatch, without_retries
):
    run_dag("ifms_relay")
    failed.wage_bill(adapter, payees=1)
    adapter.cycle()
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_KAFKA", json.dumps(with_kafka.connection(sms_paid="{amount} {account}")))
    run = run_dag("ifms_relay")
    assert run.state == "failed"
    [row] = notified(adapter, run)
    assert any("sms_paid has '{account}' in it" in problem for problem in row["problems"])
    assert len(with_kafka.messages(f"{with_kafka.name}-sms")) == 1
    tasks = {task.task_id: task.state for task in run.get_task_instances()}
    assert tasks["deliver"] == "success"  # the platform hears all the same
