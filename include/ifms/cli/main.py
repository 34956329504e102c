"""The command line, `ifms`: what an operator types at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import psycopg
import typer
from pydantic import ValidationError
from typer.main import get_command

from ifms.cli import (
    after_restore,
    audit,
    cancel,
    failures,
    import_java,
    log,
    migrate,
    phrases,
    proposals,
    reconcile,
    report,
    reseal,
    sanction,
    settle,
    simulate,
    views,
)
from ifms.cli.command import Command, group
from ifms.errors import IfmsError

# In the order of --help: each command, what it says of itself there, and what runs it.
SINGLE = (
    ("migrate", "create or upgrade the ledger's schema `ifms`", migrate.migrate, Command),
    ("reconcile", "look at every invariant of the ledger", reconcile.reconcile, Command),
    ("views", "print what the views for reports hold, column by column", views.views, Command),
    ("import-java", "take over the Java adapter's database", import_java.import_java, Command),
    ("reseal", "account numbers under a new log key", reseal.reseal, Command),
    ("settle", "settle a PENDING payment instruction by hand", settle.settle, Command),
    ("cancel", "end a payment instruction that was never sent", cancel.cancel, Command),
    ("report", "make a report as XLSX, CSV or PDF", report.report, report.ReportCommand),
)
GROUPS = (
    ("log", "the log of calls to the treasury", log.commands, "open"),
    ("audit", "whether the records are as they were written", audit.commands, "verify|anchor"),
    ("after-restore", "a restored ledger must not pay again", after_restore.commands, "begin|list|clear|nothing-lost"),
    (
        "failures",
        "what came back, or may have, and waits for a person",
        failures.commands,
        "list|settle-transfer|close-reported|close-beneficiary",
    ),
    ("phrases", "what the treasury's texts mean", phrases.commands, "list|unknown|add|withdraw"),
    ("proposals", "what waits for a second person", proposals.commands, "list|show"),
    ("sanction", "sanctions that nothing is paid from any more", sanction.commands, "list|close|open"),
    ("simulate", "a treasury or a platform like the real one", simulate.commands, "treasury|platform"),
)


def application() -> typer.Typer:
    """Put the commands together; nothing slow is loaded before one of them runs."""
    made = group(__doc__)
    for name, short, run, kind in SINGLE:
        made.command(name, short_help=short, cls=kind)(run)
    for name, short, commands, names in GROUPS:
        made.add_typer(commands, name=name, short_help=short, subcommand_metavar=names)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did what it was asked, 1 with a sentence when it did not.

    Raises SystemExit: 2 with the usage for arguments that are none, 0 for --help, 130 for a Ctrl-C.
    """
    command = get_command(application())
    try:
        ended = command.main(arguments, prog_name="ifms", standalone_mode=False)
    except typer.TyperException as error:
        _say_usage(error)
        raise SystemExit(2) from None
    except (IfmsError, psycopg.Error, OSError) as error:
        print(f"ifms: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    if ended is not None:
        raise SystemExit(ended)
    return 0


def _say_usage(error: typer.TyperException) -> None:
    context: typer.Context | None = getattr(error, "ctx", None)
    if context is not None:
        print(f"usage: {context.get_usage().partition(': ')[2]}", file=sys.stderr)
    path = "ifms" if context is None else context.command_path
    message = error.format_message().replace("Value error, ", "")
    if isinstance(error.__cause__, ValidationError):  # whose sentence leaves out the value, most times
        value = repr(error.__cause__.errors()[0]["input"])
        message += "" if value in message else f": {value}"
    print(f"{path}: {message} ('{path} --help' says more)", file=sys.stderr)
