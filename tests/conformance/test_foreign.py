"""What any treasury can be asked for without a control endpoint, and what it does where the contract is silent."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from conformance.foreign import NO_BANK, POINTED_ELSEWHERE, Foreign, elsewhere, learned, number, shown, simulated, today
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from support import figures

from ifms import clock
from ifms.errors import TreasuryLoginError
from ifms.treasury.outcome import Answered, Rejected
from ifms.wire.cor import CorRequest
from ifms.wire.envelope import Service, parse_each, parse_rows
from ifms.wire.fd import FdRequest, FdRow
from ifms.wire.ftfps import FtfpsRequest
from ifms.wire.ftps import FtpsRequest
from ifms.wire.pag import PagRequest
from ifms.wire.pd import PdRequest
from ifms.wire.phrasebook import Meaning, bad_beneficiaries, shipped
from ifms.wire.pi import PiRow
from ifms.wire.pis import PisRequest

BEHAVIOURS = [
    pytest.param({"repeated_pi": "duplicate", "unknown_bill": "error"}, id="duplicate-error"),
    pytest.param({"repeated_pi": "success", "unknown_bill": "empty"}, id="success-empty"),
]
HERE = POINTED_ELSEWHERE not in os.environ


@pytest.fixture(params=BEHAVIOURS if HERE else [pytest.param({}, id="elsewhere")])
def foreign(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Foreign]:
    figures.add("conformance questions to an unknown treasury", 1)
    if not HERE:
        yield elsewhere(monkeypatch)
        return
    with simulated(tmp_path, **request.param) as treasury:
        yield treasury


@pytest.fixture
def spender(foreign):
    if not foreign.spends:
        pytest.skip("CONFORMANCE_SPEND=1 is needed: a PI of one rupee would be accepted")
    return foreign


@pytest.fixture
def known(foreign):
    if not {"hoa", "ddo_code", "grantee_code"} <= set(foreign.sample):
        pytest.skip("CONFORMANCE_SAMPLE must name hoa, ddo_code and grantee_code")
    return foreign


def test_a_login_opens_a_session_for_many_calls(foreign):
    with foreign.client() as client:
        client.login()
        for _ in range(3):
            client.call(PisRequest(jit_bill_no=number(), jit_bill_date=today(), ssu_ia_id="1"))
        assert client.logins == 1


@pytest.mark.parametrize("wrong", ["client_id", "client_secret", "public_key"])
def test_a_login_with_anything_wrong_is_refused(foreign, wrong):
    """F24: one try, and nothing is asked after it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    value = base64.b64encode(der).decode() if wrong == "public_key" else "conformance-wrong-value"
    with foreign.client(**{wrong: value}) as client, pytest.raises(TreasuryLoginError) as refused:
        client.login()
    assert foreign.config.client_secret not in str(refused.value)
    learned[f"login with a wrong {wrong}"] = str(refused.value)


def test_allotments_are_read_row_by_row(known):
    with known.client() as client:
        rows = known.allotments(client)
        assert known.allotments(client, since=timedelta(0)) == [] or rows, "what is new is a part of what is there"
    assert {(row.ddo_code, row.grantee_ag_code) for row in rows} <= {
        (known.sample["ddo_code"], known.sample["grantee_code"])
    }
    learned["allotments in 400 days"] = str(len(rows))


def test_pis_about_a_bill_that_nobody_sent(foreign):
    """The first of the two unknowns: an error that says so, or empty data; never an approval."""
    with foreign.client() as client:
        outcome = client.call(PisRequest(jit_bill_no=number(), jit_bill_date=today(), ssu_ia_id="1"))
    assert isinstance(outcome, Answered | Rejected), shown(outcome)
    if isinstance(outcome, Answered):
        assert outcome.reply.data == []
        learned["PIS about an unknown bill"] = "empty data"
    else:
        learned["PIS about an unknown bill"] = f"an error: {shown(outcome)}"
        meaning = shipped().errors(Service.PIS, outcome.errors, None)
        assert meaning is Meaning.UNKNOWN_BILL, f"its text is not among those that say so: {shown(outcome)}"


def about_nothing(service):
    """A request of each service about a bill that nobody sent, as it is spelt for real ones."""
    bill, day, reference = number(), today(), "1600000000000"
    match service:
        case "PAG":
            return PagRequest(
                pmt_inst_id="1", pmt_inst_date=clock.wire_datetime(day), bill_no=bill, bill_date=day, ssu_ia_id="1"
            )
        case "PD":
            year = str(clock.financial_year(day))
            return PdRequest(
                fin_year=year,
                ext_app_name="MUKTA",
                bill_ref_no=reference,
                token_number="1",
                token_date=clock.wire_date(day),
                pi_number=bill,
            )
        case "COR":
            correction = {
                "benef_id": "BN-CONFORMANCE/1",
                "jit_cur_bill_ref_no": reference,
                "org_account_no": "000000000001",
                "org_ifsc": "SMPL0000001",
                "corrected_account_no": "000000000002",
                "corrected_ifsc": "SMPL0000001",
                "cur_account_no": "000000000001",
                "cur_ifsc": "SMPL0000001",
            }
            return CorRequest(
                jit_cor_bill_no=bill,
                jit_cor_bill_date=day,
                jit_cor_bill_dept_code="MUKTA",
                jit_org_bill_ref_no=reference,
                jit_org_bill_no=number(),
                jit_org_bill_date=day,
                beneficiary_details=(correction,),
            )
        case "FTPS":
            return FtpsRequest(
                jit_cor_bill_no=bill,
                jit_cor_bill_date=day,
                jit_cor_bill_dept_code="MUKTA",
                jit_org_bill_ref_no=reference,
                jit_org_bill_no=number(),
                jit_org_bill_date=day,
            )
        case _:
            return FtfpsRequest(
                jit_cor_bill_no=bill,
                jit_cor_bill_date=day,
                bill_ref_no=reference,
                token_number="1",
                token_date=clock.wire_date(day),
            )


@pytest.mark.parametrize("service", ["PAG", "PD", "COR", "FTPS", "FTFPS"])
def test_a_question_about_nothing_is_refused_or_empty(foreign, service):
    with foreign.client() as client:
        outcome = client.call(about_nothing(service))
    assert isinstance(outcome, Answered | Rejected), shown(outcome)
    assert isinstance(outcome, Rejected) or (outcome.reply.data == [] and service != "COR")
    learned[f"{service} about an unknown bill"] = shown(outcome).removesuffix(": ")


def test_the_failures_of_yesterday_can_be_read(foreign):
    day = clock.to_ist(clock.now()).date() - timedelta(days=1)
    with foreign.client() as client:
        outcome = client.call(
            FdRequest(
                fin_year=str(clock.financial_year(day)), ext_app_name=client.config.ext_app_name, voucher_date=day
            )
        )
    assert isinstance(outcome, Answered | Rejected), shown(outcome)
    if isinstance(outcome, Answered):
        rows, unread = parse_each(FdRow, outcome.reply)
        assert unread == []
        learned["failed bills of yesterday"] = str(len(rows))


def test_a_pi_to_a_bank_that_is_none_is_refused_and_names_the_beneficiary(known):
    """Code 340. No such bank can be paid, and no PI moves money before its SSU has approved it."""
    with known.client() as client:
        outcome = client.call(known.instruction(client, NO_BANK))
    assert isinstance(outcome, Rejected), shown(outcome)
    assert set(bad_beneficiaries(outcome.errors)) == {"BN-CONFORMANCE/1"}, shown(outcome)
    learned["PI with a wrong IFSC"] = shown(outcome)


def test_a_pi_that_is_sent_again(known, spender):
    """The second of the two unknowns: a duplicate error, or the same receipt once more; then the same number with
    another amount, which must not be taken (F9)."""
    with spender.client() as client:
        request = spender.instruction(client, spender.sample["ifsc"])
        first, again = client.call(request), client.call(request)
        payee = request.beneficiary_details[0].model_copy(update={"benf_amount": 2})
        changed = client.call(
            request.model_copy(update={"bill_gross_amount": 2, "bill_net_amount": 2, "beneficiary_details": (payee,)})
        )
        status = client.call(
            PisRequest(
                jit_bill_no=request.jit_bill_no, jit_bill_date=request.jit_bill_date, ssu_ia_id=request.ssu_ia_id
            )
        )
    assert isinstance(first, Answered), shown(first)
    (receipt,) = parse_rows(PiRow, first.reply)
    assert (receipt.jit_bill_no, receipt.success_code) == (request.jit_bill_no, "0")
    if isinstance(again, Answered):
        assert parse_rows(PiRow, again.reply) == [receipt]
        learned["the same PI again"] = "a plain success"
    else:
        assert isinstance(again, Rejected), shown(again)
        learned["the same PI again"] = f"an error: {shown(again)}"
        meaning = shipped().errors(Service.PI, again.errors, request.jit_bill_no)
        assert meaning is Meaning.DUPLICATE, f"its text is not the one for a duplicate: {shown(again)}"
    assert isinstance(changed, Rejected), shown(changed)
    learned["the same PI number with another amount"] = shown(changed)
    assert isinstance(status, Answered | Rejected), shown(status)
    learned["PIS about a PI that was just sent"] = shown(status).removesuffix(": ")
