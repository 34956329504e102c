"""`ifms views`: what the views for reports hold."""

from __future__ import annotations

from ifms.cli.command import Dsn
from ifms.cli.database import connected


def views(dsn: Dsn = "") -> None:
    """Print what the views for reports hold, column by column (docs/views.md)."""
    from ifms.queries.view_docs import page

    with connected(dsn) as db:
        print(db.transact(page), end="")
