"""The example on open payment instructions, run; and none of the examples is a DAG of production."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest
from support.adapter import Adapter
from support.environment import REPO

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 2})]


def test_it_counts_what_waits_by_city_and_age(adapter: Adapter, run_example):
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    held = adapter.rows("SELECT pi_number, tenant_id, net_amount FROM ifms.payment_instruction ORDER BY pi_number")
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE ifms.payment_instruction SET created_at = created_at - interval '10 days' WHERE pi_number = %s",
            (held[0]["pi_number"],),
        )
    state, rows = run_example("example_ifms_ageing")
    assert state == "success"
    assert sum(int(row["payment_instructions"]) for row in rows) == len(held) == 4
    assert sum(Decimal(row["rupees"]) for row in rows) == sum(row["net_amount"] for row in held)
    [old] = [row for row in rows if row["age"] == "up to a month"]
    assert (old["city"], Decimal(old["rupees"])) == (held[0]["tenant_id"], held[0]["net_amount"])
    assert {row["age"] for row in rows} == {"up to a month", "up to a day"}


def test_nothing_that_waits_is_a_file_with_a_header(adapter: Adapter, run_example):
    assert run_example("example_ifms_ageing") == ("success", [])


def test_the_examples_are_not_among_the_dags_of_production():
    from airflow.dag_processing.dagbag import DagBag

    names = {path.stem for path in (REPO / "include" / "examples").glob("*.py")}
    assert len(names) == 6
    assert not names & set(DagBag().dags)
