"""Writes of one transaction that go to the database together.

A PI's change is written in half a dozen tables, and each trip to the database costs more than the write itself. So the
writes that nobody reads back are collected and sent as one statement, each a part of it; and rows that are written
alike, of many PIs that change together, as one part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import count

from psycopg.types.json import Jsonb

from ifms.errors import ClaimLostError
from ifms.ledger.columns import as_recordset
from ifms.ledger.database import Connection

Values = Mapping[str, object] | Sequence[object]

_ABOUT = re.compile(r"\s*(?P<verb>INSERT INTO|UPDATE) ifms\.(?P<table>\w+)")
_PARAMETER = re.compile(r"%(?:\((\w+)\))?s")


@dataclass(frozen=True, eq=False)
class RowStatement:
    """An INSERT or UPDATE of one row, which is sent once for many rows where several are collected.

    `text` has {name} where a value belongs and {rows} where rows come from; `types` are the values' PostgreSQL types by
    name. `key` names the value that tells which row an UPDATE is about: none may be changed twice by one statement.
    """

    text: str
    types: Mapping[str, str]
    key: str | None = None

    @cached_property
    def for_one(self) -> str:
        """The statement for one row, its values by name."""
        return self.text.format(rows="", **{name: f"%({name})s::{kind}" for name, kind in self.types.items()})

    @cached_property
    def for_many(self) -> str:
        """The statement for the rows of the recordset `made`."""
        record = ", ".join(f'"{name}" {kind}' for name, kind in self.types.items())
        rows = f"FROM json_to_recordset(%(made)s) AS made ({record})"
        return self.text.format(rows=rows, **{name: f'made."{name}"' for name in self.types})

    def values(self, row: Mapping[str, object]) -> Mapping[str, object]:
        """A row as the values of `for_one`."""
        documents = [name for name, kind in self.types.items() if kind == "jsonb" and row[name] is not None]
        return {**row, **{name: Jsonb(row[name]) for name in documents}} if documents else row


@dataclass(frozen=True)
class _Part:
    statement: str
    values: Values
    rows: int | None
    otherwise: Callable[[Connection], Exception] | None


@dataclass(frozen=True)
class _Rows:
    """Rows that are written alike, each of which must touch so many rows (`each`), or any number."""

    of: RowStatement
    each: int | None
    otherwise: Callable[[Connection], Exception] | None
    made: list[Mapping[str, object]] = field(default_factory=list)

    def has(self, row: Mapping[str, object]) -> bool:
        """Whether what `row` changes is changed by one of these."""
        key = self.of.key
        return key is not None and any(other[key] == row[key] for other in self.made)

    def part(self) -> _Part:
        if len(self.made) == 1:
            return _Part(self.of.for_one, self.of.values(self.made[0]), self.each, self.otherwise)
        expected = None if self.each is None else self.each * len(self.made)
        return _Part(self.of.for_many, {"made": as_recordset(self.made)}, expected, _one_was_lost)


def _one_was_lost(_: Connection) -> Exception:
    return ClaimLostError("one of several rows was taken over by another run; nothing was written")


class Writes:
    """Collects writes of the connection's transaction; `flush` sends them.

    PostgreSQL shows the parts of one statement the same rows: none sees what another one writes, and of two changes of
    one row only one happens. So a change of a table that a collected write touches too is kept apart from it here; who
    reads what was collected flushes first.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._parts: list[_Part | _Rows] = []

    @property
    def connection(self) -> Connection:
        """For what neither reads nor changes what was collected: of that nothing is sent yet."""
        return self._connection

    def add(self, part: _Part) -> None:
        """Collect a write; what it must have touched is looked at by `flush`."""
        self._keep_apart(part.statement)
        self._parts.append(part)

    def add_row(
        self,
        statement: RowStatement,
        row: Mapping[str, object],
        rows: int | None,
        otherwise: Callable[[Connection], Exception] | None,
    ) -> None:
        """Collect the write of a row, with those that are collected and written alike."""
        for alike in self._parts:
            if isinstance(alike, _Rows) and alike.of is statement and not alike.has(row):
                alike.made.append(row)
                return
        self._keep_apart(statement.for_one)
        self._parts.append(_Rows(statement, rows, otherwise, [row]))

    def _keep_apart(self, statement: str) -> None:
        table, changes = _touched(statement)
        texts = (part.of.for_one if isinstance(part, _Rows) else part.statement for part in self._parts)
        if any(other == table and (changes or changed) for other, changed in map(_touched, texts)):
            self.flush()

    def flush(self) -> Connection:
        """Send what was collected; returns the connection, for what has to be read or written by itself.

        Those that must touch a number of rows go first, so that whoever has lost a claim is told so, and not what the
        other writes run into. Raises what the first of them promised that touched another number.
        """
        parts = [part.part() if isinstance(part, _Rows) else part for part in self._parts]
        self._parts = []
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


def write_row(
    target: Target,
    statement: RowStatement,
    row: Mapping[str, object],
    *,
    rows: int | None = None,
    otherwise: Callable[[Connection], Exception] | None = None,
) -> None:
    """Write a row on `target`: now on a connection, with the others by a `Writes`.

    With `rows` it must touch so many; else what `otherwise` makes is raised, and ClaimLostError of one among several.
    """
    if isinstance(target, Writes):
        target.add_row(statement, row, rows, otherwise)
    else:
        write(target, statement.for_one, statement.values(row), rows=rows, otherwise=otherwise)


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
