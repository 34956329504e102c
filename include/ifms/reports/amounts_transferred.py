"""How much was transferred, by month, type of bill, city and head of account.

One row for each of these. A payment counts in the month (IST) in which its payment instruction became paid: when
all its debit scrolls were there; what came back from the bank by `as of` is taken off in that same month.
"""

from __future__ import annotations

from ifms.reports import point_in_time
from ifms.reports.period import of_financial_year
from ifms.reports.report import Column, Cube, Kind, Report, Table

_QUERY = f"""
    SELECT to_char(paid.at AT TIME ZONE 'Asia/Kolkata', 'YYYY-MM') AS month,
           coalesce(p.bill_type, 'not known') AS bill_type,
           p.tenant_id, p.hoa_code, count(*) AS payments, sum(b.amount) AS debited,
           coalesce(sum(b.amount) FILTER (WHERE b.came_back), 0.00) AS returned,
           coalesce(sum(b.amount) FILTER (WHERE NOT b.came_back), 0.00) AS transferred
    FROM ifms.payment_instruction p
    {point_in_time.state("p", "st")}
    CROSS JOIN LATERAL (
        SELECT min(l.created_at) AS at FROM ifms.status_log l
        WHERE l.payment_instruction_id = p.id AND l.to_status IN {point_in_time.PAID} AND l.created_at < %(as_of)s
    ) paid
    CROSS JOIN LATERAL (
        SELECT b.amount,
               b.status = 'Payment Failed' AND b.failed_on IS NOT NULL AND b.updated_at < %(as_of)s AS came_back
        FROM ifms.beneficiary b WHERE b.payment_instruction_id = p.id
    ) b
    WHERE p.created_at < %(as_of)s AND st.status IN {point_in_time.PAID}
      AND {point_in_time.within("paid.at")} AND {point_in_time.of_cities("p.tenant_id")}
    GROUP BY 1, 2, 3, 4
    ORDER BY 1, 2, 3, 4
"""

_SUMS = (
    Column("payments", "Payments", Kind.COUNT, width=10, total=True),
    Column("debited", "Debited", Kind.MONEY, width=17, total=True),
    Column("returned", "Came Back", Kind.MONEY, width=17, total=True),
    Column("transferred", "Transferred", Kind.MONEY, width=17, total=True),
)
_NAMES = [column.name for column in _SUMS]

AMOUNTS_TRANSFERRED = Report(
    name="amounts_transferred",
    title="Amounts Transferred",
    about="What was debited by the month in which it was paid, type of bill, city and head of account, "
    "and what of it came back from the bank.",
    columns=(
        Column("month", "Month", width=10),
        Column("bill_type", "Type of Bill", width=14),
        Column("tenant_id", "City", width=20),
        Column("hoa_code", "Head of Account", width=26),
        *_SUMS,
    ),
    query=_QUERY,
    default_period=of_financial_year,
    cubes={"sums": Cube(("month", "bill_type", "tenant_id"), dict.fromkeys(_NAMES, "sum"))},
    tables=(
        Table(
            "By type of bill",
            (Column("bill_type", "Type of Bill", width=20), *_SUMS),
            lambda counted: counted.by("sums", "bill_type")[["bill_type", *_NAMES]],
        ),
        Table(
            "Month by month",
            (Column("month", "Month", width=10), *_SUMS),
            lambda counted: counted.by("sums", "month")[["month", *_NAMES]],
        ),
        Table(
            "By city",
            (Column("tenant_id", "City", width=20), *_SUMS),
            lambda counted: counted.by("sums", "tenant_id")[["tenant_id", *_NAMES]],
        ),
    ),
)
