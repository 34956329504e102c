"""A submission whose outcome is not known is settled by facts alone: never a second accepted bill, never a green guess."""

import json
from contextlib import suppress
from datetime import timedelta
from functools import partial

import psycopg
import pytest
from support import failed
from support.adapter import assert_money_is_right
from support.databases import rewrite
from support.uncertain import (
    DUPLICATE,
    UNKNOWN_BILL,
    a_day_later,
    a_due_payment,
    on,
    pi,
    red,
    reserved,
    resubmit,
    stays_pending,
)

from ifms import clock
from ifms.errors import ConflictError, SweepError, SweepNeedsAttentionError
from ifms.ledger import failures, phrases
from ifms.services import still_owed
from ifms.services.manual_settlement import Verdict, settle
from ifms.sweep.scope import Scope
from ifms.sweep.submission import Sender
from ifms.treasury import client
from ifms.wire.phrasebook import Meaning

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}, after=a_due_payment)


@pytest.mark.parametrize(
    "again",
    [
        "JIT Bill No {n} already exists",
        "Insufficient fund",
        "Wrong IFSC provided in Beneficiary Details for BenefId BN/1",
    ],
)
def test_a_second_submission_that_is_refused_declines_nothing(lost, treasury, again):
    """Whatever the second one is refused for: the treasury has the first."""
    number = pi(lost)["pi_number"]
    treasury.rule("PIS", "error", errorMsg=UNKNOWN_BILL, times=1)
    treasury.rule("PI", "error", errorMsg=again.format(n=number), times=1)
    red(lost, "refused: ")
    stays_pending(lost, treasury, number)
    assert again.split("{")[0] in pi(lost)["error_message"]
    lost.run("PI")  # PIS shows it now
    assert pi(lost)["status"] == "INITIATED"
    assert treasury.accepted == {number: 1}
    assert_money_is_right(lost, treasury)


NO_SESSION = "No valid session encryption key found"


@pytest.mark.parametrize("told", ["sealed", "beside its receipt", "HTTP 500"])
@pytest.mark.parametrize("again", [DUPLICATE, "Insufficient fund", "Wrong IFSC provided in Beneficiary Details"])
def test_a_refusal_after_a_session_that_was_over_declines_nothing(due, treasury, told, again):
    """The client logs in and sends the bill again by itself: the first one may have arrived, whatever was said of it."""
    treasury.settings(repeated_pi="success")
    if told == "HTTP 500":
        treasury.rule("PI", "http_status", status=500, body=NO_SESSION, process=True, times=1)
    receipt = [{"jitBillNo": "sample"}] if told == "beside its receipt" else []
    for text, data in ((NO_SESSION, receipt), (again, [])):
        reply = {"serviceId": "PI", "errorMsg": text, "data": data}
        treasury.rule("PI", "plain_reply", text=json.dumps(reply), times=1)
    with suppress(SweepNeedsAttentionError):
        due.run("PI")
    number = pi(due)["pi_number"]
    assert pi(due)["status"] in {"PENDING", "INITIATED"}
    assert not pi(due)["refused_first"]
    due.run("PI")
    assert pi(due)["status"] == "INITIATED"
    assert treasury.accepted == {number: 1}
    assert_money_is_right(due, treasury)


@pytest.mark.parametrize("text", ["SSU user mapping not found", "DDO code not found", "Response not received from RBI"])
def test_what_pis_says_about_something_else_has_nothing_sent(lost, treasury, text):
    number, calls = pi(lost)["pi_number"], treasury.state["calls"]["PI"]
    treasury.rule("PIS", "error", errorMsg=text)
    red(lost, f"PIS says what nobody knows: {text}")
    assert treasury.state["calls"]["PI"] == calls
    stays_pending(lost, treasury, number)


def test_empty_data_never_means_that_the_treasury_lacks_it(due, treasury):
    """It is also the answer about a bill that waits for its SSU."""
    treasury.settings(pace_seconds=3600)
    treasury.rule("PI", "lost_reply", times=1)
    with pytest.raises(SweepError):
        due.run("PI")
    number = pi(due)["pi_number"]
    treasury.rule("PI", "error", errorMsg="Insufficient fund", times=1)
    red(due, "refused: Insufficient fund")
    for _ in range(3):
        a_day_later(due)
        red(due, "PIS has no news of it")
        stays_pending(due, treasury, number)
    assert pi(due)["absent_since"] is None
    assert_money_is_right(due, treasury)


class TestTwiceUnknown:
    """Refused, and its status service says twice, a day apart, that it does not know the bill: then it has FAILED."""

    def test_a_day_apart_it_is_declined(self, refused, treasury):
        number = pi(refused)["pi_number"]
        red(refused, "refused: Insufficient fund; PIS does not know it")
        stays_pending(refused, treasury, number)
        red(refused, "refused: Insufficient fund; PIS does not know it")
        stays_pending(refused, treasury, number)
        a_day_later(refused, timedelta(hours=23))
        red(refused, "PIS does not know it")
        stays_pending(refused, treasury, number)
        a_day_later(refused, timedelta(hours=2))
        refused.run("PI")
        assert pi(refused)["status"] == "FAILED"
        assert reserved(refused) == 0
        assert treasury.accepted == {}
        log = refused.rows("SELECT message FROM ifms.status_log WHERE to_status = 'FAILED'")
        assert "PIS does not know it since" in log[0]["message"]
        assert_money_is_right(refused, treasury)
        refused.relay()

    def test_an_answer_that_is_not_that_begins_the_day_anew(self, refused, treasury):
        red(refused, "PIS does not know it")
        assert pi(refused)["absent_since"] is not None
        treasury.settings(unknown_bill="empty")
        red(refused, "PIS has no news of it")
        assert pi(refused)["absent_since"] is None
        treasury.settings(unknown_bill="error")
        a_day_later(refused)
        red(refused, "PIS does not know it")
        assert pi(refused)["status"] == "PENDING"


def fails_at_the_treasury(adapter, treasury, *, everybody=False):
    """FD tells that a payment of the newest PI, or each, has come back: nobody but the treasury can know of it."""
    number = pi(adapter)["pi_number"]
    payees = adapter.rows(
        "SELECT beneficiary_number FROM ifms.beneficiary WHERE payment_instruction_id = %s ORDER BY 1",
        pi(adapter)["id"],
    )
    today = str(clock.to_ist(clock.now()).date())
    failed = [
        {"benfId": payee["beneficiary_number"], "utrNo": f"SAMPLE{n}", "challanNumber": "C1", "challanDate": today}
        for n, payee in enumerate(payees if everybody else payees[:1], start=1)
    ]
    row = {"billNumber": number, "voucherNo": "V1", "voucherDate": today, "benfDtls": failed}
    reply = {"serviceId": "FD", "errorMsg": None, "data": [row]}
    treasury.rule("FD", "plain_reply", text=json.dumps(reply))
    with suppress(SweepNeedsAttentionError):  # red where it can't be booked
        adapter.run("FD", Scope(until=clock.now()))
    treasury.clear()


class TestReportedFailed:
    """What has come back was paid: a bill of which a failed payment was reported is at the treasury."""

    def test_it_is_not_declined_though_its_status_service_does_not_know_it(self, lost, treasury):
        number = pi(lost)["pi_number"]
        fails_at_the_treasury(lost, treasury)
        treasury.rule("PIS", "error", errorMsg=UNKNOWN_BILL)
        treasury.rule("PI", "error", errorMsg="Insufficient fund", times=1)
        red(lost, "refused: Insufficient fund")
        for _ in range(3):
            red(lost, "PIS does not know it")
            a_day_later(lost)
        red(lost, "PIS does not know it, but failed payments of it were reported")
        stays_pending(lost, treasury, number)
        said = {"reason": "asked", "person": "a tester", "typed": number}
        with pytest.raises(ConflictError, match="failed payments of PI .* were reported, so that the treasury has it"):
            on(lost, lambda c: settle(c, number, Verdict.NOT_THERE, **said))
        stays_pending(lost, treasury, number)
        on(lost, lambda c: settle(c, number, Verdict.ACCEPTED, **said))
        assert treasury.accepted == {number: 1}

    def test_unless_a_person_says_that_it_is_of_another_bill(self, lost, treasury):
        number = pi(lost)["pi_number"]
        fails_at_the_treasury(lost, treasury)
        [kept] = lost.rows("SELECT id FROM ifms.reported_failure")
        on(lost, lambda c: failures.close_reported(c, kept["id"], reason="of another office", person="a tester"))
        on(
            lost,
            lambda c: settle(c, number, Verdict.NOT_THERE, reason="asked", person="a tester", typed=number),
        )
        assert pi(lost)["status"] == "FAILED"

    def test_its_payment_gets_no_other(self, refused, treasury):
        red(refused, "PIS does not know it")
        a_day_later(refused)
        refused.run("PI")
        number = pi(refused)["pi_number"]
        assert pi(refused)["status"] == "FAILED"
        fails_at_the_treasury(refused, treasury)
        resubmit(refused)
        red(refused, "and failed payments of it were reported: the treasury has it")
        assert pi(refused)["pi_number"] == number
        assert refused.rows("SELECT hold_code FROM ifms.payment") == [{"hold_code": "PI_IN_DOUBT"}]

    @pytest.mark.parametrize("booked", [True, False])
    def test_a_rejection_gives_no_money_back(self, due, treasury, booked):
        if not booked:
            treasury.rule("PI", "lost_reply", times=1)
        with suppress(SweepError):
            due.run("PI")
        number = pi(due)["pi_number"]
        fails_at_the_treasury(due, treasury)
        if not booked:  # kept while it was PENDING, and of nobody whom anybody knows
            rewrite(due.dsn, "UPDATE ifms.reported_failure SET beneficiary_id = 'BN-XX/000001', utr_number = 'OTHER'")
            due.run("PI")
        assert pi(due)["status"] == "INITIATED"
        spent = due.rows("SELECT sum(spent_amount) AS n FROM ifms.sanction")
        treasury.rule("PIS", "error", errorMsg=f"This Bill Number {number} is rejected by SSU Sample Office")
        for _ in range(2):
            red(due, "PIS says that it was rejected, though payments of it were told as made, or as come back", "PIS")
        assert pi(due)["status"] == "INITIATED"
        assert due.rows("SELECT sum(spent_amount) AS n FROM ifms.sanction") == spent
        treasury.clear()
        due.run("PIS")
        assert pi(due)["status"] == "APPROVED"

    def test_a_rejection_of_a_bill_that_has_come_back_whole_ends_it(self, due, treasury):
        due.run("PI")
        number = pi(due)["pi_number"]
        fails_at_the_treasury(due, treasury, everybody=True)
        assert due.rows("SELECT DISTINCT status FROM ifms.beneficiary") == [{"status": "Payment Failed"}]
        treasury.rule("PIS", "error", errorMsg=f"This Bill Number {number} is rejected by SSU Sample Office")
        due.run("PIS")
        assert pi(due)["status"] == "FAILED"
        treasury.clear()
        resubmit(due)
        due.run("PI")
        assert due.rows("SELECT status FROM ifms.payment_instruction ORDER BY created_at") == [
            {"status": "FAILED"},
            {"status": "INITIATED"},
        ]
        assert_money_is_right(due, treasury)

    def test_no_words_that_are_learned_decline_it(self, due, treasury):
        treasury.rule("PI", "error", errorMsg="Sample scheme is closed", times=1)
        red(due, "Sample scheme is closed")
        fails_at_the_treasury(due, treasury)
        said = {"reason": "asked", "added_by": "a tester"}
        on(due, lambda c: phrases.add_phrase(c, ["PI"], "Sample scheme is closed", "content error", **said))
        red(due, "PIS does not know it")
        assert pi(due)["status"] == "PENDING"


class TestFirstSubmission:
    """Of the only submission that was made the treasury's word counts, where it is known."""

    def test_a_duplicate_means_that_the_number_is_taken(self, due, treasury):
        treasury.rule("PI", "error", errorMsg=DUPLICATE, times=1)
        red(due, "the treasury has its number already, by something that was not sent from here")
        number = pi(due)["pi_number"]
        stays_pending(due, treasury, number)
        for _ in range(2):  # PIS knows nothing of it: for ever, until a person says what it is
            red(due, "PIS does not know it")
            a_day_later(due)
        stays_pending(due, treasury, number)
        assert treasury.accepted == {}

    def test_a_duplicate_that_pis_shows_with_amount_and_count_is_ours(self, due, treasury):
        """A proxy has sent it twice: the reply to the second came back."""
        treasury.rule("PI", "error_after_acceptance", errorMsg=DUPLICATE, times=1)
        due.run("PI")
        assert pi(due)["status"] == "INITIATED"
        assert treasury.accepted == {pi(due)["pi_number"]: 1}
        assert_money_is_right(due, treasury)

    @pytest.mark.parametrize(
        "text",
        ["Internal Server Error. Please try after some time", "Sample text that nobody knows", UNKNOWN_BILL],
    )
    def test_any_other_text_declines_nothing(self, due, treasury, text):
        treasury.rule("PI", "error", errorMsg=text, times=1)
        red(due, f"refused: {text}")
        stays_pending(due, treasury, pi(due)["pi_number"])
        assert due.rows("SELECT hold_code FROM ifms.payment") == [{"hold_code": None}]

    def test_a_text_about_another_time_is_sent_again_under_its_number(self, due, treasury):
        treasury.rule("PI", "error", errorMsg="Internal Server Error. Please try after some time", times=1)
        red(due, "Internal Server Error")
        due.run("PI")
        assert treasury.accepted == {pi(due)["pi_number"]: 1}
        assert pi(due)["status"] == "INITIATED"

    def test_once_its_words_are_known_it_is_declined_by_them(self, due, treasury):
        treasury.rule("PI", "error", errorMsg="Scheme 13145 is closed for this office", times=1)
        red(due, "Scheme 13145 is closed")
        [answer] = on(due, phrases.unknown_answers)
        assert (answer.service_id, answer.times, answer.waiting) == ("PI", 1, 1)
        on(
            due,
            lambda c: phrases.add_phrase(
                c,
                ["PI"],
                "Scheme {number} is closed for this office",
                "content error",
                reason="asked",
                added_by="a tester",
            ),
        )
        assert on(due, phrases.unknown_answers) == []
        calls = treasury.state["calls"]
        sweep = due.run("PI")
        assert sweep.counts["declined"] == 1
        assert treasury.state["calls"] == calls, "nothing had to be asked"
        assert pi(due)["status"] == "FAILED"
        assert_money_is_right(due, treasury)

    def test_a_later_one_is_accepted_once_its_words_are_known_for_a_duplicate(self, lost, treasury):
        number = pi(lost)["pi_number"]
        treasury.rule("PIS", "error", errorMsg=UNKNOWN_BILL)
        treasury.rule("PI", "error", errorMsg=f"JIT Bill No {number} already exists", times=1)
        red(lost, "already exists")
        on(
            lost,
            lambda c: phrases.add_phrase(
                c, ["PI", "COR"], "JIT Bill No {bill} already exists", "duplicate", reason="asked", added_by="a tester"
            ),
        )
        lost.run("PI")
        assert pi(lost)["status"] == "INITIATED"
        assert_money_is_right(lost, treasury)

    def test_known_words_decline_at_once(self, due, treasury):
        treasury.rule("PI", "error", errorMsg="Insufficient fund", times=1)
        due.run("PI")
        assert (pi(due)["status"], pi(due)["uncertain"]) == ("FAILED", False)
        assert reserved(due) == 0

    def test_a_known_and_an_unknown_text_together_decline_nothing(self, due, treasury):
        texts = [{"errorMsg": "Insufficient fund"}, {"errorMsg": "Sample text that nobody knows"}]
        treasury.rule("PI", "error", errorMsgs=texts, times=1)
        red(due, "refused: Insufficient fund; Sample text")
        stays_pending(due, treasury, pi(due)["pi_number"])


class TestRevisions:
    """The same for a revised PI, whose status service is FTPS."""

    @pytest.fixture
    def mended(self, adapter):
        adapter.simulators.ask_platform("POST", "settings", {"persist_ms": 0})
        failed.paid_and_failed(adapter, 2, 1)
        failed.mend(adapter)
        return adapter

    def test_a_second_submission_that_is_refused_declines_nothing(self, mended, treasury):
        treasury.settings(pace_seconds=3600)
        treasury.rule("COR", "lost_reply", times=1)
        with pytest.raises(SweepError):
            mended.correct()
        treasury.rule("COR", "error", errorMsg="Beneficiary is in another correction bill", times=1)
        with pytest.raises(SweepNeedsAttentionError, match="refused: Beneficiary is in another correction bill"):
            mended.correct()
        [revision] = failed.revisions(mended)
        assert (revision["status"], revision["uncertain"]) == ("PENDING", True)
        assert_money_is_right(mended, treasury)

    def test_a_duplicate_on_the_first_submission_is_no_acceptance(self, mended, treasury):
        treasury.rule("COR", "error", errorMsg=DUPLICATE, times=1)
        with pytest.raises(SweepNeedsAttentionError, match="has its number already"):
            mended.correct()
        [revision] = failed.revisions(mended)
        assert revision["status"] == "PENDING"
        assert revision["pi_number"] not in treasury.accepted


def test_the_database_refuses_a_guess(lost):
    """PENDING and uncertain, it does not fail without a fact, whoever writes it."""
    with psycopg.connect(lost.dsn) as connection, pytest.raises(psycopg.IntegrityError, match="may have arrived"):
        connection.execute("UPDATE ifms.payment_instruction SET uncertain = true WHERE status = 'PENDING'")
        connection.execute("UPDATE ifms.payment_instruction SET status = 'FAILED' WHERE status = 'PENDING'")
    with psycopg.connect(lost.dsn) as connection, pytest.raises(psycopg.IntegrityError, match="is not unsaid"):
        connection.execute("UPDATE ifms.payment_instruction SET uncertain = true")
        connection.execute("UPDATE ifms.payment_instruction SET uncertain = false")


def test_what_an_earlier_submission_was_refused_for_says_nothing_of_a_later_one(due, treasury, monkeypatch):
    """Told to come later, sent again, killed: the first refusal, once its words are known, declines nothing."""
    text = "Sample queue is full"
    on(due, lambda c: phrases.add_phrase(c, ["PI"], text, "try later", reason="asked", added_by="a tester"))
    treasury.rule("PI", "error", errorMsg=text, times=1)
    red(due, f"refused: {text}")
    with monkeypatch.context() as dying:
        dying.setattr(Sender, "settle", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            due.run("PI")
    row = pi(due)
    assert (row["status"], row["refusal"], row["refused_first"]) == ("PENDING", None, False)
    assert treasury.accepted == {row["pi_number"]: 1}
    with psycopg.connect(due.dsn) as connection:
        connection.execute("UPDATE ifms.payment_instruction SET claimed_until = now() - interval '1 minute'")
    due.run("PI")
    assert pi(due)["status"] == "INITIATED"
    assert_money_is_right(due, treasury)


def with_an_error(monkeypatch, service, code, text):
    """Each reply of that service that has data has this error, too."""
    read = client.parse_reply

    def both(plain):
        document = json.loads(plain)
        if document.get("serviceId") == service and document.get("data"):
            document["errorMsgs"] = [{"errorCode": code, "errorMsg": text}]
        return read(json.dumps(document))

    monkeypatch.setattr(client, "parse_reply", both)


def test_an_error_beside_a_receipt_declines_nothing(due, treasury, monkeypatch):
    """The treasury accepts a bill, and warns of one of its accounts in the same breath."""
    with monkeypatch.context() as patched:
        with_an_error(patched, "PI", "340", "Wrong IFSC provided in Beneficiary Details for BenefId BN/1")
        red(due, "the reply has an error and data at once: .*Wrong IFSC")
    stays_pending(due, treasury, pi(due)["pi_number"])
    due.run("PI")
    assert pi(due)["status"] == "INITIATED"
    assert_money_is_right(due, treasury)


@pytest.mark.parametrize("text", [UNKNOWN_BILL, "This Bill Number {n} is rejected by SSU sample"])
def test_an_error_beside_what_pis_shows_settles_nothing(lost, treasury, monkeypatch, text):
    number = pi(lost)["pi_number"]
    with monkeypatch.context() as patched:
        with_an_error(patched, "PIS", None, text.format(n=number))
        red(lost, "the reply has an error and data at once")
    stays_pending(lost, treasury, number)


@pytest.mark.parametrize(
    ("between", "meaning"),
    [
        ("bill {bill} waits for its SSU", Meaning.NO_NEWS),
        ("Bill {bill} of this SSU is under scrutiny", None),
    ],
)
def test_two_absences_count_only_without_another_answer_between_them(lost, treasury, between, meaning):
    number = pi(lost)["pi_number"]
    treasury.rule("PIS", "error", errorMsg=UNKNOWN_BILL, times=1)
    treasury.rule("PI", "error", errorMsg=f"Bill {number} is in the register of this office", times=1)
    red(lost, "refused: ")
    if meaning is not None:
        on(lost, lambda c: phrases.add_phrase(c, ["PIS"], between, meaning, reason="asked", added_by="a tester"))
    treasury.rule("PIS", "error", errorMsg=UNKNOWN_BILL, times=1)
    red(lost, "PIS does not know it")
    a_day_later(lost)
    treasury.rule("PIS", "error", errorMsg=between.format(bill=number), times=1)
    red(lost, between.format(bill=number))
    treasury.rule("PIS", "error", errorMsg=UNKNOWN_BILL, times=1)
    red(lost, "PIS does not know it")
    stays_pending(lost, treasury, number)


def test_an_answer_that_says_nothing_of_the_bill_lets_the_day_run_on(refused, treasury):
    treasury.rule("PIS", "error", errorMsg=UNKNOWN_BILL, times=1)
    red(refused, "PIS does not know it")
    since, busy = pi(refused)["absent_since"], "Sample queue is full"
    on(refused, lambda c: phrases.add_phrase(c, ["PIS"], busy, Meaning.TRY_LATER, reason="asked", added_by="a tester"))
    treasury.rule("PIS", "error", errorMsg=busy, times=1)
    red(refused, busy)
    assert pi(refused)["absent_since"] == since


def test_to_be_tried_later_is_no_refusal(lost, treasury, monkeypatch):
    """Of a payment that is withheld its PI is only asked about, and nothing has refused it."""
    number = pi(lost)["pi_number"]
    treasury.rule("PIS", "error", errorMsg=UNKNOWN_BILL, times=1)
    treasury.rule("PI", "error", errorMsg="Internal Server Error. Please try after some time", times=1)
    red(lost, "refused: ")
    monkeypatch.setattr(
        still_owed, "withheld", lambda _p, _m, due: {each.pi.pi_number: "it could not be read" for each in due}
    )
    treasury.rule("PIS", "error", errorMsg=UNKNOWN_BILL, times=2)
    for _ in range(2):
        red(lost, "it is not sent again: it could not be read; PIS does not know it")
        a_day_later(lost)
    stays_pending(lost, treasury, number)


@pytest.mark.parametrize("settled", [False, True], ids=["found absent twice", "said absent by a person"])
def test_what_the_treasury_has_shown_no_later_word_of_its_own_takes_back(refused, treasury, settled):
    """FAILED here, then shown, then not any more: a person has to say anew that the treasury lacks it."""
    number = pi(refused)["pi_number"]
    say = partial(settle, pi_number=number, verdict=Verdict.NOT_THERE, reason="a list", person="a tester", typed=number)
    if settled:
        on(refused, say)
    else:
        for _ in range(2):
            treasury.rule("PIS", "error", errorMsg=UNKNOWN_BILL, times=1)
            refused.run("PI") if pi(refused)["absent_since"] else red(refused, "PIS does not know it")
            a_day_later(refused)
    assert pi(refused)["status"] == "FAILED"
    resubmit(refused)
    show = json.dumps({"serviceId": "PIS", "errorMsg": None, "data": [{"jitBillNo": number}]})
    treasury.rule("PIS", "plain_reply", text=show, times=1)
    red(refused, "ask the treasury before anything else is paid")
    resubmit(refused)
    red(refused, "but showed it on .*say so with `ifms settle`")  # PIS does not know it any more
    assert len(refused.rows("SELECT FROM ifms.payment_instruction")) == 1
    on(refused, say)
    with pytest.raises(ConflictError, match="only a PENDING one is settled"):
        on(refused, say)
    resubmit(refused)
    refused.run("PI")
    assert pi(refused)["status"] == "INITIATED"
    assert_money_is_right(refused, treasury)


def test_a_person_s_word_that_the_treasury_has_it_does_not_mean_that_it_lacks_it(lost, treasury):
    number = pi(lost)["pi_number"]
    accepted = Verdict.ACCEPTED
    on(lost, lambda c: settle(c, number, accepted, reason="its list", person="a tester", typed=number))
    treasury.rule("PIS", "error", errorMsg=f"This Bill Number {number} is rejected by SSU sample", times=1)
    lost.run("PIS")
    assert pi(lost)["status"] == "FAILED"
    resubmit(lost)
    again = f"Bill Number {number} was rejected and is submitted again by SSU sample"
    treasury.rule("PIS", "error", errorMsg=again, times=1)
    red(lost, "say so with `ifms settle`")
    assert treasury.accepted == {number: 1}
    on(lost, lambda c: settle(c, number, Verdict.NOT_THERE, reason="its list", person="another", typed=number))
    assert pi(lost)["settled_by"] == "another"


def test_who_has_settled_it_stays_on_record(lost):
    number = pi(lost)["pi_number"]
    on(lost, lambda c: settle(c, number, Verdict.NOT_THERE, reason="a list", person="a tester", typed=number))
    for change in ("settled_by = 'another'", "said_absent_at = NULL", "said_absent_at = now() + interval '1 h'"):
        with psycopg.connect(lost.dsn) as connection, pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(f"UPDATE ifms.payment_instruction SET {change}")
