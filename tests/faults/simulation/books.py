"""The ledger's database of one seed: made from a template whose course depends on nothing but the seed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from ifms.ledger.migrate import migrate
from standalone.postgres import Server

TEMPLATE = "simulation_template"
_numbers = count(1)

# Rows get their ids in the order in which they are made, instead of random ones: queues that break ties by id take the
# same course in each run. And no vacuum or statistics in the background chooses another plan in one of them.
_DETERMINISTIC = """
    CREATE SEQUENCE ifms.simulated_ids;
    CREATE FUNCTION ifms.simulated_id() RETURNS uuid LANGUAGE sql VOLATILE AS
        $$ SELECT lpad(to_hex(nextval('ifms.simulated_ids')), 32, '0')::uuid $$;
    DO $$
    DECLARE
        found record;
    BEGIN
        FOR found IN SELECT table_name FROM information_schema.columns
                     WHERE table_schema = 'ifms' AND column_name = 'id' AND column_default = 'gen_random_uuid()' LOOP
            EXECUTE format('ALTER TABLE ifms.%I ALTER COLUMN id SET DEFAULT ifms.simulated_id()', found.table_name);
        END LOOP;
        FOR found IN SELECT tablename FROM pg_tables WHERE schemaname = 'ifms' LOOP
            EXECUTE format('ALTER TABLE ifms.%I SET (autovacuum_enabled = false)', found.tablename);
        END LOOP;
    END $$;
"""
_AGE = sql.SQL(
    """
    UPDATE ifms.payment SET claimed_until = claimed_until - {by} WHERE claimed_until IS NOT NULL;
    UPDATE ifms.payment_instruction SET claimed_until = claimed_until - {by} WHERE claimed_until IS NOT NULL;
    UPDATE ifms.bill SET claimed_until = claimed_until - {by} WHERE claimed_until IS NOT NULL;
    UPDATE ifms.va_watermark SET claimed_until = claimed_until - {by} WHERE claimed_until IS NOT NULL;
    UPDATE ifms.outbox SET claimed_until = claimed_until - {by}, next_attempt_at = next_attempt_at - {by}
    WHERE delivered_at IS NULL;
    """
)


# Once a minute the server would count rows, and take another plan: then what is claimed together has another order.
_NO_STATISTICS = """
    DO $$
    DECLARE name text;
    BEGIN
        FOR name IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'ifms' LOOP
            EXECUTE 'ALTER TABLE ' || name || ' SET (autovacuum_enabled = false)';
        END LOOP;
    END $$
"""


def make_template(server: Server) -> None:
    """Make the template, unless the server has it."""
    if server.create_database(TEMPLATE):
        migrate(server.dsn(TEMPLATE))
        with psycopg.connect(server.dsn(TEMPLATE), autocommit=True) as connection:
            connection.execute(_DETERMINISTIC)
            connection.execute(_NO_STATISTICS)


class Books:
    """A look at the ledger, beside whoever works on it."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.connection = psycopg.connect(dsn, autocommit=True, row_factory=dict_row)

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """What a query finds."""
        return self.connection.execute(query, values).fetchall()

    def age(self, by: timedelta) -> None:
        """Time passes: claims run out, and what waits for its next attempt has waited."""
        self.connection.execute(_AGE.format(by=sql.Literal(by)))


@contextmanager
def books(server: Server) -> Iterator[Books]:
    """A ledger of one seed's own."""
    name = f"simulation_{os.getpid()}_{next(_numbers)}"
    server.create_database(name, TEMPLATE)
    try:
        opened = Books(server.dsn(name))
        try:
            yield opened
        finally:
            opened.connection.close()
    finally:
        server.drop_database(name)
