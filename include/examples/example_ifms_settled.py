"""Example: a DAG that runs when the payments of a day are settled

## What
Waits for the asset `ifms_settled`, which ifms_settled updates once for each day whose payments are settled, and writes
what its event tells of the day into a CSV file: payments, rupees, and how much the bank gave back. One run may be told
of several days, and of a day a second time: its file is replaced.

## Needs
Nothing but a run of ifms_settled. Copy this file into your DAG folder, and name the folder of the files.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, ObjectStoragePath, Param, task

SETTLED = Asset("ifms_settled", uri="ifms://settled")
COLUMNS = ["day", "rows", "rupees", "came_back_rows", "came_back_rupees", "settled_at"]

with DAG(
    "example_ifms_settled",
    description="What was paid on a settled day, as CSV",
    schedule=[SETTLED],
    catchup=False,
    doc_md=__doc__,
    tags=["example", "ifms"],
    params={
        "folder": Param(
            "file:///var/lib/settled",
            type="string",
            minLength=1,
            title="Folder",
            description="Of the files: file:///reports, or s3://bucket/path.",
        )
    },
    default_args={"do_xcom_push": False},
):
    # [START howto_asset_ifms_settled]
    @task
    def write_days(params: dict[str, Any] | None = None, triggering_asset_events: Any = None) -> None:  # noqa: ANN401
        """A file for each day that the events name; nothing when it was started by hand."""
        from ifms.reports.files.sheets import csv_rows

        told = triggering_asset_events or {}  # by asset
        for event in (each for asset in told for each in told[asset]):
            target = ObjectStoragePath((params or {})["folder"]) / f"settled-{event.extra['day']}.csv"
            target.write_bytes("".join(csv_rows(COLUMNS, [[event.extra[name] for name in COLUMNS]])).encode())

    # [END howto_asset_ifms_settled]

    write_days()
