"""Lineage: what a sweep is said to write is what it writes, and Airflow's provider hears of it."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from support.adapter import Adapter
from support.failed import fail, mend, original, wage_bill

from ifms.services.correction_order import Order

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]


def written(adapter: Adapter) -> dict[str, int]:
    """How often each table has been written to, by the database's own count."""
    adapter.rows("SELECT pg_stat_force_next_flush()")
    rows = adapter.rows(
        "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del AS n FROM pg_stat_user_tables WHERE schemaname = 'ifms'"
    )
    return {row["relname"]: row["n"] for row in rows}


def test_each_sweep_writes_what_its_lineage_says(adapter: Adapter):
    from ifms_airflow.lineage import TABLES

    def changed(service: str, work) -> set[str]:
        before = written(adapter)
        work()
        after = written(adapter)
        names = {name for name, n in after.items() if n != before.get(name, 0)} - {
            "home"
        }  # the first sweep of all notes it
        assert names <= TABLES[service].writes, service
        return names

    wage_bill(adapter, 2)
    found = {
        service: changed(service, lambda s=service: adapter.run(s))
        for service in ("VA", "PA", "PI", "PIS", "PAG", "PD")
    }
    assert {"sanction", "allotment", "fund_movement", "va_watermark"} <= found["VA"]
    assert {"bill", "payment"} <= found["PA"]
    assert {"payment_instruction", "beneficiary", "fund_movement", "payment"} <= found["PI"]
    fail(adapter, 1)
    assert "beneficiary" in changed("FD", lambda: adapter.run("FD"))
    mend(adapter)
    order = Order("od.samplea", original(adapter)["pi_number"])
    assert "payment_instruction" in changed("COR", lambda: adapter.correct(order))
    assert "beneficiary" in changed("FTPS", lambda: adapter.run("FTPS"))
    changed("FTFPS", lambda: adapter.run("FTFPS"))
    assert "outbox" in changed("RELAY", adapter.relay)
    changed("RECONCILE", adapter.reconcile)


def test_every_table_that_is_named_is_there(adapter: Adapter):
    from ifms_airflow.lineage import TABLES

    known = {
        row["table_name"]: row["table_type"]
        for row in adapter.rows(
            "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'ifms'"
        )
    }
    assert {name for tables in TABLES.values() for name in tables.reads} <= known.keys()
    assert {known.get(name) for tables in TABLES.values() for name in tables.writes} == {"BASE TABLE"}


def test_every_operator_has_its_tables():
    import ifms_airflow.operators
    from ifms_airflow.lineage import TABLES

    classes = [getattr(ifms_airflow.operators, name) for name in ifms_airflow.operators.__all__]
    codes = {each.service_id for each in classes if isinstance(getattr(each, "service_id", None), str)}
    assert codes | {"PIS", "PAG", "PD", "FTPS", "FTFPS"} == set(TABLES)


def test_the_provider_hears_tables_of_the_ledger_and_files(airflow_connections):
    from airflow.providers.openlineage.extractors import ExtractorManager
    from airflow.utils.state import TaskInstanceState

    from ifms_airflow.operators import ReportOperator

    task = ReportOperator(task_id="report")
    task.written.append("s3://sample@bucket/reports/a.csv")
    run, ti = SimpleNamespace(run_id="run"), SimpleNamespace(task=task)
    for state in (TaskInstanceState.SUCCESS, TaskInstanceState.FAILED):
        told = ExtractorManager().extract_metadata(run, task, state, ti)
        [namespace] = {each.namespace for each in told.inputs}
        assert namespace.startswith("postgres://")
        assert "@" not in namespace  # no login
        assert {each.name.split(".", 1)[1] for each in told.inputs} > {"ifms.payment", "ifms.beneficiary"}
        assert {each.name.split(".", 1)[-1] for each in told.outputs} == {"ifms.sweep_run", "csv"}
        assert "password" not in json.dumps([each.name for each in told.inputs + told.outputs])


def test_without_a_transport_nobody_listens():
    from airflow.providers.openlineage import conf
    from airflow.providers.openlineage.plugins.openlineage import OpenLineageProviderPlugin

    assert conf.is_disabled()
    assert OpenLineageProviderPlugin.listeners == []
