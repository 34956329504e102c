"""`ifms import-java`: take over from the Java adapter, or rehearse it."""

from __future__ import annotations

import json
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ifms.cli.command import OwnerDsn
from ifms.cli.database import check_address, current_schema
from ifms.cli.settings import Settings
from ifms.cli.terminal import console
from ifms.errors import BadInputError, ConfigurationError, ImportLeftOverError
from ifms.money import grouped, grouped_count

if TYPE_CHECKING:
    from ifms.importing.java import Report
    from ifms.importing.source import Masters
    from ifms.ledger.database import Connection


def import_java(
    dsn: OwnerDsn,
    from_dsn: Annotated[str, typer.Option(metavar="ADDRESS", help="the Java adapter's database; it is only read")],
    from_schema: Annotated[str, typer.Option(metavar="SCHEMA", help="the schema of its tables there")] = "public",
    platform: Annotated[str | None, typer.Option(metavar="URL", help="the DIGIT platform, for its master data")] = None,
    state_tenant: Annotated[str, typer.Option(metavar="TENANT", help="the platform's state")] = "od",
    units: Annotated[Path | None, typer.Option(metavar="FILE", help="spending units and schemes, as JSON")] = None,
    by_rows: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SANCTION",
            help="take this sanction's balances from its allotments and transactions, though its summary differs; "
            "repeatable",
        ),
    ] = None,
    removed: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PAYMENT",
            help="a payment that an earlier import withheld, and whose rows were removed there because nothing of it "
            "was ever sent: it may be paid here; repeatable",
        ),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(metavar="CITY", help="the city of the payments that --removed names, where two cities have one"),
    ] = None,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="do it all, report, and take it back", show_default=False)
    ] = False,
) -> None:
    """Copy the ten tables of the Java adapter into the ledger: funds, PIs, history, how far allotments were fetched.

    All that fits is written in one transaction; a payment with a row that does not fit is left out with all of its
    payment instructions, named with what to do, and gets no new one here until it is settled. Run it again at any time:
    what is new there is copied, what is here stays. Stop the Java adapter's cron and pause the DAGs first.

    What its tables do not hold (the SSU of a DDO code, the scheme of a head of account) is read from the platform's
    master data, or from --units: a JSON object {"units": [{"tenantId", "ddoCode", "ssuId", "granteeAgCode"}], "heads":
    [{"code", "schemeCode"}]}, which goes before the platform's. A token of the platform's gateway:
    $IFMS_PLATFORM_TOKEN. The platform is asked by https, but for the hosts in $IFMS_PLATFORM_HTTP_HOSTS.
    """
    from ifms.importing.java import run
    from ifms.ledger import session

    check_address(dsn)
    check_address(from_dsn)
    masters = _masters(platform, state_tenant, units)
    connect = partial(session.connect, autocommit=True)
    with connect(dsn) as target, connect(from_dsn) as source, current_schema():
        with target.transaction():
            _check_owner(target)
        report = run(
            target,
            source,
            masters,
            schema=from_schema,
            by_rows=by_rows or [],
            removed=removed or [],
            removed_of=tenant,
            rehearse=rehearse,
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


def _masters(url: str | None, state_tenant: str, file: Path | None) -> Masters:
    from ifms.importing.source import Masters

    units: dict[tuple[str, str], tuple[str, str]] = {}
    schemes: dict[str, str] = {}
    if url:
        from ifms import hosts
        from ifms.platform.client import PlatformClient
        from ifms.platform.config import PlatformConfig

        token = Settings.read().platform_token.get_secret_value()
        config = PlatformConfig(url, state_tenant=state_tenant, auth_token=token or None)
        hosts.check_plain_http(config.http_hosts)
        with PlatformClient(config) as platform:
            master = platform.master_data()
        for tenant, found in master.units.items():
            for unit in reversed(found):  # the Java adapter took the first
                units[tenant, unit.ddo_code] = (unit.ssu_id, unit.grantee_ag_code)
        schemes |= {head.code: head.scheme_code for head in master.heads if head.scheme_code}
    if file is not None:
        masters = _read_masters(file)
        units |= {(u["tenantId"], u["ddoCode"]): (u["ssuId"], u["granteeAgCode"]) for u in masters.get("units", [])}
        schemes |= {head["code"]: head["schemeCode"] for head in masters.get("heads", [])}
    if not units or not schemes:
        raise ConfigurationError("no spending units or no heads of account: give --platform, or --units with both")
    return Masters(frozenset((*key, *value) for key, value in units.items()), frozenset(schemes.items()))


def _read_masters(file: Path) -> dict[str, list[dict[str, str]]]:
    try:
        masters = json.loads(file.read_text(encoding="utf-8"))
        keys = {"units": ("tenantId", "ddoCode", "ssuId", "granteeAgCode"), "heads": ("code", "schemeCode")}
        sound = isinstance(masters, dict) and all(
            isinstance(row[key], str) and row[key]
            for part, named in keys.items()
            for row in masters.get(part, [])
            for key in named
        )
    except (ValueError, TypeError, KeyError):
        sound = False
    if not sound:
        raise BadInputError(f"{file} is not the JSON that --help describes, with every value a text")
    return dict(masters)


def _show(report: Report) -> None:
    from rich.table import Table
    from rich.text import Text

    terminal = console()
    table = Table("table", "rows", "rupees", "here", "rupees", "left out", "rupees")
    for each in report.tables:
        sums = ((each.rows, each.money), (each.here, each.money_here), (each.left_out, each.money_left_out))
        table.add_row(each.name, *chain(*((grouped_count(rows), grouped(money)) for rows, money in sums)))
    terminal.print(table)
    states = Table("payment instructions there", "here", "how many")
    for (there, here), count in sorted(report.states.items()):
        states.add_row(there, here, grouped_count(count))
    terminal.print(states)
    for title, lines in (
        ("Imported, and to be looked at", report.remarks),
        ("Left out", [f"{m.about}: {m.why}. To do: {m.remedy}." for m in report.misfits]),
    ):
        if lines:
            terminal.print(f"\n[bold]{title}[/]")
            for line in lines:
                terminal.print(Text(f"  {line}"), soft_wrap=True)
    done = "rehearsed, nothing is changed" if report.rehearsed else "imported"
    terminal.print(f"\n{done}: {report.changed:,} row(s) that are new or have changed since the last time")
