"""The ledger for writing, for what a person says on a page: one transaction, under that person's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ifms.ledger.database import Connection
from ifms.ledger.outbox import anything_due
from ifms_airflow.api import dag_runs
from ifms_airflow.assets import OUTBOX
from ifms_airflow.hooks import LedgerHook

T = TypeVar("T")

# Somebody waits for the page: what is locked for longer is tried again by that person.
_OPTIONS = (
    "-c statement_timeout=20000 -c lock_timeout=3000 -c idle_in_transaction_session_timeout=60000 -c timezone=UTC"
)


def transact(work: Callable[[Connection], T]) -> T:
    """Run `work` in one transaction of the ledger and commit it; whom it has news for is told so."""
    with LedgerHook(options=_OPTIONS).ledger() as db:
        done = db.transact(work)
        due = db.transact(anything_due)
    if due:
        dag_runs.emit(OUTBOX)
    return done
