"""What came back and waits for a person: each kind by city, number and whether it is settled."""

from __future__ import annotations

from typing import Any

import pytest
from support.databases import rewrite
from support.ledger import TENANT, Ledger

from ifms.cities import Cities
from ifms.ledger import failures as acts
from ifms.queries import failures
from ifms.queries.failures import Criteria

SAID = {"reason": "asked", "person": "sample-clerk"}


@pytest.fixture
def pi_number(ledger: Ledger) -> str:
    """The number of a PI of two failed beneficiaries: of one another transfer is told, and of the bill a failure."""
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(100))
    rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET status = 'PARTIAL'")
    rewrite(ledger.dsn, "UPDATE ifms.beneficiary SET status = 'Payment Failed', failed_on = current_date")
    with ledger.connect() as connection:
        connection.execute(
            "INSERT INTO ifms.other_transfer (beneficiary_row, utr_number) SELECT id, 'UTR2' FROM ifms.beneficiary LIMIT 1"
        )
        for bill in (pi.pi_number, "PI-XX/1"):
            connection.execute(
                "INSERT INTO ifms.reported_failure (bill_number, beneficiary_id, voucher_date, why_unmatched)"
                " VALUES (%s, '', '2024-06-01', 'sample')",
                (bill,),
            )
    return pi.pi_number


def found(ledger: Ledger, criteria: Criteria, cities: Cities = Cities.ALL, most: int | None = None) -> list[int]:
    """How many transfers, reported failures and failed beneficiaries there are."""
    with ledger.connect() as connection:
        kinds: list[Any] = [failures.transfers, failures.reported, failures.unpaid]
        return [len(kind(connection, criteria, cities, most)) for kind in kinds]


def test_what_is_open_is_found_by_city_and_number(ledger: Ledger, pi_number: str):
    assert found(ledger, Criteria()) == [1, 2, 2]
    assert found(ledger, Criteria(TENANT)) == [1, 1, 2]
    assert found(ledger, Criteria("od.other")) == [0, 0, 0]
    assert found(ledger, Criteria(number=pi_number)) == [1, 1, 2]
    assert found(ledger, Criteria(number="PI-XX/1")) == [0, 1, 0]
    assert found(ledger, Criteria(), most=1) == [1, 2, 2], "one more than the most says that there are more"
    payment = ledger.one("SELECT payment_number FROM ifms.payment_instruction")
    assert found(ledger, Criteria(number=payment)) == [1, 1, 2]


def test_a_failure_of_no_pi_of_ours_is_for_who_sees_all_cities(ledger: Ledger, pi_number: str):
    assert found(ledger, Criteria(), Cities.of(TENANT)) == [1, 1, 2]
    assert found(ledger, Criteria(), Cities.of("od.other")) == [0, 0, 0]
    assert found(ledger, Criteria(), Cities.NONE) == [0, 0, 0]


def test_what_is_settled_is_found_as_settled(ledger: Ledger, pi_number: str):
    with ledger.connect() as connection:
        [transfer] = failures.transfers(connection, Criteria(), Cities.ALL)
        [_, foreign] = failures.reported(connection, Criteria(), Cities.ALL)
        everybody = failures.unpaid(connection, Criteria(), Cities.ALL)
        [payee] = [each for each in everybody if each.other_transfer is not None]
        assert (foreign.bill_number, foreign.tenant_id) == ("PI-XX/1", None)
        assert failures.reported(connection, Criteria(id=foreign.id), Cities.ALL) == [foreign]
        assert failures.reported(connection, Criteria(id=foreign.id), Cities.of(TENANT)) == []
        acts.settle_transfer(connection, transfer.id, has_paid=True, **SAID)
        acts.close_reported(connection, foreign.id, **SAID)
        acts.close_beneficiary(connection, payee.id, **SAID)
        settled = Criteria(settled=True)
        [by_transfer] = failures.transfers(connection, settled, Cities.ALL)
        [by_reported] = failures.reported(connection, settled, Cities.ALL)
        [by_payee] = failures.unpaid(connection, settled, Cities.ALL)
    assert (by_transfer.state, by_transfer.settled_by, by_transfer.settled_reason) == ("PAID", *reversed(SAID.values()))
    assert (by_reported.settled_by, by_reported.settled_reason) == ("sample-clerk", "asked")
    assert (by_payee.closed_by, by_payee.closed_reason) == ("sample-clerk", "asked")
    assert payee.other_transfer == "OPEN"
    assert (by_payee.other_transfer, by_payee.next_step) == ("PAID", "CORRECT")
    assert found(ledger, Criteria()) == [0, 1, 1]


def test_who_is_about_to_be_paid_waits_for_nobody(ledger: Ledger, pi_number: str):
    rewrite(
        ledger.dsn,
        "UPDATE ifms.beneficiary SET failed_on = NULL WHERE id = (SELECT id FROM ifms.failed_beneficiary LIMIT 1)",
    )
    assert found(ledger, Criteria()) == [1, 2, 1]


def test_the_cities_that_have_any(ledger: Ledger, pi_number: str):
    with ledger.connect() as connection:
        assert failures.cities_with_any(connection, Cities.ALL) == [TENANT]
        assert failures.cities_with_any(connection, Cities.of("od.other")) == []
