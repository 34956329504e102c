"""Look-ups about many things at once, of which one can spoil the answer about all: it must not keep the others."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from math import isqrt
from typing import TypeVar

from ifms.errors import PlatformError, PlatformUnavailableError
from ifms.platform.client import PlatformClient

Thing = TypeVar("Thing")
Answer = TypeVar("Answer")

AWAY_AFTER = 6  # failures with no answer between them: the whole, portions of it, single ones
FEW = 4  # are asked about one by one, without portions between


class Portions:
    """Asks a platform about many things of a city together, and about portions of them where that fails.

    Something about one of them may be refused, unreadable, or end in a service with 5xx or in no answer in time. So
    where the whole fails, portions of about its root are asked about, and where one of those fails, each by itself.

    No service is asked for long that is away: only the whole is tried three times, and after `AWAY_AFTER` failures in a
    row nothing more is asked about; the next whole is tried once, and not divided either, until one is answered again.
    The order of the portions is another one each time, so that not the same things stay behind several bad ones.

    Safe to share between threads, of which each asks about other cities.
    """

    def __init__(self, platform: PlatformClient) -> None:
        self.platform = platform
        self._failures: Counter[str] = Counter()

    def away(self, tenant_id: str) -> bool:
        """Whether nothing about this city is answered any more."""
        return self._failures[tenant_id] >= AWAY_AFTER

    def ask(
        self, tenant_id: str, things: Sequence[Thing], look_up: Callable[[PlatformClient, Sequence[Thing]], Answer]
    ) -> list[tuple[Sequence[Thing], Answer | PlatformError]]:
        """Each of the things is in one portion, with what `look_up` returned of it, or the error that it ended with."""
        answers: list[tuple[Sequence[Thing], Answer | PlatformError]] = []
        platform = self.platform.tried_once() if self.away(tenant_id) else self.platform
        left = deque([things] if things else [])
        whole = True
        while left:
            some = left.popleft()
            answer = self._answer(tenant_id, platform, some, look_up)
            if not isinstance(answer, PlatformError):
                answers.append((some, answer))
            elif self.away(tenant_id):
                answers += [(each, answer) for each in (some, *left)]
                break
            elif len(some) == 1:
                answers.append((some, answer))
            else:
                left.extendleft(reversed(self._divided(some, isqrt(len(some)) if whole and len(some) > FEW else 1)))
                platform = self.platform.tried_once()
            whole = False
        return answers

    def _answer(
        self,
        tenant_id: str,
        platform: PlatformClient,
        some: Sequence[Thing],
        look_up: Callable[[PlatformClient, Sequence[Thing]], Answer],
    ) -> Answer | PlatformError:
        try:
            answer: Answer | PlatformError = look_up(platform, some)
        except PlatformError as error:
            answer = error
        if isinstance(answer, PlatformUnavailableError):
            self._failures[tenant_id] += 1
        else:
            self._failures.pop(tenant_id, None)
        return answer

    def _divided(self, things: Sequence[Thing], size: int) -> list[Sequence[Thing]]:
        order = list(things)
        random.shuffle(order)
        return [order[start : start + size] for start in range(0, len(order), size)]
