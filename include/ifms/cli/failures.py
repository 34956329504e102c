"""`ifms failures`: payments that came back from the bank and match no payment instruction here."""

from __future__ import annotations

import argparse
from functools import partial
from uuid import UUID

from ifms.errors import BadInputError

HELP = """A failure that FD tells of is kept when it matches no payment instruction or beneficiary, and looked at again
whenever its payment instruction moves. One that is nobody's here (the treasury named a wrong bill, or corrected itself)
is closed by a person with `settle`, after the treasury was asked; then `ifms_reconcile` names it no more. It stays on
record, and is booked all the same should it match one day."""


def add_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `failures` to the command line."""
    command = commands.add_parser("failures", help="payments that came back and match nothing", description=HELP)
    actions = command.add_subparsers(required=True, metavar="list|settle")
    for name, run, text in (
        ("list", _list, "those that match nothing and that nobody has closed"),
        ("settle", _settle, "this one is nobody's here: close it"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("--dsn", default="", help="the database, as for reconcile")
        if name == "settle":
            action.add_argument("id", type=UUID, help="the failure's id, as `list` names it")
            action.add_argument("--reason", required=True, help="how it is known; it is kept")
        action.set_defaults(run=run)


def _list(chosen: argparse.Namespace) -> None:
    from ifms.cli import check_address, connected  # noqa: PLC0415  (slow to load, and only needed here)
    from ifms.ledger import failures  # noqa: PLC0415

    check_address(chosen.dsn)
    with connected(chosen.dsn) as db:
        found = db.transact(failures.open_ones)
    for row in found:
        print("\t".join(map(str, row)))  # noqa: T201
    print(f"{len(found)} failure(s) match nothing")  # noqa: T201


def _settle(chosen: argparse.Namespace) -> None:
    from ifms.cli import check_address, connected  # noqa: PLC0415
    from ifms.ledger import failures  # noqa: PLC0415
    from ifms.log_command import os_user  # noqa: PLC0415

    reason = " ".join(chosen.reason.split())
    if not reason:
        raise BadInputError("--reason is empty: say how it is known that the failure is nobody's here")
    check_address(chosen.dsn)
    with connected(chosen.dsn) as db:
        db.transact(partial(failures.close, failure_id=chosen.id, reason=reason, os_user=os_user()))
    print(f"failure {chosen.id} is closed")  # noqa: T201
