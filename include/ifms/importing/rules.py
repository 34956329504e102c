"""What must hold of the Java adapter's rows before they are taken in (rules.sql).

A broken rule about a sanction leaves out that sanction, one about a payment all of its PIs: nothing is imported half.
"""

from __future__ import annotations

from pathlib import Path

from psycopg import sql

from ifms.ledger.database import Connection

_RULES = Path(__file__).with_suffix(".sql")


def find_violations(connection: Connection) -> None:
    """Fill java_misfit: sanctions first, for what is said of them leaves out payments."""
    for block in _RULES.read_text(encoding="utf-8").split("\n-- rule: ")[1:]:
        heading, _, query = block.partition("\n")
        scope, _, remedy = heading.partition(" | ")
        finding = f"INSERT INTO java_misfit SELECT q.scope, f.* , q.remedy FROM ({query.strip()})"
        connection.execute(
            sql.SQL("{} f (tenant_id, name, about, why), (VALUES ({}, {})) q (scope, remedy)")
            .format(sql.SQL(finding), sql.Literal(scope), sql.Literal(remedy))
            .as_bytes(connection)
        )
    connection.execute("CREATE INDEX ON java_misfit (scope, tenant_id, name)")
    connection.execute("ANALYZE java_misfit")
