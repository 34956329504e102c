"""Check connections: stored ones alone, for an administrator, with a sentence about each."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from support.adapter import Adapter
from support.api import audited
from support.simulators import CLIENT_ID, LOG_KEY

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0})]


def tried(api: Any, connection: str, **more: str) -> Any:
    return api("admin", cookie=True).post("/ifms/connections", data={"connection": connection, **more})


@pytest.mark.parametrize(
    ("connection", "says"),
    [
        ("ifms_treasury", f"as {CLIENT_ID}"),
        ("ifms_platform", "2 cities of od"),
        ("ifms_db", "who may read the ledger"),
    ],
)
def test_what_is_stored_is_tried_and_what_came_of_it_is_said(
    api: Any, adapter: Adapter, airflow_db: str, connection: str, says: str
):
    answer = tried(api, connection)
    assert answer.status_code == 200, answer.text
    assert f"<b>{connection}</b>: works" in answer.text
    assert says in answer.text
    for secret in (LOG_KEY, "sample-secret"):
        assert secret not in answer.text
    event, owner, _, extra = audited(airflow_db)[0]
    assert (event, owner) == ("ifms.connection_checked", "sample-admin")
    assert json.loads(extra) == {"connection": connection, "worked": True}


def test_opening_the_page_tries_nothing(api: Any, adapter: Adapter):
    shown = api("admin", cookie=True).get("/ifms/connections")
    assert shown.status_code == 200
    for text in ("ifms_treasury", "ifms_kafka", "No payment instruction is sent", "no address and no password"):
        assert text in shown.text
    assert adapter.simulators.ask_platform("GET", "state")["calls"] == {}


@pytest.mark.parametrize("connection", ["ifms_kafka", "ifms_elasticsearch"])
def test_an_optional_one_that_is_not_there(api: Any, adapter: Adapter, connection: str):
    assert f"<b>{connection}</b>: is not set up" in tried(api, connection).text


def test_one_that_does_not_work_says_why(api: Any, adapter: Adapter, monkeypatch: pytest.MonkeyPatch):
    gone = {"conn_type": "ifms_platform", "host": "http://127.0.0.1:1"}
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_PLATFORM", json.dumps(gone))
    answer = tried(api, "ifms_platform").text
    assert "<b>ifms_platform</b>: does not work" in answer
    assert "user_search" in answer


@pytest.mark.parametrize("connection", ["ifms_treasury", "ifms_platform", "ifms_elasticsearch", "ifms_db"])
def test_one_that_leads_elsewhere_is_not_tried(
    api: Any, adapter: Adapter, monkeypatch: pytest.MonkeyPatch, connection: str
):
    name = f"AIRFLOW_CONN_{connection.upper()}"
    known = json.loads(os.environ.get(name, '{"conn_type": "elasticsearch"}'))
    scheme = "" if connection in ("ifms_elasticsearch", "ifms_db") else "https://"
    monkeypatch.setenv(name, json.dumps(known | {"host": f"{scheme}elsewhere.example", "port": 8443}))
    answer = tried(api, connection).text
    assert f"<b>{connection}</b>: does not work" in answer
    assert "elsewhere.example:8443 is no host that this installation may speak to: let IFMS_ALLOWED_HOSTS" in answer


def test_a_ledger_that_is_away_is_named_without_its_password(
    api: Any, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
):
    gone = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "x", "password": "sample-hidden"}
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_DB", json.dumps(gone))
    answer = tried(api, "ifms_db").text
    assert "<b>ifms_db</b>: does not work" in answer
    assert "sample-hidden" not in answer


def test_no_address_and_no_other_connection_can_be_given(api: Any, adapter: Adapter):
    for connection in ("airflow_db", "", "ifms_db?host=elsewhere"):
        assert tried(api, connection).status_code == 400
    elsewhere = tried(api, "ifms_platform", host="http://127.0.0.1:1", extra='{"hostaddr": "127.0.0.1"}')
    assert "<b>ifms_platform</b>: works" in elsewhere.text


@pytest.mark.parametrize("role", ["viewer", "user", "op"])
def test_only_an_administrator_may(api: Any, adapter: Adapter, role: str):
    browser = api(role, cookie=True)
    assert browser.get("/ifms/connections").status_code == 403
    assert browser.post("/ifms/connections", data={"connection": "ifms_treasury"}).status_code == 403
    assert "/ifms/connections" not in browser.get("/ifms/runs").text
    assert "/ifms/connections" in api("admin", cookie=True).get("/ifms/runs").text
