"""One call in clear, for whoever holds its key: a row of the ledger, or a document of the index (Java ones too).

Keys and tokens are never among what is shown, and account numbers are masked by `masked`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ifms.clock import from_epoch_ms
from ifms.errors import BadInputError, IfmsError, SealError
from ifms.ledger.call_store import StoredCall
from ifms.ledger.status_log import call_context
from ifms.sealing import Sealer
from ifms.wire.bank import mask_account, mask_long_numbers
from ifms.wire.crypto import AES_KEY_BYTES, aes_decrypt, legacy_decrypt

LOGIN = "AUTH"
KEPT_BACK = "(kept sealed)"
_ACCOUNT_FIELD = re.compile(r"acc(oun)?t", re.IGNORECASE)
_LOGIN_SECRETS = frozenset({"authToken", "sek", "appKey"})


@dataclass(frozen=True)
class Keys:
    """What opens: the log key with its older ones, and the Java adapter's `ifms.request.enc.secret`."""

    sealer: Sealer | None = None
    legacy_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class OpenCall:
    """A call in clear; `notes` say what of it does not open, and why."""

    id: str
    service_id: str
    bill_number: str | None
    outcome: str | None
    status_code: int | str | None
    error: str | None
    duration_ms: int | None
    created_at: datetime | None
    request: str | None = field(repr=False)
    reply: str | None = field(repr=False)
    notes: tuple[str, ...] = ()


def open_call(call: StoredCall, keys: Keys) -> OpenCall:
    """Open a row of the ledger. Raises SealError when it opens under none of the keys."""
    opened = _Opener(keys, str(call.id), call.service_id, call.bill_number)
    request = opened.sealed("request_sealed", call.request_sealed)
    rek = opened.sealed("rek_sealed", call.rek_sealed)
    plain_reply = opened.sealed("response_sealed", call.response_sealed)
    reply = _reply(call.service_id, rek, call.enc_response, plain_reply, opened)
    return OpenCall(
        id=str(call.id),
        service_id=call.service_id,
        bill_number=call.bill_number,
        outcome=call.outcome,
        status_code=call.status_code,
        error=call.error_message,
        duration_ms=call.duration_ms,
        created_at=call.created_at,
        request=request,
        reply=reply,
        notes=tuple(opened.notes),
    )


def open_document(exported: object, call_id: str, keys: Keys) -> OpenCall:
    """Open the document `call_id` of an export: one document, a hit with its `_source`, or a whole search's reply.

    Documents of the Java adapter open under its secret. Raises BadInputError when there is no such document in it,
    SealError or ConfigurationError when it opens under none of the keys.
    """
    document = _find(exported, call_id)
    service = str(document.get("serviceId") or "")
    bill_number = document.get("jitBillNo")
    opened = _Opener(keys, call_id, service, bill_number if isinstance(bill_number, str) else None)
    request = opened.text("request_sealed", document, "encRequest")
    rek = opened.key("rek_sealed", document, "decryptionRek")
    plain_reply = opened.text("response_sealed", document, "sealedResponse")
    reply = _reply(service, rek, document.get("encResponse"), plain_reply, opened)
    if request is None and isinstance(document.get("jitEncRequest"), str):
        request = _sent(opened, document)
    created = document.get("createdtime")
    return OpenCall(
        id=call_id,
        service_id=service,
        bill_number=document.get("jitBillNo"),
        outcome=document.get("outcome"),
        status_code=document.get("statusCode"),
        error=document.get("errorMsg"),
        duration_ms=document.get("durationMs"),
        created_at=from_epoch_ms(int(created)) if isinstance(created, int | str) and str(created).isdigit() else None,
        request=request,
        reply=reply,
        notes=tuple(opened.notes),
    )


def masked(call: OpenCall) -> OpenCall:
    """The call with account numbers, and whatever is as long as one, but for their last four digits."""
    return replace(
        call,
        error=None if call.error is None else mask_long_numbers(call.error),
        request=_masked_text(call.request),
        reply=_masked_text(call.reply),
    )


class _Opener:
    """Opens one call's fields, and keeps notes of what did not open."""

    def __init__(self, keys: Keys, call_id: str, service_id: str, bill_number: str | None) -> None:
        self._keys = keys
        self._call = (call_id, service_id, bill_number)
        self.notes: list[str] = []

    def sealed(self, column: str, record: bytes | None) -> str | None:
        if record is None:
            return None
        if self._keys.sealer is None:
            raise SealError("the record is sealed under a log key, and none was given")
        return self._keys.sealer.open(record, call_context(column, *self._call)).decode()

    def text(self, column: str, document: Mapping[str, Any], name: str) -> str | None:
        """A field of a document: the ledger's column, sealed under the log key, or encrypted by the Java adapter."""
        value = document.get(name)
        if value in (None, ""):
            return None
        record = _base64(value)
        if record is None:
            raise BadInputError(f"{name} of the document is not base64")
        if _is_sealed(record):
            return self.sealed(column, record)
        if self._keys.legacy_secret is None:
            raise SealError(f"{name} was encrypted by the Java adapter, and its ifms.request.enc.secret was not given")
        return legacy_decrypt(self._keys.legacy_secret, record)

    def key(self, column: str, document: Mapping[str, Any], name: str) -> str | None:
        """As `text`; but the Java adapter also left keys in clear: base64 of 32 bytes."""
        value = document.get(name)
        record = _base64(value)
        if record is not None and len(record) == AES_KEY_BYTES:
            return str(value)
        return self.text(column, document, name)


def _sent(opened: _Opener, document: Mapping[str, Any]) -> str | None:
    """The request of an error document: as it was sent, under the session's key."""
    sek = opened.key("sek_sealed", document, "sekString")
    sent: Any = document["jitEncRequest"]
    try:
        body = json.loads(sent)
        sent = body.get("params") if isinstance(body, dict) else sent
    except ValueError:
        pass  # the Java adapter may have kept the ciphertext alone
    ciphertext = _base64(sent)
    if sek is None or ciphertext is None:
        return None
    try:
        return aes_decrypt(base64.b64decode(sek), ciphertext).decode()
    except (IfmsError, ValueError):
        opened.notes.append("the request that was sent does not open under the session's key")
        return None


def _reply(service: str, rek: str | None, encrypted: object, plain: str | None, opened: _Opener) -> str | None:
    if plain is None and isinstance(encrypted, str) and encrypted:
        ciphertext = _base64(encrypted)
        try:
            plain = (
                None if rek is None or ciphertext is None else aes_decrypt(base64.b64decode(rek), ciphertext).decode()
            )
        except (IfmsError, ValueError):
            plain = None
        if plain is None:
            opened.notes.append("the reply does not open under the call's own key: it is shown as it came")
            plain = encrypted
    if plain is None or service != LOGIN:
        return plain
    try:
        document = json.loads(plain)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        opened.notes.append("the login's reply is not JSON; it may hold a token and is not shown")
        return None
    return json.dumps({name: KEPT_BACK if name in _LOGIN_SECRETS else value for name, value in document.items()})


def _find(exported: object, call_id: str) -> Mapping[str, Any]:
    waiting = [exported]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting.extend(found)
        elif isinstance(found, dict):
            if "_source" in found or "hits" in found:
                waiting.extend(found[name] for name in ("_source", "hits") if name in found)
            elif str(found.get("id")) == call_id:
                return found
    raise BadInputError(f"the export has no document with the id {call_id}")


def _is_sealed(record: bytes) -> bool:
    """Whether it begins as a sealed record does: version, and a key id of its length in hexadecimal digits."""
    return len(record) > 2 and record[0] == 1 and bool(re.fullmatch(rb"[\x21-\x7e]+", record[2 : 2 + record[1]]))


def _base64(value: object) -> bytes | None:
    try:
        return base64.b64decode("".join(str(value).split()), validate=True) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        return None


def _masked_text(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return json.dumps(_masked_value(json.loads(text)), ensure_ascii=False)
    except (ValueError, RecursionError):
        return mask_long_numbers(text)


def _masked_value(value: Any, name: str = "") -> Any:  # noqa: ANN401  (any JSON)
    match value:
        case dict():
            return {mask_long_numbers(str(key)): _masked_value(inner, str(key)) for key, inner in value.items()}
        case list():
            return [_masked_value(inner, name) for inner in value]
        case str() if _ACCOUNT_FIELD.search(name):
            return mask_account(value) if value.isalnum() else mask_long_numbers(value)
        case str():
            return mask_long_numbers(value)
        case bool() | None:
            return value
        case int() | float():
            shown = mask_long_numbers(str(value))
            return value if shown == str(value) else shown
    return value
