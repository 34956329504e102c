"""What the index is told of a PI: what the contract lists, and nothing personal."""

from __future__ import annotations

import json
import re

import pytest
from psycopg import connect
from support import failed
from support.keys import account_numbers

from ifms.delivery.pi_index import documents, of_payments

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})

ALWAYS = {
    "id",
    "tenantId",
    "jitBillNo",
    "piType",
    "parentPiNumber",
    "muktaReferenceId",
    "numBeneficiaries",
    "grossAmount",
    "netAmount",
    "piStatus",
    "isActive",
    "piErrorResp",
    "beneficiaryDetails",
    "auditDetails",
    "additionalDetails",
}
NEVER = {"paDetails", "benefName", "benfAcctNo", "benfBankIfscCode", "benfMobileNo", "benfAddress", "benfAccountType"}


def told(adapter, *numbers):
    with connect(adapter.dsn) as connection:
        return documents(connection, numbers or [failed.original(adapter)["pi_number"]])


def personal(adapter):
    """Accounts, phones, names, IFSC and addresses of all who were paid."""
    found = set(account_numbers(adapter.dsn).values())
    for row in adapter.rows("SELECT * FROM ifms.beneficiary"):
        found |= {row["mobile"], row["name"], row["ifsc"], row["address"]}
    return found


def test_a_paid_one_with_a_failure(adapter):
    failed.paid_and_failed(adapter, payees=3, failures=1)
    [(number, pi)] = told(adapter).items()
    [row] = adapter.rows("SELECT * FROM ifms.payment_instruction")
    assert pi.keys() >= ALWAYS
    assert not pi.keys() & NEVER
    assert (pi["id"], pi["jitBillNo"], pi["muktaReferenceId"]) == (str(row["id"]), number, row["payment_number"])
    assert (pi["piType"], pi["parentPiNumber"], pi["piErrorResp"]) == ("ORIGINAL", "", "")
    assert (pi["piStatus"], pi["netAmount"]) == ("PARTIAL", float(row["net_amount"]))
    assert pi["additionalDetails"] == row["additional_details"]
    beneficiaries = adapter.rows("SELECT * FROM ifms.beneficiary ORDER BY beneficiary_number")
    assert len(beneficiaries) == pi["numBeneficiaries"] == len(pi["beneficiaryDetails"])
    for each, stored in zip(pi["beneficiaryDetails"], beneficiaries, strict=True):
        assert not each.keys() & NEVER
        assert each["beneficiaryNumber"] == stored["beneficiary_number"]
        assert each["paymentStatus"] == stored["status"]
        assert each["amount"] == float(stored["amount"])
        assert each["utrNo"] == stored["utr_number"]
        assert [line["lineItemId"] for line in each["benfLineItems"]] == stored["line_item_ids"]
    assert "Payment Failed" in {each["paymentStatus"] for each in pi["beneficiaryDetails"]}
    said = json.dumps(pi)
    assert [text for text in personal(adapter) if re.search(rf"(?<![\w-]){re.escape(text)}(?!\w)", said)] == []


def test_a_revision_names_its_original(adapter):
    failed.paid_and_failed(adapter)
    failed.mend(adapter)
    adapter.correct()
    [revision] = failed.revisions(adapter)
    pi = told(adapter, revision["pi_number"])[revision["pi_number"]]
    assert (pi["piType"], pi["parentPiNumber"]) == ("REVISED", failed.original(adapter)["pi_number"])


def test_what_the_treasury_says_is_told_without_account_numbers(adapter, treasury):
    failed.wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    error = {"errorCode": "340", "errorMsg": "Wrong account 123456789012 of BenefId BN-SA/000001"}
    treasury.rule("PI", "error", times=1, errorMsgs=[error])
    adapter.run("PI")
    [pi] = told(adapter).values()
    assert pi["piStatus"] == "FAILED"
    assert "BN-SA/000001" in json.dumps(pi)
    assert "123456789012" not in json.dumps(pi)


def test_a_number_that_is_none_is_left_out(adapter):
    assert told(adapter, "PI-SA/2026-27/999999") == {}


# Payments without a PI ----------------------------------------------------------------------------------------------


@pytest.fixture
def subscribed(adapter):
    """Somebody wants to hear of the index."""
    with connect(adapter.dsn) as connection:
        connection.execute("INSERT INTO ifms.notice (topic, wanted) VALUES ('pi_index', true)")


def messages(adapter):
    """What the index is to hear, in order: key and payload."""
    rows = adapter.rows("SELECT ordering_key, payload FROM ifms.outbox WHERE topic = 'pi_index' ORDER BY id")
    return [(row["ordering_key"], row["payload"]) for row in rows]


def test_a_payment_that_is_held_is_told_and_its_first_pi_is_written_over_it(adapter, subscribed):
    failed.wage_bill(adapter)
    adapter.run("PA")
    assert messages(adapter) == []  # it only waits for its turn
    adapter.run("PI")
    [payment] = adapter.rows("SELECT * FROM ifms.payment")
    named = (failed.TENANT, payment["payment_number"])
    key = ":".join(named)
    assert messages(adapter) == [(key, {"paymentNumber": payment["payment_number"]})]
    with connect(adapter.dsn) as connection:
        before = of_payments(connection, [named])[named]
    assert before.keys() >= ALWAYS
    assert not before.keys() & NEVER
    assert (before["piStatus"], before["isActive"], before["piType"]) == ("FAILED", False, "ORIGINAL")
    assert before["piErrorResp"].startswith("PAYMENT_INSUFFICIENT_FUNDS")

    adapter.run("VA")
    adapter.run("PI")
    assert {each for each, _ in messages(adapter)} == {key}  # told in order, under one key
    [pi] = told(adapter).values()
    assert (pi["id"], pi["tenantId"]) == (before["id"], before["tenantId"])  # the same place in the index
    with connect(adapter.dsn) as connection:  # a message that comes late does not bring back what stood there
        assert of_payments(connection, [named])[named] == pi


def test_a_declined_one_is_in_the_index_by_its_pi_alone(adapter, treasury, subscribed):
    failed.wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "error", times=1, errorMsgs=[{"errorCode": "322", "errorMsg": "no"}])
    adapter.run("PI")
    assert [set(payload) for _, payload in messages(adapter)] == [{"piNumber", "status"}] * 2


def test_without_a_subscription_nothing_is_written(adapter):
    failed.wage_bill(adapter)
    adapter.run("PA")
    adapter.run("PI")
    assert messages(adapter) == []
