"""ifms_reconcile alone: green on a right ledger, red on a broken one, and its form."""

from __future__ import annotations

import psycopg
import pytest

from ifms.errors import SweepError

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})]


def break_a_balance(adapter):
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ifms.sanction SET spent_amount = spent_amount + 1 WHERE spent_amount > 0")


def test_green_and_red(run_dag, airflow_connections, adapter, money):
    adapter.cycle()
    before = money()
    assert run_dag("ifms_reconcile").state == "success"
    assert money() == before
    break_a_balance(adapter)
    run = run_dag("ifms_reconcile")
    assert run.state == "failed"
    [row] = adapter.rows("SELECT * FROM ifms.sweep_run WHERE run_id = %s", run.run_id)
    assert row["try_number"] == 1  # a retry would not mend it
    assert row["message"].startswith("SweepNeedsAttentionError: 1 problem(s), the first: balances_are_movements: ")


def test_the_form_says_how_long_is_long(run_dag, airflow_connections, adapter, treasury, age):
    for service in ("VA", "PA"):
        adapter.run(service)
    treasury.rule("PI", "lost_reply")
    treasury.rule("PIS", "lost_reply")
    with pytest.raises(SweepError):
        adapter.run("PI")
    age(3)
    assert run_dag("ifms_reconcile").state == "success"
    assert run_dag("ifms_reconcile", conf={"pending_hours": 2.5}).state == "failed"
    assert run_dag("ifms_reconcile", conf={"pending_hours": 4}).state == "success"
