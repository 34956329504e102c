"""Example: how long payment instructions have been waiting, by city, as a CSV file

## What
Reads the view `open_payment_instruction` into a data frame, counts PIs and rupees by city and age, and writes a CSV
file that a spreadsheet opens without running anything in it.

## Needs
The connection `ifms_db`; its login need only be a member of `ifms_read`. Copy this file into your DAG folder.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, ObjectStoragePath, Param, task

AGES = {"up to a day": 1, "up to a week": 7, "up to a month": 30, "longer": 100_000}

with DAG(
    "example_ifms_ageing",
    description="Open payment instructions by city and age, as CSV",
    schedule=None,
    catchup=False,
    doc_md=__doc__,
    tags=["example", "ifms"],
    params={
        "folder": Param(
            type="string", minLength=1, title="Folder", description="Of the file: file:///reports, or s3://bucket/path."
        )
    },
    default_args={"do_xcom_push": False},
):
    # [START howto_hook_ledger_open_payment_instructions]
    @task
    def write_ageing(params: dict[str, Any] | None = None) -> None:
        """Count what waits; the file has a row per city and age, and only its header when nothing waits."""
        import pandas as pd

        from ifms.queries.frames import rows_of
        from ifms.reports.files.sheets import csv_rows
        from ifms_airflow.hooks import LedgerHook

        waiting = LedgerHook().open_payment_instructions_df()
        ages = pd.cut(waiting["age_days"].astype("int64"), [-1, *AGES.values()], labels=list(AGES))
        ageing = (
            waiting.groupby(["tenant_id", ages], observed=True)
            .agg(payment_instructions=("id", "count"), rupees=("net_amount", "sum"), oldest_since=("created_at", "min"))
            .reset_index(names=["city", "age"])
        )
        target = ObjectStoragePath((params or {})["folder"]) / "open-payment-instructions.csv"
        target.write_bytes("".join(csv_rows(list(ageing.columns), rows_of(ageing))).encode())

    # [END howto_hook_ledger_open_payment_instructions]

    write_ageing()
