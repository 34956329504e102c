"""docs/schema.sql says what the migrations make."""

from support.schema import SCHEMA, schema_of


def test_the_schema_on_paper_is_the_schema(ledger_dsn):
    assert schema_of(ledger_dsn) == SCHEMA.read_text(encoding="utf-8"), "the migrations have changed: run `make schema`"
