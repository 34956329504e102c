"""Which days are settled: what a DAG of another team waits for by the asset `ifms_settled`.

A payment's day is the date (IST) on which the platform raised it. The day is settled once it is over and the payment
instruction of each of its payments was SUCCESSFUL or PARTIAL for the first time: then of every beneficiary it is known
whether the bank has paid or given back. It is not settled while a payment has no instruction, or only ones that are
under way or FAILED. Whatever comes back later, and whatever is corrected, changes the day's figures and not that it
was settled; a payment of which the platform tells later opens it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from ifms.ledger.database import Connection
from ifms.money import Tally


@dataclass(frozen=True)
class Day:
    """A day's payments as they stood at an instant."""

    day: date
    payments: Tally
    open: int
    """Payments whose outcome was not known."""
    settled_at: datetime | None
    """When it became settled; None while it is not."""
    came_back: Tally
    """What the bank had given back of it, corrected since or not: one for each time."""


# A payment's first outcome. PIs that were imported have the Java adapter's times.
_OUTCOME = """
    SELECT min(l.created_at) AS at
    FROM ifms.status_log l JOIN ifms.payment_instruction p ON p.id = l.payment_instruction_id
    WHERE p.tenant_id = q.tenant_id AND p.payment_number = q.payment_number AND p.pi_type = 'ORIGINAL'
      AND l.to_status IN ('SUCCESSFUL', 'PARTIAL') AND l.created_at < %(as_of)s
"""
_RETURNED = """
    SELECT count(*) AS rows, coalesce(sum(b.amount), 0.00) AS rupees
    FROM ifms.payment_instruction p JOIN ifms.beneficiary b ON b.payment_instruction_id = p.id
    WHERE p.tenant_id = q.tenant_id AND p.payment_number = q.payment_number
      AND b.status = 'Payment Failed' AND b.failed_on IS NOT NULL AND b.updated_at < %(as_of)s
"""
_DAYS = f"""
    SELECT d.day, count(q.id), coalesce(sum(q.amount), 0.00), count(q.id) FILTER (WHERE outcome.at IS NULL),
           greatest(d.ends, max(outcome.at)), coalesce(sum(returned.rows), 0), coalesce(sum(returned.rupees), 0.00)
    FROM (SELECT day, day::timestamp AT TIME ZONE 'Asia/Kolkata' AS begins,
                 (day + 1)::timestamp AT TIME ZONE 'Asia/Kolkata' AS ends
          FROM unnest(%(days)s::date[]) AS day) d
    LEFT JOIN ifms.payment q ON q.raised_at >= d.begins AND q.raised_at < d.ends AND q.seen_at < %(as_of)s
    LEFT JOIN LATERAL ({_OUTCOME}) outcome ON true
    LEFT JOIN LATERAL ({_RETURNED}) returned ON true
    GROUP BY d.day, d.ends ORDER BY d.day
"""


def days(connection: Connection, asked: list[date], as_of: datetime) -> list[Day]:
    """These days, in their order, as they stood at `as_of`."""
    rows = connection.execute(_DAYS.encode(), {"days": sorted(set(asked)), "as_of": as_of}).fetchall()
    return [
        Day(day, Tally(count, rupees), still_open, at if not still_open and at <= as_of else None, Tally(int(b), r))
        for day, count, rupees, still_open, at, b, r in rows
    ]


def settled_between(connection: Connection, since: datetime, until: datetime) -> list[Day]:
    """The days that became settled from `since` on and before `until`, as they stood then.

    Of what is only appended, so that the same interval gives the same days again, whenever it is asked.
    """
    rows = connection.execute(
        """
        SELECT day::date FROM generate_series((%(since)s AT TIME ZONE 'Asia/Kolkata')::date - 1,
                                              (%(until)s AT TIME ZONE 'Asia/Kolkata')::date - 1, '1 day') AS day
        UNION
        SELECT (q.raised_at AT TIME ZONE 'Asia/Kolkata')::date
        FROM ifms.status_log l JOIN ifms.payment q USING (tenant_id, payment_number)
        WHERE l.to_status IN ('SUCCESSFUL', 'PARTIAL') AND l.created_at >= %(since)s AND l.created_at < %(until)s
        """,
        {"since": since, "until": until},
    ).fetchall()
    found = days(connection, [row[0] for row in rows], until)
    return [day for day in found if day.settled_at is not None and since <= day.settled_at < until]
