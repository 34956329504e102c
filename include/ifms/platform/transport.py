"""One call to one DIGIT service: its reply's JSON, or a typed error that names the service."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from ifms.errors import PlatformRefusedError, PlatformReplyError, PlatformUnavailableError
from ifms.http import HttpReply, HttpTransport, TransportError
from ifms.platform.config import PlatformConfig
from ifms.platform.replies import printable
from ifms.strict_json import decode, encode

Query = Mapping[str, str | int]

MAX_REPLY_BYTES = 32 * 1024 * 1024  # a page of 20 large wage bills is below 10 MB
_CONNECT_SECONDS = 5.0
_WORTH_A_RETRY = frozenset({408, 429})  # besides 5xx: the service, or what stands before it, is busy
_LONG_NUMBER = re.compile(r"\d{5,}(?=\d{4})")


class Transport:
    """POSTs JSON to the services of one platform. Safe to share between threads."""

    def __init__(self, config: PlatformConfig) -> None:
        self._config = config
        self._http = HttpTransport(
            timeout_seconds=config.timeout_seconds,
            connect_timeout_seconds=_CONNECT_SECONDS,
            max_reply_bytes=MAX_REPLY_BYTES,
            unpack=False,
        )

    def close(self) -> None:
        """Close the pooled connections of all threads."""
        self._http.close()

    def call(self, service: str, tenant_id: str, body: object, query: Query | None = None) -> object:
        """POST `body` to `service` and return the reply's JSON; `tenant_id` is only named in errors.

        Raises PlatformUnavailableError (no whole answer in time, or 5xx), PlatformRefusedError (4xx, or `Errors` in
        the reply whatever its HTTP status: idgen sends them with 200, digit-services.md §9) and PlatformReplyError.
        """
        where = f"{service} for {tenant_id}"
        url = self._config.url(service)
        if query:
            url = f"{url}?{urlencode(query)}"
        try:
            reply = self._http.post(url, {"Accept": "application/json"}, encode(body))
        except TransportError as error:
            reason = self._quotable(error.reason)
            if error.unreadable:
                raise PlatformReplyError(f"{where}: {reason}") from None
            raise PlatformUnavailableError(
                f"{where}: no whole answer, deadline {self._config.timeout_seconds:g} s ({reason})"
            ) from None
        return self._answer(reply, where)

    def _answer(self, reply: HttpReply, where: str) -> object:
        status, text = reply.status, reply.body
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
        line = self._quotable("; ".join(parts))
        return f": {line}" if line else ""

    def _quotable(self, text: str) -> str:
        line = printable(" ".join(text.split()))
        if self._config.auth_token:
            line = line.replace(self._config.auth_token, "***")
        return _LONG_NUMBER.sub(lambda found: "*" * len(found.group()), line)[:500]


def _errors(value: object) -> list[dict[str, Any]]:
    """Return the tracer's `Errors` of a reply (digit-services.md §1), or none."""
    errors = value.get("Errors") if isinstance(value, dict) else None
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
