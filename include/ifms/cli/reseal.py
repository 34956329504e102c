"""`ifms reseal`: account numbers under the new log key, so that the old one can be forgotten one day."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ifms.cli.command import OwnerDsn
from ifms.cli.database import connected
from ifms.cli.settings import KEY, Settings
from ifms.errors import ConfigurationError, SealError


def reseal(
    dsn: OwnerDsn,
    key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"the log keys; without it, ${KEY}", show_default=False)
    ] = None,
) -> None:
    """Seal the ledger's account numbers anew, under the first key of --key-file (or of $IFMS_LOG_KEY).

    That is the connection's new log_key, the old ones behind it, separated by blanks or lines. Sweeps may run
    meanwhile, once their connection has the new key as log_key and the old one in old_log_keys. It can be stopped and
    started again. Calls to the treasury stay under the key of their time: keep it in old_log_keys until they are
    removed (IFMS_CALL_LOG_DAYS).
    """
    from ifms.ledger.reseal import left
    from ifms.ledger.reseal import reseal as seal_anew
    from ifms.sealing import Sealer

    text = key_file.read_text(encoding="utf-8") if key_file else Settings.read().log_key.get_secret_value()
    keys = text.replace(",", " ").split()
    if not keys:
        raise ConfigurationError(f"no key: give --key-file or ${KEY}, the new key first")
    sealer = Sealer.from_config(keys[0], keys[1:])
    with connected(dsn) as db:
        done = seal_anew(db, sealer)
        missed = db.transact(lambda c: left(c, sealer))
    for name, count in done.items():
        print(f"{name}: {count} sealed under key {sealer.key_id}, {missed[name]} left")
    if any(missed.values()):
        raise SealError("sweeps had some of them in their hands: run it again")
