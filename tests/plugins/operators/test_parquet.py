"""What ExportParquetOperator refuses before it writes anything; tests/include/examples runs it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

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
