"""How many payments reached individuals, by month, city, gender and social category, where the registry gives them.

Counts alone, of whole months. A number below ten is left empty, and a second one beside it, so that nobody is found by
taking sums from each other: the database counts (`ifms.payments_by_group`) and gives no more than that.
"""

from __future__ import annotations

from ifms.reports.period import of_financial_year
from ifms.reports.report import Column, Kind, Report

_QUERY = """
    SELECT month, tenant_id, gender, social_category, payments
    FROM ifms.payments_by_group(%(since)s, %(until)s, %(as_of)s, %(tenants)s)
    ORDER BY month, tenant_id, gender, social_category
"""

PAYMENTS_BY_GROUP = Report(
    name="payments_by_group",
    title="Payments by Gender and Social Category",
    about="How many payments to individuals reached them, by month of debit (whole months), city, gender and social "
    "category as the registry had them. Fewer than ten are left empty.",
    columns=(
        Column("month", "Month", width=10),
        Column("tenant_id", "City", width=20),
        Column("gender", "Gender", width=14),
        Column("social_category", "Social Category", width=20),
        Column("payments", "Payments", Kind.COUNT, width=10),
    ),
    query=_QUERY,
    default_period=of_financial_year,
    cubes={},
    tables=(),
)
