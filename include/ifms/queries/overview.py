"""The overview: how many payment instructions and rupees stand where, what waits for whom, what a person should see.

What counts all PIs reads the counts that the sweeps write at their ends (`ifms.ledger.overview`), as of `As.of`; the
rest is few rows and is read as it is. Each function takes the cities that may be shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from psycopg.rows import class_row, dict_row

from ifms import clock
from ifms.cities import Cities, condition
from ifms.ledger.database import Connection
from ifms.ledger.invariants import INVARIANTS, Invariant
from ifms.ledger.limits import WAITS, Limits
from ifms.ledger.statuses import PiStatus
from ifms.queries.health import SERVICES

FLOW = (PiStatus.PENDING, PiStatus.INITIATED, PiStatus.APPROVED, PiStatus.IN_PROCESS, PiStatus.SUCCESSFUL)
"""The way of a PI that is paid."""
ASIDE = (PiStatus.PARTIAL, PiStatus.COMPLETED, PiStatus.FAILED)
"""Where the others stand."""

AGES = (1, 3, 7, 30)
"""Whole days from which on the next age counts."""
DAYS_LEFT = (0, 8, 31)
"""Days left from which on the next bucket of failed payments counts; below the first it is too late to correct them."""


class Who(StrEnum):
    """Whom something waits for."""

    US = "us"
    SSU = "ssu"
    TREASURY = "treasury"
    BANK = "bank"


_WHO = {
    ("ORIGINAL", "PENDING"): Who.US,  # ifms_pi sends it, or asks what became of it
    ("REVISED", "PENDING"): Who.US,
    ("ORIGINAL", "INITIATED"): Who.SSU,
    ("ORIGINAL", "APPROVED"): Who.TREASURY,
    ("ORIGINAL", "IN PROCESS"): Who.BANK,
    ("REVISED", "INITIATED"): Who.BANK,
}


@dataclass(frozen=True)
class As:
    """As of when the counts are, and how many seconds the counting took; None before the first."""

    of: datetime | None
    seconds: float


@dataclass(frozen=True)
class State:
    """The PIs of a type in a status: how many, and their rupees."""

    pi_type: str
    status: str
    instructions: int
    amount: Decimal


@dataclass
class Waits:
    """What waits for somebody, in which state: how many, their rupees, of what age, since when the oldest.

    `what` is a status of a PI of `pi_type`, or PAYMENT, or FAILED for failed payments, whose age is not told.
    """

    who: Who
    what: str
    pi_type: str = ""
    number: int = 0
    amount: Decimal = Decimal(0)
    ages: list[int] = field(default_factory=lambda: [0] * (len(AGES) + 1))
    oldest: datetime | None = None
    overdue: int = 0
    """Since a day before which it should have moved on (`ifms.ledger.limits`)."""


@dataclass(frozen=True)
class Failed:
    """Failed payments by days left: from `least` on (None: too late to correct), up to the next bucket."""

    least: int | None
    payments: int
    amount: Decimal
    busy: int
    """Of them wait for a correction that is under way."""


@dataclass(frozen=True)
class Head:
    """The sanctions of a head of account in a financial year, in rupees."""

    hoa_code: str
    allotted: Decimal
    reserved: Decimal
    spent: Decimal
    available: Decimal


@dataclass(frozen=True)
class SweepToday:
    """The runs of a service since midnight, IST; its last one."""

    service: str
    runs: int
    red: int
    state: str | None
    started_at: datetime | None


@dataclass(frozen=True)
class Reconciled:
    """What the last run of ifms_reconcile found: the broken rules, each with how many rows break it."""

    at: datetime
    state: str
    rules: int
    broken: list[tuple[str, int, Invariant | None]]


@dataclass(frozen=True)
class Accepted:
    """The payments whose PI was accepted lately: how many, and within which time of their making half and 95 % were."""

    payments: int
    median: timedelta | None
    p95: timedelta | None


@dataclass
class City:
    """A city: what is on its way, what has no PI, what has failed, what is available; in rupees."""

    tenant_id: str
    on_its_way: int = 0
    on_its_way_amount: Decimal = Decimal(0)
    waiting: int = 0
    waiting_amount: Decimal = Decimal(0)
    failed: int = 0
    failed_amount: Decimal = Decimal(0)
    available: Decimal = Decimal(0)
    oldest: datetime | None = None
    """Since when the oldest PI or payment of it waits."""

    @property
    def money(self) -> Decimal:
        """All that has not arrived yet."""
        return self.on_its_way_amount + self.waiting_amount + self.failed_amount

    def also_waits(self, since: datetime | None) -> None:
        """Something of it waits since then."""
        if since is not None and (self.oldest is None or since < self.oldest):
            self.oldest = since


def as_of(connection: Connection) -> As:
    """As of when the counts are."""
    row = connection.execute("SELECT as_of, extract(epoch FROM took) FROM ifms.overview").fetchone()
    return As(row[0], float(row[1])) if row else As(None, 0)


def states(connection: Connection, cities: Cities) -> list[State]:
    """How many PIs stand in which state."""
    with connection.cursor(row_factory=class_row(State)) as cursor:
        return cursor.execute(
            f"""
            SELECT pi_type, status, sum(instructions)::bigint AS instructions, sum(amount) AS amount
            FROM ifms.overview_instruction WHERE {_MAY} GROUP BY 1, 2 ORDER BY 1, 2
            """.encode(),
            {"cities": cities.listed},
        ).fetchall()


def waits(connection: Connection, cities: Cities) -> list[Waits]:
    """What waits for whom: PIs as they were counted, payments without a PI as they are."""
    today, limits = _today(), Limits()
    found: dict[tuple[str, str], Waits] = {}
    for row in _rows(
        connection,
        f"""
        SELECT pi_type, status, since_on, min(since) AS since, sum(instructions)::bigint AS n, sum(amount) AS amount
        FROM ifms.overview_instruction WHERE since_on IS NOT NULL AND {_MAY} GROUP BY 1, 2, 3
        """,
        cities,
    ):
        kind = (row["pi_type"], row["status"])
        each = found.setdefault(kind, Waits(_WHO.get(kind, Who.US), row["status"], row["pi_type"]))
        days = (today - row["since_on"]).days
        _add(each, row, days)
        limit = WAITS.get((row["pi_type"], PiStatus(row["status"])))
        if limit is not None and days > getattr(limits, limit[0]).days:
            each.overdue += row["n"]
    payments = Waits(Who.US, "PAYMENT")
    for row in _rows(
        connection,
        f"""
        SELECT (raised_at AT TIME ZONE 'Asia/Kolkata')::date AS since_on, min(raised_at) AS since, count(*) AS n,
               sum(amount) AS amount,
               count(*) FILTER (WHERE held_since < now() - CASE hold_code WHEN 'PAYMENT_INSUFFICIENT_FUNDS'
                                THEN %(unfunded)s::interval ELSE %(held)s::interval END) AS overdue
        FROM ifms.payment WHERE paid_by IS NULL AND {_MAY} GROUP BY 1
        """,
        cities,
        unfunded=limits.unfunded,
        held=limits.held,
    ):
        _add(payments, row, (today - row["since_on"]).days)
        payments.overdue += row["overdue"]
    order = list(Who)
    return sorted(
        (each for each in (*found.values(), payments) if each.number),
        key=lambda each: (order.index(each.who), each.what != "PAYMENT", each.pi_type, each.what),
    )


def failed(connection: Connection, cities: Cities) -> list[Failed]:
    """The failed payments that nobody has taken over, by how many days are left to correct them; the fewest first."""
    today = _today()
    sums: list[list[Any]] = [[0, Decimal(0), 0] for _ in range(len(DAYS_LEFT) + 1)]
    for row in _rows(
        connection,
        f"""
        SELECT correct_by, sum(payments)::bigint AS n, sum(amount) AS amount,
               coalesce(sum(payments) FILTER (WHERE busy), 0)::bigint AS busy
        FROM ifms.overview_failed WHERE {_MAY} GROUP BY 1
        """,
        cities,
    ):
        place = _place((row["correct_by"] - today).days, DAYS_LEFT)
        sums[place] = [
            had + more for had, more in zip(sums[place], (row["n"], row["amount"], row["busy"]), strict=True)
        ]
    return [Failed(least, *each) for least, each in zip((None, *DAYS_LEFT), sums, strict=True)]


def heads(connection: Connection, financial_year: str, cities: Cities) -> list[Head]:
    """What is allotted, reserved, spent and available under each head of account in the year."""
    with connection.cursor(row_factory=class_row(Head)) as cursor:
        return cursor.execute(
            f"""
            SELECT hoa_code, sum(allotted_amount) AS allotted, sum(reserved_amount) AS reserved,
                   sum(spent_amount) AS spent, sum(available_amount) AS available
            FROM ifms.sanction WHERE financial_year = %(year)s AND {_MAY} GROUP BY 1 ORDER BY 1
            """.encode(),
            {"cities": cities.listed, "year": financial_year},
        ).fetchall()


def sweeps_today(connection: Connection) -> list[SweepToday]:
    """Each service's runs since midnight, IST, and how its last one ended, whenever that was."""
    midnight = datetime.combine(_today(), time(), clock.IST)
    with connection.cursor(row_factory=class_row(SweepToday)) as cursor:
        return cursor.execute(
            """
            SELECT service, coalesce(today.runs, 0) AS runs, coalesce(today.red, 0) AS red, last.state, last.started_at
            FROM unnest(%(services)s::text[]) WITH ORDINALITY AS each (service, place)
            LEFT JOIN LATERAL (
                SELECT count(DISTINCT coalesce(run_id, id::text)) AS runs,
                       count(DISTINCT coalesce(run_id, id::text)) FILTER (WHERE state = 'failed') AS red
                FROM ifms.sweep_run WHERE service_id = service AND started_at >= %(midnight)s) today ON true
            LEFT JOIN LATERAL (
                SELECT state, started_at FROM ifms.sweep_run WHERE service_id = service
                ORDER BY started_at DESC LIMIT 1) last ON true
            ORDER BY place
            """,
            {"services": list(SERVICES), "midnight": midnight},
        ).fetchall()


def unknown_answers(connection: Connection, cities: Cities) -> tuple[int, int]:
    """How many answers without a meaning have PIs behind them, and how many PIs those are."""
    [row] = _rows(
        connection,
        f"""
        SELECT count(DISTINCT p.unknown_answer_id) AS answers, count(*) AS behind FROM ifms.payment_instruction p
        JOIN ifms.unknown_answer a ON a.id = p.unknown_answer_id
        WHERE p.unknown_answer_id IS NOT NULL AND a.phrase_id IS NULL AND {_MAY}
        """,
        cities,
    )
    return row["answers"], row["behind"]


def accepted(connection: Connection, cities: Cities) -> Accepted:
    """The original PIs accepted in the last 24 hours, by how long it took since the platform had made their payments.

    Whatever a payment has waited for is in it: the doorbell, funds, an answer. One that is paid anew is not counted.
    """
    with connection.cursor(row_factory=class_row(Accepted)) as cursor:
        found = cursor.execute(
            f"""
            SELECT count(*) AS payments, percentile_disc(0.5) WITHIN GROUP (ORDER BY waited) AS median,
                   percentile_disc(0.95) WITHIN GROUP (ORDER BY waited) AS p95
            FROM (
                -- The platform's clock may be ahead of ours.
                SELECT greatest(l.created_at - y.raised_at, '0') AS waited FROM ifms.status_log l
                JOIN ifms.payment_instruction p ON p.id = l.payment_instruction_id
                JOIN ifms.payment y ON (y.tenant_id, y.payment_number) = (l.tenant_id, l.payment_number)
                WHERE l.created_at >= now() - interval '1 day' AND l.from_status = 'PENDING'
                  AND l.to_status = 'INITIATED' AND p.pi_type = 'ORIGINAL' AND p.repayment_of IS NULL
                  AND {condition("l.tenant_id")}
            ) each
            """.encode(),
            {"cities": cities.listed},
        ).fetchone()
    assert found is not None
    return found


def reconciled(connection: Connection) -> Reconciled | None:
    """What the last run of ifms_reconcile found; None before the first. Rows that break a rule are not told here."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            """
            SELECT started_at, state, counts FROM ifms.sweep_run WHERE service_id = 'RECONCILE'
            ORDER BY started_at DESC LIMIT 1
            """
        ).fetchone()
    if row is None:
        return None
    known = {rule.name: rule for rule in INVARIANTS}
    others = ("rules", "problems", "asked_first")
    broken = [(name, n, known.get(name)) for name, n in row["counts"].items() if n and name not in others]
    return Reconciled(
        row["started_at"], row["state"], row["counts"].get("rules", 0), sorted(broken, key=lambda b: b[0])
    )


def by_city(connection: Connection, cities: Cities) -> list[City]:
    """Each city with what of it has not arrived yet."""
    found: dict[str, City] = {}

    def city(row: dict[str, Any]) -> City:
        return found.setdefault(row["tenant_id"], City(row["tenant_id"]))

    for row in _rows(
        connection,
        f"""
        SELECT tenant_id, min(since) AS since, sum(instructions)::bigint AS n, sum(amount) AS amount
        FROM ifms.overview_instruction
        WHERE since_on IS NOT NULL AND {_MAY} GROUP BY 1
        """,
        cities,
    ):
        each = city(row)
        each.on_its_way, each.on_its_way_amount = row["n"], row["amount"]
        each.also_waits(row["since"])
    for row in _rows(
        connection,
        f"""
        SELECT tenant_id, min(raised_at) AS since, count(*) AS n, sum(amount) AS amount FROM ifms.payment
        WHERE paid_by IS NULL AND {_MAY} GROUP BY 1
        """,
        cities,
    ):
        each = city(row)
        each.waiting, each.waiting_amount = row["n"], row["amount"]
        each.also_waits(row["since"])
    for row in _rows(
        connection,
        f"""
        SELECT tenant_id, sum(payments)::bigint AS n, sum(amount) AS amount FROM ifms.overview_failed
        WHERE {_MAY} GROUP BY 1
        """,
        cities,
    ):
        each = city(row)
        each.failed, each.failed_amount = row["n"], row["amount"]
    for row in _rows(
        connection,
        f"""
        SELECT tenant_id, sum(greatest(available_amount, 0)) AS amount FROM ifms.sanction
        WHERE closed_at IS NULL AND {_MAY} GROUP BY 1
        """,
        cities,
    ):
        city(row).available = row["amount"]
    return sorted(found.values(), key=lambda each: each.tenant_id)


_MAY = condition("tenant_id")


def _rows(connection: Connection, statement: str, cities: Cities, **values: object) -> Iterable[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.encode(), {"cities": cities.listed, **values}).fetchall()


def _add(each: Waits, row: dict[str, Any], days: int) -> None:
    each.number += row["n"]
    each.amount += row["amount"]
    each.ages[_place(days, AGES)] += row["n"]
    if each.oldest is None or row["since"] < each.oldest:
        each.oldest = row["since"]


def _place(days: int, bounds: Collection[int]) -> int:
    return sum(days >= bound for bound in bounds)


def _today() -> date:
    return clock.to_ist(clock.now()).date()
