"""Counting while rows go by: cubes of sums that do not grow with the number of rows, and what is read from them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import isnan
from typing import Any

import pandas as pd

from ifms.reports.report import Column, Cube, Frame, Kind, Report, Row

OTHERS = "(others)"


class Counted:
    """What a report's rows come to. Amounts stay Decimal: they are added, never converted."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.rows = 0
        self.totals: dict[str, Any] = {column.name: _zero(column) for column in report.columns if column.total}
        self._cubes: dict[str, Frame] = {}
        self._distinct: dict[tuple[str, str], dict[Any, None]] = {}
        self._also: dict[str, Frame] = {}

    def add(self, rows: Sequence[Row]) -> None:
        """Count the next rows."""
        if not rows:
            return
        self.rows += len(rows)
        frame = pd.DataFrame(list(rows), columns=self.report.names, dtype=object)
        for name in self.totals:
            self.totals[name] += sum(frame[name].dropna(), _zero(self._column(name)))
        for name, cube in self.report.cubes.items():
            part = self._part(name, cube, frame)
            known = self._cubes.get(name)
            self._cubes[name] = part if known is None else _together(cube, pd.concat([known, part]))

    def keep(self, name: str, rows: Sequence[Row]) -> None:
        """Keep the result of one of the report's other queries."""
        names, _ = self.report.also[name]
        self._also[name] = pd.DataFrame(list(rows), columns=list(names), dtype=object)

    def also(self, name: str) -> Frame:
        """What `keep` has kept."""
        return self._also[name]

    def by(self, name: str, *columns: str) -> Frame:
        """A cube put together further, by fewer columns: one row each in their order, with `rows` and the values."""
        cube = self.report.cubes[name]
        found = self._cubes.get(name)
        if found is None:
            return pd.DataFrame(columns=[*columns, "rows", *cube.values], dtype=object)
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

    def _part(self, name: str, cube: Cube, frame: Frame) -> Frame:
        frame = cube.derive(frame.copy()) if cube.derive else frame
        for column, at_most in cube.at_most.items():
            known = self._distinct.setdefault((name, column), {})
            for value in frame[column].unique():
                if len(known) < at_most:
                    known.setdefault(value)
            frame[column] = frame[column].where(frame[column].isin(list(known)), OTHERS)
        frame["rows"] = 1
        return _together(cube, frame)

    def _column(self, name: str) -> Column:
        return next(column for column in self.report.columns if column.name == name)


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
