from __future__ import annotations

import json
from datetime import date

import pytest

from ifms.errors import WireError
from ifms.wire.envelope import Reply, parse_rows
from ifms.wire.pd import PdRequest, PdRow

ROW = {
    "billNumber": "PI-TE/2024-25/002954",
    "billDate": "2024-10-28",
    "voucherNo": "22171",
    "voucherDate": "2024-10-28",
    "billRefNo": "1730112305000",
    "paymentStatus": "Paid by RBI eKuber,please check with your bank",
    "tokenNumber": "4",
    "tokenDate": "2024-10-28",
    "benfDtls": [{"benfId": "BN-TE/003535", "utrNo": "RBI504", "utrDate": "2024-10-28"}],
}


def test_the_request_has_the_pi_number_for_the_log_and_not_on_the_wire():
    request = PdRequest(
        fin_year="2024",
        ext_app_name="MUKTA",
        bill_ref_no="1730112305000",
        token_number="5",
        token_date="2024-10-28",
        pi_number="PI-TE/2024-25/002954",
    )
    assert request.bill_number == "PI-TE/2024-25/002954"
    assert json.loads(request.to_wire()) == {
        "serviceId": "PD",
        "params": {
            "finYear": "2024",
            "extAppName": "MUKTA",
            "billRefNo": "1730112305000",
            "tokenNumber": "5",
            "tokenDate": "2024-10-28",
        },
    }


def test_the_reply():
    (row,) = parse_rows(PdRow, Reply("PD", data=[ROW]))
    assert (row.bill_number, row.voucher_no, row.voucher_date) == (ROW["billNumber"], "22171", date(2024, 10, 28))
    assert row.payment_status == ROW["paymentStatus"]
    assert [paid.benf_id for paid in row.benf_dtls] == ["BN-TE/003535"]


def test_a_row_about_no_bill_is_read_all_the_same():
    (row,) = parse_rows(PdRow, Reply("PD", data=[{"billNumber": None, "benfDtls": None}]))
    assert (row.bill_number, row.benf_dtls) == (None, ())


def test_a_fault_inside_the_list_is_placed():
    with pytest.raises(WireError, match=r"benfDtls\.1\.benfId: is missing"):
        parse_rows(PdRow, Reply("PD", data=[{**ROW, "benfDtls": [*ROW["benfDtls"], {"utrNo": "1"}]}]))
