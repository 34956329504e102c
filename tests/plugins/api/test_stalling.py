"""Airflow's API server, listening, under what is thrown at it: by who has no login, and by who has one."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.request import urlopen

import psycopg
import pytest
from support import figures
from support.adapter import Adapter
from support.api import token_of
from support.failed import wage_bill
from support.memory_peak import peak

from ifms_airflow.api.exports import WAITING
from ifms_simulator.serve import running

MB = 1_000_000
PART = b" " * 100_000

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.tier("prove"),
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}),
]


@pytest.fixture
def port(airflow_app: Any, airflow_connections: Any) -> Iterator[int]:
    """Where Airflow's API server listens."""
    with running(airflow_app) as url:
        yield int(url.rsplit(":", 1)[1])


def begin(port: int, method: str, path: str, *headers: str) -> socket.socket:
    """A connection on which a request has begun."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    head = [f"{method} /ifms{path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Type: application/json", *headers]
    connection.sendall("\r\n".join([*head, "", ""]).encode())
    return connection


def throw(port: int, size: int, *headers: str) -> int:
    """Send a body of so many bytes, whether it is wanted or not; the status of the answer."""
    chunked = "Transfer-Encoding: chunked" in headers
    part = b"%x\r\n%s\r\n" % (len(PART), PART) if chunked else PART
    with begin(port, "POST", "/pi/v1/_search", *headers) as connection:
        try:
            for _ in range(size // len(PART)):
                connection.sendall(part)
        except OSError:
            pass  # it has heard enough
        return int(connection.recv(1000).split()[1])


def test_airflow_answers_while_bodies_of_100_mb_are_thrown_at_it(port: int, airflow_app: Any):
    login = f"Authorization: Bearer {token_of(airflow_app, 'sample-viewer', 'viewer')}"
    size = 100 * MB
    kinds = [(how, *who) for who in ((), (login,)) for how in (f"Content-Length: {size}", "Transfer-Encoding: chunked")]
    answers: list[int] = []

    def attack() -> None:
        with ThreadPoolExecutor(4) as attackers:
            thrown = [attackers.submit(throw, port, size, *each) for each in kinds]
            over = False
            while not over:
                over = all(each.done() for each in thrown)
                with urlopen(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=60) as health:
                    assert health.status == 200
        answers.extend(each.result() for each in thrown)

    held = peak(attack)
    assert answers == [401, 401, 413, 413]
    figures.add("kB held at most while four bodies of 100 MB come", held // 1000)
    assert held < 20 * MB


def test_airflow_answers_while_fifty_files_are_wanted_at_once(port: int, airflow_app: Any, adapter: Adapter):
    wage_bill(adapter)
    adapter.cycle()
    [year] = {row["financial_year"] for row in adapter.rows("SELECT financial_year FROM ifms.sanction")}

    tokens = [token_of(airflow_app, f"sample-{number}", "viewer") for number in range(50)]

    def take(token: str) -> int:
        with begin(port, "GET", f"/register.pdf?year={year}", f"Authorization: Bearer {token}") as connection:
            return int(connection.recv(1000).split()[1])

    slowest = 0.0
    with ThreadPoolExecutor(50) as users:
        taken = [users.submit(take, token) for token in tokens]
        while not all(each.done() for each in taken):
            began = time.monotonic()
            with urlopen(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=60) as health:
                assert health.status == 200
            slowest = max(slowest, time.monotonic() - began)
    told = Counter(each.result() for each in taken)
    assert set(told) == {200, 429}
    assert told[200] >= 2 + WAITING
    figures.add("ms that Airflow's health took at most while 50 files were wanted", round(slowest * 1000))


def test_a_file_for_which_nobody_waits_any_more_is_not_made(port: int, airflow_app: Any, ledger_dsn: str):
    login = f"Authorization: Bearer {token_of(airflow_app, 'sample-viewer', 'viewer')}"

    def becomes(number: int) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            [waiting] = other.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ).fetchone() or [None]
            if waiting == number:
                return
            time.sleep(0.02)
        raise AssertionError(f"{waiting} statements wait, not {number}")

    with psycopg.connect(ledger_dsn) as holder, psycopg.connect(ledger_dsn, autocommit=True) as other:
        holder.execute("LOCK TABLE ifms.sanction")
        with begin(port, "GET", "/register.pdf", login):
            becomes(1)
        becomes(0)
