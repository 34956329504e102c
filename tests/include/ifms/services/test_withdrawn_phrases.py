"""What has FAILED by a phrase of the site is in doubt once that is withdrawn: its payment gets no other unasked."""

import json

import pytest
from support.adapter import assert_money_is_right
from support.uncertain import UNKNOWN_BILL, a_day_later, a_due_payment, on, pi, red, resubmit

from ifms.errors import SweepError, SweepNeedsAttentionError
from ifms.ledger.phrases import add_phrase, withdraw_phrase
from ifms.services import manual_settlement
from ifms.services.manual_settlement import Verdict
from ifms.treasury.client import TreasuryClient

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}, after=a_due_payment)

SAID = "Sample bill is sent back for attention"
LATER = "let the payment be resubmitted, and the treasury is asked about each before it gets another"


def add(adapter, service, meaning, text=SAID):
    added = {"reason": "the treasury was asked", "added_by": "a tester"}
    return on(adapter, lambda c: add_phrase(c, [service], text, meaning, **added))[0]


def withdraw(adapter, phrase):
    return on(adapter, lambda c: withdraw_phrase(c, phrase, reason="it was wrong", withdrawn_by="another tester"))


def settle(adapter, number):
    said = {"reason": "the treasury was asked", "person": "a tester", "typed": number}
    on(adapter, lambda c: manual_settlement.settle(c, number, Verdict.NOT_THERE, **said))


def broken(adapter):
    """The first rule that is broken, and what is said of it; nothing when reconciliation is green."""
    try:
        adapter.reconcile()
    except SweepNeedsAttentionError as error:
        return str(error).partition("the first: ")[2]
    return ""


def assert_in_doubt(adapter, number):
    """Nothing is paid instead before the treasury was asked, and a person has let it be asked."""
    row = pi(adapter)
    assert (row["pi_number"], row["status"], row["uncertain"]) == (number, "FAILED", True)
    assert adapter.rows("SELECT hold_code FROM ifms.payment") == [{"hold_code": "PI_IN_DOUBT"}]
    adapter.run("PI")
    assert len(adapter.rows("SELECT FROM ifms.payment_instruction")) == 1
    assert broken(adapter).startswith("earlier_numbers_are_known: ")


@pytest.fixture
def rejected(due, treasury):
    """A PI that the treasury has, FAILED by a phrase that is wrong; with that phrase."""
    due.run("PI")
    treasury.rule("PIS", "error", errorMsg=SAID)
    phrase = add(due, "PIS", "rejected")
    due.run("PIS")
    assert (pi(due)["status"], pi(due)["uncertain"]) == ("FAILED", False)
    return due, phrase


def test_one_that_the_treasury_has_is_not_paid_twice(rejected, treasury):
    adapter, phrase = rejected
    number = pi(adapter)["pi_number"]
    assert broken(adapter) == ""
    assert withdraw(adapter, phrase) == [number]
    assert_in_doubt(adapter, number)
    [held] = adapter.rows("SELECT hold_message FROM ifms.payment")
    assert (
        held["hold_message"]
        == f"the treasury may have PI {number}, FAILED by what a phrase said that was withdrawn: {LATER}"
    )
    resubmit(adapter)
    red(adapter, f"PI {number} is FAILED here.*PIS says: {SAID}")
    treasury.clear()
    reply = {"serviceId": "PIS", "errorMsg": None, "data": [{"jitBillNumber": number}]}
    treasury.rule("PIS", "plain_reply", text=json.dumps(reply))
    resubmit(adapter)
    red(adapter, f"PI {number} is FAILED here.*and PIS answers")
    assert treasury.accepted == {number: 1}
    assert broken(adapter).startswith("failed_is_not_at_the_treasury: ")


def test_one_that_the_treasury_lacks_is_paid_once_it_says_so(rejected, treasury):
    adapter, phrase = rejected
    first = pi(adapter)["pi_number"]
    withdraw(adapter, phrase)
    resubmit(adapter)
    treasury.clear()
    treasury.rule("PIS", "error", errorMsg=f"This Bill Number {first} is rejected by SSU Sample Office", times=1)
    adapter.run("PI")
    assert treasury.accepted == {first: 1, pi(adapter)["pi_number"]: 1}
    assert broken(adapter) == ""


def test_with_another_beside_it_reconciliation_is_red_until_a_person_has_asked(rejected, treasury):
    adapter, phrase = rejected
    first = pi(adapter)["pi_number"]
    resubmit(adapter)
    adapter.run("PI")
    second = pi(adapter)["pi_number"]
    assert broken(adapter) == ""
    assert withdraw(adapter, phrase) == [first]
    said = broken(adapter)
    assert said.startswith(f"withdrawn_phrases_end_nothing: PI {first} of od.samplea, ")
    assert "withdrew at " in said
    assert f"and PI {second} pays instead" in said
    settle(adapter, first)
    assert broken(adapter) == ""


def test_what_a_person_has_said_to_be_absent_is_not_in_doubt(rejected):
    adapter, phrase = rejected
    other = add(adapter, "PIS", "rejected", "Sample words that nobody says")
    assert withdraw(adapter, other) == []
    assert broken(adapter) == ""
    number = pi(adapter)["pi_number"]
    again = add(adapter, "PIS", "rejected", f"{SAID} {{rest}}")
    withdraw(adapter, phrase)
    settle(adapter, number)
    assert withdraw(adapter, again) == []


@pytest.mark.parametrize("known", [True, False], ids=["known before", "known later"])
def test_a_refusal_of_a_submission(due, treasury, known):
    phrase = add(due, "PI", "content error") if known else None
    treasury.rule("PI", "error", errorMsg=SAID, times=1)
    if phrase is None:
        red(due, "refused: Sample bill")
        phrase = add(due, "PI", "content error")
    due.run("PI")
    number = pi(due)["pi_number"]
    assert withdraw(due, phrase) == [number]
    assert_in_doubt(due, number)
    resubmit(due)
    due.run("PI")
    assert treasury.accepted == {pi(due)["pi_number"]: 1}
    assert pi(due)["pi_number"] != number
    assert broken(due) == ""
    assert_money_is_right(due, treasury)


def test_a_bill_that_its_status_service_is_said_not_to_know(refused, treasury):
    phrase = add(refused, "PIS", "unknown bill")
    treasury.rule("PIS", "error", errorMsg=SAID)
    red(refused, "PIS does not know it")
    a_day_later(refused)
    refused.run("PI")
    number = pi(refused)["pi_number"]
    assert withdraw(refused, phrase) == [number]
    assert_in_doubt(refused, number)


def test_with_the_phrase_the_first_of_two_times_is_forgotten(refused, treasury):
    phrase = add(refused, "PIS", "unknown bill")
    treasury.rule("PIS", "error", errorMsg=SAID, times=1)
    red(refused, "PIS does not know it")
    a_day_later(refused)
    assert withdraw(refused, phrase) == []
    red(refused, "PIS does not know it")
    assert pi(refused)["status"] == "PENDING"


def test_an_earlier_number_that_was_let_go_by_it(refused, treasury):
    red(refused, "PIS does not know it")
    a_day_later(refused)
    refused.run("PI")
    first = pi(refused)["pi_number"]
    phrase = add(refused, "PIS", "unknown bill")
    treasury.rule("PIS", "error", errorMsg=SAID)
    resubmit(refused)
    refused.run("PI")
    assert pi(refused)["pi_number"] != first
    assert broken(refused) == ""
    assert withdraw(refused, phrase) == [first]
    assert broken(refused).startswith(f"withdrawn_phrases_end_nothing: PI {first} of ")


def test_a_shipped_phrase_says_it_as_well(due, treasury):
    phrase = add(due, "PIS", "rejected", "This Bill Number {bill} is rejected by SSU of sample")
    due.run("PI")
    number = pi(due)["pi_number"]
    treasury.rule("PIS", "error", errorMsg=f"This Bill Number {number} is rejected by SSU of sample")
    due.run("PIS")
    assert pi(due)["status"] == "FAILED"
    assert withdraw(due, phrase) == []
    assert broken(due) == ""


@pytest.fixture
def withdrawn_meanwhile(due, monkeypatch):
    """A phrase is withdrawn once a sweep has read it, and before its call of the service comes back."""

    def plan(service, phrase):
        call = TreasuryClient.call

        def calling(self, request, **limits):
            outcome = call(self, request, **limits)
            if request.service == service:
                monkeypatch.setattr(TreasuryClient, "call", call)
                withdraw(due, phrase)
            return outcome

        monkeypatch.setattr(TreasuryClient, "call", calling)

    return plan


def test_withdrawn_while_a_status_is_asked_for_it_rejects_nothing(due, treasury, withdrawn_meanwhile):
    due.run("PI")
    treasury.rule("PIS", "error", errorMsg=SAID)
    withdrawn_meanwhile("PIS", add(due, "PIS", "rejected"))
    red(due, "the phrase 'Sample bill.* was withdrawn meanwhile: it changes nothing", "PIS")
    assert pi(due)["status"] == "INITIATED"
    assert len(due.rows("SELECT FROM ifms.treasury_call WHERE service_id = 'PIS'")) == 1


def test_withdrawn_while_it_is_sent_it_declines_nothing(due, treasury, withdrawn_meanwhile):
    treasury.rule("PI", "error", errorMsg=SAID, times=1)
    withdrawn_meanwhile("PI", add(due, "PI", "content error"))
    red(due, "was withdrawn meanwhile: it changes nothing")
    assert pi(due)["status"] == "PENDING"
    due.run("PI")  # asked about, and sent again under its number
    assert treasury.accepted == {pi(due)["pi_number"]: 1}


def test_withdrawn_while_an_earlier_number_is_asked_about_it_lets_nothing_go(refused, treasury, withdrawn_meanwhile):
    red(refused, "PIS does not know it")
    a_day_later(refused)
    refused.run("PI")
    treasury.rule("PIS", "error", errorMsg=SAID)
    withdrawn_meanwhile("PIS", add(refused, "PIS", "unknown bill"))
    resubmit(refused)
    with pytest.raises(SweepError):
        refused.run("PI")
    assert len(refused.rows("SELECT FROM ifms.payment_instruction")) == 1
    assert treasury.accepted == {}


def test_the_shipped_words_are_on_no_list(refused, treasury):
    red(refused, "PIS does not know it")
    a_day_later(refused)
    treasury.rule("PIS", "error", errorMsg=UNKNOWN_BILL, times=1)
    refused.run("PI")
    assert pi(refused)["status"] == "FAILED"
    assert refused.rows("SELECT FROM ifms.ended_by_phrase") == []
