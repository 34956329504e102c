"""VA as a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifms_airflow.assets import ALLOTMENTS
from ifms_airflow.operators.sweep import TreasurySweepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ifms.signing import Keyring
    from ifms.sweep.treasury_sweep import TreasurySweep
    from ifms.treasury.client import TreasuryClient


class FetchAllotmentsOperator(TreasurySweepOperator):
    """Fetch the allotments of each city, spending unit and head of account since its watermark.

    With the outlet ``AssetAlias("ifms_allotments")`` it updates the asset of that name when something new came; the
    event's extra says how many allotments (``rows``) and their ``rupees``, withdrawals taken off.
    """

    service_id = "VA"

    def work(self, context: Context, sweep: TreasurySweep, treasury: TreasuryClient, keyring: Keyring) -> None:
        """Ask for every watermark that is due."""
        from ifms.services.va import fetch_allotments

        scope = self.scope(context)
        with self.platform() as platform:
            new = fetch_allotments(sweep, treasury, platform.master_data(scope.tenants), scope)
        if new:
            ALLOTMENTS.emit(context, **new.plain)
