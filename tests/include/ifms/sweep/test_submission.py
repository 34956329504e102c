"""Persist, send, record: what of a bill's outcomes is asked, sent or left. End to end: test_pi.py and test_cor.py."""

import threading
import uuid
from datetime import timedelta
from types import SimpleNamespace

import psycopg
import pytest
from support import failed
from support.adapter import assert_money_is_right
from support.pis import instruction, treasury_config

from ifms.errors import SweepError, SweepStoppedError, TreasuryLoginError, WireError
from ifms.ledger.claims import Claim
from ifms.services.cor import Revision
from ifms.services.pi import Instruction
from ifms.sweep.submission import Ready, Sender, checked_receipt
from ifms.treasury.outcome import Answered, NeverSent, Rejected, Unknown
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
    from ifms.services.cor import Order

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
