"""Views as Parquet: a file for each city and month, as other tools read a partitioned data set.

Money is decimal128, an instant a timestamp in UTC, a day date32; each column says in the file what it means and in
which unit, in the database's own words. Rows pass through in chunks, each of which is a row group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from ifms.errors import BadInputError
from ifms.ledger.database import Connection
from ifms.reports.period import Period, parse

VIEWS = {
    "beneficiary_payment": "created_at",
    "fund_register": "recorded_at",
    "payment_instruction_summary": "created_at",
}
"""What can be had, and the instant whose month (IST) a row belongs to."""
ORDER = {
    "beneficiary_payment": ("created_at", "pi_number", "beneficiary_number"),
    "fund_register": ("movement_id",),
    "payment_instruction_summary": ("created_at", "id"),
}
CHUNK = 10_000
FILE = "rows.parquet"

_TYPES = {
    "text": pa.string(),
    "uuid": pa.string(),
    "text[]": pa.list_(pa.string()),
    "boolean": pa.bool_(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "date": pa.date32(),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
    "numeric(15,2)": pa.decimal128(15, 2),
    "numeric": pa.decimal128(38, 2),
}
_UNITS = {"date": "day, IST", "timestamp with time zone": "instant, UTC", "numeric(15,2)": "INR", "numeric": "INR"}


@dataclass(frozen=True)
class Partition:
    """One city's rows of one month: where its file is on this machine, and its folder in the data set."""

    file: Path
    folder: str
    rows: int


def month_named(text: str) -> Period:
    """The month, like 2026-11. Raises BadInputError for another period."""
    period = parse(text)
    if period.since is None or period.year is not None or len(period.label) != len("2026-11"):
        raise BadInputError(f"{text[:40]!r} is no month: write it like 2026-11")
    return period


def write(
    connection: Connection,
    view: str,
    month: Period,
    here: Path,
    *,
    tenants: Sequence[str] | None = None,
    chunk: int = CHUNK,
) -> list[Partition]:
    """The files of a month, one for each city that has rows, in `here`; in the caller's snapshot.

    Raises BadInputError for a view that is not in VIEWS.
    """
    if view not in VIEWS:
        raise BadInputError(f"{view[:60]!r} can't be had as Parquet: there are {', '.join(VIEWS)}")
    schema = _schema(connection, view)
    connection.execute("SET LOCAL cursor_tuple_fraction = 1")
    values = {"since": month.since, "until": month.until, "tenants": None if tenants is None else list(tenants)}
    within = sql.SQL(
        "FROM ifms.{} WHERE {column} >= %(since)s AND {column} < %(until)s"
        " AND (%(tenants)s::text[] IS NULL OR tenant_id = ANY(%(tenants)s))"
    ).format(sql.Identifier(view), column=sql.Identifier(VIEWS[view]))
    cities = connection.execute(sql.SQL("SELECT DISTINCT tenant_id {} ORDER BY 1").format(within), values).fetchall()
    query = sql.SQL("SELECT {} {} ORDER BY {}").format(
        sql.SQL(", ").join(map(sql.Identifier, schema.names)),
        within,
        sql.SQL(", ").join(map(sql.Identifier, ORDER[view])),
    )
    made = []
    for place, (city,) in enumerate(cities):
        file = here / f"{place}.parquet"
        rows = _write(connection, query, values | {"tenants": [city]}, schema, file, chunk)
        made.append(Partition(file, f"{view}/city={city}/month={month.label}", rows))
    return made


def _write(
    connection: Connection, query: sql.Composed, values: dict[str, Any], schema: pa.Schema, file: Path, chunk: int
) -> int:
    count = 0
    with connection.cursor(name="ifms_parquet") as cursor, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        cursor.execute(query, values)
        while rows := cursor.fetchmany(chunk):
            columns = [
                pa.array([_plain(row[place]) for row in rows], type=field.type) for place, field in enumerate(schema)
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
            count += len(rows)
    return count


def _plain(value: Any) -> Any:  # noqa: ANN401  (a cell may hold anything)
    return str(value) if isinstance(value, UUID) else value


def _schema(connection: Connection, view: str) -> pa.Schema:
    """The view's columns with what the database says of them."""
    rows = connection.execute(
        """
        SELECT a.attname, format_type(a.atttypid, a.atttypmod), coalesce(col_description(a.attrelid, a.attnum), '')
        FROM pg_attribute a WHERE a.attrelid = format('ifms.%%I', %s::text)::regclass AND a.attnum > 0 ORDER BY a.attnum
        """,
        (view,),
    ).fetchall()
    fields = []
    for name, kind, meaning in rows:
        if kind not in _TYPES:
            raise BadInputError(f"column {name} of {view} is of type {kind}, of which Parquet's is not settled")
        told = {"description": meaning} | ({"unit": _UNITS[kind]} if kind in _UNITS else {})
        fields.append(pa.field(name, _TYPES[kind], metadata=told))
    return pa.schema(fields, metadata={"source": f"ifms.{view}"})
