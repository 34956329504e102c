"""The pages in the language of who reads them: chosen there and remembered for that user, whole in each language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import psycopg
import pytest
from babel.numbers import format_decimal
from support.adapter import Adapter
from support.api import token_of

from ifms.ledger import user_languages
from ifms_airflow.api import messages
from ifms_airflow.api.messages import ENGLISH, LANGUAGES, texts
from ifms_airflow.api.pages import language, render
from ifms_airflow.api.pages.language import COOKIE, cookie, is_ours, preferred

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.tier("prove"),
    pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0}),
]

ODIA_TITLE = "ସାମଗ୍ରିକ ଚିତ୍ର"


@pytest.fixture
def odia() -> Iterator[None]:
    """Odia is spoken in this test."""
    messages.speak("or")
    yield
    messages.speak(ENGLISH)


def title(page: Any) -> tuple[str, str]:
    """The language of a page, and its first heading."""
    found = re.search(r'<html lang="(\w+)">.*?<h1[^>]*>(.*?)</h1>', page.text, re.DOTALL)
    assert found is not None, page.text
    return found[1], found[2]


# The choice -----------------------------------------------------------------------------------------------------------


def test_a_choice_is_remembered_and_leads_back(api: Any):
    browser = api("viewer", cookie=True)
    english = browser.get("/ifms/instructions?tab=open&sort=created_asc")
    assert title(english) == ("en", "Payment instructions")
    assert '<input type="hidden" name="next" value="/ifms/instructions?tab=open&amp;sort=created_asc">' in english.text
    assert "ଓଡ଼ିଆ (draft)</button>" in english.text
    there = "/ifms/instructions?tab=open&sort=created_asc"
    answer = browser.post("/ifms/language", data={"language": "or", "next": there})
    assert (answer.status_code, answer.headers["location"]) == (303, there)
    kept = answer.headers["set-cookie"]
    for part in (f"{COOKIE}=or.", "HttpOnly", "Max-Age=86400", "Path=/ifms;", "SameSite=lax"):
        assert part in kept
    assert title(browser.get("/ifms/overview")) == ("or", ODIA_TITLE)
    browser.post("/ifms/language", data={"language": "en", "next": there})
    assert title(browser.get("/ifms/overview")) == ("en", "Overview")


def test_a_choice_is_remembered_wherever_its_user_logs_in(api: Any, adapter: Adapter):
    api("viewer", cookie=True).post("/ifms/language", data={"language": "or"})
    [kept] = adapter.rows("SELECT user_name, language FROM ifms.user_language")
    assert kept == {"user_name": "sample-viewer", "language": "or"}
    elsewhere = api("viewer", cookie=True)
    page = elsewhere.get("/ifms/overview", headers={"Accept-Language": "en"})
    assert title(page) == ("or", ODIA_TITLE)
    assert f"{COOKIE}=or." in page.headers["set-cookie"]  # the ledger is not asked for the next page
    adapter.rows("DELETE FROM ifms.user_language RETURNING user_name")
    page = elsewhere.get("/ifms/overview", headers={"Accept-Language": "en"})
    assert title(page)[0] == "or"
    assert "set-cookie" not in page.headers
    assert title(api("viewer", cookie=True).get("/ifms/overview"))[0] == "en"


def test_a_choice_of_a_language_that_is_no_more_is_ignored(api: Any, adapter: Adapter):
    adapter.rows("INSERT INTO ifms.user_language VALUES ('sample-viewer', 'xx') RETURNING user_name")
    page = api("viewer", cookie=True).get("/ifms/overview")
    assert title(page)[0] == "en"
    assert "set-cookie" not in page.headers


def test_without_the_ledger_a_page_is_told_in_the_browsers_language(
    api: Any, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
):
    def fails(*_: object) -> None:
        raise psycopg.OperationalError("gone")

    monkeypatch.setattr(user_languages, "chosen", fails)
    page = api("admin", cookie=True).get("/ifms/connections", headers={"Accept-Language": "or"})
    assert (page.status_code, title(page)[0]) == (200, "or")


def test_who_logs_in_next_at_the_same_desk_has_a_language_of_their_own(api: Any, airflow_app: Any):
    browser = api("viewer", cookie=True)
    browser.post("/ifms/language", data={"language": "or"})
    assert title(browser.get("/ifms/overview"))[0] == "or"
    browser.cookies.delete("_token")
    browser.cookies.set("_token", token_of(airflow_app, "sample-next", "viewer"))
    assert title(browser.get("/ifms/overview"))[0] == "en"


def test_without_a_choice_the_browser_is_followed(api: Any):
    browser = api("viewer", cookie=True)
    for header, expected in (("or-IN,or;q=0.9,en;q=0.8", "or"), ("en-IN,or;q=0.5", "en"), ("ta,bn", "en")):
        assert title(browser.get("/ifms/overview", headers={"Accept-Language": header}))[0] == expected
    browser.post("/ifms/language", data={"language": "en"})
    assert title(browser.get("/ifms/overview", headers={"Accept-Language": "or"}))[0] == "en"


@pytest.mark.parametrize("value", ["", "xx", "or", "or.", "or.0000000000000000", "../en.1", "o" * 3000, "or;q=1"])
def test_a_cookie_that_is_none_of_ours_is_ignored(api: Any, value: str):
    page = api("viewer", cookie=True).get("/ifms/overview", headers={"Cookie": f"{COOKIE}={value}"})
    assert page.status_code in {200, 303}  # the header took the place of the login's
    browser = api("viewer", cookie=True)
    browser.cookies.set(COOKIE, value)
    assert title(browser.get("/ifms/overview"))[0] == "en"


@pytest.mark.parametrize("asked", ["", "xx", "../or", "OR", "o" * 3000])
def test_a_language_that_is_not_there_is_not_remembered(api: Any, asked: str):
    browser = api("viewer", cookie=True)
    answer = browser.post("/ifms/language", data={"language": asked, "next": "/ifms/runs"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/ifms/runs")
    assert "set-cookie" not in answer.headers
    assert title(browser.get("/ifms/runs"))[0] == "en"


@pytest.mark.parametrize(
    "there",
    [
        "",
        "https://elsewhere.example/ifms/",
        "//elsewhere.example/ifms/",
        "/\\elsewhere.example",
        "/ifms/\\x",
        "/login",
        "/ifms/\r\nSet-Cookie: a=b",
        "javascript:alert(1)",
        "/ifmsx/",
    ],
)
def test_nobody_is_led_elsewhere(api: Any, there: str):
    answer = api("viewer", cookie=True).post("/ifms/language", data={"language": "or", "next": there})
    assert answer.headers["location"] == "/ifms/overview"


def test_where_the_app_is_the_whole_server_nobody_is_led_elsewhere_either():
    assert is_ours("/overview", "")
    assert not is_ours("//elsewhere.example", "")
    assert not is_ours("/\\elsewhere.example", "")


def test_no_other_site_chooses(api: Any):
    browser = api("viewer", cookie=True)
    for header in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}):
        answer = browser.post("/ifms/language", data={"language": "or"}, headers=header)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    assert api().post("/ifms/language", data={"language": "or"}).status_code == 401


def test_a_page_that_answers_a_form_leads_back_to_one_that_can_be_asked_for(api: Any):
    page = api("admin", cookie=True).post("/ifms/bills/confirm", data={"numbers": "WB/1"})
    assert '<input type="hidden" name="next" value="/ifms/bills">' in page.text


def test_an_error_is_told_in_the_language_of_who_reads_it(api: Any):
    browser = api("viewer", cookie=True)
    browser.post("/ifms/language", data={"language": "or"})
    for path, status in (
        ("/ifms/instruction?number=none", 404),
        ("/ifms/nowhere", 404),
        ("/ifms/register?year=x", 400),
    ):
        page = browser.get(path)
        assert page.status_code == status
        assert title(page) == ("or", texts("or").text("error.title")), path
    assert texts("or").text("error.administer") in browser.get("/ifms/connections").text
    assert texts("or").text("error.start", dag="ifms_pi") in browser.get("/ifms/settle?number=none").text
    assert texts("or").text("pis.not_found", number="none") in browser.get("/ifms/instruction?number=none").text


def test_what_programs_are_answered_is_english(api: Any):
    answer = api("viewer").post(
        "/ifms/pi/v1/_search", json={"RequestInfo": {}, "criteria": {}}, headers={"Accept-Language": "or"}
    )
    assert answer.text.isascii()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "en"),
        ("*", "en"),
        ("or", "or"),
        ("OR-in", "or"),
        ("en-GB,en;q=0.9,or;q=0.8", "en"),
        ("hi,or;q=0.2,en;q=0.1", "or"),
        ("or;q=0, en", "en"),
        ("or;q=high", "en"),
        ("or;q=nan", "en"),
        ("en;q=0.5,or;q=0.7", "or"),
        (",;,", "en"),
        ("../or", "en"),
    ],
)
def test_what_a_browser_likes_best(header: str, expected: str):
    assert preferred(header) == expected


def test_a_language_is_a_draft_until_its_file_says_otherwise():
    assert {each: texts(each).draft for each in LANGUAGES} == {"en": False, "or": True}
    assert language.choices() == [("en", "English"), ("or", "ଓଡ଼ିଆ (draft)")]


# Numbers and dates ----------------------------------------------------------------------------------------------------


def test_days_and_times_are_those_of_the_language(odia: None):
    at = datetime(2026, 11, 28, 16, 35, tzinfo=UTC)
    assert render.when(at) == "28 ନଭେମ୍ବର 2026, 22:05 IST"
    assert render.day(date(2026, 11, 28)) == "28 ନଭେମ୍ବର 2026"
    assert render.day_of("2026-11-28") == "28 ନଭେମ୍ବର 2026"
    assert (render.month(date(2026, 11, 1)), render.month(date(2026, 11, 1), short=True)) == (
        "ନଭେମ୍ବର 2026",
        "ନଭେମ୍ବର 26",
    )
    assert render.took(timedelta(seconds=61)) == "1 ମିନିଟ୍ 1 ସେକେଣ୍ଡ"


def test_every_month_in_english_has_three_letters():
    said = [render.day(date(2026, month, 1)) for month in range(1, 13)]
    assert said == [f"{date(2026, month, 1):1 %b %Y}" for month in range(1, 13)]


@pytest.mark.parametrize("number", ["0", "999", "1000", "123456", "12345678.9", "9999999999999.99"])
def test_both_languages_group_digits_as_the_ledgers_money_does(odia: None, number: str):
    """CLDR groups Odia's numbers by lakh and crore and writes them in Latin digits, as `money.grouped` does."""
    expected = format_decimal(Decimal(number), format="#,##,##0.00", locale="or")
    assert render.rupees(Decimal(number)) == f"₹{expected}"
    assert format_decimal(Decimal("1234567"), locale="or") == "12,34,567"


# Every page -----------------------------------------------------------------------------------------------------------


class Said(HTMLParser):
    """What a page says: its texts, and those of the attributes that people see or hear."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._as_it_is = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self._as_it_is += tag == "button" and named.get("name") == "language"
        self.texts += [
            value for name in ("aria-label", "data-label", "title", "placeholder", "alt") if (value := named.get(name))
        ]

    def handle_endtag(self, tag: str) -> None:
        if tag == "button":
            self._as_it_is = 0

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._as_it_is:
            self.texts.append(data)


def english_ones() -> list[tuple[str, re.Pattern[str]]]:
    """The texts that are other words in Odia, as patterns."""
    ours, theirs = texts(ENGLISH)._translations, texts("or")._translations
    found = []
    for key in texts(ENGLISH).keys:
        for number in (1, 2):
            text, odia = ours.ngettext(key, key, number), theirs.ngettext(key, key, number)
            text, odia = (ours.gettext(key), theirs.gettext(key)) if text == key else (text, odia)
            if text != odia and len(re.sub(r"\{\w+(![rs])?\}|\W", "", text)) > 3:
                parts = re.split(r"\{\w+(?:![rs])?\}", text)
                found.append((key, re.compile(".+".join(map(re.escape, parts)), re.DOTALL)))
    return found


def test_every_page_is_whole_in_odia(api: Any, addresses: list[str]):
    browser = api("admin", cookie=True)
    browser.cookies.set(COOKIE, cookie("sample-admin", "or"))
    pages = {
        address: browser.get(address) for address in addresses if address != "/ifms/docs"
    }  # that one is for programmers
    pages |= {
        f"POST {path}": browser.post(path, data=data)
        for path, data in (
            ("/ifms/bills/confirm", {"numbers": "WB/1"}),
            ("/ifms/connections", {"connection": "ifms_db"}),
            ("/ifms/bills/confirm", {"numbers": ""}),
        )
    }
    assert len(pages) > 20
    patterns = english_ones()
    assert len(patterns) > 500
    left = set()
    for address, page in pages.items():
        assert '<html lang="or">' in page.text, address
        for said in Said(page.text).texts:
            text = " ".join(said.split())
            left |= {(address, key, text) for key, pattern in patterns if pattern.fullmatch(text)}
    counted = {("/ifms/runs", "line.done", "done")}  # what a sweep counts has the names of its log in every language
    assert left - counted == set()


def test_files_are_in_english_for_everybody(api: Any):
    browser = api("viewer", cookie=True)
    in_english = {path: browser.get(path).content for path in ("/ifms/instructions.csv?tab=open", "/ifms/waiting.csv")}
    browser.cookies.set(COOKIE, cookie("sample-viewer", "or"))
    assert {path: browser.get(path).content for path in in_english} == in_english
    assert b"PI number" in in_english["/ifms/instructions.csv?tab=open"]
