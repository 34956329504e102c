"""The ledger's connection: bounded in time, in UTC, and gone when it is closed."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import urlsplit

import psycopg
import pytest

pytestmark = pytest.mark.airflow


@pytest.fixture
def _connection(ledger_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dsn = urlsplit(ledger_dsn)
    described = {
        "conn_type": "postgres",
        "host": dsn.hostname,
        "port": dsn.port,
        "login": dsn.username,
        "password": dsn.password,
        "schema": dsn.path.lstrip("/"),
    }
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_DB", json.dumps(described))
    monkeypatch.setenv("AIRFLOW_CONN_ANOTHER", json.dumps(described))


def shown(ledger, setting: str) -> str:
    return ledger.transact(lambda c: c.execute(f"SHOW {setting}").fetchone()[0])


@pytest.mark.usefixtures("_connection")
def test_sessions_are_bounded_and_in_utc():
    from ifms_airflow.hooks import LedgerHook

    with LedgerHook().ledger() as ledger:
        assert shown(ledger, "statement_timeout") == "5min"
        assert shown(ledger, "lock_timeout") == "30s"
        assert shown(ledger, "idle_in_transaction_session_timeout") == "1min"
        assert shown(ledger, "timezone") == "UTC"


@pytest.mark.usefixtures("_connection")
def test_the_timeout_of_a_statement_and_the_connection_can_be_chosen():
    from ifms_airflow.hooks import LedgerHook

    with LedgerHook("another", statement_timeout=timedelta(seconds=7)).ledger() as ledger:
        assert shown(ledger, "statement_timeout") == "7s"


@pytest.mark.usefixtures("_connection")
def test_the_data_team_reads_the_tables():
    from ifms_airflow.hooks import LedgerHook

    assert LedgerHook().get_records("SELECT count(*) FROM ifms.payment_instruction") == [(0,)]


@pytest.mark.usefixtures("_connection")
def test_a_closed_ledger_leaves_no_session(ledger_dsn: str):
    from ifms_airflow.hooks import LedgerHook

    with LedgerHook().ledger() as ledger:
        pid = ledger.transact(lambda c: c.execute("SELECT pg_backend_pid()").fetchone()[0])
    with psycopg.connect(ledger_dsn) as other:
        gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND state <> 'disabled'"
        for _ in range(100):
            if other.execute(gone, (pid,)).fetchone() == (0,):
                break
            other.execute("SELECT pg_sleep(0.05)")
            other.commit()
        else:
            pytest.fail("the session is still there")


@pytest.mark.usefixtures("_connection")
def test_nothing_is_asked_of_the_database_before_it_is_used(monkeypatch: pytest.MonkeyPatch):
    from ifms_airflow.hooks import LedgerHook

    monkeypatch.setattr(LedgerHook, "get_conn", lambda self: pytest.fail("connected too early"))
    with LedgerHook().ledger():
        pass


def test_names_that_airflow_goes_by():
    from ifms_airflow.hooks import LedgerHook

    assert (LedgerHook.conn_name_attr, LedgerHook.default_conn_name) == ("ledger_conn_id", "ifms_db")
    assert LedgerHook.conn_type == "postgres"
