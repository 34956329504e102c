"""What was transferred, step by step: what came back is taken off, and paying it anew adds it again."""

from __future__ import annotations

from decimal import Decimal

from support.failed import TENANT
from support.reported import Reported

from ifms.reports.aggregates import Counted, rows_of
from ifms.reports.amounts_transferred import AMOUNTS_TRANSFERRED


def sums(reported: Reported, step: str) -> tuple[Decimal, ...]:
    rows = reported.rows("amounts_transferred", as_of=reported.at(step))
    return tuple(sum((row[name] for row in rows), Decimal(0)) for name in ("debited", "returned", "transferred"))


def test_sums_step_by_step(reported: Reported):
    [payment] = reported.adapter.rows("SELECT amount FROM ifms.payment ORDER BY seen_at LIMIT 1")
    [failed] = reported.adapter.rows("SELECT sum(amount) AS amount FROM ifms.beneficiary WHERE failed_on IS NOT NULL")
    whole, back = payment["amount"], failed["amount"]
    assert sums(reported, "approved") == (0, 0, 0)
    assert sums(reported, "paid") == (whole, 0, whole)
    assert sums(reported, "failed") == sums(reported, "revised") == (whole, back, whole - back)
    assert sums(reported, "corrected") == (whole + back, back, whole)


def test_rows_and_tables(reported: Reported):
    at = reported.at("corrected")
    rows = reported.rows("amounts_transferred", as_of=at)
    assert {(row["bill_type"], row["tenant_id"]) for row in rows} == {("WAGE", TENANT)}
    assert sum(row["payments"] for row in rows) == 3 + 2
    assert reported.rows("amounts_transferred", tenants=["od.sampleb"], as_of=at) == []
    assert reported.rows("amounts_transferred", period="2020-21") == []
    counted = Counted(AMOUNTS_TRANSFERRED)
    counted.add([tuple(row.values()) for row in rows])
    for table in AMOUNTS_TRANSFERRED.tables:
        assert sum(row[-1] for row in rows_of(table.make(counted))) == sum(row["transferred"] for row in rows)
