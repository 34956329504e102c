"""Until when a failure can be corrected, and the history of a beneficiary. End to end: services/test_cor.py."""

from datetime import date, timedelta

import psycopg
import pytest

from ifms.ledger import corrections
from ifms.ledger.corrections import correct_by
from ifms.ledger.database import Database

DAY = timedelta(days=1)

# The day of the failure, and the last day of its correction: 90 days, or 30 April of the next financial year.
TABLE = [
    ("2026-06-01", "2026-08-30"),
    ("2026-04-01", "2026-06-30"),  # the first day of a financial year
    ("2026-12-31", "2027-03-31"),  # 90 days reach over the year's end
    ("2027-01-01", "2027-04-01"),
    ("2027-01-29", "2027-04-29"),  # the day before both rules meet
    ("2027-01-30", "2027-04-30"),  # 90 days end on 30 April
    ("2027-01-31", "2027-04-30"),  # 90 days would be 1 May
    ("2027-02-28", "2027-04-30"),
    ("2027-03-31", "2027-04-30"),  # the last day of a financial year: 30 days are left
    ("2027-04-01", "2027-06-30"),  # the next day: 90 again
    ("2028-01-30", "2028-04-29"),  # a leap year: 29 February is one of the 90 days
    ("2028-01-31", "2028-04-30"),
    ("2028-02-01", "2028-04-30"),
    ("2028-02-29", "2028-04-30"),
    ("2027-12-01", "2028-02-29"),
]


@pytest.mark.parametrize(("failed_on", "until"), TABLE)
def test_the_earlier_of_90_days_and_30_april(failed_on, until):
    assert correct_by(date.fromisoformat(failed_on)) == date.fromisoformat(until)


def test_the_database_has_the_same_rule_on_every_day_of_three_years(ledger):
    with psycopg.connect(ledger.dsn) as connection:
        theirs = dict(
            connection.execute(
                """
                SELECT day::date, ifms.correct_by(day::date)
                FROM generate_series('2026-04-01'::timestamp, '2029-03-31', '1 day') AS day
                """
            ).fetchall()
        )
    assert len(theirs) == 3 * 365 + 1
    assert theirs == {day: correct_by(day) for day in theirs}
    assert all(day + 30 * DAY <= until <= day + 90 * DAY for day, until in theirs.items())


@pytest.fixture
def look(adapter):
    """`look(question, *values)`: what a function of the module answers now."""

    def ask(question, *values):
        with Database(lambda: psycopg.connect(adapter.dsn)) as db:
            return db.transact(lambda c: question(c, *values))

    return ask


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_failures_and_histories_of_an_original(adapter, look):
    from support import failed
    from support.ledger import TENANT

    failed.paid_and_failed(adapter, payees=2)
    pi = failed.original(adapter)
    [known] = [row for row in look(_all_instructions) if row.id == pi["id"]]
    assert look(corrections.originals_with_failures, None) == [(TENANT, pi["pi_number"])]
    assert look(corrections.originals_with_failures, ["od.sampleb"]) == []
    histories = look(corrections.histories, known)
    assert sorted(number for number, each in histories.items() if each.last.failed) == failed.failing(adapter)
    assert {len(each.tries) for each in histories.values()} == {1}
    assert look(corrections.revision_under_way, known) is None

    failed.mend(adapter)
    adapter.correct()
    [revision] = failed.revisions(adapter)
    assert look(corrections.originals_with_failures, None) == []
    assert look(corrections.revision_under_way, known) == revision["pi_number"]
    taken_over = [each for each in look(corrections.histories, known).values() if len(each.tries) == 2]
    [history] = taken_over
    assert (history.first.pi.pi_number, history.last.pi.pi_number) == (pi["pi_number"], revision["pi_number"])
    before = look(corrections.histories, known, revision["created_at"])
    assert {len(each.tries) for each in before.values()} == {1}


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_an_original_with_two_failures_is_told_once(adapter, look):
    from support import failed
    from support.ledger import TENANT

    failed.paid_and_failed(adapter, payees=3, failures=2)
    number = failed.original(adapter)["pi_number"]
    assert len(failed.failing(adapter)) == 2
    assert look(corrections.originals_with_failures, [TENANT]) == [(TENANT, number)]


def _all_instructions(connection):
    from dataclasses import fields

    from psycopg.rows import class_row

    from ifms.ledger.models import PaymentInstruction

    names = ", ".join(f.name for f in fields(PaymentInstruction))
    with connection.cursor(row_factory=class_row(PaymentInstruction)) as cursor:
        return cursor.execute(f"SELECT {names} FROM ifms.payment_instruction").fetchall()
