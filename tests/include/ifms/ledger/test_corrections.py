"""Until when a failure can be corrected, and the history of a beneficiary. End to end: services/test_cor.py."""

from contextlib import suppress
from datetime import date

import psycopg
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from support.databases import rewrite
from support.failed import last_day

from ifms import clock
from ifms.errors import SweepUnreachableError
from ifms.ledger import corrections, settings
from ifms.ledger.corrections import correct_by
from ifms.ledger.database import Database
from ifms.ledger.runs import RunContext
from ifms.ledger.statuses import PiStatus
from ifms.treasury.config import TreasuryConfig

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


def test_the_earlier_of_90_days_and_30_april(module_ledger_dsn):
    table = {date.fromisoformat(failed_on): date.fromisoformat(until) for failed_on, until in TABLE}
    with psycopg.connect(module_ledger_dsn) as connection:
        assert correct_by(connection, table) == table
    assert {day: last_day(day) for day in table} == table


@pytest.fixture(scope="module")
def config():
    """`config(**changes)`: a connection to the treasury."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    return lambda **changes: TreasuryConfig(
        "https://treasury.example", "sample-client", "sample-secret", pem, **changes
    )


SETTINGS = [
    {},
    {"correction_days": 60},
    {"correction_days": 120, "correction_last_day": "05-15"},
    {"correction_days": 365, "correction_last_day": "03-31"},  # of the year that follows the failure's
    {"correction_days": 3650, "correction_last_day": "04-01"},
    {"correction_days": 400, "correction_last_day": "02-28"},
]


@pytest.mark.parametrize("changes", SETTINGS, ids=str)
def test_the_rule_is_that_of_the_connection_on_every_day_of_three_years(ledger, config, changes):
    """What the code asks, the database's own function and the view's reckoning are one, and reckoned anew here."""
    made = config(**changes)
    assert ledger.db.transact(lambda c: settings.adopt(c, made)) is bool(changes)
    assert ledger.db.transact(lambda c: settings.adopt(c, made)) is False
    month, day = made.correction_last_month_and_day
    with psycopg.connect(ledger.dsn) as connection:
        rows = connection.execute(
            """
            SELECT day::date, ifms.correct_by(day::date),
                   ifms.correct_by(day::date, o.correction_days, o.correction_last_month, o.correction_last_day)
            FROM generate_series('2026-04-01'::timestamp, '2029-03-31', '1 day') AS day, ifms.setting o
            """
        ).fetchall()
        ours = correct_by(connection, [row[0] for row in rows])
    assert len(rows) == 3 * 365 + 1
    assert [row for row in rows if row[1] != row[2]] == []
    assert ours == {row[0]: row[1] for row in rows}
    assert ours == {failed_on: last_day(failed_on, made.correction_days, month, day) for failed_on in ours}


def test_sql_and_python_mean_the_same_financial_year(module_ledger_dsn):
    with psycopg.connect(module_ledger_dsn) as connection:
        rows = connection.execute(
            "SELECT day::date, ifms.financial_year(day::date) FROM generate_series('2000-01-01'::timestamp, "
            "'2099-12-31', '1 day') AS day"
        ).fetchall()
    wrong = [row for row in rows if row[1] != clock.financial_year_label(clock.financial_year(row[0]))]
    assert (len(rows), wrong) == (36525, [])


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
    for status, due in (("IN PROCESS", 0), ("COMPLETED", 1), ("PARTIAL", 1)):
        rewrite(adapter.dsn, "UPDATE ifms.payment_instruction SET status = %s", [status])
        assert look(corrections.originals_with_failures, None) == [(TENANT, pi["pi_number"])] * due
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


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_what_pays_an_original_s_failures_is_on_its_way_until_it_is_paid_or_failed(adapter, look):
    from support import failed

    failed.paid_and_failed(adapter, payees=2)
    failed.mend(adapter)
    adapter.correct()
    [revision] = failed.revisions(adapter)
    [known] = [row for row in look(_all_instructions) if row.id != revision["id"]]

    def on_its_way():
        found = set()
        for status in PiStatus:
            change = "UPDATE ifms.payment_instruction SET status = %s, is_active = %s WHERE id = %s"
            rewrite(adapter.dsn, change, [status, status != PiStatus.FAILED, revision["id"]])
            if look(corrections.revision_under_way, known) == revision["pi_number"]:
                found.add(str(status))
        return found

    assert on_its_way() == {"PENDING", "INITIATED"}
    rewrite(
        adapter.dsn,
        "UPDATE ifms.payment_instruction SET pi_type = 'ORIGINAL', repayment_of = parent_pi_number, "
        "parent_pi_number = NULL, org_bill_ref_number = NULL, org_bill_date = NULL WHERE pi_type = 'REVISED'",
    )
    assert on_its_way() == {"PENDING", "INITIATED", "APPROVED", "IN PROCESS"}


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_what_a_run_has_made_is_known_to_its_later_sweeps_alone(adapter, treasury, look):
    from support import failed

    failed.paid_and_failed(adapter, payees=2)
    failed.mend(adapter)
    number = failed.original(adapter)["pi_number"]

    def sweep(*context, work=False):
        made = adapter.sweep("COR")
        made.context = RunContext(*context)
        with suppress(SweepUnreachableError), made:
            if work:
                adapter.work(made)
        return made.run.id

    before, another = sweep("ifms_cor", "one"), sweep("ifms_cor", "two")
    assert look(corrections.made_by_run, number, before) is None
    treasury.rule("COR", "refuse")
    sweep("ifms_cor", "one", work=True)
    treasury.clear()
    sweep("ifms_cor", "two", work=True)  # sends it again
    [revision] = failed.revisions(adapter)
    assert revision["status"] == "INITIATED"
    assert look(corrections.made_by_run, number, sweep("ifms_cor", "one")) == revision["pi_number"]
    for other in (("ifms_cor", "two"), ("ifms_pi", "one"), (None, None)):
        assert look(corrections.made_by_run, number, sweep(*other)) is None
    assert look(corrections.made_by_run, "PI-none", before) is None

    adapter.run("FTPS")
    rewrite(adapter.dsn, "UPDATE ifms.treasury_call SET sweep_run_id = %s WHERE service_id = 'FTPS'", [another])
    failed.fail(adapter, "all", revision["pi_number"])
    adapter.run("FTFPS")
    failed.mend(adapter, account="000099990009")
    sweep("ifms_cor", "one", work=True)
    last = failed.revisions(adapter)[1]["pi_number"]
    assert look(corrections.made_by_run, number, before) == last
    assert look(corrections.made_by_run, number, another) is None  # it has sent the first again, and asked about it
    rewrite(
        adapter.dsn,
        "UPDATE ifms.payment_instruction SET status = 'FAILED', is_active = false WHERE pi_number = %s",
        [last],
    )
    assert look(corrections.made_by_run, number, before) == revision["pi_number"]  # the treasury has declined the last


def _all_instructions(connection):
    from dataclasses import fields

    from psycopg.rows import class_row

    from ifms.ledger.models import PaymentInstruction

    names = ", ".join(f.name for f in fields(PaymentInstruction))
    with connection.cursor(row_factory=class_row(PaymentInstruction)) as cursor:
        return cursor.execute(f"SELECT {names} FROM ifms.payment_instruction").fetchall()
