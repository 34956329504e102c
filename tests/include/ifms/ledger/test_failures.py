"""Failures that match nothing are kept once, told again without end, and never dropped."""

from dataclasses import replace
from datetime import date

import pytest
from psycopg import errors

from ifms.ledger import failures, instructions
from ifms.ledger.beneficiaries import Failure
from ifms.ledger.statuses import Event

BILL = "PI-SA/2024-25/000017"
ACCOUNT = "12345678901"
WHY = "no payment instruction has this number"
FAILURE = Failure(
    voucher_date=date(2024, 6, 3),
    reason="Account does not exist",
    challan_number="C1",
    challan_date=date(2024, 6, 5),
    beneficiary_id="BN-SA/000017",
    account_number=ACCOUNT,
    ifsc="SAMP0000001",
    utr_number="UTR1",
)


def keep(ledger, failure=FAILURE, bill=BILL, why=WHY):
    return ledger.db.transact(lambda c: failures.keep_unmatched(c, bill, failure, b"sealed", why))


def count(ledger, where="true"):
    return ledger.one(f"SELECT count(*) FROM ifms.unmatched_failure WHERE {where}")


def test_is_kept_as_it_was_told(ledger):
    assert keep(ledger) is True
    assert ledger.row(
        """
        SELECT bill_number, beneficiary_id, voucher_date, account_sealed, account_last4, ifsc, utr_number,
               challan_number, challan_date, reason, why_unmatched, matched_at FROM ifms.unmatched_failure
        """
    ) == (
        BILL,
        "BN-SA/000017",
        date(2024, 6, 3),
        b"sealed",
        "8901",
        "SAMP0000001",
        "UTR1",
        "C1",
        date(2024, 6, 5),
        "Account does not exist",
        WHY,
        None,
    )


def test_what_is_unknown_is_left_out(ledger):
    bare = Failure(voucher_date=date(2024, 6, 3), reason=None, challan_number=None, challan_date=None)
    assert ledger.db.transact(lambda c: failures.keep_unmatched(c, BILL, bare, None, WHY)) is True
    assert ledger.row(
        """
        SELECT beneficiary_id, account_sealed, account_last4, ifsc, utr_number, challan_number, reason
        FROM ifms.unmatched_failure
        """
    ) == ("", *[None] * 6)


@pytest.mark.parametrize("challan", ["C1", None])
def test_told_again_it_is_known_and_the_last_word_counts(ledger, challan):
    told = replace(FAILURE, challan_number=challan)
    assert keep(ledger, told) is True
    assert keep(ledger, told, why="the payment instruction is PENDING") is False
    assert keep(ledger, told, why="the payment instruction is PENDING") is False
    assert ledger.row(
        "SELECT why_unmatched, reason, last_told_at > first_told_at FROM ifms.unmatched_failure"
    ) == ("the payment instruction is PENDING", "Account does not exist", True)  # fmt: skip


def test_told_twice_in_one_reply_it_is_new_once(ledger):
    def keep_both(connection):
        return [failures.keep_unmatched(connection, BILL, FAILURE, b"sealed", WHY) for _ in range(2)]

    assert ledger.db.transact(keep_both) == [True, False]


OTHERS = {
    "another challan": {"challan_number": "C2"},
    "no challan": {"challan_number": None},
    "another day": {"voucher_date": date(2024, 6, 4)},
    "another beneficiary": {"beneficiary_id": "BN-SA/000018"},
}


def test_another_failure_is_new(ledger):
    assert keep(ledger) is True
    assert keep(ledger, bill="PI-SA/2024-25/000018") is True
    for what, changes in OTHERS.items():
        assert keep(ledger, replace(FAILURE, **changes)) is True, what
    assert count(ledger) == 2 + len(OTHERS)


def test_two_beneficiaries_named_only_by_account_are_two_failures(ledger):
    """Older replies have no benfId (treasury-jit.md §2 FD)."""
    one = replace(FAILURE, beneficiary_id=None)
    other = replace(one, account_number="12345678902", utr_number="UTR2")
    assert keep(ledger, one) is True
    assert keep(ledger, other) is True
    assert count(ledger) == 2


def test_no_whole_account_number_is_in_the_row(ledger):
    keep(ledger)
    text = ledger.one("SELECT u::text FROM ifms.unmatched_failure u")
    assert ACCOUNT not in text
    assert ACCOUNT[:-4] not in text
    assert ACCOUNT not in repr(FAILURE)


def test_matched_after_all_it_says_when_and_keeps_its_row(ledger):
    keep(ledger)
    keep(ledger, bill="PI-SA/2024-25/000018")
    keep(ledger, replace(FAILURE, beneficiary_id="BN-SA/000018"))
    keep(ledger, replace(FAILURE, voucher_date=date(2024, 6, 4)))
    ledger.db.transact(lambda c: failures.now_matched(c, BILL, FAILURE))
    assert count(ledger) == 4
    assert count(ledger, "matched_at IS NOT NULL") == 1
    at = ledger.one("SELECT matched_at FROM ifms.unmatched_failure WHERE matched_at IS NOT NULL")
    ledger.db.transact(lambda c: failures.now_matched(c, BILL, FAILURE))
    assert ledger.one("SELECT matched_at FROM ifms.unmatched_failure WHERE matched_at IS NOT NULL") == at


def test_a_failure_without_beneficiary_is_matched_too(ledger):
    bare = replace(FAILURE, beneficiary_id=None)
    keep(ledger, bare)
    ledger.db.transact(lambda c: failures.now_matched(c, BILL, bare))
    assert count(ledger, "matched_at IS NULL") == 0


def test_what_was_never_unmatched_needs_no_row(ledger):
    ledger.db.transact(lambda c: failures.now_matched(c, BILL, FAILURE))
    assert count(ledger) == 0


def test_none_is_dropped_even_by_hand(ledger):
    keep(ledger)
    for statement in ("DELETE FROM ifms.unmatched_failure", "TRUNCATE ifms.unmatched_failure"):
        with ledger.connect() as connection, pytest.raises(errors.CheckViolation, match="never dropped"):
            connection.execute(statement)
    assert count(ledger) == 1


def test_what_is_open_of_a_bill_is_read_as_it_was_told_but_for_the_account(ledger):
    keep(ledger)
    keep(ledger, replace(FAILURE, beneficiary_id=None, account_number=None, utr_number="UTR2"))
    keep(ledger, bill="PI-SA/2024-25/000018")
    keep(ledger, replace(FAILURE, beneficiary_id="BN-SA/000018"))
    ledger.db.transact(lambda c: failures.now_matched(c, BILL, replace(FAILURE, beneficiary_id="BN-SA/000018")))
    found = ledger.db.transact(lambda c: failures.unmatched(c, BILL))
    assert [each.failure for each in found] == [
        replace(FAILURE, account_number=None),
        replace(FAILURE, beneficiary_id=None, account_number=None, utr_number="UTR2"),
    ]
    assert [each.account_sealed for each in found] == [b"sealed", b"sealed"]


@pytest.mark.parametrize(("status", "can"), [("PENDING", False), ("INITIATED", True), ("FAILED", False)])
def test_bills_are_looked_at_again_whose_pi_can_take_a_failure(ledger, status, can):
    ledger.fund(1000)
    pi, mine = ledger.instruct(*ledger.payment(100))
    keep(ledger)
    keep(ledger, bill=pi.pi_number)
    event = {"INITIATED": Event.ACCEPTED, "FAILED": Event.DECLINED}.get(status)
    if event:

        def advance(connection):
            instructions.advance(connection, pi, mine, event)
            if status == "FAILED":
                instructions.free_payment(connection, pi, "PI_DECLINED", "sample")

        ledger.db.transact(advance)
    assert ledger.db.transact(failures.matchable_bills) == ([pi.pi_number] if can else [])
    ledger.db.transact(lambda c: failures.now_matched(c, pi.pi_number, FAILURE))
    assert ledger.db.transact(failures.matchable_bills) == []


def test_what_was_closed_is_matched_all_the_same(ledger):
    keep(ledger)
    failure = ledger.one("SELECT id FROM ifms.unmatched_failure")
    ledger.db.transact(lambda c: failures.close(c, failure, "sample reason", "sample"))
    assert len(ledger.db.transact(lambda c: failures.unmatched(c, BILL))) == 1
    ledger.db.transact(lambda c: failures.now_matched(c, BILL, FAILURE))
    assert count(ledger, "matched_at IS NOT NULL AND settled_reason = 'sample reason'") == 1
    with ledger.connect() as connection, pytest.raises(errors.CheckViolation, match="stays on record"):
        connection.execute("UPDATE ifms.unmatched_failure SET settled_reason = 'another'")
