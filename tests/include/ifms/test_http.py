"""What needs no server of the treasury's or the platform's; theirs are in test_transport.py of each."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from ifms.http import HttpReply, HttpTransport, TransportError


@pytest.fixture
def transport():
    made = HttpTransport(timeout_seconds=0.5, connect_timeout_seconds=0.5, max_reply_bytes=1000)
    yield made
    made.close()


@contextmanager
def answering(*parts: bytes, seconds_between: float = 0) -> Iterator[str]:
    """A server that answers one request with `parts`; its address."""

    def answer() -> None:
        with suppress(OSError), listener.accept()[0] as peer:
            peer.recv(65536)
            for part in parts:
                peer.sendall(part)
                time.sleep(seconds_between)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_a_server_that_does_not_read_does_not_outlast_the_deadline(transport):
    """The request is larger than what both kernels take by themselves, so the write itself has to end."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        started = time.monotonic()
        with pytest.raises(TransportError) as caught:
            transport.post(f"http://127.0.0.1:{deaf.getsockname()[1]}/", {}, "x" * 50_000_000)
        assert time.monotonic() - started < 3
    assert caught.value.sent


def test_nobody_listening_is_not_sent(transport):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(TransportError, match="refused") as caught:
        transport.post(f"http://127.0.0.1:{port}/", {}, "{}")
    assert not caught.value.sent


@pytest.mark.parametrize(
    ("base", "named"),
    [
        ("https://[::1]", r"\(\[::1\]:443\)"),
        ("http://localhost", r"\(localhost:80\)"),
        ("http://127.0.0.1:1", r"127.0.0.1:1\)"),
    ],
)
def test_an_error_names_host_and_port_and_nothing_else(transport, monkeypatch, base, named):
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr("urllib3.util.connection.create_connection", refuse)
    with pytest.raises(TransportError, match=named) as caught:
        transport.post(f"{base}/sample-path", {"clientSecret": "sample-secret"}, '"sample-body"')
    assert "sample" not in caught.value.reason


def test_a_silent_server_is_named(transport):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        with pytest.raises(TransportError, match=rf"\(127.0.0.1:{port}\)$") as caught:
            transport.post(f"http://127.0.0.1:{port}/", {}, "{}")
        assert caught.value.sent


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-Slow:", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"])
def test_a_dripping_reply_ends_with_the_deadline_and_was_sent(transport, head):
    with answering(head, *[b" "] * 100, seconds_between=0.05) as url:
        started = time.monotonic()
        with pytest.raises(TransportError, match="TimeoutError") as caught:
            transport.post(url, {}, "{}")
        assert time.monotonic() - started < 2
    assert (caught.value.sent, caught.value.unreadable) == (True, False)


def test_a_redirect_is_a_reply_that_is_not_followed(transport):
    with answering(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\n{}") as url:
        assert transport.post(url, {}, "{}") == HttpReply(302, b"{}")


def test_a_cut_reply_is_not_tried_again(transport):
    with (
        answering(b"HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\n{}") as url,
        pytest.raises(TransportError) as caught,
    ):
        transport.post(url, {}, "{}")
    assert (caught.value.sent, caught.value.status, caught.value.unreadable) == (True, 503, False)


def test_a_reply_over_the_cap_is_unreadable(transport):
    with (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b" " * 1001) as url,
        pytest.raises(TransportError, match="larger than 1000 bytes") as caught,
    ):
        transport.post(url, {}, "{}")
    assert (caught.value.sent, caught.value.status, caught.value.unreadable) == (True, 200, True)


def test_a_compressed_reply_is_refused_where_none_is_unpacked():
    transport = HttpTransport(timeout_seconds=1, connect_timeout_seconds=1, max_reply_bytes=1000, unpack=False)
    with (
        answering(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b") as url,
        pytest.raises(TransportError, match="'gzip' though no compression") as caught,
    ):
        transport.post(url, {}, "{}")
    assert caught.value.unreadable
