from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifms.errors import BadInputError, WireError
from ifms.strict_json import MAX_DEPTH
from ifms.wire.envelope import (
    Amount,
    Day,
    OptionalAmount,
    OptionalDay,
    OptionalNote,
    OptionalText,
    Reply,
    ReplyError,
    Request,
    RequiredText,
    Row,
    SentAmount,
    SentDate,
    SentDateTime,
    SentDay,
    SentText,
    Service,
    parse_each,
    parse_reply,
    parse_rows,
)
from ifms.wire.fd import FdRow
from ifms.wire.pag import PagRow
from ifms.wire.pd import PdRow
from ifms.wire.va import VaRow

NUMBER = "PI-TE/2024-25/002954"


class SampleRow(Row):
    bill_no: RequiredText
    note: OptionalText = None
    amount: Amount = Decimal(0)
    maybe_amount: OptionalAmount = None
    day: Day = date(2024, 1, 1)
    maybe_day: OptionalDay = None


class SampleRequest(Request):
    service: ClassVar[Service] = Service.PIS

    bill_no: SentText
    amount: SentAmount = Decimal(1)
    made_at: SentDateTime = datetime(2024, 3, 31, 18, 30, tzinfo=UTC)
    made_on: SentDate = datetime(2024, 3, 31, 18, 30, tzinfo=UTC)
    day: SentDay = date(2024, 2, 29)


def rows(*data: object) -> list[SampleRow]:
    return parse_rows(SampleRow, Reply("PIS", data=list(data)))  # type: ignore[arg-type]


# The reply ------------------------------------------------------------------------------------------------------------


def test_a_reply():
    reply = parse_reply(b'{"serviceId":" FTFPS","errorMsg":null,"data":[{"a":"1"}],"unknown":{"x":[1]}}')
    assert reply == Reply("FTFPS", (), [{"a": "1"}])


@pytest.mark.parametrize("text", ['{"serviceId":"PD","data":null}', '{"data":[]}', "{}", '{"errorMsg":" "}'])
def test_no_news(text):
    assert parse_reply(text).data == []
    assert parse_reply(text).errors == ()


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ('{"errorMsg":" Bill not received in JIT-FS "}', [(None, "Bill not received in JIT-FS")]),
        ('{"errorMsg":null,"errorMsgs":[{"errorCode":"340","errorMsg":"Wrong"}]}', [("340", "Wrong")]),
        ('{"errorMsgs":[{"errorCode":340,"errorMsg":"Wrong"}],"data":[{}]}', [("340", "Wrong")]),
        ('{"errorMsg":"A","errorMsgs":[{"errorCode":"1","errorMsg":"B"}]}', [(None, "A"), ("1", "B")]),
        ('{"errorMsgs":[{}]}', [(None, "(the treasury gave no text)")]),
        ('{"errorMsg":"NUL \\u0000 and half \\ud800"}', [(None, "NUL \ufffd and half \ufffd")]),
    ],
)
def test_either_error_field_is_an_error(text, errors):
    assert [(error.code, error.message) for error in parse_reply(text).errors] == errors


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "null", "[]", '"text"', "1", "{", "{}{}", b"\xff", b"\xef\xbb\xbf{}", "{'a':1}",
        '{"data":{}}', '{"data":"x"}', '{"data":[[]]}', '{"data":[null]}', '{"data":["x"]}', '{"data":[{},[{}]]}',
        '{"serviceId":1}', '{"errorMsg":1}', '{"errorMsg":{}}', '{"errorMsgs":{}}', '{"errorMsgs":"x"}',
        '{"errorMsgs":["x"]}', '{"errorMsgs":[{"errorMsg":[]}]}', '{"errorMsgs":[{"errorCode":true}]}',
        '{"data":[],"data":[]}', '{"data":[{"a":1,"a":2}]}', '{"x":{"a":1,"a":1}}', '{"x":NaN}', '{"x":-Infinity}',
        '{"x":' + "9" * 5000 + "}", '{"x":1e99999999999999999999}', "[" * 10_000, '{"x":' * 10_000,
        '{"data":' + "[" * 10_000 + "]" * 10_000 + "}", '{"x":' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}",
    ],
)  # fmt: skip
def test_anything_else_is_a_wire_error(text):
    with pytest.raises(WireError):
        parse_reply(text)


def test_depth_is_counted_not_guessed():
    deep = MAX_DEPTH - 1
    assert parse_reply('{"x":' + "[" * deep + "]" * deep + "}").data == []


def test_the_error_quotes_nothing_from_the_reply():
    with pytest.raises(WireError) as caught:
        parse_reply('{"errorMsg":"account 00123456789012"')
    assert "0123" not in str(caught.value)


def test_numbers_are_never_floats():
    row = parse_reply('{"data":[{"a":0.1,"b":7,"c":1e2}]}').data[0]
    assert row == {"a": Decimal("0.1"), "b": 7, "c": Decimal("1e2")}
    assert {type(value) for value in row.values()} == {Decimal, int}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=15,
)
fields = ["serviceId", "errorMsg", "errorMsgs", "errorCode", "data", "benfDtls", "benfId", "allotmentAmount"]
shaped = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["1.00", "2024-02-29", "1e3"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(fields), inner, max_size=5),
    max_leaves=20,
)


def read_all(text: bytes | str) -> None:
    """All that may happen to a reply: it is read, or a WireError is raised."""
    try:
        reply = parse_reply(text)
    except WireError:
        return
    assert all(isinstance(row, dict) for row in reply.data)
    repr(reply)
    for model in (SampleRow, VaRow, PagRow, PdRow, FdRow):
        good, faults = parse_each(model, reply)
        assert len(good) + len(faults) == len(reply.data)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_fuzz_bytes(text):
    read_all(text)


@given(json_values | shaped)
def test_fuzz_json(value):
    read_all(json.dumps(value))


@given(st.lists(st.dictionaries(st.sampled_from(fields), shaped, max_size=5), max_size=3), shaped)
def test_fuzz_envelopes(data, error):
    read_all(json.dumps({"serviceId": "PD", "errorMsg": None, "errorMsgs": None, "data": data}))
    read_all(json.dumps({"data": data, "errorMsgs": error}))


alias_of = {model: [field.alias for field in model.model_fields.values()] for model in (VaRow, PagRow, PdRow, FdRow)}


@pytest.mark.parametrize("model", alias_of)
@given(data=st.data())
def test_fuzz_rows(model, data):
    row = data.draw(st.dictionaries(st.sampled_from(alias_of[model]), json_values | shaped, max_size=20))
    read_all(json.dumps({"data": [row]}))


# Rows -----------------------------------------------------------------------------------------------------------------


def test_a_row_is_read_by_wire_name_with_texts_and_numbers():
    row = rows({"billNo": 7, "note": " x ", "amount": Decimal("10.5"), "maybeAmount": "200000", "day": "2024-02-29",
                "maybeDay": "2024-10-28 11:03:04", "unknown": [1]})[0]  # fmt: skip
    assert (row.bill_no, row.note, row.amount, row.maybe_amount) == ("7", "x", Decimal("10.50"), Decimal("200000.00"))
    assert (row.day, row.maybe_day) == (date(2024, 2, 29), date(2024, 10, 28))


def test_empty_means_absent():
    row = rows({"billNo": "1", "note": " ", "maybeAmount": "", "maybeDay": ""})[0]
    assert (row.note, row.maybe_amount, row.maybe_day) == (None, None, None)


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({}, "billNo: is missing"), ({"billNo": ""}, "billNo: is empty"), ({"billNo": None}, "billNo"),
        ({"billNo": True}, "billNo"), ({"billNo": ["x"]}, "billNo"), ({"billNo": "a\0"}, "billNo"),
        ({"billNo": "a\ud800"}, "billNo"), ({"billNo": "x" * 10_001}, "billNo"),
        ({"billNo": "1", "amount": "1e3"}, "amount"), ({"billNo": "1", "amount": "0.001"}, "amount"),
        ({"billNo": "1", "amount": "1,000"}, "amount"), ({"billNo": "1", "amount": "NaN"}, "amount"),
        ({"billNo": "1", "amount": Decimal("1e999999")}, "amount"), ({"billNo": "1", "amount": 0.1}, "amount"),
        ({"billNo": "1", "amount": "\u0b67"}, "amount"), ({"billNo": "1", "amount": 10**15}, "amount"),
        ({"billNo": "1", "day": "29-02-2024"}, "day"), ({"billNo": "1", "day": "2023-02-29"}, "day"),
        ({"billNo": "1", "day": "2024-13-01"}, "day"), ({"billNo": "1", "maybeDay": "soon"}, "maybeDay"),
    ],
)  # fmt: skip
def test_a_row_that_is_not_as_promised_names_service_and_field(row, field):
    with pytest.raises(WireError) as caught:
        rows({"billNo": "1"}, row)
    assert "row 2 of the PIS reply" in str(caught.value)
    assert field.split(":")[0] in str(caught.value)
    assert field in str(caught.value)


def test_a_row_fault_shows_no_value():
    with pytest.raises(WireError) as caught:
        rows({"billNo": ["00123456789012"]})
    assert "0123" not in str(caught.value)
    with pytest.raises(WireError) as caught:
        rows({"billNo": "1", "amount": "00123456789012x"})
    assert "0012345678" not in str(caught.value)


def test_a_row_fault_shows_no_account_for_a_service():
    with pytest.raises(WireError, match=r"row 1 of the \*{10}9012 reply"):
        parse_rows(SampleRow, Reply("00123456789012", data=[{}]))


def test_one_bad_row_does_not_keep_the_others():
    reply = Reply("FD", data=[{"billNo": "1"}, {}, {"billNo": "3"}])
    good, faults = parse_each(SampleRow, reply)
    assert [row.bill_no for row in good] == ["1", "3"]
    assert [str(fault) for fault in faults] == ["row 2 of the FD reply: billNo: is missing"]


# Requests -------------------------------------------------------------------------------------------------------------


def test_a_request_on_the_wire():
    """18:30 UTC on 31 March is midnight of 1 April in India."""
    assert json.loads(SampleRequest(bill_no="₹ 1").to_wire()) == {
        "serviceId": "PIS",
        "params": {
            "billNo": "₹ 1",
            "amount": "1.00",
            "madeAt": "2024-04-01 00:00:00",
            "madeOn": "2024-04-01",
            "day": "2024-02-29",
        },
    }


def test_the_same_request_gives_the_same_text():
    assert SampleRequest(bill_no="1").to_wire() == SampleRequest(bill_no="1").to_wire()
    assert SampleRequest(bill_no="1").bill_number is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bill_no", ""), ("bill_no", " 1"), ("bill_no", "1 "), ("bill_no", 1), ("bill_no", None),
        ("bill_no", "x" * 257), ("bill_no", "a\nb"), ("bill_no", "a\0"), ("bill_no", "a\u200b"),
        ("amount", 0), ("amount", -1), ("amount", "0.001"), ("amount", 1.5), ("amount", "1e3"), ("amount", "NaN"),
        ("amount", "Infinity"), ("amount", "1,000"), ("amount", Decimal("10000000000000.00")), ("amount", None),
        ("made_at", datetime(2024, 1, 1)), ("made_at", datetime(1, 1, 1, tzinfo=UTC)), ("made_at", "yesterday"),  # noqa: DTZ001
        ("made_on", datetime(2100, 1, 1, tzinfo=UTC)), ("made_on", None), ("day", "2024-02-30"),
        ("day", date(1, 1, 1)), ("other", "x"),
    ],
)  # fmt: skip
def test_what_must_not_be_sent_is_refused_when_the_request_is_built(name, value):
    with pytest.raises(BadInputError) as caught:
        SampleRequest(**{"bill_no": "1", name: value})
    assert name == "amount" or name.split("_")[0] in str(caught.value)


def test_a_request_can_not_be_changed():
    with pytest.raises(Exception, match="frozen"):
        SampleRequest(bill_no="1").bill_no = "2"


# Errors that mean something -------------------------------------------------------------------------------------------


def errors(*texts: str, code: str | None = None) -> tuple[ReplyError, ...]:
    return tuple(ReplyError(code, text) for text in texts)


def test_an_error_is_shown_without_accounts():
    error = ReplyError("9", "account 00123456789012 is there twice")
    assert str(error) == "9: account **********9012 is there twice"
    assert "0123" not in repr(error)
    assert error.message == "account 00123456789012 is there twice"
    assert str(ReplyError(None, "x")) == "x"


class Bounded(Row):
    named_by: ClassVar[tuple[str, ...]] = ("key",)

    key: RequiredText
    day: OptionalDay = None
    amount: OptionalAmount = None
    said: OptionalNote = None


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"day": "1999-12-31"}, "day: is not between 2000 and 2100"),
        ({"day": "2100-01-01"}, "day: is not between 2000 and 2100"),
        ({"day": "0001-01-01 00:00:00"}, "day: is not between"),
        ({"day": "9999-12-31"}, "day: is not between"),
        ({"amount": "10000000000000.00"}, "amount: it .* is larger than"),
        ({"amount": Decimal("1e400")}, "amount"),
        ({"key": "x" * 129}, "key: is longer than 128 characters"),
        ({"said": "x" * 10_001}, "said: is longer than 10000 characters"),
        ({"said": "a\0"}, "said: holds a character that can't be stored"),
    ],
)
def test_what_the_ledger_can_not_hold_is_its_own_row_s_fault(row, said):
    good = {"key": "K1", "day": "2000-01-01", "amount": "9999999999999.99", "said": "x" * 10_000}
    rows, faults = parse_each(Bounded, Reply("FD", data=[{**good, **row}, {**good, "day": "2099-12-31"}]))
    assert [each.day for each in rows] == [date(2099, 12, 31)]
    assert len(faults) == 1
    assert re.match(f"row 1 of the FD reply: {said}", str(faults[0]))
    assert "(key '" in str(faults[0])


def test_an_error_s_text_has_an_end():
    [error] = parse_reply(json.dumps({"serviceId": "PI", "errorMsg": "x" * 2_000_000, "data": None})).errors
    assert error.message == "x" * 10_000 + "…"
