import base64
import json

import pytest

from ifms_simulator import crypto


def accepted(client):
    pi = client.instruction(beneficiaries=2)
    client.data("PI", pi)
    return pi


def test_an_error_replaces_the_work(start_treasury):
    client = start_treasury()
    pi = client.instruction()
    client.rule(service="PI", effect="error", errorMsg="Sample error", times=1)
    assert client.call("PI", pi) == {"serviceId": "PI", "errorMsg": "Sample error", "data": []}
    texts = [{"errorCode": "340", "errorMsg": "Sample"}]
    client.rule(service="PI", effect="error", errorMsgs=texts, times=1)
    assert client.call("PI", pi) == {"serviceId": "PI", "errorMsgs": texts, "data": []}
    assert client.control("state")["bills"] == []


def test_another_bills_reply(start_treasury):
    client = start_treasury()
    pi = accepted(client)
    client.rule(service="PIS", effect="other_bill", bill_pattern="^PI-SA/")
    assert client.data("PIS", client.status(pi))[0]["jitBillNumber"] == "PI-XX/2000-01/999999"


def test_a_field_is_missing_at_any_depth(start_treasury):
    client = start_treasury()
    pi = accepted(client)
    client.rule(service="PIS", effect="missing_field", field="pmtInstId", times=1)
    assert "pmtInstId" not in client.data("PIS", client.status(pi))[0]
    told = client.data("PIS", client.status(pi))[0]
    advice = client.data("PAG", client.advice(pi, told))[0]
    client.rule(service="PD", effect="missing_field", field="utrNo", times=1)
    assert all("utrNo" not in row for row in client.data("PD", client.details(advice))[0]["benfDtls"])
    client.rule(service="PD", effect="missing_field", field="data", times=1)
    assert "data" not in client.call("PD", client.details(advice))


def test_an_unknown_text(start_treasury):
    client = start_treasury()
    client.rule(service="VA", effect="unknown_text", times=1)
    assert {row["allotmentTxnType"] for row in client.allotments()} == {"Sample text that nobody knows"}
    client.rule(service="VA", effect="unknown_text", field="ssuId", text="")
    assert {row["ssuId"] for row in client.allotments()} == {""}


def test_rows_come_twice_and_turned_round(start_treasury):
    client = start_treasury()
    rows = client.allotments()
    client.rule(service="VA", effect="duplicate_rows")
    assert client.allotments() == [*reversed(rows), *rows]


def unreadable(key, sealed):
    """Whether it is no JSON under this key; under a foreign one the padding is right once in 256 times."""
    try:
        json.loads(crypto.decrypt(key, sealed))
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("effect", ["garbage", "bad_padding", "wrong_key"])
def test_a_ciphertext_that_is_none(start_treasury, effect):
    client = start_treasury()
    pi = client.instruction()
    client.rule(service="PI", effect=effect, times=1)
    reply, rek = client.post("PI", pi)
    assert reply.status_code == 200
    if effect == "garbage":
        with pytest.raises(ValueError, match=r"base64|padding"):
            base64.b64decode(reply.text, validate=True)
    else:
        assert unreadable(rek, base64.b64decode(reply.text, validate=True))
    assert len(client.control("state")["bills"]) == 1


def test_any_text_can_be_said(start_treasury):
    client = start_treasury()
    pi = accepted(client)
    client.rule(service="PIS", effect="plain_reply", text='{"data":[[]],"data":null}', times=1)
    reply, rek = client.post("PIS", client.status(pi))
    assert crypto.decrypt(rek, base64.b64decode(reply.text)) == b'{"data":[[]],"data":null}'


@pytest.mark.parametrize("size", [16, 31, 33])
def test_a_session_key_of_a_wrong_size(start_treasury, size):
    client = start_treasury()
    client.rule(service="AUTH", effect="sek_bytes", bytes=size)
    assert client.login().status_code == 200
    assert len(client.sek) == size


@pytest.mark.parametrize("effect", ["garbage", "wrong_key"])
def test_a_session_key_that_can_not_be_read(start_treasury, effect):
    client = start_treasury()
    client.rule(service="AUTH", effect=effect, times=1)
    try:
        client.login()
    except ValueError:
        return
    # One foreign key in 256 happens to leave a right padding; the session key is then not the treasury's.
    assert effect == "wrong_key"
    assert client.sek is not None
