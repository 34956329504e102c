"""Airflow's settings hold what a run needs and nothing of somebody else's; the client says plainly what went wrong."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from datetime import UTC, date, datetime
from http import HTTPStatus
from pathlib import Path

import psycopg
import pytest
import requests
import requests_mock
import time_machine

from ifms_standalone import airflow
from ifms_standalone.airflow import Client
from ifms_standalone.errors import StandaloneError
from ifms_standalone.postgres import Server
from ifms_standalone.settings import Folder, Ports, Secrets

API = "http://127.0.0.1:8080"


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return Secrets.kept_in(tmp_path / "secrets.json")


@pytest.fixture
def client() -> Client:
    return Client(8080, "sample")


def test_parts_are_started_without_a_server_of_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "a program"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    program.chmod(0o700)
    monkeypatch.setattr(airflow, "_PROGRAM", program)
    folder = Folder(tmp_path)
    folder.make()
    airflow.write_command(folder)
    made = folder.airflow / "bin/airflow"
    for part, said in {
        "scheduler": "scheduler|--skip-serve-logs|",
        "triggerer": "triggerer|--skip-serve-logs|",
        "api-server": "api-server|",
        "dag-processor": "dag-processor|",
    }.items():
        assert subprocess.run([made, part], capture_output=True, text=True, check=True).stdout == said


def test_environment(tmp_path: Path, secrets: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", "/somebody/elses")
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", "{}")
    monkeypatch.setenv("SAMPLE", "kept")
    server = Server(5433, tmp_path, 1, "password")
    made = airflow.environment(
        Folder(tmp_path),
        Ports(airflow=9000),
        secrets,
        (1, 2),
        {"ifms_db": airflow.ledger_connection(server)},
        date(2026, 11, 23),
    )
    assert made["IFMS_START_DATE"] == "2026-11-22"
    assert made["SAMPLE"] == "kept"
    assert "AIRFLOW_CONN_OTHER" not in made
    assert made["AIRFLOW__CORE__DAGS_FOLDER"].endswith("dags")
    assert made["AIRFLOW__API__PORT"] == "9000"
    assert made["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:9000/execution/"
    assert made["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].endswith(f":{secrets.postgres_password}@127.0.0.1:5433/airflow")
    assert Path(made["PATH"].split(os.pathsep)[1], "airflow").exists()
    ledger = json.loads(made["AIRFLOW_CONN_IFMS_DB"])
    assert (ledger["conn_type"], ledger["login"]) == ("postgres", "ifms_airflow")
    assert server.password not in ledger["password"]
    assert made["AIRFLOW__OPERATORS__DEFAULT_OWNER"] == "ifms"
    assert made["AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES"] == "log_key,signing_key"  # old_log_keys holds it, too


def test_password_is_for_the_owner_alone(tmp_path: Path, secrets: Secrets) -> None:
    folder = Folder(tmp_path)
    folder.make()
    airflow.write_password(folder, secrets)
    file = folder.airflow / "passwords.json"
    assert json.loads(file.read_text()) == {"admin": secrets.admin_password}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_health_names_the_missing_parts(client: Client, requests_mock: requests_mock.Mocker) -> None:
    requests_mock.get(f"{API}/api/v2/monitor/health", exc=requests.ConnectionError)
    assert client.unhealthy_parts() == ["api_server"]
    health = {part: {"status": "healthy"} for part in ("metadatabase", "scheduler", "dag_processor")}
    requests_mock.get(f"{API}/api/v2/monitor/health", json={**health, "triggerer": {"status": None}})
    assert client.unhealthy_parts() == ["triggerer"]


def test_log_in_sends_the_token_from_then_on(client: Client, requests_mock: requests_mock.Mocker) -> None:
    requests_mock.post(f"{API}/auth/token", json={"access_token": "sample-token"}, status_code=201)
    runs = requests_mock.get(f"{API}/api/v2/dags/ifms_pi/dagRuns", json={"dag_runs": [{"dag_run_id": "asset__1"}]})
    client.log_in()
    assert client.active_runs("ifms_pi") == ["asset__1"]
    assert runs.last_request.headers["Authorization"] == "Bearer sample-token"
    assert runs.last_request.qs["state"] == ["queued", "running"]


def test_what_is_there_already_is_no_error(client: Client, requests_mock: requests_mock.Mocker) -> None:
    requests_mock.post(f"{API}/api/v2/pools", status_code=HTTPStatus.CONFLICT, json={"detail": "there"})
    client.set_pool("ifms_treasury", 4)
    triggered = requests_mock.post(f"{API}/api/v2/dags/ifms_va/dagRuns", status_code=409, json={"detail": "there"})
    client.trigger("ifms_va", "run_1")
    assert triggered.last_request.json() == {"dag_run_id": "run_1", "logical_date": None}


def test_a_form_goes_with_the_run(client: Client, requests_mock: requests_mock.Mocker) -> None:
    triggered = requests_mock.post(f"{API}/api/v2/dags/ifms_pi/dagRuns", json={})
    client.trigger("ifms_pi", "run_1", {"payments": ["EP/1"]})
    assert triggered.last_request.json()["conf"] == {"payments": ["EP/1"]}


@pytest.mark.parametrize(
    ("after", "due"),
    [
        (None, None),
        ("2999-11-23T16:30:00Z", None),
        ("2026-11-22T16:30:00Z", datetime(2026, 11, 22, 16, 30, tzinfo=UTC)),
    ],
)
def test_a_run_is_due_once_its_time_has_passed(
    client: Client, requests_mock: requests_mock.Mocker, after: str | None, due: datetime | None
) -> None:
    requests_mock.get(f"{API}/api/v2/dags/ifms_fd", json={"next_dagrun_run_after": after})
    with time_machine.travel(datetime(2026, 11, 23, tzinfo=UTC)):
        assert client.due_since("ifms_fd") == due


def test_a_refusal_is_said_with_the_call(client: Client, requests_mock: requests_mock.Mocker) -> None:
    requests_mock.get(f"{API}/api/v2/dags/ifms_va/dagRuns/x", status_code=404, text="not found")
    with pytest.raises(StandaloneError, match="Airflow answered 404 to GET /api/v2/dags/ifms_va/dagRuns/x: not found"):
        client.state("ifms_va", "x")


def test_a_short_silence_is_waited_out(client: Client, requests_mock: requests_mock.Mocker, monkeypatch) -> None:
    monkeypatch.setattr(airflow.time, "sleep", lambda _: None)
    url = f"{API}/api/v2/dags/ifms_va/dagRuns/x"
    requests_mock.get(url, [{"exc": requests.ConnectionError}, {"json": {"state": "success"}}])
    assert client.state("ifms_va", "x") == "success"
    requests_mock.get(url, exc=requests.ConnectionError)
    with pytest.raises(StandaloneError, match=f"Airflow's API at {API} does not answer"):
        client.state("ifms_va", "x")


def test_import_errors_are_the_last_lines(client: Client, requests_mock: requests_mock.Mocker) -> None:
    errors = [{"filename": "ifms_va.py", "stack_trace": "Traceback\n  …\nImportError: no ghost\n"}]
    requests_mock.get(f"{API}/api/v2/importErrors", json={"import_errors": errors})
    assert client.import_errors() == ["ifms_va.py: ImportError: no ghost"]


def test_tasks_work_on_the_ledger_and_do_not_own_it(postgres: Server, ledger_dsn: str) -> None:
    for _ in range(2):  # the second run finds the login
        airflow.admit_tasks(postgres)
    described = airflow.ledger_connection(postgres)
    database = ledger_dsn.rsplit("/", 1)[1]
    dsn = f"postgresql://{described['login']}:{described['password']}@127.0.0.1:{postgres.port}/{database}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM ifms.payment").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DROP TABLE ifms.payment")
