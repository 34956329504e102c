"""The first page: what it says, where it leads, and how its bars are drawn."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from support.adapter import Adapter, Treasury
from support.failed import TENANT, paid_and_failed, wage_bill

from ifms.ledger.overview import refresh
from ifms.queries.overview import City, Head

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0})]


@pytest.fixture
def browser(api: Any) -> Any:
    return api("viewer", cookie=True)


def test_it_is_the_first_page_and_there_before_anything_has_happened(browser: Any, adapter: Adapter):
    page = browser.get("/ifms/")
    assert page.status_code == 200, page.text
    assert page.text.count("<h1>Overview</h1>") == 1
    assert '<a href="/ifms/overview" aria-current="page">Overview</a>' in page.text
    for text in ("counted at the end of the next sweep", "Nothing waits.", "No failed payment", "has not run yet"):
        assert text in page.text, text
    assert "None was accepted in 24 hours" in page.text


def test_everything_leads_to_what_it_counts(browser: Any, adapter: Adapter, treasury: Treasury):
    paid_and_failed(adapter)
    wage_bill(adapter, 1)
    adapter.run("PA")
    adapter.run("PI")
    adapter.simulators.ask_platform(
        "POST", "bills", {"type": "wage", "tenantId": "od.sampleb", "amounts": ["9999999999.00"]}
    )
    adapter.run("PA")
    adapter.run("PI")
    with psycopg.connect(adapter.dsn) as connection:
        assert refresh(connection)
    page = browser.get("/ifms/overview").text
    assert re.search(r"From payment to acceptance: half within</dt><dd><a [^>]*>[0-9.]+ s</a>", page)
    assert re.search(r"95 % within [0-9.]+ s; 2 accepted in 24 hours", page)
    for text in ("Counted as of", "₹9,99,99,99,999.00", "The SSU", "Us", "No funds", TENANT, "od.sampleb", "Reserved"):
        assert text in page, text
    links = {each.replace("&amp;", "&") for each in re.findall(r'href="(/ifms/[^"#]*)', page)}
    for link in links - {each for each in links if "/static/" in each}:
        assert browser.get(link).status_code == 200, link
    waiting = browser.get("/ifms/instructions?tab=open&status=INITIATED&type=ORIGINAL&sort=created_asc")
    assert "1 found" in waiting.text
    assert "/ifms/instructions?tab=open&status=INITIATED&type=ORIGINAL&sort=created_asc" in links
    assert "/ifms/waiting?reason=PAYMENT_INSUFFICIENT_FUNDS" in links


def test_no_chart_without_its_words_and_its_table(browser: Any, adapter: Adapter):
    paid_and_failed(adapter)
    with psycopg.connect(adapter.dsn) as connection:
        assert refresh(connection)
    page = browser.get("/ifms/overview").text
    charts = re.findall(r"<svg[^>]*>", page)
    assert charts
    assert all('role="img"' in each and re.search(r'aria-label="[^"]+"', each) for each in charts)
    assert page.count("As a table") == page.count("<details>") >= 3


@pytest.mark.parametrize(("sort", "first"), [("age", "od.b"), ("money", "od.c"), ("city", "od.a")])
def test_cities_are_sorted_by_age_money_and_name(sort: Any, first: str):
    from ifms_airflow.api.pages.overview import ordered

    old, new = datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 6, 9, tzinfo=UTC)
    cities = [
        City("od.a"),
        City("od.c", waiting_amount=Decimal(90), oldest=new),
        City("od.b", failed_amount=Decimal(7), oldest=old),
    ]
    assert ordered(cities, sort)[0].tenant_id == first
    assert ordered(cities, sort)[-1].tenant_id == {"age": "od.a", "money": "od.a", "city": "od.c"}[sort]


def test_an_order_that_is_none_is_refused(browser: Any, adapter: Adapter):
    assert browser.get("/ifms/overview?sort=id").status_code == 400


def test_a_bar_is_as_long_as_what_it_stands_for():
    from ifms_airflow.api.pages.overview import bar, bar_of_head

    [part] = bar(50, 200, "late")
    assert (part.start, part.width, part.kind, part.text) == (0, 25.0, "late", "50")
    assert bar(0, 0, "late") == bar(0, 5, "late") == []
    [part] = bar(1, 1_000_000, "soon")
    assert part.width == 0.6  # what is there can be seen
    parts = bar_of_head(Head("h", Decimal(100), Decimal(25), Decimal(50), Decimal(25)), Decimal(100))
    assert [(each.kind, each.start, each.width) for each in parts] == [
        ("spent", 0, 50.0),
        ("reserved", 50.0, 25.0),
        ("available", 75.0, 25.0),
    ]
    overdrawn = bar_of_head(Head("h", Decimal(0), Decimal(0), Decimal(0), Decimal(-5)), Decimal(100))
    assert overdrawn == []
