"""The overview, the first page: how much stands where, what waits for whom, what a person should see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from ifms import clock
from ifms.queries import names, waiting
from ifms.queries import overview as reads
from ifms.queries.names import NO_NAMES, Names
from ifms.queries.overview import ASIDE, FLOW, City, Failed, Head, State, Waits, Who
from ifms_airflow.api.access import READ, Entitled
from ifms_airflow.api.messages import t
from ifms_airflow.api.pages.render import count, page, rupees
from ifms_airflow.api.pages.waiting import reason_text
from ifms_airflow.api.read_pool import Ledger

Sort = Literal["age", "money", "city"]

router = APIRouter(dependencies=[READ])


@dataclass(frozen=True)
class Part:
    """A stretch of a bar: from where to where, in hundredths of the longest, which kind, and what it stands for."""

    start: float
    width: float
    kind: str
    text: str


@dataclass(frozen=True)
class Step:
    """A state of the flow: its PIs with their rupees, and the revised PIs beside them; with their lists' addresses."""

    status: str
    instructions: int
    amount: Decimal
    revised: int
    link: str
    revised_link: str


@router.get("/")
@router.get("/overview")
def overview(request: Request, given: Entitled, ledger: Ledger, sort: Annotated[Sort, Query()] = "age") -> HTMLResponse:
    """The page; `sort` is that of its table of cities."""
    year = clock.financial_year_label(clock.financial_year(clock.now()))
    with ledger.connection() as connection:
        counted = reads.as_of(connection)
        states = reads.states(connection, given.read)
        waits = reads.waits(connection, given.read)
        failed = reads.failed(connection, given.read)
        reasons = waiting.reasons(connection, given.read)
        heads = reads.heads(connection, year, given.read)
        cities = reads.by_city(connection, given.read)
        sweeps = reads.sweeps_today(connection)
        unknown = reads.unknown_answers(connection, given.read)
        accepted = reads.accepted(connection, given.read)
        reconciled = reads.reconciled(connection)
        known = names.read(connection)
    longest = max((each.number for each in waits), default=0)
    return page(
        request,
        "overview.html",
        active="overview",
        as_of=counted,
        flow=[step(states, status) for status in FLOW],
        aside=[step(states, status) for status in ASIDE],
        states=states,
        waits=[(each, bar_of_ages(each, longest), waits_text(each), waits_link(each)) for each in waits],
        sums={who: sums(waits, who) for who in Who},
        ages=[t(f"over.age.{place}") for place in range(len(reads.AGES) + 1)],
        failed=[
            (each, bar(each.payments, max(f.payments for f in failed), left_kind(each)), left_text(each))
            for each in failed
        ],
        failed_sum=(sum(each.payments for each in failed), sum((each.amount for each in failed), Decimal(0))),
        urgent=next((left_text(each) for each in failed if each.payments), None),
        reasons=[
            (each, reason_text(each.reason), bar_of_money(each.amount, max(r.amount for r in reasons)))
            for each in reasons
        ],
        reasons_sum=(sum(each.payments for each in reasons), sum((each.amount for each in reasons), Decimal(0))),
        year=year,
        heads=[(each, bar_of_head(each, max(h.allotted for h in heads))) for each in heads],
        names=known,
        cities=ordered(cities, sort, known),
        sort=sort,
        sorts=("city", "age", "money"),
        not_arrived=sum((each.money for each in cities), Decimal(0)),
        sweeps=sweeps,
        red=sum(each.state == "failed" for each in sweeps),
        unknown=unknown,
        accepted=accepted,
        reconciled=reconciled,
    )


def step(states: Sequence[State], status: str) -> Step:
    """A state of the flow."""
    found = {each.pi_type: each for each in states if each.status == status}
    original, revised = found.get("ORIGINAL"), found.get("REVISED")

    def link(pi_type: str) -> str:
        return urlencode({"tab": "open", "status": status, "type": pi_type})

    return Step(
        status,
        original.instructions if original else 0,
        original.amount if original else Decimal(0),
        revised.instructions if revised else 0,
        link("ORIGINAL"),
        link("REVISED"),
    )


def sums(waits: Sequence[Waits], who: Who) -> tuple[int, Decimal, datetime | None, int]:
    """All that waits for one: how many, their rupees, since when the oldest, how many of them for too long."""
    own = [each for each in waits if each.who is who]
    oldest = min((each.oldest for each in own if each.oldest), default=None)
    amount = sum((each.amount for each in own), Decimal(0))
    return sum(each.number for each in own), amount, oldest, sum(each.overdue for each in own)


def waits_text(each: Waits) -> str:
    """What waits, in a few words."""
    return t("over.waits.PAYMENT") if each.what == "PAYMENT" else t(f"over.waits.{each.pi_type}.{each.what}")


def waits_link(each: Waits) -> str:
    """The list of what waits."""
    if each.what == "PAYMENT":
        return "waiting"
    return "instructions?" + urlencode(
        {"tab": "open", "status": each.what, "type": each.pi_type, "sort": "created_asc"}
    )


def left_text(each: Failed) -> str:
    """How many days are left, in words."""
    return t("over.left.late") if each.least is None else t(f"over.left.{each.least}")


def left_kind(each: Failed) -> str:
    """How urgent it is."""
    return "late" if each.least is None else "soon" if each.least == 0 else "later"


# Bars -----------------------------------------------------------------------------------------------------------------


def bar(number: int, longest: int, kind: str) -> list[Part]:
    """A bar of one part."""
    return _bar([(number, kind, count(number))], longest)


def bar_of_money(amount: Decimal, longest: Decimal) -> list[Part]:
    """A bar of one part, by rupees."""
    return _bar([(amount, "later", rupees(amount))], longest)


def bar_of_ages(each: Waits, longest: int) -> list[Part]:
    """A part for each age, the youngest first."""
    parts = [(n, f"age{place}", f"{count(n)} {t(f'over.age.{place}')}") for place, n in enumerate(each.ages)]
    return _bar(parts, longest)


def bar_of_head(head: Head, longest: Decimal) -> list[Part]:
    """What of the allotted money is spent, reserved, available."""
    named = (("spent", head.spent), ("reserved", head.reserved), ("available", max(head.available, Decimal(0))))
    return _bar([(amount, kind, f"{t(f'over.funds.{kind}')} {rupees(amount)}") for kind, amount in named], longest)


def _bar(parts: Sequence[tuple[Any, str, str]], longest: Any) -> list[Part]:  # noqa: ANN401  (counts or rupees)
    made, start = [], 0.0
    for value, kind, text in parts:
        if value > 0 and longest > 0:
            width = round(float(value / longest) * 100, 2)
            made.append(Part(start, max(width, 0.6), kind, text))  # what is there can be seen
            start = round(start + max(width, 0.6), 2)
    return made


def ordered(cities: Sequence[City], sort: Sort, known: Names = NO_NAMES) -> list[City]:
    """The cities by name, by the age of what waits longest, or by the money that has not arrived yet."""
    if sort == "city":
        return sorted(cities, key=lambda each: (known.city(each.tenant_id).casefold(), each.tenant_id))
    if sort == "money":
        return sorted(cities, key=lambda each: (-each.money, each.tenant_id))
    never = datetime.max.replace(tzinfo=UTC)
    return sorted(cities, key=lambda each: (each.oldest or never, each.tenant_id))
