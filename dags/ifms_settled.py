"""Which days are settled, for other teams' DAGs

## What
Updates the asset `ifms_settled` once for each day whose payments are settled, so that a DAG of another team can wait
for it. A payment's day is the date (IST) on which the platform raised it. The day is settled once it is over and the
payment instruction of each of its payments was SUCCESSFUL or PARTIAL for the first time: then of each beneficiary it is
known whether the bank has paid or given back. A day without payments is settled when it is over. A day is not settled
while a payment has no payment instruction, or only one that is under way or FAILED. What comes back or is corrected
later does not open it again; a payment of which the platform tells later does, and the day is announced again.

The event's extra: `day`, `rows` and `rupees` of its payments, `came_back_rows` and `came_back_rupees`, `settled_at`.
`include/examples/example_ifms_settled.py` waits for it. An event may come twice (of a run that is cleared): go by
`day`.

## When
Daily at 00:30 IST (`IFMS_SCHEDULE_SETTLED`), about what became settled in the data interval that ends then. Where
`IFMS_START_DATE` is set, missed runs are made up for, so no day is left out. A backfill announces the days of its
intervals again. Through the form: one day, as it stands now.

## Reads
`ifms.payment`, `ifms.payment_instruction`, `ifms.beneficiary`, `ifms.status_log`; nothing is asked of the treasury or
the platform.

## Writes
`ifms.sweep_run`. Updates the asset `ifms_settled`.

## If it fails
Nothing was announced: clear the task, as often as you like. A day that the form names and that is not settled is red,
and its `sweep_run` row says of how many payments it is not known what became of them.
"""

from airflow.sdk import DAG, Param

from ifms_airflow.alerts import alerts
from ifms_airflow.assets import SETTLED
from ifms_airflow.operators import AnnounceSettledDaysOperator
from ifms_airflow.schedules import DEFAULT_ARGS, intervals, start_date

START = start_date()

with DAG(
    "ifms_settled",
    description="Which days' payments are settled: daily 00:30 IST",
    schedule=intervals("SETTLED", "30 0 * * *"),
    start_date=START,
    catchup=START is not None,
    doc_md=__doc__,
    tags=["ifms", "ledger"],
    default_args=DEFAULT_ARGS,
    params={
        "day": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Day",
            description="Announce this day as it stands now; what became settled in the data interval when empty.",
        ),
    },
    render_template_as_native_obj=True,
    max_active_runs=1,
    **alerts(),
):
    # No slot of the treasury's, which it does not ask.
    AnnounceSettledDaysOperator(
        task_id="announce", outlets=[SETTLED.alias], day="{{ params.day or '' }}", pool="default_pool"
    )
