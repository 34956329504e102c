import pytest

from ifms_simulator.treasury.messages import SERVICES, SHAPES


def changed(pi, **fields):
    return {
        **{name: value for name, value in pi.items() if fields.get(name, "") is not None},
        **{name: value for name, value in fields.items() if value is not None},
    }


def changed_row(pi, **fields):
    return {**pi, "beneficiaryDetails": [changed(pi["beneficiaryDetails"][0], **fields), *pi["beneficiaryDetails"][1:]]}


def test_each_service_has_its_shape():
    assert set(SHAPES) == set(SERVICES)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"hoa": None}, "hoa is missing"),
        ({"ssuIaId": None, "ssuId": "9001"}, "ssuIaId is missing; ssuId is not a known field"),
        ({"billNetAmount": 30}, "billNetAmount is not a text"),
        ({"billNetAmount": "3e1"}, "billNetAmount is not an amount"),
        ({"billNetAmount": "30.001"}, "billNetAmount is not an amount"),
        ({"jitBillDate": "2026-04-10"}, "jitBillDate is not a time"),
        ({"jitBillDate": "2026-02-30 10:00:00"}, "jitBillDate is not a time"),
        ({"jitBillNo": "PI-1 "}, "jitBillNo is not a text"),
        ({"jitBillNo": "P" * 257}, "jitBillNo is not a text"),
        ({"purpose": "MUKTA & Co"}, "purpose is not a text without special symbols"),
        ({"panNo": ""}, "panNo is not a known field"),
        ({"beneficiaryDetails": None, "beneficiaryDtls": []}, "Beneficiary detail is missing"),
        ({"beneficiaryDetails": []}, "Beneficiary detail is missing"),
    ],
)
def test_a_wrong_header_is_refused_by_name(start_treasury, fields, named):
    client = start_treasury()
    reply = client.call("PI", changed(client.instruction(), **fields))
    assert named in reply["errorMsg"]
    assert reply["data"] == []
    assert client.control("state")["bills"] == []


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"benfAmount": None, "paymentAmount": "10.00"}, "benfAmount is missing"),
        ({"ifscCode": "SMPL0000001"}, "ifscCode is not a known field"),
        ({"benefName": "Sample (Payee)"}, "benefName is not a text without special symbols"),
        ({"benefName": "ନମୁନା"}, "benefName is not a text without special symbols"),
        ({"benefName": ""}, "benefName"),
        ({"benfAddress": "W1, L1"}, "benfAddress is not a text without special symbols"),
        ({"benfMobileNo": "12345"}, "benfMobileNo"),
        ({"benfAcctNo": "********0001"}, "benfAcctNo is not an account number"),
        ({"benfAcctNo": "100001|AAAA"}, "benfAcctNo is not an account number"),
        ({"benfAcctNo": "1" * 40}, "benfAcctNo is not an account number"),
        ({"benfEmailId": None}, "benfEmailId is missing"),
    ],
)
def test_a_wrong_beneficiary_is_refused_by_name_and_id(start_treasury, fields, named):
    client = start_treasury()
    pi = client.instruction()
    text = client.call("PI", changed_row(pi, **fields))["errorMsg"]
    assert named in text
    assert f"for BenefId {pi['beneficiaryDetails'][0]['benefId']}" in text


def test_the_optional_fields_of_the_samples_are_taken(start_treasury):
    client = start_treasury()
    assert client.data("PI", changed_row(client.instruction(), pranNo="", adhaarNumber="", panNo=""))


@pytest.mark.parametrize("ifsc", ["", "SMPL1000001", "smpl0000001", "SMPL000001", "SMPL0999999"])
def test_a_wrong_ifsc_is_told_per_beneficiary(start_treasury, ifsc):
    client = start_treasury(refused_ifsc=["SMPL0999999"])
    pi = client.instruction()
    reply = client.call("PI", changed_row(pi, benfBankIfscCode=ifsc))
    number = pi["beneficiaryDetails"][0]["benefId"]
    text = f"Wrong IFSC provided in Beneficiary Details for BenefId {number}"
    assert reply == {"serviceId": "PI", "errorMsgs": [{"errorCode": "340", "errorMsg": text}], "data": []}


def test_two_beneficiaries_with_one_account_are_refused(start_treasury):
    client = start_treasury()
    pi = client.instruction()
    same = {**pi["beneficiaryDetails"][0], "benefId": pi["beneficiaryDetails"][1]["benefId"]}
    pi["beneficiaryDetails"][1] = same
    assert "same account number and IFSC" in client.call("PI", pi)["errorMsg"]
    pi["beneficiaryDetails"][1] = {**same, "benfAcctNo": "99999", "benefId": pi["beneficiaryDetails"][0]["benefId"]}
    assert "more than once" in client.call("PI", pi)["errorMsg"]


def test_the_envelope_is_checked_too(start_treasury):
    client = start_treasury()
    assert "serviceId is missing" in client.call("PI", {}, key="service")["errorMsg"]
    assert "serviceId is missing" in client.call("PI", {}, key="serviceID")["errorMsg"]
    assert "not a known service" in client.call("XX", {})["errorMsg"]
    assert "params is missing" in client.call("PI", None)["errorMsg"]
    # The samples of these three spell it so (treasury-jit.md §1).
    assert "jitCorBillNo is missing" in client.call("FTPS", {}, key="serviceID")["errorMsg"]
