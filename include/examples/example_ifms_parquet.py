"""Example: a month of the fund register as Parquet, for pandas, DuckDB and others

## What
Writes `<folder>/<view>/city=<tenant>/month=<yyyy-mm>/rows.parquet`, a file for each city: amounts are decimals,
instants UTC, and each column says in the file what it means. Made again, each file is replaced as a whole. Read it by

    pandas.read_parquet("/lake/fund_register", dtype_backend="pyarrow").groupby("city").transaction_amount.sum()
    duckdb.sql("SELECT city, sum(transaction_amount) FROM '/lake/fund_register/**/*.parquet' GROUP BY city")

## Needs
The connection `ifms_db`, pyarrow. Copy this file into your DAG folder.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from ifms_airflow.operators import ExportParquetOperator

VIEWS = ["fund_register", "beneficiary_payment", "payment_instruction_summary"]

with DAG(
    "example_ifms_parquet",
    description="A month of a view as Parquet, by city",
    schedule=None,
    catchup=False,
    doc_md=__doc__,
    tags=["example", "ifms"],
    params={
        "folder": Param(type="string", minLength=1, title="Folder", description="file:///lake, or s3://bucket/lake."),
        "view": Param("fund_register", enum=VIEWS, title="View"),
        "month": Param(type="string", pattern=r"^\d{4}-\d{2}$", title="Month", description="Like 2026-11."),
    },
    default_args={"do_xcom_push": False},
):
    # [START howto_operator_ifms_export_parquet]
    ExportParquetOperator(
        task_id="export",
        path="{{ params.folder }}",
        view="{{ params.view }}",
        month="{{ params.month }}",
    )
    # [END howto_operator_ifms_export_parquet]
