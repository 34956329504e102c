import base64
import json
import os
import threading
import time

import requests

from ifms_simulator import crypto


def test_the_wire_is_a_bare_base64_string_under_the_calls_own_key(start_treasury):
    client = start_treasury()
    pi = client.instruction()
    reply, rek = client.post("PIS", client.status(pi))
    assert not reply.text.startswith('"')
    plain = json.loads(crypto.decrypt(rek, base64.b64decode(reply.text, validate=True)))
    assert plain == {"serviceId": "PIS", "errorMsg": "Bill not received in JIT-FS", "data": []}


def test_one_cycle_tells_one_story(start_treasury):
    client = start_treasury()
    pi = client.instruction(beneficiaries=3)
    receipt = client.data("PI", pi)[0]
    assert receipt["jitBillNo"] == pi["jitBillNo"]
    assert receipt["jitBillDate"] == pi["jitBillDate"][:10]
    assert receipt["successCode"] == "0"
    assert "received successfully" in receipt["sucessDescrp"]
    told = client.data("PIS", client.status(pi))[0]
    assert told["billGrossAmount"] == pi["billGrossAmount"]
    assert told["totalNumberOfBeneficiary"] == "3"
    advice = client.data("PAG", client.advice(pi, told))[0]
    assert [row["benfId"] for row in advice["benfList"]] == [row["benefId"] for row in pi["beneficiaryDetails"]]
    assert [row["amount"] for row in advice["benfList"]] == [row["benfAmount"] for row in pi["beneficiaryDetails"]]
    paid = client.data("PD", client.details(advice))[0]
    assert paid["billNumber"] == pi["jitBillNo"]
    assert paid["billRefNo"] == advice["onlineBillRefNo"]
    assert paid["paymentStatus"] == "Paid by RBI eKuber,please check with your bank"
    assert len({row["utrNo"] for row in paid["benfDtls"]}) == 3
    assert [bill["stage"] for bill in client.control("state")["bills"]] == ["paid"]


def test_every_value_of_a_reply_is_a_text(start_treasury):
    client = start_treasury()
    pi = client.instruction()
    advice, paid = client.paid(pi)
    client.control("failures", {"bill_number": pi["jitBillNo"]})

    def leaves(value):
        if isinstance(value, dict | list):
            for each in value.values() if isinstance(value, dict) else value:
                yield from leaves(each)
        else:
            yield value

    found = list(leaves([advice, paid, client.allotments(), client.failed(paid)]))
    assert found
    assert all(isinstance(value, str) for value in found)


def test_a_body_that_is_no_call_is_a_400(start_treasury):
    client = start_treasury()
    client.login()
    url = f"{client.url}/webservices/jitfs/v1.0/get-jit-service-data"
    short_rek = base64.b64encode(crypto.encrypt(client.sek, os.urandom(16))).decode()
    params = base64.b64encode(crypto.encrypt(client.sek, b"{}")).decode()
    for body in ("[", "{}", '{"params": "!", "rek": "!"}', json.dumps({"params": params, "rek": short_rek})):
        reply = requests.post(url, data=body, headers={"authToken": client.token}, timeout=5)
        assert reply.status_code == 400, body
        assert "can't be decrypted" in reply.json()["errorMsg"]


def test_latency_holds_for_all_calls_but_they_run_side_by_side(start_treasury):
    client = start_treasury()
    pi = client.instruction()
    client.control("settings", {"latency_ms": 150})
    began = time.monotonic()
    threads = [threading.Thread(target=client.call, args=("PIS", client.status(pi))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.15 <= time.monotonic() - began < 0.9
    assert client.control("state")["calls"]["PIS"] == 8


def test_all_is_there_after_a_restart(start_treasury, tmp_path):
    first = start_treasury(tmp_path / "first.sqlite3")
    pi = first.instruction()
    advice, paid = first.paid(pi)
    first.control("settings", {"repeated_pi": "success"})
    second = start_treasury(tmp_path / "first.sqlite3")
    assert second.data("PI", pi)[0]["successCode"] == "0"
    assert second.paid(pi) == (advice, paid)
