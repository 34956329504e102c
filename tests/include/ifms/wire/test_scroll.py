from __future__ import annotations

from datetime import date

import pytest
from pydantic import BaseModel, ValidationError

from ifms.wire.scroll import FailedBeneficiary, FailedList, PaidBeneficiary, PaidList

PAID = {
    "benfAcctNo": "00123456789012",
    "benfBankIfscCode": "SMPL0000001",
    "utrNo": "RBI504",
    "utrDate": "2024-10-28",
    "endToEndId": "EP1",
    "benfId": "BN-TE/003535",
}
FAILED = {
    **PAID,
    "orgBillRefNumber": "1730112305000",
    "challanNumber": "86581",
    "challanDate": "2024-10-28",
    "failedReason": " Account does not exist",
}


class Lists(BaseModel):
    paid: PaidList = ()
    failed: FailedList = ()


def test_a_paid_beneficiary():
    paid = PaidBeneficiary.model_validate(PAID)
    assert (paid.benf_id, paid.utr_no, paid.end_to_end_id) == ("BN-TE/003535", "RBI504", "EP1")
    assert paid.utr_date == date(2024, 10, 28)


def test_a_failed_beneficiary_with_its_reason_without_the_leading_blank():
    failed = FailedBeneficiary.model_validate(FAILED)
    assert failed.failed_reason == "Account does not exist"
    assert (failed.challan_number, failed.challan_date) == ("86581", date(2024, 10, 28))
    assert failed.org_bill_ref_number == "1730112305000"


def test_no_account_is_shown():
    assert "0012345678" not in repr(PaidBeneficiary.model_validate(PAID)) + str(
        FailedBeneficiary.model_validate(FAILED)
    )


def test_a_beneficiary_has_an_id():
    for value in (None, "", []):
        with pytest.raises(ValidationError, match="benfId"):
            PaidBeneficiary.model_validate({**PAID, "benfId": value})


def test_no_list_is_an_empty_one():
    assert Lists.model_validate({"paid": None, "failed": None}) == Lists()
    assert len(Lists.model_validate({"paid": [PAID, PAID]}).paid) == 2
    with pytest.raises(ValidationError):
        Lists.model_validate({"paid": [[PAID]]})
