"""What each transaction says of itself, whoever begins it, and what the environment can't say of it."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import errors
from support.databases import as_worker
from support.hostile import ENVIRONMENT, HOSTILE, hostile

from ifms.errors import LedgerError
from ifms.ledger import session
from ifms.ledger.database import Database


@pytest.fixture
def mistreated(ledger_dsn: str) -> str:
    """The DSN of a ledger for whose database all is set as it should not be."""
    hostile(ledger_dsn)
    return ledger_dsn


def shown(connection: psycopg.Connection, name: str) -> str:
    row = connection.execute(f"SHOW {name}".encode()).fetchone()
    assert row is not None
    return str(row[0])


WANTED = {name: wanted for name, (_, wanted) in HOSTILE.items() if wanted is not None}
MODES = {"transaction_isolation": "read committed", "transaction_read_only": "off"}


def test_a_transaction_of_the_ledger_has_its_own_settings(mistreated: str):
    with Database(lambda: session.connect(as_worker(mistreated))) as db:
        found = db.transact(lambda c: {name: shown(c, name) for name in WANTED | MODES})
        looked = db.read_snapshot(lambda c: {name: shown(c, name) for name in WANTED | MODES})
    assert found == WANTED | MODES
    assert looked == WANTED | MODES | {"transaction_isolation": "repeatable read", "transaction_read_only": "on"}


def test_so_has_each_that_psycopg_begins(mistreated: str):
    with session.connect(as_worker(mistreated)) as connection:
        assert {name: shown(connection, name) for name in WANTED | MODES} == WANTED | MODES
        connection.rollback()
        connection.autocommit = True
        with connection.transaction():
            assert {name: shown(connection, name) for name in WANTED | MODES} == WANTED | MODES
            with connection.transaction():
                assert shown(connection, "timezone") == "UTC"
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany("SELECT %s::text[]", [([None],), (["a"],)], returning=True)
            assert [result.fetchone() for result in cursor.results()] == [([None],), (["a"],)]
        assert shown(connection, "timezone") == "Asia/Kolkata", "nothing of it is left behind"


def test_values_are_read_and_written_as_ever(mistreated: str):
    instant = datetime(2026, 2, 3, 4, 5, 6, 789012, UTC)
    values = (instant, instant.date(), timedelta(days=-1, seconds=3), 0.1 + 0.2, b"\\\0\xff", "ଓଡ଼ିଶା \\n ₹", [None, "a"])
    asked = "SELECT %s::timestamptz, %s::date, %s::interval, %s::float8, %s::bytea, %s::text, %s::text[]"
    with Database(lambda: session.connect(as_worker(mistreated))) as db:
        assert db.transact(lambda c: c.execute(asked, values).fetchone()) == values


def test_a_statement_takes_its_time_and_a_pause_too(mistreated: str):
    def work(connection: psycopg.Connection) -> None:
        connection.execute("SELECT pg_sleep(0.3)")
        time.sleep(0.1)
        connection.execute("SELECT 1")

    with Database(lambda: session.connect(as_worker(mistreated))) as db:
        db.transact(work)


def test_timeouts_are_those_that_were_given(mistreated: str):
    times = session.Timeouts(timedelta(seconds=7), timedelta(seconds=3), timedelta(minutes=2))
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    with Database(lambda: session.connect(as_worker(mistreated), times)) as db:
        assert db.transact(lambda c: [shown(c, name) for name in names]) == ["7s", "3s", "2min"]


def test_a_session_that_is_ended_while_nobody_asks_is_no_failure(ledger_dsn: str):
    name = urlsplit(ledger_dsn).path.removeprefix("/")
    with psycopg.connect(ledger_dsn, autocommit=True) as owner:
        owner.execute(f"ALTER DATABASE {name} SET idle_session_timeout = '100ms'".encode())
    with Database(lambda: session.connect(as_worker(ledger_dsn))) as db:
        for way in (db.transact, db.read_snapshot, db.transact):
            time.sleep(0.3)
            assert way(lambda c: c.execute("SELECT 1").fetchone()) == (1,)


def test_rules_that_are_switched_off_are_named_and_nothing_is_done(ledger_dsn: str):
    name = urlsplit(ledger_dsn).path.removeprefix("/")
    with psycopg.connect(ledger_dsn, autocommit=True) as owner:
        owner.execute(f"ALTER ROLE sample_worker IN DATABASE {name} SET session_replication_role = replica".encode())
    with (
        Database(lambda: session.connect(as_worker(ledger_dsn))) as db,
        pytest.raises(LedgerError, match="session_replication_role is 'replica'"),
    ):
        db.transact(lambda c: pytest.fail("it was done"))


@pytest.mark.parametrize("name", [*ENVIRONMENT, "all"])
def test_the_environment_of_the_client_changes_nothing(ledger_dsn: str, monkeypatch: pytest.MonkeyPatch, name: str):
    told = ENVIRONMENT if name == "all" else {name: ENVIRONMENT[name]}
    for variable, value in told.items():
        monkeypatch.setenv(variable, value)
    with Database(lambda: session.connect(as_worker(ledger_dsn))) as db:
        assert db.transact(lambda c: [shown(c, each) for each in ("datestyle", "timezone", "client_encoding")]) == [
            "ISO, MDY",
            "UTC",
            "UTF8",
        ]
    assert {each: os.environ[each] for each in told} == told, "for whatever else runs in this process"


def test_where_nothing_is_said_libpqs_variables_say_where_it_is(
    ledger_dsn: str, monkeypatch: pytest.MonkeyPatch, tmp_path
):
    parts = urlsplit(ledger_dsn)
    file = tmp_path / "services"
    file.write_text(
        f"[sample]\nhost={parts.hostname}\nport={parts.port}\nuser={parts.username}\npassword={parts.password}\n"
        f"dbname={parts.path.removeprefix('/')}\noptions=-c datestyle=German\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    monkeypatch.setenv("PGSERVICE", "sample")
    for dsn in ("", "service=sample"):
        with Database(lambda dsn=dsn: session.connect(dsn)) as db:
            assert db.transact(lambda c: c.info.dbname) == parts.path.removeprefix("/")
            assert db.transact(lambda c: shown(c, "datestyle")) == "ISO, MDY"


def test_no_statement_is_prepared_at_the_server(ledger_dsn: str):
    with Database(lambda: session.connect(as_worker(ledger_dsn))) as db:
        for _ in range(20):
            db.transact(lambda c: c.execute("SELECT %s::int", (1,)).fetchone())
        assert db.transact(lambda c: c.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()) == (0,)


# One at a time -------------------------------------------------------------------------------------------------------


def test_the_second_waits_with_a_word(empty_database: str):
    said: list[str] = []
    order: list[str] = []
    begun = threading.Event()

    def second() -> None:
        with session.alone(empty_database, 7, "`sample`", lambda sentence: (said.append(sentence), begun.set())):
            order.append("second")

    other = threading.Thread(target=second)
    with session.alone(empty_database, 7, "`sample`", said.append):
        other.start()
        assert begun.wait(30)
        order.append("first")
    other.join(30)
    assert order == ["first", "second"]
    assert len(said) == 1
    assert "another `sample` is at work" in said[0]


def test_it_does_not_wait_for_ever(empty_database: str):
    short = timedelta(milliseconds=100)
    with (
        session.alone(empty_database, 7, "`sample`", pytest.fail),
        pytest.raises(LedgerError, match="has not ended within .*objid 7"),
        session.alone(empty_database, 7, "`sample`", lambda _: None, short),
    ):
        pytest.fail("both are at work")


def test_a_failure_gives_the_lock_back(empty_database: str):
    with pytest.raises(errors.DivisionByZero), session.alone(empty_database, 7, "`sample`", pytest.fail):
        raise errors.DivisionByZero
    with session.alone(empty_database, 7, "`sample`", pytest.fail):
        pass
