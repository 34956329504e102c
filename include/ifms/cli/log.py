"""`ifms log open ID`: one call to the treasury in clear, for whoever holds its key, under a record of who looked."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from ifms.cli.command import Command, Dsn, group
from ifms.cli.database import connected
from ifms.cli.settings import KEY, LEGACY_SECRET, Settings
from ifms.cli.terminal import console, os_user, printable
from ifms.errors import BadInputError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from ifms.calllog.decryption import Keys, OpenCall
    from ifms.ledger.database import Connection, Database

MOST_EXPORTED_BYTES = 64 * 2**20

HELP = f"""Show one call to the treasury: request, reply, timing, outcome. Keys and tokens are never shown, account
numbers but for their last four digits. Who looked, and when, is written into ifms.call_access first.

The key is the connection's log_key, earlier ones behind it, separated by blanks or lines: in --key-file, or in the
environment variable {KEY}. Records of the Java adapter open under its ifms.request.enc.secret, in --legacy-secret-file
or {LEGACY_SECRET}. No key is taken from the command line, which the list of processes shows."""


commands = group("Read the log of calls to the treasury.")


@commands.command("open", cls=Command, help=HELP)
def open_one(
    call_id: Annotated[
        str, typer.Argument(metavar="ID", help="the call's id, in ifms.treasury_call or in the document")
    ],
    document: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="the call as a JSON document of the index (or an export with it); - for stdin"
        ),
    ] = None,
    key_file: Annotated[Path | None, typer.Option(metavar="FILE", help=f"the log keys; without it, ${KEY}")] = None,
    legacy_secret_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"the Java adapter's secret; without it, ${LEGACY_SECRET}")
    ] = None,
    unmasked: Annotated[
        bool, typer.Option("--unmasked", help="with whole account numbers; needs --reason", show_default=False)
    ] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="why; it is kept in the record", show_default=False)] = "",
    dsn: Dsn = "",
) -> None:
    """Show the call that was chosen, after the record of it is written."""
    from ifms.calllog.decryption import masked
    from ifms.ledger.call_store import record_access

    text = " ".join(reason.split())
    if unmasked and not text:
        raise BadInputError("--unmasked shows whole account numbers, and needs --reason TEXT; it is kept in the record")
    keys = _keys(key_file, legacy_secret_file)
    with connected(dsn) as db:
        call = _from_document(document, call_id, keys) if document else _from_ledger(db, call_id, keys)
        source = "document" if document else "ledger"
        record: Callable[[Connection], None] = partial(
            record_access,
            call_id=call.id,
            source=source,
            os_user=os_user(),
            airflow_user=None,
            unmasked=unmasked,
            reason=text or None,
        )
        db.transact(record)
    _show(call if unmasked else masked(call))


def _from_ledger(db: Database, text: str, keys: Keys) -> OpenCall:
    from ifms.calllog.decryption import open_call
    from ifms.ledger.call_store import find_call

    try:
        call_id = UUID(text)
    except ValueError:
        raise BadInputError(
            f"{text!r} is no id of a call in the ledger; one of the Java adapter needs --document"
        ) from None
    call = db.transact(partial(find_call, call_id=call_id))
    if call is None:
        raise BadInputError(
            f"the ledger has no call {call_id}; if it is old, export its document from Elasticsearch and give it as "
            "--document"
        )
    return open_call(call, keys)


def _from_document(document: str, call_id: str, keys: Keys) -> OpenCall:
    from ifms.calllog.decryption import open_document

    if document == "-":
        text = sys.stdin.read(MOST_EXPORTED_BYTES + 1)
    else:
        with Path(document).open(encoding="utf-8") as file:
            text = file.read(MOST_EXPORTED_BYTES + 1)
    if len(text) > MOST_EXPORTED_BYTES:
        raise BadInputError(f"the export is larger than {MOST_EXPORTED_BYTES} bytes: give the one document")
    try:
        exported = json.loads(text)
    except (ValueError, RecursionError):
        raise BadInputError("the document is not JSON") from None
    return open_document(exported, call_id, keys)


def _keys(key_file: Path | None, legacy_secret_file: Path | None) -> Keys:
    from ifms import pasted, vault
    from ifms.calllog.decryption import Keys
    from ifms.sealing import Sealer

    settings = Settings.read()
    log_keys = vault.unwrap_all(pasted.split(_secret(key_file, settings.log_key)), KEY)
    legacy = _secret(legacy_secret_file, settings.legacy_log_secret).strip("\r\n")
    if not log_keys and not legacy:
        raise ConfigurationError(f"no key: give --key-file or ${KEY} (Java records: see --help)")
    sealer = Sealer.from_config(log_keys[0], log_keys[1:]) if log_keys else None
    return Keys(sealer, legacy or None)


def _secret(file: Path | None, from_environment: SecretStr) -> str:
    try:
        return from_environment.get_secret_value() if file is None else file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file} is not text") from None


def _show(call: OpenCall) -> None:
    from rich.table import Table
    from rich.text import Text

    terminal = console()
    facts = Table.grid(padding=(0, 2))
    for name, value in (
        ("call", call.id),
        ("service", call.service_id),
        ("bill", call.bill_number),
        ("sent at", call.created_at and f"{call.created_at:%Y-%m-%d %H:%M:%S.%f} UTC"),
        ("took", None if call.duration_ms is None else f"{call.duration_ms} ms"),
        ("outcome", call.outcome or "not known"),
        ("HTTP status", call.status_code),
        ("error", call.error),
    ):
        if value is not None:
            facts.add_row(name, Text(printable(str(value))))
    terminal.print(facts)
    for title, text in (("Request", call.request), ("Reply", call.reply)):
        terminal.print(f"\n[bold]{title}[/]")
        terminal.print(Text(printable(_pretty(text)) if text else "(none)"), soft_wrap=True)
    for note in call.notes:
        terminal.print(Text(f"\nnote: {note}"), style="yellow")


def _pretty(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
