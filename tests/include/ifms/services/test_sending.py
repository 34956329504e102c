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

from ifms.errors import SweepError, SweepStoppedError, WireError
from ifms.ledger.claims import Claim
from ifms.services.cor import Revision
from ifms.services.pi import Instruction
from ifms.services.sending import Ready, Sender, checked_receipt
from ifms.treasury.outcome import Answered, NeverSent, Rejected, Unknown
from ifms.wire.envelope import Reply, ReplyError, Service

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
        return self.outcomes.pop(0)


def send(*outcomes, ask_first=True, lease=timedelta(minutes=10), stopping=False):
    treasury = Treasury(*outcomes)
    ready = Ready(PI, Claim(uuid.uuid4(), lease), REQUEST, uuid.uuid4(), ask_first)
    return treasury, Sender(SimpleNamespace(stopping=stopping), treasury, Instruction()).send(ready)


def answered(*rows):
    return Answered(Reply("PIS", data=list(rows)), ())


def rejected(text):
    return Rejected((ReplyError(None, text),), ())


def test_a_new_bill_is_sent_without_asking():
    treasury, sent = send(answered({}), ask_first=False)
    assert treasury.asked == [REQUEST]
    assert sent.status is None


@pytest.mark.parametrize("status", [rejected("Bill does not exist"), answered()])
def test_what_the_treasury_lacks_is_sent_again(status):
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
        NeverSent("no network", ()),
        Unknown("timed out", (), understood=True),
    ],
)
def test_what_it_has_or_says_nothing_about_is_not_sent(status):
    treasury, sent = send(status)
    assert len(treasury.asked) == 1
    assert (sent.status, sent.bill) == (status, None)


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
