"""Whether the ledger's records are as they were written (audit)

## What
Each row of the records (movements, status log, calls to the treasury, who looked at them, what people did) has a link
in its city's chain of SHA-256, made by the database in the transaction that made the row. Walks every chain: a record
that was changed, taken out or put in by somebody with the owner's password is named. Then compares the chains with the
latest anchors, and writes the next one: a note of where each chain ends, signed under the key that signs PIs.
Keep the anchors where who runs the database can't write: an object storage that keeps its versions.

## When
Daily at 01:00 IST (`IFMS_SCHEDULE_AUDIT`). Always looks at all rows: so does a backfill. `ifms audit verify` and
`ifms audit anchor` do the same at a terminal.

## Reads
The records of the schema `ifms`; earlier anchors; of `ifms_treasury` the signing key.

## Writes
A file into the folder `anchors` of `IFMS_ANCHORS_PATH` (a folder, or a URL like `s3://connection@bucket/audit`; where
reports go when unset). And `ifms.sweep_run`.

## If it fails
Red means that somebody has written into the ledger past its rules, or that it was restored to an earlier state: the
run's log and its `sweep_run` row name each row. No anchor is written then. Pause the DAGs that pay, compare the rows
with a backup, and find out who has had the owner's password. After a restore that is known (docs/operations.md), take
the anchors made after the backup out of the folder, and keep them.
"""

from airflow.sdk import DAG

from ifms_airflow.alerts import alerts
from ifms_airflow.operators import AuditOperator
from ifms_airflow.schedules import DEFAULT_ARGS, anchors_path, clock

with DAG(
    "ifms_audit",
    description="Whether the records are as they were written, and anchored: daily 01:00 IST",
    schedule=clock("AUDIT", "0 1 * * *"),
    doc_md=__doc__,
    tags=["ifms", "ledger"],
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    **alerts(),
):
    # No slot of the treasury's, which it does not ask.
    AuditOperator(task_id="audit", path=anchors_path(), pool="default_pool")
