"""Rows made of whole columns are those that are made cell by cell."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from support.workbooks import CELLS, in_rows

from ifms.reports.batches import Batch
from ifms.reports.files import cells
from ifms.reports.report import Kind

ARROW = {
    Kind.TEXT: pa.string(),
    Kind.MONEY: pa.decimal128(38, 2),
    Kind.COUNT: pa.int64(),
    Kind.DATE: pa.date32(),
    Kind.INSTANT: pa.timestamp("us", tz="UTC"),
}


def in_columns(kind: Kind, values: list[Any], *others: str) -> Batch:
    columns = [pa.array(values, ARROW[kind]), *(pa.array([other] * len(values)) for other in others)]
    return Batch(pa.RecordBatch.from_arrays(columns, names=[str(place) for place in range(len(columns))]))


def storable(kind: Kind) -> list[Any]:
    if kind is Kind.TEXT:
        return [each for each in CELLS[kind] if type(each) is str]
    return [each for each in CELLS[kind] if kind is not Kind.COUNT or type(each) is int]


@pytest.mark.parametrize("kind", ARROW)
def test_columns_are_what_their_rows_are(kind: Kind):
    values = storable(kind)
    alone = [[each] for each in values]
    for chosen in (*alone, *([*each, values[0], None] for each in alone), [None]):
        batch = in_columns(kind, chosen, "usual", "a & b")
        rows = [tuple(row) for row in batch]
        kinds = [kind, Kind.TEXT, Kind.TEXT]
        assert in_rows(batch, kinds, whole=True) == in_rows(rows, kinds, whole=False), chosen


def test_usual_columns_are_never_taken_apart(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Batch, "__iter__", None)
    in_rows(in_columns(Kind.TEXT, ["a"] * 7, "ଓଡ଼ିଶା <&> b"), [Kind.TEXT] * 2, whole=True)
    for kind in (Kind.MONEY, Kind.DATE, Kind.INSTANT):
        in_rows(in_columns(kind, storable(kind)[:1] * 7, "x"), [kind, Kind.TEXT], whole=True)


def test_a_batch_of_which_a_row_may_be_empty_is_made_row_by_row():
    batch = in_columns(Kind.TEXT, ["a", None])
    with pytest.raises(cells.UnusualError):
        cells.lines(1, batch.columns, [Kind.TEXT], [str], ["A"])
    rows = [("a",), (None,)]
    assert in_rows(batch, [Kind.TEXT], whole=True) == in_rows(rows, [Kind.TEXT], whole=False)
