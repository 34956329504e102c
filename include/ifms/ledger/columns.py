"""The columns that a row class is read from, as a list for a SELECT or RETURNING."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from psycopg import sql


def columns_of(row: type[Any], alias: str | None = None) -> sql.Composed:
    """One column for each field of the dataclass `row`, of the table of that name or alias in the statement."""
    of = () if alias is None else (alias,)
    return sql.SQL(", ").join(sql.Identifier(*of, field.name) for field in fields(row))
