"""The Fund Allocation Register (user-stories.md §1): movements of money, each with its sanction's balances.

The balances are the view `fund_register`'s: Sanctioned Balance is what was sanctioned less what is allotted, Fund
Available what is allotted less what is spent; a withdrawal takes from what is allotted, a reversal from what is spent.
"""

from __future__ import annotations

from typing import Any

from ifms.queries.funds import KINDS
from ifms.reports import point_in_time
from ifms.reports.period import of_financial_year
from ifms.reports.report import Aggregates, Chart, Column, Cube, Frame, Kind, Report, Request, Table

_COLUMNS = (
    Column("hoa_name", "Head of Account", width=18),
    Column("hoa_code", "Head Code", width=23),
    Column("tenant_id", "City", width=13),
    Column("master_allotment_id", "Sanction", width=12),
    Column("transaction_number", "Transaction Number", width=22),
    Column("transaction_date", "Transaction Date", Kind.DATE, width=11),
    Column("transaction_type", "Transaction Type", width=17),
    Column("transaction_amount", "Transaction Amount", Kind.MONEY, width=17),
    Column("sanctioned_balance", "Sanctioned Balance", Kind.MONEY, width=18),
    Column("fund_available", "Fund Available", Kind.MONEY, width=18),
    Column("recorded_at", "Recorded", Kind.INSTANT, width=17),
)

_ASKED = f"""
    r.recorded_at < %(as_of)s
      AND CASE WHEN %(year)s::text IS NULL THEN {point_in_time.within("r.recorded_at")}
               ELSE r.financial_year = %(year)s END
      AND {point_in_time.of_cities("r.tenant_id")}
      AND (%(hoa_code)s::text IS NULL OR r.hoa_code = %(hoa_code)s)
      AND (%(transaction_type)s::text IS NULL OR r.transaction_type = %(transaction_type)s)
"""

_QUERY = f"""
    SELECT coalesce(n.name, r.hoa_code) AS hoa_name, r.hoa_code, r.tenant_id, r.master_allotment_id,
           r.transaction_number, r.transaction_date, r.transaction_type, r.transaction_amount, r.sanctioned_balance,
           r.fund_available, r.recorded_at
    FROM ifms.fund_register r
    LEFT JOIN ifms.display_name n ON n.kind = 'HEAD' AND n.code = r.hoa_code
    WHERE {_ASKED}
    ORDER BY r.movement_id
"""

# Grouped by what is short, and named afterwards. The balances are those after a group's last movement, each of which is
# looked up: how few groups there are the planner does not know, and would read all movements once more.
_DIGEST = f"""
    WITH moved AS MATERIALIZED (
        SELECT r.sanction_id, r.transaction_type,
               date_trunc('month', r.recorded_at AT TIME ZONE 'Asia/Kolkata') AS month, count(*) AS rows,
               sum(r.transaction_amount) AS amount, max(r.movement_id) AS last
        FROM ifms.fund_register r WHERE {_ASKED}
        GROUP BY 1, 2, 3
    )
    SELECT coalesce(n.name, r.hoa_code) AS hoa_name, r.hoa_code, r.tenant_id, r.master_allotment_id,
           moved.transaction_type, to_char(moved.month, 'YYYY-MM') AS month, moved.rows,
           moved.amount AS transaction_amount, r.sanctioned_balance, r.fund_available
    FROM moved
    CROSS JOIN LATERAL (SELECT * FROM ifms.fund_register r WHERE r.movement_id = moved.last OFFSET 0) r
    LEFT JOIN ifms.display_name n ON n.kind = 'HEAD' AND n.code = r.hoa_code
    ORDER BY moved.last
"""

_FLOWS = {
    "allotted": ("Initial Allotment", "Additional Allotment"),
    "withdrawn": ("Withdrawal",),
    "spent": ("Expense",),
    "reversed": ("Expense Reversed",),
}


def _flows(counted: Aggregates, *by: str) -> Frame:
    made = counted.wide("moved", "transaction_type", list(KINDS), "transaction_amount", *by)
    for name, kinds in _FLOWS.items():
        made[name] = sum(made[kind] for kind in kinds)
    return made


def _by_month(counted: Aggregates) -> Frame:
    made = _flows(counted, "month")
    return made[["month", "rows", *_FLOWS]]


def _standing(counted: Aggregates, *by: str) -> Frame:
    made = _flows(counted, *by).merge(counted.by("standing", *by).drop(columns="rows"), on=list(by), how="left")
    return made[[*by, "rows", *_FLOWS, "sanctioned_balance", "fund_available"]]


def _by_type(counted: Aggregates) -> Frame:
    made = counted.by("moved", "transaction_type")
    place = {kind: number for number, kind in enumerate(KINDS)}
    return made.sort_values("transaction_type", key=lambda kinds: kinds.map(place), ignore_index=True)


_MONEY_MOVED = (
    Column("rows", "Transactions", Kind.COUNT, total=True),
    Column("allotted", "Allotted", Kind.MONEY, width=19, total=True),
    Column("withdrawn", "Withdrawn", Kind.MONEY, width=19, total=True),
    Column("spent", "Expense", Kind.MONEY, width=19, total=True),
    Column("reversed", "Expense Reversed", Kind.MONEY, width=19, total=True),
)
_BALANCES = (
    Column("sanctioned_balance", "Sanctioned Balance", Kind.MONEY, width=19, total=True),
    Column("fund_available", "Fund Available", Kind.MONEY, width=19, total=True),
)


def _parameters(request: Request) -> dict[str, Any]:
    return {"transaction_type": request.transaction_type}


FUND_REGISTER = Report(
    name="fund_register",
    title="Fund Allocation Register",
    about="Every allotment, withdrawal, expense and reversed expense in the order in which it was recorded, with the "
    "balances of its sanction after it. Of a financial year: whatever moved on its sanctions; of other days: whatever "
    "was recorded then.",
    columns=_COLUMNS,
    query=_QUERY,
    default_period=of_financial_year,
    cubes={
        "moved": Cube(
            ("hoa_name", "hoa_code", "tenant_id", "transaction_type", "month"),
            {"transaction_amount": "sum"},
            derive={"month": ("recorded_at", point_in_time.month)},
        ),
        "standing": Cube(
            ("hoa_name", "hoa_code", "tenant_id", "master_allotment_id"),
            {"sanctioned_balance": "last", "fund_available": "last"},
        ),
    },
    tables=(
        Table(
            "Month by month",
            (Column("month", "Month"), *_MONEY_MOVED),
            _by_month,
            Chart("Allotted and spent, by month of recording", "month", ("allotted", "spent")),
        ),
        Table(
            "By head of account",
            (
                Column("hoa_name", "Head of Account", width=23),
                Column("hoa_code", "Head Code", width=23),
                *_MONEY_MOVED,
                *_BALANCES,
            ),
            lambda counted: _standing(counted, "hoa_name", "hoa_code"),
            Chart(
                "Where the money of each head of account is",
                "hoa_name",
                ("spent", "fund_available"),
                lying=True,
                at_most=10,
            ),
        ),
        Table(
            "By city",
            (Column("tenant_id", "City", width=23), *_MONEY_MOVED, *_BALANCES),
            lambda counted: _standing(counted, "tenant_id"),
        ),
        Table(
            "By transaction type",
            (
                Column("transaction_type", "Transaction Type", width=20),
                Column("rows", "Transactions", Kind.COUNT, total=True),
                Column("transaction_amount", "Amount", Kind.MONEY, width=19),
            ),
            _by_type,
        ),
    ),
    parameters=_parameters,
    in_columns=True,
    digest=_DIGEST,
    printed=30_000,  # a city's year, of which the story wants every row on paper
)
