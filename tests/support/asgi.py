"""One request to an ASGI app, message by message: who sends it decides when it goes on, and sees what was read of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote, urlsplit

import anyio


class Caller:
    """A client that sends a body in parts, and may go away."""

    def __init__(self, app: Any, method: str, address: str, headers: dict[str, str]) -> None:
        self.read = 0
        """How many bytes of the body the app has read."""
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = b""
        self.reads_answer = anyio.Event()
        self.reads_answer.set()
        self._gone = anyio.Event()
        self._app = app
        parts = urlsplit(address)
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(parts.path),
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": [(b"host", b"testserver"), *((k.lower().encode(), v.encode()) for k, v in headers.items())],
            "client": ("127.0.0.1", 40000),
            "server": ("testserver", 80),
            "state": {},
        }

    def go_away(self) -> None:
        """Close the connection."""
        self._gone.set()

    async def send(self, body: AsyncIterator[bytes] | None = None) -> Caller:
        """Send the request, and wait until it is answered."""
        parts = body or _nothing()
        ended = False

        async def receive() -> dict[str, Any]:
            nonlocal ended
            if not ended:
                try:
                    part = await anext(parts)
                    self.read += len(part)
                    return {"type": "http.request", "body": part, "more_body": True}
                except StopAsyncIteration:
                    ended = True
                    return {"type": "http.request", "body": b"", "more_body": False}
            await self._gone.wait()
            return {"type": "http.disconnect"}

        async def answer(message: dict[str, Any]) -> None:
            await self.reads_answer.wait()
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                self.body += message.get("body", b"")

        await self._app(self._scope, receive, answer)
        return self

    @property
    def code(self) -> str:
        """The code of the error that was answered."""
        return str(json.loads(self.body)["Errors"][0]["code"])


async def _nothing() -> AsyncIterator[bytes]:
    for part in ():
        yield part


async def in_parts(whole: int, part: bytes = b" " * 65536) -> AsyncIterator[bytes]:
    """A body of about so many bytes."""
    for _ in range(-(-whole // len(part))):
        yield part
