"""The page of sanctions: what is on them, what is not used, and who has closed one."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from support.adapter import Adapter
from support.api import audited
from support.failed import TENANT, wage_bill

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]


@pytest.fixture
def funded(adapter: Adapter) -> Adapter:
    adapter.run("VA")
    return adapter


def sanction(adapter: Adapter) -> dict[str, Any]:
    """One that has money."""
    return adapter.rows(
        "SELECT * FROM ifms.sanction WHERE available_amount > 0 ORDER BY financial_year DESC, hoa_code LIMIT 1"
    )[0]


def change(browser: Any, row: dict[str, Any], wanted: str, **changes: str) -> Any:
    data = {"sanction": str(row["id"]), "closed": wanted, "reason": "not paid out", "city": TENANT} | changes
    return browser.post("/ifms/sanctions", data=data)


def test_one_is_closed_and_opened_again(api: Any, funded: Adapter, airflow_db: str):
    browser = api("user", cookie=True)
    row = sanction(funded)
    shown = browser.get("/ifms/sanctions").text
    for text in (TENANT, row["master_allotment_id"], row["hoa_code"], row["financial_year"], "Close"):
        assert text in shown, text
    assert "not used: closed" not in shown
    done = change(browser, row, "true")
    assert (done.status_code, done.headers["location"]) == (303, f"/ifms/sanctions?city={TENANT}")
    there = browser.get(done.headers["location"]).text
    assert "not used: closed" in there
    assert "Closed by sample-user" in there
    assert "not paid out" in there
    event, owner, _, extra = audited(airflow_db)[0]
    assert (event, owner) == ("ifms.sanction_closed", "sample-user")
    assert json.loads(extra)["master_allotment_id"] == row["master_allotment_id"]
    year = {"year": row["financial_year"]}
    assert "not used: earlier years, or closed" in browser.get("/ifms/register", params=year).text
    again = change(browser, row, "true")
    assert (again.status_code, "is closed already" in again.text) == (409, True)
    assert change(browser, row, "false").status_code == 303
    assert "not used: closed" not in browser.get("/ifms/sanctions").text
    kept = funded.rows("SELECT closed, person, reason FROM ifms.sanction_closing ORDER BY id")
    assert [(each["closed"], each["person"]) for each in kept] == [(True, "sample-user"), (False, "sample-user")]


def test_a_closed_one_pays_nothing_more(api: Any, funded: Adapter):
    browser = api("user", cookie=True)
    for row in funded.rows("SELECT * FROM ifms.sanction"):
        assert change(browser, row, "true").status_code == 303
    wage_bill(funded)
    funded.run("PA")
    funded.run("PI")
    assert funded.statuses() == {}


def test_money_of_an_earlier_year_is_named_by_city(api: Any, funded: Adapter):
    with psycopg.connect(funded.dsn) as connection:
        connection.execute("ALTER TABLE ifms.sanction DISABLE TRIGGER content_is_frozen")
        connection.execute("UPDATE ifms.sanction SET financial_year = '2020-21'")
    total = funded.rows("SELECT sum(available_amount) AS n, count(*) AS c FROM ifms.sanction")[0]
    from ifms_airflow.api.pages.render import rupees

    shown = api("viewer", cookie=True).get("/ifms/sanctions").text
    assert "not used: of an earlier year" in shown
    assert shown.count(rupees(total["n"])) >= 1
    assert "<details" not in shown  # a viewer closes none


@pytest.mark.parametrize(
    ("changes", "code"), [({"reason": " "}, 400), ({"sanction": "none"}, 400), ({"closed": "perhaps"}, 400)]
)
def test_what_can_t_be_done_changes_nothing(api: Any, funded: Adapter, changes: dict[str, str], code: int):
    assert change(api("user", cookie=True), sanction(funded), "true", **changes).status_code == code
    assert funded.rows("SELECT id FROM ifms.sanction_closing") == []


def test_before_anything_was_allotted(api: Any):
    assert "No sanction is known yet" in api("viewer", cookie=True).get("/ifms/sanctions").text
