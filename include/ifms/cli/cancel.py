"""`ifms cancel`: end a payment instruction that was never sent."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from ifms.cli.command import Dsn, Number
from ifms.cli.database import connected
from ifms.cli.terminal import os_user


def cancel(
    pi_number: Number,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="why; it is kept")],
    confirm: Annotated[str, typer.Option(metavar="PI-NUMBER", help="the number once more")],
    dsn: Dsn = "",
) -> None:
    """End a PENDING payment instruction of which no submission can have arrived at the treasury.

    Its money is free, and its payment waits until somebody has it resubmitted. Once a submission may have arrived, or
    while one is under way, it is refused: ask the treasury, then settle it by hand. Name and reason are kept in its
    history.
    """
    from ifms.services import manual_settlement

    work = partial(manual_settlement.cancel, pi_number=pi_number, reason=reason, person=os_user(), typed=confirm)
    with connected(dsn) as db:
        pi = db.transact(work)
    freed = f"{pi.net_amount} is available again" if pi.pi_type == "ORIGINAL" else "its payees are as failed as before"
    print(f"PI {pi.pi_number} is cancelled: {freed}")
