"""`ifms sanction`: close a sanction, so that nothing more is paid from it, and open it again."""

from __future__ import annotations

import argparse
from functools import partial
from uuid import UUID

HELP = """No payment instruction is made from a closed sanction; those that it has are sent and settled as ever. Close
one whose money the treasury does not pay out any more (PIs on it are declined, though it is not withdrawn). Its
available money is shown as not used in the view fund_register (not_used). Name and reason are kept."""


def add_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `sanction` to the command line."""
    command = commands.add_parser("sanction", help="sanctions that nothing is paid from any more", description=HELP)
    actions = command.add_subparsers(required=True, metavar="list|close|open")
    for name, run, text in (
        ("list", _list, "all sanctions, what is on them, and which are closed"),
        ("close", partial(_set, closed=True), "pay nothing more from this one"),
        ("open", partial(_set, closed=False), "pay from this one again"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("--dsn", default="", help="the database, as for reconcile")
        if name == "list":
            action.add_argument("--tenant", action="append", metavar="CITY", help="only of this city; repeatable")
        else:
            action.add_argument("id", type=UUID, help="the sanction's id, as `list` names it")
            action.add_argument("--reason", required=True, help="why; it is kept")
        action.set_defaults(run=run)


def _list(chosen: argparse.Namespace) -> None:
    from ifms.cli import check_address, connected  # noqa: PLC0415  (slow to load, and only needed here)
    from ifms.ledger import sanctions  # noqa: PLC0415

    check_address(chosen.dsn)
    with connected(chosen.dsn) as db:
        found = db.transact(partial(sanctions.listed, tenants=chosen.tenant))
    for each in found:
        state = f"closed by {each.closed_by}: {each.closed_reason}" if each.closed_at else "open"
        names = (each.id, each.tenant_id, each.financial_year, each.hoa_code, each.ddo_code, each.master_allotment_id)
        print("\t".join(map(str, (*names, each.available_amount, state))))  # noqa: T201
    closed = sum(each.closed_at is not None for each in found)
    print(f"{len(found)} sanction(s), {closed} of them closed")  # noqa: T201


def _set(chosen: argparse.Namespace, *, closed: bool) -> None:
    from ifms.cli import check_address, connected  # noqa: PLC0415
    from ifms.ledger import sanctions  # noqa: PLC0415
    from ifms.log_command import os_user  # noqa: PLC0415

    check_address(chosen.dsn)
    work = partial(sanctions.set_closed, sanction_id=chosen.id, closed=closed, reason=chosen.reason, person=os_user())
    with connected(chosen.dsn) as db:
        done = db.transact(work)
    state = f"closed: {done.available_amount} on it is not used" if closed else f"open, with {done.available_amount}"
    print(f"sanction {done.master_allotment_id} of {done.tenant_id} ({done.financial_year}) is {state}")  # noqa: T201
