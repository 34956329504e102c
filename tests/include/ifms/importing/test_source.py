"""The Java adapter's tables are read as they are, or it is said what is missing."""

from __future__ import annotations

from datetime import UTC, date, datetime

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from support.java import imported, statuses, take_over
from support.java_rows import MASTERS

from ifms.errors import BadInputError, ConfigurationError
from ifms.importing import source
from ifms.importing.source import Masters


def test_a_sanction_without_masters_is_named(java_world, here):
    report = take_over(here.dsn, java_world.database, Masters(frozenset(), java_world.masters.schemes))
    assert {"sanction", "payment", "row"} == {misfit.scope for misfit in report.misfits}
    assert statuses(here) == {("ORIGINAL", "FAILED"): 1}  # the one that moved no money
    assert any("no spending unit" in misfit.why for misfit in report.misfits)


def test_a_schema_without_the_tables_is_named(java_world, here):
    with pytest.raises(ConfigurationError, match="no table elsewhere.jit_sanction_details"):
        imported(java_world, here, schema="elsewhere")


JANUARY, DECEMBER = datetime(2000, 1, 2, tzinfo=UTC), datetime(2099, 12, 30, 23, 59, 59, tzinfo=UTC)
READ = {
    "instant_of": {
        "946771199": None,
        "946771200": JANUARY,
        "4102358399": DECEMBER,
        "4102358400": None,
        "946771199999": None,
        "946771200000": JANUARY,
        "4102358399000": DECEMBER,
        "4102358400000": None,
        "1": None,
        None: None,
    },
    "day_of": {
        "2026-02-28": date(2026, 2, 28),
        "2026-01-05 by name": date(2026, 1, 5),
        "2026-02-30": None,
        "1999-12-31": None,
        "2026-1-1": None,
        "on 2026-01-01": None,
        None: None,
    },
    "year_of": {
        date(2026, 3, 31): "2025-26",
        date(2026, 4, 1): "2026-27",
        date(2099, 4, 1): "2099-00",
        date(2008, 4, 1): "2008-09",
    },
    "text_of": {"": None, " null ": None, "NULL": None, "null value": "null value", " x ": " x ", None: None},
    "number_of": {"": None, " null ": None, " x ": "x", None: None},
}


def test_what_is_told_as_text_is_read_as_what_it_says_or_as_nothing(rows):
    """Earlier versions of the Java adapter wrote seconds, 'null', and 1 for a date that they could not read."""
    with rows.taken_over() as (_, look):
        for name, texts in READ.items():
            read = {text: look(f"SELECT pg_temp.{name}(%s) AS x", text)[0]["x"] for text in texts}
            assert read == texts, name


def test_all_tables_are_read_as_they_stood_at_one_moment_and_nothing_is_held_longer(rows, monkeypatch):
    copy = source._copy

    def copy_and_change(target, there, schema, table):
        copy(target, there, schema, table)
        if table == "jit_payment_inst_details":  # the Java adapter was not stopped after all
            rows.database.run("UPDATE jit_beneficiary_details SET amount = amount + 1, paymentstatus = 'x'")

    monkeypatch.setattr(source, "_copy", copy_and_change)
    with (
        psycopg.connect(rows.database.dsn, autocommit=True) as there,
        rows.ledger.transaction(force_rollback=True),
    ):
        source.stage(rows.ledger, there, "public", MASTERS, ())
        assert there.info.transaction_status == TransactionStatus.IDLE
        told = rows.ledger.execute("SELECT sum(amount), min(reported_status) FROM java_beneficiary").fetchone()
    assert told == (10 * 100 + 2 * 40, "Payment Failed")


def test_a_number_of_no_sanction_is_named(rows):
    with pytest.raises(BadInputError, match="--by-rows M-none: "), rows.taken_over("M-s2", "M-none", "M-gone"):
        pass


WITHHELD = """
    INSERT INTO ifms.import_withheld (tenant_id, payment_number, hoa_code, ddo_code, master_allotment_id, amount, reason,
        settled_at)
    VALUES ('od.sample', 'GONE', 'H1', 'D1', 'M-s1', 100, 'sample', NULL),
           ('od.sample', 'GONE', 'H1', 'D1', 'M-s2', 100, 'sample', NULL),  -- a payment may have spent of two sanctions
           ('od.sample', 'ALSO', 'H1', 'D1', 'M-s1', 100, 'sample', NULL),
           ('od.sample', 'SETTLED', 'H1', 'D1', 'M-s1', 100, 'sample', now())
"""


@pytest.mark.parametrize("names", [[], ["GONE"], ["ALSO", "GONE"]])
def test_what_was_removed_there_is_noted(rows, names):
    with rows.ledger.transaction(force_rollback=True):
        rows.ledger.execute(WITHHELD)
        source.note_removed(rows.ledger, names)
        noted = rows.ledger.execute("SELECT tenant_id, name FROM java_removed ORDER BY name").fetchall()
        assert noted == [("od.sample", name) for name in names]


def test_what_was_removed_there_is_of_one_city(rows):
    with rows.ledger.transaction(force_rollback=True):
        rows.ledger.execute(WITHHELD)
        rows.ledger.execute(
            "INSERT INTO ifms.import_withheld (tenant_id, payment_number, reason) VALUES ('od.other', 'GONE', 'sample')"
        )
        with pytest.raises(BadInputError, match="^--removed GONE: it is withheld in od.other and od.sample; name the"):
            source.note_removed(rows.ledger, ["GONE"])
        with pytest.raises(BadInputError, match="^--removed ALSO: no payment of this number is withheld here"):
            source.note_removed(rows.ledger, ["ALSO"], "od.other")
        source.note_removed(rows.ledger, ["GONE"], "od.other")
        assert rows.ledger.execute("SELECT * FROM java_removed").fetchall() == [("od.other", "GONE")]


@pytest.mark.parametrize("names", [["ANOTHER", "GONE"], ["GONE", "ANOTHER"], ["SETTLED"]])
def test_a_payment_that_is_not_withheld_can_not_have_been_removed(rows, names):
    [unknown] = set(names) - {"GONE"}
    with rows.ledger.transaction(force_rollback=True):
        rows.ledger.execute(WITHHELD)
        with pytest.raises(BadInputError, match=f"^--removed {unknown}: no payment of this number is withheld here"):
            source.note_removed(rows.ledger, names)
