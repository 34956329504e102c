"""Acts that one person proposes and another approves: done once, as shown, and not at all past the door."""

import threading
from contextlib import suppress
from uuid import uuid4

import psycopg
import pytest
from support import second_person
from support.databases import as_worker, rewrite
from support.failed import failing, mend, original, paid_and_failed, revisions
from support.ledger import TENANT, copy_instructions
from support.uncertain import on, pi, reserved

from ifms.errors import (
    BadInputError,
    ConflictError,
    LedgerError,
    SecondPersonError,
    SweepError,
    SweepNeedsAttentionError,
)
from ifms.ledger import failures, instructions, payments, phrases, proposals, sanctions
from ifms.ledger.proposals import Act, Rehearsal
from ifms.services import manual_settlement
from ifms.services import proposals as module
from ifms.services.manual_settlement import Verdict

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})

NOT_THERE = {"verdict": str(Verdict.NOT_THERE)}


@pytest.fixture
def wanted(lost):
    """A ledger with a PI that waits for word of the treasury, where a second person is needed."""
    second_person.needed(lost.dsn)
    return lost


def propose(adapter, person="asha", parameters=NOT_THERE, act=Act.SETTLE, subject=None, **changes):
    subject = subject or pi(adapter)["pi_number"]
    values = {"tenant_id": "od.samplea", "reason": "asked by phone", "person": person} | changes
    return on(adapter, lambda c: module.propose(c, act, subject, parameters, **values))


def shown(adapter, proposal):
    return on(adapter, lambda c: module.preview(c, proposals.find(c, proposal.id)))


def approve(adapter, proposal, person="ravi", digest=None):
    digest = digest or shown(adapter, proposal).digest
    return on(adapter, lambda c: module.approve(c, proposal.id, person, shown=digest))


def state(adapter):
    return [
        adapter.rows(f"SELECT * FROM ifms.{table} ORDER BY 1")
        for table in (
            "payment_instruction",
            "beneficiary",
            "status_log",
            "fund_movement",
            "outbox",
            "payment",
            "sanction",
        )
    ]


def settle(adapter, approval=None, verdict=Verdict.NOT_THERE):
    number = pi(adapter)["pi_number"]
    return on(
        adapter,
        lambda c: manual_settlement.settle(
            c, number, verdict, reason="x", person="asha", typed=number, approval=approval
        ),
    )


def test_without_a_proposal_nothing_is_done(wanted):
    before = state(wanted)
    with pytest.raises(SecondPersonError, match="needs a second person .settle.: propose it on the adapter's pages"):
        settle(wanted)
    with pytest.raises(SecondPersonError, match="is not of this act"):
        settle(wanted, uuid4())
    assert state(wanted) == before


def test_one_proposes_and_another_approves_and_both_names_stay(wanted):
    made = propose(wanted)
    assert pi(wanted)["status"] == "PENDING"
    done = approve(wanted, made)
    assert (done.approved_by, done.single_person, done.done_at is not None) == ("ravi", False, True)
    row = pi(wanted)
    assert (row["status"], row["settled_by"], reserved(wanted)) == ("FAILED", "asha, approved by ravi", 0)
    [log] = wanted.rows("SELECT message FROM ifms.status_log WHERE to_status = 'FAILED'")
    assert log["message"] == "settled by hand, not at the treasury, by asha, approved by ravi: asked by phone"
    wanted.reconcile()


def test_a_dry_run_shows_what_comes_and_changes_nothing(wanted):
    made = propose(wanted)
    before = state(wanted)
    found = shown(wanted, made)
    assert state(wanted) == before
    number, amount = made.subject, pi(wanted)["net_amount"]
    changes = {(each.what, each.which): (each.before, each.after) for each in found.changes}
    assert changes["pi", number] == ("PENDING", "FAILED")
    assert changes["money", "reserved_amount"] == (None, f"-{amount}")
    assert changes["money", "available_amount"] == (None, f"+{amount}")
    assert changes["message", "payment_status"] == (None, "FAILED")
    assert {len(payee.account) for payee in found.payees} == {4}
    approve(wanted, made, digest=found.digest)
    after = state(wanted)
    assert after != before
    assert pi(wanted)["status"] == "FAILED"


@pytest.mark.parametrize("same", ["asha", " Asha ", "ASHA"])
def test_who_proposes_does_not_approve(wanted, same):
    made = propose(wanted)
    before = state(wanted)
    with pytest.raises(SecondPersonError, match="another person approves it"):
        approve(wanted, made, same)
    assert state(wanted) == before
    with psycopg.connect(wanted.dsn) as owner, pytest.raises(psycopg.errors.CheckViolation, match="another person"):
        owner.execute("UPDATE ifms.proposal SET approved_by = %s", (same,))
    with (
        psycopg.connect(wanted.dsn) as owner,
        pytest.raises(psycopg.errors.CheckViolation, match="another person"),
    ):
        owner.execute("UPDATE ifms.proposal SET approved_by = %s, single_person = true", (same,))


def test_one_person_alone_where_the_setting_allows_it_and_everything_says_so(wanted):
    made = propose(wanted)
    second_person.needed(wanted.dsn, single_person=True)
    done = approve(wanted, made, "Asha")
    assert done.single_person
    [log] = wanted.rows("SELECT message FROM ifms.status_log WHERE to_status = 'FAILED'")
    assert "by asha, who alone proposed and approved it (IFMS_SINGLE_PERSON): asked by phone" in log["message"]


def test_another_person_is_another_one_there_too(wanted):
    second_person.needed(wanted.dsn, single_person=True)
    assert not approve(wanted, propose(wanted)).single_person


def test_two_approvals_at_once_do_it_once(wanted):
    made = propose(wanted)
    digest = shown(wanted, made).digest
    ended = []

    def say(person):
        try:
            on(wanted, lambda c: module.approve(c, made.id, person, shown=digest))
        except (ConflictError, LedgerError) as error:
            ended.append(str(error))
        else:
            ended.append("done")

    threads = [threading.Thread(target=say, args=(person,)) for person in ("ravi", "meena")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(each == "done" for each in ended) == [False, True], ended
    assert "decided already" in next(each for each in ended if each != "done")
    assert len(wanted.rows("SELECT FROM ifms.status_log WHERE to_status = 'FAILED'")) == 1
    wanted.reconcile()


@pytest.mark.parametrize("meanwhile", ["sent again", "asked about"])
def test_that_it_is_absent_counts_only_until_it_is_sent_again(due, treasury, meanwhile):
    """One has looked, the bill is sent again and arrives, and another one says yes: it would be paid twice."""
    second_person.needed(due.dsn)
    treasury.settings(pace_seconds=3600)  # until then PIS has no data
    treasury.rule("PI", "http_status", status=503, times=1)
    with pytest.raises(SweepError):
        due.run("PI")
    made = propose(due)
    digest = shown(due, made).digest
    treasury.rule("PI", "lost_reply", times=1)
    if meanwhile == "asked about":
        treasury.rule("PIS", "error", errorMsg="Sample text nobody knows", times=1)
    with suppress(SweepError):
        due.run("PI")
    if meanwhile == "sent again":
        for seen in (digest, None):
            with pytest.raises(ConflictError, match="was sent, or shown by its status service, since somebody looked"):
                approve(due, made, digest=seen)
        assert pi(due)["status"] == "PENDING"
        on(due, lambda c: proposals.refuse(c, made.id, "asha", "it was sent again"))
        made = propose(due)
    approve(due, made)
    assert pi(due)["status"] == "FAILED"


def test_that_it_is_absent_counts_only_until_it_is_shown(wanted):
    approve(wanted, propose(wanted))
    rewrite(wanted.dsn, "UPDATE ifms.payment_instruction SET said_absent_at = NULL")  # it may be said once more
    made = propose(wanted)
    [row] = on(wanted, lambda c: list(instructions.find(c, [made.subject]).values()))
    on(wanted, lambda c: instructions.found_failed(c, row))
    with pytest.raises(ConflictError, match="or shown by its status service, since somebody looked"):
        approve(wanted, made)
    assert pi(wanted)["said_absent_at"] is None


def test_what_is_used_up_opens_no_door(wanted):
    made = propose(wanted, parameters={"verdict": str(Verdict.ACCEPTED)})
    approve(wanted, made)
    with psycopg.connect(wanted.dsn) as owner, pytest.raises(psycopg.errors.CheckViolation, match="ended already"):
        owner.execute("UPDATE ifms.proposal SET done_at = NULL")
    with pytest.raises((SecondPersonError, ConflictError)):
        settle(wanted, made.id, Verdict.ACCEPTED)
    with pytest.raises(ConflictError, match="decided already, by ravi"):
        on(wanted, lambda c: module.approve(c, made.id, "meena", shown=""))


def test_an_approval_is_of_what_was_proposed_alone(wanted):
    made = propose(wanted)
    on(wanted, lambda c: proposals.approve(c, made.id, "ravi"))  # a crash before the act
    with pytest.raises(SecondPersonError, match="is not of this act"):
        settle(wanted, made.id, Verdict.ACCEPTED)
    settle(wanted, made.id)
    assert pi(wanted)["settled_by"] == "asha, approved by ravi"
    with pytest.raises((SecondPersonError, ConflictError)):
        settle(wanted, made.id)


def test_what_is_not_approved_opens_no_door(wanted):
    made = propose(wanted)
    with pytest.raises(SecondPersonError, match="is not approved"):
        settle(wanted, made.id)
    on(wanted, lambda c: proposals.refuse(c, made.id, "ravi", "ask PIS first"))
    with pytest.raises(SecondPersonError, match="is not approved"):
        settle(wanted, made.id)
    assert pi(wanted)["status"] == "PENDING"


def test_what_is_refused_is_over_and_can_be_proposed_anew(wanted):
    made = propose(wanted)
    with pytest.raises(ConflictError, match=f"asha has proposed this of .* proposal {made.id} waits"):
        propose(wanted, "meena")
    with pytest.raises(BadInputError, match="needs a reason"):
        on(wanted, lambda c: proposals.refuse(c, made.id, "ravi", " "))
    on(wanted, lambda c: proposals.refuse(c, made.id, "ravi", "ask PIS first"))
    with pytest.raises(ConflictError, match="decided already, by ravi"):
        approve(wanted, made)
    with pytest.raises(ConflictError, match="decided already, by ravi"):
        on(wanted, lambda c: proposals.refuse(c, made.id, "meena", "no"))
    again = propose(wanted, "meena")
    approve(wanted, again)
    assert pi(wanted)["status"] == "FAILED"


def test_what_has_expired_is_not_approved_and_can_be_proposed_anew(wanted):
    made = propose(wanted)
    digest = shown(wanted, made).digest
    second_person.expire(wanted.dsn)
    with pytest.raises(ConflictError, match="has expired"):
        on(wanted, lambda c: module.approve(c, made.id, "ravi", shown=digest))
    with psycopg.connect(wanted.dsn) as owner, pytest.raises(psycopg.errors.CheckViolation, match="has expired"):
        owner.execute("UPDATE ifms.proposal SET approved_by = 'ravi'")
    assert pi(wanted)["status"] == "PENDING"
    approve(wanted, propose(wanted))
    assert pi(wanted)["status"] == "FAILED"


def test_an_approval_that_nobody_used_ends_with_its_time(wanted):
    made = propose(wanted)
    on(wanted, lambda c: proposals.approve(c, made.id, "ravi"))
    second_person.expire(wanted.dsn)
    with pytest.raises(SecondPersonError, match="has expired"):
        settle(wanted, made.id)
    assert pi(wanted)["status"] == "PENDING"


def test_what_has_moved_on_meanwhile_is_not_done(wanted):
    made = propose(wanted)
    digest = shown(wanted, made).digest
    wanted.run("PI")  # its status service shows it
    before = state(wanted)
    assert pi(wanted)["status"] != "PENDING"
    with pytest.raises(ConflictError, match="only a PENDING one is settled by hand"):
        on(wanted, lambda c: module.approve(c, made.id, "ravi", shown=digest))
    assert state(wanted) == before


def test_what_would_do_something_else_by_now_is_not_done(wanted):
    made = propose(wanted)
    with pytest.raises(ConflictError, match="has changed since this was shown"):
        approve(wanted, made, digest="0" * 64)
    assert pi(wanted)["status"] == "PENDING"
    [row] = wanted.rows("SELECT approved_at FROM ifms.proposal")
    assert row["approved_at"] is None


def test_what_can_not_be_done_is_not_proposed(wanted):
    with pytest.raises(BadInputError, match="is not known here"):
        propose(wanted, subject="PI-SA/2026-27/999999")
    with pytest.raises(BadInputError, match="needs a reason"):
        propose(wanted, reason=" ")
    assert wanted.rows("SELECT FROM ifms.proposal") == []


def test_a_dry_run_that_is_over_opens_no_door(wanted):
    with pytest.raises(SecondPersonError, match="is over"):
        settle(wanted, Rehearsal(open=False))


def test_a_reason_keeps_no_account_number(wanted):
    assert "123456789012" not in propose(wanted, reason="paid to 123456789012 by mistake").reason


@pytest.mark.parametrize(
    "change",
    ["reason = 'another'", "parameters = '{}'", "proposed_by = 'x'", "amount = 1", "expires_at = '2099-01-01'"],
)
def test_what_was_proposed_is_frozen(wanted, change):
    propose(wanted)
    with psycopg.connect(wanted.dsn) as owner, pytest.raises(psycopg.errors.CheckViolation, match="is frozen"):
        owner.execute(f"UPDATE ifms.proposal SET {change}")


def test_who_works_on_the_ledger_says_nothing_of_who_is_needed(wanted):
    for statement in (
        "UPDATE ifms.second_person SET acts = '{}'",
        "UPDATE ifms.proposal SET proposed_by = 'x'",
        "DELETE FROM ifms.proposal",
    ):
        with (
            psycopg.connect(as_worker(wanted.dsn)) as worker,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            worker.execute(statement)
    with pytest.raises(LedgerError, match="it begins undecided"):
        on(
            wanted,
            lambda c: c.execute(
                "INSERT INTO ifms.proposal (act, subject, parameters, reason, proposed_by, approved_by, approved_at) "
                "VALUES ('settle', 'x', '{}', 'x', 'asha', 'ravi', now())"
            ),
        )


# The other acts of the ledger -------------------------------------------------------------------------------------------


def test_a_sanction_is_closed_and_opened_by_two(wanted):
    [row] = wanted.rows("SELECT id FROM ifms.sanction LIMIT 1")
    number = str(row["id"])
    for closed, before, after in ((True, "open", "closed"), (False, "closed", "open")):
        with pytest.raises(SecondPersonError, match="sanction"):
            on(
                wanted,
                lambda c, closed=closed: sanctions.set_closed(c, row["id"], closed=closed, reason="x", person="a"),
            )
        made = propose(wanted, act=Act.SANCTION, subject=number, parameters={"closed": closed})
        found = shown(wanted, made)
        assert [(e.before, e.after) for e in found.changes if e.what == "sanction"] == [(before, after)]
        approve(wanted, made)
        [said] = wanted.rows("SELECT closed, person, reason FROM ifms.sanction_closing ORDER BY id DESC LIMIT 1")
        assert (said["closed"], said["person"], said["reason"]) == (closed, "asha, approved by ravi", "asked by phone")


@pytest.fixture
def doubtful(adapter):
    """A ledger with a failed beneficiary of whom another transfer is told, where a second person is needed."""
    paid_and_failed(adapter)
    mend(adapter)
    tell(adapter, "RBI-OTHER")
    second_person.needed(adapter.dsn)
    return adapter


def tell(adapter, utr):
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute(
            "INSERT INTO ifms.other_transfer (beneficiary_row, utr_number) SELECT id, %s FROM ifms.failed_beneficiary",
            (utr,),
        )


def transfer(adapter, utr="RBI-OTHER"):
    [row] = adapter.rows("SELECT * FROM ifms.doubtful_transfer WHERE utr_number = %s", utr)
    return row


def settle_transfer(adapter, approval=None, *, has_paid=False):
    found = transfer(adapter)["id"]
    given = {"has_paid": has_paid, "reason": "x", "person": "asha", "approval": approval}
    return on(adapter, lambda c: failures.settle_transfer(c, found, **given))


def not_paid(adapter, utr="RBI-OTHER", **changes):
    row = transfer(adapter, utr)
    given = on(adapter, lambda c: failures.not_paid(c, row["id"]))
    return propose(adapter, act=Act.TRANSFER, subject=str(row["id"]), parameters=given | changes, amount=row["amount"])


def test_that_another_transfer_has_not_paid_is_said_by_two(doubtful):
    row, [number], before = transfer(doubtful), failing(doubtful), state(doubtful)
    with pytest.raises(SecondPersonError, match="needs a second person .transfer."):
        settle_transfer(doubtful)
    with pytest.raises(SecondPersonError, match="is not of this act"):
        settle_transfer(doubtful, uuid4())
    made = not_paid(doubtful)
    assert made.about == f"{original(doubtful)['pi_number']} {number}"
    assert made.parameters == {
        "has_paid": False,
        "pi_number": original(doubtful)["pi_number"],
        "beneficiary_number": number,
        "utr_number": "RBI-OTHER",
        "known_utr_number": row["known_utr_number"],
        "not_as_sent": "-",
    }
    found = shown(doubtful, made)
    assert [(e.what, e.which, e.before, e.after) for e in found.changes] == [
        ("transfer", "RBI-OTHER", "OPEN", "NOT PAID"),
        ("next_step", number, "NOTHING", "CORRECT"),
    ]
    [payee] = found.payees
    assert (payee.beneficiary_number, payee.amount, payee.status) == (number, row["amount"], "Payment Failed")
    with pytest.raises(SecondPersonError, match="is not approved"):
        settle_transfer(doubtful, made.id)
    with pytest.raises(SecondPersonError, match="another person approves it"):
        approve(doubtful, made, "asha")
    assert state(doubtful) == before
    with pytest.raises(SweepNeedsAttentionError, match="settle that transfer"):
        doubtful.correct()
    assert (transfer(doubtful)["state"], revisions(doubtful)) == ("OPEN", [])
    approve(doubtful, made)
    said = transfer(doubtful)
    assert (said["state"], said["settled_by"], said["settled_reason"]) == (
        "NOT PAID",
        "asha, approved by ravi",
        "asked by phone",
    )
    doubtful.correct()
    assert len(revisions(doubtful)) == 1
    with pytest.raises((SecondPersonError, ConflictError)):
        settle_transfer(doubtful, made.id)


def test_that_another_transfer_has_paid_frees_nothing_and_is_said_by_one(doubtful):
    made = not_paid(doubtful)
    settle_transfer(doubtful, has_paid=True)
    assert (transfer(doubtful)["state"], transfer(doubtful)["settled_by"]) == ("PAID", "asha")
    with pytest.raises(ConflictError, match="there is no open transfer"):
        approve(doubtful, made, digest="0" * 64)
    doubtful.correct()
    assert revisions(doubtful) == []


def test_each_of_two_transfers_of_one_beneficiary_has_its_own_proposal(doubtful):
    tell(doubtful, "RBI-THIRD")
    one, two = not_paid(doubtful), not_paid(doubtful, "RBI-THIRD")
    assert [each.what for each in shown(doubtful, one).changes] == ["transfer"], "the other one still keeps who failed"
    with pytest.raises(SecondPersonError, match="is not of this act"):
        settle_transfer(doubtful, two.id)
    approve(doubtful, two)
    assert [transfer(doubtful, utr)["state"] for utr in ("RBI-OTHER", "RBI-THIRD")] == ["OPEN", "NOT PAID"]


def test_a_transfer_that_is_told_otherwise_by_now_is_not_approved(doubtful):
    with pytest.raises(ConflictError, match="is told otherwise by now"):
        not_paid(doubtful, known_utr_number="another")
    made = not_paid(doubtful)
    digest = shown(doubtful, made).digest
    rewrite(doubtful.dsn, "UPDATE ifms.beneficiary SET utr_number = 'RBI-NEW' WHERE status = 'Payment Failed'")
    with pytest.raises(ConflictError, match="is told otherwise by now"):
        approve(doubtful, made, digest=digest)
    with pytest.raises(SecondPersonError, match="is not of this act"):
        settle_transfer(doubtful, made.id)
    assert transfer(doubtful)["state"] == "OPEN"


def test_a_phrase_is_added_by_two(wanted):
    given = {"services": ["PI"], "meaning": "try later"}
    text = "Sample   server is resting"
    with pytest.raises(SecondPersonError, match="phrase"):
        on(wanted, lambda c: phrases.add_phrase(c, ["PI"], text, "try later", reason="x", added_by="asha"))
    made = propose(wanted, act=Act.PHRASE, subject=text, parameters=given, tenant_id=None)
    assert wanted.rows("SELECT FROM ifms.phrase") == []
    approve(wanted, made)
    [row] = wanted.rows("SELECT text, meaning, added_by FROM ifms.phrase")
    assert row == {
        "text": "Sample server is resting",
        "meaning": "try later",
        "added_by": "asha, approved by ravi",
    }


# Resubmissions --------------------------------------------------------------------------------------------------------


def failed(ledger, pi):
    """The PI has FAILED, by whatever way, and its payment may have another."""
    with ledger.connect() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ifms.payment SET paid_by = NULL WHERE paid_by = %s", (pi.id,))
        connection.execute("UPDATE ifms.payment_instruction SET status = 'FAILED' WHERE id = %s", (pi.id,))


def test_a_resubmission_is_not_approved_once_another_pi_has_failed(ledger):
    ledger.fund(1000)
    second_person.needed(ledger.dsn, above_amount=50)
    first, _ = ledger.instruct(*ledger.payment(100, "P1"))
    failed(ledger, first)
    wanted = ledger.db.transact(lambda c: payments.needs_two(c, TENANT, "P1"))
    given = {"tenant_id": TENANT, "reason": "mended", "person": "asha", "amount": wanted.amount}
    made = ledger.db.transact(lambda c: module.propose(c, Act.RESUBMISSION, "P1", wanted.given, **given))
    shown = ledger.db.transact(lambda c: module.preview(c, made)).digest
    second, _ = ledger.instruct(*ledger.claim_payment("P1"))  # by itself, once an account differs
    failed(ledger, second)
    with pytest.raises(ConflictError, match=f"has had PI {second.pi_number} since this was proposed"):
        ledger.db.transact(lambda c: module.approve(c, made.id, "ravi", shown=shown))
    assert ledger.one("SELECT approved_by FROM ifms.proposal") is None


def test_a_resubmission_shows_the_payees_of_its_own_city(ledger):
    ledger.fund(1000)
    second_person.needed(ledger.dsn, above_amount=50)
    pi, _ = ledger.instruct(*ledger.payment(100, "P1"))
    failed(ledger, pi)
    wanted = ledger.db.transact(lambda c: payments.needs_two(c, TENANT, "P1"))
    with ledger.connect() as connection:  # another city's, of the same number
        connection.execute("SET session_replication_role = replica")
        copy_instructions(connection, {"pi_number": "PI-SB/1", "tenant_id": "od.sampleb"})
        connection.execute(
            """
            INSERT INTO ifms.beneficiary SELECT (jsonb_populate_record(b, jsonb_build_object('id', gen_random_uuid(),
                'beneficiary_number', 'BN-SB/1', 'payment_instruction_id',
                (SELECT id FROM ifms.payment_instruction WHERE pi_number = 'PI-SB/1')))).*
            FROM ifms.beneficiary b LIMIT 1
            """
        )
    given = {"tenant_id": TENANT, "reason": "mended", "person": "asha", "amount": wanted.amount}
    made = ledger.db.transact(lambda c: module.propose(c, Act.RESUBMISSION, "P1", wanted.given, **given))
    payees = ledger.db.transact(lambda c: module.preview(c, made)).payees
    assert len(payees) == 2
    assert "BN-SB/1" not in {payee.beneficiary_number for payee in payees}
