"""What the platform and others must hear (outbox), and the log of calls

## What
`deliver` tells the platform each change of a payment: the statuses of payment, bill, details and lines, in order per
payment, at least once. What the platform refuses five times is set aside and stays visible with its reason; what
follows for the same payment waits, so that the order holds.

`notify` tells others through Kafka (connection `ifms_kafka`; without it, nothing is written for them, once it has been
missing for a week). By SMS, on the topic `sms_topic` of the connection's extra (`egov.core.notification.sms`), who is
paid (amount, UTR) and whose payment has failed; on `pi_index_topic` (`ifms-pi-index-enrich`) the platform's index of
PIs, without accounts, names and phones. `none` as a topic: nobody hears, and what waited is closed. A message counts as
told once a broker has acknowledged it; its reader may get it twice, with the same header `ifms-message-id`. Phones are
looked up when an SMS goes out; a payee without one is not told, which is kept with the message.

The words of an SMS are the platform's (localisation `rainmaker-ifms` in the city's locale, JIT_PAYMENT_SUCCESSFUL and
JIT_PAYMENT_FAILED), else `sms_paid` and `sms_failed` of the extra, else the story's, letter for letter. A template that
can't be filled in is a problem of the run, and the next source speaks; a platform without that module is none.

`ship` copies the calls to the treasury into Elasticsearch (connection `ifms_elasticsearch`; without it, nothing), into
`ifms-request-logs` and `ifms-error-logs`, or as the connection's extra says (`request_index`, `error_index`). What is
secret in them stays sealed. A document that Elasticsearch refuses is set aside with its reason.

`remove_old_calls` removes calls from the ledger that were shipped and are older than `IFMS_CALL_LOG_DAYS` (400; 90 at
least; `none`: never). Without an Elasticsearch nothing is removed, unless `IFMS_REMOVE_UNSHIPPED_CALLS` is `yes`.

## When
After each DAG that wrote to the outbox, and every 10 minutes (`IFMS_SCHEDULE_RELAY`). Started through the form with
'Send again' or 'Ship again', what was set aside is tried again. A backfill does what is due, as any other run.

## Reads
`ifms.outbox`, `ifms.treasury_call`, `ifms.payment_instruction`; the platform's payments, individuals, organisations,
localisation.

## Writes
Statuses on the platform; messages in Kafka; documents in Elasticsearch; `ifms.outbox`, `ifms.notice`,
`ifms.treasury_call`, `ifms.sweep_run`.

## If it fails
Payments are not affected, and nothing is dropped: what could not be delivered or shipped is tried again for as long as
it takes, a message to the platform after a pause that doubles, one to Kafka after ten minutes at most. Red means that
something was set aside, or that calls or messages have waited for Elasticsearch or Kafka for a day: the run's
`sweep_run` row, and the row in `ifms.outbox` (`last_error`) or `ifms.treasury_call` (`ship_error`), say why.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param

from ifms_airflow.alerts import alerts
from ifms_airflow.assets import OUTBOX
from ifms_airflow.operators import NotifyOperator, RelayOperator, RemoveOldCallsOperator, ShipCallsOperator
from ifms_airflow.schedules import DEFAULT_ARGS, bells_or_clock, call_log_days, remove_unshipped_calls

with DAG(
    "ifms_relay",
    description="What the platform and others must hear: on each change, and every 10 minutes",
    schedule=bells_or_clock(OUTBOX.asset, "RELAY", "*/10 * * * *", interval=timedelta(minutes=10)),
    doc_md=__doc__,
    tags=["ifms", "platform"],
    default_args=DEFAULT_ARGS | {"execution_timeout": timedelta(minutes=30)},
    params={
        "again": Param(
            None,
            type=["null", "array"],
            items={"type": "integer"},
            title="Send again",
            description="Messages that were set aside (ids of ifms.outbox); an empty list [] means all.",
        ),
        "calls_again": Param(
            False,
            type="boolean",
            title="Ship again",
            description="Calls that Elasticsearch refused and that were set aside: try them again.",
        ),
    },
    render_template_as_native_obj=True,
    max_active_runs=1,
    catchup=False,
    **alerts(),
):
    RelayOperator(task_id="deliver", again="{{ params.again }}")
    # No slot of the treasury's: a slow Kafka or Elasticsearch is not to hold up a payment.
    NotifyOperator(task_id="notify", pool="default_pool")
    ShipCallsOperator(task_id="ship", again="{{ params.calls_again }}", pool="default_pool")
    RemoveOldCallsOperator(
        task_id="remove_old_calls",
        keep_days=call_log_days(),
        unshipped_too=remove_unshipped_calls(),
        pool="default_pool",
    )
