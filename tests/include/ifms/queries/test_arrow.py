"""Arrow batches: what the database has, with its types, without a row, and refused where it has no place."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from ifms.errors import BadInputError
from ifms.ledger import session
from ifms.queries import arrow

EVERYTHING = """
    SELECT n AS whole, n::int8 AS long, n::int2 AS short, mod(n, 2) = 0 AS truth, n::numeric(15, 2) / 4 AS rupees,
           (n / 4.0)::numeric(15, 2) AS paid, n::float8 / 8 AS ratio,
           CASE WHEN n > 1 THEN 'a "quoted", text' || E'\\n' || 'of ' || n ELSE '' END AS text,
           NULL::text AS nothing, gen_random_uuid() AS id, '{"a": [1]}'::jsonb AS held,
           CASE n WHEN 1 THEN '{}'::text[] WHEN 2 THEN ARRAY['one, "two"', ''] ELSE NULL END AS texts,
           date '2026-11-01' + n AS day, timestamptz '2026-11-28 23:30:00.000125+05:30' + n * interval '1 hour' AS at
    FROM generate_series(1, 3) n ORDER BY n DESC
"""


@pytest.fixture
def reading(ledger_dsn: str):
    with session.connect(ledger_dsn) as connection:
        connection.read_only = True
        yield connection


def read(connection: psycopg.Connection, statement: str, values: Any = None, rows: int = 100) -> list[pa.RecordBatch]:
    schema = arrow.schema_of(connection, statement, values)
    return list(arrow.batches(connection, statement, values, schema, rows))


def test_each_type_is_what_the_table_says(reading: psycopg.Connection):
    [batch] = read(reading, EVERYTHING)
    types = {field.name: field.type for field in batch.schema}
    assert types == {
        "whole": pa.int32(),
        "long": pa.int64(),
        "short": pa.int16(),
        "truth": pa.bool_(),
        "rupees": pa.decimal128(38, 2),
        "paid": pa.decimal128(15, 2),
        "ratio": pa.float64(),
        "text": pa.string(),
        "nothing": pa.string(),
        "id": pa.string(),
        "held": pa.string(),
        "texts": pa.list_(pa.string()),
        "day": pa.date32(),
        "at": pa.timestamp("us", tz="UTC"),
    }
    first, second, third = sorted(batch.to_pylist(), key=lambda row: row["whole"])
    assert [row["whole"] for row in batch.to_pylist()] == [3, 2, 1], "in the statement's order"
    assert (first["text"], first["texts"], first["truth"]) == ("", [], False)
    assert (second["text"], second["texts"]) == ('a "quoted", text\nof 2', ['one, "two"', ""])
    assert (third["nothing"], third["texts"], third["paid"]) == (None, None, Decimal("0.75"))
    assert (third["day"], third["at"]) == (date(2026, 11, 4), datetime(2026, 11, 28, 21, 0, 0, 125, UTC))
    assert third["held"] == '{"a": [1]}'


@pytest.mark.parametrize(("rows", "sizes"), [(1, [1, 1, 1]), (2, [2, 1]), (3, [3]), (4, [3])])
def test_so_many_rows_a_batch(reading: psycopg.Connection, rows: int, sizes: list[int]):
    assert [batch.num_rows for batch in read(reading, EVERYTHING, rows=rows)] == sizes


def test_nothing_found_is_no_batch_and_has_a_schema(reading: psycopg.Connection):
    statement = f"SELECT * FROM ({EVERYTHING}) every WHERE whole > %(n)s AND text LIKE %(like)s"
    assert read(reading, statement, {"n": 9, "like": "a%"}) == []
    assert len(arrow.schema_of(reading, statement, {"n": 9, "like": "a%"})) == 14
    assert [b.num_rows for b in read(reading, statement, {"n": 1, "like": "a%' OR true --"})] == []
    assert [b.num_rows for b in read(reading, statement, {"n": 1, "like": "a%"})] == [2]


def test_a_percent_sign_is_one_where_no_value_is_given(reading: psycopg.Connection):
    [batch] = read(reading, "SELECT 'a%b' AS text WHERE 'PI-SA/1' LIKE 'PI-%' -- the end")
    assert batch.to_pylist() == [{"text": "a%b"}]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT 1 AS a, 2 AS a", "two columns are named a"),
        ("SELECT account_sealed FROM ifms.beneficiary", "account_sealed holds bytes"),
        ("SELECT interval '1 day' AS span", "type interval"),
        ("SELECT ARRAY[1, 2] AS numbers", r"type int4\[\]"),
        ("SELECT 0.125 AS share", "does not fit"),
        ("SELECT 'infinity'::timestamptz AS at", "does not fit"),
    ],
)
def test_what_has_no_place_is_refused(reading: psycopg.Connection, statement: str, message: str):
    with pytest.raises(BadInputError, match=message):
        read(reading, statement)


def test_nothing_is_written(reading: psycopg.Connection):
    with pytest.raises(psycopg.errors.SyntaxError):
        read(reading, "INSERT INTO ifms.setting VALUES ('a', 'b') RETURNING *")


def test_the_session_is_free_when_who_reads_stops_early(reading: psycopg.Connection):
    statement = "SELECT n FROM generate_series(1, 100000) n"
    taken = arrow.batches(reading, statement, None, arrow.schema_of(reading, statement, None), 10)
    assert next(taken).num_rows == 10
    taken.close()
    reading.rollback()
    assert reading.execute("SELECT 1").fetchone() == (1,)
