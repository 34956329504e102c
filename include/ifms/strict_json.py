"""JSON with money in it, read strictly: every number that is not an integer is a Decimal, in both directions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

MAX_EXPONENT = 308  # that of a float, the widest number that anybody else's JSON holds
MAX_DEPTH = 64  # what is sent back (an update takes the whole payment) is written level by level


def decode(body: bytes | str, max_depth: int = MAX_DEPTH) -> object:
    """Read a JSON text; bytes are UTF-8.

    Raises ValueError (with nothing of the text in it) if it is not JSON in UTF-8, holds NaN or Infinity, repeats a key
    within an object, a number beyond 10 to the power of MAX_EXPONENT, or is nested deeper than `max_depth`.
    """
    try:
        value: object = _DECODER.decode(body.decode() if isinstance(body, bytes) else body)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise ValueError("nested too deep") from None
    except ArithmeticError:
        raise ValueError("a number with an impossible exponent") from None
    if _is_deeper(value, max_depth):
        raise ValueError(f"nested deeper than {max_depth} levels")
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


def _is_deeper(value: object, max_depth: int) -> bool:
    level = [value]
    for _ in range(max_depth):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node if type(node) is list else ())
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return True


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _without_repeated_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object with a repeated key")
    return found


def _number(text: str) -> Decimal:
    number = Decimal(text)
    if abs(number.adjusted()) > MAX_EXPONENT:  # as an integer that takes minutes to make
        raise ArithmeticError
    return number


_DECODER = json.JSONDecoder(
    parse_float=_number, parse_constant=_refuse_constant, object_pairs_hook=_without_repeated_keys
)
