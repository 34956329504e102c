"""What comes with a key when it is pasted."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifms.pasted import base64_readings, split, unwrapped


@pytest.mark.parametrize(
    "text",
    [
        "abc",
        " abc\n",
        '"abc"',
        "'abc'\r\n",
        "\ufeffabc",
        "“abc”",
        "abc\\n",
        '"abc\\r\\n"',
        "ab\u200bc",
        "`abc`,",
        "\xa0abc;",
    ],
)
def test_what_is_around_it_is_taken_off(text):
    assert unwrapped(text) == "abc"


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb\r\n", "a,b", "a; b", "a\\nb", '"a" \n"b"', "\ufeffa b", " a  ,\n b "])
def test_several_are_split(text):
    assert tuple(map(unwrapped, split(text))) == ("a", "b")


@given(st.binary(min_size=1, max_size=50))
def test_any_form_of_base64_is_read(data):
    usual = base64.b64encode(data).decode()
    for form in (usual, usual.rstrip("="), base64.urlsafe_b64encode(data).decode(), f"{usual[:3]}\n{usual[3:]}\n"):
        assert base64_readings(form)[0] == data
    assert (
        data in base64_readings(usual.replace("+", " ")) or usual.startswith("+") or "+=" in usual or usual[-1] == "+"
    )


@pytest.mark.parametrize("text", ["!", "a", "ab=c", "caf\u00e9"])
def test_what_is_no_base64_has_no_reading(text):
    assert base64_readings(text) == []
