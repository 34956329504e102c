"""docs/data-dictionary.md says what the database says, and what belongs together is there and of one type."""

from __future__ import annotations

import psycopg
import pytest
from support.dictionary import DICTIONARY, RELATIONS, dictionary_of


def test_the_dictionary_on_paper_is_the_databases(module_ledger_dsn: str):
    written = DICTIONARY.read_text(encoding="utf-8")
    assert dictionary_of(module_ledger_dsn) == written, "the migrations have changed: run `make schema`"


def test_every_table_has_its_meaning(module_ledger_dsn: str):
    with psycopg.connect(module_ledger_dsn) as connection:
        silent = connection.execute(
            "SELECT relname FROM pg_class c WHERE relnamespace = 'ifms'::regnamespace AND relkind = 'r' "
            "AND relname <> 'alembic_version' AND coalesce(obj_description(oid, 'pg_class'), '') NOT LIKE '%.'"
        ).fetchall()
    assert silent == [], "say it in the migration, by COMMENT ON TABLE"


@pytest.mark.parametrize(("one", "column", "other", "key", "how"), RELATIONS)
def test_views_that_belong_together_do_so_by_columns_of_one_type(
    module_ledger_dsn: str, one: str, column: str, other: str, key: str, how: str
):
    with psycopg.connect(module_ledger_dsn) as connection:
        types = connection.execute(
            "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE (attrelid, attname) IN "
            "((%s::regclass, %s), (%s::regclass, %s))",
            (f"ifms.{one}", column, f"ifms.{other}", key),
        ).fetchall()
    assert len(types) == 2
    assert types[0] == types[1]
    assert len(how) == 6


def test_every_view_but_that_of_the_outbox_is_in_the_diagram(module_ledger_dsn: str):
    with psycopg.connect(module_ledger_dsn) as connection:
        views = connection.execute("SELECT viewname FROM pg_views WHERE schemaname = 'ifms'").fetchall()
    drawn = {name for one, _, other, _, _ in RELATIONS for name in (one, other)}
    assert {name for (name,) in views} - drawn == {"outbox_lag"}
