"""The page on which an operator has payments made for chosen bills."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from support.adapter import Adapter
from support.api import audited, none_waits, runs

from ifms.errors import SweepError
from ifms.ledger.runs import RunContext
from ifms.sweep.scope import Scope

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 2})]

NUMBERS = ["WB/2026-27/000001", "PB/2026-27/000002"]


@pytest.fixture
def browser(api: Any, airflow_db: str) -> Any:
    none_waits(airflow_db, "ifms_pa")
    return api("user", cookie=True)


def send(browser: Any, numbers: str, token: str | None = None, **more: str) -> Any:
    return browser.post("/ifms/bills", data={"numbers": numbers, "token": token or uuid.uuid4().hex} | more)


def test_the_numbers_are_shown_as_they_were_understood_before_anything_is_started(browser: Any, airflow_db: str):
    before = runs(airflow_db, "ifms_pa")
    page = browser.post("/ifms/bills/confirm", data={"numbers": f" {NUMBERS[0]},{NUMBERS[1]}\r\n{NUMBERS[0]}"})
    assert page.status_code == 200, page.text
    assert "Have payments made for these 2 bills?" in page.text
    assert f'name="numbers" value="{", ".join(NUMBERS)}"' in page.text
    assert runs(airflow_db, "ifms_pa") == before
    page = browser.post("/ifms/bills/confirm", data={"numbers": NUMBERS[0], "city": "od.samplea"})
    assert "Have a payment made for this bill?" in page.text
    assert "Only bills of od.samplea count." in page.text


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ("", "choose 1 to 200 bills, not 0"),
        (",".join(f"WB/{n}" for n in range(201)), "choose 1 to 200 bills, not 201"),
        ("WB/<b>", "&#39;WB/&lt;b&gt;&#39; is no bill number"),
    ],
)
@pytest.mark.parametrize("path", ["/ifms/bills/confirm", "/ifms/bills"])
def test_what_can_not_be_understood_starts_nothing_and_stays_in_the_form(
    browser: Any, airflow_db: str, path: str, numbers: str, said: str
):
    before = runs(airflow_db, "ifms_pa")
    page = browser.post(path, data={"numbers": numbers, "token": "1" * 32})
    assert page.status_code == 400
    assert f"Nothing was started: {said}" in page.text
    assert "<b>" not in page.text.split("<textarea")[1]
    assert runs(airflow_db, "ifms_pa") == before


@pytest.mark.parametrize("city", ["od", "OD.X", "od.samplea'", "{{ x }}"])
def test_a_city_that_is_none_is_refused(browser: Any, city: str):
    assert send(browser, NUMBERS[0], city=city).status_code == 400


def test_a_run_is_started_once_with_the_numbers_and_noted(browser: Any, airflow_db: str):
    token = uuid.uuid4().hex
    answers = [send(browser, f"{NUMBERS[0]}, {NUMBERS[1]}", token, city="od.samplea") for _ in range(2)]
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    found = [run for run in runs(airflow_db, "ifms_pa") if run["run_id"] == f"bills__{token}"]
    assert [(run["conf"], run["triggering_user_name"]) for run in found] == [
        ({"bills": NUMBERS, "tenants": ["od.samplea"]}, "sample-user")
    ]
    event, owner, dag_id, extra = audited(airflow_db)[0]
    assert (event, owner, dag_id) == ("ifms.bills", "sample-user", "ifms_pa")
    assert NUMBERS[1] in extra
    page = browser.get(answers[0].headers["location"])
    assert f"bills__{token}" in page.text
    assert "What became of each number" not in page.text


def test_each_number_has_its_line_once_the_run_has_ended(browser: Any, adapter: Adapter, airflow_db: str):
    bills = adapter.simulators.ask_platform("GET", "state")["bills"]
    good = next(bill["billNumber"] for bill in bills if bill["wfStatus"] == "APPROVED")
    there = send(browser, f"{good}, WB/0/none").headers["location"]
    run_id = runs(airflow_db, "ifms_pa")[0]["run_id"]
    sweep = adapter.sweep("PA")
    sweep.context = RunContext("ifms_pa", run_id)
    with pytest.raises(SweepError), sweep:
        adapter.work(sweep, Scope(bills=(good, "WB/0/none")))
    none_waits(airflow_db, "ifms_pa")  # it has ended, red
    page = browser.get(there).text
    assert "What became of each number" in page
    assert "not every bill has got a payment" in page
    assert "bill WB/0/none is not found" in page
    assert f"bill {good} of od.samplea: payment" in page


def test_who_may_not_start_the_dag_sees_no_form(api: Any, airflow_db: str):
    page = api("viewer", cookie=True).get("/ifms/bills")
    assert page.status_code == 200
    assert "<form" not in page.text.partition("<main")[2]
    assert "You may not start runs of ifms_pa" in page.text
    assert send(api("viewer", cookie=True), NUMBERS[0]).status_code == 403
