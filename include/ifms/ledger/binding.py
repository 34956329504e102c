"""What binds a PI's rows together: accounts sealed with their rows, and a signature over all that the PI pays.

Who can write the database, and holds no key, can neither move an account from one row to another nor write a PI that is
sent: an account opens only in the row that it was sealed for, and a PI is sent only while its signature fits
(money-rules.md R9).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from ifms.errors import BadInputError, SealError, SignatureError
from ifms.ledger.models import Beneficiary, Funding, NewBeneficiary, PaymentInstruction
from ifms.sealing import Sealer
from ifms.signing import Keyring, Signer

# All of a PI that is sent, or decides what its sending does. Each is frozen once it is written.
_SIGNED = (
    "tenant_id",
    "pi_number",
    "pi_type",
    "parent_pi_number",
    "repayment_of",
    "payment_number",
    *(f.name for f in fields(Funding)),
    "gross_amount",
    "net_amount",
    "beneficiary_count",
    "bill_date",
    "purpose",
    "org_bill_ref_number",
    "org_bill_date",
)
_SIGNED_OF_EACH = (
    "beneficiary_number",
    "beneficiary_id",
    "beneficiary_type",
    "amount",
    "line_item_ids",
    "name",
    "account_type",
    "ifsc",
    "bank_account_id",
    "mobile",
    "address",
    "same_account_by",
)


class AccountRow(Protocol):
    """What of a beneficiary's row its account number is bound to."""

    @property
    def beneficiary_number(self) -> str:
        """Its number at the treasury."""

    @property
    def amount(self) -> Decimal:
        """What it gets, in rupees."""

    @property
    def name(self) -> str:
        """The account holder's name."""

    @property
    def ifsc(self) -> str:
        """The branch."""

    @property
    def account_last4(self) -> str:
        """What is shown of the account number."""


class SealedRow(AccountRow, Protocol):
    """A beneficiary's row with its sealed account number."""

    @property
    def account_sealed(self) -> bytes | None:
        """None where it was never known here."""


def seal_account(sealer: Sealer, tenant_id: str, pi_number: str, row: AccountRow, number: str) -> bytes:
    """The account number of a PI's beneficiary, so that it opens beside this row only."""
    return sealer.seal(number, _account_context(tenant_id, pi_number, row))


def open_account(sealer: Sealer, pi: PaymentInstruction, row: SealedRow) -> str:
    """The account number that a beneficiary was sent with.

    Raises BadInputError when it was never known here, SealError that names the beneficiary when it does not open.
    """
    if row.account_sealed is None:
        raise BadInputError(f"beneficiary {row.beneficiary_number} has no account number in the ledger")
    try:
        return sealer.open(row.account_sealed, _account_context(pi.tenant_id, pi.pi_number, row)).decode()
    except SealError as error:
        raise SealError(
            f"the account number of beneficiary {row.beneficiary_number} of PI {pi.pi_number}: {error}"
        ) from None


def _account_context(tenant_id: str, pi_number: str, row: AccountRow) -> bytes:
    # The row's id is not in it: the PI's number and the beneficiary's say which row it is, and outlive a restore.
    parts = (row.beneficiary_number, f"{row.amount:.2f}", row.name, row.ifsc, row.account_last4)
    return context("beneficiary.account_sealed", tenant_id, pi_number, *parts)


def context(column: str, *parts: object) -> bytes:
    """What a sealed record is bound to: its column, and what says which row it belongs to."""
    return json.dumps([column, *(None if part is None else str(part) for part in parts)]).encode()


def sign_instruction(
    signer: Signer, values: Mapping[str, Any], rows: Sequence[NewBeneficiary], bill_ids: Collection[str]
) -> bytes:
    """The signature of a PI that is about to be written: its columns' values, its beneficiaries, its bills."""
    accounts = {row.beneficiary_number: row.account_number for row in rows}
    return signer.sign(_content(values, rows, accounts, bill_ids))


def check_instruction(
    keyring: Keyring, pi: PaymentInstruction, rows: Sequence[Beneficiary], bill_ids: Collection[str]
) -> dict[str, str]:
    """The account numbers of a stored PI by beneficiary number, once its rows are known to be what was signed.

    Raises SignatureError when they are not, SealError or BadInputError for an account that does not open.
    """
    accounts = {row.beneficiary_number: open_account(keyring.sealer, pi, row) for row in rows}
    try:
        keyring.signer.check(content_of(pi, rows, accounts, bill_ids), pi.signature)
    except SignatureError as error:
        raise SignatureError(f"PI {pi.pi_number}: {error}") from None
    return accounts


def content_of(
    pi: PaymentInstruction, rows: Sequence[Beneficiary], accounts: Mapping[str, str], bill_ids: Collection[str]
) -> bytes:
    """What the signature of a stored PI is over; `accounts` by beneficiary number."""
    return _content({name: getattr(pi, name) for name in _SIGNED}, rows, accounts, bill_ids)


def _content(
    values: Mapping[str, Any],
    rows: Sequence[Beneficiary | NewBeneficiary],
    accounts: Mapping[str, str],
    bill_ids: Collection[str],
) -> bytes:
    beneficiaries = [
        [*(_text(getattr(row, name)) for name in _SIGNED_OF_EACH), accounts[row.beneficiary_number]]
        for row in sorted(rows, key=lambda row: row.beneficiary_number)
    ]
    return json.dumps([[_text(values.get(name)) for name in _SIGNED], sorted(bill_ids), beneficiaries]).encode()


def _text(value: object) -> object:
    """A value as it is signed: the same whether it was just made or comes from the database."""
    match value:
        case Decimal():
            return f"{value:.2f}"
        case datetime():
            return value.astimezone(UTC).isoformat()
        case UUID():
            return str(value)
        case tuple():
            return list(value)
    return value
