"""The pages about payment instructions, as a browser is given them, and what their buttons start."""

from __future__ import annotations

import csv
import io
import re
import uuid
import zipfile
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy import update
from support.adapter import Adapter, Treasury
from support.api import audited, runs
from support.databases import rewrite
from support.failed import fail, long_ago, mend, original, paid_and_failed, revisions, wage_bill
from support.past import Past, once

from ifms.cities import Cities
from ifms.errors import SweepError
from ifms.queries.instruction import Outcome, by_number, outcomes
from ifms_airflow.api.pages.instructions import ActResult, results_of
from ifms_airflow.api.pages.render import day

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0})]

TENANT = "od.samplea"


@pytest.fixture
def browser(api: Any) -> Any:
    return api("user", cookie=True)


def show(browser: Any, number: str) -> str:
    answer = browser.get("/ifms/instruction", params={"number": number})
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def listed(page: str) -> list[str]:
    """The PIs of a list, in its order."""
    rows = re.findall(r'<th scope="row"[^>]*data-label="PI number">.*?>(PI-[^<]+|COR-[^<]+)</a>', page)
    return list(rows)


def press(browser: Any, number: str, action: str, token: str | None = None, **ticked: list[str]) -> Any:
    form = {"number": number, "action": action, "token": token or uuid.uuid4().hex}
    return browser.post("/ifms/act", data=form | ticked)


def test_lines_of_zero_rupees_are_noted_and_are_no_beneficiaries(browser: Any, adapter: Adapter, treasury: Treasury):
    order = {"type": "wage", "tenantId": TENANT, "amounts": ["500.00", "0.00"]}
    [bill] = adapter.simulators.ask_platform("POST", "bills", order)
    adapter.cycle()
    page = show(browser, original(adapter)["pi_number"])
    [noted] = original(adapter)["additional_details"]["nothingToPay"]
    assert noted["beneficiaryId"] == bill["payees"][1]
    assert "Nothing to pay: 1 bill line of zero rupees" in page
    assert page.count(noted["beneficiaryId"]) == page.count(noted["lineItemId"]) == 1
    wage_bill(adapter, 1)
    adapter.run("PA")
    adapter.run("PI")
    other = adapter.rows("SELECT pi_number FROM ifms.payment_instruction ORDER BY created_at DESC")[0]["pi_number"]
    assert "Nothing to pay" not in show(browser, other)


# The list -----------------------------------------------------------------------------------------------------------


def three_statuses(adapter: Adapter) -> None:
    """One PI is PARTIAL, one of another city waits for the SSU, one was declined."""
    wage_bill(adapter)
    adapter.cycle()
    fail(adapter)
    adapter.run("FD")  # PARTIAL
    wage_bill(adapter, 2, "od.sampleb")
    adapter.run("PA")
    adapter.run("PI")  # INITIATED
    wage_bill(adapter, 2)
    adapter.run("PA")
    Treasury(adapter.simulators).rule(
        "PI", "error", errorMsgs=[{"errorCode": "322", "errorMsg": "=Sample <b>refusal</b>"}]
    )
    adapter.run("PI")  # FAILED
    Treasury(adapter.simulators).clear()


after_three_statuses = pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0}, after=three_statuses)


@pytest.fixture
def several(adapter: Adapter, past: Past | None) -> dict[str, str]:
    """PIs in several statuses: status → number."""
    once(three_statuses, past, adapter)
    return {r["status"]: r["pi_number"] for r in adapter.rows("SELECT status, pi_number FROM ifms.payment_instruction")}


@after_three_statuses
def test_pending_for_action_is_shown_first_and_by_itself(browser: Any, several: dict[str, str]):
    page = browser.get("/ifms/instructions").text
    assert listed(page) == [several["FAILED"], several["PARTIAL"]]
    assert "2 found" in page
    assert "<b>refusal</b>" not in page


@after_three_statuses
def test_the_open_search_shows_the_newest_without_a_filter(browser: Any, adapter: Adapter, several: dict[str, str]):
    newest = [
        r["pi_number"]
        for r in adapter.rows("SELECT pi_number FROM ifms.payment_instruction ORDER BY created_at DESC, id DESC")
    ]
    page = browser.get("/ifms/instructions?tab=open").text
    assert listed(page) == newest
    assert "3 found" in page
    assert len(newest) == len(several) == 3
    cities = browser.get("/ifms/instructions?tab=open&city=od.none").text
    assert listed(cities) == []
    assert "No payment instruction matches" in cities


@after_three_statuses
@pytest.mark.parametrize("sort", ["created_desc", "created_asc", "updated_desc"])
def test_every_filter_of_the_open_search(browser: Any, adapter: Adapter, several: dict[str, str], sort: str):
    row = adapter.rows("SELECT * FROM ifms.payment_instruction WHERE status = 'INITIATED'")[0]
    day = f"{row['created_at']:%Y-%m-%d}"
    given = {
        "number": row["pi_number"],
        "bill": row["additional_details"]["billNumber"][0],
        "payment": row["payment_number"],
        "status": "INITIATED",
        "city": "od.sampleb",
    }
    for name, value in given.items():
        page = browser.get("/ifms/instructions", params={"tab": "open", name: value, "sort": sort}).text
        assert listed(page) == [row["pi_number"]], name
        assert browser.get("/ifms/instructions", params={"tab": "open", name: value, "type": "REVISED"}).text.count(
            "No payment instruction matches"
        )
    dates = {"tab": "open", "created_from": "2020-01-01", "sort": sort}
    assert len(listed(browser.get("/ifms/instructions", params=dates).text)) == 3
    prefix = {"tab": "open", "number": "PI-", "sort": sort}
    assert len(listed(browser.get("/ifms/instructions", params=prefix).text)) == 3
    assert listed(browser.get("/ifms/instructions", params=prefix | {"number": "%"}).text) == []
    assert listed(browser.get("/ifms/instructions", params=dates | {"created_to": "2020-01-02"}).text) == []
    assert day


def test_works_heads_and_amounts_are_filters_of_both_tabs_and_of_the_files(browser: Any, adapter: Adapter):
    for kind, ward, amount in (("wage", "W7", "500.00"), ("wage", "W8", "1250.50"), ("purchase", "W8", "2000.00")):
        order = {"type": kind, "tenantId": TENANT, "ward": ward, "amounts": [amount], "deductions": {}}
        adapter.simulators.ask_platform("POST", "bills", order)
    for service in ("PA", "VA"):
        adapter.run(service)
    adapter.run("PI")
    rows = adapter.rows("SELECT * FROM ifms.payment_instruction ORDER BY net_amount")
    one, two, three = (row["pi_number"] for row in rows)
    details = [row["additional_details"] for row in rows]
    assert [each["ward"] for each in details] == [["W7"], ["W8"], ["W8"]]
    every, newest = {one, two, three}, browser.get("/ifms/instructions?tab=open").text
    ways: list[tuple[dict[str, str], set[str]]] = [
        ({"ward": "W8"}, {two, three}),
        ({"ward": "w8"}, set()),
        ({"work_order": details[0]["referenceId"][0]}, {one}),
        ({"project": details[1]["projectNumber"][0]}, {two}),
        ({"project": details[2]["projectName"][0]}, {three}),
        ({"hoa": rows[0]["hoa_code"]}, every),
        ({"hoa": "9"}, set()),
        ({"amount_from": "1,250.50"}, {two, three}),
        ({"amount_from": "500", "amount_to": " 1250.49 "}, {one}),
        ({"ward": "W8", "amount_to": "1999.99", "city": TENANT}, {two}),
    ]
    for given, expected in ways:
        page = browser.get("/ifms/instructions", params={"tab": "open", **given}).text
        assert set(listed(page)) == expected, given
        assert '<details class="whole" open>' in page
        text = browser.get("/ifms/instructions.csv", params={"tab": "open", **given}).content.decode("utf-8-sig")
        _, *lines = csv.reader(io.StringIO(text))
        assert {line[0] for line in lines} == expected, given
    header, *lines = csv.reader(io.StringIO(browser.get("/ifms/instructions.csv?tab=open").content.decode("utf-8-sig")))
    of_three = dict(zip(header, next(line for line in lines if line[0] == three), strict=True))
    assert (of_three["Ward"], of_three["Head code"]) == ("W8", rows[2]["hoa_code"])
    assert (of_three["City"], of_three["Name of the city"]) == (TENANT, "Sample City A")
    assert of_three["Head of account"] != of_three["Head code"]
    assert 'Sample City A<span class="sub">od.samplea</span>' in newest
    assert '<details class="whole">' in newest
    assert "W8" in show(browser, three)
    adapter.cycle()
    fail(adapter, 1)
    adapter.run("FD")
    [late] = listed(browser.get("/ifms/instructions").text)  # pending for action
    [ward] = adapter.rows(
        "SELECT additional_details -> 'ward' ->> 0 AS ward FROM ifms.payment_instruction WHERE pi_number = %s", late
    )
    other = {"W7": "W8", "W8": "W7"}[ward["ward"]]
    assert listed(browser.get("/ifms/instructions", params={"ward": ward["ward"]}).text) == [late]
    assert listed(browser.get("/ifms/instructions", params={"ward": other}).text) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"amount_from": "1e3"}, "1e3 is no amount"),
        ({"amount_to": "-1"}, "-1 is no amount"),
        ({"amount_from": "0.001"}, "0.001 is no amount"),
        ({"amount_to": "NaN"}, "NaN is no amount"),
        ({"amount_from": "\u0b67\u0b66"}, "is no amount"),
        ({"amount_from": "2", "amount_to": "1.99"}, "more than amount to"),
        ({"created_from": "2024-02-02", "created_to": "2024-02-01"}, "later than created to"),
        ({"created_to": "2999-01-01"}, "later than today"),
    ],
)
def test_dates_and_amounts_that_cant_be(browser: Any, fields: dict[str, str], said: str):
    assert said in browser.get("/ifms/instructions", params={"tab": "open", **fields}).text


@pytest.mark.parametrize(
    "fields",
    [{"tab": "other"}, {"created_from": "yesterday"}, {"created_from": "2024-99-99"}, {"sort": "id"}, {"after": "x"}],
)
def test_an_address_that_is_none_of_ours(browser: Any, fields: dict[str, str]):
    answer = browser.get("/ifms/instructions", params={"tab": "open", "number": "PI", **fields})
    assert answer.status_code == 400
    assert "That did not work" in answer.text


@after_three_statuses
def test_pages_follow_each_other(browser: Any, several: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    from ifms_airflow.api.pages import instructions

    monkeypatch.setattr(instructions, "PAGE", 2)
    page = browser.get("/ifms/instructions?tab=open&number=PI-").text
    first = listed(page)
    (link,) = re.findall(r'rel="next" href="([^"]+)"', page)
    following = browser.get(link.replace("&amp;", "&")).text
    assert len(first) == 2
    assert sorted(first + listed(following)) == sorted(several.values())
    assert "First page" in following
    assert 'rel="next"' not in following


@after_three_statuses
def test_a_search_is_kept_under_a_name_for_whoever_has_made_it(api: Any, browser: Any, several: dict[str, str]):
    query = "tab=open&number=PI-&ward=&status=INITIATED&after=x"
    saved = browser.post("/ifms/instructions/searches", data={"name": "Sent <b>&</b>", "query": query})
    assert saved.status_code == 303
    there = saved.headers["location"]
    assert parse_qs(urlsplit(there).query) == {
        "tab": ["open"],
        "number": ["PI-"],
        "status": ["INITIATED"],
        "sort": ["created_desc"],
    }
    page = browser.get(there).text
    assert listed(page) == [several["INITIATED"]]
    assert "This search is saved as \u201cSent &lt;b&gt;&amp;&lt;/b&gt;\u201d" in page
    assert "Save this search" not in page
    [link] = re.findall(r'<li><a href="([^"]+)"', browser.get("/ifms/instructions").text)
    assert listed(browser.get(link.replace("&amp;", "&")).text) == [several["INITIATED"]]
    others = api("op", cookie=True)
    assert "Sent" not in others.get("/ifms/instructions").text
    [search] = re.findall(r'name="search" value="([^"]+)"', page)
    others.post("/ifms/instructions/searches/remove", data={"search": search})
    assert "Sent" in browser.get("/ifms/instructions").text
    removed = browser.post("/ifms/instructions/searches/remove", data={"search": search})
    assert (removed.status_code, "Sent" in browser.get(removed.headers["location"]).text) == (303, False)


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"name": "", "query": "tab=open"}, 400),
        ({"name": " ", "query": "tab=open"}, 400),
        ({"name": "x" * 81, "query": "tab=open"}, 400),
        ({"name": "x", "query": "tab=other"}, 400),
        ({"name": "x", "query": "sort=id"}, 400),
        ({"name": "x", "query": "ward=" + "x" * 300}, 400),
        ({"name": "x", "query": "ward=" + "x" * 5000}, 400),
    ],
)
def test_what_is_no_search_is_not_kept(browser: Any, form: dict[str, str], status: int):
    assert browser.post("/ifms/instructions/searches", data=form).status_code == status
    assert 'class="saved"' not in browser.get("/ifms/instructions").text


@after_three_statuses
def test_each_tab_says_how_many_there_are(browser: Any, several: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    from ifms_airflow.api.pages import instructions

    def counts() -> dict[str, str]:
        pages = [browser.get(f"/ifms/{path}").text for path in ("instructions?tab=open&number=none", "waiting")]
        one, other = (dict(re.findall(r'data-tab="(\w+)">([^<]+)<', page)) for page in pages)
        assert one == other
        return one

    assert counts() == {"pending": "2", "open": "3", "waiting": "1"}  # whose only PI was declined
    monkeypatch.setattr(instructions, "TAB_LIMIT", 2)
    assert counts() == {"pending": "2", "open": "2+", "waiting": "1"}
    monkeypatch.setenv("IFMS_RIGHTS", "role:User = od.sampleb:read")
    assert counts() == {"pending": "0", "open": "1", "waiting": "0"}


# Files --------------------------------------------------------------------------------------------------------------


@after_three_statuses
def test_a_list_as_csv_and_as_a_workbook(browser: Any, several: dict[str, str]):
    from openpyxl import load_workbook

    answer = browser.get("/ifms/instructions.csv?tab=open&number=PI-")
    assert answer.headers["content-disposition"] == 'attachment; filename="payment-instructions.csv"'
    header, *rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert header[0] == "PI number"
    assert sorted(row[0] for row in rows) == sorted(several.values())
    book = load_workbook(io.BytesIO(browser.get("/ifms/instructions.xlsx?tab=open&number=PI-").content))
    cells = list(book.active.iter_rows(values_only=True))
    assert [list(map(str, cells[0]))] == [header]
    assert sorted(row[0] for row in cells[1:]) == sorted(several.values())
    assert browser.get("/ifms/instructions.csv?tab=open").content.decode("utf-8-sig").count("\n") == 1 + len(several)


@after_three_statuses
def test_no_cell_of_a_file_begins_a_formula(browser: Any, adapter: Adapter, several: dict[str, str]):
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE ifms.payment_instruction SET additional_details = %s", ['{"billNumber": ["=cmd|calc", "x"]}']
        )
    text = browser.get("/ifms/instructions.csv?tab=open&number=PI-").content.decode("utf-8-sig")
    assert "'=cmd|calc" in text
    content = browser.get("/ifms/instructions.xlsx?tab=open&number=PI-").content
    sheet = zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml").decode()
    assert "=cmd|calc" in sheet
    assert "<f>" not in sheet


# One of them --------------------------------------------------------------------------------------------------------


def test_one_pi_with_all_that_belongs_to_it(browser: Any, adapter: Adapter):
    paid_and_failed(adapter)
    mend(adapter)
    adapter.correct()
    first, second = original(adapter), revisions(adapter)[0]
    page = show(browser, first["pi_number"])
    for text in (
        first["hoa_code"],
        first["master_allotment_id"],
        first["payment_number"],
        first["pa_advice_id"],
        first["pa_token_number"],
        second["pi_number"],
        "On call of COR API: Response is received",
        "STATUS_LOG_PD_SUCCESS",
        "Reserved",
        "Spent",
        "Reason:",
        "Original",
        'aria-current="page"',
        "Where it stands",
    ):
        assert text in page, text
    for row in adapter.rows("SELECT * FROM ifms.beneficiary WHERE payment_instruction_id = %s", first["id"]):
        assert row["beneficiary_number"] in page
        assert row["mobile"] not in page
        assert row["ifsc"] in page
        if row["voucher_number"]:
            assert f"Voucher {row['voucher_number']}, {day(row['voucher_date'])}" in page
        if row["challan_number"]:
            assert f"Challan {row['challan_number']}, {day(row['challan_date'])}" in page
    for call in adapter.rows("SELECT * FROM ifms.treasury_call"):
        for secret in ("enc_request", "enc_response"):
            assert call[secret] is None or call[secret] not in page
    revised = show(browser, second["pi_number"])
    assert "Parent PI" in revised
    assert first["pi_number"] in revised
    assert "A revised PI moves no money" in revised
    for text in (second["hoa_code"], second["master_allotment_id"]):
        assert text in revised


@after_three_statuses
def test_what_has_waited_for_too_long_is_marked(browser: Any, adapter: Adapter, several: dict[str, str]):
    number = several["INITIATED"]
    search = f"/ifms/instructions?tab=open&number={number}"
    assert "Overdue" not in browser.get(search).text + show(browser, number)
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("UPDATE ifms.payment_instruction SET status_since = now() - interval '16 days'")
    assert "Overdue" in browser.get(search).text
    assert re.search(r"Overdue: Initiated since \d+ \w+ \d{4}, \d\d:\d\d IST\.", show(browser, number))
    for ended in ("FAILED", "PARTIAL"):
        assert "Overdue" not in show(browser, several[ended])
    assert "Overdue" not in browser.get("/ifms/instructions").text


def test_no_such_pi(browser: Any):
    answer = browser.get("/ifms/instruction?number=PI-none")
    assert answer.status_code == 404
    assert "PI-none" in answer.text


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        ({"effect": "error", "errorMsgs": [{"errorCode": "9", "errorMsg": "Sample trouble"}]}, "PIS API: "),
        ({"effect": "lost_reply"}, "No response is received"),
        ({"effect": "refuse"}, "No response is received"),
        (None, "Response is received and updated successfully"),
    ],
)
def test_the_info_band_says_what_the_last_call_said(
    browser: Any, adapter: Adapter, treasury: Treasury, effect: dict[str, Any] | None, said: str
):
    wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    if effect:
        treasury.rule("PIS", **effect)
    with suppress(SweepError):
        adapter.run("PIS")
    page = show(browser, original(adapter)["pi_number"])
    assert "On call of PIS API" in page
    assert said in page


# Its buttons --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("services", "dag_id"), [(("PI",), "ifms_pis"), (("PI", "PIS"), "ifms_pag"), (("PI", "PIS", "PAG"), "ifms_pd")]
)
def test_refresh_starts_the_service_that_is_due_for_this_pi(
    browser: Any, adapter: Adapter, airflow_db: str, services: tuple[str, ...], dag_id: str, run_dag: Any
):
    for _ in range(2):
        wage_bill(adapter)
    for service in ("VA", "PA", *services):
        adapter.run(service)
    first, other = adapter.rows("SELECT * FROM ifms.payment_instruction ORDER BY created_at LIMIT 2")
    number = first["pi_number"]
    answer = press(browser, number, "refresh")
    assert answer.status_code == 303, answer.text
    run = runs(airflow_db, dag_id)[0]
    assert run["conf"] == {"pi_numbers": [number], "tenants": [TENANT]}
    assert run["triggering_user_name"] == "sample-user"
    event, owner, dag, extra = audited(airflow_db)[0]
    assert (event, owner, dag) == ("ifms.refresh", "sample-user", dag_id)
    assert number in extra
    there = browser.get(answer.headers["location"]).text
    assert run["run_id"] in there
    assert "started by sample-user" in there
    assert "Refresh" not in there  # not before this one has ended
    state = browser.get("/ifms/run", params={"dag": dag_id, "run": run["run_id"]}).json()
    assert state["over"] is False
    # The same form as Airflow runs it: this PI moves, the other one stays.
    assert run_dag(dag_id, conf=run["conf"]).state == "success"
    moved = adapter.rows("SELECT pi_number FROM ifms.payment_instruction WHERE status <> %s", first["status"])
    assert [row["pi_number"] for row in moved] == [number]
    assert other["pi_number"] != number


@pytest.mark.parametrize("dag", ["ifms_\0", "other", "", "ifms_x" * 50])
def test_what_can_be_no_dag_of_ours_is_not_looked_for(browser: Any, dag: str):
    assert browser.get("/ifms/run", params={"dag": dag, "run": "manual__1"}).status_code == 400


def test_a_form_that_is_sent_twice_starts_one_run(browser: Any, adapter: Adapter, airflow_db: str):
    wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    number, token = original(adapter)["pi_number"], uuid.uuid4().hex
    before = len(runs(airflow_db, "ifms_pis"))
    first = press(browser, number, "refresh", token)
    adapter.run("PIS")  # and whatever has changed since
    again = press(browser, number, "refresh", token)
    assert first.headers["location"] == again.headers["location"]
    assert len(runs(airflow_db, "ifms_pis")) == before + 1


def test_a_declined_pi_is_resubmitted_by_a_successor_of_its_own(
    browser: Any, adapter: Adapter, treasury: Treasury, airflow_db: str, run_dag: Any
):
    treasury.rule("PI", "error", errorMsgs=[{"errorCode": "322", "errorMsg": "Sample refusal"}])
    for _ in range(2):
        wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    treasury.clear()
    failed = original(adapter)
    assert failed["status"] == "FAILED"
    page = show(browser, failed["pi_number"])
    assert "Declined" in page
    assert "Resubmit" in page
    confirmed = browser.get("/ifms/confirm", params={"number": failed["pi_number"], "action": "resubmit"})
    assert failed["pi_number"] in confirmed.text
    assert runs(airflow_db, "ifms_pi") == runs(airflow_db, "ifms_pi")
    assert press(browser, failed["pi_number"], "resubmit").status_code == 303
    conf = runs(airflow_db, "ifms_pi")[0]["conf"]
    assert run_dag("ifms_pi", conf=conf).state == "success"
    assert adapter.statuses() == {"FAILED": 2, "INITIATED": 1}
    [successor] = adapter.rows("SELECT * FROM ifms.payment_instruction WHERE status = 'INITIATED'")
    assert successor["payment_number"] == failed["payment_number"]
    page = show(browser, failed["pi_number"])
    assert "/confirm" not in page  # it has its successor: there is nothing more to be done
    assert successor["pi_number"] in page
    assert press(browser, failed["pi_number"], "resubmit").status_code == 409


def test_a_pending_pi_is_resubmitted_under_its_own_number(
    browser: Any, adapter: Adapter, treasury: Treasury, airflow_db: str, run_dag: Any
):
    treasury.rule("PI", "lost_reply")
    wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    with pytest.raises(Exception, match="none of"):
        adapter.run("PI")
    treasury.clear()
    number = original(adapter)["pi_number"]
    assert press(browser, number, "resubmit").status_code == 303
    assert run_dag("ifms_pi", conf=runs(airflow_db, "ifms_pi")[0]["conf"]).state == "success"
    assert adapter.statuses() == {"INITIATED": 1}
    assert treasury.accepted == {number: 1}


def test_a_revised_pi_is_generated_after_a_look_at_what_it_will_pay(
    browser: Any, adapter: Adapter, airflow_db: str, run_dag: Any
):
    paid_and_failed(adapter, 3, 1)
    number = original(adapter)["pi_number"]
    [failed] = adapter.rows("SELECT * FROM ifms.beneficiary WHERE status = 'Payment Failed'")
    page = show(browser, number)
    assert "Make all corrections" in page
    assert "Generate revised PI" in page
    mend(adapter)
    confirm = browser.get("/ifms/confirm", params={"number": number, "action": "revise"}).text
    assert failed["beneficiary_number"] in confirm
    assert confirm.count('<th scope="row" class="num"') == 1
    assert press(browser, number, "revise", revise=[failed["beneficiary_number"]]).status_code == 303
    conf = runs(airflow_db, "ifms_cor")[0]["conf"]
    assert (conf["pi_number"], conf["beneficiaries"]) == (number, [failed["beneficiary_number"]])
    assert conf["same_account"] == []
    assert run_dag("ifms_cor", conf=conf).state == "success"
    [revision] = revisions(adapter)
    assert revision["status"] == "INITIATED"
    assert "Generate revised PI" not in show(browser, number)
    assert "ask FTPS now" in show(browser, revision["pi_number"])


def test_after_its_time_a_payment_is_paid_anew(browser: Any, adapter: Adapter, airflow_db: str, run_dag: Any):
    paid_and_failed(adapter, 3, 1)
    number = original(adapter)["pi_number"]
    long_ago(adapter)
    page = show(browser, number)
    assert "Pay anew by a new original PI" in page
    assert "Generate revised PI" not in page
    assert "The time to correct the failed payments is over" in page
    assert press(browser, number, "revise").status_code == 409
    assert press(browser, number, "repay").status_code == 303
    conf = runs(airflow_db, "ifms_cor")[0]["conf"]
    assert conf["new_original"] is True
    assert run_dag("ifms_cor", conf=conf).state == "success"
    [anew] = adapter.rows("SELECT * FROM ifms.payment_instruction WHERE repayment_of IS NOT NULL")
    assert (anew["repayment_of"], anew["status"]) == (number, "INITIATED")
    assert anew["pi_number"] in show(browser, number)


def ended(adapter: Adapter, airflow_db: str, run_dag: Any, pressed: Any, dag_id: str) -> str:
    """The address of the page after the run that was started there has ended: it is run here under another name."""
    there = str(pressed.headers["location"])
    own = parse_qs(urlsplit(there).query)["run"][0]
    conf = runs(airflow_db, dag_id)[0]["conf"]
    other = run_dag(dag_id, conf=conf).run_id
    rewrite(adapter.dsn, "UPDATE ifms.sweep_run SET run_id = %s WHERE run_id = %s", [own, other])
    with create_session() as session:
        session.execute(update(DagRun).where(DagRun.run_id == own).values(state="success"))
    return there


def test_the_page_says_that_the_pi_is_submitted(
    browser: Any, adapter: Adapter, treasury: Treasury, airflow_db: str, run_dag: Any
):
    treasury.rule("PI", "error", errorMsgs=[{"errorCode": "322", "errorMsg": "Sample refusal"}])
    wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    first = original(adapter)
    there = ended(adapter, airflow_db, run_dag, press(browser, first["pi_number"], "resubmit"), "ifms_pi")
    page = browser.get(there).text
    assert re.search(r"Submission failed, [^<]*Sample refusal", page)
    treasury.clear()
    there = ended(adapter, airflow_db, run_dag, press(browser, first["pi_number"], "resubmit"), "ifms_pi")
    page = browser.get(there).text
    [successor] = adapter.rows("SELECT * FROM ifms.payment_instruction WHERE status = 'INITIATED'")
    told = re.search(r'role="status">The payment instruction is submitted successfully\.(.*)</p>', page)
    assert told is not None
    assert successor["pi_number"] in told[1]
    assert "Submission failed" not in page


def test_what_may_have_arrived_is_not_said_to_have_failed():
    lost = Outcome("PI-1", made=False, submitted=False, uncertain=True, message=None)
    [said] = results_of("resubmit", "PI-1", [lost], [])
    assert (said.good, said.number) == (False, None)
    assert said.text.startswith("It may have arrived")
    assert "failed" not in said.text


def test_the_page_names_the_revised_pi(
    browser: Any, adapter: Adapter, treasury: Treasury, airflow_db: str, run_dag: Any
):
    paid_and_failed(adapter, 3, 2)
    mend(adapter)
    number = original(adapter)["pi_number"]
    one, _ = [
        row["beneficiary_number"]
        for row in adapter.rows("SELECT * FROM ifms.beneficiary WHERE status = 'Payment Failed'")
    ]
    there = ended(adapter, airflow_db, run_dag, press(browser, number, "revise", revise=[one]), "ifms_cor")
    [revision] = revisions(adapter)
    assert f"Revised payment instruction {revision['pi_number']} generated and submitted successfully." in (
        browser.get(there).text
    )
    other = Outcome("COR-2", made=True, submitted=False, uncertain=False, message="no")
    assert results_of("revise", number, [other], []) == [
        ActResult(False, "Revised payment instruction COR-2 generated successfully, but failed to submit.", "COR-2")
    ]
    assert results_of("revise", number, [], ["no account"])[0].text.endswith(": no account")
    assert results_of("refresh", number, [other], []) == []
    with psycopg.connect(adapter.dsn) as connection:
        whole = by_number(connection, number, Cities.ALL)
        assert whole is not None
        run = parse_qs(urlsplit(there).query)["run"][0]
        assert [each.pi_number for each in outcomes(connection, whole.pi, "ifms_cor", run, Cities.ALL)]
        assert outcomes(connection, whole.pi, "ifms_cor", run, Cities.NONE) == []


def test_a_viewer_sees_no_button(api: Any, adapter: Adapter):
    paid_and_failed(adapter)
    page = api("viewer", cookie=True).get("/ifms/instruction", params={"number": original(adapter)["pi_number"]}).text
    assert "Generate revised PI" not in page
    assert "<form" not in page.partition("<main")[2]


@pytest.mark.parametrize("token", ["", "x", "0" * 31, "../../../../../../../../../../../.."])
def test_a_form_of_somebody_elses_making(browser: Any, token: str):
    data = {"number": "PI-none", "action": "refresh", "token": token}
    assert browser.post("/ifms/act", data=data).status_code == 400
