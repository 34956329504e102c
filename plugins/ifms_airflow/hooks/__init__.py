"""The ways from Airflow to the treasury, the platform, the ledger, the call log and Kafka.

Each is imported when it is first asked for: a task that needs one waits for no library of another.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ifms_airflow.hooks.call_log import CallLogHook
    from ifms_airflow.hooks.ledger import LedgerHook
    from ifms_airflow.hooks.notifications import NotificationHook
    from ifms_airflow.hooks.platform import PlatformHook
    from ifms_airflow.hooks.treasury import TreasuryHook

__all__ = ["CallLogHook", "LedgerHook", "NotificationHook", "PlatformHook", "TreasuryHook"]

_MODULES = {
    "CallLogHook": "call_log",
    "LedgerHook": "ledger",
    "NotificationHook": "notifications",
    "PlatformHook": "platform",
    "TreasuryHook": "treasury",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
