"""Corrections of failed payments (COR)

## What
Makes a revised payment instruction for failed beneficiaries once their bank data has been corrected in the
registry, and posts it to the treasury. With a PI number in the form, that PI is corrected; without one, every PI
that has failed beneficiaries. Those are revised who have other bank data now; the others stay failed, the log says
why, and a later revision can take them. A form that lists beneficiaries revises exactly those, or nobody and says why.

An account that is right as it is (dormant, returned late by RBI) is paid once more when the form lists the
beneficiary under 'Same account on purpose'; the name of who started the run goes into the status log. Nothing else
pays to an account that failed.

The same account, a new original, and more than `IFMS_SECOND_PERSON_ABOVE` rupees need a proposal that another person
has approved on the adapter's pages, which start the run then; any other run does nothing of it, and is red.

## When
Started by an operator, through the form. A failed payment can be corrected for 90 days, or until 30 April of the
next financial year if that is earlier; after that, 'New original' pays it anew from a sanction with enough funds.

## Reads
The platform's bank accounts (and their audit log for accounts that the ledger does not know);
`ifms.failed_beneficiary`, `ifms.proposal`, `ifms.second_person`.

## Writes
`ifms.payment_instruction`, `ifms.beneficiary`, `ifms.status_log`, `ifms.treasury_call`, `ifms.outbox`,
`ifms.proposal`, `ifms.sweep_run` (and `ifms.fund_movement` for a new original); revised payment instructions at the
treasury.

## If it fails
Nothing is sent that was not written before, and nothing is ever sent under a second number: running it again is
safe. Red means that what the form asked for can't be done now (the log and the `sweep_run` row say why, and what to
do instead), that the treasury was out of reach or not understood, or that it tells of another transfer of somebody
who has failed: ask it, and settle that on the page Failures. A revision whose outcome is not known is settled by the
next run, and by ifms_pi at 21:00. A run that is tried again or cleared makes no second revision.
"""

from airflow.sdk import DAG, Param

from ifms_airflow.alerts import alerts
from ifms_airflow.assets import OUTBOX
from ifms_airflow.operators import CorrectOperator
from ifms_airflow.schedules import DEFAULT_ARGS, NUMBER, PROPOSAL, TENANT, TENANTS

with DAG(
    "ifms_cor",
    description="Corrections of failed payments: by hand",
    schedule=None,
    doc_md=__doc__,
    tags=["ifms", "treasury"],
    default_args=DEFAULT_ARGS,
    params={
        "pi_number": Param(
            None, **NUMBER, title="Original PI", description="Like PI-SA/2024-25/000001; all when empty."
        ),
        "tenant": Param(None, **TENANT, title="City", description="The city of that PI, like od.samplea."),
        "beneficiaries": Param(
            None,
            type=["null", "array"],
            items=NUMBER | {"type": "string"},
            title="Beneficiaries",
            description="Which of its failed beneficiaries (BN-…, one per line) go to the other account that the "
            "registry has now. Exactly those listed here and below; all who have another account when both are empty.",
        ),
        "same_account": Param(
            None,
            type=["null", "array"],
            items=NUMBER | {"type": "string"},
            title="Same account on purpose",
            description="Which of them (BN-…, one per line) go to the account that failed once more. Your name goes "
            "into the status log.",
        ),
        "new_original": Param(
            False,
            type="boolean",
            title="New original",
            description="For failures that can't be corrected any more: pay them anew, from a sanction.",
        ),
        "proposal": PROPOSAL,
        "tenants": TENANTS,
    },
    render_template_as_native_obj=True,
    max_active_runs=1,
    catchup=False,
    **alerts(),
):
    CorrectOperator(
        task_id="correct",
        outlets=[OUTBOX.alias],
        pi_number="{{ params.pi_number }}",
        tenant="{{ params.tenant }}",
        beneficiaries="{{ params.beneficiaries }}",
        same_account="{{ params.same_account }}",
        new_original="{{ params.new_original }}",
        proposal="{{ params.proposal }}",
        tenants="{{ params.tenants }}",
    )
