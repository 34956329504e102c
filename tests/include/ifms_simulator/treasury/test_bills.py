import pytest


def bill(client, number):
    return client.control(f"state?bill={number}")["bills"][0]


@pytest.mark.parametrize("answer", ["duplicate", "success"])
def test_a_repeated_bill_is_taken_in_once(start_treasury, answer):
    client = start_treasury(repeated_pi=answer)
    pi = client.instruction()
    client.data("PI", pi)
    reply = client.call("PI", dict(reversed(pi.items())))  # the same content, in another order
    if answer == "duplicate":
        assert reply["errorMsg"] == "Duplicate Payment Information Id"
    else:
        assert reply["data"][0]["successCode"] == "0"
    kept = bill(client, pi["jitBillNo"])
    assert (kept["accepted"], kept["received"], kept["conflicts"]) == (1, 2, 0)
    assert client.control("state")["funds"][0]["spent"] == pi["billGrossAmount"]


@pytest.mark.parametrize("answer", ["duplicate", "success"])
def test_a_known_number_with_other_content_is_an_error(start_treasury, answer):
    client = start_treasury(repeated_pi=answer)
    pi = client.instruction()
    client.data("PI", pi)
    assert "with other details" in client.call("PI", {**pi, "purpose": "Other"})["errorMsg"]
    kept = bill(client, pi["jitBillNo"])
    assert kept["conflicts"] == 1
    assert kept["params"] == pi


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"billNumberOfBenf": "4"}, "Number of beneficiaries"),
        ({"billNetAmount": "29.99"}, "Net total differs"),
        ({"billGrossAmount": "29.99"}, "Gross amount is less"),
        ({"billGrossAmount": "0.00", "billNetAmount": "0"}, "zero"),
        ({"schemeCode": "1"}, "Scheme code 1"),
    ],
)
def test_header_and_rows_must_agree(start_treasury, fields, text):
    client = start_treasury()
    assert text in client.call("PI", {**client.instruction(), **fields})["errorMsg"]


def test_an_unknown_bill_is_an_error_or_nothing(start_treasury, tmp_path):
    for answer, reply in (("error", "Bill not received in JIT-FS"), ("empty", None)):
        client = start_treasury(tmp_path / answer, unknown_bill=answer)
        told = client.call("PIS", client.status(client.instruction()))
        assert told == {"serviceId": "PIS", "errorMsg": reply, "data": []}


def test_a_rejected_bill_stays_rejected(start_treasury):
    client = start_treasury()
    pi = client.instruction()
    client.data("PI", pi)
    client.rule(service="PIS", effect="reject", times=1)
    text = f"This Bill Number {pi['jitBillNo']} is rejected by SSU sample_op_9001"
    for _ in range(2):
        assert client.call("PIS", client.status(pi)) == {"serviceId": "PIS", "errorMsg": text, "data": []}
    told = {"pmtInstId": "500001", "payInstDate": "2026-04-10 11:00:00"}
    assert client.call("PAG", client.advice(pi, told))["errorMsg"] == text


def test_what_was_told_must_be_echoed(start_treasury):
    client = start_treasury()
    pi = client.instruction()
    client.data("PI", pi)
    assert "ssuIaId" in client.call("PIS", {**client.status(pi), "ssuIaId": "9002"})["errorMsg"]
    assert "jitBillDate" in client.call("PIS", {**client.status(pi), "jitBillDate": "2026-04-11"})["errorMsg"]
    told = client.data("PIS", client.status(pi))[0]
    good = client.advice(pi, told)
    for name, value in (("pmtInstId", "1"), ("pmtInstDate", "2026-04-10 11:00:01"), ("billDate", "2026-04-11")):
        assert name in client.call("PAG", {**good, name: value})["errorMsg"]
    advice = client.data("PAG", good)[0]
    good = client.details(advice)
    for name, value in (("finYear", "2020"), ("tokenNumber", "0"), ("tokenDate", "2026-04-11")):
        assert name in client.call("PD", {**good, name: value})["errorMsg"]
    assert client.call("PD", {**good, "billRefNo": "1"})["errorMsg"] == "Bill not received in JIT-FS"


def test_with_a_pace_each_step_takes_its_time(start_treasury):
    client = start_treasury(pace_seconds=86400)
    pi = client.instruction()
    client.data("PI", pi)
    assert client.data("PIS", client.status(pi)) == []

    def days(number):
        client.control("settings", {"clock_offset_seconds": number * 86400 + 60})
        client.login()

    days(1)
    told = client.data("PIS", client.status(pi))[0]
    assert client.data("PAG", client.advice(pi, told)) == []
    days(2)
    advice = client.data("PAG", client.advice(pi, told))[0]
    assert client.data("PD", client.details(advice)) == []
    days(3)
    paid = client.data("PD", client.details(advice))[0]
    assert told["payInstDate"][:10] < advice["tokenDate"] < paid["voucherDate"]


def test_partial_scrolls_name_the_first_beneficiaries_only(start_treasury):
    client = start_treasury()
    pi = client.instruction(beneficiaries=3)
    client.rule(service="PD", effect="partial_scrolls", beneficiaries=2, times=1, bill_number=pi["jitBillNo"])
    advice, paid = client.paid(pi)
    assert [row["benfId"] for row in paid["benfDtls"]] == [row["benefId"] for row in pi["beneficiaryDetails"][:2]]
    assert len(client.data("PD", client.details(advice))[0]["benfDtls"]) == 3
