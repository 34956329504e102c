"""One sweep's row in the ledger: when it began, what it counted, what a person should see, how it ended."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from types import TracebackType
from typing import Self

from ifms.errors import ClaimLostError, SweepNeedsAttentionError, SweepStoppedError
from ifms.ledger import runs
from ifms.ledger.database import Database
from ifms.ledger.invariants import Finding
from ifms.ledger.runs import RunContext, SweepRun

log = logging.getLogger("ifms.sweep")

_NEW_OBJECTS = 50_000
"""How many containers are made, and not freed again, between two looks of Python's collector of reference cycles.

After each 700, which is its default, it would look at a whole page of bills several times while that is being read.
"""


@dataclass
class Sweep:
    """One sweep of one service, from its `sweep_run` row's beginning to its end.

    Use as a context manager: leaving it writes the row and raises what the task should end with. Its calls go through
    `pipeline.drive`; one that calls the treasury is a `TreasurySweep`.
    """

    db: Database
    service_id: str
    context: RunContext = field(default_factory=RunContext)
    _: KW_ONLY
    workers: int = 16
    stop: threading.Event = field(default_factory=threading.Event)
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    patience_seconds: float = 0
    """How long `takeover` waits for rows that another run took before this one began; 0: not at all."""
    ended: Callable[[Sweep, float, str | None], None] | None = None
    """Hears of the end, once its row is written: after how many seconds, and what went wrong. It raises nothing."""

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self.run: SweepRun = self.db.transact(lambda c: runs.begin(c, self.service_id, self.context))
        self._collected_after = _collect_rarely()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._collected_after is not None:
            gc.set_threshold(self._collected_after)
        ending = error or self.ending()
        self.between_settlements()
        failure = None if ending is None else f"{type(ending).__name__}: {ending}"
        self.db.transact(lambda c: runs.finish(c, self.run, self.counts, self.problems, failure))
        if self.ended is not None:
            self.ended(self, time.monotonic() - self._began, failure)
        log.info(
            "%s: %s",
            self.service_id,
            "; ".join(filter(None, (self.counted("" if failure else "nothing was due"), failure))),
        )
        if error is None and ending is not None:
            raise ending

    def add_problem(self, text: str) -> None:
        """Something that a person should see: in the task log, on the sweep's row, and the task does not end green."""
        self.counts["problems"] += 1
        if len(self.problems) < runs.MAX_PROBLEMS:
            self.problems.append(text)
        log.error("%s: %s", self.service_id, text)

    def add_warning(self, text: str) -> None:
        """Something worth knowing that is no failure: in the task log and on the sweep's row."""
        if len(self.problems) < runs.MAX_PROBLEMS:
            self.problems.append(text)
        log.warning("%s: %s", self.service_id, text)

    def add_finding(self, finding: Finding) -> None:
        """A rule of the ledger that is broken: each row that breaks it, as far as it is named, is a problem."""
        rule = finding.invariant
        self.counts[rule.name] = finding.count
        for row in finding.rows:
            self.add_problem(f"{rule.name}: {row}. {rule.remedy}")
        if finding.count > len(finding.rows):
            self.add_problem(f"{rule.name}: and {finding.count - len(finding.rows)} more")

    def claim_lost(self, lost: ClaimLostError) -> None:
        """Count what another copy has taken over: it is that one's own now, and no error here."""
        self.counts["claim_lost"] += 1
        log.warning("%s: %s", self.service_id, lost)

    def ignore_lost_claim(self, give_back: Callable[[], None]) -> None:
        """Give something back, unless another copy has taken it over meanwhile."""
        try:
            give_back()
        except ClaimLostError as lost:
            self.claim_lost(lost)

    @property
    def stopping(self) -> bool:
        """Whether no further call shall be made."""
        return self.stop.is_set()

    def between_settlements(self) -> None:
        """What the ledger's thread does beside its items, now and then and at the end: here nothing."""

    def ending(self) -> Exception | None:
        """What the task should end with; None when all is well."""
        if self.counts["problems"]:
            return SweepNeedsAttentionError(f"{self.counts['problems']} problem(s), the first: {self.problems[0]}")
        if self.stop.is_set():
            return SweepStoppedError("stopped on request; what was under way is settled, the rest is still due")
        return None

    def counted(self, when_nothing: str = "nothing was due") -> str:
        """What was counted so far, in words."""
        counted = [runs.shown(what, number) for what, number in sorted(self.counts.items()) if number]
        text = ", ".join(f"{number} {what}" for what, number in counted)
        return text or when_nothing


def _collect_rarely() -> int | None:
    """Let this process look for reference cycles less often, unless somebody has set it so, or to never.

    Returns after how many new containers it looked before; None when nothing was changed.
    """
    before = gc.get_threshold()[0]
    if not 0 < before < _NEW_OBJECTS:
        return None
    gc.set_threshold(_NEW_OBJECTS)
    return before
