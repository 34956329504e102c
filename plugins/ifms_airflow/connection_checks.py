"""Tries the adapter's stored connections, and says what was tried and what came of it.

In the place of Airflow's Test button, which would send a stored password to any address that its form is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import psycopg
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from ifms.errors import IfmsError
from ifms_airflow.hooks import CallLogHook, LedgerHook, NotificationHook, PlatformHook, TreasuryHook


@dataclass(frozen=True)
class Result:
    """What came of trying a connection; `worked` is None when there is no such connection."""

    conn_id: str
    worked: bool | None
    said: str = ""


def _ledger() -> tuple[bool, str]:
    try:
        with LedgerHook().ledger() as ledger:
            name, version = ledger.transact(
                lambda c: c.execute("SELECT current_user, current_setting('server_version')").fetchone() or ("", "")
            )
            ledger.transact(lambda c: c.execute("SELECT FROM ifms.payment_instruction_summary LIMIT 1").fetchone())
    except (psycopg.Error, IfmsError) as error:
        return False, f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
    return True, f"PostgreSQL {version} answers {name}, who may read the ledger."


CHECKS: Mapping[str, Callable[[], tuple[bool, str]]] = MappingProxyType(
    {
        TreasuryHook.default_conn_name: lambda: TreasuryHook().test_connection(),
        PlatformHook.default_conn_name: lambda: PlatformHook().test_connection(),
        LedgerHook.default_conn_name: _ledger,
        CallLogHook.default_conn_name: lambda: CallLogHook().test_connection(),
        NotificationHook.default_conn_name: lambda: NotificationHook().test_connection(),
    }
)
"""By the ids that the DAGs use: nobody gives an address, or another connection's id."""


def check(conn_id: str) -> Result:
    """Try a stored connection of CHECKS. KeyError for another."""
    work = CHECKS[conn_id]
    try:
        BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return Result(conn_id, None)
    worked, said = work()
    return Result(conn_id, worked, said)
