"""Behind a PgBouncer, where a transaction may meet any session of the server, and what others have left in it."""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support import walk
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.databases import as_worker
from support.hostile import HOSTILE
from support.pooler import Pooler, pooler
from support.processes import until

from ifms.cli import main
from ifms.ledger import session
from ifms.ledger.database import Connection, Database
from ifms.ledger.migrate import migrate

pytestmark = pytest.mark.tier("prove")

SIZE = 3
"""The server's sessions in transaction mode: fewer than our connections."""


@pytest.fixture
def pool(ledger_dsn: str) -> Iterator[Pooler]:
    """One in transaction mode."""
    with pooler(ledger_dsn, "transaction", SIZE) as made:
        yield made


@pytest.mark.airflow
@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
@pytest.mark.parametrize(("mode", "size"), [("transaction", SIZE), ("session", 20)])
def test_everything_works_through_it(
    adapter: Adapter,
    treasury: Treasury,
    api: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    size: int,
):
    with pooler(adapter.dsn, mode, size) as made:
        through = Adapter(made.dsn(adapter.dsn), adapter.simulators, {"calls_per_second": 50})
        described = json.loads(os.environ["AIRFLOW_CONN_IFMS_DB"]) | {"port": made.port}
        monkeypatch.setenv("AIRFLOW_CONN_IFMS_DB", json.dumps(described))
        walk.sweeps(through)
        walk.hooks()
        walk.pages(api, through)
        walk.commands(through.dsn, tmp_path, adapter.simulators.treasury_config().log_key)
        assert_money_is_right(adapter, treasury)
        if mode == "transaction":
            assert left_behind(made, adapter.dsn) == {(0, "ISO, MDY", '"$user", public', "on")}


def each_session(pool: Pooler, dsn: str, statement: str) -> list[Any]:
    """Run a statement in each of the server's sessions that the pool has for the worker: all of them are held."""
    with ExitStack() as stack:
        held = [stack.enter_context(psycopg.connect(pool.dsn(as_worker(dsn)))) for _ in range(SIZE)]
        pids = {connection.execute("SELECT pg_backend_pid()").fetchone() for connection in held}
        assert len(pids) == SIZE
        found = []
        for connection in held:
            cursor = connection.execute(statement.encode(), prepare=False)
            while cursor.nextset():
                pass
            found.append(cursor.fetchone() if cursor.description else None)
        return found


def left_behind(pool: Pooler, dsn: str) -> set[Any]:
    asked = """
        SELECT (SELECT count(*) FROM pg_prepared_statements)
            + (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),
            current_setting('datestyle'), current_setting('search_path'), current_setting('synchronous_commit')
    """
    return set(each_session(pool, dsn, f"SET LOCAL synchronous_commit = on; {asked}"))


# A worker may not set the first, and the second would end the neighbour's own session.
NOT_ITS_OWN = {"lc_messages", "idle_in_transaction_session_timeout"}
NEIGHBOUR = "; ".join(
    [
        *(f"SET {name} = {value}" for name, (value, _) in HOSTILE.items() if name not in NOT_ITS_OWN),
        "PREPARE _pg3_0 AS SELECT 'of another'",
    ]
)


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_what_another_client_has_left_in_a_session_changes_nothing(adapter: Adapter, treasury: Treasury, pool: Pooler):
    each_session(pool, adapter.dsn, NEIGHBOUR)  # committed with its connections
    wanted = {name: wanted for name, (_, wanted) in HOSTILE.items() if wanted is not None}
    asked = "SELECT " + ", ".join(f"current_setting('{name}')" for name in wanted)
    with psycopg.connect(pool.dsn(as_worker(adapter.dsn))) as another:
        assert another.execute("SHOW intervalstyle").fetchone() == ("sql_standard",), "the neighbour has left it so"
    with Database(lambda: session.connect(pool.dsn(as_worker(adapter.dsn)))) as db:
        assert db.transact(lambda c: c.execute(asked.encode()).fetchone()) == tuple(wanted.values())
    walk.sweeps(Adapter(pool.dsn(adapter.dsn), adapter.simulators))
    assert_money_is_right(adapter, treasury)


def test_each_client_gets_its_own_answers(ledger_dsn: str, pool: Pooler):
    """Many transactions of four clients on three sessions, which ask for statements to be prepared."""
    wrong: list[object] = []

    def client(number: int) -> None:
        luck = random.Random(number)

        def work(connection: Connection) -> list[object]:
            asked = [f"SELECT 'client {number} asks {each % 7}', %s::int" for each in range(luck.randrange(1, 9))]
            return [connection.execute(each.encode(), (number,), prepare=True).fetchone() for each in asked]

        with Database(lambda: session.connect(pool.dsn(as_worker(ledger_dsn)))) as db:
            for _ in range(60):
                try:
                    wrong.extend(row for row in db.transact(work) if f"client {number} " not in str(row))
                except psycopg.Error as error:
                    wrong.append(error)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert wrong == []


def test_migrating_leaves_no_lock_and_a_second_one_waits_with_a_word(empty_database: str):
    with pooler(empty_database, "transaction", SIZE) as made:
        dsn = made.dsn(empty_database)
        for _ in range(3):
            assert migrate(dsn, pytest.fail) == []
        with psycopg.connect(empty_database) as direct:
            assert direct.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)


def test_the_second_command_says_that_it_waits(ledger_dsn: str, pool: Pooler, capsys: pytest.CaptureFixture[str]):
    from ifms.ledger.migrate import _ONE_AT_A_TIME

    ended: list[int] = []
    second = threading.Thread(target=lambda: ended.append(main(["migrate", "--dsn", pool.dsn(ledger_dsn)])))
    heard = ""
    with session.alone(pool.dsn(ledger_dsn), _ONE_AT_A_TIME, "`ifms migrate`", pytest.fail):
        second.start()

        def said() -> bool:
            nonlocal heard
            heard += capsys.readouterr().err
            return "another `ifms migrate` is at work on this database: waiting for it" in heard

        until(said)
        assert ended == []
    second.join(60)
    assert ended == [0]


def test_a_pool_that_is_too_small_is_said_in_a_sentence(ledger_dsn: str, capsys: pytest.CaptureFixture[str]):
    """Migrating needs two of the server's sessions: one keeps others out meanwhile."""
    with pooler(ledger_dsn, "transaction", 2, patience=2) as made, psycopg.connect(made.dsn(ledger_dsn)) as busy:
        busy.execute("SELECT 1")  # and one is another's
        assert main(["migrate", "--dsn", made.dsn(ledger_dsn)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("ifms: ")
    assert said.count("\n") == 1
