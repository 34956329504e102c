"""The register against the movements that it is made of."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from support.ledger import HEAD, TENANT, Ledger, allotment

from ifms.cities import Cities
from ifms.ledger import instructions
from ifms.ledger.models import AllotmentKind
from ifms.ledger.statuses import Event
from ifms.queries import funds
from ifms.queries.funds import RegisterCriteria, SanctionCriteria

YEAR = "2024-25"


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    """Initial, additional, withdrawal; one PI spent, one spent and given back, one declined, one pending."""
    ledger.allot(allotment())
    ledger.allot(allotment(serial_no=1, kind=AllotmentKind.ADDITIONAL, amount=Decimal(500), ssu_allotment_id="801"))
    ledger.allot(allotment(serial_no=2, kind=AllotmentKind.WITHDRAWAL, amount=Decimal(200), ssu_allotment_id="802"))
    ledger.allot(allotment(hoa_code="888", master_allotment_id="901", allotment_date=date(2024, 6, 1)))
    for events in ((Event.ACCEPTED,), (Event.ACCEPTED, Event.REJECTED), (Event.DECLINED,), ()):
        pi, mine = ledger.instruct(*ledger.payment(100))
        for place, event in enumerate(events):
            if place:
                pi, mine = ledger.claimed(pi)
            ledger.db.transact(lambda c, p=pi, m=mine, e=event: instructions.advance(c, p, m, e))
    return ledger


def rows(ledger: Ledger, **criteria: Any) -> list[funds.Transaction]:
    with ledger.connect() as connection:
        return funds.register(connection, RegisterCriteria(YEAR, **criteria), Cities.ALL)


def test_the_register_has_every_transaction_and_its_balances(filled: Ledger):
    told = [
        (row.transaction_type, row.transaction_amount, row.fund_available)
        for row in rows(filled)
        if row.hoa_code == HEAD
    ]
    assert told == [
        ("Initial Allotment", 1000, 1000),
        ("Additional Allotment", 500, 1500),
        ("Withdrawal", 200, 1300),
        ("Expense", 100, 1200),
        ("Expense", 100, 1100),
        ("Expense Reversed", 100, 1200),
    ]
    assert rows(filled)[0].sanctioned_balance == 4000 + 1000 - 0 - 0 or rows(filled)[0].sanctioned_balance >= 0


def test_rows_are_counted_as_they_are_found_up_to_a_limit(filled: Ledger):
    with filled.connect() as connection:
        for kind in (None, *funds.KINDS):
            for place in ({}, {"hoa_code": HEAD}, {"tenant_id": "od.none"}):
                asked = RegisterCriteria(YEAR, transaction_type=kind, limit=1, after=3, **place)
                assert funds.count(connection, asked, Cities.ALL, most=100) == len(
                    rows(filled, transaction_type=kind, **place)
                )
        assert funds.count(connection, RegisterCriteria(YEAR), Cities.ALL, most=2) == 3


@pytest.mark.parametrize("kind", list(funds.KINDS))
def test_each_type_by_itself(filled: Ledger, kind: str):
    everything = [row.movement_id for row in rows(filled) if row.transaction_type == kind]
    assert [row.movement_id for row in rows(filled, transaction_type=kind)] == everything
    assert everything


def test_filters_and_pages(filled: Ledger):
    everything = rows(filled)
    assert rows(filled, hoa_code="888") == [row for row in everything if row.hoa_code == "888"]
    assert rows(filled, tenant_id="od.none") == []
    assert rows(filled, tenant_id=TENANT) == everything
    walked: list[funds.Transaction] = []
    after = 0
    while True:
        page = rows(filled, limit=2, after=after)
        walked += page[:2]
        if len(page) <= 2:
            break
        after = page[1].movement_id
    assert walked == everything
    with filled.connect() as connection:
        assert funds.register(connection, RegisterCriteria("2023-24"), Cities.ALL) == []


def test_sums_and_months_agree_with_the_sanctions(filled: Ledger):
    with filled.connect() as connection:
        sums = funds.sums(connection, RegisterCriteria(YEAR), Cities.ALL)
        months = funds.months(connection, RegisterCriteria(YEAR), Cities.ALL)
        years, heads, cities = funds.choices(connection, Cities.ALL)
    assert (sums.sanctions, sums.allotted, sums.reserved, sums.spent) == (2, 2300, 100, 100)
    assert sums.available == 2200
    assert sum(month.allotted for month in months) == sums.allotted
    assert sum(month.spent for month in months) == sums.spent
    assert (years, heads, cities) == ([YEAR], ["888", HEAD], [TENANT])


def test_sanctions_come_with_their_allotments_and_a_total(filled: Ledger):
    with filled.connect() as connection:
        found, total = funds.sanctions(connection, SanctionCriteria(tenant_id=TENANT, limit=1), Cities.ALL)
        others, _ = funds.sanctions(connection, SanctionCriteria(tenant_id=TENANT, limit=1, offset=1), Cities.ALL)
        [only], one = funds.sanctions(
            connection, SanctionCriteria(hoa_code="888", ids=[others[0]["id"], found[0]["id"]]), Cities.ALL
        )
    assert (total, one) == (2, 1)
    assert {found[0]["master_allotment_id"], others[0]["master_allotment_id"]} == {"900", "901"}
    assert only["master_allotment_id"] == "901"
    assert len(only["allotments"]) == 1
    assert not SanctionCriteria().narrows


def test_the_heads_together_are_the_register(filled: Ledger):
    criteria = RegisterCriteria(YEAR)
    heads = filled.db.transact(lambda c: funds.heads(c, criteria, Cities.ALL))
    sums = filled.db.transact(lambda c: funds.sums(c, criteria, Cities.ALL))
    assert [each.hoa_code for each in heads] == sorted({HEAD, "888"})
    assert sum(each.allotted for each in heads) == sums.allotted > 0
    assert sum(each.spent for each in heads) == sums.spent > 0
    only = filled.db.transact(lambda c: funds.heads(c, RegisterCriteria(YEAR, hoa_code="888"), Cities.ALL))
    assert only == [each for each in heads if each.hoa_code == "888"]
    assert filled.db.transact(lambda c: funds.heads(c, criteria, Cities.NONE)) == []
