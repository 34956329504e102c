"""A simulator's durable state: one SQLite file that survives the death of its process at any point."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

Json: TypeAlias = Any
"""A value read from JSON, before its shape is checked."""

_COMMON = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rule (id INTEGER PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_CANONICAL = msgspec.json.Encoder(decimal_format="number", order="sorted")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


def dump(value: object) -> str:
    """`value` as JSON; a Decimal becomes a number with its decimals kept."""
    return _ENCODER.encode(value).decode()


def dump_bytes(value: object) -> bytes:
    """Like `dump`, in UTF-8."""
    return _ENCODER.encode(value)


def canonical(value: object) -> str:
    """Like `dump`, with the keys of every object sorted, so that equal values have equal texts."""
    return _CANONICAL.encode(value).decode()


def load(text: str | bytes) -> Json:
    """The value of JSON; numbers with decimals become Decimal. Raises ValueError for anything else."""
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error


class Store:
    """One SQLite file with the given tables, and those that both simulators have.

    Write-ahead log and synchronous=NORMAL: what is committed survives SIGKILL of the process. All access is from one
    thread at a time (the server's event loop).
    """

    def __init__(self, path: Path, schema: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA busy_timeout = 5000")
        self._connection.executescript(_COMMON + schema)

    def close(self) -> None:
        """Close the file; the store can't be used afterwards."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; a transaction inside another is part of it."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def run(self, sql: str, *values: object) -> sqlite3.Cursor:
        """Execute one statement."""
        return self._connection.execute(sql, values)

    def run_many(self, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Execute one statement for each row."""
        self._connection.executemany(sql, rows)

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """All rows of a query."""
        return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: object) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        found: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return found

    def count(self, name: str, by: int = 1) -> int:
        """Add to a counter that never goes back, and return it; a counter starts at 0."""
        cursor = self.run(
            "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"
            " RETURNING value",
            name,
            by,
        )
        return int(cursor.fetchone()[0])

    def counters(self, prefix: str) -> dict[str, int]:
        """The counters whose name starts with `prefix`, by the rest of their name."""
        return {
            row["name"][len(prefix) :]: row["value"]
            for row in self.rows("SELECT name, value FROM counter ORDER BY name")
            if row["name"].startswith(prefix)
        }

    def stored_settings(self) -> dict[str, Any]:
        """The settings that were changed while the simulator ran."""
        return {row["name"]: load(row["value"]) for row in self.rows("SELECT name, value FROM setting")}

    def store_settings(self, changes: Mapping[str, object]) -> None:
        """Keep changed settings for the next start."""
        for name, value in changes.items():
            self.run(
                "INSERT INTO setting VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                name,
                dump(value),
            )
