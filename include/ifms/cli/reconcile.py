"""`ifms reconcile`: every invariant of the ledger, looked at."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from ifms.cli.command import Dsn
from ifms.cli.database import connected
from ifms.cli.terminal import console

if TYPE_CHECKING:
    from ifms.ledger.invariants import Finding, Invariant

_MOST_HOURS = 24 * 366


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = 0
    if not 0 < hours <= _MOST_HOURS:
        raise typer.BadParameter(f"{text!r} is no number of hours: write one above 0, at most {_MOST_HOURS}")
    return hours


def _named_days(given: list[str] | None) -> list[str] | None:
    for each in given or ():
        _, _, days = each.partition("=")
        try:
            float(days)
        except ValueError:
            raise typer.BadParameter(f"{each!r} is no limit: write it like held=7") from None
    return given


def reconcile(
    pending_hours: Annotated[
        float, typer.Option(metavar="HOURS", parser=_hours, help="how long a PI may stay PENDING")
    ] = 24,
    days: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=DAYS",
            callback=_named_days,
            show_default=False,
            help="how long else something may wait, repeatable; without it: initiated=15, approved=7, in_process=7, "
            "revised=15, held=7, unfunded=30, uncounted=2, unmatched=7, uncorrected=15, unasked=25 hours",
        ),
    ] = None,
    fd_days: Annotated[
        int, typer.Option(metavar="DAYS", help="how far back ifms_fd asks, as IFMS_FD_DAYS tells it")
    ] = 100,
    dsn: Dsn = "",
) -> None:
    """Look at every invariant of the ledger; exit code 1 if one is broken.

    With the connection's keys in $IFMS_LOG_KEY and $IFMS_SIGNING_KEY (old ones behind them) every signature is checked.
    """
    from ifms.cli.settings import KEY, SIGNING_KEY, Settings
    from ifms.ledger.invariants import INVARIANTS
    from ifms.ledger.limits import Limits
    from ifms.services import reconcile as service
    from ifms.services.witnesses import SIGNED
    from ifms.sweep.run import Sweep

    logging.getLogger("ifms.sweep").addHandler(logging.NullHandler())  # the table says it all
    limits = Limits(pending=timedelta(hours=pending_hours), returnable=timedelta(days=fd_days)).with_days(
        {name: float(value) for name, _, value in (each.partition("=") for each in days or ())}
    )
    keyring = Settings.read().keyring
    with connected(dsn) as db, Sweep(db, "RECONCILE") as sweep:
        if keyring is None:
            print(f"Signatures are not checked: ${KEY} and ${SIGNING_KEY} are not both set.")
        findings = service.reconcile(sweep, limits, keyring=keyring, every=True)
        show_findings(findings, [*INVARIANTS, *([] if keyring is None else [SIGNED])])


def show_findings(findings: Sequence[Finding], rules: Iterable[Invariant]) -> None:
    """Show for each of the rules whether it is broken, by which rows, and what to do."""
    from rich.markup import escape
    from rich.table import Table

    broken = {finding.invariant.name: finding for finding in findings}
    table = Table("what must hold", "rows that break it", "which, and what to do")
    for rule in rules:
        finding = broken.get(rule.name)
        if finding is None:
            table.add_row(rule.meaning, "none", "")
            continue
        more = [f"and {finding.count - len(finding.rows)} more"] if finding.count > len(finding.rows) else []
        text = "\n".join([*finding.rows, *more, f"{rule.remedy}."])
        table.add_row(rule.meaning, str(finding.count), escape(text), style="red")
    console().print(table)
