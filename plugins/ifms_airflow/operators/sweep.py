"""What every sweep operator has in common: its connections, its part of the work, and how it is stopped.

Operators are imported whenever a DAG file is parsed, every half minute each. So what a task alone needs (HTTP, the
database's driver, the services) is imported when it runs.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow.sdk import BaseOperator

from ifms.errors import BadInputError
from ifms_airflow.assets import OUTBOX

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context

    from ifms.ledger.database import Database
    from ifms.platform.client import PlatformClient
    from ifms.signing import Keyring
    from ifms.sweep.run import Sweep
    from ifms.sweep.scope import Scope
    from ifms.sweep.treasury_sweep import TreasurySweep
    from ifms.treasury.client import TreasuryClient
    from ifms_airflow.hooks import LedgerHook, PlatformHook

# A little more than the longest lease: what a run that was killed had in its hands is free by then.
PATIENCE_SECONDS = 11 * 60


class SweepOperator(BaseOperator):
    """One sweep of one service code, or one shard of it.

    :param tenants: only these cities (tenant ids, or a template that renders to a list); all of them when empty.
    :param pi_numbers: only these payment instructions; all that are due when None.
    :param shard: which shard this task is, from 0; map over a literal list of them to share a sweep between tasks.
    :param shards: how many shards there are.
    :param treasury_conn_id: connection of type ``ifms_treasury``.
    :param platform_conn_id: connection of type ``ifms_platform``.
    :param ledger_conn_id: connection of type ``postgres``, the database with schema ``ifms``.

    A run that is a backfill takes only what was created in its data interval; any other run takes all that is due.
    """

    template_fields: Sequence[str] = ("tenants", "pi_numbers")
    ui_color = "#d9e8f6"

    def __init__(
        self,
        *,
        tenants: Sequence[str] | str | None = None,
        pi_numbers: Sequence[str] | None = None,
        shard: int = 0,
        shards: int = 1,
        treasury_conn_id: str = "ifms_treasury",
        platform_conn_id: str = "ifms_platform",
        ledger_conn_id: str = "ifms_db",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tenants = tenants
        self.pi_numbers = pi_numbers
        self.shard = shard
        self.shards = shards
        self.treasury_conn_id = treasury_conn_id
        self.platform_conn_id = platform_conn_id
        self.ledger_conn_id = ledger_conn_id

    service_id: str

    @cached_property
    def stop(self) -> threading.Event:
        """Set when the task shall end: no new calls, those under way are settled."""
        return threading.Event()

    @cached_property
    def platform_hook(self) -> PlatformHook:
        """The way to the DIGIT platform."""
        from ifms_airflow.hooks import PlatformHook

        return PlatformHook(self.platform_conn_id)

    @cached_property
    def ledger_hook(self) -> LedgerHook:
        """The way to the ledger."""
        from ifms_airflow.hooks import LedgerHook

        return LedgerHook(self.ledger_conn_id)

    @cached_property
    def written(self) -> list[str]:
        """The URLs of files that the task has written, for its lineage."""
        return []

    def get_openlineage_facets_on_complete(self, task_instance: object) -> OperatorLineage[Any, Any]:
        """The tables that it reads and writes: asked by Airflow's OpenLineage provider, red or not."""
        from ifms_airflow.lineage import of_sweep

        return of_sweep(self.service_id, self.ledger_hook, self.written)

    def pre_execute(self, context: Context) -> None:
        """Before anything: may whoever has started the run? Raises NotAllowedError."""
        from ifms_airflow import started

        started.check(context, lambda: self.ledger_hook)

    def on_kill(self) -> None:
        """Airflow wants the task to end."""
        self.stop.set()

    def scope(self, context: Context) -> Scope:
        """This task's part of the work.

        Raises BadInputError for tenants or PI numbers that are no list of texts.
        """
        from ifms.sweep.scope import Scope

        since, until = backfill_interval(context)
        only = None if self.pi_numbers is None else tuple(texts("pi_numbers", self.pi_numbers))
        return Scope(tenant_ids(self.tenants), since, until, self.shard, self.shards, pi_numbers=only)

    def sweep(self, context: Context, ledger: Database, *, workers: int = 16) -> Sweep:
        """A sweep with this task's name on it."""
        from ifms.sweep.run import Sweep

        return Sweep(ledger, self.service_id, workers=workers, **self.of_task(context))

    def of_task(self, context: Context) -> dict[str, Any]:
        """What a sweep has of its task: the run's name, how it is stopped, what is done at its end."""
        from ifms.ledger.runs import RunContext
        from ifms_airflow.sweep_end import ended

        ti = context["ti"]
        return {
            "context": RunContext(ti.dag_id, ti.run_id, self.shard, ti.try_number),
            "stop": self.stop,
            "patience_seconds": PATIENCE_SECONDS,
            "ended": ended,
        }


class TreasurySweepOperator(SweepOperator):
    """A sweep that calls the treasury.

    With the outlet ``AssetAlias("ifms_outbox")`` it updates the asset of that name while the platform must hear of
    something.
    """

    def execute(self, context: Context) -> None:
        """Open the connections, do the sweep, write its row; raises a SweepError that says what to look at."""
        from ifms.ledger import settings
        from ifms.ledger.outbox import anything_due
        from ifms.ledger.status_log import CallLog
        from ifms.sweep.treasury_sweep import TreasurySweep
        from ifms_airflow.hooks import TreasuryHook

        with ExitStack() as stack:
            keyring = TreasuryHook(self.treasury_conn_id).keyring
            calls = CallLog(keyring.sealer)
            pace = partial(self.ledger_hook.pace, stack, self.stop)
            hook = TreasuryHook(self.treasury_conn_id, on_exchange=calls.record_login, pace=pace)
            ledger = stack.enter_context(self.ledger_hook.ledger())
            treasury = stack.enter_context(hook.get_conn())
            workers, task = treasury.config.max_concurrency, self.of_task(context)
            with TreasurySweep(ledger, self.service_id, calls=calls, workers=workers, **task) as sweep:
                ledger.transact(partial(settings.adopt, config=treasury.config))
                self.work(context, sweep, treasury, keyring)
            if ledger.transact(anything_due):
                OUTBOX.emit(context)

    def work(self, context: Context, sweep: TreasurySweep, treasury: TreasuryClient, keyring: Keyring) -> None:
        """What this service does in its sweep."""
        raise TypeError(f"{type(self).__name__} names no work")

    def platform(self) -> PlatformClient:
        """The platform's client; close it, or use it as a context manager."""
        return self.platform_hook.get_conn()


def tenant_ids(value: Sequence[str] | str | None) -> tuple[str, ...] | None:
    """The operator's tenants; None for all.

    Raises BadInputError unless it is a list of texts, or a text that names one tenant.
    """
    if value is None or (isinstance(value, str | list | tuple) and not value):
        return None
    tenants = [value] if isinstance(value, str) else value
    if not isinstance(tenants, list | tuple) or not all(
        isinstance(tenant, str) and tenant.strip() for tenant in tenants
    ):
        raise BadInputError("tenants must be a list of tenant ids, like od.samplea")
    return tuple(dict.fromkeys(tenant.strip() for tenant in tenants))


def texts(name: str, value: Any) -> list[str]:  # noqa: ANN401  (a form's field may hold anything)
    """A form's list of texts, each once. Raises BadInputError that names the field unless it is one."""
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) and each.strip() for each in value):
        raise BadInputError(f"{name} must be a list of texts, one per line")
    return list(dict.fromkeys(each.strip() for each in value))


def proposal_id(value: Any) -> UUID | None:  # noqa: ANN401  (a form's field may hold anything)
    """The form's proposal. Raises BadInputError unless it is an id, or none."""
    if value is None:
        return None
    try:
        return UUID(value)
    except (ValueError, TypeError, AttributeError):
        raise BadInputError("proposal must be the id of an approved proposal") from None


def backfill_interval(context: Context) -> tuple[datetime | None, datetime | None]:
    """The data interval of a backfill run; (None, None) for every other run."""
    run = context["dag_run"]
    if run.run_type != "backfill":
        return None, None
    return run.data_interval_start, run.data_interval_end
