"""F13, F14: the database goes away, and what it says when several want the same rows."""

import threading
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from support.adapter import Adapter, assert_money_is_right
from support.durable import durable
from support.processes import UNDER_WAY, Job, copy, until

from ifms.errors import LedgerError, LedgerMovedError
from ifms.ledger import session
from ifms.ledger.database import Database
from ifms.platform.transport import Transport as PlatformTransport
from ifms.treasury.transport import Transport as TreasuryTransport

pytestmark = pytest.mark.tier("prove")


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
            commit = db._connection.commit

            def last_word():
                self.server.crash()
                commit()

            def work(connection):
                self.runs += 1
                write("ours")(connection)

            db._connection.commit = last_word
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

    with Database(lambda: session.connect(ledger.dsn, session.Timeouts(idle=timedelta(milliseconds=50)))) as db:
        db.transact(work)
    assert len(set(pids)) == 2
    assert written(ledger.dsn) == ["ours"]


# A sweep under way ---------------------------------------------------------------------------------------------------

THREE_BILLS = {"cities": 1, "bills_per_city": 3, "persist_ms": 0}


@pytest.mark.simulators(platform=THREE_BILLS)
@pytest.mark.parametrize("service", ["PI", "PIS"])
def test_a_restart_in_the_middle_of_a_sweep_loses_nothing_that_was_committed(server, simulators, treasury, service):
    """The server goes down at once while calls are under way, and comes back on the same data."""
    adapter = Adapter(server.ledger(), simulators)
    for earlier in ("VA", "PA", "PI")[: 2 if service == "PI" else 3]:
        adapter.run(earlier)
    treasury.rule(service, "latency", ms=1500, after=True)
    with copy(adapter, Job(service), UNDER_WAY) as sweep:
        until(lambda: treasury.state["calls"].get(service) == 3)
        before = numbers(adapter)
        server.crash()
        server.start()
        ending = sweep.wake()
    assert ending.typed, ending
    assert numbers(adapter) == before
    assert_money_is_right(adapter, treasury)
    treasury.clear()
    claims_run_out(adapter)
    adapter.run(service)
    assert adapter.statuses() == {"INITIATED" if service == "PI" else "APPROVED": 3}
    assert treasury.state["calls"]["PI"] == len(treasury.accepted) == 3
    assert_money_is_right(adapter, treasury)


@pytest.mark.simulators(platform=THREE_BILLS)
def test_a_database_that_stays_away_ends_the_sweep_and_the_next_one_finishes(server, simulators, treasury):
    adapter = Adapter(server.ledger(), simulators)
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "latency", ms=1000, after=True)
    with copy(adapter, Job("PI"), UNDER_WAY) as sweep:
        until(lambda: treasury.state["calls"].get("PI") == 3)
        server.crash()
        ending = sweep.wake()
        server.start()
    assert ending.error
    assert ending.typed
    assert adapter.statuses() == {"PENDING": 3}
    assert_money_is_right(adapter, treasury)
    treasury.clear()
    claims_run_out(adapter)
    adapter.run("PI")
    assert adapter.statuses() == {"INITIATED": 3}
    assert treasury.state["calls"]["PI"] == len(treasury.accepted) == 3
    assert_money_is_right(adapter, treasury)


def numbers(adapter):
    return adapter.rows("SELECT pi_number, net_amount FROM ifms.payment_instruction ORDER BY 1")


def claims_run_out(adapter):
    with psycopg.connect(adapter.dsn) as connection:
        for table in ("payment", "payment_instruction"):
            connection.execute(f"UPDATE ifms.{table} SET claimed_until = now() - interval '1 second'")


# Locks and conflicts -------------------------------------------------------------------------------------------------


@contextmanager
def holding(dsn, table):
    """Another session that has locked a table's rows, as a long report or a person at a console may."""
    with psycopg.connect(dsn) as other:
        other.execute(f"SELECT id FROM ifms.{table} FOR UPDATE")
        yield other


@pytest.mark.simulators(platform=THREE_BILLS)
def test_a_lock_that_is_never_given_up_ends_the_sweep_after_a_few_tries(adapter, treasury):
    """Nothing is sent for what could not be written; once the lock is gone, the next sweep does it all."""
    adapter.run("VA")
    adapter.run("PA")
    adapter.timeouts = session.Timeouts(lock=timedelta(milliseconds=50))
    with holding(adapter.dsn, "sanction"), pytest.raises(psycopg.errors.LockNotAvailable):
        adapter.run("PI")
    assert treasury.state["calls"].get("PI", 0) == 0
    assert adapter.statuses() == {}
    said = adapter.rows("SELECT state, message FROM ifms.sweep_run WHERE service_id = 'PI'")[0]
    assert said["state"] == "failed"
    assert "LockNotAvailable" in said["message"]
    claims_run_out(adapter)
    adapter.run("PI")
    assert adapter.statuses() == {"INITIATED": 3}
    assert_money_is_right(adapter, treasury)


@pytest.mark.simulators(platform=THREE_BILLS)
def test_a_lock_that_is_given_up_in_time_is_waited_for(adapter, treasury):
    adapter.run("VA")
    adapter.run("PA")
    adapter.timeouts = session.Timeouts(lock=timedelta(milliseconds=50))
    with holding(adapter.dsn, "sanction") as other:
        release = threading.Timer(0.3, other.rollback)
        release.start()
        adapter.run("PI")
        release.join()
    assert adapter.statuses() == {"INITIATED": 3}
    assert treasury.state["calls"]["PI"] == 3
    assert_money_is_right(adapter, treasury)


def test_a_serialization_failure_is_done_again(ledger):
    """Where a rule of the database asks for it, as PostgreSQL itself does under stricter isolation."""
    runs = []

    def work(connection):
        runs.append(1)
        write("ours")(connection)
        if len(runs) < 3:
            connection.execute("DO $$ BEGIN RAISE EXCEPTION 'sample' USING ERRCODE = '40001'; END $$")

    ledger.db.transact(work)
    assert written(ledger.dsn) == ["ours"]
    assert len(runs) == 3


# No call while a transaction is open ----------------------------------------------------------------------------------


@pytest.mark.simulators(platform=THREE_BILLS)
def test_no_transaction_waits_for_a_call(adapter, treasury, simulators, monkeypatch):
    """Each call is held back until all transactions have ended that were open when it began.

    One that waited for its own call would never end. Seen by the database's own list of sessions.
    """
    seen = Counter()
    with psycopg.connect(adapter.dsn, autocommit=True) as watcher:
        lock = threading.Lock()

        def open_transactions():
            with lock:
                return set(
                    watcher.execute(
                        "SELECT pid, xact_start FROM pg_stat_activity WHERE datname = current_database()"
                        " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend'"
                    )
                )

        def held_back(kind, call):
            def first_wait(*args, **kwargs):
                before = open_transactions()
                until(lambda: not before & open_transactions())
                seen[kind] += 1
                return call(*args, **kwargs)

            return first_wait

        monkeypatch.setattr(TreasuryTransport, "post", held_back("treasury", TreasuryTransport.post))
        monkeypatch.setattr(PlatformTransport, "call", held_back("platform", PlatformTransport.call))
        adapter.cycle()
        number = numbers(adapter)[0]["pi_number"]
        simulators.ask_treasury("POST", "failures", {"bill_number": number, "beneficiaries": 1})
        adapter.run("FD")
        payee = adapter.rows("SELECT beneficiary_id FROM ifms.failed_beneficiary")[0]["beneficiary_id"]
        change = {"tenantId": "od.samplea", "referenceId": payee, "accountNumber": "000099990001"}
        simulators.ask_platform("POST", "accounts", change)
        adapter.correct()
        for service in ("FTPS", "FTFPS", "RELAY"):
            adapter.run(service)
    made = treasury.state
    assert seen["treasury"] == sum(made["calls"].values()) + made["logins"]
    assert set(made["calls"]) == {"VA", "PI", "PIS", "PAG", "PD", "FD", "COR", "FTPS", "FTFPS"}
    assert seen["platform"] > 10
    assert_money_is_right(adapter, treasury)


def test_a_standby_that_has_taken_over_pays_nothing_before_somebody_has_looked(server, simulators):
    dsn = server.ledger()
    adapter = Adapter(dsn, simulators)
    for service in ("VA", "PA"):
        adapter.run(service)
    with server.promoted() as standby:
        adapter.run("PI")  # the standby never hears of it
        assert adapter.statuses()
        behind = Adapter(standby.dsn(dsn.rpartition("/")[2]), simulators)
        with pytest.raises(LedgerMovedError, match="timeline 00000001, .* timeline 00000002"):
            behind.run("PI")
        assert not behind.statuses()
