"""Query results as typed data frames: what a column is in the database it is in the frame, also when no row came.

| in PostgreSQL | in the frame | missing |
|---|---|---|
| numeric (rupees) | object: Decimal, never a float | None |
| integer of any size | Int64 | <NA> |
| boolean | boolean | <NA> |
| text, uuid | string | <NA> |
| timestamptz | datetime64[us, UTC] | NaT |
| date (IST, as all dates of the ledger) | datetime64[s], without a zone | NaT |
| interval | timedelta64[us] | NaT |
| real, double precision | Float64 | <NA> |
| arrays, JSON | object: list, dict | None |

pandas is imported when the first frame is made: who only imports a hook does not wait for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg

from ifms.errors import BadInputError

if TYPE_CHECKING:
    import pandas as pd

MONEY = "object"
OTHER = "object"
WHOLE = "Int64"
TRUTH = "boolean"
TEXT = "string"
INSTANT = "datetime64[us, UTC]"
DAY = "datetime64[s]"
SPAN = "timedelta64[us]"
FLOAT = "Float64"

_KINDS = {
    "numeric": MONEY,
    "int2": WHOLE,
    "int4": WHOLE,
    "int8": WHOLE,
    "oid": WHOLE,
    "bool": TRUTH,
    "text": TEXT,
    "varchar": TEXT,
    "bpchar": TEXT,
    "name": TEXT,
    "char": TEXT,
    "uuid": TEXT,
    "timestamptz": INSTANT,
    "timestamp": "datetime64[us]",
    "date": DAY,
    "interval": SPAN,
    "float4": FLOAT,
    "float8": FLOAT,
}


def frame(columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """A frame of `columns` (name to one of the kinds above) that holds `rows`, each with a value per column."""
    import pandas as pd  # half a second, and only who makes frames needs it

    held = list(rows)
    made: dict[str, Any] = {}
    for place, (name, kind) in enumerate(columns.items()):
        values = [row[place] for row in held]
        if kind == TEXT:
            values = [value if value is None else str(value) for value in values]
        made[name] = pd.Series(values, dtype=kind)
    return pd.DataFrame(made, columns=list(columns))


def columns_of(cursor: psycopg.Cursor[Any]) -> dict[str, str]:
    """The columns of what a cursor has executed, by name.

    Raises BadInputError when it gives no rows, names two columns alike, or asks for bytes: those are sealed accounts
    and calls, which are opened one at a time and under a record, and never put into a frame.
    """
    if cursor.description is None:
        raise BadInputError("the statement gives no rows to make a frame of")
    columns: dict[str, str] = {}
    for column in cursor.description:
        if column.name in columns:
            raise BadInputError(f"two columns are named {column.name}: name one of them otherwise, by AS")
        known = psycopg.adapters.types.get(column.type_code)
        name = known.name if known is not None and known.oid == column.type_code else ""  # else an array
        if (known.name if known else "") == "bytea":
            raise BadInputError(f"column {column.name} holds bytes: what is sealed does not go into a frame")
        columns[column.name] = _KINDS.get(name, OTHER)
    return columns


def rows_of(table: pd.DataFrame) -> Iterator[list[Any]]:
    """The rows of a frame as plain values, for a file: None for what is missing, dates as dates, whole numbers as int.

    `ifms.reports.files.sheets` makes of them CSV or XLSX that can do nothing in the program that opens it; its
    instants are IST.
    """
    import pandas as pd

    ready = []
    for name in table.columns:
        column = table[name]
        plain = column.astype(object).where(column.notna(), None)
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            ready.append([None if value is None else value.to_pydatetime() for value in plain])
        elif column.dtype == DAY:
            ready.append([None if value is None else value.date() for value in plain])
        else:
            ready.append([_plain(value) for value in plain])
    return map(list, zip(*ready, strict=True))


def _plain(value: Any) -> Any:  # noqa: ANN401  (a cell may hold anything)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value) if not isinstance(value, _CELLS) else value


_CELLS = (str, int, Decimal, datetime, type(None))
