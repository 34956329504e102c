"""The way to the ledger's database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from airflow.providers.postgres.hooks.postgres import PostgresHook

from ifms.ledger.database import Connection, Database


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
