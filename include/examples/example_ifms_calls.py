"""Example: how calls to the treasury ended, by service, as a CSV file

## What
Reads the calls of the last days out of the call log, some thousands at a time, and counts them by service and
outcome.

## Needs
The connection `ifms_db`; its login need only be a member of `ifms_read`. Copy this file into your DAG folder. With
`get_df_by_chunks("elasticsearch", …)` it reads what was shipped there, which is kept for longer.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, ObjectStoragePath, Param, task

with DAG(
    "example_ifms_calls",
    description="Calls to the treasury by service and outcome, as CSV",
    schedule=None,
    catchup=False,
    doc_md=__doc__,
    tags=["example", "ifms"],
    params={
        "folder": Param(
            type="string", minLength=1, title="Folder", description="Of the file: file:///reports, or s3://bucket/path."
        ),
        "days": Param(7, type="integer", minimum=1, maximum=366, title="Days", description="How far to look back."),
    },
    default_args={"do_xcom_push": False},
):
    # [START howto_hook_call_log]
    @task
    def count_calls(params: dict[str, Any] | None = None) -> None:
        """Count calls, page by page; the file has a row per service, and a column per outcome."""
        import pandas as pd

        from ifms.queries.frames import rows_of
        from ifms.reports.files.sheets import csv_rows
        from ifms_airflow.hooks import CallLogHook

        asked = params or {}
        since = datetime.now(UTC) - timedelta(days=asked["days"])
        counted = [
            calls.assign(outcome=calls["outcome"].fillna("no outcome")).groupby(["service_id", "outcome"]).size()
            for calls in CallLogHook().get_df_by_chunks(since=since)
        ]
        by_service = pd.concat(counted).groupby(level=[0, 1]).sum().unstack(fill_value=0)
        for outcome in ("answered", "rejected", "never_sent", "unknown", "no outcome"):
            if outcome not in by_service:
                by_service[outcome] = 0
        table = by_service.reset_index(names="service")
        target = ObjectStoragePath(asked["folder"]) / "calls-by-service.csv"
        target.write_bytes("".join(csv_rows(list(table.columns), rows_of(table))).encode())

    # [END howto_hook_call_log]

    count_calls()
