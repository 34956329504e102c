"""A call as documents of Elasticsearch, with the Java adapter's field names (digit-services.md §13).

What is secret goes sealed: the base64 of the sealed record. What the treasury encrypted goes as it came.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from ifms.clock import epoch_ms
from ifms.ledger.call_store import StoredCall

Document = dict[str, Any]


def request_document(call: StoredCall) -> Document:
    """Of every call: what was asked and answered."""
    return {
        "id": str(call.id),
        "serviceId": call.service_id,
        "jitBillNo": call.bill_number,
        "encRequest": _base64(call.request_sealed),
        "decryptionRek": _base64(call.rek_sealed),
        "encResponse": call.enc_response,
        "sealedResponse": _base64(call.response_sealed),
        "createdtime": epoch_ms(call.created_at),
        "outcome": call.outcome,
        "statusCode": call.status_code,
        "errorMsg": call.error_message,
        "durationMs": call.duration_ms,
    }


def error_document(call: StoredCall) -> Document | None:
    """Of a call that was not answered well: what is needed to find out why. None for the others."""
    if call.outcome in (None, "answered"):
        return None
    return {
        "id": str(call.id),
        "serviceId": call.service_id,
        "jitBillNo": call.bill_number,
        "requestId": str(call.id),
        "statusCode": call.status_code,
        "jitEncRequest": call.enc_request,
        "errorMsg": call.error_message,
        "decryptionRek": _base64(call.rek_sealed),
        "encryptionRek": _sent_rek(call.enc_request),
        "authToken": _base64(call.auth_token_sealed),
        "sekString": _base64(call.sek_sealed),
        "createdtime": epoch_ms(call.created_at),
        "outcome": call.outcome,
    }


def _base64(sealed: bytes | None) -> str | None:
    return None if sealed is None else base64.b64encode(sealed).decode()


def _sent_rek(body: str | None) -> str | None:
    """The REK as it was sent: encrypted under the session's key. A login has none."""
    sent = json.loads(body) if body else {}
    return sent.get("rek") if isinstance(sent, dict) else None
