"""The columns that a row class is read from, and rows that are handed to the database as one value."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from psycopg import sql


def columns_of(row: type[Any], alias: str | None = None) -> sql.Composed:
    """One column for each field of the dataclass `row`, of the table of that name or alias in the statement."""
    of = () if alias is None else (alias,)
    return sql.SQL(", ").join(sql.Identifier(*of, field.name) for field in fields(row))


def as_recordset(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as the JSON that json_to_recordset reads: one value however many they are, and one statement for all."""
    return json.dumps(rows, default=_text)


def _text(value: object) -> object:
    return rf"\x{value.hex()}" if isinstance(value, bytes) else str(value)
