"""Searches of the list of payment instructions that a user of the pages has given a name."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row

from ifms.errors import BadInputError
from ifms.ledger.database import Connection

MOST = 50
"""So many of one user."""
LONGEST = 80
"""So many characters of a name."""


@dataclass(frozen=True)
class SavedSearch:
    """A search by its name; `query` as an address has it."""

    id: UUID
    name: str
    query: str


def of(connection: Connection, owner: str) -> list[SavedSearch]:
    """The searches of a user, by name."""
    with connection.cursor(row_factory=class_row(SavedSearch)) as cursor:
        return cursor.execute(
            "SELECT id, name, query FROM ifms.saved_search WHERE owner = %s ORDER BY lower(name), name", (owner,)
        ).fetchall()


def save(connection: Connection, owner: str, name: str, query: str) -> None:
    """Keep a search under a name; one that has the name already becomes this one.

    Raises BadInputError for a name that is none, and for one more than MOST.
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST or not name.isprintable():
        raise BadInputError(f"the name of a search has 1 to {LONGEST} characters; nothing was saved")
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('ifms.saved_search:' || %s, 0))", (owner,))
    done = connection.execute(
        """
        INSERT INTO ifms.saved_search (owner, name, query)
        SELECT %(owner)s, %(name)s, %(query)s
        WHERE EXISTS (SELECT FROM ifms.saved_search WHERE owner = %(owner)s AND name = %(name)s)
           OR (SELECT count(*) FROM ifms.saved_search WHERE owner = %(owner)s) < %(most)s
        ON CONFLICT (owner, name) DO UPDATE SET query = EXCLUDED.query, saved_at = now()
        """,
        {"owner": owner, "name": name, "query": query, "most": MOST},
    )
    if not done.rowcount:
        raise BadInputError(f"{MOST} searches are saved for you: remove one first; nothing was saved")


def remove(connection: Connection, owner: str, search_id: UUID) -> None:
    """Forget a search of this user; none of anybody else."""
    connection.execute("DELETE FROM ifms.saved_search WHERE owner = %s AND id = %s", (owner, search_id))
