"""ExportParquetOperator: an object storage that is no folder, and what it refuses; tests/include/examples runs it."""

import json
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.databases import as_worker
from support.reported import Reported

from ifms import clock
from ifms.errors import BadInputError

pytestmark = pytest.mark.airflow


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"month": "2026-13"}, "2026-13"),
        ({"month": "November"}, "November"),
        ({"month": None}, "must be texts"),
        ({"path": ""}, "must be texts"),
        ({"tenants": [1]}, "tenants must be a list"),
    ],
)
def test_what_can_not_be_meant_is_refused_and_nothing_is_written(changed: dict[str, Any], why: str, tmp_path: Path):
    from ifms_airflow.operators import ExportParquetOperator

    options: dict[str, Any] = {"path": f"file://{tmp_path}", "view": "fund_register", "month": "2026-11"} | changed
    context: Any = {"ti": SimpleNamespace(dag_id="sample", run_id="sample", try_number=1)}
    with pytest.raises(BadInputError, match=why):
        ExportParquetOperator(task_id="export", **options).execute(context)
    assert list(tmp_path.iterdir()) == []


def test_an_object_storage_has_the_registers_sums(reported: Reported, monkeypatch: pytest.MonkeyPatch):
    import pandas as pd
    from airflow.sdk.io import fs
    from fsspec.implementations.memory import MemoryFileSystem

    from ifms_airflow.operators import ExportParquetOperator

    ledger = urlsplit(as_worker(reported.adapter.dsn))
    connection = {
        "conn_type": "postgres",
        "host": ledger.hostname,
        "port": ledger.port,
        "login": ledger.username,
        "password": ledger.password,
        "schema": ledger.path.lstrip("/"),
    }
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_DB", json.dumps(connection))
    monkeypatch.setitem(fs._register_filesystems(), "memory", lambda _: MemoryFileSystem())  # type: ignore[arg-type]
    month = f"{clock.to_ist(reported.at('settled')):%Y-%m}"
    context: Any = {"ti": SimpleNamespace(dag_id="sample", run_id="sample", try_number=1)}
    task = ExportParquetOperator(task_id="export", path="memory://bucket/lake", view="fund_register", month=month)
    task.execute(context)
    known = reported.adapter.rows("SELECT tenant_id, sum(transaction_amount) AS s FROM ifms.fund_register GROUP BY 1")
    found = {}
    for path in MemoryFileSystem().glob("memory://bucket/lake/**/*.parquet"):
        city = path.split("city=")[1].split("/")[0]
        with MemoryFileSystem().open(path) as file:
            found[city] = sum(pd.read_parquet(file, dtype_backend="pyarrow")["transaction_amount"], Decimal(0))
    assert found == {row["tenant_id"]: row["s"] for row in known}
    assert len(task.written) == len(found) == 2
