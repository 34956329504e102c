"""The content of a PI from what the platform says: payees joined by account, texts that the treasury takes."""

import re
from collections import Counter
from contextlib import nullcontext, suppress
from decimal import Decimal

import psycopg
import pytest
from support.bad_ones import BadOnes, under_one_number
from support.failed import TENANT, fail, mend, paid_and_failed, wage_bill
from support.java_rows import kept

from ifms.errors import BadInputError, SweepNeedsAttentionError
from ifms.ledger.payments import release_holds
from ifms.platform.masterdata import MasterData
from ifms.platform.models import BankAccount, Bill, Individual, Works
from ifms.platform.payees import PayeeDirectory, PayeeShare
from ifms.services.instruction_draft import additional_details, draft, numbered
from ifms.wire.pi import PiBeneficiary

SHARES = [
    PayeeShare("p1", "IND", Decimal("100.10"), ("l1",)),
    PayeeShare("p2", "IND", Decimal("200.20"), ("l2", "l3")),
    PayeeShare("Deduction_od.samplea_LC", "DEPT", Decimal("10.00"), ("l4",)),
]


def account(reference, number, ifsc="SMPL0000001", holder="Sample Payee", kind="SAVINGS"):
    return BankAccount.model_validate(
        {
            "id": f"account-{reference}",
            "referenceId": reference,
            "bankAccountDetails": [
                {
                    "id": f"detail-{reference}",
                    "accountHolderName": holder,
                    "accountNumber": number,
                    "accountType": kind,
                    "isPrimary": True,
                    "isActive": True,
                    "bankBranchIdentifier": {"code": ifsc},
                }
            ],
        }
    )


def person(identifier, mobile="9000000001"):
    return Individual.model_validate(
        {"id": identifier, "mobileNumber": mobile, "address": [{"ward": {"code": "W-1"}, "locality": {"code": "L-2"}}]}
    )


def directory(**changes):
    accounts = {
        "p1": account("p1", "000000000001"),
        "p2": account("p2", "000000000002"),
        "Deduction_od.samplea_LC": account("Deduction_od.samplea_LC", "000000000003"),
    }
    people = {"p1": person("p1"), "p2": person("p2")}
    return PayeeDirectory(people | changes.pop("people", {}), {}, accounts | changes.pop("accounts", {}))


def test_each_payee_gets_its_share_in_texts_that_the_treasury_takes():
    made = draft("Sample City", SHARES, directory(accounts={"p1": account("p1", "000000000001", holder="ସୀତା {{x}}\n")}))
    assert [share.amount for share in made] == [Decimal("100.10"), Decimal("200.20"), Decimal("10.00")]
    assert made[0].name.isascii()
    assert "{" not in made[0].name
    assert made[0].address == "W 1 L 2"
    assert made[2].payee.mobile == "9999999999"


NAMES = {
    "Odia": "ସୀତା ନମୁନା",
    "emoji": "Sample 😀 Payee",
    "NUL": "Sample\0Payee",
    "lines": "Sample\r\nPayee\n",
    "10 kB": "Sample " * 1500,
    "quotes": 'O\'Sample "Payee" `x`',
    "template": "{{ conn.ifms_treasury.password }}",
    "markup": "<script>alert(1)</script>",
    "formula": "=1+1|Sample",
    "SQL": "Sample'); DROP TABLE ifms.payment; --",
    "zero width": "Sam\u200bple\ufeff",
    "right to left": "Sample\u202eeeyaP",
}


@pytest.mark.parametrize("text", NAMES.values(), ids=NAMES)
def test_whatever_the_registry_calls_a_payee_the_treasury_takes_it(text):
    """Written in Latin letters, digits and single blanks, and the request can be built of it."""
    made = draft("Sample City", SHARES, directory(accounts={"p1": account("p1", "000000000001", holder=text)}))
    assert len(made[0].name) <= 100
    sent = PiBeneficiary(
        benef_id="BN-SA/000001",
        benef_name=made[0].name,
        benf_acct_no="000000000001",
        benf_bank_ifsc_code="SAMP0000001",
        benf_mobile_no="9999999999",
        benf_address=made[0].address,
        benf_account_type="SAVINGS",
        benf_amount=made[0].amount,
    )
    assert re.fullmatch("[A-Za-z0-9]+( [A-Za-z0-9]+)*", sent.benef_name)


@pytest.mark.parametrize("text", ["", " ", "😀", "\0", "<>", "漢字", "Пример"])
def test_a_payee_without_a_name_that_can_be_written_is_refused_by_name(text):
    with pytest.raises(BadInputError, match="payee p1: the account holder's name holds"):
        draft("Sample City", SHARES, directory(accounts={"p1": account("p1", "000000000001", holder=text)}))


def test_payees_on_one_account_are_joined_and_the_first_survives():
    made = draft("Sample City", SHARES, directory(accounts={"p2": account("p2", "000000000001")}))
    assert (made[0].payee.payee_id, made[0].amount) == ("p1", Decimal("300.30"))
    assert made[0].line_item_ids == ("l1", "l2", "l3")
    assert sum(share.amount for share in made) == sum(share.amount for share in SHARES)


def test_two_payees_without_account_are_never_joined():
    """The Java adapter joined them under null_null and sent the sum to nobody."""
    with pytest.raises(BadInputError, match="p1"):
        draft("Sample City", SHARES, directory(accounts={"p1": account("p1", ""), "p2": account("p2", "")}))


BAD = {
    "empty": (account("p2", ""), "no account number"),
    "masked": (account("p2", "********0002"), "masked"),
    "undecrypted": (account("p2", "100001|q83vEjRWeJA="), "not decrypted"),
    "forty digits": (account("p2", "1" * 40), "9 to 18 digits"),
    "blanks": (account("p2", "0000 0000 0002"), "9 to 18 digits"),
    "zero width": (account("p2", "00000000\u200b0002"), "9 to 18 digits"),
    "odia digits": (account("p2", "୦୦୦୦୦୦୦୦୦୦୦୨"), "9 to 18 digits"),
    "ifsc without zero": (account("p2", "000000000002", ifsc="SMPL1000001"), "IFSC"),
    "ifsc lower case": (account("p2", "000000000002", ifsc="smpl0000001"), "IFSC"),
    "no ifsc": (account("p2", "000000000002", ifsc=""), "no IFSC"),
    "no type": (account("p2", "000000000002", kind=" "), "without a type"),
    "no name": (account("p2", "000000000002", holder="😀"), "holder's name"),
}


@pytest.mark.parametrize(("bad", "said"), BAD.values(), ids=BAD.keys())
def test_a_payee_that_can_t_be_paid_is_named_and_its_number_is_not(bad, said):
    with pytest.raises(BadInputError, match=said) as refused:
        draft("Sample City", SHARES, directory(accounts={"p2": bad}))
    assert "p2" in str(refused.value)
    assert "0000" not in str(refused.value)


@pytest.mark.parametrize("mobile", ["", "12345", "+919000000001", "୯୦୦୦୦୦୦୦୦୧"])
def test_a_mobile_number_of_ten_digits_is_needed(mobile):
    with pytest.raises(BadInputError, match="mobile"):
        draft("Sample City", SHARES, directory(people={"p2": person("p2", mobile)}))


def test_numbers_are_given_in_order_and_no_account_is_shown():
    rows = numbered(draft("Sample City", SHARES, directory()), ["BN-1", "BN-2", "BN-3"])
    assert [row.beneficiary_number for row in rows] == ["BN-1", "BN-2", "BN-3"]
    assert rows[1].account_number == "000000000002"
    assert "00000000000" not in repr(rows)
    assert rows[1].account_last4 == "0002"
    with pytest.raises(ValueError, match="zip"):
        numbered(draft("Sample City", SHARES, directory()), ["BN-1"])


# What is cancelled on the platform ------------------------------------------------------------------------------------

CITY = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0, "persist_ms": 0})


def the_payment(adapter):
    [payment] = adapter.simulators.ask_platform("GET", "state")["payments"]
    return payment


def statuses(payment):
    """Every status of a payment, from the payment down to its lines."""
    return [payment["status"]] + [
        level["status"]
        for bill in payment["bills"]
        for detail in bill["billDetails"]
        for level in (bill, detail, *detail["payableLineItems"])
    ]


def put(adapter, status, **more):
    """A person on the platform gives the payment, or parts of it, a status."""
    order = {"paymentNumber": the_payment(adapter)["paymentNumber"], "status": status}
    adapter.simulators.ask_platform("POST", "statuses", order | more)


def put_bill(adapter, status, **more):
    """A person on the platform, or its workflow, gives the bill, or parts of it, a status."""
    [bill] = adapter.simulators.ask_platform("GET", "state")["bills"]
    adapter.simulators.ask_platform("POST", "statuses", {"billNumber": bill["billNumber"], "status": status} | more)


def lines_of(adapter):
    return [
        line["lineItemId"]
        for bill in the_payment(adapter)["bills"]
        for detail in bill["billDetails"]
        for line in detail["payableLineItems"]
    ]


def details_of(adapter):
    return [detail["billDetailId"] for bill in the_payment(adapter)["bills"] for detail in bill["billDetails"]]


STOPPED = {
    "the payment alone": (lambda a: put(a, "CANCELLED", headerOnly=True), "PAYMENT_CANCELLED"),
    "the payment with all of it": (lambda a: put(a, "CANCELLED"), "PAYMENT_CANCELLED"),
    "each of its lines": (lambda a: put(a, "CANCELLED", lines=lines_of(a)), "PAYMENT_CANCELLED"),
    "one of its lines": (lambda a: put(a, "CANCELLED", lines=lines_of(a)[:1]), "LINE_CANCELLED"),
    "one of its details": (lambda a: put(a, "CANCELLED", details=details_of(a)[:1]), "LINE_CANCELLED"),
    "the bill": (lambda a: put_bill(a, "CANCELLED"), "BILL_NOT_APPROVED"),
    "the bill, rejected": (lambda a: put_bill(a, "REJECTED", wfStatus="REJECTED"), "BILL_NOT_APPROVED"),
    "the bill, inactive": (lambda a: put_bill(a, "INACTIVE", wfStatus=None), "BILL_NOT_APPROVED"),
    "the bill, sent back": (
        lambda a: put_bill(a, "INWORKFLOW", wfStatus="PENDING_FOR_CORRECTION"),
        "BILL_NOT_APPROVED",
    ),
    "the bill, sent back by its workflow alone": (
        lambda a: put_bill(a, "ACTIVE", wfStatus="PENDING_FOR_CORRECTION"),
        "BILL_NOT_APPROVED",
    ),
}


@CITY
@pytest.mark.parametrize(("stop", "code"), STOPPED.values(), ids=STOPPED.keys())
@pytest.mark.parametrize("funded", [True, False], ids=["funded", "without funds"])
def test_what_is_cancelled_gets_no_instruction_until_that_is_undone(adapter, treasury, stop, code, funded):
    if funded:
        adapter.run("VA")
    wage_bill(adapter, 2)
    adapter.run("PA")
    if not funded:
        adapter.run("PI")  # FAILED, for want of funds, is on its way to the platform
    stop(adapter)
    told = statuses(the_payment(adapter))
    adapter.run("VA")
    with pytest.raises(SweepNeedsAttentionError, match=the_payment(adapter)["paymentNumber"]):
        adapter.run("PI")
    [held] = adapter.rows("SELECT hold_code, hold_message FROM ifms.payment")
    assert held["hold_code"] == code
    assert "CANCELLED" in held["hold_message"] or "cancelled" in held["hold_message"] or code == "BILL_NOT_APPROVED"
    assert adapter.rows("SELECT * FROM ifms.payment_instruction") == []
    adapter.run("PI")  # it is known by now
    adapter.relay()
    after = statuses(the_payment(adapter))
    assert all(now == "CANCELLED" for was, now in zip(told, after, strict=True) if was == "CANCELLED")
    if told[0] == "CANCELLED":
        assert after == told
    assert treasury.accepted == {}
    put(adapter, "INITIATED")
    put_bill(adapter, "ACTIVE", wfStatus="APPROVED")
    adapter.run("PI")
    assert adapter.statuses() == {"INITIATED": 1}
    adapter.relay()
    assert set(statuses(the_payment(adapter))) == {"INITIATED"}


@CITY
def test_a_bill_whose_workflow_status_is_left_out_is_paid(adapter):
    """The platform gives it for the first ten bills of a page only (digit-services.md §2)."""
    adapter.run("VA")
    wage_bill(adapter, 2)
    adapter.run("PA")
    put_bill(adapter, "ACTIVE", wfStatus=None)
    adapter.run("PI")
    assert adapter.statuses() == {"INITIATED": 1}


@CITY
def test_a_detail_that_is_switched_off_on_its_bill_is_not_paid(adapter):
    adapter.run("VA")
    wage_bill(adapter, 2)
    adapter.run("PA")
    detail = the_payment(adapter)["bills"][0]["billDetails"][0]["billDetailId"]
    put_bill(adapter, "INACTIVE", details=[detail])
    with pytest.raises(SweepNeedsAttentionError, match="add up to"):  # the bill's total is another one now
        adapter.run("PI")
    assert adapter.rows("SELECT hold_code FROM ifms.payment") == [{"hold_code": "PAYMENT_NOT_PAYABLE"}]


@CITY
def test_a_cancelled_bill_gets_no_payment(adapter):
    wage_bill(adapter, 2)
    put_bill(adapter, "CANCELLED")
    adapter.run("PA")
    assert adapter.simulators.ask_platform("GET", "state")["payments"] == []


@CITY
@pytest.mark.parametrize("stop", ["payment", "line", "bill"])
def test_what_is_cancelled_meanwhile_is_not_corrected(adapter, stop):
    adapter.run("VA")
    paid_and_failed(adapter, 2, 1)
    adapter.relay()
    mend(adapter)
    [failed] = adapter.rows("SELECT line_item_ids FROM ifms.beneficiary WHERE status = 'Payment Failed'")
    if stop == "payment":
        put(adapter, "CANCELLED", headerOnly=True)
    elif stop == "line":
        put(adapter, "CANCELLED", lines=failed["line_item_ids"])
    else:
        put_bill(adapter, "CANCELLED")
    adapter.correct()
    assert adapter.rows("SELECT * FROM ifms.payment_instruction WHERE pi_type = 'REVISED'") == []
    put(adapter, "PARTIAL", headerOnly=True)
    put(adapter, "FAILED", lines=failed["line_item_ids"])
    put_bill(adapter, "ACTIVE")
    adapter.correct()
    assert len(adapter.rows("SELECT * FROM ifms.payment_instruction WHERE pi_type = 'REVISED'")) == 1


# Lines of zero rupees -------------------------------------------------------------------------------------------------


def order_bill(adapter, **order):
    [bill] = adapter.simulators.ask_platform("POST", "bills", {"type": "wage", "tenantId": "od.samplea"} | order)
    return bill


def zero_lines_of(payment):
    return {
        line["lineItemId"]: line["status"]
        for bill in payment["bills"]
        for detail in bill["billDetails"]
        for line in detail["payableLineItems"]
        if not line["paidAmount"]
    }


@CITY
def test_a_bill_with_lines_of_zero_rupees_is_paid_for_its_others(adapter, treasury):
    """A payee with nothing at all is no beneficiary; one with a line of nothing besides is paid for the other."""
    bill = order_bill(adapter, amounts=["500.00", "0", "250.50"], zero_lines=1)
    adapter.run("VA")
    adapter.run("PA")
    adapter.run("PI")
    [pi] = adapter.rows("SELECT * FROM ifms.payment_instruction")
    rows = adapter.rows("SELECT beneficiary_id, amount, line_item_ids FROM ifms.beneficiary ORDER BY amount")
    payment = the_payment(adapter)
    assert pi["status"] == "INITIATED"
    assert (pi["gross_amount"], pi["net_amount"], pi["beneficiary_count"]) == (Decimal("750.50"), Decimal("750.50"), 2)
    assert Decimal(str(payment["netPayableAmount"])) == pi["net_amount"]
    assert adapter.rows("SELECT amount FROM ifms.payment") == [{"amount": pi["net_amount"]}]
    assert [(row["beneficiary_id"], row["amount"]) for row in rows] == [
        (bill["payees"][2], Decimal("250.50")),
        (bill["payees"][0], Decimal("500.00")),
    ]
    noted = pi["additional_details"]["nothingToPay"]
    zero = zero_lines_of(payment)
    assert len(zero) == 4  # the second payee's own, and one of each
    assert {each["lineItemId"] for each in noted} == set(zero)
    assert Counter(each["beneficiaryId"] for each in noted) == Counter([*bill["payees"], bill["payees"][1]])
    assert not set(zero) & {line for row in rows for line in row["line_item_ids"]}
    adapter.run("RELAY")
    assert set(zero_lines_of(the_payment(adapter)).values()) == {"SUCCESSFUL"}
    for service in ("PIS", "PAG", "PD", "RELAY"):
        adapter.run(service)
    assert set(statuses(the_payment(adapter))) == {"SUCCESSFUL"}
    assert adapter.reconcile().problems == []


@CITY
def test_a_payee_with_nothing_to_get_needs_no_account(adapter, treasury):
    order_bill(adapter, amounts=["500.00", "0.00"], broken="no_account")
    adapter.run("VA")
    adapter.run("PA")
    adapter.run("PI")
    assert adapter.rows("SELECT beneficiary_count FROM ifms.payment_instruction") == [{"beneficiary_count": 1}]


@CITY
def test_a_deduction_of_zero_rupees_is_noted_and_the_others_are_taken_off(adapter, treasury):
    order_bill(adapter, type="purchase", amounts=["900.00"], deductions={"LC": "0.00", "ITTDS": "100.00"})
    adapter.run("VA")
    adapter.run("PA")
    adapter.run("PI")
    [pi] = adapter.rows("SELECT * FROM ifms.payment_instruction")
    assert (pi["net_amount"], pi["beneficiary_count"]) == (Decimal("1000.00"), 2)
    assert [each["beneficiaryId"] for each in pi["additional_details"]["nothingToPay"]] == ["Deduction_od.samplea_LC"]


@CITY
def test_lines_of_zero_rupees_stay_settled_while_the_others_are_declined_returned_and_corrected(adapter, treasury):
    """Whatever the platform is told of the payment, of these there is nothing to tell but that nothing is open."""
    order_bill(adapter, amounts=["500.00", "0.00", "250.00"])
    adapter.run("PA")

    def told():
        adapter.run("RELAY")
        payment = the_payment(adapter)
        assert set(zero_lines_of(payment).values()) == {"SUCCESSFUL"}
        zero = set(zero_lines_of(payment))
        return payment["status"], Counter(
            line["status"]
            for detail in payment["bills"][0]["billDetails"]
            for line in detail["payableLineItems"]
            if line["lineItemId"] not in zero
        )

    adapter.run("PI")  # no funds
    assert told() == ("FAILED", Counter(FAILED=2))
    adapter.run("VA")
    treasury.rule("PI", "error", errorMsg="Insufficient fund", times=1)
    adapter.run("PI")
    assert told() == ("FAILED", Counter(FAILED=2))
    with psycopg.connect(adapter.dsn) as connection:
        release_holds(connection, [the_payment(adapter)["paymentNumber"]])
    for service in ("PI", "PIS", "PAG", "PD"):
        adapter.run(service)
    fail(
        adapter,
        1,
        adapter.rows("SELECT pi_number FROM ifms.payment_instruction WHERE status <> 'FAILED'")[0]["pi_number"],
    )
    adapter.run("FD")
    assert told() == ("PARTIAL", Counter(SUCCESSFUL=1, FAILED=1))
    mend(adapter)
    adapter.correct()
    assert told() == ("INITIATED", Counter(SUCCESSFUL=1, INITIATED=1))
    adapter.run("FTPS")
    assert told() == ("SUCCESSFUL", Counter(SUCCESSFUL=2))
    assert set(statuses(the_payment(adapter))) == {"SUCCESSFUL"}
    assert adapter.reconcile().problems == []
    notes = adapter.rows("SELECT pi_type, additional_details ? 'nothingToPay' AS noted FROM ifms.payment_instruction")
    assert {row["noted"] for row in notes if row["pi_type"] == "ORIGINAL"} == {True}


@CITY
def test_a_bill_of_zero_rupees_or_with_a_line_below_gets_no_payment_and_is_named(adapter):
    nothing = order_bill(adapter, amounts=["0", "0.00"])
    with pytest.raises(SweepNeedsAttentionError, match=f"{nothing['billNumber']}.*only lines of zero rupees"):
        adapter.run("PA")
    below = order_bill(adapter, amounts=["500.00", "-1.00", "0"])
    sweep = adapter.sweep("PA")
    with pytest.raises(SweepNeedsAttentionError), sweep:
        adapter.work(sweep)
    assert any(below["billNumber"] in each and "-1.00 is less than zero" in each for each in sweep.problems)
    assert adapter.simulators.ask_platform("GET", "state")["payments"] == []


def test_what_bills_tell_of_their_works_is_kept_and_what_names_nothing_is_not():
    def bill(number, details):
        row = {"id": number, "tenantId": "od.samplea", "billNumber": number, "totalAmount": 1, "billDetails": []}
        return Bill.model_validate(row | {"additionalDetails": details})

    bills = [
        bill("PB/2", {"ward": " W2 ", "projectId": "PJ/2", "projectName": "Sample Project"}),
        bill("PB/1", {"ward": "W1", "projectId": "PJ/2", "projectName": None}),
        *(
            bill(f"WB/{n}", told)
            for n, told in enumerate((None, [], "x", {"ward": 7}, {"ward": "a\0"}, {"ward": "x" * 9999}))
        ),
    ]
    found = additional_details(bills, {}, MasterData((), (), {}, {}))
    assert found["ward"] == ["W1", "W2"]
    assert (found["projectNumber"], found["projectName"]) == (["PJ/2"], ["Sample Project"])
    told = {"PB/1": Works(("WO/1",), ("PJ/9",))}
    assert additional_details(bills, told, MasterData((), (), {}, {}))["projectNumber"] == [
        "PJ/9"
    ]  # the calculator knows better
    assert set(additional_details(bills[2:], {}, MasterData((), (), {}, {}))) == {"billNumber", "referenceId"}


# One that the platform can't be asked about --------------------------------------------------------------------------


def bills(adapter, count, **more):
    order = {"type": "wage", "tenantId": TENANT, "payees": 1, "count": count, **more}
    return adapter.simulators.ask_platform("POST", "bills", order)


def held(adapter):
    return Counter(row["hold_code"] for row in adapter.rows("SELECT hold_code FROM ifms.payment WHERE paid_by IS NULL"))


@CITY
def test_payees_that_a_registry_fails_about_keep_no_other_from_being_paid(adapter, monkeypatch):
    made = bills(adapter, 10)
    for service in ("VA", "PA"):
        adapter.run(service)
    bad = BadOnes(monkeypatch, "individual/v1", made[0]["payees"][0], made[7]["payees"][0])
    with pytest.raises(SweepNeedsAttentionError, match=r"2 problem.*could not be looked up on the platform"):
        adapter.run("PI")
    assert adapter.statuses() == Counter(INITIATED=8)
    assert held(adapter) == Counter(PLATFORM_TROUBLE=2)
    bad.texts = ()
    adapter.run("PI")
    assert adapter.statuses() == Counter(INITIATED=10)


@CITY
def test_a_registry_that_is_away_is_not_asked_about_each_payee(adapter, monkeypatch):
    bills(adapter, 10)
    for service in ("VA", "PA"):
        adapter.run(service)
    bad = BadOnes(monkeypatch, "individual/v1", "")
    for _ in range(2):
        bad.calls = 0
        with suppress(SweepNeedsAttentionError):
            adapter.run("PI")
        assert bad.calls == 3 + 5
        assert held(adapter) == Counter(PLATFORM_TROUBLE=10)
    bad.texts = ()
    adapter.run("PI")
    assert adapter.statuses() == Counter(INITIATED=10)


@CITY
def test_nothing_is_paid_by_a_number_that_names_two_payments_until_that_is_mended(adapter, treasury, monkeypatch):
    """Of the same amount: neither tells which of them a PI would pay. A third payment is nobody else."""
    first, second, _ = (bill["paymentNumber"] for bill in bills(adapter, 3, amounts=[900], with_payments=True))
    adapter.run("VA")
    with monkeypatch.context() as patch:
        under_one_number(patch, first, second)
        for _ in range(2):
            with pytest.raises(SweepNeedsAttentionError, match=f"payment {first} .* another amount or payment than"):
                adapter.run("PI")
            adapter.relay()
        assert adapter.statuses() == Counter(INITIATED=1)
        [waiting] = adapter.rows("SELECT hold_code, hold_message FROM ifms.payment WHERE paid_by IS NULL")
        assert waiting["hold_code"] == "PAYMENT_NOT_PAYABLE"
        assert f"payment number {first} is that of 2 payments" in waiting["hold_message"]
    with suppress(SweepNeedsAttentionError):  # red where the one that was seen first has got another number
        adapter.run("PI")
    with adapter.sweep("PI") as sweep:
        unpaid = [row["payment_number"] for row in adapter.rows("SELECT * FROM ifms.payment WHERE paid_by IS NULL")]
        sweep.db.transact(lambda c: release_holds(c, unpaid))
    adapter.run("PI")
    assert adapter.statuses() == Counter(INITIATED=3)
    assert len(treasury.accepted) == 3


TAKEN_OVER = """
    INSERT INTO ifms.payment (tenant_id, payment_number, payment_id, amount, raised_at)
    VALUES ('{tenant}', '{number}', '', 900, now())
"""
LEFT_OUT = """
    INSERT INTO ifms.import_withheld (tenant_id, payment_number, reason) VALUES ('{tenant}', '{number}', 'sample')
"""


@CITY
@pytest.mark.parametrize("spelled", [str.lower, lambda number: f"{number}\u200b"], ids=["small letters", "unseen"])
@pytest.mark.parametrize("status", ["SUCCESSFUL", "FAILED", None], ids=["paid", "in doubt", "left out"])
def test_a_payment_that_was_taken_over_by_a_number_in_other_letters_is_held(adapter, treasury, spelled, status):
    [bill] = bills(adapter, 1, amounts=[900], with_payments=True)
    number = spelled(bill["paymentNumber"])
    adapter.run("VA")
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute((TAKEN_OVER if status else LEFT_OUT).format(tenant=TENANT, number=number).encode())
        if status:
            java = {"tenant_id": TENANT, "imported_at": "2026-02-01", "uncertain": status == "FAILED"}
            connection.execute(kept("PI-JAVA", number, status, **java).encode())
    held = "SELECT hold_code, hold_message FROM ifms.payment WHERE payment_number = %s"
    with pytest.raises(SweepNeedsAttentionError, match="differs only in") if status else nullcontext():
        adapter.run("PI")
    adapter.run("PI")
    [waits] = adapter.rows(held, bill["paymentNumber"])
    if status:
        assert waits["hold_code"] == "PAYMENT_NOT_PAYABLE"
        assert f"from the number that PI PI-JAVA ({status}) pays" in waits["hold_message"]
    else:  # as one that is left out by its own number: nothing_is_withheld tells of it
        assert waits["hold_code"] is None
    assert treasury.accepted == {}


@CITY
def test_a_payment_whose_number_has_gone_to_another_is_not_paid(adapter, monkeypatch):
    [bill] = bills(adapter, 1, with_payments=True)
    adapter.run("VA")
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute(
            """
            INSERT INTO ifms.payment (tenant_id, payment_number, payment_id, amount, raised_at)
            SELECT %s, %s, 'first-seen', %s, now()
            """,
            (TENANT, bill["paymentNumber"], the_payment(adapter)["netPayableAmount"]),
        )
    with pytest.raises(SweepNeedsAttentionError, match="2 problem"):
        adapter.run("PI")
    assert adapter.statuses() == Counter()
    [waiting] = adapter.rows("SELECT hold_code, hold_message FROM ifms.payment")
    assert "was first seen as first-seen and is now" in waiting["hold_message"]
    with adapter.sweep("PI") as sweep:
        sweep.db.transact(lambda c: release_holds(c, [bill["paymentNumber"]]))
    adapter.run("PI")
    assert adapter.statuses() == Counter(INITIATED=1)
