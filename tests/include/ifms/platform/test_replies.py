"""Rows, models, pages and masters of a reply: what is wrong is named, and nothing else of it is quoted."""

import pytest

from ifms.errors import PlatformReplyError
from ifms.platform.models import Bill, City, HeadCode, Party
from ifms.platform.replies import Masters, as_object, chunks, model_of, models_of, pages, printable, rows_of, unique

WHERE = ("sample_search", "od.samplea")


@pytest.mark.parametrize("reply", [None, [], "text", 1])
def test_a_reply_that_is_no_object(reply):
    with pytest.raises(PlatformReplyError, match=r"sample_search for od\.samplea: the reply is not a JSON object"):
        as_object(reply, *WHERE)


@pytest.mark.parametrize("reply", [{}, {"rows": None}, {"rows": {}}])
def test_rows_that_are_missing(reply):
    with pytest.raises(PlatformReplyError, match="rows is missing"):
        rows_of(reply, "rows", *WHERE)
    assert rows_of({"rows": []}, "rows", *WHERE) == []


def test_a_row_that_is_no_model_is_named_by_place_field_and_id():
    bad = {"id": "sample-id", "identifier": ["000012345678"]}
    with pytest.raises(PlatformReplyError, match=r"parties\[1\]\.identifier .*, id sample-id$") as refused:
        models_of(Party, [{"id": "first"}, bad], "parties", *WHERE)
    assert "000012345678" not in str(refused.value)
    assert model_of(Party, {"id": "first"}, "party", *WHERE).id == "first"


def test_pages_end_with_a_short_one():
    given = {0: ["a", "b"], 2: ["c"]}
    assert list(pages(given.__getitem__, 2, *WHERE)) == ["a", "b", "c"]
    assert list(pages({0: []}.__getitem__, 2, *WHERE)) == []


def test_a_service_that_does_not_heed_the_offset_is_not_read_for_ever():
    with pytest.raises(PlatformReplyError, match="page 2 repeats the one before"):
        list(pages(lambda offset: ["a", "b"], 2, *WHERE))


def test_values_are_asked_for_once_and_in_chunks():
    assert unique(["b", "a", "b"]) == ["b", "a"]
    assert list(chunks(["b", "a", "b", "c"], 2)) == [["b", "a"], ["c"]]
    assert list(chunks([], 2)) == []


def test_masters_by_module_and_name():
    masters = Masters({"tenant": {"tenants": [{"code": "od.samplea", "name": "Sample A", "city": {}}]}}, *WHERE)
    cities, unread = masters.models("tenant", "tenants", City)
    assert [city.tenant_id for city in cities] == ["od.samplea"]
    assert unread == []
    assert masters.models("tenant", "other", City, optional=True) == ([], [])
    with pytest.raises(PlatformReplyError, match=r"MdmsRes\.tenant\.other is missing"):
        masters.models("tenant", "other", City)


def test_a_row_of_a_master_that_can_not_be_read_is_named_and_spoils_no_other():
    rows = [None, {"code": "A\0", "active": False}, {"code": "B", "category": "expense"}, {"code": "C", "active": "?"}]
    found, unread = Masters({"expense": {"HeadCodes": rows}}, *WHERE).models("expense", "HeadCodes", HeadCode)
    assert [row.code for row in found] == ["B"]
    assert [row.is_active for row in unread] == [True, False, True]
    assert [row.row.get("code") for row in unread] == [None, "A\0", "C"]
    assert unread[0].fault.startswith("sample_search for od.samplea: MdmsRes.expense.HeadCodes[0] (")
    assert unread[1].fault.endswith(", code A\ufffd")


def test_what_an_error_quotes_can_be_written_anywhere():
    assert printable("a\0b\ud800c\nd é") == "a\ufffdb\ufffdc\ufffdd é"
    with pytest.raises(PlatformReplyError) as refused:
        model_of(Bill, {"id": "a\0b"}, "bills[0]", "bill_search", "od.samplea")
    assert "\0" not in str(refused.value)


def test_an_error_quotes_no_account_number_where_an_id_should_be():
    with pytest.raises(PlatformReplyError, match=r"id account \*{11}6778 \.$"):
        model_of(Party, {"id": "account 002233445566778 .", "identifier": []}, "party", *WHERE)
