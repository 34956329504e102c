"""How long the treasury took to answer, and how long it took from one status of a payment instruction to the next.

A call belongs to the day on which it was made; one that had not ended at `as of` is not counted. With cities only calls
about their payment instructions count: a login, VA and FD are about none.
"""

from __future__ import annotations

from ifms.reports import point_in_time
from ifms.reports.period import of_month
from ifms.reports.report import Aggregates, Chart, Column, Frame, Kind, Report, Shape, Table

_SERVICES = "ARRAY['AUTH', 'VA', 'PI', 'PIS', 'PAG', 'PD', 'FD', 'COR', 'FTPS', 'FTFPS']"


def _measured(*by: str, order: str) -> str:
    """The calls of the period, counted and timed by these columns."""
    return f"""
        SELECT {", ".join(by)}, count(*) AS calls, count(*) FILTER (WHERE outcome = 'answered') AS answered,
               count(*) FILTER (WHERE outcome = 'rejected') AS rejected,
               count(*) FILTER (WHERE outcome = 'unknown') AS unknown,
               count(*) FILTER (WHERE outcome = 'never_sent') AS never_sent,
               percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms) FILTER (WHERE spoke) AS median_ms,
               percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) FILTER (WHERE spoke) AS p95_ms,
               max(duration_ms) FILTER (WHERE spoke) AS slowest_ms
        FROM (
            SELECT (c.created_at AT TIME ZONE 'Asia/Kolkata')::date AS day, c.service_id AS service, c.outcome,
                   c.duration_ms, c.outcome IN ('answered', 'rejected') AS spoke
            FROM ifms.call_log c LEFT JOIN ifms.payment_instruction p ON p.id = c.payment_instruction_id
            WHERE {point_in_time.within("c.created_at")} AND {point_in_time.of_cities("p.tenant_id")}
              AND c.outcome IS NOT NULL
              AND c.created_at + coalesce(c.duration_ms, 0) * interval '1 millisecond' < %(as_of)s
        ) call
        GROUP BY {", ".join(by)} ORDER BY {order}
    """


_BY_SERVICE = f"array_position({_SERVICES}, service) NULLS LAST, service"
_STAGES = f"""
    SELECT pi_type, from_status, to_status, count(*) AS changes,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY minutes) AS median_minutes,
           percentile_disc(0.95) WITHIN GROUP (ORDER BY minutes) AS p95_minutes, max(minutes) AS longest_minutes
    FROM (
        SELECT p.pi_type, l.from_status, l.to_status, l.created_at,
               floor(extract(epoch FROM l.created_at - lag(l.created_at, 1, p.created_at)
                   OVER (PARTITION BY l.payment_instruction_id ORDER BY l.id)) / 60)::bigint AS minutes
        FROM ifms.status_log l JOIN ifms.payment_instruction p ON p.id = l.payment_instruction_id
        WHERE l.to_status IS NOT NULL AND l.created_at < %(as_of)s AND {point_in_time.of_cities("p.tenant_id")}
    ) change
    WHERE {point_in_time.within("created_at")}
    GROUP BY pi_type, from_status, to_status
    ORDER BY pi_type, array_position(
        ARRAY['PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS', 'SUCCESSFUL', 'PARTIAL'], from_status), to_status
"""

_MEASURED = (
    Column("calls", "Calls", Kind.COUNT, width=12, total=True),
    Column("answered", "Answered", Kind.COUNT, width=12, total=True),
    Column("rejected", "Refused", Kind.COUNT, width=12, total=True),
    Column("unknown", "No Answer", Kind.COUNT, width=12, total=True),
    Column("never_sent", "Never Sent", Kind.COUNT, width=12, total=True),
    Column("median_ms", "Half Within, ms", Kind.MILLISECONDS, width=14),
    Column("p95_ms", "95 % Within, ms", Kind.MILLISECONDS, width=14),
    Column("slowest_ms", "Slowest, ms", Kind.MILLISECONDS, width=14),
)
_NAMES = tuple(column.name for column in _MEASURED)
_STAGE_COLUMNS = (
    Column("pi_type", "Type", width=12),
    Column("from_status", "From", width=14),
    Column("to_status", "To", width=14),
    Column("changes", "Changes", Kind.COUNT, width=12, total=True),
    Column("median_minutes", "Half Within, minutes", Kind.COUNT, width=16),
    Column("p95_minutes", "95 % Within, minutes", Kind.COUNT, width=16),
    Column("longest_minutes", "Longest, minutes", Kind.COUNT, width=16),
)


def _kept(name: str) -> Table:
    """The table of one of the other queries."""
    titles = {
        "services": ("By service", Column("service", "Service", width=12), "service", Shape.GROUPED),
        "days": ("Day by day", Column("day", "Day", Kind.DATE, width=12), "day", Shape.LINES),
    }
    title, first, category, shape = titles[name]
    chart = Chart(
        "Milliseconds until the treasury's answer, " + ("by service" if name == "services" else "day by day"),
        category,
        ("median_ms", "p95_ms"),
        shape,
        at_most=31,
    )

    def make(counted: Aggregates) -> Frame:
        return counted.also(name)

    return Table(title, (first, *_MEASURED), make, chart)


RESPONSE_TIMES = Report(
    name="response_times",
    title="The Treasury's Response Times",
    about="Calls to the treasury by day and service: how many were answered, and within how many milliseconds; and how "
    "long payment instructions stood before each change of their status.",
    columns=(
        Column("day", "Day", Kind.DATE, width=12),
        Column("service", "Service", width=12),
        *_MEASURED,
    ),
    query=_measured("day", "service", order=f"day, {_BY_SERVICE}"),
    default_period=of_month,
    cubes={},
    tables=(
        _kept("services"),
        _kept("days"),
        Table("From status to status", _STAGE_COLUMNS, lambda counted: counted.also("stages")),
    ),
    also={
        "services": (("service", *_NAMES), _measured("service", order=_BY_SERVICE)),
        "days": (("day", *_NAMES), _measured("day", order="day")),
        "stages": (tuple(column.name for column in _STAGE_COLUMNS), _STAGES),
    },
)
