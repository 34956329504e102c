import pytest
import requests


def test_the_state_counts_calls_and_can_leave_the_content_out(start_treasury):
    client = start_treasury()
    pi = client.instruction()
    client.data("PI", pi)
    state = client.control("state?content=false")
    assert state["calls"] == {"PI": 1, "VA": 1}
    assert state["logins"] == 1
    assert "params" not in state["bills"][0]
    assert client.control("state")["bills"][0]["params"] == pi


def test_rules_see_the_bill_behind_a_reference(start_treasury):
    client = start_treasury()
    pi = client.instruction()
    advice, _ = client.paid(pi)
    client.rule(service="PD", effect="error", errorMsg="Sample", bill_number=pi["jitBillNo"], times=1)
    assert client.call("PD", client.details(advice))["errorMsg"] == "Sample"


def test_rules_of_the_login(start_treasury):
    client = start_treasury()
    client.rule(service="AUTH", effect="http_status", status=401, times=2)
    assert [client.login().status_code for _ in range(3)] == [401, 401, 200]


def test_a_login_reply_can_lack_a_field(start_treasury):
    client = start_treasury()
    client.rule(service="AUTH", effect="missing_field", field="sek")
    with pytest.raises(KeyError):
        client.login()


def test_instructions_that_do_not_fit_are_refused_as_a_whole(start_treasury):
    client = start_treasury()
    good = client.instruction()
    bad = {**client.instruction(first=2), "hoa": "1"}
    reply = requests.post(f"{client.url}/control/instructions", json=[good, bad], timeout=5)
    assert reply.status_code == 400
    assert bad["jitBillNo"] in reply.json()["error"]
    assert client.control("state")["bills"] == []


def test_arrivals_are_remembered_with_how_many_were_there_at_a_time(start_treasury):
    client = start_treasury()
    client.instruction()
    arrived = client.control("arrivals")
    assert len(arrived["arrivals"]) == 2, "a login and VA"
    assert arrived["arrivals"] == sorted(arrived["arrivals"])
    assert arrived["most_at_once"] == 1
