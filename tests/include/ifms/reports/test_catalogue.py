"""What may be asked for, and what a file of it is called."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifms.errors import BadInputError
from ifms.reports.catalogue import FORMATS, REPORTS, file_name, formats_named, report_named, request

AS_OF = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
REGISTER = REPORTS["fund_register"]


def test_the_reports_are_these():
    assert list(REPORTS) == [
        "fund_register",
        "payment_ageing",
        "failure_reasons",
        "reconciliation",
        "response_times",
        "amounts_transferred",
        "bank_transfers",
        "project_payments",
        "payments_by_group",
    ]
    assert all(report_named(name) is report for name, report in REPORTS.items())


@pytest.mark.parametrize("name", ["", "register", "FUND_REGISTER", "fund_register; DROP TABLE ifms.payment"])
def test_what_is_no_report_is_named_with_those_that_are(name: str):
    with pytest.raises(BadInputError, match="is no report: there are fund_register, payment_ageing, "):
        report_named(name)


def test_formats():
    assert formats_named(["pdf", "csv", "pdf"]) == ("pdf", "csv")
    for name in ("", "XLSX", "docx"):
        with pytest.raises(BadInputError, match="is no format: there are xlsx, csv, pdf"):
            formats_named(["csv", name])
    assert FORMATS == ("xlsx", "csv", "pdf")


def test_without_a_period_a_report_has_its_own():
    labels = {name: request(report, AS_OF).period.label for name, report in REPORTS.items()}
    assert labels == {
        "fund_register": "2026-27",
        "payment_ageing": "all",
        "failure_reasons": "2026-27",
        "reconciliation": "2026-27",
        "response_times": "2026-11",
        "amounts_transferred": "2026-27",
        "bank_transfers": "2026-27",
        "project_payments": "2026-27",
        "payments_by_group": "2026-27",
    }


def test_what_can_not_be_asked_is_refused():
    for period, said in (
        ("2027-28", "begins after 2026-11-24 00:00:00 IST"),
        ("2026-11-24", "begins after"),
        ("tomorrow", "is no period"),
    ):
        with pytest.raises(BadInputError, match=said):
            request(REGISTER, AS_OF, period=period)
    with pytest.raises(BadInputError, match="is no transaction type: there are Initial Allotment, "):
        request(REGISTER, AS_OF, transaction_type="expense")
    for filters in ({"hoa_code": "9900"}, {"transaction_type": "Expense"}):
        with pytest.raises(BadInputError, match="are filters of fund_register only"):
            request(REPORTS["reconciliation"], AS_OF, **filters)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({}, "fund_register_2026-27_all.csv"),
        ({"tenants": ["od.samplea"]}, "fund_register_2026-27_od.samplea.csv"),
        (
            {"tenants": ["od.sampleb", "od.samplea"], "period": "2026-11"},
            "fund_register_2026-11_od.samplea-od.sampleb.csv",
        ),
        ({"period": "2026-11-01..2026-11-02"}, "fund_register_2026-11-01_2026-11-02_all.csv"),
        ({"period": "all"}, "fund_register_all_all.csv"),
        (
            {"hoa_code": "9900", "transaction_type": "Expense Reversed"},
            "fund_register_2026-27_all_9900_expense-reversed.csv",
        ),
    ],
)
def test_a_file_is_called_by_what_is_in_it(asked: dict[str, str], name: str):
    assert file_name(REGISTER, request(REGISTER, AS_OF, **asked), "csv") == name


def test_many_cities_make_a_short_name_and_others_another_one():
    names = {
        file_name(REGISTER, request(REGISTER, AS_OF, tenants=[f"od.city{n}" for n in range(first, 40)]), "csv")
        for first in (0, 1)
    }
    assert all(re.fullmatch(r"fund_register_2026-27_(40|39)-cities-[0-9a-f]{8}\.csv", name) for name in names)
    assert len(names) == 2


@given(st.lists(st.text(max_size=60), max_size=3), st.text(max_size=300))
def test_no_name_leads_elsewhere(tenants: list[str], head: str):
    name = file_name(REGISTER, request(REGISTER, AS_OF, tenants=tenants, hoa_code=head), "xlsx")
    assert re.fullmatch(r"fund_register_[A-Za-z0-9._-]{1,200}\.xlsx", name)
