"""`ifms after-restore`: what to do before anything is paid from a ledger that was restored from a backup."""

from __future__ import annotations

import argparse
from functools import partial

from ifms.errors import BadInputError

HELP = """A restored ledger does not know what was sent to the treasury after its backup, and would pay it again. It
notices that it is not where it was, and does nothing. So, with all DAGs paused: restore; `begin`; then unpause. PIs
that it knows to be at the treasury are followed as ever. Payments that are older than the restore and have no PI here,
failed beneficiaries that may have been corrected meanwhile, and PENDING PIs, which may have been declined and replaced,
wait. `list` names them; ask the treasury about each. What it has no bill of but those known here: `clear`, and the next
run pays it. A bill that it has and this ledger has lost is adopted by the form of ifms_pi. A ledger that was moved with
all that was in it (a planned switch-over, pg_upgrade, a dump made and restored while all DAGs were paused) has
`nothing-lost`."""


def add_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `after-restore` to the command line."""
    command = commands.add_parser("after-restore", help="a restored ledger must not pay again", description=HELP)
    actions = command.add_subparsers(required=True, metavar="begin|list|clear|nothing-lost")
    for name, run, text in (
        ("begin", _begin, "note that the ledger was restored, before any DAG runs"),
        ("list", _list, "what waits until somebody has asked the treasury"),
        ("clear", _clear, "of this one the treasury has no bill that is not known here: pay it"),
        ("nothing-lost", _nothing_lost, "instead of begin: the ledger was moved with all that was in it"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("--dsn", required=True, help="the ledger, as its owner: as for migrate")
        if name == "clear":
            action.add_argument("number", help="the number that `list` names: a payment's, or a PI's")
        if name in ("clear", "nothing-lost"):
            action.add_argument("--reason", required=True, help="how it is known; it is kept")
        action.set_defaults(run=run)


def _begin(chosen: argparse.Namespace) -> None:
    from ifms.cli import check_address, connected  # noqa: PLC0415  (slow to load, and only needed here)
    from ifms.ledger import restores  # noqa: PLC0415
    from ifms.log_command import os_user  # noqa: PLC0415

    check_address(chosen.dsn)
    with connected(chosen.dsn) as db:
        done = db.transact(partial(restores.begin, os_user=os_user()))
    last = "no sweep" if done.last_known is None else f"the sweep of {done.last_known:%Y-%m-%d %H:%M:%S} UTC"
    print(f"restored; the last that this ledger remembers is {last}")  # noqa: T201
    print(f"{done.held_back} PENDING payment instruction(s) are asked about and not sent before they are cleared")  # noqa: T201
    _list(chosen)


def _list(chosen: argparse.Namespace) -> None:
    from ifms.cli import check_address, connected  # noqa: PLC0415
    from ifms.ledger import restores  # noqa: PLC0415

    check_address(chosen.dsn)
    with connected(chosen.dsn) as db:
        found = db.transact(restores.in_doubt)
    for number, tenant, what in found:
        print(f"{number}\t{tenant}\t{what}")  # noqa: T201
    print(f"{len(found)} wait(s); ifms_pi may find older payments on the platform, which wait, too")  # noqa: T201


def _clear(chosen: argparse.Namespace) -> None:
    from ifms.cli import check_address, connected  # noqa: PLC0415
    from ifms.ledger import restores  # noqa: PLC0415
    from ifms.log_command import os_user  # noqa: PLC0415

    reason = _reason(chosen, "that the treasury has no bill of it")
    check_address(chosen.dsn)
    with connected(chosen.dsn) as db:
        db.transact(partial(restores.clear, number=chosen.number, reason=reason, os_user=os_user()))
    print(f"{chosen.number} is cleared")  # noqa: T201


def _nothing_lost(chosen: argparse.Namespace) -> None:
    from ifms.cli import check_address, connected  # noqa: PLC0415
    from ifms.ledger import restores  # noqa: PLC0415
    from ifms.log_command import os_user  # noqa: PLC0415

    reason = _reason(chosen, "that nothing was committed after the copy was made")
    check_address(chosen.dsn)
    with connected(chosen.dsn) as db:
        place = db.transact(partial(restores.nothing_lost, reason=reason, os_user=os_user()))
    print(f"the ledger is at home here: {place}")  # noqa: T201


def _reason(chosen: argparse.Namespace, what: str) -> str:
    reason = " ".join(chosen.reason.split())
    if not reason:
        raise BadInputError(f"--reason is empty: say how it is known {what}")
    return reason
