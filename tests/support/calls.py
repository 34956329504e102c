"""Calls to a treasury as samples: what was said, and rows of the call log."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from support.simulators import LOG_KEY

from ifms.ledger.call_store import StoredCall, find_call
from ifms.ledger.database import Database
from ifms.ledger.status_log import CallLog
from ifms.sealing import Sealer
from ifms.treasury.outcome import Exchange
from ifms.wire.crypto import aes_encrypt

ACCOUNT = "00123456789012"
REK = bytes(range(32, 64))
SEK = bytes(range(64, 96))
TOKEN = "sample-token-of-a-session"
REQUEST = {"serviceId": "PI", "params": {"jitBillNo": "PI-SA/1", "beneficiaryDtls": [{"benefAcctNo": ACCOUNT}]}}
REPLY = {"serviceId": "PI", "data": [{"jitBillNo": "PI-SA/1", "benefAcctNo": ACCOUNT, "successCode": "0"}]}
STARTED = datetime(2026, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)


def encoded(data: bytes) -> str:
    """Base64."""
    return base64.b64encode(data).decode()


def exchange(number: int = 0, **changes: Any) -> Exchange:
    """The `number`th call of a day, a second after the one before: PI, answered well, unless `changes` say otherwise."""
    values: dict[str, Any] = {
        "service_id": "PI",
        "bill_number": "PI-SA/1",
        "outcome": "answered",
        "started_at": STARTED + timedelta(seconds=number),
        "duration_ms": 12,
        "status_code": 200,
        "request_plain": json.dumps(REQUEST),
        "encrypted_request": json.dumps({"params": "cGFyYW1z", "rek": encoded(aes_encrypt(SEK, REK))}),
        "encrypted_response": encoded(aes_encrypt(REK, json.dumps(REPLY).encode())),
        "rek": encoded(REK),
        "sek": encoded(SEK),
        "auth_token": TOKEN,
    }
    return Exchange(**(values | changes))


def failed(number: int = 0, outcome: str = "unknown", **changes: Any) -> Exchange:
    """A call that did not go well."""
    bad = {"outcome": outcome, "status_code": 500, "error": "HTTP 500", "encrypted_response": None}
    return exchange(number, **(bad | changes))


def write(db: Database, *exchanges: Exchange, key: str = LOG_KEY) -> list[UUID]:
    """Write them into the call log; their ids."""
    calls = CallLog(Sealer.from_config(key))
    ids = set(_ids(db))
    db.transact(lambda c: calls.write(c, exchanges))
    return [found for found in _ids(db) if found not in ids]


def write_many(dsn: str, how_many: int, **columns: Any) -> None:
    """As many rows of the call log, without anything in them to open."""
    with psycopg.connect(dsn) as connection:
        names = "".join(f", {name}" for name in columns)
        values = ", %s" * len(columns)
        connection.execute(
            f"""
            INSERT INTO ifms.treasury_call (id, service_id, bill_number, outcome, created_at, enc_request{names})
            SELECT gen_random_uuid(), 'PIS', 'PI-SA/' || n, 'answered', now() - n * interval '1 second',
                   repeat('x', 300){values}
            FROM generate_series(1, {how_many}) n
            """,
            tuple(columns.values()),
        )


def stored(db: Database, ids: Iterable[UUID]) -> list[StoredCall]:
    """The rows of these calls."""
    found = [db.transact(lambda c, each=each: find_call(c, each)) for each in ids]
    assert None not in found
    return [call for call in found if call is not None]


def _ids(db: Database) -> list[UUID]:
    rows = db.transact(lambda c: c.execute("SELECT id FROM ifms.treasury_call ORDER BY created_at, id").fetchall())
    return [row[0] for row in rows]
