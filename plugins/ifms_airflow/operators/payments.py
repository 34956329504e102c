"""PA as a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ifms_airflow.assets import PAYMENTS
from ifms_airflow.operators.sweep import SweepOperator, texts

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ifms.sweep.scope import Scope


class CreatePaymentsOperator(SweepOperator):
    """Create a payment on the platform for each approved bill that has none.

    :param bills: only these bills: 1 to 200 numbers, one per text or several apart by commas. What became of each is
        told; one that is unknown, not approved or paid already stops no other. None for all that are due.

    With the outlet ``AssetAlias("ifms_payments")`` it updates the asset of that name while a payment waits that no run
    of ifms_pi has looked at: a bell that was lost in a crash is rung again by the next run. The event's extra says
    how many wait so (``rows``), and their ``rupees``.
    """

    template_fields: Sequence[str] = (*SweepOperator.template_fields, "bills")
    service_id = "PA"

    def __init__(self, *, bills: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bills = bills

    def scope(self, context: Context) -> Scope:
        """This task's part of the work. Chosen bills are one task's: it alone knows which are found nowhere.

        Raises BadInputError for tenants or bills that are no list of texts, and for what can't be a bill's number.
        """
        from ifms.services.chosen import bill_numbers

        scope = super().scope(context)
        if self.bills is None:
            return scope
        bills = bill_numbers(texts("bills", self.bills))
        return replace(scope, bills=bills if self.shard == 0 else (), shard=0, shards=1)

    def execute(self, context: Context) -> None:
        """Do the sweep, write its row; raises a SweepError that says what to look at."""
        from ifms.services.pa import create_payments

        scope = self.scope(context)
        with (
            self.ledger_hook.ledger() as ledger,
            self.platform_hook.get_conn() as platform,
            self.sweep(context, ledger) as sweep,
        ):
            due = create_payments(sweep, platform, platform.city_list(scope.tenants), scope)
            if due:
                PAYMENTS.emit(context, **due.plain)
