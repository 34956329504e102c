"""What the tests of the DAGs share: time that has passed, and everything about money that a run may have changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from support.adapter import Adapter, Treasury

# What says when something was looked at, not what it is.
PASSING = {"polled_at", "failures_polled_at", "claim_token", "claimed_until", "updated_at", "fetched_until", "seen_at"}
MONEY = ("sanction", "allotment", "fund_movement", "payment", "payment_instruction", "beneficiary", "outbox")


@pytest.fixture
def money(adapter: Adapter, treasury: Treasury) -> Callable[[], dict[str, Any]]:
    """`money()`: all rows about money, and what the treasury has accepted."""

    def dump() -> dict[str, Any]:
        found: dict[str, Any] = {
            table: [
                {name: value for name, value in row.items() if name not in PASSING}
                for row in adapter.rows(f"SELECT * FROM ifms.{table} ORDER BY id")
            ]
            for table in MONEY
        }
        return found | {"accepted": treasury.accepted}

    return dump


@pytest.fixture
def age(adapter: Adapter) -> Callable[..., None]:
    """`age(hours, tenant=None)`: payments and PIs (of one city) are as if they had been made so long before."""

    def shift(hours: float, tenant: str | None = None) -> None:
        by, where = timedelta(hours=hours), (tenant, tenant)
        with psycopg.connect(adapter.dsn) as connection:
            connection.execute("SET session_replication_role = replica")  # else the ledger refuses to rewrite its past
            for table, column in (("payment", "raised_at"), ("payment_instruction", "created_at")):
                connection.execute(
                    f"UPDATE ifms.{table} SET {column} = {column} - %s WHERE %s::text IS NULL OR tenant_id = %s",
                    (by, *where),
                )

    return shift


@pytest.fixture
def last_days() -> tuple[datetime, datetime]:
    """A range of firing times: those of the last two days."""
    now = datetime.now(UTC)
    return now - timedelta(days=2), now
