"""Payment advice (PAG)

## What
Fetches the payment advice (advice, token, bill reference) of each APPROVED payment instruction, which is then IN
PROCESS.

## When
Daily at 22:15 IST, after the approvals (`IFMS_SCHEDULE_PAG`). A backfill asks about the PIs created in its
interval.

## Reads
The treasury's service PAG; `ifms.payment_instruction`.

## Writes
`ifms.payment_instruction`, `ifms.beneficiary`, `ifms.status_log`, `ifms.treasury_call`, `ifms.outbox`,
`ifms.sweep_run`. Updates the asset `ifms_outbox` while the platform must hear of something, which starts
ifms_relay.

## If it fails
No answer and no error changes a PI, so the next run asks again. Red means that the treasury was out of reach (tried
again by itself) or that a reply was not understood: the run's log and its `sweep_run` row name the PI.
"""

from ifms_airflow.polling import polling_dag

dag = polling_dag(
    "PAG",
    cron="15 22 * * *",
    description="Payment advice for approved payment instructions: daily 22:15 IST",
    doc_md=__doc__,
)
