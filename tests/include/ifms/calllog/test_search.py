"""Finding calls in the ledger: each field narrows, pages end, and nothing is secret."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from support.calls import ACCOUNT, TOKEN, exchange, failed, write

from ifms.calllog.search import MOST_ROWS, CallQuery, Place, search_ledger
from ifms.errors import BadInputError


def found(ledger, **asked):
    return ledger.db.transact(lambda c: search_ledger(c, CallQuery(**asked)))


@pytest.fixture
def six(ledger):
    said = [
        exchange(0, service_id="AUTH", bill_number=None),
        exchange(1),
        exchange(2, bill_number="PI-SA/2"),
        failed(3),
        failed(4, "rejected", bill_number="PI-SA/2", service_id="PIS"),
        exchange(5, service_id="VA", bill_number=None),
    ]
    return [str(call_id) for call_id in write(ledger.db, *said)]


@pytest.mark.parametrize(
    ("asked", "which"),
    [
        ({}, [5, 4, 3, 2, 1, 0]),
        ({"bill": "PI-SA/2"}, [4, 2]),
        ({"bill": "AUTH"}, [0]),
        ({"service": "PI"}, [3, 2, 1]),
        ({"outcome": "unknown"}, [3]),
        ({"since": exchange(2).started_at, "until": exchange(4).started_at}, [3, 2]),
        ({"bill": "PI-SA/2", "service": "PIS", "outcome": "rejected"}, [4]),
        ({"bill": "PI-SA/2' OR '1' = '1"}, []),
    ],
)
def test_each_field_narrows(ledger, six, asked, which):
    assert [row.id for row in found(ledger, **asked).rows] == [six[place] for place in which]


def test_a_row_says_how_it_went(ledger, six):
    [row] = found(ledger, outcome="rejected").rows
    assert (row.service_id, row.bill_number, row.status_code, row.error) == ("PIS", "PI-SA/2", 500, "HTTP 500")
    assert (row.duration_ms, row.created_at) == (12, exchange(4).started_at)


def test_pages_join_without_gap_or_double_also_at_one_instant(ledger):
    ids = write(ledger.db, *(exchange(number // 4) for number in range(11)))
    seen, after = [], None
    while True:
        page = found(ledger, limit=3, after=after)
        seen += [row.id for row in page.rows]
        if page.next is None:
            break
        after = page.next
    assert len(seen) == 11
    assert sorted(seen) == sorted(map(str, ids))


def test_nothing_secret_is_found(ledger):
    write(ledger.db, exchange(), failed())
    said = repr([dataclasses.asdict(row) for row in found(ledger).rows])
    assert ACCOUNT not in said
    assert TOKEN not in said


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": 0},
        {"limit": -1},
        {"limit": MOST_ROWS + 1},
        {"limit": True},
        {"outcome": "good"},
        {"since": exchange().started_at.replace(tzinfo=None)},
        {"until": exchange().started_at.replace(tzinfo=None)},
    ],
)
def test_a_question_that_makes_no_sense_is_refused(asked):
    with pytest.raises(BadInputError, match=next(iter(asked))):
        CallQuery(**asked)


def test_a_place_behind_everything_finds_nothing(ledger, six):
    before = Place(exchange(0).started_at - timedelta(days=1), six[0])
    assert found(ledger, after=before).rows == []
