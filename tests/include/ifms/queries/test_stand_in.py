"""What DIGIT is told of a payment that has no PI: a document that its screens can show, until there is one."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg
import pytest
from support.adapter import Adapter
from support.asking import ask
from support.failed import TENANT, original, wage_bill

from ifms.cities import Cities
from ifms.errors import BadInputError, SweepError
from ifms.queries import stand_in
from ifms.queries.search import Criteria

pytestmark = pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0})

SCREEN = {
    "id",
    "tenantId",
    "jitBillNo",
    "muktaReferenceId",
    "piStatus",
    "netAmount",
    "isActive",
    "piErrorResp",
    "paDetails",
    "transactionDetails",
    "piStatusLogs",
    "beneficiaryDetails",
    "auditDetails",
    "additionalDetails",
}
"""What View Payment reads without a check (digit-clients.md §2)."""


@pytest.fixture
def waiting(adapter: Adapter) -> list[dict[str, Any]]:
    """Two payments of one city and one of another that wait for funds, the oldest first."""
    for tenant in (TENANT, "od.sampleb", TENANT):
        wage_bill(adapter, 1, tenant)
        adapter.run("PA")
    adapter.run("PI")
    return adapter.rows("SELECT * FROM ifms.payment ORDER BY raised_at, id")


def test_a_payment_without_funds_is_what_the_screens_expect(adapter: Adapter, waiting: list[dict[str, Any]]):
    payment = waiting[0]
    [row] = ask(adapter, stand_in.find, Criteria(payment_number=payment["payment_number"]))
    told = stand_in.document(row)
    assert told.keys() >= SCREEN
    assert (told["id"], told["piStatus"], told["isActive"]) == (str(payment["id"]), "FAILED", False)
    assert told["netAmount"] == float(payment["amount"])
    assert told["piErrorResp"].startswith("PAYMENT_INSUFFICIENT_FUNDS: no sanction of od.samplea has")
    assert told["additionalDetails"]["billNumber"] == payment["bill_numbers"] != []
    assert told["piStatusLogs"][0]["status"] == "STATUS_LOG_PI_NO_FUNDS"
    assert "paAdviceId" in told["paDetails"][0]
    assert told["auditDetails"]["createdTime"] == round(payment["raised_at"].timestamp() * 1000)


def test_one_that_nothing_holds_is_pending(adapter: Adapter):
    wage_bill(adapter)
    adapter.run("PA")
    [payment] = adapter.rows("SELECT * FROM ifms.payment")
    [row] = ask(adapter, stand_in.find, Criteria(payment_number=payment["payment_number"]))
    told = stand_in.document(row)
    assert (told["piStatus"], told["isActive"], "piErrorResp" in told) == ("PENDING", True, False)
    assert told["piStatusLogs"][0]["status"] == "STATUS_LOG_PI_NOT_SENT"
    assert ask(adapter, stand_in.find, Criteria(status="FAILED")) == []


def test_each_criterion_narrows_and_pages_follow_each_other(adapter: Adapter, waiting: list[dict[str, Any]]):
    numbers = [row["payment_number"] for row in waiting]

    def found(cities: Cities = Cities.ALL, **criteria: Any) -> list[str]:
        chosen = Criteria(**({"status": "FAILED", "ascending": True} | criteria))
        rows = ask(adapter, stand_in.find, chosen, cities=cities)
        if not {"after", "limit", "offset"} & set(criteria):
            assert ask(adapter, stand_in.count, chosen, cities=cities) == len(rows)
        return [row["payment_number"] for row in rows]

    assert found() == numbers
    assert found(ascending=False) == numbers[::-1]
    assert found(tenant_id="od.sampleb") == found(Cities.of("od.sampleb")) == [numbers[1]]
    assert found(Cities.NONE) == []
    assert found(payment_number=numbers[2]) == found(pi_numbers=[numbers[2], "PI-1"]) == [numbers[2]]
    assert found(ids=[waiting[0]["id"]]) == [numbers[0]]
    assert found(bill_number=waiting[1]["bill_numbers"][0]) == [numbers[1]]
    assert found(status="PENDING") == found(is_active=True) == found(status="SUCCESSFUL") == []
    assert found(limit=2) == numbers[:2]
    assert found(limit=2, after=f"{stand_in.AFTER}{waiting[1]['id']}") == [numbers[2]]
    assert found(limit=2, offset=2) == [numbers[2]]
    with pytest.raises(BadInputError, match="search anew"):
        found(after=f"{stand_in.AFTER}x")


@pytest.mark.parametrize(
    ("criteria", "answers"),
    [
        ({"payment_number": "EP/1"}, True),
        ({"status": "FAILED"}, True),
        ({"pi_numbers": ["EP/1"]}, True),
        ({"ids": []}, True),
        ({"status": "FAILED", "after": f"{stand_in.AFTER}1"}, True),
        ({"status": "FAILED", "after": "eyJ4"}, False),
        ({"status": "PENDING"}, False),
        ({"tenant_id": TENANT}, False),
        ({"payment_number": "EP/1", "pi_type": "REVISED"}, False),
        ({"payment_number": "EP/1", "parent_pi_number": "PI-1"}, False),
    ],
)
def test_which_searches_it_answers(criteria: dict[str, Any], answers: bool):
    assert stand_in.wanted(Criteria(**criteria)) is answers


def test_the_first_pi_takes_its_place_and_its_id(adapter: Adapter, waiting: list[dict[str, Any]]):
    adapter.run("VA")
    adapter.run("PI")
    assert ask(adapter, stand_in.find, Criteria(status="FAILED")) == []
    pis = adapter.rows("SELECT id, payment_number FROM ifms.payment_instruction")
    assert {(row["id"], row["payment_number"]) for row in pis} == {
        (row["id"], row["payment_number"]) for row in waiting
    }


def test_one_that_was_declined_has_its_failed_pi_and_the_next_another_id(adapter: Adapter, treasury: Any):
    wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "error", times=1, errorMsgs=[{"errorCode": "322", "errorMsg": "no"}])
    with suppress(SweepError):
        adapter.run("PI")
    [payment] = adapter.rows("SELECT * FROM ifms.payment")
    assert payment["paid_by"] is None
    assert ask(adapter, stand_in.find, Criteria(payment_number=payment["payment_number"])) == []
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("UPDATE ifms.payment SET hold_code = NULL, hold_message = NULL, held_since = NULL")
    adapter.run("PI")
    ids = [row["id"] for row in adapter.rows("SELECT id FROM ifms.payment_instruction ORDER BY created_at")]
    assert ids[0] == payment["id"] == original(adapter)["id"]
    assert len(set(ids)) == 2
