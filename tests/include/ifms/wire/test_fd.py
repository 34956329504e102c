from __future__ import annotations

import json
from datetime import date, datetime

import pytest

from ifms.errors import BadInputError
from ifms.wire.envelope import Reply, parse_each, parse_rows
from ifms.wire.fd import FdRequest, FdRow

ROW = {
    "billNumber": "PI-TE/2024-25/002954",
    "voucherNo": "22171",
    "voucherDate": "2024-10-28",
    "benfDtls": [{"benfId": "BN-TE/003535", "failedReason": " Account is Dormant", "challanNumber": "86581"}],
}


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


def test_a_beneficiary_without_id_is_read_and_one_bad_row_sets_no_other_aside():
    """The old sample has no id: then its account tells who it was."""
    old = {**ROW, "benfDtls": [{"failedReason": "x", "benfAcctNo": "000000000001", "benfBankIfscCode": "SMPL0000001"}]}
    good, faults = parse_each(FdRow, Reply("FD", data=[old, {**ROW, "billNumber": ""}, ROW]))
    assert [row.benf_dtls[0].benf_id for row in good] == [None, ROW["benfDtls"][0]["benfId"]]
    assert [str(fault) for fault in faults] == ["row 2 of the FD reply: billNumber: is empty"]


def test_an_entry_that_can_not_be_read_keeps_no_other_of_its_bill():
    bad = [{"benfId": "BN-TE/2", "challanDate": "3 May"}, "nobody", {"benfId": "BN-TE/3", "utrNo": []}]
    good = ROW["benfDtls"] + [{"benfId": "BN-TE/4"}]
    row = ROW | {"benfDtls": [good[0], *bad, good[1]]}
    (read,), faults = parse_each(FdRow, Reply("FD", data=[row]))
    assert read == FdRow.model_validate(ROW | {"benfDtls": good})
    assert [str(fault).partition(" (")[0].split(": ")[0] for fault in faults] == [
        f"row 1 of the FD reply, benfDtls[{place}]" for place in (1, 2, 3)
    ]
    assert "challanDate: is not a date as yyyy-MM-dd (billNumber 'PI-TE/2024-25/002954')" in str(faults[0])
    assert "3 May" not in str(faults[0])


@pytest.mark.parametrize("changes", [{"voucherDate": "3 May"}, {"benfDtls": "nobody"}, {"billNumber": None}])
def test_a_row_in_which_more_is_wrong_is_not_read_at_all(changes):
    row = ROW | {"benfDtls": [{"benfId": "BN-TE/2", "challanDate": "3 May"}, {"benfId": "BN-TE/4"}]} | changes
    rows, faults = parse_each(FdRow, Reply("FD", data=[row]))
    assert rows == []
    assert len(faults) == 1
