import time

import requests

MDMS = {"MdmsCriteria": {"tenantId": "od", "moduleDetails": []}}


def test_a_restart_adds_nothing_but_new_cities(start_platform, tmp_path):
    path = tmp_path / "state.sqlite3"
    before = start_platform(path, cities=1).control("state")["bills"]
    after = start_platform(path, cities=2).control("state")["bills"]
    assert len(before) == 4
    assert after[: len(before)] != []
    assert {bill["id"] for bill in before} < {bill["id"] for bill in after}
    assert len(after) == 8


def test_calls_are_counted_by_service(start_platform):
    client = start_platform(cities=1)
    client.bills()
    client.call("egov-mdms-service/v1/_search", MDMS)
    client.call("mdms-v2/v1/_search", MDMS)
    assert client.control("state")["calls"] == {"bill_search": 1, "mdms": 2}


def test_what_is_no_json_object_is_a_tracers_error(start_platform):
    client = start_platform(cities=1, bills_per_city=0)
    for body in ("{", "[]", ""):
        reply = requests.post(f"{client.url}/egov-mdms-service/v1/_search", data=body, timeout=5)
        assert reply.status_code == 400
        assert reply.json()["Errors"][0]["code"] == "HttpMessageNotReadableException"


def test_rules_reach_every_service(start_platform):
    client = start_platform(cities=1, bills_per_city=0)
    client.rule(service="mdms", effect="errors", code="SAMPLE", times=1)
    assert client.codes("egov-mdms-service/v1/_search", MDMS) == ["SAMPLE"]
    client.rule(service="mdms", effect="http_status", status=503, times=1)
    assert client.post("egov-mdms-service/v1/_search", MDMS).status_code == 503
    client.rule(service="*", effect="latency", ms=120, times=1)
    began = time.monotonic()
    client.call("egov-mdms-service/v1/_search", MDMS)
    assert time.monotonic() - began >= 0.12
    client.rule(service="enc", effect="refuse", times=1)
    assert client.post("egov-enc-service/crypto/v1/_decrypt", [], info=False).status_code == 503
