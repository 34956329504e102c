"""`ifms after-restore`: what to do before anything is paid from a ledger that was restored from a backup."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from ifms.cli.command import Command, OwnerDsn, Reason, group
from ifms.cli.database import connected
from ifms.cli.terminal import os_user
from ifms.errors import BadInputError

HELP = """A restored ledger does not know what was sent to the treasury after its backup, and would pay it again. It
notices that it is not where it was, and does nothing. So, with all DAGs paused: restore; `begin`; then unpause. PIs
that it knows to be at the treasury are followed as ever. Payments that are older than the restore and have no PI here,
failed beneficiaries that may have been corrected meanwhile, and PENDING PIs, which may have been declined and replaced,
wait. `list` names them; ask the treasury about each. What it has no bill of but those known here: `clear`, and the next
run pays it. A bill that it has and this ledger has lost is adopted by the form of ifms_pi. A ledger that was moved with
all that was in it (a planned switch-over, pg_upgrade, a dump made and restored while all DAGs were paused) has
`nothing-lost`."""

commands = group(HELP)


@commands.command(cls=Command)
def begin(dsn: OwnerDsn) -> None:
    """Note that the ledger was restored, before any DAG runs."""
    from ifms.ledger import restores

    with connected(dsn) as db:
        done = db.transact(partial(restores.begin, os_user=os_user()))
    last = "no sweep" if done.last_known is None else f"the sweep of {done.last_known:%Y-%m-%d %H:%M:%S} UTC"
    print(f"restored; the last that this ledger remembers is {last}")
    print(f"{done.held_back} PENDING payment instruction(s) are asked about and not sent before they are cleared")
    list_in_doubt(dsn)


@commands.command("list", cls=Command)
def list_in_doubt(dsn: OwnerDsn) -> None:
    """List what waits until somebody has asked the treasury."""
    from ifms.ledger import restores

    with connected(dsn) as db:
        found = db.transact(restores.in_doubt)
    for each in found:
        print(f"{each.number}\t{each.tenant_id}\t{each.what}")
    print(f"{len(found)} wait(s); ifms_pi may find older payments on the platform, which wait, too")


@commands.command(cls=Command)
def clear(
    number: Annotated[
        str, typer.Argument(metavar="NUMBER", help="the number that `list` names: a payment's, or a PI's")
    ],
    reason: Reason,
    dsn: OwnerDsn,
    tenant: Annotated[
        str | None,
        typer.Option(metavar="CITY", help="its city, where `list` names the number of two", show_default=False),
    ] = None,
) -> None:
    """Pay this one, of which the treasury has no bill that is not known here."""
    from ifms.ledger import proposals, restores

    text = _required(reason, "that the treasury has no bill of it")
    with connected(dsn) as db:
        doubt = db.transact(partial(restores.doubt_about, number=number, tenant_id=tenant))
        city = doubt.tenant_id
        approved = partial(proposals.approved_of, act=proposals.Act.RELEASE, subject=number, parameters=doubt.named)
        approval = db.transact(approved)
        clear = partial(restores.clear, number=number, reason=text, os_user=os_user(), tenant_id=city)
        db.transact(partial(clear, approval=approval))
    print(f"{number} of {city} is cleared")


@commands.command(cls=Command)
def nothing_lost(reason: Reason, dsn: OwnerDsn) -> None:
    """Say, instead of begin, that the ledger was moved with all that was in it."""
    from ifms.ledger import restores

    text = _required(reason, "that nothing was committed after the copy was made")
    with connected(dsn) as db:
        place = db.transact(partial(restores.nothing_lost, reason=text, os_user=os_user()))
    print(f"the ledger is at home here: {place}")


def _required(reason: str, what: str) -> str:
    text = " ".join(reason.split())
    if not text:
        raise BadInputError(f"--reason is empty: say how it is known {what}")
    return text
