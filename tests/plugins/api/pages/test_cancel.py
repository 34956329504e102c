"""The page on which a person ends a PENDING PI that was never sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.api import audited
from support.failed import original, wage_bill
from support.uncertain import nobody_listens

from ifms.errors import SweepError

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]


@pytest.fixture
def browser(api: Any) -> Any:
    return api("user", cookie=True)


@pytest.fixture
def unsent(adapter: Adapter) -> str:
    """The number of a PI for which the treasury could not be reached."""
    adapter.simulators.ask_platform("POST", "settings", {"persist_ms": 0})
    wage_bill(adapter, 2)
    adapter.run("VA")
    adapter.run("PA")
    with nobody_listens(adapter):
        adapter.run("PI")
    pi = original(adapter)
    assert (pi["status"], pi["last_attempt"]) == ("PENDING", "never_sent")
    return str(pi["pi_number"])


def end(browser: Any, number: str, **changes: str) -> Any:
    return browser.post("/ifms/cancel", data={"number": number, "reason": "wrong bill", "typed": number} | changes)


def state(adapter: Adapter) -> Any:
    tables = ("payment_instruction", "status_log", "fund_movement", "outbox", "payment", "sanction")
    return [adapter.rows(f"SELECT * FROM ifms.{table} ORDER BY 1") for table in tables]


def test_it_ends_under_the_person_s_name_and_its_money_is_free(
    browser: Any, adapter: Adapter, treasury: Treasury, unsent: str, airflow_db: str
):
    assert "/ifms/cancel?number=" in browser.get("/ifms/instruction", params={"number": unsent}).text
    asked = browser.get("/ifms/cancel", params={"number": unsent})
    assert asked.status_code == 200, asked.text
    for text in (f"Cancel {unsent}?", "Its reserved money is free again", f"Type {unsent} to confirm"):
        assert text in asked.text, text
    done = end(browser, unsent)
    assert done.status_code == 303, done.text
    row = original(adapter)
    assert (row["status"], row["cancelled_by"]) == ("FAILED", "sample-user")
    assert adapter.rows("SELECT sum(reserved_amount + spent_amount) AS n FROM ifms.sanction")[0]["n"] == 0
    there = browser.get(done.headers["location"]).text
    for text in ("Cancelled by", "cancelled before it was sent, by sample-user: wrong bill", "Resubmit"):
        assert text in there, text
    assert "/ifms/cancel" not in there
    event, owner, dag_id, extra = audited(airflow_db)[0]
    [row] = adapter.rows("SELECT person, action, tenant_id, subject, reason FROM ifms.person_action")
    assert (row["person"], row["action"], row["tenant_id"]) == (owner, "cancel", "od.samplea")
    assert json.loads(row["subject"]) == json.loads(extra)
    assert row["reason"] == json.loads(extra)["reason"]
    assert (event, owner, dag_id) == ("ifms.cancel", "sample-user", "ifms_pi")
    assert json.loads(extra) == {"pi_number": unsent, "reason": "wrong bill"}
    before = state(adapter)
    assert end(browser, unsent).status_code == 303  # the form sent twice
    assert state(adapter) == before
    adapter.run("PI")
    assert treasury.accepted == {}
    assert_money_is_right(adapter, treasury)


@pytest.mark.parametrize(
    ("changes", "told"), [({"reason": " "}, "needs a reason"), ({"typed": "PI-X"}, "to confirm: nothing was changed")]
)
def test_without_reason_or_number_nothing_is_changed(
    browser: Any, adapter: Adapter, unsent: str, changes: dict[str, str], told: str
):
    before = state(adapter)
    refused = end(browser, unsent, **changes)
    assert (refused.status_code, told in refused.text) == (400, True)
    assert state(adapter) == before


def test_one_that_may_have_arrived_is_not_cancelled(browser: Any, adapter: Adapter, treasury: Treasury, unsent: str):
    treasury.rule("PI", "lost_reply", times=1)
    with pytest.raises(SweepError):
        adapter.run("PI")
    assert "/ifms/cancel" not in browser.get("/ifms/instruction", params={"number": unsent}).text
    before = state(adapter)
    assert browser.get("/ifms/cancel", params={"number": unsent}).status_code == 409
    refused = end(browser, unsent)
    assert (refused.status_code, "may have arrived" in refused.text) == (409, True)
    assert state(adapter) == before


def test_one_that_is_being_sent_waits(browser: Any, adapter: Adapter, unsent: str):
    adapter.rows(
        "UPDATE ifms.payment_instruction SET claim_token = gen_random_uuid(), claimed_until = now() + '1 minute' "
        "RETURNING id"
    )
    asked = browser.get("/ifms/cancel", params={"number": unsent}).text
    assert "A call about it is under way" in asked
    assert "<form" not in asked.partition("<main")[2]
    assert end(browser, unsent).status_code == 409


def test_nobody_knows_it(browser: Any):
    assert browser.get("/ifms/cancel", params={"number": "PI-X"}).status_code == 404
    assert end(browser, "PI-X").status_code == 404
