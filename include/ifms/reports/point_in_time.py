"""The ledger as it stood at an instant: from what is only ever appended, not from what a row says now.

The texts below are parts of queries with the parameter `as_of`. Which status a payment instruction had is what its
status log had told by then. Of a beneficiary's row it is used that a failed payment never stops being one, and that
the row is not touched after that: `updated_at` is when it failed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from ifms import clock
from ifms.errors import BadInputError
from ifms.ledger.database import Connection, Database

PAID = "('SUCCESSFUL', 'PARTIAL', 'COMPLETED')"
"""A payment instruction in one of these has its debit scrolls."""

PATIENCE_SECONDS = 120.0
"""For so long transactions are waited for that had begun before `as_of`; none of the adapter's takes longer."""

_PAUSE_SECONDS = 0.5


def state(pi: str, name: str) -> str:
    """A join that gives `name.status` and `name.since` of the payment instruction `pi` (an alias)."""
    return f"""
        CROSS JOIN LATERAL (
            SELECT coalesce(max(told.to_status), 'PENDING') AS status,
                   coalesce(max(told.created_at), {pi}.created_at) AS since
            FROM (SELECT l.to_status, l.created_at FROM ifms.status_log l
                  WHERE l.payment_instruction_id = {pi}.id AND l.to_status IS NOT NULL AND l.created_at < %(as_of)s
                  ORDER BY l.id DESC LIMIT 1) told
        ) {name}"""


def within(column: str) -> str:
    """A condition: the instant lies in the period, and before `as_of`."""
    return f"""{column} < %(as_of)s
        AND (%(since)s::timestamptz IS NULL OR {column} >= %(since)s)
        AND (%(until)s::timestamptz IS NULL OR {column} < %(until)s)"""


def on_days(column: str) -> str:
    """A condition: the date, IST, lies in the period."""
    return f"""
        (%(since)s::timestamptz IS NULL OR {column} >= (%(since)s::timestamptz AT TIME ZONE 'Asia/Kolkata')::date)
        AND (%(until)s::timestamptz IS NULL OR {column} < (%(until)s::timestamptz AT TIME ZONE 'Asia/Kolkata')::date)"""


def of_cities(column: str) -> str:
    """A condition: the city is one of those asked for."""
    return f"(%(tenants)s::text[] IS NULL OR {column} = ANY(%(tenants)s))"


def month(instant: datetime) -> str:
    """The month of an instant on the treasury's clock, like 2026-11."""
    local = clock.to_ist(instant)
    return f"{local.year:04d}-{local.month:02d}"


def wait_until_settled(db: Database, as_of: datetime, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Wait for transactions that began before `as_of` and may still write something of that time; bounded.

    Without it a report made at once would lack what the same report has later. Of another login's transactions who may
    not see its statistics is not told when they began: those that write at the first look are waited for. Raises
    BadInputError when `as_of` is yet to come. False when one is still open after PATIENCE_SECONDS.
    """
    at_first: set[str] | None = None
    for _ in range(int(PATIENCE_SECONDS / _PAUSE_SECONDS)):
        began_before, began_sometime = db.read_snapshot(lambda c: _open(c, as_of))
        at_first = began_sometime if at_first is None else at_first & began_sometime
        if not began_before and not at_first:
            return True
        sleep(_PAUSE_SECONDS)
    return False


def _open(connection: Connection, as_of: datetime) -> tuple[set[str], set[str]]:
    """The transactions that write: those that began before `as_of`, and those of which that is not told."""
    row = connection.execute(
        """
        SELECT now() < %(as_of)s,
               coalesce(array_agg(backend_xid::text) FILTER (WHERE xact_start < %(as_of)s), '{}'),
               coalesce(array_agg(backend_xid::text) FILTER (WHERE xact_start IS NULL), '{}')
        FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL
        """,
        {"as_of": as_of},
    ).fetchone()
    assert row is not None
    if row[0]:
        raise BadInputError(f"{clock.wire_datetime(as_of)} IST is yet to come: a report tells what was known then")
    return set(row[1]), set(row[2])
