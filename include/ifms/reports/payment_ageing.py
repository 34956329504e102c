"""How long payments have been waiting: for which service, in which city, since when (architecture.md §5).

What waits is a payment without a live payment instruction, and a payment instruction that is not at its end. A payment
waits since it was raised, a payment instruction since it came to the status that it has.
"""

from __future__ import annotations

from ifms.queries.instruction import NEXT_SERVICE
from ifms.reports import point_in_time
from ifms.reports.period import ALL
from ifms.reports.report import Aggregates, Chart, Column, Cube, Frame, Kind, Report, Shape, Table

SERVICES = ("PI", "PIS", "PAG", "PD", "FTPS", "none")
"""In their order; none: no service is asked about what has this type and status, which no sweep brings about."""
_PLACES = {service: place for place, service in enumerate(SERVICES)}
AGES = ("under 1 day", "1 to 2 days", "3 to 6 days", "7 to 29 days", "30 to 89 days", "90 days and more")
_FROM_DAY = (1, 3, 7, 30, 90)
WAITING = ("PENDING", "INITIATED", "APPROVED", "IN PROCESS")

_SERVICE = " ".join(
    f"WHEN p.pi_type = '{pi_type}' AND st.status = '{status}' THEN '{service}'"
    for (pi_type, status), service in NEXT_SERVICE.items()
    if status in WAITING
)
_QUERY = f"""
    SELECT service, tenant_id, kind, pi_number, payment_number, status, amount, since,
           days, (%(ages)s::text[])[1 + width_bucket(days, %(from_day)s::bigint[])] AS age
    FROM (
        SELECT CASE {_SERVICE} ELSE 'none' END AS service, p.tenant_id, p.pi_type AS kind, p.pi_number,
               p.payment_number, st.status, p.net_amount AS amount, st.since
        FROM ifms.payment_instruction p {point_in_time.state("p", "st")}
        WHERE {point_in_time.within("p.created_at")} AND {point_in_time.of_cities("p.tenant_id")}
          AND st.status = ANY(%(waiting)s)
        UNION ALL
        SELECT 'PI', q.tenant_id, 'PAYMENT', NULL, q.payment_number, 'no payment instruction', q.amount, q.raised_at
        FROM ifms.payment q
        WHERE q.seen_at < %(as_of)s AND {point_in_time.within("q.raised_at")}
          AND {point_in_time.of_cities("q.tenant_id")}
          AND NOT EXISTS (
              SELECT FROM ifms.payment_instruction p {point_in_time.state("p", "st")}
              WHERE p.tenant_id = q.tenant_id AND p.payment_number = q.payment_number AND p.pi_type = 'ORIGINAL'
                AND p.repayment_of IS NULL AND p.created_at < %(as_of)s AND st.status <> 'FAILED')
    ) waiting
    CROSS JOIN LATERAL (SELECT floor(extract(epoch FROM %(as_of)s - since) / 86400)::bigint AS days) waited
    ORDER BY array_position(%(services)s::text[], service), tenant_id, since, payment_number, pi_number NULLS FIRST
"""

_WAITING = (
    Column("rows", "Waiting", Kind.COUNT, width=9, total=True),
    Column("amount", "Amount", Kind.MONEY, width=18, total=True),
    Column("days", "Longest, days", Kind.COUNT, width=10),
    *(Column(age, age, Kind.COUNT, width=12, total=True) for age in AGES),
)


def _aged(counted: Aggregates, *by: str) -> Frame:
    made = counted.wide("waiting", "age", AGES, "rows", *by)
    if "service" in by:
        made = made.sort_values("service", key=lambda codes: codes.map(_PLACES), kind="stable")
    return made[[*by, "rows", "amount", "days", *AGES]]


PAYMENT_AGEING = Report(
    name="payment_ageing",
    title="Payment Ageing",
    about="What has been waiting, for which service of the treasury and for how long: payments without a payment "
    "instruction since they were raised, payment instructions since they have had their status.",
    columns=(
        Column("service", "Waits for", width=8),
        Column("tenant_id", "City", width=14),
        Column("kind", "Kind", width=10),
        Column("pi_number", "Payment Instruction", width=22),
        Column("payment_number", "Payment", width=26),
        Column("status", "Status", width=20),
        Column("amount", "Amount", Kind.MONEY, width=17, total=True),
        Column("since", "Waiting Since", Kind.INSTANT, width=18),
        Column("days", "Days", Kind.COUNT, width=7),
        Column("age", "Age", width=15),
    ),
    query=_QUERY,
    default_period=lambda _: ALL,
    cubes={"waiting": Cube(("service", "tenant_id", "age"), {"amount": "sum", "days": "max"})},
    tables=(
        Table(
            "By service",
            (Column("service", "Waits for", width=10), *_WAITING),
            lambda counted: _aged(counted, "service"),
            Chart("How many wait for each service, by age", "service", AGES, Shape.STACKED),
        ),
        Table(
            "By city",
            (Column("tenant_id", "City", width=20), *_WAITING),
            lambda counted: _aged(counted, "tenant_id"),
            Chart("How many wait in each city, by age", "tenant_id", AGES, Shape.STACKED, lying=True, at_most=12),
        ),
        Table(
            "By service and city",
            (Column("service", "Waits for", width=10), Column("tenant_id", "City", width=20), *_WAITING),
            lambda counted: _aged(counted, "service", "tenant_id"),
        ),
    ),
    parameters=lambda _: {
        "ages": list(AGES),
        "from_day": list(_FROM_DAY),
        "services": list(SERVICES),
        "waiting": list(WAITING),
    },
)
