"""Who may do what at the database server: a login each for Airflow, the ledger's owner, its tasks and its readers."""

from __future__ import annotations

import psycopg
from psycopg import sql

from ifms.ledger.migrate import READER, WORKER
from ifms_deployment.settings import Settings

AIRFLOW, OWNER, TASKS, REPORTS = "airflow", "ifms_owner", "ifms_airflow", "ifms_reports"
AIRFLOW_DATABASE, LEDGER = "airflow", "ifms"


def make_roles(connection: psycopg.Connection, settings: Settings) -> None:
    """Make the roles and databases, or give those that are there their passwords and rights again.

    `connection` is the superuser's, in autocommit. Nobody else gets in: the databases are closed to PUBLIC.
    """
    for name in (WORKER, READER):
        _role(connection, name)
    logins: tuple[tuple[str, str, str | None], ...] = (
        (AIRFLOW, settings.airflow_password, None),
        (OWNER, settings.owner_password, None),
        (TASKS, settings.tasks_password, WORKER),
        (REPORTS, settings.reports_password, READER),
    )
    for login, password, group in logins:
        _role(connection, login)
        # As a verifier: a password in a statement could end up in the server's log.
        verifier = connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
        _run(connection, "ALTER ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}", login, verifier)
        if group is not None:
            _run(connection, "GRANT {} TO {}", group, login)
    _database(connection, AIRFLOW_DATABASE, AIRFLOW)
    _database(connection, LEDGER, OWNER, WORKER, READER)


def _role(connection: psycopg.Connection, name: str) -> None:
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,)).fetchone() is None:
        _run(connection, "CREATE ROLE {} NOLOGIN", name)


def _database(connection: psycopg.Connection, name: str, owner: str, *guests: str) -> None:
    if connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
        _run(connection, "CREATE DATABASE {} OWNER {}", name, owner)
    _run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
    for guest in guests:
        _run(connection, "GRANT CONNECT ON DATABASE {} TO {}", name, guest)


def _run(connection: psycopg.Connection, statement: str, *names: str) -> None:
    """Run a statement about names; the last one of an ALTER ROLE is a literal."""
    parts: list[sql.Composable] = [sql.Identifier(name) for name in names]
    if statement.endswith("PASSWORD {}"):
        parts[-1] = sql.Literal(names[-1])
    connection.execute(sql.SQL(statement).format(*parts))
