"""What every sweep has in common: bounded concurrent calls, one thread for the ledger, a row that tells how it went.

A sweep's items come from a generator that claims them; worker threads make the calls; the thread that owns the ledger
settles each answer in its own transaction as it comes. So a bad reply never stops the others, memory does not grow with
the number of items, and a sweep that is killed has committed all that it had settled.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TypeVar
from uuid import UUID

from ifms.errors import (
    ClaimLostError,
    IfmsError,
    SweepNeedsAttentionError,
    SweepStoppedError,
    SweepUnreachableError,
    TreasuryStoppedError,
)
from ifms.ledger import phrases, runs
from ifms.ledger.claims import Queue, held
from ifms.ledger.database import Connection, Database
from ifms.ledger.runs import RunContext, SweepRun
from ifms.ledger.status_log import CallLog
from ifms.ledger.write_batch import Target
from ifms.treasury.outcome import Answered, NeverSent, Outcome, Rejected, Unknown
from ifms.wire.envelope import ReplyError, Service
from ifms.wire.phrasebook import Phrasebook, shipped

Item = TypeVar("Item")
Result = TypeVar("Result")

PROGRESS_SECONDS = 5.0
PAUSE_SECONDS = 2.0  # between two looks at what another run holds
HEARS_SECONDS = 0.5  # how soon a sweep that only waits for answers hears that it shall stop
AHEAD = 2  # items handed to the pool per worker, so that no worker waits while the ledger is written

log = logging.getLogger("ifms.sweep")


@dataclass(frozen=True)
class Taken:
    """Rows of a queue that other runs had taken before a sweep began."""

    count: Callable[[Connection], int]
    at_first: int


@dataclass
class Sweep:
    """One sweep of one service, from its `sweep_run` row's beginning to its end.

    Use as a context manager: leaving it writes the row and raises what the task should end with.
    """

    db: Database
    service_id: str
    context: RunContext = field(default_factory=RunContext)
    calls: CallLog | None = None
    workers: int = 16
    stop: threading.Event = field(default_factory=threading.Event)
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    patience_seconds: float = 0
    """How long `await_others` waits for rows that another run took before this one began; 0: not at all."""
    ended: Callable[[Sweep, float, str | None], None] | None = None
    """Hears of the end, once its row is written: after how many seconds, and what went wrong. It raises nothing."""

    phrasebook: Phrasebook = field(default_factory=shipped)
    """What the treasury's texts mean: with the site's own phrases, once the sweep has begun."""

    def __post_init__(self) -> None:
        self._failures_in_a_row = 0
        self._unreachable: str | None = None
        self._fatal: BaseException | None = None
        self._last_progress = time.monotonic()

    def __enter__(self) -> Sweep:
        self._began = time.monotonic()
        self.run: SweepRun = self.db.transact(lambda c: runs.begin(c, self.service_id, self.context))
        if self.calls is not None:
            self.phrasebook = self.db.transact(phrases.phrasebook)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ending = error or self._ending()
        self._write_logins()
        failure = None if ending is None else f"{type(ending).__name__}: {ending}"
        self.db.transact(lambda c: runs.finish(c, self.run, self.counts, self.problems, failure))
        if self.ended is not None:
            self.ended(self, time.monotonic() - self._began, failure)
        log.info(
            "%s: %s",
            self.service_id,
            "; ".join(filter(None, (self._counted("" if failure else "nothing was due"), failure))),
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

    def record_outcome(self, outcome: Outcome) -> None:
        """Count a call's outcome; so many in a row that reached nobody end the sweep early."""
        match outcome:
            case Answered() | Rejected():
                self.counts["answered" if isinstance(outcome, Answered) else "refused"] += 1
                self._failures_in_a_row = 0
            case NeverSent(reason=reason):
                self.counts["never_sent"] += 1
                self._record_unreachable(reason)
            case Unknown(reason=reason, understood=understood):
                self.counts["unknown"] += 1
                if understood:
                    self._record_unreachable(reason)

    def drive(
        self,
        items: Generator[Item, None, None],
        call: Callable[[Item], Result],
        settle: Callable[[Item, Result], None],
        give_back: Callable[[Item], None],
    ) -> None:
        """Call for each item in worker threads, settle each result here; give back what was not begun when stopped.

        `call` runs in a worker and touches no database; the others run in this thread. A typed error of one item is
        that item's problem; TreasuryLoginError and the like, raised by `call`, end the sweep.
        """
        done: SimpleQueue[tuple[Item, Future[Result | None]]] = SimpleQueue()
        under_way: set[Future[Result | None]] = set()

        def guarded(item: Item) -> Result | None:
            return None if self.stopping else call(item)

        with ThreadPoolExecutor(self.workers, thread_name_prefix=f"ifms-{self.service_id}") as pool:
            try:
                while True:
                    if self.stopping:  # whoever stops this may not wait for the calls: what is not begun goes back now
                        items.close()
                        for future in under_way:
                            future.cancel()
                    room = len(under_way) < self.workers * AHEAD and not self.stopping
                    item = self._next(items) if room else None
                    if item is not None:
                        future = pool.submit(guarded, item)
                        under_way.add(future)
                        future.add_done_callback(lambda f, item=item: done.put((item, f)))  # type: ignore[misc]
                    elif not under_way:
                        break
                    under_way -= self._settle_done(done, settle, give_back, wait=item is None)
                    self._write_logins()
                    self._progress()
            except BaseException:
                self.stop.set()  # a timeout of the task: the workers' remaining items end at once
                raise
            finally:
                items.close()
        if self._fatal is not None and not isinstance(self._fatal, TreasuryStoppedError):
            raise self._fatal

    def drain_with_takeover(
        self, queue: Queue, lease: timedelta, conditions: Mapping[str, object], work: Callable[[], None]
    ) -> None:
        """Do `work`, and again when rows of `queue` come free that another run had taken before this one began.

        That run may be one that Airflow has replaced by this one: it will be ended and give its rows back, or it was
        killed, and they are free when its leases end. If this one did not wait, they would be left to the next day's.
        """
        taken = self.taken_by_others(queue, lease, conditions)
        work()
        self.await_others(taken, work)

    def taken_by_others(self, queue: Queue, lease: timedelta, conditions: Mapping[str, object]) -> Taken:
        """What other runs hold now, for `await_others`: asked before this run's own work, while it may come free."""

        def count(connection: Connection) -> int:
            return held(connection, queue, lease=lease, sweep_started=self.run.started_at, **conditions)

        patient = self.patience_seconds and not self.stopping
        return Taken(count, self.db.transact(count) if patient else 0)

    def await_others(self, taken: Taken, work: Callable[[], None]) -> None:
        """Do `work` when some of what was `taken` has come free; until none is left, or patience ends."""
        deadline = time.monotonic() + self.patience_seconds
        before = taken.at_first
        while before and not self.stopping:
            now = self.db.transact(taken.count)
            if now < before:
                work()
            elif time.monotonic() > deadline:
                self.add_warning(f"{now} are still in the hands of another run; they are left to the next one")
                return
            if now:
                if before == taken.at_first:
                    log.info("%s: waiting for %d that a run took which began before this one", self.service_id, now)
                self.stop.wait(PAUSE_SECONDS)
            before = now

    @property
    def stopping(self) -> bool:
        """Whether no further call shall be made."""
        return self.stop.is_set() or self._unreachable is not None or self._fatal is not None

    def log_calls(
        self,
        target: Target,
        outcome: Outcome,
        *,
        instruction_id: UUID | None = None,
        announced: UUID | None = None,
    ) -> None:
        """Write the exchanges of one outcome, in the transaction of its effect."""
        assert self.calls is not None, "a sweep that calls the treasury is given a call log"
        self.calls.write(
            target,
            outcome.exchanges,
            sweep_run_id=self.run.id,
            instruction_id=instruction_id,
            announced=announced,
        )

    def note_unknown(self, service: Service, errors: Sequence[ReplyError]) -> None:
        """Count those texts of an error about no single PI that nobody understands."""
        texts = self.phrasebook.unmatched(service, errors, None)
        if texts:
            self.db.transact(lambda c: phrases.note_unknown(c, service, texts, None))

    def ignore_lost_claim(self, give_back: Callable[[], None]) -> None:
        """Give something back; what another copy has taken over meanwhile is its own, and no error here."""
        try:
            give_back()
        except ClaimLostError as lost:
            self.counts["claim_lost"] += 1
            log.warning("%s: %s", self.service_id, lost)

    def _write_logins(self) -> None:
        if self.calls is not None:
            self.calls.write_logins(self.db, self.run.id)

    def _next(self, items: Generator[Item, None, None]) -> Item | None:
        """The next item; an error in getting it ends the sweep, but first what is under way is settled."""
        try:
            return next(items, None)
        except Exception as error:
            self._fatal = error
            return None

    def _settle_done(
        self,
        done: SimpleQueue[tuple[Item, Future[Result | None]]],
        settle: Callable[[Item, Result], None],
        give_back: Callable[[Item], None],
        *,
        wait: bool,
    ) -> set[Future[Result | None]]:
        """Settle what has come back, waiting a little for the first if nothing else is to do; give its futures."""
        settled: set[Future[Result | None]] = set()
        while True:
            try:
                item, future = done.get(block=wait and not settled, timeout=HEARS_SECONDS)
            except Empty:
                return settled
            settled.add(future)
            error = None if future.cancelled() else future.exception()
            try:
                if future.cancelled():
                    give_back(item)
                elif error is not None:
                    if self._fatal is None:
                        self._fatal = error
                    give_back(item)
                elif (result := future.result()) is None:
                    give_back(item)
                else:
                    settle(item, result)
                    self.counts["done"] += 1
            except ClaimLostError as lost:
                self.counts["claim_lost"] += 1
                log.warning("%s: %s", self.service_id, lost)
            except IfmsError as ours:
                self.add_problem(str(ours))

    def _record_unreachable(self, reason: str) -> None:
        self._failures_in_a_row += 1
        if self._failures_in_a_row >= 2 * self.workers and self._unreachable is None:
            self._unreachable = f"{self._failures_in_a_row} calls in a row reached nobody; the last: {reason}"

    def _ending(self) -> Exception | None:
        spoken = self.counts["answered"] + self.counts["refused"]
        silent = self.counts["never_sent"] + self.counts["unknown"]
        if self._unreachable is not None:
            return SweepUnreachableError(f"{self._unreachable}; the rest is still due, run again when it is back")
        if self.counts["problems"]:
            return SweepNeedsAttentionError(f"{self.counts['problems']} problem(s), the first: {self.problems[0]}")
        if self.stop.is_set():
            return SweepStoppedError("stopped on request; what was under way is settled, the rest is still due")
        if silent and not spoken:
            return SweepUnreachableError(f"none of {silent} call(s) was answered; run again when the treasury is back")
        return None

    def _progress(self) -> None:
        if time.monotonic() - self._last_progress >= PROGRESS_SECONDS:
            self._last_progress = time.monotonic()
            log.info("%s: so far %s", self.service_id, self._counted())

    def _counted(self, when_nothing: str = "nothing was due") -> str:
        counted = [runs.shown(what, number) for what, number in sorted(self.counts.items()) if number]
        text = ", ".join(f"{number} {what}" for what, number in counted)
        return text or when_nothing
