from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifms.errors import BadInputError
from ifms.platform.models import BankAccount, Bill, HeadCode, Individual, Organisation, Payment
from ifms.platform.payees import (
    PayableLine,
    PayeeDirectory,
    PayeeShare,
    ZeroLine,
    merge_by_payee,
    payable_lines,
    payees_of_lines,
    zero_lines,
)

CODES = {"WEG": HeadCode(code="WEG", category="expense"), "LC": HeadCode(code="LC", category="DEDUCTION")}


def lines_of(bill, payment, codes=CODES):
    return payable_lines(Bill.model_validate(bill), Payment.model_validate(payment), codes)


def test_a_payee_and_a_deduction(wage_bill, payment_row):
    assert lines_of(wage_bill, payment_row) == [
        PayableLine("line-1", "ind-1", "IND", "WEG", Decimal(900)),
        PayableLine("line-2", "Deduction_od.demo_LC", "DEPT", "LC", Decimal(100)),
    ]


@pytest.mark.parametrize("payee_type", ["ORG", "ORGANIZATION", "anything"])
def test_who_is_not_an_individual_is_an_organisation(wage_bill, payment_row, payee_type):
    wage_bill["billDetails"][0]["payee"]["type"] = payee_type
    assert lines_of(wage_bill, payment_row)[0].payee_type == "ORG"


@pytest.mark.parametrize(("status", "kept"), [("INITIATED", 2), ("FAILED", 2), ("SUCCESSFUL", 1), ("CANCELLED", 1)])
def test_only_unpaid_lines_are_kept(wage_bill, payment_row, status, kept):
    payment_row["bills"][0]["billDetails"][0]["payableLineItems"][0]["status"] = status
    assert len(lines_of(wage_bill, payment_row)) == kept


def test_a_payment_line_that_is_switched_off_on_the_bill_counts_nowhere(wage_bill, payment_row):
    off = {"id": "x", "lineItemId": "line-off", "paidAmount": 7, "status": "INITIATED"}
    payment_row["bills"][0]["billDetails"][0]["payableLineItems"].append(off)
    payment_row["bills"][0]["billDetails"].append(
        {"id": "y", "billDetailId": "detail-3", "totalPaidAmount": 7, "payableLineItems": [off]}
    )
    assert [line.line_item_id for line in lines_of(wage_bill, payment_row)] == ["line-1", "line-2"]


def test_an_unknown_head_code_is_named(wage_bill, payment_row):
    with pytest.raises(BadInputError, match=r"WB/2026-27/000001.*'LC'"):
        lines_of(wage_bill, payment_row, {"WEG": CODES["WEG"]})


def test_a_detail_without_payee_is_named(wage_bill, payment_row):
    wage_bill["billDetails"][0]["payee"] = None
    with pytest.raises(BadInputError, match="detail-1 names no payee"):
        lines_of(wage_bill, payment_row)


def test_whose_a_line_is_whatever_has_become_of_it(wage_bill):
    wage_bill["billDetails"][0]["payableLineItems"][0]["status"] = "INACTIVE"
    bills = [Bill.model_validate(wage_bill)]
    whose = {"line-1": "ind-1", "line-2": "Deduction_od.demo_LC"}
    assert payees_of_lines(bills, CODES, {"line-1", "line-2", "line-x"}) == whose
    assert payees_of_lines(bills, {"WEG": CODES["WEG"]}, {"line-1"}) == {"line-1": "ind-1"}
    with pytest.raises(BadInputError, match=r"WB/2026-27/000001.*'LC'"):
        payees_of_lines(bills, {"WEG": CODES["WEG"]}, whose.keys())


def with_zero_line(bill, payment, amount=Decimal("0.00"), **changes):
    """The bill and its payment with one more line in the first detail."""
    line = {"id": "line-0", "headCode": "WEG", "amount": amount, "status": "ACTIVE"} | changes
    bill["billDetails"][0]["payableLineItems"].append(line)
    paid = {"id": "pay-line-0", "lineItemId": line["id"], "paidAmount": amount, "status": "INITIATED"}
    payment["bills"][0]["billDetails"][0]["payableLineItems"].append(paid)
    return line, paid


@pytest.mark.parametrize("status", ["INITIATED", "FAILED", "SUCCESSFUL"])
def test_a_line_of_zero_rupees_is_in_nobodys_share_and_noted_by_payee(wage_bill, payment_row, status):
    _, paid = with_zero_line(wage_bill, payment_row)
    paid["status"] = status
    lines = lines_of(wage_bill, payment_row)
    assert [line.line_item_id for line in lines] == ["line-1", "line-2"]
    assert [share.line_item_ids for share in merge_by_payee(lines)] == [("line-1",), ("line-2",)]
    assert zero_lines(Bill.model_validate(wage_bill), CODES) == [ZeroLine("line-0", "ind-1")]


def test_a_deduction_of_zero_rupees_is_the_departments(wage_bill, payment_row):
    with_zero_line(wage_bill, payment_row, headCode="LC")
    assert zero_lines(Bill.model_validate(wage_bill), CODES) == [ZeroLine("line-0", "Deduction_od.demo_LC")]


def test_whose_a_line_of_zero_rupees_is_need_not_be_known(wage_bill, payment_row):
    with_zero_line(wage_bill, payment_row, headCode="NOSUCHHEAD")
    assert len(lines_of(wage_bill, payment_row)) == 2
    wage_bill["billDetails"][0]["payee"] = None
    assert zero_lines(Bill.model_validate(wage_bill), CODES) == [ZeroLine("line-0", None)]


def test_a_payment_may_lack_a_line_of_zero_rupees_and_no_other(wage_bill, payment_row):
    line, _ = with_zero_line(wage_bill, payment_row)
    del payment_row["bills"][0]["billDetails"][0]["payableLineItems"][-1]
    assert len(lines_of(wage_bill, payment_row)) == 2
    line["id"] = "line-1"  # as if it were the other one's twin
    with pytest.raises(BadInputError, match="line-1 is not in"):
        lines_of(wage_bill, payment_row)


def test_a_payment_that_pays_a_line_of_zero_rupees_is_refused(wage_bill, payment_row):
    _, paid = with_zero_line(wage_bill, payment_row)
    paid["paidAmount"] = 1
    with pytest.raises(BadInputError, match="for detail detail-1, which is 901"):
        lines_of(wage_bill, payment_row)


def spoil_line(payment):
    payment["bills"][0]["billDetails"][0]["payableLineItems"][0]["paidAmount"] = 899


def spoil_two_lines(payment):
    spoil_line(payment)
    payment["bills"][0]["billDetails"][0]["totalPaidAmount"] = 899
    payment["bills"][0]["billDetails"][1]["payableLineItems"][0]["paidAmount"] = 101
    payment["bills"][0]["billDetails"][1]["totalPaidAmount"] = 101


def spoil_detail(payment):
    payment["bills"][0]["billDetails"][0]["totalPaidAmount"] = 899


def spoil_bill(payment):
    payment["bills"][0]["totalPaidAmount"] = None


def spoil_total(payment):
    payment["netPayableAmount"] = 1001


def drop_line(payment):
    payment["bills"][0]["billDetails"][1]["payableLineItems"] = []


def other_line(payment):
    payment["bills"][0]["billDetails"][1]["payableLineItems"][0]["lineItemId"] = "line-9"


def same_line(payment):
    payment["bills"][0]["billDetails"][1]["payableLineItems"][0]["lineItemId"] = "line-1"


def other_bill(payment):
    payment["bills"][0]["billId"] = "bill-9"


def other_tenant(payment):
    payment["tenantId"] = "od.other"


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_line,
        spoil_two_lines,
        spoil_detail,
        spoil_bill,
        spoil_total,
        drop_line,
        other_line,
        same_line,
        other_bill,
        other_tenant,
    ],
)
def test_a_payment_that_disagrees_with_its_bill_is_refused_by_name(wage_bill, payment_row, spoil):
    spoil(payment_row)
    with pytest.raises(BadInputError, match=r"bill WB/2026-27/000001 of od\.demo"):
        lines_of(wage_bill, payment_row)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.decimals("0.01", "99999.99", places=2)), max_size=30))
def test_merging_keeps_the_total_and_every_line(pairs):
    lines = [PayableLine(f"l{n}", payee, "IND", "WEG", amount) for n, (payee, amount) in enumerate(pairs)]
    shares = merge_by_payee(lines)
    assert sum(share.amount for share in shares) == sum(amount for _, amount in pairs)
    assert sorted(line for share in shares for line in share.line_item_ids) == sorted(
        line.line_item_id for line in lines
    )
    assert [share.payee_id for share in shares] == list(dict.fromkeys(payee for payee, _ in pairs))


def test_one_id_as_two_types_or_a_line_twice_is_refused():
    line = PayableLine("l1", "x", "IND", "WEG", Decimal(1))
    with pytest.raises(BadInputError, match="both IND and ORG"):
        merge_by_payee([line, PayableLine("l2", "x", "ORG", "WEG", Decimal(1))])
    with pytest.raises(BadInputError, match="l1 occurs twice"):
        merge_by_payee([line, line])


@pytest.fixture
def directory(account_row):
    def account(reference):
        return BankAccount.model_validate(account_row | {"referenceId": reference})

    return PayeeDirectory(
        individuals={"ind-1": Individual.model_validate({"id": "ind-1", "mobileNumber": "9000000001"})},
        organisations={"org-1": Organisation.model_validate({"id": "org-1", "orgAddress": [{"city": "Sample City"}]})},
        accounts={key: account(key) for key in ("ind-1", "org-1", "Deduction_od.demo_LC", "lost")},
    )


def test_the_directory_tells_where_the_money_goes(directory):
    payee = directory.payee(PayeeShare("ind-1", "IND", Decimal(1), ()))
    assert (payee.name, payee.account_number, payee.ifsc, payee.account_type) == (
        "Sample Payee 1",
        "000000123456",
        "SAMP0000001",
        "SAVINGS",
    )
    assert (payee.mobile, payee.address, payee.bank_account_id, payee.bank_account_detail_id) == (
        "9000000001",
        "",
        "acc-1",
        "acc-detail-1",
    )
    assert directory.payee(PayeeShare("org-1", "ORG", Decimal(1), ())).address == "Sample City"
    department = directory.payee(PayeeShare("Deduction_od.demo_LC", "DEPT", Decimal(1), ()))
    assert department.mobile == "9999999999"
    assert department.address


@pytest.mark.parametrize(("payee_id", "payee_type"), [("lost", "IND"), ("lost", "ORG"), ("nobody", "DEPT")])
def test_a_payee_that_cannot_be_paid_is_named(directory, payee_id, payee_type):
    with pytest.raises(BadInputError, match=payee_id):
        directory.payee(PayeeShare(payee_id, payee_type, Decimal(1), ()))


def test_nothing_personal_is_in_a_repr(directory):
    shown = repr(directory) + repr(directory.payee(PayeeShare("ind-1", "IND", Decimal(1), ())))
    assert "ind-1" in shown
    for secret in ("Sample Payee", "123456", "SAMP0", "9000000001"):
        assert secret not in shown
