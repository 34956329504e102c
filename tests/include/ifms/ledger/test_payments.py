"""Payments that wait for their PI, and why."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from support import second_person
from support.ledger import LEASE, TENANT

from ifms.errors import BadInputError, ClaimLostError, LedgerError, SecondPersonError
from ifms.ledger import instructions, proposals
from ifms.ledger.claims import claim
from ifms.ledger.models import NewPayment, Payment
from ifms.ledger.payments import (
    DECLINED,
    REJECTED,
    UNPAID,
    Resubmission,
    ToldOtherwise,
    free_payments_of,
    hold_payment,
    needs_two,
    note_bill_numbers,
    payments_due,
    release_holds,
    remember_payments,
    spelled_otherwise,
)
from ifms.ledger.proposals import Act
from ifms.ledger.statuses import Event

NO_FUNDS = "PAYMENT_INSUFFICIENT_FUNDS"
BAD_PAYMENT = "PAYMENT_NOT_PAYABLE"


def new(number, amount=100, day=1):
    return NewPayment(TENANT, number, f"id-{number}", Decimal(amount), datetime(2024, 6, day, tzinfo=UTC))


def due(ledger, **conditions):
    values = {"tenants": None, "raised_from": None, "raised_to": None, "financial_year": "2024-25"} | conditions
    return ledger.db.transact(
        lambda c: claim(
            c, UNPAID, Payment, limit=10, lease=LEASE, sweep_started=datetime.now(UTC) + timedelta(days=1), **values
        )
    )


def test_the_oldest_comes_first_and_each_once(ledger):
    rows = [new("P3", day=3), new("P1", day=1), new("P2", day=2)]
    assert ledger.db.transact(lambda c: remember_payments(c, rows)) == []
    assert ledger.db.transact(lambda c: remember_payments(c, rows)) == []
    _, found = due(ledger)
    assert [payment.payment_number for payment in found] == ["P1", "P2", "P3"]


def test_another_amount_is_told_and_the_first_one_stands(ledger):
    ledger.db.transact(lambda c: remember_payments(c, [new("P1")]))
    changed = replace(new("P1"), amount=Decimal(999))
    assert ledger.db.transact(lambda c: remember_payments(c, [changed, new("P2")])) == [ToldOtherwise(changed)]
    assert ledger.one("SELECT amount FROM ifms.payment WHERE payment_number = 'P1'") == 100


def test_another_payment_under_a_known_number_is_told_and_an_import_knows_no_ids(ledger):
    first, second = new("P1"), replace(new("P1"), payment_id="another")
    assert ledger.db.transact(lambda c: remember_payments(c, [first, second])) == [ToldOtherwise(second)]
    assert ledger.db.transact(lambda c: remember_payments(c, [second])) == [ToldOtherwise(second)]
    assert ledger.one("SELECT payment_id FROM ifms.payment") == first.payment_id
    with ledger.connect() as connection:
        connection.execute("UPDATE ifms.payment SET hold_code = 'SAMPLE', hold_message = 'sample', held_since = now()")
    ledger.db.transact(lambda c: release_holds(c, ["P1"]))
    assert ledger.one("SELECT payment_id FROM ifms.payment") == first.payment_id
    with ledger.connect() as connection:
        connection.execute(
            "UPDATE ifms.payment SET hold_message = 's', held_since = now(), hold_code = %s", [BAD_PAYMENT]
        )
    ledger.db.transact(lambda c: release_holds(c, ["P1"]))
    assert ledger.db.transact(lambda c: remember_payments(c, [second])) == []
    ledger.db.transact(lambda c: remember_payments(c, [replace(new("P2"), payment_id="")]))
    assert ledger.db.transact(lambda c: remember_payments(c, [new("P2")])) == []


def test_a_payment_that_another_city_has_is_told_with_what_it_is_known_as(ledger):
    """The platform's ids are unique over all cities, and stay when a city gets another code."""
    gone = replace(new("P1"), tenant_id="od.gone")
    ledger.db.transact(lambda c: remember_payments(c, [gone]))
    renumbered = replace(new("P9"), payment_id=gone.payment_id)
    told = ledger.db.transact(lambda c: remember_payments(c, [new("P1"), new("P2"), renumbered]))
    assert [(each.told, each.known_as) for each in told] == [
        (new("P1"), ("od.gone", "P1")),
        (renumbered, ("od.gone", "P1")),
    ]
    assert [payment.payment_number for payment in due(ledger, tenants=[TENANT])[1]] == ["P2"]


def test_an_imported_payment_that_another_city_has_is_told(ledger):
    """Which id it has, nobody knows; so it stays as it is, and whichever binds the bill first is paid."""
    ledger.db.transact(lambda c: remember_payments(c, [replace(new("P1"), payment_id="")]))
    ledger.db.transact(lambda c: remember_payments(c, [replace(new("P1"), tenant_id="od.gone")]))
    [told] = ledger.db.transact(lambda c: remember_payments(c, [new("P1")]))
    assert told.known_as == ("od.gone", "P1")
    assert ledger.one("SELECT count(*) FROM ifms.payment") == 2


def test_a_period_and_cities_narrow_what_is_due(ledger):
    ledger.db.transact(lambda c: remember_payments(c, [new("P1", day=1), new("P2", day=2)]))
    _, found = due(ledger, raised_from=datetime(2024, 6, 2, tzinfo=UTC), raised_to=datetime(2024, 6, 3, tzinfo=UTC))
    assert [payment.payment_number for payment in found] == ["P2"]
    assert due(ledger, tenants=["od.sampleb"])[1] == []


def test_without_funds_it_is_due_again_only_when_money_is_there(ledger):
    payment, mine = ledger.payment(300, "P1")
    assert ledger.db.transact(lambda c: hold_payment(c, payment, mine, NO_FUNDS, "no money")) is True
    assert due(ledger)[1] == []
    ledger.fund(299)
    assert due(ledger)[1] == []
    ledger.fund(300, master="901")
    mine, (payment,) = due(ledger)
    assert ledger.db.transact(lambda c: hold_payment(c, payment, mine, NO_FUNDS, "no money")) is False


def test_a_hold_that_was_taken_over_is_not_written(ledger):
    payment, late = ledger.payment(300, "P1")
    ledger.claim_payment("P1")
    with pytest.raises(ClaimLostError):
        ledger.db.transact(lambda c: hold_payment(c, payment, late, "X", "x"))
    assert ledger.one("SELECT hold_code FROM ifms.payment") is None


def test_after_a_rejection_it_waits_for_a_person(ledger):
    payment, mine = ledger.payment(300, "P1")
    ledger.db.transact(lambda c: hold_payment(c, payment, mine, REJECTED, "the SSU said no"))
    assert due(ledger)[1] == []
    with pytest.raises(BadInputError, match="'P2' is not known"):
        ledger.db.transact(lambda c: release_holds(c, ["P1", "P2"]))
    assert due(ledger)[1] == []
    ledger.db.transact(lambda c: release_holds(c, ["P1"]))
    assert [payment.payment_number for payment in due(ledger)[1]] == ["P1"]


def test_a_city_releases_its_own_payments_alone(ledger):
    payment, mine = ledger.payment(300, "P1")
    ledger.db.transact(lambda c: hold_payment(c, payment, mine, REJECTED, "the SSU said no"))
    with pytest.raises(BadInputError, match="'P1' is not known"):
        ledger.db.transact(lambda c: release_holds(c, ["P1"], ["od.another"]))
    assert ledger.one("SELECT hold_code FROM ifms.payment") == REJECTED
    ledger.db.transact(lambda c: release_holds(c, ["P1"], [payment.tenant_id]))
    assert ledger.one("SELECT hold_code FROM ifms.payment") is None


def test_a_number_of_payments_in_two_cities_is_released_in_none_before_the_city_is_named(ledger):
    held = "UPDATE ifms.payment SET hold_code = 'PI_REJECTED', hold_message = 'sample', held_since = now()"
    theirs = replace(new("P1"), tenant_id="od.sampleb", payment_id="another")
    ledger.db.transact(lambda c: remember_payments(c, [new("P1"), theirs]))
    with ledger.connect() as connection:
        connection.execute(held)
    told = f"'P1' is one of {TENANT} and one of od.sampleb: name the one city"
    for cities in (None, [TENANT, "od.sampleb"]):
        with pytest.raises(BadInputError, match=told):
            ledger.db.transact(lambda c, cities=cities: release_holds(c, ["P1"], cities))
    assert ledger.one("SELECT count(*) FROM ifms.payment WHERE hold_code IS NULL") == 0
    ledger.db.transact(lambda c: release_holds(c, ["P1"], [TENANT]))
    assert ledger.one("SELECT tenant_id FROM ifms.payment WHERE hold_code IS NULL") == TENANT


def test_a_number_of_a_payment_with_a_pi_and_of_one_of_another_city_names_both(ledger):
    """Whoever means the first would have the second paid."""
    ledger.fund(1000)
    ledger.instruct(*ledger.payment(100, "P1"))
    ledger.db.transact(lambda c: remember_payments(c, [replace(new("P1"), tenant_id="od.sampleb")]))
    with pytest.raises(BadInputError, match="name the one city"):
        ledger.db.transact(lambda c: release_holds(c, ["P1"]))
    ledger.db.transact(lambda c: release_holds(c, ["P1"], ["od.sampleb"]))


def test_each_hold_is_a_try_and_keeps_the_bills_that_were_found(ledger):
    payment, mine = ledger.payment(300, "P1")
    ledger.db.transact(lambda c: note_bill_numbers(c, payment.tenant_id, "P1", ["WB/2", "WB/1"]))
    assert ledger.one("SELECT bill_numbers FROM ifms.payment") == ["WB/1", "WB/2"]
    ledger.db.transact(lambda c: hold_payment(c, payment, mine, DECLINED, "no"))
    assert ledger.one("SELECT (tries, bill_numbers) FROM ifms.payment") == ("1", "{WB/1,WB/2}")
    mine, (payment,) = due(ledger)
    ledger.db.transact(lambda c: hold_payment(c, payment, mine, DECLINED, "no", ["WB/3"]))
    assert ledger.one("SELECT (tries, bill_numbers) FROM ifms.payment") == ("2", "{WB/3}")


def test_after_a_decline_it_is_looked_at_again(ledger):
    payment, mine = ledger.payment(300, "P1")
    ledger.db.transact(lambda c: hold_payment(c, payment, mine, DECLINED, "the treasury said no"))
    assert [payment.hold_code for payment in due(ledger)[1]] == [DECLINED]


def test_somebody_waits_only_until_a_run_has_looked(ledger):
    assert not ledger.db.transact(payments_due)
    ledger.db.transact(lambda c: remember_payments(c, [new("P1")]))
    assert ledger.db.transact(payments_due)
    due(ledger)
    assert not ledger.db.transact(payments_due)


def test_a_pis_payment_is_freed_unless_it_has_a_live_pi(ledger):
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(100, "P1"))
    ledger.db.transact(lambda c: remember_payments(c, [new("P2")]))
    payment, mine = ledger.claim_payment("P2")
    ledger.db.transact(lambda c: hold_payment(c, payment, mine, REJECTED, "sample"))
    assert ledger.db.transact(lambda c: free_payments_of(c, [pi.pi_number], free=True)) == ["P1"]
    assert ledger.one("SELECT paid_by FROM ifms.payment WHERE payment_number = 'P1'") == pi.id
    assert ledger.one("SELECT hold_code FROM ifms.payment WHERE payment_number = 'P2'") == REJECTED
    with ledger.connect() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE ifms.payment SET paid_by = NULL, hold_code = %s, hold_message = 'x', held_since = now() "
            "WHERE payment_number = 'P1'",
            (REJECTED,),
        )
    ledger.db.transact(lambda c: free_payments_of(c, [pi.pi_number], free=False))
    assert ledger.one("SELECT hold_code FROM ifms.payment WHERE payment_number = 'P1'") == REJECTED
    ledger.db.transact(lambda c: free_payments_of(c, [pi.pi_number], free=True))
    assert ledger.one("SELECT hold_code FROM ifms.payment WHERE payment_number = 'P1'") is None
    with pytest.raises(BadInputError, match="PI-none"):
        ledger.db.transact(lambda c: free_payments_of(c, [pi.pi_number, "PI-none"], free=True))


def failed(ledger, pi):
    """The PI has FAILED, by whatever way, and its payment may have another."""
    with ledger.connect() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ifms.payment SET paid_by = NULL WHERE paid_by = %s", (pi.id,))
        connection.execute("UPDATE ifms.payment_instruction SET status = 'FAILED' WHERE id = %s", (pi.id,))


def test_an_approval_is_of_one_more_pi_after_the_last_one_and_of_none_after_that(ledger):
    """Of what befell the second one, nobody knew who approved."""
    ledger.fund(1000)
    second_person.needed(ledger.dsn, above_amount=Decimal(50))
    first, _ = ledger.instruct(*ledger.payment(100, "P1"))
    assert ledger.db.transact(lambda c: needs_two(c, TENANT, "P1")) is None
    failed(ledger, first)
    wanted = ledger.db.transact(lambda c: needs_two(c, TENANT, "P1"))
    assert wanted == Resubmission(Decimal(100), {"tenant": TENANT, "last_pi": first.pi_number})
    given = {"tenant_id": TENANT, "reason": "mended", "person": "asha", "amount": wanted.amount}

    def approved(connection):
        made = proposals.propose(connection, Act.RESUBMISSION, "P1", wanted.given, **given)
        return proposals.approve(connection, made.id, "ravi").id

    approvals = [ledger.db.transact(approved) for _ in range(2)]
    ledger.db.transact(lambda c: release_holds(c, ["P1"], approval=approvals[0]))
    second, _ = ledger.instruct(*ledger.claim_payment("P1"))
    failed(ledger, second)
    with pytest.raises(SecondPersonError, match="is not of this act .resubmission. as things stand"):
        ledger.db.transact(lambda c: release_holds(c, ["P1"], approval=approvals[1]))
    with pytest.raises(SecondPersonError, match="is not of this act"):
        ledger.db.transact(lambda c: free_payments_of(c, [first.pi_number], free=True, approval=approvals[1]))
    wanted = ledger.db.transact(lambda c: needs_two(c, TENANT, "P1"))
    assert wanted.given["last_pi"] == second.pi_number


def test_a_scope_of_payments_is_claimed_alone(ledger):
    ledger.db.transact(lambda c: remember_payments(c, [new("P1"), new("P2")]))
    _, none = due(ledger, payments=[])
    _, found = due(ledger, payments=["P2"])
    assert ([p.payment_number for p in none], [p.payment_number for p in found]) == ([], ["P2"])


@pytest.mark.parametrize(
    ("other", "uncertain", "held"),
    [("Initiated", None, True), ("FAILED", True, True), ("FAILED", False, False)],
    ids=["live", "in doubt", "refused"],
)
def test_a_number_in_other_letters_is_paid_by_one_pi_only(ledger, other, uncertain, held):
    ledger.fund(1000)
    pi, mine = ledger.instruct(*ledger.payment(100, "EP/0/2024-25/X"))
    if other == "FAILED":
        words = {"error_message": "sample", "last_attempt": "rejected"}
        ledger.db.transact(lambda c: instructions.advance(c, pi, mine, Event.DECLINED, **words))
        ledger.db.transact(lambda c: instructions.free_payment(c, pi, "PI_DECLINED", "sample"))
        with ledger.connect() as connection:
            connection.execute("SET session_replication_role = replica")  # as an import writes it
            connection.execute("UPDATE ifms.payment_instruction SET uncertain = %s", (uncertain,))
    payment, claimed = ledger.payment(100, "ep/0/2024-25/\u200bx")
    of = (payment.tenant_id, payment.payment_number)
    spelled = ledger.db.transact(lambda c: spelled_otherwise(c, [of, ("od.none", "EP/0/2024-25/x")]))
    assert spelled.keys() == ({of} if held else set())
    if held:
        assert f"from the number that PI {pi.pi_number} (" in spelled[of]
    with pytest.raises(LedgerError, match="differs only in") if held else nullcontext():
        ledger.instruct(payment, claimed)
