"""Example: whether the ledger holds the allotments that the treasury tells

## What
Asks the treasury (VA) anew about every spending unit and head of account that the fund register has, and compares:
what only one of the two has, or has with another amount, goes into a CSV file, and the run ends red. Nothing is
recorded but the calls: ifms_va records allotments.

## Needs
The connections `ifms_treasury` and `ifms_db`; the ledger's login must be a member of `ifms_work`, because each call to
the treasury is logged. The task takes its turn in the pool `ifms_treasury`. Copy this file into your DAG folder.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from airflow.sdk import DAG, ObjectStoragePath, Param, task
from airflow.sdk.exceptions import AirflowFailException

UNIT = ["hoa_code", "ddo_code", "grantee_code"]
ALLOTMENT = ["hoa_code", "ddo_code", "master_allotment_id", "transaction_number"]

with DAG(
    "example_ifms_allotments",
    description="The treasury's allotments against the ledger's",
    schedule=None,
    catchup=False,
    doc_md=__doc__,
    tags=["example", "ifms"],
    params={
        "folder": Param(
            type="string", minLength=1, title="Folder", description="Of the file: file:///reports, or s3://bucket/path."
        ),
        "since": Param(type="string", format="date", title="Since", description="The first allotment date (IST)."),
    },
    default_args={"do_xcom_push": False},
):
    # [START howto_hook_treasury_allotments]
    @task(pool="ifms_treasury")
    def compare_allotments(params: dict[str, Any] | None = None) -> None:
        """Compare, write what differs, and fail when something does."""
        from ifms.clock import IST
        from ifms.queries.frames import rows_of
        from ifms.reports.files.sheets import csv_rows
        from ifms_airflow.hooks import LedgerHook, TreasuryHook

        asked = params or {}
        since = datetime.combine(date.fromisoformat(asked["since"]), datetime.min.time(), IST)
        register = LedgerHook().fund_register_df()
        held = register[register["ssu_allotment_id"].notna() & (register["transaction_date"] >= asked["since"])]
        units = register[UNIT].drop_duplicates().itertuples(index=False, name=None)
        reported = TreasuryHook().allotments_df(units, since)
        both = reported.merge(
            held[[*ALLOTMENT, "transaction_amount"]],
            on=ALLOTMENT,
            how="outer",
            suffixes=("", "_in_ledger"),
            indicator="where",
        )
        same = (both["where"] == "both") & (both["transaction_amount"] == both["transaction_amount_in_ledger"])
        wrong = both.loc[~same, [*ALLOTMENT, "where", "transaction_amount", "transaction_amount_in_ledger"]]
        wrong["where"] = wrong["where"].map(
            {"left_only": "only the treasury", "right_only": "only the ledger", "both": "other amounts"}
        )
        target = ObjectStoragePath(asked["folder"]) / "allotments-that-differ.csv"
        target.write_bytes("".join(csv_rows(list(wrong.columns), rows_of(wrong))).encode())
        if len(wrong):
            raise AirflowFailException(f"{len(wrong)} allotment(s) differ: see {target}")

    # [END howto_hook_treasury_allotments]

    compare_allotments()
