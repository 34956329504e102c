"""`ifms phrases`: what the treasury's texts mean to this site, and which of them nobody understands."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from ifms import clock
from ifms.cli.command import Command, Dsn, Reason, group
from ifms.cli.database import connected
from ifms.cli.terminal import os_user, printable
from ifms.errors import BadInputError

if TYPE_CHECKING:
    from datetime import datetime

HELP = """What a text of the treasury means is looked up whole: in the phrases that are shipped, and in the site's own.
A text that none matches changes nothing; `unknown` lists those, with the payment instructions that wait behind them.
Ask the treasury what it means, then `add` it: it counts at once, and those instructions are asked about first in their
next sweep. A phrase that was wrong is withdrawn, not changed."""


commands = group(HELP)


@commands.command("list", cls=Command)
def list_own(
    withdrawn: Annotated[
        bool, typer.Option("--withdrawn", help="those that count no more, too", show_default=False)
    ] = False,
    dsn: Dsn = "",
) -> None:
    """List the site's own phrases."""
    from ifms.ledger import phrases

    with connected(dsn) as db:
        found = db.transact(partial(phrases.site_phrases, withdrawn=withdrawn))
    for each in found:
        _print(f"{each.id}\t{', '.join(each.services)}\t{each.meaning}")
        _print(f"    {each.text}")
        _print(f"    added {_when(each.added_at)} by {each.added_by}: {each.reason}")
        if each.withdrawn_at is not None:
            _print(f"    withdrawn {_when(each.withdrawn_at)} by {each.withdrawn_by}: {each.withdrawn_reason}")
    _print(f"{len(found)} phrase(s) of this site")


@commands.command(cls=Command)
def unknown(dsn: Dsn = "") -> None:
    """List texts that nobody has given a meaning."""
    from ifms.cities import Cities
    from ifms.ledger import phrases
    from ifms.queries.unknown_answers import behind

    with connected(dsn) as db:
        found = db.transact(phrases.unknown_answers)
        waiting = db.transact(partial(behind, answers=[each.id for each in found if each.waiting], cities=Cities.ALL))
    for each in found:
        _print(f"{each.service_id}\t{each.times} time(s)\t{each.waiting} PI(s) behind it")
        _print(f"    {each.template}")
        _print(f"    as heard last: {each.sample}")
        _print(f"    first {_when(each.first_heard_at)}, last {_when(each.last_heard_at)}")
        for number in waiting.get(each.id, ()):
            _print(f"    {number}")
    _print(f"{len(found)} text(s) that nobody understands")


@commands.command(cls=Command)
def add(
    service: Annotated[list[str], typer.Option(metavar="CODE", help="whose text it is, as PIS; may be repeated")],
    text: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="the text; {bill} stands for the PI's number, {number} for digits, {id} for a number with letters "
            "before it, {rest} at the end for whatever follows",
        ),
    ],
    meaning: Annotated[
        str,
        typer.Option(
            metavar="MEANING",
            help="no session, duplicate, content error, try later, rejected, unknown bill, no news, paid, not paid",
        ),
    ],
    reason: Reason,
    dsn: Dsn = "",
) -> None:
    """Say what a text means from now on."""
    from ifms.ledger import phrases

    with connected(dsn) as db:
        added, again = db.transact(
            partial(
                phrases.add_phrase,
                services=[code.strip().upper() for code in service],
                text=text,
                meaning=meaning.strip().lower(),
                reason=reason,
                added_by=os_user(),
            )
        )
    _print(f"{added} counts from now on; {again} PI(s) are asked about again in their next sweep")


@commands.command(cls=Command)
def withdraw(
    phrase: Annotated[str, typer.Argument(metavar="ID", help="the phrase's id, as `list` shows it")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="why; it is kept")],
    dsn: Dsn = "",
) -> None:
    """Let this phrase count no more."""
    from ifms.ledger import phrases

    try:
        phrase_id = UUID(phrase)
    except ValueError:
        raise BadInputError(f"{phrase[:100]!r} is no phrase's id: see `ifms phrases list`") from None
    with connected(dsn) as db:
        doubted = db.transact(
            partial(phrases.withdraw_phrase, phrase_id=phrase_id, reason=reason, withdrawn_by=os_user())
        )
    _print(f"{phrase_id} counts no more; the texts that it explained are unknown again")
    if doubted:
        _print(
            f"{len(doubted)} PI(s) have FAILED by it, and the treasury may have them: ask it before anything is paid"
        )
    for number in doubted:
        _print(f"    {number}")


def _when(instant: datetime) -> str:
    return f"{clock.to_ist(instant):%Y-%m-%d %H:%M} IST"


def _print(line: str) -> None:
    print(printable(line.replace("\t", "  ")))
