"""The ledger as it stood: a transaction that began before is waited for, and nothing of later counts."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from support.databases import as_reader, as_worker
from support.ledger import Ledger
from support.reported import Reported

from ifms import clock
from ifms.errors import BadInputError
from ifms.ledger import session
from ifms.ledger.database import Database
from ifms.reports import point_in_time


def test_statuses_as_they_were_after_each_step(reported: Reported):
    def statuses(step: str) -> Counter[str]:
        rows = reported.adapter.rows(
            f"SELECT st.status, st.since FROM ifms.payment_instruction p {point_in_time.state('p', 'st')} "
            "WHERE p.created_at < %(as_of)s".replace("%(as_of)s", "%s"),
            *[reported.at(step)] * 2,
        )
        assert all(row["since"] < reported.at(step) for row in rows)
        return Counter(row["status"] for row in rows)

    assert statuses("allotted") == {}
    assert statuses("initiated") == {"INITIATED": 1}
    assert statuses("approved") == {"APPROVED": 1}
    assert statuses("paid") == {"SUCCESSFUL": 1}
    assert statuses("failed") == {"PARTIAL": 1}
    assert statuses("revised") == {"COMPLETED": 1, "INITIATED": 1}
    assert statuses("corrected") == {"COMPLETED": 1, "SUCCESSFUL": 1}
    assert statuses("pending")["PENDING"] == 1
    assert statuses("settled") == reported.adapter.statuses()


def test_a_transaction_that_began_before_is_waited_for(ledger: Ledger):
    writing = psycopg.connect(as_worker(ledger.dsn))
    writing.execute("SELECT pg_current_xact_id()")
    as_of = clock.now()
    pauses: list[float] = []

    def commit(pause: float) -> None:
        pauses.append(pause)
        if len(pauses) == 2:
            writing.commit()

    assert point_in_time.wait_until_settled(ledger.db, as_of, commit)
    assert len(pauses) in (2, 3)  # what the server shows of a session may lag a moment
    writing.close()


def test_who_is_not_told_when_others_began_waits_for_those_that_write(ledger: Ledger):
    """A reader is told of another login's transaction that it writes, and not since when."""
    with Database(lambda: session.connect(as_reader(ledger.dsn))) as reads:
        with psycopg.connect(as_worker(ledger.dsn)) as writing:
            writing.execute("SELECT pg_current_xact_id()")
            pauses: list[float] = []

            def commit(pause: float) -> None:
                pauses.append(pause)
                if len(pauses) == 2:
                    writing.commit()
                if len(pauses) > 2:  # one that began later is not waited for
                    later.execute("SELECT pg_current_xact_id()")

            with psycopg.connect(as_worker(ledger.dsn)) as later:
                assert point_in_time.wait_until_settled(reads, clock.now(), commit)
        assert len(pauses) in (2, 3)


def test_patience_ends(ledger: Ledger):
    with psycopg.connect(as_worker(ledger.dsn)) as writing:
        writing.execute("SELECT pg_current_xact_id()")
        assert not point_in_time.wait_until_settled(ledger.db, clock.now(), lambda _: None)


def test_one_that_began_after_or_only_reads_is_not_waited_for(ledger: Ledger):
    with psycopg.connect(as_worker(ledger.dsn)) as reading, psycopg.connect(as_worker(ledger.dsn)) as later:
        reading.execute("SELECT FROM ifms.payment")
        as_of = clock.now()
        threading.Event().wait(0.01)
        later.execute("SELECT pg_current_xact_id()")
        assert point_in_time.wait_until_settled(ledger.db, as_of, lambda _: pytest.fail("it waits"))


def test_what_is_yet_to_come_is_refused(ledger: Ledger):
    with pytest.raises(BadInputError, match=r"IST is yet to come: a report tells what was known then"):
        point_in_time.wait_until_settled(ledger.db, clock.now() + timedelta(minutes=5))


def test_a_month_is_that_of_the_treasurys_clock():
    assert point_in_time.month(datetime(2026, 3, 31, 18, 29, 59, tzinfo=UTC)) == "2026-03"
    assert point_in_time.month(datetime(2026, 3, 31, 18, 30, tzinfo=UTC)) == "2026-04"
