"""Persist, send, record: what of a bill's outcomes is asked, sent or left. End to end: test_pi.py and test_cor.py."""

import threading
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import psycopg
import pytest
from psycopg.types.json import Jsonb
from support import failed
from support.adapter import assert_money_is_right
from support.databases import rewrite
from support.keys import KEYRING
from support.pis import instruction, treasury_config

from ifms.errors import (
    BadInputError,
    ConflictError,
    SweepError,
    SweepNeedsAttentionError,
    SweepStoppedError,
    TreasuryLoginError,
    WireError,
)
from ifms.ledger.claims import Claim
from ifms.ledger.phrases import add_phrase
from ifms.ledger.status_log import CallLog
from ifms.services.cor import Revision
from ifms.services.pi import Instruction
from ifms.sweep import submission
from ifms.sweep.status_poll import Claimed
from ifms.sweep.submission import Ready, Sender, Sent, checked_receipt, refusal_of
from ifms.sweep.treasury_sweep import TreasurySweep
from ifms.treasury.outcome import Answered, Exchange, NeverSent, Rejected, Unknown
from ifms.wire.envelope import Reply, ReplyError, Service
from ifms.wire.phrasebook import shipped

PI = instruction()
REQUEST = object()


class Treasury:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self, *outcomes):
        self.config = treasury_config()
        self.outcomes = list(outcomes)
        self.asked = []

    def call(self, request, *, until):
        self.asked.append(request)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def send(*outcomes, ask_first=True, lease=timedelta(minutes=10), stopping=False, pi=PI):
    treasury = Treasury(*outcomes)
    ready = Ready(pi, Claim(uuid.uuid4(), lease), REQUEST, uuid.uuid4(), ask_first)
    sweep = SimpleNamespace(stopping=stopping, phrasebook=shipped())
    return treasury, Sender(sweep, treasury, Instruction()).send(ready)


def answered(*rows):
    return Answered(Reply("PIS", data=list(rows)), ())


def rejected(text):
    return Rejected((ReplyError(None, text),), ())


def test_a_new_bill_is_sent_without_asking():
    treasury, sent = send(answered({}), ask_first=False)
    assert treasury.asked == [REQUEST]
    assert sent.status is None


@pytest.mark.parametrize("status", [rejected("Bill not received in JIT-FS"), answered()])
def test_what_its_status_service_does_not_show_is_sent_again(status):
    treasury, sent = send(status, answered({}))
    assert len(treasury.asked) == 2
    assert treasury.asked[1] is REQUEST
    assert (sent.status, sent.bill is None) == (status, False)


@pytest.mark.parametrize(
    "status",
    [
        answered({}),
        rejected(f"{PI.pi_number} is rejected by the officer"),
        rejected("Sample maintenance, try later"),
        rejected("Payment instruction not found for this bill"),
        rejected("SSU user mapping not found"),
        rejected("DDO code not found"),
        NeverSent("no network", ()),
        Unknown("timed out", (), understood=True),
    ],
)
def test_what_it_has_or_says_nothing_about_is_not_sent(status):
    treasury, sent = send(status)
    assert len(treasury.asked) == 1
    assert (sent.status, sent.bill) == (status, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"held_back": True},
        {"refusal": [{"code": None, "text": "Insufficient fund"}]},
        {"refusal": [{"code": None, "text": "a text that nobody knows"}]},
        {"refusal": [{"code": None, "text": "Duplicate Payment Information Id"}], "refused_first": True},
    ],
    ids=["restored", "refused", "refused in unknown words", "number taken"],
)
def test_what_was_refused_or_is_held_back_is_asked_about_and_not_sent(changes):
    treasury, sent = send(rejected("Bill not received in JIT-FS"), pi=instruction(**changes))
    assert len(treasury.asked) == 1
    assert sent.bill is None


def test_what_the_treasury_told_to_send_later_is_sent_later():
    again = instruction(refusal=[{"code": None, "text": "Internal Server Error. Please try after some time"}])
    treasury, _ = send(answered(), answered({}), pi=again)
    assert treasury.asked[1] is REQUEST


def test_a_duplicate_on_the_first_submission_is_asked_about_at_once():
    treasury, sent = send(rejected("Duplicate Payment Information Id"), answered(), ask_first=False)
    assert len(treasury.asked) == 2
    assert sent.after is not None


def test_a_login_that_ends_meanwhile_does_not_undo_what_was_heard():
    treasury, sent = send(rejected("Duplicate Payment Information Id"), TreasuryLoginError("gone"), ask_first=False)
    assert len(treasury.asked) == 2
    assert isinstance(sent.bill, Rejected)
    assert isinstance(sent.after, NeverSent)


@pytest.mark.parametrize("error", [MemoryError(), RecursionError(), ValueError("what came back is secret")])
def test_a_call_that_ends_with_any_exception_may_have_arrived(error):
    _, sent = send(error, ask_first=False)
    assert isinstance(sent.bill, Unknown)
    assert not sent.bill.understood
    assert "secret" not in sent.bill.reason


def test_a_login_that_is_refused_sends_nothing():
    with pytest.raises(TreasuryLoginError):
        send(TreasuryLoginError("no login"), ask_first=False)


def test_a_sweep_that_stops_meanwhile_does_not_send_it_again():
    treasury, sent = send(answered(), stopping=True)
    assert len(treasury.asked) == 1
    assert isinstance(sent.bill, NeverSent)
    assert "stopped" in sent.bill.reason


def test_with_a_lease_that_ends_before_the_answer_nothing_is_sent():
    treasury, sent = send(lease=timedelta(seconds=5), ask_first=False)
    assert treasury.asked == []
    assert isinstance(sent.bill, NeverSent)
    assert "left to the next one" in sent.bill.reason


@pytest.mark.parametrize("code", ["1", "", "00", "success"])
def test_only_the_success_code_0_is_a_receipt(code):
    with pytest.raises(WireError, match=f"the PI reply about {PI.pi_number} has the success code '{code}'"):
        checked_receipt(Service.PI, PI, code, None)


def test_a_receipt_keeps_its_words():
    receipt = checked_receipt(Service.PI, PI, "0", "received")
    assert (receipt.success_code, receipt.success_description) == ("0", "received")


def test_a_receipt_keeps_no_account_that_it_quotes():
    assert checked_receipt(Service.PI, PI, "0", "for 000012345678").success_description == "for ********5678"


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        (Instruction(), {"jitBillNo": PI.pi_number, "successCode": "0"}),
        (Revision(), {"jitCorBillNo": PI.pi_number, "successCode": "0"}),
        (Revision(), {"jitCorBillNo": PI.pi_number, "successCd": "0"}),
    ],
)
def test_a_receipt_is_about_the_bill_that_was_sent(kind, row):
    assert kind.receipt(PI, Reply(kind.service, data=[row])).success_code == "0"
    number = next(name for name in row if name.endswith("BillNo"))
    for rows in ([row | {number: "PI-SA/2024-25/000099"}], [row, row], []):
        with pytest.raises(WireError, match=PI.pi_number):
            kind.receipt(PI, Reply(kind.service, data=rows))


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})
def test_a_sweep_that_is_stopped_before_sending_keeps_the_number(adapter, treasury):
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "refuse", mode="close")
    with pytest.raises(SweepError):
        adapter.run("PI")
    treasury.clear()
    [before] = adapter.rows("SELECT pi_number, net_amount FROM ifms.payment_instruction")
    stop = threading.Event()
    stop.set()
    with pytest.raises(SweepStoppedError):
        adapter.run("PI", stop=stop)
    assert treasury.accepted == {}
    adapter.run("PI")
    assert treasury.accepted == {before["pi_number"]: 1}
    assert_money_is_right(adapter, treasury)


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
@pytest.mark.parametrize("effect", ["lost_reply", "garbage"])
def test_a_new_original_whose_outcome_is_not_known_is_settled_under_its_number(adapter, treasury, effect):
    """A repayment is sent by ifms_cor, and settled by ifms_pi like any original."""
    failed.paid_and_failed(adapter)
    failed.mend(adapter)
    failed.long_ago(adapter)
    from ifms.services.correction_order import Order

    treasury.rule("PI", effect, times=1)
    order = Order(failed.TENANT, failed.original(adapter)["pi_number"], new_original=True)
    with pytest.raises(SweepError):
        adapter.correct(order)
    [anew] = adapter.rows("SELECT pi_number, status FROM ifms.payment_instruction WHERE repayment_of IS NOT NULL")
    assert anew["status"] == "PENDING"
    adapter.run("PI")
    rows = adapter.rows("SELECT pi_number, status FROM ifms.payment_instruction WHERE repayment_of IS NOT NULL")
    assert rows == [anew | {"status": "INITIATED"}]
    with psycopg.connect(adapter.dsn) as connection:
        [reserved] = connection.execute("SELECT sum(reserved_amount) FROM ifms.sanction").fetchone()
    assert reserved == 0
    assert_money_is_right(adapter, treasury)


# What comes of it, on a real ledger -----------------------------------------------------------------------------------

DUPLICATE, CONTENT, LATER, NOBODY_KNOWS = (
    "Duplicate Payment Information Id",
    "Insufficient fund",
    "Internal Server Error. Please try after some time",
    "Sample text that nobody knows",
)
UNKNOWN_BILL = "Bill not received in JIT-FS"
APPROVAL = {"pmtInstId": "4401", "payInstDate": "2024-06-03 09:05:07", "billNetAmount": "100.00"}
COMPLETE = APPROVAL | {"totalNumberOfBeneficiary": "2"}


def refused(text, *, first=True):
    """The columns of a refusal that stands."""
    return {"refusal": Jsonb([{"code": None, "text": text}]), "refused_first": first}


@pytest.fixture
def pending(ledger):
    """A PENDING PI of 100 for two, that nobody holds."""
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(100))
    rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET claimed_until = NULL")
    return pi


@pytest.fixture
def settle(ledger, pending):
    """`settle(status, bill, after)`: what a sweep makes of these answers about the PI, which has these columns."""

    def run(status, bill, after=None, *, ask_first=True, withheld=None, **columns):
        for name, value in columns.items():
            rewrite(ledger.dsn, f"UPDATE ifms.payment_instruction SET {name} = %s", [value])
        pi, mine = ledger.claimed(pending)
        sweep = TreasurySweep(ledger.db, "PI", calls=CallLog(KEYRING.sealer), workers=8)
        sent = [
            outcome and _logged(pi, outcome, service)
            for outcome, service in ((status, "PIS"), (bill, "PI"), (after, "PIS"))
        ]
        try:
            with sweep:
                sender = Sender(sweep, Treasury(), Instruction())
                request = SimpleNamespace(to_wire=lambda: "{}")
                [announced] = ledger.db.transact(lambda c: sender.announce(c, [(pi, request)]))
                sender.settle(Ready(pi, mine, request, announced, ask_first, withheld), Sent(*sent))
        except SweepError:
            pass
        return sweep

    return run


def _logged(pi, outcome, service):
    """The outcome with the call that it took, unless nothing was sent; what is about the PI has its number."""
    if isinstance(outcome, NeverSent):
        return outcome
    if isinstance(outcome, Answered) and outcome.reply.data:
        number = {"jitBillNumber": pi.pi_number} if service == "PIS" else {"jitBillNo": pi.pi_number}
        outcome = answered(*({**number, **row} for row in outcome.reply.data))
    return replace(outcome, exchanges=(Exchange(service, pi.pi_number, "answered", datetime.now(UTC), 5),))


def calls(ledger):
    with ledger.connect() as connection:
        rows = connection.execute("SELECT service_id, outcome FROM ifms.treasury_call WHERE service_id <> 'AUTH'")
        return sorted(rows.fetchall())


def stands(ledger, *columns):
    return ledger.row(f"SELECT {', '.join(('status', *columns))} FROM ifms.payment_instruction")


def logged(ledger):
    return ledger.row("SELECT service_id, status FROM ifms.status_log")


@pytest.mark.parametrize(
    ("ask_first", "label", "attempt", "log"),
    [(False, "not_sent", "never_sent", "PI_NOT_SENT"), (True, "outcome_unknown", "unknown", "PI_NOT_SENT")],
)
def test_what_was_not_sent_is_as_unknown_as_before(ledger, settle, ask_first, label, attempt, log):
    sweep = settle(answered() if ask_first else None, NeverSent("no network", ()), ask_first=ask_first)
    assert (sweep.counts[label], sweep.problems) == (1, [])
    assert stands(ledger, "last_attempt", "uncertain", "error_message") == ("PENDING", attempt, ask_first, "no network")
    assert logged(ledger) == ("PI", f"STATUS_LOG_{log}")
    assert calls(ledger) == [("PI", "never_sent"), *([("PIS", "answered")] if ask_first else [])]


@pytest.mark.parametrize("understood", [True, False])
def test_a_submission_without_an_understood_answer_forgets_an_earlier_refusal(ledger, settle, understood):
    sweep = settle(
        answered(), Unknown("sample", (), understood=understood), **refused(LATER), absent_since=datetime.now(UTC)
    )
    assert sweep.counts["outcome_unknown"] == 1
    assert [": sample; it stays PENDING" in problem for problem in sweep.problems] == [True] * (not understood)
    kept = stands(ledger, "last_attempt", "refusal", "refused_first", "absent_since")
    assert kept == ("PENDING", "unknown", None, False, None)
    assert logged(ledger) == ("PI", "STATUS_LOG_PI_NO_RESPONSE")
    assert calls(ledger) == [("PI", "answered"), ("PIS", "answered")]


@pytest.mark.parametrize(
    ("text", "ask_first", "after", "problem"),
    [
        (CONTENT, True, None, f"refused: {CONTENT}"),
        (LATER, False, None, f"refused: {LATER}"),
        (NOBODY_KNOWS, False, None, f"refused: {NOBODY_KNOWS}"),
        (DUPLICATE, False, rejected(UNKNOWN_BILL), "the treasury has its number already"),
        (DUPLICATE, False, answered(), "the treasury has its number already"),
        (DUPLICATE, False, answered(APPROVAL), "the treasury has its number already"),
        (DUPLICATE, False, Unknown("sample", (), understood=True), "the treasury has its number already"),
    ],
)
def test_a_refusal_that_settles_nothing_is_kept_and_red(ledger, settle, text, ask_first, after, problem):
    status = answered() if ask_first else None
    sweep = settle(status, rejected(text), after, ask_first=ask_first, absent_since=datetime.now(UTC))
    [said] = sweep.problems
    assert problem in said
    assert said.endswith("it stays PENDING with its money reserved")
    assert sweep.counts["outcome_unknown"] == 1
    found = stands(ledger, "refusal", "refused_first", "absent_since", "last_attempt")
    assert found == ("PENDING", [{"code": None, "text": text}], not ask_first, None, "unknown")
    assert ledger.balances() == (1000, 100, 0, 900)
    with ledger.connect() as connection:
        noted = connection.execute("SELECT service_id, times FROM ifms.unknown_answer").fetchall()
    assert noted == ([("PI", 1)] if text == NOBODY_KNOWS else [])
    assert stands(ledger, "unknown_answer_id IS NOT NULL") == ("PENDING", text == NOBODY_KNOWS)
    assert logged(ledger) == ("PI", "STATUS_LOG_PI_ERROR")
    assert calls(ledger) == [("PI", "answered"), *[("PIS", "answered")] * ((status or after) is not None)]


@pytest.mark.parametrize(
    ("status", "bill", "after", "log"),
    [
        (None, answered({"successCode": "0"}), None, "PI_SUCCESS"),
        (answered(), rejected(DUPLICATE), None, "PI_DUPLICATE"),
        (None, rejected(DUPLICATE), answered(COMPLETE), "PI_DUPLICATE"),
        (answered(COMPLETE), None, None, "PI_SUCCESS"),
        (answered(APPROVAL), None, None, "PI_SUCCESS"),
        (rejected("This Bill Number {n} is rejected by SSU Sample Office"), None, None, "PI_SUCCESS"),
    ],
)
def test_what_the_treasury_has_is_initiated_and_its_money_spent(ledger, pending, settle, status, bill, after, log):
    if isinstance(status, Rejected):
        status = rejected(status.errors[0].message.format(n=pending.pi_number))
    sweep = settle(status, bill, after, ask_first=status is not None)
    assert (sweep.counts["accepted"], sweep.problems) == (1, [])
    assert stands(ledger, "last_attempt") == ("INITIATED", "answered")
    assert ledger.balances() == (1000, 0, 100, 900)
    assert ledger.row("SELECT status, from_status, to_status, sweep_run_id FROM ifms.status_log") == (
        f"STATUS_LOG_{log}",
        "PENDING",
        "INITIATED",
        sweep.run.id,
    )


@pytest.mark.parametrize(
    ("status", "columns", "log", "problem"),
    [
        (answered(), {}, "PIS_NO_NEWS", None),
        (rejected("No valid session encryption key was found"), {}, "PIS_ERROR", None),
        (rejected(UNKNOWN_BILL), {}, "PIS_ERROR", None),
        (rejected(NOBODY_KNOWS), {}, "PIS_ERROR", f"PIS says what nobody knows: {NOBODY_KNOWS}"),
        (NeverSent("no network", ()), {}, "PIS_NO_RESPONSE", None),
        (Unknown("timed out", (), understood=True), {}, "PIS_NO_RESPONSE", None),
        (Unknown("garbage", (), understood=False), {}, "PIS_NO_RESPONSE", "garbage"),
        (answered(), refused(CONTENT), "PIS_NO_NEWS", f"refused: {CONTENT}; PIS has no news of it"),
        (answered(), refused(LATER), "PIS_NO_NEWS", None),
        (
            answered(APPROVAL),
            refused(DUPLICATE),
            "PIS_NO_NEWS",
            f"refused: {DUPLICATE}; PIS shows no amount or count of it",
        ),
        (answered(), {"held_back": True}, "PIS_NO_NEWS", "the ledger was restored, and it is not cleared"),
        (rejected(UNKNOWN_BILL), refused(CONTENT), "PIS_ERROR", f"refused: {CONTENT}; PIS does not know it"),
    ],
)
def test_what_is_only_asked_about_stays_pending_and_is_red_while_somebody_must_look(
    ledger, settle, status, columns, log, problem
):
    sweep = settle(status, None, **columns)
    assert sweep.counts["outcome_unknown"] == 1
    assert len(sweep.problems) == (problem is not None)
    assert all(problem in said for said in sweep.problems)
    assert stands(ledger, "last_attempt", "uncertain") == ("PENDING", "unknown", True)
    assert (problem or "") in stands(ledger, "coalesce(error_message, 'nothing')")[1] != "nothing"
    assert logged(ledger) == ("PIS", f"STATUS_LOG_{log}")
    asked = [] if isinstance(status, NeverSent) else [("PIS", "answered")]
    assert calls(ledger) == [("PI", "never_sent"), *asked], "nothing was sent"
    with ledger.connect() as connection:
        noted = connection.execute("SELECT service_id FROM ifms.unknown_answer").fetchall()
    assert noted == ([("PIS",)] if problem and NOBODY_KNOWS in problem else [])


def test_a_refusal_is_kept_with_all_its_texts_but_no_account_that_they_quote(ledger, settle):
    errors = (ReplyError(None, "Sample text about 000012345678"), ReplyError("7", "another text"))
    settle(None, Rejected(errors, ()), ask_first=False)
    first, second = stands(ledger, "refusal")[1]
    assert (first["code"], second) == (None, {"code": "7", "text": "another text"})
    assert first["text"].startswith("Sample text about")
    assert "12345678" not in first["text"]


@pytest.mark.parametrize("told", [True, False])
def test_failures_that_were_told_while_it_was_pending_are_looked_at_once_it_is_settled(
    pending, settle, monkeypatch, told
):
    looked_at = []
    monkeypatch.setattr(submission, "rematch", lambda _connection, number, *_: looked_at.append(number))
    settle(None, answered({"successCode": "0"}), ask_first=False, unmatched_failures=told)
    assert looked_at == [pending.pi_number] * told


def test_a_bill_that_has_changed_is_asked_about_and_the_change_is_said(settle):
    [said] = settle(answered(), None, withheld="the payment is of 90 now").problems
    assert "it is not sent again: the payment is of 90 now; PIS has no news of it" in said


DAY = timedelta(hours=24)


@pytest.mark.parametrize(
    ("ago", "columns", "status"),
    [
        (DAY + timedelta(minutes=1), refused(CONTENT), "FAILED"),
        (DAY + timedelta(minutes=1), refused(DUPLICATE, first=False), "FAILED"),
        (DAY - timedelta(minutes=1), refused(CONTENT), "PENDING"),
        (None, refused(CONTENT), "PENDING"),
        (DAY * 2, refused(DUPLICATE), "PENDING"),
        (DAY * 2, refused(CONTENT) | {"held_back": True}, "PENDING"),
        (DAY * 2, {}, "PENDING"),
    ],
    ids=["a day", "sent again", "less", "the first time", "number taken", "restored", "never refused"],
)
def test_a_refused_bill_has_failed_once_its_status_service_did_not_know_it_for_a_day(
    ledger, settle, ago, columns, status
):
    since = ago and datetime.now(UTC) - ago
    sweep = settle(rejected(UNKNOWN_BILL), None, absent_since=since, uncertain=True, **columns)
    assert stands(ledger) == (status,)
    kept = stands(ledger, "absent_since")[1]
    if status == "FAILED":
        assert (sweep.counts["declined"], sweep.problems) == (1, [])
        assert ledger.balances() == (1000, 0, 0, 1000)
        log = ledger.row("SELECT service_id, status, to_status, message FROM ifms.status_log")
        assert log[:3] == ("PI", "STATUS_LOG_PI_ERROR", "FAILED")
        assert f"PIS does not know it since {since:%Y-%m-%d}: {UNKNOWN_BILL}" in log[3]
    elif "refusal" in columns and "held_back" not in columns and not (columns["refused_first"] and ago == DAY * 2):
        assert kept == since if since else datetime.now(UTC) - kept < timedelta(minutes=1)
    else:
        assert kept is None


def test_an_answer_that_is_no_absence_begins_the_day_anew(ledger, settle):
    settle(answered(), None, **refused(CONTENT), absent_since=datetime.now(UTC) - DAY)
    assert stands(ledger, "absent_since") == ("PENDING", None)


@pytest.mark.parametrize(
    ("status", "says_nothing"),
    [
        (rejected(LATER), True),
        (NeverSent("sample", ()), True),
        (Unknown("sample", (), understood=True), True),
        (Unknown("sample", (), understood=False), False),
        (rejected("Sample text that nobody knows"), False),
    ],
    ids=["busy", "never sent", "lost", "garbled", "unknown words"],
)
def test_what_says_nothing_of_the_bill_leaves_its_absence_as_it_was(ledger, settle, status, says_nothing):
    since = datetime.now(UTC) - timedelta(hours=1)
    ledger.db.transact(lambda c: add_phrase(c, ["PIS"], LATER, "try later", reason="asked", added_by="a tester"))
    settle(status, None, **refused(CONTENT), absent_since=since, uncertain=True)
    assert stands(ledger, "absent_since") == ("PENDING", since if says_nothing else None)


@pytest.mark.parametrize(
    ("status", "bill", "after", "service", "kept"),
    [
        (None, answered({"jitBillNo": "PI-none", "successCode": "0"}), None, "PI", False),
        (answered(APPROVAL | {"jitBillNumber": "PI-none"}), None, None, "PIS", False),
        (None, rejected(DUPLICATE), answered(APPROVAL | {"jitBillNumber": "PI-none"}), "PIS", True),
    ],
)
def test_an_answer_about_another_bill_settles_nothing_and_its_call_is_kept(
    ledger, settle, status, bill, after, service, kept
):
    [said] = settle(status, bill, after, ask_first=status is not None).problems
    assert "names the bill 'PI-none'" in said
    refusal = [{"code": None, "text": DUPLICATE}] if kept else None
    assert stands(ledger, "last_attempt", "refusal") == ("PENDING", "unknown", refusal)
    assert logged(ledger) == (service, f"STATUS_LOG_{service}_ERROR")
    assert len(calls(ledger)) == 1 + (bill is None) + (after is not None)


def test_what_the_treasury_refuses_for_its_content_is_declined_at_once(ledger, pending, settle):
    number = ledger.one("SELECT min(beneficiary_number) FROM ifms.beneficiary")
    text = f"Wrong IFSC provided in Beneficiary Details for BenefId {number}"
    sweep = settle(None, Rejected((ReplyError("340", text),), ()), ask_first=False)
    assert (sweep.counts["declined"], sweep.problems) == (1, [])
    message = f"340: {text}"
    assert stands(ledger, "last_attempt", "error_message") == ("FAILED", "rejected", message)
    assert ledger.balances() == (1000, 0, 0, 1000)
    assert ledger.one("SELECT beneficiary_number FROM ifms.beneficiary WHERE status_message IS NOT NULL") == number
    assert ledger.row("SELECT status, to_status, message FROM ifms.status_log") == (
        "STATUS_LOG_PI_ERROR",
        "FAILED",
        message,
    )


# Sent again -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def again(ledger, pending):
    """`again(request_of, withheld)`: the PI of an earlier sweep, which has these columns, got ready; and its sweep."""

    def run(request_of=lambda: SimpleNamespace(to_wire=lambda: "{}"), withheld=None, **columns):
        for name, value in columns.items():
            rewrite(ledger.dsn, f"UPDATE ifms.payment_instruction SET {name} = %s", [value])
        item = Claimed(*ledger.claimed(pending))
        sweep = TreasurySweep(ledger.db, "PI", calls=CallLog(KEYRING.sealer), workers=8)
        try:
            with sweep:
                ready = Sender(sweep, Treasury(), Instruction()).again(item, request_of, withheld)
        except SweepNeedsAttentionError:
            ready = None
        return ready, sweep

    return run


@pytest.mark.parametrize(
    ("columns", "asked"),
    [
        ({"last_attempt": "never_sent"}, False),
        ({"last_attempt": "never_sent", "uncertain": True}, True),
        ({"last_attempt": "sending"}, True),
        ({"last_attempt": "unknown", "uncertain": True}, True),
    ],
)
def test_what_may_have_arrived_is_asked_about_before_it_is_sent_again(ledger, again, columns, asked):
    ready, _ = again(**columns)
    assert (ready.ask_first, ready.withheld) == (asked, None)
    assert stands(ledger, "last_attempt", "uncertain", "attempts") == ("PENDING", "sending", asked, 2)
    assert ledger.row("SELECT id, outcome FROM ifms.treasury_call") == (ready.announced, None)


@pytest.mark.parametrize("columns", [{"held_back": True}, refused(CONTENT, first=False)])
def test_of_what_is_only_asked_about_the_refusal_stands(ledger, again, columns):
    again(uncertain=True, **columns)
    told = [{"code": None, "text": CONTENT}] if "refusal" in columns else None
    assert stands(ledger, "refusal", "last_attempt") == ("PENDING", told, "sending")


def test_what_was_told_to_come_later_forgets_that_when_it_is_sent(ledger, again):
    again(uncertain=True, **refused(LATER))
    assert stands(ledger, "refusal", "refused_first") == ("PENDING", None, False)


def test_a_bill_that_has_changed_is_asked_about_if_it_may_have_arrived(ledger, again):
    ready, _ = again(withheld="the payment is of 90 now", uncertain=True, **refused(LATER))
    assert (ready.ask_first, ready.withheld) == (True, "the payment is of 90 now")
    assert stands(ledger, "refused_first") == ("PENDING", True)


def test_a_bill_that_has_changed_and_never_left_is_said_and_given_back(ledger, again):
    ready, sweep = again(withheld="the payment is of 90 now", last_attempt="never_sent")
    assert ready is None
    [said] = sweep.problems
    assert "can't be sent again: the payment is of 90 now" in said
    found = stands(ledger, "error_message", "claim_token", "attempts")
    assert found == ("PENDING", said, None, 1)
    assert calls(ledger) == []


def raising(error):
    def request_of():
        raise error

    return request_of


@pytest.mark.parametrize(
    ("error", "claimed"), [(BadInputError("its rows are not there"), False), (ConflictError("another one"), True)]
)
def test_a_bill_whose_request_can_not_be_made_is_one_pi_s_trouble(ledger, again, error, claimed):
    ready, sweep = again(raising(error), last_attempt="never_sent")
    assert ready is None
    [said] = sweep.problems
    assert str(error) in said
    assert (stands(ledger, "claim_token")[1] is not None) is claimed


def test_a_pi_that_another_run_has_taken_over_is_its_own_affair(ledger, again, caplog):
    def taken_over():
        rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET claim_token = gen_random_uuid()")
        return SimpleNamespace(to_wire=lambda: "{}")

    ready, sweep = again(taken_over)
    assert ready is None
    assert (sweep.counts["claim_lost"], sweep.problems) == (1, [])
    assert "was taken over by another run" in caplog.text


@pytest.mark.parametrize(
    ("columns", "label", "status"),
    [
        (refused(CONTENT), "declined", "FAILED"),
        (refused(DUPLICATE, first=False), "accepted", "INITIATED"),
        (refused(CONTENT, first=False), None, "PENDING"),
        (refused(DUPLICATE), None, "PENDING"),
        (refused(NOBODY_KNOWS), None, "PENDING"),
        (refused(CONTENT) | {"held_back": True}, None, "PENDING"),
    ],
)
def test_a_refusal_whose_words_are_known_by_now_settles_what_it_can(ledger, again, columns, label, status):
    ready, sweep = again(uncertain=True, **columns)
    assert stands(ledger) == (status,)
    assert (ready is None, sweep.counts["declined"], sweep.counts["accepted"], sweep.counts["claim_lost"]) == (
        label is not None,
        int(label == "declined"),
        int(label == "accepted"),
        0,
    )
    if label:
        text = columns["refusal"].obj[0]["text"]
        log = "PI_ERROR" if label == "declined" else "PI_DUPLICATE"
        assert ledger.row("SELECT status, to_status, message, sweep_run_id FROM ifms.status_log") == (
            f"STATUS_LOG_{log}",
            status,
            text,
            sweep.run.id,
        )
        assert stands(ledger, "error_message")[1] == text
        assert calls(ledger) == []


@pytest.mark.parametrize(("asked", "attempt"), [(True, "unknown"), (False, "never_sent")])
def test_what_a_stopped_sweep_has_not_begun_is_left_as_it_was(ledger, again, asked, attempt):
    ready, sweep = again(last_attempt="sending" if asked else "never_sent")
    Sender(sweep, Treasury(), Instruction()).not_begun(ready)
    assert stands(ledger, "last_attempt", "uncertain", "error_message", "claim_token") == (
        "PENDING",
        attempt,
        asked,
        "the sweep was stopped before it was sent",
        None,
    )
    assert calls(ledger) == [("PI", "never_sent")]


def test_a_restored_pi_is_asked_about_though_it_never_left():
    treasury, sent = send(answered(), ask_first=False, pi=instruction(held_back=True))
    assert len(treasury.asked) == 1
    assert (isinstance(sent.status, Answered), sent.bill) == (True, None)


def test_what_is_withheld_is_asked_about_only():
    treasury = Treasury(answered())
    ready = Ready(PI, Claim(uuid.uuid4(), timedelta(minutes=10)), REQUEST, uuid.uuid4(), True, "it has changed")
    sent = Sender(SimpleNamespace(stopping=False, phrasebook=shipped()), treasury, Instruction()).send(ready)
    assert len(treasury.asked) == 1
    assert sent.bill is None


def test_of_bills_that_are_announced_together_each_has_its_call(ledger, pending):
    other, _ = ledger.instruct(*ledger.payment(100))
    sweep = TreasurySweep(ledger.db, "PI", calls=CallLog(KEYRING.sealer))
    with sweep:
        sender = Sender(sweep, Treasury(), Instruction())
        bills = [(pi, SimpleNamespace(to_wire=lambda pi=pi: pi.pi_number)) for pi in (pending, other)]
        announced = ledger.db.transact(lambda c: sender.announce(c, bills))
    with ledger.connect() as connection:
        rows = connection.execute("SELECT id, bill_number, sweep_run_id FROM ifms.treasury_call").fetchall()
    assert sorted(rows) == sorted(
        (call, pi.pi_number, sweep.run.id) for call, (pi, _) in zip(announced, bills, strict=True)
    )


def test_a_refusal_is_read_with_all_its_texts():
    kept = instruction(refusal=[{"code": "7", "text": "one text"}, {"code": None, "text": None}])
    assert refusal_of(kept) == (ReplyError("7", "one text"), ReplyError(None, ""))
    assert refusal_of(PI) == ()
