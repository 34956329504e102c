"""What a restored ledger may have forgotten: told one by one, and cleared one by one."""

import psycopg
import pytest
from support import second_person
from support.databases import as_worker
from support.ledger import TENANT

from ifms.errors import BadInputError, LedgerError, LedgerMovedError, SecondPersonError
from ifms.ledger import payments, proposals, restores, runs
from ifms.ledger.database import Database
from ifms.ledger.proposals import Act
from ifms.ledger.runs import RunContext


def test_a_payment_is_in_doubt_until_it_is_cleared(ledger):
    ledger.fund(1000)
    payment, _ = ledger.payment(100)
    done = ledger_owner(ledger, lambda c: restores.begin(c, "sample"))
    assert (done.last_known, done.held_back) == (None, 0)
    assert ledger.db.transact(restores.in_doubt)[0][:2] == (payment.payment_number, TENANT)
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
        made = proposals.propose(owner, Act.RELEASE, "EP/1", {}, **given)
        with pytest.raises(SecondPersonError, match="is not approved"):
            restores.clear(owner, "EP/1", "not at the treasury", "root", made.id)
        proposals.approve(owner, made.id, "ravi")
        restores.clear(owner, "EP/1", "not at the treasury", "root", made.id)
    said = "SELECT os_user, reason FROM ifms.restore_cleared"
    assert ledger.row(said) == ("asha, approved by ravi, by root", "not in the treasury's list")


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
    [(number, tenant, what)] = ledger.db.transact(restores.in_doubt)
    assert (number, tenant) == (pi.pi_number, TENANT)
    assert what.startswith("PENDING PI of 100.00 for payment ")
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
            "INSERT INTO ifms.restore_cleared SELECT id, %s, 'asked', 'sample' FROM ifms.restored", (pi.pi_number,)
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
        with pytest.raises(BadInputError, match="has not moved"):
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
