import json
import logging
from pathlib import Path

import pytest

from ifms.errors import BadInputError
from ifms.platform.masterdata import MasterData, head_codes_by_code, heads_in_order
from ifms.platform.models import City, HeadCode, HeadOfAccount
from ifms.platform.replies import UnreadRow

SAMPLE = Path(__file__).parents[4].parent / "shared" / "samples" / "mdms" / "expense_HeadCodes-od.json"


def code(code, category, active=True, service="works.wages"):
    return HeadCode(code=code, category=category, active=active, service=service)


def head(code, sequence, active=True):
    return HeadOfAccount(code=code, sequence=sequence, active=active, scheme_code=13145)


def test_heads_are_tried_by_sequence_and_inactive_ones_not_at_all():
    heads = heads_in_order([head("general", 3), head("sc", 1), head("old", 0, active=False), head("st", 2)])
    assert [head.code for head in heads] == ["sc", "st", "general"]
    assert heads[0].scheme_code == "13145"


def test_a_code_used_for_two_kinds_of_bill_is_one_if_its_category_is():
    codes = head_codes_by_code([code("LC", "deduction"), code("LC", "Deduction", service="works.purchase")])
    assert codes["LC"].is_deduction


def test_an_active_row_stands_for_inactive_ones():
    codes = head_codes_by_code(
        [code("PA", "deduction", active=False), code("PA", "expense"), code("X", "expense", False)]
    )
    assert not codes["PA"].is_deduction
    assert "X" in codes


def test_a_code_with_two_categories_is_left_out_and_said(caplog):
    with caplog.at_level(logging.WARNING):
        codes = head_codes_by_code([code("LC", "deduction"), code("LC", "expense"), code("WEG", "expense")])
    assert set(codes) == {"WEG"}
    assert "LC" in caplog.text


def test_of_a_code_no_row_that_decides_may_be_unreadable(caplog):
    def unread(code, active):
        return UnreadRow({"code": code, "active": active}, f"the row of {code} is spoiled")

    rows = [code("LC", "deduction"), code("MC", "expense"), code("PA", "expense", active=False)]
    with caplog.at_level(logging.WARNING):
        codes = head_codes_by_code(rows, [unread("LC", True), unread("MC", False), unread("PA", False)])
    assert set(codes) == {"MC"}
    assert "the row of LC is spoiled" in caplog.text


def test_a_city_is_found_by_its_tenant():
    data = MasterData((City(tenant_id="od.demo", city_code="DM"),), (), {}, {})
    assert data.city("od.demo").city_code == "DM"
    with pytest.raises(BadInputError, match=r"od\.other"):
        data.city("od.other")


@pytest.mark.skipif(not SAMPLE.exists(), reason="the deployment's own head codes are not beside this repository")
def test_the_head_codes_of_the_deployment():
    codes = head_codes_by_code(HeadCode.model_validate(row["data"]) for row in json.loads(SAMPLE.read_text()))
    deductions = {code for code, head in codes.items() if head.is_deduction}
    assert deductions == {"LC", "ITTDS", "ROM", "ECB", "GSTTDS", "EMF", "DMF", "ITTDSOTI"}
    assert {"WEG", "SC", "PURCHASE"} <= set(codes) - deductions
