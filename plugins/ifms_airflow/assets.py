"""The signals between DAGs: emitted only when there is news, so that a quiet run wakes nobody."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow.sdk import Asset, AssetAlias, AssetWatcher
from airflow.sdk.definitions.asset import BaseAsset

if TYPE_CHECKING:
    from airflow.sdk import Context
    from pydantic import JsonValue


@dataclass(frozen=True)
class Signal:
    """An asset that a task updates only when it has news; the task's outlet is the alias, the reader's is the asset."""

    asset: Asset
    alias: AssetAlias

    def emit(self, context: Context, **extra: JsonValue) -> None:
        """Update the asset when this task ends well, with `extra`; without the alias among its outlets, do nothing."""
        if self.alias in context["task"].outlets:
            context["outlet_events"][self.alias].add(self.asset, extra)


PAYMENTS = Signal(Asset("ifms_payments", uri="ifms://payments"), AssetAlias("ifms_payments"))
OUTBOX = Signal(Asset("ifms_outbox", uri="ifms://outbox"), AssetAlias("ifms_outbox"))
ALLOTMENTS = Signal(Asset("ifms_allotments", uri="ifms://allotments"), AssetAlias("ifms_allotments"))

SETTLED = Signal(Asset("ifms_settled", uri="ifms://settled"), AssetAlias("ifms_settled"))
SIGNALS = (PAYMENTS, OUTBOX, ALLOTMENTS, SETTLED)


def new_payments_or_money() -> BaseAsset:
    """Any of the signals that start ifms_pi; the platform's topic of new payments is among them if it is named."""
    signals = PAYMENTS.asset | ALLOTMENTS.asset
    outside = _doorbell("ifms_doorbell", "IFMS_PAYMENT_TOPIC")
    return signals if outside is None else signals | outside


def changed_bills() -> BaseAsset | None:
    """What starts ifms_pa beside its clock: the platform's topic of changed bills; None unless it is named."""
    return _doorbell("ifms_bill_doorbell", "IFMS_BILL_TOPIC")


def _doorbell(name: str, variable: str) -> Asset | None:
    """What rings when there is a message on the topic that `variable` names; None where it names none.

    The variable, and not the connection `ifms_kafka`, says whether it is there: a connection may be anywhere, and
    nothing is looked up when DAG files are parsed.
    """
    topic = os.environ.get(variable, "").strip()
    if not topic:
        return None
    from ifms_airflow.triggers.doorbell import DoorbellTrigger

    uri = f"ifms://{name.removeprefix('ifms_')}"
    return Asset(name, uri=uri, watchers=[AssetWatcher(name, DoorbellTrigger(topic))])
