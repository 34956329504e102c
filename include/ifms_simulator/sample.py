"""Sample loads for benchmarks and tests: many bills at the platform, many PIs at the treasury, through HTTP control."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import requests

from ifms_simulator.codes import SCHEME_CODE, ssu_id
from ifms_simulator.store import Json

DDO, GRANTEE, HOA = "SIMHUD001", "GOSIMULBMPL0001", "990017057890000000000000001"
"""The first sample city's SSU, and the head of account that is used first."""

_SECONDS = 300
_CHUNK = 500


def bulk(
    platform_url: str, bills: int = 500, payees: int = 10, tenant: str = "od.samplea", *, with_payments: bool = True
) -> list[dict[str, Any]]:
    """Add so many approved wage bills to a running platform, with their payments unless told otherwise.

    Returns each bill's id, billNumber, tenantId, payees and (with payments) paymentNumber. Raises requests.HTTPError.
    """
    order = {"type": "wage", "tenantId": tenant, "payees": payees, "count": bills, "with_payments": with_payments}
    return _posted(f"{platform_url}/control/bills", order)  # type: ignore[no-any-return]


def instructions(
    count: int,
    beneficiaries: int = 10,
    *,
    allotment: Mapping[str, str],
    ddo: str = DDO,
    hoa: str = HOA,
    grantee: str = GRANTEE,
    bill_date: str = "2026-04-10 11:00:00",
    first: int = 1,
) -> Iterator[dict[str, Any]]:
    """The params of so many PIs on one allotment, a row of VA's reply; `first` 1 is number PI-SA/2026-27/900001."""
    serial = (first - 1) * beneficiaries
    for number in range(first, first + count):
        rows = []
        for _ in range(beneficiaries):
            serial += 1
            rows.append(
                {
                    "benefId": f"BN-SA/{900_000 + serial:06d}",
                    "benefName": f"Sample Payee {serial}",
                    "benfAcctNo": f"{serial:012d}",
                    "benfBankIfscCode": "SMPL0000001",
                    "benfMobileNo": f"9{serial:09d}",
                    "benfEmailId": "",
                    "benfAddress": "W1 L1",
                    "benfAccountType": "SAVINGS",
                    "benfAmount": "10.00",
                    "purpose": "Mukta Payment",
                }
            )
        total = f"{10 * beneficiaries}.00"
        yield {
            "jitBillNo": f"PI-SA/2026-27/{900_000 + number:06d}",
            "jitBillDate": bill_date,
            "jitBillDdoCode": ddo,
            "granteeAgCode": grantee,
            "schemeCode": SCHEME_CODE,
            "hoa": hoa,
            "ssuIaId": ssu_id(ddo),
            "mstAllotmentDistId": allotment["mstAllotmentDistId"],
            "ssuAllotmentId": allotment["ssuAllotmentId"],
            "allotmentTxnSlNo": allotment["allotmentTxnSlNo"],
            "billGrossAmount": total,
            "billNetAmount": total,
            "billNumberOfBenf": str(beneficiaries),
            "purpose": "MUKTA",
            "beneficiaryDetails": rows,
        }


def bulk_instructions(
    treasury_url: str,
    count: int = 1000,
    beneficiaries: int = 1,
    *,
    ddo: str = DDO,
    hoa: str = HOA,
    grantee: str = GRANTEE,
    first: int = 1,
) -> list[dict[str, Any]]:
    """Let a running treasury hold so many accepted PIs, on an allotment made for them, and return their params.

    Raises requests.HTTPError.
    """
    order = {
        "ddoCode": ddo,
        "hoa": hoa,
        "granteeAgCode": grantee,
        "allotmentTxnType": "Initial Allotment",
        "allotmentAmount": f"{10 * beneficiaries * count}.00",
    }
    allotment = _posted(f"{treasury_url}/control/allotments", order)[0]
    made = list(instructions(count, beneficiaries, ddo=ddo, hoa=hoa, grantee=grantee, allotment=allotment, first=first))
    for start in range(0, count, _CHUNK):
        _posted(f"{treasury_url}/control/instructions", made[start : start + _CHUNK])
    return made


def _posted(url: str, body: object) -> Json:
    reply = requests.post(url, json=body, timeout=_SECONDS)
    reply.raise_for_status()
    return reply.json()
