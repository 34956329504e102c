"""New keys: account numbers sealed and PIs signed anew, batch by batch, beside running sweeps.

What is written under the new key is first opened, or checked, under the old one: what does not open, or was not signed,
does not become so here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from psycopg import sql

from ifms.ledger import beneficiaries, bills, failures, instructions
from ifms.ledger.binding import check_instruction, content_of, open_account, seal_account
from ifms.ledger.database import Connection, Database
from ifms.signing import Keyring

BATCH = 500


@dataclass(frozen=True)
class Column:
    """A column of records that outlive a key; `renewed` gives the records of locked rows under the new key, by id."""

    table: str
    column: str
    renewed: Callable[[Connection, Keyring, Sequence[UUID]], dict[UUID, bytes]]

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.table}.{self.column}"

    def header(self, keyring: Keyring) -> bytes:
        """What every record under the new key begins with."""
        return keyring.signer.header if self.column == "signature" else keyring.sealer.header


def _accounts(connection: Connection, keyring: Keyring, ids: Sequence[UUID]) -> dict[UUID, bytes]:
    found = {}
    for pi, row in instructions.with_beneficiaries(connection, ids):
        number = open_account(keyring.sealer, pi, row)
        found[row.id] = seal_account(keyring.sealer, pi.tenant_id, pi.pi_number, row, number)
    return found


def _failures(connection: Connection, keyring: Keyring, ids: Sequence[UUID]) -> dict[UUID, bytes]:
    found = {}
    for bill_number, kept in failures.by_id(connection, ids):
        number = failures.open_account(keyring.sealer, bill_number, kept)
        found[kept.id] = failures.seal_account(keyring.sealer, bill_number, kept.failure, kept.account_last4, number)
    return found


def _signatures(connection: Connection, keyring: Keyring, ids: Sequence[UUID]) -> dict[UUID, bytes]:
    pis = instructions.by_id(connection, ids)
    rows, paid = beneficiaries.of(connection, ids), bills.bills_of(connection, pis)
    found = {}
    for pi in pis:
        accounts = check_instruction(keyring, pi, rows[pi.id], paid[pi.id])
        found[pi.id] = keyring.signer.sign(content_of(pi, rows[pi.id], accounts, paid[pi.id]))
    return found


# What sweeps must open or check for as long as the PI or failure may matter. Calls to the treasury stay as they were
# said, under the key of their time; they open with it until they are removed.
COLUMNS = (
    Column("beneficiary", "account_sealed", _accounts),
    Column("reported_failure", "account_sealed", _failures),
    Column("payment_instruction", "signature", _signatures),
)


def reseal(db: Database, keyring: Keyring) -> dict[str, int]:
    """Write anew what is not under the keyring's own keys; how many records of each column.

    Each batch is a transaction, so it can be stopped and started again; rows that others have locked are passed over:
    `left` counts them. Raises SealError or SignatureError that names the key when it is not at hand, or the row that is
    not what was sealed or signed.
    """
    done = {}
    for column in COLUMNS:
        count, last = 0, UUID(int=0)
        while True:
            n, last = db.transact(partial(_batch, column=column, keyring=keyring, after=last))
            if not n:
                break
            count += n
        done[column.name] = count
    return done


def left(connection: Connection, keyring: Keyring) -> dict[str, int]:
    """How many records of each column are still under other keys."""
    found = {}
    for column in COLUMNS:
        row = connection.execute(
            _sql("SELECT count(*) FROM {table} WHERE {other}", column), {"own": column.header(keyring)}
        ).fetchone()
        found[column.name] = int(row[0]) if row else 0
    return found


def _batch(connection: Connection, column: Column, keyring: Keyring, after: UUID) -> tuple[int, UUID]:
    """Write the next records behind `after` anew; how many, and the id of the last."""
    rows = connection.execute(
        _sql(
            "SELECT id FROM {table} WHERE id > %(after)s AND {other} ORDER BY id LIMIT %(limit)s "
            "FOR UPDATE SKIP LOCKED",
            column,
        ),
        {"own": column.header(keyring), "limit": BATCH, "after": after},
    ).fetchall()
    if not rows:
        return 0, after
    ids = [row[0] for row in rows]
    connection.execute("SELECT set_config('ifms.resealing', 'on', true)")
    with connection.cursor() as cursor:
        cursor.executemany(
            _sql("UPDATE {table} SET {column} = %s WHERE id = %s", column),
            [(record, id_) for id_, record in column.renewed(connection, keyring, ids).items()],
        )
    return len(rows), ids[-1]


def _sql(text: str, column: Column) -> sql.Composed:
    """The other keys' records: those whose header is not that of the own key."""
    name = sql.Identifier(column.column)
    other = sql.SQL("{0} IS NOT NULL AND substr({0}, 1, length(%(own)s)) <> %(own)s").format(name)
    return sql.SQL(text).format(table=sql.Identifier("ifms", column.table), column=name, other=other)
