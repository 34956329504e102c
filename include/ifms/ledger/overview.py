"""What the overview counts of all payment instructions: added up by the sweeps at their ends, once for everybody."""

from __future__ import annotations

from ifms.ledger.database import Connection


def refresh(connection: Connection) -> bool:
    """Count anew; False when somebody does so now, or has just done it: then a later sweep does."""
    row = connection.execute("SELECT ifms.refresh_overview()").fetchone()
    return row is not None and bool(row[0])
