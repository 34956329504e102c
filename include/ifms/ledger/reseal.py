"""Sealed records under a new key: account numbers and the call log's secrets, batch by batch, beside running sweeps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from psycopg import sql

from ifms.ledger.database import Connection, Database
from ifms.sealing import Sealer

BATCH = 500


@dataclass(frozen=True)
class Column:
    """A column of sealed records that outlive a key."""

    table: str
    column: str

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.table}.{self.column}"


# What sweeps must open for as long as the PI or failure may matter. Calls to the treasury stay as they were said, under
# the key of their time; they open with it until they are removed.
COLUMNS = (Column("beneficiary", "account_sealed"), Column("unmatched_failure", "account_sealed"))


def reseal(db: Database, sealer: Sealer) -> dict[str, int]:
    """Seal anew what is not under the sealer's own key; how many records of each column.

    Each batch is a transaction, so it can be stopped and started again; rows that others have locked are passed over:
    `left` counts them. Raises SealError that names the key when a record is under one that is not at hand.
    """
    done = {}
    for column in COLUMNS:
        count, last = 0, UUID(int=0)
        while True:
            n, last = db.transact(partial(_batch, column=column, sealer=sealer, after=last))
            if not n:
                break
            count += n
        done[column.name] = count
    return done


def left(connection: Connection, sealer: Sealer) -> dict[str, int]:
    """How many records of each column are still under other keys."""
    found = {}
    for column in COLUMNS:
        row = connection.execute(_sql("SELECT count(*) FROM {table} WHERE {other}", column), _own(sealer)).fetchone()
        found[column.name] = int(row[0]) if row else 0
    return found


def _batch(connection: Connection, column: Column, sealer: Sealer, after: UUID) -> tuple[int, UUID]:
    """Seal the next records behind `after` anew; how many, and the id of the last."""
    rows = connection.execute(
        _sql(
            "SELECT id, {column} FROM {table} WHERE id > %(after)s AND {other} ORDER BY id LIMIT %(limit)s "
            "FOR UPDATE SKIP LOCKED",
            column,
        ),
        _own(sealer) | {"limit": BATCH, "after": after},
    ).fetchall()
    if not rows:
        return 0, after
    connection.execute("SELECT set_config('ifms.resealing', 'on', true)")
    with connection.cursor() as cursor:
        cursor.executemany(
            _sql("UPDATE {table} SET {column} = %s WHERE id = %s", column),
            [(sealer.seal(sealer.open(sealed)), id_) for id_, sealed in rows],
        )
    return len(rows), rows[-1][0]


def _sql(text: str, column: Column) -> sql.Composed:
    """The other keys' records: those whose header is not that of the own key."""
    name = sql.Identifier(column.column)
    other = sql.SQL("{0} IS NOT NULL AND substr({0}, 1, length(%(own)s)) <> %(own)s").format(name)
    return sql.SQL(text).format(table=sql.Identifier("ifms", column.table), column=name, other=other)


def _own(sealer: Sealer) -> dict[str, object]:
    return {"own": sealer.header}
