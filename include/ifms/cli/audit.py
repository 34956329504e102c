"""`ifms audit`: verify the ledger's records, and sign where their chains end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ifms.cli.command import Command, Dsn, group
from ifms.cli.database import connected
from ifms.cli.reconcile import show_findings
from ifms.cli.settings import KEY, SIGNING_KEY, Settings
from ifms.errors import BadInputError, ConfigurationError, SignatureError, SweepNeedsAttentionError

if TYPE_CHECKING:
    from ifms.services.audit import Anchor
    from ifms.signing import Signer

HELP = f"""Each row of the records (movements, status log, calls to the treasury, who looked at them, what people did)
has a link in its city's chain of hashes. An anchor is a signed note of where the chains end, to be kept outside the
database. ifms_audit verifies and anchors daily.

Anchors are signed under the connection's signing_key, in the environment variable {SIGNING_KEY}; {KEY} must be set,
too."""

commands = group(HELP)


@commands.command(cls=Command)
def verify(
    anchors: Annotated[
        list[Path] | None,
        typer.Option("--anchor", metavar="FILE", help="with what this one says; repeatable", show_default=False),
    ] = None,
    dsn: Dsn = "",
) -> None:
    """Name every record that was changed, put in or taken out; exit code 1 if there is one."""
    from ifms.ledger.audit import ANCHORED, CHAIN, heads
    from ifms.services.audit import verify as service

    known = [_read(file, _signer()) for file in anchors or ()]
    with connected(dsn) as db:
        found, ends = db.read_snapshot(lambda connection: (service(connection, known), heads(connection)))
    show_findings(found, [*CHAIN, *([ANCHORED] if known else [])])
    print(f"{sum(head.number for head in ends):,} links in {len(ends)} chain(s), {len(known)} anchor(s)")
    if found:
        raise SweepNeedsAttentionError(
            f"{sum(finding.count for finding in found)} record(s) or link(s) are not as they were written"
        )


@commands.command(cls=Command)
def anchor(
    to_folder: Annotated[Path, typer.Option(metavar="FOLDER", help="where to (here)", show_default=False)] = Path(),
    dsn: Dsn = "",
) -> None:
    """Write a signed note of where the chains end into a file named by the time (UTC)."""
    from ifms.services.audit import anchor_of, write_anchor

    signer = _signer()
    with connected(dsn) as db:
        made = db.read_snapshot(anchor_of)
    file = to_folder / made.name
    with file.open("x", encoding="utf-8") as written:
        written.write(write_anchor(made, signer))
    print(f"{file}: {len(made.heads)} chain(s)")


def _signer() -> Signer:
    keyring = Settings.read().keyring
    if keyring is None:
        raise ConfigurationError(f"anchors are signed: set ${KEY} and ${SIGNING_KEY} to the keys of ifms_treasury")
    return keyring.signer


def _read(file: Path, signer: Signer) -> Anchor:
    from ifms.services.audit import read_anchor

    try:
        return read_anchor(file.read_text(encoding="utf-8"), signer)
    except (BadInputError, SignatureError, UnicodeDecodeError) as error:
        raise BadInputError(f"{file} can't be believed: {error}") from None
