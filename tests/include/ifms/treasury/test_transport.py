from __future__ import annotations

import time

import pytest

from ifms import http as module
from ifms.http import HttpReply, Progress, TransportError
from ifms.treasury.config import AUTHENTICATE_PATH
from ifms.treasury.transport import Transport


@pytest.fixture
def transport(config):
    made = Transport(config(timeout_seconds=2, connect_timeout_seconds=2, max_reply_bytes=2000))
    yield made
    made.close()


def test_any_status_is_a_reply(treasury, transport):
    treasury.login = lambda talk: talk.http(418, talk.headers["content-type"].encode() + talk.body)
    reply = transport.post(f"http://127.0.0.1:{treasury.port}{AUTHENTICATE_PATH}", {"X": "y"}, "₹")
    assert reply == HttpReply(418, b"application/json" + "₹".encode())


def test_a_reply_after_the_head_keeps_its_status(treasury, transport):
    treasury.login = lambda talk: talk.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n") or talk.hang_up()
    with pytest.raises(TransportError) as caught:
        transport.post(f"http://127.0.0.1:{treasury.port}{AUTHENTICATE_PATH}", {}, "{}")
    assert (caught.value.status, caught.value.sent, caught.value.unreadable) == (200, True, False)


def test_a_connection_that_was_idle_for_long_is_not_trusted(treasury, transport, monkeypatch):
    treasury.login = lambda talk: talk.http(200, b"ok")
    url = f"http://127.0.0.1:{treasury.port}{AUTHENTICATE_PATH}"
    transport.post(url, {}, "{}")
    transport.post(url, {}, "{}")
    assert treasury.connections == 1
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.01)
    time.sleep(0.05)
    transport.post(url, {}, "{}")
    assert treasury.connections == 2


def test_proxies_of_the_environment_are_not_asked(treasury, transport, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    treasury.login = lambda talk: talk.http(200, b"ok")
    url = f"http://127.0.0.1:{treasury.port}{AUTHENTICATE_PATH}"
    assert transport.post(url, {}, "{}").status == 200


def test_verification_can_not_be_turned_off_by_the_environment(tls_treasury, transport, certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.bundle))
    with pytest.raises(TransportError, match="certificate verify failed") as caught:
        transport.post(f"https://localhost:{tls_treasury.port}{AUTHENTICATE_PATH}", {}, "{}")
    assert not caught.value.sent


@pytest.mark.parametrize("odd", [MemoryError, RecursionError, RuntimeError, UnicodeError])
def test_whatever_goes_wrong_after_the_first_byte_is_told_as_sent(treasury, transport, monkeypatch, odd):
    treasury.login = lambda talk: talk.http(200, b"{}")
    url = f"http://127.0.0.1:{treasury.port}{AUTHENTICATE_PATH}"

    def broken(*_: object) -> None:
        raise odd("0123456789012")

    with monkeypatch.context() as patch, pytest.raises(TransportError) as caught:
        patch.setattr(Transport, "_read", broken)
        transport.post(url, {}, "{}")
    error = caught.value
    assert (error.sent, error.status, error.unreadable) == (True, 200, True)
    assert odd.__name__ in error.reason
    assert "0123456789012" not in error.reason
    assert transport.post(url, {}, "{}").status == 200  # not what was left unread of the one before


def test_progress_says_whether_a_byte_may_have_left(treasury, transport):
    treasury.login = lambda talk: talk.http(200, b"{}")
    url = f"http://127.0.0.1:{treasury.port}{AUTHENTICATE_PATH}"
    assert Progress().sent  # until a transport knows better
    progress = Progress()
    transport.post(url, {}, "{}", progress)
    assert progress.sent
    with pytest.raises(UnicodeEncodeError):
        transport.post(url, {}, "\ud800", progress)
    assert not progress.sent
