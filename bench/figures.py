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


def table(figures: list[Figure], growth: Growth) -> Table:
    """All of it, one row each."""
    made = Table(title="Measured against calls × latency ÷ concurrency")
    made.add_column("what")
    for heading in ("calls", "limit", "measured", "ratio", "allowed"):
        made.add_column(heading, justify="right")
    made.add_column("")
    for each in figures:
        made.add_row(
            f"{each.what}, {each.latency_ms} ms, {each.concurrency} at a time",
            f"{each.calls:,}", f"{each.limit:.2f} s", f"{each.measured:.2f} s",
            f"{each.ratio:.2f}", f"{each.allowed:.2f}", _verdict(each.kept),
        )  # fmt: skip
    made.add_row(
        f"memory of a PIS sweep over {growth.many:,} PIs against {growth.few:,}",
        f"{growth.many:,}", _megabytes(growth.few_bytes), _megabytes(growth.many_bytes),
        f"{growth.ratio:.2f}", f"{growth.allowed:.2f}", _verdict(growth.kept),
    )  # fmt: skip
    return made


def _verdict(kept: bool) -> str:
    return "[green]ok[/]" if kept else "[red]over[/]"


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.2f} MB"
