"""What was measured, held against its limit."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One sweep's time, measured several times, against the time that its calls alone take."""

    what: str
    calls: int
    latency_ms: int
    concurrency: int
    seconds: tuple[float, ...]
    allowed: float

    @property
    def limit(self) -> float:
        """Seconds that no sweep can beat: calls times latency, divided by how many are under way at a time."""
        return self.calls * self.latency_ms / 1000 / self.concurrency

    @property
    def measured(self) -> float:
        """Seconds: the median of the measurements."""
        return median(self.seconds)

    @property
    def ratio(self) -> float:
        """Measured time to limit."""
        return self.measured / self.limit

    @property
    def kept(self) -> bool:
        """Whether the ratio is within what is allowed."""
        return self.ratio <= self.allowed


@dataclass(frozen=True)
class Cpu:
    """Milliseconds of CPU that a sweep takes for one PI, in its own process and in PostgreSQL's: (here, there)."""

    what: str
    calls: int
    measured: tuple[float, float]
    allowed: tuple[float, float]

    @property
    def kept(self) -> bool:
        """Whether both are within what is allowed."""
        return all(taken <= most for taken, most in zip(self.measured, self.allowed, strict=True))


def cpu_table(figures: list[Cpu]) -> Table:
    """What each sweep costs, a row each."""
    made = Table(title="CPU per PI, in milliseconds, of two that work side by side")
    for heading in ("what", "PIs", "the sweep", "allowed", "PostgreSQL", "allowed", ""):
        made.add_column(heading, justify="left" if heading in ("what", "") else "right")
    for each in figures:
        pairs = zip(each.measured, each.allowed, strict=True)
        numbers = [f"{number:.1f}" for pair in pairs for number in pair]
        made.add_row(each.what, f"{each.calls:,}", *numbers, _verdict(each.kept))
    return made


@dataclass(frozen=True)
class Workers:
    """The seconds in which so many Celery workers made these calls, each with some of them under way at a time.

    They are those of a sweep that came to the treasury once all workers were at it, until the last one's answer.
    `calls_per_second` is the treasury's limit for all of them together, None where it has none.
    """

    workers: int
    calls: int
    latency_ms: int
    concurrency: int
    calls_per_second: float | None
    seconds: tuple[float, ...]
    allowed: float

    @property
    def limit(self) -> float:
        """Seconds that nobody can beat: the calls side by side, or as fast as the treasury takes them."""
        side_by_side = self.calls * self.latency_ms / 1000 / (self.concurrency * self.workers)
        return max(side_by_side, self.calls / self.calls_per_second) if self.calls_per_second else side_by_side

    @property
    def measured(self) -> float:
        """Seconds: the median of the measurements."""
        return median(self.seconds)

    @property
    def ratio(self) -> float:
        """Measured time to limit."""
        return self.measured / self.limit

    @property
    def kept(self) -> bool:
        """Whether the ratio is within what is allowed."""
        return self.ratio <= self.allowed


@dataclass(frozen=True)
class Growth:
    """The memory (bytes at the peak) of one sweep over few PIs and of one over many."""

    few: int
    many: int
    few_bytes: int
    many_bytes: int
    allowed: float

    @property
    def ratio(self) -> float:
        """The many's memory to the few's."""
        return self.many_bytes / self.few_bytes

    @property
    def kept(self) -> bool:
        """Whether the ratio is within what is allowed."""
        return self.ratio <= self.allowed


@dataclass(frozen=True)
class Logging:
    """The seconds of one sweep that keeps its calls in the log, and of the same sweep without a log."""

    calls: int
    logged: tuple[float, ...]
    unlogged: tuple[float, ...]
    allowed: float

    @property
    def ratio(self) -> float:
        """Time with the log to time without."""
        return median(self.logged) / median(self.unlogged)

    @property
    def kept(self) -> bool:
        """Whether the ratio is within what is allowed."""
        return self.ratio <= self.allowed


@dataclass(frozen=True)
class Shipping:
    """The seconds in which so many calls went to Elasticsearch, and those of its client's bulk helper alone."""

    calls: int
    seconds: float
    bulk_seconds: float
    allowed: float

    @property
    def per_second(self) -> float:
        """Documents per second."""
        return self.calls / self.seconds

    @property
    def ratio(self) -> float:
        """Time to the helper's."""
        return self.seconds / self.bulk_seconds

    @property
    def kept(self) -> bool:
        """Whether the ratio is within what is allowed."""
        return self.ratio <= self.allowed


def table(
    figures: list[Figure], workers: list[Workers], growth: Growth, logging: Logging, shipping: Shipping | None
) -> Table:
    """All of it, one row each; what could not be measured has none."""
    made = sweeps_table(figures)
    _add_workers(made, workers)
    made.add_row(
        f"memory of a PIS sweep over {growth.many:,} PIs against {growth.few:,}",
        f"{growth.many:,}",
        _megabytes(growth.few_bytes),
        _megabytes(growth.many_bytes),
        f"{growth.ratio:.2f}",
        f"{growth.allowed:.2f}",
        _verdict(growth.kept),
    )
    made.add_row(
        "PIS sweep, 0 ms, with the log of its calls against without",
        f"{logging.calls:,}",
        f"{median(logging.unlogged):.2f} s",
        f"{median(logging.logged):.2f} s",
        f"{logging.ratio:.2f}",
        f"{logging.allowed:.2f}",
        _verdict(logging.kept),
    )
    if shipping is not None:
        made.add_row(
            f"calls to Elasticsearch ({shipping.per_second:,.0f} a second) against its bulk helper alone",
            f"{shipping.calls:,}",
            f"{shipping.bulk_seconds:.2f} s",
            f"{shipping.seconds:.2f} s",
            f"{shipping.ratio:.2f}",
            f"{shipping.allowed:.2f}",
            _verdict(shipping.kept),
        )
    return made


def sweeps_table(figures: list[Figure]) -> Table:
    """What was measured of sweeps, alone."""
    made = _empty()
    for each in figures:
        made.add_row(
            f"{each.what}, {each.latency_ms} ms, {each.concurrency} at a time",
            f"{each.calls:,}",
            f"{each.limit:.2f} s",
            f"{each.measured:.2f} s",
            f"{each.ratio:.2f}",
            f"{each.allowed:.2f}",
            _verdict(each.kept),
        )
    return made


def workers_table(workers: list[Workers]) -> Table:
    """What was measured of workers, alone."""
    made = _empty()
    _add_workers(made, workers)
    return made


def _empty() -> Table:
    made = Table(title="Measured against calls × latency ÷ concurrency")
    made.add_column("what")
    for heading in ("calls", "limit", "measured", "ratio", "allowed"):
        made.add_column(heading, justify="right")
    made.add_column("")
    return made


def _add_workers(made: Table, workers: list[Workers]) -> None:
    for crew in workers:
        limited = f", {crew.calls_per_second:g} calls a second" if crew.calls_per_second else ""
        made.add_row(
            f"PIS sweep by {crew.workers} Celery worker{'s' * (crew.workers > 1)}, {crew.latency_ms} ms, "
            f"{crew.concurrency} at a time each{limited}",
            f"{crew.calls:,}",
            f"{crew.limit:.2f} s",
            f"{crew.measured:.2f} s",
            f"{crew.ratio:.2f}",
            f"{crew.allowed:.2f}",
            _verdict(crew.kept),
        )


def _verdict(kept: bool) -> str:
    return "[green]ok[/]" if kept else "[red]over[/]"


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.2f} MB"
