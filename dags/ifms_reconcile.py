"""Whether the ledger is right (reconciliation)

## What
Looks at every invariant on the real rows, in one snapshot: balances are the sums of their movements, statuses agree
with money, nothing is paid twice, logs have no gap, each change was told, nothing waits for longer than it should (how
long is a field of the form). Of PIs under way or changed in the last two days it also checks the signatures, with the
keys of `ifms_treasury`, and the amounts, with the platform. Changes nothing, with one exception: a PI that has been
PENDING for long (24 hours, or what the form says) is listed, and put first in ifms_pi's queue. It sends nothing itself:
ifms_pi asks the treasury about such a PI before it sends it again. A PI that a run holds is left alone.

## When
Daily at 20:30 IST (`IFMS_SCHEDULE_RECONCILE`), half an hour before ifms_pi asks about what is PENDING. Always looks at
all rows: so does a backfill. `ifms reconcile` does the same at a terminal, without the platform, and with the keys in
its environment it checks every signature.

## Reads
All tables of the schema `ifms`; the platform's payments. The treasury is not called.

## Writes
`ifms.sweep_run`; of PENDING PIs `polled_at` and claims that have run out, in `ifms.payment_instruction`.

## If it fails
Red means that a rule is broken, and a person must look: the run's log and its `sweep_run` row name each row, what is
wrong with it, and what to do. Where it says to pause ifms_pi, do so before anything else is paid.
"""

from airflow.sdk import DAG, Param

from ifms_airflow.alerts import alerts
from ifms_airflow.operators import ReconcileOperator
from ifms_airflow.schedules import DEFAULT_ARGS, clock, failure_days

LIMITS = (
    "initiated",
    "approved",
    "in_process",
    "revised",
    "held",
    "unfunded",
    "uncounted",
    "unmatched",
    "uncorrected",
    "unasked",
)

with DAG(
    "ifms_reconcile",
    description="Whether the ledger is right: daily 20:30 IST",
    schedule=clock("RECONCILE", "30 20 * * *"),
    doc_md=__doc__,
    tags=["ifms", "ledger"],
    default_args=DEFAULT_ARGS,
    params={
        "pending_hours": Param(
            None,
            type=["null", "number"],
            exclusiveMinimum=0,
            maximum=8784,
            title="Hours PENDING",
            description="How long a payment instruction may stay PENDING before it is listed; 24 when empty.",
        ),
        "limit_days": Param(
            None,
            type=["null", "object"],
            properties={name: {"type": "number", "exclusiveMinimum": 0, "maximum": 366} for name in LIMITS},
            additionalProperties=False,
            title="Days until something is listed",
            description='As {"initiated": 20}; empty or left out: initiated 15, approved 7, in_process 7, revised 15 '
            "(an INITIATED revision), held 7 (a payment on hold), unfunded 30, uncounted 2 (an allotment without "
            "its initial one), unmatched 7 (a failure of no bill), "
            "uncorrected 15 (before the last day on which a failed beneficiary can be corrected), "
            "unasked 25 hours (a voucher date that ifms_fd must ask about).",
        ),
    },
    render_template_as_native_obj=True,
    max_active_runs=1,
    catchup=False,
    **alerts(),
):
    ReconcileOperator(
        task_id="reconcile",
        pending_hours="{{ params.pending_hours }}",
        limit_days="{{ params.limit_days }}",
        failure_days=failure_days(),
    )
