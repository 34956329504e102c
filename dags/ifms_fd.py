"""Failed payments (FD)

## What
Fetches the payments that came back from the bank, voucher date by voucher date, for the last 72 hours. The
beneficiaries named become Payment Failed with the bank's reason; their PI is PARTIAL once all others are paid. A
failure that matches no payment instruction is kept in `ifms.unmatched_failure` and shown.

## When
Daily at 22:00 IST (`IFMS_SCHEDULE_FD`), each run for the 72 hours before it. A missed day is asked for by itself,
from `IFMS_START_DATE` on. A backfill asks for the 72 hours before each of its firing times; asking twice changes
nothing.

## Reads
The treasury's service FD; `ifms.payment_instruction`, `ifms.beneficiary`.

## Writes
`ifms.beneficiary`, `ifms.payment_instruction`, `ifms.unmatched_failure`, `ifms.status_log`, `ifms.treasury_call`,
`ifms.outbox`, `ifms.sweep_run`. Updates the asset `ifms_outbox` while the platform must hear of something.

## If it fails
What was answered is booked; run it again for the rest. A date that no run of the following 72 hours has heard of
needs a backfill. Red means that a day was not heard of (tried again by itself), or that a row could not be read or
matches nothing: the run's log and its `sweep_run` row name the day and the bill.
"""

from datetime import timedelta

from airflow.sdk import DAG

from ifms_airflow.alerts import alerts
from ifms_airflow.assets import OUTBOX
from ifms_airflow.operators import FetchFailuresOperator
from ifms_airflow.schedules import DEFAULT_ARGS, clock, start_date

WINDOW = timedelta(hours=72)

with DAG(
    "ifms_fd",
    description="Failed payments of the last 72 hours: daily 22:00 IST",
    schedule=clock("FD", "0 22 * * *", interval=WINDOW),
    # A run is dated by its window's start, and Airflow leaves out the tasks of runs dated before the start date.
    start_date=start_date() - WINDOW,
    catchup=True,
    doc_md=__doc__,
    tags=["ifms", "treasury"],
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    **alerts(),
):
    FetchFailuresOperator(task_id="fetch_failures", outlets=[OUTBOX.alias])
