"""Sanctions of an earlier year, and closed ones, for tests of which sanction pays."""

from __future__ import annotations

import psycopg
from support.adapter import Adapter

from ifms import clock


def allot_of_last_year(adapter: Adapter) -> str:
    """The treasury tells of a sanction of the financial year before this one; its master allotment id."""
    this = adapter.rows("SELECT * FROM ifms.sanction ORDER BY hoa_code, master_allotment_id")[0]
    day = f"{clock.financial_year(clock.now()) - 1}-06-01"
    order = {
        "ddoCode": this["ddo_code"],
        "hoa": this["hoa_code"],
        "granteeAgCode": this["grantee_code"],
        "allotmentTxnType": "Initial Allotment",
        "allotmentAmount": "900000.00",
        "allotmentDate": day,
    }
    number: str = adapter.simulators.ask_treasury("POST", "allotments", order)[0]["mstAllotmentDistId"]
    adapter.run("VA")
    return number


def close(adapter: Adapter, other_than: str | None = None) -> None:
    """A person closes all sanctions but one."""
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute(
            "INSERT INTO ifms.sanction_closing (sanction_id, closed, reason, person) SELECT id, true, 'sample', 'a tester'"
            " FROM ifms.sanction WHERE closed_at IS NULL AND master_allotment_id IS DISTINCT FROM %s",
            (other_than,),
        )
