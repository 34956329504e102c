"""`ifms log open ID`: one call to the treasury in clear, for whoever holds its key, under a record of who looked."""

from __future__ import annotations

import argparse
import json
import os
import pwd
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from ifms.errors import BadInputError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ifms.calllog.opening import Keys, OpenCall
    from ifms.ledger.database import Connection, Database

KEY = "IFMS_LOG_KEY"
LEGACY_SECRET = "IFMS_LEGACY_LOG_SECRET"  # noqa: S105  (the variable's name)
MOST_EXPORTED_BYTES = 64 * 2**20

HELP = f"""Show one call to the treasury: request, reply, timing, outcome. Keys and tokens are never shown, account
numbers but for their last four digits. Who looked, and when, is written into ifms.call_access first.

The key is the connection's log_key, earlier ones behind it, separated by blanks or lines: in --key-file, or in the
environment variable {KEY}. Records of the Java adapter open under its ifms.request.enc.secret, in --legacy-secret-file
or {LEGACY_SECRET}. No key is taken from the command line, which the list of processes shows."""


def add_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `log open` to the command line."""
    log = commands.add_parser("log", help="the log of calls to the treasury")
    actions = log.add_subparsers(required=True, metavar="open")
    opening = actions.add_parser("open", help="show one call in clear", description=HELP, allow_abbrev=False)
    opening.add_argument("id", metavar="ID", help="the call's id, in ifms.treasury_call or in the document")
    opening.add_argument(
        "--dsn", default="", help="the ledger, as for migrate; without it, what PGHOST, PGDATABASE … say"
    )
    opening.add_argument(
        "--document",
        metavar="FILE",
        help="the call as a JSON document of the index (or an export with it); - for stdin",
    )
    opening.add_argument("--key-file", metavar="FILE", type=Path, help=f"the log keys; without it, ${KEY}")
    opening.add_argument(
        "--legacy-secret-file",
        metavar="FILE",
        type=Path,
        help=f"the Java adapter's secret; without it, ${LEGACY_SECRET}",
    )
    opening.add_argument("--unmasked", action="store_true", help="with whole account numbers; needs --reason")
    opening.add_argument("--reason", metavar="TEXT", default="", help="why; it is kept in the record")
    opening.set_defaults(run=open_one)


def open_one(chosen: argparse.Namespace) -> None:
    """Show the call that was chosen, after the record of it is written."""
    from ifms.calllog.opening import masked  # noqa: PLC0415  (cryptography is slow to load, and only needed here)
    from ifms.cli import check_address, connected  # noqa: PLC0415
    from ifms.ledger.calls import record_access  # noqa: PLC0415

    reason = " ".join(chosen.reason.split())
    if chosen.unmasked and not reason:
        raise BadInputError("--unmasked shows whole account numbers, and needs --reason TEXT; it is kept in the record")
    keys = _keys(chosen)
    check_address(chosen.dsn)
    with connected(chosen.dsn) as db:
        call = _from_document(chosen, keys) if chosen.document else _from_ledger(db, chosen.id, keys)
        source = "document" if chosen.document else "ledger"
        record: Callable[[Connection], None] = partial(
            record_access,
            call_id=call.id,
            source=source,
            os_user=os_user(),
            airflow_user=None,
            unmasked=chosen.unmasked,
            reason=reason or None,
        )
        db.transact(record)
    _show(call if chosen.unmasked else masked(call))


def os_user() -> str:
    """Who runs this process: by the system, not by a variable that anybody can set."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _from_ledger(db: Database, text: str, keys: Keys) -> OpenCall:
    from ifms.calllog.opening import open_call  # noqa: PLC0415
    from ifms.ledger.calls import find_call  # noqa: PLC0415

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


def _from_document(chosen: argparse.Namespace, keys: Keys) -> OpenCall:
    from ifms.calllog.opening import open_document  # noqa: PLC0415

    if chosen.document == "-":
        text = sys.stdin.read(MOST_EXPORTED_BYTES + 1)
    else:
        with Path(chosen.document).open(encoding="utf-8") as file:
            text = file.read(MOST_EXPORTED_BYTES + 1)
    if len(text) > MOST_EXPORTED_BYTES:
        raise BadInputError(f"the export is larger than {MOST_EXPORTED_BYTES} bytes: give the one document")
    try:
        exported = json.loads(text)
    except (ValueError, RecursionError):
        raise BadInputError("the document is not JSON") from None
    return open_document(exported, chosen.id, keys)


def _keys(chosen: argparse.Namespace) -> Keys:
    from ifms.calllog.opening import Keys  # noqa: PLC0415
    from ifms.sealing import Sealer  # noqa: PLC0415

    log_keys = _secret(chosen.key_file, KEY).replace(",", " ").split()
    legacy = _secret(chosen.legacy_secret_file, LEGACY_SECRET).strip("\r\n")
    if not log_keys and not legacy:
        raise ConfigurationError(f"no key: give --key-file or ${KEY} (Java records: see --help)")
    sealer = Sealer.from_config(log_keys[0], log_keys[1:]) if log_keys else None
    return Keys(sealer, legacy or None)


def _secret(file: Path | None, variable: str) -> str:
    try:
        return file.read_text(encoding="utf-8") if file is not None else os.environ.get(variable, "")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file} is not text") from None


def _show(call: OpenCall) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(width=None if sys.stdout.isatty() else 160)
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
    console.print(facts)
    for title, text in (("Request", call.request), ("Reply", call.reply)):
        console.print(f"\n[bold]{title}[/]")
        console.print(Text(printable(_pretty(text)) if text else "(none)"), soft_wrap=True)
    for note in call.notes:
        console.print(Text(f"\nnote: {note}"), style="yellow")


def _pretty(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def printable(text: str) -> str:
    """Without control characters: a foreign reply is not to steer the terminal."""
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)
