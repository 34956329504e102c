"""The ways from Airflow to the treasury, the platform, the ledger, the call log and Kafka."""

from ifms_airflow.hooks.call_log import CallLogHook
from ifms_airflow.hooks.ledger import LedgerHook
from ifms_airflow.hooks.notifications import NotificationHook
from ifms_airflow.hooks.platform import PlatformHook
from ifms_airflow.hooks.treasury import TreasuryHook

__all__ = ["CallLogHook", "LedgerHook", "NotificationHook", "PlatformHook", "TreasuryHook"]
