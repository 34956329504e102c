"""The simulated platform's stored documents, changed behind its back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def change_stored(folder: Path, table: str, path: str, value: str, *, row: str = "min") -> None:
    """Write a JSON `value` into one row of the store in `folder`: the one with the lowest id, or (`max`) the highest."""
    with closing(sqlite3.connect(folder / "platform.db", timeout=60)) as platform, platform:
        changed = platform.execute(
            f"UPDATE {table} SET document = json_set(document, ?, json(?)) WHERE id = (SELECT {row}(id) FROM {table})",
            (path, value),
        )
        assert changed.rowcount == 1
