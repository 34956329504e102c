"""Views as Parquet: a file for each city and month, as other tools read a partitioned data set.

Money is decimal128, an instant a timestamp in UTC, a day date32; each column says in the file what it means and in
which unit, in the database's own words. Rows pass through in batches, each of which is a row group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from ifms.errors import BadInputError
from ifms.ledger.database import Connection
from ifms.queries import arrow
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
    schema = _described(connection, view)
    values = {"since": month.since, "until": month.until, "tenants": None if tenants is None else list(tenants)}
    within = sql.SQL(
        "FROM ifms.{} WHERE {column} >= %(since)s AND {column} < %(until)s"
        " AND (%(tenants)s::text[] IS NULL OR tenant_id = ANY(%(tenants)s))"
    ).format(sql.Identifier(view), column=sql.Identifier(VIEWS[view]))
    cities = connection.execute(sql.SQL("SELECT DISTINCT tenant_id {} ORDER BY 1").format(within), values).fetchall()
    order = sql.SQL(", ").join(map(sql.Identifier, ORDER[view]))
    query = sql.SQL("SELECT * {} ORDER BY {}").format(within, order).as_string(connection)
    made = []
    for place, (city,) in enumerate(cities):
        file = here / f"{place}.parquet"
        rows = _write(connection, query, values | {"tenants": [city]}, schema, file, chunk)
        made.append(Partition(file, f"{view}/city={city}/month={month.label}", rows))
    return made


def _write(
    connection: Connection, query: str, values: dict[str, Any], schema: pa.Schema, file: Path, chunk: int
) -> int:
    count = 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in arrow.batches(connection, query, values, schema, chunk):
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def _described(connection: Connection, view: str) -> pa.Schema:
    """The view's columns with what the database says of them."""
    schema = arrow.schema_of(connection, f"SELECT * FROM ifms.{view}", None)
    meanings = dict(
        connection.execute(
            """
            SELECT attname, col_description(attrelid, attnum) FROM pg_attribute
            WHERE attrelid = format('ifms.%%I', %s::text)::regclass AND attnum > 0
            """,
            (view,),
        ).fetchall()
    )
    fields = []
    for field in schema:
        told = {"description": meanings[field.name] or ""} | ({"unit": unit} if (unit := _unit(field.type)) else {})
        fields.append(field.with_metadata(told))
    return pa.schema(fields, metadata={"source": f"ifms.{view}"})


def _unit(of: pa.DataType) -> str | None:
    if pa.types.is_decimal(of):
        return "INR"
    return {pa.date32(): "day, IST", pa.timestamp("us", tz="UTC"): "instant, UTC"}.get(of)
