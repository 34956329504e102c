"""`ifms import-java`: take over from the Java adapter, or rehearse it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from ifms.errors import BadInputError, ConfigurationError, ImportLeftOverError
from ifms.money import grouped, grouped_count

if TYPE_CHECKING:
    from ifms.importing.java import Report
    from ifms.importing.source import Masters
    from ifms.ledger.database import Connection

TOKEN = "IFMS_PLATFORM_TOKEN"  # noqa: S105  (the variable's name)

HELP = f"""Copy the ten tables of the Java adapter into the ledger: funds, payment instructions, history, how far
allotments were fetched. All that fits is written in one transaction; a payment with a row that does not fit is left out
with all of its payment instructions, named with what to do, and gets no new one here until it is settled. Run it again
at any time: what is new there is copied, what is here stays. Stop the Java adapter's cron and pause the DAGs first.

What its tables do not hold (the SSU of a DDO code, the scheme of a head of account) is read from the platform's master
data, or from --units: a JSON object {{"units": [{{"tenantId", "ddoCode", "ssuId", "granteeAgCode"}}], "heads":
[{{"code", "schemeCode"}}]}}, which goes before the platform's. A token of the platform's gateway: ${TOKEN}."""


def add_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `import-java` to the command line."""
    command = commands.add_parser(
        "import-java", help="take over the Java adapter's database", description=HELP, allow_abbrev=False
    )
    command.add_argument("--dsn", required=True, help="the ledger, as its owner: as for migrate")
    command.add_argument("--from-dsn", required=True, help="the Java adapter's database; it is only read")
    command.add_argument("--from-schema", default="public", help="the schema of its tables there (public)")
    command.add_argument("--platform", metavar="URL", help="the DIGIT platform, for its master data")
    command.add_argument("--state-tenant", default="od", help="the platform's state (od)")
    command.add_argument("--units", metavar="FILE", type=Path, help="spending units and schemes, as JSON")
    command.add_argument(
        "--by-rows",
        metavar="SANCTION",
        action="append",
        default=[],
        help="take this sanction's balances from its allotments and transactions, though its summary differs",
    )
    command.add_argument("--rehearse", action="store_true", help="do it all, report, and take it back")
    command.set_defaults(run=import_java)


def import_java(chosen: argparse.Namespace) -> None:
    """Import, and report. Raises ImportLeftOverError when something was left out."""
    import psycopg  # noqa: PLC0415  (slow to load, like the rest: only needed here)

    from ifms.cli import check_address, current_schema  # noqa: PLC0415
    from ifms.importing.java import run  # noqa: PLC0415

    check_address(chosen.dsn)
    check_address(chosen.from_dsn)
    masters = _masters(chosen)
    connect = partial(psycopg.connect, autocommit=True, options="-c timezone=UTC")
    with connect(chosen.dsn) as target, connect(chosen.from_dsn) as source, current_schema():
        _check_owner(target)
        report = run(
            target,
            source,
            masters,
            schema=chosen.from_schema,
            by_rows=chosen.by_rows,
            rehearse=chosen.rehearse,
        )
    _show(report)
    if report.misfits:
        raise ImportLeftOverError(
            f"{len(report.misfits)} reason(s) above for what was left out; nothing is paid for it here until it "
            "is mended and imported"
        )


def _check_owner(target: Connection) -> None:
    row = target.execute(
        "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'ifms.payment_instruction'::regclass"
    ).fetchone()
    if not row or not row[0]:
        raise ConfigurationError("--dsn logs in as somebody else than the ledger's owner, who alone imports")


def _masters(chosen: argparse.Namespace) -> Masters:
    from ifms.importing.source import Masters  # noqa: PLC0415

    units: dict[tuple[str, str], tuple[str, str]] = {}
    schemes: dict[str, str] = {}
    if chosen.platform:
        from ifms.platform.client import PlatformClient  # noqa: PLC0415
        from ifms.platform.config import PlatformConfig  # noqa: PLC0415

        config = PlatformConfig(
            chosen.platform, state_tenant=chosen.state_tenant, auth_token=os.environ.get(TOKEN) or None
        )
        with PlatformClient(config) as platform:
            master = platform.master_data()
        for tenant, found in master.units.items():
            for unit in reversed(found):  # the Java adapter took the first
                units[tenant, unit.ddo_code] = (unit.ssu_id, unit.grantee_ag_code)
        schemes |= {head.code: head.scheme_code for head in master.heads}
    if chosen.units:
        told = _told(chosen.units)
        units |= {(u["tenantId"], u["ddoCode"]): (u["ssuId"], u["granteeAgCode"]) for u in told.get("units", [])}
        schemes |= {head["code"]: head["schemeCode"] for head in told.get("heads", [])}
    if not units or not schemes:
        raise ConfigurationError("no spending units or no heads of account: give --platform, or --units with both")
    return Masters(frozenset((*key, *value) for key, value in units.items()), frozenset(schemes.items()))


def _told(file: Path) -> dict[str, list[dict[str, str]]]:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        keys = {"units": ("tenantId", "ddoCode", "ssuId", "granteeAgCode"), "heads": ("code", "schemeCode")}
        sound = isinstance(told, dict) and all(
            isinstance(row[key], str) and row[key]
            for part, named in keys.items()
            for row in told.get(part, [])
            for key in named
        )
    except (ValueError, TypeError, KeyError):
        sound = False
    if not sound:
        raise BadInputError(f"{file} is not the JSON that --help describes, with every value a text")
    return dict(told)


def _show(report: Report) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table("table", "rows", "rupees", "here", "rupees", "left out", "rupees")
    for each in report.tables:
        sums = ((each.rows, each.money), (each.here, each.money_here), (each.left_out, each.money_left_out))
        table.add_row(each.name, *chain(*((grouped_count(rows), grouped(money)) for rows, money in sums)))
    console.print(table)
    states = Table("payment instructions there", "here", "how many")
    for (there, here), count in sorted(report.states.items()):
        states.add_row(there, here, grouped_count(count))
    console.print(states)
    for title, lines in (
        ("Imported, and to be looked at", report.remarks),
        ("Left out", [f"{m.about}: {m.why}. To do: {m.remedy}." for m in report.misfits]),
    ):
        if lines:
            console.print(f"\n[bold]{title}[/]")
            for line in lines:
                console.print(Text(f"  {line}"), soft_wrap=True)
    done = "rehearsed, nothing is changed" if report.rehearsed else "imported"
    console.print(f"\n{done}: {report.changed:,} row(s) that are new or have changed since the last time")
