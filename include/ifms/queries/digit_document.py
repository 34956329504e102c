"""A PI in DIGIT's words, as its screens and its index get it (http-api.md §2, digit-services.md §11)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from ifms import clock

NOBODY = "ifms-adapter"
"""Who DIGIT is told has made and changed a row: the adapter."""

_Row = Mapping[str, Any]


def head(pi: _Row) -> dict[str, Any]:
    """What everybody hears of the PI itself; its original and its error each says in its own way."""
    return {
        "id": str(pi["id"]),
        "tenantId": pi["tenant_id"],
        "jitBillNo": pi["pi_number"],
        "muktaReferenceId": pi["payment_number"],
        "numBeneficiaries": pi["beneficiary_count"],
        "grossAmount": number(pi["gross_amount"]),
        "netAmount": number(pi["net_amount"]),
        "piStatus": pi["status"],
        "isActive": pi["is_active"],
        "piSuccessCode": pi["success_code"],
        "piSuccessDesc": pi["success_description"],
        "piApprovedId": pi["pi_approved_id"],
        "piApprovalDate": pi["pi_approval_date"],
        "additionalDetails": pi["additional_details"],
        "auditDetails": audit(pi),
    }


def beneficiary(pi: _Row, row: _Row) -> dict[str, Any]:
    """One beneficiary; without name, account, IFSC, phone and address."""
    return without_nulls(
        {
            "id": str(row["id"]),
            "tenantId": pi["tenant_id"],
            "muktaReferenceId": pi["payment_number"],
            "piId": str(pi["id"]),
            "beneficiaryId": row["beneficiary_id"],
            "beneficiaryType": row["beneficiary_type"],
            "beneficiaryNumber": row["beneficiary_number"],
            "bankAccountId": row["bank_account_id"],
            "amount": number(row["amount"]),
            "voucherNumber": row["voucher_number"],
            "voucherDate": _day(row["voucher_date"]),
            "utrNo": row["utr_number"],
            "utrDate": _text(row["utr_date"]),
            "endToEndId": row["end_to_end_id"],
            "challanNumber": row["challan_number"],
            "challanDate": _text(row["challan_date"]),
            "paymentStatus": row["status"],
            "paymentStatusMessage": row["status_message"],
            "benfLineItems": [
                {
                    "id": f"{row['id']}:{line}",
                    "beneficiaryId": str(row["id"]),
                    "lineItemId": line,
                    "auditDetails": audit(row),
                }
                for line in row["line_item_ids"]
            ],
            "auditDetails": audit(row),
        }
    )


def audit(row: Mapping[str, Any]) -> dict[str, Any]:
    """Who made and changed a row, and when (epoch milliseconds): who has asked for a PI by name, else the adapter."""
    return {
        "createdBy": row.get("asked_by") or NOBODY,
        "lastModifiedBy": NOBODY,
        "createdTime": clock.epoch_ms(row["created_at"]),
        "lastModifiedTime": clock.epoch_ms(row["updated_at"]),
    }


def number(amount: Decimal) -> float:
    """A JSON number: at most 15 digits, which a double holds exactly enough for two decimals."""
    return float(amount)


def without_nulls(document: dict[str, Any]) -> dict[str, Any]:
    """A body as DIGIT's are: what is not known is not there."""
    return {name: value for name, value in document.items() if value is not None}


def _day(day: date | None) -> int | None:
    return None if day is None else clock.epoch_ms(datetime.combine(day, time(), clock.IST))


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
