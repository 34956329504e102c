"""PI as a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifms_airflow.operators.sweep import TreasurySweepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ifms.sealing import Sealer
    from ifms.services.sweep import Sweep
    from ifms.treasury.client import TreasuryClient


class CreatePaymentInstructionsOperator(TreasurySweepOperator):
    """Settle the payment instructions that stayed PENDING, and make one for each payment that has none."""

    service_id = "PI"

    def work(self, context: Context, sweep: Sweep, treasury: TreasuryClient, sealer: Sealer) -> None:
        """Persist, send, record; oldest payment first."""
        from ifms.services.pi import PaymentInstructions  # noqa: PLC0415

        scope = self.scope(context)
        with self.platform() as platform:
            master = platform.master_data(scope.tenants)
            PaymentInstructions(sweep, treasury, platform, sealer, master, scope)()
