"""Who makes reports reads nobody's name, mobile number, address or account, in whatever column and by whatever function.

On a ledger in which about everything has happened: every cell that the reading role can see is looked at, the
statistics that PostgreSQL keeps of columns too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql
from support.databases import LOGINS, as_reader
from support.keys import account_numbers

PRIVATE = ("name", "mobile", "address")
"""Columns of `beneficiary`: what only ifms_work reads, who sends it to the treasury."""
READABLE = """
    SELECT c.oid::regclass::text, array_agg(a.attname::text ORDER BY a.attnum)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace::regnamespace::text IN ('ifms', 'public') AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND has_column_privilege(c.oid, a.attnum, 'SELECT')
    GROUP BY c.oid ORDER BY 1
"""


def secrets(world) -> dict[str, set[str]]:
    """What nobody but the sending role may read, by what it is."""
    rows = world.adapter.rows(f"SELECT {', '.join(PRIVATE)} FROM ifms.beneficiary")
    found = {name: {row[name] for row in rows} - {""} for name in PRIVATE}
    assert all(len(values) > 1 for values in found.values())
    accounts = set(account_numbers(world.adapter.dsn).values())
    assert len(accounts) > 1
    return found | {"account": accounts}


def seen(reader: psycopg.Connection) -> Iterator[tuple[str, str]]:
    """Every cell that the reader can see, with where it is; the cells as text."""
    for table, columns in reader.execute(READABLE).fetchall():
        for column in columns:
            cell = sql.SQL("SELECT DISTINCT {}::text FROM {}").format(sql.Identifier(column), sql.SQL(table))
            for (value,) in reader.execute(cell).fetchall():
                yield f"{table}.{column}", value or ""
    for table, column, *values in reader.execute(
        "SELECT tablename, attname, most_common_vals::text, histogram_bounds::text FROM pg_stats WHERE schemaname = 'ifms'"
    ).fetchall():
        yield from ((f"statistics of {table}.{column}", value or "") for value in values)


def leaks(world, reader: psycopg.Connection) -> set[tuple[str, str]]:
    """Where a secret is seen, and of which kind it is."""
    # Not within longer numbers: the simulated bank's references are made of digits like the simulated accounts.
    wanted = {
        kind: re.compile(rf"(?<!\d)(?:{'|'.join(map(re.escape, values))})(?!\d)")
        for kind, values in secrets(world).items()
    }
    return {(where, kind) for where, cell in seen(reader) for kind, value in wanted.items() if value.search(cell)}


@contextmanager
def reading(world) -> Iterator[psycopg.Connection]:
    with psycopg.connect(as_reader(world.adapter.dsn), autocommit=True) as reader:
        yield reader


@contextmanager
def granted(world, statement: str) -> Iterator[None]:
    """With a right that the reading role must not have."""
    with psycopg.connect(world.adapter.dsn, autocommit=True) as owner:
        owner.execute(f"GRANT {statement} TO ifms_read")
        try:
            yield
        finally:
            owner.execute(f"REVOKE {statement} FROM ifms_read")


def test_the_reading_role_sees_nobodys_name_mobile_address_or_account(world):
    with psycopg.connect(world.adapter.dsn, autocommit=True) as owner:
        owner.execute("ANALYZE")
    with reading(world) as reader:
        places = {where for where, _ in seen(reader)}
        assert {"ifms.beneficiary_payment.account_last4", "ifms.call_log.outcome", "ifms.beneficiary.amount"} <= places
        assert len(places) > 150
        assert leaks(world, reader) == set()


@pytest.mark.parametrize("column", PRIVATE)
def test_one_column_more_would_be_found(world, column):
    with granted(world, f"SELECT ({column}) ON ifms.beneficiary"), reading(world) as reader:
        assert (f"ifms.beneficiary.{column}", column) in leaks(world, reader)


def test_texts_that_others_are_sent_name_nobody(world):
    """The log of calls is sealed; what the outbox holds for others names nobody, whoever may read it."""
    with granted(world, "SELECT ON ifms.outbox, ifms.treasury_call, ifms.status_log"), reading(world) as reader:
        assert leaks(world, reader) == set()


def test_no_function_of_the_reading_role_reads_for_it_what_it_must_not(world):
    """Those that run as their owner give counts, texts of bills, or dates; a new one is added here by who looked at it."""
    with reading(world) as reader:
        functions = reader.execute(
            "SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'ifms'::regnamespace AND p.prosecdef"
            " AND has_function_privilege(p.oid, 'EXECUTE') ORDER BY 1"
        ).fetchall()
        assert {name for (name,) in functions} == {"payments_by_group"}
        assert not reader.execute("SELECT FROM pg_auth_members m WHERE m.member = 'ifms_read'::regrole").fetchall(), (
            "it is a member of nothing that reads more"
        )


def test_the_sending_role_alone_reads_them(world):
    with psycopg.connect(world.adapter.dsn) as owner:
        readers = owner.execute(
            "SELECT DISTINCT grantee FROM information_schema.column_privileges WHERE table_schema = 'ifms'"
            " AND table_name = 'beneficiary' AND column_name = ANY(%s) AND privilege_type = 'SELECT'"
            " AND grantee <> current_user",
            ([*PRIVATE, "account_sealed"],),
        ).fetchall()
    assert readers == [("ifms_work",)]
    assert LOGINS.keys() == {"ifms_work", "ifms_read"}
