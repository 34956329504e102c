import requests

EXPIRED = "No valid session encryption key"


def test_wrong_credentials_and_keys_are_refused(start_treasury):
    client = start_treasury()
    for arguments, text in (
        ({"client_id": "other"}, "client id"),
        ({"secret": "other"}, "client secret"),
        ({"app_key": bytes(16)}, "32 bytes"),
    ):
        reply = client.login(**arguments)
        assert reply.status_code == 401
        assert text in reply.json()["errorMsg"]
    headers = {"clientId": "sample-client", "clientSecret": "sample-secret"}
    url = f"{client.url}/webservices/jitfs/v1.0/authenticate"
    for body in ({}, {"appKey": "AAAA"}, {"appKey": 7}):
        assert requests.post(url, json=body, headers=headers, timeout=5).status_code == 401
    assert client.control("state")["logins_refused"] == 6
    assert client.control("state")["open_sessions"] == 0


def test_a_session_ends_after_its_minutes(start_treasury):
    client = start_treasury(session_minutes=30)
    pi = client.instruction()
    client.control("settings", {"clock_offset_seconds": 29 * 60})
    assert client.post("PIS", client.status(pi))[0].status_code == 200
    client.control("settings", {"clock_offset_seconds": 31 * 60})
    reply, _ = client.post("PIS", client.status(pi))
    assert reply.status_code == 401
    assert EXPIRED in reply.text
    assert client.login().status_code == 200
    assert client.post("PIS", client.status(pi))[0].status_code == 200


def test_all_sessions_can_be_ended_at_once_and_one_by_a_rule(start_treasury):
    client = start_treasury()
    pi = client.instruction()
    client.control("settings", {"expire_sessions": True})
    assert client.post("PI", pi)[0].status_code == 401
    client.login()
    client.rule(service="PI", effect="expired_session", times=1)
    reply, _ = client.post("PI", pi)
    assert (reply.status_code, EXPIRED in reply.text) == (401, True)
    client.login()
    assert client.data("PI", pi)
    assert client.control("state")["logins"] == 3
    assert len(client.control("state")["bills"]) == 1


def test_an_unknown_token_has_no_session(start_treasury):
    client = start_treasury()
    client.login()
    client.token = "no-such-token"
    assert EXPIRED in client.post("PIS", {})[0].text


def test_each_login_has_its_own_key_and_both_hold(start_treasury):
    client = start_treasury()
    pi = client.instruction()
    first = client.token, client.sek
    client.login()
    assert client.token != first[0]
    assert client.sek != first[1]
    client.token, client.sek = first
    assert client.data("PI", pi)
