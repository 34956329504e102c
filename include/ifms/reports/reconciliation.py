"""Bills, payments, payment instructions and debit scrolls side by side: whether each payment came to its amount.

One row for each payment that the platform has told of. A payment instruction's debit scrolls count from when all of
them were there, which is when it became paid; whatever came back from the bank counts from when that was recorded.
"""

from __future__ import annotations

from typing import Any

from ifms.reports import point_in_time
from ifms.reports.period import of_financial_year
from ifms.reports.report import Aggregates, Chart, Column, Cube, Frame, Kind, Report, Request, Table

DIFFERENT = ("amounts differ", "money differs", "scrolls are missing")
VERDICTS = ("paid", "partly paid", "under way", "no payment instruction", *DIFFERENT)

_QUERY = f"""
    SELECT tenant_id, payment_number, bills, coalesce(bill_count, 0) AS bill_count, amount, pi_number, status,
           pi_amount, debited, scrolls, scrolled, returned, paid, amount - paid AS outstanding,
           CASE WHEN pi_number IS NULL THEN 'no payment instruction'
                WHEN pi_amount <> amount THEN 'amounts differ'
                WHEN debited <> to_debit THEN 'money differs'
                WHEN unscrolled > 0 THEN 'scrolls are missing'
                WHEN paid = amount THEN 'paid'
                WHEN waiting > 0 THEN 'under way'
                ELSE 'partly paid' END AS verdict
    FROM (
        SELECT q.tenant_id, q.payment_number, q.raised_at, q.amount,
               pi.pi_number, pi.status, coalesce(pi.pi_amount, 0.00) AS pi_amount,
               coalesce(pi.debited, 0.00) AS debited, coalesce(pi.to_debit, 0.00) AS to_debit,
               coalesce(pi.waiting, 0) AS waiting,
               coalesce(pi.scrolls, 0) AS scrolls, coalesce(pi.scrolled, 0.00) AS scrolled,
               coalesce(pi.returned, 0.00) AS returned, coalesce(pi.paid, 0.00) AS paid,
               coalesce(pi.unscrolled, 0) AS unscrolled
        FROM ifms.payment q
        CROSS JOIN LATERAL (
            SELECT max(p.pi_number) FILTER (WHERE first) AS pi_number, max(p.status) FILTER (WHERE first) AS status,
                   sum(p.net_amount) FILTER (WHERE first) AS pi_amount,
                   sum(p.debited) AS debited,
                   sum(p.net_amount) FILTER (WHERE p.pi_type = 'ORIGINAL' AND p.status <> 'PENDING') AS to_debit,
                   count(*) FILTER (WHERE p.status NOT IN {point_in_time.PAID}) AS waiting,
                   sum(p.scrolls) AS scrolls, sum(p.scrolled) AS scrolled, sum(p.returned) AS returned,
                   sum(p.paid) AS paid, sum(p.unscrolled) AS unscrolled
            FROM (
                SELECT p.pi_number, p.pi_type, st.status, p.net_amount,
                       p.pi_type = 'ORIGINAL' AND p.repayment_of IS NULL AS first,
                       (SELECT coalesce(sum(
                            CASE m.kind WHEN 'DEBIT' THEN m.amount WHEN 'REVERSAL' THEN -m.amount END), 0.00)
                        FROM ifms.fund_movement m
                        WHERE m.payment_instruction_id = p.id AND m.created_at < %(as_of)s) AS debited,
                       b.*
                FROM ifms.payment_instruction p {point_in_time.state("p", "st")}
                CROSS JOIN LATERAL (
                    SELECT count(*) FILTER (WHERE has_paid AND scroll) AS scrolls,
                           coalesce(sum(amount) FILTER (WHERE has_paid AND scroll), 0.00) AS scrolled,
                           coalesce(sum(amount) FILTER (WHERE came_back), 0.00) AS returned,
                           coalesce(sum(amount) FILTER (WHERE has_paid AND NOT came_back), 0.00) AS paid,
                           count(*) FILTER (WHERE has_paid AND NOT scroll AND NOT came_back) AS unscrolled
                    FROM (SELECT b.amount, st.status IN {point_in_time.PAID} AS has_paid,
                                 b.voucher_number IS NOT NULL AS scroll,
                                 b.status = 'Payment Failed' AND b.failed_on IS NOT NULL AND b.updated_at < %(as_of)s
                                     AS came_back
                          FROM ifms.beneficiary b WHERE b.payment_instruction_id = p.id) each
                ) b
                WHERE p.tenant_id = q.tenant_id AND p.payment_number = q.payment_number
                  AND p.created_at < %(as_of)s AND st.status <> 'FAILED'
            ) p
        ) pi
        WHERE q.seen_at < %(as_of)s AND {point_in_time.within("q.raised_at")}
          AND {point_in_time.of_cities("q.tenant_id")}
        OFFSET 0  -- one after the other as they were written: so what belongs to them lies side by side, too
    ) payment
    LEFT JOIN (
        SELECT l.tenant_id, l.payment_number, string_agg(l.bill_id, ' ' ORDER BY l.bill_id) AS bills,
               count(*) AS bill_count
        FROM ifms.bill l
        WHERE l.payment_number IS NOT NULL AND l.asked_at < %(as_of)s AND {point_in_time.of_cities("l.tenant_id")}
        GROUP BY l.tenant_id, l.payment_number
    ) bill USING (tenant_id, payment_number)
    ORDER BY tenant_id, raised_at, payment_number
"""

_HEADS = (
    Column("tenant_id", "City", width=22),
    Column("number", "Last Record", Kind.COUNT, width=12),
    Column("hash", "SHA-256", width=64),
    Column("linked_at", "Recorded", Kind.INSTANT, width=19),
    Column("anchored_at", "Anchored", Kind.INSTANT, width=19),
)
_ANCHORED = f"""
    SELECT CASE chain WHEN '' THEN 'the state' ELSE chain END AS city, number, hash, linked_at,
           %(anchored_at)s::timestamptz
    FROM unnest(%(chains)s::text[], %(numbers)s::bigint[], %(hashes)s::text[], %(linked)s::timestamptz[])
        AS head (chain, number, hash, linked_at)
    WHERE {point_in_time.of_cities("chain")}
    ORDER BY city
"""


def _anchored(request: Request) -> dict[str, Any]:
    heads = request.anchored
    return {
        "anchored_at": request.anchored_at,
        "chains": [head.chain for head in heads],
        "numbers": [head.number for head in heads],
        "hashes": [head.hash.hex() for head in heads],
        "linked": [head.linked_at for head in heads],
    }


_SUMS = (
    Column("rows", "Payments", Kind.COUNT, width=10, total=True),
    Column("bill_count", "Bills", Kind.COUNT, width=10, total=True),
    Column("amount", "Payments' Amount", Kind.MONEY, width=19, total=True),
    Column("pi_amount", "In Payment Instructions", Kind.MONEY, width=19, total=True),
    Column("debited", "Debited", Kind.MONEY, width=19, total=True),
    Column("scrolled", "By Debit Scrolls", Kind.MONEY, width=19, total=True),
    Column("returned", "Come Back", Kind.MONEY, width=17, total=True),
    Column("paid", "Paid", Kind.MONEY, width=19, total=True),
    Column("outstanding", "Outstanding", Kind.MONEY, width=19, total=True),
)
_VALUES = [column.name for column in _SUMS]


def _by_city(counted: Aggregates) -> Frame:
    return counted.by("payments", "tenant_id")[["tenant_id", *_VALUES]]


def _by_verdict(counted: Aggregates) -> Frame:
    made = counted.by("payments", "verdict")[["verdict", *_VALUES]]
    return made.sort_values("verdict", key=lambda verdicts: verdicts.map(VERDICTS.index), ignore_index=True)


RECONCILIATION = Report(
    name="reconciliation",
    title="Bills, Payments, Payment Instructions and Debit Scrolls",
    about="Each payment with its bills, its payment instruction, what was debited for it and what its beneficiaries "
    "were paid, revisions and repayments included. Where the verdict says that something differs or is missing, "
    "a person must look.",
    columns=(
        Column("tenant_id", "City", width=12),
        Column("payment_number", "Payment", width=25),
        Column("bills", "Bills", width=20, on_paper=False),
        Column("bill_count", "Number of Bills", Kind.COUNT, width=9, total=True),
        Column("amount", "Payment's Amount", Kind.MONEY, width=15, total=True),
        Column("pi_number", "Payment Instruction", width=20),
        Column("status", "Status", width=13),
        Column("pi_amount", "PI's Amount", Kind.MONEY, width=15, total=True, on_paper=False),
        Column("debited", "Debited", Kind.MONEY, width=15, total=True),
        Column("scrolls", "Debit Scrolls", Kind.COUNT, width=9, total=True, on_paper=False),
        Column("scrolled", "By Debit Scrolls", Kind.MONEY, width=15, total=True),
        Column("returned", "Come Back", Kind.MONEY, width=14, total=True),
        Column("paid", "Paid", Kind.MONEY, width=15, total=True),
        Column("outstanding", "Outstanding", Kind.MONEY, width=15, total=True),
        Column("verdict", "Verdict", width=19),
    ),
    query=_QUERY,
    default_period=of_financial_year,
    cubes={"payments": Cube(("tenant_id", "verdict"), {name: "sum" for name in _VALUES if name != "rows"})},
    tables=(
        Table(
            "By verdict",
            (Column("verdict", "Verdict", width=22), *_SUMS),
            _by_verdict,
            Chart("How many payments have come to what", "verdict", ("rows",), lying=True),
        ),
        Table(
            "By city",
            (Column("tenant_id", "City", width=22), *_SUMS),
            _by_city,
            Chart("Paid and outstanding, by city", "tenant_id", ("paid", "outstanding"), lying=True, at_most=12),
        ),
        Table("Where the records were last anchored", _HEADS, lambda counted: counted.also("anchored")),
    ),
    also={"anchored": (tuple(column.name for column in _HEADS), _ANCHORED)},
    parameters=_anchored,
)
