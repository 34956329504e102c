"""Bring the ledger's schema to this package's version."""

from __future__ import annotations

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

import ifms
from ifms.errors import LedgerError
from ifms.ledger.statuses import transition_rows

MIGRATIONS = Path(ifms.__file__).parent.parent / "migrations"
_ONE_AT_A_TIME = 4937001  # an advisory lock: two `ifms migrate` at once wait for each other


def migrate(dsn: str) -> None:
    """Create or upgrade schema `ifms` in the database of `dsn` (a libpq URI or keyword string).

    Each revision is one transaction, so an interrupted run is started again and goes on. Raises psycopg.Error when
    the database refuses, LedgerError when its schema is newer than this package.
    """
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    with psycopg.connect(dsn, autocommit=True) as guard, engine.connect() as connection:
        guard.execute("SELECT pg_advisory_lock(%s)", (_ONE_AT_A_TIME,))
        guard.execute("CREATE SCHEMA IF NOT EXISTS ifms")
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise LedgerError(f"the ledger's schema is not one that this package can upgrade: {error}") from None
        _write_transitions(guard)


def _write_transitions(connection: psycopg.Connection) -> None:
    """Make the table of allowed status changes equal to the code's."""
    rows = sorted(transition_rows())
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM ifms.status_transition")
        cursor.executemany("INSERT INTO ifms.status_transition VALUES (%s, %s, %s)", rows)
