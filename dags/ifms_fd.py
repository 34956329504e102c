"""Failed payments (FD)

## What
Fetches the payments that came back from the bank, voucher date by voucher date. The bank may give money back weeks
after it was paid: so each run asks, side by side, for every voucher date of the last 100 days (`IFMS_FD_DAYS`) on which
a payment of ours may still come back. That is who is paid, by the date of the voucher, and who is not paid yet, from
the day of the bill on; dates of which nothing can come back are not asked for. Where the voucher's date that was told
can't be right (over a week after it was told, or over 100 days before), that one is asked for, and every date from the
bill's to the telling. The beneficiaries named become Payment
Failed with the bank's reason; their PI is PARTIAL once all others are paid. A failure that matches no payment
instruction is kept in `ifms.reported_failure` and shown.

## When
Daily at 22:00 IST (`IFMS_SCHEDULE_FD`), from `IFMS_START_DATE` (yyyy-mm-dd) on; missed days are caught up
with from there, and not at all where it is not set. The data interval of a run is the day before it, its
logical date that day's start; what it asks for is the whole window, up to the day when it runs. So the next run makes
good for a day without one, up to the window's length. Airflow makes up for missed runs, too: each of them asks for
every date of its own data interval, whether or not a voucher of ours has it, so that no date is left out however long
the outage was. So does a backfill. Its range counts logical dates, which are a day before the firing times: logical
dates from 10 to 12 November at 22:00 ask for the dates from 10 to 13 November, two in each run. The form asks for every
date of a period, of up to a year, in one run. Asking twice changes nothing.

## Reads
The treasury's service FD; `ifms.payment_instruction`, `ifms.beneficiary`.

## Writes
`ifms.beneficiary`, `ifms.payment_instruction`, `ifms.reported_failure`, `ifms.voucher_date_asked`,
`ifms.status_log`, `ifms.treasury_call`, `ifms.outbox`, `ifms.sweep_run` (how many dates were asked for, the oldest and
the newest). Updates the asset `ifms_outbox` while the platform must hear of something.

## If it fails
What was answered is booked; run it again for the rest, or leave it to the next run. Red means that a date was not heard
of (tried again by itself), or that a row could not be read or matches nothing: the run's log and its `sweep_run` row
name the date and the bill. `ifms_reconcile` names the dates that were not answered for longer than a day.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param

from ifms_airflow.alerts import alerts
from ifms_airflow.assets import OUTBOX
from ifms_airflow.operators import FetchFailuresOperator
from ifms_airflow.schedules import DEFAULT_ARGS, clock, failure_days, start_date

INTERVAL = timedelta(days=1)
START = start_date()

with DAG(
    "ifms_fd",
    description="Failed payments of the last months: daily 22:00 IST",
    schedule=clock("FD", "0 22 * * *", interval=INTERVAL),
    # A run is dated by its interval's start, and Airflow leaves out the tasks of runs dated before the start date.
    start_date=None if START is None else START - INTERVAL,
    catchup=START is not None,
    doc_md=__doc__,
    tags=["ifms", "treasury"],
    default_args=DEFAULT_ARGS,
    params={
        "since": Param(
            None,
            type=["null", "string"],
            format="date",
            title="From",
            description="Ask for every voucher date from this one on; when empty, for those that matter.",
        ),
        "until": Param(
            None,
            type=["null", "string"],
            format="date",
            title="To",
            description="The last date of that period, of up to a year; today when empty.",
        ),
    },
    render_template_as_native_obj=True,
    max_active_runs=1,
    **alerts(),
):
    FetchFailuresOperator(
        task_id="fetch_failures",
        outlets=[OUTBOX.alias],
        days=failure_days(),
        since="{{ params.since or '' }}",
        until="{{ params.until or '' }}",
    )
