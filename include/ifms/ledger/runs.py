"""One row per sweep: what it did, and what a person should look at."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from ifms.ledger.database import Connection

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # what a text quotes must not keep the rest from being told
MAX_PROBLEMS = 200  # kept on the row; the count tells of the rest

# Of the counts these are dates, as yyyymmdd: what is told of several runs is the first, or the last, not their sum.
OLDEST, NEWEST = "oldest_date_asked", "newest_date_asked"


@dataclass(frozen=True)
class RunContext:
    """Which task of which DAG run a sweep belongs to; all None outside Airflow."""

    dag_id: str | None = None
    run_id: str | None = None
    shard: int = 0
    try_number: int | None = None
    person: str | None = None
    """Who has asked for it by name, and is told to the platform as who made its PIs."""


@dataclass(frozen=True)
class SweepRun:
    """A sweep that has begun; both times are the database's clock.

    `shared_since`: when the first of the shards began that share this one's work, this one at the latest. What one of
    them has asked about is done for all: a shard that had to wait for a worker does not ask again.
    """

    id: UUID
    started_at: datetime
    shared_since: datetime


def begin(connection: Connection, service_id: str, context: RunContext) -> SweepRun:
    """Write that a sweep has begun, and that an earlier try of the same task has ended, if nothing tells so.

    An earlier try that is alive after all (Airflow may run two copies) writes its own end when it comes to it.

    Shards share the work of one DAG run. One that is tried again, or cleared by a person, shall ask again: it shares
    with those alone that have begun since its last try ended.
    """
    connection.execute(
        """
        UPDATE ifms.sweep_run SET state = 'failed', finished_at = clock_timestamp(), presumed_dead = true,
            message = 'its process ended without a word; the task was tried again'
        WHERE state = 'running' AND (dag_id, run_id, shard, service_id) = (%s, %s, %s, %s)
        """,
        (context.dag_id, context.run_id, context.shard, service_id),
    )
    row = connection.execute(
        """
        WITH of_run AS (
            SELECT * FROM ifms.sweep_run
            WHERE (dag_id, run_id, service_id) = (%(dag_id)s, %(run_id)s, %(service_id)s)
        ), sharing AS (
            SELECT min(started_at) AS since FROM of_run
            WHERE shard <> %(shard)s AND started_at > coalesce(
                (SELECT max(finished_at) FROM of_run WHERE shard = %(shard)s), '-infinity')
        )
        INSERT INTO ifms.sweep_run (service_id, dag_id, run_id, shard, try_number, started_at)
        VALUES (%(service_id)s, %(dag_id)s, %(run_id)s, %(shard)s, %(try_number)s, clock_timestamp())
        RETURNING id, started_at, least(started_at, (SELECT since FROM sharing))
        """,
        {"service_id": service_id, **asdict(context)},
    ).fetchone()
    assert row is not None
    return SweepRun(*row)


def discovered(connection: Connection, run: SweepRun) -> None:
    """Note that all that this sweep had to look up for the others, too, is in the ledger."""
    connection.execute("UPDATE ifms.sweep_run SET discovered_at = clock_timestamp() WHERE id = %s", (run.id,))


def others_discovering(connection: Connection, run: SweepRun) -> bool:
    """Whether another shard of this sweep's DAG run is still looking up what all of them will share."""
    row = connection.execute(
        """
        SELECT EXISTS (
            SELECT FROM ifms.sweep_run mine
            JOIN ifms.sweep_run other USING (dag_id, run_id, service_id)
            WHERE mine.id = %s AND other.shard <> mine.shard AND other.state = 'running'
              AND other.discovered_at IS NULL)
        """,
        (run.id,),
    ).fetchone()
    return bool(row and row[0])


def note_date(counts: Counter[str], asked: date) -> None:
    """Count a date that was asked about."""
    number = int(f"{asked:%Y%m%d}")
    counts["dates_asked"] += 1
    counts[OLDEST] = min(number, counts[OLDEST] or number)
    counts[NEWEST] = max(number, counts[NEWEST])


def added_up(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """What several sweeps have counted, together."""
    total: Counter[str] = Counter()
    for each in counts:
        for what, number in each.items():
            if what == OLDEST:
                total[what] = min(number, total[what] or number)
            elif what == NEWEST:
                total[what] = max(number, total[what])
            else:
                total[what] += number
    return dict(total)


def shown(what: str, number: int) -> tuple[str, int | date]:
    """A count as people read it: its name in words, and what is a date as one."""
    return what.replace("_", " "), date.fromisoformat(str(number)) if what in (OLDEST, NEWEST) else number


def finish(
    connection: Connection, run: SweepRun, counts: Counter[str], problems: Sequence[str], failure: str | None
) -> None:
    """Write how a sweep ended; `failure` is None when it ended well."""
    connection.execute(
        """
        UPDATE ifms.sweep_run SET state = %s, counts = %s, problems = %s, message = %s, finished_at = clock_timestamp(),
            presumed_dead = false
        WHERE id = %s
        """,
        (
            "failed" if failure else "success",
            Jsonb(dict(sorted(counts.items()))),
            Jsonb([_UNSTORABLE.sub("\ufffd", problem) for problem in problems[:MAX_PROBLEMS]]),
            failure and _UNSTORABLE.sub("\ufffd", failure),
            run.id,
        ),
    )
