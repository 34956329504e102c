"""The settings that the database must know, too: one row, equal to the connection's. By what it says: test_corrections."""

from dataclasses import dataclass

import psycopg
import pytest
from support.databases import as_worker

from ifms.ledger import settings


@dataclass(frozen=True)
class Given:
    use_earlier_years: bool = False
    correction_days: int = 90
    correction_last_month_and_day: tuple[int, int] = (4, 30)


def test_what_a_connection_does_not_say_is_the_default_of_the_database(ledger):
    assert ledger.db.transact(lambda c: settings.adopt(c, Given())) is False


@pytest.mark.parametrize(
    "given",
    [
        Given(use_earlier_years=True),
        Given(correction_days=91),
        Given(correction_last_month_and_day=(5, 30)),
        Given(correction_last_month_and_day=(4, 29)),
    ],
)
def test_each_of_them_is_written_once(ledger, given):
    assert ledger.db.transact(lambda c: settings.adopt(c, given)) is True
    assert ledger.db.transact(lambda c: settings.adopt(c, given)) is False
    row = ledger.row(
        "SELECT use_earlier_years, correction_days, correction_last_month, correction_last_day FROM ifms.setting"
    )
    assert row == (given.use_earlier_years, given.correction_days, *given.correction_last_month_and_day)


def test_the_settings_are_one_row_that_stays(ledger):
    for statement in (
        "DELETE FROM ifms.setting",
        "INSERT INTO ifms.setting DEFAULT VALUES",
        "UPDATE ifms.setting SET correction_days = 0",
        "UPDATE ifms.setting SET correction_last_month = 2, correction_last_day = 29",
    ):
        with ledger.connect() as connection, pytest.raises(psycopg.Error):
            connection.execute(statement)
    with psycopg.connect(as_worker(ledger.dsn)) as worker, pytest.raises(psycopg.errors.InsufficientPrivilege):
        worker.execute("INSERT INTO ifms.setting DEFAULT VALUES")
