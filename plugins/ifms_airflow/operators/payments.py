"""PA as a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifms_airflow.assets import PAYMENTS
from ifms_airflow.operators.sweep import SweepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class CreatePaymentsOperator(SweepOperator):
    """Create a payment on the platform for each approved bill that has none.

    With the outlet ``AssetAlias("ifms_payments")`` it updates the asset of that name while a payment waits that no run
    of ifms_pi has looked at: a bell that was lost in a crash is rung again by the next run.
    """

    service_id = "PA"

    def execute(self, context: Context) -> None:
        """Do the sweep, write its row; raises a SweepError that says what to look at."""
        from ifms.services.pa import create_payments  # noqa: PLC0415

        scope = self.scope(context)
        with (
            self.ledger_hook.ledger() as ledger,
            self.platform_hook.get_conn() as platform,
            self.sweep(context, ledger) as sweep,
        ):
            if create_payments(sweep, platform, platform.master_data(scope.tenants), scope):
                PAYMENTS.ring(context)
