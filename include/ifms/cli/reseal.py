"""`ifms reseal`: account numbers under the new log key, so that the old one can be forgotten one day."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ifms.errors import ConfigurationError, SealError

HELP = """Seal the ledger's account numbers anew, under the first key of --key-file (or of $IFMS_LOG_KEY): the
connection's new log_key, the old ones behind it, separated by blanks or lines. Sweeps may run meanwhile, once their
connection has the new key as log_key and the old one in old_log_keys. It can be stopped and started again. Calls to the
treasury stay under the key of their time: keep it in old_log_keys until they are removed (IFMS_CALL_LOG_DAYS)."""


def add_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `reseal` to the command line."""
    command = commands.add_parser("reseal", help="account numbers under a new log key", description=HELP)
    command.add_argument("--dsn", required=True, help="the ledger, as its owner: as for migrate")
    command.add_argument("--key-file", metavar="FILE", type=Path, help="the log keys; without it, $IFMS_LOG_KEY")
    command.set_defaults(run=_reseal)


def _reseal(chosen: argparse.Namespace) -> None:
    from ifms.cli import check_address, connected  # noqa: PLC0415  (slow to load, and only needed here)
    from ifms.ledger.reseal import left, reseal  # noqa: PLC0415
    from ifms.log_command import KEY  # noqa: PLC0415
    from ifms.sealing import Sealer  # noqa: PLC0415

    text = chosen.key_file.read_text(encoding="utf-8") if chosen.key_file else os.environ.get(KEY, "")
    keys = text.replace(",", " ").split()
    if not keys:
        raise ConfigurationError(f"no key: give --key-file or ${KEY}, the new key first")
    sealer = Sealer.from_config(keys[0], keys[1:])
    check_address(chosen.dsn)
    with connected(chosen.dsn) as db:
        done = reseal(db, sealer)
        missed = db.transact(lambda c: left(c, sealer))
    for name, count in done.items():
        print(f"{name}: {count} sealed under key {sealer.key_id}, {missed[name]} left")  # noqa: T201
    if any(missed.values()):
        raise SealError("sweeps had some of them in their hands: run it again")
