"""The DAG that all services share which ask the treasury how payment instructions fare."""

from __future__ import annotations

from airflow.sdk import DAG

from ifms_airflow.alerts import alerts
from ifms_airflow.assets import OUTBOX
from ifms_airflow.operators import PollOperator
from ifms_airflow.schedules import DEFAULT_ARGS, PI_NUMBERS, TENANTS, clock, shards


def polling_dag(service: str, *, cron: str, description: str, doc_md: str | None) -> DAG:
    """The DAG ifms_<service>: one mapped task that polls `service`, by default at `cron` (IST)."""
    with DAG(
        f"ifms_{service.lower()}",
        description=description,
        schedule=clock(service, cron),
        doc_md=doc_md,
        tags=["ifms", "treasury"],
        default_args=DEFAULT_ARGS,
        params={"tenants": TENANTS, "pi_numbers": PI_NUMBERS},
        render_template_as_native_obj=True,
        max_active_runs=1,
        catchup=False,
        **alerts(),
    ) as dag:
        PollOperator.partial(
            task_id="poll",
            service=service,
            outlets=[OUTBOX.alias],
            tenants="{{ params.tenants }}",
            pi_numbers="{{ params.pi_numbers }}",
            shards=len(shards()),
        ).expand(shard=shards())
    return dag
