"""`ifms failures`: payments that came back and match no payment instruction here, and transfers told beside another."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

import typer

from ifms.cli.command import Command, Dsn, Reason, group
from ifms.cli.database import connected
from ifms.cli.terminal import os_user
from ifms.errors import BadInputError

HELP = """A failure that FD tells of is kept when it matches no payment instruction or beneficiary, and looked at again
whenever its payment instruction moves. One that is nobody's here (the treasury named a wrong bill, or corrected itself)
is closed by a person with `settle`, after the treasury was asked; then `ifms_reconcile` names it no more. It stays on
record, and is booked all the same should it match one day.

A transfer is listed, too, that the treasury told of somebody of whom it had told another one, by another UTR: who has
failed by that one is not corrected until it is settled here, and never if it has paid (`--paid`).

A failed beneficiary who must not be paid any more is closed by the id that `ifms_reconcile` names
(`failures_are_corrected`)."""

commands = group(HELP)


@commands.command("list", cls=Command)
def list_open(dsn: Dsn = "") -> None:
    """List what matches nothing, and other transfers of somebody, that nobody has closed."""
    from ifms.ledger import failures

    with connected(dsn) as db:
        found = db.transact(failures.open_ones)
    for row in found:
        print("\t".join(map(str, row)))
    print(f"{len(found)} open")


@commands.command(cls=Command)
def settle(
    failure_id: Annotated[
        UUID, typer.Argument(metavar="ID", help="the failure's id, as `list` or `ifms_reconcile` names it")
    ],
    reason: Reason,
    paid: Annotated[
        bool, typer.Option("--paid", help="of a transfer: it has paid, so that nobody corrects it")
    ] = False,
    dsn: Dsn = "",
) -> None:
    """Close what is nobody's here; a transfer that has not paid, or has (--paid); one who is not paid any more."""
    from ifms.ledger import failures

    text = " ".join(reason.split())
    if not text:
        raise BadInputError("--reason is empty: say how it is known that the failure is nobody's here")
    with connected(dsn) as db:
        db.transact(partial(failures.close, failure_id=failure_id, reason=text, os_user=os_user(), has_paid=paid))
    print(f"failure {failure_id} is closed")
