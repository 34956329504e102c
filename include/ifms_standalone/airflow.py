"""Airflow as `make run` runs it: its settings, as environment variables, and its REST API, as a small client."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests

from ifms.ledger.migrate import WORKER
from ifms_standalone.errors import StandaloneError
from ifms_standalone.postgres import LOOPBACK, SUPERUSER, Server
from ifms_standalone.settings import REPOSITORY, Folder, Ports, Secrets

USER = "admin"
LOGIN = "ifms_airflow"
"""Whom Airflow's tasks log in to the ledger as."""
TREASURY_POOL = "ifms_treasury"
FINISHED = frozenset({"success", "failed"})
_PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
_CALL_SECONDS = 30.0
_PAGE = 100
_PROGRAM = Path(sys.executable).parent / "airflow"


def environment(
    folder: Folder,
    ports: Ports,
    secrets: Secrets,
    log_ports: tuple[int, int],
    connections: Mapping[str, object],
    first_day: date,
) -> dict[str, str]:
    """Build the environment of Airflow's processes: ours, without other Airflow settings, with those of this run.

    `log_ports` are two free ports for the servers of task and trigger logs. `connections` are by connection id. DAGs
    that catch up begin the day before `first_day`.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    database = f"{SUPERUSER}:{secrets.postgres_password}@{LOOPBACK}:{ports.postgres}/airflow"
    settings = {
        "IFMS_START_DATE": ours.get("IFMS_START_DATE") or first_day - timedelta(days=1),
        # What the one user starts in Airflow itself may begin; the pages know that they are an administrator.
        "IFMS_RIGHTS": ours.get("IFMS_RIGHTS") or f"user:{USER} = *:act",
        # The simulated platform speaks plain http on this machine.
        "IFMS_PLATFORM_HTTP_HOSTS": ours.get("IFMS_PLATFORM_HTTP_HOSTS") or LOOPBACK,
        "AIRFLOW_HOME": folder.airflow,
        "AIRFLOW__CORE__DAGS_FOLDER": REPOSITORY / "dags",
        "AIRFLOW__CORE__PLUGINS_FOLDER": REPOSITORY / "plugins",
        "AIRFLOW__CORE__LOAD_EXAMPLES": False,
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": 8,
        "AIRFLOW__CORE__FERNET_KEY": secrets.fernet_key,
        # Airflow hides a connection's extra by the names of its keys, and does not know these as secret.
        "AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES": "log_key,signing_key",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": folder.airflow / "passwords.json",
        # Tasks report here; unset, it is port 8080 whatever the API server listens on.
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{LOOPBACK}:{ports.airflow}/execution/",
        # Two busy cores answer late; a task whose start is not answered fails, and its retry comes minutes later.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": 30,
        # Started again, the scheduler may have work before the API server listens: such a task waits, too.
        "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": 12,
        "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX": 10,
        # The UI takes a DAG's owner from its unmapped tasks only; ours are all mapped, and get this one.
        "AIRFLOW__OPERATORS__DEFAULT_OWNER": "ifms",
        "AIRFLOW__API__HOST": LOOPBACK,
        "AIRFLOW__API__PORT": ports.airflow,
        "AIRFLOW__API__BASE_URL": f"http://{LOOPBACK}:{ports.airflow}",
        "AIRFLOW__API__WORKERS": 1,
        "AIRFLOW__API__SECRET_KEY": secrets.api_secret,
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.jwt_secret,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": folder.logs / "tasks",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": log_ports[0],
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": log_ports[1],
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": False,
        # `airflow standalone` starts its parts by the name `airflow`: ours of `write_command`.
        "PATH": os.pathsep.join([str(_commands(folder)), str(_PROGRAM.parent), os.environ.get("PATH", os.defpath)]),
    }
    named = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection) for name, connection in connections.items()}
    return ours | {name: str(value) for name, value in settings.items()} | named


def write_command(folder: Folder) -> None:
    """Make an `airflow` for `airflow standalone` to start its parts by: without their servers of logs.

    Those listen at every address of the machine, and no setting changes it; the API server reads the files itself.
    """
    _commands(folder).mkdir(exist_ok=True)
    program = shlex.quote(str(_PROGRAM))
    file = _commands(folder) / "airflow"
    file.write_text(
        "#!/bin/sh\n"
        f'case $1 in scheduler | triggerer) exec {program} "$@" --skip-serve-logs ;; esac\n'
        f'exec {program} "$@"\n'
    )
    file.chmod(0o700)


def _commands(folder: Folder) -> Path:
    return folder.airflow / "bin"


def write_password(folder: Folder, secrets: Secrets) -> None:
    """Tell Airflow's login the password of `USER`, which it would otherwise invent."""
    file = folder.airflow / "passwords.json"
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as target:
        json.dump({USER: secrets.admin_password}, target)


def admit_tasks(server: Server) -> None:
    """Let Airflow's tasks log in to the ledger: they work on it, and don't own it."""
    server.create_login(LOGIN, _task_password(server), WORKER)


def _task_password(server: Server) -> str:
    return hashlib.sha256(f"{LOGIN}:{server.password}".encode()).hexdigest()  # one secret to keep, two passwords


def ledger_connection(server: Server) -> dict[str, object]:
    """Describe the connection `ifms_db`: the login of `admit_tasks`."""
    return {
        "conn_type": "postgres",
        "host": LOOPBACK,
        "port": server.port,
        "login": LOGIN,
        "password": _task_password(server),
        "schema": "ifms",
    }


class Client:
    """The calls of Airflow's REST API that a cycle needs. Raises StandaloneError for an answer that it can't use."""

    def __init__(self, port: int, password: str) -> None:
        self.address = f"http://{LOOPBACK}:{port}"
        self._password = password
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy has no business between two processes of one machine

    def unhealthy_parts(self) -> list[str]:
        """Name Airflow's parts that are not up."""
        try:
            reply = self._session.get(f"{self.address}/api/v2/monitor/health", timeout=_CALL_SECONDS)
            health = reply.json()
        except (requests.RequestException, ValueError):
            return ["api_server"]
        return [part for part in _PARTS if (health.get(part) or {}).get("status") != "healthy"]

    def log_in(self) -> None:
        """Get a token for the calls below; it lasts a day."""
        body = {"username": USER, "password": self._password}
        token = self._call("POST", "/auth/token", body)["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def missing_dags(self, dag_ids: tuple[str, ...]) -> list[str]:
        """Name those that Airflow has not parsed (yet)."""
        known = {dag["dag_id"] for dag in self._call("GET", f"/api/v2/dags?limit={_PAGE}")["dags"]}
        return [dag_id for dag_id in dag_ids if dag_id not in known]

    def import_errors(self) -> list[str]:
        """Say which DAG files could not be parsed, and why (the last line of each traceback)."""
        errors = self._call("GET", f"/api/v2/importErrors?limit={_PAGE}")["import_errors"]
        return [f"{each['filename']}: {each['stack_trace'].strip().splitlines()[-1]}" for each in errors]

    def set_pool(self, name: str, slots: int) -> None:
        """Make the pool, or leave it as somebody has set it."""
        body = {"name": name, "slots": slots, "description": "Treasury sweeps at a time"}
        self._call("POST", "/api/v2/pools", body, accept=(HTTPStatus.CONFLICT,))

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run the DAG."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}?update_mask=is_paused", {"is_paused": False})

    def pause(self, dag_id: str) -> None:
        """Let the scheduler start no run of the DAG; assets that would start one are not remembered."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}?update_mask=is_paused", {"is_paused": True})

    def due_since(self, dag_id: str) -> datetime | None:
        """Tell since when a run of the DAG's schedule is due that the scheduler has not made yet; None if none is."""
        after = self._call("GET", f"/api/v2/dags/{dag_id}")["next_dagrun_run_after"]
        moment = datetime.fromisoformat(after) if after else None
        return moment if moment and moment <= datetime.now(UTC) else None

    def trigger(self, dag_id: str, run_id: str, form: Mapping[str, object] | None = None) -> None:
        """Start a DAG run with what its form says; the same `run_id` again changes nothing."""
        body = {"dag_run_id": run_id, "logical_date": None} | ({"conf": dict(form)} if form else {})
        self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body, accept=(HTTPStatus.CONFLICT,))

    def state(self, dag_id: str, run_id: str) -> str:
        """Tell the state of a DAG run: queued, running, success or failed."""
        state: str = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"]
        return state

    def active_runs(self, dag_id: str) -> list[str]:
        """Name the DAG runs that wait or run, whoever started them."""
        query = f"/api/v2/dags/{dag_id}/dagRuns?state=queued&state=running&limit={_PAGE}"
        return [run["dag_run_id"] for run in self._call("GET", query)["dag_runs"]]

    def _call(self, method: str, path: str, body: object = None, accept: tuple[HTTPStatus, ...] = ()) -> dict[str, Any]:
        reply = self._answer(method, path, body)
        if not reply.ok and reply.status_code not in accept:
            raise StandaloneError(f"Airflow answered {reply.status_code} to {method} {path}: {reply.text[:300]}")
        try:
            answer: dict[str, Any] = reply.json()
        except ValueError:
            raise StandaloneError(f"Airflow's answer to {method} {path} is not JSON: {reply.text[:100]!r}.") from None
        return answer

    def _answer(self, method: str, path: str, body: object, tries: int = 5) -> requests.Response:
        # All calls can be repeated: those that change something name what they want to be there.
        for left in reversed(range(tries)):
            try:
                return self._session.request(method, self.address + path, json=body, timeout=_CALL_SECONDS)
            except requests.RequestException as error:
                if not left:
                    raise StandaloneError(
                        f"Airflow's API at {self.address} does not answer ({type(error).__name__})."
                    ) from error
                time.sleep(1)
        raise AssertionError("the loop returns or raises")
