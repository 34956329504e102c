"""In which language each user reads the pages."""

from __future__ import annotations

from ifms.ledger.database import Connection


def keep(connection: Connection, user: str, language: str) -> None:
    """Keep a user's choice; the last one counts."""
    connection.execute(
        """
        INSERT INTO ifms.user_language AS kept (user_name, language) VALUES (%s, %s)
        ON CONFLICT (user_name) DO UPDATE SET language = excluded.language, chosen_at = now()
            WHERE kept.language <> excluded.language
        """,
        (user, language),
    )


def chosen(connection: Connection, user: str) -> str | None:
    """What a user has chosen; None for nothing."""
    row = connection.execute("SELECT language FROM ifms.user_language WHERE user_name = %s", (user,)).fetchone()
    return None if row is None else str(row[0])
