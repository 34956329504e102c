"""Whole rows of a workbook's sheet, made from columns: no Python object for each cell.

What is made is what `workbook` makes of the same rows one by one. It can't be made of a batch that holds an unusual
cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ifms.reports.report import Kind

Make = Callable[[Any], str | None]
"""What is behind the row's number in a cell, by the cell's value; None for one that is not usual."""

_IST = 19_800  # seconds; so far India's clock is ahead
_DAY, _DAY_OF_1970 = 86_400, 25_569
_BELOW, _ABOVE = -100_000, 1_000_000_000  # as `workbook` has them
_MOST = 1e13  # more than that has not all of its digits in a spreadsheet
# Text that is in the file as it is, without doubt; of other text each value is looked at.
_PLAIN = "^[!-%'-;=-^`-~]([ -%'-;=-^`-~]{0,998}[!-%'-;=-^`-~])?$"


class UnusualError(Exception):
    """The batch is to be made row by row."""


def lines(
    first: int, columns: pa.RecordBatch, kinds: Sequence[Kind], makers: Sequence[Make], names: Sequence[str]
) -> bytes:
    """Rows, of which the first has the number `first`, as the file has them. `names` are the columns'.

    Raises UnusualError.
    """
    numbers = pa.array(range(first, first + columns.num_rows)).cast(pa.string())
    pieces: list[pa.Array | str] = ['<row r="', numbers, '">']
    if all(column.null_count for column in columns.columns):
        raise UnusualError  # a row may have no cell
    for column, kind, make, name in zip(columns.columns, kinds, makers, names, strict=True):
        cells = _CELLS.get(kind, _by_value)(column, make)
        if column.null_count:
            pieces.append(_joined([f'<c r="{name}', numbers, cells], "emit_null"))
        else:
            pieces += [f'<c r="{name}', numbers, cells]
    made = _joined([*pieces, "</row>"], "replace")
    whole: bytes = made.buffers()[2].to_pybytes()
    return whole[: pc.sum(pc.binary_length(made)).as_py()]


def _joined(pieces: Sequence[pa.Array | str], nulls: str) -> pa.Array:
    return pc.binary_join_element_wise(*pieces, "", null_handling=nulls, null_replacement="")


def _by_value(column: pa.Array, make: Make) -> pa.Array:
    """Each value made once."""
    told = column.dictionary_encode()
    made = [make(value) for value in told.dictionary.to_pylist()]
    if None in made:
        raise UnusualError
    return pa.array(made, pa.string()).take(told.indices)


def _text(column: pa.Array, make: Make) -> pa.Array:
    told = column.dictionary_encode()
    if (
        not pc.all(pc.match_substring_regex(told.dictionary, _PLAIN)).as_py()
        or pc.any(pc.match_substring(told.dictionary, "_x")).as_py()
    ):
        return _by_value(column, make)
    return _joined([_before(make("x"), "<t>"), told.dictionary, "</t></is></c>"], "emit_null").take(told.indices)


def _money(column: pa.Array, make: Make) -> pa.Array:
    """Amounts with their two decimals; how one is grouped depends on how many digits it has."""
    amounts = column.cast(pa.float64())
    most = pc.max(pc.abs(amounts)).as_py() or 0
    if not pa.types.is_decimal(column.type) or column.type.scale != 2 or most >= _MOST:
        return _by_value(column, make)
    texts = column.cast(pa.string())
    wide = pc.or_(pc.less_equal(amounts, _BELOW), pc.greater_equal(amounts, _ABOVE))
    digits = pc.if_else(wide, pc.binary_length(pc.cast(pc.abs(column), pa.string())), 0).dictionary_encode()
    firsts = [pc.index(digits.indices, place).as_py() for place in range(len(digits.dictionary))]
    looks = [_before(make(column[first].as_py()), "<v>") for first in firsts]
    return _joined([pa.array(looks, pa.string()).take(digits.indices), texts, "</v></c>"], "emit_null")


def _instant(column: pa.Array, make: Make) -> pa.Array:
    if column.null_count or pc.min(column.cast(pa.int64())).as_py() < 0:
        return _by_value(column, make)
    seconds = column.cast(pa.int64()).to_numpy() // 1_000_000 + _IST
    days = seconds // _DAY + (_DAY_OF_1970 - 1) + seconds % _DAY / _DAY + 1
    told = [f"{each:.16G}" for each in days.tolist()]
    return _joined([_before(make(column[0].as_py()), "<v>"), pa.array(told, pa.string()), "</v></c>"], "emit_null")


def _before(cell: str | None, mark: str) -> str:
    """What a cell has before its value."""
    if cell is None:
        raise UnusualError
    return cell[: cell.index(mark) + len(mark)]


_CELLS: dict[Kind, Callable[[pa.Array, Make], pa.Array]] = {
    Kind.TEXT: _text,
    Kind.MONEY: _money,
    Kind.INSTANT: _instant,
}
