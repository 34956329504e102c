"""`ifms settle`: a person says what became of a PENDING payment instruction at the treasury, when nothing else can."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ifms.cli.command import Dsn, Number, Reason
from ifms.cli.database import connected
from ifms.cli.terminal import os_user, printable
from ifms.errors import BadInputError, ConflictError

if TYPE_CHECKING:
    from ifms.ledger.models import PaymentInstruction


def settle(
    context: typer.Context,
    number: Number,
    reason: Reason,
    accepted: Annotated[bool, typer.Option("--accepted", help="the treasury has it", show_default=False)] = False,
    not_at_treasury: Annotated[
        bool, typer.Option("--not-at-treasury", help="the treasury does not have it", show_default=False)
    ] = False,
    confirm: Annotated[
        str | None, typer.Option(metavar="PI-NUMBER", help="its number once more: do it", show_default=False)
    ] = None,
    dsn: Dsn = "",
) -> None:
    """Settle a payment instruction by hand. Look for the bill at the treasury first: its PIS page, or a call.

    Nothing is sent by this command. --accepted: the treasury has it; its reserved money is spent, and its status
    service is asked about it from the next sweep on. --not-at-treasury: it does not; its money is free, and its payment
    may have another once it is resubmitted, after the status service has been asked about this number once more. So is
    one that FAILED after its outcome was not known, and holds its payment back (PI_IN_DOUBT): with --not-at-treasury.
    Your name and the reason stay in its status log. Without --confirm it says what would happen, and asks for the
    number when it is at a terminal.
    """
    from ifms.ledger import instructions
    from ifms.services import manual_settlement

    if accepted == not_at_treasury:
        raise typer.BadParameter("say --accepted or --not-at-treasury, one of them", ctx=context)
    if not reason.strip():
        raise BadInputError("--reason is empty: say how it is known what became of it")
    verdict = manual_settlement.Verdict.ACCEPTED if accepted else manual_settlement.Verdict.NOT_THERE
    with connected(dsn) as db:
        typed, as_seen = confirm, None
        if typed is None:
            as_seen = db.transact(partial(instructions.as_seen, pi_number=number))
            pi = db.transact(partial(instructions.find, pi_numbers=[number])).get(number)
            if pi is None:
                raise BadInputError(f"PI {number[:100]!r} is not known here")
            if not manual_settlement.may_be_settled(pi):
                raise ConflictError(f"PI {pi.pi_number} is {pi.status}: only a PENDING one is settled by hand")
            _say(pi, accepted=accepted)
            typed = _asked(pi.pi_number)
        work = partial(
            manual_settlement.settle,
            pi_number=number,
            verdict=verdict,
            reason=reason,
            person=os_user(),
            typed=typed,
            as_seen=as_seen,
        )
        done = db.transact(work)
    print(f"{done.pi_number} is settled by hand: {verdict}")


def _say(pi: PaymentInstruction, *, accepted: bool) -> None:
    """What is known of it, and what would happen."""
    from ifms.money import grouped
    from ifms.wire.bank import mask_long_numbers

    asks = "FTPS" if pi.pi_type == "REVISED" else "PIS"
    amount = f"₹{grouped(pi.net_amount)}"
    arrived = "may have arrived at the treasury" if pi.may_have_arrived else "is not known to have arrived anywhere"
    known = f"{pi.pi_number} of {pi.tenant_id}, {amount}, is {pi.status}; it {arrived}"
    if pi.error_message:
        known += f". Last heard: {mask_long_numbers(pi.error_message)}"
    print(printable(known))
    own = pi.pi_type != "REVISED"  # a revision moves no money
    if accepted:
        money = f"{amount} count as spent, and " if own else ""
        print(f"accepted: {money}{asks} is asked about it from the next sweep on")
        return
    money = f"{amount} are free again; " if own and pi.status == "PENDING" else ""
    print(
        f"not at the treasury: {money}what it pays may be paid by another PI, once {asks} has been asked about this one"
    )


def _asked(number: str) -> str:
    if not sys.stdin.isatty():
        raise BadInputError(f"nothing was changed: add --confirm {number} to do it")
    try:
        return input("Type its number to confirm: ")
    except (EOFError, KeyboardInterrupt):
        raise BadInputError("nothing was changed") from None
