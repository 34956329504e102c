"""What each project was paid, step by step; what belongs to no known project is said so, not left out."""

from __future__ import annotations

from decimal import Decimal

from support.failed import TENANT
from support.reported import Reported

from ifms.reports.aggregates import Counted, rows_of
from ifms.reports.project_payments import PROJECT_PAYMENTS


def test_sums_step_by_step(reported: Reported):
    def sums(step: str) -> tuple[Decimal, ...]:
        rows = reported.rows("project_payments", as_of=reported.at(step))
        return tuple(sum((row[name] for row in rows), Decimal(0)) for name in ("debited", "returned", "paid"))

    [payment] = reported.adapter.rows("SELECT amount FROM ifms.payment ORDER BY seen_at LIMIT 1")
    [failed] = reported.adapter.rows("SELECT sum(amount) AS amount FROM ifms.beneficiary WHERE failed_on IS NOT NULL")
    whole, back = payment["amount"], failed["amount"]
    assert sums("approved") == (0, 0, 0)
    assert sums("paid") == (whole, 0, whole)
    assert sums("failed") == sums("revised") == (whole, back, whole - back)
    assert sums("corrected") == (whole + back, back, whole)


def test_projects_are_those_of_the_instructions(reported: Reported):
    at = reported.at("corrected")
    rows = reported.rows("project_payments", as_of=at)
    known = reported.adapter.rows("SELECT project_numbers FROM ifms.payment_instruction")
    names = {", ".join(row["project_numbers"]) or "not known" for row in known}
    assert {row["project"] for row in rows} <= names
    assert {(row["tenant_id"], row["bill_type"]) for row in rows} == {(TENANT, "WAGE")}
    assert reported.rows("project_payments", as_of=at, tenants=["od.sampleb"]) == []
    counted = Counted(PROJECT_PAYMENTS)
    counted.add([tuple(row.values()) for row in rows])
    for table in PROJECT_PAYMENTS.tables:
        assert sum(row[-1] for row in rows_of(table.make(counted))) == sum(row["paid"] for row in rows)
