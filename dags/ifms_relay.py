"""What the platform must hear (outbox)

## What
Delivers each change of a payment to the platform: the statuses of payment, bill, details and lines, in order per
payment, at least once. What the platform refuses five times is set aside and stays visible with its reason; what
follows for the same payment waits, so that the order holds.

## When
After each DAG that wrote to the outbox, and every 10 minutes (`IFMS_SCHEDULE_RELAY`). Started through the form with
'Send again', what was set aside is tried again. A backfill delivers what is due, as any other run.

## Reads
`ifms.outbox`; the platform's payments.

## Writes
Statuses on the platform; `ifms.outbox`, `ifms.sweep_run`.

## If it fails
Payments are not affected, and nothing is dropped: what could not be delivered is tried again after a pause that
doubles, for as long as it takes. Red means that something was set aside: its row in `ifms.outbox` and the
run's `sweep_run` row say why.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param

from ifms_airflow.assets import OUTBOX
from ifms_airflow.operators import RelayOperator
from ifms_airflow.schedules import DEFAULT_ARGS, bells_or_clock

with DAG(
    "ifms_relay",
    description="What the platform must hear: on each change, and every 10 minutes",
    schedule=bells_or_clock(OUTBOX.asset, "RELAY", "*/10 * * * *", interval=timedelta(minutes=10)),
    doc_md=__doc__,
    tags=["ifms", "platform"],
    default_args=DEFAULT_ARGS | {"execution_timeout": timedelta(minutes=30)},
    params={
        "again": Param(
            None,
            type=["null", "array"],
            items={"type": "integer"},
            title="Send again",
            description="Messages that were set aside (ids of ifms.outbox); an empty list [] means all.",
        ),
    },
    render_template_as_native_obj=True,
    max_active_runs=1,
    catchup=False,
):
    RelayOperator(task_id="deliver", again="{{ params.again }}")
