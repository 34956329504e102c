"""DIGIT's users: known by the token in RequestInfo alone, for a minute, in the cities of their roles."""

from __future__ import annotations

import json
import uuid
from typing import Any

import psycopg
import pytest
from support.adapter import Adapter
from support.api import audited, none_waits, our_app, runs
from support.failed import original, paid_and_failed, wage_bill
from support.simulators import Simulators

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0})]

RIGHTS = "digit:BILL_ACCOUNTANT = act; digit:BILL_CREATOR = read"
ROUTES = (
    "/pi/v1/_search",
    "/funds/v1/_search",
    "/pi/v1/_create",
    "/_scheduler?serviceId=PAG",
    "/scheduler?serviceId=PAG",
)


@pytest.fixture
def _on(monkeypatch: pytest.MonkeyPatch, airflow_app: Any):
    monkeypatch.setenv("IFMS_DIGIT_LOGIN", "yes")
    monkeypatch.setenv("IFMS_RIGHTS", RIGHTS)
    our_app(airflow_app).state.digit_login._known.clear()


def logged_in(simulators: Simulators, *roles: tuple[str, str], **more: Any) -> str:
    """The token of a user of the platform who has these roles."""
    token = uuid.uuid4().hex
    given = [{"code": code, "name": code, "tenantId": tenant} for code, tenant in roles]
    user = {"uuid": str(uuid.uuid4()), "userName": "sample-clerk", "roles": given} | more
    known = simulators.ask_platform("GET", "settings")["user_tokens"]
    simulators.ask_platform("POST", "settings", {"user_tokens": known | {token: user}})
    return token


def asked(simulators: Simulators) -> int:
    return int(simulators.ask_platform("GET", "state")["calls"].get("user_details", 0))


def info(token: Any = None, **more: Any) -> dict[str, Any]:
    """A RequestInfo that claims all there is to claim, besides the token."""
    roles = [{"code": "SUPERUSER", "tenantId": "od"}, {"code": "BILL_ACCOUNTANT", "tenantId": "od"}]
    claimed = {"uuid": "u-1", "userName": "admin", "type": "SYSTEM", "roles": roles}
    return {"msgId": "1|en_IN", "userInfo": claimed} | ({} if token is None else {"authToken": token}) | more


def search(client: Any, token: Any, tenant: str = "od.samplea", **options: Any) -> Any:
    body = {"RequestInfo": info(token), "searchCriteria": {"tenantId": tenant}}
    return client.post("/ifms/pi/v1/_search", json=body, **options)


def test_off_unless_it_is_switched_on(api: Any, simulators: Simulators, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("IFMS_RIGHTS", RIGHTS)
    token = logged_in(simulators, ("BILL_ACCOUNTANT", "od"))
    for setting in (None, "", "no", "1"):
        monkeypatch.delenv("IFMS_DIGIT_LOGIN", raising=False)
        if setting is not None:
            monkeypatch.setenv("IFMS_DIGIT_LOGIN", setting)
        for path in ROUTES:
            assert api().post(f"/ifms{path}", json={"RequestInfo": info(token)}).status_code == 401
    assert asked(simulators) == 0


@pytest.mark.usefixtures("_on")
def test_a_reader_of_a_city_finds_what_is_there_and_in_no_other(api: Any, adapter: Adapter, simulators: Simulators):
    paid_and_failed(adapter)
    here = logged_in(simulators, ("BILL_CREATOR", "od.samplea"), ("CITIZEN", "od.sampleb"))
    there = logged_in(simulators, ("BILL_CREATOR", "od.sampleb"))
    assert [pi["jitBillNo"] for pi in search(api(), here).json()["paymentInstructions"]] == [
        original(adapter)["pi_number"]
    ]
    for token, tenant in ((there, "od.samplea"), (here, "od.sampleb")):
        answer = search(api(), token, tenant)
        assert answer.status_code == 200
        assert (answer.json()["paymentInstructions"], answer.json()["totalCount"]) == ([], 0)
    body = {"RequestInfo": info(there), "searchCriteria": {"piNumber": original(adapter)["pi_number"]}}
    assert api().post("/ifms/pi/v1/_search", json=body).json()["paymentInstructions"] == []


@pytest.mark.usefixtures("_on")
def test_nothing_of_request_info_is_believed(api: Any, simulators: Simulators):
    nobody = logged_in(simulators)
    assert search(api(), nobody).status_code == 403, "its roles are the platform's, not the body's"
    gone = logged_in(simulators, ("BILL_ACCOUNTANT", "od"), active=False)
    for token in (gone, "unknown", "", " ", "x" * 5000, "a b", "é", 7, None, ["x"], {"a": 1}):
        answer = search(api(), token)
        assert answer.status_code == 401, token
        assert answer.json()["Errors"][0]["code"] == "NOT_LOGGED_IN"
    for body in ({}, [], {"RequestInfo": None}, {"RequestInfo": "x"}, {"authToken": nobody}):
        assert api().post("/ifms/pi/v1/_search", json=body).status_code == 401
    for text in ("", "{", '"x"', "\xff"):
        assert api().post("/ifms/pi/v1/_search", content=text.encode("latin-1")).status_code in {400, 401}


@pytest.mark.usefixtures("_on")
def test_who_acts_does_so_in_the_cities_of_that_role(
    api: Any, adapter: Adapter, simulators: Simulators, airflow_db: str
):
    paid_and_failed(adapter)
    pi = original(adapter)
    token = logged_in(simulators, ("BILL_ACCOUNTANT", "od.samplea"), ("BILL_CREATOR", "od.sampleb"))
    other = logged_in(simulators, ("BILL_ACCOUNTANT", "od.sampleb"))

    def create(token: str, **body: Any) -> Any:
        return api().post("/ifms/pi/v1/_create", json={"RequestInfo": info(token), **body})

    mine = create(token, tenantId="od.samplea", referenceId=pi["payment_number"])
    assert mine.json()["Errors"][0]["code"] == "PI_DUPLICATE_ERROR"
    assert audited(airflow_db)[0][:2] == ("ifms.create", "digit:sample-clerk")
    for asked_for in ({"referenceId": pi["payment_number"]}, {"parentPI": pi["pi_number"]}):
        theirs = create(other, tenantId="od.samplea", **asked_for).json()["Errors"][0]
        none = create(token, tenantId="od.samplea", **dict.fromkeys(asked_for, "X/1")).json()["Errors"][0]
        value = next(iter(asked_for.values()))
        assert (theirs["code"], theirs["message"].replace(value, "X/1")) == (none["code"], none["message"])
    assert create(token, tenantId="od.sampleb", referenceId="EP/0/none").status_code == 403
    reader = logged_in(simulators, ("BILL_CREATOR", "od.samplea"))
    assert create(reader, tenantId="od.samplea", referenceId=pi["payment_number"]).status_code == 403


@pytest.mark.usefixtures("_on")
def test_who_has_asked_for_a_pi_has_created_it(api: Any, adapter: Adapter, simulators: Simulators):
    wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    [payment] = adapter.rows("SELECT payment_number FROM ifms.payment")
    clerk = str(uuid.uuid4())
    token = logged_in(simulators, ("BILL_ACCOUNTANT", "od.samplea"), uuid=clerk)
    body = {"RequestInfo": info(token), "tenantId": "od.samplea", "referenceId": payment["payment_number"]}
    made = api().post("/ifms/pi/v1/_create", json=body).json()["paymentInstruction"]
    assert made["auditDetails"]["createdBy"] == clerk
    [found] = search(api(), token).json()["paymentInstructions"]
    assert found["auditDetails"]["createdBy"] == clerk
    assert found["auditDetails"]["lastModifiedBy"] == "ifms-adapter"
    with psycopg.connect(adapter.dsn) as connection, pytest.raises(psycopg.Error, match="stays on record"):
        connection.execute("UPDATE ifms.payment_instruction SET asked_by = 'u-2'")


@pytest.mark.usefixtures("_on")
def test_the_cron_image_starts_runs_for_all_cities_with_a_role_of_the_states(
    api: Any, simulators: Simulators, airflow_db: str
):
    none_waits(airflow_db, "ifms_pag")
    path, before = "/ifms/_scheduler?serviceId=PAG", len(runs(airflow_db, "ifms_pag"))
    city = logged_in(simulators, ("BILL_ACCOUNTANT", "od.samplea"))
    assert api().post(path, json={"RequestInfo": info(city)}).status_code == 403
    assert len(runs(airflow_db, "ifms_pag")) == before
    state = logged_in(simulators, ("BILL_ACCOUNTANT", "od"))
    answer = api().post(path, json={"RequestInfo": info(state)})
    assert answer.status_code == 200
    assert runs(airflow_db, "ifms_pag")[0]["triggering_user_name"] == "digit:sample-clerk"


@pytest.mark.usefixtures("_on")
def test_the_pages_and_the_description_are_not_for_them(api: Any, simulators: Simulators):
    token = logged_in(simulators, ("BILL_ACCOUNTANT", "od"))
    for path in ("/instructions", "/openapi.json", "/runs", "/register.csv"):
        assert api().get(f"/ifms{path}").status_code == 401
        assert api().request("GET", f"/ifms{path}", json={"RequestInfo": info(token)}).status_code == 401
    for path in ("/act", "/accounts", "/settle", "/bills", "/answers"):
        assert api().post(f"/ifms{path}", json={"RequestInfo": info(token)}).status_code == 401


@pytest.mark.usefixtures("_on")
def test_who_shows_airflow_something_is_known_by_that_alone(api: Any, simulators: Simulators):
    token = logged_in(simulators, ("BILL_ACCOUNTANT", "od"))
    assert search(api(headers={"Authorization": "Bearer nonsense"}), token).status_code in {401, 403}
    assert search(api(headers={"Authorization": "Basic dXNlcjpwYXNz"}), token).status_code == 401
    browser = api()
    browser.cookies.set("_token", "nonsense")
    assert search(browser, token).status_code in {401, 403}
    page_elsewhere = api("admin", cookie=True)
    page_elsewhere.headers["Origin"] = "https://elsewhere.invalid"
    assert search(page_elsewhere, token).status_code == 403
    assert asked(simulators) == 0


@pytest.mark.usefixtures("_on")
def test_what_the_platform_says_is_kept_for_a_minute(api: Any, simulators: Simulators, monkeypatch: pytest.MonkeyPatch):
    from ifms_airflow.api import digit_login

    token = logged_in(simulators, ("BILL_CREATOR", "od.samplea"))
    assert [search(api(), token).status_code for _ in range(3)] == [200, 200, 200]
    assert asked(simulators) == 1
    assert search(api(), "unknown").status_code == 401
    known = simulators.ask_platform("GET", "settings")["user_tokens"]
    simulators.ask_platform("POST", "settings", {"user_tokens": {"unknown": known[token]}})
    assert [search(api(), each).status_code for each in (token, "unknown")] == [200, 401]
    assert asked(simulators) == 1
    at = digit_login.time.monotonic
    monkeypatch.setattr(digit_login.time, "monotonic", lambda: at() + digit_login.KNOWN_SECONDS)
    assert [search(api(), each).status_code for each in (token, "unknown")] == [401, 200]


@pytest.mark.usefixtures("_on")
def test_what_is_kept_is_bounded_and_no_token(
    api: Any, airflow_app: Any, simulators: Simulators, monkeypatch: pytest.MonkeyPatch
):
    from ifms_airflow.api import digit_login

    monkeypatch.setattr(digit_login, "MOST_KNOWN", 2)
    token = logged_in(simulators, ("BILL_CREATOR", "od.samplea"))
    for each in ("unknown-1", "unknown-2", token):
        search(api(), each)
    known = our_app(airflow_app).state.digit_login._known
    assert len(known) == 2
    assert token.encode() not in known


@pytest.mark.usefixtures("_on")
def test_without_the_platform_nobody_is_let_in_and_no_token_is_told(
    api: Any, simulators: Simulators, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
):
    for effect, status in (
        ({"effect": "http_status", "status": 503}, 503),
        ({"effect": "errors"}, 401),
        ({"effect": "html"}, 401),
    ):
        simulators.ask_platform("POST", "rules", {"service": "user_details", **effect})
        token = f"sample-{uuid.uuid4().hex}"
        answer = search(api(), token)
        assert answer.status_code == status
        simulators.ask_platform("DELETE", "rules")
        told = answer.text + caplog.text + capsys.readouterr().out
        assert token not in told


@pytest.mark.usefixtures("_on")
def test_a_body_of_somebody_unknown_is_bounded(api: Any, simulators: Simulators):
    large = json.dumps({"RequestInfo": {"authToken": "x", "pad": "y" * 1_100_000}})
    deep = '{"RequestInfo": ' + "[" * 100 + "]" * 100 + "}"
    assert api().post("/ifms/pi/v1/_search", content=large).status_code == 413
    assert api().post("/ifms/pi/v1/_search", content=deep).status_code == 400
    assert asked(simulators) == 0
