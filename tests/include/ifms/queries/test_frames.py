"""A column's type in the frame is its type in the database, with rows, with gaps, and without a row."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from ifms.errors import BadInputError
from ifms.queries import frames
from ifms.reports.files.sheets import csv_rows

# A value of each type in SQL, its dtype, and what comes out of the frame.
CELLS: dict[str, tuple[str, str, Any]] = {
    "numeric(15,2)": ("9999999999999.99", "object", Decimal("9999999999999.99")),
    "numeric": ("0.1", "object", Decimal("0.1")),
    "smallint": ("1", "Int64", 1),
    "integer": ("2147483647", "Int64", 2147483647),
    "bigint": ("9223372036854775807", "Int64", 9223372036854775807),
    "boolean": ("true", "boolean", True),
    "text": ("'00012'", "string", "00012"),
    "varchar(9)": ("'a'", "string", "a"),
    "uuid": ("'00000000-0000-4000-8000-000000000001'", "string", "00000000-0000-4000-8000-000000000001"),
    "timestamptz": (
        "'2026-03-31 23:59:59+05:30'",
        "datetime64[us, UTC]",
        datetime(2026, 3, 31, 18, 29, 59, tzinfo=UTC),
    ),
    "timestamp": ("'0001-01-01'", "datetime64[us]", datetime(1, 1, 1)),  # noqa: DTZ001
    "date": ("'2028-02-29'", "datetime64[s]", datetime(2028, 2, 29)),  # noqa: DTZ001
    "interval": ("'25 hours'", "timedelta64[us]", timedelta(hours=25)),
    "double precision": ("1.5", "Float64", 1.5),
    "text[]": ("ARRAY['a', 'b']", "object", ["a", "b"]),
    "jsonb": ("'{\"a\": 1}'", "object", {"a": 1}),
}


@pytest.fixture(scope="module")
def connection(module_ledger_dsn: str):
    with psycopg.connect(module_ledger_dsn, options="-c timezone=Asia/Kolkata", autocommit=True) as made:
        yield made


def asked(connection: psycopg.Connection, statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement.encode())
        return frames.frame(frames.columns_of(cursor), cursor)


def query(where: str = "true", value: bool = True) -> str:
    columns = [f'({cell if value else "NULL"})::{kind} AS "{kind}"' for kind, (cell, _, _) in CELLS.items()]
    return f"SELECT {', '.join(columns)} FROM generate_series(1, 2) n WHERE {where}"


def test_each_type_is_kept_with_rows_with_gaps_and_without_a_row(connection):
    expected = {kind: dtype for kind, (_, dtype, _) in CELLS.items()}
    full, empty, gaps = (
        asked(connection, each)
        for each in (query(), query("false"), f"{query('n = 1')} UNION ALL {query('n = 2', value=False)}")
    )
    for made, rows in ((full, 2), (empty, 0), (gaps, 2)):
        assert {name: str(dtype) for name, dtype in made.dtypes.items()} == expected
        assert len(made) == rows
    for kind, (_, _, value) in CELLS.items():
        assert full[kind][1] == value, kind
        assert type(full[kind][0]) is not float or kind == "double precision"
        assert gaps[kind].isna().tolist() == [False, True], kind


def test_money_is_added_up_to_the_last_paisa(connection):
    made = asked(connection, "SELECT n % 2 AS even, 0.1::numeric(15,2) AS amount FROM generate_series(1, 30) n")
    assert made["amount"].sum() == Decimal("3.00")
    assert made.groupby("even")["amount"].sum().tolist() == [Decimal("1.50")] * 2
    assert sum(made["amount"], Decimal(0)) == 3


def test_counts_and_sums_have_the_types_of_the_database(connection):
    made = asked(connection, "SELECT count(*) AS n, sum(amount) AS amount FROM ifms.beneficiary")
    assert {name: str(dtype) for name, dtype in made.dtypes.items()} == {"n": "Int64", "amount": "object"}
    assert made["n"][0] == 0
    assert made["amount"][0] is None


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT 1 AS a, 2 AS a", "two columns are named a"),
        ("SELECT account_sealed FROM ifms.beneficiary", "account_sealed holds bytes"),
        ("SELECT ARRAY[account_sealed] AS x FROM ifms.beneficiary", "x holds bytes"),
        ("SELECT * FROM ifms.treasury_call", "what is sealed"),
        ("SET search_path = public", "gives no rows"),
    ],
)
def test_what_can_be_no_frame_is_said(connection, statement, said):
    with pytest.raises(BadInputError, match=said):
        asked(connection, statement)


def test_a_frame_becomes_a_file_of_plain_values(connection):
    made = asked(
        connection,
        "SELECT * FROM (VALUES (1::bigint, '=1+1', 1.10::numeric(15,2), date '2026-04-01', "
        "timestamptz '2026-03-31 18:30Z', ARRAY['a', 'b'], true), (NULL, NULL, NULL, NULL, NULL, NULL, NULL)) "
        "AS v (n, said, amount, day, at, bills, yes) ORDER BY n",
    )
    first, last = frames.rows_of(made)
    assert first == [
        1,
        "=1+1",
        Decimal("1.10"),
        date(2026, 4, 1),
        datetime(2026, 3, 31, 18, 30, tzinfo=UTC),
        "a, b",
        True,
    ]
    assert last == [None] * 7
    lines = list(csv_rows(list(made.columns), [first, last]))
    assert lines[2] == '1,\'=1+1,1.10,2026-04-01,2026-04-01 00:00:00,"a, b",True\r\n'
    assert list(frames.rows_of(asked(connection, "SELECT 1 AS n WHERE false"))) == []


def test_who_imports_a_hook_waits_for_no_pandas():
    script = "import sys; import ifms.queries.frames, ifms.queries.views; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
