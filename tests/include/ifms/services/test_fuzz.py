"""Whole replies made wrong somewhere: each is read, or refused by a typed error that shows no account number."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import figures
from support.mutations import ACCOUNT, fuzzed, mutated
from support.pis import PI_NUMBER, instruction
from support.simulators import LOG_KEY

from ifms.errors import IfmsError, WireError
from ifms.ledger.failure_matching import failure_of
from ifms.ledger.models import Watermark
from ifms.sealing import Sealer
from ifms.services.cor import Revision
from ifms.services.ftfps import RevisedFailure
from ifms.services.ftps import RevisedSuccess
from ifms.services.pag import PaymentAdvice
from ifms.services.pd import PaymentDetails
from ifms.services.pi import Instruction
from ifms.services.pis import InstructionStatus
from ifms.services.va import _allotment
from ifms.wire.envelope import Service, parse_each, parse_reply
from ifms.wire.fd import FdRow
from ifms.wire.phrasebook import bad_beneficiaries, says_no_session, shipped
from ifms.wire.va import VaRow

REVISED = instruction(
    pi_number="COR-SA/2024-25/000018",
    pi_type="REVISED",
    parent_pi_number=PI_NUMBER,
    org_bill_ref_number="1717400000001",
    org_bill_date=datetime(2024, 6, 1, 20, tzinfo=UTC),
)
MARK = Watermark(
    id=None,
    tenant_id="od.samplea",
    hoa_code="1",
    ddo_code="D1",
    grantee_code="G1",
    ssu_id="71",
    fetched_until=None,
    asked_from=None,
)
PAID = {
    "benfAcctNo": ACCOUNT,
    "benfBankIfscCode": "SAMP0000001",
    "utrNo": "UTR1",
    "utrDate": "2024-06-06",
    "endToEndId": "E1",
    "benfId": "BN-SA/000001",
}
FAILED = PAID | {
    "orgBillRefNumber": "1717400000001",
    "challanNumber": "C1",
    "challanDate": "2024-06-08",
    "failedReason": " Account does not exist",
}
TOKEN = {"billRefNo": "1717400000001", "tokenNumber": "5", "tokenDate": "2024-06-04"}
SCROLL = {
    "voucherNo": "V1",
    "voucherDate": "2024-06-05",
    "paymentStatus": "Paid by RBI eKuber,please check with your bank",
} | TOKEN

ROWS = {
    "VA": {
        "ddoCode": "D1", "schemeCode": "13145", "granteeAgCode": "G1", "ssuId": "71", "allotmentDate": "2024-05-11",
        "allotmentTxnSlNo": "0", "allotmentAmount": "1000", "availableBalance": "5000.00",
        "allotmentTxnType": "Initial Allotment", "mstAllotmentDistId": "900", "ssuAllotmentId": "800",
    },
    "PI": {"jitBillNo": PI_NUMBER, "jitBillDate": "2024-06-02", "ssuIaId": "71", "successCode": "0", "sucessDescrp": "x"},
    "PIS": {
        "pmtInstId": "4401", "payInstDate": "2024-06-03 09:05:07", "jitBillNumber": PI_NUMBER,
        "jitBillDate": "2024-06-02", "billNetAmount": "400.50", "billGrossAmount": "400.50",
        "totalNumberOfBeneficiary": "2", "schemeCode": "13145", "ssuIaId": "71",
    },
    "PAG": {
        "billNo": PI_NUMBER, "ssuIaId": "71", "finYear": "2024", "adviceId": "1", "adviceDate": "2024-06-04",
        "onlineBillRefNo": "1717400000001", "tokenNumber": "5", "tokenDate": "2024-06-04",
        "benfList": [{"benfName": "Sample rejected Payee", "benfAccountNo": ACCOUNT, "benfId": "BN-SA/000001"}],
    },
    "PD": {"billNumber": PI_NUMBER, "billDate": "2024-06-02", "benfDtls": [PAID]} | SCROLL,
    "FD": {"billNumber": PI_NUMBER, "billDate": "2024-06-02", "benfDtls": [FAILED]} | SCROLL,
    "COR": {"jitCorBillNo": REVISED.pi_number, "jitCorBillDate": "2024-06-02", "successCode": "0", "sucessDescrp": "x"},
    "FTPS": {"jitCorBillNo": REVISED.pi_number, "jitOrgBillRefNo": "1717400000001", "benfDtls": [PAID]} | SCROLL,
    "FTFPS": {"jitCorBillNo": REVISED.pi_number, "benfDtls": [FAILED]} | TOKEN,
}  # fmt: skip


def read(service, text):
    """All that the adapter does with an answer before it touches the ledger; what it was read as."""
    reply = parse_reply(text)
    bad_beneficiaries(reply.errors)
    shipped().errors(Service(service), reply.errors, PI_NUMBER)
    assert all(says_no_session(error.message) in (True, False) for error in reply.errors)
    if reply.errors:
        return reply.errors
    match service:
        case "VA":
            good, faults = parse_each(VaRow, reply)
            shown("; ".join(map(str, faults)))
            return [_allotment(MARK, row) for row in good]
        case "FD":
            good, faults = parse_each(FdRow, reply)
            shown("; ".join(map(str, faults)))
            return [
                failure_of(each, row.voucher_date or datetime.now(UTC).date()) for row in good for each in row.benf_dtls
            ]
        case "PI":
            return Instruction().receipt(instruction(), reply)
        case "COR":
            return Revision().receipt(REVISED, reply)
    asked = {
        "PIS": InstructionStatus(),
        "PAG": PaymentAdvice(),
        "PD": PaymentDetails(),
        "FTPS": RevisedSuccess(),
        "FTFPS": RevisedFailure(Sealer.from_config(LOG_KEY)),
    }[service]
    return asked.read(REVISED if service.startswith("FT") else instruction(), reply, shipped())


def shown(text):
    assert ACCOUNT not in text
    assert len(text) < 5_000


@pytest.mark.parametrize("service", ROWS)
def test_the_reply_that_is_made_wrong_is_right(service):
    assert read(service, json.dumps({"serviceId": service, "errorMsg": None, "data": [ROWS[service]]}))


@pytest.mark.parametrize("service", ROWS)
@fuzzed
@given(random=st.randoms(use_true_random=False))
def test_a_reply_made_wrong_is_read_or_refused(service, random):
    row = ROWS[service]
    error = {"errorCode": "340", "errorMsg": "Wrong IFSC provided in Beneficiary Details for BenefId BN-SA/000001"}
    document = random.choice(
        (
            {"serviceId": service, "errorMsg": None, "data": [row]},
            {"serviceId": service, "errorMsg": None, "data": [row, row]},
            {"serviceId": service, "errorMsgs": [error], "data": []},
            {"serviceId": service, "errorMsg": f"This Bill Number {PI_NUMBER} is rejected by SSU X", "data": []},
        )
    )
    figures.add("fuzzed replies", 1)
    try:
        read(service, mutated(random, document))
    except WireError as error:
        shown(str(error))


@fuzzed
@given(random=st.randoms(use_true_random=False))
def test_only_this_very_amount_is_approved(random):
    """Whatever PIS says, an approval that is taken names the PI's bill or its amount, and nothing that disagrees."""
    text = mutated(random, {"serviceId": "PIS", "errorMsg": None, "data": [ROWS["PIS"]]})
    try:
        reply = parse_reply(text)
        news = None if reply.errors else InstructionStatus().read(instruction(), reply, shipped())
    except IfmsError:
        return
    if news is not None:
        assert news.jit_bill_number in (None, PI_NUMBER)
        assert news.bill_net_amount in (None, Decimal("400.50"))
        assert (news.jit_bill_number, news.bill_net_amount) != (None, None)
        assert news.pmt_inst_id
        assert news.pay_inst_date
