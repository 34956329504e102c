"""What people of a city and of the state do in a day, in a real browser: by names and ids, whatever the language is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from support import browser
from support.adapter import Adapter
from support.browser import Standalone
from support.failed import failing, mend, original, paid_and_failed, revisions, wage_bill

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("browser"),
    pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0}),
]

LANGUAGES = ("en", "or")


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def walking(chromium: Any, standalone: Standalone, person: str, language: str) -> Iterator[Any]:
    """A page on which this person is logged in, at the overview."""
    with browser.logged_in(chromium, standalone, person) as page:
        browser.language(page.context, standalone.client.address, person, language)
        page.goto(f"{standalone.client.address}/ifms/overview")
        assert page.locator("html").get_attribute("lang") == language
        yield page


def to_list(page: Any) -> None:
    page.locator("header nav a[href$='/instructions']").click()
    page.locator("form.filters").wait_for()


def search(page: Any, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"#{name}").fill(value)
    page.locator("form.filters button[type=submit]").click()


def to_pi(page: Any, number: str, within: str = "main") -> None:
    page.locator(f"{within} a[href*='/instruction?']", has_text=number).first.click()
    page.locator("h1", has_text=number).wait_for()


def press(page: Any, button: str) -> None:
    """Press a button that starts a DAG run, and wait until the run is over."""
    with page.expect_navigation():
        page.locator(button).click()
    page.locator("#run[data-over]").wait_for()


def instructions(adapter: Adapter) -> list[dict[str, Any]]:
    return adapter.rows("SELECT * FROM ifms.payment_instruction ORDER BY created_at")


def test_a_city_clerk_finds_why_a_payment_has_no_pi_and_tries_again(
    standalone: Standalone, chromium: Any, language: str
):
    adapter = standalone.adapter
    wage_bill(adapter, 2)
    wage_bill(adapter, 2, "od.sampleb")
    for service in ("PA", "PI"):  # nothing is allotted
        adapter.run(service)
    payments = adapter.rows("SELECT * FROM ifms.payment ORDER BY tenant_id")
    ours, theirs = payments
    with walking(chromium, standalone, "sample-clerk", language) as page:
        to_list(page)
        page.locator(".tabs a[href$='/waiting']").click()
        page.locator("#reason").wait_for()
        assert page.get_by_text(theirs["payment_number"]).count() == 0  # of another city
        search(page, bill=ours["bill_numbers"][0])
        page.locator("a[href*='/waiting/payment?']", has_text=ours["payment_number"]).click()
        page.locator("h1", has_text=ours["payment_number"]).wait_for()
        page.get_by_text(ours["hold_message"]).first.wait_for()
        press(page, "form[action$='/waiting/again'] button")
        page.get_by_text(ours["hold_message"]).first.wait_for()
        assert instructions(adapter) == []
        adapter.run("VA")  # money has come
        press(page, "form[action$='/waiting/again'] button")
        [pi] = instructions(adapter)
        assert (pi["payment_number"], pi["status"]) == (ours["payment_number"], "INITIATED")
        to_pi(page, pi["pi_number"], ".band")


def test_an_accountant_corrects_one_of_three_payees(standalone: Standalone, chromium: Any, language: str):
    adapter = standalone.adapter
    paid_and_failed(adapter, 3, 3)
    number, (one, *others) = original(adapter)["pi_number"], failing(adapter)
    mend(adapter, [one])
    with walking(chromium, standalone, "sample-accountant", language) as page:
        to_list(page)  # what is pending for action
        to_pi(page, number)
        page.locator("a[href*='action=revise']").click()
        page.locator("#choice").wait_for()
        assert page.locator("input[name=revise]:checked").evaluate_all("all => all.map(e => e.value)") == [one]
        assert page.locator("input[name=same_account]:checked").count() == 0
        assert page.locator("input[name=same_account]").count() == 2
        press(page, "#choice button[type=submit]")
        [revision] = revisions(adapter)
        assert (revision["beneficiary_count"], revision["status"]) == (1, "INITIATED")
        assert failing(adapter) == others
        to_pi(page, revision["pi_number"])
        press(page, "form[action$='/act'] button")  # ask what became of it
        assert revisions(adapter)[0]["status"] == "SUCCESSFUL"
        to_list(page)
        to_pi(page, number)  # the two others wait still


def test_a_state_officer_finds_the_city_with_the_oldest_money(standalone: Standalone, chromium: Any, language: str):
    adapter = standalone.adapter
    adapter.run("VA")
    wage_bill(adapter, 5)
    wage_bill(adapter, 1, "od.sampleb")
    for service in ("PA", "PI"):
        adapter.run(service)
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        for table, since in (("payment_instruction", "status_since"), ("payment", "raised_at")):
            connection.execute(
                f"UPDATE ifms.{table} SET {since} = {since} - interval '40 days' WHERE tenant_id = 'od.sampleb'".encode()
            )
    with psycopg.connect(adapter.dsn, autocommit=True) as connection:
        while not connection.execute("SELECT ifms.refresh_overview()").fetchone()[0]:  # type: ignore[index]
            connection.execute("SELECT pg_sleep(0.1)")
    own = {pi["tenant_id"]: pi["pi_number"] for pi in instructions(adapter)}
    with walking(chromium, standalone, "sample-officer", language) as page:
        cities = page.locator("section[aria-labelledby=cities]")
        first = cities.locator("tbody tr").first
        assert "od.sampleb" in first.inner_text()
        cities.locator("th a[href*='sort=money']").click()
        cities.locator("th[aria-sort] a[href*='sort=money']").wait_for()
        assert "od.samplea" in first.inner_text()
        cities.locator("th a[href*='sort=age']").click()
        cities.locator("th[aria-sort] a[href*='sort=age']").wait_for()
        first.locator("th a").click()
        page.locator("form.filters").wait_for()
        assert page.locator("#city").input_value() == "od.sampleb"
        assert page.get_by_text(own["od.samplea"]).count() == 0
        to_pi(page, own["od.sampleb"])
        assert page.locator(".actions").count() == 0  # who only reads changes nothing
