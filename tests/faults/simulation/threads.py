"""Threads that are none: the sweep's workers run in the sweep's own thread, when it waits, in an order that chance picks.

`pipeline.drive` hands items to an executor and reads what is done from a queue. Here the queue, when it is asked, lets
some of the waiting items run first: as many, and in such an order, as real threads might have. What is under way when
the process is killed is then in every state: not sent, sent, answered and not yet settled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty
from types import TracebackType
from typing import Any

from faults.simulation.world import Killed, World


class Deferred(Future[Any]):
    """A future whose work is done by whoever waits for it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__()
        self._work: Callable[[], Any] | None = work

    def run(self) -> None:
        """Do the work, once. A killed process ends here and now, and nobody hears a result any more."""
        if self.cancelled():
            return
        work, self._work = self._work, None
        if work is None:
            if not self.done():
                raise Killed
            return
        try:
            result = work()
        except Killed:
            raise
        except BaseException as error:
            self.set_exception(error)
        else:
            self.set_result(result)

    def result(self, timeout: float | None = None) -> Any:
        """The result, which is worked out now if it was not before."""
        self.run()
        return super().result(timeout)


class Workers:
    """Stands in for ThreadPoolExecutor; its queue is the one that was made last."""

    world: World

    def __init__(self, *_: object, **__: object) -> None:
        self._waiting: list[Deferred] = []
        if Done.last is not None:
            Done.last.workers, Done.last = self, None

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and issubclass(kind, Killed):
            self._waiting.clear()
        while self._waiting:
            self.run_one()

    def submit(self, work: Callable[..., Any], *arguments: object) -> Deferred:
        """Keep it until somebody waits."""
        future = Deferred(lambda: work(*arguments))
        self._waiting.append(future)
        return future

    def run_one(self) -> bool:
        """Run one of the waiting, any of them; False when none waits."""
        if not self._waiting:
            return False
        self._waiting.pop(self.world.random.randrange(len(self._waiting))).run()
        return True


class Done:
    """Stands in for SimpleQueue: before it is read, some of the waiting items run."""

    last: Done | None = None
    world: World

    def __init__(self) -> None:
        self.workers: Workers | None = None
        self._items: deque[Any] = deque()
        Done.last = self

    def put(self, item: object) -> None:
        """Add an item."""
        self._items.append(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """The next item; with `block`, whoever must run for that does."""
        assert self.workers is not None, "the executor is made after its queue"
        for _ in range(self.world.random.randrange(3) if not self._items else 0):
            self.workers.run_one()
        while block and not self._items and self.workers.run_one():
            pass
        if not self._items:
            raise Empty
        return self._items.popleft()
