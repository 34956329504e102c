"""Which payments the bank gave back, for what reason, and whether correcting them helped.

One row for each beneficiary of each payment instruction whose payment came back. What became of it is what its
beneficiary's next payment instruction had come to at `as of`: one that the treasury declined counts as none.
"""

from __future__ import annotations

from ifms.reports import point_in_time
from ifms.reports.aggregates import percent
from ifms.reports.period import of_financial_year
from ifms.reports.report import Aggregates, Chart, Column, Cube, Frame, Kind, Report, Shape, Table

OUTCOMES = ("paid", "under way", "failed again", "not corrected", "not to be corrected")
_REASONS = 500
"""The treasury's texts are free: so many are told apart."""

_QUERY = f"""
    SELECT r.tenant_id, p.hoa_code, r.pi_number, r.payment_number, r.beneficiary_number, r.amount,
           coalesce(r.reason, 'the treasury gave no reason') AS reason, r.failed_on, r.challan_number,
           r.recorded_at, later.pi_number AS corrected_by,
           CASE WHEN st.status = 'FAILED' THEN 'not to be corrected'
                WHEN later.pi_number IS NULL THEN 'not corrected'
                WHEN later.failed_at < %(as_of)s THEN 'failed again'
                WHEN later.status IN {point_in_time.PAID} THEN 'paid'
                ELSE 'under way' END AS outcome,
           r.correct_by
    FROM ifms.returned_payment r
    JOIN ifms.payment_instruction p ON p.id = r.payment_instruction_id
    {point_in_time.state("p", "st")}
    LEFT JOIN LATERAL (
        SELECT n.pi_number, ns.status, CASE WHEN nb.failed_on IS NOT NULL THEN nb.updated_at END AS failed_at
        FROM ifms.beneficiary nb
        JOIN ifms.payment_instruction n ON n.id = nb.payment_instruction_id
        {point_in_time.state("n", "ns")}
        WHERE nb.beneficiary_number = r.beneficiary_number AND nb.created_at > r.created_at
          AND nb.created_at < %(as_of)s AND ns.status <> 'FAILED'
        ORDER BY nb.created_at, n.pi_number LIMIT 1
    ) later ON true
    WHERE {point_in_time.within("r.recorded_at")} AND {point_in_time.of_cities("r.tenant_id")}
    ORDER BY r.recorded_at, r.pi_number, r.beneficiary_number
"""

_WORDS = {outcome: outcome.replace(" ", "_") for outcome in OUTCOMES}
_OUTCOMES = tuple(
    Column(_WORDS[outcome], outcome.capitalize(), Kind.COUNT, width=13, total=True) for outcome in OUTCOMES
)
_COUNTS = (
    Column("rows", "Failures", Kind.COUNT, width=9, total=True),
    Column("amount", "Amount", Kind.MONEY, width=17, total=True),
    *_OUTCOMES,
    Column("success", "Corrected and Paid, %", Kind.PERCENT, width=12),
)


def _what_became(counted: Aggregates, by: str) -> Frame:
    made = counted.wide("failed", "outcome", OUTCOMES, "rows", by).rename(columns=_WORDS)
    made["success"] = [percent(paid, rows) for paid, rows in zip(made["paid"], made["rows"], strict=True)]
    return made[[by, "rows", "amount", *_WORDS.values(), "success"]]


def _by_reason(counted: Aggregates) -> Frame:
    return _what_became(counted, "reason").sort_values("rows", ascending=False, kind="stable", ignore_index=True)


FAILURE_REASONS = Report(
    name="failure_reasons",
    title="Failed Payments and Their Correction",
    about="Payments to beneficiaries that the bank gave back, by the reason that the treasury told, and what came of "
    "paying them again.",
    columns=(
        Column("tenant_id", "City", width=13),
        Column("hoa_code", "Head of Account", width=22),
        Column("pi_number", "Payment Instruction", width=20),
        Column("payment_number", "Payment", width=23, on_paper=False),
        Column("beneficiary_number", "Beneficiary", width=14),
        Column("amount", "Amount", Kind.MONEY, width=13, total=True),
        Column("reason", "Reason", width=26),
        Column("failed_on", "Failed On", Kind.DATE, width=10),
        Column("challan_number", "Challan", width=12, on_paper=False),
        Column("recorded_at", "Recorded", Kind.INSTANT, width=16),
        Column("corrected_by", "Paid Again By", width=20),
        Column("outcome", "What Became of It", width=15),
        Column("correct_by", "Correct By", Kind.DATE, width=10),
    ),
    query=_QUERY,
    default_period=of_financial_year,
    cubes={
        "failed": Cube(
            ("reason", "tenant_id", "outcome", "month"),
            {"amount": "sum"},
            derive={"month": ("recorded_at", point_in_time.month)},
            at_most={"reason": _REASONS},
        )
    },
    tables=(
        Table(
            "By reason",
            (Column("reason", "Reason", width=40), *_COUNTS),
            _by_reason,
            Chart(
                "The most frequent reasons, and what became of the payments",
                "reason",
                tuple(_WORDS.values()),
                Shape.STACKED,
                lying=True,
                at_most=10,
            ),
        ),
        Table(
            "Month by month",
            (Column("month", "Month", width=10), *_COUNTS),
            lambda counted: _what_became(counted, "month"),
            Chart("Failures by month of recording", "month", tuple(_WORDS.values()), Shape.STACKED),
        ),
        Table(
            "By city",
            (Column("tenant_id", "City", width=20), *_COUNTS),
            lambda counted: _what_became(counted, "tenant_id"),
        ),
    ),
)
