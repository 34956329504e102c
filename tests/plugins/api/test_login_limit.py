"""Wrong passwords for tokens: as many as are allowed, also at once; nobody else and no right password is held up."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from ifms_airflow.api import login_limit
from ifms_airflow.api.login_limit import PATHS, LoginLimit

TRIES, SECONDS = 3, 40.0
RIGHT, WRONG = {"password": "right"}, {"password": "wrong"}


async def _answer(request: Request) -> JSONResponse:
    given = await request.json()
    await asyncio.sleep(0.01)  # a hash takes its time
    return JSONResponse({}, 201 if given == RIGHT else 401)


@pytest.fixture
def limit() -> LoginLimit:
    routes = [Route(path, _answer, methods=["POST", "PUT"]) for path in (*PATHS, "/elsewhere")]
    return LoginLimit(Starlette(routes=routes), TRIES, SECONDS)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test sets."""
    now = [1000.0]
    monkeypatch.setattr(login_limit, "time", SimpleNamespace(monotonic=lambda: now[0]))  # the loop's clock goes on
    return now


def answers(
    limit: LoginLimit,
    *bodies: Any,
    address: str = "192.0.2.1",
    path: str = PATHS[0],
    method: str = "POST",
    at_once: bool = False,
) -> list[int]:
    async def ask() -> list[int]:
        transport = httpx.ASGITransport(limit, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://sample.invalid") as client:
            calls = [client.request(method, path, json=body) for body in bodies]
            said = await asyncio.gather(*calls) if at_once else [await call for call in calls]
            return [each.status_code for each in said]

    return asyncio.run(ask())


@pytest.mark.parametrize("path", PATHS)
def test_one_too_many_is_refused_the_right_one_too_until_time_has_passed(limit, clock, path):
    assert answers(limit, *[WRONG] * 5, RIGHT, path=path) == [401] * TRIES + [429] * 3
    clock[0] += SECONDS - 1
    assert answers(limit, RIGHT, path=path) == [429]
    clock[0] += 1
    assert answers(limit, RIGHT, *[WRONG] * 4, path=path) == [201] + [401] * TRIES + [429]


def test_it_says_how_long_to_wait(limit, clock):
    answers(limit, *[WRONG] * TRIES)
    clock[0] += 10.5

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(limit, client=("192.0.2.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://sample.invalid") as client:
            return await client.post(PATHS[0], json=WRONG)

    assert asyncio.run(ask()).headers["retry-after"] == "30"


def test_many_at_once_are_no_way_round(limit):
    assert sorted(answers(limit, *[WRONG] * 20, at_once=True)) == [401] * TRIES + [429] * 17


def test_right_passwords_are_not_counted(limit):
    assert answers(limit, *[RIGHT] * 20, WRONG) == [201] * 20 + [401]


def test_all_paths_are_counted_together_and_nothing_else_is(limit):
    assert [answers(limit, WRONG, path=path) for path in PATHS] == [[401]] * len(PATHS)
    assert answers(limit, WRONG) == [429]
    assert answers(limit, *[WRONG] * 5, path="/elsewhere") == [401] * 5
    assert answers(limit, WRONG, method="PUT") == [401]


def test_another_address_is_not_held_up(limit):
    answers(limit, *[WRONG] * 5)
    assert answers(limit, WRONG, address="192.0.2.2") == [401]


def test_it_does_not_remember_without_end(limit, monkeypatch):
    monkeypatch.setattr(login_limit, "MOST_ADDRESSES", 10)
    for n in range(30):
        answers(limit, WRONG, address=f"192.0.2.{n}")
    assert len(limit._tried) == 10
    assert answers(limit, *[WRONG] * 3, address="192.0.2.29") == [401, 401, 429]
