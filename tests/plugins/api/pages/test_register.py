"""The register's page, its chart and its files."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from openpyxl import load_workbook
from support.adapter import Adapter
from support.failed import wage_bill

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]


def test_the_register_of_this_year_is_shown_at_once(api: Any, adapter: Adapter):
    from ifms_airflow.api.pages.register import current_year

    wage_bill(adapter)
    adapter.cycle()
    browser = api("viewer", cookie=True)
    page = browser.get("/ifms/register").text
    [year] = {row["financial_year"] for row in adapter.rows("SELECT financial_year FROM ifms.sanction")}
    page = browser.get("/ifms/register", params={"year": year}).text
    assert f'<option value="{current_year()}"' in page
    for text in ("Initial Allotment", "Expense", "<svg", "The chart as a table", "PI-SA/"):
        assert text in page, text
    only = browser.get("/ifms/register", params={"year": year, "type": "Expense"}).text
    assert "Initial Allotment</td>" not in only
    rows = adapter.rows("SELECT * FROM ifms.fund_register WHERE financial_year = %s ORDER BY movement_id", year)
    answer = browser.get("/ifms/register.csv", params={"year": year})
    header, *told = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert header[-1] == "Fund available"
    assert [row[3] for row in told] == [row["transaction_number"] for row in rows]
    assert [Decimal(row[8]) for row in told] == [row["fund_available"] for row in rows]
    document = browser.get("/ifms/register.pdf", params={"year": year})
    assert document.headers["content-type"] == "application/pdf"
    assert document.content.startswith(b"%PDF-")
    assert f"fund-register-{year}.pdf" in document.headers["content-disposition"]
    nothing = browser.get("/ifms/register.pdf", params={"year": year, "type": "Expense Reversed"})
    assert (nothing.status_code, "fund_register has nothing" in nothing.text) == (400, True)
    assert browser.get("/ifms/register.pdf", params={"year": "2024-11"}).status_code == 400
    book = browser.get("/ifms/register.xlsx", params={"year": year})
    sheets = load_workbook(io.BytesIO(book.content)).worksheets
    numbers = {cell.value for sheet in sheets for line in sheet.iter_rows() for cell in line}
    assert {row["transaction_number"] for row in rows} <= numbers
    kinds = {
        cell.data_type
        for sheet in sheets
        for line in sheet.iter_rows()
        for cell in line
        if str(cell.value) in {row["hoa_code"] for row in rows}
    }
    assert kinds == {"s"}  # a text, with all its digits
    assert "For a spreadsheet take XLSX" in page
    assert f"fund-register-{year}.xlsx" in book.headers["content-disposition"]


def test_heads_and_cities_are_named_with_their_codes_beside_them(api: Any, adapter: Adapter):
    wage_bill(adapter)
    adapter.cycle()
    named = {r["code"]: r["name"] for r in adapter.rows("SELECT code, name FROM ifms.display_name WHERE kind = 'HEAD'")}
    row = adapter.rows("SELECT * FROM ifms.fund_register ORDER BY movement_id")[0]
    head, year = row["hoa_code"], row["financial_year"]
    browser = api("viewer", cookie=True)
    page = browser.get("/ifms/register", params={"year": year}).text
    for code, name in named.items():  # of the configuration, whether or not it has a sanction
        assert f'<option value="{code}">{name} ({code})</option>' in page
    assert f'{named[head]}<span class="sub">{head}</span>' in page
    assert "take XLSX" in page
    assert page.count("<svg") == page.count("The chart as a table") == 2
    assert f"<title>Allotted, {named[head]}: ₹" in page
    answer = browser.get("/ifms/register.csv", params={"year": year})
    _, first, *_ = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert first[:2] == [named[head], head]
    book = load_workbook(io.BytesIO(browser.get("/ifms/register.xlsx", params={"year": year}).content))
    cells = [cell for line in book["Rows"].iter_rows() for cell in line if cell.value == head]
    assert cells
    assert {(cell.data_type, cell.number_format) for cell in cells} == {("s", "@")}
    assert named[head] in {cell.value for line in book["Rows"].iter_rows() for cell in line}


def test_a_year_without_anything(api: Any):
    page = api("viewer", cookie=True).get("/ifms/register?year=1999-00").text
    assert "Nothing was allotted or spent in 1999-00" in page
    assert "<svg" not in page


@pytest.mark.parametrize("query", ["year=99", "type=None", "after=-1", "after=x"])
def test_an_address_that_is_none_of_ours(api: Any, query: str):
    assert api("viewer", cookie=True).get(f"/ifms/register?{query}").status_code == 400


def test_a_chart_keeps_within_its_frame():
    from ifms.queries.funds import Month
    from ifms_airflow.api.pages.register import chart

    assert chart([]) is None
    assert chart([Month(date(2024, 4, 1), Decimal(0), Decimal(0))]) is None
    months = [Month(date(2024, 4 + n, 1), Decimal(10**n), Decimal(-5 * n)) for n in range(8)]
    drawn = chart(months)
    assert drawn is not None
    for bar in (*drawn.allotted, *drawn.spent):
        assert 78 <= bar.x <= 952
        assert 0 <= bar.height <= 176.001
        assert bar.y >= 13.9
    assert len(drawn.names) == 8
    assert drawn.lines[-1][1] == "₹1.0 Cr"
