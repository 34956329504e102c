"""Replies that are wrong inside: another bill's, a field too few, unknown words, broken ciphertext."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ifms_simulator import crypto, faults
from ifms_simulator.rules import Taken
from ifms_simulator.store import Json

EFFECTS: Mapping[str, Mapping[str, type | tuple[type, ...]]] = {
    **faults.EFFECTS,
    "error": {"errorMsg": str, "errorMsgs": list},
    "error_after_acceptance": {"errorMsg": str, "errorMsgs": list},
    "reject": {},
    "expired_session": {},
    "partial_scrolls": {"beneficiaries": int},
    "failed_beneficiaries": {"beneficiaries": int, "reason": str, "late_days": int},
    "other_bill": {"number": str},
    "missing_field": {"field": str},
    "unknown_text": {"field": str, "text": str},
    "duplicate_rows": {},
    "garbage": {},
    "bad_padding": {},
    "wrong_key": {},
    "plain_reply": {"text": str},
    "sek_bytes": {"bytes": int},
}
"""Each effect of the treasury's rules with its options."""

_BILL_NAMES = ("jitBillNo", "jitBillNumber", "billNo", "billNumber", "jitCorBillNo", "ddoCode")
_STATUS_NAMES = ("allotmentTxnType", "successCode", "paymentStatus", "failedReason")
_OTHER_BILL = "PI-XX/2000-01/999999"


def spoil(rules: Taken, reply: dict[str, Any]) -> dict[str, Any]:
    """The reply after the rules that change what it says.

    `other_bill` puts another `number` wherever a bill is named; `missing_field` leaves `field` out at every depth;
    `unknown_text` puts `text` into `field` (or into the reply's own status field); `duplicate_rows` doubles every
    list and turns the copy round.
    """
    if "other_bill" in rules:
        number = rules["other_bill"].options.get("number", _OTHER_BILL)
        reply = _changed(reply, dict.fromkeys(_BILL_NAMES, number))
    if "missing_field" in rules:
        reply = _without(reply, rules["missing_field"].options.get("field", "data"))
    if "unknown_text" in rules:
        options = rules["unknown_text"].options
        names = (options["field"],) if "field" in options else _STATUS_NAMES
        reply = _changed(reply, dict.fromkeys(names, options.get("text", "Sample text that nobody knows")))
    if "duplicate_rows" in rules:
        reply = _doubled(reply)
    return reply


def seal(rules: Taken, rek: bytes, reply: bytes) -> str:
    """The reply as base64 of its ciphertext under the call's key, or what the rules make of that.

    `garbage` is not base64, `bad_padding` decrypts to blocks without padding, `wrong_key` is under a foreign key;
    `plain_reply` seals its own `text` instead, whatever it is. A login's session key goes through this, too.
    """
    if "plain_reply" in rules:
        reply = rules["plain_reply"].options.get("text", "null").encode()
    if "garbage" in rules:
        return "*** this is not base64 ***"
    if "bad_padding" in rules:
        return crypto.to_base64(crypto.encrypt_blocks(rek, reply[: len(reply) // 16 * 16 - 1] + b"\x00"))
    if "wrong_key" in rules:
        return crypto.to_base64(crypto.encrypt(os.urandom(32), reply))
    return crypto.to_base64(crypto.encrypt(rek, reply))


def _changed(value: Json, texts: Mapping[str, str]) -> Json:
    if isinstance(value, dict):
        return {name: texts[name] if name in texts else _changed(each, texts) for name, each in value.items()}
    return [_changed(each, texts) for each in value] if isinstance(value, list) else value


def _without(value: Json, field: str) -> Json:
    if isinstance(value, dict):
        return {name: _without(each, field) for name, each in value.items() if name != field}
    return [_without(each, field) for each in value] if isinstance(value, list) else value


def _doubled(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _doubled(each) for name, each in value.items()}
    if isinstance(value, list):
        rows = [_doubled(each) for each in value]
        return [*reversed(rows), *rows]
    return value
