"""Ask the ledger a question as a page does: on a connection, for some cities or all."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import psycopg
from support.adapter import Adapter

from ifms.cities import Cities


def ask(adapter: Adapter, question: Callable[..., Any], *values: Any, cities: Cities = Cities.ALL) -> Any:
    """What the question finds; `cities` are passed on to one that is about cities."""
    about = {"cities": cities} if "cities" in inspect.signature(question).parameters else {}
    with psycopg.connect(adapter.dsn) as connection:
        return question(connection, *values, **about)
