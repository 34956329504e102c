"""The ledger's invariants as a task."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ifms.errors import BadInputError
from ifms_airflow.operators.sweep import SweepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ifms_airflow.hooks import LedgerHook

DEFAULT_HOURS = 24
LONGEST_HOURS = 24 * 366


class ReconcileOperator(SweepOperator):
    """Look at every invariant of the ledger; needs neither the treasury nor the platform.

    :param pending_hours: how long a PI may stay PENDING, a number or a template that renders to one; 24 when empty.
    """

    template_fields: Sequence[str] = ("tenants", "pending_hours")
    service_id = "RECONCILE"

    def __init__(self, *, pending_hours: float | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pending_hours = pending_hours

    @cached_property
    def ledger_hook(self) -> LedgerHook:
        """The way to the ledger, with time enough for sums over whole tables."""
        from ifms_airflow.hooks import LedgerHook  # noqa: PLC0415

        return LedgerHook(self.ledger_conn_id, statement_timeout=timedelta(minutes=30))

    def execute(self, context: Context) -> None:
        """Look, write the sweep's row; raises a SweepError that names what is broken."""
        from ifms.ledger.invariants import Limits  # noqa: PLC0415
        from ifms.services.reconcile import reconcile  # noqa: PLC0415

        limits = Limits(pending=self._pending())
        with self.ledger_hook.ledger() as ledger, self.sweep(context, ledger) as sweep:
            reconcile(sweep, limits)

    def _pending(self) -> timedelta:
        """Raise BadInputError unless the form's field is a number of hours."""
        hours = DEFAULT_HOURS if self.pending_hours is None else self.pending_hours
        if not isinstance(hours, int | float) or isinstance(hours, bool) or not 0 < hours <= LONGEST_HOURS:
            raise BadInputError(f"pending_hours must be a number of hours, up to {LONGEST_HOURS}, or empty for 24")
        return timedelta(hours=hours)
