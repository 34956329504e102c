"""The choice before a revised PI: who is ticked, who may be, and what the form starts."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.api import audited, runs
from support.failed import failing, long_ago, mend, original, paid_and_failed, revisions

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]

TENANT = "od.samplea"


@pytest.fixture
def browser(api: Any) -> Any:
    return api("user", cookie=True)


def ask(browser: Any, number: str) -> str:
    answer = browser.get("/ifms/confirm", params={"number": number, "action": "revise"})
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def boxes(page: str) -> list[tuple[str, str, bool]]:
    """(way, beneficiary, ticked) of each box."""
    found = re.findall(r'<input type="checkbox" name="(\w+)" value="([^"]+)"[^>]*?( checked)?>', page)
    return [(way, number, bool(ticked)) for way, number, ticked in found]


def send(browser: Any, number: str, token: str | None = None, **ticked: list[str]) -> Any:
    form = {"number": number, "action": "revise", "token": token or uuid.uuid4().hex}
    return browser.post("/ifms/act", data=form | ticked)


def test_who_is_mended_is_ticked_and_the_rest_can_be_on_purpose(
    browser: Any, adapter: Adapter, treasury: Treasury, airflow_db: str, run_dag: Any
):
    paid_and_failed(adapter, failures=3)
    one, two, dormant = failing(adapter)
    mend(adapter, [one, two])
    number = original(adapter)["pi_number"]
    page = ask(browser, number)
    assert boxes(page) == [("revise", one, True), ("revise", two, True), ("same_account", dormant, False)]
    assert "2 of 3 ticked" in page
    assert page.count("Another account") == 2
    assert page.count("Reason:") == 3
    for row in adapter.rows("SELECT account_last4 FROM ifms.beneficiary WHERE status = 'Payment Failed'"):
        assert f"********{row['account_last4']}" in page
    assert "********0001" in page
    assert "000099990001" not in page
    assert not re.search(r"\d{9,}", re.sub(r'name="token" value="[0-9a-f]+"', "", page))
    token = uuid.uuid4().hex
    for _ in range(2):  # a form that is sent twice starts one run
        assert send(browser, number, token, revise=[one, two], same_account=[dormant]).status_code == 303
    run = runs(airflow_db, "ifms_cor")[0]
    assert (run["conf"]["beneficiaries"], run["conf"]["same_account"]) == ([one, two], [dormant])
    assert run["triggering_user_name"] == "sample-user"
    event, owner, _, extra = audited(airflow_db)[0]
    assert (event, owner) == ("ifms.revise", "sample-user")
    assert dormant in extra
    assert run_dag("ifms_cor", conf=run["conf"]).state == "success"
    [revision] = revisions(adapter)
    assert (revision["status"], revision["beneficiary_count"]) == ("INITIATED", 3)
    shown = browser.get("/ifms/instruction", params={"number": revision["pi_number"]}).text
    assert "STATUS_LOG_COR_SAME_ACCOUNT" in shown
    assert f"on purpose, by dag_test: {dormant}" in shown
    assert_money_is_right(adapter, treasury)


def test_nobody_ticked_or_somebody_else_starts_nothing(browser: Any, adapter: Adapter, airflow_db: str):
    paid_and_failed(adapter, failures=1)
    [failed] = failing(adapter)
    number = original(adapter)["pi_number"]
    [paid] = adapter.rows("SELECT beneficiary_number FROM ifms.beneficiary WHERE status = 'Payment Successful' LIMIT 1")
    before = len(runs(airflow_db, "ifms_cor"))
    for status, ticked in (
        (400, {}),
        (400, {"revise": [failed], "same_account": [failed]}),
        (400, {"same_account": [failed, failed]}),
        (409, {"same_account": [failed, paid["beneficiary_number"]]}),
        (409, {"revise": ["BN-XX/1"]}),
    ):
        answer = send(browser, number, **ticked)
        assert answer.status_code == status, ticked
        assert "nothing was started" in answer.text
    assert len(runs(airflow_db, "ifms_cor")) == before


def test_who_can_not_be_paid_has_no_box(browser: Any, adapter: Adapter):
    paid_and_failed(adapter, failures=2)
    one, two = failing(adapter)
    [payee] = adapter.rows("SELECT beneficiary_id FROM ifms.beneficiary WHERE beneficiary_number = %s", one)
    change = {"tenantId": TENANT, "referenceId": payee["beneficiary_id"], "isActive": False}
    adapter.simulators.ask_platform("POST", "accounts", change)
    page = ask(browser, original(adapter)["pi_number"])
    assert boxes(page) == [("same_account", two, False)]
    assert "no active primary bank account" in page


def test_of_two_with_one_account_the_second_is_not_ticked(browser: Any, adapter: Adapter):
    paid_and_failed(adapter, failures=2)
    one, two = failing(adapter)
    for each in (one, two):
        mend(adapter, [each])
    page = ask(browser, original(adapter)["pi_number"])
    assert boxes(page) == [("revise", one, True), ("revise", two, False)]
    assert f"The same account as {one}" in page


def test_who_failed_again_is_chosen_on_the_page_of_the_revision(browser: Any, adapter: Adapter, airflow_db: str):
    paid_and_failed(adapter, failures=1)
    [failed] = failing(adapter)
    mend(adapter)
    adapter.correct()
    adapter.run("FTPS")
    revision = revisions(adapter)[0]["pi_number"]
    adapter.simulators.ask_treasury("POST", "failures", {"bill_number": revision, "beneficiaries": "all"})
    adapter.run("FTFPS")
    assert boxes(ask(browser, revision)) == [("same_account", failed, False)]
    assert send(browser, revision, same_account=[failed]).status_code == 303
    conf = runs(airflow_db, "ifms_cor")[0]["conf"]
    assert conf["pi_number"] == original(adapter)["pi_number"]


def test_without_the_registry_nothing_is_offered(browser: Any, adapter: Adapter):
    paid_and_failed(adapter, failures=1)
    adapter.simulators.ask_platform("POST", "rules", {"service": "account", "effect": "refuse"})
    answer = browser.get("/ifms/confirm", params={"number": original(adapter)["pi_number"], "action": "revise"})
    assert answer.status_code == 503
    assert "The registry can" in answer.text


def test_after_its_time_there_is_no_choice(browser: Any, adapter: Adapter):
    paid_and_failed(adapter, failures=1)
    long_ago(adapter)
    number = original(adapter)["pi_number"]
    assert browser.get("/ifms/confirm", params={"number": number, "action": "revise"}).status_code == 409
    assert send(browser, number, same_account=failing(adapter)).status_code == 409
