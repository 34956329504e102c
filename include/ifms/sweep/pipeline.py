"""Makes a sweep's calls in worker threads and settles each answer in the thread that owns the ledger."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from ifms.errors import ClaimLostError, IfmsError, TreasuryStoppedError
from ifms.sweep.run import Sweep

Item = TypeVar("Item")
Result = TypeVar("Result")

PROGRESS_SECONDS = 5.0
STOP_HEARD_SECONDS = 0.5  # how soon a sweep that only waits for answers hears that it shall stop
AHEAD = 2  # items handed to the pool per worker, so that no worker waits while the ledger is written
TOGETHER = 16  # items written in one transaction: what its COMMIT costs is shared, and none waits long for the others

Answers = Sequence[tuple[Item, Result]]
"""Items, each with the result of its call."""

log = logging.getLogger("ifms.sweep")


def drive(
    sweep: Sweep,
    items: Generator[Item, None, None],
    call: Callable[[Item], Result],
    settle: Callable[[Item, Result], None],
    give_back: Callable[[Item], None],
    settle_together: Callable[[Answers[Item, Result]], Answers[Item, Result]] | None = None,
) -> None:
    """Call for each item in worker threads, settle each result here; give back what was not begun when stopped.

    Where results have piled up while the ledger was written, `settle_together` takes up to TOGETHER of them, settles
    what it can of them in one transaction, and returns those that have to be settled one by one.

    `call` runs in a worker and touches no database; the others run in this thread, `items` among them, which claims
    what it yields. So a bad reply never stops the others, memory does not grow with the number of items, and a sweep
    that is killed has committed all that it had settled. A typed error of one item is that item's problem;
    TreasuryLoginError and the like, raised by `call`, end the sweep.
    """
    _Pipeline(sweep, items, call, settle, give_back, settle_together).run()


@dataclass
class _Pipeline(Generic[Item, Result]):
    sweep: Sweep
    items: Generator[Item, None, None]
    call: Callable[[Item], Result]
    settle: Callable[[Item, Result], None]
    give_back: Callable[[Item], None]
    settle_together: Callable[[Answers[Item, Result]], Answers[Item, Result]] | None
    fatal: BaseException | None = None
    """What ends the sweep, once what is under way is settled."""

    def __post_init__(self) -> None:
        self.done: SimpleQueue[tuple[Item, Future[Result | None]]] = SimpleQueue()

    @property
    def stopping(self) -> bool:
        return self.sweep.stopping or self.fatal is not None

    def run(self) -> None:
        sweep, progress = self.sweep, time.monotonic()
        under_way: set[Future[Result | None]] = set()
        with ThreadPoolExecutor(sweep.workers, thread_name_prefix=f"ifms-{sweep.service_id}") as pool:
            try:
                while True:
                    if self.stopping:  # whoever stops this may not wait for the calls: what is not begun goes back now
                        self.items.close()
                        for future in under_way:
                            future.cancel()
                    item = self._next() if len(under_way) < sweep.workers * AHEAD and not self.stopping else None
                    if item is not None:
                        future = pool.submit(self._guarded, item)
                        under_way.add(future)
                        future.add_done_callback(lambda f, item=item: self.done.put((item, f)))  # type: ignore[misc]
                    elif not under_way:
                        break
                    under_way -= self._settle_done(wait=item is None)
                    sweep.between_settlements()
                    if time.monotonic() - progress >= PROGRESS_SECONDS:
                        progress = time.monotonic()
                        log.info("%s: so far %s", sweep.service_id, sweep.counted())
            except BaseException:
                sweep.stop.set()  # a timeout of the task: the workers' remaining items end at once
                raise
            finally:
                self.items.close()
        if self.fatal is not None and not isinstance(self.fatal, TreasuryStoppedError):
            raise self.fatal

    def _guarded(self, item: Item) -> Result | None:
        return None if self.stopping else self.call(item)

    def _next(self) -> Item | None:
        """The next item; an error in getting it ends the sweep, but first what is under way is settled."""
        try:
            return next(self.items, None)
        except Exception as error:
            self.fatal = error
            return None

    def _settle_done(self, *, wait: bool) -> set[Future[Result | None]]:
        """Settle what has come back, waiting a little for the first if nothing else is to do; give its futures."""
        settled: set[Future[Result | None]] = set()
        while done := self._come_back(wait=wait and not settled):
            settled.update(future for _, future in done)
            answers: list[tuple[Item, Result]] = []
            for item, future in done:
                error = None if future.cancelled() else future.exception()
                if error is not None and self.fatal is None:
                    self.fatal = error
                if future.cancelled() or error is not None or (result := future.result()) is None:
                    self._each(self.give_back, item)
                else:
                    answers.append((item, result))
            self._settle(answers)
        return settled

    def _come_back(self, *, wait: bool) -> list[tuple[Item, Future[Result | None]]]:
        """Up to TOGETHER items whose calls have ended; with `wait`, it waits a little for the first."""
        done: list[tuple[Item, Future[Result | None]]] = []
        with suppress(Empty):
            while len(done) < TOGETHER:
                done.append(self.done.get(block=wait and not done, timeout=STOP_HEARD_SECONDS))
        return done

    def _settle(self, answers: Answers[Item, Result]) -> None:
        alone = answers
        if self.settle_together is not None and len(answers) > 1:
            alone = self.settle_together(answers)
            self.sweep.counts["done"] += len(answers) - len(alone)
        for item, result in alone:
            self._each(self._settle_one, item, result)

    def _settle_one(self, item: Item, result: Result) -> None:
        self.settle(item, result)
        self.sweep.counts["done"] += 1

    def _each(self, work: Callable[..., None], *about: object) -> None:
        """Do it for one item, whose trouble is its own."""
        try:
            work(*about)
        except ClaimLostError as lost:
            self.sweep.claim_lost(lost)
        except IfmsError as ours:
            self.sweep.add_problem(str(ours))
