"""Beneficiaries: who is paid, who has failed, who may be paid again. Scrolls that complete a PI: test_instructions.py."""

import base64
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from itertools import pairwise

import pytest
from psycopg import errors
from support.databases import rewrite
from support.keys import KEYRING
from support.ledger import LEASE, SOURCE, TENANT, beneficiary, create, new_instruction

from ifms.errors import ConflictError, WireError
from ifms.ledger import beneficiaries, failures, funds, instructions, payments
from ifms.ledger.beneficiaries import Failure, Scroll, Tally
from ifms.ledger.binding import open_account
from ifms.ledger.claims import Claim
from ifms.ledger.instructions import Original
from ifms.ledger.models import NewPayment
from ifms.ledger.statuses import BeneficiaryStatus, Event
from ifms.sealing import Sealer
from ifms.wire.bank import mask_ifsc

PENDING, INITIATED, IN_PROCESS, SUCCESSFUL, FAILED = BeneficiaryStatus
FAILURE = Failure(date(2024, 6, 3), "Account does not exist", "C1", date(2024, 6, 5))
LIFE = [PENDING, INITIATED, IN_PROCESS, SUCCESSFUL]


@pytest.fixture
def pending(ledger):
    """A PENDING PI of 400 for two beneficiaries on 10,000, with its claim."""
    ledger.fund(10_000)
    return ledger.instruct(*ledger.payment(400))


@pytest.fixture
def pi(pending):
    return pending[0]


def of(ledger, pi):
    return ledger.db.transact(lambda c: beneficiaries.of(c, [pi.id]))[pi.id]


def bring(ledger, pi, status):
    """Move every beneficiary of a fresh PI along to `status`."""
    for start, end in pairwise(LIFE[: LIFE.index(status) + 1]):
        ledger.db.transact(lambda c, start=start, end=end: beneficiaries.set_beneficiaries(c, pi, start, end))


def fail(ledger, row, failure=FAILURE):
    return ledger.db.transact(lambda c: beneficiaries.record_failures(c, {row.id: failure}))


def standing(ledger, pi):
    """(waiting, failed) of the whole payment."""
    [found] = ledger.db.transact(lambda c: beneficiaries.standing(c, [pi]))
    return found.waiting, found.failed


def decline(ledger, pi, mine):
    def write(connection):
        words = {"error_message": "Sample error", "last_attempt": "rejected"}
        instructions.advance(connection, pi, mine, Event.DECLINED, **words)
        instructions.free_payment(connection, pi, "PI_DECLINED", "Sample error")

    ledger.db.transact(write)


def revise(ledger, pi, rows, number):
    """A revised PI for these failed rows, under the same beneficiary numbers."""
    mine = Claim(uuid.uuid4(), LEASE)
    original = replace(pi, pa_bill_ref_number="1717400000001")
    again = [replace(beneficiary(row.amount), beneficiary_number=row.beneficiary_number) for row in rows]
    at = datetime(2024, 7, 1, tzinfo=UTC)
    return ledger.db.transact(
        lambda c: instructions.create_revision(c, original, number, at, again, mine, KEYRING)
    ), mine


def instruct_for(ledger, *rows):
    """A PI for a payment of its own, with these beneficiaries."""
    payment, claim = ledger.payment(sum((row.amount for row in rows), Decimal(0)))
    new = replace(new_instruction(payment), beneficiaries=rows)

    def write(connection):
        funding = funds.choose_funding(connection, TENANT, payment.amount, [SOURCE], financial_year="2024-25")
        return create(connection, new, funding, claim, Claim(uuid.uuid4(), LEASE))

    return ledger.db.transact(write)


# Rows -----------------------------------------------------------------------------------------------------------------


def test_rows_come_back_as_they_were_written_in_the_order_of_their_numbers(ledger):
    ledger.fund(10_000)
    second, first = (replace(beneficiary(Decimal(5)), beneficiary_number=f"BN-SA/{n}") for n in ("900002", "900001"))
    one, other = instruct_for(ledger, second, first), ledger.instruct(*ledger.payment(400))[0]
    found = ledger.db.transact(lambda c: beneficiaries.of(c, [other.id, one.id]))
    assert [row.beneficiary_number for row in found[one.id]] == ["BN-SA/900001", "BN-SA/900002"]
    row = found[one.id][0]
    assert replace(first, line_item_ids=row.line_item_ids) == replace(
        first, **{name: getattr(row, name) for name in first.__dict__ if name != "account_number"}
    )
    assert open_account(KEYRING.sealer, one, row) == first.account_number
    assert row.line_item_ids == list(first.line_item_ids)
    assert (row.status, row.status_message, row.failed_on) == (PENDING, None, None)
    assert isinstance(row.status, BeneficiaryStatus)
    assert {row.payment_instruction_id for row in found[other.id]} == {other.id}


def test_of_nobody(ledger, pi):
    nobody = uuid.uuid4()
    assert ledger.db.transact(lambda c: beneficiaries.of(c, [])) == {}
    assert ledger.db.transact(lambda c: beneficiaries.of(c, [nobody])) == {nobody: []}


def test_a_pi_may_have_very_many(ledger):
    ledger.fund(10_000)
    written = [beneficiary(Decimal(1)) for _ in range(250)]
    rows = of(ledger, instruct_for(ledger, *written))
    assert {row.beneficiary_number for row in rows} == {row.beneficiary_number for row in written}
    assert len(rows) == 250


def test_pis_that_are_written_together_have_their_own_each(ledger):
    ledger.fund(10_000)
    paid = [ledger.payment(amount) for amount in (400, 300)]

    def write(connection):
        funding = funds.choose_funding(connection, TENANT, Decimal(700), [SOURCE], financial_year="2024-25")
        originals = [
            Original(new_instruction(payment), funding, claim, Claim(uuid.uuid4(), LEASE)) for payment, claim in paid
        ]
        return instructions.create(connection, originals, KEYRING)

    written = ledger.db.transact(write)
    assert [sum(row.amount for row in of(ledger, pi)) for pi in written] == [400, 300]


def test_only_those_of_the_pi_that_are_at_the_start_are_moved(ledger, pi):
    other, _ = ledger.instruct(*ledger.payment(400))
    bring(ledger, pi, INITIATED)
    fail(ledger, of(ledger, pi)[0])
    bring(ledger, other, INITIATED)
    ledger.db.transact(lambda c: beneficiaries.set_beneficiaries(c, pi, INITIATED, IN_PROCESS))
    assert [row.status for row in of(ledger, pi)] == [FAILED, IN_PROCESS]
    assert [row.status for row in of(ledger, other)] == [INITIATED, INITIATED]


def test_an_account_is_kept_only_where_none_was_known(ledger, pi):
    first, second = of(ledger, pi)
    with ledger.connect() as connection:
        connection.execute("SET session_replication_role = replica")  # the ledger forgets no account by itself
        connection.execute("UPDATE ifms.beneficiary SET account_sealed = NULL WHERE id = %s", (first.id,))
    assert of(ledger, pi)[0].account_sealed is None
    for number in ("00000000009", "told later"):
        for row in of(ledger, pi):
            ledger.db.transact(
                lambda c, row=row, number=number: beneficiaries.keep_account(
                    c, pi, row, number, "SAMP0000009", KEYRING.sealer
                )
            )
    rows = of(ledger, pi)
    assert [open_account(KEYRING.sealer, pi, row) for row in rows] == ["00000000009", "0000000001"]
    assert rows[0].ifsc == first.ifsc, "what was known of the account stays"
    assert rows[1] == second


def test_an_imported_row_without_an_account_gets_the_one_that_is_told_and_no_other_row_does(ledger, pi):
    with ledger.connect() as connection:
        connection.execute("SET session_replication_role = replica")  # rows as an import leaves them
        connection.execute(
            "UPDATE ifms.beneficiary SET account_sealed = NULL, account_last4 = '', ifsc = '', imported_as = status"
        )
    first, second = of(ledger, pi)
    ledger.db.transact(lambda c: beneficiaries.keep_account(c, pi, first, "00000054321", "SAMP0000009", KEYRING.sealer))
    kept, other = of(ledger, pi)
    assert open_account(KEYRING.sealer, pi, kept) == "00000054321"
    assert (kept.account_last4, kept.ifsc) == ("4321", "SAMP0000009")
    assert other == second


def test_only_the_rows_asked_for_come_back(ledger, pi):
    first, _ = of(ledger, pi)
    assert ledger.db.transact(lambda c: beneficiaries.by_id(c, [first.id])) == [first]
    assert ledger.db.transact(lambda c: beneficiaries.by_id(c, [])) == []


def test_what_is_said_of_a_beneficiary_is_kept_where_it_was_said(ledger, pi):
    bring(ledger, pi, SUCCESSFUL)
    failed = of(ledger, pi)
    for row in failed:
        fail(ledger, row)
    revision, _ = revise(ledger, pi, failed, "PI-SA/2024-25/R00001")
    said = {failed[0].beneficiary_number: "Wrong IFSC"}
    ledger.db.transact(lambda c: beneficiaries.note_beneficiaries(c, revision, said))
    assert [row.status_message for row in of(ledger, revision)] == ["Wrong IFSC", None]
    assert [row.status_message for row in of(ledger, pi)] == ["Account does not exist"] * 2


# A number is paid once ------------------------------------------------------------------------------------------------


def test_a_beneficiary_number_has_one_live_row(ledger, pi):
    number = of(ledger, pi)[0].beneficiary_number
    balances = ledger.balances()
    for start, end in (*pairwise(LIFE), (SUCCESSFUL, SUCCESSFUL)):
        with pytest.raises(ConflictError, match="beneficiary"):
            instruct_for(ledger, replace(beneficiary(Decimal(5)), beneficiary_number=number))
        ledger.db.transact(lambda c, start=start, end=end: beneficiaries.set_beneficiaries(c, pi, start, end))
    assert ledger.one("SELECT count(*) FROM ifms.beneficiary WHERE beneficiary_number = %s", number) == 1
    assert ledger.balances() == balances


def test_a_revision_can_not_pay_again_whom_the_original_pays(ledger, pi):
    bring(ledger, pi, SUCCESSFUL)
    failed, paid = of(ledger, pi)
    fail(ledger, failed)
    with pytest.raises(ConflictError, match="beneficiary"):
        revise(ledger, pi, [failed, paid], "PI-SA/2024-25/R00001")
    revise(ledger, pi, [failed], "PI-SA/2024-25/R00002")
    with pytest.raises(ConflictError):
        revise(ledger, pi, [failed], "PI-SA/2024-25/R00003")


def test_a_failed_row_does_not_come_to_life_again_by_hand(ledger, pi):
    bring(ledger, pi, INITIATED)
    failed = of(ledger, pi)[0]
    fail(ledger, failed)
    for status in LIFE:
        with ledger.connect() as connection, pytest.raises(errors.CheckViolation):
            connection.execute("UPDATE ifms.beneficiary SET status = %s WHERE id = %s", (status, failed.id))


# Debit scrolls --------------------------------------------------------------------------------------------------------


def scroll(row, **changes):
    values = {
        "beneficiary_number": row.beneficiary_number,
        "voucher_number": "V1",
        "voucher_date": date(2024, 6, 3),
        "utr_number": "UTR1",
        "utr_date": date(2024, 6, 4),
        "end_to_end_id": "E1",
        "message": "Paid",
    }
    return Scroll(**(values | changes))


def record(ledger, pi, *scrolls):
    [tally] = ledger.db.transact(lambda c: beneficiaries.record_scrolls(c, [(pi, scrolls)]))
    return tally


SCROLL = "SELECT status, status_message, voucher_number, voucher_date, utr_number, utr_date, end_to_end_id"


def stored(ledger, row):
    return ledger.row(f"{SCROLL} FROM ifms.beneficiary WHERE id = %s", row.id)


PAID = (SUCCESSFUL, "Paid", "V1", date(2024, 6, 3), "UTR1", date(2024, 6, 4), "E1")


@pytest.mark.parametrize("status", [INITIATED, IN_PROCESS])
def test_a_scroll_is_kept_with_its_beneficiary_by_number_in_any_case(ledger, pi, status):
    bring(ledger, pi, status)
    first, second = of(ledger, pi)
    told = scroll(first, beneficiary_number=first.beneficiary_number.lower())
    assert record(ledger, pi, told) == Tally(waiting=1, failed=0)
    assert stored(ledger, first) == PAID
    assert stored(ledger, second) == (status, *[None] * 6)


def test_who_is_newly_paid_is_told_once(ledger, pi):
    bring(ledger, pi, IN_PROCESS)
    first, second = of(ledger, pi)
    known = [beneficiaries.Payee(pi.id, row.beneficiary_number, row.line_item_ids) for row in (first, second)]
    paid = [replace(payee, utr_number=scroll(first).utr_number) for payee in known]
    assert record(ledger, pi, scroll(first)).newly_paid == known[:1]
    assert record(ledger, pi, scroll(first), scroll(second)).newly_paid == known[1:]
    told = record(ledger, pi, scroll(first), scroll(second))
    assert (told.newly_paid, told.everybody) == ([], paid)


def test_another_utr_of_somebody_who_is_paid_is_told_and_not_written(ledger, pi):
    bring(ledger, pi, IN_PROCESS)
    first, second = of(ledger, pi)
    assert record(ledger, pi, scroll(first)).under_another_utr == []
    same = scroll(first, utr_number=scroll(first).utr_number.lower())
    assert record(ledger, pi, same, scroll(second)).under_another_utr == []
    [told] = record(ledger, pi, scroll(first, utr_number="UTR-OTHER")).under_another_utr
    assert (told.beneficiary_number, told.utr_number) == (first.beneficiary_number, scroll(first).utr_number)
    assert stored(ledger, first) == PAID


OTHERS = "SELECT beneficiary_row, utr_number, voucher_number, voucher_date FROM ifms.other_transfer"


def test_a_transfer_by_another_utr_is_told_and_kept_until_it_is_settled(ledger, pi):
    bring(ledger, pi, IN_PROCESS)
    first, second = of(ledger, pi)
    record(ledger, pi, scroll(first))
    for _ in range(2):
        [told] = record(ledger, pi, scroll(first, utr_number="UTR2"), scroll(second)).under_another_utr
        assert (told.beneficiary_number, told.utr_number) == (first.beneficiary_number, "UTR1")
    assert ledger.row(OTHERS) == (first.id, "UTR2", "V1", date(2024, 6, 3))
    found = ledger.one("SELECT id FROM ifms.other_transfer")
    ledger.db.transact(lambda c: failures.settle_transfer(c, found, has_paid=False, reason="asked", person="sample"))
    assert record(ledger, pi, scroll(first, utr_number="UTR2")).under_another_utr == []


def test_another_utr_in_other_letters_is_the_transfer_that_is_kept_already(ledger, pi):
    bring(ledger, pi, IN_PROCESS)
    first, _ = of(ledger, pi)
    record(ledger, pi, scroll(first))
    for utr in ("UTRb2", "utrB2", " UTRB2\t"):
        assert len(record(ledger, pi, scroll(first, utr_number=utr)).under_another_utr) == 1
    assert ledger.row(OTHERS)[1] == "UTRb2", "as it was told first, and once"
    found = ledger.one("SELECT id FROM ifms.other_transfer")
    ledger.db.transact(lambda c: failures.settle_transfer(c, found, has_paid=False, reason="asked", person="sample"))
    assert record(ledger, pi, scroll(first, utr_number="utrb2")).under_another_utr == []


def test_an_imported_utr_in_other_letters_and_with_blanks_is_no_other_one(ledger, pi):
    bring(ledger, pi, IN_PROCESS)
    first, _ = of(ledger, pi)
    record(ledger, pi, scroll(first, utr_number="utr1 "))
    assert record(ledger, pi, scroll(first, utr_number="UTR1")).under_another_utr == []
    assert stored(ledger, first)[4] == "utr1 ", "as it was told"


@pytest.mark.parametrize("has_paid", [False, True], ids=["somebody else has the money", "it has paid"])
def test_a_scroll_of_another_account_is_kept_until_a_person_knows_whom_it_has_paid(ledger, pi, has_paid):
    bring(ledger, pi, IN_PROCESS)
    first, second = of(ledger, pi)
    told = scroll(first, account_number="99999999999")
    for _ in range(2):
        tally = record(ledger, pi, told, scroll(second))
        assert (tally.waiting, tally.failed) == (1, 0)
        assert tally.not_as_sent == {
            first.beneficiary_number: "it names an account that ends in 9999, "
            f"and one that ends in {first.account_last4} was sent"
        }
    assert stored(ledger, first)[0] == IN_PROCESS
    assert ledger.row(OTHERS) == (first.id, "UTR1", "V1", date(2024, 6, 3))
    found = ledger.one("SELECT id FROM ifms.other_transfer")
    ledger.db.transact(lambda c: failures.settle_transfer(c, found, has_paid=has_paid, reason="asked", person="sample"))
    tally = record(ledger, pi, told, scroll(second))
    assert tally.not_as_sent == {}
    assert stored(ledger, first) == (PAID if has_paid else (IN_PROCESS, *[None] * 6))
    assert [payee.beneficiary_number for payee in tally.newly_paid] == [first.beneficiary_number] * has_paid
    assert record(ledger, pi, scroll(first)).waiting == 0


def test_a_scroll_that_names_what_was_sent_in_other_figures_or_nothing_pays(ledger, pi):
    bring(ledger, pi, IN_PROCESS)
    first, second = of(ledger, pi)
    ends = f"****{first.account_last4}"
    tally = record(ledger, pi, scroll(first, account_number=ends, ifsc=first.ifsc.lower()), scroll(second))
    assert (tally.waiting, tally.not_as_sent) == (0, {})


def test_a_scroll_of_another_branch_is_kept(ledger, pi):
    bring(ledger, pi, IN_PROCESS)
    first, _ = of(ledger, pi)
    tally = record(ledger, pi, scroll(first, ifsc="OTHR0999999"))
    assert tally.waiting == 2
    assert tally.not_as_sent == {
        first.beneficiary_number: f"it names the IFSC OTHR*****99, and {mask_ifsc(first.ifsc)} was sent"
    }


@pytest.mark.parametrize(
    ("day", "why"),
    [
        (date(2001, 1, 1), "it is dated 2001-01-01, and the payment instruction 2024-06-01"),
        (date(2099, 1, 1), "it is dated 2099-01-01, more than 7 days ahead"),
    ],
)
def test_a_scroll_of_a_day_on_which_it_cannot_have_been_paid_is_kept(ledger, pi, day, why):
    """By that day alone FD would ask what has come back."""
    bring(ledger, pi, IN_PROCESS)
    first, _ = of(ledger, pi)
    tally = record(ledger, pi, scroll(first, voucher_date=day))
    assert (tally.waiting, tally.not_as_sent) == (2, {first.beneficiary_number: why})
    found = ledger.one("SELECT id FROM ifms.other_transfer")
    ledger.db.transact(
        partial(
            failures.settle_transfer,
            transfer_id=found,
            has_paid=True,
            reason="it has paid, on another day",
            person="sample",
        )
    )
    assert record(ledger, pi, scroll(first, voucher_date=day)).waiting == 1
    assert stored(ledger, first)[2:5] == ("V1", None, "UTR1")


def test_an_account_that_is_told_of_a_payment_later_is_compared_then(ledger, pi):
    """The first reply named none, and it was booked; a later one says that somebody else has the money."""
    bring(ledger, pi, IN_PROCESS)
    first, _ = of(ledger, pi)
    record(ledger, pi, scroll(first))
    other = scroll(first, account_number="99999999999")
    why = {
        first.beneficiary_number: "it names an account that ends in 9999, "
        f"and one that ends in {first.account_last4} was sent"
    }
    for _ in range(2):
        tally = record(ledger, pi, other)
        assert (tally.not_as_sent, tally.newly_paid, tally.under_another_utr) == (why, [], [])
    assert stored(ledger, first) == PAID
    assert ledger.one("SELECT count(*) FROM ifms.other_transfer") == 1
    days = scroll(first, voucher_date=date(2001, 1, 1))  # by the first one's day it is asked what has come back
    assert record(ledger, pi, days).not_as_sent == {}
    another = record(ledger, pi, replace(other, utr_number="UTR2"))
    assert (another.not_as_sent, len(another.under_another_utr)) == ({}, 1)
    found = ledger.one("SELECT id FROM ifms.other_transfer WHERE utr_number = 'UTR1'")
    ledger.db.transact(lambda c: failures.settle_transfer(c, found, has_paid=True, reason="asked", person="sample"))
    assert record(ledger, pi, other).not_as_sent == {}


def test_with_the_key_an_account_that_only_ends_alike_is_another(ledger, pi):
    bring(ledger, pi, IN_PROCESS)
    first, _ = of(ledger, pi)
    number = open_account(KEYRING.sealer, pi, first)
    alike = str((int(number[0]) + 1) % 10) + number[1:]
    why = partial(beneficiaries.not_as_sent, pi, first, ifsc=first.ifsc)
    assert why(account_number=number, sealer=KEYRING.sealer) is None
    assert why(account_number=alike, sealer=None) is None
    told = why(account_number=alike, sealer=KEYRING.sealer)
    assert told == f"it names another account than was sent, though both end in {number[-4:]}"
    assert why(account_number=alike, sealer=Sealer.from_config(base64.b64encode(b"k" * 32).decode())) is None


def test_scrolls_that_are_told_together_go_each_to_its_own(ledger, pi):
    bring(ledger, pi, IN_PROCESS)
    first, second = of(ledger, pi)
    values = ("Paid later", "V2", date(2024, 6, 13), "UTR2", date(2024, 6, 14), "E2")
    names = ("message", "voucher_number", "voucher_date", "utr_number", "utr_date", "end_to_end_id")
    told = record(ledger, pi, scroll(first), scroll(second, **dict(zip(names, values, strict=True))))
    assert told == Tally(waiting=0, failed=0)
    assert told.newly_paid == told.everybody
    assert (stored(ledger, first), stored(ledger, second)) == (PAID, (SUCCESSFUL, *values))


def test_scrolls_of_several_pis_go_each_to_its_own(ledger, pi):
    """A beneficiary has one number in the PI in which it failed and in the one that pays it anew."""
    bring(ledger, pi, IN_PROCESS)
    one, two = of(ledger, pi)
    fail(ledger, one)
    revision, _ = revise(ledger, pi, [one], "PI-SA/2024-25/R00001")
    bring(ledger, revision, IN_PROCESS)
    [anew] = of(ledger, revision)
    told = [(revision, [scroll(anew, utr_number="UTR3")]), (pi, [scroll(one), scroll(two, utr_number="UTR2")])]
    others, own = ledger.db.transact(lambda c: beneficiaries.record_scrolls(c, told))
    assert (others, own) == (Tally(waiting=0, failed=0), Tally(waiting=0, failed=1))
    assert [payee.payment_instruction_id for payee in [*others.newly_paid, *own.newly_paid]] == [revision.id, pi.id]
    assert [payee.beneficiary_number for payee in own.newly_paid] == [two.beneficiary_number]
    assert [payee.beneficiary_number for payee in own.everybody] == [one.beneficiary_number, two.beneficiary_number]
    assert [stored(ledger, row)[4] for row in (one, two, anew)] == [None, "UTR2", "UTR3"]


def test_a_stranger_among_several_pis_refuses_the_scrolls_of_all(ledger, pi):
    other, _ = ledger.instruct(*ledger.payment(400))
    for each in (pi, other):
        bring(ledger, each, IN_PROCESS)
    told = [(other, [scroll(of(ledger, other)[0])]), (pi, [scroll(of(ledger, other)[1])])]
    with pytest.raises(WireError, match=pi.pi_number):
        ledger.db.transact(lambda c: beneficiaries.record_scrolls(c, told))
    assert ledger.one("SELECT count(*) FROM ifms.beneficiary WHERE utr_number IS NOT NULL") == 0


def test_a_scroll_of_the_original_pays_nobody_whom_a_revision_pays(ledger, pi):
    bring(ledger, pi, SUCCESSFUL)
    failed, _ = of(ledger, pi)
    fail(ledger, failed)
    revision, _ = revise(ledger, pi, [failed], "PI-SA/2024-25/R00001")
    bring(ledger, revision, IN_PROCESS)
    assert record(ledger, pi, scroll(failed)).newly_paid == []
    assert [row.status for row in of(ledger, revision)] == [IN_PROCESS]


def test_the_first_scroll_stays_whatever_is_told_later(ledger, pi):
    bring(ledger, pi, IN_PROCESS)
    first, _ = of(ledger, pi)
    record(ledger, pi, scroll(first), scroll(first, utr_number="UTR2"))
    record(ledger, pi, scroll(first, utr_number="UTR3", message="Paid again"))
    assert stored(ledger, first) == PAID


def test_nobody_is_paid_before_the_treasury_has_the_pi(ledger, pi):
    first, _ = of(ledger, pi)
    assert record(ledger, pi, scroll(first)) == Tally(waiting=2, failed=0)
    assert stored(ledger, first) == (PENDING, *[None] * 6)


def test_another_pi_s_beneficiary_is_a_stranger(ledger, pi):
    other, _ = ledger.instruct(*ledger.payment(400))
    bring(ledger, pi, IN_PROCESS)
    bring(ledger, other, IN_PROCESS)
    mine, theirs = of(ledger, pi)[0], of(ledger, other)[0]
    for told in ((mine, theirs), (theirs, mine)):
        with pytest.raises(WireError, match=f"{pi.pi_number} names '{theirs.beneficiary_number}'"):
            record(ledger, pi, *map(scroll, told))
    assert [row.status for row in (*of(ledger, pi), *of(ledger, other))] == [IN_PROCESS] * 4


# Failures -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [INITIATED, IN_PROCESS, SUCCESSFUL])
def test_a_failure_is_booked_once(ledger, pi, status):
    bring(ledger, pi, status)
    row, other = of(ledger, pi)
    (newly,) = fail(ledger, row)
    assert newly == replace(row, status=FAILED, status_message="Account does not exist", failed_on=date(2024, 6, 5))
    assert newly in of(ledger, pi)
    assert of(ledger, pi)[1] == replace(other, status=status)
    assert fail(ledger, row, replace(FAILURE, reason="another reason", challan_date=date(2024, 7, 1))) == []
    assert newly in of(ledger, pi)


def test_a_failure_is_shown_without_its_account():
    assert "0000000001" not in repr(replace(FAILURE, account_number="0000000001"))


def test_of_several_failures_only_the_new_ones_come_back(ledger, pi):
    bring(ledger, pi, IN_PROCESS)
    known, new = of(ledger, pi)
    fail(ledger, known)
    newly = ledger.db.transact(lambda c: beneficiaries.record_failures(c, {known.id: FAILURE, new.id: FAILURE}))
    assert [row.id for row in newly] == [new.id]
    assert ledger.db.transact(lambda c: beneficiaries.record_failures(c, {uuid.uuid4(): FAILURE})) == []
    assert ledger.db.transact(lambda c: beneficiaries.record_failures(c, {})) == []


def test_failures_that_are_told_together_are_all_booked(ledger, pi):
    bring(ledger, pi, IN_PROCESS)
    told = {row.id: FAILURE for row in of(ledger, pi)}
    newly = ledger.db.transact(lambda c: beneficiaries.record_failures(c, told))
    assert newly == of(ledger, pi)
    assert {row.status for row in newly} == {FAILED}


def test_nobody_fails_who_was_not_sent(ledger, pi):
    row, other = of(ledger, pi)
    assert fail(ledger, row) == []
    assert of(ledger, pi) == [row, other]


def test_the_90_days_count_from_the_challan_else_from_the_voucher(ledger, pi):
    bring(ledger, pi, SUCCESSFUL)
    first, second = of(ledger, pi)
    (with_challan,) = fail(ledger, first)
    (without,) = fail(ledger, second, Failure(date(2024, 6, 3), None, None, None))
    assert (with_challan.failed_on, without.failed_on) == (date(2024, 6, 5), date(2024, 6, 3))
    assert without.status_message == "the treasury gave no reason"
    columns = "challan_number, challan_date, failed_on"
    assert ledger.row(f"SELECT {columns} FROM ifms.beneficiary WHERE id = %s", second.id) == (
        None,
        None,
        date(2024, 6, 3),
    )
    assert ledger.row(f"SELECT {columns} FROM ifms.beneficiary WHERE id = %s", first.id) == (
        "C1",
        date(2024, 6, 5),
        date(2024, 6, 5),
    )


def test_a_failure_leaves_the_scroll_that_it_undoes(ledger, pi):
    bring(ledger, pi, IN_PROCESS)
    row, _ = of(ledger, pi)
    record(ledger, pi, scroll(row))
    fail(ledger, row)
    assert stored(ledger, row) == (FAILED, "Account does not exist", *PAID[2:])


def test_the_tally_counts_who_waits_and_who_has_failed(ledger, pi):
    def tally():
        return ledger.db.transact(lambda c: beneficiaries.tallies(c, [pi]))[pi.id]

    ledger.instruct(*ledger.payment(400))  # another's
    first, second = of(ledger, pi)
    seen = [tally()]
    for status in (INITIATED, IN_PROCESS):
        ledger.db.transact(lambda c, status=status: beneficiaries.set_beneficiaries(c, pi, seen_at(c, pi), status))
        seen.append(tally())
    assert seen == [Tally(2, 0)] * 3
    record(ledger, pi, scroll(first))
    assert tally() == Tally(1, 0)
    fail(ledger, second)
    assert tally() == Tally(0, 1)
    fail(ledger, first)
    assert tally() == Tally(0, 2)


def seen_at(connection, pi):
    """Where the PI's beneficiaries stand, all of them."""
    (status,) = {row.status for row in beneficiaries.of(connection, [pi.id])[pi.id]}
    return status


# Paid again -----------------------------------------------------------------------------------------------------------


def test_the_last_declined_pi_says_whose_accounts_to_look_at(ledger, pending):
    pi, mine = pending
    payment, _ = ledger.claim_payment(pi.payment_number)

    def last(*keys):
        return ledger.db.transact(lambda c: instructions.last_declined(c, keys))

    key = payment.tenant_id, payment.payment_number
    assert last(key) == {}
    decline(ledger, pi, mine)
    declined, rows = last(key)[key]
    assert (declined.pi_number, rows) == (pi.pi_number, of(ledger, pi))
    second, second_claim = ledger.instruct(*ledger.claim_payment(pi.payment_number))
    assert last(key) == {}, "one that is under way is not declined"
    decline(ledger, second, second_claim)
    found = last(key, ("od.sampleb", payment.payment_number), (payment.tenant_id, "EP/another"))
    assert [(of_payment, rows) for of_payment, (_, rows) in found.items()] == [(key, of(ledger, second))]


def test_a_declined_revision_is_not_the_payment_s_last_declined(ledger, pi):
    bring(ledger, pi, SUCCESSFUL)
    failed, _ = of(ledger, pi)
    fail(ledger, failed)
    revision, mine = revise(ledger, pi, [failed], "PI-SA/2024-25/R00001")
    ledger.db.transact(lambda c: instructions.advance(c, revision, mine, Event.DECLINED))
    payment, _ = ledger.claim_payment(pi.payment_number)
    key = payment.tenant_id, payment.payment_number
    assert ledger.db.transact(lambda c: instructions.last_declined(c, [key])) == {}


def test_each_of_several_pis_has_its_own_tally(ledger, pi):
    others = [ledger.instruct(*ledger.payment(400))[0] for _ in range(2)]
    bring(ledger, pi, SUCCESSFUL)
    fail(ledger, of(ledger, pi)[0])
    found = ledger.db.transact(lambda c: beneficiaries.tallies(c, [pi, others[0]]))
    assert found == {pi.id: Tally(0, 1), others[0].id: Tally(2, 0)}


def test_a_payment_stands_as_the_last_pi_of_each_beneficiary_does(ledger, pi):
    bring(ledger, pi, INITIATED)
    assert standing(ledger, pi) == (2, 0)
    bring(ledger, pi, SUCCESSFUL)
    first, second = of(ledger, pi)
    assert standing(ledger, pi) == (0, 0)
    fail(ledger, first)
    assert standing(ledger, pi) == (0, 1)
    revision, _ = revise(ledger, pi, [first], "PI-SA/2024-25/R00001")
    assert standing(ledger, pi) == standing(ledger, revision) == (0, 1), "the treasury has not accepted it"
    fail(ledger, second)
    assert standing(ledger, pi) == (0, 2)
    bring(ledger, revision, IN_PROCESS)
    assert standing(ledger, pi) == (1, 1)
    bring(ledger, revision, SUCCESSFUL)
    assert standing(ledger, pi) == (0, 1)
    fail(ledger, of(ledger, revision)[0])
    assert standing(ledger, pi) == (0, 2), "the revision failed, too"


def test_a_declined_revision_has_taken_nobody_over(ledger, pi):
    bring(ledger, pi, SUCCESSFUL)
    failed, _ = of(ledger, pi)
    fail(ledger, failed)
    revision, mine = revise(ledger, pi, [failed], "PI-SA/2024-25/R00001")
    ledger.db.transact(lambda c: beneficiaries.set_beneficiaries(c, revision, PENDING, FAILED))
    ledger.db.transact(lambda c: instructions.advance(c, revision, mine, Event.DECLINED))
    assert standing(ledger, pi) == (0, 1)


def test_another_payment_s_beneficiaries_are_not_this_one_s(ledger, pi):
    other, _ = ledger.instruct(*ledger.payment(400))
    bring(ledger, other, SUCCESSFUL)
    bring(ledger, pi, SUCCESSFUL)
    fail(ledger, of(ledger, other)[0])
    assert standing(ledger, other) == (0, 1)
    assert standing(ledger, pi) == (0, 0)
    assert standing(ledger, replace(other, tenant_id="od.sampleb")) == (0, 0)


def test_who_reckons_with_a_payment_is_the_only_one_until_it_commits(ledger, pi):
    """Else each would take the other's beneficiary for unpaid, and nobody would tell that the whole payment is paid."""
    bring(ledger, pi, SUCCESSFUL)
    first, _ = of(ledger, pi)
    fail(ledger, first)
    revision, _ = revise(ledger, pi, [first], "PI-SA/2024-25/R00001")
    bring(ledger, revision, IN_PROCESS)
    apart, _ = ledger.instruct(*ledger.payment(400))
    theirs = NewPayment("od.sampleb", pi.payment_number, "sample", Decimal(1), pi.bill_date)
    ledger.db.transact(lambda c: payments.remember_payments(c, [theirs]))
    with ledger.connect() as one, one.transaction():
        beneficiaries.hold(one, [revision])
        assert beneficiaries.standing(one, [pi]) == [Tally(1, 0)]
        with ledger.connect() as other:  # others, another city's of the same number, and other PIs wait for nobody
            free = other.execute("SELECT tenant_id, payment_number FROM ifms.payment FOR UPDATE SKIP LOCKED").fetchall()
            others = other.execute("SELECT pi_number FROM ifms.payment_instruction FOR UPDATE SKIP LOCKED").fetchall()
        assert set(free) == {("od.sampleb", pi.payment_number), (apart.tenant_id, apart.payment_number)}
        assert set(others) == {(pi.pi_number,), (apart.pi_number,)}
        beneficiaries.record_scrolls(one, [(revision, [scroll(of(ledger, revision)[0])])])
        for held in (pi, revision):
            with ledger.connect() as other, pytest.raises(errors.LockNotAvailable):
                other.execute("SET lock_timeout = '100ms'")
                beneficiaries.hold(other, [held])
    assert standing(ledger, pi) == (0, 0)


def test_several_pis_are_held_together(ledger, pi):
    apart, _ = ledger.instruct(*ledger.payment(400))
    with ledger.connect() as one, one.transaction():
        beneficiaries.hold(one, [pi, apart])
        for held in (pi, apart):
            with ledger.connect() as other, pytest.raises(errors.LockNotAvailable):
                other.execute("SET lock_timeout = '100ms'")
                beneficiaries.hold(other, [held])


def test_several_payments_are_reckoned_at_once_each_by_itself(ledger, pi):
    again, _ = ledger.instruct(*ledger.payment(400))
    revisions = []
    for number, paid in enumerate((pi, again)):
        bring(ledger, paid, SUCCESSFUL)
        first, _ = of(ledger, paid)
        fail(ledger, first)
        revisions.append(revise(ledger, paid, [first], f"PI-SA/2024-25/R0000{number}")[0])
    once, _ = ledger.instruct(*ledger.payment(400))
    bring(ledger, once, INITIATED)
    with ledger.connect() as one, one.transaction():
        assert beneficiaries.standing(one, [once, *revisions, pi]) == [Tally(2, 0), *[Tally(0, 1)] * 3]


def test_a_rejected_pi_s_beneficiaries_count_no_more(ledger, pending):
    pi, mine = pending
    ledger.db.transact(lambda c: instructions.advance(c, pi, mine, Event.DECLINED))
    assert standing(ledger, pi) == (0, 0)


def test_who_failed_in_a_rejected_pi_is_paid_by_the_next_one(ledger, pending):
    """The bank may tell of a failure before PIS has told of the rejection."""
    pi, mine = pending
    ledger.db.transact(lambda c: instructions.advance(c, pi, mine, Event.ACCEPTED))
    bring(ledger, pi, INITIATED)
    fail(ledger, of(ledger, pi)[0])
    assert ledger.one("SELECT count(*) FROM ifms.failed_beneficiary") == 1
    initiated, again = ledger.claimed(pi)
    ledger.db.transact(lambda c: instructions.advance(c, initiated, again, Event.REJECTED))
    assert ledger.one("SELECT count(*) FROM ifms.failed_beneficiary") == 0


def test_a_line_that_an_imported_payment_pays_is_paid_by_no_other(ledger, pi):
    """The adapter before this one made two payments of one bill, and has paid one of them."""
    rewrite(ledger.dsn, "UPDATE ifms.beneficiary SET imported_as = status")
    first, _ = of(ledger, pi)
    payment, claim = ledger.payment(400)
    twin = replace(beneficiary(Decimal(400)), line_item_ids=("another", *first.line_item_ids))
    said = rf"payment {payment.payment_number} pays line .*, which payment {pi.payment_number} .* pays already"
    with pytest.raises(ConflictError, match=said):
        ledger.instruct(payment, claim, [twin])
    ledger.instruct(payment, claim, [replace(twin, line_item_ids=("another",))])


def test_a_line_of_an_imported_pi_that_failed_is_free(ledger, pi):
    first, _ = of(ledger, pi)
    rewrite(ledger.dsn, "UPDATE ifms.beneficiary SET imported_as = status")
    rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET status = 'FAILED'")
    payment, claim = ledger.payment(400)
    ledger.instruct(payment, claim, [replace(beneficiary(Decimal(400)), line_item_ids=first.line_item_ids)])


def test_a_line_of_an_imported_pi_that_may_be_at_the_treasury_is_free_once_somebody_has_said_that_it_is_not(ledger, pi):
    first, _ = of(ledger, pi)
    rewrite(ledger.dsn, "UPDATE ifms.beneficiary SET imported_as = status")
    rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET status = 'FAILED', uncertain = true")
    payment, claim = ledger.payment(400)
    twin = replace(beneficiary(Decimal(400)), line_item_ids=first.line_item_ids)
    may = rf"payment {payment.payment_number} pays line .*, and so may PI {pi.pi_number} of payment {pi.payment_number}"
    with pytest.raises(ConflictError, match=may):
        ledger.instruct(payment, claim, [twin])
    shown = "said_absent_at = now() - interval '1 hour', found_failed_at = now()"
    rewrite(ledger.dsn, f"UPDATE ifms.payment_instruction SET {shown}")
    with pytest.raises(ConflictError, match=may):
        ledger.instruct(payment, claim, [twin])
    rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET said_absent_at = now() + interval '1 hour'")
    ledger.instruct(payment, claim, [twin])


def test_whose_lines_are_paid_already_is_never_looked_for_row_by_row(ledger, pi):
    """Seen: planned for a young table and kept for the connection, each PI read all beneficiaries that there were."""

    def written(connection):
        payment, claim = ledger.payment(400)
        new = new_instruction(payment, [beneficiary(Decimal(400))])
        with connection.transaction():
            funding = funds.choose_funding(connection, TENANT, payment.amount, [SOURCE], financial_year="2024-25")
            create(connection, new, funding, claim, Claim(uuid.uuid4(), LEASE))
            return connection.execute(
                "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relid = 'ifms.beneficiary'::regclass"
            ).fetchone()[0]

    with ledger.connect() as one:
        one.autocommit = True
        written(one)
        rewrite(
            ledger.dsn,
            """
            INSERT INTO ifms.beneficiary (payment_instruction_id, beneficiary_number, beneficiary_id, beneficiary_type,
                amount, line_item_ids, name, account_last4, account_type, ifsc, bank_account_id, mobile, address)
            SELECT payment_instruction_id, beneficiary_number || '-' || n, beneficiary_id, beneficiary_type, amount,
                ARRAY['sample' || n], name, account_last4, account_type, ifsc, bank_account_id, mobile, address
            FROM ifms.beneficiary, generate_series(1, 3000) n
            """,
        )
        assert written(one) < 100
