"""How it runs: the last sweeps, what waits and since when, what is not delivered, whether anybody answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row, dict_row

from ifms.cities import Cities, condition
from ifms.ledger.database import Connection

SERVICES = (
    "VA",
    "PA",
    "PI",
    "PIS",
    "PAG",
    "PD",
    "FD",
    "COR",
    "FTPS",
    "FTFPS",
    "RELAY",
    "NOTIFY",
    "SHIP",
    "RECONCILE",
    "AUDIT",
)
CALLS = 50
"""So many of the last calls tell whether the treasury can be reached."""
MOST_COUNTED = 10_000
"""Where there is no Elasticsearch, all calls of a year are due: nobody waits for them to be counted."""


@dataclass(frozen=True)
class Backlog:
    """PIs of one status and type that wait: how many, and how many of them for how long."""

    status: str
    pi_type: str
    waiting: int
    over_a_day: int
    over_a_week: int
    oldest: datetime


@dataclass(frozen=True)
class Outbox:
    """What has not been delivered of one topic; `set_aside` waits for a person."""

    topic: str
    due: int
    set_aside: int
    oldest: datetime | None


@dataclass(frozen=True)
class Shipping:
    """Calls that Elasticsearch has not taken yet; `set_aside`, what it refuses."""

    due: int
    """Not counted further than MOST_COUNTED."""
    set_aside: int
    oldest: datetime | None


@dataclass(frozen=True)
class Reach:
    """The last calls to the treasury by their outcome; `last_answer` is when it last said anything."""

    calls: int
    answered: int
    last_call: datetime | None
    last_answer: datetime | None
    median: timedelta | None


@dataclass(frozen=True)
class Health:
    """All of it, or as much of it as is about some cities."""

    sweeps: dict[str, list[dict[str, Any]]]
    """By service, the shards of its last run; what it counted and reported is of all cities, and for all of them."""
    backlog: list[Backlog]
    outbox: list[Outbox]
    """By topic; those of which all is delivered are not there. For all cities only."""
    shipping: Shipping
    """For all cities only."""
    reach: Reach
    held: list[dict[str, Any]]
    """Payments without a PI that are held back, by reason."""


_NOTHING_TO_SHIP = Shipping(0, 0, None)


def health(connection: Connection, cities: Cities) -> Health:
    """Look at everything once, as far as it is about these cities."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """
            SELECT r.* FROM unnest(%s::text[]) AS service
            CROSS JOIN LATERAL (SELECT * FROM ifms.sweep_run WHERE service_id = service
                                ORDER BY started_at DESC LIMIT 1) last
            JOIN ifms.sweep_run r ON r.id = last.id
                 OR (r.dag_id = last.dag_id AND r.run_id = last.run_id AND r.service_id = last.service_id
                     AND r.try_number = last.try_number)
            ORDER BY r.service_id, r.shard
            """,
            (list(SERVICES),),
        ).fetchall()
        held = cursor.execute(
            f"""
            SELECT hold_code, count(*) AS payments, min(held_since) AS oldest, sum(amount) AS amount FROM ifms.payment
            WHERE paid_by IS NULL AND hold_code IS NOT NULL AND {condition("tenant_id")}
            GROUP BY hold_code ORDER BY hold_code
            """.encode(),
            {"cities": cities.listed},
        ).fetchall()
    if not cities.everywhere:
        for row in rows:
            row |= {"counts": {}, "problems": [], "message": None}
    sweeps = {service: [row for row in rows if row["service_id"] == service] for service in SERVICES}
    outbox, shipping = (_outbox(connection), _shipping(connection)) if cities.everywhere else ([], _NOTHING_TO_SHIP)
    return Health(sweeps, _backlog(connection, cities), outbox, shipping, _reach(connection), held)


def problems_of_run(connection: Connection, dag_id: str, run_id: str) -> list[str]:
    """What the sweeps of a DAG run have reported, or why one ended without a word; the last try of each alone."""
    rows = connection.execute(
        """
        SELECT DISTINCT ON (shard, service_id) problems, message FROM ifms.sweep_run
        WHERE (dag_id, run_id) = (%s, %s) ORDER BY shard, service_id, started_at DESC
        """,
        (dag_id, run_id),
    ).fetchall()
    return [line for problems, message in rows for line in (problems or ([message] if message else []))]


def _backlog(connection: Connection, cities: Cities) -> list[Backlog]:
    with connection.cursor(row_factory=class_row(Backlog)) as cursor:
        return cursor.execute(
            f"""
            SELECT status, pi_type, count(*) AS waiting, min(created_at) AS oldest,
                   count(*) FILTER (WHERE created_at < now() - interval '1 day') AS over_a_day,
                   count(*) FILTER (WHERE created_at < now() - interval '7 days') AS over_a_week
            FROM ifms.payment_instruction
            WHERE status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS') AND {condition("tenant_id")}
            GROUP BY status, pi_type
            ORDER BY array_position(ARRAY['PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS'], status), pi_type
            """.encode(),
            {"cities": cities.listed},
        ).fetchall()


def _outbox(connection: Connection) -> list[Outbox]:
    with connection.cursor(row_factory=class_row(Outbox)) as cursor:
        return cursor.execute("SELECT topic, due, set_aside, oldest FROM ifms.outbox_lag ORDER BY topic").fetchall()


def _shipping(connection: Connection) -> Shipping:
    with connection.cursor(row_factory=class_row(Shipping)) as cursor:
        found = cursor.execute(
            """
            SELECT (SELECT count(*) FROM (
                       SELECT FROM ifms.treasury_call
                       WHERE shipped_at IS NULL AND ship_error IS NULL AND outcome IS NOT NULL LIMIT %s) due) AS due,
                   (SELECT count(*) FROM ifms.treasury_call WHERE ship_error IS NOT NULL) AS set_aside,
                   (SELECT created_at FROM ifms.treasury_call
                    WHERE shipped_at IS NULL AND ship_error IS NULL AND outcome IS NOT NULL
                    ORDER BY created_at, id LIMIT 1) AS oldest
            """,
            (MOST_COUNTED,),
        ).fetchone()
    assert found is not None
    return found


def _reach(connection: Connection) -> Reach:
    with connection.cursor(row_factory=class_row(Reach)) as cursor:
        found = cursor.execute(
            """
            SELECT count(*) AS calls, count(*) FILTER (WHERE outcome IN ('answered', 'rejected')) AS answered,
                   max(created_at) AS last_call,
                   max(created_at) FILTER (WHERE outcome IN ('answered', 'rejected')) AS last_answer,
                   percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) * interval '1 millisecond' AS median
            FROM (SELECT outcome, created_at, duration_ms FROM ifms.treasury_call
                  WHERE outcome IS NOT NULL ORDER BY created_at DESC LIMIT %s) last
            """,
            (CALLS,),
        ).fetchone()
    assert found is not None
    return found
