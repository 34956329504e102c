"""`ifms phrases`: what the treasury's texts mean to this site, and which of them nobody understands."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from ifms import clock
from ifms.errors import BadInputError

if TYPE_CHECKING:
    from datetime import datetime

HELP = """What a text of the treasury means is looked up whole: in the phrases that are shipped, and in the site's own.
A text that none matches changes nothing; `unknown` lists those, with the payment instructions that wait behind them.
Ask the treasury what it means, then `add` it: it counts at once, and those instructions are asked about first in their
next sweep. A phrase that was wrong is withdrawn, not changed."""


def add_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `phrases` to the command line."""
    command = commands.add_parser("phrases", help="what the treasury's texts mean", description=HELP)
    actions = command.add_subparsers(required=True, metavar="list|unknown|add|withdraw")
    listing = actions.add_parser("list", help="the site's own phrases")
    listing.add_argument("--withdrawn", action="store_true", help="those that count no more, too")
    listing.set_defaults(run=_list)
    unknown = actions.add_parser("unknown", help="texts that nobody has given a meaning")
    unknown.set_defaults(run=_unknown)
    adding = actions.add_parser("add", help="say what a text means from now on")
    adding.add_argument(
        "--service", metavar="CODE", action="append", required=True, help="whose text it is, as PIS; may be repeated"
    )
    adding.add_argument(
        "--text",
        required=True,
        help="the text; {bill} stands for the PI's number, {number} for digits, {id} for a number with letters before "
        "it, {rest} at the end for whatever follows",
    )
    adding.add_argument(
        "--meaning",
        required=True,
        help="no session, duplicate, content error, try later, rejected, unknown bill, no news, paid, not paid",
    )
    adding.add_argument("--reason", required=True, help="how it is known; it is kept")
    adding.set_defaults(run=_add)
    withdrawing = actions.add_parser("withdraw", help="this phrase counts no more")
    withdrawing.add_argument("id", metavar="ID", help="the phrase's id, as `list` shows it")
    withdrawing.add_argument("--reason", required=True, help="why; it is kept")
    withdrawing.set_defaults(run=_withdraw)
    for action in (listing, unknown, adding, withdrawing):
        action.add_argument(
            "--dsn", default="", help="the ledger, as for migrate; without it, what PGHOST, PGDATABASE … say"
        )


def _list(chosen: argparse.Namespace) -> None:
    from ifms.cli import check_address, connected  # noqa: PLC0415  (slow to load, and only needed here)
    from ifms.ledger import phrases  # noqa: PLC0415

    check_address(chosen.dsn)
    with connected(chosen.dsn) as db:
        found = db.transact(partial(phrases.site_phrases, withdrawn=chosen.withdrawn))
    for each in found:
        _print(f"{each.id}\t{', '.join(each.services)}\t{each.meaning}")
        _print(f"    {each.text}")
        _print(f"    added {_when(each.added_at)} by {each.added_by}: {each.reason}")
        if each.withdrawn_at is not None:
            _print(f"    withdrawn {_when(each.withdrawn_at)} by {each.withdrawn_by}: {each.withdrawn_reason}")
    _print(f"{len(found)} phrase(s) of this site")


def _unknown(chosen: argparse.Namespace) -> None:
    from ifms.cli import check_address, connected  # noqa: PLC0415
    from ifms.ledger import phrases  # noqa: PLC0415
    from ifms.reports.reads.answers import behind  # noqa: PLC0415

    check_address(chosen.dsn)
    with connected(chosen.dsn) as db:
        found = db.transact(phrases.unknown_answers)
        waiting = db.transact(partial(behind, answers=[each.id for each in found if each.waiting]))
    for each in found:
        _print(f"{each.service_id}\t{each.times} time(s)\t{each.waiting} PI(s) behind it")
        _print(f"    {each.template}")
        _print(f"    as heard last: {each.sample}")
        _print(f"    first {_when(each.first_heard_at)}, last {_when(each.last_heard_at)}")
        for number in waiting.get(each.id, ()):
            _print(f"    {number}")
    _print(f"{len(found)} text(s) that nobody understands")


def _add(chosen: argparse.Namespace) -> None:
    from ifms.cli import check_address, connected  # noqa: PLC0415
    from ifms.ledger import phrases  # noqa: PLC0415
    from ifms.log_command import os_user  # noqa: PLC0415

    check_address(chosen.dsn)
    with connected(chosen.dsn) as db:
        added, again = db.transact(
            partial(
                phrases.add_phrase,
                services=[code.strip().upper() for code in chosen.service],
                text=chosen.text,
                meaning=chosen.meaning.strip().lower(),
                reason=chosen.reason,
                added_by=os_user(),
            )
        )
    _print(f"{added} counts from now on; {again} PI(s) are asked about again in their next sweep")


def _withdraw(chosen: argparse.Namespace) -> None:
    from ifms.cli import check_address, connected  # noqa: PLC0415
    from ifms.ledger import phrases  # noqa: PLC0415
    from ifms.log_command import os_user  # noqa: PLC0415

    try:
        phrase_id = UUID(chosen.id)
    except ValueError:
        raise BadInputError(f"{chosen.id[:100]!r} is no phrase's id: see `ifms phrases list`") from None
    check_address(chosen.dsn)
    with connected(chosen.dsn) as db:
        db.transact(partial(phrases.withdraw_phrase, phrase_id=phrase_id, reason=chosen.reason, withdrawn_by=os_user()))
    _print(f"{phrase_id} counts no more; the texts that it explained are unknown again")


def _when(instant: datetime) -> str:
    return f"{clock.to_ist(instant):%Y-%m-%d %H:%M} IST"


def _print(line: str) -> None:
    from ifms.log_command import printable  # noqa: PLC0415

    print(printable(line.replace("\t", "  ")))  # noqa: T201
