"""Makes a sweep's calls in worker threads and settles each answer in the thread that owns the ledger."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from ifms.errors import ClaimLostError, IfmsError
from ifms.sweep.run import Sweep

Item = TypeVar("Item")
Result = TypeVar("Result")

PROGRESS_SECONDS = 5.0
AHEAD = 2  # items handed to the pool per worker, so that no worker waits while the ledger is written

log = logging.getLogger("ifms.sweep")


def drive(
    sweep: Sweep,
    items: Generator[Item, None, None],
    call: Callable[[Item], Result],
    settle: Callable[[Item, Result], None],
    give_back: Callable[[Item], None],
) -> None:
    """Call for each item in worker threads, settle each result here; give back what was not begun when stopped.

    `call` runs in a worker and touches no database; the others run in this thread, `items` among them, which claims
    what it yields. So a bad reply never stops the others, memory does not grow with the number of items, and a sweep
    that is killed has committed all that it had settled. A typed error of one item is that item's problem;
    TreasuryLoginError and the like, raised by `call`, end the sweep.
    """
    _Pipeline(sweep, items, call, settle, give_back).run()


@dataclass
class _Pipeline(Generic[Item, Result]):
    sweep: Sweep
    items: Generator[Item, None, None]
    call: Callable[[Item], Result]
    settle: Callable[[Item, Result], None]
    give_back: Callable[[Item], None]
    fatal: BaseException | None = None
    """What ends the sweep, once what is under way is settled."""

    def __post_init__(self) -> None:
        self.done: SimpleQueue[tuple[Item, Future[Result | None]]] = SimpleQueue()

    @property
    def stopping(self) -> bool:
        return self.sweep.stopping or self.fatal is not None

    def run(self) -> None:
        sweep, under_way, progress = self.sweep, 0, time.monotonic()
        with ThreadPoolExecutor(sweep.workers, thread_name_prefix=f"ifms-{sweep.service_id}") as pool:
            try:
                while True:
                    item = self._next() if under_way < sweep.workers * AHEAD and not self.stopping else None
                    if item is not None:
                        future = pool.submit(self._guarded, item)
                        under_way += 1
                        future.add_done_callback(lambda f, item=item: self.done.put((item, f)))  # type: ignore[misc]
                    elif under_way == 0:
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
        if self.fatal is not None:
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

    def _settle_done(self, *, wait: bool) -> int:
        """Settle what has come back, waiting for the first of it if nothing else is to do; how many."""
        settled = 0
        while True:
            try:
                item, future = self.done.get(block=wait and settled == 0)
            except Empty:
                return settled
            settled += 1
            error = future.exception()
            try:
                if error is not None:
                    if self.fatal is None:
                        self.fatal = error
                    self.give_back(item)
                elif (result := future.result()) is None:
                    self.give_back(item)
                else:
                    self.settle(item, result)
                    self.sweep.counts["done"] += 1
            except ClaimLostError as lost:
                self.sweep.claim_lost(lost)
            except IfmsError as ours:
                self.sweep.add_problem(str(ours))
