"""The rows that fit, written into the ledger: PIs by its own steps, so that its guards see every one of them."""

from __future__ import annotations

from pathlib import Path

from ifms.ledger.database import Connection

_SQL = Path(__file__).with_suffix(".sql")

SOURCE_TABLES = (
    "jit_sanction_details",
    "jit_funds_summary",
    "jit_allotment_details",
    "jit_payment_inst_details",
    "jit_payment_advice_details",
    "jit_beneficiary_details",
    "jit_beneficiary_lineitems",
    "jit_transaction_details",
    "jit_executed_va_logs",
    "jit_pi_status_logs",
)


def write(connection: Connection) -> int:
    """Write what fits and is not there yet, in the caller's transaction; how many of its rows are new or have changed.

    Raises psycopg.Error when a rule of the database refuses.
    """
    parts = _parts()
    for name in ("fit", "withhold", "funds"):
        _run(connection, parts[name])
    row = connection.execute("SELECT coalesce(max(generation), 0) FROM fit_pi").fetchone()
    # The guards' look-ups are planned while the tables are small: by their indexes all the same.
    connection.execute("SET LOCAL enable_seqscan = off")
    for generation in range(1, (row[0] if row else 0) + 1):
        for statement in parts["instructions"].split(";\n"):
            if statement.strip():
                connection.execute(statement.encode(), {"generation": generation})
        for n in range(1, 7):
            values = {"generation": generation, "n": n}
            connection.execute(parts["beneficiary step"].encode(), values)
            connection.execute(parts["instruction step"].encode(), values)
    for name in ("money", "payments"):
        _run(connection, parts[name])
    before = _kept(connection)
    _run(connection, parts["history"])
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    connection.execute("SET LOCAL enable_seqscan = on")
    connection.execute(
        "ANALYZE ifms.fund_movement, ifms.status_log, ifms.payment, ifms.import_row, fit_pi, fit_beneficiary"
    )
    return _kept(connection) - before


def _parts() -> dict[str, str]:
    """The parts of write.sql by their headings."""
    blocks = _SQL.read_text(encoding="utf-8").split("\n-- part: ")[1:]
    return {heading: statements for heading, _, statements in (block.partition("\n") for block in blocks)}


def _run(connection: Connection, script: str) -> None:
    """Several statements without parameters: a % is a %."""
    connection.cursor().execute(script.encode())


def _kept(connection: Connection) -> int:
    row = connection.execute("SELECT count(*) FROM ifms.import_row").fetchone()
    return int(row[0]) if row else 0
