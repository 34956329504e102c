"""What one request may cost: no body is read before the login, none without end, and nobody takes all threads.

Airflow's API server has one pool of threads for everything. What this app does in them is bounded here, so that the
rest of Airflow answers whatever is asked of us.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any

import anyio
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import solve_dependencies
from fastapi.routing import APIRoute, request_response
from pydantic import AfterValidator, Field

from ifms.settings import FromEnvironment

BODY_SECONDS = 30.0
"""For so long a caller may take to send a body."""
DEPTH = 32
MEMBERS = 100_000
"""How deep a JSON body may be nested, and how many values it may have."""
FIELDS = 10_000
"""How many fields a form may have: a payment instruction's beneficiaries are ticked in one."""
AT_ONCE, WAITING = 16, 64
"""Of our requests so many have a thread at a time (Airflow has 40), and so many wait for one."""
USER_AT_ONCE, USER_WAITING = 8, 32
"""The same of one user, whose other requests wait with their bodies unread."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

# A text, closed or not: so it matches at every quote, and takes time in proportion to the body.
_TEXT = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_HOST = re.compile(r"(\*\.)?[a-z0-9._-]+|\[[0-9a-f:.]+\]")


def _hosts(text: str) -> str:
    wrong = [name for name in text.replace(",", " ").lower().split() if not _HOST.fullmatch(name)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no host name; give names without port, or *.example.org")
    return text


class Limits(FromEnvironment):
    """The settings of the API and the pages."""

    body_bytes: Annotated[int, Field(ge=1000)] = Field(1_000_000, validation_alias="IFMS_BODY_BYTES")
    """The largest body that is read."""
    read_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(20, validation_alias="IFMS_READ_SECONDS")
    """How long a statement may run that reads for a page or an answer."""
    export_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(120, validation_alias="IFMS_EXPORT_SECONDS")
    """How long a statement may run that reads for a file."""
    export_rows: Annotated[int, Field(ge=1, le=1_000_000)] = Field(100_000, validation_alias="IFMS_EXPORT_ROWS")
    """The rows of the largest file that is made while somebody waits for it."""
    exports: Annotated[int, Field(ge=1, le=16)] = Field(2, validation_alias="IFMS_EXPORTS")
    """How many files are made at a time."""
    host_names: Annotated[str, AfterValidator(_hosts)] = Field("", validation_alias="IFMS_HOSTS")
    """The names that this server is called by, separated by commas; Airflow's own when empty."""

    @property
    def hosts(self) -> list[str]:
        """The names of the server that are set here."""
        return self.host_names.replace(",", " ").lower().split()


# Places ---------------------------------------------------------------------------------------------------------------


class Places:
    """So many at a time, and so many who wait; who comes then is told to come again later. For one event loop."""

    def __init__(self, at_once: int, waiting: int, retry_after: int, message: str) -> None:
        self._free = anyio.Semaphore(at_once)
        self._most = at_once + waiting
        self._retry_after = retry_after
        self._said = message
        self.inside = 0
        """Who has a place or waits for one."""

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place and hold it. Raises 429 when too many wait already."""
        if self.inside >= self._most:
            raise HTTPException(429, self._said, {"Retry-After": str(self._retry_after)})
        self.inside += 1
        try:
            async with self._free:
                yield
        finally:
            self.inside -= 1


class PlacesOfEach:
    """The same for each user apart."""

    def __init__(self, make: Callable[[], Places]) -> None:
        self._make = make
        self._of: dict[str, Places] = {}

    @asynccontextmanager
    async def place(self, user: str) -> AsyncIterator[None]:
        """A place of this user's."""
        places = self._of.setdefault(user, self._make())
        try:
            async with places.place():
                yield
        finally:
            if not places.inside:
                self._of.pop(user, None)


# Requests -------------------------------------------------------------------------------------------------------------


def guard(app: FastAPI, limits: Limits) -> None:
    """Put all routes of the app behind these limits; FastAPI alone would read a body before it asks who sends it."""
    everybody = Places(AT_ONCE, WAITING, 5, "The server is busy; try again in a moment")
    each = PlacesOfEach(
        lambda: Places(
            USER_AT_ONCE, USER_WAITING, 5, "Too many requests of yours are under way; wait for their answers"
        )
    )
    for route in app.routes:
        if isinstance(route, APIRoute):
            route.app = request_response(_guarded(route, limits.body_bytes, everybody, each))


def _guarded(route: APIRoute, most: int, everybody: Places, each: PlacesOfEach) -> Handler:
    """The route's handler in another order: login and rights, a place, the body, the work."""
    first = len(route.dependencies)  # those of app, router and route: they say who may, and look at no body
    rights = Dependant(dependencies=route.dependant.dependencies[:first], path=route.path_format)
    rest = copy.copy(route)
    rest.dependant = replace(route.dependant, dependencies=route.dependant.dependencies[first:])
    work = rest.get_route_handler()

    async def handle(request: Request) -> Response:
        stack = request.scope["fastapi_inner_astack"]
        bounded = BoundedRequest(request.scope, request.receive, most=most)
        await solve_dependencies(request=bounded, dependant=rights, async_exit_stack=stack, embed_body_fields=False)
        async with each.place(request.state.caller.get_id()):
            if route.body_field is not None:
                await bounded.body()
            if route.dependant.is_coroutine_callable:
                return await work(bounded)  # it takes no thread
            async with everybody.place():
                return await work(bounded)

    return handle


class BoundedRequest(Request):
    """A request whose body ends at a limit, and whose JSON is looked at before it is parsed."""

    def __init__(self, scope: Any, receive: Any, *, most: int) -> None:  # noqa: ANN401  (Starlette's own types)
        super().__init__(scope, receive)
        self._most = most

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The body while it comes. Raises 413 as soon as it is too large."""
        message = self.headers.get("content-length", "")
        if message.isdecimal() and int(message[:20]) > self._most:
            raise self._too_large()
        size = 0
        async for chunk in super().stream():
            size += len(chunk)
            if size > self._most:
                raise self._too_large()
            yield chunk

    async def body(self) -> bytes:
        """The whole body. Raises 413 when it is too large, 408 when it does not come."""
        try:
            with anyio.fail_after(BODY_SECONDS):
                return await super().body()
        except TimeoutError:
            raise HTTPException(408, f"The body did not arrive within {BODY_SECONDS:.0f} s") from None

    async def json(self) -> Any:  # noqa: ANN401
        """The body as JSON. Raises 400 for one that is nested too deeply or has too many values."""
        try:
            text = (await self.body()).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise HTTPException(400, "The body is no UTF-8") from None
        check_json(text)
        return json.loads(text)

    def form(self, **_: Any) -> Any:  # noqa: ANN401
        """The body as a form: as many fields as a form of ours may have, and no files."""
        return super().form(max_files=0, max_fields=FIELDS)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"The body is larger than {self._most:,} bytes, the most that is read here")


def check_json(text: str) -> None:
    """Raise 400 unless the text, parsed as JSON, would be small and flat enough to be worth it."""
    bare = _TEXT.sub("", text)
    if bare.count(",") + bare.count("[") + bare.count("{") >= MEMBERS:
        raise HTTPException(400, f"The body has more than {MEMBERS:,} values, the most that is read here")
    depth = 0
    for bracket in _BRACKET.finditer(bare):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > DEPTH:
            raise HTTPException(400, f"The body is nested deeper than {DEPTH} levels, the most that is read here")
