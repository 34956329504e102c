"""The page about the views is what the database says, and the database says all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.ledger import Ledger

from ifms.cli import main
from ifms.ledger import instructions, migrate
from ifms.ledger.database import Database
from ifms.ledger.statuses import Event
from ifms.reports.reads.contract import page

DOCS = Path(__file__).parents[5] / "docs" / "views.md"
UNITS = {"numeric": "Rupees", "timestamp with time zone": "Instant, UTC", "date": "IST"}


def described(dsn: str) -> list[tuple[str, str, str, str | None]]:
    """View, column, type and comment of every column."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            """
            SELECT c.relname, a.attname, format_type(a.atttypid, NULL), col_description(c.oid, a.attnum)
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
            WHERE c.relnamespace = 'ifms'::regnamespace AND c.relkind = 'v' ORDER BY 1, a.attnum
            """
        ).fetchall()


def test_the_page_in_the_docs_is_what_the_database_says(module_ledger_dsn: str):
    with psycopg.connect(module_ledger_dsn) as connection:
        assert DOCS.read_text() == page(connection), "run `ifms views --dsn … > docs/views.md`"


def test_the_command_prints_it(module_ledger_dsn: str, capsys: pytest.CaptureFixture[str]):
    assert main(["views", "--dsn", module_ledger_dsn]) == 0
    assert capsys.readouterr().out == DOCS.read_text()


def test_a_database_without_the_views_is_no_traceback(empty_database: str, capsys: pytest.CaptureFixture[str]):
    assert main(["views", "--dsn", empty_database]) == 1
    assert "run `ifms migrate` first" in capsys.readouterr().err


def test_every_view_and_every_column_has_its_meaning(module_ledger_dsn: str):
    columns = described(module_ledger_dsn)
    assert len(columns) > 100
    assert [row[:2] for row in columns if not (row[3] or "").endswith(".")] == []
    with psycopg.connect(module_ledger_dsn) as connection:
        silent = connection.execute(
            "SELECT relname FROM pg_class c WHERE relnamespace = 'ifms'::regnamespace AND relkind = 'v' "
            "AND obj_description(oid, 'pg_class') IS NULL"
        ).fetchall()
    assert silent == []


def test_amounts_instants_and_dates_say_their_unit(module_ledger_dsn: str):
    columns = described(module_ledger_dsn)
    for kind, unit in UNITS.items():
        found = [(view, name, said) for view, name, type_, said in columns if type_ == kind]
        assert found, kind
        assert [row[:2] for row in found if unit.lower() not in (row[2] or "").lower()] == [], kind


# What reports were made with before the views were completed: each column has its place, name and type for good.
FIRST = {
    "fund_register": """tenant_id text, financial_year text, hoa_code text, ddo_code text, ssu_id text,
        master_allotment_id text, movement_id bigint, transaction_type text, transaction_number text,
        transaction_date date, transaction_amount numeric, sanctioned_balance numeric, fund_available numeric,
        recorded_at timestamp with time zone""",
    "payment_instruction_summary": """id uuid, tenant_id text, pi_number text, pi_type text, parent_pi_number text,
        payment_number text, status text, net_amount numeric, hoa_code text, master_allotment_id text,
        financial_year text, beneficiary_count integer, successful_count bigint, failed_count bigint,
        error_message text, attempts integer, last_attempt text, created_at timestamp with time zone,
        updated_at timestamp with time zone""",
    "open_payment_instruction": """id uuid, tenant_id text, pi_number text, pi_type text, payment_number text,
        status text, net_amount numeric, next_service text, age interval, last_attempt text, error_message text,
        polled_at timestamp with time zone, created_at timestamp with time zone""",
    "failed_beneficiary": """id uuid, tenant_id text, original_pi_number text, pi_number text, payment_number text,
        beneficiary_number text, beneficiary_id text, amount numeric, account_last4 text, ifsc text, reason text,
        challan_number text, challan_date date, failed_on date, correct_by date""",
}


@pytest.mark.parametrize("view", FIRST)
def test_what_a_view_held_first_stays_where_it_was(module_ledger_dsn: str, view: str):
    held = [f"{name} {kind}" for of, name, kind, _ in described(module_ledger_dsn) if of == view]
    first = [" ".join(each.split()) for each in FIRST[view].split(",")]
    assert held[: len(first)] == first
    assert len(held) > len(first)


BEFORE = "0004"  # the last revision before the views were completed
# What the code of today asks for, and later revisions bring.
LATER = {
    "payment_instruction": {
        "uncertain": "boolean", "refusal": "jsonb", "refused_first": "boolean", "absent_since": "timestamptz",
        "held_back": "boolean", "settled_by": "text", "same_refusals": "integer", "unknown_answer_id": "uuid",
        "unmatched_failures": "boolean", "adopted_by": "text", "cancelled_by": "text",
    },
    "sanction": {"closed_at": "timestamptz"},
}  # fmt: skip


def columns_of(change: str, *, kinds: bool = False) -> list[str]:
    """Statements that add or drop them."""
    return [
        f"ALTER TABLE ifms.{table} {change} COLUMN {name} {kind if kinds else ''}"
        for table, columns in LATER.items()
        for name, kind in columns.items()
    ]


def test_completing_the_views_changes_nothing_that_they_held(empty_database: str, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as earlier:
        upgrade = migrate.command.upgrade
        earlier.setattr(migrate.command, "upgrade", lambda config, _: upgrade(config, BEFORE))
        earlier.setattr(migrate, "_grant", lambda _: [])  # which are of today
        migrate.migrate(empty_database)
    with Database(lambda: psycopg.connect(empty_database)) as db:
        ledger = Ledger(empty_database, db)
        with ledger.connect() as connection:
            connection.execute(
                "CREATE FUNCTION ifms.withheld(ifms.sanction) RETURNS numeric LANGUAGE sql AS 'SELECT 0::numeric'; "
                "CREATE TABLE ifms.setting AS SELECT false AS use_earlier_years;"
                + ";".join(columns_of("ADD", kinds=True))
            )
        ledger.fund(1000)
        for events in ((), (Event.ACCEPTED,), (Event.DECLINED,), (Event.ACCEPTED, Event.APPROVED, Event.ADVISED)):
            pi, mine = ledger.instruct(*ledger.payment(100))
            for place, event in enumerate(events):
                if place:
                    pi, mine = ledger.claimed(pi)
                db.transact(lambda c, p=pi, m=mine, e=event: instructions.advance(c, p, m, e))
        with ledger.connect() as connection:
            connection.execute("UPDATE ifms.beneficiary SET status = 'Payment Initiated'")
            connection.execute(
                "UPDATE ifms.beneficiary SET status = 'Payment Failed', failed_on = '2026-11-01', status_message = 'closed' "
                "WHERE beneficiary_number = (SELECT max(beneficiary_number) FROM ifms.beneficiary)"
            )
            connection.execute("DROP FUNCTION ifms.withheld; DROP TABLE ifms.setting;" + ";".join(columns_of("DROP")))
        before = held(ledger)
        assert [len(rows) for rows in before.values()] == [3, 4, 3, 1]
        migrate.migrate(empty_database)
        assert held(ledger) == before


def held(ledger: Ledger) -> dict[str, list[tuple[Any, ...]]]:
    """What the first columns hold; an age is another one each time."""
    with ledger.connect() as connection:
        return {
            view: connection.execute(f"SELECT {names(view)} FROM ifms.{view} ORDER BY {names(view)}").fetchall()
            for view in FIRST
        }


def names(view: str) -> str:
    return ", ".join(name for name, *_ in (each.split() for each in FIRST[view].split(",")) if name != "age")
