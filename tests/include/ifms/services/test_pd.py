"""PD: what is asked about a PI in process, and which debit scrolls an answer holds. End to end: operators/test_poll.py."""

import json
from collections import Counter
from datetime import date

import psycopg
import pytest
from support.failed import wage_bill
from support.pis import PI_NUMBER, instruction, treasury_config

from ifms.errors import BadInputError, SweepNeedsAttentionError, UnknownTextError, WireError
from ifms.ledger import beneficiaries, failures
from ifms.ledger.beneficiaries import Payee, Scroll
from ifms.ledger.outbox import set_subscriptions
from ifms.ledger.statuses import BeneficiaryStatus
from ifms.ledger.write_batch import Writes
from ifms.services.pd import PaymentDetails, enqueue_paid
from ifms.wire.envelope import Reply, ReplyError, Service
from ifms.wire.phrasebook import Meaning, Phrase, shipped


def paid(number="BN-SA/000001", **changes):
    return {
        "benfAcctNo": "12345678901",
        "benfBankIfscCode": "SAMP0000001",
        "utrNo": "UTR1",
        "utrDate": "2024-06-06",
        "endToEndId": "E1",
        "benfId": number,
    } | changes


def bill(*beneficiaries, **changes):
    return {
        "billNumber": PI_NUMBER,
        "billDate": "2024-06-02",
        "voucherNo": "V1",
        "voucherDate": "2024-06-05",
        "billRefNo": "1717400000001",
        "paymentStatus": "Paid by RBI eKuber,please check with your bank",
        "tokenNumber": "5",
        "tokenDate": "2024-06-04",
        "benfDtls": list(beneficiaries),
    } | changes


def read(*rows):
    news = PaymentDetails().read(instruction(), Reply("PD", data=list(rows)), shipped())
    return None if news is None else news.scrolls


def numbers(scrolls):
    return [scroll.beneficiary_number for scroll in scrolls]


def test_asks_with_what_pag_gave():
    request = PaymentDetails().request(instruction(), treasury_config())
    assert json.loads(request.to_wire()) == {
        "serviceId": "PD",
        "params": {
            "finYear": "2024",
            "extAppName": "SAMPLEAPP",
            "billRefNo": "1717400000001",
            "tokenNumber": "5",
            "tokenDate": "2024-06-04",
        },
    }
    assert request.bill_number == PI_NUMBER


@pytest.mark.parametrize("missing", ["pa_fin_year", "pa_bill_ref_number", "pa_token_number", "pa_token_date"])
def test_asks_nothing_without_the_advice(missing):
    with pytest.raises(BadInputError, match="is empty"):
        PaymentDetails().request(instruction(**{missing: None}), treasury_config())


def test_reads_a_scroll():
    assert read(bill(paid())) == (
        Scroll(
            beneficiary_number="BN-SA/000001",
            voucher_number="V1",
            voucher_date=date(2024, 6, 5),
            utr_number="UTR1",
            utr_date=date(2024, 6, 6),
            end_to_end_id="E1",
            message="Paid by RBI eKuber,please check with your bank",
            account_number="12345678901",
            ifsc="SAMP0000001",
        ),
    )


@pytest.mark.parametrize(
    "rows",
    [[], [bill()], [bill(benfDtls=None)], [bill(paid(), billNumber=None)], [bill(paid(), billNumber=" ")]],
    ids=["no row", "nobody paid", "null", "no bill", "blank bill"],
)
def test_nobody_paid_is_no_news(rows):
    assert read(*rows) is None


def test_a_row_without_bill_number_is_passed_over_whatever_it_holds():
    foreign = bill(paid("BN-SA/000002"), billNumber=None, billRefNo="1717400000002", voucherNo=None)
    assert numbers(read(foreign, bill(paid()), foreign)) == ["BN-SA/000001"]


def test_a_bill_may_come_in_several_rows_with_several_vouchers():
    scrolls = read(bill(paid()), bill(paid("BN-SA/000002", utrNo="UTR2"), voucherNo="V2"))
    assert [(s.beneficiary_number, s.voucher_number, s.utr_number) for s in scrolls] == [
        ("BN-SA/000001", "V1", "UTR1"),
        ("BN-SA/000002", "V2", "UTR2"),
    ]


def test_doubled_rows_and_doubled_beneficiaries_give_one_scroll_each():
    row = bill(paid(), paid("BN-SA/000002"), paid("bn-sa/000001"))
    once = read(row)
    assert len(once) == 2
    assert read(row, row) == once
    assert {number.upper() for number in numbers(once)} == {"BN-SA/000001", "BN-SA/000002"}


@pytest.mark.parametrize("silent", ["benfAcctNo", "benfBankIfscCode", "utrDate", "endToEndId"])
@pytest.mark.parametrize("masked", [None, "XXXX8901"])
def test_of_a_doubled_scroll_what_either_row_tells_counts(silent, masked):
    """Else a row without an account would hide that the other one tells a wrong one."""
    whole, less = bill(paid()), bill(paid(**{silent: masked if silent == "benfAcctNo" else None}))
    assert read(whole, less) == read(less, whole) == read(whole)


def test_of_two_vouchers_of_one_scroll_the_day_is_not_known():
    [scroll] = read(bill(paid()), bill(paid(), voucherNo="V2", voucherDate="2024-06-11"))
    assert scroll.voucher_date is None  # so that FD asks about all days


def test_a_utr_in_other_letters_is_no_second_one():
    [scroll] = read(bill(paid()), bill(paid(utrNo="utr1 ")))
    assert scroll.utr_number.upper() == "UTR1"
    with pytest.raises(WireError, match="two UTRs for BN-SA/000001"):
        read(bill(paid()), bill(paid(utrNo="UTR2")))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"billNumber": "PI-SA/2024-25/000018"}, "the bill 'PI-SA/2024-25/000018'"),
        ({"billRefNo": "1717400000002"}, r"the bill reference '\*+0002'"),
    ],
)
def test_one_row_of_another_bill_spoils_the_reply(changes, named):
    with pytest.raises(WireError, match=named):
        read(bill(paid()), bill(paid("BN-SA/000002"), **changes))


def test_another_token_or_no_reference_is_no_other_bill():
    assert read(bill(paid(), tokenNumber="4", tokenDate="2024-06-30", billRefNo=None)) is not None


NO_SCROLL = {
    "no UTR": bill(paid(utrNo=None)),
    "blank UTR": bill(paid(utrNo=" ")),
    "no voucher": bill(paid(), voucherNo=None),
    "one of two without UTR": bill(paid("BN-SA/000002"), paid(utrNo="")),
}


@pytest.mark.parametrize("row", NO_SCROLL.values(), ids=NO_SCROLL.keys())
def test_a_scroll_without_voucher_or_utr_is_refused_by_name(row):
    with pytest.raises(WireError, match=rf"{PI_NUMBER} has no voucher or UTR for BN-SA/000001") as refused:
        read(row)
    assert "12345678901" not in str(refused.value)


@pytest.mark.parametrize(
    ("row", "where"),
    [
        (bill(paid(benfId=None)), r"benfDtls\.0\.benfId"),
        (bill(paid(), paid(utrDate="06-06-2024")), r"benfDtls\.1\.utrDate"),
        (bill(paid(), voucherDate="2024-02-30"), "voucherDate"),
        (bill(benfDtls={"benfId": "BN-SA/000001"}), "benfDtls"),
        (bill(benfDtls=["BN-SA/000001"]), r"benfDtls\.0"),
    ],
    ids=["nobody named", "day and month swapped", "30 February", "an object", "a text"],
)
def test_a_field_that_is_not_as_agreed_is_named(row, where):
    with pytest.raises(WireError, match=f"row 1 of the PD reply: {where}"):
        read(row)


@pytest.mark.parametrize(
    "text",
    ["Sample text that nobody knows", "Not paid by RBI", "Paid and reversed by bank", "Paid", "Credit reversed"],
)
def test_a_status_that_is_not_known_to_say_paid_is_never_taken_for_it(text):
    """money-rules.md R6: an unknown text is an error, never a guess, though the scroll has its UTR."""
    with pytest.raises(UnknownTextError, match="none that is known to say paid"):
        read(bill(paid()), bill(paid("BN-SA/000002", utrNo="UTR2"), paymentStatus=f"{text} 12345678901"))
    assert read(bill(paymentStatus=text)) is None


def test_a_row_that_is_known_not_to_be_paid_has_no_scrolls():
    late = Phrase((Service.PD,), "Sample late return", Meaning.NOT_PAID, "a test")
    reply = Reply(
        "PD", data=[bill(paid()), bill(paid("BN-SA/000002", utrNo="UTR2"), paymentStatus="Sample late return")]
    )
    (scroll,) = PaymentDetails().read(instruction(), reply, shipped().with_site([late])).scrolls
    assert scroll.beneficiary_number == "BN-SA/000001"


def test_a_status_is_kept_without_the_account_that_it_quotes():
    said = "Paid into 000012345678"
    known = Phrase((Service.PD,), "Paid into {number}", Meaning.PAID, "sample")
    reply = Reply("PD", data=[bill(paid(), paymentStatus=said)])
    (scroll,) = PaymentDetails().read(instruction(), reply, shipped().with_site([known])).scrolls
    assert scroll.message == "Paid into ********5678"


def test_dates_may_be_missing():
    (scroll,) = read(bill(paid(utrDate=None, endToEndId=None), voucherDate=None, paymentStatus=None))
    assert (scroll.voucher_date, scroll.utr_date, scroll.end_to_end_id, scroll.message) == (None, None, None, None)


def test_no_error_changes_a_pi():
    rejected = ReplyError(None, f"This Bill Number {PI_NUMBER} is rejected by SSU Sample Office")
    assert shipped().errors(Service.PD, (rejected,), PI_NUMBER) is None
    with pytest.raises(TypeError, match="tells of no rejections"):
        PaymentDetails().rejected(None, instruction(), None, (rejected,))


@pytest.mark.parametrize("change", [{"benfAcctNo": "12345678902"}, {"benfBankIfscCode": "SAMP0000002"}])
def test_one_beneficiary_on_two_accounts_is_refused_by_name(change):
    with pytest.raises(WireError, match="(?i)two accounts for BN-SA/000001") as refused:
        read(bill(paid()), bill(paid("bn-sa/000001", **change)))
    assert "1234567890" not in str(refused.value)
    assert numbers(read(bill(paid()), bill(paid(benfAcctNo="*******8901")))) == ["BN-SA/000001"]


@pytest.mark.parametrize("changes", [{"billNumber": "PI-SA/2024-25/000018"}, {"billRefNo": "1717400000002"}])
def test_a_row_of_another_bill_spoils_the_reply_though_the_last_one_is_right(changes):
    with pytest.raises(WireError, match="the bill"):
        read(bill(paid("BN-SA/000002"), **changes), bill(paid()))


def test_who_is_paid_is_read_behind_a_row_that_is_known_not_to_be():
    late = Phrase((Service.PD,), "Sample late return", Meaning.NOT_PAID, "a test")
    reply = Reply("PD", data=[bill(paid("BN-SA/000002"), paymentStatus="Sample late return"), bill(paid())])
    assert numbers(PaymentDetails().read(instruction(), reply, shipped().with_site([late])).scrolls) == ["BN-SA/000001"]


def test_of_a_name_that_is_no_number_of_ours_a_hundred_characters_are_said():
    with pytest.raises(WireError, match=rf"UTR for {'B' * 100}$"):
        read(bill(paid("B" * 120, utrNo=None)))


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_who_is_paid_has_an_sms_and_the_index_an_update_while_others_wait(adapter, treasury):
    with psycopg.connect(adapter.dsn) as connection:
        set_subscriptions(connection, ["sms", "pi_index"])
    adapter.run("VA")
    wage_bill(adapter, payees=2)
    for service in ("PA", "PI", "PIS", "PAG"):
        adapter.run(service)

    def told(topic):
        rows = adapter.rows("SELECT payload FROM ifms.outbox WHERE topic = %s ORDER BY id", topic)
        return [row["payload"] for row in rows]

    before = told("pi_index")
    treasury.rule("PD", "partial_scrolls", beneficiaries=1)
    adapter.run("PD")
    utr = "SELECT utr_number FROM ifms.beneficiary WHERE status = 'Payment Successful' ORDER BY beneficiary_number"
    assert [(sms["outcome"], sms["utr"]) for sms in told("sms")] == [("paid", adapter.rows(utr)[0]["utr_number"])]
    assert len(told("pi_index")) == len(before) + 1
    treasury.clear()
    adapter.run("PD")
    assert sorted(sms["utr"] for sms in told("sms")) == sorted(row["utr_number"] for row in adapter.rows(utr))


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
@pytest.mark.parametrize("left", [0, 1], ids=["all are paid", "one waits"])
def test_another_utr_of_somebody_who_is_paid_stops_nobody_and_is_told(adapter, treasury, left):
    adapter.run("VA")
    wage_bill(adapter, payees=4)
    for service in ("PA", "PI", "PIS", "PAG"):
        adapter.run(service)
    treasury.rule("PD", "partial_scrolls", beneficiaries=2)
    treasury.rule("PD", "unknown_text", field="utrNo", text="SAMPLE-1", times=1)
    adapter.run("PD")
    paid = "SELECT beneficiary_number AS number, utr_number AS utr FROM ifms.beneficiary WHERE status = %s ORDER BY 1"
    before = adapter.rows(paid, "Payment Successful")
    first, second = (f"{row['number']} \\(before: SAMPLE-1\\)" for row in before)
    treasury.clear()
    if left:
        treasury.rule("PD", "partial_scrolls", beneficiaries=3)
    told = f"tells another UTR than before of {first}, {second}: ask it whether it paid twice"
    with pytest.raises(SweepNeedsAttentionError, match=told):
        adapter.run("PD")
    assert adapter.statuses() == Counter({"IN PROCESS" if left else "SUCCESSFUL": 1})
    rows = adapter.rows(paid, "Payment Successful")
    assert len(rows) == 4 - left
    assert [row for row in rows if row["utr"] == "SAMPLE-1"] == before
    [logged] = adapter.rows("SELECT message FROM ifms.status_log WHERE message LIKE '%%another UTR%%'")
    assert before[0]["number"] in logged["message"]


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("benfAcctNo", "99999999999", "an account that ends in 9999"),
        ("benfBankIfscCode", "OTHR0999999", r"OTHR\*{5}99"),
    ],
)
def test_a_scroll_of_another_account_than_was_sent_pays_nobody_and_stops_no_other(adapter, treasury, field, text, said):
    adapter.run("VA")
    wage_bill(adapter, payees=3)
    for service in ("PA", "PI", "PIS", "PAG"):
        adapter.run(service)
    treasury.rule("PD", "partial_scrolls", beneficiaries=1)
    treasury.rule("PD", "unknown_text", field=field, text=text)
    for _ in range(2):
        with pytest.raises(
            SweepNeedsAttentionError, match=rf"the scroll of BN-\S+ \(it names .*{said}.* is not booked"
        ):
            adapter.run("PD")
    statuses = "SELECT status FROM ifms.beneficiary ORDER BY beneficiary_number"
    assert {row["status"] for row in adapter.rows(statuses)} == {"Payment In Process"}
    assert adapter.rows("SELECT 1 FROM ifms.outbox WHERE payload->>'lineStatus' = 'SUCCESSFUL'") == []
    with pytest.raises(SweepNeedsAttentionError, match="is told of as paid by"):
        adapter.reconcile()
    treasury.clear()
    treasury.rule("PD", "unknown_text", field=field, text=text)
    [kept] = adapter.rows("SELECT id FROM ifms.other_transfer")
    with psycopg.connect(adapter.dsn) as connection:
        failures.settle_transfer(connection, kept["id"], has_paid=True, reason="its bank has it", person="sample")
    each = rf"BN-\S+ \(it names .*{said}.*\)"
    with pytest.raises(SweepNeedsAttentionError, match=f"of {each}, {each} is not booked.* settle-transfer`"):
        adapter.run("PD")
    assert Counter(row["status"] for row in adapter.rows(statuses)) == {
        "Payment In Process": 2,
        "Payment Successful": 1,
    }
    treasury.clear()
    adapter.run("PD")
    assert adapter.statuses() == Counter(SUCCESSFUL=1)


@pytest.mark.parametrize(
    ("others", "status"), [(BeneficiaryStatus.INITIATED, "INITIATED"), (BeneficiaryStatus.FAILED, "PARTIAL")]
)
def test_all_lines_of_each_who_is_paid_are_told_and_how_the_payment_stands(ledger, others, status):
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(400))
    ledger.db.transact(lambda c: beneficiaries.set_beneficiaries(c, pi, BeneficiaryStatus.PENDING, others))

    def tell(connection):
        writes = Writes(connection)
        paid = [Payee(pi.id, "BN-SA/1", ["b", "a"]), Payee(pi.id, "BN-SA/2", ["c"])]
        enqueue_paid(writes, pi, paid, *beneficiaries.standing(connection, [pi]))
        writes.flush()

    ledger.db.transact(tell)
    assert ledger.one("SELECT payload FROM ifms.outbox WHERE topic = 'payment_status'") == {
        "paymentNumber": pi.payment_number,
        "status": status,
        "referenceStatus": f"PAYMENT_{status}",
        "lines": ["a", "b", "c"],
        "lineStatus": "SUCCESSFUL",
        "above": None,
    }
