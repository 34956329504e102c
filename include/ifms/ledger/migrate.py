"""Bring the ledger's schema to this package's version."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from psycopg import errors as pg
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from ifms.errors import LedgerError
from ifms.ledger import session
from ifms.ledger.proposals import Policy, say_policy
from ifms.ledger.statuses import transition_rows

MIGRATIONS = Path(__file__).with_name("migrations")
# Group roles, which nobody logs in as: what they may do says grants.sql.
WORKER = "ifms_work"
READER = "ifms_read"
_ONE_AT_A_TIME = 4937001  # an advisory lock: two `ifms migrate` at once wait for each other


def migrate(dsn: str, say: Callable[[str], None] = lambda _: None) -> list[str]:
    """Create or upgrade schema `ifms` in the database of `dsn` (a libpq URI or keyword string), and grant its use.

    Each revision is one transaction, so an interrupted run is started again and goes on. Another that is at work is
    waited for, and `say` hears of it. Returns what is left to do for somebody with more rights, as sentences. Raises
    psycopg.Error when the database refuses, LedgerError when its schema is newer than this package, or the other does
    not end, ConfigurationError for a setting of the second person's that can't be read.
    """
    policy = Policy.of(os.environ)
    with session.alone(dsn, _ONE_AT_A_TIME, "`ifms migrate`", say), session.connect(dsn, autocommit=True) as connection:
        with connection.transaction():
            connection.execute("CREATE SCHEMA IF NOT EXISTS ifms")
        _upgrade(dsn)
        _write_transitions(connection)
        _write_second_person(connection, policy)
        return _grant(connection)


def _upgrade(dsn: str) -> None:
    engine = create_engine("postgresql+psycopg://", creator=partial(session.connect, dsn), poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise LedgerError(f"the ledger's schema is not one that this package can upgrade: {error}") from None
    except DBAPIError as error:  # around the driver's own, whose text is a sentence
        raise error.orig or error from None


def _write_transitions(connection: psycopg.Connection) -> None:
    """Make the table of allowed status changes equal to the code's."""
    rows = sorted(transition_rows())
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM ifms.status_transition")
        cursor.executemany("INSERT INTO ifms.status_transition VALUES (%s, %s, %s)", rows)


def _write_second_person(connection: psycopg.Connection, policy: Policy) -> None:
    """Say which acts need a second person: as the owner, since nobody else may."""
    with connection.transaction():
        say_policy(connection, policy)


def _grant(connection: psycopg.Connection) -> list[str]:
    """Let the roles do what grants.sql says; what a person with more rights must do first when they are missing."""
    missing = [role for role in (WORKER, READER) if not _role_exists(connection, role)]
    if missing:
        create = "; ".join(f"CREATE ROLE {role} NOLOGIN" for role in missing)
        return [
            f"this user may not create the role(s) {', '.join(missing)}, so nothing is granted yet: let an "
            f"administrator run `{create};` and run `ifms migrate` again"
        ]
    with connection.transaction():
        connection.execute((MIGRATIONS / "grants.sql").read_bytes())
    return []


def _role_exists(connection: psycopg.Connection, role: str) -> bool:
    """Whether a role is there, or could be made: it is the cluster's, and other databases' ledgers may share it."""
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is not None:
        return True
    try:
        with connection.transaction():
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
    except (pg.DuplicateObject, pg.UniqueViolation):  # made meanwhile, for another database
        return True
    except pg.InsufficientPrivilege:
        return False
    return True
