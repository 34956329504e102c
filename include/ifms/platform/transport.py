"""One call to one DIGIT service: pooled per thread, bounded in time and size, with typed errors."""

from __future__ import annotations

import functools
import http.client
import io
import re
import socket
import threading
import time
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

from ifms.errors import PlatformRefusedError, PlatformReplyError, PlatformUnavailableError
from ifms.platform.config import PlatformConfig
from ifms.platform.encoding import decode, encode
from ifms.platform.replies import printable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Query = Mapping[str, str | int]

MAX_REPLY_BYTES = 32 * 1024 * 1024  # a page of 20 large wage bills is below 10 MB
_CHUNK_BYTES = 64 * 1024
_CONNECT_SECONDS = 5.0
_WORTH_A_RETRY = frozenset({408, 429})  # besides 5xx: the service, or what stands before it, is busy
_LONG_NUMBER = re.compile(r"\d{5,}(?=\d{4})")


class Transport:
    """POSTs JSON to the services of one platform. Safe to share between threads."""

    def __init__(self, config: PlatformConfig) -> None:
        self._config = config
        self._local = threading.local()
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()  # a thread's session ends with it
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the pooled connections of all threads."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()

    def call(self, service: str, tenant_id: str, body: object, query: Query | None = None) -> object:
        """POST `body` to `service` and return the reply's JSON; `tenant_id` is only named in errors.

        Raises PlatformUnavailableError (no whole answer in time, or 5xx), PlatformRefusedError (4xx, or `Errors` in
        the reply whatever its HTTP status: idgen sends them with 200, digit-services.md §9) and PlatformReplyError.
        """
        where = f"{service} for {tenant_id}"
        try:
            with self._session().post(
                self._config.url(service),
                params=query,
                data=encode(body),
                headers={"Content-Type": "application/json"},
                # The total runs from connecting to the last byte: _Connection hands what is left of it to the reader.
                timeout=Timeout(  # type: ignore[arg-type]  # requests passes it on to urllib3
                    connect=min(_CONNECT_SECONDS, self._config.timeout_seconds), total=self._config.timeout_seconds
                ),
                allow_redirects=False,
                stream=True,
            ) as response:
                text = _read(response, where)
        except requests.RequestException as error:
            raise PlatformUnavailableError(
                f"{where}: no whole answer, deadline {self._config.timeout_seconds:g} s ({type(error).__name__})"
            ) from None  # its text would repeat the address with its query
        return self._answer(response, text, where)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False  # no proxy, .netrc or CA bundle that the connection doesn't name
            # A compressed reply could unpack to any size; we ask for none and _read takes none.
            session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
            for scheme in ("http://", "https://"):
                session.mount(scheme, _Adapter())
            self._local.session = session
            with self._lock:
                self._sessions.add(session)
        return session

    def _answer(self, response: requests.Response, text: bytes, where: str) -> object:
        status = response.status_code
        if status >= 500 or status in _WORTH_A_RETRY:
            raise PlatformUnavailableError(f"{where}: HTTP {status}{self._error_text(text)}")
        if 300 <= status < 400:
            raise PlatformReplyError(
                f"{where}: HTTP {status} sends us elsewhere, which is not followed; mend its address"
            )
        try:
            value = decode(text)
        except ValueError as error:
            if status >= 400:
                raise PlatformRefusedError(f"{where}: HTTP {status} without DIGIT's error envelope") from None
            raise PlatformReplyError(f"{where}: HTTP {status} with a body that is {error}") from None
        errors = _errors(value)
        if status >= 400 or errors:
            codes = tuple(str(error.get("code")) for error in errors if error.get("code"))
            raise PlatformRefusedError(f"{where}: HTTP {status}{self._error_text(text) or ' without a reason'}", codes)
        return value

    def _error_text(self, text: bytes) -> str:
        """Say what the service said: one short line, fit for a log, without whole account numbers and our token."""
        try:
            errors = _errors(decode(text))
        except ValueError:
            return ""
        parts = [
            " ".join(str(error[key]) for key in ("code", "message", "description") if error.get(key))
            for error in errors
        ]
        line = printable(" ".join("; ".join(parts).split()))
        if self._config.auth_token:
            line = line.replace(self._config.auth_token, "***")
        line = _LONG_NUMBER.sub(lambda found: "*" * len(found.group()), line)
        return f": {line[:500]}" if line else ""


def _errors(value: object) -> list[dict[str, Any]]:
    """Return the tracer's `Errors` of a reply (digit-services.md §1), or none."""
    errors = value.get("Errors") if isinstance(value, dict) else None
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _read(response: requests.Response, where: str) -> bytes:
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise PlatformReplyError(f"{where}: the reply is {encoding!r} though no compression was asked for")
    received = bytearray()
    for chunk in response.iter_content(_CHUNK_BYTES):
        received += chunk
        if len(received) > MAX_REPLY_BYTES:
            raise PlatformReplyError(f"{where}: the reply is larger than {MAX_REPLY_BYTES} bytes")
    return bytes(received)


class _TimedReader(io.RawIOBase):
    """A socket's bytes until a deadline. A socket's own timeout starts anew with each byte, so a drip never ends."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        super().__init__()
        self._socket = sock
        # The socket's own file keeps the descriptor open after http.client has let go of the connection.
        self._file = sock.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the call's deadline has passed")
        self._socket.settimeout(left)
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, method: str | None = None, *, deadline: float) -> None:
        super().__init__(sock, method=method)
        self.fp.close()
        self.fp = io.BufferedReader(_TimedReader(sock, deadline))


class _TimedConnection(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3's own
        # urllib3 has just set `timeout` to what is left of the total (Timeout.read_timeout).
        deadline = time.monotonic() + float(self.timeout or 0)
        self.response_class = functools.partial(_TimedResponse, deadline=deadline)  # type: ignore[assignment]
        return super().getresponse()


class _TimedTLSConnection(_TimedConnection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _TimedConnection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TimedTLSConnection


class _Adapter(HTTPAdapter):
    def __init__(self) -> None:
        super().__init__(pool_maxsize=1)  # its session belongs to one thread
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
