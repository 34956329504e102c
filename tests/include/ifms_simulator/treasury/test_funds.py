import time
from datetime import UTC, datetime, timedelta

import pytest
import requests

from ifms.clock import wire_datetime


def fund(client, distribution):
    return next(row for row in client.control("state")["funds"] if row["mstAllotmentDistId"] == distribution)


def test_derived_allotments_are_the_same_everywhere_and_differ_by_code(start_treasury, tmp_path):
    first, second = (start_treasury(tmp_path / f"{name}.sqlite3") for name in ("one", "two"))
    assert first.allotments() == second.allotments()
    ids = {row["mstAllotmentDistId"] for row in first.allotments()}
    assert ids.isdisjoint(row["mstAllotmentDistId"] for row in first.allotments(ddo="SIMHUD002"))


def test_two_initial_allotments_differ_in_their_distribution_only(start_treasury):
    rows = start_treasury(allotment_initial=["1000.00", "2000.00"]).allotments()
    assert [row["allotmentTxnType"] for row in rows] == [
        "Initial Allotment",
        "Initial Allotment",
        "Additional allotment",
        "Allotment withdrawal",
    ]
    initial = rows[:2]
    assert len({row["mstAllotmentDistId"] for row in initial}) == 2
    assert {(row["ssuAllotmentId"], row["allotmentTxnSlNo"]) for row in initial} == {
        (initial[0]["ssuAllotmentId"], "0")
    }
    assert [row["allotmentAmount"] for row in initial] == ["1000.00", "2000.00"]
    assert [row["availableBalance"] for row in initial] == ["3000.00", "6000.00"]


def test_from_date_leaves_out_what_came_before(start_treasury):
    client = start_treasury()
    assert client.allotments()
    now = datetime.now(UTC)
    assert client.allotments(since=wire_datetime(now - timedelta(seconds=5))) == []
    base = client.allotments()[0]
    order = {
        "ddoCode": base["ddoCode"],
        "hoa": "990017057890000000000000001",
        "granteeAgCode": base["granteeAgCode"],
        "allotmentTxnType": "ADDITIONAL ALLOTMENT",
        "allotmentAmount": "70.00",
        "mstAllotmentDistId": base["mstAllotmentDistId"],
    }
    added = client.control("allotments", order)
    assert client.allotments(since=wire_datetime(now - timedelta(seconds=5))) == added
    assert added[0]["allotmentTxnType"] == "ADDITIONAL ALLOTMENT"
    assert added[0]["allotmentTxnSlNo"] == "3"
    assert added[0]["ssuAllotmentId"] == base["ssuAllotmentId"]


def test_only_what_a_test_defines_is_there_when_it_says_so(start_treasury):
    client = start_treasury()
    order = {
        "ddoCode": "SIMHUD003",
        "hoa": "1",
        "granteeAgCode": "G",
        "allotmentTxnType": "Initial Allotment",
        "allotmentAmount": "500.00",
        "only": True,
    }
    added = client.control("allotments", order)
    assert client.allotments(ddo="SIMHUD003", hoa="1", grantee="G") == added


def test_money_is_booked_to_the_paisa_and_given_back_on_rejection(start_treasury):
    client = start_treasury(allotment_initial=["100.00", "30.00"])
    pi = client.instruction(beneficiaries=3, row=1)
    client.data("PI", pi)
    assert fund(client, pi["mstAllotmentDistId"])["available"] == "0.00"
    second = client.instruction(beneficiaries=1, row=1, first=2)
    assert client.call("PI", second)["errorMsg"] == "Insufficient fund"
    client.rule(service="PIS", effect="reject", bill_number=pi["jitBillNo"])
    client.call("PIS", client.status(pi))
    client.call("PIS", client.status(pi))
    assert fund(client, pi["mstAllotmentDistId"])["available"] == "30.00"
    assert client.data("PI", second)


def test_a_withdrawal_may_take_more_than_is_left(start_treasury):
    client = start_treasury(allotment_initial=["30.00"], allotment_additional="0", allotment_withdrawal="0")
    pi = client.instruction(beneficiaries=3)
    client.data("PI", pi)
    place = {"ddoCode": pi["jitBillDdoCode"], "hoa": pi["hoa"], "granteeAgCode": pi["granteeAgCode"]}
    order = {
        **place,
        "allotmentTxnType": "Allotment withdrawal",
        "allotmentAmount": "10.00",
        "mstAllotmentDistId": pi["mstAllotmentDistId"],
    }
    client.control("allotments", order)
    assert fund(client, pi["mstAllotmentDistId"])["available"] == "-10.00"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mstAllotmentDistId", "1"),
        ("hoa", "1"),
        ("jitBillDdoCode", "SIMHUD002"),
        ("granteeAgCode", "G"),
        ("ssuIaId", "1621"),
        ("ssuAllotmentId", "1"),
        ("allotmentTxnSlNo", "2"),
    ],
)
def test_codes_that_do_not_belong_together_are_refused(start_treasury, name, value):
    client = start_treasury()
    reply = client.call("PI", {**client.instruction(), name: value})
    assert reply["errorMsg"] == "DDO and SSUID configuration is missing"


def test_the_clock_offset_moves_what_is_dated_now(start_treasury):
    client = start_treasury()
    client.control("settings", {"clock_offset_seconds": 400 * 86400})
    year = datetime.fromtimestamp(time.time() + 400 * 86400, UTC).year
    assert client.allotments()[0]["allotmentDate"] in (f"{year}-04-01", f"{year - 1}-04-01")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"allotmentTxnType": "Gift"}, "allotmentTxnType 'Gift'"),
        ({"allotmentTxnType": "Additional allotment"}, "mstAllotmentDistId None"),
        ({"allotmentAmount": "1,000"}, "not an amount"),
        ({"mstAllotmentDistId": "taken"}, "has its initial allotment"),
    ],
)
def test_an_allotment_that_can_not_be_is_refused(start_treasury, change, text):
    client = start_treasury()
    order = {
        "ddoCode": "SIMHUD003",
        "hoa": "1",
        "granteeAgCode": "G",
        "allotmentTxnType": "Initial Allotment",
        "allotmentAmount": "500.00",
        "only": True,
    }
    client.control("allotments", {**order, "mstAllotmentDistId": "taken"})
    reply = requests.post(f"{client.url}/control/allotments", json={**order, **change}, timeout=5)
    assert reply.status_code == 400
    assert text in reply.json()["error"]
    assert len(client.allotments(ddo="SIMHUD003", hoa="1", grantee="G")) == 1
