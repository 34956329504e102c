"""DIGIT's bodies: which nulls are left out, what is a number, and what is never in them."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from support.adapter import Adapter
from support.failed import original, paid_and_failed

from ifms import clock
from ifms.cities import Cities
from ifms.queries.instruction import by_number
from ifms_airflow.api import digit

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0, "persist_ms": 0})


@pytest.fixture
def told(adapter: Adapter) -> dict[str, Any]:
    paid_and_failed(adapter)
    with psycopg.connect(adapter.dsn) as connection:
        whole = by_number(connection, original(adapter)["pi_number"], Cities.ALL)
    assert whole is not None
    return {"search": digit.instruction(whole), "create": digit.instruction(whole, created=True), "whole": whole}


def test_every_value_is_json_and_nulls_are_where_they_were(told: dict[str, Any]):
    pi = json.loads(json.dumps(told["search"]))
    assert None not in pi.values()
    assert all(None not in row.values() for row in pi["beneficiaryDetails"])
    assert pi["transactionDetails"][0]["additionalDetails"] is None
    assert pi["piStatusLogs"][0]["serviceId"] == "FD"


def test_amounts_are_numbers_and_times_are_epoch_milliseconds(told: dict[str, Any]):
    pi, row = told["search"], told["whole"].pi
    assert pi["netAmount"] == float(row["net_amount"])
    assert pi["auditDetails"]["createdTime"] == clock.epoch_ms(row["created_at"])
    paid = [b for b in pi["beneficiaryDetails"] if b["paymentStatus"] == "Payment Successful"]
    day = clock.to_ist(clock.from_epoch_ms(paid[0]["voucherDate"]))
    assert (day.hour, day.minute) == (0, 0)


def test_lines_name_their_beneficiary(told: dict[str, Any]):
    for row in told["search"]["beneficiaryDetails"]:
        assert row["benfLineItems"]
        assert {line["beneficiaryId"] for line in row["benfLineItems"]} == {row["id"]}


def test_what_was_sent_is_told_on_create_alone(told: dict[str, Any]):
    only = {"hoa", "jitBillDate", "jitBillDdoCode", "mstAllotmentDistId", "billNumberOfBenf", "purpose", "ssuIaId"}
    assert only <= set(told["create"])
    assert not only & set(told["search"])
    assert not {"paDetails", "piStatusLogs"} & set(told["create"])


def test_no_account_number_is_told(told: dict[str, Any]):
    text = json.dumps([told["search"], told["create"]])
    for row in told["whole"].beneficiaries:
        assert row["ifsc"] not in text
        assert row["name"] not in text


def test_the_envelope_of_errors():
    assert digit.errors(("A", "b")) == {
        "ResponseInfo": None,
        "Errors": [{"code": "A", "message": "b", "description": "b", "params": None}],
    }


@pytest.mark.parametrize("info", [{}, {"msgId": 3, "apiId": None}, {"ver": "1"}])
def test_whatever_the_request_says_of_itself(info: dict[str, Any]):
    answer = digit.Body(RequestInfo=info).response_info()
    digit.ResponseInfo(**answer)
    assert answer["status"] == "successful"
