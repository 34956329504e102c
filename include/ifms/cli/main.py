"""The command line, `ifms`: what an operator types at a terminal."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import InvalidSchemaName, UndefinedColumn, UndefinedTable

from ifms import (
    cancel_command,
    failures_command,
    import_command,
    log_command,
    phrases_command,
    report_command,
    reseal_command,
    restore_command,
    sanction_command,
    settle_command,
)
from ifms.errors import ConfigurationError, IfmsError

if TYPE_CHECKING:
    from ifms.ledger.database import Database
    from ifms.ledger.invariants import Finding


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did what it was asked, 1 with a sentence when it did not."""
    parser = argparse.ArgumentParser(prog="ifms", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    migrate = commands.add_parser("migrate", help="create or upgrade the ledger's schema `ifms`")
    migrate.add_argument("--dsn", required=True, help="the database, as postgresql://user:password@host:port/name")
    migrate.set_defaults(run=_migrate)

    check = commands.add_parser("reconcile", help="look at every invariant of the ledger; exit code 1 if one is broken")
    check.add_argument(
        "--dsn", default="", help="the database, as for migrate; without it, what PGHOST, PGDATABASE … say"
    )
    check.add_argument("--pending-hours", type=_hours, default=24, help="how long a PI may stay PENDING (24)")
    check.add_argument(
        "--days", action="append", default=[], type=_named_days, metavar="NAME=DAYS",
        help="how long else something may wait, repeatable; without it: initiated=15, approved=7, in_process=7, "
        "revised=15, held=7, unfunded=30, unmatched=7, unasked=25 hours",
    )  # fmt: skip
    check.add_argument(
        "--fd-days", type=int, default=100, help="how far back ifms_fd asks, as IFMS_FD_DAYS tells it (100)"
    )
    check.set_defaults(run=_reconcile)

    views = commands.add_parser("views", help="print what the views for reports hold, column by column (docs/views.md)")
    views.add_argument("--dsn", default="", help="the database, as for reconcile")
    views.set_defaults(run=_views)

    log_command.add_arguments(commands)
    import_command.add_arguments(commands)
    restore_command.add_arguments(commands)
    failures_command.add_arguments(commands)
    reseal_command.add_arguments(commands)
    settle_command.add_arguments(commands)
    phrases_command.add_arguments(commands)
    cancel_command.add_arguments(commands)
    sanction_command.add_arguments(commands)
    report_command.add_arguments(commands)

    simulate = commands.add_parser("simulate", help="run a treasury or a platform that behaves like the real one")
    _add_simulators(simulate.add_subparsers(required=True, metavar="treasury|platform"))

    chosen = parser.parse_args(arguments)
    try:
        chosen.run(chosen)
    except (IfmsError, psycopg.Error, OSError) as error:
        print(f"ifms: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _migrate(chosen: argparse.Namespace) -> None:
    from ifms.ledger.migrate import migrate  # noqa: PLC0415  (SQLAlchemy is slow to load, and only needed here)

    check_address(chosen.dsn)
    left_to_do = migrate(chosen.dsn)
    print("schema ifms is up to date")  # noqa: T201
    for sentence in left_to_do:
        print(f"ifms: {sentence}", file=sys.stderr)  # noqa: T201


def _reconcile(chosen: argparse.Namespace) -> None:
    from ifms.ledger.limits import Limits  # noqa: PLC0415  (as above: only needed here)
    from ifms.services.reconcile import reconcile  # noqa: PLC0415
    from ifms.services.sweep import Sweep  # noqa: PLC0415

    check_address(chosen.dsn)
    logging.getLogger("ifms.sweep").addHandler(logging.NullHandler())  # the table says it all
    window = timedelta(days=chosen.fd_days)
    limits = Limits(pending=timedelta(hours=chosen.pending_hours), returnable=window).with_days(dict(chosen.days))
    with connected(chosen.dsn) as db, Sweep(db, "RECONCILE") as sweep:
        _show(reconcile(sweep, limits))


def _views(chosen: argparse.Namespace) -> None:
    from ifms.reports.reads.contract import page  # noqa: PLC0415

    check_address(chosen.dsn)
    with connected(chosen.dsn) as db:
        print(db.transact(page), end="")  # noqa: T201


@contextmanager
def connected(dsn: str) -> Iterator[Database]:
    """The ledger of `dsn`. Raises ConfigurationError when there is none of this version."""
    from ifms.ledger.database import Database  # noqa: PLC0415

    with current_schema(), Database(partial(psycopg.connect, dsn, options="-c timezone=UTC")) as db:
        yield db


@contextmanager
def current_schema() -> Iterator[None]:
    """Raises ConfigurationError where the ledger turns out to be none of this version."""
    try:
        yield
    except (UndefinedTable, UndefinedColumn, InvalidSchemaName):
        raise ConfigurationError("the database has no ledger of this version: run `ifms migrate` first") from None


def _show(findings: Sequence[Finding]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from ifms.ledger.invariants import INVARIANTS  # noqa: PLC0415

    broken = {finding.invariant.name: finding for finding in findings}
    table = Table("what must hold", "rows that break it", "which, and what to do")
    for rule in INVARIANTS:
        finding = broken.get(rule.name)
        if finding is None:
            table.add_row(rule.meaning, "none", "")
            continue
        more = [f"and {finding.count - len(finding.rows)} more"] if finding.count > len(finding.rows) else []
        said = "\n".join([*finding.rows, *more, f"{rule.remedy}."])
        table.add_row(rule.meaning, str(finding.count), escape(said), style="red")
    # Elsewhere than on a terminal rich would fold the table at 80 columns.
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _hours(text: str) -> float:
    hours = float(text)
    if not 0 < hours <= 24 * 366:
        raise ValueError
    return hours


def _named_days(text: str) -> tuple[str, float]:
    name, _, days = text.partition("=")
    return name, float(days)


def check_address(dsn: str) -> None:
    """Raises ConfigurationError, which does not repeat the address: libpq's own error would, password and all."""
    try:
        host = conninfo_to_dict(dsn).get("host")
    except psycopg.ProgrammingError:
        host = "@"
    if "@" in str(host):
        raise ConfigurationError(
            "--dsn is no address: write postgresql://user:password@host:port/name, its password percent-encoded"
        )


def _add_simulators(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from simulator import serve  # noqa: PLC0415  (not part of what production runs)

    treasury = kinds.add_parser("treasury", help="JIT-FS with real RSA and AES")
    serve.treasury_arguments(treasury)
    treasury.set_defaults(run=serve.run_treasury)
    platform = kinds.add_parser("platform", help="the DIGIT services, with sample cities and bills")
    serve.platform_arguments(platform)
    platform.set_defaults(run=serve.run_platform)
