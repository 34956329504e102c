"""Everything that a sweep does to the world goes through three doors; here each is watched, before and after.

The ledger's commits, the calls to the treasury (logins too), and the platform's calls that change something. A service
that takes a new step takes it through one of them, so it is watched without a word about it here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ifms.ledger.database import Connection, Database
from ifms.platform.transport import Transport as Platform
from ifms.treasury.transport import Transport as Treasury

Visit = Callable[[str], None]


def watch(visit: Visit) -> None:
    """Call `visit` with a name of the point, before and after each effect, in this process from now on.

    Before a commit is with all of its work done and its locks held, in the last moment in which it can still be undone.
    """
    _watch_commits(visit)
    _watch_calls(Treasury, "post", lambda _: "call to the treasury", visit)
    _watch_calls(Platform, "call", _changing, visit)


def _watch_commits(visit: Visit) -> None:
    original = Database.transact

    def transact(self: Database, work: Callable[[Connection], Any]) -> Any:
        what = f"commit of {_name(work)}"

        def watched(connection: Connection) -> Any:
            result = work(connection)
            visit(f"before the {what}")
            return result

        result = original(self, watched)
        visit(f"after the {what}")
        return result

    Database.transact = transact  # type: ignore[assignment, method-assign]


def _watch_calls(door: type, method: str, what: Callable[[str], str | None], visit: Visit) -> None:
    original = getattr(door, method)

    def call(self: Any, target: str, *args: Any, **options: Any) -> Any:
        name = what(target)
        if name is None:
            return original(self, target, *args, **options)
        visit(f"before the {name}")
        try:
            return original(self, target, *args, **options)
        finally:  # an effect of it may be there, however it ended
            visit(f"after the {name}")

    setattr(door, method, call)


def _changing(service: str) -> str | None:
    """The name of a call to the platform that may change something; a look-up changes nothing."""
    return None if service.endswith("_search") or service == "decrypt" else f"platform's {service}"


def _name(work: Callable[..., Any]) -> str:
    while isinstance(work, partial):
        work = work.func
    return f"{work.__module__}.{work.__qualname__}".removeprefix("ifms.").replace(".<locals>", "")
