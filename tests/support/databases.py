"""Fixtures on a real PostgreSQL: one throwaway server per test process, started when the first test asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest
from support.environment import Environment

from ifms_standalone.postgres import Server, throwaway

if TYPE_CHECKING:
    from support.past import Past

_numbers = count(1)
_dropped_next: list[str] = []

PASSWORD = "sample-password"
LOGINS = {"ifms_work": "sample_worker", "ifms_read": "sample_reader"}


@pytest.fixture(scope="session")
def postgres(process_environment: Environment) -> Iterator[Server]:
    """The process's PostgreSQL server, without fsync."""
    process_environment.release_port()
    with throwaway(process_environment.port, process_environment.password) as server:
        yield server


@pytest.fixture
def empty_database(postgres: Server) -> Iterator[str]:
    """The DSN of a database of the test's own, with nothing in it."""
    with database(postgres, None) as dsn:
        yield dsn


@pytest.fixture
def ledger_dsn(postgres: Server, ledger_template: str, past: Past | None) -> Iterator[str]:
    """The DSN of a migrated ledger of the test's own: a copy of an empty one, or of what the test begins after."""
    with database(postgres, past.ledger if past else ledger_template) as dsn:
        if past:
            settle(dsn)
        yield dsn


@pytest.fixture(scope="module")
def module_ledger_dsn(postgres: Server, ledger_template: str) -> Iterator[str]:
    """The DSN of a migrated ledger that the tests of a module share: each leaves it as it found it."""
    with database(postgres, ledger_template) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def ledger_template(postgres: Server) -> str:
    make_template(postgres, "ledger_template")
    return "ledger_template"


def make_template(server: Server, name: str) -> None:
    """Make a migrated ledger, to be copied, whose people act alone, whatever the environment says; and its logins."""
    from ifms.ledger.migrate import migrate
    from ifms.ledger.proposals import Policy, say_policy

    server.create_database(name)
    assert migrate(server.dsn(name)) == []
    with psycopg.connect(server.dsn(name)) as owner:
        say_policy(owner, Policy(acts=()))
    create_logins(server)


def create_logins(server: Server) -> None:
    """Who works on a migrated ledger of the server, and who reads reports from it."""
    for group, login in LOGINS.items():
        server.create_login(login, PASSWORD, group)


def as_worker(dsn: str) -> str:
    """The ledger of `dsn`, as Airflow's tasks log in: without the owner's rights."""
    return _as(LOGINS["ifms_work"], dsn)


def as_reader(dsn: str) -> str:
    """The ledger of `dsn`, for who makes reports."""
    return _as(LOGINS["ifms_read"], dsn)


def _as(login: str, dsn: str) -> str:
    parts = urlsplit(dsn)
    return parts._replace(netloc=f"{login}:{PASSWORD}@{parts.hostname}:{parts.port}").geturl()


def settle(dsn: str) -> None:
    """Let a copy of a ledger that sweeps have worked on be at home where it is."""
    from ifms.ledger import restores

    with psycopg.connect(dsn) as owner:
        restores.nothing_lost(owner, "a sample copy", "sample")


@pytest.fixture(scope="session")
def airflow_db(postgres: Server) -> Iterator[str]:
    """Airflow's own metadata database, migrated; its DSN, for tests that count rows in it.

    One for all tests of the process: look at the rows of your own DAG runs.
    """
    postgres.create_database("airflow")
    from airflow import settings
    from airflow.utils.db import initdb

    initdb()
    yield postgres.dsn("airflow")
    settings.dispose_orm()  # before the server goes


@contextmanager
def database(server: Server, template: str | None) -> Iterator[str]:
    """The DSN of a database that is new, or a copy of another."""
    name = f"test_{next(_numbers)}"
    server.create_database(name, template)
    try:
        yield server.dsn(name)
    finally:
        # Dropped after the next one: then nobody is about to go, for whom PostgreSQL would wait a tenth of a second.
        _dropped_next.append(name)
        while len(_dropped_next) > 1:
            server.drop_database(_dropped_next.pop(0))


def rewrite(dsn: str, statement: str, values: Sequence[object] = ()) -> None:
    """Change the ledger's past, which its rules refuse even to its owner: what would take weeks to come about."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(statement.encode(), values or None)
