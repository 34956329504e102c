"""Payments without a PI, as their page reads them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg
import pytest
from support.adapter import Adapter, Treasury
from support.asking import ask
from support.failed import TENANT, wage_bill

from ifms.cities import Cities
from ifms.errors import BadInputError, SweepError
from ifms.queries import waiting as reads
from ifms.queries.waiting import Criteria

pytestmark = pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0})
OTHER = Cities.of("od.sampleb")


@pytest.fixture
def several(adapter: Adapter) -> list[dict[str, Any]]:
    """Two that wait for funds, in two cities, and one that no run has looked at; the oldest first."""
    for tenant in (TENANT, "od.sampleb"):
        wage_bill(adapter, 1, tenant)
        adapter.run("PA")
    adapter.run("PI")
    wage_bill(adapter, 2)
    adapter.run("PA")
    return adapter.rows("SELECT * FROM ifms.payment ORDER BY raised_at, id")


def test_each_says_why_and_is_found_by_what_people_know(adapter: Adapter, several: list[dict[str, Any]]):
    numbers = [row["payment_number"] for row in several]

    def found(cities: Cities = Cities.ALL, **criteria: Any) -> list[str]:
        chosen = Criteria(**criteria)
        rows = ask(adapter, reads.find, chosen, cities=cities)
        assert ask(adapter, reads.count, chosen, cities=cities) == len(rows)
        return [row.payment_number for row in rows]

    assert found() == numbers
    first, _, last = ask(adapter, reads.find, Criteria())
    assert (first.reason, first.tries, first.attempts) == ("PAYMENT_INSUFFICIENT_FUNDS", 1, 0)
    assert first.why.startswith("no sanction of od.samplea has")
    assert first.since == first.held_since
    assert (last.reason, last.tries, last.since) == (reads.NOTHING_SAID, 0, last.raised_at)
    assert found(payment_number=numbers[1]) == [numbers[1]]
    for row in several:
        assert len(row["bill_numbers"]) == 1
        assert found(bill_number=row["bill_numbers"][0]) == [row["payment_number"]]
    assert found(tenant_id="od.sampleb") == found(OTHER) == [numbers[1]]
    assert found(Cities.NONE) == found(OTHER, tenant_id=TENANT) == []
    assert found(reason=reads.NOTHING_SAID) == [numbers[2]]
    assert ask(adapter, reads.one, TENANT, numbers[0], cities=OTHER) is None
    assert ask(adapter, reads.one, TENANT, numbers[0]).payment_number == numbers[0]
    assert ask(adapter, reads.cities_waiting) == [TENANT, "od.sampleb"]
    assert ask(adapter, reads.cities_waiting, cities=OTHER) == ["od.sampleb"]


def test_pages_follow_each_other(adapter: Adapter, several: list[dict[str, Any]]):
    page = ask(adapter, reads.find, Criteria(limit=2))
    assert len(page) == 3  # one more: there is another page
    following = ask(adapter, reads.find, Criteria(limit=2, after=page[1].id))
    assert [row.id for row in following] == [several[2]["id"]]
    with pytest.raises(BadInputError, match="search anew"):
        reads.cursor_id("x")


def test_reasons_are_counted_with_their_money(adapter: Adapter, several: list[dict[str, Any]]):
    found = {row.reason: row for row in ask(adapter, reads.reasons)}
    unfunded = found["PAYMENT_INSUFFICIENT_FUNDS"]
    assert unfunded.payments == 2
    assert unfunded.amount == several[0]["amount"] + several[1]["amount"]
    assert unfunded.oldest == several[0]["raised_at"]
    assert found[reads.NOTHING_SAID].payments == 1
    [only] = ask(adapter, reads.reasons, cities=OTHER)
    assert (only.reason, only.amount) == ("PAYMENT_INSUFFICIENT_FUNDS", several[1]["amount"])


def test_each_look_without_a_pi_is_a_try(adapter: Adapter, several: list[dict[str, Any]]):
    adapter.run("PI")  # the two without funds are not due: nobody has looked at them
    tries = [row.tries for row in ask(adapter, reads.find, Criteria())]
    assert tries == [1, 1, 1]


def test_one_that_was_declined_waits_with_its_pi(adapter: Adapter, treasury: Treasury):
    wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    error = {"errorCode": "322", "errorMsg": "account 123456789012 is closed"}
    treasury.rule("PI", "error", times=1, errorMsgs=[error])
    with suppress(SweepError):
        adapter.run("PI")
    [row] = ask(adapter, reads.find, Criteria())
    [pi] = adapter.rows("SELECT * FROM ifms.payment_instruction")
    assert (row.reason, row.attempts, row.all_tries) == ("PI_DECLINED", 1, 1)
    assert row.last_pi_number == pi["pi_number"]
    assert "123456789012" not in row.why
    assert [each.id for each in ask(adapter, reads.find, Criteria(bill_number=pi["bill_numbers"][0]))] == [row.id]
    known = ask(adapter, reads.standing, TENANT, row.payment_number)
    assert [each["pi_number"] for each in known.instructions] == [pi["pi_number"]]
    assert known.log != []
    assert "123456789012" not in str(known.log)
    assert ask(adapter, reads.standing, TENANT, row.payment_number, cities=Cities.NONE) is None
    assert ask(adapter, reads.standing, TENANT, "EP/none") is None


def test_what_could_not_be_taken_over_says_so(adapter: Adapter, several: list[dict[str, Any]]):
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute(
            "INSERT INTO ifms.import_withheld (tenant_id, payment_number, reason) VALUES (%s, %s, 'sample')",
            (TENANT, several[0]["payment_number"]),
        )
    assert [row.withheld for row in ask(adapter, reads.find, Criteria())] == [True, False, False]
