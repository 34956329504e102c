"""Debit scrolls (PD)

## What
Fetches the debit scrolls (voucher, UTR) of each IN PROCESS payment instruction. Scrolls are kept as they come; the
PI is SUCCESSFUL once every beneficiary has one.

## When
Daily at 22:00 IST (`IFMS_SCHEDULE_PD`). A backfill asks about the PIs created in its interval.

## Reads
The treasury's service PD; `ifms.payment_instruction`, `ifms.beneficiary`.

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
    "PD",
    cron="0 22 * * *",
    description="Debit scrolls of payment instructions: daily 22:00 IST",
    doc_md=__doc__,
)
