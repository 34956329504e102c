"""What the overview counts is counted as a whole, by one at a time, and by no other way."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest
from support.adapter import Adapter
from support.databases import as_worker
from support.failed import TENANT, paid_and_failed, wage_bill

from ifms.ledger.overview import refresh

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})


def count_anew(adapter: Adapter) -> bool:
    with psycopg.connect(as_worker(adapter.dsn)) as connection:
        return refresh(connection)


def long_since(adapter: Adapter) -> None:
    """The last count was long ago."""
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("UPDATE ifms.overview SET as_of = now() - interval '1 day'")


def test_it_counts_what_the_rows_say(adapter: Adapter):
    assert count_anew(adapter)
    assert adapter.rows("SELECT * FROM ifms.overview_instruction") == []
    paid_and_failed(adapter, 3, 1)
    wage_bill(adapter, 2)
    adapter.run("PA")
    adapter.run("PI")
    long_since(adapter)
    assert count_anew(adapter)
    found = {row["status"]: row for row in adapter.rows("SELECT * FROM ifms.overview_instruction")}
    pis = {row["status"]: row for row in adapter.rows("SELECT * FROM ifms.payment_instruction")}
    assert found.keys() == pis.keys() == {"PARTIAL", "INITIATED"}
    for status, row in found.items():
        assert (row["tenant_id"], row["pi_type"], row["instructions"]) == (TENANT, "ORIGINAL", 1)
        assert row["amount"] == pis[status]["net_amount"]
    assert found["INITIATED"]["since"] == pis["INITIATED"]["status_since"]
    assert (found["PARTIAL"]["since"], found["PARTIAL"]["since_on"]) == (None, None)
    [failed] = adapter.rows("SELECT * FROM ifms.overview_failed")
    [view] = adapter.rows("SELECT * FROM ifms.failed_beneficiary")
    assert (failed["correct_by"], failed["payments"], failed["busy"]) == (view["correct_by"], 1, False)
    assert failed["amount"] == view["amount"] > Decimal(0)


def test_who_comes_while_it_is_counted_or_right_after_goes_on_without(adapter: Adapter):
    with psycopg.connect(as_worker(adapter.dsn)) as first:
        assert refresh(first)
        assert not count_anew(adapter)  # it does not wait for the other
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("UPDATE ifms.overview SET took = '1 minute'")
    assert not count_anew(adapter)
    long_since(adapter)
    assert count_anew(adapter)
    [row] = adapter.rows(
        "SELECT as_of > now() - interval '1 minute' AS new, took < '1 minute' AS quick FROM ifms.overview"
    )
    assert row == {"new": True, "quick": True}


@pytest.mark.parametrize("table", ["overview", "overview_instruction", "overview_failed"])
def test_nobody_who_works_writes_it_otherwise(adapter: Adapter, table: str):
    with (
        psycopg.connect(as_worker(adapter.dsn)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(f"INSERT INTO ifms.{table} DEFAULT VALUES")
    with (
        psycopg.connect(as_worker(adapter.dsn)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(f"DELETE FROM ifms.{table}")
