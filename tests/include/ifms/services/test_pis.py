"""PIS: what is asked about a PI, and which answers are an approval of it. End to end: operators/test_poll.py."""

import json

import pytest
from support.pis import PI_NUMBER, instruction, treasury_config

from ifms.errors import BadInputError, WireError
from ifms.services.pis import InstructionStatus
from ifms.wire.envelope import Reply
from ifms.wire.phrasebook import shipped

APPROVAL = {
    "pmtInstId": "4401",
    "payInstDate": "2024-06-03 09:05:07",
    "jitBillNumber": PI_NUMBER,
    "jitBillDate": "2024-06-02",
    "billNetAmount": "400.50",
    "billGrossAmount": "400.50",
    "totalNumberOfBeneficiary": "2",
    "schemeCode": "13145",
    "ssuIaId": "71",
}


def read(*rows):
    return InstructionStatus().read(instruction(), Reply("PIS", data=list(rows)), shipped())


def test_asks_by_number_day_in_ist_and_spending_unit():
    request = InstructionStatus().request(instruction(), treasury_config())
    assert json.loads(request.to_wire()) == {
        "serviceId": "PIS",
        "params": {"jitBillNo": PI_NUMBER, "jitBillDate": "2024-06-02", "ssuIaId": "71"},
    }
    assert request.bill_number == PI_NUMBER


def test_asks_nothing_without_a_spending_unit():
    with pytest.raises(BadInputError, match="ssu_ia_id"):
        InstructionStatus().request(instruction(ssu_id=""), treasury_config())


def test_reads_the_approval_and_keeps_its_date_verbatim():
    news = read(APPROVAL)
    assert (news.pmt_inst_id, news.pay_inst_date) == ("4401", "2024-06-03 09:05:07")


@pytest.mark.parametrize("amount", ["400.5", "400.500", 400.50])
def test_an_amount_is_compared_as_a_number(amount):
    value = json.loads(json.dumps(amount), parse_float=str)
    assert read({**APPROVAL, "billNetAmount": value, "billGrossAmount": value}) is not None


def test_empty_is_no_news():
    assert read() is None


ANOTHER = {
    "bill": ({"jitBillNumber": "PI-SA/2024-25/000018"}, "the bill 'PI-SA/2024-25/000018'"),
    "bill, longer": ({"jitBillNumber": PI_NUMBER + "1"}, "the bill"),
    "bill, in lower case": ({"jitBillNumber": PI_NUMBER.lower()}, "the bill"),
    "net amount": ({"billNetAmount": "400.49"}, "the net amount"),
    "net amount, negative": ({"billNetAmount": "-400.50"}, "the net amount"),
    "gross amount": ({"billGrossAmount": "400.51"}, "the gross amount"),
    "count": ({"totalNumberOfBeneficiary": "3"}, "the number of beneficiaries"),
    "nothing at all": ({"jitBillNumber": None, "billNetAmount": None}, "neither a bill nor an amount"),
    "blanks only": ({"jitBillNumber": " ", "billNetAmount": ""}, "neither a bill nor an amount"),
}


@pytest.mark.parametrize(("changes", "named"), ANOTHER.values(), ids=ANOTHER.keys())
def test_an_approval_of_something_else_is_no_approval(changes, named):
    with pytest.raises(WireError, match=named) as refused:
        read(APPROVAL | changes)
    assert PI_NUMBER in str(refused.value)


@pytest.mark.parametrize("left_out", ["jitBillNumber", "billNetAmount", "billGrossAmount", "totalNumberOfBeneficiary"])
def test_one_echo_may_be_left_out(left_out):
    assert read({name: value for name, value in APPROVAL.items() if name != left_out}) is not None


@pytest.mark.parametrize("field", ["pmtInstId", "payInstDate"])
@pytest.mark.parametrize("value", [None, "", "  ", ...], ids=["null", "empty", "blank", "missing"])
def test_without_what_pag_needs_it_is_refused(field, value):
    row = {name: told for name, told in (APPROVAL | {field: value}).items() if told is not ...}
    with pytest.raises(WireError, match=f"row 1 of the PIS reply: {field}"):
        read(row)


def test_an_amount_that_is_none_is_refused():
    with pytest.raises(WireError, match="row 1 of the PIS reply"):
        read({**APPROVAL, "billNetAmount": "1e3"})


def test_two_rows_are_refused_even_when_they_are_the_same():
    with pytest.raises(WireError, match="2 rows instead of one"):
        read(APPROVAL, APPROVAL)
