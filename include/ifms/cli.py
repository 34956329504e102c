"""The command line: `ifms migrate`, `ifms simulate treasury`, `ifms simulate platform`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ifms.errors import ConfigurationError, IfmsError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did what it was asked, 1 with a sentence when it did not."""
    parser = argparse.ArgumentParser(prog="ifms", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    migrate = commands.add_parser("migrate", help="create or upgrade the ledger's schema `ifms`")
    migrate.add_argument("--dsn", required=True, help="the database, as postgresql://user:password@host:port/name")
    migrate.set_defaults(run=_migrate)

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

    _check_address(chosen.dsn)
    migrate(chosen.dsn)
    print("schema ifms is up to date")  # noqa: T201


def _check_address(dsn: str) -> None:
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
