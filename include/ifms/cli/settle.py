"""`ifms settle`: a person says what became of a PENDING payment instruction at the treasury, when nothing else can."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING

from ifms.errors import BadInputError, ConflictError

if TYPE_CHECKING:
    from ifms.ledger.models import PaymentInstruction

HELP = """Look for the bill at the treasury first: its PIS page, or a call. Nothing is sent by this command. --accepted:
the treasury has it; its reserved money is spent, and its status service is asked about it from the next sweep on.
--not-at-treasury: it does not; its money is free, and its payment may have another once it is resubmitted, after the
status service has been asked about this number once more. So is one that FAILED after its outcome was not known, and
holds its payment back (PI_IN_DOUBT): with --not-at-treasury. Your name and the reason stay in its status log. Without
--confirm it says what would happen, and asks for the number when it is at a terminal."""


def add_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `settle` to the command line."""
    command = commands.add_parser(
        "settle", help="settle a PENDING payment instruction by hand", description=HELP, allow_abbrev=False
    )
    command.add_argument("number", metavar="PI-NUMBER", help="the payment instruction's number")
    verdict = command.add_mutually_exclusive_group(required=True)
    verdict.add_argument("--accepted", action="store_true", help="the treasury has it")
    verdict.add_argument("--not-at-treasury", action="store_true", help="the treasury does not have it")
    command.add_argument("--reason", required=True, help="how it is known; it is kept")
    command.add_argument("--confirm", metavar="PI-NUMBER", help="its number once more: do it")
    command.add_argument(
        "--dsn", default="", help="the ledger, as for migrate; without it, what PGHOST, PGDATABASE … say"
    )
    command.set_defaults(run=_settle)


def _settle(chosen: argparse.Namespace) -> None:
    from ifms.cli import check_address, connected  # noqa: PLC0415  (slow to load, and only needed here)
    from ifms.ledger import instructions  # noqa: PLC0415
    from ifms.log_command import os_user  # noqa: PLC0415
    from ifms.services.by_hand import Verdict, may_be_settled, settle  # noqa: PLC0415

    if not chosen.reason.strip():
        raise BadInputError("--reason is empty: say how it is known what became of it")
    verdict = Verdict.ACCEPTED if chosen.accepted else Verdict.NOT_THERE
    check_address(chosen.dsn)
    with connected(chosen.dsn) as db:
        typed = chosen.confirm
        if typed is None:
            pi = db.transact(partial(instructions.find, pi_numbers=[chosen.number])).get(chosen.number)
            if pi is None:
                raise BadInputError(f"PI {chosen.number[:100]!r} is not known here")
            if not may_be_settled(pi):
                raise ConflictError(f"PI {pi.pi_number} is {pi.status}: only a PENDING one is settled by hand")
            _say(pi, accepted=chosen.accepted)
            typed = _asked(pi.pi_number)
        done = db.transact(
            partial(
                settle,
                pi_number=chosen.number,
                verdict=verdict,
                reason=chosen.reason,
                person=os_user(),
                typed=typed,
            )
        )
    print(f"{done.pi_number} is settled by hand: {verdict}")  # noqa: T201


def _say(pi: PaymentInstruction, *, accepted: bool) -> None:
    """What is known of it, and what would happen."""
    from ifms.log_command import printable  # noqa: PLC0415
    from ifms.money import grouped  # noqa: PLC0415
    from ifms.wire.bank import mask_long_numbers  # noqa: PLC0415

    asks = "FTPS" if pi.pi_type == "REVISED" else "PIS"
    amount = f"₹{grouped(pi.net_amount)}"
    arrived = "may have arrived at the treasury" if pi.uncertain else "is not known to have arrived anywhere"
    known = f"{pi.pi_number} of {pi.tenant_id}, {amount}, is {pi.status}; it {arrived}"
    if pi.error_message:
        known += f". Last heard: {mask_long_numbers(pi.error_message)}"
    print(printable(known))  # noqa: T201
    own = pi.pi_type != "REVISED"  # a revision moves no money
    if accepted:
        money = f"{amount} count as spent, and " if own else ""
        print(f"accepted: {money}{asks} is asked about it from the next sweep on")  # noqa: T201
        return
    money = f"{amount} are free again; " if own and pi.status == "PENDING" else ""
    print(  # noqa: T201
        f"not at the treasury: {money}what it pays may be paid by another PI, once {asks} has been asked about this one"
    )


def _asked(number: str) -> str:
    if not sys.stdin.isatty():
        raise BadInputError(f"nothing was changed: add --confirm {number} to do it")
    try:
        return input("Type its number to confirm: ")
    except (EOFError, KeyboardInterrupt):
        raise BadInputError("nothing was changed") from None
