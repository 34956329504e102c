"""A PI in DIGIT's words: exact amounts, days as DIGIT counts them, nothing personal, nothing empty."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from ifms.queries import digit_document

AT = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
PI: dict[str, Any] = {
    "id": UUID(int=1),
    "tenant_id": "od.samplea",
    "pi_number": "PI-SA/2026-27/000001",
    "payment_number": "EP/0/2026-27/11/24/000001",
    "beneficiary_count": 1,
    "gross_amount": Decimal("1000.10"),
    "net_amount": Decimal("999.99"),
    "status": "SUCCESSFUL",
    "is_active": True,
    "success_code": "0",
    "success_description": None,
    "pi_approved_id": None,
    "pi_approval_date": None,
    "additional_details": {},
    "created_at": AT,
    "updated_at": AT,
}
ROW: dict[str, Any] = {
    "id": UUID(int=2),
    "beneficiary_id": "IND-1",
    "beneficiary_type": "IND",
    "beneficiary_number": "BN-SA/000001",
    "bank_account_id": "BA-1",
    "amount": Decimal("999.99"),
    "voucher_number": "V-1",
    "voucher_date": date(2026, 11, 24),
    "utr_number": "RBI0000000001",
    "utr_date": date(2026, 11, 24),
    "end_to_end_id": None,
    "challan_number": None,
    "challan_date": None,
    "status": "Payment Successful",
    "status_message": None,
    "line_item_ids": ["L-1"],
    "created_at": AT,
    "updated_at": AT,
    "name": "Sample Payee",
    "account_last4": "9012",
    "ifsc": "SMPL0000001",
}


def test_the_head_has_its_amounts_and_its_times():
    told = digit_document.head(PI)
    assert (told["grossAmount"], told["netAmount"], told["piStatus"]) == (1000.1, 999.99, "SUCCESSFUL")
    assert told["auditDetails"]["createdTime"] == 1_795_458_600_000
    assert told["auditDetails"]["createdBy"] == digit_document.NOBODY


def test_a_beneficiary_has_days_of_the_treasurys_and_nothing_personal():
    told = digit_document.beneficiary(PI, ROW)
    assert told["voucherDate"] == 1_795_458_600_000  # midnight IST, which is 18:30 UTC of the day before
    assert told["utrDate"] == "2026-11-24"
    assert [line["lineItemId"] for line in told["benfLineItems"]] == ["L-1"]
    assert "endToEndId" not in told
    said = json.dumps(told)
    for personal in ("Sample Payee", "9012", "SMPL"):
        assert personal not in said


@pytest.mark.parametrize("amount", ["0.01", "999.99", "9999999999999.99", "1234567890123.45"])
def test_every_amount_of_the_ledger_survives_as_a_number_of_json(amount: str):
    written = json.dumps(digit_document.number(Decimal(amount)))
    assert Decimal(written) == Decimal(amount)
