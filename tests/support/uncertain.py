"""Submissions whose outcome is not known: what a test does around them, and what it looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import psycopg
import pytest
from conformance.scenario import Gate
from support import failed
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.past import Past, once

from ifms.errors import SweepError, SweepNeedsAttentionError
from ifms.ledger.database import Connection, Database
from ifms.ledger.payments import release_holds

UNKNOWN_BILL = "Bill not received in JIT-FS"
DUPLICATE = "Duplicate Payment Information Id"
T = TypeVar("T")


def a_due_payment(adapter: Adapter) -> None:
    """One payment waits for its PI, with funds."""
    adapter.simulators.ask_platform("POST", "settings", {"persist_ms": 0})
    failed.wage_bill(adapter, 2)
    adapter.run("VA")
    adapter.run("PA")


@pytest.fixture
def due(adapter: Adapter, past: Past | None) -> Adapter:
    """One payment that waits for its PI, with funds."""
    return once(a_due_payment, past, adapter)


@pytest.fixture
def lost(due: Adapter, treasury: Treasury) -> Adapter:
    """Its PI was accepted, and the reply lost."""
    treasury.rule("PI", "lost_reply", times=1)
    with pytest.raises(SweepError):
        due.run("PI")
    return due


@pytest.fixture
def refused(due: Adapter, treasury: Treasury) -> Adapter:
    """A submission that never arrived, then one that was refused for want of funds; PIS knows no bill."""
    treasury.rule("PI", "http_status", status=503, times=1)
    with pytest.raises(SweepError):
        due.run("PI")
    treasury.rule("PI", "error", errorMsg="Insufficient fund", times=1)
    red(due, "refused: Insufficient fund")
    return due


@contextmanager
def nobody_listens(adapter: Adapter) -> Iterator[None]:
    """Where the treasury was, as soon as a login has been made: what is sent then never arrives."""
    with Gate(adapter.simulators.treasury) as gate, pytest.raises(SweepError):
        adapter.treasury_changes = {"base_url": gate.url}
        yield
    adapter.treasury_changes = {}


def pi(adapter: Adapter) -> dict[str, Any]:
    """The newest PI."""
    return adapter.rows("SELECT * FROM ifms.payment_instruction ORDER BY created_at")[-1]


def reserved(adapter: Adapter) -> Any:
    """What all sanctions have reserved."""
    return adapter.rows("SELECT sum(reserved_amount) AS n FROM ifms.sanction")[0]["n"]


def on(adapter: Adapter, work: Callable[[Connection], T]) -> T:
    """Do something in a transaction of the ledger's owner."""
    with Database(lambda: psycopg.connect(adapter.dsn)) as db:
        return db.transact(work)


def resubmit(adapter: Adapter) -> None:
    """A person wants new PIs for all payments."""
    numbers = [row["payment_number"] for row in adapter.rows("SELECT payment_number FROM ifms.payment")]
    on(adapter, lambda c: release_holds(c, numbers))


def a_day_later(adapter: Adapter, by: timedelta = timedelta(hours=25)) -> None:
    """Time passes since a status service first did not know a bill."""
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("UPDATE ifms.payment_instruction SET absent_since = absent_since - %s", (by,))


def red(adapter: Adapter, match: str, service: str = "PI") -> None:
    """A sweep ends with something that a person should see."""
    with pytest.raises(SweepNeedsAttentionError, match=match):
        adapter.run(service)


def stays_pending(adapter: Adapter, treasury: Treasury, number: str) -> None:
    """It is PENDING under its number, its money reserved, and nothing is at the treasury that should not be."""
    row = pi(adapter)
    assert (row["pi_number"], row["status"], row["uncertain"]) == (number, "PENDING", True)
    assert reserved(adapter) == row["net_amount"]
    assert_money_is_right(adapter, treasury)
