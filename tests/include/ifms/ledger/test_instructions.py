"""One PI from PENDING to paid, declined or rejected, with its money beside it."""

from datetime import date
from decimal import Decimal

import pytest
from support.ledger import DDO, HEAD, TENANT, create, new_instruction

from ifms.errors import ClaimLostError, ConflictError, LedgerError, WireError
from ifms.ledger import beneficiaries, funds, instructions
from ifms.ledger.beneficiaries import Scroll
from ifms.ledger.statuses import BeneficiaryStatus, Event


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
        funding = funds.choose_funding(connection, TENANT, Decimal(500), [(DDO, HEAD)], financial_year="2024-25")
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
    assert ledger.db.transact(lambda c: beneficiaries.record_scrolls(c, pi, [first])).waiting == 1
    assert ledger.db.transact(lambda c: beneficiaries.record_scrolls(c, pi, [first])).waiting == 1
    tally = ledger.db.transact(lambda c: beneficiaries.record_scrolls(c, pi, [first, second]))
    assert (tally.waiting, tally.failed) == (0, 0)
    paid = ledger.row("SELECT count(DISTINCT utr_number), min(voucher_date), min(status) FROM ifms.beneficiary")
    assert paid == (2, date(2024, 6, 3), "Payment Successful")


def test_a_scroll_for_somebody_else_is_refused_whole(ledger, pending):
    bring_in_process(ledger, pending)
    first, second = scrolls(ledger, pending[0])
    stranger = Scroll("BN-XX/1", "V", None, "U", None, None, None)
    with pytest.raises(WireError, match="BN-XX/1"):
        ledger.db.transact(lambda c: beneficiaries.record_scrolls(c, pending[0], [first, second, stranger]))
    assert ledger.one("SELECT count(*) FROM ifms.beneficiary WHERE utr_number IS NOT NULL") == 0


def test_a_scroll_does_not_revive_a_failed_beneficiary(ledger, pending):
    bring_in_process(ledger, pending)
    pi = pending[0]
    with ledger.connect() as connection:
        connection.execute(
            "UPDATE ifms.beneficiary SET status = 'Payment Failed' "
            "WHERE id = (SELECT id FROM ifms.beneficiary ORDER BY beneficiary_number LIMIT 1)"
        )
    tally = ledger.db.transact(lambda c: beneficiaries.record_scrolls(c, pi, scrolls(ledger, pi)))
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
