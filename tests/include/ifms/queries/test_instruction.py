"""A PI with all that belongs to it, in every shape that a correction gives it."""

from __future__ import annotations

import uuid

import psycopg
import pytest
from support.adapter import Adapter, Treasury
from support.failed import last_day, mend, original, paid_and_failed, revisions, wage_bill
from support.keys import KEYRING

from ifms.cities import Cities
from ifms.errors import SealError
from ifms.queries.instruction import Around, Whole, account_numbers, around, by_number, corrected_as, load

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})


def look(adapter: Adapter, number: str) -> tuple[Whole, Around]:
    with psycopg.connect(adapter.dsn) as connection:
        whole = by_number(connection, number, Cities.ALL)
        assert whole is not None
        return whole, around(connection, whole, Cities.ALL)


def test_what_waits_for_which_service(adapter: Adapter):
    wage_bill(adapter)
    seen = []
    adapter.run("VA")
    adapter.run("PA")
    for service in ("PI", "PIS", "PAG", "PD"):
        adapter.run(service)
        seen.append(look(adapter, original(adapter)["pi_number"])[0].next_service)
    assert seen == ["PIS", "PAG", "PD", None]


def test_an_original_and_its_revision_know_each_other(adapter: Adapter):
    paid_and_failed(adapter, 3, 2)
    first = original(adapter)
    whole, about = look(adapter, first["pi_number"])
    assert len(whole.failed) == 2
    assert about.correctable_until == last_day(whole.failed[0]["failed_on"])
    assert (about.busy, about.later, about.original) == (None, [], None)
    mend(adapter)
    adapter.correct()
    whole, about = look(adapter, first["pi_number"])
    assert whole.failed == []
    [revision] = revisions(adapter)
    assert [row["pi_number"] for row in about.later] == [revision["pi_number"]]
    assert about.busy == revision["pi_number"]
    assert not about.alive
    revised, its = look(adapter, revision["pi_number"])
    assert its.original is not None
    assert its.original["pi_number"] == first["pi_number"]
    assert revised.next_service == "FTPS"
    assert corrected_as(revised.pi) == first["pi_number"]
    assert revised.movements == []


def test_no_word_of_the_treasurys_shows_an_account_number_that_it_quotes(adapter: Adapter, treasury: Treasury):
    wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    said = "account 00123456789012 of IFSC SMPL0000001 is closed"
    treasury.rule("PI", "error", errorMsgs=[{"errorCode": "340", "errorMsg": said}])
    adapter.run("PI")
    whole, about = look(adapter, original(adapter)["pi_number"])
    assert "00123456789012" not in repr((whole, about))
    assert whole.pi["error_message"].endswith("9012 of IFSC SMPL0000001 is closed")
    assert whole.log[0]["message"].endswith("9012 of IFSC SMPL0000001 is closed")


def test_no_row_holds_an_account_number(adapter: Adapter):
    paid_and_failed(adapter)
    whole, about = look(adapter, original(adapter)["pi_number"])
    assert all("account_sealed" not in row and "mobile" not in row for row in whole.beneficiaries)
    for call in about.calls:
        assert not [name for name in call if "sealed" in name or name.startswith("enc_")]
    with psycopg.connect(adapter.dsn) as connection:
        numbers = account_numbers(connection, whole.pi["pi_number"], KEYRING.sealer, Cities.ALL)
    assert {row["id"] for row in whole.beneficiaries} == set(numbers)
    assert {str(number)[-4:] for number in numbers.values()} == {row["account_last4"] for row in whole.beneficiaries}


def test_an_account_that_does_not_open_is_an_error_in_its_place(adapter: Adapter):
    paid_and_failed(adapter)
    number = original(adapter)["pi_number"]
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(
            "UPDATE ifms.beneficiary SET account_last4 = '9999' WHERE id = (SELECT min(id::text)::uuid FROM ifms.beneficiary)"
        )
        found = list(account_numbers(connection, number, KEYRING.sealer, Cities.ALL).values())
    assert [isinstance(each, SealError) for each in found].count(True) == 1
    assert len(found) == 3


def test_several_come_in_the_order_asked_for(adapter: Adapter):
    for _ in range(3):
        wage_bill(adapter)
    adapter.cycle()
    ids = [row["id"] for row in adapter.rows("SELECT id FROM ifms.payment_instruction ORDER BY md5(id::text)")]
    with psycopg.connect(adapter.dsn) as connection:
        assert [whole.pi["id"] for whole in load(connection, [*ids, uuid.uuid4()], Cities.ALL)] == ids
        assert by_number(connection, "PI-none", Cities.ALL) is None
