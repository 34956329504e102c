"""Rows in columns are sequences of rows like others, and their months are those of their instants."""

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifms.reports import point_in_time
from ifms.reports.batches import Batch, months

ROWS = [("a", Decimal("1.50")), (None, Decimal("-2.00")), ("b", None)]


@pytest.fixture
def batch() -> Batch:
    columns = [
        pa.array([row[place] for row in ROWS], kind) for place, kind in enumerate((pa.string(), pa.decimal128(9, 2)))
    ]
    return Batch(pa.RecordBatch.from_arrays(columns, names=["name", "amount"]))


def test_it_is_a_sequence_of_its_rows(batch: Batch):
    assert list(batch) == ROWS
    assert (len(batch), batch[0], batch[-1]) == (3, ROWS[0], ROWS[-1])


@pytest.mark.parametrize("part", [slice(0, 2), slice(1, None), slice(-1, None), slice(2, 1), slice(0, 99)])
def test_a_part_of_it_is_one_too(batch: Batch, part: slice):
    taken = batch[part]
    assert isinstance(taken, Batch)
    assert list(taken) == ROWS[part]


@given(st.lists(st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))))  # noqa: DTZ001
def test_the_months_of_a_column(instants: list[datetime]):
    made = months(pa.array(instants, pa.timestamp("us", tz="UTC"))).to_pylist()
    assert made == [point_in_time.month(each) for each in instants]
