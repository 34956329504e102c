"""What goes wrong on the way of an HTTP call, for both simulators: late, lost, cut, swollen or foreign replies.

The replies that break HTTP itself write to the connection directly, so they work only under `ifms_simulator.serve`,
which hands the connection over in the scope.
"""

from __future__ import annotations

import asyncio
import gzip
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache

from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from ifms_simulator.rules import Rule, Taken

CONNECTION = "simulator.connection"
"""The key, in a request's `extensions`, of the transport that its connection runs on."""

EFFECTS: Mapping[str, Mapping[str, type | tuple[type, ...]]] = {
    "latency": {"ms": int, "after": bool},
    "refuse": {"mode": str},
    "http_status": {"status": int, "body": str, "process": bool},
    "lost_reply": {},
    "cut_reply": {},
    "html": {},
    "drip": {"interval_ms": int, "part": str},
    "huge": {"megabytes": int},
    "gzip_bomb": {"megabytes": int},
}
"""Each effect with its options; `respond` says what they mean."""

_HTML = "<html><head><title>Sample maintenance page</title></head><body>Please come back later.</body></html>"
_MEGABYTE = 1024 * 1024


async def respond(rules: Taken, process: Callable[[], Awaitable[Response]]) -> Response:
    """The reply of `process` after what the call's rules do to it.

    Before it is processed: `latency` waits `ms` (with `after`: once it is processed); `refuse` answers 503, or with
    `mode` "close" drops the connection; `http_status` answers `status` with `body` (with `process`: after processing).
    After it is processed: `lost_reply` drops the connection, `cut_reply` stops halfway through the body, `html` answers
    200 with a page, `drip` sends a byte every `interval_ms` (from the `part` "headers" or "body" on), `huge` and
    `gzip_bomb` answer so many `megabytes`.
    """
    if "latency" in rules and not rules["latency"].options.get("after", False):
        await _wait(rules["latency"])
    if "refuse" in rules:
        if rules["refuse"].options.get("mode") == "close":
            return Dropped()
        return PlainTextResponse("Service Unavailable", status_code=503)
    if "http_status" in rules and not rules["http_status"].options.get("process", False):
        return _status(rules["http_status"])
    reply = await process()
    if "latency" in rules and rules["latency"].options.get("after", False):
        await _wait(rules["latency"])
    return _spoiled(rules, reply)


def _spoiled(rules: Taken, reply: Response) -> Response:
    if "http_status" in rules:
        return _status(rules["http_status"])
    if "lost_reply" in rules:
        return Dropped()
    if "cut_reply" in rules:
        return Cut(reply)
    if "html" in rules:
        return HTMLResponse(_HTML)
    if "drip" in rules:
        options = rules["drip"].options
        return Dripping(reply, options.get("interval_ms", 100) / 1000, options.get("part", "headers"))
    if "huge" in rules:
        return PlainTextResponse(b"A" * (rules["huge"].options.get("megabytes", 10) * _MEGABYTE))
    if "gzip_bomb" in rules:
        bomb = _bomb(rules["gzip_bomb"].options.get("megabytes", 100))
        return Response(bomb, headers={"Content-Encoding": "gzip"}, media_type="text/plain")
    return reply


async def _wait(rule: Rule) -> None:
    await asyncio.sleep(rule.options.get("ms", 0) / 1000)


def _status(rule: Rule) -> Response:
    return PlainTextResponse(rule.options.get("body", ""), status_code=rule.options.get("status", 500))


@lru_cache(maxsize=1)
def _bomb(megabytes: int) -> bytes:
    return gzip.compress(b"A" * (megabytes * _MEGABYTE), compresslevel=9, mtime=0)


class _Raw(Response, ABC):
    """A reply that writes to the connection itself."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection: asyncio.Transport | None = scope.get("extensions", {}).get(CONNECTION)
        if connection is None:
            raise RuntimeError("this effect needs the connection: serve the simulator with ifms_simulator.serve")
        await self.write(connection)
        # The server must have seen the end of the connection before this call returns, or it would add a 500.
        while (await receive())["type"] != "http.disconnect":
            pass

    @abstractmethod
    async def write(self, connection: asyncio.Transport) -> None:
        """Write what is to be written, and end the connection."""


class Dropped(_Raw):
    """No reply: the connection ends with a reset."""

    async def write(self, connection: asyncio.Transport) -> None:
        """End the connection at once."""
        connection.abort()


class Cut(_Raw):
    """A reply whose body ends halfway, before the length that its header promises."""

    def __init__(self, whole: Response) -> None:
        super().__init__()
        self._whole = whole

    async def write(self, connection: asyncio.Transport) -> None:
        """Write the head and half of the body."""
        body = bytes(self._whole.body)
        connection.write(_head(self._whole) + body[: len(body) // 2])
        connection.close()


class Dripping(_Raw):
    """A whole reply, byte by byte."""

    def __init__(self, whole: Response, interval: float, part: str) -> None:
        super().__init__()
        self._whole = whole
        self._interval = interval
        self._part = part

    async def write(self, connection: asyncio.Transport) -> None:
        """Write one byte, wait, and so on."""
        head, body = _head(self._whole), bytes(self._whole.body)
        if self._part == "body":
            connection.write(head)
        else:
            body = head + body
        for position in range(len(body)):
            if connection.is_closing():
                return
            connection.write(body[position : position + 1])
            await asyncio.sleep(self._interval)
        connection.close()


def _head(reply: Response) -> bytes:
    lines = [b"HTTP/1.1 %d Sample" % reply.status_code, *(b": ".join(pair) for pair in reply.raw_headers)]
    return b"\r\n".join([*lines, b"", b""])
