"""Airflow as `make run` starts it, on a PostgreSQL and simulators of the test's own, and the system's Chromium."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.adapter import Adapter
from support.databases import create_logins
from support.real_airflow import kill_all_of, only
from support.simulators import Simulators

from ifms.clock import now, to_ist
from ifms.ledger.migrate import migrate
from ifms_standalone import airflow, postgres
from ifms_standalone.airflow import Client
from ifms_standalone.processes import Processes
from ifms_standalone.settings import Folder, Ports, Secrets

PEOPLE = {"sample-clerk": "user", "sample-accountant": "user", "sample-officer": "viewer"}
"""Who walks, besides the administrator, with Airflow's roles; the password is the same."""
RIGHTS = "; ".join(
    f"user:{name} = {right}" for name, right in zip(PEOPLE, ("od.samplea:act", "od.samplea:act", "*:read"), strict=True)
)
DAGS = ("ifms_cor", "ifms_ftps", "ifms_pi", "ifms_pis")
PATIENCE = 240_000  # milliseconds: two busy cores start a DAG run late


@dataclass
class Standalone:
    """A running Airflow with its ledger."""

    client: Client
    adapter: Adapter
    password: str


@pytest.fixture
def standalone(simulators: Simulators, tmp_path: Path) -> Iterator[Standalone]:
    """`airflow standalone` with the DAGs of the walk unpaused."""
    tmp_path.chmod(0o711)
    folder = Folder(tmp_path / "run")
    folder.make()
    secrets = Secrets._made()
    ports = Ports(*(postgres.free_port() for _ in range(4)))
    processes = Processes(folder.processes, folder.logs)
    with postgres.throwaway(ports.postgres, secrets.postgres_password) as server:
        server.create_database("airflow")
        server.create_database("ifms")
        migrate(server.dsn("ifms"))
        airflow.admit_tasks(server)
        create_logins(server)
        described: dict[str, object] = dict(simulators.connections())
        described["ifms_db"] = airflow.ledger_connection(server)
        logs = (postgres.free_port(), postgres.free_port())
        environment = airflow.environment(folder, ports, secrets, logs, described, to_ist(now()).date())
        environment |= only(tmp_path / "dags", *DAGS)
        # What a walk looks at stays as it is until the walk itself starts something, at whatever hour it is walked.
        environment |= {f"IFMS_SCHEDULE_{dag_id.removeprefix('ifms_').upper()}": "none" for dag_id in DAGS}
        users = f"{airflow.USER}:admin," + ",".join(f"{name}:{role}" for name, role in PEOPLE.items())
        environment |= {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": users, "IFMS_RIGHTS": RIGHTS}
        passwords = dict.fromkeys([airflow.USER, *PEOPLE], secrets.admin_password)
        airflow.write_password(folder, secrets)
        (folder.airflow / "passwords.json").write_text(json.dumps(passwords))
        program = str(Path(sys.executable).parent / "airflow")
        processes.start("airflow", [program, "standalone"], environment)
        try:
            client = Client(ports.airflow, secrets.admin_password)
            _wait(client, processes)
            client.set_pool(airflow.TREASURY_POOL, 4)
            for dag_id in DAGS:
                client.unpause(dag_id)
            yield Standalone(client, Adapter(server.dsn("ifms"), simulators), secrets.admin_password)
        finally:
            kill_all_of(processes, folder.processes)


def _wait(client: Client, processes: Processes) -> None:
    deadline = time.monotonic() + 600
    while True:
        processes.check()
        if not client.unhealthy_parts():
            client.log_in()
            if not client.missing_dags(DAGS):
                return
        assert time.monotonic() < deadline, "Airflow did not come up"
        time.sleep(1)


@pytest.fixture
def chromium() -> Iterator[Any]:
    """The system's Chromium; without one the test is skipped, except in CI, where it fails.

    For one test: while Playwright is open, this thread has a running event loop, and no other test could have its own.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        message = "no Chromium here: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


def language(context: Any, served: str, user: str, spoken: str) -> None:
    """Have a browser's pages in this language, as if `user` had chosen it there; `context` is Playwright's."""
    from ifms_airflow.api.pages.language import COOKIE, cookie

    host = urlsplit(served).hostname
    context.add_cookies([{"name": COOKIE, "value": cookie(user, spoken), "domain": host, "path": "/ifms"}])


@contextmanager
def logged_in(
    chromium: Any, standalone: Standalone, person: str = airflow.USER, width: int = 1280, height: int = 900
) -> Iterator[Any]:
    """A page on which this person is logged in; no script may fail on it and nothing may be blocked."""
    context = chromium.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
    page.goto(f"{standalone.client.address}/auth/login")
    page.locator("input:not([type=password])").first.fill(person)
    page.locator("input[type=password]").fill(standalone.password)
    page.locator("button[type=submit]").click()
    page.wait_for_url(lambda url: "/auth/" not in url)
    yield page
    context.close()
    assert complaints == []
