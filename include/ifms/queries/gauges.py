"""How it runs, as numbers for a monitoring system: of one sweep, and of everything that waits."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from ifms.cities import Cities
from ifms.ledger.call_store import oldest_unshipped
from ifms.ledger.database import Connection
from ifms.queries import overview
from ifms.queries.health import health


def latencies(connection: Connection, sweep_run_id: UUID, since: datetime) -> dict[str, float]:
    """How long the treasury took to answer the calls of one sweep, in milliseconds; empty when there were none."""
    row = connection.execute(
        """
        SELECT count(*), percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY duration_ms), max(duration_ms)
        FROM ifms.treasury_call WHERE created_at >= %s AND sweep_run_id = %s AND duration_ms IS NOT NULL
        """,
        (since, sweep_run_id),
    ).fetchone()
    if row is None or not row[0]:
        return {}
    return {"median": float(row[1][0]), "p95": float(row[1][1]), "max": float(row[2])}


def waiting(connection: Connection) -> dict[str, float]:
    """What waits, how much of it and for how many seconds: names in parts, like `backlog.initiated.original.oldest`."""
    now = datetime.now(UTC)

    def age(since: datetime | None) -> float:
        return 0.0 if since is None else max((now - since).total_seconds(), 0.0)

    seen, accepted = health(connection, Cities.ALL), overview.accepted(connection, Cities.ALL)
    found: dict[str, float] = {}
    for status in ("pending", "initiated", "approved", "in_process"):
        for pi_type in ("original", "revised"):
            if pi_type == "original" or status in ("pending", "initiated"):
                found |= {f"backlog.{status}.{pi_type}.{what}": 0.0 for what in ("waiting", "oldest")}
    for each in seen.backlog:
        name = f"backlog.{each.status.lower().replace(' ', '_')}.{each.pi_type.lower()}"
        found |= {f"{name}.waiting": float(each.waiting), f"{name}.oldest": age(each.oldest)}
    found |= {
        "outbox.due": float(sum(each.due for each in seen.outbox)),
        "outbox.set_aside": float(sum(each.set_aside for each in seen.outbox)),
        "outbox.oldest": age(min((each.oldest for each in seen.outbox if each.oldest), default=None)),
        "payments.held": float(sum(row["payments"] for row in seen.held)),
        "calls.unshipped": age(oldest_unshipped(connection)),
        "treasury.silence": age(seen.reach.last_answer),
        "acceptance.payments": float(accepted.payments),
        "acceptance.median": accepted.median.total_seconds() if accepted.median else 0.0,
        "acceptance.p95": accepted.p95.total_seconds() if accepted.p95 else 0.0,
    }
    return found
