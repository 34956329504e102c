"""Against real sockets: what the network does to a call."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from ifms.errors import PlatformRefusedError, PlatformReplyError, PlatformUnavailableError
from ifms.platform import transport
from ifms.platform.config import PlatformConfig
from ifms.platform.transport import Transport

DEADLINE = 0.4
Handler = Callable[[socket.socket], None]


class Server:
    """Answers each request on a connection with `handle`, and counts connections."""

    def __init__(self, handle: Handler) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._handle = handle
        self._stop = threading.Event()
        self.connections = 0
        self.requests: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError):
            stream = peer.makefile("rb")
            while line := stream.readline():
                head = [line]
                while head[-1].strip():
                    head.append(stream.readline())
                length = next(int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length"))
                self.requests.append(b"".join(head) + stream.read(length))
                self._handle(peer)

    def stop(self) -> None:
        self._stop.set()
        self._listener.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], Server]]:
    servers: list[Server] = []

    def start(handle: Handler) -> Server:
        servers.append(Server(handle))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def call(server: Server, token: str | None = None) -> object:
    config = PlatformConfig(server.url, timeout_seconds=DEADLINE, auth_token=token)
    return Transport(config).call("bill_search", "od.demo", {"a": 1})


def reply(body: bytes, status: str = "200 OK", *headers: str) -> Handler:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers])
    return lambda peer: peer.sendall(head.encode() + b"\r\n\r\n" + body)


def drip(head: bytes) -> Handler:
    def handle(peer: socket.socket) -> None:
        peer.sendall(head)
        for _ in range(200):
            peer.sendall(b" ")
            time.sleep(0.05)

    return handle


@pytest.mark.parametrize(
    "handle",
    [
        drip(b"HTTP/1.1 200 OK\r\nX-Slow:"),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
        drip(b""),
        lambda peer: time.sleep(3),
    ],
    ids=["drip in headers", "drip in body", "drip before anything", "silence"],
)
def test_the_deadline_is_for_the_whole_call(serve, handle):
    begun = time.monotonic()
    with pytest.raises(PlatformUnavailableError, match=r"bill_search for od\.demo"):
        call(serve(handle))
    assert time.monotonic() - begun < DEADLINE + 1


@pytest.mark.parametrize(
    "handle",
    [
        lambda peer: (
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}") or peer.shutdown(socket.SHUT_RDWR)
        ),
        lambda peer: peer.shutdown(socket.SHUT_RDWR),
        lambda peer: peer.sendall(b"garbage\r\n\r\n") or peer.shutdown(socket.SHUT_RDWR),
        reply(b"busy", "503 Service Unavailable"),
        reply(b"slower", "429 Too Many Requests"),
    ],
    ids=["cut body", "closed", "no http", "503", "429"],
)
def test_no_whole_answer_is_unavailable(serve, handle):
    with pytest.raises(PlatformUnavailableError, match=r"bill_search for od\.demo"):
        call(serve(handle))


def test_nobody_listening_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(PlatformUnavailableError):
        Transport(PlatformConfig(url, timeout_seconds=DEADLINE)).call("bill_search", "od.demo", {})


@pytest.mark.parametrize(
    "handle",
    [
        reply(b""),
        reply(b"<html>busy</html>"),
        reply(b'{"a": 1, "a": 2}'),
        reply(b"\x1f\x8b0000", "200 OK", "Content-Encoding: gzip"),
        reply(b"{}", "302 Found", "Location: http://127.0.0.1:1/"),
    ],
    ids=["empty", "html", "doubled key", "gzip", "redirect"],
)
def test_an_answer_that_is_none_is_a_reply_error(serve, handle):
    with pytest.raises(PlatformReplyError, match=r"bill_search for od\.demo"):
        call(serve(handle))


def test_a_reply_over_the_cap_is_not_read_to_its_end(serve, monkeypatch):
    monkeypatch.setattr(transport, "MAX_REPLY_BYTES", 100_000)
    with pytest.raises(PlatformReplyError, match="larger than 100000"):
        call(serve(reply(b" " * 10_000_000)))


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n",
    ],
    ids=["length", "close", "chunked"],
)
def test_every_framing_of_a_reply_is_read(serve, head):
    tail = b"\r\n0\r\n\r\n" if b"chunked" in head else b""
    assert call(serve(lambda peer: peer.sendall(head + b'{"a": [1]}' + tail))) == {"a": [1]}


def test_connections_are_kept_and_calls_at_a_time_do_not_share_one(serve):
    together = threading.Barrier(3, timeout=60)  # each call is under way while two others are

    def answer(peer: socket.socket) -> None:
        together.wait()
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    server = serve(answer)
    shared = Transport(PlatformConfig(server.url))

    def calls() -> None:
        for _ in range(5):
            shared.call("bill_search", "od.demo", {})

    threads = [threading.Thread(target=calls) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 15
    assert server.connections == 3
    shared.close()


def test_nothing_of_the_environment_is_used(serve, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server = serve(reply(b"{}"))
    assert call(server) == {}
    assert b"Accept-Encoding: identity" in server.requests[0]
    assert server.requests[0].endswith(b'{"a": 1}')


def test_a_refusal_tells_codes_and_text_but_nothing_secret(serve):
    body = (
        b'{"ResponseInfo": null, "Errors": [{"code": "A", "message": "account 123456789012 of\\n token-1"},'
        b' {"code": "B", "message": "An unhandled exception", "description": "real text"}]}'
    )
    with pytest.raises(PlatformRefusedError) as caught:
        call(serve(reply(body, "400 Bad Request")), token="token-1")
    assert caught.value.codes == ("A", "B")
    text = str(caught.value)
    assert "********9012 of ***; B An unhandled exception real text" in text
    assert "\n" not in text


def test_errors_with_http_200_are_a_refusal(serve):
    with pytest.raises(PlatformRefusedError) as caught:
        call(serve(reply(b'{"Errors": [{"code": "IDGEN ERROR", "message": "no"}]}')))
    assert caught.value.codes == ("IDGEN ERROR",)


@pytest.mark.parametrize("body", [b"not found", b"{}", b'{"Errors": "text"}'])
def test_a_4xx_without_envelope_is_a_refusal_too(serve, body):
    with pytest.raises(PlatformRefusedError, match="HTTP 404") as caught:
        call(serve(reply(body, "404 Not Found")))
    assert caught.value.codes == ()
