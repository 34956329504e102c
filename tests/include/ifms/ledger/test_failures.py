"""Failures that match nothing are kept once, told again without end, and never dropped."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from uuid import uuid4

import pytest
from psycopg import errors, sql
from support import second_person
from support.databases import rewrite
from support.keys import KEYRING

from ifms.errors import BadInputError, ConflictError, SealError, SecondPersonError
from ifms.ledger import failures, instructions, proposals
from ifms.ledger.beneficiaries import Failure
from ifms.ledger.proposals import Act
from ifms.ledger.statuses import Event
from ifms.wire.bank import same_utr

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
    return ledger.db.transact(lambda c: failures.keep_unmatched(c, bill, failure, KEYRING.sealer, why))


def count(ledger, where="true"):
    return ledger.one(f"SELECT count(*) FROM ifms.reported_failure WHERE {where}")


def test_is_kept_as_it_was_told(ledger):
    assert keep(ledger) is True
    assert ledger.row(
        """
        SELECT bill_number, beneficiary_id, voucher_date, account_last4, ifsc, utr_number,
               challan_number, challan_date, reason, why_unmatched, matched_at FROM ifms.reported_failure
        """
    ) == (
        BILL,
        "BN-SA/000017",
        date(2024, 6, 3),
        "8901",
        "SAMP0000001",
        "UTR1",
        "C1",
        date(2024, 6, 5),
        "Account does not exist",
        WHY,
        None,
    )


def test_told_again_by_a_utr_in_other_letters_it_is_the_same_one(ledger):
    told = [replace(FAILURE, utr_number=utr) for utr in ("UTRa1", "utrA1", " UTRA1 ")]
    kept = [
        ledger.db.transact(lambda c, each=each: failures.keep_unmatched(c, BILL, each, KEYRING.sealer, WHY))
        for each in told
    ]
    assert kept == [True, False, False]
    assert ledger.one("SELECT array_agg(utr_number) FROM ifms.reported_failure") == ["UTRa1"]
    [same] = ledger.db.transact(lambda c: failures.unmatched(c, BILL))
    assert failures.open_account(KEYRING.sealer, BILL, same) == ACCOUNT
    ledger.db.transact(lambda c: failures.now_matched(c, BILL, told[1]))
    assert count(ledger, "matched_at IS NOT NULL") == 1


def test_the_database_compares_utrs_as_the_code_does(ledger):
    utrs = ["UTRV1", "utrv1", "\tUTRV1\n", "\vUTRV1\f", "UTR V1", "TRV1", "uträ", "UTRÄ", " "]
    rows = ledger.one(
        "WITH told AS (SELECT * FROM unnest(%s::text[]) WITH ORDINALITY told (utr, place))"
        " SELECT array_agg(ifms.utr_key(a.utr) = ifms.utr_key(b.utr) ORDER BY a.place, b.place) FROM told a, told b",
        utrs,
    )
    assert rows == [same_utr(one, other) for one in utrs for other in utrs]


def test_what_is_unknown_is_left_out(ledger):
    bare = Failure(voucher_date=date(2024, 6, 3), reason=None, challan_number=None, challan_date=None)
    assert ledger.db.transact(lambda c: failures.keep_unmatched(c, BILL, bare, KEYRING.sealer, WHY)) is True
    assert ledger.row(
        """
        SELECT beneficiary_id, account_sealed, account_last4, ifsc, utr_number, challan_number, reason
        FROM ifms.reported_failure
        """
    ) == ("", *[None] * 6)


@pytest.mark.parametrize("challan", ["C1", None])
def test_told_again_it_is_known_and_the_last_word_counts(ledger, challan):
    told = replace(FAILURE, challan_number=challan)
    assert keep(ledger, told) is True
    assert keep(ledger, told, why="the payment instruction is PENDING") is False
    assert keep(ledger, told, why="the payment instruction is PENDING") is False
    assert ledger.row("SELECT why_unmatched, reason, last_told_at > first_told_at FROM ifms.reported_failure") == (
        "the payment instruction is PENDING",
        "Account does not exist",
        True,
    )


def test_told_twice_in_one_reply_it_is_new_once(ledger):
    def keep_both(connection):
        return [failures.keep_unmatched(connection, BILL, FAILURE, KEYRING.sealer, WHY) for _ in range(2)]

    assert ledger.db.transact(keep_both) == [True, False]


OTHERS = {
    "another challan": {"challan_number": "C2"},
    "no challan": {"challan_number": None},
    "another day": {"voucher_date": date(2024, 6, 4)},
    "another beneficiary": {"beneficiary_id": "BN-SA/000018"},
    "another bill reference": {"bill_ref_number": "17"},
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
    text = ledger.one("SELECT u::text FROM ifms.reported_failure u")
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
    at = ledger.one("SELECT matched_at FROM ifms.reported_failure WHERE matched_at IS NOT NULL")
    ledger.db.transact(lambda c: failures.now_matched(c, BILL, FAILURE))
    assert ledger.one("SELECT matched_at FROM ifms.reported_failure WHERE matched_at IS NOT NULL") == at


@pytest.mark.parametrize("other", [*OTHERS.values(), {"ifsc": "SAMP0000002"}, {"ifsc": None}, {"utr_number": "UTR2"}])
def test_another_failure_that_was_booked_leaves_this_one_open(ledger, other):
    keep(ledger)
    ledger.db.transact(lambda c: failures.now_matched(c, BILL, replace(FAILURE, **other)))
    assert count(ledger, "matched_at IS NULL") == 1


def test_one_that_can_not_be_booked_any_more_is_open_again(ledger):
    keep(ledger)
    ledger.db.transact(lambda c: failures.now_matched(c, BILL, FAILURE))
    assert keep(ledger, why="the payment instruction is FAILED") is True
    assert ledger.row("SELECT matched_at, why_unmatched FROM ifms.reported_failure") == (
        None,
        "the payment instruction is FAILED",
    )
    assert keep(ledger, why="the payment instruction is FAILED") is False


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
    for statement in ("DELETE FROM ifms.reported_failure", "TRUNCATE ifms.reported_failure"):
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
        replace(FAILURE, account_number=None, account_end="8901"),
        replace(FAILURE, beneficiary_id=None, account_number=None, utr_number="UTR2"),
    ]
    assert found[1].account_sealed is None
    assert failures.open_account(KEYRING.sealer, BILL, found[0]) == ACCOUNT
    for bill, kept in (("PI-SA/2024-25/000018", found[0]), (BILL, replace(found[0], failure=found[1].failure))):
        with pytest.raises(SealError):
            failures.open_account(KEYRING.sealer, bill, kept)


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
    failure = ledger.one("SELECT id FROM ifms.reported_failure")
    ledger.db.transact(lambda c: failures.close_reported(c, failure, reason="sample reason", person="sample"))
    assert len(ledger.db.transact(lambda c: failures.unmatched(c, BILL))) == 1
    ledger.db.transact(lambda c: failures.now_matched(c, BILL, FAILURE))
    assert count(ledger, "matched_at IS NOT NULL AND settled_reason = 'sample reason'") == 1
    with ledger.connect() as connection, pytest.raises(errors.CheckViolation, match="stays on record"):
        connection.execute("UPDATE ifms.reported_failure SET settled_reason = 'another'")


FIRST, LAST = date(2026, 8, 20), date(2026, 11, 28)


def paid(ledger, voucher_date, **columns):
    """Somebody whom a PI has paid, by a voucher of this date."""
    pi, _ = ledger.instruct(*ledger.payment(100))
    with ledger.connect() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ifms.payment_instruction SET status = 'SUCCESSFUL' WHERE id = %s", (pi.id,))
        told = datetime.combine(voucher_date, time(12), tzinfo=UTC) if voucher_date else datetime.now(UTC)
        columns = {"status": "Payment Successful", "voucher_date": voucher_date, "updated_at": told} | columns
        for name, value in columns.items():
            connection.execute(
                sql.SQL("UPDATE ifms.beneficiary SET {} = %s WHERE payment_instruction_id = %s").format(
                    sql.Identifier(name)
                ),
                (value, pi.id),
            )
    return pi


def change(ledger, pi, **columns):
    with ledger.connect() as connection:
        connection.execute("SET session_replication_role = replica")
        for name, value in columns.items():
            connection.execute(
                sql.SQL("UPDATE ifms.payment_instruction SET {} = %s WHERE id = %s").format(sql.Identifier(name)),
                (value, pi.id),
            )


def to_ask(ledger):
    return ledger.db.transact(lambda c: failures.dates_to_ask(c, FIRST, LAST))


def days(first, last):
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def test_dates_to_ask_are_those_of_vouchers_in_the_window(ledger):
    ledger.fund(10_000)
    for day in (date(2026, 9, 1), date(2026, 9, 1), FIRST - timedelta(days=1), LAST, FIRST, LAST + timedelta(days=1)):
        paid(ledger, day)
    paid(ledger, date(2026, 9, 2), status="Payment Failed")
    assert to_ask(ledger) == [FIRST, date(2026, 9, 1), LAST]


@pytest.mark.parametrize("status", ["PENDING", "INITIATED", "APPROVED", "IN PROCESS"])
def test_before_the_scroll_it_may_be_any_date_from_the_bills_on(ledger, status):
    ledger.fund(10_000)
    # 18:30 UTC is midnight in Odisha.
    for hour, first in (
        (datetime(2026, 11, 20, 18, 29, tzinfo=UTC), 20),
        (datetime(2026, 11, 20, 18, 30, tzinfo=UTC), 21),
    ):
        change(ledger, paid(ledger, None, status="Payment Initiated"), status="FAILED")  # of others nothing comes
        pi = paid(ledger, None, status="Payment In Process")
        change(ledger, pi, status=status, bill_date=hour)
        assert to_ask(ledger) == days(date(2026, 11, first), LAST)
        change(ledger, pi, bill_date=datetime(2024, 6, 1, tzinfo=UTC))
        assert to_ask(ledger) == days(FIRST, LAST)
        change(ledger, pi, status="FAILED")


def test_a_scroll_without_a_voucher_date_may_be_of_any_up_to_when_it_was_told(ledger):
    ledger.fund(10_000)
    pi = paid(ledger, None, updated_at=datetime(2026, 9, 14, 18, 30, tzinfo=UTC))
    change(ledger, pi, bill_date=datetime(2026, 9, 10, 10, tzinfo=UTC))
    assert to_ask(ledger) == days(date(2026, 9, 10), date(2026, 9, 15))


@pytest.mark.parametrize(
    ("voucher_date", "asked"),
    [
        (date(2026, 9, 22), []),  # a week ahead, over holidays: asked about when it has come
        (date(2026, 9, 23), [date(2026, 9, 23)]),
        (date(2026, 6, 7), []),
        (date(2026, 6, 6), [date(2026, 6, 6)]),
        (date(2062, 9, 14), [date(2062, 9, 14)]),
        (date(2016, 9, 14), [date(2016, 9, 14)]),
    ],
)
def test_a_voucher_date_that_can_not_be_right_is_asked_about_with_those_that_may_be(ledger, voucher_date, asked):
    """Told on 15 September in Odisha of a bill of the 10th; the window begins on 20 August."""
    ledger.fund(10_000)
    pi = paid(ledger, voucher_date, updated_at=datetime(2026, 9, 14, 18, 30, tzinfo=UTC))
    change(ledger, pi, bill_date=datetime(2026, 9, 10, 10, tzinfo=UTC))
    in_window = [voucher_date] if FIRST <= voucher_date <= LAST else []
    may_be = days(date(2026, 9, 10), date(2026, 9, 15)) if asked else []
    assert to_ask(ledger) == sorted({*in_window, *asked, *may_be})


def test_of_a_wrong_voucher_date_nothing_is_asked_once_it_was_told_long_ago(ledger):
    ledger.fund(10_000)
    paid(ledger, date(2062, 9, 14), updated_at=datetime(2026, 8, 19, 18, 29, tzinfo=UTC))
    assert to_ask(ledger) == []


def test_dates_to_ask_are_found_by_an_index_however_many_were_ever_paid(ledger):
    ledger.fund(10_000)
    pi = paid(ledger, date(2026, 9, 1))
    with ledger.connect() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            """
            INSERT INTO ifms.beneficiary SELECT (jsonb_populate_record(b, jsonb_build_object('id', gen_random_uuid(),
                'beneficiary_number', 'BN-' || n, 'voucher_date', date '2024-01-01' + n %% 1050))).*
            FROM ifms.beneficiary b, generate_series(1, 30000) n
            WHERE b.id = (SELECT id FROM ifms.beneficiary WHERE payment_instruction_id = %s LIMIT 1)
            """,
            (pi.id,),
        )
        connection.execute("ANALYZE ifms.beneficiary")
        plan = connection.execute(
            b"EXPLAIN " + failures._RETURNABLE.encode(), {"first": FIRST, "last": LAST}
        ).fetchall()
    text = "\n".join(line for (line,) in plan)
    assert text.count("beneficiary_returnable") >= 1, text
    assert text.count("beneficiary_undated") >= 2, text
    assert "Seq Scan on beneficiary" not in text, text
    assert len(to_ask(ledger)) > 80


def test_the_last_answer_about_a_date_is_kept(ledger):
    first, second = uuid4(), uuid4()
    for run in (first, second):
        ledger.db.transact(lambda c, run=run: failures.note_asked(c, LAST, run))
    assert ledger.row("SELECT voucher_date, sweep_run_id FROM ifms.voucher_date_asked") == (LAST, second)
    with ledger.connect() as connection, pytest.raises(errors.CheckViolation, match="stays on record"):
        connection.execute("DELETE FROM ifms.voucher_date_asked")


@pytest.mark.parametrize("has_paid", [False, True])
def test_who_may_be_paid_by_another_transfer_is_so_until_that_is_settled(ledger, has_paid):
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(100))
    row = ledger.one("SELECT id FROM ifms.beneficiary WHERE payment_instruction_id = %s LIMIT 1", pi.id)
    with ledger.connect() as connection:
        connection.execute("INSERT INTO ifms.other_transfer (beneficiary_row, utr_number) VALUES (%s, 'UTR2')", (row,))

    def why():
        found = ledger.db.transact(lambda c: failures.may_be_paid(c, [row, uuid4()])).get(row)
        return found and found.why

    def settle(reason="asked"):
        ledger.db.transact(
            lambda c: failures.settle_transfer(c, found, has_paid=has_paid, reason=reason, person="sample")
        )

    assert "ask it, and settle that" in why()
    found = ledger.one("SELECT id FROM ifms.other_transfer")
    with pytest.raises(BadInputError, match="a reason is missing"):
        settle(" \n")
    settle()
    assert why() == ("it is paid by UTR2, as somebody has found out" if has_paid else None)
    with pytest.raises(ConflictError, match="no open transfer"):
        settle()
    with ledger.connect() as connection:  # earlier by its name, and open
        connection.execute("INSERT INTO ifms.other_transfer (beneficiary_row, utr_number) VALUES (%s, 'UTR0')", (row,))
    assert "paid by UTR0: ask it" in why()


@pytest.mark.parametrize("has_paid", [False, True])
def test_who_has_failed_by_a_transfer_that_was_told_otherwise_is_not_kept_from_correction(ledger, has_paid):
    """It may have come back though it has paid: by that one nobody is paid any more."""
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(100))
    row = ledger.one("SELECT id FROM ifms.beneficiary WHERE payment_instruction_id = %s LIMIT 1", pi.id)
    with ledger.connect() as connection:
        connection.execute(
            "INSERT INTO ifms.other_transfer (beneficiary_row, utr_number, not_as_sent) VALUES (%s, 'UTR2', 'sample')",
            (row,),
        )
    found = ledger.one("SELECT id FROM ifms.other_transfer")
    assert row in ledger.db.transact(lambda c: failures.may_be_paid(c, [row]))
    ledger.db.transact(lambda c: failures.settle_transfer(c, found, has_paid=has_paid, reason="asked", person="sample"))
    assert ledger.db.transact(lambda c: failures.may_be_paid(c, [row])) == {}


def test_that_it_has_not_paid_needs_a_second_person(ledger):
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(100))
    with ledger.connect() as connection:
        connection.execute(
            "INSERT INTO ifms.other_transfer (beneficiary_row, utr_number) SELECT id, 'UTR2' FROM ifms.beneficiary"
            " WHERE payment_instruction_id = %s ORDER BY beneficiary_number LIMIT 1",
            (pi.id,),
        )
    second_person.needed(ledger.dsn)
    found, number = ledger.row(
        "SELECT t.id, b.beneficiary_number FROM ifms.other_transfer t JOIN ifms.beneficiary b ON b.id = beneficiary_row"
    )

    def settle(has_paid, approval=None):
        said = {"reason": "asked", "person": "asha", "approval": approval}
        ledger.db.transact(lambda c: failures.settle_transfer(c, found, has_paid=has_paid, **said))

    with pytest.raises(SecondPersonError, match=rf"{found}: this needs a second person \(transfer\)"):
        settle(has_paid=False)
    wanted = ledger.db.transact(lambda c: failures.not_paid(c, found))
    assert wanted == {
        "has_paid": False,
        "pi_number": pi.pi_number,
        "beneficiary_number": number,
        "utr_number": "UTR2",
        "known_utr_number": "-",
        "not_as_sent": "-",
    }
    given = {"tenant_id": pi.tenant_id, "reason": "its bank says so", "person": "meena"}
    made = ledger.db.transact(lambda c: proposals.propose(c, Act.TRANSFER, str(found), wanted, **given))
    with pytest.raises(SecondPersonError, match="is not approved"):
        settle(has_paid=False, approval=made.id)
    assert ledger.one("SELECT settled_at FROM ifms.other_transfer") is None
    ledger.db.transact(lambda c: proposals.approve(c, made.id, "ravi"))
    settle(has_paid=False, approval=made.id)
    assert ledger.row("SELECT has_paid, settled_by, settled_reason FROM ifms.other_transfer") == (
        False,
        "meena, approved by ravi",
        "its bank says so",
    )
    assert ledger.one("SELECT done_at FROM ifms.proposal") is not None
    with pytest.raises(ConflictError, match="no open transfer"):
        ledger.db.transact(lambda c: failures.not_paid(c, found))


def test_each_of_the_three_is_settled_as_what_it_is_alone(ledger):
    """An id says nothing of its kind: who means a transfer closes no failure."""
    keep(ledger)
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(100))
    rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET status = 'PARTIAL'")
    rewrite(ledger.dsn, "UPDATE ifms.beneficiary SET status = 'Payment Failed', failed_on = current_date")
    row = ledger.one("SELECT id FROM ifms.beneficiary WHERE payment_instruction_id = %s LIMIT 1", pi.id)
    with ledger.connect() as connection:
        connection.execute("INSERT INTO ifms.other_transfer (beneficiary_row, utr_number) VALUES (%s, 'UTR2')", (row,))
    said = {"reason": "asked", "person": "sample"}
    acts = {
        ledger.one("SELECT id FROM ifms.reported_failure"): failures.close_reported,
        ledger.one("SELECT id FROM ifms.other_transfer"): partial(failures.settle_transfer, has_paid=False),
        row: failures.close_beneficiary,
    }
    for place, act in enumerate(acts.values()):
        for other, found in enumerate(acts):
            if other != place:
                with pytest.raises(ConflictError, match="there is no open"):
                    ledger.db.transact(lambda c, act=act, found=found: act(c, found, **said))
    for found, act in acts.items():
        ledger.db.transact(lambda c, act=act, found=found: act(c, found, **said))
        with pytest.raises(ConflictError, match=f"there is no open .* {found}: it may have been settled since"):
            ledger.db.transact(lambda c, act=act, found=found: act(c, found, **said))
