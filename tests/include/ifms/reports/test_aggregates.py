"""Sums over rows that go by in parts: the same whatever the parts, exact, and bounded where texts are free."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifms.reports.aggregates import OTHERS, Counted, percent, rows_of
from ifms.reports.batches import Batch
from ifms.reports.period import ALL
from ifms.reports.report import Column, Cube, Kind, Report

REPORT = Report(
    name="sample",
    title="Sample",
    about="",
    columns=(
        Column("city", "City"),
        Column("kind", "Kind"),
        Column("amount", "Amount", Kind.MONEY, total=True),
        Column("days", "Days", Kind.COUNT),
    ),
    query="",
    default_period=lambda _: ALL,
    cubes={
        "all": Cube(("city", "kind"), {"amount": "sum", "days": "max"}),
        "last": Cube(("city", "kind"), {"amount": "last"}),
        "few": Cube(("kind",), {"amount": "sum"}, at_most={"kind": 2}),
    },
    tables=(),
)
CITIES, KINDS = ("od.samplea", "od.sampleb"), ("a", "b", "c", "d")
ROW = st.tuples(
    st.sampled_from(CITIES),
    st.sampled_from(KINDS),
    st.decimals(Decimal("-9999999999999.99"), Decimal("9999999999999.99"), places=2),
    st.integers(0, 900),
)


def counted(rows: list[Any], size: int) -> Counted:
    made = Counted(REPORT)
    for start in range(0, len(rows), size):
        made.add(rows[start : start + size])
    return made


@settings(max_examples=20)
@given(st.lists(ROW, min_size=1, max_size=40), st.integers(1, 40))
def test_however_the_rows_come_the_sums_are_exact(rows: list[Any], size: int):
    made = counted(rows, size)
    assert made.rows == len(rows)
    assert made.totals == {"amount": sum(row[2] for row in rows)}
    for city, count, amount, days in rows_of(made.by("all", "city")):
        mine = [row for row in rows if row[0] == city]
        assert (count, amount, days) == (len(mine), sum(r[2] for r in mine), max(r[3] for r in mine))
        assert isinstance(amount, Decimal)
    lasts = {(row[0], row[1]): row[2] for row in rows}
    assert sum(amount for _, _, amount in rows_of(made.by("last", "city"))) == sum(lasts.values())
    assert [row[0] for row in rows_of(made.by("all", "city"))] == sorted({row[0] for row in rows})


@settings(max_examples=20)
@given(st.lists(ROW, min_size=1, max_size=40))
def test_a_column_for_each_value(rows: list[Any]):
    wide = rows_of(counted(rows, 7).wide("all", "kind", KINDS, "amount", "city"))
    for city, count, amount, _, *parts in wide:
        assert sum(parts) == amount
        assert count == len([row for row in rows if row[0] == city])


def test_free_texts_are_told_apart_up_to_a_bound():
    rows = [("od.samplea", kind, Decimal(1), 0) for kind in ("a", "b", "c", "d", "a")]
    for size in (1, 2, 5):
        assert rows_of(counted(rows, size).by("few", "kind")) == [(OTHERS, 2, 2), ("a", 2, 2), ("b", 1, 1)]


def test_nothing_comes_to_nothing():
    made = Counted(REPORT)
    made.add([])
    assert (made.rows, made.totals) == (0, {"amount": Decimal("0.00")})
    assert rows_of(made.by("all", "city")) == []
    assert list(made.wide("all", "kind", KINDS, "rows", "city").columns) == ["city", "rows", "amount", "days", *KINDS]


@pytest.mark.parametrize(
    ("part", "whole", "said"), [(1, 3, "33.3"), (0, 3, "0.0"), (3, 3, "100.0"), (Decimal("0.01"), Decimal(1), "1.0")]
)
def test_percent(part: Any, whole: Any, said: str):
    assert percent(part, whole) == Decimal(said)
    assert percent(0, 0) is None


def test_what_is_empty_says_nothing_and_is_a_group_of_its_own():
    rows = [
        ("od.samplea", None, None, None),
        (None, None, Decimal("2.50"), 4),
        (None, "a", None, 3),
        (None, None, None, 1),
    ]
    for size in (1, 2, 4):
        made = counted(rows, size)
        assert made.totals == {"amount": Decimal("2.50")}
        assert rows_of(made.by("all", "city", "kind")) == [
            ("od.samplea", None, 1, 0, None),
            (None, "a", 1, 0, 3),
            (None, None, 2, Decimal("2.50"), 4),
        ]
        assert rows_of(made.by("last", "city"))[-1] == (None, 3, Decimal("2.50"))


SCHEMA = pa.schema(
    [("city", pa.string()), ("kind", pa.string()), ("amount", pa.decimal128(38, 2)), ("days", pa.int64())]
)
MAYBE = st.tuples(
    *(st.none() | each for each in (st.sampled_from(CITIES), st.sampled_from(KINDS))),
    *(
        st.none() | each
        for each in (st.decimals(Decimal("-9999.99"), Decimal("9999.99"), places=2), st.integers(0, 900))
    ),
)


@settings(max_examples=30)
@given(st.lists(MAYBE, min_size=1, max_size=40), st.integers(1, 40))
def test_rows_in_columns_come_to_the_same(rows: list[Any], size: int):
    one, other = counted(rows, size), Counted(REPORT)
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        columns = [pa.array(values, field.type) for values, field in zip(zip(*part, strict=True), SCHEMA, strict=True)]
        other.add(Batch(pa.RecordBatch.from_arrays(columns, schema=SCHEMA)))
    assert (one.rows, one.totals) == (other.rows, other.totals)
    for name, cube in REPORT.cubes.items():
        assert rows_of(one.by(name, *cube.by)) == rows_of(other.by(name, *cube.by))
