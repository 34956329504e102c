"""ifms_relay alone: the platform hears; what it refused for good is sent again through the form."""

from __future__ import annotations

import psycopg
import pytest

from ifms.delivery.payment_status import REFUSALS
from ifms.errors import SweepNeedsAttentionError

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 2})]


def waiting(adapter) -> int:
    return len(adapter.rows("SELECT id FROM ifms.outbox WHERE delivered_at IS NULL"))


def set_aside(adapter) -> list[int]:
    return [row["id"] for row in adapter.rows("SELECT id FROM ifms.outbox WHERE set_aside_at IS NOT NULL ORDER BY id")]


def test_the_platform_hears_in_order(run_dag, airflow_connections, adapter):
    adapter.cycle()
    assert waiting(adapter) == 4
    for _ in range(2):
        assert run_dag("ifms_relay").state == "success"
        assert waiting(adapter) == 0
    while (state := airflow_connections.ask_platform("GET", "state"))["waiting"]:
        pass
    assert {payment["status"] for payment in state["payments"]} == {"SUCCESSFUL"}


@pytest.fixture
def refused(airflow_connections, adapter):
    """The first message about each of two payments was set aside, the second waits for it; the platform is well now."""
    adapter.cycle()
    rule = {"service": "payment_update", "effect": "errors", "code": "SAMPLE", "message": "sample refusal"}
    airflow_connections.ask_platform("POST", "rules", rule)
    for _ in range(REFUSALS - 1):
        adapter.relay()
        with psycopg.connect(adapter.dsn) as connection:
            connection.execute("UPDATE ifms.outbox SET next_attempt_at = now()")
    with pytest.raises(SweepNeedsAttentionError, match="set aside"):
        adapter.relay()
    airflow_connections.ask_platform("DELETE", "rules")
    assert len(set_aside(adapter)) == 2
    return adapter


def test_without_the_form_it_stays_set_aside(run_dag, refused):
    assert run_dag("ifms_relay").state == "success"
    assert (len(set_aside(refused)), waiting(refused)) == (2, 4)


def test_the_form_sends_all_again(run_dag, refused):
    assert run_dag("ifms_relay", conf={"again": []}).state == "success"
    assert waiting(refused) == 0


def test_the_form_sends_these_again(run_dag, refused):
    first, second = set_aside(refused)
    assert run_dag("ifms_relay", conf={"again": [second]}).state == "success"
    assert (set_aside(refused), waiting(refused)) == ([first], 2)


def test_a_message_that_is_not_set_aside_is_named_and_nothing_is_changed(run_dag, refused):
    first = set_aside(refused)[0]
    run = run_dag("ifms_relay", conf={"again": [first, 999_999]})
    assert run.state == "failed"
    [row] = refused.rows("SELECT message FROM ifms.sweep_run WHERE run_id = %s AND service_id = 'RELAY'", run.run_id)
    assert row["message"].startswith("BadInputError: message 999999 ")
    assert waiting(refused) == 4
