from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from ifms.errors import WireError
from ifms.wire.envelope import Reply, parse_rows
from ifms.wire.ftps import FtpsRequest, FtpsRow

ROW = {
    "jitCorBillNo": "PI-TE/2024-25/003000",
    "jitCorBillDate": "2024-11-01",
    "jitOrgBillRefNo": "1730112305000",
    "voucherNo": "22999",
    "voucherDate": "2024-11-03",
    "billRefNo": "1730119999000",
    "paymentStatus": "Paid by RBI eKuber,please check with your bank",
    "tokenNumber": "9",
    "tokenDate": "2024-11-02",
    "benfDtls": [{"benfId": "BN-TE/003535", "utrNo": "RBI900"}],
}


def test_the_request():
    request = FtpsRequest(
        jit_cor_bill_no="PI-TE/2024-25/003000",
        jit_cor_bill_date=datetime(2024, 11, 1, 6, 0, tzinfo=UTC),
        jit_cor_bill_dept_code="MUKTA",
        jit_org_bill_ref_no="1730112305000",
        jit_org_bill_no="PI-TE/2024-25/002954",
        jit_org_bill_date=datetime(2024, 10, 28, 6, 0, tzinfo=UTC),
    )
    assert json.loads(request.to_wire()) == {
        "serviceId": "FTPS",
        "params": {
            "jitCorBillNo": "PI-TE/2024-25/003000",
            "jitCorBillDate": "2024-11-01 11:30:00",
            "jitCorBillDeptCode": "MUKTA",
            "jitOrgBillRefNo": "1730112305000",
            "jitOrgBillNo": "PI-TE/2024-25/002954",
            "jitOrgBillDate": "2024-10-28 11:30:00",
        },
    }
    assert request.bill_number == "PI-TE/2024-25/003000"


def test_the_reply():
    (row,) = parse_rows(FtpsRow, Reply("FTPS", data=[ROW]))
    assert (row.jit_cor_bill_no, row.bill_ref_no, row.token_number) == ("PI-TE/2024-25/003000", "1730119999000", "9")
    assert (row.token_date, row.voucher_date) == ("2024-11-02", date(2024, 11, 3))
    assert [paid.utr_no for paid in row.benf_dtls] == ["RBI900"]


@pytest.mark.parametrize("name", ["jitCorBillNo", "billRefNo", "tokenNumber", "tokenDate"])
def test_what_ftfps_needs_later_is_needed(name):
    with pytest.raises(WireError, match=f"FTPS reply: {name}"):
        parse_rows(FtpsRow, Reply("FTPS", data=[{**ROW, name: ""}]))
