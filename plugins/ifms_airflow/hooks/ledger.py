"""The way to the ledger's database."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from datetime import timedelta
from typing import Any, cast

from airflow.providers.postgres.hooks.postgres import PostgresHook

from ifms.ledger.database import Connection, Database
from ifms.ledger.rate import Rate
from ifms.treasury.config import TreasuryConfig


class LedgerHook(PostgresHook):
    """The adapter's own database, schema `ifms`, over a connection of type `postgres`."""

    conn_name_attr = "ledger_conn_id"
    default_conn_name = "ifms_db"
    hook_name = "IFMS ledger"

    def __init__(self, *args: Any, statement_timeout: timedelta = timedelta(minutes=5), **kwargs: Any) -> None:
        # A killed task leaves no statement and no lock behind for longer than this.
        milliseconds = int(statement_timeout.total_seconds() * 1000)
        kwargs.setdefault(
            "options",
            f"-c statement_timeout={milliseconds} -c lock_timeout=30000 -c idle_in_transaction_session_timeout=60000"
            " -c timezone=UTC",
        )
        super().__init__(*args, **kwargs)

    def ledger(self) -> Database:
        """The ledger, for one thread; it connects when first used. Use as a context manager."""
        return Database(lambda: cast("Connection", self.get_conn()))

    def pace(self, stack: ExitStack, stop: threading.Event, config: TreasuryConfig) -> Rate | None:
        """What calls to the treasury await their turn by, on a connection of its own; None where it sets no limit.

        Until `stack` closes; nobody waits any longer once `stop` is set.
        """
        if config.calls_per_second is None:
            return None
        return Rate(stack.enter_context(self.ledger()), config.account, config.calls_per_second, stop)
