import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifms.strict_json import MAX_DEPTH, decode, encode

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.text(max_size=20)
    | st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**13), max_value=10**13),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_what_is_written_is_read_back(value):
    assert decode(encode(value)) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=0, max_value=10**13))
def test_an_amount_keeps_its_digits(amount):
    assert encode({"a": amount}) == f'{{"a": {amount}}}'.encode()


def test_a_number_with_decimals_never_becomes_a_float():
    assert decode(b"[0.1, 1e2, 900.00]") == [Decimal("0.1"), Decimal("1E+2"), Decimal("900.00")]


@pytest.mark.parametrize("value", [0.1, {1: 2}, Decimal("NaN"), Decimal("Infinity"), object(), {1, 2}])
def test_what_json_has_no_word_for_is_refused(value):
    with pytest.raises(TypeError):
        encode({"a": value})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff\xfe",
        b'{"a": NaN}',
        b"[Infinity]",
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b'{"a": ' * 600 + b"1" + b"}" * 600,
        b"[1e99999999999999999999]",
        b"[1e400000000]",
        b"[-1E+309]",
        b"[1e-400000000]",
        b"[0e400000000]",
        b"[" + b"9" * 5000 + b"]",
        b'{"a": 1} x',
    ],
    ids=[
        "empty",
        "html",
        "not utf-8",
        "nan",
        "infinity",
        "doubled key",
        "deep",
        "a level too deep",
        "600 levels",
        "exponent",
        "exponent of an integer that takes minutes",
        "exponent beyond a float's",
        "exponent of nothing",
        "exponent of zero",
        "long",
        "trailing",
    ],
)
def test_bad_json_is_a_value_error(body):
    with pytest.raises(ValueError, match=r"."):
        decode(body)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb'"a\ud800"', "a\0"),
        (rb'"\uDC00b\ud83d\ude00"', "\0b\N{GRINNING FACE}"),
        (rb'"\ud83d\ud83d\ude00"', "\0\N{GRINNING FACE}"),
        (rb'"\\ud800 \ud800"', "\\ud800 \0"),
    ],
)
def test_half_a_surrogate_pair_is_no_text_that_anybody_takes(body, text):
    assert decode(body) == text


@pytest.mark.parametrize("body", [b'["4e12300", ":1e999", "e", 1e307, -1.5E-300]', b'{"4e999": ",7e999,"}'])
def test_a_text_that_looks_like_a_number_too_wide_is_none(body):
    assert decode(body) == json.loads(body, parse_float=Decimal)


def test_what_is_read_can_be_written():
    body = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert encode(decode(body)) == body
