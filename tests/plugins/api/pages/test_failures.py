"""The page of failures: what waits for a person is shown by kind, and settled under a name, with a reason."""

from __future__ import annotations

import json
import re
from typing import Any

import psycopg
import pytest
from support import second_person
from support.adapter import Adapter
from support.api import audited
from support.failed import TENANT, failing, mend, original, paid_and_failed, revisions

from ifms_airflow.api.pages import failures as failures_page

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}, after=paid_and_failed),
]

NOBODY = "00000000-0000-4000-8000-000000000000"
ACTS = {"transfer": {"paid": "false"}, "reported": {}, "beneficiary": {}}


@pytest.fixture
def ids(adapter: Adapter) -> dict[str, str]:
    """One of each kind, by its id: of the failed beneficiary another transfer is told, and of the PI a failure."""
    [number] = failing(adapter)
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute(
            "INSERT INTO ifms.other_transfer (beneficiary_row, utr_number, voucher_number, voucher_date)"
            " SELECT id, 'RBI<OTHER', 'V77', '2026-06-01' FROM ifms.failed_beneficiary WHERE beneficiary_number = %s",
            (number,),
        )
        for bill in (original(adapter)["pi_number"], "PI-XX/1"):
            connection.execute(
                "INSERT INTO ifms.reported_failure (bill_number, beneficiary_id, voucher_date, why_unmatched, reason)"
                " VALUES (%s, 'BN-XX/7', '2026-06-01', 'names <nobody> of it', 'account 123456789012 is dormant')",
                (bill,),
            )
    ours = "SELECT id FROM ifms.unmatched_failure WHERE tenant_id"
    found = {
        "transfer": "SELECT id FROM ifms.other_transfer",
        "reported": f"{ours} IS NOT NULL",
        "foreign": f"{ours} IS NULL",
        "beneficiary": "SELECT id FROM ifms.failed_beneficiary",
    }
    return {kind: str(adapter.rows(query)[0]["id"]) for kind, query in found.items()}


def settle(browser: Any, kind: str, row_id: str, **changes: str) -> Any:
    data = {"id": row_id, "reason": "the treasury\n was asked", **ACTS[kind]} | changes
    return browser.post(f"/ifms/failures/{kind}", data=data)


def settled(adapter: Adapter) -> list[Any]:
    return [
        adapter.rows("SELECT id, settled_by, settled_reason, has_paid FROM ifms.other_transfer ORDER BY 1"),
        adapter.rows("SELECT id, settled_by, settled_reason FROM ifms.reported_failure ORDER BY 1"),
        adapter.rows("SELECT closed_by, reason FROM ifms.closed_failure"),
    ]


def test_what_waits_is_shown_and_who_only_reads_settles_none(api: Any, adapter: Adapter, ids: dict[str, str]):
    [number] = failing(adapter)
    pi_number = original(adapter)["pi_number"]
    shown = api("viewer", cookie=True).get("/ifms/failures").text
    for text in (
        "RBI&lt;OTHER",
        "Voucher V77, 1 Jun 2026",
        "Payment Failed",
        number,
        pi_number,
        TENANT,
        "PI-XX/1",
        "of no city",
        "names &lt;nobody&gt; of it",
        "is dormant",
        "Nothing, before the other transfer is settled",
    ):
        assert text in shown, text
    assert "123456789012" not in shown
    assert "/ifms/failures/" not in shown, "a viewer is offered no act"
    mine = api("user", cookie=True).get("/ifms/failures").text
    assert [mine.count(f'action="/ifms/failures/{kind}"') for kind in ACTS] == [1, 2, 1]


def test_it_is_found_by_city_and_number(api: Any, adapter: Adapter, ids: dict[str, str]):
    browser = api("viewer", cookie=True)

    def found(**query: str) -> list[int]:
        text = browser.get("/ifms/failures", params=query).text
        return [int(n) for n in re.findall(r'<h2 id="h-\w+">[^<]*<span class="sub">(\d+)', text)]

    assert found() == [1, 2, 1]
    assert found(city=TENANT) == [1, 1, 1]
    assert found(city="od.other") == [0, 0, 0]
    assert found(number=f" {original(adapter)['pi_number']} ") == [1, 1, 1]
    assert found(number="PI-XX/1") == [0, 1, 0]
    assert found(settled="true") == [0, 0, 0]


def test_more_than_is_shown_is_said(api: Any, adapter: Adapter, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(failures_page, "MOST_ROWS", 1)
    shown = api("viewer", cookie=True).get("/ifms/failures").text
    assert shown.count("The first 1 are shown") == 1
    assert '<span class="sub">1+</span>' in shown


@pytest.mark.parametrize(
    ("kind", "done"), [("transfer", "transfer"), ("reported", "reported"), ("beneficiary", "unpaid")]
)
def test_each_is_settled_under_a_name_and_kept_as_such(
    api: Any, adapter: Adapter, airflow_db: str, ids: dict[str, str], kind: str, done: str
):
    browser = api("user", cookie=True)
    answer = settle(browser, kind, ids[kind], city=TENANT)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/ifms/failures?city={TENANT}&done={done}")
    there = browser.get(answer.headers["location"]).text
    assert "under your name" in there
    assert ids[kind] not in there
    then = browser.get("/ifms/failures", params={"settled": "true"}).text
    assert "sample-user, " in then
    assert "the treasury was asked" in then
    assert f"/ifms/failures/{kind}" not in then
    event, owner, dag_id, extra = audited(airflow_db)[0]
    assert (event, owner, dag_id) == (f"ifms.failure_{done}_settled", "sample-user", "ifms_pi")
    assert json.loads(extra)["reason"] == "the treasury was asked"
    assert adapter.rows("SELECT tenant_id, person, reason FROM ifms.person_action ORDER BY id DESC LIMIT 1") == [
        {"tenant_id": TENANT, "person": "sample-user", "reason": "the treasury was asked"}
    ]
    before = settled(adapter)
    again = settle(browser, kind, ids[kind], reason="another")
    assert (again.status_code, "has been settled since" in again.text) == (409, True)
    assert settled(adapter) == before


@pytest.mark.parametrize("paid", ["true", "false"])
def test_who_has_failed_is_corrected_only_when_the_other_transfer_has_not_paid(
    api: Any, adapter: Adapter, ids: dict[str, str], paid: str
):
    mend(adapter)
    assert settle(api("user", cookie=True), "transfer", ids["transfer"], paid=paid).status_code == 303
    adapter.correct()
    assert len(revisions(adapter)) == (1 if paid == "false" else 0)
    now = api("viewer", cookie=True).get("/ifms/failures").text
    assert ("another transfer has paid. Close it" in now) is (paid == "true")
    there = api("viewer", cookie=True).get("/ifms/failures", params={"settled": "true"}).text
    assert f"<b>{'It has paid' if paid == 'true' else 'It has not paid'}</b>" in there


@pytest.mark.parametrize("client", ["user", "admin"])
def test_that_a_transfer_has_not_paid_is_proposed_where_it_needs_two(
    api: Any, adapter: Adapter, airflow_db: str, ids: dict[str, str], client: str
):
    browser, before = api(client, cookie=True), settled(adapter)
    assert "needs a second person" not in browser.get("/ifms/failures").text
    second_person.needed(adapter.dsn)
    assert browser.get("/ifms/failures").text.count("needs a second person") == 1
    missing = settle(browser, "transfer", ids["transfer"], reason=" \n")
    assert (missing.status_code, "A reason is missing" in missing.text) == (400, True)
    assert adapter.rows("SELECT FROM ifms.proposal") == []
    answer = settle(browser, "transfer", ids["transfer"], reason="asked by\n phone")
    [made] = adapter.rows("SELECT * FROM ifms.proposal")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/ifms/proposal?id={made['id']}")
    assert (made["act"], made["subject"], made["tenant_id"]) == ("transfer", ids["transfer"], TENANT)
    [row] = adapter.rows("SELECT * FROM ifms.doubtful_transfer")
    assert (made["amount"], made["reason"], made["proposed_by"]) == (
        row["amount"],
        "asked by phone",
        f"sample-{client}",
    )
    assert audited(airflow_db)[0][0] == "ifms.proposed"
    again = settle(browser, "transfer", ids["transfer"])
    assert (again.status_code, "has proposed this of" in again.text) == (409, True)
    assert settled(adapter) == before
    paid = settle(browser, "transfer", ids["transfer"], paid="true")
    assert paid.headers["location"] == "/ifms/failures?done=transfer", "that frees nothing, and needs nobody else"
    assert settled(adapter)[0][0]["has_paid"] is True


@pytest.mark.parametrize("kind", ACTS)
@pytest.mark.parametrize(("changes", "code"), [({"reason": " \n"}, 400), ({"id": NOBODY}, 409), ({"id": "none"}, 400)])
def test_what_can_t_be_done_changes_nothing(
    api: Any, adapter: Adapter, ids: dict[str, str], kind: str, changes: dict[str, str], code: int
):
    before = settled(adapter)
    answer = settle(api("user", cookie=True), kind, ids[kind], **changes)
    assert answer.status_code == code, answer.text
    assert settled(adapter) == before


def test_whether_a_transfer_has_paid_is_never_taken_for_granted(api: Any, adapter: Adapter, ids: dict[str, str]):
    data = {"id": ids["transfer"], "reason": "asked by <phone>"}
    answer = api("user", cookie=True).post("/ifms/failures/transfer", data=data)
    assert answer.status_code == 400
    assert "Say whether the transfer has paid or not" in answer.text
    assert "asked by &lt;phone&gt;</textarea>" in answer.text, "what was written is still there"
    assert settled(adapter)[0][0]["has_paid"] is None


def test_an_id_is_settled_as_what_it_is_alone(api: Any, adapter: Adapter, ids: dict[str, str]):
    before = settled(adapter)
    for kind in ACTS:
        for other in ACTS:
            if other != kind:
                assert settle(api("user", cookie=True), kind, ids[other]).status_code == 409
    assert settled(adapter) == before


def test_each_sees_and_settles_what_is_of_his_city(
    api: Any, adapter: Adapter, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    before = settled(adapter)
    monkeypatch.setenv("IFMS_RIGHTS", "role:User = od.other:act")
    elsewhere = api("user", cookie=True)
    shown = elsewhere.get("/ifms/failures").text
    assert [each for each in (*ids.values(), "PI-", "RBI") if each in shown] == []
    assert [settle(elsewhere, kind, ids[kind]).status_code for kind in ACTS] == [409] * 3
    monkeypatch.setenv("IFMS_RIGHTS", f"role:User = {TENANT}:read")
    assert [settle(api("user", cookie=True), kind, ids[kind]).status_code for kind in ACTS] == [403] * 3
    monkeypatch.setenv("IFMS_RIGHTS", f"role:User = {TENANT}:act")
    here = api("user", cookie=True)
    assert ids["foreign"] not in here.get("/ifms/failures").text
    assert settle(here, "reported", ids["foreign"]).status_code == 409, "it is of no city"
    monkeypatch.setenv("IFMS_RIGHTS", f"role:User = *:read {TENANT}:act")
    shown = api("user", cookie=True).get("/ifms/failures").text
    assert ids["reported"] in shown
    assert ids["foreign"] not in shown, "it is seen, and not offered"
    assert settle(api("user", cookie=True), "reported", ids["foreign"]).status_code == 403
    assert settled(adapter) == before
    monkeypatch.setenv("IFMS_RIGHTS", "role:User = *:act")
    assert settle(api("user", cookie=True), "reported", ids["foreign"]).status_code == 303
