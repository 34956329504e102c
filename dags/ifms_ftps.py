"""Debit scrolls of revised payment instructions (FTPS)

## What
Fetches the debit scrolls of each revised payment instruction that the treasury has. Scrolls are kept as they come;
the revised PI is SUCCESSFUL once every beneficiary has one.

## When
Daily at 22:00 IST (`IFMS_SCHEDULE_FTPS`). A backfill asks about the revised PIs created in its interval.

## Reads
The treasury's service FTPS; `ifms.payment_instruction`, `ifms.beneficiary`.

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
    "FTPS",
    cron="0 22 * * *",
    description="Debit scrolls of revised payment instructions: daily 22:00 IST",
    doc_md=__doc__,
)
