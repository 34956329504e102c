"""`ifms proposals`: what waits for a second person, and what became of it; approved is on the adapter's pages alone."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

import typer

from ifms import clock
from ifms.cli.command import Command, Dsn, group
from ifms.cli.database import connected
from ifms.cli.terminal import printable
from ifms.errors import BadInputError

HELP = """What moves or frees money by a person's word is proposed by one and approved by another. Both happen on the
adapter's pages, where it is known who somebody is and what they may do; here is what they have said."""

commands = group(HELP)


@commands.command("list", cls=Command)
def list_all(
    decided: Annotated[
        bool, typer.Option("--decided", help="those that are approved or refused", show_default=False)
    ] = False,
    dsn: Dsn = "",
) -> None:
    """List the proposals that wait for an answer, the newest first."""
    from ifms.cities import Cities
    from ifms.ledger import proposals

    with connected(dsn) as db:
        found = db.transact(partial(proposals.listed, cities=Cities.ALL, undecided=not decided))
    for each in found:
        what = (each.id, each.state(clock.now()), each.act, each.tenant_id or "all cities", each.about)
        print(printable("  ".join(map(str, (*what, f"by {each.proposed_by}")))))
    print(f"{len(found)} proposal(s)")


@commands.command(cls=Command)
def show(
    proposal_id: Annotated[UUID, typer.Argument(metavar="ID", help="the proposal's id, as `list` names it")],
    dsn: Dsn = "",
) -> None:
    """Show one: what is proposed, by whom, why, and what became of it."""
    from dataclasses import asdict

    from ifms.ledger import proposals

    with connected(dsn) as db:
        found = db.transact(partial(proposals.find, proposal_id=proposal_id))
    if found is None:
        raise BadInputError(f"proposal {proposal_id} is not known here: `ifms proposals list` names those that wait")
    print(f"state: {found.state(clock.now())}")
    for name, value in asdict(found).items():
        if value is not None:
            print(printable(f"{name}: {value}"))
