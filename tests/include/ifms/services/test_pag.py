"""PAG: what is asked about an approved PI, and which answers are its advice. End to end: operators/test_poll.py."""

import json
from collections import Counter
from datetime import date

import pytest
from support.failed import wage_bill
from support.pis import PI_NUMBER, instruction, treasury_config

from ifms.errors import BadInputError, SweepNeedsAttentionError, WireError
from ifms.ledger import beneficiaries, instructions
from ifms.ledger.beneficiaries import Failure
from ifms.ledger.statuses import BeneficiaryStatus, Event, PiStatus
from ifms.ledger.write_batch import Writes
from ifms.services.pag import PaymentAdvice
from ifms.wire.envelope import Reply, ReplyError, Service
from ifms.wire.phrasebook import shipped

ADVICE = {
    "billNo": PI_NUMBER,
    "ssuIaId": "71",
    "finYear": "2024",
    "adviceId": "8801",
    "adviceDate": "2024-06-04",
    "onlineBillRefNo": "1717400000001",
    "tokenNumber": "5",
    "tokenDate": "2024-06-04",
    "benfList": [{"benfName": "Sample Payee 17", "amount": "400.50", "benfId": "BN-SA/000017"}],
}
NEEDED = ("finYear", "adviceId", "adviceDate", "onlineBillRefNo", "tokenNumber", "tokenDate")


def read(*rows):
    return PaymentAdvice().read(instruction(), Reply("PAG", data=list(rows)), shipped())


def test_asks_with_what_pis_gave_verbatim():
    request = PaymentAdvice().request(instruction(), treasury_config())
    assert json.loads(request.to_wire()) == {
        "serviceId": "PAG",
        "params": {
            "pmtInstId": "4401",
            "pmtInstDate": "2024-06-03 09:05:07",
            "billNo": PI_NUMBER,
            "billDate": "2024-06-02",
            "ssuIaId": "71",
        },
    }
    assert request.bill_number == PI_NUMBER


@pytest.mark.parametrize("missing", ["pi_approved_id", "pi_approval_date"])
def test_asks_nothing_without_the_approval(missing):
    with pytest.raises(BadInputError, match="pmt_inst"):
        PaymentAdvice().request(instruction(**{missing: None}), treasury_config())


def test_reads_the_advice():
    news = read(ADVICE)
    told = [
        news.row.fin_year,
        news.row.advice_id,
        news.row.advice_date,
        news.row.online_bill_ref_no,
        news.row.token_number,
        news.row.token_date,
    ]
    assert told == [ADVICE[name] for name in NEEDED]


@pytest.mark.parametrize(
    "told",
    [None, [], [{"amount": None}], [{"amount": "1"}, {"benfId": "BN-SA/000018"}], [{"amount": 400}, {"amount": "0.5"}]],
    ids=["null", "nobody", "no amount", "of one no amount", "its amount in other figures"],
)
def test_a_list_of_beneficiaries_without_all_amounts_says_nothing_of_the_whole(told):
    assert read({**ADVICE, "benfList": told}).row.advice_id == "8801"


@pytest.mark.parametrize("told", [["400.51"], ["400.50", "400.50"], ["0"]])
def test_an_advice_of_another_amount_is_refused(told):
    with pytest.raises(WireError, match=f"{PI_NUMBER} names the amount"):
        read({**ADVICE, "benfList": [{"amount": amount} for amount in told]})


@pytest.mark.parametrize("amount", ["much", "-1", "1.005", "1e3"])
def test_an_advice_with_an_amount_that_is_none_is_refused(amount):
    with pytest.raises(WireError, match="amount"):
        read({**ADVICE, "benfList": [{"amount": amount}]})


def test_empty_is_no_news():
    assert read() is None


@pytest.mark.parametrize("bill", ["PI-SA/2024-25/000018", PI_NUMBER + "1", PI_NUMBER[:-1]])
def test_another_bill_s_advice_is_refused(bill):
    with pytest.raises(WireError, match="the bill") as refused:
        read({**ADVICE, "billNo": bill})
    assert PI_NUMBER in str(refused.value)


@pytest.mark.parametrize("bill", [None, "", " "])
def test_an_advice_for_no_bill_is_refused(bill):
    with pytest.raises(WireError, match=f"{PI_NUMBER} names no bill"):
        read({**ADVICE, "billNo": bill})


@pytest.mark.parametrize("field", NEEDED)
@pytest.mark.parametrize("value", [None, "", ["5"], ...], ids=["null", "empty", "a list", "missing"])
def test_without_what_pd_needs_it_is_refused(field, value):
    row = {name: told for name, told in (ADVICE | {field: value}).items() if told is not ...}
    with pytest.raises(WireError, match=f"row 1 of the PAG reply: {field}"):
        read(row)


def test_two_rows_are_refused_even_when_one_is_another_bill_s():
    for second in (ADVICE, {**ADVICE, "billNo": "PI-SA/2024-25/000018"}):
        with pytest.raises(WireError, match="2 rows instead of one"):
            read(ADVICE, second)


def test_no_error_changes_a_pi():
    rejected = ReplyError(None, f"This Bill Number {PI_NUMBER} is rejected by SSU Sample Office")
    assert shipped().errors(Service.PAG, (rejected,), PI_NUMBER) is None
    with pytest.raises(TypeError, match="tells of no rejections"):
        PaymentAdvice().rejected(None, instruction(), None, (rejected,))


CITY = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})


@pytest.fixture
def approved(adapter):
    """Two PIs of two beneficiaries each, APPROVED."""
    adapter.run("VA")
    for _ in range(2):
        wage_bill(adapter, payees=2)
    for service in ("PA", "PI", "PIS"):
        adapter.run(service)
    return adapter


@CITY
@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("benfAccountNo", "99999999999", "it names an account that ends in 9999"),
        ("benfBankIfscCode", "OTHR0999999", r"it names the IFSC OTHR\*{5}99"),
        ("benfId", "BN-OTHER", "it is not in this payment instruction"),
    ],
)
def test_an_advice_of_other_accounts_than_were_sent_is_told_of_and_followed(approved, treasury, field, text, said):
    """PD tells of each whether its money has gone there."""
    treasury.rule("PAG", "unknown_text", field=field, text=text, times=1)
    with pytest.raises(SweepNeedsAttentionError, match=f"1 problem.* the advice is not as it was sent: BN-.*{said}"):
        approved.run("PAG")
    assert approved.statuses() == Counter({"IN PROCESS": 2})
    [logged] = approved.rows("SELECT message FROM ifms.status_log WHERE message LIKE '%%not as it was sent%%'")
    assert "99999999999" not in logged["message"]


@CITY
def test_an_advice_that_gives_the_amount_of_one_to_another_changes_nothing(approved, monkeypatch):
    real = PaymentAdvice.read

    def swapped(service, pi, reply, phrasebook):
        [row] = reply.data
        first, second = row["benfList"]
        first["amount"], second["amount"] = "1.00", str(pi.net_amount - 1)
        return real(service, pi, reply, phrasebook)

    monkeypatch.setattr(PaymentAdvice, "read", swapped)
    with pytest.raises(SweepNeedsAttentionError, match=r"2 problem.* names for BN-\S+ the amount 1\.00 where"):
        approved.run("PAG")
    assert approved.statuses() == Counter({"APPROVED": 2})


def test_of_several_advised_pis_only_one_whose_beneficiaries_have_all_failed_is_partial_at_once(ledger):
    ledger.fund(1000)
    pis = [ledger.instruct(*ledger.payment(100)) for _ in range(3)]
    for failed, (pi, mine) in enumerate(pis):

        def approve(connection, pi=pi, mine=mine, failed=failed):
            instructions.advance(connection, pi, mine, Event.ACCEPTED)
            beneficiaries.set_beneficiaries(connection, pi, BeneficiaryStatus.PENDING, BeneficiaryStatus.INITIATED)
            rows = beneficiaries.of(connection, [pi.id])[pi.id][:failed]
            beneficiaries.record_failures(
                connection, {row.id: Failure(date(2024, 6, 3), "Closed", None, None) for row in rows}
            )
            accepted = instructions.lock(connection, pi.pi_number)
            instructions.advance(connection, accepted, None, Event.APPROVED)

        ledger.db.transact(approve)

    def advise(connection):
        writes, service, news = Writes(connection), PaymentAdvice(), read(ADVICE)
        rows = [instructions.lock(connection, pi.pi_number) for pi, _ in pis]
        changed = [(pi, service.apply(writes, pi, None, news)) for pi in rows]
        return service.follow(writes.flush(), changed)

    changes = ledger.db.transact(advise)
    assert [(change.status, change.then) for change in changes] == [
        (PiStatus.IN_PROCESS, None),
        (PiStatus.IN_PROCESS, None),
        (PiStatus.IN_PROCESS, PiStatus.PARTIAL),
    ]
    with ledger.connect() as connection:
        stored = instructions.find(connection, [pi.pi_number for pi, _ in pis])
    assert [stored[pi.pi_number].status for pi, _ in pis] == ["IN PROCESS", "IN PROCESS", "PARTIAL"]
