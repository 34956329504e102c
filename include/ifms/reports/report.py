"""What a report is: its rows with their columns, what is counted over them, and what is drawn of that.

Each report is a module of its own that declares one `Report`; the formats (`csv_file`, `xlsx_file`, `pdf_file`) know
nothing of what is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from ifms import clock
from ifms.ledger.audit import Head
from ifms.reports.period import Period

Row = Sequence[Any]
Frame = Any
"""A pandas DataFrame; pandas has no types."""


class Kind(StrEnum):
    """What a column holds, which says how it is written."""

    TEXT = "text"
    MONEY = "money"  # rupees, Decimal
    COUNT = "count"
    DATE = "date"
    INSTANT = "instant"  # shown in IST
    MILLISECONDS = "milliseconds"
    PERCENT = "percent"  # 0 to 100, Decimal with one decimal

    @property
    def is_number(self) -> bool:
        """Whether it stands at the right of its column."""
        return self in (Kind.MONEY, Kind.COUNT, Kind.MILLISECONDS, Kind.PERCENT)


@dataclass(frozen=True)
class Column:
    """One column; `width` in characters, `total` when its sum means something, `on_paper` when it is printed."""

    name: str
    heading: str
    kind: Kind = Kind.TEXT
    width: int = 14
    total: bool = False
    on_paper: bool = True


class Shape(StrEnum):
    """How a chart is drawn."""

    GROUPED = "grouped"  # bars side by side
    STACKED = "stacked"
    LINES = "lines"


@dataclass(frozen=True)
class Chart:
    """A drawing of a table: one of its columns along the axis, others as series; at most so many of its first rows."""

    title: str
    category: str
    series: tuple[str, ...]
    shape: Shape = Shape.GROUPED
    lying: bool = False
    at_most: int = 24


class Aggregates(Protocol):
    """What a report's rows come to, as tables and files read it; `aggregates` counts it."""

    rows: int
    totals: dict[str, Any]

    def also(self, name: str) -> Frame:
        """The result of one of the report's other queries."""

    def by(self, name: str, *columns: str) -> Frame:
        """A cube put together further, by fewer columns."""

    def wide(self, name: str, column: str, values: Sequence[str], what: str, *by: str) -> Frame:
        """Like `by`, with a column for each of `values` that `column` may have."""


@dataclass(frozen=True)
class Table:
    """Something counted over the rows. `make` gives its rows in the order of `columns`."""

    title: str
    columns: tuple[Column, ...]
    make: Callable[[Aggregates], Frame]
    chart: Chart | None = None


@dataclass(frozen=True)
class Cube:
    """What is counted while the rows go by: for each combination of `by`, the values put together.

    `values` says for a column how: sum, max or last. `derive` adds columns that only the counting needs, by their
    names: of which column each is made, and how. `at_most` so many different values of a column are told apart, the
    others are one.
    """

    by: tuple[str, ...]
    values: Mapping[str, str]
    derive: Mapping[str, tuple[str, Callable[[Any], Any]]] = field(default_factory=dict)
    at_most: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What is asked for: which cities (None: all), which time, as it was known when; the register's own filters."""

    period: Period
    as_of: datetime
    tenants: tuple[str, ...] | None = None
    hoa_code: str | None = None
    transaction_type: str | None = None
    anchored: Sequence[Head] = ()
    """Where the chains of the records ended when they were last anchored before `as_of`, as far as that is known."""
    anchored_at: datetime | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of every report's query."""
        return {
            "as_of": self.as_of,
            "since": self.period.since,
            "until": self.period.until,
            "year": self.period.year,
            "tenants": None if self.tenants is None else list(self.tenants),
            "hoa_code": self.hoa_code,
        }

    @property
    def known_at(self) -> str:
        """The instant that the report speaks of, as people read it."""
        local = clock.to_ist(self.as_of)
        return f"{local.day} {local:%b %Y, %H:%M:%S} IST"

    def described(self) -> list[tuple[str, str]]:
        """What was asked for, as people read it."""
        lines = [("Period", self.period.described), ("As of", self.known_at)]
        lines.append(("Cities", "all" if self.tenants is None else ", ".join(self.tenants)))
        if self.hoa_code:
            lines.append(("Head of account", self.hoa_code))
        if self.transaction_type:
            lines.append(("Transaction type", self.transaction_type))
        return lines


@dataclass(frozen=True)
class Report:
    """One report. `query` gives its rows in a total order, each as `columns` has it; `also` what is counted apart.

    A query knows the parameters of `Request.values` and those of `parameters`, and looks at nothing that was written
    at or after `as_of`.
    """

    name: str
    title: str
    about: str
    columns: tuple[Column, ...]
    query: str
    default_period: Callable[[datetime], Period]
    cubes: Mapping[str, Cube]
    tables: tuple[Table, ...]
    also: Mapping[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    """Queries whose results are small, by name: the names of their columns, and the text."""
    parameters: Callable[[Request], dict[str, Any]] = lambda _: {}
    in_columns: bool = False
    """Read by Arrow: all amounts have two decimals, and the query's columns have names, each one of its own."""
    digest: str | None = None
    """A query that gives what the cubes count, counted by the database: their columns, and `rows` for how many rows
    each of its own stands. In an order in which the last of them is that of the rows."""
    printed: int = 1000
    """So many rows are printed one by one in a PDF; of more, the sums are, and where all of them are."""

    @property
    def names(self) -> list[str]:
        """The names of its columns."""
        return [column.name for column in self.columns]


class Sink(Protocol):
    """One file that is being written."""

    every_row: bool
    """Whether it has each row however many there are; else none when they are more than the report has printed."""
    takes_columns: bool
    """Whether it writes rows that come in columns faster than others."""

    def add(self, rows: Sequence[Row]) -> None:
        """Take the next rows."""

    def finish(self, counted: Aggregates) -> None:
        """Write what comes after the rows."""

    def close(self) -> None:
        """Give back what is held for it, whether it is finished or not."""
