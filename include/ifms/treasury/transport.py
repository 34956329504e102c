"""HTTP to one host with what money needs: a deadline over the whole call, a size cap, and whether anything was sent.

requests bounds single reads, so a server that drips one byte a second holds a call for ever; and its exceptions don't
say whether the request had been written. Both are known where the socket is used, so the two connection classes here
sit exactly there: each write and read gets what is left until the deadline, and the first byte that the kernel takes
marks the call as sent.
"""

from __future__ import annotations

import io
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from _typeshed import WriteableBuffer

_WRITE_BYTES = 16 * 1024  # one TLS record, so that a single write can't outlast the deadline
_READ_BYTES = 64 * 1024
_IDLE_SECONDS = 4.0  # servers commonly close after 5; a connection idle for longer is not trusted with a payment


@dataclass(frozen=True)
class HttpReply:
    """A whole HTTP reply within the deadline and the size cap."""

    status: int
    body: bytes


class TransportError(Exception):
    """No whole reply. `sent` is False only if no byte of the request can have left this machine.

    `status` is known if the head of a reply came; `oversized` when the rest was left unread for its size; `unexpected`
    when reading it failed in a way that no network does (no memory for it, an error of a library).
    """

    def __init__(
        self,
        reason: str,
        *,
        sent: bool,
        status: int | None = None,
        oversized: bool = False,
        unexpected: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent
        self.status = status
        self.oversized = oversized
        self.unexpected = unexpected


@dataclass
class Progress:
    """Whether a byte of a call may have left this machine: what its caller goes by when anything at all is raised.

    It may have, until `Transport.post` has begun and knows better.
    """

    sent: bool = True


@cache
def _public_authorities() -> ssl.SSLContext:
    """Trusts the public authorities; made once, because reading them takes longer than many a sweep."""
    return ssl.create_default_context(cafile=certifi.where())


class Transport:
    """POSTs to the treasury from any number of threads; each call has a pooled connection to itself."""

    def __init__(
        self,
        *,
        timeout_seconds: float,
        connect_timeout_seconds: float,
        max_reply_bytes: int,
        ca_bundle: str | None = None,
    ) -> None:
        """Deadline and connect timeout in seconds; `ca_bundle` replaces the public authorities that are trusted."""
        self._timeout_seconds = timeout_seconds
        self._connect_timeout = min(connect_timeout_seconds, timeout_seconds)
        self._max_reply_bytes = max_reply_bytes
        self._tls = ssl.create_default_context(cafile=ca_bundle) if ca_bundle else _public_authorities()
        self._idle: deque[_Session] = deque()
        self._closed = False

    def post(self, url: str, headers: Mapping[str, str], body: str, progress: Progress | None = None) -> HttpReply:
        """POST a JSON `body`; any HTTP status is a reply, a redirect too. `progress` is kept up to date.

        Raises TransportError when no whole reply came in time, and for whatever else goes wrong once a byte was sent;
        an error of ours before that is raised as it is.
        """
        progress = progress or Progress()
        progress.sent = False
        prepared = requests.Request("POST", url, headers={**_HEADERS, **headers}, data=body.encode()).prepare()
        with self._session() as session, _current_attempt(self._timeout_seconds, progress):
            status = None
            try:
                timeout = (self._connect_timeout, self._timeout_seconds)
                response = session.send(prepared, stream=True, timeout=timeout, allow_redirects=False)
                with response:
                    status = response.status_code
                    return HttpReply(status, self._read(response))
            except (requests.RequestException, HTTPError, OSError) as error:
                raise TransportError(
                    f"{_describe(error)} ({_address(url)})", sent=progress.sent, status=status
                ) from None
            except TransportError:
                raise
            except Exception as error:
                session.close()  # nobody knows what is still to be read from its connection
                if not progress.sent:
                    raise
                reason = f"{type(error).__name__} while the reply was awaited ({_address(url)})"
                raise TransportError(reason, sent=True, status=status, unexpected=True) from None

    def close(self) -> None:
        """Close what is idle now, and what is in use when its call ends."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _read(self, response: requests.Response) -> bytes:
        parts, size = [], 0
        for part in response.raw.stream(_READ_BYTES, decode_content=True):
            size += len(part)
            if size > self._max_reply_bytes:
                reason = f"the reply is larger than {self._max_reply_bytes} bytes"
                raise TransportError(reason, sent=True, status=response.status_code, oversized=True)
            parts.append(part)
        return b"".join(parts)

    @contextmanager
    def _session(self) -> Iterator[_Session]:
        """Lend a session that no other call uses meanwhile, the one used last first."""
        try:
            session = self._idle.pop()
        except IndexError:
            session = _Session(self._tls)
        try:
            yield session
        finally:
            if self._closed:
                session.close()
            else:
                self._idle.append(session)


_HEADERS = {"Content-Type": "application/json", "Accept": "*/*", "Accept-Encoding": "identity"}


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


class _Adapter(HTTPAdapter):
    """One connection, one TLS context: certificates are always verified, whatever a caller asks for."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **_: object) -> None:
        self.poolmanager = PoolManager(
            connections, maxsize=maxsize, block=block, ssl_context=self._tls, cert_reqs="CERT_REQUIRED"
        )
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *_: object, **__: object
    ) -> HTTPConnectionPool:
        pool: HTTPConnectionPool = self.poolmanager.connection_from_url(str(request.url))
        return pool

    def cert_verify(self, *_: object, **__: object) -> None:
        """The TLS context verifies."""


class _Session(requests.Session):
    """No proxy, netrc or CA bundle from the environment; a redirect is a reply like any other."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__()
        self.trust_env = False
        self.adapters.clear()
        adapter = _Adapter(tls)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, _: object) -> None:
        """Answer None: requests would read a redirect's whole body, however large, only to offer the next step."""

    def __enter__(self) -> Self:
        return self


def _address(url: str) -> str:
    """The host and port that `url` leads to, and nothing else of it."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _describe(error: BaseException) -> str:
    """The innermost cause in words: requests and urllib3 wrap it up to four times."""
    seen = [error]
    while True:
        inner = getattr(error, "reason", None) or next(
            (part for part in error.args if isinstance(part, BaseException)), error.__cause__ or error.__context__
        )
        if not isinstance(inner, BaseException) or inner in seen:
            return f"{type(error).__name__}: {error}"[:300]
        seen.append(inner)
        error = inner
