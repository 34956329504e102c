"""Payments by gender and social category: counted at the paid month, small numbers left out, nobody found by sums."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.databases import as_reader
from support.ledger import Ledger, beneficiary
from support.reported import Reported

MAY = datetime(2026, 5, 1, 0, 0, tzinfo=UTC) - timedelta(hours=5, minutes=30)
"""The first of May, IST."""


def counted(dsn: str, *period: Any, as_of: datetime | None = None) -> list[tuple[Any, ...]]:
    since, until = period or (None, None)
    with psycopg.connect(as_reader(dsn)) as connection:
        return connection.execute(
            "SELECT month, gender, social_category, payments FROM ifms.payments_by_group(%s, %s, coalesce(%s, now()), NULL)",
            (since, until, as_of),
        ).fetchall()


@pytest.fixture
def paid(ledger: Ledger):
    """`paid(groups)`: a paid PI of so many individuals of each group, debited in the middle of May."""

    def pay(
        groups: dict[tuple[str | None, str | None], int], kind: str = "IND", at: datetime = MAY + timedelta(days=14)
    ):
        ledger.fund(100_000)
        rows = [
            replace(beneficiary(Decimal(1)), beneficiary_type=kind, gender=gender, social_category=category)
            for (gender, category), number in groups.items()
            for _ in range(number)
        ]
        payment, mine = ledger.payment(len(rows))
        pi, _ = ledger.instruct(payment, mine, rows)
        with psycopg.connect(ledger.dsn) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute("UPDATE ifms.payment_instruction SET created_at = %s WHERE id = %s", (at, pi.id))
            connection.execute(
                "UPDATE ifms.beneficiary SET status = 'Payment Successful', created_at = %s, updated_at = %s"
                " WHERE payment_instruction_id = %s",
                (at, at, pi.id),
            )
            connection.execute(
                "INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status,"
                " from_status, to_status, created_at)"
                " VALUES (%s, %s, %s, 'PD', 'STATUS_LOG_PD_SUCCESS', 'IN PROCESS', 'SUCCESSFUL', %s)",
                (pi.id, pi.tenant_id, pi.payment_number, at),
            )
        return pi

    return pay


def test_groups_of_ten_are_counted(ledger: Ledger, paid: Any):
    paid({("FEMALE", "SC"): 12, ("MALE", "SC"): 10, (None, None): 11})
    assert counted(ledger.dsn) == [
        ("2026-05", "FEMALE", "SC", 12),
        ("2026-05", "MALE", "SC", 10),
        ("2026-05", "not known", "not known", 11),
    ]


def test_one_small_number_hides_the_next(ledger: Ledger, paid: Any):
    paid({("FEMALE", "SC"): 12, ("MALE", "SC"): 9, ("MALE", "ST"): 15})
    assert counted(ledger.dsn) == [
        ("2026-05", "FEMALE", "SC", None),
        ("2026-05", "MALE", "SC", None),
        ("2026-05", "MALE", "ST", 15),
    ]


def test_two_small_numbers_hide_each_other(ledger: Ledger, paid: Any):
    paid({("FEMALE", "SC"): 12, ("MALE", "SC"): 9, ("MALE", "ST"): 1})
    assert [row[-1] for row in counted(ledger.dsn)] == [12, None, None]


def test_a_period_is_of_whole_months(ledger: Ledger, paid: Any):
    paid({("FEMALE", "SC"): 12})
    whole = [("2026-05", "FEMALE", "SC", 12)]
    assert counted(ledger.dsn, MAY, MAY + timedelta(days=31)) == whole
    assert counted(ledger.dsn, MAY + timedelta(days=20), MAY + timedelta(days=21)) == whole, "no day by itself"
    assert counted(ledger.dsn, MAY + timedelta(days=31), None) == []
    assert counted(ledger.dsn, None, MAY) == []


def test_organisations_and_what_came_back_are_not_counted(ledger: Ledger, paid: Any):
    pi = paid({("FEMALE", "SC"): 21})
    paid({(None, None): 12}, kind="ORG", at=MAY + timedelta(days=3))
    with psycopg.connect(ledger.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE ifms.beneficiary SET status = 'Payment Failed', failed_on = %s, updated_at = %s WHERE id IN"
            " (SELECT id FROM ifms.beneficiary WHERE payment_instruction_id = %s LIMIT 10)",
            (date(2026, 5, 20), MAY + timedelta(days=20), pi.id),
        )
    assert counted(ledger.dsn) == [("2026-05", "FEMALE", "SC", 11)]
    assert counted(ledger.dsn, as_of=MAY + timedelta(days=18)) == [("2026-05", "FEMALE", "SC", 21)]


def test_who_makes_reports_does_not_read_them_row_by_row(ledger: Ledger):
    for column in ("gender", "social_category"):
        with psycopg.connect(as_reader(ledger.dsn)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"SELECT {column} FROM ifms.beneficiary")


def test_they_stay_as_they_were_written(ledger: Ledger, paid: Any):
    paid({("FEMALE", "SC"): 1})
    with psycopg.connect(ledger.dsn) as connection, pytest.raises(psycopg.Error, match="frozen"):
        connection.execute("UPDATE ifms.beneficiary SET gender = 'MALE'")


def test_the_registry_gives_them_and_a_revision_keeps_them(reported: Reported):
    rows = reported.adapter.rows(
        "SELECT beneficiary_number, count(*) AS tries, count(DISTINCT (gender, social_category)) AS groups"
        " FROM ifms.beneficiary WHERE gender IS NOT NULL AND social_category IS NOT NULL GROUP BY 1"
    )
    assert {row["groups"] for row in rows} == {1}
    assert max(row["tries"] for row in rows) > 1
    made = reported.rows("payments_by_group", as_of=reported.at("paid"))
    assert made
    assert {row["payments"] for row in made} == {None}, "three payees in all"


def test_each_format_can_leave_a_number_out(reported: Reported, tmp_path: Path):
    made = reported.make("payments_by_group", tmp_path, "csv", "xlsx", "pdf", as_of=reported.at("paid"))
    assert [file.suffix for file in made.files] == [".csv", ".xlsx", ".pdf"]
    [heading, row, *_] = made.files[0].read_text("utf-8-sig").splitlines()
    assert heading.endswith("Payments")
    assert row.endswith(",")
