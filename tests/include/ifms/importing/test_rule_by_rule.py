"""Each rule alone: rows of the Java adapter that all fit, one thing of them made wrong, and what is said of it then."""

from __future__ import annotations

import pytest
from support.java_rows import (
    CITY,
    FAILED,
    NEW_YEAR,
    ORIGINALS,
    OTHER,
    SOME_ID,
    SUCCESSFUL,
    advice,
    allotment,
    copied,
    kept,
    moved,
    payee_kept,
    people,
    person,
    pi,
    sanction,
)

pytestmark = pytest.mark.tier("prove")  # of what is done once, in one city after the other

AMOUNT, ALLOTMENT, SUMMARY = "it has no amount", "can't be read", "its summary says"
NAMELESS, SUMS, PERSON = "it has no number, no time, or names no payment", "it says ", "or lines are missing"
STANDS, UNTOLD, DEBITS = ", the PI ", "the treasury must have told by then: ", "; its transactions are "
PARENT, UNFAILED, LIVE = "which is no original of this payment", "it is not in the original", "its number is live in "
MONEY, TWICE, UTR = "its money is on sanction", "more than one original PI", "without voucher or UTR"
ORPHAN = "it belongs to no row that is there"

WRONG = {
    "no unit": (sanction("s2", ddocode="D9"), {"s2": ["master data has no spending unit of od.sample with DDO D9"]}),
    "no scheme": (sanction("s2", hoacode="H9"), {"s2": ["master data has no scheme of head of account H9"]}),
    "no sanctioned amount": (sanction("s2", sanctionedamount=None), {"s2": [AMOUNT]}),
    "sanctioned NaN": (sanction("s2", sanctionedamount="NaN"), {"s2": [AMOUNT]}),
    "no time": (sanction("s2", createdtime=1), {"s2": [AMOUNT]}),
    "a year of another form": (sanction("s2", financialyear="2025"), {"s2": [AMOUNT]}),
    "two sanctions of one number": (sanction("s2", masterallotmentid="M-s1"), {"s1": ["there are 2 sanctions"], "s2": ["there are 2 sanctions"], **{name.upper(): [MONEY] for name in ORIGINALS if name != "declined"}}),
    "an allotment of no kind": (allotment("b4", allotmenttransactiontype="more"), {"s2": [ALLOTMENT]}),
    "an allotment without amount": (allotment("b4", allotmentamount=None), {"s2": [ALLOTMENT]}),
    "an allotment below zero": (allotment("b4", allotmentamount=-1), {"s2": [ALLOTMENT, SUMMARY]}),
    "an allotment of NaN": (allotment("b4", allotmentamount="NaN"), {"s2": [ALLOTMENT, SUMMARY]}),
    "an allotment without serial number": (allotment("b4", allotmentserialno=None), {"s2": [ALLOTMENT]}),
    "an allotment without id": (allotment("b4", ssuallotmentid="null"), {"s2": [ALLOTMENT]}),
    "an allotment without day": (allotment("b4", allotmentdate=1), {"s2": [ALLOTMENT]}),
    "an allotment without balance": (allotment("b4", sanctionbalance=None), {"s2": [ALLOTMENT]}),
    "an allotment told with two amounts": (allotment("b5", allotmentamount=81), {"s2": ["allotment A/2 is there as ADDITIONAL of 80.00 and as ADDITIONAL of 81.00"]}),
    "an allotment told with three amounts": (f"{allotment('b5', allotmentamount=81)}; INSERT INTO jit_allotment_details SELECT (jsonb_populate_record(t, '{{\"id\": \"b6\", \"allotmentamount\": 82}}')).* FROM jit_allotment_details t WHERE id = 'b5'", {"s2": ["and as ADDITIONAL of 81.00", "and as ADDITIONAL of 82.00"]}),
    "an allotment told as two kinds": (allotment("b5", allotmenttransactiontype="Initial Allotment"), {"s2": ["is there as ADDITIONAL of 80.00 and as INITIAL of 80.00"]}),
    "a summary that allots more": ("UPDATE jit_funds_summary SET allottedamount = 301 WHERE sanctionid = 's2'", {"s2": [SUMMARY]}),
    "a summary with less available": ("UPDATE jit_funds_summary SET availableamount = 299 WHERE sanctionid = 's2'", {"s2": [SUMMARY]}),
    "no summary": ("DELETE FROM jit_funds_summary WHERE sanctionid = 's2'", {"s2": [SUMMARY]}),
    "no summary of nothing": ("DELETE FROM jit_funds_summary WHERE sanctionid = 's3'", {"s3": [SUMMARY]}),
    "two summaries": (copied("jit_funds_summary", "f-s2", "more", allottedamount=0, availableamount=0), {"s2": [SUMMARY]}),
    "a PI without number": (pi("initiated", pinumber="null"), {"INITIATED": [NAMELESS]}),
    "a PI without payment": (pi("initiated", muktareferenceid=""), {"PI PI-initiated": [NAMELESS]}),
    "a PI without time": (pi("initiated", createdtime=None), {"INITIATED": [NAMELESS]}),
    "a payment that is named like a sanction": (pi("declined", muktareferenceid="s1", createdtime=None), {"s1": [NAMELESS]}),
    "a PI number twice": (pi("initiated", pinumber="PI-approved"), {"INITIATED": ["there are 2 PIs"], "APPROVED": ["there are 2 PIs"]}),
    "a PI number in small letters": (pi("initiated", pinumber="pi-Approved"), {"INITIATED": ["there are 2 PIs"], "APPROVED": ["there are 2 PIs"]}),
    "a PI number with a character that is not seen": (pi("initiated", pinumber="PI-init\u200biated"), {"INITIATED": ["the number PI-init?iated"]}),
    "a PI number with a blank": (pi("initiated", pinumber="PI- initiated"), {"INITIATED": ["the number PI-?initiated"]}),
    "a payment number with a blank": (pi("initiated", muktareferenceid="INIT\u00a0IATED"), {"INITIATED": ["the number INIT?IATED"]}),
    "a payment number with what is not seen at its end": (pi("initiated", muktareferenceid="INITIATED\u0301"), {"INITIATED": ["the number INITIATED?"]}),
    "an original's number with a character that is not seen": (pi("again-2", parentpinumber="PI-\u2060again"), {"AGAIN": ["the number PI-?again", PARENT, UNFAILED]}),
    "a beneficiary's number with a blank": (person("initiated-0", beneficiarynumber="N-initi\u00adated-0"), {"INITIATED": ["its number holds a blank"]}),
    "a payment number in small letters": (pi("declined", muktareferenceid="initiated"), {"initiated": ["numbers of payments INITIATED and initiated differ"], "INITIATED": ["numbers of payments INITIATED and initiated differ"]}),
    "a PI without status": (pi("declined", pistatus=None), {"DECLINED": ["it has no status"]}),
    "neither status nor beneficiaries": (f"{pi('declined', pistatus=None)}; DELETE FROM jit_beneficiary_lineitems WHERE beneficiaryid LIKE 'declined-_'; DELETE FROM jit_beneficiary_details WHERE piid = 'declined'", {"DECLINED": ["it has no status", SUMS]}),
    "a PI of unknown status": (pi("initiated", pistatus="SENT"), {"INITIATED": ["its status SENT means nothing here"]}),
    "a revision that is approved": (pi("again-2", pistatus="APPROVED"), {"AGAIN": ["its status APPROVED means nothing here"]}),
    "another number of beneficiaries": (pi("initiated", numbeneficiaries=3), {"INITIATED": [SUMS]}),
    "no beneficiaries": ("DELETE FROM jit_beneficiary_lineitems WHERE beneficiaryid LIKE 'initiated-_'; DELETE FROM jit_beneficiary_details WHERE piid = 'initiated'", {"INITIATED": [SUMS]}),
    "no amount": (f"{pi('declined', netamount=None)}; {people('declined', amount=None)}", {"DECLINED": [SUMS, PERSON]}),
    "an amount of zero": (f"{pi('declined', netamount=0)}; {people('declined', amount=0)}", {"DECLINED": [SUMS, PERSON]}),
    "no gross amount": (pi("initiated", grossamount=None), {"INITIATED": [SUMS]}),
    "a gross amount of NaN": (pi("initiated", grossamount="NaN"), {"INITIATED": [SUMS]}),
    "a gross amount below the net": (pi("initiated", grossamount=99), {"INITIATED": [SUMS]}),
    "other sums": (person("initiated-0", amount=61), {"INITIATED": [SUMS]}),
    "a beneficiary without number": (person("initiated-0", beneficiarynumber=None), {"INITIATED": [PERSON]}),
    "a beneficiary without payee": (person("initiated-0", beneficiaryid=""), {"INITIATED": [PERSON]}),
    "a beneficiary without lines": ("DELETE FROM jit_beneficiary_lineitems WHERE beneficiaryid = 'initiated-0'", {"INITIATED": [PERSON]}),
    "a line without its number": (copied("jit_beneficiary_lineitems", "initiated-0-line", "more", lineitemid="null"), {"INITIATED": [PERSON]}),
    "a beneficiary without amount": (f"{person('initiated-0', amount=None)}; {person('initiated-1', amount=100)}", {"INITIATED": [PERSON]}),
    "a beneficiary of zero": (f"{person('initiated-0', amount=0)}; {person('initiated-1', amount=100)}", {"INITIATED": [PERSON]}),
    "a beneficiary of NaN": (person("initiated-0", amount="NaN"), {"INITIATED": [PERSON, SUMS]}),
    "a beneficiary of no type": (person("initiated-0", beneficiarytype=None), {"INITIATED": [PERSON]}),
    "a beneficiary of another type": (person("initiated-0", beneficiarytype="ind"), {"INITIATED": [PERSON]}),
    "a beneficiary twice in a PI": (person("declined-1", beneficiarynumber="N-declined-0"), {"DECLINED": ["it is in this PI 2 times"]}),
    "paid without UTR": (person("paid-0", utrno=None), {"PAID": [UTR]}),
    "paid without voucher": (person("partial-0", vouchernumber="null"), {"PARTIAL": [UTR]}),
    "a revision paid without UTR": (person("completed-2-0", utrno=None), {"COMPLETED": [UTR]}),
    "partial, nobody failed": (pi("paid", pistatus="PARTIAL"), {"PAID": ["it is PARTIAL, but none of its beneficiaries has failed"]}),
    "completed, nobody failed": (pi("paid", pistatus="COMPLETED"), {"PAID": ["it is COMPLETED, but none of its beneficiaries has failed"]}),
    "approved without id": (pi("approved", piapprovedid=None), {"APPROVED": [f"{UNTOLD}its id"]}),
    "approved without date": (pi("approved", piapprovaldate="null"), {"APPROVED": [f"{UNTOLD}the date of its approval"]}),
    "paid without id and date": (pi("paid", piapprovedid=None, piapprovaldate=None), {"PAID": [f"{UNTOLD}its id, the date of its approval"]}),
    "partial without bill reference": (advice("partial", pabillrefnumber=None), {"PARTIAL": [f"{UNTOLD}its bill reference"]}),
    "in process without token": (advice("processed", patokennumber="null"), {"PROCESSED": [f"{UNTOLD}its token"]}),
    "paid without its token's date": (advice("paid", patokendate=None), {"PAID": [f"{UNTOLD}its token's date"]}),
    "in process without year": (advice("processed", pafinyear=None), {"PROCESSED": [f"{UNTOLD}its year"]}),
    "two advices": (copied("jit_payment_advice_details", "paid-advice", "more"), {"PAID": [f"{UNTOLD}one advice, not 2"]}),
    "a revision without token": (advice("completed-2", patokennumber=None), {"COMPLETED": [f"{UNTOLD}its token"]}),
    "two originals of a payment": (pi("approved", muktareferenceid="INITIATED", pistatus="INITIATED"), {"INITIATED": [TWICE]}),
    "no debit": ("DELETE FROM jit_transaction_details WHERE paymentinstid = 'initiated'", {"INITIATED": [DEBITS], "s1": [SUMMARY]}),
    "a debit of another amount": (moved("initiated-DEBIT", transactionamount=99), {"INITIATED": [DEBITS], "s1": [SUMMARY]}),
    "another kind beside the debit": (copied("jit_transaction_details", "initiated-DEBIT", "more", transactiontype="OTHER", transactionamount=0), {"INITIATED": [DEBITS]}),
    "reversed, and not failed": (copied("jit_transaction_details", "initiated-DEBIT", "more", transactiontype="REVERSAL", transactionamount=0), {"INITIATED": [DEBITS]}),
    "failed, and reversed in part": (moved("rejected-REVERSAL", transactionamount=99), {"REJECTED": [DEBITS], "s1": [SUMMARY]}),
    "failed, and debited with less": (f"{moved('rejected-DEBIT', transactionamount=99)}; {moved('rejected-REVERSAL', transactionamount=99)}", {"REJECTED": [DEBITS]}),
    "declined, but active": (pi("declined", isactive=True), {"DECLINED": [DEBITS]}),
    "declined, and nobody knows whether active": (pi("declined", isactive=None), {"DECLINED": [DEBITS]}),
    "a revision with a debit": (copied("jit_transaction_details", "initiated-DEBIT", "more", paymentinstid="again-2", transactionamount=0), {"AGAIN": [DEBITS]}),
    "another city's sanction": (f"{moved('initiated-DEBIT', sanctionid='s3')}; UPDATE jit_funds_summary SET availableamount = availableamount + CASE sanctionid WHEN 's1' THEN 100 ELSE -100 END WHERE sanctionid IN ('s1', 's3')", {"INITIATED": [MONEY]}),
    "two sanctions": (f"{moved('rejected-REVERSAL', sanctionid='s2')}; UPDATE jit_funds_summary SET availableamount = availableamount + CASE sanctionid WHEN 's1' THEN -100 ELSE 100 END WHERE sanctionid IN ('s1', 's2')", {"REJECTED": [MONEY]}),
    "a revision of nothing": (pi("again-2", parentpinumber="PI-none"), {"AGAIN": [PARENT, UNFAILED]}),
    "a revision of a revision": (f"{pi('again-2', parentpinumber='PI-completed-2', muktareferenceid='COMPLETED', createdtime=NEW_YEAR + 9_999_999)}", {"COMPLETED": [PARENT, UNFAILED]}),
    "a revision of another payment": (pi("again-2", muktareferenceid="PAID"), {"PAID": [PARENT]}),
    "a revision of what has no bill reference": (advice("again", pabillrefnumber=None), {"AGAIN": [PARENT, f"{UNTOLD}its bill reference"]}),
    "a revision as old as its original": (pi("again-2", createdtime=NEW_YEAR + 60_000 * 7), {"AGAIN": [PARENT]}),
    "a revision with another number": (person("again-2-0", beneficiarynumber="N-new"), {"AGAIN": [UNFAILED]}),
    "a revision with another amount": (f"{person('again-2-0', amount=41)}; {pi('again-2', netamount=41, grossamount=42)}", {"AGAIN": [UNFAILED]}),
    "a revision of who was paid": (f"{person('again-2-0', beneficiarynumber='N-again-0', amount=60)}; {pi('again-2', netamount=60, grossamount=61)}", {"AGAIN": [UNFAILED, LIVE]}),
    "two revisions under way": (f"{pi('again-2', parentpinumber='PI-partial', muktareferenceid='PARTIAL')}; {person('again-2-0', beneficiarynumber='N-partial-1')}; {pi('completed-2', parentpinumber='PI-partial', muktareferenceid='PARTIAL', pistatus='INITIATED')}; {person('completed-2-0', beneficiarynumber='N-partial-1', paymentstatus='Payment Initiated')}", {"PARTIAL": ["more than one revision is under way", LIVE]}),
    "a number that is live twice": (f"{person('approved-0', beneficiarynumber='N-initiated-0')}; {person('declined-0', beneficiarynumber='N-initiated-0')}", {"APPROVED": [LIVE], "INITIATED": [LIVE]}),
    "an advice of nothing": (advice("declined", piid="none"), {"jit_payment_advice_details declined-advice": [ORPHAN]}),
    "a beneficiary of nothing": (copied("jit_beneficiary_details", "paid-0", "lost", piid="none", beneficiarynumber="N-lost"), {"jit_beneficiary_details lost": [ORPHAN]}),
    "a log of nothing": ("UPDATE jit_pi_status_logs SET piid = 'none' WHERE id = 'paid-log'", {"jit_pi_status_logs paid-log": [ORPHAN]}),
    "a line of nothing": (copied("jit_beneficiary_lineitems", "paid-0-line", "lost", beneficiaryid="none"), {"jit_beneficiary_lineitems lost": [ORPHAN]}),
    "a transaction of nothing": (copied("jit_transaction_details", "paid-DEBIT", "lost", paymentinstid="none", transactionamount=0), {"jit_transaction_details lost": [ORPHAN]}),
    "an allotment of nothing": (copied("jit_allotment_details", "a1", "lost", sanctionid=None), {"jit_allotment_details lost": [ORPHAN]}),
    "a summary of nothing": (copied("jit_funds_summary", "f-s1", "lost", sanctionid=None), {"jit_funds_summary lost": [ORPHAN]}),
    "a watermark of another DDO": ("UPDATE jit_executed_va_logs SET ddocode = 'D9'", {"va va": ["master data has no spending unit of od.sample with DDO D9"]}),
    "a watermark of another city": (f"UPDATE jit_executed_va_logs SET tenantid = '{OTHER}'", {"va va": ["master data has no spending unit of od.other with DDO D1"]}),
}  # fmt: skip
RIGHT = {
    "as they are": "SELECT",
    "no count of beneficiaries": pi("initiated", numbeneficiaries=None),
    "a gross amount of no more than the net": pi("approved", grossamount=100),
    "a year of the other century": sanction("s2", financialyear="2099-00"),
    "an original that has failed before another": pi("declined", muktareferenceid="INITIATED"),
    "a failed PI with a beneficiary of another": person("declined-0", beneficiarynumber="N-paid-0"),
    "a revision after one that has failed": f"{pi('completed-2', parentpinumber='PI-again', muktareferenceid='AGAIN', pistatus='FAILED')}; {person('completed-2-0', beneficiarynumber='N-again-1', paymentstatus=FAILED)}",
    "a failed PI whose beneficiary was paid without UTR": person("declined-0", paymentstatus=SUCCESSFUL),
    "a failed PI whose beneficiary another has paid": person(
        "declined-0", beneficiarynumber="N-paid-0", paymentstatus=SUCCESSFUL
    ),
}


@pytest.mark.parametrize("change", RIGHT.values(), ids=RIGHT.keys())
def test_what_fits_is_not_left_out(rows, change):
    rows.database.run(change)
    assert rows.misfits() == {}


@pytest.mark.parametrize(("change", "expected"), WRONG.values(), ids=WRONG.keys())
def test_one_wrong_thing_is_said_of_what_is_left_out_for_it_and_of_nothing_else(rows, change, expected):
    rows.database.run(change)
    found = rows.misfits()
    if expected.get("s1") == [SUMMARY]:  # the money of all is there, and left out with it
        found = {name: [why for why in said if MONEY not in why] for name, said in found.items()}
        found = {name: said for name, said in found.items() if said}
    assert found.keys() == expected.keys()
    for name, said in expected.items():
        assert len(found[name]) == len(said), found[name]
        assert all(any(part in why for why in found[name]) for part in said), found[name]


@pytest.mark.parametrize("change", ["", "DELETE FROM jit_funds_summary WHERE sanctionid = 's2'"])
def test_a_sanction_that_an_operator_imports_by_its_rows_needs_no_summary_that_agrees(rows, change):
    rows.database.run(f"UPDATE jit_funds_summary SET availableamount = 1 WHERE sanctionid = 's2'; {change}")
    assert rows.misfits().keys() == {"s2"}
    assert rows.misfits("M-s2") == {}


def test_what_sums_say_is_told_with_all_that_they_come_to(rows):
    rows.database.run("DELETE FROM jit_transaction_details WHERE paymentinstid = 'initiated'")
    rows.database.run(
        copied("jit_transaction_details", "paid-DEBIT", "more", transactiontype="OTHER", transactionamount=0)
    )
    rows.database.run("DELETE FROM jit_funds_summary WHERE sanctionid = 's2'")
    found = rows.misfits()
    said = "; its allotments (each once) and transactions say"
    assert found["s1"] == [f"its summary says allotted 5000.00, available 4200.00{said} 5000.00 and 4300.00"]
    assert found["s2"] == [
        f"its summary says allotted nothing, available nothing{said} 300.00 and 300.00; 1 allotment(s) are there twice"
    ]
    [initiated] = [why for why in found["INITIATED"] if DEBITS in why]
    assert initiated == "it is INITIATED, active, for 100.00; its transactions are 0 DEBIT of 0, 0 REVERSAL of 0"
    [paid] = [why for why in found["PAID"] if DEBITS in why]
    assert paid.endswith("1 DEBIT of 100.00, 0 REVERSAL of 0, and others")
    rows.database.run(moved("rejected-REVERSAL", transactionamount=99))
    [rejected] = [why for why in rows.misfits()["REJECTED"] if DEBITS in why]
    assert rejected.endswith("1 DEBIT of 100.00, 1 REVERSAL of 99.00")


@pytest.mark.parametrize(
    ("payment", "amount", "city", "expected"),
    [
        ("INITIATED", 99, CITY, ["this ledger knows its payment with 99.00, not with 100.00"]),
        ("INITIATED", 100, CITY, []),
        ("INITIATED", 99, OTHER, []),
        ("AGAIN", 100, CITY, []),  # its revision pays less
        ("DECLINED", 99, CITY, []),
    ],
)
def test_a_payment_is_known_here_with_what_its_live_original_pays(rows, payment, amount, city, expected):
    known = f"INSERT INTO ifms.payment (tenant_id, payment_number, payment_id, amount, raised_at) VALUES ('{city}', '{payment}', '', {amount}, now())"
    assert rows.misfits(here=known) == ({payment: expected} if expected else {})


@pytest.mark.parametrize(
    ("payment", "city", "expected"),
    [
        ("Initiated", CITY, {"INITIATED": ["this ledger knows its payment as Initiated, in other letters"]}),
        (
            "INIT\u200bIATED",
            CITY,
            {"INITIATED": ["this ledger knows its payment as INIT\u200bIATED, in other letters"]},
        ),
        ("Initiated", OTHER, {}),
    ],
)
def test_a_payment_that_is_spelled_otherwise_here_is_not_taken_in(rows, payment, city, expected):
    known = f"INSERT INTO ifms.payment (tenant_id, payment_number, payment_id, amount, raised_at) VALUES ('{city}', '{payment}', '', 100, now())"
    assert rows.misfits(here=known) == expected


def test_a_pi_that_is_spelled_otherwise_here_is_not_taken_in(rows):
    said = "this ledger has PI pi-PAID, whose number differs only in small and capital letters"
    assert rows.misfits(here=kept("pi-PAID", "HERE")) == {"PAID": [said]}


OWN = "of its own for this payment"


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        (kept("PI-here", "INITIATED"), {"INITIATED": [f"this ledger has PI PI-here (INITIATED) {OWN}"]}),
        (kept("PI-here", "PAID", "FAILED"), {"PAID": [f"this ledger has PI PI-here (FAILED) {OWN}"]}),
        (kept("PI-declined", "DECLINED", "FAILED"), {"DECLINED": [f"this ledger has PI PI-declined (FAILED) {OWN}"]}),
        (kept("PI-here", "DECLINED"), {}),  # the one there is over, and has another number
        (kept("PI-here", "INITIATED", tenant_id=OTHER), {}),
        (kept("PI-here", "INITIATED", imported_at="2026-02-01"), {}),
        (
            kept(
                "PI-here",
                "INITIATED",
                pi_type="REVISED",
                parent_pi_number="PI-x",
                org_bill_ref_number="B",
                org_bill_date="2026-01-01",
            ),
            {},
        ),
        (kept("PI-here", "INITIATED", repayment_of=SOME_ID), {}),
    ],
)
def test_a_payment_that_has_a_pi_here_is_not_taken_in_with_another(rows, here, expected):
    """Both may have been sent: it would be paid twice."""
    assert rows.misfits(here=here) == expected


REVISES = {"pi_type": "REVISED", "org_bill_ref_number": "B", "org_bill_date": "2026-01-01"}
AGAIN = "of its own, which pays again what has failed of PI PI-again"


@pytest.mark.parametrize(
    ("successor", "change", "expected"),
    [
        (kept("PI-here", "AGAIN", parent_pi_number="PI-again", **REVISES), "", "this ledger has PI PI-here (INITIATED)"),
        (kept("PI-here", "AGAIN", "FAILED", parent_pi_number="PI-again", **REVISES), "", "this ledger has PI PI-here (FAILED)"),
        (kept("PI-here", "AGAIN", "SUCCESSFUL", repayment_of="PI-again"), "", "this ledger has PI PI-here (SUCCESSFUL)"),
        (kept("PI-here", "AGAIN", parent_pi_number="PI-again", **REVISES), pi("again-2", pistatus="FAILED"), ""),
        (kept("PI-here", "AGAIN", parent_pi_number="PI-paid", **REVISES), "", ""),
        (kept("PI-here", "AGAIN", "COMPLETED", parent_pi_number="PI-again", imported_at="2026-02-01", **REVISES), "", ""),
    ],
)  # fmt: skip
def test_who_is_paid_again_from_here_is_not_taken_in_as_paid_again_there(rows, successor, change, expected):
    """Both may have been sent: what had failed would be paid twice."""
    rows.database.run(change or "SELECT")
    found = rows.misfits(here=successor)
    assert found == ({"AGAIN": [f"{expected} {AGAIN}"]} if expected else {})


def test_a_revision_that_was_taken_in_before_one_was_made_here_fits(rows):
    taken_in = kept("PI-again-2", "AGAIN", parent_pi_number="PI-again", imported_at="2026-02-01", **REVISES)
    own = kept("PI-here", "AGAIN", "FAILED", parent_pi_number="PI-again", **REVISES)
    assert rows.misfits(here=f"{taken_in}; {own}") == {}


@pytest.mark.parametrize(
    ("here", "whose"),
    [
        (kept("PI-paid", "HERE"), {"PAID": "HERE of od.sample"}),
        (kept("PI-paid", "PAID", tenant_id=OTHER), {"PAID": "PAID of od.other"}),
        (kept("PI-again-2", "AGAIN", repayment_of="PI-x"), {"AGAIN": "AGAIN of od.sample"}),
        (kept("PI-paid", "PAID", repayment_of="PI-x"), {"PAID": "PAID of od.sample"}),
        (kept("PI-paid", "PAID", parent_pi_number="PI-x", **REVISES), {"PAID": "PAID of od.sample"}),
        (kept("PI-again-2", "HERE", imported_at="2026-02-01"), {}),
    ],
)
def test_a_number_that_this_ledger_has_given_to_another_is_not_taken_in(rows, here, whose):
    given = "this ledger has given its number to a PI of its own, for payment"
    assert rows.misfits(here=here) == {payment: [f"{given} {of}"] for payment, of in whose.items()}


PAYS_ANOTHER = "this ledger pays another by its number, in PI PI-here for payment"


@pytest.mark.parametrize(
    ("number", "payment", "city", "status", "expected"),
    [
        ("N-paid-0", "HERE", CITY, "Payment Pending", {"PAID": f"{PAYS_ANOTHER} HERE of {CITY}"}),
        ("N-paid-0", "HERE", CITY, "Payment Successful", {"PAID": f"{PAYS_ANOTHER} HERE of {CITY}"}),
        ("N-paid-0", "PAID", OTHER, "Payment Pending", {"PAID": f"{PAYS_ANOTHER} PAID of {OTHER}"}),
        ("N-paid-0", "HERE", CITY, "Payment Failed", {}),
        ("N-paid-0", "PAID", CITY, "Payment Pending", {"PAID": f"this ledger has PI PI-here (INITIATED) {OWN}"}),
        ("N-declined-0", "HERE", CITY, "Payment Pending", {}),  # nobody is paid by it there
        ("N-again-1", "HERE", CITY, "Payment Pending", {"AGAIN": f"{PAYS_ANOTHER} HERE of {CITY}"}),  # by its revision
        ("N-none", "HERE", CITY, "Payment Pending", {}),
    ],
)
def test_a_number_by_which_this_ledger_pays_another_is_not_taken_in(rows, number, payment, city, status, expected):
    """The database would refuse it, and with it the whole import."""
    here = f"{kept('PI-here', payment, tenant_id=city)}; {payee_kept('PI-here', number, status)}"
    assert rows.misfits(here=here) == {name: [why] for name, why in expected.items()}


EARLIER = "2026-02-01"  # an earlier import took it in


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        (kept("PI-paid", "PAID", "SUCCESSFUL", imported_at=EARLIER), {}),
        (kept("PI-paid", "PAID", "APPROVED", imported_at=EARLIER), {}),  # it has gone on there since
        (
            kept("PI-approved", "APPROVED", "SUCCESSFUL", imported_at=EARLIER),
            {"APPROVED": ["it is APPROVED there and SUCCESSFUL here"]},
        ),
        (kept("PI-paid", "PAID", "FAILED", imported_at=EARLIER), {"PAID": ["it is SUCCESSFUL there and FAILED here"]}),
    ],
)
def test_what_an_earlier_import_took_in_may_only_have_gone_further_there(rows, here, expected):
    assert rows.misfits(here=here) == expected


def test_what_has_gone_further_here_by_itself_is_no_misfit(rows):
    here = kept("PI-approved", "APPROVED", "SUCCESSFUL", imported_at=EARLIER)
    moved_on = (
        "INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status, from_status,"
        " to_status) SELECT id, tenant_id, payment_number, 'PAG', 'sample', '{}', 'IN PROCESS'"
        " FROM ifms.payment_instruction"
    )
    assert rows.misfits(here=f"{here}; {moved_on.format('APPROVED')}") == {}
    assert rows.misfits(here=f"{here}; {moved_on.format('INITIATED')}").keys() == {"APPROVED"}
    another = f"{kept('PI-other', 'OTHER')}; {moved_on.format('APPROVED')}; {here}"
    assert rows.misfits(here=another).keys() == {"APPROVED"}


def test_what_was_rejected_here_and_is_paid_by_a_pi_of_this_ledger_since_is_no_misfit(rows):
    """The Java adapter stands still: of a PI that was taken in, it says for ever what it knew then."""
    taken_in = kept("PI-initiated", "INITIATED", "FAILED", imported_at=EARLIER)
    rejected = (
        "INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status, from_status,"
        " to_status) SELECT id, tenant_id, payment_number, 'PIS', 'sample', 'INITIATED', 'FAILED'"
        " FROM ifms.payment_instruction"
    )
    assert rows.misfits(here=f"{taken_in}; {rejected}; {kept('PI-here', 'INITIATED')}") == {}


# What a beneficiary may be while its PI is what it is; of what has failed as a whole nothing is asked.
MAY_BE = {
    "initiated": {"Payment Initiated"},
    "again-2": {"Payment Initiated", "Payment In Process", SUCCESSFUL, FAILED},
    "approved": {"Payment Initiated"},
    "processed": {"Payment In Process", SUCCESSFUL, FAILED},
    "scrolled": {"Payment In Process", SUCCESSFUL, FAILED},
    "paid": {"Payment In Process", SUCCESSFUL},
    "completed-2": {"Payment Initiated", "Payment In Process", SUCCESSFUL},
    "partial": {"Payment In Process", SUCCESSFUL, FAILED},
    "completed": {SUCCESSFUL, FAILED},
    "declined": {"Payment Initiated", "Payment In Process", SUCCESSFUL, FAILED, "Payment Lost"},
}
REPORTED = ("Payment Initiated", "Payment In Process", SUCCESSFUL, FAILED, "Payment Lost")


@pytest.mark.parametrize("name", MAY_BE)
def test_a_beneficiary_stands_where_its_pi_lets_it(rows, name):
    for reported in REPORTED:
        rows.database.run(person(f"{name}-0", paymentstatus=reported, vouchernumber="V", utrno="U"))
        misfits = [why for said in rows.misfits().values() for why in said if STANDS in why]
        assert (misfits == []) == (reported in MAY_BE[name]), (reported, misfits)
