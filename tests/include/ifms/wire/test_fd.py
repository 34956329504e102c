from __future__ import annotations

import json
from datetime import date, datetime

import pytest

from ifms.errors import BadInputError
from ifms.wire.envelope import Reply, parse_each, parse_rows
from ifms.wire.fd import FdRequest, FdRow

ROW = {
    "billNumber": "PI-TE/2024-25/002954", "voucherNo": "22171", "voucherDate": "2024-10-28",
    "benfDtls": [{"benfId": "BN-TE/003535", "failedReason": " Account is Dormant", "challanNumber": "86581"}],
}  # fmt: skip


def test_the_request():
    request = FdRequest(fin_year="2023", ext_app_name="MUKTA", voucher_date=date(2024, 3, 31))
    assert json.loads(request.to_wire()) == {
        "serviceId": "FD",
        "params": {"finYear": "2023", "extAppName": "MUKTA", "voucherDate": "2024-03-31"},
    }
    assert request.bill_number is None


@pytest.mark.parametrize("day", ["2024-03-31", datetime(2024, 3, 31, 12), 20240331, None])  # noqa: DTZ001
def test_the_day_is_a_day(day):
    with pytest.raises(BadInputError, match="voucher_date"):
        FdRequest(fin_year="2023", ext_app_name="MUKTA", voucher_date=day)


def test_the_reply():
    (row,) = parse_rows(FdRow, Reply("FD", data=[ROW]))
    assert (row.bill_number, row.voucher_date) == ("PI-TE/2024-25/002954", date(2024, 10, 28))
    assert [failed.failed_reason for failed in row.benf_dtls] == ["Account is Dormant"]


def test_a_beneficiary_without_id_sets_its_bill_aside_and_no_other():
    """The old sample has none: then nobody knows who it was, and a person has to ask."""
    bad = {**ROW, "billNumber": "PI-TE/2024-25/000001", "benfDtls": [{"failedReason": "x"}]}
    good, faults = parse_each(FdRow, Reply("FD", data=[bad, ROW]))
    assert [row.bill_number for row in good] == ["PI-TE/2024-25/002954"]
    assert [str(fault) for fault in faults] == ["row 1 of the FD reply: benfDtls.0.benfId: is missing"]
