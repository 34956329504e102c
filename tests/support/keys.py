"""The keys of the tests' ledgers, and what they open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from support.simulators import LOG_KEY, SIGNING_KEY

from ifms.ledger import instructions
from ifms.ledger.binding import open_account
from ifms.ledger.status_log import call_context
from ifms.sealing import Sealer
from ifms.signing import Keyring, Signer

KEYRING = Keyring(Sealer.from_config(LOG_KEY), Signer.from_config(SIGNING_KEY))


def account_numbers(dsn: str, sealer: Sealer = KEYRING.sealer) -> dict[str, str]:
    """The account numbers that a ledger holds, by PI and beneficiary number."""
    with psycopg.connect(dsn) as connection:
        ids = connection.execute("SELECT id FROM ifms.beneficiary WHERE account_sealed IS NOT NULL").fetchall()
        return {
            f"{pi.pi_number} {row.beneficiary_number}": open_account(sealer, pi, row)
            for pi, row in instructions.with_beneficiaries(connection, [row[0] for row in ids])
        }


def call_text(row: Mapping[str, Any], column: str = "request_sealed", sealer: Sealer = KEYRING.sealer) -> str:
    """A sealed text of a row of ifms.treasury_call."""
    which = call_context(column, row["id"], row["service_id"], row["bill_number"])
    return sealer.open(row[column], which).decode()
