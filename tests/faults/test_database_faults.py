"""F13, F14: the database goes away, and what it says when several want the same rows."""

import psycopg
import pytest
from support.durable import durable
from support.processes import until

from ifms.errors import LedgerError
from ifms.ledger.database import Database


@pytest.fixture(scope="module")
def server():
    """A server that keeps its data through a crash."""
    with durable() as made:
        yield made


def written(dsn):
    with psycopg.connect(dsn) as connection:
        return [row[0] for row in connection.execute("SELECT topic FROM ifms.outbox ORDER BY id")]


def write(topic):
    return lambda c: c.execute(
        "INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload) VALUES (%s, 't', 'k', '{}')", (topic,)
    )


class CrashesAtCommit:
    """A database whose server crashes when the first transaction has said all but COMMIT, and is started again."""

    def __init__(self, server, dsn, afterwards):
        self.server, self.dsn, self.afterwards = server, dsn, afterwards
        self.runs = 0
        self.opened = 0

    def connect(self):
        self.opened += 1
        if self.opened == 2:
            self.server.start()
            self.afterwards(self.dsn)
        return psycopg.connect(self.dsn)

    def transact(self):
        with Database(self.connect) as db:
            db.transact(lambda c: c.execute("SELECT 1"))
            execute = db._connection.execute

            def last_word(query, *args):
                result = execute(query, *args)
                if "pg_current_xact_id" in query:
                    self.server.crash()
                return result

            def work(connection):
                self.runs += 1
                write("ours")(connection)

            db._connection.execute = last_word
            db.transact(work)


def test_a_transaction_that_a_crash_has_lost_is_done_again(server):
    """PostgreSQL says of its id that it is in the future."""
    database = CrashesAtCommit(server, server.ledger(), lambda dsn: None)
    database.transact()
    assert written(database.dsn) == ["ours"]


def test_another_s_commit_under_the_same_transaction_id_is_not_taken_for_ours(server):
    """After a crash PostgreSQL gives the ids of lost transactions anew: they are asked about, and are committed."""

    def others(dsn):
        for _ in range(5):
            with psycopg.connect(dsn) as connection:
                write("another's")(connection)

    database = CrashesAtCommit(server, server.ledger(), others)
    with pytest.raises(LedgerError, match="crashed or was replaced"):
        database.transact()
    assert database.runs == 1
    assert written(database.dsn) == ["another's"] * 5


def test_a_session_that_the_server_ended_while_we_stood_still_is_begun_anew(ledger):
    """A stopped process keeps no lock: its session ends, and once it goes on its transaction is done from the start."""
    pids = []

    def work(connection):
        pids.append(connection.info.backend_pid)
        write("ours")(connection)
        if len(pids) == 1:
            until(lambda: not ledger.row("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", pids[0])[0])

    with Database(lambda: psycopg.connect(ledger.dsn, options="-c idle_in_transaction_session_timeout=50")) as db:
        db.transact(work)
    assert len(set(pids)) == 2
    assert written(ledger.dsn) == ["ours"]
