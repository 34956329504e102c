"""The ledger's database of one seed: made from a template whose course depends on nothing but the seed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ifms.ledger.migrate import migrate
from ifms.ledger.proposals import Policy, say_policy
from ifms_standalone.postgres import Server

TEMPLATE = "simulation_template"
OPTIONS = "-c timezone=UTC -c simulated.ahead=0"
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

# The server's clock as the seed's: as far ahead of its own as the connection was told. Defaults, triggers and views
# call these two by what they are in the catalog, so nothing else has to be changed.
_CLOCK = """
    CREATE SCHEMA simulated;
    CREATE FUNCTION simulated.real_clock() RETURNS timestamptz LANGUAGE internal VOLATILE STRICT AS 'clock_timestamp';
    CREATE OR REPLACE FUNCTION pg_catalog.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS
        $$ SELECT transaction_timestamp() + current_setting('simulated.ahead')::interval $$;
    CREATE OR REPLACE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE AS
        $$ SELECT simulated.real_clock() + current_setting('simulated.ahead')::interval $$;
"""


def make_template(server: Server) -> None:
    """Make the template, unless the server has it.

    Its people act alone, whatever the environment says: what two of them do together has tests of its own.
    """
    if server.create_database(TEMPLATE):
        migrate(server.dsn(TEMPLATE))
        with psycopg.connect(server.dsn(TEMPLATE), autocommit=True) as connection:
            say_policy(connection, Policy(acts=()))
            connection.execute(_CLOCK)
            connection.execute(_DETERMINISTIC)


class Books:
    """A look at the ledger, beside whoever works on it."""

    def __init__(self, server: Server, name: str) -> None:
        self._server = server
        self._name = name
        self._copy = f"{name}_copy"
        self._ahead = 0
        self.dsn = server.dsn(name)
        self._open()

    def _open(self) -> None:
        self.connection = psycopg.connect(self.dsn, autocommit=True, row_factory=dict_row, options=OPTIONS)
        self._writer = psycopg.connect(self.dsn, autocommit=True, options=OPTIONS)
        self.keep_time(self.connection)

    def _close(self) -> None:
        self.connection.close()
        self._writer.close()

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """What a query finds."""
        return self.connection.execute(query, values).fetchall()

    @contextmanager
    def person(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection of somebody who writes: one transaction."""
        self.keep_time(self._writer)
        with self._writer.transaction():
            yield self._writer

    def time_is(self, instant: datetime) -> None:
        """Move the server's clock on to `instant`, never back."""
        self._ahead = max(self._ahead, round((instant - datetime.now(UTC)).total_seconds() * 1_000_000))
        self.keep_time(self.connection)

    def keep_time(self, connection: psycopg.Connection[Any]) -> None:
        """Let this connection know the time, in whatever state it is."""
        if not connection.closed:
            connection.pgconn.exec_(f"SET simulated.ahead = '{self._ahead} microseconds'".encode())

    def back_up(self) -> None:
        """Keep the ledger as it is now; nobody else is connected."""
        self._close()
        self._server.drop_database(self._copy)
        self._server.create_database(self._copy, self._name)
        self._open()

    def restore(self) -> None:
        """Set the ledger back to what was kept; nobody else is connected."""
        self._close()
        self._server.drop_database(self._name)
        self._server.create_database(self._name, self._copy)
        self._open()

    def drop(self) -> None:
        """The end of it."""
        self._close()
        self._server.drop_database(self._name)
        self._server.drop_database(self._copy)


@contextmanager
def books(server: Server) -> Iterator[Books]:
    """A ledger of one seed's own."""
    name = f"simulation_{os.getpid()}_{next(_numbers)}"
    server.create_database(name, TEMPLATE)
    opened = Books(server, name)
    try:
        yield opened
    finally:
        opened.drop()
