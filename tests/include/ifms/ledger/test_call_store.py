"""Calls as rows: which are due for shipping, what stays when two look at the same one, who looked, what is removed."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors as pg
from support.calls import exchange, failed, stored, write, write_many

from ifms.clock import now
from ifms.errors import LedgerError
from ifms.ledger import call_store
from ifms.ledger.status_log import CallLog
from ifms.sealing import Sealer

HOUR = timedelta(hours=1)
EVERYTHING = {"limit": 100, "most_bytes": 2**20, "given_up_after": HOUR}


def due(ledger, **changes):
    return ledger.db.transact(lambda c: call_store.unshipped(c, **(EVERYTHING | changes)))


def announce(ledger):
    """A call that is under way, and its log."""
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(400))
    log = CallLog(Sealer(bytes(range(32))))
    run = ledger.one("SELECT gen_random_uuid()")
    return pi, log, ledger.db.transact(lambda c: log.announce(c, "PI", [(pi, "plain")], run))[0]


def age(ledger, table, column, by):
    with ledger.connect() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(f"UPDATE ifms.{table} SET {column} = {column} - %s", (by,))


# Shipping -------------------------------------------------------------------------------------------------------------


def test_due_are_the_oldest_first_and_each_until_it_is_shipped(ledger):
    ids = write(ledger.db, *(exchange(number) for number in range(5)))
    assert [call.id for call in due(ledger, limit=3)] == ids[:3]
    ledger.db.transact(lambda c: call_store.mark_shipped(c, due(ledger, limit=3)))
    assert [call.id for call in due(ledger)] == ids[3:]


def test_a_batch_has_a_bound_in_bytes_and_always_one_call(ledger):
    ids = write(ledger.db, *(exchange(number, encrypted_request="x" * 1000) for number in range(4)))
    assert [call.id for call in due(ledger, most_bytes=3500)] == ids[:2]
    assert [call.id for call in due(ledger, most_bytes=10)] == ids[:1]


def test_behind_a_call_are_the_later_ones(ledger):
    ids = write(ledger.db, *(exchange(0) for _ in range(4)))  # the same instant: their ids tell them apart
    first = due(ledger, limit=2)
    assert [call.id for call in due(ledger, after=first[-1])] == ids[2:]


def test_what_is_set_aside_is_not_due_until_it_is_wanted_again(ledger):
    ids = write(ledger.db, exchange(0), exchange(1))
    ledger.db.transact(lambda c: call_store.set_calls_aside(c, {ids[0]: "too odd"}))
    assert [call.id for call in due(ledger)] == ids[1:]
    assert ledger.db.transact(call_store.ship_again) == 1
    assert [call.id for call in due(ledger)] == ids


def test_a_call_under_way_is_due_once_its_process_must_be_dead(ledger):
    _, _, announced = announce(ledger)
    assert due(ledger) == []
    age(ledger, "treasury_call", "created_at", timedelta(minutes=61))
    assert [(call.id, call.outcome) for call in due(ledger)] == [(announced, None)]


def test_a_call_that_was_shipped_as_announced_is_due_again_when_it_is_completed(ledger):
    pi, log, announced = announce(ledger)
    age(ledger, "treasury_call", "created_at", 2 * HOUR)
    ledger.db.transact(lambda c: call_store.mark_shipped(c, due(ledger)))
    assert due(ledger) == []
    ledger.db.transact(lambda c: log.write(c, [failed()], instruction_id=pi.id, announced=announced))
    assert [(call.id, call.outcome) for call in due(ledger)] == [(announced, "unknown")]


def test_a_call_that_was_shipped_as_announced_is_due_again_when_it_is_withdrawn(ledger):
    _, log, announced = announce(ledger)
    age(ledger, "treasury_call", "created_at", 2 * HOUR)
    ledger.db.transact(lambda c: call_store.mark_shipped(c, due(ledger)))
    ledger.db.transact(lambda c: log.withdraw(c, announced))
    assert [call.outcome for call in due(ledger)] == ["never_sent"]


def test_what_was_completed_while_it_was_shipped_stays_due(ledger):
    pi, log, announced = announce(ledger)
    age(ledger, "treasury_call", "created_at", 2 * HOUR)
    as_read = due(ledger)
    ledger.db.transact(lambda c: log.write(c, [exchange()], instruction_id=pi.id, announced=announced))
    ledger.db.transact(lambda c: call_store.mark_shipped(c, as_read))
    assert [call.outcome for call in due(ledger)] == ["answered"]


def test_one_run_ships_at_a_time_and_a_dead_one_is_taken_over(ledger):
    first = ledger.db.transact(call_store.claim_shipping)
    assert first is not None
    assert ledger.db.transact(call_store.claim_shipping) is None
    assert ledger.db.transact(lambda c: call_store.keep_shipping(c, first))
    age(ledger, "call_shipping", "claimed_until", HOUR)
    second = ledger.db.transact(call_store.claim_shipping)
    assert second is not None
    assert not ledger.db.transact(lambda c: call_store.keep_shipping(c, first))
    ledger.db.transact(lambda c: call_store.end_shipping(c, first))  # is no longer its to end
    assert ledger.db.transact(call_store.claim_shipping) is None
    ledger.db.transact(lambda c: call_store.end_shipping(c, second))
    assert ledger.db.transact(call_store.claim_shipping) is not None


def test_how_long_the_oldest_has_waited(ledger):
    assert ledger.db.transact(call_store.oldest_unshipped) is None
    ids = write(ledger.db, exchange(5), exchange(7))
    assert ledger.db.transact(call_store.oldest_unshipped) == exchange(5).started_at
    ledger.db.transact(lambda c: call_store.mark_shipped(c, stored(ledger.db, ids[:1])))
    assert ledger.db.transact(call_store.oldest_unshipped) == exchange(7).started_at


def test_what_was_said_is_not_rewritten_by_shipping_or_by_hand(ledger):
    [call_id] = write(ledger.db, exchange())
    with ledger.connect() as connection, pytest.raises(pg.CheckViolation, match="is not rewritten"):
        connection.execute("UPDATE ifms.treasury_call SET outcome = 'rejected' WHERE id = %s", (call_id,))
    with ledger.connect() as connection:
        connection.execute(
            "UPDATE ifms.treasury_call SET shipped_at = now(), ship_error = 'x' WHERE id = %s", (call_id,)
        )


# Looking --------------------------------------------------------------------------------------------------------------


def test_a_call_is_found_by_its_id(ledger):
    [call_id] = write(ledger.db, exchange())
    [found] = stored(ledger.db, [call_id])
    assert (found.service_id, found.bill_number, found.outcome) == ("PI", "PI-SA/1", "answered")
    assert "sealed" not in repr(found)
    assert ledger.db.transact(lambda c: call_store.find_call(c, uuid4())) is None


def record(connection, **changes):
    values = {"source": "ledger", "os_user": "sample", "airflow_user": None, "unmasked": False, "reason": None}
    call_store.record_access(connection, "1", **(values | changes))


def test_who_looked_stays_on_record(ledger):
    ledger.db.transact(lambda c: record(c, unmasked=True, reason="a complaint"))
    assert ledger.row("SELECT os_user, unmasked, reason FROM ifms.call_access") == ("sample", True, "a complaint")
    for statement in ("UPDATE ifms.call_access SET reason = 'another'", "DELETE FROM ifms.call_access"):
        with ledger.connect() as connection, pytest.raises((pg.CheckViolation, pg.InsufficientPrivilege)):
            connection.execute(statement)


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_whole_numbers_need_a_reason(ledger, reason):
    with pytest.raises(LedgerError):
        ledger.db.transact(lambda c: record(c, unmasked=True, reason=reason))


# An end to keeping ----------------------------------------------------------------------------------------------------


def remove(ledger, days=100, limit=1000, *, unshipped_too=False):
    before = now() - timedelta(days=days)
    return ledger.db.transact(
        lambda c: call_store.remove_old_calls(c, before, unshipped_too=unshipped_too, limit=limit)
    )


def test_old_calls_go_once_they_are_shipped(ledger, ledger_dsn):
    write_many(ledger_dsn, 5)
    age(ledger, "treasury_call", "created_at", timedelta(days=101))
    assert remove(ledger) == 0
    batch = due(ledger, limit=3)
    ledger.db.transact(lambda c: call_store.mark_shipped(c, batch))
    write_many(ledger_dsn, 2, shipped_at=now())  # new ones
    assert remove(ledger) == 3
    assert ledger.one("SELECT count(*) FROM ifms.treasury_call") == 4


def test_they_go_in_batches(ledger, ledger_dsn):
    write_many(ledger_dsn, 5, shipped_at=now())
    age(ledger, "treasury_call", "created_at", timedelta(days=101))
    assert [remove(ledger, limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_unshipped_ones_go_only_where_that_is_said(ledger, ledger_dsn):
    write_many(ledger_dsn, 5)
    age(ledger, "treasury_call", "created_at", timedelta(days=101))
    assert remove(ledger, unshipped_too=True) == 5


def test_nothing_that_is_younger_than_90_days_goes_whoever_asks(ledger, ledger_dsn):
    write_many(ledger_dsn, 1, shipped_at=now())
    age(ledger, "treasury_call", "created_at", timedelta(days=80))
    with pytest.raises(LedgerError, match="90 days"):
        remove(ledger, days=60, unshipped_too=True)
    assert ledger.one("SELECT count(*) FROM ifms.treasury_call") == 1


def test_the_calls_of_a_pi_that_still_waits_stay(ledger):
    pi, log, announced = announce(ledger)
    ledger.db.transact(lambda c: log.write(c, [exchange()], instruction_id=pi.id, announced=announced))
    age(ledger, "treasury_call", "created_at", timedelta(days=1001))
    ledger.db.transact(lambda c: call_store.mark_shipped(c, due(ledger)))
    assert remove(ledger) == 0


def test_a_stranger_may_not_remove(ledger, postgres, ledger_dsn):
    """The function runs as the ledger's owner: it is nobody's by default."""
    with psycopg.connect(ledger_dsn) as connection:
        connection.execute("CREATE ROLE sample_stranger")
        connection.execute("GRANT USAGE ON SCHEMA ifms TO sample_stranger")
        connection.execute("SET ROLE sample_stranger")
        with pytest.raises(pg.InsufficientPrivilege):
            connection.execute("SELECT ifms.remove_old_calls(now() - interval '1 year', true, 10)")
        connection.rollback()
