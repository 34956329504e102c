"""Airflow's API server with the adapter's app mounted by the plugin, and its users: one per role, and nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from support import dags

ORIGIN = "http://testserver"
ROLES = ("viewer", "user", "op", "admin")
REQUEST_INFO = {"apiId": "Rainmaker", "msgId": "1|en_IN", "userInfo": {"uuid": "u-1", "roles": []}}


@pytest.fixture(scope="session")
def airflow_app(airflow_db: str) -> Any:
    """Airflow's own FastAPI app, with its DAGs in the metadata database."""
    from airflow.api_fastapi.app import create_app

    dags._sync()
    return create_app(apps="core")


@pytest.fixture
def api(airflow_app: Any, airflow_connections: Any) -> Iterator[Any]:
    """`api("user")`: a client with that role's bearer token; `api()`: one that nobody knows; cookie=True: a browser."""
    from fastapi.testclient import TestClient

    made = []

    def client(role: str | None = None, *, cookie: bool = False, **options: Any) -> Any:
        new = TestClient(airflow_app, follow_redirects=False, **options)
        made.append(new)
        if role is not None:
            token = token_of(airflow_app, f"sample-{role}", role)
            if cookie:
                new.cookies.set("_token", token)
                new.headers["Origin"] = ORIGIN
                new.headers["Accept"] = "text/html"
            else:
                new.headers["Authorization"] = f"Bearer {token}"
        return new

    yield client
    our_app(airflow_app).state.reads.close()
    for each in made:
        each.close()


def token_of(airflow_app: Any, name: str, role: str) -> str:
    """What a user of this name and role logs in with."""
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return str(airflow_app.state.auth_manager.generate_jwt(SimpleAuthManagerUser(username=name, role=role.upper())))


@pytest.fixture
def post(api: Any) -> Any:
    """`post("pi/v1/_search", tenantId=…, role="admin")`: a body with RequestInfo; the answer."""

    def call(path: str, role: str = "admin", **body: Any) -> Any:
        return api(role).post(f"/ifms/{path}", json={"RequestInfo": REQUEST_INFO, **body})

    return call


def runs(airflow_db: str, dag_id: str) -> list[dict[str, Any]]:
    """The runs of a DAG that were started by hand, the latest first."""
    from psycopg.rows import dict_row

    with psycopg.connect(airflow_db, row_factory=dict_row) as connection:
        return connection.execute(
            "SELECT run_id, conf, triggering_user_name, state FROM dag_run WHERE dag_id = %s ORDER BY id DESC",
            (dag_id,),
        ).fetchall()


def audited(airflow_db: str) -> list[tuple[Any, ...]]:
    """What the audit log says of our doings: event, owner, DAG, extra; the latest first."""
    with psycopg.connect(airflow_db) as connection:
        return connection.execute(
            "SELECT event, owner, dag_id, extra FROM log WHERE event LIKE 'ifms.%' ORDER BY id DESC"
        ).fetchall()


def none_waits(airflow_db: str, dag_id: str) -> None:
    """No run of the DAG waits to begin any more: those of earlier tests have ended."""
    with psycopg.connect(airflow_db) as connection:
        connection.execute("UPDATE dag_run SET state = 'failed' WHERE dag_id = %s AND state = 'queued'", (dag_id,))


def rung(airflow_db: str, name: str) -> int:
    """How often the asset was updated."""
    with psycopg.connect(airflow_db) as connection:
        row = connection.execute(
            "SELECT count(*) FROM asset_event e JOIN asset a ON a.id = e.asset_id WHERE a.name = %s", (name,)
        ).fetchone()
    assert row is not None
    return int(row[0])


def our_app(airflow_app: Any) -> Any:
    """The adapter's app, as it is mounted."""
    return next(route.app for route in airflow_app.routes if getattr(route, "path", "") == "/ifms")
