"""A ledger whose acts need a second person: the other tests' ledgers need none."""

from __future__ import annotations

from typing import Any

import psycopg

from ifms.ledger.proposals import Policy, say_policy


def needed(dsn: str, **changes: Any) -> None:
    """From now on acts need a second person, as a new site's do; `changes` of that policy."""
    with psycopg.connect(dsn) as connection:
        say_policy(connection, Policy(**changes))


def expire(dsn: str) -> None:
    """All proposals were made long ago."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(
            "UPDATE ifms.proposal SET proposed_at = proposed_at - interval '30 days', "
            "expires_at = expires_at - interval '30 days'"
        )
