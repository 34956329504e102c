"""Counting while rows go by: cubes of sums that do not grow with the number of rows, and what is read from them.

Rows are counted without pandas, which takes a few times as long for columns of objects, and rows that come in columns
by Arrow; what is read is a small frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import repeat
from math import isnan
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from ifms.reports import point_in_time
from ifms.reports.report import Column, Cube, Frame, Kind, Report, Row

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from ifms.reports.batches import Batch

OTHERS = "(others)"
_PLACE = "(place)"  # no column's name


class Counted:
    """What a report's rows come to. Amounts stay Decimal: they are added, never converted."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.rows = 0
        self.totals: dict[str, Any] = {column.name: _zero(column) for column in report.columns if column.total}
        self._cubes = {name: _Groups(cube, report.names) for name, cube in report.cubes.items()}
        self._also: dict[str, Frame] = {}

    def add(self, rows: Sequence[Row]) -> None:
        """Count the next rows."""
        self.rows += len(rows)
        for name in self.totals:
            place = self.report.names.index(name)
            self.totals[name] += sum(row[place] for row in rows if row[place] is not None)
        for groups in self._cubes.values():
            groups.add(rows)

    def add_digest(self, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Count rows that the database has put together; of a report whose columns have no sums."""
        assert not self.totals
        many = columns.index("rows")
        self.rows += sum(row[many] for row in rows)
        for groups in self._cubes.values():
            groups.add_digest(columns, rows)

    def keep(self, name: str, rows: Sequence[Row]) -> None:
        """Keep the result of one of the report's other queries."""
        names, _ = self.report.also[name]
        self._also[name] = _frame(rows, names)

    def also(self, name: str) -> Frame:
        """What `keep` has kept."""
        return self._also[name]

    def by(self, name: str, *columns: str) -> Frame:
        """A cube put together further, by fewer columns: one row each in their order, with `rows` and the values."""
        cube = self.report.cubes[name]
        found = self._cubes[name].frame()
        if found.empty:
            return _frame([], [*columns, "rows", *cube.values])
        fewer = Cube(columns, {value: "sum" if how == "last" else how for value, how in cube.values.items()})
        return _together(fewer, found).sort_values(list(columns), kind="stable", ignore_index=True)

    def wide(self, name: str, column: str, values: Sequence[str], what: str, *by: str) -> Frame:
        """Like `by`, with a column for each of `values` that `column` may have: `what` of it (`rows`, or a value)."""
        long = self.by(name, *by, column)
        made = self.by(name, *by)
        for value in values:
            part = long[long[column] == value][[*by, what]].rename(columns={what: value})
            made = made.merge(part, on=list(by), how="left")
            made[value] = made[value].astype(object).where(made[value].notna(), 0)
        return made


class _Groups:
    """A cube's groups, each with how many rows it has and the values put together; an empty value says nothing."""

    def __init__(self, cube: Cube, columns: Sequence[str]) -> None:
        self._cube = cube
        self._columns = columns
        known = [*columns, *cube.derive]
        self._derived = [(known.index(column), make) for column, make in cube.derive.values()]
        self._by = [known.index(column) for column in cube.by]
        self._values = [(slot, known.index(name), _HOW[how]) for slot, (name, how) in enumerate(cube.values.items(), 1)]
        self._bounded = [
            (cube.by.index(column), at_most, dict[Any, None]()) for column, at_most in cube.at_most.items()
        ]
        self._groups: dict[tuple[Any, ...], list[Any]] = {}

    def add(self, rows: Sequence[Row]) -> None:
        """Count the next rows."""
        from ifms.reports.batches import Batch

        if isinstance(rows, Batch) and self._can_group():
            self._add_groups(rows)
            return
        key_of, groups, values = _key_of(self._by), self._groups, self._values
        empty: list[Any] = [0, *(None for _ in values)]
        for each in rows:
            row = (*each, *(make(each[place]) for place, make in self._derived)) if self._derived else each
            key = key_of(row)
            if self._bounded:
                key = self._within_bounds(key)
            group = groups.get(key)
            if group is None:
                group = groups[key] = empty.copy()
            group[0] += 1
            for slot, place, together in values:
                value, before = row[place], group[slot]
                if value is not None:
                    group[slot] = value if before is None else together(before, value)

    def _can_group(self) -> bool:
        return not self._bounded and all(make is point_in_time.month for _, make in self._derived)

    def _add_groups(self, batch: Batch) -> None:
        """Count what Arrow has put together."""
        from ifms.reports.batches import months

        columns: dict[str, pa.Array] = dict(zip(self._columns, batch.columns.columns, strict=True))
        for name, (place, _) in zip(self._cube.derive, self._derived, strict=True):
            columns[name] = months(batch.columns.column(place))
        for key, count, values in grouped(columns, self._cube):
            self._add_group(key, count, values)

    def add_digest(self, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Count rows that stand for several."""
        key_of, many = _key_of([columns.index(name) for name in self._cube.by]), columns.index("rows")
        places = [columns.index(name) for name in self._cube.values]
        for row in rows:
            self._add_group(key_of(row), row[many], [row[place] for place in places])

    def _add_group(self, key: tuple[Any, ...], count: int, values: Sequence[Any]) -> None:
        group = self._groups.setdefault(key, [0, *(None for _ in values)])
        group[0] += count
        for (slot, _, together), value in zip(self._values, values, strict=True):
            if value is not None:
                group[slot] = value if group[slot] is None else together(group[slot], value)

    def frame(self) -> Frame:
        """The groups, in the order in which their first rows came."""
        zeros = [how == "sum" for how in self._cube.values.values()]
        rows = [
            (*key, count, *(0 if value is None and zero else value for value, zero in zip(values, zeros, strict=True)))
            for key, (count, *values) in self._groups.items()
        ]
        return _frame(rows, [*self._cube.by, "rows", *self._cube.values])

    def _within_bounds(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        told = list(key)
        for place, at_most, known in self._bounded:
            if len(known) < at_most:
                known.setdefault(told[place])
            if told[place] not in known:
                told[place] = OTHERS
        return tuple(told)


def grouped(columns: dict[str, pa.Array], cube: Cube) -> list[tuple[tuple[Any, ...], int, tuple[Any, ...]]]:
    """A batch's groups in the order of their first rows, each with how many rows it has and its values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    places = pa.array(range(len(columns[cube.by[0]])))
    # The last of a value is that at the greatest place at which there is one.
    lasts = {n: pc.if_else(columns[n].is_valid(), places, None) for n, how in cube.values.items() if how == "last"}
    table = pa.table({name: columns[name] for name in {*cube.by, *cube.values}} | lasts | {_PLACE: places})
    asked = [(name, "max" if how == "last" else how) for name, how in cube.values.items()]
    made = table.group_by(list(cube.by), use_threads=False).aggregate([([], "count_all"), (_PLACE, "min"), *asked])
    made = made.take(pc.sort_indices(made[f"{_PLACE}_min"])).combine_chunks()
    found = {name: made[f"{name}_{how}"] for name, how in asked}
    values = [(columns[name].take(each) if name in lasts else each).to_pylist() for name, each in found.items()]
    keys = zip(*(made[name].to_pylist() for name in cube.by), strict=True)
    return list(
        zip(keys, made["count_all"].to_pylist(), zip(*values, strict=True) if values else repeat(()), strict=False)
    )


_HOW: dict[str, Callable[[Any, Any], Any]] = {
    "sum": lambda one, other: one + other,
    "max": max,
    "last": lambda _, other: other,
}
"""How two values are put together, by a cube's word for it."""


def _key_of(places: Sequence[int]) -> Callable[[Row], tuple[Any, ...]]:
    if len(places) == 1:
        return lambda row: (row[places[0]],)
    get: Callable[[Row], tuple[Any, ...]] = itemgetter(*places)
    return get


def _frame(rows: Sequence[Row], columns: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(columns), dtype=object)


def _together(cube: Cube, frame: Frame) -> Frame:
    how = {"rows": "sum"} | dict(cube.values)
    return frame.groupby(list(cube.by), sort=False, dropna=False, as_index=False).agg(how).astype(object)


def _zero(column: Column) -> Any:  # noqa: ANN401  (a Decimal or an int)
    return Decimal("0.00") if column.kind is Kind.MONEY else 0


def rows_of(frame: Frame) -> list[tuple[Any, ...]]:
    """A small frame's rows, as Python has them: no NaN, no numpy."""
    return [tuple(_plain(value) for value in row) for row in frame.itertuples(index=False, name=None)]


def _plain(value: Any) -> Any:  # noqa: ANN401  (whatever a cell may hold)
    if value is None or (isinstance(value, float) and isnan(value)):
        return None
    return value.item() if hasattr(value, "item") else value


def percent(part: Any, whole: Any) -> Decimal | None:  # noqa: ANN401  (counts or amounts)
    """How much of a hundred; None of nothing."""
    return None if not whole else (Decimal(100) * Decimal(part) / Decimal(whole)).quantize(Decimal("0.1"))
