"""Parquet: what pandas and DuckDB read is what the ledger has, with its types and its units."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.reported import Reported

from ifms import clock
from ifms.errors import BadInputError
from ifms.reports.files import parquet_file


@pytest.fixture
def written(reported: Reported, tmp_path: Path):
    """`written(view)`: the data set of this month, its files laid where they belong."""

    def write(view: str, **options) -> Path:
        month = parquet_file.month_named(f"{clock.to_ist(reported.at('settled')):%Y-%m}")
        with psycopg.connect(reported.adapter.dsn) as connection:
            made = parquet_file.write(connection, view, month, tmp_path, **options)
        for part in made:
            folder = tmp_path / "set" / part.folder
            folder.mkdir(parents=True, exist_ok=True)
            part.file.replace(folder / parquet_file.FILE)
        return tmp_path / "set" / view

    return write


@pytest.mark.parametrize(
    ("view", "money"),
    [
        ("fund_register", "transaction_amount"),
        ("beneficiary_payment", "amount"),
        ("payment_instruction_summary", "net_amount"),
    ],
)
def test_pandas_reads_the_same_sums_by_city(reported: Reported, written, view: str, money: str):
    frame = pd.read_parquet(written(view, chunk=2), dtype_backend="pyarrow")
    known = reported.adapter.rows(f"SELECT tenant_id, count(*) AS n, sum({money}) AS s FROM ifms.{view} GROUP BY 1")
    assert len(known) == 2 or view == "beneficiary_payment"
    found = {city: (len(rows), sum(rows[money], Decimal(0))) for city, rows in frame.groupby("tenant_id")}
    assert found == {row["tenant_id"]: (row["n"], row["s"]) for row in known}
    assert (frame["city"].astype(str) == frame["tenant_id"].astype(str)).all()


def test_duckdb_reads_the_sums_of_the_register(reported: Reported, written):
    duckdb = pytest.importorskip("duckdb")
    where = written("fund_register")
    found = duckdb.sql(
        f"SELECT city, transaction_type, sum(transaction_amount) FROM read_parquet('{where}/**/*.parquet',"
        " hive_partitioning = true) GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    known = reported.adapter.rows(
        "SELECT tenant_id, transaction_type, sum(transaction_amount) AS s FROM ifms.fund_register GROUP BY 1, 2"
    )
    assert sorted(found) == sorted((row["tenant_id"], row["transaction_type"], row["s"]) for row in known)


def test_types_units_and_row_groups(written):
    [file, *_] = sorted(written("fund_register", chunk=2).rglob("*.parquet"))
    schema = pq.read_schema(file)
    assert schema.field("transaction_amount").type == pa.decimal128(15, 2)
    assert schema.field("recorded_at").type == pa.timestamp("us", tz="UTC")
    assert schema.field("transaction_date").type == pa.date32()
    told = schema.field("transaction_amount").metadata
    assert (told[b"unit"], told[b"description"][:6]) == (b"INR", b"Rupees")
    groups = pq.ParquetFile(file).metadata
    assert all(groups.row_group(place).num_rows <= 2 for place in range(groups.num_row_groups))


@pytest.mark.parametrize("month", ["2026-27", "2026", "2026-11-01", "all"])
def test_what_is_no_month_is_refused(month: str):
    with pytest.raises(BadInputError):
        parquet_file.month_named(month)


def test_another_view_is_refused(written):
    with pytest.raises(BadInputError, match="can't be had as Parquet"):
        written("call_log")
