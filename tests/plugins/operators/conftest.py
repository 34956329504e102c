"""What the operators' tests share: DAG runs that do not wait for a retry, and what they left in the ledger."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from support import dags as support_dags

DAG_IDS = ("ifms_va", "ifms_pa", "ifms_pi", "ifms_pis", "ifms_pag", "ifms_pd")


@pytest.fixture
def without_retries(run_dag: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that would be tried again in five minutes ends red at once."""
    for dag_id in DAG_IDS:
        monkeypatch.setitem(support_dags._dag(dag_id).tasks[0].partial_kwargs, "retries", 0)


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
    """`sweeps(run)`: the rows that the tasks of a DAG run left in sweep_run, by shard."""

    def rows(run: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = adapter.rows(
            "SELECT * FROM ifms.sweep_run WHERE dag_id = %s AND run_id = %s ORDER BY shard", run.dag_id, run.run_id
        )
        return found

    return rows
