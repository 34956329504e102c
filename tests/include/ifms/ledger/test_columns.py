"""The list of a row class's columns."""

from __future__ import annotations

from dataclasses import dataclass

from ifms.ledger.columns import columns_of


@dataclass(frozen=True)
class Row:
    """With a name that SQL would read otherwise, unquoted."""

    id: int
    order: str


def test_its_fields_in_their_order():
    assert columns_of(Row).as_string() == '"id", "order"'
    assert columns_of(Row, "q").as_string() == '"q"."id", "q"."order"'
