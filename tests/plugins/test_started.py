"""Runs that people start in Airflow itself, past the pages: refused before anything is done, unless they may."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest
from support.adapter import Adapter, Treasury
from support.dags import RunDag

from ifms.ledger import started_runs
from ifms_airflow import rights

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0}),
    pytest.mark.usefixtures("airflow_connections"),
]

HERE = {"tenants": ["od.samplea"]}


@pytest.fixture
def someone(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`someone("sample-op")` has started the runs that follow; None: nobody."""
    from airflow.models import dagrun

    make = dagrun.get_or_create_dagrun

    def named(name: str | None) -> None:
        monkeypatch.setattr(dagrun, "get_or_create_dagrun", lambda **g: make(**g | {"triggering_user_name": name}))

    monkeypatch.setenv(
        rights.RIGHTS, "user:sample-lead = *:act; user:sample-op = od.samplea:act; role:sample-role = *:act"
    )
    return named


@pytest.mark.parametrize("name", ["sample-op", "sample-nobody", "sample-role", "Sample-Lead", "*"])
def test_who_may_not_act_in_all_cities_starts_nothing_in_airflow(
    run_dag: RunDag, someone: Any, adapter: Adapter, treasury: Treasury, name: str
):
    someone(name)
    for dag_id, conf in (
        ("ifms_va", {}),
        ("ifms_va", {"tenants": ["od.samplea"]}),
        ("ifms_relay", {}),
        ("ifms_pi", {}),
    ):
        assert run_dag(dag_id, conf=conf).state == "failed"
    assert adapter.rows("SELECT * FROM ifms.sweep_run") == []
    assert adapter.rows("SELECT * FROM ifms.treasury_call") == []


@pytest.mark.parametrize("name", ["sample-lead", None])
def test_who_may_and_what_nobody_has_started_goes_on(run_dag: RunDag, someone: Any, adapter: Adapter, name: str | None):
    someone(name)
    assert run_dag("ifms_va").state == "success"


@pytest.mark.parametrize(("conf", "state"), [(HERE, "success"), (HERE | {"tenants": ["od.sampleb"]}, "failed")])
def test_what_the_pages_have_started_begins_with_the_form_that_they_looked_at(
    run_dag: RunDag,
    someone: Any,
    adapter: Adapter,
    monkeypatch: pytest.MonkeyPatch,
    conf: dict[str, Any],
    state: str,
):
    from airflow.models import dagrun

    run_id = f"refresh__{uuid.uuid4().hex}"
    someone("sample-op")
    with psycopg.connect(adapter.dsn) as connection:
        assert started_runs.record(
            connection, "ifms_va", run_id, started_by="sample-op", tenants=["od.samplea"], conf=HERE
        )
    make = dagrun.get_or_create_dagrun
    monkeypatch.setattr(dagrun, "get_or_create_dagrun", lambda **g: make(**g | {"run_id": run_id}))
    assert run_dag("ifms_va", conf=conf).state == state
