"""DAG runs in which an operator is watched: without waiting for a retry, and what they left in the ledger."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from support import dags as support_dags


@pytest.fixture
def without_retries(run_dag: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that would be tried again in five minutes ends red at once."""
    for dag in support_dags._bag().dags.values():
        for task in dag.tasks:
            if hasattr(task, "partial_kwargs"):
                monkeypatch.setitem(task.partial_kwargs, "retries", 0)
            else:
                monkeypatch.setattr(task, "retries", 0)


@pytest.fixture
def change_connection(airflow_connections: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`change_connection("ifms_treasury", max_concurrency=2)`: another value in a connection's extra."""

    def change(conn_id: str, **extra: object) -> None:
        name = f"AIRFLOW_CONN_{conn_id.upper()}"
        described = json.loads(os.environ[name])
        described["extra"] = described.get("extra", {}) | extra
        monkeypatch.setenv(name, json.dumps(described))

    return change


@pytest.fixture
def sweeps(adapter: Any) -> Any:
    """`sweeps(run)`: the rows that a DAG run left in sweep_run, by shard; of ifms_pi, those of its first task."""

    def rows(run: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = adapter.rows(
            """
            SELECT * FROM ifms.sweep_run WHERE dag_id = %s AND run_id = %s AND service_id = upper(substr(dag_id, 6))
            ORDER BY shard
            """,
            run.dag_id,
            run.run_id,
        )
        return found

    return rows
