"""ifms_reconcile's operator: what the form's field means; the treasury is not called, the platform need not answer."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import pytest
from support.failed import wage_bill

from ifms.errors import BadInputError

pytestmark = pytest.mark.airflow


def pending(hours):
    from ifms_airflow.operators import ReconcileOperator

    return ReconcileOperator(task_id="reconcile", pending_hours=hours)._pending()


@pytest.mark.parametrize(("given", "meant"), [(None, 24), (24, 24), (0.5, 0.5), (8784, 8784)])
def test_a_number_of_hours(given, meant):
    assert pending(given) == timedelta(hours=meant)


@pytest.mark.parametrize(
    "given", ["24", "{{ params.pending_hours }}", 0, -1, 8785, float("nan"), float("inf"), True, [24]]
)
def test_what_is_no_number_of_hours_is_refused(given):
    with pytest.raises(BadInputError, match="pending_hours must be a number of hours"):
        pending(given)


def limits(days):
    from ifms_airflow.operators import ReconcileOperator

    return ReconcileOperator(task_id="reconcile", limit_days=days)._limits()


def test_days_by_name():
    from ifms.ledger.limits import Limits

    assert limits(None) == limits({}) == Limits()
    assert limits({"held": 2, "in_process": 0.5}) == Limits(held=timedelta(days=2), in_process=timedelta(hours=12))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{{ params.limit_days }}", "limit_days must be"),
        ([7], "limit_days must be"),
        ({"pending": 7}, "no limit in days"),
        ({"held": "7"}, "the limit held"),
    ],
)
def test_what_are_no_days_by_name_is_refused(given, said):
    with pytest.raises(BadInputError, match=said):
        limits(given)


def test_it_has_time_for_sums_over_whole_tables(airflow_connections):
    from ifms_airflow.operators import ReconcileOperator

    with ReconcileOperator(task_id="reconcile").ledger_hook.ledger() as ledger:
        assert ledger.transact(lambda c: c.execute("SHOW statement_timeout").fetchone()) == ("30min",)


def out_of_reach(monkeypatch, name):
    """Its connection leads nowhere."""
    known = json.loads(os.environ[f"AIRFLOW_CONN_IFMS_{name}"])
    monkeypatch.setenv(f"AIRFLOW_CONN_IFMS_{name}", json.dumps(known | {"host": "http://127.0.0.1:9"}))


def test_the_treasury_is_not_called(run_dag, airflow_connections, sweeps, monkeypatch):
    """Its connection has the keys, by which signatures are checked."""
    out_of_reach(monkeypatch, "TREASURY")
    run = run_dag("ifms_reconcile")
    assert run.state == "success"
    assert [row["state"] for row in sweeps(run)] == ["success"]


def test_a_platform_out_of_reach_is_said_once_the_rules_have_been_looked_at(
    run_dag, airflow_connections, adapter, sweeps, monkeypatch
):
    wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    out_of_reach(monkeypatch, "PLATFORM")
    run = run_dag("ifms_reconcile")
    assert run.state == "failed"
    [row] = sweeps(run)
    [problem] = row["problems"]
    assert problem.startswith("platform_owes_the_same: the platform could not be asked")
    assert row["counts"]["rules"] > 30
