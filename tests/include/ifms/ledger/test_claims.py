"""Who may work on a row: one copy at a time, and a late one touches nothing."""

import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from support.ledger import Ledger

from ifms.errors import ClaimLostError
from ifms.ledger import instructions
from ifms.ledger.claims import Claim, claim, held, release
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.statuses import Event


def take(ledger: Ledger, *, limit=100, lease=timedelta(minutes=10), started=None, shared=None):
    return ledger.db.transact(
        lambda c: claim(
            c,
            instructions.UNSETTLED,
            PaymentInstruction,
            limit=limit,
            lease=lease,
            sweep_started=started or datetime.now(UTC) + timedelta(hours=1),
            shared_since=shared,
            tenants=None,
            created_from=None,
            created_to=None,
        )
    )


@pytest.fixture
def three(ledger):
    """Three PENDING PIs, free to be claimed."""
    ledger.fund(10_000)
    made = [ledger.instruct(*ledger.payment(100)) for _ in range(3)]
    for pi, mine in made:
        ledger.db.transact(lambda c, pi=pi, mine=mine: release(c, instructions.UNSETTLED, pi.id, mine, untouched=True))
    return [pi for pi, _ in made]


def test_two_sweeps_share_the_rows(ledger, three):
    _, first = take(ledger, limit=2)
    _, second = take(ledger)
    assert len(first) == 2
    assert {pi.id for pi in first} | {pi.id for pi in second} == {pi.id for pi in three}


def test_a_row_is_polled_once_per_sweep(ledger, three):
    started = ledger.one("SELECT clock_timestamp()")
    mine, rows = take(ledger, started=started)
    for pi in rows:
        ledger.db.transact(lambda c, pi=pi: release(c, instructions.UNSETTLED, pi.id, mine))
    assert take(ledger, started=started)[1] == []
    assert len(take(ledger, started=ledger.one("SELECT clock_timestamp()"))[1]) == 3


def test_of_those_that_share_its_work_a_late_sweep_takes_over_only_what_was_left(ledger, three):
    first = ledger.one("SELECT clock_timestamp()")
    mine, rows = take(ledger, started=first, limit=2)
    ledger.db.transact(lambda c: release(c, instructions.UNSETTLED, rows[0].id, mine))  # asked; the other one is held
    late = ledger.one("SELECT clock_timestamp()")
    last, rest = take(ledger, started=first, limit=1)
    assert take(ledger, started=late, shared=first)[1] == []
    with ledger.connect() as connection:
        connection.execute("UPDATE ifms.payment_instruction SET claimed_until = now() WHERE claim_token IS NOT NULL")
    # What was claimed before it began; what another one has claimed since, that one is at.
    assert [pi.id for pi in take(ledger, started=late, shared=first)[1]] == [rows[1].id]
    ledger.db.transact(lambda c: release(c, instructions.UNSETTLED, rest[0].id, last, untouched=True))
    assert [pi.id for pi in take(ledger, started=late, shared=first)[1]] == [rest[0].id]


def test_given_back_untouched_it_stays_due(ledger, three):
    started = ledger.one("SELECT clock_timestamp()")
    mine, rows = take(ledger, started=started)
    ledger.db.transact(lambda c: release(c, instructions.UNSETTLED, rows[0].id, mine, untouched=True))
    assert [pi.id for pi in take(ledger, started=started)[1]] == [rows[0].id]


@pytest.mark.parametrize("column", ["polled_at", "claimed_until"])
def test_what_a_clock_that_was_ahead_has_written_keeps_no_row_from_being_due(ledger, three, column):
    """The database's clock was a year ahead while a sweep took them: till then no other would find anything, and say so."""
    now = ledger.one("SELECT clock_timestamp()")
    take(ledger, started=now, limit=1, lease=timedelta(hours=23))  # an honest claim, however long
    with ledger.connect() as connection:
        connection.execute(
            f"UPDATE ifms.payment_instruction SET {column} = now() + interval '1 year', claim_token = gen_random_uuid()"
            " WHERE claim_token IS NULL"
        )
    started = ledger.one("SELECT clock_timestamp()")
    assert len(take(ledger, started=started)[1]) == 2
    assert take(ledger, started=started)[1] == []


def test_a_lease_that_ran_out_is_taken_over_and_the_late_copy_writes_nothing(ledger, three):
    late, rows = take(ledger, lease=timedelta(milliseconds=1))
    time.sleep(0.01)
    now_mine, again = take(ledger)
    assert {pi.id for pi in again} == {pi.id for pi in rows}
    for write in (
        lambda c: release(c, instructions.UNSETTLED, rows[0].id, late),
        lambda c: instructions.note(c, rows[0], late, "late"),
        lambda c: instructions.attempt(c, rows[0], late, uncertain=False),
        lambda c: instructions.settle_attempt(c, rows[0], late, "unknown", "late"),
        lambda c: instructions.advance(c, rows[0], late, Event.ACCEPTED),
    ):
        with pytest.raises(ClaimLostError, match="taken over"):
            ledger.db.transact(write)
    assert ledger.balances() == (10_000, 300, 0, 9_700)
    ledger.db.transact(lambda c: instructions.note(c, again[0], now_mine, "in time"))


def test_what_another_run_holds_is_counted_until_its_lease_has_run_out(ledger, three):
    def seen(started, lease=timedelta(minutes=10)):
        conditions = {"tenants": None, "created_from": None, "created_to": None}
        return ledger.db.transact(
            lambda c: held(c, instructions.UNSETTLED, lease=lease, sweep_started=started, **conditions)
        )

    before = ledger.one("SELECT clock_timestamp()")
    mine, rows = take(ledger, limit=2)
    after = ledger.one("SELECT clock_timestamp()")
    assert seen(after) == 2
    assert seen(before) == 0, "taken since it began: no other's"
    ledger.db.transact(lambda c: release(c, instructions.UNSETTLED, rows[0].id, mine))
    assert seen(after) == 1
    with ledger.connect() as connection:
        connection.execute("UPDATE ifms.payment_instruction SET claimed_until = now() WHERE claim_token IS NOT NULL")
    assert seen(after) == 0


def test_seconds_left_counts_by_the_monotonic_clock():
    mine = Claim(uuid.uuid4(), timedelta(seconds=60), taken=time.monotonic() - 50)
    assert 9 < mine.seconds_left <= 10
