"""Whether work gets dearer as the ledger grows: the same sweeps, pages and checks beside 0, 100,000 and 1,000,000 PIs.

The PIs that are there already are closed, of other cities, and generated (`bench.reading`). Sweeps are compared with
those of the empty ledger: the ledgers take turns, and of each turn the ratio counts, so that a busy minute of the
machine meets all of them; of the ratios, the median. A page of an empty ledger takes no time that anything could be a
multiple of: pages, and what looks at every row by its nature (the reconciliation, the overview's count), have a limit
in seconds beside the largest ledger instead.

What the reconciliation finds is not looked at: generated PIs have no bills and no changes of status, so it finds some.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from statistics import median

import psycopg
from rich.console import Console
from rich.table import Table

from bench import reading
from bench.harness import Harness
from bench.reading import timed
from bench.sweeps import set_latency
from ifms.cities import Cities
from ifms.ledger import overview, session
from ifms.ledger.database import Database
from ifms.ledger.invariants import find_violations
from ifms.ledger.limits import Limits
from ifms.queries.search import Criteria
from ifms_simulator import sample
from ifms_standalone.errors import StandaloneError

CITY = "od.samplea"
PER_PI = 10
RATIO = 1.1
RECONCILED = 120.0  # seconds for a million
SWEEPS = (("PI", "PIs made"), ("PIS", "PIs asked about"))


@dataclass(frozen=True)
class Flat:
    """What a sweep takes beside each number of closed PIs, by turns, and the most that it may be to the smallest's."""

    what: str
    by_size: Mapping[int, tuple[float, ...]]
    allowed: float = RATIO

    @property
    def ratio(self) -> float:
        """That of the largest ledger to the smallest in the same turn: the median of all turns."""
        few, many = self.by_size[min(self.by_size)], self.by_size[max(self.by_size)]
        return median(there / here for here, there in zip(few, many, strict=True))

    @property
    def kept(self) -> bool:
        """Whether the ratio is within what is allowed."""
        return self.ratio <= self.allowed


@dataclass(frozen=True)
class Bounded:
    """What takes no multiple of anything: its seconds beside each number of closed PIs, and the most that it may be."""

    what: str
    by_size: Mapping[int, tuple[float, ...]]
    allowed: float

    @property
    def kept(self) -> bool:
        """Whether the largest ledger's median is within what is allowed."""
        return median(self.by_size[max(self.by_size)]) <= self.allowed


def measure(
    made: Harness, ledgers: Mapping[int, str], pis: int, times: int, console: Console
) -> tuple[list[Flat], list[Bounded]]:
    """Measure on ledgers by their numbers of closed PIs; sweeps of so many PIs. Raises StandaloneError."""
    bounded = _bounded(made, ledgers, console)
    set_latency(made, 0)
    for ledger in ledgers.values():
        made.sweep("VA", ledger, CITY)
    with psycopg.connect(made.server.dsn(), autocommit=True) as owner:
        owner.execute("CHECKPOINT")  # what filling has left to write is no part of a sweep
    taken: dict[tuple[str, str], dict[int, list[float]]] = {}
    for turn in range(times):
        sample.bulk(made.platform.address, pis, PER_PI, CITY)
        sizes = list(ledgers)
        for service, what in SWEEPS:
            for size in sizes[turn % len(sizes) :] + sizes[: turn % len(sizes)]:  # each is the first in its turn
                with console.status(f"{service} sweep beside {size:,} closed PIs: {turn + 1} of {times}"):
                    measured = made.sweep(service, ledgers[size], CITY)
                if measured.counts.get("answered") != pis:
                    raise StandaloneError(f"{service} beside {size} PIs: {measured.counts} of {pis} calls.")
                cpu = measured.cpu_seconds + measured.database_cpu_seconds
                for kind, seconds in (("time", measured.seconds), ("CPU, here and in PostgreSQL", cpu)):
                    of_kind = taken.setdefault((f"{service} sweep, {pis:,} {what}", kind), {})
                    of_kind.setdefault(size, []).append(seconds)
    return [
        Flat(f"{what}: {kind}", {size: tuple(by_size[size]) for size in ledgers})
        for (what, kind), by_size in taken.items()
    ], bounded


def _bounded(made: Harness, ledgers: Mapping[int, str], console: Console) -> list[Bounded]:
    found: dict[str, tuple[dict[int, tuple[float, ...]], float]] = {}
    for size, ledger in ledgers.items():
        dsn = made.server.dsn(ledger)
        with console.status(f"pages and rules beside {size:,} closed PIs"):
            with psycopg.connect(dsn, autocommit=True) as owner:
                counting = (timed(partial(overview.refresh, owner)),)
                (year,) = owner.execute("SELECT coalesce(max(financial_year), '') FROM ifms.sanction").fetchone() or (
                    "",
                )
            with session.connect(dsn) as connection:
                connection.read_only = connection.autocommit = True
                pages = {
                    "a search: all, the newest first": (Criteria(), reading.PAGE_LIMIT),
                    "a search: a city and a status": (
                        Criteria(tenant_id=reading.CITY, status="SUCCESSFUL"),
                        reading.PAGE_LIMIT,
                    ),
                }
                for what, (criteria, limit) in pages.items():
                    searched = partial(reading.search_page, connection, criteria)
                    found.setdefault(what, ({}, limit))[0][size] = _several(searched)
                overviewed = partial(reading.first_page, connection, year, Cities.ALL)
                found.setdefault("the overview", ({}, reading.OVERVIEW_LIMIT))[0][size] = _several(overviewed)
            what = "a sweep's end: all of it counted for the overview"
            found.setdefault(what, ({}, reading.COUNTING_LIMIT))[0][size] = counting
            with Database(lambda dsn=dsn: session.connect(dsn)) as db:  # type: ignore[misc]
                rules = partial(find_violations, limits=Limits())
                reconciled = (timed(lambda: db.read_snapshot(rules)),)  # noqa: B023  (it is called here)
            found.setdefault("reconcile: every rule on every row", ({}, RECONCILED))[0][size] = reconciled
    return [Bounded(what, by_size, allowed) for what, (by_size, allowed) in found.items()]


def _several(work: partial[object]) -> tuple[float, ...]:
    return tuple(timed(work) for _ in range(reading.TIMES))


def table(flat: list[Flat], bounded: list[Bounded]) -> Table:
    """All of it, a row each, with a column for each number of closed PIs."""
    rows: list[Flat | Bounded] = [*flat, *bounded]
    sizes = sorted({size for each in rows for size in each.by_size})
    made = Table(title="Growth: the same work beside so many closed PIs (medians)")
    made.add_column("what")
    for heading in (*(f"{size:,}" for size in sizes), "ratio", "allowed"):
        made.add_column(heading, justify="right")
    made.add_column("")
    for each in rows:
        ratio = f"{each.ratio:.2f}" if isinstance(each, Flat) else ""
        allowed = f"{each.allowed:.2f}" if isinstance(each, Flat) else _time(each.allowed)
        made.add_row(
            each.what,
            *(_time(median(each.by_size[size])) for size in sizes),
            ratio,
            allowed,
            "[green]ok[/]" if each.kept else "[red]over[/]",
        )
    return made


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"
