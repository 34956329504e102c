"""A payment instruction and a connection to the treasury as values, for tests of what is said and read about one."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ifms.ledger.models import PaymentInstruction
from ifms.ledger.statuses import PiStatus
from ifms.treasury.config import TreasuryConfig

PI_NUMBER = "PI-SA/2024-25/000017"


def instruction(**changes: Any) -> PaymentInstruction:
    """An original of 400.50 for two beneficiaries that PIS and PAG have answered about."""
    values: dict[str, Any] = {
        "id": UUID(int=1),
        "tenant_id": "od.samplea",
        "pi_number": PI_NUMBER,
        "pi_type": "ORIGINAL",
        "parent_pi_number": None,
        "payment_number": "EP/0/2024-25/06/01/000017",
        "status": PiStatus.INITIATED,
        "sanction_id": UUID(int=2),
        "hoa_code": "999900000000000000000000001",
        "ddo_code": "SAMPLEDDO01",
        "ssu_id": "71",
        "grantee_code": "SAMPLEGRANTEE1",
        "scheme_code": "13145",
        "master_allotment_id": "900",
        "ssu_allotment_id": "800",
        "allotment_serial_no": 0,
        "gross_amount": Decimal("400.50"),
        "net_amount": Decimal("400.50"),
        "beneficiary_count": 2,
        "bill_date": datetime(2024, 6, 1, 20, tzinfo=UTC),  # 2 June in Odisha
        "purpose": "MUKTA",
        "repayment_of": None,
        "org_bill_ref_number": None,
        "org_bill_date": None,
        "attempts": 1,
        "last_attempt": "answered",
        "pi_approved_id": "4401",
        "pi_approval_date": "2024-06-03 09:05:07",
        "pa_fin_year": "2024",
        "pa_bill_ref_number": "1717400000001",
        "pa_token_number": "5",
        "pa_token_date": "2024-06-04",
        "created_at": datetime(2024, 6, 1, 20, tzinfo=UTC),
    }
    return PaymentInstruction(**(values | changes))


@lru_cache
def treasury_config() -> TreasuryConfig:
    """A connection to a treasury that nobody calls."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return TreasuryConfig(
        base_url="https://treasury.invalid",
        client_id="sample-client",
        client_secret="sample-client-secret",
        public_key=base64.b64encode(der).decode(),
        ext_app_name="SAMPLEAPP",
    )
