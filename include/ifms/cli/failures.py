"""`ifms failures`: what of payments that came back waits for a person, and closing it with a reason."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

import typer

from ifms.cli.command import Command, Dsn, Reason, group
from ifms.cli.database import connected
from ifms.cli.terminal import os_user, printable

HELP = """What `ifms_reconcile` names until somebody has seen to it. `list` shows three kinds, each with its id:

transfer: the treasury has told that somebody is paid by one UTR, and then by another. Who has failed by the first is
not corrected until the treasury was asked, and `settle-transfer` says whether the other one has paid. That it has not
may need a second person: then it is proposed and approved on the adapter's pages.

So is one that names another account or IFSC than was sent, and the beneficiary waits. Has it paid all the same (it was
the right account), the next run of ifms_pd or ifms_ftps books it as it is told; has it not, somebody else has the
money, and the treasury must tell of another scroll, or of a failure.

reported: a failure that matches no payment instruction or beneficiary here. It is looked at again whenever its payment
instruction moves. One that is nobody's here is closed by `close-reported`; should it match one day, it is booked all
the same.

beneficiary: somebody whose money came back, and whom nothing pays. Mend the account and start ifms_cor; who must not be
paid any more is closed by `close-beneficiary`.

Name and reason are kept. The page Failures does the same."""

Why = Annotated[str, typer.Option(metavar="TEXT", help="why; it is kept")]

commands = group(HELP)


@commands.command("list", cls=Command)
def list_open(dsn: Dsn = "") -> None:
    """List what is open: its kind, id, PI, beneficiary, and what there is to know."""
    from ifms.cities import Cities
    from ifms.queries import failures

    with connected(dsn) as db:
        asked = failures.Criteria()
        transfers = db.transact(partial(failures.transfers, criteria=asked, cities=Cities.ALL))
        reported = db.transact(partial(failures.reported, criteria=asked, cities=Cities.ALL))
        unpaid = db.transact(partial(failures.unpaid, criteria=asked, cities=Cities.ALL))
    for transfer in transfers:
        before = f"before as {transfer.status} by {transfer.known_utr_number or 'none'}"
        told = f"told as paid by {transfer.utr_number}, and {transfer.not_as_sent or before}"
        _say("transfer", transfer.id, transfer.pi_number, transfer.beneficiary_number, told)
    for failure in reported:
        account = f"account ***{failure.account_last4}" if failure.account_last4 else "nobody named"
        told = f"voucher date {failure.voucher_date}: {failure.why_unmatched}"
        _say("reported", failure.id, failure.bill_number, failure.beneficiary_number or account, told)
    for payee in unpaid:
        last = f"the last day to correct it {'was' if payee.days_left < 0 else 'is'} {payee.correct_by}"
        other = {"OPEN": ": settle the other transfer first", "PAID": ": another transfer has paid"}
        told = f"failed on {payee.failed_on}, {last}{other.get(payee.other_transfer or '', '')}"
        _say("beneficiary", payee.id, payee.pi_number, payee.beneficiary_number, told)
    print(f"open: {len(transfers)} transfer(s), {len(reported)} reported, {len(unpaid)} beneficiary(ies)")


def _say(*cells: object) -> None:
    print("\t".join(printable(str(cell)) for cell in cells))


@commands.command(cls=Command)
def settle_transfer(
    context: typer.Context,
    transfer_id: Annotated[UUID, typer.Argument(metavar="ID", help="of a transfer, as `list` names it")],
    reason: Reason,
    paid: Annotated[bool, typer.Option("--paid", help="it has: nobody is corrected", show_default=False)] = False,
    not_paid: Annotated[
        bool,
        typer.Option("--not-paid", help="it has not: who has failed is corrected", show_default=False),
    ] = False,
    dsn: Dsn = "",
) -> None:
    """Say whether a transfer told beside another one has paid, once the treasury was asked.

    Who has failed by the first one is paid again once it has not: that may need a second person, on the page Failures.
    """
    from ifms.ledger import failures

    if paid == not_paid:
        raise typer.BadParameter("say --paid or --not-paid, one of them", ctx=context)
    work = partial(failures.settle_transfer, transfer_id=transfer_id, has_paid=paid, reason=reason, person=os_user())
    with connected(dsn) as db:
        db.transact(work)
    print(f"transfer {transfer_id} is settled: it has {'paid' if paid else 'not paid'}")


@commands.command(cls=Command)
def close_reported(
    failure_id: Annotated[UUID, typer.Argument(metavar="ID", help="of a reported failure, as `list` names it")],
    reason: Reason,
    dsn: Dsn = "",
) -> None:
    """Close a reported failure that is nobody's here, once the treasury was asked which bill it means."""
    from ifms.ledger import failures

    with connected(dsn) as db:
        db.transact(partial(failures.close_reported, failure_id=failure_id, reason=reason, person=os_user()))
    print(f"reported failure {failure_id} is closed")


@commands.command(cls=Command)
def close_beneficiary(
    row_id: Annotated[
        UUID, typer.Argument(metavar="ID", help="of a failed beneficiary, as `list` or `ifms_reconcile` names it")
    ],
    reason: Why,
    dsn: Dsn = "",
) -> None:
    """Say why a failed beneficiary is not paid any more. Cancel the line on the platform, too."""
    from ifms.ledger import failures

    with connected(dsn) as db:
        db.transact(partial(failures.close_beneficiary, row_id=row_id, reason=reason, person=os_user()))
    print(f"failed beneficiary {row_id} is closed")
