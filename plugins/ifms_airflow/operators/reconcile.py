"""The ledger's invariants as a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ifms.errors import BadInputError
from ifms_airflow.operators.sweep import SweepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ifms.ledger.limits import Limits
    from ifms_airflow.hooks import LedgerHook

DEFAULT_HOURS = 24
LONGEST_HOURS = 24 * 366


class ReconcileOperator(SweepOperator):
    """Look at every invariant of the ledger, check signatures, and compare sums with the platform.

    Of the treasury's connection it needs the keys alone: the treasury is not called.

    :param pending_hours: how long a PI may stay PENDING, a number or a template that renders to one; 24 when empty.
    :param limit_days: how long other things may wait, in days by name (`ifms.ledger.limits.IN_DAYS`), or a template
        that renders to that; what is left out keeps its default.
    :param failure_days: how far back FD asks for what came back from the bank.
    """

    template_fields: Sequence[str] = ("tenants", "pending_hours", "limit_days")
    service_id = "RECONCILE"

    def __init__(
        self,
        *,
        pending_hours: float | str | None = None,
        limit_days: Mapping[str, float] | str | None = None,
        failure_days: int = 100,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pending_hours = pending_hours
        self.limit_days = limit_days
        self.failure_days = failure_days

    @cached_property
    def ledger_hook(self) -> LedgerHook:
        """The way to the ledger, with time enough for sums over whole tables."""
        from ifms_airflow.hooks import LedgerHook

        return LedgerHook(self.ledger_conn_id, statement_timeout=timedelta(minutes=30))

    def execute(self, context: Context) -> None:
        """Look, write the sweep's row; raises a SweepError that names what is broken."""
        from ifms.services.reconcile import reconcile
        from ifms_airflow.hooks import TreasuryHook

        limits = self._limits()
        keyring = TreasuryHook(self.treasury_conn_id).keyring
        with (
            self.platform_hook.get_conn() as platform,
            self.ledger_hook.ledger() as ledger,
            self.sweep(context, ledger) as sweep,
        ):
            reconcile(sweep, limits, keyring=keyring, platform=platform)

    def _limits(self) -> Limits:
        """Raise BadInputError unless the form's fields are hours, and days by name."""
        from ifms.ledger.limits import Limits

        days = {} if self.limit_days is None else self.limit_days
        if not isinstance(days, Mapping):
            raise BadInputError("limit_days must be numbers of days by the name of their limit, or empty")
        window = timedelta(days=self.failure_days)
        return Limits(pending=self._pending(), returnable=window).with_days(days)

    def _pending(self) -> timedelta:
        """Raise BadInputError unless the form's field is a number of hours."""
        hours = DEFAULT_HOURS if self.pending_hours is None else self.pending_hours
        if not isinstance(hours, int | float) or isinstance(hours, bool) or not 0 < hours <= LONGEST_HOURS:
            raise BadInputError(f"pending_hours must be a number of hours, up to {LONGEST_HOURS}, or empty for 24")
        return timedelta(hours=hours)
