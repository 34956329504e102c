from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ifms.errors import BadInputError, WireError
from ifms.wire.envelope import Reply, parse_rows
from ifms.wire.pi import PiRequest, PiRow

ACCOUNTS = ("00123456789012", "00123456789013")


def payee(number: int, **change: object) -> dict[str, object]:
    return {
        "benef_id": f"BN-TE/{number:06d}",
        "benef_name": f"Sample Payee {number}",
        "benf_acct_no": ACCOUNTS[number % 2],
        "benf_bank_ifsc_code": "SMPL0000001",
        "benf_mobile_no": "9999999999",
        "benf_address": "Ward 1 Locality 2",
        "benf_account_type": "SAVINGS",
        "benf_amount": Decimal("450.00"),
        **change,
    }


def bill(**change: object) -> PiRequest:
    return PiRequest(
        **{
            "jit_bill_no": "PI-TE/2024-25/002760",
            "jit_bill_date": datetime(2024, 10, 25, 20, 0, tzinfo=UTC),
            "jit_bill_ddo_code": "OLSHUD001",
            "grantee_ag_code": "GOHUDULBMPL0036",
            "scheme_code": "13145",
            "hoa": "221705789358641045908",
            "ssu_ia_id": "1621",
            "mst_allotment_dist_id": "928",
            "ssu_allotment_id": "860",
            "allotment_txn_sl_no": "0",
            "bill_gross_amount": Decimal("900.00"),
            "bill_net_amount": Decimal("900.00"),
            "purpose": "MUKTA",
            "beneficiary_details": [payee(1), payee(2)],
            **change,
        }
    )


def test_the_request():
    request = bill(beneficiary_details=[payee(1, benf_amount=Decimal("900"))])
    assert request.bill_number == "PI-TE/2024-25/002760"
    assert json.loads(request.to_wire()) == {
        "serviceId": "PI",
        "params": {
            "jitBillNo": "PI-TE/2024-25/002760",
            "jitBillDate": "2024-10-26 01:30:00",
            "jitBillDdoCode": "OLSHUD001",
            "granteeAgCode": "GOHUDULBMPL0036",
            "schemeCode": "13145",
            "hoa": "221705789358641045908",
            "ssuIaId": "1621",
            "mstAllotmentDistId": "928",
            "ssuAllotmentId": "860",
            "allotmentTxnSlNo": "0",
            "billGrossAmount": "900.00",
            "billNetAmount": "900.00",
            "billNumberOfBenf": "1",
            "purpose": "MUKTA",
            "beneficiaryDetails": [
                {
                    "benefId": "BN-TE/000001",
                    "benefName": "Sample Payee 1",
                    "benfAcctNo": ACCOUNTS[1],
                    "benfBankIfscCode": "SMPL0000001",
                    "benfMobileNo": "9999999999",
                    "benfEmailId": "",
                    "benfAddress": "Ward 1 Locality 2",
                    "benfAccountType": "SAVINGS",
                    "benfAmount": "900.00",
                    "purpose": "Mukta Payment",
                }
            ],
        },
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bill_net_amount": Decimal("900.01")}, "sum is 900.00"),
        ({"bill_net_amount": Decimal("899.99")}, "sum is 900.00"),
        ({"bill_gross_amount": Decimal("899.99")}, "less than net"),
        ({"bill_net_amount": 0}, "more than zero"),
        ({"beneficiary_details": []}, "beneficiary_details"),
        ({"beneficiary_details": [payee(1), payee(2, benef_id="BN-TE/000001")]}, "BN-TE/000001 is there twice"),
        ({"beneficiary_details": [payee(1), payee(2, benef_id="bn-te/000001")]}, "bn-te/000001 is there twice"),
        ({"beneficiary_details": [payee(1), payee(2, benf_acct_no=ACCOUNTS[1])]}, "BN-TE/000002 has the same account"),
        ({"purpose": "MUKTA & Co"}, "the purpose"),
        ({"bill_number_of_benf": "7"}, "bill_number_of_benf"),
        ({"jit_bill_no": ""}, "jit_bill_no"),
        ({"jit_bill_date": datetime(2024, 10, 25, 20, 0)}, "jit_bill_date"),  # noqa: DTZ001
    ],
)
def test_a_bill_that_does_not_agree_is_never_built(change, said):
    with pytest.raises(BadInputError, match=said):
        bill(**change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"benf_acct_no": ""}, r"Sample Payee 2 \(BN-TE/000002\) has no account number"),
        ({"benf_acct_no": "**********9012"}, r"Sample Payee 2 \(BN-TE/000002\) has a masked"),
        ({"benf_acct_no": "100001|q83vEjRWeJA="}, "BN-TE/000002.* not decrypted"),
        ({"benf_bank_ifsc_code": "smpl0000001"}, "BN-TE/000002.* IFSC"),
        ({"benf_bank_ifsc_code": None}, "benf_bank_ifsc_code"),
        ({"benef_name": "Sample-Payee"}, "the name of beneficiary BN-TE/000002"),
        ({"benf_address": "Ward_1"}, "the address of beneficiary BN-TE/000002"),
        ({"benf_mobile_no": "99999"}, "benf_mobile_no"),
        ({"benf_amount": "-450"}, "more than zero"),
        ({"benf_amount": 450.0}, "float"),
    ],
)
def test_a_payee_who_can_not_be_paid_is_named(change, said):
    with pytest.raises(BadInputError, match=said) as caught:
        bill(beneficiary_details=[payee(1), payee(2, **change)])
    assert ACCOUNTS[0] not in str(caught.value)
    assert ACCOUNTS[1] not in str(caught.value)


def test_no_account_is_shown():
    assert not [account for account in ACCOUNTS if account in repr(bill()) + str(bill())]
    assert "Sample Payee 1" in repr(bill())


def test_the_reply():
    row = {
        "jitBillNo": "PI-TE/2024-25/002760",
        "jitBillDate": "2024-10-25",
        "ssuIaId": "1621",
        "successCode": "0",
        "sucessDescrp": "Jit Bill is received successfully",
    }
    (read,) = parse_rows(PiRow, Reply("PI", data=[row]))
    assert (read.jit_bill_no, read.success_code) == ("PI-TE/2024-25/002760", "0")
    assert read.success_description == "Jit Bill is received successfully"
    for name in ("jitBillNo", "successCode"):
        with pytest.raises(WireError, match=f"PI reply: {name}: is missing"):
            parse_rows(PiRow, Reply("PI", data=[{key: value for key, value in row.items() if key != name}]))
