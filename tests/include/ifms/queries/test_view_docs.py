"""The page about the views is what the database says, and the database says all of it."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from ifms.cli import main
from ifms.queries.view_docs import page

DOCS = Path(__file__).parents[4] / "docs" / "views.md"
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
