"""The pages about payments without a PI: they say why, find them, and try again."""

from __future__ import annotations

import csv
import io
import uuid
from typing import Any

import psycopg
import pytest
from support.adapter import Adapter
from support.api import audited, none_waits, runs
from support.failed import TENANT, wage_bill

from ifms.queries.waiting import NOTHING_SAID

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0})]


@pytest.fixture
def browser(api: Any, airflow_db: str) -> Any:
    none_waits(airflow_db, "ifms_pi")
    return api("user", cookie=True)


@pytest.fixture
def unfunded(adapter: Adapter) -> dict[str, Any]:
    """A payment that no sanction has the money for."""
    wage_bill(adapter)
    adapter.run("PA")
    adapter.run("PI")
    [payment] = adapter.rows("SELECT * FROM ifms.payment")
    return payment


def show(browser: Any, payment: dict[str, Any], **more: str) -> str:
    asked = {"city": payment["tenant_id"], "number": payment["payment_number"]} | more
    answer = browser.get("/ifms/waiting/payment", params=asked)
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def press(browser: Any, payment: dict[str, Any], token: str | None = None, **more: str) -> Any:
    form = {"city": payment["tenant_id"], "number": payment["payment_number"], "token": token or uuid.uuid4().hex}
    return browser.post("/ifms/waiting/again", data=form | more)


def test_money_that_lies_is_seen_from_the_list_of_pis(browser: Any, unfunded: dict[str, Any]):
    page = browser.get("/ifms/instructions").text
    assert "No payment instruction waits for you here." in page
    assert page.count('href="/ifms/waiting"') == 2
    page = browser.get("/ifms/waiting").text
    for text in ("1 found", unfunded["payment_number"], "No funds", "no sanction of od.samplea has", TENANT):
        assert text in page, text
    assert unfunded["bill_numbers"][0] in page


def test_it_is_found_by_payment_bill_city_and_reason(browser: Any, adapter: Adapter, unfunded: dict[str, Any]):
    number, bill = unfunded["payment_number"], unfunded["bill_numbers"][0]
    for given in (
        {"payment": f" {number} "},
        {"bill": bill},
        {"city": TENANT},
        {"reason": "PAYMENT_INSUFFICIENT_FUNDS"},
    ):
        assert number in browser.get("/ifms/waiting", params=given).text, given
    for given in ({"payment": "EP/none"}, {"bill": "WB/none"}, {"city": "od.sampleb"}, {"reason": NOTHING_SAID}):
        page = browser.get("/ifms/waiting", params=given).text
        assert "No payment without a payment instruction matches" in page, given


def test_pages_follow_each_other(browser: Any, adapter: Adapter, monkeypatch: pytest.MonkeyPatch):
    from ifms_airflow.api.pages import waiting

    for _ in range(3):
        wage_bill(adapter, 1)
    adapter.run("PA")
    monkeypatch.setattr(waiting, "PAGE", 2)
    numbers = {row["payment_number"] for row in adapter.rows("SELECT payment_number FROM ifms.payment")}
    first = browser.get("/ifms/waiting").text
    assert 'rel="next"' in first
    link = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    following = browser.get(link).text
    assert 'rel="next"' not in following
    assert sum(number in first for number in numbers) == 2
    assert all((number in first) != (number in following) for number in numbers)
    assert browser.get("/ifms/waiting?after=x").status_code == 400


def test_a_list_as_csv_and_as_a_workbook(browser: Any, unfunded: dict[str, Any]):
    from openpyxl import load_workbook

    answer = browser.get("/ifms/waiting.csv", params={"city": TENANT})
    assert answer.headers["content-disposition"] == 'attachment; filename="payments-without-pi.csv"'
    header, row = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    told = dict(zip(header, row, strict=True))
    assert told["Payment number"] == unfunded["payment_number"]
    assert told["Bill numbers"] == unfunded["bill_numbers"][0]
    assert told["Amount"] == str(unfunded["amount"])
    assert (told["Reason"], told["Tries"]) == ("No funds", "1")
    assert (told["City"], told["Name of the city"]) == (TENANT, TENANT)  # as VA has not yet read the master data
    book = load_workbook(io.BytesIO(browser.get("/ifms/waiting.xlsx").content))
    cells = list(book.active.iter_rows(values_only=True))
    assert list(cells[0]) == header
    assert cells[1][0] == unfunded["payment_number"]
    assert browser.get("/ifms/waiting.csv?city=od.none").content.decode("utf-8-sig").count("\n") == 1


def test_cities_and_heads_have_their_names_on_every_page(browser: Any, adapter: Adapter, unfunded: dict[str, Any]):
    adapter.run("VA")  # which keeps them
    [head] = adapter.rows("SELECT code, name FROM ifms.display_name JOIN ifms.sanction ON hoa_code = code LIMIT 1")
    named = {"city": TENANT, "number": unfunded["payment_number"]}
    for path in ("overview", "sanctions", "waiting", "waiting/payment", "bills", "instructions", "register"):
        page = browser.get(f"/ifms/{path}", params=named if path == "waiting/payment" else {}).text
        assert "Sample City A" in page, path
        assert TENANT in page, path  # the code beside it
        if path in ("overview", "sanctions", "instructions", "register"):
            assert head["name"] in page, path
            assert head["code"] in page, path
    listed = browser.get("/ifms/waiting", params={"city": TENANT}).text
    assert f'<option value="{TENANT}" selected>Sample City A ({TENANT})</option>' in listed
    text = browser.get("/ifms/waiting.csv").content.decode("utf-8-sig")
    assert text.splitlines()[1].endswith(",Sample City A")


def test_trying_again_starts_one_run_for_this_payment_alone_and_is_noted(
    browser: Any, airflow_db: str, unfunded: dict[str, Any]
):
    token = uuid.uuid4().hex
    answers = [press(browser, unfunded, token) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {303}
    found = [run for run in runs(airflow_db, "ifms_pi") if run["run_id"] == f"again__{token}"]
    assert [(run["conf"], run["triggering_user_name"]) for run in found] == [
        ({"payments": [unfunded["payment_number"]], "tenants": [TENANT]}, "sample-user")
    ]
    event, owner, dag_id, extra = audited(airflow_db)[0]
    assert (event, owner, dag_id) == ("ifms.again", "sample-user", "ifms_pi")
    assert unfunded["payment_number"] in extra
    page = browser.get(answers[0].headers["location"]).text
    assert f"again__{token}" in page
    assert "Try again" not in page  # nothing more is begun before it has ended


def test_the_page_says_what_came_of_it(browser: Any, adapter: Adapter, airflow_db: str, unfunded: dict[str, Any]):
    there = press(browser, unfunded).headers["location"]
    none_waits(airflow_db, "ifms_pi")  # it has ended
    page = browser.get(there).text
    assert "It still has none: no sanction of od.samplea has" in page
    assert "Try again" in page
    adapter.run("VA")
    adapter.run("PI")
    [pi] = adapter.rows("SELECT pi_number FROM ifms.payment_instruction")
    page = browser.get(there).text
    assert f"Payment instruction {pi['pi_number']} was made; it is Initiated now." in page
    assert "Try again" not in page
    assert press(browser, unfunded).status_code == 409
    assert unfunded["payment_number"] not in browser.get("/ifms/waiting").text


def test_what_can_not_be_tried_again_offers_nothing(
    api: Any, browser: Any, adapter: Adapter, airflow_db: str, unfunded: dict[str, Any]
):
    assert "Try again" not in show(api("viewer", cookie=True), unfunded)
    assert press(api("viewer", cookie=True), unfunded).status_code == 403
    assert browser.get("/ifms/waiting/payment", params={"city": TENANT, "number": "EP/no"}).status_code == 404
    assert (
        browser.get(
            "/ifms/waiting/payment", params={"city": "od.sampleb", "number": unfunded["payment_number"]}
        ).status_code
        == 404
    )
    before = runs(airflow_db, "ifms_pi")
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute(
            "INSERT INTO ifms.import_withheld (tenant_id, payment_number, reason) VALUES (%s, %s, 'sample')",
            (TENANT, unfunded["payment_number"]),
        )
    page = show(browser, unfunded)
    assert "it could not be taken over" in page
    assert "Try again" not in page
    assert press(browser, unfunded).status_code == 409
    assert runs(airflow_db, "ifms_pi") == before


def test_every_reason_has_words_and_says_what_to_do():
    from ifms.ledger import payments
    from ifms.services import instruction_draft, pi
    from ifms_airflow.api.messages import has
    from ifms_airflow.api.pages.waiting import REASONS, reason_text

    codes = {payments.DECLINED, payments.REJECTED, payments.CANCELLED, payments.IN_DOUBT, payments.TREASURY_SILENT}
    codes |= {instruction_draft.NO_UNIT, instruction_draft.BAD_PAYMENT, instruction_draft.PLATFORM_TROUBLE}
    codes |= {
        instruction_draft.LINE_CANCELLED,
        instruction_draft.CANCELLED,
        instruction_draft.NOT_APPROVED,
        pi.NO_FUNDS,
        NOTHING_SAID,
    }
    assert set(REASONS) == codes
    assert all(has(f"hold.{code}") and has(f"hold.{code}.do") for code in codes)
    assert reason_text("SOMETHING_NEW") == "SOMETHING_NEW"
