"""The register's rows against the story's formulas, counted anew from the movements; its filters; its sums."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from support.failed import TENANT
from support.reported import Reported

from ifms import clock
from ifms.ledger.database import Database
from ifms.queries.funds import KINDS
from ifms.reports import writer
from ifms.reports.aggregates import Counted, rows_of
from ifms.reports.catalogue import REPORTS, request

REPORT = REPORTS["fund_register"]
SIGN = {"Initial Allotment": 1, "Additional Allotment": 1, "Withdrawal": -1, "Expense": -1, "Expense Reversed": 1}


def counted(db: Database, **asked: Any) -> Counted:
    made = Counted(REPORT)

    def read(connection: Any) -> None:
        for rows in writer.read(connection, REPORT, request(REPORT, clock.now(), **asked), chunk=3):
            made.add(rows)

    db.read_snapshot(read)
    return made


def test_it_has_the_storys_columns():
    headings = [column.heading for column in REPORT.columns]
    assert [each for each in headings if each not in ("Head Code", "City", "Sanction", "Recorded")] == [
        "Head of Account",
        "Transaction Number",
        "Transaction Date",
        "Transaction Type",
        "Transaction Amount",
        "Sanctioned Balance",
        "Fund Available",
    ]


def test_balances_are_the_storys_formulas(reported: Reported):
    sanctioned = {
        (row["tenant_id"], row["hoa_code"], row["master_allotment_id"]): row["sanctioned_amount"]
        for row in reported.adapter.rows("SELECT * FROM ifms.sanction")
    }
    available = dict.fromkeys(sanctioned, Decimal(0))
    allotted = dict.fromkeys(sanctioned, Decimal(0))
    rows = reported.rows("fund_register", period="all")
    for row in rows:
        key = (row["tenant_id"], row["hoa_code"], row["master_allotment_id"])
        moved = SIGN[row["transaction_type"]] * row["transaction_amount"]
        available[key] += moved
        if "Expense" not in row["transaction_type"]:
            allotted[key] += moved
        assert row["fund_available"] == available[key]
        assert row["sanctioned_balance"] == sanctioned[key] - allotted[key]
    assert {row["transaction_type"] for row in rows} == set(KINDS)
    assert [row["recorded_at"] for row in rows] == sorted(row["recorded_at"] for row in rows)


def test_an_expense_when_it_is_accepted_and_another_row_when_it_is_given_back(reported: Reported):
    numbers: dict[str, list[str]] = {}
    for row in reported.rows("fund_register", period="all"):
        numbers.setdefault(row["transaction_number"], []).append(row["transaction_type"])
    for pi in reported.adapter.rows("SELECT * FROM ifms.payment_instruction"):
        accepted = pi["pi_type"] == "ORIGINAL" and (
            pi["status"] not in ("PENDING", "FAILED") or pi["success_code"] is not None
        )
        wanted = (["Expense"] if accepted else []) + (
            ["Expense Reversed"] if accepted and pi["status"] == "FAILED" else []
        )
        assert numbers.get(pi["pi_number"], []) == wanted, pi["pi_number"]


def test_filters(reported: Reported):
    everything = reported.rows("fund_register", period="all")
    year = reported.adapter.rows("SELECT financial_year FROM ifms.sanction LIMIT 1")[0]["financial_year"]
    assert reported.rows("fund_register", period=year) == everything
    today = f"{clock.to_ist(everything[0]['recorded_at']):%Y-%m-%d}..{clock.to_ist(clock.now()):%Y-%m-%d}"
    assert reported.rows("fund_register", period=today) == everything
    assert reported.rows("fund_register", period="2020-21") == []
    assert reported.rows("fund_register", period="2020-02") == []
    for name, value in (
        ("tenant_id", TENANT),
        ("hoa_code", everything[0]["hoa_code"]),
        ("transaction_type", "Expense"),
    ):
        asked: dict[str, Any] = {"tenants": [value]} if name == "tenant_id" else {name: value}
        some = reported.rows("fund_register", period="all", **asked)
        assert some == [row for row in everything if row[name] == value]
        assert 0 < len(some) < len(everything)


@pytest.mark.parametrize(("title", "by"), [("By head of account", "hoa_code"), ("By city", "tenant_id")])
def test_its_sums_are_the_sanctions_balances(reported: Reported, title: str, by: str):
    [table] = [table for table in REPORT.tables if table.title == title]
    place = [column.name for column in table.columns].index(by)
    with reported.db() as db:
        made = sorted((row[place:] for row in rows_of(table.make(counted(db, period="all")))), key=lambda row: row[0])
    expected = reported.adapter.rows(
        f"""
        SELECT {by}, sum(spent_amount) AS spent, sum(sanctioned_amount - allotted_amount) AS sanctioned,
               sum(allotted_amount - spent_amount) AS available FROM ifms.sanction GROUP BY 1 ORDER BY 1
        """
    )
    assert [(row[0], row[-2], row[-1]) for row in made] == [
        (row[by], row["sanctioned"], row["available"]) for row in expected
    ]
    assert [row[4] - row[5] for row in made] == [row["spent"] for row in expected]
    assert [row[2] - row[3] - row[4] + row[5] for row in made] == [row[-1] for row in made]


def test_types_in_the_storys_order_and_months(reported: Reported):
    tables = {table.title: table for table in REPORT.tables}
    with reported.db() as db:
        made = counted(db, period="all")
    assert [row[0] for row in rows_of(tables["By transaction type"].make(made))] == list(KINDS)
    months = rows_of(tables["Month by month"].make(made))
    assert sum(row[1] for row in months) == made.rows
    assert f"{clock.to_ist(clock.now()):%Y}" in months[-1][0]


@pytest.mark.parametrize("asked", [{}, {"tenants": [TENANT]}, {"transaction_type": "Expense"}])
def test_the_database_counts_what_the_rows_come_to(reported: Reported, asked: dict[str, Any]):
    few = replace(REPORT, printed=1)
    question = request(REPORT, clock.now(), period="all", **asked)
    ways: list[Counted] = []

    def read(connection: Any) -> None:
        digest = writer._digested(connection, few, question)
        assert digest is not None
        assert writer._digested(connection, REPORT, question) is None, "each row is printed"
        ways.append(digest)
        for columns in (True, False):
            made = Counted(REPORT)
            for rows in writer.read(connection, REPORT, question, chunk=3, columns=columns):
                made.add(rows)
            ways.append(made)

    with reported.db() as db:
        db.read_snapshot(read)
    for table in REPORT.tables:
        one, *others = (rows_of(table.make(each)) for each in ways)
        assert all(other == one for other in others), table.title
    assert len({each.rows for each in ways}) == 1
