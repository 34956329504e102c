"""A closed sanction pays nothing more, whoever asks for it; who closed it and why stays on record."""

import uuid
from decimal import Decimal

import psycopg
import pytest
from support.databases import as_worker
from support.ledger import LEASE, SOURCE, TENANT, create, new_instruction

from ifms.errors import ConflictError, LedgerError
from ifms.ledger import funds, instructions, sanctions
from ifms.ledger.claims import Claim
from ifms.ledger.statuses import Event

YEAR = "2024-25"


def choose(connection, amount=1):
    return funds.choose_funding(connection, TENANT, Decimal(amount), [SOURCE], financial_year=YEAR)


def close(ledger, sanction, closed=True):
    return ledger.db.transact(
        lambda c: sanctions.set_closed(c, sanction, closed=closed, reason="sample", person="a tester")
    )


def test_a_closed_sanction_is_not_chosen_until_it_is_opened(ledger):
    sanction = ledger.fund(1000)
    told = close(ledger, sanction)
    assert (told.available_amount, told.closed_by, told.closed_reason) == (1000, "a tester", "sample")
    assert ledger.db.transact(choose) is None
    with pytest.raises(ConflictError, match="closed already"):
        close(ledger, sanction)
    close(ledger, sanction, closed=False)
    assert ledger.db.transact(choose).sanction_id == sanction


def test_the_database_refuses_a_pi_on_it_and_settles_those_that_it_has(ledger):
    sanction = ledger.fund(1000)
    funding = ledger.db.transact(choose)
    pi, claim = ledger.instruct(*ledger.payment(400))
    close(ledger, sanction)
    payment, mine = ledger.payment(100)
    with pytest.raises(LedgerError, match="is closed: nothing is paid from it"):
        ledger.db.transact(lambda c: create(c, new_instruction(payment), funding, mine, Claim(uuid.uuid4(), LEASE)))
    ledger.db.transact(lambda c: instructions.advance(c, pi, claim, Event.ACCEPTED))
    assert ledger.balances() == (1000, 0, 400, 600)


def test_who_waits_for_the_sanction_that_is_being_closed_takes_another(ledger):
    """The run that chooses has seen it open, and then waits for the lock of the one who closes it."""
    import threading

    ledger.fund(1000, master="1")
    with ledger.connect() as connection:  # told last: it is chosen first
        connection.execute("SELECT pg_sleep(0.01)")
    last = ledger.fund(1000, master="2")
    found = []
    with psycopg.connect(ledger.dsn) as closing:
        sanctions.set_closed(closing, last, closed=True, reason="sample", person="a tester")
        chooser = threading.Thread(target=lambda: found.append(ledger.db.transact(choose)))
        chooser.start()
        with ledger.connect() as watching:
            for _ in range(500):
                if watching.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                ).fetchone()[0]:
                    break
                watching.execute("SELECT pg_sleep(0.02)")
            else:
                pytest.fail("nobody waits")
        closing.commit()
        chooser.join(30)
    assert [each.master_allotment_id for each in found] == ["1"]


def test_closing_is_on_record_and_made_by_its_record_alone(ledger):
    sanction = ledger.fund(1000)
    close(ledger, sanction)
    for statement in (
        "UPDATE ifms.sanction_closing SET reason = 'other'",
        "DELETE FROM ifms.sanction_closing",
        "TRUNCATE ifms.sanction_closing",
        "UPDATE ifms.sanction SET closed_at = NULL",
        "INSERT INTO ifms.sanction_closing (sanction_id, closed, reason, person) SELECT id, true, 'x', 'x' FROM ifms.sanction",
        "INSERT INTO ifms.sanction_closing (sanction_id, closed, reason, person) SELECT id, false, ' ', 'x' FROM ifms.sanction",
        "INSERT INTO ifms.sanction_closing (sanction_id, closed, reason, person) SELECT id, false, 'x', ' ' FROM ifms.sanction",
    ):
        with ledger.connect() as connection, pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(statement)
    with psycopg.connect(as_worker(ledger.dsn)) as worker:
        for statement in ("UPDATE ifms.sanction SET closed_at = NULL", "UPDATE ifms.sanction_closing SET reason = 'x'"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                worker.execute(statement)
            worker.rollback()


def test_the_register_says_what_is_not_used_and_why(ledger):
    sanction = ledger.fund(1000)
    asked = "SELECT available_now, not_used, not_used_because, closed_reason FROM ifms.fund_register"
    assert ledger.row(asked) == (1000, 1000, "EARLIER YEAR", None)
    with ledger.connect() as connection:
        connection.execute("UPDATE ifms.setting SET use_earlier_years = true")
    assert ledger.row(asked) == (1000, 0, None, None)
    close(ledger, sanction)
    assert ledger.row(asked) == (1000, 1000, "CLOSED", "sample")
