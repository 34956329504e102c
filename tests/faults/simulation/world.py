"""What one seed decides and remembers: chance, the clock, the course of events, and how many faults there were."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TypeVar

T = TypeVar("T")

# Beginnings that dates and financial years trip over, in IST; far ahead of PostgreSQL's own clock, which is moved on to
# them and never back (books.py).
BEGINNINGS = (
    datetime(2060, 6, 10, 4, 0, tzinfo=UTC),
    datetime(2061, 3, 31, 14, 0, tzinfo=UTC),
    datetime(2060, 2, 28, 18, 0, tzinfo=UTC),
    datetime(2060, 12, 31, 17, 0, tzinfo=UTC),
)


class Killed(BaseException):
    """The process is gone; no code may catch this, and what runs on the way out can't do anything any more."""


class Clock:
    """Everybody's clock: it moves by a millisecond whenever it is looked at, and by hours between sweeps."""

    def __init__(self, beginning: datetime) -> None:
        self.beginning = beginning
        self.instant = beginning

    def now(self) -> datetime:
        """The current instant; each is later than the one before."""
        self.instant += timedelta(milliseconds=1)
        return self.instant

    def time(self) -> float:
        """The same in epoch seconds, as `time.time` tells it."""
        return self.now().timestamp()

    def sleep(self, seconds: float) -> None:
        """Wait for nobody."""


@dataclass
class World:
    """One seed's world. All chance comes from `random`, in the order in which things happen."""

    seed: int
    tell: Callable[[str], None] | None = None
    """Hears each event at once, for a person who replays a seed."""
    calm: bool = False
    """No new faults: what is left is cleared up."""
    faults: Counter[str] = field(default_factory=Counter)
    events: int = 0
    refused: list[str] = field(default_factory=list)
    """What the guards of the ledger's database have refused."""

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.clock = Clock(self.choose(BEGINNINGS) + timedelta(minutes=self.random.randrange(600)))
        self._hash = hashlib.sha256()

    def choose(self, these: Sequence[T]) -> T:
        """One of them."""
        return these[self.random.randrange(len(these))]

    def weighted(self, these: dict[T, int]) -> T:
        """One of them, by weight."""
        return self.random.choices(list(these), list(these.values()))[0]

    def chance(self, probability: float) -> bool:
        """Whether it happens; never in calm."""
        return not self.calm and self.random.random() < probability

    def fault(self, name: str) -> None:
        """Count one fault."""
        self.faults[name] += 1

    def event(self, text: str) -> None:
        """Something happened: part of the trace."""
        self.events += 1
        self._hash.update(text.encode() + b"\n")
        if self.tell is not None:
            self.tell(text)

    @property
    def trace(self) -> str:
        """A hash of everything that happened so far."""
        return self._hash.hexdigest()
