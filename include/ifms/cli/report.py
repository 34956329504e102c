"""`ifms report NAME`: one report of the ledger as a file, at a terminal."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from ifms import clock
from ifms.cli.command import Command, Dsn
from ifms.cli.database import connected
from ifms.errors import BadInputError


class ReportCommand(Command):
    """The command `report`, where several cities or formats may follow their option."""

    several: ClassVar[frozenset[str]] = frozenset({"--tenants", "--format"})


def report(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="fund_register, payment_ageing, failure_reasons, reconciliation, response_times, "
            "amounts_transferred, bank_transfers, project_payments or payments_by_group",
        ),
    ],
    period: Annotated[
        str | None,
        typer.Option(metavar="PERIOD", help="2026-27 (a financial year), 2026-11, 2026-11-23, or all"),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="instead of --period: the first day, as 2026-11-01")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DAY", help="and the last one")] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="what was known then, as 2026-11-24T00:00 (IST); now")
    ] = None,
    tenants: Annotated[
        list[str] | None, typer.Option(metavar="CITY ...", help="only these cities, like od.samplea")
    ] = None,
    hoa_code: Annotated[
        str | None, typer.Option(metavar="HEAD", help="of the fund register only this head of account")
    ] = None,
    transaction_type: Annotated[
        str | None, typer.Option(metavar="TYPE", help="of the fund register only this type")
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", metavar="xlsx|csv|pdf ...", help="one or more; without it: xlsx"),
    ] = None,
    to_folder: Annotated[Path, typer.Option(metavar="FOLDER", help="where to (here)", show_default=False)] = Path(),
    dsn: Dsn = "",
) -> None:
    """Make one report and write it as a file named by report, period and cities.

    It speaks of what was known at --as-of: made again for the same instant it is the same file, its CSV byte for byte.
    """
    from ifms.reports import catalogue
    from ifms.reports.writer import make

    wanted = catalogue.report_named(name)
    kinds = catalogue.formats_named(formats or ["xlsx"])
    at = clock.now() if as_of is None else _instant(as_of)
    asked = catalogue.request(
        wanted,
        at,
        period=_period(period, first, last),
        tenants=tenants or None,
        hoa_code=hoa_code,
        transaction_type=transaction_type,
    )
    logging.getLogger("ifms.reports").addHandler(logging.NullHandler())  # what is printed says it all
    with connected(dsn) as db:
        made = make(db, wanted, asked, kinds, to_folder)
    for file in made.files:
        print(f"{file}: {made.rows:,} rows as of {asked.known_at}")


def _period(period: str | None, first: str | None, last: str | None) -> str | None:
    if first is None and last is None:
        return period
    if period is not None or first is None or last is None:
        raise BadInputError("say --from and --to together, or --period alone, or none of them")
    return f"{first}..{last}"


def _instant(text: str) -> datetime:
    """An instant; without a zone it is IST."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise BadInputError(f"{text[:40]!r} is no instant: write it like 2026-11-24T00:00") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=clock.IST)
