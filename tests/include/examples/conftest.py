"""What the tests of the examples share: the example's own DAG file, really run."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.dags import _params_left_alone
from support.environment import REPO

EXAMPLES = REPO / "include" / "examples"


@pytest.fixture
def run_example(
    airflow_db: str, airflow_connections: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[str, Any]]:
    """`run_example(name, **conf)`: the state that the DAG of that file ended in, and the rows of the file it wrote."""
    folders = [("examples", EXAMPLES), ("dags-folder", REPO / "dags")]  # as if they had been copied to a DAG folder
    bundles = [
        {
            "name": name,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(path)},
        }
        for name, path in folders
    ]
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(bundles))

    def run(name: str, **conf: Any) -> tuple[str, list[dict[str, str]]]:
        from airflow.dag_processing.dagbag import DagBag

        bag = DagBag(EXAMPLES / f"{name}.py")
        assert not bag.import_errors, bag.import_errors
        dag = bag.dags[name]
        with _params_left_alone(dag):
            ended = dag.test(logical_date=datetime.now(UTC), run_conf={"folder": f"file://{tmp_path}"} | conf)
        with psycopg.connect(airflow_db) as metadata:
            assert metadata.execute("SELECT count(*) FROM xcom WHERE dag_id = %s", (name,)).fetchone() == (0,)
        written = list(tmp_path.glob("*.csv"))
        rows = list(csv.DictReader(io.StringIO(written[0].read_text("utf-8-sig")))) if written else []
        return str(ended.state), rows

    return run
