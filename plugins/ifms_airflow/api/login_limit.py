"""Bounds wrong passwords at `/auth/token`: FAB's own limit counts tries at its form, and no others."""

from __future__ import annotations

import time
from collections import deque

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATHS = ("/auth/token", "/auth/token/cli", "/auth/api/v1/security/login")
"""Where Airflow and FAB take passwords, besides the form."""
MOST_ADDRESSES = 10_000
"""Of so many it is remembered when they tried; with more, the longest quiet are forgotten."""


class LoginLimit:
    """Answers 429 to an address that has sent `tries` wrong passwords within `seconds`.

    A try counts as wrong until it is answered otherwise, so that many at once are no way round. Who logs in rightly is
    never held up by that. Each process counts by itself.
    """

    def __init__(self, app: ASGIApp, tries: int, seconds: float) -> None:
        self._app = app
        self._tries = tries
        self._seconds = seconds
        self._tried: dict[str, deque[float]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on, unless it is one try too many."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith(PATHS):
            await self._app(scope, receive, send)
            return
        address = (scope.get("client") or ("",))[0]
        now = time.monotonic()
        tried = self._recent(address, now)
        if len(tried) >= self._tries:
            wait = {"Retry-After": str(int(tried[0] + self._seconds - now) + 1)}
            refused = JSONResponse({"detail": "too many wrong passwords: wait"}, 429, headers=wait)
            await refused(scope, receive, send)
            return
        tried.append(now)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400 and now in tried:
                tried.remove(now)
            await send(message)

        await self._app(scope, receive, answer)

    def _recent(self, address: str, now: float) -> deque[float]:
        """When that address tried, without what is longer ago than counts."""
        tried = self._tried.pop(address, deque())
        while tried and tried[0] <= now - self._seconds:
            tried.popleft()
        self._tried[address] = tried  # the last of them: the first has been quiet for the longest time
        if len(self._tried) > MOST_ADDRESSES:
            del self._tried[next(iter(self._tried))]
        return tried
