"""The Java adapter's ten tables, as they stand at one moment, brought into this transaction's temporary tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from ifms.errors import BadInputError, ConfigurationError
from ifms.importing.write import SOURCE_TABLES
from ifms.ledger import session
from ifms.ledger.database import Connection

_STAGE = Path(__file__).with_name("stage.sql")


@dataclass(frozen=True)
class Masters:
    """What the Java adapter never stored with its rows: whose a DDO is, and the scheme of a head of account."""

    units: frozenset[tuple[str, str, str, str]]  # tenant, DDO code, SSU id, grantee code
    schemes: frozenset[tuple[str, str]]  # head of account, scheme code


def stage(target: Connection, source: Connection, schema: str, masters: Masters, by_rows: Collection[str]) -> None:
    """Copy the rows of `source` into temporary tables of `target`'s transaction, all as of one moment.

    Raises ConfigurationError when `schema` has not all of the tables, BadInputError for a number of `by_rows` that is
    no sanction's.
    """
    target.execute(
        "CREATE TEMP TABLE java_row (place bigint GENERATED ALWAYS AS IDENTITY, source text, content jsonb)"
        " ON COMMIT DROP"
    )
    session.begin(source, session.LOOK)
    try:
        for table in SOURCE_TABLES:
            _copy(target, source, schema, table)
    finally:
        source.rollback()
    _fill(target, "java_unit", ("tenant_id", "ddo_code", "ssu_id", "grantee_code"), masters.units)
    _fill(target, "java_head", ("hoa_code", "scheme_code"), masters.schemes)
    target.execute("CREATE INDEX ON java_row (source)")
    target.execute("ANALYZE java_row, java_unit, java_head")
    target.cursor().execute(_STAGE.read_bytes())
    _sum_rows(target, by_rows)


def _copy(target: Connection, source: Connection, schema: str, table: str) -> None:
    reading = sql.SQL("COPY (SELECT {}, to_jsonb(t) FROM {} t) TO STDOUT").format(
        sql.Literal(table), sql.Identifier(schema, table)
    )
    try:
        with (
            source.cursor().copy(reading) as read,
            target.cursor().copy("COPY java_row (source, content) FROM STDIN") as write,
        ):
            for block in read:
                write.write(block)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise ConfigurationError(
            f"the database of --from-dsn has no table {schema}.{table}: name its schema with --from-schema"
        ) from None


def note_removed(target: Connection, names: Collection[str], tenant_id: str | None = None) -> None:
    """Withheld payments, of this city or of any, whose rows were removed there on purpose.

    Raises BadInputError for one that is not withheld, and, with no city named, for one that is in two cities.
    """
    found: dict[str, list[str]] = {name: [] for name in names}
    for name, city in target.execute(
        """
        SELECT DISTINCT payment_number, tenant_id FROM ifms.import_withheld
        WHERE settled_at IS NULL AND payment_number = ANY(%(names)s)
          AND (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s)
        ORDER BY 1, 2
        """,
        {"names": list(names), "tenant": tenant_id},
    ):
        found[name].append(city)
    for name, cities in found.items():
        if not cities:
            raise BadInputError(f"--removed {name}: no payment of this number is withheld here")
        if len(cities) > 1:
            raise BadInputError(f"--removed {name}: it is withheld in {' and '.join(cities)}; name the city (--tenant)")
    _fill(target, "java_removed", ("tenant_id", "name"), ((city, name) for name, [city] in found.items()))


def _fill(target: Connection, name: str, columns: Collection[str], rows: Iterable[tuple[str, ...]]) -> None:
    table = sql.Identifier(name)
    defined = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(column)) for column in columns)
    target.execute(sql.SQL("CREATE TEMP TABLE {} ({}) ON COMMIT DROP").format(table, defined))
    with target.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(table)) as copy:
        for row in sorted(rows):
            copy.write_row(row)


def _sum_rows(target: Connection, by_rows: Collection[str]) -> None:
    """What each sanction's own rows come to; `accepted` where an operator has said that they are right."""
    target.execute(
        """
        CREATE TEMP TABLE java_by_rows ON COMMIT DROP AS
        SELECT s.id, coalesce(a.allotted, 0) AS allotted, coalesce(t.spent, 0) AS spent, coalesce(a.again, 0) AS again,
               s.master_id = ANY(%s) AS accepted
        FROM java_sanction s
        LEFT JOIN (SELECT sanction_id, count(*) FILTER (WHERE repeated) AS again,
                          sum(CASE kind WHEN 'WITHDRAWAL' THEN -amount ELSE amount END) FILTER (WHERE NOT repeated)
                              AS allotted
                   FROM java_allotment GROUP BY 1) a ON a.sanction_id = s.id
        LEFT JOIN (SELECT content->>'sanctionid' AS id,
                          sum(CASE content->>'transactiontype' WHEN 'REVERSAL' THEN -1 ELSE 1 END
                              * (content->>'transactionamount')::numeric) AS spent
                   FROM java_row WHERE source = 'jit_transaction_details' GROUP BY 1) t ON t.id = s.id
        """,
        (list(by_rows),),
    )
    unknown = target.execute(
        "SELECT n FROM unnest(%s::text[]) n WHERE NOT EXISTS (SELECT FROM java_sanction WHERE master_id = n)",
        (list(by_rows),),
    ).fetchall()
    if unknown:
        raise BadInputError(f"--by-rows {unknown[0][0]}: the Java adapter has no sanction of this number")
