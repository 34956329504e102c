"""`ifms migrate`: the ledger's schema, brought to this version."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ifms.cli.database import check_address


def migrate(
    dsn: Annotated[
        str, typer.Option(metavar="ADDRESS", help="the database, as postgresql://user:password@host:port/name")
    ],
) -> None:
    """Create the ledger's schema `ifms`, or upgrade it to this version."""
    from ifms.ledger import migrate as ledger

    check_address(dsn)
    left_to_do = ledger.migrate(dsn, _say)
    print("schema ifms is up to date")
    for sentence in left_to_do:
        _say(sentence)


def _say(sentence: str) -> None:
    print(f"ifms: {sentence}", file=sys.stderr, flush=True)
