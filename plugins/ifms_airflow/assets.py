"""The bells between DAGs: rung only when there is something to hear, so that a quiet run wakes nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow.sdk import Asset, AssetAlias

if TYPE_CHECKING:
    from airflow.sdk import Context


@dataclass(frozen=True)
class Bell:
    """An asset that a task updates only when it has news; the task's outlet is the alias, the reader's is the asset."""

    asset: Asset
    alias: AssetAlias

    def ring(self, context: Context) -> None:
        """Update the asset when this task ends well; without the alias among its outlets, do nothing."""
        if self.alias in context["task"].outlets:
            context["outlet_events"][self.alias].add(self.asset)


PAYMENTS = Bell(Asset("ifms_payments", uri="ifms://payments"), AssetAlias("ifms_payments"))
OUTBOX = Bell(Asset("ifms_outbox", uri="ifms://outbox"), AssetAlias("ifms_outbox"))
ALLOTMENTS = Bell(Asset("ifms_allotments", uri="ifms://allotments"), AssetAlias("ifms_allotments"))
