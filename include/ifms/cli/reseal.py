"""`ifms reseal`: accounts sealed and PIs signed under new keys, so that the old ones can be forgotten one day."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ifms.cli.command import OwnerDsn
from ifms.cli.database import connected
from ifms.cli.settings import KEY, SIGNING_KEY, Settings
from ifms.errors import ConfigurationError, SealError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import SecretStr


def reseal(
    dsn: OwnerDsn,
    key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"the log keys; without it, ${KEY}", show_default=False)
    ] = None,
    signing_key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"the signing keys; without it, ${SIGNING_KEY}", show_default=False),
    ] = None,
) -> None:
    """Seal the ledger's account numbers and sign its PIs anew, each under the first key of its file or variable.

    That is the connection's new log_key (signing_key), the old ones behind it, separated by blanks or lines. Sweeps may
    run meanwhile, once their connection has the new key as log_key and the old one in old_log_keys (signing_key,
    old_signing_keys). It can be stopped and started again. Calls to the treasury stay under the key of their time: keep
    it in old_log_keys until they are removed (IFMS_CALL_LOG_DAYS). What was not sealed or signed for its row is named,
    and does not become so.
    """
    from ifms.ledger.reseal import left
    from ifms.ledger.reseal import reseal as seal_anew
    from ifms.sealing import Sealer
    from ifms.signing import Keyring, Signer

    reported = Settings.read()
    log_keys = _keys(key_file, reported.log_key, f"--key-file or ${KEY}")
    signing_keys = _keys(signing_key_file, reported.signing_key, f"--signing-key-file or ${SIGNING_KEY}")
    keyring = Keyring(
        Sealer.from_config(log_keys[0], log_keys[1:]), Signer.from_config(signing_keys[0], signing_keys[1:])
    )
    with connected(dsn) as db:
        done = seal_anew(db, keyring)
        missed = db.transact(lambda c: left(c, keyring))
    for name, count in done.items():
        print(f"{name}: {count} renewed, {missed[name]} left")
    if any(missed.values()):
        raise SealError("sweeps had some of them in their hands: run it again")


def _keys(file: Path | None, reported: SecretStr, where: str) -> Sequence[str]:
    from ifms import pasted, vault

    keys = pasted.split(reported.get_secret_value() if file is None else file.read_text(encoding="utf-8"))
    if not keys:
        raise ConfigurationError(f"no key: give {where}, the new key first")
    return vault.unwrap_all(keys, where)
