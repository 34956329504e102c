"""Approval of payment instructions (PIS)

## What
Asks the treasury whether the spending unit has approved or rejected each INITIATED payment instruction. Approved
ones become APPROVED; rejected ones FAILED, with their money back on the sanction.

## When
Daily at 22:00 IST (`IFMS_SCHEDULE_PIS`). A backfill asks about the PIs created in its interval.

## Reads
The treasury's service PIS; `ifms.payment_instruction`.

## Writes
`ifms.payment_instruction`, `ifms.beneficiary`, `ifms.status_log`, `ifms.treasury_call`, `ifms.outbox`,
`ifms.sweep_run`. Updates the asset `ifms_outbox` while the platform must hear of something, which starts
ifms_relay.

## If it fails
No answer and no error changes a PI, so the next run asks again. Red means that the treasury was out of reach (tried
again by itself) or that a reply was not understood: the run's log and its `sweep_run` row name the PI.
"""

from airflow.sdk import DAG

from ifms_airflow.alerts import alerts
from ifms_airflow.assets import OUTBOX
from ifms_airflow.operators import PollOperator
from ifms_airflow.schedules import DEFAULT_ARGS, PI_NUMBERS, TENANTS, clock, shards

with DAG(
    "ifms_pis",
    description="Approval of payment instructions: daily 22:00 IST",
    schedule=clock("PIS", "0 22 * * *"),
    doc_md=__doc__,
    tags=["ifms", "treasury"],
    default_args=DEFAULT_ARGS,
    params={"tenants": TENANTS, "pi_numbers": PI_NUMBERS},
    render_template_as_native_obj=True,
    max_active_runs=1,
    catchup=False,
    **alerts(),
):
    PollOperator.partial(
        task_id="poll",
        service="PIS",
        outlets=[OUTBOX.alias],
        tenants="{{ params.tenants }}",
        pi_numbers="{{ params.pi_numbers }}",
        shards=len(shards()),
    ).expand(shard=shards())
