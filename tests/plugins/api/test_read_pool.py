"""The connections that pages read by."""

from __future__ import annotations

import threading

import psycopg
import pytest
from fastapi import HTTPException

from ifms_airflow.api import read_pool
from ifms_airflow.api.read_pool import Reads


@pytest.fixture
def pool(ledger_dsn: str):
    made = Reads(lambda: psycopg.connect(ledger_dsn))
    yield made
    made.close()


def test_a_connection_is_kept_and_used_again(pool: Reads):
    with pool.connection() as first:
        pass
    with pool.connection() as second:
        assert second is first


def test_one_that_the_server_has_closed_is_replaced(pool: Reads, ledger_dsn: str):
    with pool.connection() as first:
        pid = first.info.backend_pid
    with psycopg.connect(ledger_dsn, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))
    with pool.connection() as second:
        assert second.execute("SELECT 1").fetchone() == (1,)


def test_one_whose_reader_failed_is_not_used_again(pool: Reads):
    with pytest.raises(psycopg.errors.DivisionByZero), pool.connection() as first:
        first.execute("SELECT 1/0")
    assert first.closed
    with pool.connection() as second:
        assert second.execute("SELECT 1").fetchone() == (1,)


def test_when_all_are_busy_for_long_the_caller_is_told(pool: Reads, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(read_pool, "WAIT_SECONDS", 0.05)
    release, held = threading.Event(), threading.Barrier(read_pool.SIZE + 1)

    def hold() -> None:
        with pool.connection():
            held.wait(60)
            release.wait(60)

    threads = [threading.Thread(target=hold) for _ in range(read_pool.SIZE)]
    for thread in threads:
        thread.start()
    held.wait(60)
    with pytest.raises(HTTPException) as told, pool.connection():
        pass
    assert told.value.status_code == 503
    release.set()
    for thread in threads:
        thread.join()
    with pool.connection():
        pass
