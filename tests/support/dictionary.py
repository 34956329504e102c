"""The data dictionary: what views and tables there are, how they belong together, and in which views a column is.

`make schema` writes it to docs/data-dictionary.md, from the database's comments and foreign keys. What only the views'
readers know, by which columns views belong together, is said here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import psycopg
from support.environment import REPO

DICTIONARY = REPO / "docs" / "data-dictionary.md"

PI = "payment_instruction_summary"
RELATIONS: tuple[tuple[str, str, str, str, str], ...] = (
    ("beneficiary_payment", "payment_instruction_id", PI, "id", "}|--||"),
    ("beneficiary_payment", "superseded_by", PI, "pi_number", "}o--o|"),
    ("failed_beneficiary", "id", "beneficiary_payment", "id", "|o--||"),
    ("returned_payment", "id", "beneficiary_payment", "id", "|o--||"),
    ("doubtful_transfer", "beneficiary_payment_id", "beneficiary_payment", "id", "}o--||"),
    ("open_payment_instruction", "id", PI, "id", "|o--||"),
    ("status_history", "payment_instruction_id", PI, "id", "}o--o|"),
    ("call_log", "payment_instruction_id", PI, "id", "}o--o|"),
    ("unmatched_failure", "bill_number", PI, "pi_number", "}o--o|"),
    ("waiting_payment", "last_pi_number", PI, "pi_number", "|o--o|"),
    ("fund_register", "sanction_id", "sanction_summary", "id", "}|--||"),
    ("fund_register", "transaction_number", PI, "pi_number", "}o--o|"),
    (PI, "master_allotment_id", "sanction_summary", "master_allotment_id", "}o--o|"),
)
"""View, its column, the other view and its column, and how many rows of the one (left) belong to how many (mermaid)."""

_HEAD = """\
# Data dictionary

Made from the database's comments and foreign keys by `make schema`; a test keeps it equal. A login in `ifms_read` sees
the views, one in `ifms_work` the tables, too. [views.md](views.md) says what each column of a view means,
[schema.sql](schema.sql) has the tables.

## Views

"""
_VIEWS_NOTE = """
A master_allotment_id names one sanction together with tenant_id, hoa_code and ddo_code.

"""


def dictionary_of(dsn: str) -> str:
    """The page about a migrated ledger, in Markdown."""
    with psycopg.connect(dsn) as connection:
        return "".join(_parts(connection))


def _parts(connection: psycopg.Connection) -> Iterator[str]:
    yield _HEAD
    yield from _table(("view", "rows"), _relations(connection, "v", lambda name: f"[{name}](views.md#{name})"))
    yield _VIEWS_NOTE
    yield from _diagram((one, how, other, column) for one, column, other, _, how in RELATIONS)
    yield "\n## Columns of the views\n\n"
    columns = connection.execute(
        """
        SELECT a.attname, string_agg(DISTINCT format_type(a.atttypid, NULL), ', '),
               string_agg(c.relname, ', ' ORDER BY c.relname)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'ifms'::regnamespace AND c.relkind = 'v' GROUP BY 1 ORDER BY a.attname COLLATE "C"
        """
    ).fetchall()
    yield from _table(("column", "type", "in"), ((f"`{name}`", kind, views) for name, kind, views in columns))
    yield "\n## Tables\n\n"
    yield from _table(("table", "rows"), _relations(connection, "r", lambda name: f"`{name}`"))
    yield "\n"
    keys = connection.execute(
        """
        SELECT DISTINCT k.conrelid::regclass::text, k.confrelid::regclass::text, a.attname::text, a.attnotnull
        FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
        WHERE k.contype = 'f' AND k.connamespace = 'ifms'::regnamespace ORDER BY 1, 2, 3
        """
    ).fetchall()
    yield from _diagram(
        (_plain(one), "}o--||" if needed else "}o--o|", _plain(other), column) for one, other, column, needed in keys
    )


def _relations(connection: psycopg.Connection, kind: str, shown: Callable[[str], str]) -> list[tuple[str, str]]:
    rows = connection.execute(
        """
        SELECT c.relname, coalesce(obj_description(c.oid, 'pg_class'), '') FROM pg_class c
        WHERE c.relnamespace = 'ifms'::regnamespace AND c.relkind = %s AND c.relname <> 'alembic_version' ORDER BY 1
        """,
        (kind,),
    ).fetchall()
    return [(shown(name), _first_sentence(meaning) if kind == "v" else meaning) for name, meaning in rows]


def _first_sentence(text: str) -> str:
    return text.split(". ", 1)[0].rstrip(".") + "."


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}\n"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n"


def _diagram(relations: Iterable[tuple[str, str, str, str]]) -> Iterator[str]:
    yield "```mermaid\nerDiagram\n"
    for one, how, other, column in relations:
        yield f'    {one} {how} {other} : "{column}"\n'
    yield "```\n"


def _plain(name: str) -> str:
    return name.removeprefix("ifms.")
