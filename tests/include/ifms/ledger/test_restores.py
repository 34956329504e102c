"""What a restored ledger may have forgotten: told one by one, and cleared one by one."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from support import second_person
from support.databases import as_worker, rewrite
from support.keys import KEYRING
from support.ledger import DDO, HEAD, LEASE, TENANT, beneficiary

from ifms import clock
from ifms.errors import (
    AdoptionRefusedError,
    BadInputError,
    ConflictError,
    LedgerError,
    LedgerMovedError,
    SecondPersonError,
)
from ifms.ledger import beneficiaries, funds, instructions, outbox, payments, proposals, restores, runs
from ifms.ledger.beneficiaries import Failure, Scroll
from ifms.ledger.bills import claim_bills
from ifms.ledger.claims import Claim
from ifms.ledger.database import Database
from ifms.ledger.models import NewPayment, Payment
from ifms.ledger.proposals import Act
from ifms.ledger.runs import RunContext
from ifms.ledger.statuses import BeneficiaryStatus, Event


def test_a_payment_is_in_doubt_until_it_is_cleared(ledger):
    ledger.fund(1000)
    payment, _ = ledger.payment(100)
    done = ledger_owner(ledger, lambda c: restores.begin(c, "sample"))
    assert (done.last_known, done.held_back) == (None, 0)
    assert listed(ledger) == [payment.payment_number]
    again, claim = ledger.claim_payment(payment.payment_number)
    with pytest.raises(LedgerError, match="was restored"):
        ledger.instruct(again, claim)
    ledger_owner(ledger, lambda c: restores.clear(c, payment.payment_number, "asked", "sample"))
    assert ledger.db.transact(restores.in_doubt) == []
    again, claim = ledger.claim_payment(payment.payment_number)
    ledger.instruct(again, claim)
    with pytest.raises(BadInputError, match="is not in doubt"):
        ledger_owner(ledger, lambda c: restores.clear(c, payment.payment_number, "asked", "sample"))


def test_clearing_needs_a_second_person(ledger):
    ledger.payment(100, "EP/1")
    with ledger.connect() as owner, owner.transaction():
        restores.begin(owner, "sample")
    second_person.needed(ledger.dsn)
    with ledger.connect() as owner:
        with pytest.raises(SecondPersonError, match="EP/1: this needs a second person .release."):
            restores.clear(owner, "EP/1", "not at the treasury", "root")
        given = {"tenant_id": None, "reason": "not in the treasury's list", "person": "asha"}
        made = proposals.propose(owner, Act.RELEASE, "EP/1", {"tenant": TENANT, "kind": "PAYMENT"}, **given)
        with pytest.raises(SecondPersonError, match="is not approved"):
            restores.clear(owner, "EP/1", "not at the treasury", "root", made.id)
        proposals.approve(owner, made.id, "ravi")
        restores.clear(owner, "EP/1", "not at the treasury", "root", made.id)
    said = "SELECT os_user, reason FROM ifms.restore_cleared"
    assert ledger.row(said) == ("asha, approved by ravi, by root", "not in the treasury's list")


@pytest.fixture
def two_cities(ledger):
    """Payments of one number in two cities, both in doubt."""
    for city in (TENANT, "od.sampleb"):
        told = NewPayment(city, "EP/1", str(uuid.uuid4()), Decimal(100), NOW - timedelta(days=9))
        ledger.db.transact(lambda c, told=told: payments.remember_payments(c, [told]))
    begin(ledger)
    return ledger


def test_a_number_of_two_cities_is_cleared_in_the_one_that_is_named(two_cities):
    with pytest.raises(BadInputError, match=f"'EP/1' is in doubt in {TENANT} and od.sampleb: name the city"):
        ledger_owner(two_cities, lambda c: restores.clear(c, "EP/1", "asked", "sample"))
    with pytest.raises(BadInputError, match="'EP/1' of od.gone is not in doubt"):
        ledger_owner(two_cities, lambda c: restores.clear(c, "EP/1", "asked", "sample", tenant_id="od.gone"))
    ledger_owner(two_cities, lambda c: restores.clear(c, "EP/1", "asked", "sample", tenant_id=TENANT))
    [left] = two_cities.db.transact(restores.in_doubt)
    assert (left.number, left.tenant_id) == ("EP/1", "od.sampleb")
    ledger_owner(two_cities, lambda c: restores.clear(c, "EP/1", "asked", "sample"))
    assert two_cities.db.transact(restores.in_doubt) == []
    assert two_cities.one("SELECT count(*) FROM ifms.restore_cleared") == 2


def test_what_was_approved_of_one_city_clears_no_payment_of_another(two_cities):
    second_person.needed(two_cities.dsn)
    given = {"tenant_id": None, "reason": "not in the treasury's list", "person": "asha"}
    made = ledger_owner(
        two_cities, lambda c: proposals.propose(c, Act.RELEASE, "EP/1", {"tenant": TENANT, "kind": "PAYMENT"}, **given)
    )
    ledger_owner(two_cities, lambda c: proposals.approve(c, made.id, "ravi"))
    theirs = {"tenant": "od.sampleb", "kind": "PAYMENT"}
    assert two_cities.db.transact(lambda c: proposals.approved_of(c, Act.RELEASE, "EP/1", theirs)) is None
    with pytest.raises(SecondPersonError, match="is not of this act"):
        ledger_owner(two_cities, lambda c: restores.clear(c, "EP/1", "asked", "root", made.id, tenant_id="od.sampleb"))
    ledger_owner(two_cities, lambda c: restores.clear(c, "EP/1", "asked", "root", made.id, tenant_id=TENANT))


def test_what_was_approved_before_another_restore_clears_nothing(ledger):
    """It may have been cleared and paid since the backup that has the approval in it."""
    ledger.payment(100, "EP/1")
    ledger_owner(ledger, lambda c: restores.begin(c, "sample"))
    second_person.needed(ledger.dsn)
    given = {"tenant_id": None, "reason": "not in the treasury's list", "person": "asha"}
    here = {"tenant": TENANT, "kind": "PAYMENT"}
    made = ledger_owner(ledger, lambda c: proposals.propose(c, Act.RELEASE, "EP/1", here, **given))
    ledger_owner(ledger, lambda c: proposals.approve(c, made.id, "ravi"))
    assert ledger.db.transact(lambda c: proposals.approved_of(c, Act.RELEASE, "EP/1", here)) == made.id
    ledger_owner(ledger, lambda c: restores.begin(c, "sample"))
    assert ledger.db.transact(lambda c: proposals.approved_of(c, Act.RELEASE, "EP/1", here)) is None
    with pytest.raises(SecondPersonError, match="was approved before the ledger was restored"):
        ledger_owner(ledger, lambda c: restores.clear(c, "EP/1", "not at the treasury", "root", made.id))


def test_what_was_proposed_before_another_restore_is_approved_by_nobody(ledger):
    """It may have been approved, cleared and paid since the backup in which it still waits."""
    ledger.payment(100, "EP/1")
    ledger_owner(ledger, lambda c: restores.begin(c, "sample"))
    second_person.needed(ledger.dsn)
    given = {"tenant_id": None, "reason": "not in the treasury's list", "person": "asha"}
    here = {"tenant": TENANT, "kind": "PAYMENT"}
    made = ledger_owner(ledger, lambda c: proposals.propose(c, Act.RELEASE, "EP/1", here, **given))
    ledger_owner(ledger, lambda c: restores.begin(c, "sample"))
    with pytest.raises(ConflictError, match="is decided already, by sample"):
        ledger_owner(ledger, lambda c: proposals.approve(c, made.id, "ravi"))
    refused = ledger.db.transact(lambda c: proposals.find(c, made.id))
    assert "restored from a backup since" in refused.refusal
    anew = ledger_owner(ledger, lambda c: proposals.propose(c, Act.RELEASE, "EP/1", here, **given))
    ledger_owner(ledger, lambda c: proposals.approve(c, anew.id, "ravi"))
    ledger_owner(ledger, lambda c: restores.clear(c, "EP/1", "not at the treasury", "root", anew.id))


def test_a_payment_without_a_time_is_taken_for_one_from_before_the_restore(ledger):
    untimed = NewPayment(TENANT, "EP/1", "sample", Decimal(1), None)
    ledger.db.transact(lambda c: payments.remember_payments(c, [untimed]))
    assert ledger.one("SELECT raised_at BETWEEN now() - interval '1 minute' AND now() FROM ifms.payment")
    ledger_owner(ledger, lambda c: restores.begin(c, "sample"))
    later = replace(untimed, payment_number="EP/2", payment_id="another")
    ledger.db.transact(lambda c: payments.remember_payments(c, [later]))
    assert listed(ledger) == ["EP/1", "EP/2"]


def test_another_restore_makes_it_doubtful_again(ledger):
    payment, _ = ledger.payment(100)
    for _ in range(2):
        ledger_owner(ledger, lambda c: restores.begin(c, "sample"))
        assert len(ledger.db.transact(restores.in_doubt)) == 1
        ledger_owner(ledger, lambda c: restores.clear(c, payment.payment_number, "asked", "sample"))
        assert ledger.db.transact(restores.in_doubt) == []


def state(ledger, pi):
    with ledger.connect() as owner:
        return owner.execute(
            "SELECT last_attempt, uncertain, held_back FROM ifms.payment_instruction WHERE id = %s", (pi.id,)
        ).fetchone()


@pytest.mark.parametrize("attempt", ["never_sent", "sending", "unknown", "rejected"])
def test_whatever_is_pending_is_held_back_until_it_is_cleared(ledger, attempt):
    """It may have been sent since, or declined and replaced."""
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(100))
    with ledger.connect() as owner:
        owner.execute("UPDATE ifms.payment_instruction SET last_attempt = %s", (attempt,))
    assert ledger_owner(ledger, lambda c: restores.begin(c, "sample")).held_back == 1
    assert state(ledger, pi) == ("unknown", True, True)
    [doubt] = ledger.db.transact(restores.in_doubt)
    assert (doubt.number, doubt.tenant_id, doubt.kind) == (pi.pi_number, TENANT, restores.Kind.PENDING)
    assert doubt.what.startswith("PENDING PI of 100.00 for payment ")
    with pytest.raises(BadInputError, match="is not in doubt"):
        ledger_owner(ledger, lambda c: restores.clear(c, pi.payment_number, "asked", "sample"))
    ledger_owner(ledger, lambda c: restores.clear(c, pi.pi_number, "asked", "sample"))
    assert state(ledger, pi) == ("unknown", True, False)
    assert ledger.db.transact(restores.in_doubt) == []
    assert ledger.one("SELECT reason FROM ifms.restore_cleared WHERE number = %s", pi.pi_number) == "asked"
    ledger_owner(ledger, lambda c: restores.begin(c, "sample"))  # another restore
    assert state(ledger, pi) == ("unknown", True, True)
    ledger_owner(ledger, lambda c: restores.clear(c, pi.pi_number, "asked again", "sample"))
    assert state(ledger, pi) == ("unknown", True, False)


def test_what_is_held_back_is_let_go_by_its_clearing_alone(ledger):
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(100))
    ledger_owner(ledger, lambda c: restores.begin(c, "sample"))
    let_go = "UPDATE ifms.payment_instruction SET held_back = false"
    with pytest.raises(LedgerError, match=f"{pi.pi_number} is held back since the ledger was restored"):
        ledger.db.transact(lambda c: c.execute(let_go))
    with ledger.connect() as owner, pytest.raises(psycopg.errors.CheckViolation, match="until it is cleared"):
        owner.execute(let_go)
    with ledger.connect() as owner:  # cleared, but by whom is the owner's to say
        owner.execute(
            "INSERT INTO ifms.restore_cleared SELECT id, %s, %s, 'PENDING PI', 'asked', 'sample' FROM ifms.restored",
            (pi.tenant_id, pi.pi_number),
        )
    with pytest.raises(LedgerError, match="is held back"):
        ledger.db.transact(lambda c: c.execute(let_go))
    assert state(ledger, pi)[2] is True


def test_only_the_owner_says_so(ledger):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ledger.db.transact(lambda c: restores.begin(c, "sample"))
    assert payments.UNPAID.due.endswith("NOT ifms.in_doubt(q)")


@pytest.fixture
def copied(ledger, postgres):
    """A copy of the ledger as it is now, for somebody who works there."""
    name = f"{ledger.dsn.rpartition('/')[2]}_copy"
    copies = []

    def copy():
        postgres.create_database(name, ledger.dsn.rpartition("/")[2])
        copies.append(Database(lambda: psycopg.connect(as_worker(postgres.dsn(name)))))
        return copies[-1], postgres.dsn(name)

    yield copy
    for db in copies:
        db.close()
        postgres.drop_database(name)


def begin_a_sweep(db):
    return db.transact(lambda c: runs.begin(c, "PI", RunContext()))


def test_a_copy_of_a_ledger_does_nothing_before_somebody_has_said_what_it_is(ledger, copied):
    begin_a_sweep(ledger.db)
    begin_a_sweep(ledger.db)
    ledger.db.close()
    db, dsn = copied()
    for _ in range(2):
        with pytest.raises(LedgerMovedError, match=r"was at server .* and is at server .*after-restore begin"):
            begin_a_sweep(db)
    with psycopg.connect(dsn) as owner:
        assert restores.nothing_lost(owner, "copied on purpose", "sample").startswith("server ")
    begin_a_sweep(db)
    with psycopg.connect(dsn) as owner:
        with pytest.raises(BadInputError, match=r"has not moved, .*: server "):
            restores.nothing_lost(owner, "again", "sample")
        said = owner.execute("SELECT os_user, reason FROM ifms.home ORDER BY id").fetchall()
        assert said == [(None, "the ledger was new"), ("sample", "copied on purpose")]


def test_a_copy_that_is_said_to_be_restored_is_at_home(ledger, copied):
    begin_a_sweep(ledger.db)
    ledger.db.close()
    db, dsn = copied()
    with psycopg.connect(dsn) as owner:
        restores.begin(owner, "sample")
    begin_a_sweep(db)


def test_a_sweep_that_is_under_way_when_a_standby_takes_over_makes_no_pi(ledger):
    ledger.fund(1000)
    payment, claim = ledger.payment(100)
    begin_a_sweep(ledger.db)
    with ledger.connect() as owner:  # what the standby has: the place of the server that it has followed
        owner.execute(
            "INSERT INTO ifms.home (place, reason) VALUES (replace(ifms.place(), 'timeline 0', 'timeline 1'), 'sample')"
        )
    with pytest.raises(LedgerMovedError):
        ledger.instruct(payment, claim)
    assert ledger.one("SELECT count(*) FROM ifms.payment_instruction") == 0


def test_who_works_on_a_ledger_can_not_say_that_it_is_at_home(ledger):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ledger.db.transact(lambda c: restores.nothing_lost(c, "sample", "sample"))
    begin_a_sweep(ledger.db)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ledger.db.transact(lambda c: c.execute("INSERT INTO ifms.home (place, reason) VALUES ('x', 'x')"))
    with ledger.connect() as owner, pytest.raises(psycopg.errors.CheckViolation, match="stays on record"):
        owner.execute("DELETE FROM ifms.home")


def ledger_owner(ledger, work):
    with ledger.connect() as connection, connection.transaction():
        return work(connection)


# What is listed, and what is let go -----------------------------------------------------------------------------------

NOW = datetime.now(UTC)
TODAY = NOW.date()
SENT = [Event.ACCEPTED, Event.APPROVED, Event.ADVISED]


def begin(ledger):
    return ledger_owner(ledger, lambda c: restores.begin(c, "sample"))


def listed(ledger):
    return [each.number for each in ledger.db.transact(restores.in_doubt)]


def along(ledger, pi, *events):
    """Move a PI along by these events, whatever has claimed it."""
    for event in events:
        ledger.db.transact(lambda c, event=event: instructions.advance(c, by_number(c, pi), None, event))


def by_number(connection, pi):
    return instructions.find(connection, [pi.pi_number])[pi.pi_number]


def sent(ledger, *, failed_on=TODAY, challan_date=None, paid_on=None):
    """A PI with the treasury, one of its two beneficiaries failed on that day, or by that challan."""
    pi, _ = ledger.instruct(*ledger.payment(100))
    along(ledger, pi, *SENT)
    fails(ledger, pi, failed_on=failed_on, challan_date=challan_date, paid_on=paid_on)
    return pi


def fails(ledger, pi, *, failed_on=TODAY, challan_date=None, paid_on=None):
    """One of its two beneficiaries has failed."""
    failure = Failure(failed_on, "Account does not exist", None, challan_date)

    def fail(connection):
        first, _ = beneficiaries.of(connection, [pi.id])[pi.id]
        beneficiaries.set_beneficiaries(connection, pi, BeneficiaryStatus.PENDING, BeneficiaryStatus.IN_PROCESS)
        if paid_on is not None:
            scroll = Scroll(first.beneficiary_number, "V1", paid_on, "UTR1", None, None, None)
            beneficiaries.record_scrolls(connection, [(pi, [scroll])])
        beneficiaries.record_failures(connection, {first.id: failure})

    ledger.db.transact(fail)


def revise(ledger, pi):
    """Write the revision PI-SA/R, which pays who has failed."""

    def write(connection):
        failed = next(
            row for row in beneficiaries.of(connection, [pi.id])[pi.id] if row.status is BeneficiaryStatus.FAILED
        )
        again = beneficiary(failed.amount, failed.beneficiary_number)
        original = replace(pi, pa_bill_ref_number="1717400000001")
        mine = Claim(uuid.uuid4(), LEASE)
        instructions.create_revision(connection, original, "PI-SA/R", NOW, [again], mine, KEYRING)

    ledger.db.transact(write)


def test_a_restore_says_what_the_ledger_remembers_last(ledger):
    assert ledger.db.transact(restores.ever) is False
    begin_a_sweep(ledger.db)
    done = begin(ledger)
    assert (done.id, done.restored_at) == ledger.row("SELECT id, restored_at FROM ifms.restored")
    assert done.last_known == ledger.one("SELECT started_at FROM ifms.sweep_run")
    assert ledger.db.transact(restores.ever) is True


def test_after_a_restore_nothing_is_claimed_any_more(ledger):
    """Its claims are of processes that are no more; what is PENDING is tested below its own name."""
    ledger.fund(1000)
    payment, _ = ledger.payment(100)
    pi, _ = ledger.instruct(*ledger.payment(100))
    along(ledger, pi, Event.ACCEPTED)

    def fill(connection):
        claim_bills(connection, TENANT, ["WB/1"], LEASE)
        funds.open_watermarks(connection, [(TENANT, HEAD, DDO, "G", "1")])
        outbox.enqueue_payment_status(connection, TENANT, payment.payment_number, "FAILED", "PAYMENT_FAILED")

    ledger.db.transact(fill)
    tables = ["payment_instruction", "payment", "bill", "va_watermark", "outbox"]
    with ledger.connect() as owner:
        for table in tables:
            owner.execute(f"UPDATE ifms.{table} SET claim_token = gen_random_uuid(), claimed_until = now() + '1 hour'")
    begin(ledger)
    for table in tables:
        claims = f"SELECT DISTINCT claim_token, claimed_until FROM ifms.{table}"
        assert ledger.row(claims) == (None, None), table


def test_what_is_paid_or_came_after_the_restore_is_not_listed(ledger):
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(100))
    along(ledger, pi, Event.ACCEPTED)
    before = state(ledger, pi)
    assert begin(ledger).held_back == 0
    assert state(ledger, pi) == before
    assert listed(ledger) == []


def test_what_was_held_back_and_is_found_at_the_treasury_is_not_listed_any_more(ledger):
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(100))
    begin(ledger)
    assert listed(ledger) == [pi.pi_number]
    along(ledger, pi, Event.ACCEPTED)
    assert listed(ledger) == []


def test_whatever_is_in_doubt_is_cleared_by_its_number_and_nothing_else_is(ledger):
    ledger.fund(1000)
    pis = [ledger.instruct(*ledger.payment(100))[0] for _ in range(2)]
    begin(ledger)
    ledger_owner(ledger, lambda c: restores.clear(c, pis[0].pi_number, "asked", "sample"))
    assert [state(ledger, pi)[2] for pi in pis] == [False, True]
    assert listed(ledger) == [pis[1].pi_number]


@pytest.mark.parametrize("superseded", [False, True], ids=["partial", "completed"])
def test_a_pi_with_failed_beneficiaries_is_listed_once_they_could_have_been_corrected(ledger, superseded):
    ledger.fund(1000)
    pi = sent(ledger, failed_on=NOW.date() - timedelta(days=5))
    later = sent(ledger, challan_date=NOW.date() + timedelta(days=9))
    along(ledger, later, Event.SOME_FAILED)
    begin(ledger)
    assert listed(ledger) == [], "nobody could have corrected it"
    along(ledger, pi, Event.SOME_FAILED, *([Event.SUPERSEDED] if superseded else []))
    what = "PI with failed beneficiaries, which may have been corrected"
    assert ledger.db.transact(restores.in_doubt) == [restores.InDoubt(pi.pi_number, TENANT, restores.Kind.FAILED, what)]


def test_who_clears_a_pending_pi_says_nothing_of_those_who_fail_by_it_later(ledger):
    """They may have been corrected before the restore, whatever became of the PI itself."""
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(100))
    begin(ledger)
    ledger_owner(ledger, lambda c: restores.clear(c, pi.pi_number, "asked", "sample"))
    assert listed(ledger) == []
    along(ledger, pi, *SENT)
    fails(ledger, pi)
    along(ledger, pi, Event.SOME_FAILED)
    [doubt] = ledger.db.transact(restores.in_doubt)
    assert (doubt.number, doubt.kind) == (pi.pi_number, restores.Kind.FAILED)
    with pytest.raises(LedgerError, match=f"{pi.pi_number} may have a payment instruction that it does not know"):
        revise(ledger, pi)
    ledger_owner(ledger, lambda c: restores.clear(c, pi.pi_number, "asked", "sample"))
    assert listed(ledger) == []
    revise(ledger, pi)
    assert ledger.one("SELECT count(*) FROM ifms.restore_cleared") == 2


@pytest.mark.parametrize(
    ("told", "doubtful"),
    [
        ({"challan_date": 7}, True),  # a challan may be dated so many days ahead
        ({"challan_date": 8}, False),
        ({"failed_on": 30}, True),  # the day of asking: it may have come back long before
        ({"failed_on": 30, "paid_on": 0}, True),
        ({"failed_on": 30, "paid_on": 1}, False),  # it was not paid before the restore
    ],
)
def test_what_may_have_come_back_before_the_restore_is_in_doubt(ledger, told, doubtful):
    ledger.fund(1000)
    today = clock.to_ist(clock.now()).date()
    pi = sent(ledger, **{name: today + timedelta(days=days) for name, days in told.items()})
    along(ledger, pi, Event.SOME_FAILED)
    begin(ledger)
    assert listed(ledger) == ([pi.pi_number] if doubtful else [])


@pytest.mark.parametrize("later", [False, True])
def test_what_came_back_of_a_revision_that_was_made_after_the_restore_is_in_no_doubt(ledger, later):
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(100))
    along(ledger, pi, *SENT, Event.SOME_FAILED)
    revision = sent(ledger)
    rewrite(
        ledger.dsn,
        """
        UPDATE ifms.payment_instruction SET pi_type = 'REVISED', parent_pi_number = %s, status = 'PARTIAL',
               org_bill_ref_number = 'r', org_bill_date = now(), created_at = created_at + %s * interval '1 hour'
        WHERE id = %s
        """,
        [pi.pi_number, int(later), revision.id],
    )
    begin(ledger)
    assert listed(ledger) == ([] if later else [pi.pi_number])


def test_a_pi_whose_failed_beneficiaries_a_known_revision_pays_is_not_listed(ledger):
    ledger.fund(1000)
    pi = sent(ledger, failed_on=NOW.date() - timedelta(days=5))
    along(ledger, pi, Event.SOME_FAILED)
    other = sent(ledger, challan_date=NOW.date() + timedelta(days=9))  # fails after the restore
    along(ledger, other, Event.SOME_FAILED)
    revise(ledger, pi)
    along(ledger, ledger.db.transact(lambda c: instructions.find(c, ["PI-SA/R"])["PI-SA/R"]), Event.ACCEPTED)
    begin(ledger)
    assert listed(ledger) == []


# Adopting -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def doubtful(ledger):
    """A payment that may have a PI which is forgotten, besides another city's by the same number, and one with a PI."""
    ledger.fund(1000)
    ledger.instruct(*ledger.payment(300))
    theirs = NewPayment("od.sampleb", "EP/1", str(uuid.uuid4()), Decimal(200), NOW - timedelta(days=9))
    ledger.db.transact(lambda c: payments.remember_payments(c, [theirs]))
    mine = replace(theirs, tenant_id=TENANT, payment_id=str(uuid.uuid4()), amount=Decimal(100))
    ledger.db.transact(lambda c: payments.remember_payments(c, [mine]))
    begin(ledger)
    columns = "id, tenant_id, payment_number, payment_id, amount, hold_code, hold_message"
    return Payment(*ledger.row(f"SELECT {columns} FROM ifms.payment WHERE payment_id = %s", mine.payment_id))


def adopt(ledger, number="EP/1", tenant=TENANT):
    return ledger.db.transact(lambda c: restores.doubtful_payment(c, tenant, number))


def test_a_payment_in_doubt_is_given_to_who_adopts_its_pi(ledger, doubtful):
    mine = Claim(uuid.uuid4(), LEASE)
    assert adopt(ledger) == doubtful
    assert ledger.db.transact(lambda c: restores.claim_doubtful(c, TENANT, "EP/1", mine)) == doubtful
    assert ledger.one("SELECT id FROM ifms.payment WHERE claim_token = %s", mine.token) == doubtful.id


def test_a_payment_in_doubt_is_locked_while_its_pi_is_adopted(ledger, doubtful):
    with ledger.connect() as one, one.transaction():
        restores.doubtful_payment(one, TENANT, "EP/1")
        free = "SELECT payment_number FROM ifms.payment WHERE id = %s FOR UPDATE SKIP LOCKED"
        with ledger.connect() as other:
            assert other.execute(free, (doubtful.id,)).fetchall() == []


def test_a_payment_that_is_not_known_is_not_adopted(ledger, doubtful):
    for number, tenant in (("EP/2", TENANT), ("EP/1", "od.samplec")):
        with pytest.raises(AdoptionRefusedError, match=f"payment '{number}' of {tenant} is not known here"):
            adopt(ledger, number, tenant)


def test_a_payment_with_a_pi_is_not_adopted(ledger, doubtful):
    pi = ledger.db.transact(
        lambda c: instructions.find(c, [ledger.one("SELECT pi_number FROM ifms.payment_instruction")])
    )
    [pi] = pi.values()
    settle = "; if the treasury lacks that one, settle it by hand first"
    with pytest.raises(AdoptionRefusedError, match=f"has PI {pi.pi_number}, PENDING{settle}$"):
        adopt(ledger, pi.payment_number)
    along(ledger, pi, Event.ACCEPTED)
    with pytest.raises(AdoptionRefusedError, match=f"has PI {pi.pi_number}, INITIATED$"):
        adopt(ledger, pi.payment_number)


def test_a_payment_that_is_cleared_or_that_a_run_has_claimed_is_not_adopted(ledger, doubtful):
    claimed = "UPDATE ifms.payment SET claimed_until = now() + %s::interval WHERE id = %s"
    with ledger.connect() as owner:
        owner.execute(claimed, ("1 hour", doubtful.id))
        with pytest.raises(AdoptionRefusedError, match="a run of ifms_pi is at work on payment EP/1"):
            adopt(ledger)
        owner.execute(claimed, ("-1 hour", doubtful.id))
    assert adopt(ledger) == doubtful
    ledger_owner(ledger, lambda c: restores.clear(c, "EP/1", "asked", "sample", tenant_id=TENANT))
    with pytest.raises(AdoptionRefusedError, match="payment EP/1 is not in doubt"):
        adopt(ledger)
