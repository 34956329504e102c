"""Who gets how much of a payment: the beneficiary algorithm (digit-services.md §6, steps 1 to 6), without any call.

Two parts, so that a sweep can look the payees of many payments up at once: `payable_lines` and `merge_by_payee` say
who is to be paid, `PayeeDirectory` (filled by `PlatformClient.payee_directory`) says where. Joining payees that share
an account (step 7) comes after the numbers have been checked, and is the caller's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, assert_never

from ifms.errors import BadInputError
from ifms.platform.models import (
    BankAccount,
    Bill,
    BillDetail,
    HeadCode,
    Individual,
    LineItem,
    Organisation,
    Payment,
    PaymentLineItem,
)

PayeeType = Literal["IND", "ORG", "DEPT"]

# A department's deduction account has no registry entry, yet the treasury wants both (digit-services.md §6, step 6).
DEPARTMENT_MOBILE = "9999999999"
DEPARTMENT_ADDRESS = "Government of Odisha"

_UNPAID = frozenset({"INITIATED", "FAILED"})


@dataclass(frozen=True, slots=True)
class PayableLine:
    """A bill's line that is still to be paid, and to whom."""

    line_item_id: str
    payee_id: str
    payee_type: PayeeType
    head_code: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class ZeroLine:
    """A bill's line of zero rupees, and whose it is as far as the bill says."""

    line_item_id: str
    payee_id: str | None


@dataclass(frozen=True, slots=True)
class PayeeShare:
    """All that one payee gets."""

    payee_id: str
    payee_type: PayeeType
    amount: Decimal
    line_item_ids: tuple[str, ...]


def payable_lines(bill: Bill, payment: Payment, head_codes: Mapping[str, HeadCode]) -> list[PayableLine]:
    """Return the lines that are ACTIVE on the bill and INITIATED or FAILED on its payment, in the bill's order.

    A line of a detail that is switched off on the bill, or cancelled on the payment, is so itself.
    A payment may hold lines that are not ACTIVE on the bill (any more); they count nowhere. Lines of zero rupees are
    nobody's share (`zero_lines`), and a payment may lack them.
    A line whose head code is a deduction goes to the department's account `Deduction_{tenant}_{head code}`, any other
    to the detail's payee. Raises BadInputError, naming the bill, if the amounts of bill and payment disagree anywhere,
    the payment lacks a line of the bill or has another one, a head code is unknown, or a payee is missing.
    """
    details = bill.checked_details()
    cancelled = payment.cancelled_lines
    paid = _lines_of_payment(bill, payment)
    on_payment = frozenset(paid)
    found: list[PayableLine] = []
    for detail in details:
        for line in detail.active_lines:
            row = paid.pop(line.id, None)
            if row is None and not line.amount and line.id not in on_payment:
                continue
            if row is None:
                raise BadInputError(f"{bill.label}: line {line.id} is not in {payment.label}")
            if row.paid_amount != line.amount:
                raise BadInputError(
                    f"{bill.label}: line {line.id} says {line.amount:f}, {payment.label} pays {_shown(row.paid_amount)}"
                )
            if line.amount and row.status in _UNPAID and line.id not in cancelled:
                found.append(_addressed(bill, detail, line, head_codes))
    if paid:
        raise BadInputError(f"{bill.label} has no line {', '.join(sorted(paid))}, which {payment.label} pays")
    return found


def zero_lines(bill: Bill, head_codes: Mapping[str, HeadCode]) -> list[ZeroLine]:
    """Return the ACTIVE lines of zero rupees: there is nothing to pay, so whose they are need not be sound."""
    found: list[ZeroLine] = []
    for detail in bill.bill_details:
        for line in detail.active_lines:
            if line.amount:
                continue
            head_code = head_codes.get(line.head_code or "")
            payee = detail.payee.identifier if detail.payee else None
            if head_code is not None and head_code.is_deduction:
                payee = _department(bill, head_code)
            found.append(ZeroLine(line.id, payee))
    return found


def payees_of_lines(
    bills: Iterable[Bill], head_codes: Mapping[str, HeadCode], lines: Collection[str]
) -> dict[str, str]:
    """Return whose each of these lines is, whatever has become of it; a line that is in none of the bills is absent.

    Raises BadInputError, naming the bill, for one whose head code is unknown or whose detail names no payee.
    """
    return {
        line.id: _addressed(bill, detail, line, head_codes).payee_id
        for bill in bills
        for detail in bill.bill_details
        for line in detail.payable_line_items
        if line.id in lines
    }


def _department(bill: Bill, head_code: HeadCode) -> str:
    return f"Deduction_{bill.tenant_id}_{head_code.code}"


def _addressed(bill: Bill, detail: BillDetail, line: LineItem, head_codes: Mapping[str, HeadCode]) -> PayableLine:
    head_code = head_codes.get(line.head_code or "")
    if head_code is None:
        raise BadInputError(f"{bill.label}: head code {line.head_code!r} of line {line.id} is not in the master data")
    if head_code.is_deduction:
        return PayableLine(line.id, _department(bill, head_code), "DEPT", head_code.code, line.amount)
    if detail.payee is None or not detail.payee.identifier:
        raise BadInputError(f"{bill.label}: detail {detail.id} names no payee")
    payee_type: PayeeType = "IND" if detail.payee.type == "INDIVIDUAL" else "ORG"
    return PayableLine(line.id, detail.payee.identifier, payee_type, head_code.code, line.amount)


def _lines_of_payment(bill: Bill, payment: Payment) -> dict[str, PaymentLineItem]:
    """Return the payment's lines for `bill` by the bill's line ids, after checking the payment's own sums."""
    rows = [row for row in payment.bills if row.bill_id == bill.id]
    if len(rows) != 1 or payment.tenant_id != bill.tenant_id:
        raise BadInputError(f"{bill.label} is in {payment.label} {len(rows)} times, not once")
    row = rows[0]
    active = {line.id for detail in bill.bill_details for line in detail.active_lines}
    switched_off = {line.id for detail in bill.bill_details for line in detail.payable_line_items} - active
    _agree(bill, payment, "the bill's total", row.total_paid_amount, bill.total_amount)
    _agree(
        bill,
        payment,
        "the payment's total",
        payment.net_payable_amount,
        _sum(b.total_paid_amount for b in payment.bills),
    )
    lines: dict[str, PaymentLineItem] = {}
    total = Decimal(0)
    for detail in row.bill_details:
        counted = [line for line in detail.payable_line_items if line.line_item_id not in switched_off]
        if counted:
            in_detail = _sum(line.paid_amount for line in counted)
            _agree(bill, payment, f"detail {detail.bill_detail_id}", detail.total_paid_amount, in_detail)
            total += in_detail
        for line in counted:
            if line.line_item_id in lines:
                raise BadInputError(f"{bill.label}: {payment.label} pays line {line.line_item_id} twice")
            lines[line.line_item_id] = line
    _agree(bill, payment, "the sum of its details", total, bill.total_amount)
    return lines


def _sum(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum((amount or Decimal(0) for amount in amounts), Decimal(0))


def _agree(bill: Bill, payment: Payment, what: str, paid: Decimal | None, due: Decimal) -> None:
    if paid != due:
        raise BadInputError(f"{bill.label}: {payment.label} says {_shown(paid)} for {what}, which is {due:f}")


def _shown(amount: Decimal | None) -> str:
    return "nothing" if amount is None else f"{amount:f}"


def merge_by_payee(lines: Iterable[PayableLine]) -> list[PayeeShare]:
    """Add up what each payee gets, in the order in which payees first appear.

    Raises BadInputError if one payee id is used as two types of payee, or one line occurs twice.
    """
    by_payee: dict[str, list[PayableLine]] = {}
    seen: set[str] = set()
    for line in lines:
        if line.line_item_id in seen:
            raise BadInputError(f"line {line.line_item_id} occurs twice")
        seen.add(line.line_item_id)
        same = by_payee.setdefault(line.payee_id, [])
        if same and same[0].payee_type != line.payee_type:
            raise BadInputError(f"payee {line.payee_id} is both {same[0].payee_type} and {line.payee_type}")
        same.append(line)
    return [
        PayeeShare(
            payee_id, same[0].payee_type, _sum(line.amount for line in same), tuple(line.line_item_id for line in same)
        )
        for payee_id, same in by_payee.items()
    ]


@dataclass(frozen=True, slots=True)
class Payee:
    """Where a payee's money goes. Account number and IFSC are as the registry gives them: not checked yet.

    `name` is the account holder's. `mobile` and `address` are empty where the registry has none. `gender` and
    `social_category` are an individual's, for counting alone.
    """

    payee_id: str
    payee_type: PayeeType
    bank_account_id: str
    bank_account_detail_id: str
    name: str = field(repr=False)
    account_number: str = field(repr=False)
    ifsc: str = field(repr=False)
    account_type: str = field(repr=False)
    mobile: str = field(repr=False)
    address: str = field(repr=False)
    gender: str | None = field(default=None, repr=False)
    social_category: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PayeeDirectory:
    """What the registries know about the payees of one tenant, by the ids used in bills."""

    individuals: Mapping[str, Individual] = field(repr=False)
    organisations: Mapping[str, Organisation] = field(repr=False)
    accounts: Mapping[str, BankAccount] = field(repr=False)

    def payee(self, share: PayeeShare) -> Payee:
        """Return where this share goes.

        Raises BadInputError, naming the payee, if the registry doesn't know it or it has no active primary account.
        An account whose name, number, IFSC or type is absent is given with that text empty.
        """
        mobile, address = self._reach(share)
        account = self.accounts.get(share.payee_id)
        detail = account.primary if account else None
        if account is None or detail is None:
            raise BadInputError(f"payee {share.payee_id} has no active primary bank account")
        person = self.individuals.get(share.payee_id) if share.payee_type == "IND" else None
        return Payee(
            payee_id=share.payee_id,
            payee_type=share.payee_type,
            bank_account_id=account.id,
            bank_account_detail_id=detail.id,
            name=detail.account_holder_name or "",
            account_number=detail.account_number or "",
            ifsc=detail.ifsc or "",
            account_type=detail.account_type or "",
            mobile=mobile,
            address=address,
            gender=person.gender if person else None,
            social_category=person.social_category if person else None,
        )

    def _reach(self, share: PayeeShare) -> tuple[str, str]:
        match share.payee_type:
            case "DEPT":
                return DEPARTMENT_MOBILE, DEPARTMENT_ADDRESS
            case "IND":
                entry: Individual | Organisation | None = self.individuals.get(share.payee_id)
            case "ORG":
                entry = self.organisations.get(share.payee_id)
            case _:
                assert_never(share.payee_type)
        if entry is None:
            raise BadInputError(f"payee {share.payee_id} ({share.payee_type}) is not in the registry")
        return entry.mobile_number or "", entry.address_line
