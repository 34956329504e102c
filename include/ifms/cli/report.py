"""`ifms report NAME`: one report of the ledger as a file, at a terminal."""

from __future__ import annotations

import argparse
import logging
from datetime import datetime
from pathlib import Path

from ifms import clock
from ifms.errors import BadInputError

HELP = """Make one report and write it as a file named by report, period and cities. It speaks of what was known at
--as-of: made again for the same instant it is the same file, its CSV byte for byte."""


def add_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `report` to the command line."""
    report = commands.add_parser("report", help="make a report as XLSX, CSV or PDF", description=HELP)
    report.add_argument(
        "name", metavar="NAME", help="fund_register, payment_ageing, failure_reasons, reconciliation or response_times"
    )
    report.add_argument(
        "--dsn", default="", help="the ledger, as for migrate; without it, what PGHOST, PGDATABASE … say"
    )
    report.add_argument("--period", help="2026-27 (a financial year), 2026-11, 2026-11-23, or all")
    report.add_argument("--from", dest="first", metavar="DAY", help="instead of --period: the first day, as 2026-11-01")
    report.add_argument("--to", dest="last", metavar="DAY", help="and the last one")
    report.add_argument("--as-of", metavar="INSTANT", help="what was known then, as 2026-11-24T00:00 (IST); now")
    report.add_argument("--tenants", metavar="CITY", nargs="+", help="only these cities, like od.samplea")
    report.add_argument("--hoa-code", metavar="HEAD", help="of the fund register only this head of account")
    report.add_argument("--transaction-type", metavar="TYPE", help="of the fund register only this type")
    report.add_argument("--format", metavar="xlsx|csv|pdf", nargs="+", default=["xlsx"], help="one or more (xlsx)")
    report.add_argument("--to-folder", metavar="FOLDER", type=Path, default=Path(), help="where to (here)")
    report.set_defaults(run=make_one)


def make_one(chosen: argparse.Namespace) -> None:
    """Make the report that was chosen, and say where it is."""
    from ifms.cli import check_address, connected  # noqa: PLC0415
    from ifms.reports import catalogue  # noqa: PLC0415  (pandas and matplotlib are slow to load, and only needed here)
    from ifms.reports.making import make  # noqa: PLC0415

    report = catalogue.report_named(chosen.name)
    formats = catalogue.formats_named(chosen.format)
    as_of = clock.now() if chosen.as_of is None else _instant(chosen.as_of)
    asked = catalogue.request(
        report, as_of, period=_period(chosen), tenants=chosen.tenants, hoa_code=chosen.hoa_code,
        transaction_type=chosen.transaction_type,
    )  # fmt: skip
    check_address(chosen.dsn)
    logging.getLogger("ifms.reports").addHandler(logging.NullHandler())  # what is printed says it all
    with connected(chosen.dsn) as db:
        made = make(db, report, asked, formats, chosen.to_folder)
    for file in made.files:
        print(f"{file}: {made.rows:,} rows as of {asked.known_at}")  # noqa: T201


def _period(chosen: argparse.Namespace) -> str | None:
    if chosen.first is None and chosen.last is None:
        return None if chosen.period is None else str(chosen.period)
    if chosen.period is not None or chosen.first is None or chosen.last is None:
        raise BadInputError("say --from and --to together, or --period alone, or none of them")
    return f"{chosen.first}..{chosen.last}"


def _instant(text: str) -> datetime:
    """An instant; without a zone it is IST."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise BadInputError(f"{text[:40]!r} is no instant: write it like 2026-11-24T00:00") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=clock.IST)
