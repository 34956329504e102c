"""The ledger for reading: a few connections kept open, none of which can write, and no statement that runs for long."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, cast

import psycopg
from fastapi import Depends, HTTPException, Request

from ifms.ledger.database import Connection
from ifms_airflow.hooks import LedgerHook

SIZE = 8
WAIT_SECONDS = 10.0


def connect(seconds: int, lock_seconds: int = 5) -> Connection:
    """A connection of `ifms_db` that can't write; no statement runs for longer than `seconds`."""
    hook = LedgerHook(statement_timeout=timedelta(seconds=seconds), lock_timeout=timedelta(seconds=lock_seconds))
    connection = cast("Connection", hook.get_conn())
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ  # a page shows one moment
    connection.read_only = True
    return connection


class Reads:
    """Connections for reading, at most SIZE at a time; they are opened when first needed and kept."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._free: deque[Connection] = deque()
        self._places = threading.BoundedSemaphore(SIZE)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection, in one transaction. Raises 503 when all are busy for long."""
        if not self._places.acquire(timeout=WAIT_SECONDS):
            raise HTTPException(503, "The ledger is busy; try again in a moment")
        try:
            connection = self._take()
            try:
                yield connection
                connection.rollback()
            except BaseException:
                connection.close()
                raise
            self._free.append(connection)
        finally:
            self._places.release()

    def close(self) -> None:
        """Close what is open."""
        while self._free:
            self._free.pop().close()

    def _take(self) -> Connection:
        while self._free:
            connection = self._free.pop()
            try:
                connection.execute("SELECT")  # one that the server has closed meanwhile is found out here
            except psycopg.Error:
                connection.close()
            else:
                return connection
        return self._connect()


def _ledger(request: Request) -> Reads:
    reads: Reads = request.app.state.reads
    return reads


Ledger = Annotated[Reads, Depends(_ledger)]
