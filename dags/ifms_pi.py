"""Payment instructions (PI)

## What
Makes a payment instruction (PI) for each payment that has none, oldest first, reserves its money on the first
sanction that has enough, and posts it to the treasury. A payment without funds is said so once and gets its PI by
itself when an allotment brings enough. PIs whose outcome is not known stay PENDING with their money reserved: they
are asked about, and sent again with the same number and content, at the start of every run; so are revised PIs. A
PI that was declined gets a successor by itself once a payee's account differs; one that was rejected, through the
form. With a bill to adopt in the form the run only takes that one into the ledger: one that the treasury has, and that
a ledger restored from a backup has lost. With PI numbers in the form the run is about these alone: those
that are PENDING are settled, and the payments of those that were declined or rejected get a new one. A bill to adopt,
and a new PI for a payment of more than `IFMS_SECOND_PERSON_ABOVE` rupees that had one, need a proposal that another
person has approved on the adapter's pages, which start the run then; any other run does nothing of it, and is red.

## When
When ifms_pa has made payments or ifms_va has found new money; when a message comes on the Kafka topic that the
environment variable `IFMS_PAYMENT_TOPIC` names (`expense-payment-create`; connection `ifms_kafka`), and a minute after
that again: it is a doorbell, which payments there are is asked of the platform. The variable must be the same wherever
DAG files are parsed, and a triggerer must run. And daily at 21:00 IST (`IFMS_SCHEDULE_PI`) for those
that are still PENDING. A backfill takes the payments and PENDING PIs created in its interval.

## Reads
The platform's payments, bills, payees, bank accounts and master data; `ifms.sanction`, `ifms.payment`,
`ifms.proposal`, `ifms.second_person`.

## Writes
`ifms.payment_instruction`, `ifms.beneficiary`, `ifms.fund_movement`, `ifms.payment`, `ifms.status_log`,
`ifms.treasury_call`, `ifms.outbox`, `ifms.proposal`, `ifms.sweep_run`; payment instructions at the treasury. Updates
the asset `ifms_outbox` while the platform must hear of something, which starts ifms_relay.

## If it fails
Nothing is sent that was not written before, and nothing is ever sent under a second number: running it again is
safe. Red means that the treasury or the platform was out of reach (tried again by itself), that a reply was not
understood, or that a payment was set aside (a payee without account, sums that disagree): the run's log and its
`sweep_run` row name it. A payment that was set aside is looked at again by every run and gets its PI once the cause
is mended.
"""

from airflow.sdk import DAG, Param

from ifms_airflow.alerts import alerts
from ifms_airflow.assets import OUTBOX, new_payments_or_money
from ifms_airflow.operators import CorrectOperator, CreatePaymentInstructionsOperator
from ifms_airflow.schedules import (
    DEFAULT_ARGS,
    NUMBER,
    PI_NUMBERS,
    PROPOSAL,
    TENANT,
    TENANTS,
    bells_or_clock,
    shards,
)

TEXT = NUMBER | {"type": "string"}
ADOPTED = (
    "tenant",
    "pi_number",
    "bill_date",
    "payment_number",
    "master_allotment_id",
    "ssu_allotment_id",
    "allotment_serial_no",
    "reason",
    "person",
)

with DAG(
    "ifms_pi",
    description="Payment instructions to the treasury: on new payments or funds, and daily 21:00 IST",
    schedule=bells_or_clock(new_payments_or_money(), "PI", "0 21 * * *"),
    doc_md=__doc__,
    tags=["ifms", "treasury"],
    default_args=DEFAULT_ARGS,
    params={
        "tenants": TENANTS,
        "proposal": PROPOSAL,
        "pi_numbers": PI_NUMBERS,
        "payments": Param(
            None,
            type=["null", "array"],
            items=NUMBER | {"type": "string"},
            title="Payments to try again",
            description="Payment numbers (EP/…, one per line) whose PI was declined or rejected: each gets a new one. "
            "Where two cities have the number, name the one under Cities.",
        ),
        "adopt": Param(
            None,
            type=["null", "object"],
            properties=dict.fromkeys(("pi_number", "payment_number", "master_allotment_id", "ssu_allotment_id"), TEXT)
            | {
                "tenant": TENANT | {"type": "string"},
                "bill_date": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}( \d{2}:\d{2}:\d{2})?$"},
                "allotment_serial_no": {"type": "integer", "minimum": 0},
                "reason": {"type": "string", "pattern": r"\S", "maxLength": 500},
                "person": {"type": "string", "pattern": r"\S", "maxLength": 100},
            },
            required=[*ADOPTED],
            additionalProperties=False,
            title="Bill to adopt",
            description="A bill that the treasury has and a restored ledger has lost: an object of tenant, pi_number, "
            "bill_date (of the bill, IST), payment_number, master_allotment_id, ssu_allotment_id, allotment_serial_no, "
            "reason and person. The run does nothing else; see 'Backup and restore' in docs/operations.md.",
        ),
    },
    render_template_as_native_obj=True,
    max_active_runs=1,
    catchup=False,
    **alerts(),
):
    CreatePaymentInstructionsOperator.partial(
        task_id="create_payment_instructions",
        outlets=[OUTBOX.alias],
        tenants="{{ params.tenants }}",
        payments="{{ params.payments }}",
        pi_numbers="{{ params.pi_numbers }}",
        adopt="{{ params.adopt }}",
        proposal="{{ params.proposal }}",
        shards=len(shards()),
    ).expand(shard=shards())
    CorrectOperator(
        task_id="settle_revisions",
        outlets=[OUTBOX.alias],
        only_pending=True,
        tenants="{{ params.tenants }}",
        pi_numbers="{{ params.pi_numbers }}",
    )
