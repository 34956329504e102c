"""The ledger for writing, for what a person says on a page: one transaction, under that person's name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from ifms.ledger.database import Connection
from ifms.ledger.outbox import anything_due
from ifms_airflow.api import dag_runs
from ifms_airflow.assets import OUTBOX
from ifms_airflow.hooks import LedgerHook

T = TypeVar("T")

# Somebody waits for the page: what is locked for longer is tried again by that person.
_STATEMENT, _LOCK = timedelta(seconds=20), timedelta(seconds=3)


def transact(work: Callable[[Connection], T]) -> T:
    """Run `work` in one transaction of the ledger and commit it; whom it has news for is told so."""
    with LedgerHook(statement_timeout=_STATEMENT, lock_timeout=_LOCK).ledger() as db:
        done = db.transact(work)
        due = db.transact(anything_due)
    if due:
        dag_runs.emit(OUTBOX)
    return done


def rehearse(work: Callable[[Connection], T]) -> T:
    """Run `work`, which takes back what it does: nothing is committed that anybody is told of."""
    with LedgerHook(statement_timeout=_STATEMENT, lock_timeout=_LOCK).ledger() as db:
        return db.transact(work)
