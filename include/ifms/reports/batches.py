"""Rows that come in columns, as Arrow has them: sequences of rows like others, for who can do no better.

Who can works on whole columns, without a Python object for each cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, overload

import pyarrow as pa
import pyarrow.compute as pc

from ifms.reports.report import Row

_IST = pa.scalar(19_800_000_000, pa.duration("us"))


class Batch(Sequence[Row]):
    """Rows in a record batch."""

    def __init__(self, columns: pa.RecordBatch) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return int(self.columns.num_rows)

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> Batch: ...

    def __getitem__(self, place: int | slice) -> Row | Batch:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            assert step == 1
            return Batch(self.columns.slice(start, max(0, stop - start)))
        return self._rows[place]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    @cached_property
    def _rows(self) -> list[tuple[Any, ...]]:
        return list(zip(*(column.to_pylist() for column in self.columns.columns), strict=True))


def months(instants: pa.Array) -> pa.Array:
    """What `point_in_time.month` makes of each of these instants."""
    local = pc.add(instants, _IST)
    told = pc.add(pc.multiply(pc.year(local), 100), pc.month(local)).dictionary_encode()
    names = pa.array([f"{each // 100:04d}-{each % 100:02d}" for each in told.dictionary.to_pylist()], pa.string())
    return names.take(told.indices)
