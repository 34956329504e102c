"""What people call cities and heads of account, kept from the master data: pages ask nobody else for a name."""

from __future__ import annotations

from collections.abc import Mapping

from ifms.ledger.database import Connection

CITY, HEAD = "CITY", "HEAD"


def keep(connection: Connection, cities: Mapping[str, str | None], heads: Mapping[str, str | None]) -> None:
    """Keep these names by code; what comes without a name keeps the one that it had."""
    named = [(CITY, code, name) for code, name in cities.items()]
    named += [(HEAD, code, name) for code, name in heads.items()]
    rows = sorted((kind, code, " ".join(name.split())) for kind, code, name in named if name and name.strip())
    # In one order, so that two sweeps do not wait for each other; a name that has not changed is not written.
    connection.execute(
        """
        INSERT INTO ifms.display_name AS known (kind, code, name)
        SELECT kind, code, name FROM unnest(%s::text[], %s::text[], %s::text[]) AS given (kind, code, name)
        ORDER BY kind, code
        ON CONFLICT (kind, code) DO UPDATE SET name = excluded.name, changed_at = now()
            WHERE known.name <> excluded.name
        """,
        ([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]),
    )
