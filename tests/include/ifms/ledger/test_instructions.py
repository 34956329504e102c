"""One PI from PENDING to paid, declined or rejected, with its money beside it."""

import threading
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from psycopg import errors
from support.databases import rewrite
from support.keys import KEYRING
from support.ledger import LEASE, SOURCE, TENANT, beneficiary, create, new_instruction

from ifms.errors import ClaimLostError, ConflictError, LedgerError, WireError
from ifms.ledger import beneficiaries, funds, instructions
from ifms.ledger.beneficiaries import Failure, Scroll
from ifms.ledger.claims import Claim, claim
from ifms.ledger.instructions import Original
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.statuses import BeneficiaryStatus, Event, PiStatus


@pytest.fixture
def pending(ledger):
    """A PENDING PI of 400 on 1,000, with its claim."""
    ledger.fund(1000)
    return ledger.instruct(*ledger.payment(400))


def move(ledger, pi, event, **columns):
    current, mine = ledger.claimed(pi)
    return ledger.db.transact(lambda c: instructions.advance(c, current, mine, event, **columns))


def accept(ledger, pending):
    pi, mine = pending
    ledger.db.transact(
        lambda c: beneficiaries.set_beneficiaries(c, pi, BeneficiaryStatus.PENDING, BeneficiaryStatus.INITIATED)
    )
    ledger.db.transact(lambda c: instructions.advance(c, pi, mine, Event.ACCEPTED))


def bring_in_process(ledger, pending):
    accept(ledger, pending)
    pi, _ = pending
    move(ledger, pi, Event.APPROVED)
    ledger.db.transact(
        lambda c: beneficiaries.set_beneficiaries(c, pi, BeneficiaryStatus.INITIATED, BeneficiaryStatus.IN_PROCESS)
    )
    move(ledger, pi, Event.ADVISED)


def scrolls(ledger, pi):
    rows = ledger.db.transact(lambda c: beneficiaries.of(c, [pi.id]))[pi.id]
    return [
        Scroll(row.beneficiary_number.lower(), "V-1", date(2024, 6, 3), f"UTR{place}", date(2024, 6, 3), None, "Paid")
        for place, row in enumerate(rows)
    ]


def test_money_is_reserved_spent_and_never_twice(ledger, pending):
    assert ledger.balances() == (1000, 400, 0, 600)
    accept(ledger, pending)
    assert ledger.balances() == (1000, 0, 400, 600)
    with pytest.raises(ClaimLostError):
        ledger.db.transact(lambda c: instructions.advance(c, *pending, Event.ACCEPTED))
    assert ledger.balances() == (1000, 0, 400, 600)


def test_declined_the_money_is_released_and_the_payment_may_have_another(ledger, pending):
    pi, mine = pending

    def decline(connection):
        instructions.advance(connection, pi, mine, Event.DECLINED, error_message="Sample error")
        instructions.free_payment(connection, pi, "PI_DECLINED", "Sample error")

    ledger.db.transact(decline)
    assert ledger.balances() == (1000, 0, 0, 1000)
    assert ledger.row("SELECT status, is_active FROM ifms.payment_instruction") == ("FAILED", False)
    second, _ = ledger.instruct(*ledger.claim_payment(pi.payment_number))
    assert second.pi_number != pi.pi_number
    assert ledger.balances() == (1000, 400, 0, 600)


def test_rejected_the_money_comes_back(ledger, pending):
    accept(ledger, pending)
    move(ledger, pending[0], Event.REJECTED)
    assert ledger.balances() == (1000, 0, 0, 1000)


def test_an_event_out_of_order_changes_nothing(ledger, pending):
    with pytest.raises(LedgerError, match="PENDING can't be paid"):
        ledger.db.transact(lambda c: instructions.advance(c, *pending, Event.PAID))
    assert ledger.one("SELECT status FROM ifms.payment_instruction") == "PENDING"


def test_a_second_original_for_a_payment_is_a_conflict_and_reserves_nothing(ledger, pending):
    payment, claim = ledger.claim_payment(pending[0].payment_number)
    with pytest.raises(ConflictError, match="payment_instruction"):
        ledger.instruct(payment, claim)
    assert ledger.balances() == (1000, 400, 0, 600)


def test_an_amount_that_changed_since_the_payment_was_seen_is_a_conflict(ledger):
    """F9: the first one stays untouched."""
    ledger.fund(1000)
    payment, claim = ledger.payment(400)
    other = new_instruction(type(payment)(**{**payment.__dict__, "amount": Decimal(500)}))
    changed = instructions.NewInstruction(**{**other.__dict__, "payment": payment})

    def write(connection):
        funding = funds.choose_funding(connection, TENANT, Decimal(500), [SOURCE], financial_year="2024-25")
        create(connection, changed, funding, claim, claim)

    with pytest.raises(ConflictError, match=r"first seen with 400\.00, its lines now sum to 500"):
        ledger.db.transact(write)
    assert ledger.balances() == (1000, 0, 0, 1000)


def test_a_payment_taken_over_by_another_run_gets_no_pi_here(ledger):
    ledger.fund(1000)
    payment, claim = ledger.payment(400)
    ledger.claim_payment(payment.payment_number)
    with pytest.raises(ClaimLostError):
        ledger.instruct(payment, claim)
    assert ledger.balances() == (1000, 0, 0, 1000)
    assert ledger.one("SELECT count(*) FROM ifms.payment_instruction") == 0


def test_scrolls_complete_a_pi_only_together(ledger, pending):
    bring_in_process(ledger, pending)
    pi = pending[0]
    first, second = scrolls(ledger, pi)
    for _ in range(2):
        [tally] = ledger.db.transact(lambda c: beneficiaries.record_scrolls(c, [(pi, [first])]))
        assert tally.waiting == 1
    [tally] = ledger.db.transact(lambda c: beneficiaries.record_scrolls(c, [(pi, [first, second])]))
    assert (tally.waiting, tally.failed) == (0, 0)
    paid = ledger.row("SELECT count(DISTINCT utr_number), min(voucher_date), min(status) FROM ifms.beneficiary")
    assert paid == (2, date(2024, 6, 3), "Payment Successful")


def test_a_scroll_for_somebody_else_is_refused_whole(ledger, pending):
    bring_in_process(ledger, pending)
    first, second = scrolls(ledger, pending[0])
    stranger = Scroll("BN-XX/1", "V", None, "U", None, None, None)
    with pytest.raises(WireError, match="BN-XX/1"):
        ledger.db.transact(lambda c: beneficiaries.record_scrolls(c, [(pending[0], [first, second, stranger])]))
    assert ledger.one("SELECT count(*) FROM ifms.beneficiary WHERE utr_number IS NOT NULL") == 0


def test_a_scroll_does_not_revive_a_failed_beneficiary(ledger, pending):
    bring_in_process(ledger, pending)
    pi = pending[0]
    with ledger.connect() as connection:
        connection.execute(
            "UPDATE ifms.beneficiary SET status = 'Payment Failed' "
            "WHERE id = (SELECT id FROM ifms.beneficiary ORDER BY beneficiary_number LIMIT 1)"
        )
    [tally] = ledger.db.transact(lambda c: beneficiaries.record_scrolls(c, [(pi, scrolls(ledger, pi))]))
    assert (tally.waiting, tally.failed) == (0, 1)


def test_messages_about_single_beneficiaries_are_kept(ledger, pending):
    number = ledger.one("SELECT min(beneficiary_number) FROM ifms.beneficiary")
    ledger.db.transact(lambda c: beneficiaries.note_beneficiaries(c, pending[0], {number: "Wrong IFSC"}))
    assert ledger.one("SELECT beneficiary_number FROM ifms.beneficiary WHERE status_message = 'Wrong IFSC'") == number


def test_since_when_it_stands_where_it_stands(ledger):
    """From its making on; later writes that leave the status leave the instant, too."""
    ledger.fund(1000)
    pi, mine = ledger.instruct(*ledger.payment(100))
    since = "SELECT status_since FROM ifms.payment_instruction"
    assert ledger.one(since) == pi.created_at
    ledger.db.transact(lambda c: instructions.settle_attempt(c, pi, mine, "unknown", "sample"))
    assert ledger.one(since) == pi.created_at
    again, mine = ledger.claimed(pi)
    ledger.db.transact(lambda c: instructions.advance(c, again, mine, Event.ACCEPTED))
    moved = ledger.one(since)
    assert moved == ledger.one("SELECT updated_at FROM ifms.payment_instruction")
    again, mine = ledger.claimed(pi)
    ledger.db.transact(lambda c: instructions.note(c, again, mine, "sample"))
    assert ledger.one(since) == moved > pi.created_at


# Which are due --------------------------------------------------------------------------------------------------------


def due(ledger, queue, limit=100, **conditions):
    """The numbers of the PIs that a sweep would take from the queue now."""
    values = {"tenants": None, "created_from": None, "created_to": None} | conditions
    later = datetime.now(UTC) + timedelta(days=1)
    with ledger.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("UPDATE ifms.payment_instruction SET claimed_until = NULL")
        _, rows = claim(connection, queue, PaymentInstruction, limit=limit, lease=LEASE, sweep_started=later, **values)
        return [pi.pi_number for pi in rows]


@pytest.fixture
def two(ledger):
    """Two PENDING PIs, the first of them of May in another city, the second of June; all as they are stored."""
    ledger.fund(1000)
    for day in ("2024-05-10", "2024-06-10"):
        pi, _ = ledger.instruct(*ledger.payment(100))
        rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET created_at = %s WHERE id = %s", [day, pi.id])
    rewrite(
        ledger.dsn,
        "UPDATE ifms.payment_instruction SET tenant_id = 'od.sampleb' WHERE created_at = '2024-05-10'",
    )
    with ledger.connect() as connection:
        ids = connection.execute("SELECT id FROM ifms.payment_instruction ORDER BY created_at").fetchall()
        return [instructions.by_id(connection, each)[0] for each in ids]


def test_a_sweep_takes_of_its_status_and_type_what_it_was_asked_for(ledger, two):
    first, second = (pi.pi_number for pi in two)
    assert sorted(due(ledger, instructions.UNSETTLED)) == sorted([first, second])
    for asked, expected in (
        ({"tenants": ["od.sampleb"]}, [first]),
        ({"created_from": two[1].created_at}, [second]),
        ({"created_to": two[1].created_at}, [first]),
        ({"pi_numbers": [second, "PI-none"]}, [second]),
        ({"payments": [two[0].payment_number]}, [first]),
        ({"payments": [two[0].payment_number], "tenants": [TENANT]}, []),
    ):
        assert due(ledger, instructions.UNSETTLED, **asked) == expected, asked
    assert due(ledger, instructions.UNSETTLED_REVISIONS) == []
    assert due(ledger, instructions.queue(PiStatus.INITIATED, "ORIGINAL")) == []


STATUSES = ["PENDING", "INITIATED", "APPROVED", "IN PROCESS", "SUCCESSFUL", "PARTIAL", "COMPLETED", "FAILED"]


def revised_at(ledger, pi, status, **columns):
    """The PI becomes a revision that stands at `status`, with these columns."""
    known = {"pa_token_number": None, "paid_at": None} | columns
    rewrite(
        ledger.dsn,
        """
        UPDATE ifms.payment_instruction SET pi_type = 'REVISED', parent_pi_number = 'original of ' || pi_number,
            org_bill_ref_number = '1', org_bill_date = now(), status = %s, pa_token_number = %s, paid_at = now() - %s::interval
        WHERE id = %s
        """,
        [status, known["pa_token_number"], known["paid_at"], pi.id],
    )


def test_ftps_is_asked_about_a_revision_until_all_is_paid_or_its_references_are_known(ledger, pending):
    pi, _ = pending

    def when(token):
        found = []
        for status in STATUSES:
            revised_at(ledger, pi, status, pa_token_number=token)
            found += [status for _ in due(ledger, instructions.WITHOUT_SCROLLS)]
        return found

    assert when(None) == ["INITIATED", "PARTIAL", "COMPLETED"]
    assert when("5") == ["INITIATED"]
    assert due(ledger, instructions.WITHOUT_SCROLLS, pi_numbers=["PI-none"]) == []


def test_the_bank_may_return_what_a_revision_has_paid_for_a_hundred_days(ledger, pending):
    pi, _ = pending
    ledger.instruct(*ledger.payment(100))  # of another PI nobody has failed
    returnable = instructions.RETURNABLE

    def at(status="INITIATED", token="5", paid=None):
        revised_at(ledger, pi, status, pa_token_number=token, paid_at=paid)
        return due(ledger, returnable) == [pi.pi_number]

    assert [status for status in STATUSES if at(status)] == ["INITIATED", "SUCCESSFUL", "PARTIAL", "COMPLETED"]
    assert (at(token=None), at(paid=timedelta(days=99)), at(paid=timedelta(days=101))) == (False, True, False)
    rewrite(ledger.dsn, "UPDATE ifms.setting SET correction_days = 120")
    assert (at(paid=timedelta(days=119)), at(paid=timedelta(days=121))) == (True, False)
    assert at()
    first, last = ledger.row(
        "SELECT min(beneficiary_number), max(beneficiary_number) FROM ifms.beneficiary WHERE payment_instruction_id = %s",
        pi.id,
    )
    fail = "UPDATE ifms.beneficiary SET status = 'Payment Failed' WHERE beneficiary_number = %s"
    rewrite(ledger.dsn, fail, [first])
    assert at()
    assert due(ledger, returnable, tenants=["od.sampleb"]) == []
    rewrite(ledger.dsn, fail, [last])
    assert not at(), "nobody is left whose payment can come back"


@pytest.mark.parametrize("queue", ["UNSETTLED", "WITHOUT_SCROLLS", "RETURNABLE"])
def test_what_was_never_asked_about_comes_first_then_what_was_so_longest_ago(ledger, queue):
    ledger.fund(1000)
    made = [ledger.instruct(*ledger.payment(100))[0] for _ in range(3)]
    for pi, day in zip(made, (2, 1, None), strict=True):
        asked = day and datetime(2024, 7, day, tzinfo=UTC)
        if queue != "UNSETTLED":
            revised_at(ledger, pi, "INITIATED", pa_token_number="5")
        rewrite(
            ledger.dsn,
            "UPDATE ifms.payment_instruction SET polled_at = %s, failures_polled_at = %s WHERE id = %s",
            [asked, asked, pi.id],
        )
    first = [set(due(ledger, getattr(instructions, queue), limit)) for limit in (1, 2)]
    assert first == [{made[2].pi_number}, {made[2].pi_number, made[1].pi_number}]


def test_an_original_is_in_no_queue_of_revisions(ledger, pending):
    for status in STATUSES:
        rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET status = %s, pa_token_number = '5'", [status])
        assert due(ledger, instructions.RETURNABLE) == due(ledger, instructions.WITHOUT_SCROLLS) == []


# Looked up ------------------------------------------------------------------------------------------------------------


def test_pis_are_found_by_number_and_by_id_and_with_their_beneficiaries(ledger, two):
    first, second = two
    rows = ledger.db.transact(lambda c: beneficiaries.of(c, [pi.id for pi in two]))
    wanted = [rows[first.id][0], rows[second.id][1]]
    with ledger.connect() as connection:
        assert instructions.find(connection, [second.pi_number, "PI-none"]) == {second.pi_number: second}
        both = {first.pi_number: first, second.pi_number: second}
        assert instructions.find(connection, [first.pi_number, second.pi_number]) == both
        assert instructions.by_id(connection, [first.id]) == [first]
        found = instructions.with_beneficiaries(connection, [row.id for row in wanted])
        assert {row.id: pi for pi, row in found} == {wanted[0].id: first, wanted[1].id: second}


def test_what_is_looked_through_is_what_was_made_here_by_id_in_parts(ledger, two):
    in_order = sorted(two, key=lambda pi: pi.id)
    with ledger.connect() as connection:
        assert instructions.made_here(connection, None, 10) == in_order
        assert instructions.made_here(connection, None, 1) == in_order[:1]
        assert instructions.made_here(connection, in_order[0].id, 10) == in_order[1:]
        rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET imported_at = now() WHERE id = %s", [two[0].id])
        assert [pi.id for pi in instructions.made_here(connection, None, 10)] == [two[1].id]


def test_lately_looked_through_are_those_under_way_and_those_that_have_changed(ledger, two):
    def seen():
        with ledger.connect() as connection:
            return [pi.id for pi in instructions.made_here(connection, None, 10, timedelta(days=2))]

    changed = "UPDATE ifms.payment_instruction SET updated_at = now() - %s, status = 'SUCCESSFUL' WHERE id = %s"
    for pi, ago in ((two[0], timedelta(days=1)), (two[1], timedelta(days=3))):
        rewrite(ledger.dsn, changed, [ago, pi.id])
    assert seen() == [two[0].id]
    under_way = []
    for status in STATUSES:
        rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET status = %s WHERE id = %s", [status, two[1].id])
        under_way += [status for id_ in seen() if id_ == two[1].id]
    assert under_way == ["PENDING", "INITIATED", "APPROVED", "IN PROCESS", "PARTIAL"]


def test_a_locked_pi_waits_for_nobody_else(ledger, two):
    with ledger.connect() as mine, ledger.connect() as other, mine.transaction():
        assert instructions.lock(mine, "PI-none") is None
        assert instructions.lock(mine, two[0].pi_number) == two[0]
        other.execute("SET lock_timeout = '50ms'")
        assert instructions.lock(other, two[1].pi_number) == two[1]
        with pytest.raises(errors.LockNotAvailable):
            instructions.lock(other, two[0].pi_number)


def test_failed_pis_that_may_have_arrived_are_told_by_payment_the_first_made_first(ledger, two):
    first, second = two
    wanted = [(pi.tenant_id, pi.payment_number) for pi in two]

    def found(*payments):
        with ledger.connect() as connection:
            rows = instructions.failed_uncertain(connection, payments)
        return {payment: [pi.pi_number for pi in pis] for payment, pis in rows.items()}

    rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET status = 'FAILED'")
    assert found(*wanted) == {}
    rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET uncertain = true")
    assert found(*wanted) == {wanted[0]: [first.pi_number], wanted[1]: [second.pi_number]}
    assert found(wanted[1]) == {wanted[1]: [second.pi_number]}
    assert found((TENANT, first.payment_number), ("od.sampleb", second.payment_number)) == {}
    one = "UPDATE ifms.payment_instruction SET tenant_id = %s, payment_number = %s"
    rewrite(ledger.dsn, one, wanted[1])
    assert found(wanted[1]) == {wanted[1]: [first.pi_number, second.pi_number]}
    rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET created_at = '2024-07-01' WHERE id = %s", [first.id])
    assert found(wanted[1]) == {wanted[1]: [second.pi_number, first.pi_number]}
    rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET status = 'PENDING' WHERE id = %s", [first.id])
    assert found(wanted[1]) == {wanted[1]: [second.pi_number]}


# What is noted of one PI is noted of no other -------------------------------------------------------------------------


def test_that_a_failed_pi_was_found_is_noted_the_first_time(ledger, two):
    rows = "SELECT id, found_failed_at FROM ifms.payment_instruction WHERE found_failed_at IS NOT NULL"
    ledger.db.transact(lambda c: instructions.found_failed(c, two[0]))
    noted = ledger.row(rows)
    assert noted[0] == two[0].id
    ledger.db.transact(lambda c: instructions.found_failed(c, two[0]))
    assert ledger.row(rows) == noted


def test_that_a_failed_pi_was_found_is_noted_once_more_after_somebody_said_it_is_not_there(ledger, two):
    absent = "UPDATE ifms.payment_instruction SET said_absent_at = now() WHERE id = %s"
    seen = "SELECT found_failed_at > said_absent_at FROM ifms.payment_instruction WHERE id = %s"
    ledger.db.transact(lambda c: instructions.found_failed(c, two[0]))
    rewrite(ledger.dsn, absent, [two[0].id])
    ledger.db.transact(lambda c: instructions.found_failed(c, two[0]))
    assert ledger.row(seen, two[0].id) == (True,)


def test_a_call_is_under_way_while_the_pi_is_claimed(ledger, two):
    def under_way(pi):
        with ledger.connect() as connection:
            return instructions.call_under_way(connection, pi)

    rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET claimed_until = NULL WHERE id = %s", [two[1].id])
    assert (under_way(two[0]), under_way(two[1])) == (True, False)
    rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET claimed_until = now() - interval '1 second'")
    assert not under_way(two[0])


def test_who_settles_a_pi_is_noted_and_ends_its_claim(ledger, two):
    ledger.db.transact(lambda c: instructions.settled_by(c, two[0], "officer", absent=False))
    row = "SELECT settled_by, claim_token, claimed_until FROM ifms.payment_instruction WHERE id = %s"
    assert ledger.row(row, two[0].id) == ("officer", None, None)
    assert ledger.row(row, two[1].id)[0] is None
    assert all(ledger.row(row, two[1].id)[1:])


def test_a_payment_that_a_pi_has_failed_for_is_free_unless_another_pays_it(ledger, pending):
    pi, mine = pending
    other, _ = ledger.instruct(*ledger.payment(100))
    ledger.db.transact(lambda c: instructions.advance(c, pi, mine, Event.DECLINED))
    payment = "SELECT paid_by, hold_code, hold_message FROM ifms.payment WHERE payment_number = %s"

    def free(pi):
        ledger.db.transact(lambda c: instructions.free_payment(c, pi, "PI_DECLINED", "Sample error"))

    for stranger in (
        replace(pi, id=other.id),
        replace(pi, tenant_id="od.sampleb"),
        replace(pi, payment_number=other.payment_number),
    ):
        free(stranger)
        assert ledger.row(payment, pi.payment_number) == (pi.id, None, None)
    free(pi)
    assert ledger.row(payment, pi.payment_number) == (None, "PI_DECLINED", "Sample error")
    assert ledger.row(payment, other.payment_number) == (other.id, None, None)


@pytest.mark.parametrize("only_asked", [True, False])
def test_only_a_pi_that_is_sent_forgets_what_it_was_refused_for(ledger, pending, only_asked):
    pi, mine = pending
    refusal = {"refusal": [{"code": None, "text": "sample"}], "refused_first": True, "absent_since": datetime.now(UTC)}
    ledger.db.transact(lambda c: instructions.settle_attempt(c, pi, mine, "unknown", "sample", **refusal))
    again, mine = ledger.claimed(pi)
    asked = {"only_asked": True} if only_asked else {}
    ledger.db.transact(lambda c: instructions.attempt(c, again, mine, uncertain=False, **asked))
    found = ledger.row(
        "SELECT refusal, refused_first, absent_since, attempts, last_attempt, claim_token, uncertain "
        "FROM ifms.payment_instruction"
    )
    told = tuple(refusal.values()) if only_asked else (None, False, None)
    assert found == (*told, 2, "sending", mine.token, True)


@pytest.mark.parametrize("uncertain", [True, False])
def test_a_pi_that_may_have_arrived_is_uncertain_from_then_on(ledger, pending, uncertain):
    pi, mine = pending
    ledger.db.transact(lambda c: instructions.settle_attempt(c, pi, mine, "never_sent", "sample"))
    row = "SELECT uncertain, last_attempt, attempts FROM ifms.payment_instruction"
    assert ledger.row(row) == (False, "never_sent", 1)
    again, mine = ledger.claimed(pi)
    ledger.db.transact(lambda c: instructions.attempt(c, again, mine, uncertain=uncertain))
    assert ledger.row(row) == (uncertain, "sending", 2)


def note(ledger, pi):
    current, mine = ledger.claimed(pi)
    ledger.db.transact(lambda c: instructions.note(c, current, mine, "sample"))


def advise(ledger, pi):
    current, mine = ledger.claimed(pi)
    ledger.db.transact(lambda c: instructions.advance(c, current, mine, Event.ACCEPTED))


def settle(ledger, pi):
    current, mine = ledger.claimed(pi)
    ledger.db.transact(lambda c: instructions.settle_attempt(c, current, mine, "unknown", "sample"))


@pytest.mark.parametrize(("write", "same"), [(note, 0), (advise, 0), (settle, 2)])
def test_an_answer_that_is_understood_ends_the_row_of_refusals_and_the_doubt(ledger, pending, write, same):
    pi, _ = pending
    with ledger.connect() as connection:
        connection.execute("UPDATE ifms.payment_instruction SET claimed_until = NULL, same_refusals = 2")
    rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET unknown_answer_id = %s", [uuid.uuid4()])
    write(ledger, pi)
    assert ledger.row("SELECT same_refusals, unknown_answer_id FROM ifms.payment_instruction") == (same, None)


def test_a_write_of_a_late_run_or_about_another_status_touches_nothing(ledger, pending):
    pi, mine = pending
    for late, claimed in ((pi, Claim(uuid.uuid4(), LEASE)), (replace(pi, status=PiStatus.APPROVED), mine)):
        with pytest.raises(ClaimLostError):
            ledger.db.transact(lambda c, late=late, claimed=claimed: instructions.note(c, late, claimed, "late"))
    assert ledger.one("SELECT error_message FROM ifms.payment_instruction") is None


def test_without_a_claim_the_row_s_lock_is_enough_and_the_claim_stays(ledger, pending):
    pi, mine = pending
    other, _ = ledger.instruct(*ledger.payment(100))
    ledger.db.transact(lambda c: instructions.advance(c, pi, None, Event.ACCEPTED))
    row = "SELECT status, claim_token FROM ifms.payment_instruction WHERE id = %s"
    assert ledger.row(row, pi.id) == ("INITIATED", mine.token)
    assert ledger.row(row, other.id)[0] == "PENDING"


def test_a_failure_that_is_booked_meanwhile_leaves_its_pi_partial(ledger, pending):
    pi, _ = pending
    accept(ledger, pending)
    rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET status = 'PARTIAL'", [])
    rewrite(ledger.dsn, "UPDATE ifms.beneficiary SET status = 'Payment Successful'", [])
    superseding = threading.Thread(
        target=ledger.db.transact, args=(lambda c: instructions.supersede(c, pi.pi_number, pi),)
    )
    with psycopg.connect(ledger.dsn) as connection:
        instructions.lock(connection, pi.pi_number)
        [row, *_] = beneficiaries.of(connection, [pi.id])[pi.id]
        beneficiaries.record_failures(connection, {row.id: Failure(date(2024, 7, 1), None, None, None)})
        superseding.start()
        superseding.join(1)
        assert superseding.is_alive()
    superseding.join(30)
    assert ledger.one("SELECT status FROM ifms.payment_instruction") == "PARTIAL"


@pytest.mark.parametrize(("pi_type", "service"), [("REVISED", "COR"), ("ORIGINAL", "PI")])
def test_of_an_original_and_its_revisions_is_completed_what_has_no_failed_beneficiary_left(ledger, pi_type, service):
    ledger.fund(1000)
    first, second, revision = made = [ledger.instruct(*ledger.payment(100)) for _ in range(3)]
    for each in made:
        accept(ledger, each)
    first, second, revision = (pi for pi, _ in made)
    rewrite(
        ledger.dsn,
        """
        UPDATE ifms.payment_instruction SET pi_type = 'REVISED', parent_pi_number = %s, org_bill_ref_number = '1',
            org_bill_date = now() WHERE id = %s
        """,
        [first.pi_number, revision.id],
    )

    def superseded(status):
        rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET status = %s", [status])
        by = replace(second, pi_type=pi_type)
        ledger.db.transact(lambda c: instructions.supersede(c, first.pi_number, by))
        with ledger.connect() as connection:
            rows = connection.execute(
                "SELECT pi_number, status FROM ifms.payment_instruction WHERE status <> %s", [status]
            )
            return dict(rows.fetchall())

    fail = "UPDATE ifms.beneficiary SET status = %s, failed_on = %s WHERE payment_instruction_id = %s"
    rewrite(ledger.dsn, fail, ["Payment Failed", date(2024, 7, 1), first.id])
    assert superseded("SUCCESSFUL") == {}
    assert superseded("PARTIAL") == {revision.pi_number: "COMPLETED"}
    assert ledger.row(
        "SELECT payment_instruction_id, tenant_id, payment_number, service_id, status, from_status, to_status, message "
        "FROM ifms.status_log"
    ) == (
        revision.id,
        TENANT,
        revision.payment_number,
        service,
        f"STATUS_LOG_{service}_SUCCESS",
        "PARTIAL",
        "COMPLETED",
        f"its failed beneficiaries are taken over by {second.pi_number}",
    )
    rewrite(ledger.dsn, fail, ["Payment Successful", None, first.id])
    assert superseded("PARTIAL") == {first.pi_number: "COMPLETED", revision.pi_number: "COMPLETED"}


def test_pis_that_are_written_together_each_pay_their_own_payment(ledger):
    ledger.fund(1000)
    wanted = [(*ledger.payment(amount), Claim(uuid.uuid4(), LEASE)) for amount in (100, 200)]

    def write(connection):
        funding = funds.choose_funding(connection, TENANT, Decimal(300), [SOURCE], financial_year="2024-25")
        originals = [Original(new_instruction(payment), funding, held, mine) for payment, held, mine in wanted]
        return instructions.create(connection, originals, KEYRING)

    made = ledger.db.transact(write)
    assert [(pi.payment_number, pi.net_amount) for pi in made] == [(p.payment_number, p.amount) for p, _, _ in wanted]
    assert ledger.balances() == (1000, 300, 0, 700)
    with ledger.connect() as connection:
        rows = connection.execute("SELECT paid_by, claim_token FROM ifms.payment ORDER BY amount").fetchall()
    assert rows == [(pi.id, None) for pi in made]


@pytest.mark.parametrize("place", [0, 1])
def test_of_pis_that_are_written_together_each_amount_is_looked_at(ledger, place):
    ledger.fund(1000)
    wanted = [(*ledger.payment(amount), Claim(uuid.uuid4(), LEASE)) for amount in (100, 200)]
    contents = [new_instruction(payment) for payment, _, _ in wanted]
    contents[place] = replace(contents[place], beneficiaries=contents[place].beneficiaries[:1])

    def write(connection):
        funding = funds.choose_funding(connection, TENANT, Decimal(300), [SOURCE], financial_year="2024-25")
        originals = [
            Original(content, funding, held, mine) for content, (_, held, mine) in zip(contents, wanted, strict=True)
        ]
        instructions.create(connection, originals, KEYRING)

    with pytest.raises(ConflictError, match=f"payment {wanted[place][0].payment_number} was first seen with"):
        ledger.db.transact(write)
    assert ledger.balances() == (1000, 0, 0, 1000)


def test_a_payment_whose_declined_pi_nobody_has_freed_it_from_gets_no_other(ledger, pending):
    pi, mine = pending
    ledger.db.transact(lambda c: instructions.advance(c, pi, mine, Event.DECLINED))
    with pytest.raises(ClaimLostError):
        ledger.instruct(*ledger.claim_payment(pi.payment_number))
    assert ledger.balances() == (1000, 0, 0, 1000)


def test_a_repayment_is_paid_from_the_sanction_that_has_the_money_now_and_names_what_it_repays(ledger, pending):
    pi, _ = pending
    accept(ledger, pending)
    ledger.fund(5000, "901")
    other = ledger.one("SELECT id FROM ifms.sanction WHERE master_allotment_id = '901'")
    row = beneficiary(Decimal(700))
    at = datetime(2024, 7, 1, tzinfo=UTC)

    def write(connection):
        funding = funds.choose_funding(connection, TENANT, Decimal(700), [SOURCE], financial_year="2024-25")
        return instructions.create_repayment(
            connection, pi, funding, "PI-SA/2024-25/R", at, [row], Claim(uuid.uuid4(), LEASE), KEYRING
        )

    made = ledger.db.transact(write)
    assert (made.sanction_id, made.master_allotment_id) == (other, "901")
    assert (made.pi_type, made.repayment_of, made.parent_pi_number) == ("ORIGINAL", pi.pi_number, None)
    assert (made.net_amount, made.bill_date, made.payment_number, made.purpose) == (
        700,
        at,
        pi.payment_number,
        pi.purpose,
    )
    assert ledger.balances("901") == (5000, 700, 0, 4300)
    assert ledger.balances() == (1000, 0, 400, 600)


def test_a_pi_is_held_for_its_lease_from_the_moment_that_it_is_written(ledger, pending):
    _, mine = pending
    held = ledger.row(
        "SELECT claim_token, claimed_until - last_attempt_at, polled_at >= created_at, last_attempt, attempts "
        "FROM ifms.payment_instruction"
    )
    assert (held[0], *held[2:]) == (mine.token, True, "sending", 1)
    assert abs(held[1] - mine.lease) < timedelta(seconds=1)
