"""Earlier numbers of a payment are asked about before it gets another PI."""

import json
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest
from support import failed
from support.adapter import assert_money_is_right
from support.uncertain import a_day_later, on, pi, red, resubmit

from ifms import clock
from ifms.errors import SweepError, SweepNeedsAttentionError, SweepUnreachableError
from ifms.ledger.phrases import add_phrase, withdraw_phrase
from ifms.services import manual_settlement
from ifms.services.correction_order import Order
from ifms.services.earlier_numbers import EarlierNumbers
from ifms.services.manual_settlement import Verdict
from ifms.sweep.submission import Sender, Sent
from ifms.sweep.treasury_sweep import TreasurySweep
from ifms.treasury.client import TreasuryClient
from ifms.treasury.outcome import NeverSent

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})


def test_before_the_payment_gets_another_its_number_is_asked_about(refused, treasury):
    """It turns up after all: the payment waits for a person, and reconciliation is red."""
    red(refused, "PIS does not know it")
    a_day_later(refused)
    refused.run("PI")
    first = pi(refused)["pi_number"]
    resubmit(refused)
    treasury.rule("PIS", "error", errorMsg="Sample text that nobody knows", times=1)
    red(refused, f"PI {first} is FAILED here, but its outcome was once not known, and PIS says: Sample text")
    assert refused.rows("SELECT hold_code FROM ifms.payment") == [{"hold_code": "PI_IN_DOUBT"}]
    refused.run("PI")
    assert len(refused.rows("SELECT FROM ifms.payment_instruction")) == 1, "it waits for a person"
    resubmit(refused)
    refused.run("PI")
    assert treasury.accepted == {pi(refused)["pi_number"]: 1}
    assert pi(refused)["pi_number"] != first
    assert_money_is_right(refused, treasury)


def test_one_that_the_treasury_shows_is_never_replaced(refused, treasury):
    red(refused, "PIS does not know it")
    a_day_later(refused)
    refused.run("PI")
    row = pi(refused)
    shown = {
        "serviceId": "PIS",
        "errorMsg": None,
        "data": [
            {
                "pmtInstId": "1",
                "payInstDate": "2026-11-27 10:00:00",
                "jitBillNumber": row["pi_number"],
                "billNetAmount": str(row["net_amount"]),
            }
        ],
    }
    treasury.rule("PIS", "plain_reply", text=json.dumps(shown))
    resubmit(refused)
    red(refused, f"PI {row['pi_number']} is FAILED here.*and PIS shows it: the treasury has it")
    treasury.clear()
    assert len(refused.rows("SELECT FROM ifms.payment_instruction")) == 1
    with pytest.raises(SweepNeedsAttentionError, match="is FAILED here, and the treasury has it"):
        refused.reconcile()


def test_a_next_one_that_was_written_and_not_sent_waits_for_an_earlier_one_that_turns_up(
    refused, treasury, monkeypatch
):
    """Days may lie between its writing, when the treasury knew nothing of the earlier one, and its sending."""
    red(refused, "PIS does not know it")
    a_day_later(refused)
    refused.run("PI")
    first = pi(refused)
    resubmit(refused)
    with monkeypatch.context() as patch:
        patch.setattr(Sender, "send", lambda *_: Sent(None, NeverSent("nobody listens", ())))
        refused.run("PI")
    second = pi(refused)
    assert (second["status"], second["last_attempt"]) == ("PENDING", "never_sent")
    assert second["pi_number"] != first["pi_number"]
    reply = {"serviceId": "PIS", "errorMsg": None, "data": [{"jitBillNumber": first["pi_number"]}]}
    treasury.rule("PIS", "plain_reply", text=json.dumps(reply), times=1)
    waits = f"PI {second['pi_number']} can't be sent again: PI {first['pi_number']} is FAILED here"
    red(refused, f"{waits}.*and PIS answers")
    red(refused, f"{waits}.*, but showed it on")
    assert treasury.accepted == {}
    text = f"This Bill Number {first['pi_number']} is rejected by SSU Sample Office"
    treasury.rule("PIS", "error", errorMsg=text, times=1)
    refused.run("PI")
    assert treasury.accepted == {second["pi_number"]: 1}
    assert_money_is_right(refused, treasury)


@pytest.fixture
def mended(adapter):
    adapter.simulators.ask_platform("POST", "settings", {"persist_ms": 0})
    failed.paid_and_failed(adapter, 2, 1)
    failed.mend(adapter)
    return adapter


@pytest.mark.parametrize("new_original", [False, True], ids=["revised", "repayment"])
def test_a_failed_one_that_may_be_there_is_asked_about_before_the_next(mended, treasury, new_original):
    treasury.rule("COR", "http_status", status=503, times=1)
    with pytest.raises(SweepError):
        mended.correct()
    [first] = failed.revisions(mended)
    number = first["pi_number"]
    on(
        mended,
        lambda c: manual_settlement.settle(
            c, number, Verdict.NOT_THERE, reason="the treasury was asked", person="a tester", typed=number
        ),
    )
    if new_original:
        failed.long_ago(mended)
    order = Order(failed.TENANT, failed.original(mended)["pi_number"], new_original=new_original)
    treasury.rule("FTPS", "http_status", status=503, times=1)
    with pytest.raises(SweepNeedsAttentionError, match=f"nothing is corrected: PI {number} is FAILED.*FTPS did not"):
        mended.correct(order)
    assert mended.statuses() == Counter(PARTIAL=1, FAILED=1)
    treasury.rule("FTPS", "error", errorMsg="Sample text that nobody knows", times=1)
    mended.correct(order)  # a person has said so, and nothing shows it
    assert mended.statuses() == Counter(COMPLETED=1, FAILED=1, INITIATED=1)
    assert_money_is_right(mended, treasury)


# What is made of each answer ------------------------------------------------------------------------------------------

SILENT, DOUBT = "TREASURY_SILENT", "PI_IN_DOUBT"


@pytest.fixture
def earlier(ledger):
    """Two PIs of which the treasury knows nothing."""
    ledger.fund(1000)
    return [ledger.instruct(*ledger.payment(100))[0] for _ in range(2)]


@dataclass
class Asked:
    """What came of asking about earlier numbers: the hold, and the sweep that has asked."""

    hold: tuple[str, str] | None
    sweep: TreasurySweep


@pytest.fixture
def ask(adapter, earlier):
    """Asks about those two, in a sweep; `meanwhile` happens once it has read the phrasebook."""

    def asking(pis=earlier, meanwhile=lambda: None):
        config = adapter.simulators.treasury_config(**adapter.treasury_changes)
        sweep = adapter.sweep("PI")
        client = TreasuryClient(config, sweep.calls.record_login, login_pauses_seconds=(0.01,))
        with client, suppress(SweepUnreachableError), sweep:
            assert sweep.phrasebook
            meanwhile()
            hold = EarlierNumbers(sweep, client).doubt(pis)
        return Asked(hold, sweep)

    return asking


def test_each_earlier_number_is_asked_about_counted_and_logged(ask, earlier, adapter):
    asked = ask()
    assert asked.hold is None
    assert asked.sweep.counts["refused"] == 2
    calls = "SELECT payment_instruction_id FROM ifms.treasury_call WHERE service_id = 'PIS'"
    assert {row["payment_instruction_id"] for row in adapter.rows(calls)} == {pi.id for pi in earlier}


def test_the_first_that_is_in_doubt_holds_the_payment(ask, earlier, treasury):
    treasury.rule("PIS", "error", errorMsg="Sample text that nobody knows", times=1)
    code, message = ask().hold
    assert code == DOUBT
    assert message.startswith(f"PI {earlier[0].pi_number} is FAILED here")
    assert treasury.state["calls"]["PIS"] == 1


def shown(pi, **changes):
    """A reply that shows a PI."""
    row = {
        "pmtInstId": "1",
        "payInstDate": "2026-11-27 10:00:00",
        "jitBillNumber": pi.pi_number,
        "billNetAmount": str(pi.net_amount),
    }
    return json.dumps({"serviceId": "PIS", "errorMsg": None, "data": [row | changes]})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "PIS shows it: the treasury has it; ask the treasury before anything else is paid"),
        ({"billNetAmount": "1.00"}, "PIS answers: .*the net amount.*; ask the treasury before anything else is paid"),
    ],
    ids=["it", "another amount"],
)
def test_one_that_is_shown_is_in_doubt_whatever_is_shown_of_it_and_somebody_must_look(
    ask, earlier, treasury, ledger, changes, said
):
    treasury.rule("PIS", "plain_reply", text=shown(earlier[0], **changes))
    code, message = ask().hold
    assert code == DOUBT
    assert re.search(said, message)
    found = "SELECT id FROM ifms.payment_instruction WHERE found_failed_at IS NOT NULL"
    assert ledger.one(found) == earlier[0].id


def test_an_answer_without_any_row_says_nothing(ask, earlier, treasury):
    treasury.rule("PIS", "plain_reply", text=json.dumps({"serviceId": "PIS", "errorMsg": None, "data": []}))
    code, message = ask().hold
    assert code == DOUBT
    assert "and PIS has no news of it, which does not mean that the treasury lacks it; ask the treasury" in message
    assert ask([replace(pi, said_absent_at=clock.now()) for pi in earlier]).hold is None


@pytest.mark.parametrize(
    ("effect", "options", "said"),
    [
        ("lost_reply", {}, "PIS did not answer"),
        ("error", {"errorMsg": "Sample queue is full"}, "PIS says: Sample queue is full"),
    ],
)
def test_one_that_can_not_be_asked_about_now_is_asked_about_again(
    ask, adapter, earlier, treasury, effect, options, said
):
    on(adapter, lambda c: add_phrase(c, ["PIS"], "Sample queue is full", "try later", reason="x", added_by="a tester"))
    treasury.rule("PIS", effect, **options)
    code, message = ask([replace(earlier[0], said_absent_at=clock.now())]).hold
    assert code == SILENT
    assert re.search(f"{earlier[0].pi_number} is FAILED here.*, and {said}.*; it is asked again$", message)


def test_without_a_session_it_is_asked_about_again(ask, adapter, earlier):
    adapter.treasury_changes = {"client_secret": "another"}
    code, message = ask().hold
    assert code == SILENT
    assert (
        f"{earlier[0].pi_number} is FAILED here, but its outcome was once not known, and PIS did not answer" in message
    )


def test_one_that_can_not_be_asked_about_at_all_is_for_a_person(ask, earlier, treasury):
    code, message = ask([replace(earlier[0], ssu_id="")]).hold
    assert code == DOUBT
    assert re.search(r"and PIS can't be asked \(PisRequest: .*\); ask the treasury$", message)
    assert "PIS" not in treasury.state["calls"]


@pytest.mark.parametrize("text", ["Sample text that nobody knows", "Bill not received in JIT-FS"])
def test_words_that_nobody_knows_are_kept_for_a_person_and_no_others(ask, earlier, treasury, adapter, text):
    treasury.rule("PIS", "error", errorMsg=text)
    ask()
    kept = adapter.rows("SELECT service_id, times FROM ifms.unknown_answer")
    assert kept == ([{"service_id": "PIS", "times": 1}] if "nobody knows" in text else [])


@pytest.fixture
def phrase(adapter, treasury):
    """The id of the site's phrase by which PIS says that it lacks a bill, in words that nobody knew."""
    treasury.rule("PIS", "error", errorMsg="Sample books lack it")
    added, _ = on(
        adapter,
        lambda c: add_phrase(c, ["PIS"], "Sample books lack it", "unknown bill", reason="x", added_by="a tester"),
    )
    return added


def test_by_which_phrase_of_the_site_a_number_was_cleared_is_kept(ask, earlier, adapter, phrase):
    assert ask().hold is None
    kept = adapter.rows("SELECT phrase_id, payment_instruction_id AS pi FROM ifms.ended_by_phrase")
    assert {(row["phrase_id"], row["pi"]) for row in kept} == {(phrase, pi.id) for pi in earlier}


def test_a_phrase_that_is_withdrawn_meanwhile_clears_nothing(ask, earlier, adapter, phrase):
    def withdraw():
        on(adapter, lambda c: withdraw_phrase(c, phrase, reason="wrong", withdrawn_by="a tester"))

    code, message = ask(meanwhile=withdraw).hold
    assert code == SILENT
    assert re.search(f"{earlier[0].pi_number} is FAILED here.*was withdrawn meanwhile.*; it is asked again$", message)
    assert adapter.rows("SELECT FROM ifms.ended_by_phrase") == []
