"""`ifms cancel`: end a payment instruction that was never sent."""

from __future__ import annotations

import argparse
from functools import partial

HELP = """Ends a PENDING payment instruction of which no submission can have arrived at the treasury. Its money is
free, and its payment waits until somebody has it resubmitted. Once a submission may have arrived, or while one is under
way, it is refused: ask the treasury, then settle it by hand. Name and reason are kept in its history."""


def add_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `cancel` to the command line."""
    command = commands.add_parser("cancel", help="end a payment instruction that was never sent", description=HELP)
    command.add_argument("pi_number", metavar="PI-NUMBER", help="the payment instruction's number")
    command.add_argument("--dsn", default="", help="the database, as for reconcile")
    command.add_argument("--reason", required=True, help="why; it is kept")
    command.add_argument("--confirm", required=True, metavar="PI-NUMBER", help="the number once more")
    command.set_defaults(run=_cancel)


def _cancel(chosen: argparse.Namespace) -> None:
    from ifms.cli import check_address, connected  # noqa: PLC0415  (slow to load, and only needed here)
    from ifms.log_command import os_user  # noqa: PLC0415
    from ifms.services import by_hand  # noqa: PLC0415

    check_address(chosen.dsn)
    work = partial(
        by_hand.cancel, pi_number=chosen.pi_number, reason=chosen.reason, person=os_user(), typed=chosen.confirm
    )
    with connected(chosen.dsn) as db:
        pi = db.transact(work)
    freed = f"{pi.net_amount} is available again" if pi.pi_type == "ORIGINAL" else "its payees are as failed as before"
    print(f"PI {pi.pi_number} is cancelled: {freed}")  # noqa: T201
