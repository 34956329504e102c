"""Recorded shapes of the platform's replies (digit-services.md), with invented content."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import pytest

from ifms.http import HttpReply, HttpTransport
from ifms.platform.client import PlatformClient
from ifms.platform.config import DEFAULT_PATHS, PlatformConfig
from ifms.strict_json import decode, encode

BASE = "http://digit.test"
TENANT = "od.demo"

_WAGE_BILL: dict[str, Any] = {
    "id": "bill-1",
    "tenantId": TENANT,
    "billDate": 1700000000000,
    "totalAmount": Decimal("1000.00"),
    "totalPaidAmount": Decimal("0.00"),
    "businessService": "EXPENSE.WAGES",
    "referenceId": "CON-1_MR-1",
    "paymentStatus": None,
    "status": "ACTIVE",
    "billNumber": "WB/2026-27/000001",
    "payer": {"id": "party-0", "type": "ULB", "identifier": "1", "status": "ACTIVE"},
    "billDetails": [
        {
            "id": "detail-1",
            "tenantId": TENANT,
            "billId": "bill-1",
            "totalAmount": Decimal("900.00"),
            "status": "ACTIVE",
            "payee": {"id": "party-1", "type": "INDIVIDUAL", "identifier": "ind-1", "status": "ACTIVE"},
            "lineItems": [{"id": "calc-1", "headCode": "WEG", "amount": 900, "type": "PAYABLE", "status": "ACTIVE"}],
            "payableLineItems": [
                {
                    "id": "line-1",
                    "billDetailId": None,
                    "tenantId": TENANT,
                    "headCode": "WEG",
                    "amount": 900,
                    "type": "PAYABLE",
                    "status": "ACTIVE",
                },
                {"id": "line-off", "tenantId": TENANT, "headCode": "WEG", "amount": 7, "status": "INACTIVE"},
            ],
        },
        {
            "id": "detail-2",
            "tenantId": TENANT,
            "billId": "bill-1",
            "totalAmount": Decimal("100.00"),
            "status": "ACTIVE",
            "payee": {"id": "party-2", "type": "INDIVIDUAL", "identifier": "ind-1", "status": "ACTIVE"},
            "payableLineItems": [
                {"id": "line-2", "tenantId": TENANT, "headCode": "LC", "amount": Decimal("100.00"), "status": "ACTIVE"}
            ],
        },
    ],
    "additionalDetails": {"projectId": "PJ/1", "share": Decimal("0.125")},
    "auditDetails": {"createdBy": "u", "createdTime": 1700000000000, "lastModifiedTime": 1700000000000},
    "wfStatus": "APPROVED",
}

_PAYMENT: dict[str, Any] = {
    "id": "pay-1",
    "tenantId": TENANT,
    "netPayableAmount": Decimal("1000.0"),
    "netPaidAmount": Decimal("1000.0"),
    "paymentNumber": "EP/0/2026-27/11/23/000001",
    "status": "INITIATED",
    "referenceStatus": "PAYMENT_INITIATED",
    "auditDetails": None,
    "additionalDetails": {"ratio": Decimal("0.125"), "note": None},
    "bills": [
        {
            "id": "pay-bill-1",
            "billId": "bill-1",
            "tenantId": TENANT,
            "totalAmount": 1000,
            "totalPaidAmount": 1000,
            "status": "INITIATED",
            "billDetails": [
                {
                    "id": "pay-detail-1",
                    "tenantId": TENANT,
                    "billDetailId": "detail-1",
                    "totalAmount": 900,
                    "totalPaidAmount": 900,
                    "status": "INITIATED",
                    "payableLineItems": [
                        {
                            "id": "pay-line-1",
                            "lineItemId": "line-1",
                            "tenantId": TENANT,
                            "paidAmount": 900,
                            "status": "INITIATED",
                        }
                    ],
                },
                {
                    "id": "pay-detail-2",
                    "tenantId": TENANT,
                    "billDetailId": "detail-2",
                    "totalAmount": 100,
                    "totalPaidAmount": 100,
                    "status": "INITIATED",
                    "payableLineItems": [
                        {
                            "id": "pay-line-2",
                            "lineItemId": "line-2",
                            "tenantId": TENANT,
                            "paidAmount": 100,
                            "status": "INITIATED",
                        }
                    ],
                },
            ],
        }
    ],
}

_ACCOUNT: dict[str, Any] = {
    "id": "acc-1",
    "tenantId": TENANT,
    "serviceCode": "IND",
    "referenceId": "ind-1",
    "bankAccountDetails": [
        {
            "id": "acc-detail-1",
            "tenantId": TENANT,
            "accountHolderName": "Sample Payee 1",
            "accountNumber": "000000123456",
            "accountType": "SAVINGS",
            "isPrimary": True,
            "isActive": True,
            "bankBranchIdentifier": {"id": "branch-1", "type": "IFSC", "code": "SAMP0000001"},
            "auditDetails": {"lastModifiedTime": 10},
        }
    ],
    "auditDetails": {"lastModifiedTime": 10},
}

_USER: dict[str, Any] = {
    "id": 7,
    "uuid": "user-uuid",
    "userName": "IFMS_CRONJOB",
    "name": "Cron",
    "type": "SYSTEM",
    "roles": [{"name": "Accountant", "code": "BILL_ACCOUNTANT", "tenantId": "od"}],
    "tenantId": "od",
    "aadhaarNumber": "not ours to pass on",
}


@pytest.fixture
def wage_bill() -> dict[str, Any]:
    """A bill with one payee and one deduction, and a line that is switched off."""
    return copy.deepcopy(_WAGE_BILL)


@pytest.fixture
def payment_row() -> dict[str, Any]:
    """The payment of `wage_bill`, as searched."""
    return copy.deepcopy(_PAYMENT)


@pytest.fixture
def account_row() -> dict[str, Any]:
    """The bank account of `wage_bill`'s payee."""
    return copy.deepcopy(_ACCOUNT)


class FakePlatform:
    """Answers by service name instead of the HTTP transport, and remembers what it was sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._answers: dict[str, Any] = {}
        self.sent: dict[str, list[Any]] = {}
        self.queries: dict[str, list[dict[str, list[str]]]] = {}
        monkeypatch.setattr(HttpTransport, "post", self._post)
        self.answer("user_search", lambda _: {"responseInfo": None, "user": [copy.deepcopy(_USER)]})

    def answer(self, service: str, reply: Any, status: int = 200) -> None:
        """Answer `service` with `reply`: a JSON value, or a function of the request's body that returns one."""

        self._answers[f"{BASE}/{DEFAULT_PATHS[service]}"] = (service, reply, status)

    def _post(self, url: str, _: object, body: bytes) -> HttpReply:
        address, _, query = url.partition("?")
        service, reply, status = self._answers[address]
        request = decode(body)
        self.sent.setdefault(service, []).append(request)
        self.queries.setdefault(service, []).append(parse_qs(query.lower()))
        value = reply(request) if callable(reply) else reply
        if isinstance(value, tuple):
            status, value = value
        return HttpReply(status, value if isinstance(value, bytes) else encode(value))

    def refuse(self, service: str, code: str, message: str = "no", status: int = 400) -> None:
        """Answer `service` with the tracer's envelope."""
        error = {"code": code, "message": message, "description": None, "params": None}
        self.answer(service, {"ResponseInfo": None, "Errors": [error]}, status)


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> FakePlatform:
    """The services, as this test sets them up."""
    return FakePlatform(monkeypatch)


@pytest.fixture
def client(platform: FakePlatform) -> Any:
    """A client of `platform` that doesn't wait between tries."""
    with PlatformClient(PlatformConfig(BASE), sleep=lambda _: None) as client:
        yield client
