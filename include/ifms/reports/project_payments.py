"""What was paid for each project, by type of bill, and what of it came back.

One row for each project, city and type of bill. A payment instruction of bills of several projects has a row of its
own, which names them all: how much of it is for which is not known. What a project was estimated to cost no service
that the adapter calls tells, so it is not here.
"""

from __future__ import annotations

from ifms.reports import point_in_time
from ifms.reports.period import of_financial_year
from ifms.reports.report import Column, Cube, Kind, Report, Table

_PROJECTS = 5000
"""So many projects are told apart in the sums; the rows have them all."""

_QUERY = f"""
    SELECT coalesce(nullif(array_to_string(v.project_numbers, ', '), ''), 'not known') AS project, v.tenant_id,
           coalesce(v.bill_type, 'not known') AS bill_type, count(*) AS payments, sum(v.amount) AS debited,
           coalesce(sum(v.amount) FILTER (WHERE b.came_back), 0.00) AS returned,
           coalesce(sum(v.amount) FILTER (WHERE NOT b.came_back), 0.00) AS paid
    FROM ifms.beneficiary_payment v
    JOIN ifms.payment_instruction p ON p.id = v.payment_instruction_id
    {point_in_time.state("p", "st")}
    CROSS JOIN LATERAL (SELECT v.failed_on IS NOT NULL AND v.updated_at < %(as_of)s AS came_back) b
    WHERE p.created_at < %(as_of)s AND st.status IN {point_in_time.PAID}
      AND {point_in_time.within("v.created_at")} AND {point_in_time.of_cities("v.tenant_id")}
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
"""

_SUMS = (
    Column("payments", "Payments", Kind.COUNT, width=10, total=True),
    Column("debited", "Debited", Kind.MONEY, width=17, total=True),
    Column("returned", "Failed", Kind.MONEY, width=17, total=True),
    Column("paid", "Paid", Kind.MONEY, width=17, total=True),
)
_NAMES = [column.name for column in _SUMS]

PROJECT_PAYMENTS = Report(
    name="project_payments",
    title="Payments by Project",
    about="What was debited for each project by type of bill, what of it the bank gave back, and what was paid.",
    columns=(
        Column("project", "Project", width=30),
        Column("tenant_id", "City", width=20),
        Column("bill_type", "Type of Bill", width=14),
        *_SUMS,
    ),
    query=_QUERY,
    default_period=of_financial_year,
    cubes={
        "sums": Cube(
            ("project", "tenant_id", "bill_type"), dict.fromkeys(_NAMES, "sum"), at_most={"project": _PROJECTS}
        )
    },
    tables=(
        Table(
            "By type of bill",
            (Column("bill_type", "Type of Bill", width=20), *_SUMS),
            lambda counted: counted.by("sums", "bill_type")[["bill_type", *_NAMES]],
        ),
        Table(
            "By city",
            (Column("tenant_id", "City", width=20), *_SUMS),
            lambda counted: counted.by("sums", "tenant_id")[["tenant_id", *_NAMES]],
        ),
    ),
)
