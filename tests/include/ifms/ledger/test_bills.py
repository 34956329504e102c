"""One payment per bill."""

import time
from datetime import timedelta

import psycopg
import pytest
from support.ledger import LEASE, TENANT

from ifms.errors import ConflictError
from ifms.ledger.bills import bills_elsewhere, bind_bills, claim_bills, give_up_bill, never_stored


def claimed(ledger, *ids, lease=LEASE):
    return ledger.db.transact(lambda c: claim_bills(c, TENANT, ids, lease))


def take(ledger, *ids, lease=LEASE):
    return set(claimed(ledger, *ids, lease=lease)[1])


def test_only_one_run_may_ask_for_a_bill(ledger):
    assert take(ledger, "B1", "B2") == {"B1", "B2"}
    assert take(ledger, "B1", "B2", "B3") == {"B3"}


def test_a_refused_bill_is_free_again_and_an_unsure_one_after_its_lease(ledger):
    mine, bills = claimed(ledger, "B1")
    ledger.db.transact(lambda c: give_up_bill(c, bills["B1"], mine))
    assert take(ledger, "B1", lease=timedelta(milliseconds=1)) == {"B1"}
    time.sleep(0.02)
    assert take(ledger, "B1") == {"B1"}


def test_since_when_a_bill_is_refused_as_paid_is_kept(ledger):
    mine, bills = claimed(ledger, "B1", "B2")
    assert {bill.duplicate_since for bill in bills.values()} == {None}
    ledger.db.transact(lambda c: give_up_bill(c, bills["B1"], mine, duplicate=True))
    ledger.db.transact(lambda c: give_up_bill(c, bills["B2"], mine))
    mine, bills = claimed(ledger, "B1", "B2")
    since = bills["B1"].duplicate_since
    assert since is not None
    assert bills["B2"].duplicate_since is None
    ledger.db.transact(lambda c: give_up_bill(c, bills["B1"], mine, duplicate=True))
    _, bills = claimed(ledger, "B1")
    assert bills["B1"].duplicate_since == since


def test_a_bill_with_its_payment_is_never_free_and_never_paid_by_another(ledger):
    ledger.db.transact(lambda c: bind_bills(c, TENANT, {"P1": ["B1"]}))
    ledger.db.transact(lambda c: bind_bills(c, TENANT, {"P1": ["B1", "B1"]}))
    assert take(ledger, "B1") == set()
    with pytest.raises(ConflictError, match=f"P2 of {TENANT} pays bill B1, which payment P1 of {TENANT} pays"):
        ledger.db.transact(lambda c: bind_bills(c, TENANT, {"P2": ["B1", "B2"]}))
    assert ledger.one("SELECT count(*) FROM ifms.bill") == 1
    with ledger.connect() as connection, pytest.raises(psycopg.errors.CheckViolation, match="is paid by payment P1"):
        connection.execute("UPDATE ifms.bill SET payment_number = 'P2'")


def test_a_bill_of_a_city_with_another_code_is_the_same_bill(ledger):
    """The platform's ids are unique over all cities, and stay when a city gets another code."""
    ledger.db.transact(lambda c: bind_bills(c, "od.gone", {"P1": ["B1"]}))
    assert take(ledger, "B1", "B2") == {"B2"}
    told = f"P1 of {TENANT} pays bill B1, which payment P1 of od.gone pays already"
    with pytest.raises(ConflictError, match=told):
        ledger.db.transact(lambda c: bind_bills(c, TENANT, {"P1": ["B1"]}))
    with ledger.connect() as connection, pytest.raises(psycopg.errors.CheckViolation, match="payment P1 of od.gone"):
        connection.execute("UPDATE ifms.bill SET tenant_id = %s WHERE bill_id = 'B1'", (TENANT,))
    assert ledger.row("SELECT tenant_id, payment_number FROM ifms.bill WHERE bill_id = 'B1'") == ("od.gone", "P1")


def test_bills_that_another_city_has_are_named_with_what_pays_them(ledger):
    ledger.db.transact(lambda c: bind_bills(c, "od.gone", {"P1": ["B1"]}))
    ledger.db.transact(lambda c: claim_bills(c, "od.gone", ["B2"], LEASE))
    take(ledger, "B3")
    named = ledger.db.transact(lambda c: bills_elsewhere(c, TENANT, ["B1", "B2", "B3", "B4"]))
    assert named == [("B1", "od.gone", "P1"), ("B2", "od.gone", None)]


def test_a_bill_that_no_payment_pays_is_the_city_s_whose_payment_comes_first(ledger):
    ledger.db.transact(lambda c: claim_bills(c, "od.gone", ["B1", "B2"], LEASE))
    ledger.db.transact(lambda c: bind_bills(c, TENANT, {"P1": ["B1"]}))
    assert ledger.row("SELECT tenant_id, payment_number FROM ifms.bill WHERE bill_id = 'B1'") == (TENANT, "P1")
    with pytest.raises(ConflictError, match=f"P1 of od.gone pays bill B1, which payment P1 of {TENANT} pays already"):
        ledger.db.transact(lambda c: bind_bills(c, "od.gone", {"P1": ["B1"]}))
    with ledger.connect() as connection, pytest.raises(psycopg.errors.CheckViolation, match="without a payment"):
        connection.execute("UPDATE ifms.bill SET tenant_id = %s WHERE bill_id = 'B2'", (TENANT,))


def test_an_announcement_that_was_never_stored_is_found_after_an_hour(ledger):
    ledger.db.transact(lambda c: bind_bills(c, TENANT, {"P1": ["B1"]}))
    assert ledger.db.transact(lambda c: never_stored(c, TENANT, ["B1"])) == []
    with ledger.connect() as connection:
        connection.execute("UPDATE ifms.bill SET asked_at = now() - interval '61 minutes'")
    assert ledger.db.transact(lambda c: never_stored(c, TENANT, ["B1", "B2"])) == [("B1", "P1")]
