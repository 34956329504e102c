"""Earlier numbers of a payment are asked about before it gets another PI."""

import json

import pytest
from support import failed
from support.adapter import assert_money_is_right
from support.uncertain import a_day_later, on, pi, red, resubmit

from ifms.errors import SweepError, SweepNeedsAttentionError
from ifms.services import manual_settlement
from ifms.services.cor import Order
from ifms.services.manual_settlement import Verdict

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


@pytest.fixture
def mended(adapter):
    adapter.simulators.ask_platform("POST", "settings", {"persist_ms": 0})
    failed.paid_and_failed(adapter, 2, 1)
    failed.mend(adapter)
    return adapter


def test_a_failed_one_that_may_be_there_is_asked_about_before_the_next(mended, treasury):
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
    treasury.rule("FTPS", "error", errorMsg="Sample text that nobody knows", times=1)
    order = Order(failed.TENANT, failed.original(mended)["pi_number"])
    mended.correct(order)  # a person has said so, and nothing shows it
    assert [row["status"] for row in failed.revisions(mended)] == ["FAILED", "INITIATED"]
    assert_money_is_right(mended, treasury)
