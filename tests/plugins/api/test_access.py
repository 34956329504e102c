"""Who gets what: every route for everybody, and what a page of another site can do with somebody's cookie."""

from __future__ import annotations

import json
import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from support.adapter import Adapter, Treasury
from support.api import REQUEST_INFO, ROLES, audited
from support.failed import failing, original, paid_and_failed

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]

EVERYBODY = (None, *ROLES)
READERS = {"viewer", "user", "op", "admin"}
ACTORS = {"user", "op", "admin"}
NUMBER = "PI-SA/2026-27/000001"
FORM = {"number": NUMBER, "token": "0" * 32}
SETTLED = {"number": NUMBER, "verdict": "accepted", "reason": "asked", "typed": NUMBER}
WAITS = {"city": "od.samplea", "number": "EP/0/none", "token": "0" * 32}
NOBODY = "00000000-0000-4000-8000-000000000000"

# Each route of the app: how it is asked, and who is let in. What is answered then is not looked at here.
ROUTES: dict[tuple[str, str], tuple[str, dict[str, Any], set[str]]] = {
    ("POST", "/pi/v1/_create"): ("", {"json": {"tenantId": "od.samplea", "referenceId": "EP/0/none"}}, ACTORS),
    ("POST", "/pi/v1/_search"): ("", {"json": {"searchCriteria": {"tenantId": "od.samplea"}}}, READERS),
    ("POST", "/funds/v1/_search"): ("", {"json": {"searchCriteria": {"tenantId": "od.samplea"}}}, READERS),
    ("POST", "/_scheduler"): ("?serviceId=PAG", {"json": {}}, ACTORS),
    ("POST", "/scheduler"): ("?serviceId=PAG", {"json": {}}, ACTORS),
    ("GET", "/"): ("", {}, READERS),
    ("GET", "/overview"): ("?sort=money", {}, READERS),
    ("GET", "/instructions"): ("", {}, READERS),
    ("GET", "/instructions.csv"): ("", {}, READERS),
    ("GET", "/instructions.xlsx"): ("", {}, READERS),
    ("GET", "/instruction"): (f"?number={NUMBER}", {}, READERS),
    ("GET", "/run"): ("?dag=ifms_pi&run=none", {}, READERS),
    ("GET", "/confirm"): (f"?number={NUMBER}&action=revise", {}, ACTORS),
    ("POST", "/act"): ("", {"data": FORM | {"action": "revise"}}, ACTORS),
    ("POST", "/accounts"): ("", {"data": {"number": NUMBER}}, set()),
    ("GET", "/settle"): (f"?number={NUMBER}", {}, ACTORS),
    ("POST", "/settle"): ("", {"data": SETTLED}, ACTORS),
    ("GET", "/cancel"): (f"?number={NUMBER}", {}, ACTORS),
    ("POST", "/cancel"): ("", {"data": {"number": NUMBER, "reason": "x", "typed": NUMBER}}, ACTORS),
    ("GET", "/sanctions"): ("", {}, READERS),
    ("POST", "/sanctions"): ("", {"data": {"sanction": NOBODY, "closed": "true", "reason": "x"}}, ACTORS),
    ("GET", "/bills"): ("", {}, READERS),
    ("POST", "/bills/confirm"): ("", {"data": {"numbers": "WB/0/none"}}, ACTORS),
    ("POST", "/bills"): ("", {"data": {"numbers": "WB/0/none", "token": "0" * 32}}, ACTORS),
    ("GET", "/waiting"): ("", {}, READERS),
    ("GET", "/waiting.csv"): ("", {}, READERS),
    ("GET", "/waiting.xlsx"): ("", {}, READERS),
    ("GET", "/waiting/payment"): ("?city=od.samplea&number=EP/0/none", {}, READERS),
    ("POST", "/waiting/again"): ("", {"data": WAITS}, ACTORS),
    ("GET", "/answers"): ("", {}, READERS),
    ("POST", "/answers"): ("", {"data": {"answer": NOBODY, "text": "x", "meaning": "no news", "reason": "x"}}, ACTORS),
    ("POST", "/answers/withdraw"): ("", {"data": {"phrase": NOBODY, "reason": "x"}}, ACTORS),
    ("POST", "/answers/ask"): ("", {"data": {"phrase": NOBODY, "service": "PIS", "token": "0" * 32}}, ACTORS),
    ("GET", "/register"): ("", {}, READERS),
    ("GET", "/register.csv"): ("", {}, READERS),
    ("GET", "/register.xlsx"): ("", {}, READERS),
    ("GET", "/register.pdf"): ("", {}, READERS),
    ("POST", "/register/report"): ("", {"data": {"year": "1999-00", "format": "pdf", "token": "0" * 32}}, ACTORS),
    ("GET", "/reports"): ("", {}, READERS),
    ("GET", "/reports/{folder}/{name}"): ("", {}, READERS),
    ("GET", "/runs"): ("", {}, READERS),
    ("GET", "/static/{name}"): ("", {}, READERS),
    ("GET", "/openapi.json"): ("", {}, READERS),
    ("GET", "/docs"): ("", {}, READERS),
}


def ask(client: Any, method: str, path: str) -> Any:
    query, options, _ = ROUTES[method, path]
    if "json" in options:
        options = {"json": {"RequestInfo": REQUEST_INFO, **options["json"]}}
    return client.request(method, f"/ifms{path.replace('{name}', 'ifms.css')}{query}", **options)


def test_the_matrix_has_every_route():
    from ifms_airflow.api.app import create_app

    app = create_app()
    mounted = {(m, r.path) for r in app.routes for m in getattr(r, "methods", ()) if m != "HEAD"}
    assert mounted == set(ROUTES)


@pytest.fixture
def failed_pi(adapter: Adapter) -> str:
    """A PI of which one payment has failed: viewers see it, others may have it revised."""
    paid_and_failed(adapter)
    assert original(adapter)["pi_number"] == NUMBER, "the first number of a new platform"
    return NUMBER


def test_every_route_for_everybody(api: Any, failed_pi: str):
    wrong = []
    for role in EVERYBODY:
        client = api(role)
        for (method, path), (_, _, allowed) in ROUTES.items():
            status = ask(client, method, path).status_code
            if role is None:
                fits = status == 401
            elif role in allowed:
                fits = status not in {401, 403} and status < 500
            else:
                fits = status == 403
            if not fits:
                wrong.append((role, method, path, status))
    assert wrong == []


def test_no_other_path_tells_anything(api: Any):
    for path in ("/redoc", "/docs/oauth2-redirect", "/static/..%2fapp.py", "/static/none", "/none"):
        assert api(None).get(f"/ifms{path}").status_code in {401, 404}
        assert api("admin").get(f"/ifms{path}").status_code == 404


def test_a_browser_that_nobody_knows_is_sent_to_the_login(api: Any):
    answer = api(None).get("/ifms/instructions", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/auth/login?next=")
    bad = api(None, headers={"Authorization": "Bearer nonsense"}).get("/ifms/instructions")
    assert bad.status_code in {401, 403}


POSTS = [path for (method, path) in ROUTES if method == "POST"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://elsewhere.invalid"},
        {"Origin": "null"},
        {"Origin": "http://testserver.elsewhere.invalid"},
        {"Origin": "https://testserver"},
        {"Origin": "http://testserver:8080"},
        {"Origin": "http://testserver", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://testserver", "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic dXNlcjpwYXNz"},
    ],
)
def test_a_cookie_alone_changes_nothing_from_elsewhere(
    api: Any, treasury: Treasury, failed_pi: str, airflow_db: str, headers: dict[str, str]
):
    client = api("admin", cookie=True)
    del client.headers["Origin"]
    client.headers.update(headers)
    before = audited(airflow_db)
    for path in POSTS:
        assert ask(client, "POST", path).status_code == 403, path
    assert audited(airflow_db) == before


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://testserver"}, {"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"}]
)
def test_our_own_pages_may(api: Any, failed_pi: str, adapter: Adapter, headers: dict[str, str]):
    client = api("admin", cookie=True)
    del client.headers["Origin"]
    client.headers.update(headers)
    token = uuid.uuid4().hex
    ticked = {"same_account": failing(adapter)}
    answer = client.post("/ifms/act", data={"number": failed_pi, "action": "revise", "token": token} | ticked)
    assert answer.status_code == 303, answer.text


def test_the_login_is_looked_at_once_in_a_request(api: Any, airflow_app: Any, monkeypatch: pytest.MonkeyPatch):
    manager, asked = airflow_app.state.auth_manager, []
    look = manager.get_user_from_token

    async def counted(token: str) -> Any:
        asked.append(token)
        return await look(token)

    monkeypatch.setattr(manager, "get_user_from_token", counted)
    for method, path in (("POST", "/pi/v1/_search"), ("GET", "/register.csv"), ("GET", "/settle"), ("POST", "/bills")):
        ask(api("user"), method, path)
        assert len(asked) == 1, path
        asked.clear()


def test_a_bearer_token_needs_no_origin(api: Any):
    answer = ask(api("admin", headers={"Origin": "https://elsewhere.invalid"}), "POST", "/pi/v1/_search")
    assert answer.status_code == 200


def test_no_get_changes_anything(api: Any, failed_pi: str, adapter: Adapter, airflow_db: str):
    def state() -> Any:
        tables = ("payment_instruction", "beneficiary", "payment", "status_log", "treasury_call", "outbox", "sweep_run",
                  "phrase", "unknown_answer")  # fmt: skip
        return {table: adapter.rows(f"SELECT * FROM ifms.{table} ORDER BY 1") for table in tables}

    before, said = state(), audited(airflow_db)
    client = api("admin", cookie=True)
    for method, path in ROUTES:
        if method == "GET":
            ask(client, method, path)
        elif ("GET", path) not in ROUTES:
            assert client.get(f"/ifms{path}?number={failed_pi}&action=revise").status_code == 405, path
    assert (state(), audited(airflow_db)) == (before, said)


def test_what_reads_cant_write(api: Any, failed_pi: str, airflow_app: Any):
    import psycopg

    api("admin").get("/ifms/instructions")
    app = next(route.app for route in airflow_app.routes if getattr(route, "path", "") == "/ifms")
    with (
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
        app.state.reads.connection() as connection,
    ):
        connection.execute("UPDATE ifms.payment SET hold_code = 'X'")


def test_pages_may_only_be_framed_by_airflow_and_load_nothing_from_elsewhere(api: Any, failed_pi: str):
    for path in ("/instructions", f"/instruction?number={NUMBER}", "/register", "/sanctions", "/runs", "/answers"):
        answer = api("viewer").get(f"/ifms{path}")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert " style=" not in answer.text
        assert " onclick=" not in answer.text


# Whole account numbers ----------------------------------------------------------------------------------------------


def accounts(adapter: Adapter) -> list[str]:
    from support.keys import account_numbers

    return list(account_numbers(adapter.dsn).values())


def test_whole_accounts_are_for_the_roles_that_may_see_them_and_each_look_is_recorded(
    api: Any, failed_pi: str, adapter: Adapter, airflow_db: str, monkeypatch: pytest.MonkeyPatch
):
    client = api("viewer", cookie=True)
    page = client.get("/ifms/instruction", params={"number": failed_pi}).text
    whole = accounts(adapter)
    assert len(whole) == 3
    assert not any(number in page for number in whole)
    assert all(f"********{number[-4:]}" in page for number in whole)
    for row in adapter.rows("SELECT ifsc FROM ifms.beneficiary"):
        assert row["ifsc"] not in page
        assert f"{row['ifsc'][:4]}*****{row['ifsc'][-2:]}" in page
    assert "Show whole account numbers" not in page
    before = audited(airflow_db)
    assert client.post("/ifms/accounts", data={"number": failed_pi}).status_code == 403
    assert audited(airflow_db) == before

    monkeypatch.setenv("IFMS_UNMASKED_ROLES", "auditors, Viewer")
    assert "Show whole account numbers" in client.get("/ifms/instruction", params={"number": failed_pi}).text
    shown = client.post("/ifms/accounts", data={"number": failed_pi})
    assert all(number in shown.text for number in whole)
    event, owner, dag_id, extra = audited(airflow_db)[0]
    assert (event, owner, dag_id) == ("ifms.accounts", "sample-viewer", "ifms_pi")
    assert json.loads(extra) == {"pi_number": failed_pi, "types": ["DEPT", "IND", "ORG"]}
    assert api("admin", cookie=True).post("/ifms/accounts", data={"number": failed_pi}).status_code == 403


@pytest.mark.parametrize(
    ("user", "types"),
    [
        (SimpleNamespace(), set()),
        (SimpleNamespace(role=None), set()),
        (SimpleNamespace(role="ADMIN"), set()),
        (SimpleNamespace(roles=[SimpleNamespace(name="View_WS_Unmasked")]), {"IND"}),
        (SimpleNamespace(roles=["VIEW_ORG_UNMASKED", "View_DED_Unmasked"]), {"ORG", "DEPT"}),
        (SimpleNamespace(roles=[SimpleNamespace(name="Auditor")]), {"IND", "ORG", "DEPT"}),
        (SimpleNamespace(roles=[None, SimpleNamespace(name=3)]), set()),
    ],
)
def test_which_accounts_a_role_sees(user: Any, types: set[str], monkeypatch: pytest.MonkeyPatch):
    from ifms_airflow.api.access import unmasked_types

    monkeypatch.setenv("IFMS_UNMASKED_ROLES", " auditor ,")
    assert unmasked_types(user) == types
    monkeypatch.delenv("IFMS_UNMASKED_ROLES")
    assert unmasked_types(SimpleNamespace(role="")) == set()
