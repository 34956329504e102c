"""The example that writes Parquet, run: pandas reads the register's sums, and a second run replaces what was there."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from support.adapter import Adapter

from ifms import clock

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 1})]


def test_a_month_of_the_register_and_the_same_again(adapter: Adapter, run_example, tmp_path: Path, monkeypatch):
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    month = f"{clock.to_ist(clock.now()):%Y-%m}"
    lake = tmp_path / "fund_register"

    def sums() -> dict[str, Decimal]:
        frame = pd.read_parquet(lake, dtype_backend="pyarrow")
        return {city: sum(rows["transaction_amount"], Decimal(0)) for city, rows in frame.groupby("tenant_id")}

    def known() -> dict[str, Decimal]:
        rows = adapter.rows("SELECT tenant_id, sum(transaction_amount) AS s FROM ifms.fund_register GROUP BY 1")
        return {row["tenant_id"]: row["s"] for row in rows}

    def files() -> list[str]:
        return sorted(path.relative_to(lake).as_posix() for path in lake.rglob("*") if path.is_file())

    assert run_example("example_ifms_parquet", month=month)[0] == "success"
    assert sums() == known()
    assert files() == [f"city={city}/month={month}/rows.parquet" for city in sorted(known())]
    for service in ("PIS", "PAG", "PD"):
        adapter.run(service)
    assert run_example("example_ifms_parquet", month=month)[0] == "success"
    assert sums() == known()

    # What can't be put in place leaves the file that was there, and no other.
    from fsspec.implementations.local import LocalFileSystem

    before = {name: (lake / name).read_bytes() for name in files()}

    def fails(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LocalFileSystem, "mv", fails)
    assert run_example("example_ifms_parquet", month=month)[0] == "failed"
    assert {name: (lake / name).read_bytes() for name in files()} == before
