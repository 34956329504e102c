"""A whole reply, made wrong somewhere: the mutations that a fuzz test draws from, over hypothesis or a seeded Random."""

from __future__ import annotations

import copy
import json
import os
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import HealthCheck, settings

ACCOUNT = "002233445566778"
"""An account number for what is made wrong: it may be in no message."""

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
"""How many examples each fuzz test draws; a night's run may ask for many more."""

fuzzed = settings(max_examples=EXAMPLES, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
"""The settings of a fuzz test."""


@dataclass(frozen=True)
class Raw:
    """A text that stands in the JSON as it is."""

    text: str


VALUES: tuple[Any, ...] = (
    None, True, False, "", " ", 0, -1, 1, 10**30, [], {}, [[]], [{}], [None], {"a": {}}, [["x"]],
    Raw("NaN"), Raw("Infinity"), Raw("-Infinity"), Raw("1e3"), Raw("0.001"), Raw("1e999999999999"), Raw("9" * 5000),
    Raw("[" * 10_000 + "]" * 10_000), Raw('{"a":' * 10_000 + "1" + "}" * 10_000), Raw("[" * 40 + "]" * 40),
    Raw("{"), Raw("'x'"), Raw(""), Raw('{"a":1,"a":2}'), Raw('"\\ud800"'),
    "NaN", "Infinity", "1e3", "1,000", "0.001", "-1", "9999999999999.99", "10000000000000.00", "୧୦୦", "1 250.00",
    "05-06-2024", "2024-30-01", "2024-02-30", "0001-01-01", "9999-12-31", "2024-06-05 25:00:00", "31/03/2024",
    "\0", "a\nb", "\u200b", "x" * 257, "x" * 10_001, "../../x", "=1+1", "{{ 7 * 7 }}", "<script>", "'; DROP TABLE x; --",
    "ନମୁନା", "😀", ACCOUNT, f"account {ACCOUNT} is rejected", "rejected", "No valid session encryption key found",
    "Duplicate Payment Information Id", "Sample text that nobody knows", "PI-XX/2000-01/999999",
)  # fmt: skip


def mutated(random: Random, document: object) -> str:
    """`document` as JSON after one to three mutations, cut or not."""
    document = copy.deepcopy(document)
    for _ in range(random.randint(1, 3)):
        document = _mutated(random, document)
    text = written(document)
    return text[: random.randrange(len(text))] if random.randrange(20) == 0 and text else text


def written(value: object) -> str:
    """JSON; a pair of equal keys and a Raw text stand in it as they are."""
    match value:
        case Raw(text=text):
            return text
        case Decimal():
            return str(value)
        case dict():
            return "{" + ",".join(f"{json.dumps(_key(key))}:{written(each)}" for key, each in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(written(each) for each in value) + "]"
        case _:
            return json.dumps(value)


@dataclass(frozen=True, eq=False)
class _Again:
    """A key that another one in its object is equal to."""

    key: str


def _key(key: object) -> str:
    return key.key if isinstance(key, _Again) else str(key)


def _mutated(random: Random, document: object) -> object:
    places = list(_places(document))
    if not places:
        return copy.deepcopy(random.choice(VALUES))
    parent, key = random.choice(places)
    value = parent[key]
    match random.randrange(8):
        case 0:
            del parent[key]
        case 1 if isinstance(parent, dict):
            parent[_Again(_key(key))] = copy.deepcopy(value)
        case 1:
            parent.insert(key, copy.deepcopy(value))
        case 2:
            other, there = random.choice(places)
            if there in other if isinstance(other, dict) else there < len(other):
                parent[key] = copy.deepcopy(other[there])
        case 3:
            parent[key] = [value]
        case 4 if isinstance(value, str):
            parent[key] = random.choice((value + " ", value.lower(), value * 2, value[:-1], Raw(value or "0")))
        case _:
            parent[key] = copy.deepcopy(random.choice(VALUES))
    return document


def _places(value: object) -> Any:
    if isinstance(value, dict):
        for key, each in value.items():
            yield value, key
            yield from _places(each)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield value, place
            yield from _places(each)
