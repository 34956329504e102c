"""Finding calls, for the data team: typed rows, page by page, newest first, and nothing secret in them.

The same question can be put to the ledger (`search_ledger`) or to Elasticsearch (`CallStore.search`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from ifms.errors import BadInputError
from ifms.ledger.database import Connection

MOST_ROWS = 1000
OUTCOMES = ("answered", "rejected", "never_sent", "unknown")


@dataclass(frozen=True)
class CallRow:
    """One call. `outcome` is None while it is under way, or for good if its process died, or in old Java records."""

    id: str
    service_id: str
    bill_number: str | None
    outcome: str | None
    status_code: int | None
    error: str | None
    duration_ms: int | None
    created_at: datetime


@dataclass(frozen=True)
class Place:
    """Where a page ended."""

    created_at: datetime
    id: str


@dataclass(frozen=True)
class Page:
    """Calls, and where the next page begins: None behind the last one."""

    rows: Sequence[CallRow]
    next: Place | None


@dataclass(frozen=True)
class CallQuery:
    """Which calls: each field narrows it; `since` is included, `until` is not.

    Raises BadInputError for an outcome that there is not, times without a zone, or a page of none or too many rows.
    """

    bill: str | None = None
    service: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 100
    after: Place | None = None

    def __post_init__(self) -> None:
        if self.outcome is not None and self.outcome not in OUTCOMES:
            raise BadInputError(f"outcome must be one of {', '.join(OUTCOMES)}")
        for name in ("since", "until"):
            instant = getattr(self, name)
            if instant is not None and instant.tzinfo is None:
                raise BadInputError(f"{name} has no time zone")
        if isinstance(self.limit, bool) or not 1 <= self.limit <= MOST_ROWS:
            raise BadInputError(f"limit must be from 1 to {MOST_ROWS}; ask for the next page by `after`")

    def page(self, found: Sequence[CallRow]) -> Page:
        """The page that is made of what was found: a full one has a next one."""
        last = found[-1] if len(found) == self.limit else None
        return Page(found, None if last is None else Place(last.created_at, last.id))


def search_ledger(connection: Connection, query: CallQuery) -> Page:
    """Ask the ledger."""
    with connection.cursor(row_factory=class_row(CallRow)) as cursor:
        found = cursor.execute(
            """
            SELECT id::text, service_id, bill_number, outcome, status_code, error, duration_ms, created_at
            FROM ifms.call_log
            WHERE (%(bill)s::text IS NULL OR bill_number = %(bill)s)
              AND (%(service)s::text IS NULL OR service_id = %(service)s)
              AND (%(outcome)s::text IS NULL OR outcome = %(outcome)s)
              AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
              AND (%(until)s::timestamptz IS NULL OR created_at < %(until)s)
              AND (%(after)s::timestamptz IS NULL OR (created_at, id) < (%(after)s, %(after_id)s::uuid))
            ORDER BY created_at DESC, id DESC LIMIT %(limit)s
            """,
            {
                "bill": query.bill,
                "service": query.service,
                "outcome": query.outcome,
                "since": query.since,
                "until": query.until,
                "after": query.after and query.after.created_at,
                "after_id": query.after and query.after.id,
                "limit": query.limit,
            },
        ).fetchall()
    return query.page(found)
