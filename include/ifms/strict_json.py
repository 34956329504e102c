"""JSON with money in it, read strictly: every number that is not an integer is a Decimal, in both directions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal

import jiter

MAX_EXPONENT = 308  # that of a float, the widest number that anybody else's JSON holds
MAX_DEPTH = 201  # jiter's own limit; what is sent back (an update takes the whole payment) is written level by level

# A text with all digits and points alike, and all signs: a number that may be wider has one of these shapes in it.
_SHAPES = bytes.maketrans(b"123456789.E+", b"0000000000e-")
_WIDE = (b"0e000", b"0e-000", b"0" * 300)
# An escaped backslash, or a whole pair; else half of one.
_SURROGATES = re.compile(
    rb"(?P<whole>\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
_BEFORE_A_NUMBER = frozenset(b":,[ \t\r\n")


def decode(body: bytes | str) -> object:
    """Read a JSON text; bytes are UTF-8. Half a surrogate pair, which is no text, is read as U+0000.

    Raises ValueError (with nothing of the text in it) if it is not JSON in UTF-8, holds NaN or Infinity, repeats a key
    within an object, a number beyond 10 to the power of MAX_EXPONENT, or is nested deeper than MAX_DEPTH.
    """
    text = body if isinstance(body, bytes) else body.encode()
    try:
        try:
            value = _read(text)
        except ValueError:
            whole = _SURROGATES.sub(lambda found: found["whole"] or rb"\u0000", text)
            if whole == text:
                raise
            value = _read(whole)
    except ValueError as error:
        what, place = str(error).rpartition(" at line ")[::2]
        if what.startswith("Detected duplicate key"):  # its name is the text's own
            what = "an object with a repeated key"
        raise ValueError(f"not JSON: {what} (line {place})") from None
    if _may_be_wide(text) and _is_wide(value):
        raise ValueError("a number with an impossible exponent")
    return value


def _read(text: bytes) -> object:
    value: object = jiter.from_json(text, float_mode="decimal", catch_duplicate_keys=True, allow_inf_nan=False)
    return value


def encode(value: object) -> bytes:
    """`value` as JSON: a Decimal becomes a number with exactly its own digits.

    Raises TypeError for anything JSON has no word for, a float among them: it has been rounded by whoever made it.
    """
    return _text(value).encode("ascii")


def _text(value: object) -> str:
    match value:
        case None | bool() | int() | str():
            return json.dumps(value)
        case Decimal():
            if not value.is_finite():
                raise TypeError(f"{value} can't be written as JSON")
            return str(value)
        case Mapping():
            return "{" + ", ".join(f"{_key(key)}: {_text(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(_text(item) for item in value) + "]"
    raise TypeError(f"a {type(value).__name__} can't be written as JSON here")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a JSON object's key is a {type(key).__name__}")
    return json.dumps(key)


def _may_be_wide(text: bytes) -> bool:
    """Whether a number in it may be wider than MAX_EXPONENT; quick, for of many texts hardly one has such a number."""
    shapes = text.translate(_SHAPES)
    for wide in _WIDE:
        place = shapes.find(wide)
        while place >= 0:
            before = shapes[max(0, place - len(_WIDE[-1])) : place].rstrip(b"0").rstrip(b"-")
            if not before or before[-1] in _BEFORE_A_NUMBER:  # and not within a text, such as a UUID
                return True
            place = shapes.find(wide, place + 1)
    return False


def _is_wide(value: object) -> bool:
    """Whether a number in it would take minutes to be made an integer."""
    match value:
        case Decimal():
            return abs(value.adjusted()) > MAX_EXPONENT
        case dict():
            return any(map(_is_wide, value.values()))
        case list():
            return any(map(_is_wide, value))
    return False
