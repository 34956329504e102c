"""The ways from Airflow to the treasury, the platform and the ledger."""

from ifms_airflow.hooks.ledger import LedgerHook
from ifms_airflow.hooks.platform import PlatformHook
from ifms_airflow.hooks.treasury import TreasuryHook

__all__ = ["LedgerHook", "PlatformHook", "TreasuryHook"]
