"""The record of a call: what was sent and answered, for who may act in the city, under a record of who looked."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from support.adapter import Adapter, Treasury
from support.failed import wage_bill

from ifms_airflow.api.pages.calls import pretty

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0})]


@pytest.fixture
def refused(adapter: Adapter, treasury: Treasury) -> dict[str, Any]:
    """A call that the treasury has answered with an error, and its PI's number."""
    wage_bill(adapter, 2)
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "error", errorMsgs=[{"errorCode": "322", "errorMsg": "Sample <b>refusal</b> 1234567890123"}])
    adapter.run("PI")
    treasury.clear()
    [row] = adapter.rows(
        "SELECT c.id, c.bill_number, p.id AS pi FROM ifms.treasury_call c JOIN ifms.payment_instruction p "
        "ON p.id = c.payment_instruction_id WHERE c.service_id = 'PI'"
    )
    return row


def looks(adapter: Adapter) -> list[tuple[Any, ...]]:
    rows = adapter.rows("SELECT call_id, source, airflow_user, unmasked FROM ifms.call_access ORDER BY id")
    return [tuple(row.values()) for row in rows]


def test_a_failed_call_opens_its_record(api: Any, adapter: Adapter, refused: dict[str, Any]):
    browser = api("user", cookie=True)
    pi = browser.get("/ifms/instruction", params={"number": refused["bill_number"]}).text
    assert re.findall(r'name="call" value="([^"]+)"', pi) == [str(refused["id"])]
    answer = browser.post("/ifms/call", data={"call": str(refused["id"])})
    assert answer.status_code == 200
    page = answer.text
    assert refused["bill_number"] in page
    assert "Sample &lt;b&gt;refusal&lt;/b&gt;" in page
    assert "1234567890123" not in page
    assert "Sample Payee" in page  # what was sent is there
    assert not re.search(r"0{8}", page)  # each account of the simulator has more zeros
    for account in adapter.rows("SELECT account_last4 FROM ifms.beneficiary"):
        assert account["account_last4"] in page
    assert looks(adapter) == [(str(refused["id"]), "ledger", "sample-user", False)]


def test_who_may_not_act_there_opens_nothing(
    api: Any, adapter: Adapter, refused: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    form = {"call": str(refused["id"])}
    viewer = api("viewer", cookie=True)
    assert 'name="call"' not in viewer.get("/ifms/instruction", params={"number": refused["bill_number"]}).text
    assert viewer.post("/ifms/call", data=form).status_code == 403
    user = api("user", cookie=True)
    monkeypatch.setenv("IFMS_RIGHTS", "role:User = od.sampleb:act od.samplea:read")
    assert user.post("/ifms/call", data=form).status_code == 403
    monkeypatch.setenv("IFMS_RIGHTS", "role:User = od.sampleb:act")
    nobodys = user.post("/ifms/call", data={"call": str(uuid.uuid4())})
    theirs = user.post("/ifms/call", data=form)
    assert (theirs.status_code, theirs.text) == (nobodys.status_code, nobodys.text)
    assert theirs.status_code == 404
    assert looks(adapter) == []


def test_a_call_about_no_pi_is_not_opened_here(api: Any, adapter: Adapter, refused: dict[str, Any]):
    [login] = adapter.rows("SELECT id FROM ifms.treasury_call WHERE service_id = 'AUTH' LIMIT 1")
    assert api("admin", cookie=True).post("/ifms/call", data={"call": str(login["id"])}).status_code == 404


def test_text_that_is_no_json_stays_as_it_is():
    assert pretty("{") == "{"
    assert pretty('{"a": [1]}') == '{\n  "a": [\n    1\n  ]\n}'
