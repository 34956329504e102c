"""Payments for approved bills (PA)

## What
Creates a payment on the platform for each approved bill that has none: one payment per bill, for the whole bill. With
bill numbers in the form (1 to 200), or chosen on the page "Choose bills", the run is about these alone.

## When
Every 5 minutes (`IFMS_SCHEDULE_PA`). When a message comes on the Kafka topic that the environment variable
`IFMS_BILL_TOPIC` names (`expense-bill-update`; connection `ifms_kafka`), at once and a minute after that again: it is a
doorbell, which bills there are is asked of the platform. A backfill looks at the bills created in its interval.

## Reads
The platform's list of cities and its bills: a run that finds none calls nothing else.

## Writes
Payments on the platform; `ifms.payment`, `ifms.sweep_run`. Updates the asset `ifms_payments` while a payment waits
for its payment instruction, which starts ifms_pi.

## If it fails
The platform refuses a second payment for a bill, so running it again is safe, and the next run does what is left.
Red means that the platform was out of reach (tried again by itself) or that a bill can't be paid as it stands: the
run's log and its `sweep_run` row name the bill and what is wrong with it. Of chosen bills each has a line there: its
new payment, or why it has none (not found, not approved, cancelled, has one already); the others are paid all the same.
"""

from datetime import timedelta

from airflow.sdk import DAG

from ifms_airflow.alerts import alerts
from ifms_airflow.assets import PAYMENTS, changed_bills
from ifms_airflow.operators import CreatePaymentsOperator
from ifms_airflow.schedules import BILLS, DEFAULT_ARGS, TENANTS, bells_or_clock

with DAG(
    "ifms_pa",
    description="Payments for approved bills: every 5 minutes",
    schedule=bells_or_clock(changed_bills(), "PA", "*/5 * * * *", interval=timedelta(minutes=5)),
    doc_md=__doc__,
    tags=["ifms", "platform"],
    default_args=DEFAULT_ARGS | {"execution_timeout": timedelta(minutes=30)},
    params={"tenants": TENANTS, "bills": BILLS},
    render_template_as_native_obj=True,
    max_active_runs=1,
    catchup=False,
    **alerts(),
):
    # One task, not a shard of each worker: nearly all of its 288 runs a day find nothing, and each task is a log file.
    CreatePaymentsOperator(
        task_id="create_payments",
        outlets=[PAYMENTS.alias],
        tenants="{{ params.tenants }}",
        bills="{{ params.bills }}",
    )
