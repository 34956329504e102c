from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ifms.errors import BadInputError, PlatformReplyError
from ifms.platform.models import (
    AuditDetails,
    BankAccount,
    Bill,
    City,
    HeadOfAccount,
    Individual,
    LineItem,
    NewPayment,
    Organisation,
    Payment,
    by_number,
)
from ifms.strict_json import decode, encode


def test_a_payment_goes_back_as_it_came_but_for_two_decimals(payment_row):
    sent = encode(Payment.model_validate(payment_row).wire())
    assert decode(sent) == payment_row
    assert b'"netPayableAmount": 1000.00' in sent
    assert b'"ratio": 0.125' in sent


def test_a_status_is_set_on_all_four_levels_of_a_copy(payment_row):
    payment = Payment.model_validate(payment_row)
    failed = payment.with_status("FAILED", "PAYMENT_DECLINED")
    text = encode(failed.wire()).decode()
    assert text.count('"status": "FAILED"') == 6
    assert '"referenceStatus": "PAYMENT_DECLINED"' in text
    assert payment.bills[0].bill_details[0].payable_line_items[0].status == "INITIATED"


@pytest.mark.parametrize("level", ["payment", "bill", "detail", "line"])
def test_a_missing_status_is_found_on_every_level(payment_row, level):
    payment = Payment.model_validate(payment_row)
    assert payment.missing_status() is None
    bill = payment.bills[0]
    detail = bill.bill_details[1]
    {"payment": payment, "bill": bill, "detail": detail, "line": detail.payable_line_items[0]}[level].status = None
    assert level in payment.missing_status()


@given(st.decimals(min_value="0.01", max_value="9999999999.99", places=2))
def test_the_payment_of_a_bill_pays_exactly_the_bill(amount):
    row = {
        "id": "b",
        "tenantId": "od.demo",
        "totalAmount": amount,
        "billDetails": [
            {"id": "d", "totalAmount": amount, "payableLineItems": [{"id": "l", "amount": amount, "status": "ACTIVE"}]}
        ],
    }
    sent = decode(encode(NewPayment.for_bill(Bill.model_validate(row)).wire()))
    assert sent["netPayableAmount"] == sent["netPaidAmount"] == amount
    assert sent["bills"][0]["billDetails"][0]["payableLineItems"] == [
        {"lineItemId": "l", "tenantId": "od.demo", "paidAmount": amount}
    ]


def test_only_active_lines_are_paid(wage_bill):
    payment = NewPayment.for_bill(Bill.model_validate(wage_bill))
    lines = [line.line_item_id for detail in payment.bills[0].bill_details for line in detail.payable_line_items]
    assert lines == ["line-1", "line-2"]


@pytest.mark.parametrize("amount", [-1, Decimal("-0.01"), Decimal("0.001"), Decimal("1E+16")])
def test_a_line_that_is_no_amount_to_pay_is_refused_by_bill_and_line(wage_bill, amount):
    wage_bill["billDetails"][0]["payableLineItems"][0]["amount"] = amount
    with pytest.raises(BadInputError, match=r"WB/2026-27/000001.*line-1"):
        Bill.model_validate(wage_bill).checked_details()


def test_sums_that_disagree_are_refused(wage_bill):
    wage_bill["totalAmount"] = Decimal("1000.01")
    with pytest.raises(BadInputError, match=r"says 1000\.01, its details add up to 1000\.00"):
        Bill.model_validate(wage_bill).checked_details()
    wage_bill["billDetails"][1]["totalAmount"] = 99
    with pytest.raises(BadInputError, match="detail detail-2 says 99"):
        Bill.model_validate(wage_bill).checked_details()


def test_a_bill_with_nothing_to_pay_is_refused(wage_bill):
    wage_bill["billDetails"] = None
    with pytest.raises(BadInputError, match="no active payable line"):
        NewPayment.for_bill(Bill.model_validate(wage_bill))


def of_nothing(detail: Any) -> Any:
    """The detail with its lines at zero rupees."""
    lines = [line | {"amount": Decimal("0.00")} for line in detail["payableLineItems"]]
    return detail | {"totalAmount": 0, "payableLineItems": lines}


def test_a_line_of_zero_rupees_is_in_the_payment_and_stops_no_other(wage_bill):
    """The platform wants the whole bill in its payment, each line with its amount."""
    wage_bill["billDetails"][1] = of_nothing(wage_bill["billDetails"][1])
    wage_bill["totalAmount"] = 900
    payment = NewPayment.for_bill(Bill.model_validate(wage_bill))
    assert payment.net_payable_amount == 900
    lines = {
        line.line_item_id: line.paid_amount for d in payment.bills[0].bill_details for line in d.payable_line_items
    }
    assert lines == {"line-1": 900, "line-2": 0}


def test_a_bill_of_zero_rupees_is_refused_by_name(wage_bill):
    wage_bill["billDetails"] = [of_nothing(detail) for detail in wage_bill["billDetails"]]
    wage_bill["totalAmount"] = 0
    with pytest.raises(BadInputError, match="WB/2026-27/000001 of od.demo has only lines of zero rupees"):
        NewPayment.for_bill(Bill.model_validate(wage_bill))


def test_a_line_of_zero_rupees_is_settled_and_a_detail_that_has_no_other(payment_row):
    """Whatever becomes of the others; those and what is above them stay as they are."""
    details = payment_row["bills"][0]["billDetails"]
    details[0]["payableLineItems"][0]["paidAmount"] = 0
    details[1]["payableLineItems"].append(details[1]["payableLineItems"][0] | {"id": "z", "paidAmount": Decimal("0.0")})
    before = Payment.model_validate(payment_row).with_status("FAILED", "PAYMENT_FAILED")
    after = before.with_nothing_owed()
    shown = [[d.status, *(line.status for line in d.payable_line_items)] for d in after.bills[0].bill_details]
    assert shown == [["SUCCESSFUL", "SUCCESSFUL"], ["FAILED", "FAILED", "SUCCESSFUL"]]
    assert (after.status, after.bills[0].status) == ("FAILED", "FAILED")
    assert before.bills[0].bill_details[0].status == "FAILED"


@pytest.mark.parametrize("amount", ["900", True, None, Decimal("1E+9999"), Decimal("1E-9999"), Decimal("NaN"), 1.5])
def test_an_amount_must_be_a_plausible_json_number(amount):
    with pytest.raises(ValidationError) as caught:
        LineItem.model_validate({"id": "l", "amount": amount})
    assert "input_value" not in str(caught.value)


def test_a_repr_tells_the_id_and_nothing_else(account_row):
    account = BankAccount.model_validate(account_row)
    assert repr(account) == "BankAccount(id='acc-1')"
    assert str(account.primary) == "BankAccountDetail(id='acc-detail-1')"


def test_the_primary_detail_is_active_primary_and_the_newest(account_row):
    first = account_row["bankAccountDetails"][0]
    account_row["bankAccountDetails"] = [
        first | {"id": "old"},
        first | {"id": "z", "auditDetails": {"lastModifiedTime": 20}},
        first | {"id": "y", "auditDetails": {"lastModifiedTime": 20}},
        first | {"id": "off", "isActive": False, "auditDetails": {"lastModifiedTime": 30}},
        first | {"id": "second", "isPrimary": False, "auditDetails": {"lastModifiedTime": 30}},
    ]
    primary = BankAccount.model_validate(account_row).primary
    assert (primary.id, primary.ifsc) == ("y", "SAMP0000001")
    account_row["bankAccountDetails"] = None
    assert BankAccount.model_validate(account_row).primary is None


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"gender": "FEMALE"}, ("FEMALE", None)),
        (
            {"gender": " Female ", "additionalFields": {"fields": [{"key": "SOCIAL_CATEGORY", "value": "sc"}]}},
            ("FEMALE", "SC"),
        ),
        (
            {"additionalFields": {"fields": [{"key": "OTHER", "value": "x"}, 7, {"key": "SOCIAL_CATEGORY"}]}},
            (None, None),
        ),
        ({"gender": None, "additionalFields": None}, (None, None)),
        ({"gender": 7, "additionalFields": []}, (None, None)),
        ({"gender": ["MALE"], "additionalFields": {"fields": {"key": "SOCIAL_CATEGORY"}}}, (None, None)),
        (
            {"gender": "x" * 41, "additionalFields": {"fields": [{"key": "SOCIAL_CATEGORY", "value": "=1+1"}]}},
            (None, None),
        ),
        ({"gender": "ମହିଳା", "additionalFields": "SC"}, (None, None)),
    ],
)
def test_what_is_read_for_counting_alone_stops_no_payment(given: dict[str, object], read: tuple[object, object]):
    individual = Individual.model_validate({"id": "i"} | given)
    assert (individual.gender, individual.social_category) == read
    assert not any(str(value) in repr(individual) for value in read if value)


def test_addresses_are_built_of_what_there_is():
    individual = {
        "id": "i",
        "mobileNumber": 9000000001,
        "address": [{"ward": {"code": "W1"}, "locality": {"code": "L1"}}],
    }
    assert Individual.model_validate(individual).address_line == "W1 L1"
    assert Individual.model_validate(individual).mobile_number == "9000000001"
    assert (
        Individual.model_validate({"id": "i", "address": [{"ward": None, "locality": {"code": "L1"}}]}).address_line
        == "L1"
    )
    assert Individual.model_validate({"id": "i"}).address_line == ""
    organisation = {
        "id": "o",
        "orgAddress": [{"boundaryCode": "B1", "city": "Sample City"}],
        "contactDetails": [{"contactMobileNumber": "9000000002"}],
    }
    assert Organisation.model_validate(organisation).address_line == "B1 Sample City"
    assert Organisation.model_validate(organisation).mobile_number == "9000000002"
    assert Organisation.model_validate({"id": "o"}).mobile_number is None


@pytest.mark.parametrize("time", [-1, 4_102_444_800_000, 10**30, "soon", 1.5])
def test_a_time_that_is_none_is_refused(time):
    with pytest.raises(ValidationError):
        AuditDetails.model_validate({"createdTime": time})


@pytest.mark.parametrize("time", [-1, 4_102_444_800_000, 10**30, "soon", 1.5])
def test_a_head_of_account_without_a_sound_beginning_or_scheme_is_one_all_the_same(time):
    """Without a beginning it is asked about from the first day on."""
    row = {"code": "1", "sequence": 1, "schemeCode": ["1"], "active": True, "effectiveFrom": time, "effectiveTo": time}
    head = HeadOfAccount.model_validate(row)
    assert (head.effective_from, head.scheme_code) == (None, None)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("Sample A", "Sample A"),
        ("a\0b\ud800\nc", "a b c"),
        ("\u0b28\u0b4d\u200c\u0b28", "\u0b28\u0b4d\u200c\u0b28"),  # a joiner is part of a name
        ("x" * 5000, "x" * 200),
        (" ", None),
        (["Sample"], None),
        (None, None),
    ],
)
def test_a_name_of_master_data_can_be_kept_and_shown(name, read):
    assert City.model_validate({"code": "od.a", "name": name}).name == read


@pytest.mark.parametrize("text", ["x" * 129, "a\0", "a\nb", "\ud800"])
@pytest.mark.parametrize("name", ["id", "tenantId", "billNumber", "status", "wfStatus", "referenceId"])
def test_what_something_is_named_by_has_bounds(wage_bill, name, text):
    with pytest.raises(ValidationError, match=name):
        Bill.model_validate({**wage_bill, name: text})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "CANCELLED"}, "is CANCELLED"),
        ({"status": "INACTIVE"}, "is INACTIVE"),
        ({"status": "REJECTED", "wfStatus": None}, "is REJECTED"),
        ({"status": "INWORKFLOW", "wfStatus": None}, "is INWORKFLOW"),
        ({"status": None}, "has no status"),
        ({"wfStatus": "PENDING_FOR_CORRECTION"}, "is PENDING_FOR_CORRECTION in its workflow"),
        ({"wfStatus": None}, None),
        ({"wfStatus": ""}, None),
        ({"wfStatus": "approved"}, None),
    ],
)
def test_a_bill_says_why_it_must_not_be_paid(wage_bill, changes, said):
    assert Bill.model_validate({**wage_bill, "wfStatus": "APPROVED", **changes}).stopped == said


@pytest.mark.parametrize("status", ["CANCELLED", "REJECTED", "INACTIVE", "inactive"])
def test_no_line_of_a_detail_that_is_switched_off_is_active(wage_bill, status):
    bill = Bill.model_validate(wage_bill)
    assert bill.bill_details[0].active_lines
    bill.bill_details[0].status = status
    assert bill.bill_details[0].active_lines == []


def test_a_payment_says_what_of_it_is_cancelled(payment_row):
    payment = Payment.model_validate(payment_row)
    assert (payment.cancelled, payment.cancelled_lines) == (None, frozenset())
    detail = payment.bills[0].bill_details[0]
    first = {line.line_item_id for line in detail.payable_line_items}
    detail.status = "CANCELLED"
    assert (payment.cancelled, payment.cancelled_lines) == (None, first)
    for other in payment.bills[0].bill_details[1:]:
        for line in other.payable_line_items:
            line.status = "CANCELLED"
    assert payment.cancelled == "has cancelled lines only"
    payment.bills[0].status = "CANCELLED"
    assert payment.cancelled == f"is cancelled for bill {payment.bills[0].bill_id}"
    payment.status = "CANCELLED"
    assert payment.cancelled == "is cancelled"


def test_a_number_that_names_several_payments_is_an_error_that_says_which(payment_row):
    rows = [
        payment_row | {"id": name, "paymentNumber": number} for name, number in (("b", "P1"), ("a", "P1"), ("c", "P2"))
    ]
    told = [Payment.model_validate(row) for row in [*rows, payment_row | {"id": "d", "paymentNumber": None}]]
    found = by_number([*told, told[2]])
    assert found.keys() == {"P1", "P2"}
    assert found["P2"] == told[2]
    assert isinstance(found["P1"], PlatformReplyError)
    assert "payment number P1 is that of 2 payments on the platform (a, b)" in str(found["P1"])
