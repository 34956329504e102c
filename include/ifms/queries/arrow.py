"""Query results as Arrow record batches: copied out of the database and parsed by Arrow, no Python object per cell.

| in PostgreSQL | in the batch |
|---|---|
| numeric(p, s) (rupees: two decimals) | decimal128(p, s); decimal128(38, 2) where it states no scale |
| integer of any size | int16, int32, int64 |
| boolean | bool |
| text, varchar, uuid, json | string |
| text[] | list of string |
| timestamptz | timestamp[us, UTC] |
| date (IST, as all dates of the ledger) | date32 |
| real, double precision | float, double |

What is missing is null. The hooks import this, and pyarrow by it, when the first batch is asked for.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from io import BytesIO
from typing import TYPE_CHECKING

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql
from pyarrow import csv

from ifms.errors import BadInputError

if TYPE_CHECKING:
    from psycopg.abc import Params

    from ifms.ledger.database import Connection

_TYPES = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "date": pa.date32(),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "uuid", "json", "jsonb"), pa.string()),
}
_LIST = pa.list_(pa.string())
_WIDEST = 38
_BETWEEN = "\x1f"  # the unit separator: it stands in no text that a person can enter


def schema_of(connection: Connection, statement: str, values: Params | None) -> pa.Schema:
    """The fields of what a statement finds; it is not run.

    Raises BadInputError when two columns have one name, one holds bytes (sealed accounts and calls, which are opened
    one at a time and under a record), or one is of a type that has no place in the table above.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM (\n{statement}\n) asked LIMIT 0".encode(), values)
        columns = cursor.description or []
    fields: dict[str, pa.Field] = {}
    for column in columns:
        if column.name in fields:
            raise BadInputError(f"two columns are named {column.name}: name one of them otherwise, by AS")
        fields[column.name] = pa.field(column.name, _type(column))
    return pa.schema(fields.values())


def batches(
    connection: Connection, statement: str, values: Params | None, schema: pa.Schema, rows: int
) -> Generator[pa.RecordBatch, None, None]:
    """What a statement finds, as `schema_of` describes it, in batches of `rows` rows, the last with fewer; maybe none.

    The database's session is busy until the last was taken or the generator is closed.

    Raises BadInputError for a value that its type can't hold, like a numeric of no stated scale with three decimals.
    """
    query = sql.SQL("COPY (SELECT {} FROM (\n{}\n) asked) TO STDOUT (FORMAT csv)").format(
        sql.SQL(", ").join(map(_copied, schema)),
        sql.SQL(statement),
    )
    with connection.cursor() as cursor, cursor.copy(query, values) as copy:
        for lines in _gathered(copy, rows):
            yield _parsed(lines, schema)


def _gathered(copy: psycopg.Copy, rows: int) -> Iterator[bytes]:
    """The lines of so many rows at a time: the server sends each row as a message of its own."""
    held, count = bytearray(), 0
    for line in copy:
        held += line
        count += 1
        if count == rows:
            yield bytes(held)
            held, count = bytearray(), 0
    if count:
        yield bytes(held)


def _parsed(lines: bytes, schema: pa.Schema) -> pa.RecordBatch:
    asked = {field.name: pa.string() if field.type == _LIST else field.type for field in schema}
    try:
        table = csv.read_csv(
            BytesIO(lines),
            csv.ReadOptions(column_names=schema.names, block_size=len(lines) + 1, use_threads=False),
            csv.ParseOptions(newlines_in_values=True),
            csv.ConvertOptions(
                column_types=asked,
                null_values=[""],
                true_values=["t"],
                false_values=["f"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                timestamp_parsers=[csv.ISO8601],
            ),
        )
    except pa.ArrowInvalid as error:
        raise BadInputError(f"what was found does not fit Arrow's types: {error}") from None
    columns = [
        _split(column) if field.type == _LIST else column
        for field, column in zip(schema, table.combine_chunks().columns, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=schema).combine_chunks().to_batches()[0]


def _copied(field: pa.Field) -> sql.Composable:
    name = sql.Identifier(field.name)
    if field.type == _LIST:
        return sql.SQL("array_to_string({}, {})").format(name, sql.Literal(_BETWEEN))
    return name


def _split(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts joined by the separator as lists; of an empty text the empty list."""
    lists = pc.split_pattern(column, _BETWEEN)
    return pc.if_else(pc.equal(column, ""), pa.scalar([], _LIST), lists)


def _type(column: psycopg.Column) -> pa.DataType:
    known = psycopg.adapters.types.get(column.type_code)
    name = known.name if known is not None else str(column.type_code)
    if known is not None and known.oid != column.type_code:
        if name in {"text", "varchar"}:
            return _LIST
        name = f"{name}[]"
    if name == "bytea":
        raise BadInputError(f"column {column.name} holds bytes: what is sealed does not go into a frame")
    if name == "numeric":
        if column.precision is None or column.precision > _WIDEST:
            return pa.decimal128(_WIDEST, 2)
        return pa.decimal128(column.precision, column.scale or 0)
    if name not in _TYPES:
        raise BadInputError(f"column {column.name} is of type {name}, of which Arrow's is not settled: cast it to text")
    return _TYPES[name]
