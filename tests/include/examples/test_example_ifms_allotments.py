"""The example that compares the treasury's allotments with the ledger's, run where they agree and where they do not."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest
from support.adapter import Adapter

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]
SINCE = "2020-04-01"


def test_it_is_green_where_they_agree_and_names_what_differs(adapter: Adapter, run_example):
    adapter.run("VA")
    assert run_example("example_ifms_allotments", since=SINCE) == ("success", [])
    [first] = adapter.rows("SELECT * FROM ifms.allotment ORDER BY id LIMIT 1")
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ifms.fund_movement SET amount = 1 WHERE allotment_id = %s", (first["id"],))
    state, rows = run_example("example_ifms_allotments", since=SINCE)
    assert state == "failed"
    [wrong] = rows
    assert wrong["where"] == "other amounts"
    assert Decimal(wrong["transaction_amount"]) == first["amount"]
    assert Decimal(wrong["transaction_amount_in_ledger"]) == 1
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM ifms.fund_movement WHERE allotment_id = %s", (first["id"],))
    state, rows = run_example("example_ifms_allotments", since=SINCE)
    # A unit and head of account of which the ledger knows nothing is not asked about; one of which it knows a part is.
    assert {row["where"] for row in rows} <= {"only the treasury"}
    assert state == ("failed" if rows else "success")
