"""HTTP to a host with what money needs: a deadline over the whole call, a size cap, and whether anything was sent.

HTTP libraries bound single reads, so a server that drips one byte a second holds a call for ever; and their exceptions
don't say whether the request had been written. Both are known where the socket is used, so the two connection classes
here sit exactly there: each write and read gets what is left until the deadline, and the first byte that the kernel
takes marks the call as sent.
"""

from __future__ import annotations

import io
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import certifi
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from _typeshed import WriteableBuffer

_HOSTS = 32  # whose connections are kept: each of the platform's services may have a host of its own
_KEPT = 256  # connections of a host: as many as threads may call at a time
_WRITE_BYTES = 16 * 1024  # one TLS record, so that a single write can't outlast the deadline
_READ_BYTES = 64 * 1024
_IDLE_SECONDS = 4.0  # servers commonly close after 5; a connection idle for longer is not trusted with a payment
_HEADERS = {"Content-Type": "application/json", "Accept": "*/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class HttpReply:
    """A whole HTTP reply within the deadline and the size cap."""

    status: int
    body: bytes


class TransportError(Exception):
    """No whole reply. `sent` is False only if no byte of the request can have left this machine.

    `status` is known if the head of a reply came. `unreadable` when a reply came that no network spoiled: too large,
    compressed, or reading it failed here (no memory for it, an error of a library).
    """

    def __init__(self, reason: str, *, sent: bool, status: int | None = None, unreadable: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent
        self.status = status
        self.unreadable = unreadable


@dataclass
class Progress:
    """Whether a byte of a call may have left this machine: what its caller goes by when anything at all is raised.

    It may have, until `HttpTransport.post` has begun and knows better.
    """

    sent: bool = True


@cache
def _public_authorities() -> ssl.SSLContext:
    """Trusts the public authorities; made once, because reading them takes longer than many a sweep."""
    return ssl.create_default_context(cafile=certifi.where())


class HttpTransport:
    """POSTs JSON from any number of threads; each call has a pooled connection to itself, and is tried once.

    Redirects are replies like any other, certificates are always verified, and no proxy, netrc or CA bundle of the
    environment is used.
    """

    def __init__(
        self,
        *,
        timeout_seconds: float,
        connect_timeout_seconds: float,
        max_reply_bytes: int,
        ca_bundle: str | None = None,
        unpack: bool = True,
    ) -> None:
        """Deadline and connect timeout in seconds; `ca_bundle` replaces the public authorities that are trusted.

        A reply that is compressed without having been asked is unpacked up to the cap, or refused without `unpack`.
        """
        self._timeout_seconds = timeout_seconds
        self._connect_timeout = min(connect_timeout_seconds, timeout_seconds)
        self._max_reply_bytes = max_reply_bytes
        self._unpack = unpack
        tls = ssl.create_default_context(cafile=ca_bundle) if ca_bundle else _public_authorities()
        self._pools = PoolManager(_HOSTS, maxsize=_KEPT, ssl_context=tls, cert_reqs="CERT_REQUIRED")
        self._pools.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def post(
        self, url: str, headers: Mapping[str, str], body: str | bytes, progress: Progress | None = None
    ) -> HttpReply:
        """POST a JSON `body`; any HTTP status is a reply, a redirect too. `progress` is kept up to date.

        Raises TransportError when no whole reply came in time, and for whatever else goes wrong once a byte was sent;
        an error of ours before that is raised as it is.
        """
        progress = progress or Progress()
        progress.sent = False
        data = body.encode() if isinstance(body, str) else body
        status = None
        with _current_attempt(self._timeout_seconds, progress):
            try:
                response = self._pools.urlopen(
                    "POST",
                    url,
                    headers={**_HEADERS, **headers},
                    body=data,
                    timeout=Timeout(connect=self._connect_timeout, read=self._timeout_seconds),
                    redirect=False,
                    retries=False,
                    preload_content=False,
                )
                with closing(response):  # what is left unread ends with its connection
                    status = response.status
                    reply = HttpReply(status, self._read(response))
                    response.release_conn()
                    return reply
            except (HTTPError, OSError) as error:
                raise TransportError(
                    f"{_describe(error)} ({_address(url)})", sent=progress.sent, status=status
                ) from None
            except TransportError:
                raise
            except Exception as error:
                if not progress.sent:
                    raise
                reason = f"{type(error).__name__} while the reply was awaited ({_address(url)})"
                raise TransportError(reason, sent=True, status=status, unreadable=True) from None

    def close(self) -> None:
        """Close what is idle now, and what is in use when its call ends."""
        self._pools.clear()

    def _read(self, response: BaseHTTPResponse) -> bytes:
        encoding = response.headers.get("Content-Encoding", "identity")
        if not self._unpack and encoding.lower() != "identity":
            reason = f"the reply is {encoding!r} though no compression was asked for"
            raise TransportError(reason, sent=True, status=response.status, unreadable=True)
        parts, size = [], 0
        for part in response.stream(_READ_BYTES, decode_content=True):
            size += len(part)
            if size > self._max_reply_bytes:
                reason = f"the reply is larger than {self._max_reply_bytes} bytes"
                raise TransportError(reason, sent=True, status=response.status, unreadable=True)
            parts.append(part)
        return b"".join(parts)


class _Attempt:
    """One call under way in this thread."""

    def __init__(self, seconds: float, progress: Progress) -> None:
        self._deadline = time.monotonic() + seconds
        self._seconds = seconds
        self.progress = progress

    def remaining(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no whole reply within {self._seconds:g} seconds")
        return left


class _Current(threading.local):
    attempt: _Attempt


_current = _Current()


@contextmanager
def _current_attempt(seconds: float, progress: Progress) -> Iterator[None]:
    _current.attempt = _Attempt(seconds, progress)
    try:
        yield
    finally:
        del _current.attempt


class _DeadlineReader(io.RawIOBase):
    """The reading side of a socket, where each read may take what the call has left."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, attempt: _Attempt) -> None:
        self._raw = raw
        self._sock = sock
        self._attempt = attempt

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        self._sock.settimeout(self._attempt.remaining())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp: io.BufferedReader = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock, _current.attempt))


class _Connection(HTTPConnection):
    response_class = _DeadlineResponse

    _used_at = 0.0

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None and 0 < self._used_at < time.monotonic() - _IDLE_SECONDS:
            self.close()
        super().request(*args, **kwargs)

    def send(self, data: Any) -> None:  # noqa: ANN401 - http.client's own
        attempt = _current.attempt
        if self.sock is None:
            self.connect()
        rest = memoryview(data)
        while rest:
            self.sock.settimeout(attempt.remaining())
            written = self.sock.send(rest[:_WRITE_BYTES])
            attempt.progress.sent = True
            rest = rest[written:]
        self._used_at = time.monotonic()


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def _address(url: str) -> str:
    """The host and port that `url` leads to, and nothing else of it."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _describe(error: BaseException) -> str:
    """The innermost cause in words: urllib3 and http.client wrap it several times."""
    seen = [error]
    while True:
        inner = getattr(error, "reason", None) or next(
            (part for part in error.args if isinstance(part, BaseException)), error.__cause__ or error.__context__
        )
        if not isinstance(inner, BaseException) or inner in seen:
            return f"{type(error).__name__}: {error}"[:300]
        seen.append(inner)
        error = inner
