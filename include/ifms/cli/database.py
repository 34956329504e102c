"""The ledger that a command was told to work on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import InvalidSchemaName, UndefinedColumn, UndefinedFunction, UndefinedTable

from ifms.errors import ConfigurationError

if TYPE_CHECKING:
    from ifms.ledger.database import Database


@contextmanager
def connected(dsn: str) -> Iterator[Database]:
    """The ledger of `dsn`. Raises ConfigurationError for what is no address, or when there is none of this version."""
    from ifms.ledger import session
    from ifms.ledger.database import Database

    check_address(dsn)
    with current_schema(), Database(partial(session.connect, dsn)) as db:
        yield db


@contextmanager
def current_schema() -> Iterator[None]:
    """Raises ConfigurationError where the ledger turns out to be none of this version."""
    try:
        yield
    except (UndefinedTable, UndefinedColumn, UndefinedFunction, InvalidSchemaName):
        raise ConfigurationError("the database has no ledger of this version: run `ifms migrate` first") from None


def check_address(dsn: str) -> None:
    """Raises ConfigurationError, which does not repeat the address: libpq's own error would, password and all."""
    try:
        host = conninfo_to_dict(dsn).get("host")
    except psycopg.ProgrammingError:
        host = "@"
    if "@" in str(host):
        raise ConfigurationError(
            "--dsn is no address: write postgresql://user:password@host:port/name, its password percent-encoded"
        )
