import copy
import time

import pytest
import requests

from ifms_simulator.platform.payments import payment_for

CREATE, SEARCH, UPDATE = (f"expense/payment/v1/_{name}" for name in ("create", "search", "update"))


def approved(client, service="EXPENSE.WAGES"):
    return next(b for b in client.bills() if b["businessService"] == service and b["wfStatus"] == "APPROVED")


def create(client, bill):
    return client.call(CREATE, {"payment": payment_for(bill)}, 201)["payments"][0]


def search(client, **criteria):
    body = {"paymentCriteria": {"tenantId": "od.samplea", **criteria}}
    return client.call(SEARCH, body, 202)["payments"]


def with_status(payment, status):
    payment = copy.deepcopy(payment)
    payment["status"] = status
    for bill in payment["bills"]:
        bill["status"] = status
        for detail in bill["billDetails"]:
            detail["status"] = status
            for line in detail["payableLineItems"]:
                line["status"] = status
    return payment


def bill_of(client, bill):
    criteria = {"tenantId": bill["tenantId"], "ids": [bill["id"]]}
    return client.call("expense/bill/v1/_search", {"billCriteria": criteria}, 202)["bills"][0]


def test_a_payment_gets_ids_number_and_states_and_reaches_its_bill(start_platform):
    client = start_platform()
    bill = approved(client)
    payment = create(client, bill)
    assert payment["paymentNumber"].startswith("EP/0/")  # the state's city code
    assert (payment["status"], payment["referenceStatus"]) == ("INITIATED", "PAYMENT_INITIATED")
    assert payment["bills"][0]["billDetails"][0]["payableLineItems"][0]["status"] == "INITIATED"
    for criteria in (
        {"paymentNumbers": [payment["paymentNumber"]]},
        {"billIds": [bill["id"]]},
        {"ids": [payment["id"]]},
        {"status": "INITIATED", "referenceStatus": "PAYMENT_INITIATED"},
    ):
        assert [found["id"] for found in search(client, **criteria)] == [payment["id"]]
    assert search(client, status="FAILED") == []
    assert bill_of(client, bill)["paymentStatus"] == "INITIATED"
    assert bill["id"] not in {each["id"] for each in client.bills()}


def test_a_payment_can_be_found_and_updated_only_after_a_while(start_platform):
    client = start_platform(persist_ms=400)
    bill = approved(client)
    payment = create(client, bill)
    assert search(client) == []
    refused = client.call(UPDATE, {"payment": with_status(payment, "FAILED")}, 400)
    assert refused["Errors"][0]["message"] == "Payment id is invalid"
    assert bill["id"] in {each["id"] for each in client.bills()}
    time.sleep(0.45)
    assert len(search(client)) == 1
    client.call(UPDATE, {"payment": with_status(payment, "FAILED")}, 202)
    assert search(client)[0]["status"] == "INITIATED"
    time.sleep(0.45)
    assert search(client)[0]["status"] == "FAILED"


def test_writes_on_their_way_survive_a_restart(start_platform, tmp_path):
    path = tmp_path / "state.sqlite3"
    first = start_platform(path, persist_ms=300)
    payment = create(first, approved(first))
    second = start_platform(path)
    time.sleep(0.35)
    assert [each["id"] for each in search(second)] == [payment["id"]]


def test_an_update_copies_statuses_only_and_no_reference_status(start_platform):
    client = start_platform()
    bill = approved(client)
    payment = create(client, bill)
    paid = {**with_status(payment, "SUCCESSFUL"), "referenceStatus": "PAYMENT_SUCCESS", "netPaidAmount": 1}
    echoed = client.call(UPDATE, {"payment": paid}, 202)["payments"][0]
    assert echoed["referenceStatus"] == "PAYMENT_SUCCESS"
    kept = search(client)[0]
    assert (kept["status"], kept["referenceStatus"]) == ("SUCCESSFUL", "PAYMENT_INITIATED")
    assert kept["netPaidAmount"] == payment["netPaidAmount"]
    after = bill_of(client, bill)
    assert (after["paymentStatus"], after["totalPaidAmount"]) == ("SUCCESSFUL", bill["totalAmount"])
    failed = with_status(payment, "PARTIAL")
    failed["bills"][0]["billDetails"][0]["payableLineItems"][0]["status"] = "FAILED"
    for detail in failed["bills"][0]["billDetails"][1:]:
        detail["payableLineItems"][0]["status"] = "SUCCESSFUL"
    client.call(UPDATE, {"payment": failed}, 202)
    after = bill_of(client, bill)
    first = after["billDetails"][0]
    assert (first["totalPaidAmount"], first["payableLineItems"][0]["paymentStatus"]) == (0, "FAILED")
    assert after["totalPaidAmount"] == bill["totalAmount"] - first["totalAmount"]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda p: p.pop("id"), "EG_EXPENSE_PAYMENT_UPDATE_ERROR"),
        (lambda p: p.update(id="no-such"), "EG_EXPENSE_PAYMENT_UPDATE_ERROR"),
        (lambda p: p.pop("status"), "EG_PAYMENT_UPDATE_STATUS_NOTNULL"),
        (lambda p: p["bills"][0].pop("status"), "EG_EXPENSE_PAYMENT_UPDATE_STATUS_NOTNULL"),
        (lambda p: p.update(status="PAID"), "HttpMessageNotReadableException"),
    ],
)
def test_an_update_needs_ids_and_statuses(start_platform, spoil, code):
    client = start_platform(cities=1)
    payment = create(client, approved(client))
    spoil(payment)
    assert client.codes(UPDATE, {"payment": payment}) == [code]


def test_a_bill_is_paid_once_whatever_became_of_it(start_platform):
    client = start_platform(cities=1)
    bill = approved(client)
    payment = create(client, bill)
    client.call(UPDATE, {"payment": with_status(payment, "FAILED")}, 202)
    assert client.codes(CREATE, {"payment": payment_for(bill)}) == ["EG_PAYMENT_DUPLICATE_PAYMENT_ERROR"]


def line(payment):
    return payment["bills"][0]["billDetails"][0]["payableLineItems"][0]


@pytest.mark.parametrize(
    ("spoil", "codes"),
    [
        (lambda p: p["bills"].append(p["bills"][0]), ["EG_PAYMENT_DUPLICATE_BILLS_ERROR"]),
        (lambda p: p["bills"][0].update(billId="no-such"), ["EG_PAYMENT_INVALID_BILLS_ERROR"]),
        (lambda p: p.update(netPaidAmount=1), ["EG_PAYMENT_INVALID_PAYMENT_ERROR"]),
        (lambda p: p["bills"][0].update(totalPaidAmount=1), ["EG_EXPENSE_PAYMENT_INVALID_BILL[0]"]),
        (
            lambda p: p["bills"][0]["billDetails"][1].update(billDetailId="x"),
            ["EG_EXPENSE_PAYMENT_INVALID_BILL_DETAIL[1]"],
        ),
        (
            lambda p: p["bills"][0]["billDetails"][0].update(totalPaidAmount=1),
            ["EG_EXPENSE_PAYMENT_BILLDETAIL_INVALID_AMOUNT[0]"],
        ),
        (lambda p: line(p).update(lineItemId="x"), ["EG_EXPENSE_PAYMENT_INVALID_LINEITEM[0]"]),
        (lambda p: line(p).update(paidAmount=0.01), ["EG_EXPENSE_PAYMENT_LINEITEM_INVALID_AMOUNT[0]"]),
        (
            lambda p: (p.update(netPayableAmount=1), line(p).update(paidAmount=1)),
            ["EG_PAYMENT_INVALID_PAYMENT_ERROR", "EG_EXPENSE_PAYMENT_LINEITEM_INVALID_AMOUNT[0]"],
        ),
    ],
)
def test_a_payment_must_be_exactly_what_is_owed(start_platform, spoil, codes):
    client = start_platform(cities=1)
    payment = payment_for(approved(client))
    spoil(payment)
    assert client.codes(CREATE, {"payment": payment}) == codes
    assert search(client) == []


def test_a_bill_in_its_workflow_can_not_be_paid(start_platform):
    client = start_platform(cities=1)
    bill = next(b for b in client.bills() if b["wfStatus"] == "PENDING_FOR_APPROVAL")
    assert client.codes(CREATE, {"payment": payment_for(bill)}) == ["EG_PAYMENT_INVALID_BILLS_ERROR"]


def test_a_lost_reply_leaves_the_payment_made(start_platform):
    client = start_platform(cities=1)
    bill = approved(client)
    client.rule(service="payment_create", effect="lost_reply", times=1)
    with pytest.raises(requests.ConnectionError):
        create(client, bill)
    assert [payment["bills"][0]["billId"] for payment in search(client)] == [bill["id"]]


def test_the_limit_of_a_search_is_not_cut(start_platform):
    client = start_platform(cities=1, bills_per_city=0)
    client.control("bills", {"type": "supervision", "tenantId": "od.samplea", "count": 205, "with_payments": True})
    body = {"paymentCriteria": {"tenantId": "od.samplea"}}
    assert len(client.call(SEARCH, {**body, "pagination": {"limit": 500}}, 202)["payments"]) == 205
    whole = client.call(SEARCH, body, 202)["payments"]
    assert len(whole) == 100
    assert [each["id"] for each in whole] == sorted(each["id"] for each in whole)


def levels(payment):
    yield payment["status"]
    for bill in payment["bills"]:
        yield bill["status"]
        for detail in bill["billDetails"]:
            yield detail["status"]
            yield from (line["status"] for line in detail["payableLineItems"])


def test_a_person_can_cancel_a_payment_or_parts_of_it_and_put_it_back(start_platform):
    client = start_platform(persist_ms=0)
    bill = approved(client)
    number = create(client, bill)["paymentNumber"]

    def put(status, **more):
        client.control("statuses", {"paymentNumber": number, "status": status, **more})
        return search(client, paymentNumbers=[number])[0]

    assert set(levels(put("CANCELLED"))) == {"CANCELLED"}
    assert bill_of(client, bill)["paymentStatus"] == "CANCELLED"
    assert set(levels(put("INITIATED"))) == {"INITIATED"}
    header = put("CANCELLED", headerOnly=True)
    assert (header["status"], set(list(levels(header))[1:])) == ("CANCELLED", {"INITIATED"})
    assert search(client, status="CANCELLED")
    put("INITIATED")
    line = header["bills"][0]["billDetails"][0]["payableLineItems"][0]["lineItemId"]
    assert list(levels(put("CANCELLED", lines=[line]))).count("CANCELLED") == 1
    with pytest.raises(AssertionError, match="no status GONE"):
        put("GONE")
    with pytest.raises(AssertionError, match="no payment EP/X"):
        client.control("statuses", {"paymentNumber": "EP/X", "status": "CANCELLED"})
