"""The platform's index of PIs: what it is told of one. Facts: digit-services.md §11 (ifms-pi-index-enrich).

No name, account, IFSC, phone or address of a beneficiary is in it, nor anything of the payment advice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from ifms import clock
from ifms.ledger.database import Connection
from ifms.wire.bank import mask_long_numbers

_Row = dict[str, Any]
_NOBODY = "ifms-adapter"


def documents(connection: Connection, pi_numbers: Collection[str]) -> dict[str, dict[str, Any]]:
    """What the index is told of these PIs, as they stand now, by their numbers; one that is none is left out."""
    with connection.cursor(row_factory=dict_row) as cursor:
        instructions = cursor.execute(
            """
            SELECT id, tenant_id, pi_number, pi_type, parent_pi_number, payment_number, beneficiary_count, gross_amount,
                   net_amount, status, is_active, success_code, success_description, pi_approved_id, pi_approval_date,
                   error_message, additional_details, created_at, updated_at
            FROM ifms.payment_instruction WHERE pi_number = ANY(%s)
            """,
            (list(pi_numbers),),
        ).fetchall()
        rows = cursor.execute(
            """
            SELECT id, payment_instruction_id, beneficiary_id, beneficiary_type, beneficiary_number, bank_account_id,
                   amount, voucher_number, voucher_date, utr_number, utr_date, end_to_end_id, challan_number,
                   challan_date, status, status_message, line_item_ids, created_at, updated_at
            FROM ifms.beneficiary WHERE payment_instruction_id = ANY(%s) ORDER BY beneficiary_number
            """,
            ([pi["id"] for pi in instructions],),
        ).fetchall()
    of: dict[UUID, list[_Row]] = defaultdict(list)
    for row in rows:
        of[row["payment_instruction_id"]].append(row)
    return {pi["pi_number"]: _document(pi, of[pi["id"]]) for pi in instructions}


def _document(pi: _Row, beneficiaries: list[_Row]) -> dict[str, Any]:
    told = {
        "id": str(pi["id"]),
        "tenantId": pi["tenant_id"],
        "jitBillNo": pi["pi_number"],
        "piType": pi["pi_type"],
        "muktaReferenceId": pi["payment_number"],
        "numBeneficiaries": pi["beneficiary_count"],
        "grossAmount": float(pi["gross_amount"]),
        "netAmount": float(pi["net_amount"]),
        "piStatus": pi["status"],
        "isActive": pi["is_active"],
        "piSuccessCode": pi["success_code"],
        "piSuccessDesc": pi["success_description"],
        "piApprovedId": pi["pi_approved_id"],
        "piApprovalDate": pi["pi_approval_date"],
        "additionalDetails": pi["additional_details"],
        "auditDetails": _audit(pi),
        "beneficiaryDetails": [_beneficiary(pi, row) for row in beneficiaries],
    }
    return _without_nulls(told) | {  # the index wants these two even when there is nothing to say
        "parentPiNumber": pi["parent_pi_number"] or "",
        "piErrorResp": mask_long_numbers(pi["error_message"] or ""),
    }


def _beneficiary(pi: _Row, row: _Row) -> dict[str, Any]:
    message = row["status_message"]
    return _without_nulls(
        {
            "id": str(row["id"]),
            "tenantId": pi["tenant_id"],
            "muktaReferenceId": pi["payment_number"],
            "piId": str(pi["id"]),
            "beneficiaryId": row["beneficiary_id"],
            "beneficiaryType": row["beneficiary_type"],
            "beneficiaryNumber": row["beneficiary_number"],
            "bankAccountId": row["bank_account_id"],
            "amount": float(row["amount"]),
            "voucherNumber": row["voucher_number"],
            "voucherDate": _day(row["voucher_date"]),
            "utrNo": row["utr_number"],
            "utrDate": _text(row["utr_date"]),
            "endToEndId": row["end_to_end_id"],
            "challanNumber": row["challan_number"],
            "challanDate": _text(row["challan_date"]),
            "paymentStatus": row["status"],
            "paymentStatusMessage": None if message is None else mask_long_numbers(message),
            "benfLineItems": [
                {"id": f"{row['id']}:{line}", "beneficiaryId": str(row["id"]), "lineItemId": line}
                for line in row["line_item_ids"]
            ],
            "auditDetails": _audit(row),
        }
    )


def _audit(row: _Row) -> dict[str, Any]:
    return {
        "createdBy": _NOBODY,
        "lastModifiedBy": _NOBODY,
        "createdTime": clock.epoch_ms(row["created_at"]),
        "lastModifiedTime": clock.epoch_ms(row["updated_at"]),
    }


def _day(day: date | None) -> int | None:
    return None if day is None else clock.epoch_ms(datetime.combine(day, time(), clock.IST))


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _without_nulls(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value is not None}
