"""Writes of one transaction that go to the database together.

A PI's change is written in half a dozen tables, and each trip to the database costs more than the write itself. So the
writes that nobody reads back are collected and sent as one statement, each a part of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count

from ifms.ledger.database import Connection

Values = Mapping[str, object] | Sequence[object]

_ABOUT = re.compile(r"\s*(?P<verb>INSERT INTO|UPDATE) ifms\.(?P<table>\w+)")
_PARAMETER = re.compile(r"%(?:\((\w+)\))?s")


@dataclass(frozen=True)
class _Part:
    statement: str
    values: Values
    rows: int | None
    otherwise: Callable[[Connection], Exception] | None


class Writes:
    """Collects writes of the connection's transaction; `flush` sends them.

    PostgreSQL shows the parts of one statement the same rows: none sees what another one writes, and of two changes of
    one row only one happens. So a change of a table that a collected write touches too is kept apart from it here; who
    reads what was collected flushes first.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._parts: list[_Part] = []

    @property
    def connection(self) -> Connection:
        """For what neither reads nor changes what was collected: of that nothing is sent yet."""
        return self._connection

    def add(self, part: _Part) -> None:
        """Collect a write; what it must have touched is looked at by `flush`."""
        table, changes = _touched(part.statement)
        earlier = (_touched(other.statement) for other in self._parts)
        if any(other == table and (changes or changed) for other, changed in earlier):
            self.flush()
        self._parts.append(part)

    def flush(self) -> Connection:
        """Send what was collected; returns the connection, for what has to be read or written by itself.

        Those that must touch a number of rows go first, so that whoever has lost a claim is told so, and not what the
        other writes run into. Raises what the first of them promised that touched another number.
        """
        parts, self._parts = self._parts, []
        counted = [part for part in parts if part.rows is not None]
        for part, touched in zip(counted, self._send(counted), strict=False):
            _check(self._connection, part, touched)
        self._send([part for part in parts if part.rows is None])
        return self._connection

    def _send(self, parts: Sequence[_Part]) -> Sequence[int]:
        """Send some parts as one statement; how many rows each of those that are counted touched."""
        if not parts:
            return ()
        values: dict[str, object] = {}
        for place, part in enumerate(parts):
            given = part.values.items() if isinstance(part.values, Mapping) else enumerate(part.values)
            values.update((f"w{place}_{name}", value) for name, value in given)
        statement = _joined(tuple((part.statement, part.rows is not None) for part in parts))
        touched: Sequence[int] | None = self._connection.execute(statement, values, prepare=True).fetchone()
        assert touched is not None, "a joined statement gives one row"
        return touched


Target = Connection | Writes


def write(
    target: Target,
    statement: str,
    values: Values,
    *,
    rows: int | None = None,
    otherwise: Callable[[Connection], Exception] | None = None,
) -> None:
    """Run an INSERT or UPDATE without RETURNING on `target`: now on a connection, with the others by a `Writes`.

    With `rows` it must touch so many; else what `otherwise` makes is raised.
    """
    part = _Part(statement, values, rows, otherwise)
    if isinstance(target, Writes):
        target.add(part)
    else:
        _check(target, part, target.execute(statement.encode(), values).rowcount)


def connection_of(target: Target) -> Connection:
    """The connection behind `target`, after what was collected for it has been sent."""
    return target.flush() if isinstance(target, Writes) else target


def _check(connection: Connection, part: _Part, touched: int) -> None:
    if part.rows is not None and touched != part.rows:
        assert part.otherwise is not None, "who expects a number of rows says what is wrong without it"
        raise part.otherwise(connection)


@lru_cache(maxsize=512)
def _touched(statement: str) -> tuple[str, bool]:
    """The table that a write is about, and whether it may change rows that are there already."""
    found = _ABOUT.match(statement)
    assert found is not None, f"no INSERT INTO or UPDATE of a table of schema ifms: {statement[:80]}"
    return found["table"], found["verb"] == "UPDATE" or "ON CONFLICT" in statement


@lru_cache(maxsize=512)
def _joined(parts: tuple[tuple[str, bool], ...]) -> bytes:
    """The parts as one statement that gives, for each that is counted, how many rows it touched."""
    named, counts = [], []
    for place, (statement, counted) in enumerate(parts):
        positions = count()
        own = _PARAMETER.sub(lambda m, p=place, n=positions: f"%(w{p}_{m[1] or next(n)})s", statement)  # type: ignore[misc]
        named.append(f"w{place} AS ({own}{' RETURNING true' if counted else ''})")
        if counted:
            counts.append(f"(SELECT count(*) FROM w{place})")
    return f"WITH {', '.join(named)} SELECT {', '.join(counts) or 'true'}".encode()
