"""Files that are made while somebody waits: how many at a time, for whom, for how long, and how large."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import anyio
import httpx
import psycopg
import pytest
from support.adapter import Adapter
from support.api import none_waits, our_app, runs, token_of
from support.asgi import Caller
from support.failed import wage_bill

from ifms_airflow.api.exports import WAITING, Exports
from ifms_airflow.api.limits import Limits

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.tier("prove"),
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}),
]

FILES = (
    "register.csv",
    "register.xlsx",
    "register.pdf",
    "instructions.csv?tab=open&city=x",
    "instructions.xlsx?tab=open&city=x",
)


@pytest.fixture
def exports(airflow_app: Any, airflow_connections: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Exports]:
    """`exports(export_rows=1)`: the mounted app's, with other settings."""

    def made(**settings: int) -> Exports:
        new = Exports(Limits.read().model_copy(update=settings))
        monkeypatch.setitem(our_app(airflow_app).state._state, "exports", new)
        return new

    return made


@pytest.fixture
def caller(airflow_app: Any, airflow_connections: Any) -> Callable[..., Caller]:
    """`caller("register.csv", "sample-1")`: somebody who asks for a file."""

    def made(file: str, name: str = "sample-viewer") -> Caller:
        headers = {"Authorization": f"Bearer {token_of(airflow_app, name, 'viewer')}"}
        return Caller(airflow_app, "GET", f"/ifms/{file}", headers)

    return made


@contextmanager
def locked(dsn: str) -> Iterator[None]:
    """As long as this lasts, no export gets a row."""
    with psycopg.connect(dsn) as holder:
        holder.execute("LOCK TABLE ifms.sanction, ifms.payment_instruction")
        yield


def reading(dsn: str) -> int:
    """How many statements wait for what is locked."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone()
    assert row is not None
    return int(row[0])


async def until(is_so: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not is_so():
            await anyio.sleep(0.02)


def test_fifty_at_once_are_made_few_at_a_time_and_airflow_answers_meanwhile(
    exports: Callable[..., Exports], airflow_app: Any, ledger_dsn: str
):
    pool = exports()
    answers: list[httpx.Response] = []

    async def take(client: httpx.AsyncClient, number: int) -> None:
        headers = {"Authorization": f"Bearer {token_of(airflow_app, f'sample-{number}', 'viewer')}"}
        answers.append(await client.get(f"/ifms/{FILES[number % len(FILES)]}", headers=headers))

    async def main() -> None:
        transport = httpx.ASGITransport(app=airflow_app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver", timeout=120) as client:
            async with anyio.create_task_group() as group:
                with locked(ledger_dsn):
                    for number in range(50):
                        group.start_soon(take, client, number)
                    taken = pool.limits.exports + WAITING
                    await until(lambda: len(answers) == 50 - taken and reading(ledger_dsn) == pool.limits.exports)
                    assert {answer.status_code for answer in answers} == {429}
                    assert {answer.headers["retry-after"] for answer in answers} == {"30"}
                    assert {answer.json()["Errors"][0]["code"] for answer in answers} == {"TOO_MANY_REQUESTS"}
                    health = await client.get("/api/v2/monitor/health")
                    assert health.status_code == 200
                    assert (len(answers), reading(ledger_dsn)) == (50 - taken, pool.limits.exports)
            assert (pool.places.inside, pool.of_each._of) == (0, {})

    anyio.run(main)
    # Nothing is in the ledger: of a report that is said, a list is empty.
    assert Counter(answer.status_code for answer in answers)[429] == 44
    assert {answer.status_code for answer in answers} <= {200, 400, 429}


def test_a_user_has_one_that_is_made_and_one_that_waits(
    exports: Callable[..., Exports], caller: Callable[..., Caller], ledger_dsn: str
):
    pool = exports()

    async def main() -> None:
        mine = [caller("register.csv") for _ in range(3)]
        async with anyio.create_task_group() as group:
            with locked(ledger_dsn):
                for each in mine[:2]:
                    group.start_soon(each.send)
                await until(lambda: reading(ledger_dsn) == 1)
                await until(lambda: [one.inside for one in pool.of_each._of.values()] == [2])
                assert pool.places.inside == 1, "the second waits for the first, and takes no other user's place"
                await mine[2].send()
                assert (mine[2].status, mine[2].headers["retry-after"]) == (429, "30")
                another = caller("instructions.csv?tab=open&city=x", "sample-another")
                group.start_soon(another.send)
                await until(lambda: reading(ledger_dsn) == 2)
        assert [each.status for each in (*mine[:2], another)] == [200, 200, 200]

    anyio.run(main)


def test_too_many_are_a_page_for_a_browser(exports: Callable[..., Exports], airflow_app: Any):
    pool = exports()
    headers = {"Authorization": f"Bearer {token_of(airflow_app, 'sample-viewer', 'viewer')}", "Accept": "text/html"}
    full = Caller(airflow_app, "GET", "/ifms/register.csv", headers)

    async def main() -> None:
        pool.places.inside = pool.limits.exports + WAITING
        await full.send()

    anyio.run(main)
    assert (full.status, full.headers["retry-after"]) == (429, "30")
    assert b"Too many files are being made just now" in full.body
    assert b"<h1>" in full.body


@pytest.mark.parametrize("file", FILES)
def test_when_the_client_has_gone_the_statement_is_cancelled_and_the_place_is_free(
    exports: Callable[..., Exports], caller: Callable[..., Caller], ledger_dsn: str, file: str
):
    pool = exports()

    async def main() -> None:
        gone = caller(file)
        with locked(ledger_dsn):
            async with anyio.create_task_group() as group:
                group.start_soon(gone.send)
                await until(lambda: reading(ledger_dsn) == 1)
                gone.go_away()
                await until(lambda: reading(ledger_dsn) == 0)
        assert (pool.places.inside, pool.of_each._of) == (0, {})

    anyio.run(main)


def test_who_leaves_the_queue_makes_room_in_it(
    exports: Callable[..., Exports], caller: Callable[..., Caller], ledger_dsn: str
):
    pool = exports(exports=1)

    async def main() -> None:
        callers = [caller("register.csv", f"sample-{number}") for number in range(1 + WAITING)]
        with locked(ledger_dsn):
            async with anyio.create_task_group() as group:
                made, *waiting = callers
                group.start_soon(made.send)  # alone: of many that come at once, any may be the first to have the place
                await until(lambda: reading(ledger_dsn) == 1)
                for each in waiting:
                    group.start_soon(each.send)
                await until(lambda: pool.places.inside == 1 + WAITING)
                waiting.pop().go_away()
                await until(lambda: pool.places.inside == WAITING)
                assert reading(ledger_dsn) == 1, "the one that is made goes on"
                for each in (made, *waiting):
                    each.go_away()
        assert pool.places.inside == 0

    anyio.run(main)


def test_a_slow_reader_holds_no_thread_and_no_connection(
    exports: Callable[..., Exports], caller: Callable[..., Caller], adapter: Adapter, ledger_dsn: str
):
    pool = exports(exports=1)

    async def main() -> None:
        slow, other = caller("register.csv", "sample-slow"), caller("register.csv", "sample-other")
        slow.reads_answer = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(slow.send)
            await until(lambda: "sample-slow" in pool.of_each._of and not pool.places.inside)
            await other.send()
            assert (other.status, slow.status) == (200, None)
            slow.reads_answer.set()
        assert (slow.status, slow.body) == (200, other.body)
        assert slow.headers["content-length"] == str(len(slow.body))
        assert not pool.of_each._of

    anyio.run(main)


def test_what_fails_gives_everything_back(
    exports: Callable[..., Exports], caller: Callable[..., Caller], ledger_dsn: str
):
    pool = exports(export_seconds=1)

    async def main() -> None:
        late = caller("register.csv")
        with locked(ledger_dsn):
            await late.send()
        assert (late.status, late.code) == (503, "LEDGER_UNAVAILABLE")
        assert (pool.places.inside, pool.of_each._of) == (0, {})
        await late.send()
        assert late.status == 200

    anyio.run(main)


# Large ones -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def year(adapter: Adapter) -> str:
    """The financial year of a register of two rows, an allotment and an expense."""
    wage_bill(adapter)
    adapter.cycle()
    [found] = {row["financial_year"] for row in adapter.rows("SELECT financial_year FROM ifms.sanction")}
    return str(found)


def test_who_takes_a_file_is_a_record(exports: Callable[..., Exports], api: Any, year: str, adapter: Adapter):
    exports()
    assert api("user").get(f"/ifms/register.csv?year={year}").status_code == 200
    [row] = adapter.rows("SELECT person, action, subject FROM ifms.person_action")
    assert (row["person"], row["action"]) == ("sample-user", "export")
    assert json.loads(row["subject"]) == {"path": "/ifms/register.csv", "query": f"year={year}"}


@pytest.mark.parametrize("kind", ["csv", "xlsx", "pdf"])
def test_a_large_register_is_refused_and_ifms_reports_makes_it(
    exports: Callable[..., Exports], api: Any, year: str, adapter: Adapter, airflow_db: str, kind: str
):
    rows = len(adapter.rows("SELECT FROM ifms.fund_register WHERE financial_year = %s", year))
    assert rows >= 2
    exports(export_rows=rows)
    query = {"year": year, "city": "od.samplea"}
    assert api("viewer").get(f"/ifms/register.{kind}", params=query).status_code == 200
    exports(export_rows=rows - 1)
    told = api("viewer").get(f"/ifms/register.{kind}", params=query)
    assert (told.status_code, told.json()["Errors"][0]["code"]) == (400, "EXPORT_TOO_LARGE")
    assert "start ifms_reports" in told.text
    fewer = api("viewer").get(f"/ifms/register.{kind}", params=query | {"type": "Expense"})
    assert fewer.status_code == 200, "the filters count"

    seen = api("viewer", cookie=True).get(f"/ifms/register.{kind}", params=query).text
    assert 'href="/dags/ifms_reports"' in seen
    assert "register/report" not in seen, "who may not start it is not offered the button"
    browser = api("user", cookie=True)
    page = browser.get(f"/ifms/register.{kind}", params=query).text
    assert 'action="/ifms/register/report"' in page
    none_waits(airflow_db, "ifms_reports")
    form = query | {"format": kind, "token": uuid.uuid4().hex}
    assert all(f'name="{name}"' in page for name in form)
    answers = [browser.post("/ifms/register/report", data=form) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {303}
    run = runs(airflow_db, "ifms_reports")[0]
    assert run["conf"] == {"report": "fund_register", "period": year, "format": kind, "tenants": ["od.samplea"]}
    assert run["run_id"] == f"register__{form['token']}"
    shown = browser.get(answers[0].headers["location"]).text
    assert "ifms_reports waits to begin" in shown or "ifms_reports is paused" in shown
    assert f'value="{year}" selected' in shown


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_large_list_is_refused(exports: Callable[..., Exports], api: Any, year: str, adapter: Adapter, kind: str):
    wage_bill(adapter)
    adapter.cycle()
    exports(export_rows=1)
    told = api("viewer").get(f"/ifms/instructions.{kind}?tab=open&number=PI-")
    assert (told.status_code, told.json()["Errors"][0]["code"]) == (400, "EXPORT_TOO_LARGE")
    page = api("user", cookie=True).get(f"/ifms/instructions.{kind}?tab=open&number=PI-").text
    assert "narrow the search" in page
    assert 'href="/dags/ifms_reports"' in page
    exports(export_rows=2)
    assert api("viewer").get(f"/ifms/instructions.{kind}?tab=open&number=PI-").status_code == 200


# Timeouts -------------------------------------------------------------------------------------------------------------


def test_every_connection_that_reads_can_not_write_and_has_a_statement_timeout(
    airflow_app: Any, airflow_connections: Any, exports: Callable[..., Exports], monkeypatch: pytest.MonkeyPatch
):
    from io import BytesIO

    from ifms_airflow.api import writes
    from ifms_airflow.api.app import create_app
    from ifms_airflow.api.exports import Work

    def told(connection: Any) -> tuple[str, str]:
        names = ("statement_timeout", "transaction_read_only")
        shown = [connection.execute(f"SHOW {name}").fetchone()[0] for name in names]
        return shown[0], shown[1]

    monkeypatch.setenv("IFMS_READ_SECONDS", "7")
    monkeypatch.setenv("IFMS_EXPORT_SECONDS", "70")
    state = create_app().state
    with state.reads.connection() as connection:
        assert told(connection) == ("7s", "on")
    state.reads.close()
    work = Work(state.exports.limits, BytesIO())
    seen = []

    def look(work: Any) -> None:
        seen.append(told(work.connection()))
        with work.ledger() as ledger:
            seen.append(ledger.read_snapshot(told))

    work.run(look)
    assert seen == [("70s", "on"), ("70s", "on")]
    assert writes.transact(told) == ("20s", "off")


def test_a_page_that_takes_too_long_says_so(
    api: Any, ledger_dsn: str, monkeypatch: pytest.MonkeyPatch, airflow_app: Any
):
    from ifms_airflow.api.read_pool import Reads, connect

    monkeypatch.setitem(our_app(airflow_app).state._state, "reads", Reads(partial(connect, 1)))
    began = time.monotonic()
    with locked(ledger_dsn):
        answer = api("viewer").get("/ifms/register")
    assert (answer.status_code, "ask for less" in answer.text) == (503, True)
    assert time.monotonic() - began < 30
