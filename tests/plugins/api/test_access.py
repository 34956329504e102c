"""Who gets what: every route for everybody, and what a page of another site can do with somebody's cookie."""

from __future__ import annotations

import html
import json
import re
import uuid
from typing import Any
from urllib.parse import unquote, urlencode

import pytest
from support import figures
from support.adapter import Adapter, Treasury
from support.api import REQUEST_INFO, ROLES, audited
from support.failed import failing, original, paid_and_failed

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}, after=paid_and_failed),
]

EVERYBODY = (None, *ROLES)
MATRIX = "answers by route, role and cities"
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
    ("POST", "/instructions/searches"): ("", {"data": {"name": "x", "query": "tab=open"}}, READERS),
    ("POST", "/instructions/searches/remove"): ("", {"data": {"search": NOBODY}}, READERS),
    ("GET", "/instruction"): (f"?number={NUMBER}", {}, READERS),
    ("GET", "/run"): ("?dag=ifms_pi&run=none", {}, READERS),
    ("GET", "/confirm"): (f"?number={NUMBER}&action=revise", {}, ACTORS),
    ("POST", "/act"): ("", {"data": FORM | {"action": "revise"}}, ACTORS),
    ("POST", "/accounts"): ("", {"data": {"number": NUMBER}}, set()),
    ("POST", "/call"): ("", {"data": {"call": NOBODY}}, ACTORS),
    ("GET", "/settle"): (f"?number={NUMBER}", {}, ACTORS),
    ("POST", "/settle"): ("", {"data": SETTLED}, ACTORS),
    ("GET", "/cancel"): (f"?number={NUMBER}", {}, ACTORS),
    ("POST", "/cancel"): ("", {"data": {"number": NUMBER, "reason": "x", "typed": NUMBER}}, ACTORS),
    ("GET", "/sanctions"): ("", {}, READERS),
    ("POST", "/sanctions"): ("", {"data": {"sanction": NOBODY, "closed": "true", "reason": "x"}}, ACTORS),
    ("GET", "/proposals"): ("", {}, READERS),
    ("POST", "/proposals/adopt"): ("", {"data": {"tenant": "od.samplea", "reason": "x"}}, ACTORS),
    ("POST", "/proposals/release"): ("", {"data": {"number": NUMBER, "reason": "x"}}, ACTORS),
    ("GET", "/proposal"): (f"?id={NOBODY}", {}, READERS),
    ("POST", "/proposal/approve"): ("", {"data": {"id": NOBODY}}, {"admin"}),
    ("POST", "/proposal/refuse"): ("", {"data": {"id": NOBODY, "reason": "x"}}, ACTORS),
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
    ("GET", "/failures"): ("", {}, READERS),
    ("POST", "/failures/transfer"): ("", {"data": {"id": NOBODY, "paid": "true", "reason": "x"}}, ACTORS),
    ("POST", "/failures/reported"): ("", {"data": {"id": NOBODY, "reason": "x"}}, ACTORS),
    ("POST", "/failures/beneficiary"): ("", {"data": {"id": NOBODY, "reason": "x"}}, ACTORS),
    ("GET", "/register"): ("", {}, READERS),
    ("GET", "/register.csv"): ("", {}, READERS),
    ("GET", "/register.xlsx"): ("", {}, READERS),
    ("GET", "/register.pdf"): ("", {}, READERS),
    ("POST", "/register/report"): ("", {"data": {"year": "1999-00", "format": "pdf", "token": "0" * 32}}, ACTORS),
    ("GET", "/reports"): ("", {}, READERS),
    ("GET", "/reports/{folder}/{name}"): ("", {}, READERS),
    ("GET", "/runs"): ("", {}, READERS),
    ("GET", "/connections"): ("", {}, {"admin"}),
    ("POST", "/connections"): ("", {"data": {"connection": "ifms_kafka"}}, {"admin"}),
    ("GET", "/static/{name}"): ("", {}, READERS),
    ("POST", "/language"): ("", {"data": {"language": "en"}}, READERS),
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
    assert original(adapter)["pi_number"] == NUMBER, "the first number of a new platform"
    return NUMBER


@pytest.mark.tier("prove")
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
    figures.add(MATRIX, len(EVERYBODY) * len(ROUTES))


# Cities -------------------------------------------------------------------------------------------------------------

EVERYWHERE = {
    *(("POST", f"/{path}") for path in ("_scheduler", "scheduler", "answers", "answers/withdraw", "proposals/release")),
}
"""What is done in all cities at once."""
OF_ONE = {
    (method, path) for method, path in ROUTES if path in {"/instruction", "/confirm", "/act", "/settle", "/cancel"}
}
OPEN_TO_ALL = {("GET", "/static/{name}"), ("POST", "/language")}


def rights_in(cities: str) -> str:
    """IFMS_RIGHTS that lets viewers read, and users and operators act, in these cities."""
    acts = {"Viewer": ("read", "accounts"), "User": ("act", "accounts"), "Op": ("act",)}
    given = {role: " ".join(f"{city}:{act}" for city in cities.split() for act in each) for role, each in acts.items()}
    return "; ".join(f"role:{role} = {words}" for role, words in given.items() if words)


@pytest.mark.tier("prove")
@pytest.mark.parametrize(
    "cities", ["", "od.sampleb", "od.sampleb od.samplec", "od.samplea", "od.samplea od.sampleb", "*"]
)
def test_every_route_for_everybody_in_each_city(api: Any, failed_pi: str, monkeypatch: pytest.MonkeyPatch, cities: str):
    monkeypatch.setenv("IFMS_RIGHTS", rights_in(cities))
    here, wrong = "od.samplea" in cities or cities == "*", []
    for role in ROLES:
        client = api(role)
        for (method, path), (_, _, allowed) in ROUTES.items():
            status = ask(client, method, path).status_code
            if (method, path) in OPEN_TO_ALL:
                fits = status not in {401, 403}
            elif role == "admin":
                fits = status < 500 and (status not in {401, 403} or role not in allowed)
            elif path == "/confirm" and cities and not here:
                fits = status == 404  # what is asked about is looked for first
            elif role not in allowed or not cities or ((method, path) in EVERYWHERE and cities != "*"):
                fits = status == 403
            elif (method, path) in OF_ONE and not here:
                fits = status == 404
            else:
                fits = status not in {401, 403} and status < 500
            if not fits:
                wrong.append((role, method, path, status))
    assert wrong == []
    figures.add(MATRIX, len(ROLES) * len(ROUTES))


@pytest.mark.parametrize("role", ["viewer", "user"])
@pytest.mark.parametrize("cookie", [False, True])
def test_what_is_of_another_city_is_answered_as_if_it_did_not_exist(
    api: Any, failed_pi: str, adapter: Adapter, monkeypatch: pytest.MonkeyPatch, role: str, cookie: bool
):
    """Whatever of another city is named in an address, a form or a body: the answer is that to a name of nothing."""
    [sanction] = adapter.rows("SELECT id, hoa_code, ddo_code, master_allotment_id FROM ifms.sanction LIMIT 1")
    [pi] = adapter.rows("SELECT * FROM ifms.payment_instruction WHERE pi_number = %s", failed_pi)
    monkeypatch.setenv("IFMS_RIGHTS", rights_in("od.sampleb"))
    monkeypatch.setenv("IFMS_UNMASKED_ROLES", "Viewer, User")
    client = api(role, cookie=cookie)
    [payee] = adapter.rows("SELECT id FROM ifms.failed_beneficiary")
    told = {
        str(payee["id"]): NOBODY,
        "PI-SA/2026-27/000001": "PI-SA/2026-27/999999",
        pi["payment_number"]: "EP/0/2024-25/06/01/999999",
        str(pi["id"]): NOBODY,
        str(sanction["id"]): NOBODY,
        sanction["hoa_code"]: "9" * len(sanction["hoa_code"]),
        sanction["ddo_code"]: "9" * len(sanction["ddo_code"]),
        sanction["master_allotment_id"]: "9" * len(sanction["master_allotment_id"]),
        pi["additional_details"]["billNumber"][0]: "WB/2024-25/999999",
        "od.samplea": "od.nowhere",
    }
    number, bill = failed_pi, pi["additional_details"]["billNumber"][0]
    token = {"token": uuid.uuid4().hex}
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", f"/instruction?number={number}", {}),
        ("GET", f"/settle?number={number}", {}),
        ("GET", f"/cancel?number={number}", {}),
        *(("GET", f"/confirm?number={number}&action={name}", {}) for name in ("resubmit", "revise", "repay")),
        *(("POST", "/act", {"number": number, "action": name} | token) for name in ("refresh", "resubmit", "revise")),
        ("POST", "/accounts", {"number": number}),
        ("POST", "/settle", SETTLED),
        ("POST", "/cancel", {"number": number, "reason": "x", "typed": number}),
        ("POST", "/sanctions", {"sanction": str(sanction["id"]), "closed": "true", "reason": "x"}),
        (
            "POST",
            "/sanctions",
            {"sanction": str(sanction["id"]), "closed": "true", "reason": "x", "city": "od.samplea"},
        ),
        ("GET", "/sanctions?city=od.samplea", {}),
        *(
            ("GET", f"/instructions{kind}?tab=open&{what}", {})
            for kind in ("", ".csv")
            for what in (
                f"number={number}",
                f"bill={bill}",
                f"payment={pi['payment_number']}",
                "city=od.samplea",
                "status=PARTIAL",
                "type=ORIGINAL&sort=created_asc",
            )
        ),
        ("GET", "/instructions?sort=updated_desc", {}),
        *(("GET", f"/register{kind}?year=2026-27&city=od.samplea", {}) for kind in ("", ".csv", ".xlsx", ".pdf")),
        *(("GET", f"/register{kind}?hoa={sanction['hoa_code']}", {}) for kind in ("", ".csv", ".xlsx", ".pdf")),
        ("GET", "/runs", {}),
        ("GET", "/answers", {}),
        ("GET", "/failures", {}),
        ("GET", f"/failures?number={number}&city=od.samplea", {}),
        ("POST", "/failures/beneficiary", {"id": str(payee["id"]), "reason": "x"}),
        ("GET", "/bills", {}),
        ("GET", "/reports", {}),
    ]
    bodies = (
        [
            ("/pi/v1/_search", {"searchCriteria": {name: value}})
            for name, value in {
                "tenantId": "od.samplea",
                "piNumber": number,
                "muktaReferenceId": pi["payment_number"],
                "ids": [str(pi["id"])],
                "piStatus": "PARTIAL",
            }.items()
        ]
        + [
            ("/funds/v1/_search", {"searchCriteria": {name: value}})
            for name, value in {
                "tenantId": "od.samplea",
                "ids": [str(sanction["id"])],
                "hoaCode": sanction["hoa_code"],
                "ddoCode": sanction["ddo_code"],
                "masterAllotmentId": sanction["master_allotment_id"],
            }.items()
        ]
        + [
            ("/pi/v1/_create", {"tenantId": "od.samplea", "referenceId": pi["payment_number"]}),
            ("/pi/v1/_create", {"tenantId": "od.samplea", "parentPI": number}),
            ("/pi/v1/_create", {"payment": {"tenantId": "od.samplea", "paymentNumber": pi["payment_number"]}}),
        ]
    )

    def other(value: str) -> str:
        for real, nothing in told.items():
            value = value.replace(real, nothing)
        return value

    def said(method: str, path: str, data: str, kind: str) -> tuple[int, str]:
        sent: dict[str, Any] = {"content": data, "headers": {"Content-Type": kind}} if data else {}
        answer = client.request(method, f"/ifms{path}", **sent)
        text = answer.text if answer.headers["content-type"].startswith(("text", "application/json")) else ""
        text = re.sub(r'(?s)<select[^>]*name="hoa".*?</select>', "", text)  # heads of the configuration, in no city
        text = re.sub(r'<input type="hidden" name="next"[^>]*>', "", text)  # the address that was asked for
        return answer.status_code, re.sub(r"[0-9a-f]{32}|\d{13}", "", text)

    before = audited_state(adapter)
    for method, path, form in asked:
        data = urlencode(form)
        real = said(method, path, data, "application/x-www-form-urlencoded")
        nothing = said(
            method, other(path), urlencode({k: other(v) for k, v in form.items()}), "application/x-www-form-urlencoded"
        )
        assert (real[0], other(html.unescape(unquote(real[1])))) == (nothing[0], html.unescape(unquote(nothing[1]))), (
            path
        )
    for path, body in bodies:
        whole = json.dumps({"RequestInfo": REQUEST_INFO, **body})
        real, nothing = (said("POST", path, each, "application/json") for each in (whole, other(whole)))
        assert (real[0], other(real[1])) == nothing, body
        if path.endswith("_search"):
            assert real[0] == 200
            assert number not in real[1]
    assert audited_state(adapter) == before


def audited_state(adapter: Adapter) -> Any:
    tables = (
        "payment_instruction",
        "beneficiary",
        "sanction",
        "status_log",
        "treasury_call",
        "sweep_run",
        "started_run",
    )
    return {table: adapter.rows(f"SELECT * FROM ifms.{table} ORDER BY 1") for table in tables}


def test_who_may_read_in_a_city_and_not_act_is_told_so(api: Any, failed_pi: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("IFMS_RIGHTS", "role:User = od.samplea:read od.sampleb:act")
    client = api("user", cookie=True)
    page = client.get(f"/ifms/instruction?number={failed_pi}")
    assert page.status_code == 200
    assert "/ifms/confirm" not in page.text
    assert client.post("/ifms/act", data=FORM | {"action": "revise"}).status_code == 403
    assert client.post("/ifms/settle", data=SETTLED).status_code == 403
    answer = api("user").post(
        "/ifms/pi/v1/_create", json={"RequestInfo": REQUEST_INFO, "tenantId": "od.samplea", "parentPI": failed_pi}
    )
    assert answer.status_code == 403


def test_whole_accounts_are_open_by_city(api: Any, failed_pi: str, adapter: Adapter, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("IFMS_UNMASKED_ROLES", "Viewer")
    client = api("viewer", cookie=True)
    whole = accounts(adapter)
    for words, status in (
        ("od.samplea:read", 403),
        ("od.samplea:read od.sampleb:accounts", 403),
        ("od.sampleb:accounts", 404),
        ("od.samplea:accounts", 200),
    ):
        monkeypatch.setenv("IFMS_RIGHTS", f"role:Viewer = {words}")
        answer = client.post("/ifms/accounts", data={"number": failed_pi})
        assert answer.status_code == status, words
        assert any(number in answer.text for number in whole) == (status == 200)
        page = client.get(f"/ifms/instruction?number={failed_pi}").text
        assert ("Show whole account numbers" in page) == (status == 200)
    [look] = adapter.rows("SELECT person, tenant_id, subject FROM ifms.person_action WHERE action = 'accounts'")
    assert (look["person"], look["tenant_id"]) == ("sample-viewer", "od.samplea")
    assert failed_pi in look["subject"]


def test_a_mapping_that_is_none_lets_nobody_in_and_says_which_setting(
    api: Any, failed_pi: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("IFMS_RIGHTS", "role:User = all")
    answer = api("user").get("/ifms/instructions")
    assert answer.status_code in {400, 503}
    assert "IFMS_RIGHTS" in answer.text


def test_every_route_is_told_the_cities():
    """Whatever shows or does something takes `Entitled`, and passes it on; these have nothing of a city."""
    from ifms_airflow.api.access import _entitled
    from ifms_airflow.api.app import create_app

    def takes(dependant: Any) -> bool:
        return any(each.call is _entitled for each in dependant.dependencies)

    without = set()
    for route in create_app().routes:
        if getattr(route, "dependant", None) is not None and not takes(route.dependant):
            without |= {(method, route.path) for method in route.methods}
    administrators = {("GET", "/connections"), ("POST", "/connections")}
    assert without == OPEN_TO_ALL | {("GET", "/openapi.json"), ("GET", "/docs")} | administrators


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
        tables = (
            "payment_instruction",
            "beneficiary",
            "payment",
            "status_log",
            "treasury_call",
            "outbox",
            "sweep_run",
            "phrase",
            "unknown_answer",
        )
        return {table: adapter.rows(f"SELECT * FROM ifms.{table} ORDER BY 1") for table in tables}

    def said() -> Any:
        return [event for event in audited(airflow_db) if "ifms.export" not in event]  # a file says who took it

    before = state(), said()
    client = api("admin", cookie=True)
    for method, path in ROUTES:
        if method == "GET":
            ask(client, method, path)
        elif ("GET", path) not in ROUTES:
            assert client.get(f"/ifms{path}?number={failed_pi}&action=revise").status_code == 405, path
    assert (state(), said()) == before


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
    assert not any(re.search(rf"\b{number}\b", page) for number in whole)
    assert all(f"********{number[-4:]}" in page for number in whole)
    for row in adapter.rows("SELECT ifsc FROM ifms.beneficiary"):
        assert row["ifsc"] in page  # it names a branch, not a person
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
    ("roles", "types"),
    [
        ((), set()),
        (("ADMIN",), set()),
        (("View_WS_Unmasked",), {"IND"}),
        (("VIEW_ORG_UNMASKED", "View_DED_Unmasked"), {"ORG", "DEPT"}),
        (("Auditor",), {"IND", "ORG", "DEPT"}),
    ],
)
def test_which_accounts_a_role_sees(roles: tuple[str, ...], types: set[str], monkeypatch: pytest.MonkeyPatch):
    from ifms_airflow.api.access import unmasked_types

    monkeypatch.setenv("IFMS_UNMASKED_ROLES", " auditor ,")
    assert unmasked_types(frozenset(roles)) == types
    monkeypatch.delenv("IFMS_UNMASKED_ROLES")
    assert unmasked_types(frozenset({""})) == set()


def test_a_session_that_the_auth_manager_knows_nobody_by_is_no_login(
    api: Any, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
):
    """Keycloak's auth manager says None of a cookie of Airflow's that comes without a token of the same person's."""
    from ifms_airflow.api import access

    async def nobody(*_: object) -> None:
        return None

    monkeypatch.setattr(access, "get_user", nobody)
    assert api("admin").post("/ifms/pi/v1/_search", json={}).status_code == 401
    assert api("admin", cookie=True).get("/ifms/instructions").status_code == 303
