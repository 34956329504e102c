"""The effects on HTTP itself, through the treasury: what the client sees, and whether the bill was taken in."""

import time

import pytest
import requests

ACCEPTED, NOT_ACCEPTED = 1, 0


def bills(client):
    return len(client.control("state")["bills"])


@pytest.mark.parametrize(
    ("rule", "error", "accepted"),
    [
        ({"effect": "lost_reply"}, requests.ConnectionError, ACCEPTED),
        ({"effect": "refuse", "mode": "close"}, requests.ConnectionError, NOT_ACCEPTED),
        ({"effect": "cut_reply"}, requests.exceptions.ChunkedEncodingError, ACCEPTED),
    ],
)
def test_the_connection_breaks(start_treasury, rule, error, accepted):
    client = start_treasury()
    pi = client.instruction()
    client.rule(service="PI", times=1, **rule)
    with pytest.raises(error):
        client.post("PI", pi)
    assert bills(client) == accepted
    client.rule(service="PI", effect="latency", ms=0)
    assert client.call("PI", pi)["data" if not accepted else "errorMsg"]


@pytest.mark.parametrize(
    ("rule", "status", "accepted"),
    [
        ({"effect": "refuse"}, 503, NOT_ACCEPTED),
        ({"effect": "http_status", "status": 500, "body": "sample"}, 500, NOT_ACCEPTED),
        ({"effect": "http_status", "status": 502, "process": True}, 502, ACCEPTED),
        ({"effect": "html"}, 200, ACCEPTED),
    ],
)
def test_the_reply_is_not_the_treasurys(start_treasury, rule, status, accepted):
    client = start_treasury()
    pi = client.instruction()
    client.rule(service="PI", **rule)
    reply, _ = client.post("PI", pi)
    assert reply.status_code == status
    assert ("<html>" in reply.text) == (rule["effect"] == "html")
    assert bills(client) == accepted


@pytest.mark.parametrize("part", ["headers", "body"])
def test_a_drip_beats_a_timeout_per_read(start_treasury, part):
    client = start_treasury(timeout=0.2)
    pi = client.instruction()
    client.timeout = 0.2
    client.rule(service="PI", effect="drip", interval_ms=2, part=part)
    began = time.monotonic()
    reply, _ = client.post("PI", pi)
    assert reply.status_code == 200
    assert time.monotonic() - began > 0.3


@pytest.mark.parametrize("effect", ["huge", "gzip_bomb"])
def test_a_reply_swells(start_treasury, effect):
    client = start_treasury()
    pi = client.instruction()
    client.rule(service="PI", effect=effect, megabytes=3)
    reply, _ = client.post("PI", pi)
    assert len(reply.content) == 3 * 1024 * 1024
    assert (reply.headers.get("Content-Encoding") == "gzip") == (effect == "gzip_bomb")


@pytest.mark.parametrize("after", [False, True])
def test_a_late_reply_and_whether_it_was_processed_by_then(start_treasury, after):
    client = start_treasury()
    pi = client.instruction()
    client.timeout = 0.15
    client.rule(service="PI", effect="latency", ms=600, after=after)
    with pytest.raises(requests.Timeout):
        client.post("PI", pi)
    assert bills(client) == (ACCEPTED if after else NOT_ACCEPTED)
    deadline = time.monotonic() + 5
    while not bills(client) and time.monotonic() < deadline:  # a client that has gone does not stop the treasury
        time.sleep(0.05)
    assert bills(client) == ACCEPTED
