from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from ifms.errors import BadInputError, WireError
from ifms.wire.cor import CorRequest, CorRow
from ifms.wire.envelope import Reply, parse_rows

ACCOUNTS = ("00123456789012", "00123456789013", "00123456789014")


def correction(number: int = 1, **change: object) -> dict[str, object]:
    return {
        "benef_id": f"BN-TE/{number:06d}",
        "jit_cur_bill_ref_no": "1730112305000",
        "org_account_no": ACCOUNTS[0],
        "org_ifsc": "SMPL0000001",
        "corrected_account_no": ACCOUNTS[number],
        "corrected_ifsc": "SMPL0000002",
        "cur_account_no": ACCOUNTS[0],
        "cur_ifsc": "SMPL0000001",
        **change,
    }


def revised(**change: object) -> CorRequest:
    return CorRequest(
        **{
            "jit_cor_bill_no": "PI-TE/2024-25/003000",
            "jit_cor_bill_date": datetime(2024, 11, 1, 6, 0, tzinfo=UTC),
            "jit_cor_bill_dept_code": "MUKTA",
            "jit_org_bill_ref_no": "1730112305000",
            "jit_org_bill_no": "PI-TE/2024-25/002954",
            "jit_org_bill_date": datetime(2024, 10, 28, 6, 0, tzinfo=UTC),
            "beneficiary_details": [correction()],
            **change,
        }
    )


@pytest.mark.parametrize("options", [{}, {"list_key": "beneficiaryDetails"}, {"list_key": "beneficiaryDtls"}])
def test_the_request_under_either_list_key(options):
    request = revised(**options)
    assert request.bill_number == "PI-TE/2024-25/003000"
    assert json.loads(request.to_wire()) == {
        "serviceId": "COR",
        "params": {
            "jitCorBillNo": "PI-TE/2024-25/003000",
            "jitCorBillDate": "2024-11-01 11:30:00",
            "jitCorBillDeptCode": "MUKTA",
            "jitOrgBillRefNo": "1730112305000",
            "jitOrgBillNo": "PI-TE/2024-25/002954",
            "jitOrgBillDate": "2024-10-28 11:30:00",
            options.get("list_key", "beneficiaryDetails"): [
                {
                    "benefId": "BN-TE/000001",
                    "jitCurBillRefNo": "1730112305000",
                    "orgAccountNo": ACCOUNTS[0],
                    "orgIfsc": "SMPL0000001",
                    "correctedAccountNo": ACCOUNTS[1],
                    "correctedIfsc": "SMPL0000002",
                    "curAccountNo": ACCOUNTS[0],
                    "curIfsc": "SMPL0000001",
                }
            ],
        },
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"list_key": "beneficiaries"}, "list_key"),
        ({"beneficiary_details": []}, "beneficiary_details"),
        ({"beneficiary_details": [correction(1), correction(2, benef_id="BN-TE/000001")]}, "is there twice"),
        (
            {"beneficiary_details": [correction(1), correction(2, corrected_account_no=ACCOUNTS[1])]},
            "BN-TE/000002 has the same account",
        ),
        ({"beneficiary_details": [correction(corrected_account_no="****9012")]}, "beneficiary BN-TE/000001 .*masked"),
        ({"beneficiary_details": [correction(corrected_ifsc="smpl0000002")]}, "beneficiary BN-TE/000001 .*IFSC"),
        ({"beneficiary_details": [correction(org_account_no="")]}, "org_account_no"),
        ({"beneficiary_details": [correction(cur_ifsc=None)]}, "cur_ifsc"),
    ],
)
def test_what_must_not_be_sent(change, said):
    with pytest.raises(BadInputError, match=said) as caught:
        revised(**change)
    assert not [account for account in ACCOUNTS if account in str(caught.value)]


SAME = {"corrected_account_no": ACCOUNTS[0], "corrected_ifsc": "SMPL0000001"}


def test_the_account_that_failed_is_sent_on_purpose_only():
    with pytest.raises(BadInputError, match="BN-TE/000001 has the account that failed, and nobody has chosen it"):
        revised(beneficiary_details=[correction(**SAME)])
    with pytest.raises(BadInputError, match="BN-TE/000001 was to be paid to the account that failed"):
        revised(beneficiary_details=[correction(same_account=True)])
    revised(
        beneficiary_details=[correction(**SAME | {"corrected_ifsc": "SMPL0000002"})]
    )  # another branch is another account
    [row] = json.loads(revised(beneficiary_details=[correction(**SAME, same_account=True)]).to_wire())["params"][
        "beneficiaryDetails"
    ]
    assert row["orgAccountNo"] == row["curAccountNo"] == row["correctedAccountNo"] == ACCOUNTS[0]
    assert set(row) == {
        "benefId",
        "jitCurBillRefNo",
        "orgAccountNo",
        "orgIfsc",
        "correctedAccountNo",
        "correctedIfsc",
        "curAccountNo",
        "curIfsc",
    }


def test_no_account_is_shown():
    assert not [account for account in ACCOUNTS if account in repr(revised())]


@pytest.mark.parametrize("name", ["successCode", "successCd"])
def test_the_reply_with_either_success_code(name):
    data = {"jitCorBillNo": "PI-TE/2024-25/003000", name: "0", "sucessDescrp": "received"}
    (row,) = parse_rows(CorRow, Reply("COR", data=[data]))
    assert (row.jit_cor_bill_no, row.success_code, row.success_description) == ("PI-TE/2024-25/003000", "0", "received")


def test_a_reply_without_a_success_code():
    with pytest.raises(WireError, match="COR reply: success"):
        parse_rows(CorRow, Reply("COR", data=[{"jitCorBillNo": "1"}]))
