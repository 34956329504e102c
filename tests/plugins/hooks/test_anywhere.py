"""The hooks in a script: connections in the environment, no metadata database, no task, and pandas only when needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.adapter import Adapter

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})]

SCRIPT = """
import json, sys
from datetime import UTC, datetime

from ifms_airflow.hooks import CallLogHook, LedgerHook, PlatformHook, TreasuryHook

early = "pandas" in sys.modules
ledger, treasury, platform, calls = LedgerHook(), TreasuryHook(), PlatformHook(), CallLogHook()
pis = ledger.payment_instructions_df()
register = ledger.fund_register_df()
units = register[["hoa_code", "ddo_code", "grantee_code"]].itertuples(index=False, name=None)
tenant = pis["tenant_id"][0]
payments = platform.payments_df([tenant])
made = {
    "pis": pis,
    "register": register,
    "query": ledger.get_df("SELECT sum(net_amount) AS rupees FROM ifms.open_payment_instruction"),
    "allotments": treasury.allotments_df(units, datetime(2020, 4, 1, tzinfo=UTC)),
    "statuses": treasury.payment_instruction_status_df(list(pis["pi_number"])),
    "payments": payments,
    "bills": platform.bills_df(tenant, payments["bill_ids"][0]),
    "to pay": platform.bills_to_pay_df([tenant]),
    "calls": calls.get_df(),
}
# Elasticsearch is not configured; without a metadata database nobody could say so but the environment.
try:
    calls.get_df("elasticsearch")
except Exception as error:
    elsewhere = f"{type(error).__name__}: {error}"
print(json.dumps({
    "early": early, "elsewhere": elsewhere,
    "rows": {name: len(frame) for name, frame in made.items()},
    "money": str(made["query"]["rupees"][0]),
    "dtypes": {name: {c: str(t) for c, t in frame.dtypes.items()} for name, frame in made.items()},
}))
"""


@pytest.fixture
def said(adapter: Adapter, airflow_connections: Any, tmp_path: Path) -> dict[str, Any]:
    """What the script prints."""
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    nowhere = {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://nobody:sample@127.0.0.1:1/nowhere",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=os.environ | nowhere, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_frames_are_made_in_a_script_without_anything_of_airflow_running(adapter: Adapter, said: dict[str, Any]):
    assert said["early"] is False  # who imports the hooks does not wait for pandas
    assert said["rows"] | {"calls": 1} == {
        "pis": 1,
        "register": said["rows"]["allotments"] + 1,
        "query": 1,
        "allotments": said["rows"]["allotments"],
        "statuses": 1,
        "payments": 1,
        "bills": 1,
        "to pay": 0,
        "calls": 1,
    }
    [row] = adapter.rows("SELECT net_amount FROM ifms.payment_instruction")
    assert said["money"] == str(row["net_amount"])
    assert said["rows"]["calls"] == len(adapter.rows("SELECT id FROM ifms.treasury_call"))
    assert "ConfigurationError" in said["elsewhere"]
    assert "ifms_elasticsearch" in said["elsewhere"]
    for name, dtypes in said["dtypes"].items():
        for column, dtype in dtypes.items():
            assert not dtype.lower().startswith("float"), (name, column)
            if column.endswith(("amount", "balance", "rupees", "fund_available")):
                assert dtype == "object", (name, column)  # Decimal
            if column.endswith("_at"):
                assert dtype == "datetime64[us, UTC]", (name, column)
