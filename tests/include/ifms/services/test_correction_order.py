"""What may be corrected, until when, and with whose approval: on a real ledger, by whole runs of ifms_cor."""

import contextlib
import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import pytest
import time_machine
from support import second_person
from support.databases import rewrite
from support.failed import (
    TENANT,
    a_paid_bill,
    choices,
    fail,
    failing,
    long_ago,
    mend,
    none_is_wrong,
    order,
    original,
    paid_by,
    revisions,
    sent,
)
from support.keys import KEYRING, account_numbers
from support.uncertain import on

from ifms.errors import SweepNeedsAttentionError
from ifms.ledger import proposals
from ifms.ledger.invariants import find_violations
from ifms.ledger.proposals import Act
from ifms.sealing import Sealer
from ifms.services.candidates import Account
from ifms.services.correction_order import Order, acts_of, parameters_of, shown_account

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}, after=a_paid_bill)


CHOICES = {
    "not on purpose": (lambda one, two, other: {"beneficiary_numbers": (one, two, other)}, "{2}: the bank account is"),
    "mended meanwhile": (
        lambda one, two, other: {"same_account": (one, other)},
        "{0}: the registry has another account by now than the one that failed: look at it, then choose anew; "
        "nobody was revised",
    ),
    "each the other way": (
        lambda one, two, other: {"beneficiary_numbers": (other,), "same_account": (one, two)},
        "{0}, {1}: the registry has another account by now than the one that failed: look at it, then choose anew; "
        "{2}: the bank account is",
    ),
    "twice": (lambda one, two, other: {"beneficiary_numbers": (one, one, two)}, "{0} is named twice"),
    "in both ways": (
        lambda one, two, other: {"beneficiary_numbers": (one,), "same_account": (one,)},
        "{0} is named twice",
    ),
    "of another PI": (lambda one, two, other: {"beneficiary_numbers": (one, "BN-XX/1")}, "has no beneficiary BN-XX/1"),
    "nobody": (lambda one, two, other: {"beneficiary_numbers": ()}, "no failed beneficiary"),
    "nobody's choice": (lambda one, two, other: {"same_account": (other,), "by": None}, "nobody's name"),
    "a blank name": (lambda one, two, other: {"same_account": (other,), "by": " "}, "nobody's name"),
    "a new original": (
        lambda one, two, other: {"same_account": (other,), "new_original": True},
        "none as same account",
    ),
}


@pytest.mark.parametrize(("chosen", "said"), CHOICES.values(), ids=CHOICES)
def test_a_choice_that_nobody_could_follow_is_refused_whole(paid, three, treasury, chosen, said):
    numbers = three(mended=2)
    with pytest.raises(SweepNeedsAttentionError, match=re.escape(said.format(*numbers))):
        paid.correct(order(paid, **({"by": "sample-person"} | chosen(*numbers))))
    assert treasury.state["calls"].get("COR", 0) == 0
    assert (revisions(paid), choices(paid), sorted(failing(paid))) == ([], [], numbers)


def test_a_pi_that_is_not_partial_and_a_revision_are_refused(paid):
    with pytest.raises(SweepNeedsAttentionError, match="is SUCCESSFUL"):
        paid.correct(order(paid))
    fail(paid, 1)
    paid.run("FD")
    mend(paid)
    paid.correct(order(paid))
    with pytest.raises(SweepNeedsAttentionError, match="on its way"):
        paid.correct(order(paid))
    with pytest.raises(SweepNeedsAttentionError, match="name its original"):
        paid.correct(Order(TENANT, revisions(paid)[0]["pi_number"]))


def test_the_clock_of_the_deadline_is_ist(failed):
    rewrite(failed.dsn, "UPDATE ifms.beneficiary SET failed_on = '2026-06-01' WHERE failed_on IS NOT NULL")
    # 90 days: 30 August 2026, to its last second in IST
    with (
        time_machine.travel(datetime(2026, 8, 30, 18, 29, 59, tzinfo=UTC), tick=False),
        pytest.raises(SweepNeedsAttentionError, match="is the one that failed"),
    ):
        failed.correct(order(failed))
    with (
        time_machine.travel(datetime(2026, 8, 30, 18, 30, 0, tzinfo=UTC), tick=False),
        pytest.raises(SweepNeedsAttentionError, match="until 2026-08-30 only"),
    ):
        failed.correct(order(failed))


def test_who_can_still_be_corrected_is_in_no_new_original(paid, three):
    one, two, _ = three(mended=2)
    rewrite(paid.dsn, "UPDATE ifms.beneficiary SET failed_on = failed_on - 120 WHERE beneficiary_number = %s", [two])
    with pytest.raises(SweepNeedsAttentionError, match=f": {one} can still be corrected, until"):
        paid.correct(order(paid, beneficiary_numbers=(one, two), new_original=True))
    assert sent(paid, "ORIGINAL") == []


def test_each_of_those_who_failed_in_a_new_original_is_refused_by_the_first(paid, three):
    numbers = three(mended=2)[:2]
    long_ago(paid)
    paid.correct(order(paid, beneficiary_numbers=tuple(numbers), new_original=True))
    for service in ("PIS", "PAG", "PD"):
        paid.run(service)
    [anew] = sent(paid, "ORIGINAL")
    fail(paid, numbers, anew["pi_number"])
    paid.run("FD")
    for number in numbers:
        said = f"{number} was paid anew since, and failed once more: name {anew['pi_number']}"
        with pytest.raises(SweepNeedsAttentionError, match=said):
            paid.correct(order(paid, beneficiary_numbers=(number,)))


def test_each_of_whom_another_transfer_is_told_is_named_and_paid_nothing(paid, three, treasury):
    one, two, other = three(mended=3)
    with psycopg.connect(paid.dsn) as connection:
        connection.execute(
            "INSERT INTO ifms.other_transfer (beneficiary_row, utr_number) SELECT id, 'RBI-OTHER'"
            " FROM ifms.failed_beneficiary WHERE beneficiary_number = ANY(%s)",
            ([one, two],),
        )
    told = "the treasury also tells that it is paid by RBI-OTHER"
    with pytest.raises(SweepNeedsAttentionError, match=f"({one}, {two}|{two}, {one}): {told}"):
        paid.correct(order(paid, beneficiary_numbers=(one, two, other)))
    assert revisions(paid) == []
    with pytest.raises(SweepNeedsAttentionError, match=rf"^2 problem\(s\).* {told}"):
        paid.correct()
    assert [paid_by(paid, each) for each in revisions(paid)] == [[other]]
    assert treasury.state["calls"]["COR"] == 1


def test_who_failed_in_a_new_original_is_corrected_by_that_one(paid, treasury):
    """And another failure of the first original by the first."""
    one, two, _ = (
        row["beneficiary_number"] for row in paid.rows("SELECT beneficiary_number FROM ifms.beneficiary ORDER BY 1")
    )
    fail(paid, [one])
    paid.run("FD")
    long_ago(paid)
    mend(paid, [one])
    paid.correct(order(paid, new_original=True))
    for service in ("PIS", "PAG", "PD"):
        paid.run(service)
    [anew] = sent(paid, "ORIGINAL")
    fail(paid, [one], anew["pi_number"])
    paid.run("FD")
    mend(paid, [one], account="000077770001")
    for named in (None, (one,)):
        with pytest.raises(SweepNeedsAttentionError, match=f"name {anew['pi_number']}"):
            paid.correct(order(paid, beneficiary_numbers=named))
    fail(paid, [two])
    paid.run("FD")
    mend(paid, [two], account="000077770002")
    paid.correct()
    made = {each["parent_pi_number"]: paid_by(paid, each) for each in revisions(paid)}
    assert made == {original(paid)["pi_number"]: [two], anew["pi_number"]: [one]}
    assert {each["org_bill_ref_number"] for each in revisions(paid)} == {
        original(paid)["pa_bill_ref_number"],
        sent(paid, "ORIGINAL")[0]["pa_bill_ref_number"],
    }
    paid.run("FTPS")
    fail(
        paid,
        [one],
        next(each["pi_number"] for each in revisions(paid) if each["parent_pi_number"] == anew["pi_number"]),
    )
    paid.run("FTFPS")
    mend(paid, [one], account="000077770003")
    paid.correct()  # whom a revision of the new original failed to pay is still that one's
    assert [each["parent_pi_number"] for each in revisions(paid)].count(anew["pi_number"]) == 2
    none_is_wrong(paid, treasury)
    by_the_first = "UPDATE ifms.payment_instruction SET parent_pi_number = %s WHERE parent_pi_number = %s"
    rewrite(paid.dsn, by_the_first, [original(paid)["pi_number"], anew["pi_number"]])
    with psycopg.connect(paid.dsn) as connection:
        broken = [found.invariant.name for found in find_violations(connection)]
    assert broken == ["corrections_follow_the_last_payment"]


def approved(adapter, wanted, accounts, act=None, sealer=KEYRING.sealer):
    """The order as asha has proposed and ravi has approved it, to pay to these accounts."""
    rows = adapter.rows("SELECT DISTINCT beneficiary_number, ifsc FROM ifms.beneficiary")
    ifsc = {row["beneficiary_number"]: row["ifsc"] for row in rows}
    payees = {number: Account(account, ifsc[number]) for number, account in accounts.items()}

    def write(connection):
        made = proposals.propose(
            connection,
            act or acts_of(wanted)[0],
            wanted.pi_number,
            parameters_of(wanted, payees, sealer),
            tenant_id=wanted.tenant_id,
            reason="asked by phone",
            person="asha",
        )
        return proposals.approve(connection, made.id, "ravi").id

    return replace(wanted, proposal=on(adapter, write))


def proposal(adapter):
    [row] = adapter.rows("SELECT done_at, done_in, failed_at, result FROM ifms.proposal")
    return row


@pytest.mark.parametrize("act", [Act.SAME_ACCOUNT, Act.REPAYMENT, Act.CORRECTION])
def test_what_needs_two_people_is_done_as_it_was_approved_in_both_names(paid, three, treasury, act):
    numbers, new_original = three()[:2], act is Act.REPAYMENT
    known = account_numbers(paid.dsn)
    accounts = {number: known[f"{original(paid)['pi_number']} {number}"] for number in numbers}
    second_person.needed(paid.dsn, acts=(act,), above_amount=Decimal(1))
    if new_original:
        long_ago(paid)
        wanted = order(paid, beneficiary_numbers=tuple(numbers), new_original=True)
    else:
        wanted = order(paid, same_account=tuple(numbers), by="asha")
    with pytest.raises(SweepNeedsAttentionError, match=rf"needs a second person \({act}\)"):
        paid.correct(wanted)
    assert sent(paid) == sent(paid, "ORIGINAL") == []
    paid.correct(approved(paid, wanted, accounts, act))
    [made] = sent(paid, "ORIGINAL" if new_original else "REVISED")
    assert (made["status"], paid_by(paid, made)) == ("INITIATED", numbers)
    row = proposal(paid)
    assert (row["result"], row["failed_at"], row["done_in"]) == (made["pi_number"], None, "None/None")
    assert row["done_at"] is not None
    chosen = paid.rows("SELECT same_account_by FROM ifms.beneficiary WHERE payment_instruction_id = %s", made["id"])
    by = None if new_original else "asha, approved by ravi"
    assert [row["same_account_by"] for row in chosen] == [by, by]
    none_is_wrong(paid, treasury)


@pytest.mark.parametrize("account", ["000077778888", "000077770001"], ids=["another", "with the same last digits"])
@pytest.mark.parametrize("moved", [0, 1])
def test_nothing_is_paid_to_another_account_than_was_approved(paid, three, moved, account):
    numbers = three(mended=2)[:2]
    second_person.needed(paid.dsn, acts=("repayment",))
    long_ago(paid)
    wanted = order(paid, beneficiary_numbers=tuple(numbers), new_original=True)
    ready = approved(paid, wanted, dict(zip(numbers, ("000099990001", "000099990002"), strict=True)))
    account = account.replace("0001", f"000{moved + 1}")
    mend(paid, account=account, numbers=[numbers[moved]])
    with pytest.raises(SweepNeedsAttentionError, match=f"the account of {numbers[moved]} is another one by now"):
        paid.correct(ready)
    assert sent(paid, "ORIGINAL") == []
    assert (proposal(paid)["done_at"], proposal(paid)["failed_at"] is not None) == (None, True)
    assert "is another one by now than was approved" in proposal(paid)["result"]


def test_an_approval_of_something_else_stays_open_when_this_is_refused(paid, three):
    numbers = three(mended=1)
    long_ago(paid)
    wanted = order(paid, beneficiary_numbers=tuple(numbers[:1]), new_original=True)
    ready = approved(paid, wanted, {numbers[0]: "000099990001"})
    unknown = uuid.uuid4()
    for other, said in (
        ({"beneficiary_numbers": ("BN-none",)}, "has no beneficiary BN-none"),
        ({"pi_number": "PI-SA/2000-01/000001"}, "does not exist"),
        ({"proposal": unknown, "beneficiary_numbers": ("BN-none",)}, "has no beneficiary BN-none"),
        ({"proposal": unknown}, rf"proposal {unknown} is not of this act \(repayment\)"),
    ):
        with pytest.raises(SweepNeedsAttentionError, match=said):
            paid.correct(replace(ready, **other))
        assert (proposal(paid)["done_at"], proposal(paid)["failed_at"]) == (None, None)


def test_an_approval_whose_accounts_nobody_can_read_any_more_is_of_no_account(paid, three):
    numbers = three(mended=1)[:1]
    long_ago(paid)
    wanted = order(paid, beneficiary_numbers=tuple(numbers), new_original=True)
    lost = approved(paid, wanted, {numbers[0]: "000099990001"}, sealer=Sealer(bytes(32)))
    with pytest.raises(SweepNeedsAttentionError, match=f"the account of {numbers[0]} is another one by now"):
        paid.correct(lost)
    assert sent(paid, "ORIGINAL") == []


@pytest.mark.parametrize(("below", "needed"), [("0.00", False), ("0.01", True)])
def test_a_correction_of_more_than_the_limit_needs_two_people(paid, three, below, needed):
    numbers = three(mended=2)[:2]
    rows = paid.rows("SELECT sum(amount) AS amount FROM ifms.beneficiary WHERE beneficiary_number = ANY(%s)", numbers)
    second_person.needed(paid.dsn, acts=("correction",), above_amount=rows[0]["amount"] - Decimal(below))
    with pytest.raises(SweepNeedsAttentionError, match="correction") if needed else contextlib.nullcontext():
        paid.correct(order(paid))
    assert len(revisions(paid)) == (not needed)


def test_an_account_is_shown_by_its_bank_and_its_last_four_digits():
    assert shown_account(Account("000012345678", "SAMP0000001")) == "SAMP0000001 ********5678"
