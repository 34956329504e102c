"""Fund allotments from the treasury (VA)

## What
Asks the treasury which funds it has allotted to each city's spending unit (SSU) under each head of account since
the last time, and the week before that, and records each allotment once: initial and additional ones add to the
sanction's money, withdrawals take from it.

## When
Daily at 22:00 IST (`IFMS_SCHEDULE_VA`). A backfill asks again from its interval's start; nothing is counted twice.

## Reads
The treasury's service VA; master data of the platform (cities, SSUs, heads of account); `ifms.va_watermark`.

## Writes
`ifms.sanction`, `ifms.allotment`, `ifms.fund_movement`, `ifms.va_watermark`, `ifms.treasury_call`,
`ifms.sweep_run`. Updates the asset `ifms_allotments` when something new came, which starts ifms_pi.

## If it fails
What was answered is recorded, the rest is asked for by the next run: the watermark moves only with an answer. Red
means that the treasury was out of reach (tried again by itself) or that a reply needs a look: the run's log and its
`sweep_run` row name the city, the DDO and the head of account.
"""

from airflow.sdk import DAG

from ifms_airflow.alerts import alerts
from ifms_airflow.assets import ALLOTMENTS
from ifms_airflow.operators import FetchAllotmentsOperator
from ifms_airflow.schedules import DEFAULT_ARGS, TENANTS, clock, shards

with DAG(
    "ifms_va",
    description="Fund allotments from the treasury: daily 22:00 IST",
    schedule=clock("VA", "0 22 * * *"),
    doc_md=__doc__,
    tags=["ifms", "treasury"],
    default_args=DEFAULT_ARGS,
    params={"tenants": TENANTS},
    render_template_as_native_obj=True,
    max_active_runs=1,
    catchup=False,
    **alerts(),
):
    FetchAllotmentsOperator.partial(
        task_id="fetch_allotments", outlets=[ALLOTMENTS.alias], tenants="{{ params.tenants }}", shards=len(shards())
    ).expand(shard=shards())
