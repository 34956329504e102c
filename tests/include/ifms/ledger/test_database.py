"""One transaction per change, and what becomes of it when the database or the network breaks."""

import threading

import psycopg
import pytest
from support.ledger import allotment

from ifms.errors import LedgerDataError, LedgerError
from ifms.ledger import funds, session
from ifms.ledger.database import Database


class Cut:
    """A connection whose COMMIT reaches the server while its answer is lost."""

    def __init__(self, dsn, reaches):
        self.dsn = dsn
        self.reaches = reaches
        self.opened = 0

    def connect(self):
        self.opened += 1
        connection = psycopg.connect(self.dsn)
        if self.opened == 1:
            commit = connection.commit

            def cut_commit():
                if self.reaches:
                    commit()
                connection.close()
                raise psycopg.OperationalError("the connection was cut at COMMIT")

            connection.commit = cut_commit
        return connection


@pytest.mark.parametrize("reaches", [True, False], ids=["committed", "not committed"])
def test_an_ambiguous_commit_is_read_again_and_not_repeated(ledger_dsn, reaches):
    cut = Cut(ledger_dsn, reaches)
    runs = []

    def work(connection):
        runs.append(1)
        return connection.execute(
            "INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload) VALUES ('t', 't', 'k', '{}') RETURNING id"
        ).fetchone()[0]

    with Database(cut.connect) as db:
        db.transact(work)
        count = db.transact(lambda c: c.execute("SELECT count(*) FROM ifms.outbox").fetchone()[0])
    assert count == 1
    assert len(runs) == (1 if reaches else 2)


def test_a_deadlock_is_tried_again(ledger):
    ledger.fund(1000, master="1")
    ledger.fund(1000, master="2")
    gate = threading.Barrier(2, timeout=120)
    attempts = []

    def lock(first, second):
        met = []

        def work(connection):
            attempts.append(1)
            for master in (first, second):
                connection.execute("SELECT id FROM ifms.sanction WHERE master_allotment_id = %s FOR UPDATE", (master,))
                if not met:
                    met.append(1)
                    gate.wait()

        with Database(lambda: psycopg.connect(ledger.dsn)) as db:
            db.transact(work)

    threads = [threading.Thread(target=lock, args=order) for order in (("1", "2"), ("2", "1"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(attempts) == 3


def test_a_server_side_disconnect_is_survived(ledger):
    ledger.db.transact(lambda c: c.execute("SELECT 1"))
    with ledger.connect() as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert ledger.db.transact(lambda c: c.execute("SELECT 2").fetchone()[0]) == 2


def test_a_database_that_stays_away_is_said():
    def refuse():
        raise psycopg.OperationalError("connection refused")

    with pytest.raises(psycopg.OperationalError), Database(refuse) as db:
        db.transact(lambda c: c.execute("SELECT 1"))


def test_a_refusal_does_not_quote_the_row(ledger):
    secret = "123456789012"

    def work(connection):
        funds.record_allotments(connection, [allotment(scheme_code=secret)])
        connection.execute("UPDATE ifms.sanction SET reserved_amount = -1")

    with pytest.raises(LedgerError) as refused, Database(ledger.connect) as owners:
        owners.transact(work)
    assert secret not in str(refused.value)
    assert refused.value.__cause__ is None
    assert ledger.one("SELECT count(*) FROM ifms.sanction") == 0


SECRET = "123456789012"
BEYOND = {
    "a number": f"SELECT {SECRET}::numeric(5,2)",
    "a date": f"SELECT '{SECRET}-01-01'::date",
    "a reckoning": "SELECT ifms.correct_by('5874897-12-31'::date)",
    "no number": f"SELECT '{SECRET}x'::integer",
    "a division": "SELECT 1 / 0",
    "what Python has no date for": "SELECT 'infinity'::timestamptz",
}


@pytest.mark.parametrize("statement", BEYOND.values(), ids=BEYOND.keys())
@pytest.mark.parametrize("way", ["transact", "read_snapshot"])
def test_a_value_that_it_can_not_hold_is_typed_and_not_quoted(ledger, statement, way):
    with pytest.raises(LedgerDataError) as refused:
        getattr(ledger.db, way)(lambda c: c.execute(statement).fetchall())
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
    assert ledger.db.transact(lambda c: c.execute("SELECT 1").fetchone()) == (1,)


def test_a_text_that_no_index_holds_is_refused_at_once(ledger, monkeypatch):
    monkeypatch.setattr("ifms.ledger.database.time.sleep", lambda _: pytest.fail("it was tried again"))
    text = "".join(chr(0x10000 + number * 7919 % 60000) for number in range(3000))  # does not compress
    with pytest.raises(LedgerDataError):
        ledger.db.transact(
            lambda c: c.execute("INSERT INTO ifms.bill (tenant_id, bill_id) VALUES ('od.samplea', %s)", (text,))
        )


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_a_text_that_can_not_be_written_is_refused(ledger, text):
    with pytest.raises(LedgerDataError):
        ledger.db.transact(lambda c: c.execute("SELECT %s::text", (text,)))


def test_a_statement_is_prepared_where_that_is_asked_for_and_the_session_is_the_server_s_own(ledger):
    def work(connection):
        connection.execute("SELECT 'asked for'", prepare=True)
        for _ in range(10):
            connection.execute("SELECT 'often'")
        return connection.execute("SELECT statement FROM pg_prepared_statements").fetchall()

    with Database(lambda: session.connect(ledger.dsn)) as db:
        assert db.transact(work) == [("SELECT 'asked for'",)]


def test_a_look_sees_one_state_and_changes_none(ledger):
    def look(connection):
        seen = [connection.execute("SELECT count(*) FROM ifms.sanction").fetchone()]
        ledger.fund(1000)
        seen.append(connection.execute("SELECT count(*) FROM ifms.sanction").fetchone())
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), connection.transaction():
            connection.execute("UPDATE ifms.payment SET hold_code = NULL")
        return seen

    with Database(ledger.connect) as db:
        assert db.read_snapshot(look) == [(0,), (0,)]
        assert db.transact(lambda c: c.execute("SELECT count(*) FROM ifms.sanction").fetchone()) == (1,)
