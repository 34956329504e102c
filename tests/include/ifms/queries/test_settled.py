"""When a day is settled: over, and of each of its payments it is known what became of it."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from support.adapter import Adapter, Treasury
from support.failed import fail, mend, original, wage_bill

from ifms import clock
from ifms.errors import SweepError
from ifms.queries.settled import Day, days, settled_between
from ifms.services.correction_order import Order

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})


def earlier(adapter: Adapter, by: timedelta = timedelta(days=2)) -> date:
    """All payments are as if they had been raised so long before; their day."""
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        row = connection.execute(
            "UPDATE ifms.payment SET raised_at = now() - %s RETURNING (raised_at AT TIME ZONE 'Asia/Kolkata')::date",
            (by,),
        ).fetchone()
    assert row is not None
    return row[0]


def at(adapter: Adapter, day: date, as_of: Any = None) -> Day:
    with psycopg.connect(adapter.dsn) as connection:
        [found] = days(connection, [day], as_of or clock.now())
    return found


def between(adapter: Adapter, since: Any, until: Any) -> list[Day]:
    with psycopg.connect(adapter.dsn) as connection:
        return settled_between(connection, since, until)


def test_from_the_first_step_to_the_last(adapter: Adapter):
    before = clock.now()
    wage_bill(adapter, 3)
    for service in ("VA", "PA"):
        adapter.run(service)
    day = earlier(adapter)
    found = at(adapter, day)
    assert (found.payments.rows, found.open, found.settled_at) == (1, 1, None)
    for service in ("PI", "PIS", "PAG"):
        adapter.run(service)
        assert at(adapter, day).open == 1
    paying = clock.now()
    adapter.run("PD")
    paid = clock.now()
    found = at(adapter, day)
    [payment] = adapter.rows("SELECT amount FROM ifms.payment")
    assert (found.payments.rows, found.payments.rupees, found.open) == (1, payment["amount"], 0)
    assert found.settled_at is not None
    assert paying <= found.settled_at <= paid
    assert not found.came_back
    # In the interval in which it became settled, and in no other one.
    assert [each.day for each in between(adapter, paying, paid) if each.payments] == [day]
    assert [each for each in between(adapter, before, paying) if each.payments] == []
    assert [each for each in between(adapter, paid, paid + timedelta(seconds=5)) if each.payments] == []
    assert between(adapter, paying, paid) == between(adapter, paying, paid)


def test_what_comes_back_later_leaves_it_settled(adapter: Adapter):
    wage_bill(adapter, 3)
    adapter.cycle()
    day = earlier(adapter)
    settled, told = at(adapter, day), clock.now()
    fail(adapter, 2)
    adapter.run("FD")
    found = at(adapter, day)
    [failed] = adapter.rows("SELECT sum(amount) AS amount FROM ifms.beneficiary WHERE failed_on IS NOT NULL")
    assert (found.settled_at, found.open) == (settled.settled_at, 0)
    assert (found.came_back.rows, found.came_back.rupees) == (2, failed["amount"])
    mend(adapter)
    adapter.correct(Order("od.samplea", original(adapter)["pi_number"]))
    assert at(adapter, day).settled_at == settled.settled_at  # a revision on its way opens nothing
    assert at(adapter, day, told) == settled
    assert between(adapter, told, clock.now()) == [] or all(
        not each.payments for each in between(adapter, told, clock.now())
    )


def test_a_payment_that_nothing_became_of_keeps_it_open(adapter: Adapter, treasury: Treasury):
    wage_bill(adapter, 1)
    adapter.cycle()
    treasury.rule("PI", "error", errorMsgs=[{"errorCode": "340", "errorMsg": "=Sample error"}])
    wage_bill(adapter, 1)
    adapter.run("PA")
    with suppress(SweepError):
        adapter.run("PI")
    assert adapter.statuses() == {"SUCCESSFUL": 1, "FAILED": 1}
    found = at(adapter, earlier(adapter))
    assert (found.payments.rows, found.open, found.settled_at) == (2, 1, None)


def test_a_payment_that_is_told_of_later_opens_the_day_again(adapter: Adapter):
    wage_bill(adapter, 1)
    adapter.cycle()
    day = earlier(adapter)
    first = at(adapter, day)
    wage_bill(adapter, 1)
    adapter.run("PA")
    assert earlier(adapter) == day
    assert at(adapter, day).open == 1
    since = clock.now()
    for service in ("PI", "PIS", "PAG", "PD"):
        adapter.run(service)
    [again] = [each for each in between(adapter, since, clock.now()) if each.payments]
    assert (again.day, again.payments.rows) == (day, 2)
    assert first.settled_at is not None
    assert again.settled_at is not None
    assert again.settled_at > first.settled_at


def test_a_day_that_is_not_over_and_one_without_payments(adapter: Adapter):
    wage_bill(adapter, 1)
    adapter.cycle()
    today = clock.to_ist(clock.now()).date()
    found = at(adapter, today)
    assert (found.payments.rows, found.open, found.settled_at) == (1, 0, None)
    midnight = clock.to_ist(clock.now()).replace(hour=0, minute=0, second=0, microsecond=0)
    empty = between(adapter, midnight - timedelta(hours=1), midnight + timedelta(seconds=1))
    assert [(each.day, each.payments.rows, each.settled_at) for each in empty] == [
        (today - timedelta(days=1), 0, midnight)
    ]
    # From one firing to the next, each day is announced once.
    spans = [midnight - timedelta(days=n, minutes=-30) for n in range(3, -1, -1)]
    told = [each.day for since, until in pairwise(spans) for each in between(adapter, since, until)]
    assert told == [today - timedelta(days=n) for n in (3, 2, 1)]
