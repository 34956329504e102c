"""`ifms sanction`: close a sanction, so that nothing more is paid from it, and open it again."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

import typer

from ifms.cli.command import Command, Dsn, group
from ifms.cli.database import connected
from ifms.cli.terminal import os_user

HELP = """No payment instruction is made from a closed sanction; those that it has are sent and settled as ever. Close
one whose money the treasury does not pay out any more (PIs on it are declined, though it is not withdrawn). Its
available money is shown as not used in the view fund_register (not_used). Name and reason are kept."""

SanctionId = Annotated[UUID, typer.Argument(metavar="ID", help="the sanction's id, as `list` names it")]
Why = Annotated[str, typer.Option(metavar="TEXT", help="why; it is kept")]

commands = group(HELP)


@commands.command("list", cls=Command)
def list_all(
    tenant: Annotated[
        list[str] | None, typer.Option(metavar="CITY", help="only of this city; repeatable", show_default=False)
    ] = None,
    dsn: Dsn = "",
) -> None:
    """List all sanctions, what is on them, and which are closed."""
    from ifms.ledger import sanctions

    with connected(dsn) as db:
        found = db.transact(partial(sanctions.listed, tenants=tenant or None))
    for each in found:
        state = f"closed by {each.closed_by}: {each.closed_reason}" if each.closed_at else "open"
        names = (each.id, each.tenant_id, each.financial_year, each.hoa_code, each.ddo_code, each.master_allotment_id)
        print("\t".join(map(str, (*names, each.available_amount, state))))
    closed = sum(each.closed_at is not None for each in found)
    print(f"{len(found)} sanction(s), {closed} of them closed")


@commands.command(cls=Command)
def close(sanction_id: SanctionId, reason: Why, dsn: Dsn = "") -> None:
    """Pay nothing more from this one."""
    _set(sanction_id, reason, dsn, closed=True)


@commands.command("open", cls=Command)
def open_again(sanction_id: SanctionId, reason: Why, dsn: Dsn = "") -> None:
    """Pay from this one again."""
    _set(sanction_id, reason, dsn, closed=False)


def _set(sanction_id: UUID, reason: str, dsn: str, *, closed: bool) -> None:
    from ifms.ledger import sanctions

    work = partial(sanctions.set_closed, sanction_id=sanction_id, closed=closed, reason=reason, person=os_user())
    with connected(dsn) as db:
        done = db.transact(work)
    state = f"closed: {done.available_amount} on it is not used" if closed else f"open, with {done.available_amount}"
    print(f"sanction {done.master_allotment_id} of {done.tenant_id} ({done.financial_year}) is {state}")
