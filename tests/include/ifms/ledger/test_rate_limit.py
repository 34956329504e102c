"""The treasury's limit of calls a second, held across workers: each Rate here is one worker's, on its own connection."""

import threading
import time
from datetime import timedelta

import psycopg
import pytest
from support.databases import as_worker

from ifms.ledger.database import Database
from ifms.ledger.rate_limit import BATCH_SECONDS, MOST_WORKERS, Rate, reserve

ACCOUNT = "sample-client at https://treasury.example"
FOREVER = float("inf")


@pytest.fixture
def rate(ledger_dsn):
    """`rate(calls_per_second)`: a worker's turns."""
    opened = []

    def make(calls_per_second, **more):
        opened.append(Database(lambda: psycopg.connect(as_worker(ledger_dsn), options="-c timezone=UTC")))
        return Rate(opened[-1], ACCOUNT, calls_per_second, **more)

    yield make
    for database in opened:
        database.close()


def by_then(began, times, calls_per_second):
    """Whether at no moment more calls had begun than the limit allows since `began`."""
    return all(at >= began + place / calls_per_second - 0.001 for place, at in enumerate(sorted(times)))


def test_workers_together_never_go_beyond_the_limit(rate):
    times, lock = [], threading.Lock()

    def work(mine):
        for _ in range(8):
            assert mine.wait(FOREVER) is None
            with lock:
                times.append(time.time())

    workers = [rate(40) for _ in range(3)]
    began = time.time()
    threads = [threading.Thread(target=work, args=(each,)) for each in workers for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(times) == 72
    assert by_then(began, times, 40)


@pytest.mark.parametrize("calls_per_second", [3, 100])
def test_a_worker_with_many_threads_leaves_the_others_their_turns(rate, ledger_dsn, calls_per_second):
    greedy = rate(calls_per_second)
    stop = greedy.stop
    threads = [threading.Thread(target=greedy.wait, args=(FOREVER,)) for _ in range(32)]
    for thread in threads:
        thread.start()
    with psycopg.connect(ledger_dsn, autocommit=True) as connection:
        for _ in range(20):
            row = connection.execute("SELECT extract(epoch FROM next_at - clock_timestamp()) FROM ifms.call_rate")
            ahead = (row.fetchone() or (0,))[0]
            assert ahead <= 2 * max(BATCH_SECONDS, 1 / calls_per_second), "more than one batch is in its hands"
            time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_turns_that_were_missed_are_not_made_up_for(rate):
    many = rate(40)
    soon = time.monotonic() + 0.06
    threads = [threading.Thread(target=many.wait, args=(soon,)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    time.sleep(2 * BATCH_SECONDS)  # of the ten turns that they took, most were too late for them
    began, times = time.time(), []
    for _ in range(20):
        assert many.wait(FOREVER) is None
        times.append(time.time())
    assert by_then(began, times, 40)


def test_a_thread_alone_takes_no_turn_that_it_does_not_need(rate, ledger_dsn):
    alone = rate(100)
    assert alone.wait(FOREVER) is None
    with psycopg.connect(ledger_dsn, autocommit=True) as connection:
        row = connection.execute("SELECT extract(epoch FROM next_at - clock_timestamp()) FROM ifms.call_rate")
        assert (row.fetchone() or (1,))[0] <= 0.01


def test_a_killed_worker_s_turns_just_pass(rate, ledger_dsn):
    with psycopg.connect(as_worker(ledger_dsn)) as killed:
        reserve(killed, ACCOUNT, timedelta(seconds=0.01), 25)
    assert rate(100).wait(time.monotonic() + 30) is None


def test_turns_of_different_accounts_are_their_own(ledger_dsn):
    with psycopg.connect(as_worker(ledger_dsn), autocommit=True) as connection:
        reserve(connection, ACCOUNT, timedelta(hours=1), 1)
        assert reserve(connection, f"another {ACCOUNT}", timedelta(hours=1), 1) < 1
        assert reserve(connection, ACCOUNT, timedelta(hours=1), 1) > 3000


def test_a_server_s_clock_that_was_put_back_holds_nobody_up_for_long(ledger_dsn):
    with psycopg.connect(as_worker(ledger_dsn), autocommit=True) as connection:
        reserve(connection, ACCOUNT, timedelta(hours=10), 1)
        assert reserve(connection, ACCOUNT, timedelta(seconds=0.01), 25) <= MOST_WORKERS * BATCH_SECONDS


def test_many_workers_turns_are_not_taken_for_a_clock_that_was_put_back(ledger_dsn):
    with psycopg.connect(as_worker(ledger_dsn), autocommit=True) as connection:
        began = time.monotonic()
        for _ in range(100):
            reserve(connection, ACCOUNT, timedelta(seconds=0.01), 25)
        ahead = reserve(connection, ACCOUNT, timedelta(seconds=0.01), 1)
        assert ahead >= 25 - (time.monotonic() - began)


def test_what_can_not_begin_in_time_is_told_so_and_its_turn_is_another_s(rate):
    mine = rate(0.5)
    assert mine.wait(FOREVER) is None
    assert mine.wait(time.monotonic() + 0.1) == "its turn among 0.5 calls a second comes too late"
    began = time.monotonic()
    assert mine.wait(FOREVER) is None
    assert time.monotonic() - began < 30, "the turn was not lost"


def test_nobody_waits_once_the_sweep_is_stopped(rate):
    mine = rate(0.1)
    assert mine.wait(FOREVER) is None
    told = []
    thread = threading.Thread(target=lambda: told.append(mine.wait(FOREVER)))
    thread.start()
    mine.stop.set()
    thread.join(9)  # its turn comes after ten seconds
    assert told == ["the sweep was stopped before its turn"]
    assert mine.wait(FOREVER) == told[0]


def test_a_database_that_is_away_gives_no_turn_and_says_so():
    def connect():
        raise psycopg.OperationalError("password=sample is refused")

    told = Rate(Database(connect), ACCOUNT, 10).wait(FOREVER)
    assert told == "the ledger gives no turn to call the treasury (OperationalError)"
