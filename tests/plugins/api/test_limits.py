"""What a request may cost: what is read of it, how much of that is parsed, and who takes whose threads."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import anyio
import httpx
import psycopg
import pytest
from fastapi import HTTPException
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from support.api import REQUEST_INFO, our_app, token_of
from support.asgi import Caller, in_parts

from ifms.errors import ConfigurationError
from ifms_airflow.api import limits, read_pool
from ifms_airflow.api.limits import DEPTH, MEMBERS, Limits, Places, PlacesOfEach, check_json
from ifms_airflow.api.read_pool import Reads, connect

MB = 1_000_000
ANYBODY_READS = {
    "/pi/v1/_search",
    "/funds/v1/_search",
    "/instructions/searches",
    "/instructions/searches/remove",
    "/language",
}


@pytest.fixture
def send(airflow_app: Any, airflow_connections: Any) -> Any:
    """`send("/pi/v1/_search", body, role="viewer")`: a POST whose body comes in parts, and what was answered."""

    def call(path: str, body: AsyncIterator[bytes], *, role: str | None = None, **headers: str) -> Caller:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        if role:
            said["Authorization"] = f"Bearer {token_of(airflow_app, f'sample-{role}', role)}"
        said.setdefault("Content-Type", "application/json")
        caller = Caller(airflow_app, "POST", f"/ifms{path}", said)
        return anyio.run(caller.send, body)

    return call


def posts() -> list[str]:
    from ifms_airflow.api.app import create_app

    return sorted(r.path for r in create_app().routes if "POST" in getattr(r, "methods", ()))


async def whole(text: str | bytes) -> AsyncIterator[bytes]:
    yield text.encode() if isinstance(text, str) else text


# Before the login -----------------------------------------------------------------------------------------------------


def test_nothing_is_read_of_a_body_before_the_login(send: Any):
    for path in posts():
        told = send(path, in_parts(34 * MB), Content_Length=str(34 * MB))
        assert (path, told.status, told.read, told.code) == (path, 401, 0, "NOT_LOGGED_IN")
        told = send(path, in_parts(34 * MB), Authorization="Bearer nonsense", Content_Type="multipart/form-data")
        assert (path, told.status, told.read) == (path, 403, 0)


def test_nothing_is_read_of_the_body_of_who_may_not(send: Any):
    for path in sorted(set(posts()) - ANYBODY_READS):
        told = send(path, in_parts(34 * MB), role="viewer")
        assert (path, told.status, told.read, told.code) == (path, 403, 0, "NOT_ALLOWED")


def test_nothing_is_read_of_a_body_that_another_site_sends(airflow_app: Any, airflow_connections: Any):
    cookie = {"Cookie": f"_token={token_of(airflow_app, 'sample-admin', 'admin')}"}
    caller = Caller(airflow_app, "POST", "/ifms/act", cookie | {"Origin": "https://elsewhere.invalid"})
    told = anyio.run(caller.send, in_parts(34 * MB))
    assert (told.status, told.read) == (403, 0)


def test_nothing_is_read_of_a_body_that_no_route_takes(send: Any):
    for path, status in (("/none", 404), ("/instructions", 405)):
        told = send(path, in_parts(34 * MB), role="admin")
        assert (told.status, told.read) == (status, 0)


# The body -------------------------------------------------------------------------------------------------------------


def test_a_body_that_says_it_is_too_large_is_not_read(send: Any):
    told = send("/pi/v1/_search", in_parts(34 * MB), role="viewer", Content_Length=str(34 * MB))
    assert (told.status, told.read, told.code) == (413, 0, "REQUEST_TOO_LARGE")
    assert "1,000,000 bytes" in told.body.decode()


@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_body_without_a_length_is_read_up_to_the_limit_only(send: Any, kind: str):
    for path in ("/pi/v1/_search", "/sanctions", "/bills"):
        told = send(path, in_parts(34 * MB), role="admin", Content_Type=kind, Transfer_Encoding="chunked")
        assert (path, told.status, told.code) == (path, 413, "REQUEST_TOO_LARGE")
        assert MB < told.read <= MB + 65536
        told = send(path, in_parts(34 * MB), role="admin", Content_Type=kind, Content_Length="10")
        assert (told.status, told.read <= MB + 65536) == (413, True)


def test_a_browser_is_shown_a_page(send: Any):
    told = send("/sanctions", in_parts(2 * MB), role="admin", Accept="text/html")
    assert told.status == 413
    assert b"The body is larger than 1,000,000 bytes" in told.body
    assert b"<h1>" in told.body


def test_a_body_of_just_the_limit_is_taken(send: Any):
    body = json.dumps({"RequestInfo": REQUEST_INFO, "searchCriteria": {"tenantId": "od.samplea"}})
    told = send("/pi/v1/_search", whole(body + " " * (MB - len(body))), role="viewer")
    assert (told.status, told.read) == (200, MB)
    told = send("/pi/v1/_search", whole(body + " " * (MB + 1 - len(body))), role="viewer")
    assert told.status == 413


def test_a_body_that_does_not_come_is_not_awaited_for_ever(send: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.05)

    async def stalls() -> AsyncIterator[bytes]:
        yield b"{"
        await anyio.sleep(60)

    told = send("/pi/v1/_search", stalls(), role="viewer")
    assert (told.status, told.code) == (408, "REQUEST_TIMEOUT")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("[" * 50_000, "nested deeper"),
        ('{"a":' * (DEPTH + 1), "nested deeper"),
        ('{"a":' * DEPTH + "[]" + "}" * DEPTH, "nested deeper"),
        ("[" + "1," * 400_000 + "1]", "values"),
        ("[" + "[]," * 200_000 + "1]", "values"),
        ('{"a":1,' + '"\\"' * 300_000, "JSON decode error"),
        ("{" + '"a":1e999999,' * 10 + '"b":' + "9" * 5000 + "}", "error parsing the body"),
        (b'\xff\xfe{\x00"\x00', "no UTF-8"),
    ],
)
def test_json_that_is_not_worth_parsing(send: Any, body: str | bytes, said: str):
    told = send("/pi/v1/_search", whole(body), role="viewer")
    assert (told.status, told.code) == (400, "REQUEST_INVALID")
    assert said in told.body.decode()


def test_brackets_and_commas_in_texts_count_for_nothing():
    check_json(json.dumps({"a": '[{,"\\' * MEMBERS, "b\\": [1]}))


def test_json_is_looked_at_in_one_go():
    """A text that is never closed: looked for anew at each of its quotes, it would take hours."""
    check_json('"' + '\\"' * 2_000_000)
    check_json('"\\' * 1_000_001)


def depth(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(depth, inside), default=0)


NESTED = st.recursive(st.none() | st.text() | st.integers(), lambda v: st.lists(v) | st.dictionaries(st.text(), v))


@given(NESTED, st.integers(0, DEPTH + 2))
def test_what_is_flat_enough_is_let_pass_and_nothing_else(value: Any, around: int):
    for _ in range(around):
        value = [value]
    text = json.dumps(value, ensure_ascii=False)
    if depth(value) <= DEPTH:
        check_json(text)
    else:
        with pytest.raises(HTTPException):
            check_json(text)


def test_a_form_has_so_many_fields_and_no_files(send: Any, monkeypatch: pytest.MonkeyPatch):
    kind = "application/x-www-form-urlencoded"
    told = send("/sanctions", whole("a=1&" * 10_001), role="admin", Content_Type=kind)
    assert (told.status, told.code, "Too many fields" in told.body.decode()) == (400, "REQUEST_INVALID", True)
    part = b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nc\r\n--x--\r\n'
    told = send("/sanctions", whole(part), role="admin", Content_Type="multipart/form-data; boundary=x")
    assert (told.status, "Too many files" in told.body.decode()) == (400, True)


# Places ---------------------------------------------------------------------------------------------------------------


def places(at_once: int = 1, waiting: int = 1) -> Places:
    return Places(at_once, waiting, 7, "Come again")


async def hold(held: Any, order: list[str], name: str, release: anyio.Event) -> None:
    async with held:
        order.append(name)
        await release.wait()


def test_who_finds_no_place_waits_and_who_finds_none_to_wait_is_told_when_to_come_again():
    async def main() -> None:
        pool, release, order = places(), anyio.Event(), list[str]()
        async with anyio.create_task_group() as group:
            group.start_soon(hold, pool.place(), order, "first", release)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(hold, pool.place(), order, "second", release)
            await anyio.wait_all_tasks_blocked()
            assert (order, pool.inside) == (["first"], 2)
            with pytest.raises(HTTPException) as told:
                async with pool.place():
                    pass
            assert (told.value.status_code, told.value.headers) == (429, {"Retry-After": "7"})
            release.set()
        assert (order, pool.inside) == (["first", "second"], 0)

    anyio.run(main)


def test_one_user_does_not_take_anothers_places():
    async def main() -> None:
        each, release, order = PlacesOfEach(partial(places, 1, 0)), anyio.Event(), list[str]()
        async with anyio.create_task_group() as group:
            group.start_soon(hold, each.place("a"), order, "a", release)
            group.start_soon(hold, each.place("b"), order, "b", release)
            await anyio.wait_all_tasks_blocked()
            assert sorted(order) == ["a", "b"]
            with pytest.raises(HTTPException):
                async with each.place("a"):
                    pass
            release.set()
        async with each.place("a"):
            pass
        assert not each._of

    anyio.run(main)


def test_airflow_answers_while_all_of_our_threads_are_held(
    airflow_app: Any, airflow_connections: Any, ledger_dsn: str, monkeypatch: pytest.MonkeyPatch
):
    """Sixty searches of twelve users wait for a table that somebody has locked, and nothing makes them give up."""
    monkeypatch.setattr(read_pool, "WAIT_SECONDS", 300)
    state = our_app(airflow_app).state
    monkeypatch.setitem(state._state, "reads", Reads(partial(connect, 300, lock_seconds=300)))

    async def main() -> None:
        answers: list[int] = []

        async def search(client: httpx.AsyncClient, name: str) -> None:
            token = token_of(airflow_app, name, "viewer")
            answer = await client.get(
                "/ifms/instructions?tab=open&city=x", headers={"Authorization": f"Bearer {token}"}
            )
            answers.append(answer.status_code)

        transport = httpx.ASGITransport(app=airflow_app)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://testserver", timeout=120) as client,
            anyio.create_task_group() as group,
        ):
            with psycopg.connect(ledger_dsn) as holder:
                holder.execute("LOCK TABLE ifms.sanction, ifms.payment_instruction")
                for number in range(60):
                    group.start_soon(search, client, f"sample-{number % 12}")
                await anyio.sleep(0.5)
                with anyio.fail_after(30):
                    health = await client.get("/api/v2/monitor/health")
                assert (health.status_code, answers) == (200, [])
        assert answers == [200] * 60
        state.reads.close()

    anyio.run(main)


# Settings -------------------------------------------------------------------------------------------------------------


def test_settings_have_defaults_and_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    usual = Limits.read()
    assert (usual.body_bytes, usual.read_seconds, usual.hosts) == (1_000_000, 20, [])
    monkeypatch.setenv("IFMS_BODY_BYTES", "5000")
    monkeypatch.setenv("IFMS_HOSTS", "ifms.sample, *.Sample.org [::1]")
    chosen = Limits.read()
    assert (chosen.body_bytes, chosen.hosts) == (5000, ["ifms.sample", "*.sample.org", "[::1]"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("IFMS_BODY_BYTES", "1 MB"),
        ("IFMS_BODY_BYTES", "0"),
        ("IFMS_READ_SECONDS", "0"),
        ("IFMS_EXPORT_ROWS", "-1"),
        ("IFMS_EXPORTS", "0"),
        ("IFMS_HOSTS", "https://ifms.sample"),
        ("IFMS_HOSTS", "ifms.sample:8080"),
        ("IFMS_HOSTS", "ifms.*"),
    ],
)
def test_a_wrong_setting_is_named_and_puts_our_app_alone_out_of_order(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
):
    from ifms_airflow.api.app import create_app

    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        Limits.read()
    client = TestClient(create_app())
    for method, path in (("GET", "/instructions"), ("POST", "/pi/v1/_create"), ("GET", "/")):
        answer = client.request(method, path)
        assert (answer.status_code, answer.json()["Errors"][0]["code"]) == (503, "OUT_OF_ORDER")


def test_the_limit_is_the_setting(monkeypatch: pytest.MonkeyPatch, airflow_app: Any, airflow_connections: Any):
    from ifms_airflow.api.app import create_app

    monkeypatch.setenv("IFMS_BODY_BYTES", "2000")
    headers = {"Authorization": f"Bearer {token_of(airflow_app, 'sample-viewer', 'viewer')}"}
    answer = TestClient(create_app()).post("/pi/v1/_search", content=b" " * 2001, headers=headers)
    assert answer.status_code == 413


# Host -----------------------------------------------------------------------------------------------------------------


def test_only_the_servers_own_names_are_answered(monkeypatch: pytest.MonkeyPatch, airflow_app: Any):
    from ifms_airflow.api.app import create_app

    monkeypatch.setenv("IFMS_HOSTS", "ifms.sample,*.sample.org")
    client = TestClient(create_app())
    for host, known in {
        "ifms.sample": True,
        "IFMS.sample:8080": True,
        "a.sample.org": True,
        "sample.org": False,
        "ifms.sample.elsewhere.invalid": False,
        "elsewhere.invalid": False,
        "elsewhere.invalid, ifms.sample": False,
        "www.ifms.sample": False,
        "ifms.sample@elsewhere.invalid": False,
        "": False,
    }.items():
        assert (host, client.get("/instructions", headers={"Host": host}).status_code) == (host, 401 if known else 400)


def test_where_no_names_are_set_airflows_own_counts(monkeypatch: pytest.MonkeyPatch, airflow_app: Any):
    from ifms_airflow.api.app import create_app

    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://Airflow.sample:8443/state")
    client = TestClient(create_app())
    known = {"airflow.sample": 401, "airflow.sample:8443": 401, "localhost:8080": 401, "127.0.0.1": 401}
    for host, status in {**known, "elsewhere.invalid": 400, "state": 400, "airflow.sample.invalid": 400}.items():
        assert (host, client.get("/instructions", headers={"Host": host}).status_code) == (host, status)


def test_no_redirect_leaves_this_server(api: Any):
    nobody = api(None, headers={"Accept": "text/html", "Host": "elsewhere.invalid"})
    answer = nobody.get("/ifms/instructions?tab=open&number=//elsewhere.invalid")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/auth/login?next=%2Fifms%2Finstructions%3Ftab")
    for path in ("/instructions/", "/register/", "/none/"):
        answer = api("viewer", headers={"Host": "elsewhere.invalid"}).get(f"/ifms{path}")
        assert (path, answer.status_code) == (path, 404)
