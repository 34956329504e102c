"""What the DIGIT services exchange with us: the fields that are used; all others are kept and sent back unchanged.

A model's repr shows its id only: the rest may be a name, a mobile number or an account number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.alias_generators import to_camel

from ifms.errors import BadInputError, PlatformReplyError
from ifms.money import rupees

_TWO_PLACES = Decimal("0.01")
MAX_KEY = 128  # several of them fit into a row of an index, in any script
_MAX_DIGITS = 20  # more than numeric(12,2), the platform's own columns, can hold


def _read_amount(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise ValueError("not a JSON number")
    if type(value) is Decimal and value.same_quantum(_TWO_PLACES) and value.adjusted() <= _MAX_DIGITS:
        return value  # rupees and paise, as nearly all are
    amount = Decimal(value)
    if not amount.is_finite() or amount.adjusted() > _MAX_DIGITS or int(amount.as_tuple().exponent) < -_MAX_DIGITS:
        raise ValueError("not an amount of money")
    return amount


def _write_amount(amount: Decimal) -> Decimal:
    exact = amount.quantize(_TWO_PLACES)
    return exact if exact == amount else amount


# Read as it is, so that one impossible amount spoils its own bill and not the page it came on: `ifms.money` judges it
# where the bill is paid. Written with two decimals, never rounded.
Amount = Annotated[Decimal, BeforeValidator(_read_amount), PlainSerializer(_write_amount)]


def _read_epoch_ms(value: int) -> int:
    if value not in _EPOCH_MS:
        raise ValueError("no time between 1970 and 2099")
    return value


def _named_by(text: str) -> str:
    if len(text) > MAX_KEY:
        raise ValueError(f"longer than {MAX_KEY} characters")
    if not text.isprintable():
        raise ValueError("a character in it can't be printed")
    return text


# What something is named by (an id, a number, a code, a status): the ledger keeps it, its indexes hold it, requests
# carry it. Texts for people have no such bounds here; what is sent of them is written anew (`wire.text`).
Key = Annotated[str, AfterValidator(_named_by)]


def _read_list(value: object) -> object:
    return [] if value is None else value  # Java writes an absent list as null


def _read_group(value: object) -> str | None:
    """A code like FEMALE or SC; of anything else nothing, for no payment waits for it."""
    code = " ".join(value.split()).upper() if isinstance(value, str) else ""
    return code if _GROUP.fullmatch(code) else None


def _read_social_category(value: object) -> str | None:
    fields = value.get("fields") if isinstance(value, dict) else None
    for each in fields if isinstance(fields, list) else []:
        if isinstance(each, dict) and each.get("key") == "SOCIAL_CATEGORY":
            return _read_group(each.get("value"))
    return None


_GROUP = re.compile(r"[A-Z][A-Z0-9 _-]{0,39}", re.ASCII)


def _read_or_none(value: object, read: ValidatorFunctionWrapHandler) -> object:
    try:
        return read(value)
    except ValidationError:
        return None


# For a field that nothing depends on: unreadable it is as if it were absent, and spoils nothing else.
IF_READABLE = WrapValidator(_read_or_none)


def _read_name(value: object) -> str | None:
    """A name as people are shown it: on one line, without control characters and halves of characters."""
    if not isinstance(value, str):
        return None
    shown = "".join(" " if unicodedata.category(each) in {"Cc", "Cs"} else each for each in value[: 10 * MAX_NAME])
    return " ".join(shown.split())[:MAX_NAME] or None


MAX_NAME = 200
Name = Annotated[str | None, BeforeValidator(_read_name)]

SUCCESSFUL = "SUCCESSFUL"
CANCELLED = "CANCELLED"
_SWITCHED_OFF = frozenset({"INACTIVE", CANCELLED, "REJECTED"})


class Model(BaseModel):
    """The base of all messages: snake_case here, camelCase on the wire."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="allow",
        hide_input_in_errors=True,
        coerce_numbers_to_str=True,  # the platform writes some codes as numbers (schemeCode: digit-services.md §10)
    )

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return [("id", getattr(self, "id", None))]

    def __str__(self) -> str:
        return repr(self)

    def wire(self) -> dict[str, Any]:
        """Return what is sent: the fields that were read or set, by their names on the wire, amounts as Decimal."""
        return self.model_dump(by_alias=True, exclude_unset=True)


_EPOCH_MS = range(4_102_444_800_000)  # 1970 to 2099: what is outside can't be a date of a bill, and has no datetime

EpochMs = Annotated[int, AfterValidator(_read_epoch_ms)]


class AuditDetails(Model):
    """When something was made and changed, in epoch milliseconds."""

    created_time: EpochMs | None = None
    last_modified_time: EpochMs | None = None


# Bills (digit-services.md §2) -----------------------------------------------------------------------------------------


class Party(Model):
    """Who is paid, or pays. `identifier` is the UUID of an individual or organisation; `type` tells which."""

    id: Key | None = None
    type: Key | None = None
    identifier: Key | None = None
    status: Key | None = None


class LineItem(Model):
    """One amount of a bill detail. Only payable lines with status ACTIVE are paid."""

    id: Key
    head_code: Key | None = None
    amount: Amount
    paid_amount: Amount | None = None
    type: Key | None = None
    status: Key | None = None
    payment_status: Key | None = None

    @property
    def is_active(self) -> bool:
        """Whether it may be paid; a line that was replaced or withdrawn stays in its bill."""
        return self.status == "ACTIVE"


class BillDetail(Model):
    """The part of a bill that goes to one payee."""

    id: Key
    reference_id: Key | None = None
    total_amount: Amount
    total_paid_amount: Amount | None = None
    payment_status: Key | None = None
    status: Key | None = None
    payee: Party | None = None
    payable_line_items: Annotated[list[LineItem], BeforeValidator(_read_list)] = Field(default_factory=list)

    @property
    def active_lines(self) -> list[LineItem]:
        """The payable lines that are to be paid; none of a detail that is itself cancelled, rejected or inactive."""
        if (self.status or "").upper() in _SWITCHED_OFF:
            return []
        return [line for line in self.payable_line_items if line.is_active]


class Bill(Model):
    """A wage, purchase or supervision bill. `payment_status` is None until a payment exists for it."""

    id: Key
    tenant_id: Key
    bill_number: Key | None = None
    bill_date: int | None = None
    business_service: Key | None = None
    reference_id: Key | None = None
    total_amount: Amount
    total_paid_amount: Amount | None = None
    payment_status: Key | None = None
    status: Key | None = None
    wf_status: Key | None = None
    bill_details: Annotated[list[BillDetail], BeforeValidator(_read_list)] = Field(default_factory=list)
    audit_details: AuditDetails | None = None
    additional_details: Any = None

    @property
    def label(self) -> str:
        """How errors name it."""
        return f"bill {self.bill_number or self.id} of {self.tenant_id}"

    @property
    def stopped(self) -> str | None:
        """Why it must not be paid (any more): cancelled, rejected, inactive, sent back; None when it may be.

        The platform leaves `wf_status` out beyond the first ten bills of a page, so only another one than APPROVED
        speaks against the bill; `status` follows the workflow by itself (digit-services.md §2).
        """
        if (self.status or "").upper() != "ACTIVE":
            return f"is {self.status}" if self.status else "has no status"
        if self.wf_status and self.wf_status.upper() != "APPROVED":
            return f"is {self.wf_status} in its workflow"
        return None

    def detail(self, name: str) -> str | None:
        """A text of its additionalDetails, in which anything may stand; None for what nothing could be named by."""
        value = self.additional_details.get(name) if isinstance(self.additional_details, dict) else None
        text = value.strip() if isinstance(value, str) else ""
        return text if text and text.isprintable() and len(text) <= MAX_KEY else None

    def checked_details(self) -> list[BillDetail]:
        """Return the details that have active payable lines, after checking every sum.

        A line of zero rupees stands for nothing to pay, and keeps no other line from being paid. Raises BadInputError,
        naming the bill, when an active payable line is no rupees or less than zero, a detail's total is not the sum of
        its lines, the bill's total is not the sum of these details, or there is nothing to pay at all.
        """
        details = [detail for detail in self.bill_details if detail.active_lines]
        if not details:
            raise BadInputError(f"{self.label} has no active payable line")
        total = Decimal(0)
        for detail in details:
            lines = sum((self._owed(line) for line in detail.active_lines), Decimal(0))
            if detail.total_amount != lines:
                raise BadInputError(
                    f"{self.label}: detail {detail.id} says {detail.total_amount:f}, its lines add up to {lines}"
                )
            total += lines
        rupees(total, f"{self.label}: the sum of its details")
        if self.total_amount != total:
            raise BadInputError(f"{self.label} says {self.total_amount:f}, its details add up to {total}")
        if not total:
            raise BadInputError(f"{self.label} has only lines of zero rupees: there is nothing to pay")
        return details

    def _owed(self, line: LineItem) -> Decimal:
        amount = rupees(line.amount, what := f"{self.label}: amount of line {line.id}")
        if amount < 0:
            raise BadInputError(f"{what} {amount} is less than zero")
        return amount


@dataclass(frozen=True)
class Works:
    """What a bill is for, as the calculator tells it (digit-services.md §4): contracts (work orders) and projects."""

    contract_numbers: tuple[str, ...] = ()
    project_numbers: tuple[str, ...] = ()


# Payments (digit-services.md §3) --------------------------------------------------------------------------------------


class NewPaymentLineItem(Model):
    """One payable line of a bill, in a payment that doesn't exist yet."""

    line_item_id: Key
    tenant_id: Key
    paid_amount: Amount


class NewPaymentBillDetail(Model):
    """One bill detail, in a payment that doesn't exist yet."""

    bill_detail_id: Key
    tenant_id: Key
    total_amount: Amount
    total_paid_amount: Amount
    payable_line_items: list[NewPaymentLineItem]


class NewPaymentBill(Model):
    """One bill, in a payment that doesn't exist yet."""

    bill_id: Key
    tenant_id: Key
    total_amount: Amount
    total_paid_amount: Amount
    bill_details: list[NewPaymentBillDetail]


class NewPayment(Model):
    """What `_create` needs; the platform adds ids, the number and the statuses."""

    tenant_id: Key
    net_payable_amount: Amount
    net_paid_amount: Amount
    bills: list[NewPaymentBill]

    @classmethod
    def for_bill(cls, bill: Bill) -> Self:
        """Return the payment of the whole bill; the platform takes no other.

        Raises BadInputError, naming the bill, if its sums disagree or nothing is payable (see `Bill.checked_details`).
        """
        details = [
            NewPaymentBillDetail(
                bill_detail_id=detail.id,
                tenant_id=bill.tenant_id,
                total_amount=detail.total_amount,
                total_paid_amount=detail.total_amount,
                payable_line_items=[
                    NewPaymentLineItem(line_item_id=line.id, tenant_id=bill.tenant_id, paid_amount=line.amount)
                    for line in detail.active_lines
                ],
            )
            for detail in bill.checked_details()
        ]
        return cls(
            tenant_id=bill.tenant_id,
            net_payable_amount=bill.total_amount,
            net_paid_amount=bill.total_amount,
            bills=[
                NewPaymentBill(
                    bill_id=bill.id,
                    tenant_id=bill.tenant_id,
                    total_amount=bill.total_amount,
                    total_paid_amount=bill.total_amount,
                    bill_details=details,
                )
            ],
        )


class PaymentLineItem(Model):
    """The payment's row for a bill's payable line (`line_item_id`)."""

    id: Key
    line_item_id: Key
    paid_amount: Amount | None = None
    status: Key | None = None


class PaymentBillDetail(Model):
    """The payment's row for a bill detail (`bill_detail_id`)."""

    id: Key
    bill_detail_id: Key
    total_amount: Amount | None = None
    total_paid_amount: Amount | None = None
    status: Key | None = None
    payable_line_items: Annotated[list[PaymentLineItem], BeforeValidator(_read_list)] = Field(default_factory=list)


class PaymentBill(Model):
    """The payment's row for a bill (`bill_id`)."""

    id: Key
    bill_id: Key
    total_amount: Amount | None = None
    total_paid_amount: Amount | None = None
    status: Key | None = None
    bill_details: Annotated[list[PaymentBillDetail], BeforeValidator(_read_list)] = Field(default_factory=list)


class Payment(Model):
    """A payment. `_update` wants all of it back, as the search gave it, with other statuses."""

    id: Key
    tenant_id: Key
    payment_number: Key | None = None
    net_payable_amount: Amount | None = None
    net_paid_amount: Amount | None = None
    status: Key | None = None
    reference_status: Key | None = None
    bills: Annotated[list[PaymentBill], BeforeValidator(_read_list)] = Field(default_factory=list)
    audit_details: AuditDetails | None = None

    @property
    def label(self) -> str:
        """How errors name it."""
        return f"payment {self.payment_number or self.id} of {self.tenant_id}"

    @property
    def cancelled(self) -> str | None:
        """What of it is cancelled so that nothing of it is to be paid; None when something may be."""
        if _is_cancelled(self.status):
            return "is cancelled"
        for bill in self.bills:
            if _is_cancelled(bill.status):
                return f"is cancelled for bill {bill.bill_id}"
        lines = sum(len(detail.payable_line_items) for bill in self.bills for detail in bill.bill_details)
        return "has cancelled lines only" if lines and len(self.cancelled_lines) == lines else None

    @property
    def cancelled_lines(self) -> frozenset[str]:
        """The lines (by the bills' ids) that are cancelled, each by itself or with the detail or bill that holds it."""
        return self._lines_under(lambda *statuses: any(map(_is_cancelled, statuses)))

    @property
    def lines_not_wanted(self) -> frozenset[str]:
        """Like `cancelled_lines`; all lines of a payment whose own status is CANCELLED."""
        return self._lines_under(lambda *_: True) if _is_cancelled(self.status) else self.cancelled_lines

    def _lines_under(self, such: Callable[[str | None, str | None, str | None], bool]) -> frozenset[str]:
        return frozenset(
            line.line_item_id
            for bill in self.bills
            for detail in bill.bill_details
            for line in detail.payable_line_items
            if such(bill.status, detail.status, line.status)
        )

    def with_nothing_owed(self) -> Payment:
        """Return a copy whose lines of zero rupees are SUCCESSFUL, and the details that hold no others.

        None of the platform's statuses says "nothing to pay": SUCCESSFUL alone leaves nothing open, and adds nothing to
        what is paid (digit-services.md §3).
        """
        changed = self.model_copy(deep=True)
        for bill in changed.bills:
            for detail in bill.bill_details:
                nothing = [line for line in detail.payable_line_items if line.paid_amount == 0]
                for line in nothing:
                    line.status = SUCCESSFUL
                if nothing and len(nothing) == len(detail.payable_line_items):
                    detail.status = SUCCESSFUL
        return changed

    def with_status(self, status: str, reference_status: str) -> Payment:
        """Return a copy with `status` on all four levels (the table of digit-services.md §3)."""
        changed = self.model_copy(deep=True)
        changed.status = status
        changed.reference_status = reference_status
        for bill in changed.bills:
            bill.status = status
            for detail in bill.bill_details:
                detail.status = status
                for line in detail.payable_line_items:
                    line.status = status
        return changed

    def missing_status(self) -> str | None:
        """Return what has no status though `_update` requires one everywhere, or None."""
        if not self.status:
            return "the payment"
        for bill in self.bills:
            if not bill.status:
                return f"bill {bill.bill_id}"
            for detail in bill.bill_details:
                if not detail.status:
                    return f"detail {detail.bill_detail_id}"
                for line in detail.payable_line_items:
                    if not line.status:
                        return f"line {line.line_item_id}"
        return None


def by_number(payments: Iterable[Payment]) -> dict[str, Payment | PlatformReplyError]:
    """The payments of one city by their numbers; for a number that names several, an error that says which.

    Nothing is paid, and nothing told, by such a number: it can't be known which of them is meant.
    """
    found: dict[str, dict[str, Payment]] = {}
    for payment in payments:
        if payment.payment_number is not None:
            found.setdefault(payment.payment_number, {})[payment.id] = payment
    return {
        number: next(iter(same.values())) if len(same) == 1 else _ambiguous(number, same)
        for number, same in found.items()
    }


def _ambiguous(number: str, same: Collection[str]) -> PlatformReplyError:
    return PlatformReplyError(
        f"payment number {number} is that of {len(same)} payments on the platform ({', '.join(sorted(same))}): "
        "nothing is paid by it until that is mended there"
    )


def _is_cancelled(status: str | None) -> bool:
    return (status or "").upper() == CANCELLED


# Payees (digit-services.md §5, §6) ------------------------------------------------------------------------------------


class BankAccountDetail(Model):
    """A number at a branch. It arrives decrypted, or masked for a user without the right role (§7)."""

    id: Key
    account_holder_name: str | None = None
    account_number: str | None = None
    account_type: str | None = None
    is_primary: bool | None = None
    is_active: bool | None = None
    ifsc: str | None = Field(default=None, validation_alias=AliasPath("bankBranchIdentifier", "code"))
    audit_details: AuditDetails | None = None


class BankAccount(Model):
    """The accounts of one reference: an individual's or organisation's id, or `Deduction_{tenant}_{head code}`."""

    id: Key
    reference_id: Key
    service_code: Key | None = None
    bank_account_details: Annotated[list[BankAccountDetail], BeforeValidator(_read_list)] = Field(default_factory=list)
    audit_details: AuditDetails | None = None

    @property
    def primary(self) -> BankAccountDetail | None:
        """The active primary detail: of several the one changed last, and of those the one with the smallest id."""
        usable = [detail for detail in self.bank_account_details if detail.is_active and detail.is_primary]
        return min(usable, key=lambda detail: (-_changed(detail.audit_details), detail.id), default=None)

    @property
    def changed(self) -> int:
        """When it was changed last, in epoch milliseconds; 0 if the platform doesn't say."""
        return _changed(self.audit_details)


def _changed(audit_details: AuditDetails | None) -> int:
    return (audit_details.last_modified_time if audit_details else None) or 0


class _Place(Model):
    ward: str | None = Field(default=None, validation_alias=AliasPath("ward", "code"))
    locality: str | None = Field(default=None, validation_alias=AliasPath("locality", "code"))


class Individual(Model):
    """A wage seeker; `gender` and `social_category` as codes, where the registry has them."""

    id: Key
    mobile_number: str | None = None
    gender: Annotated[str | None, BeforeValidator(_read_group)] = Field(default=None, repr=False)
    social_category: Annotated[str | None, BeforeValidator(_read_social_category)] = Field(
        default=None, repr=False, validation_alias="additionalFields"
    )
    address: Annotated[list[_Place], BeforeValidator(_read_list)] = Field(default_factory=list)

    @property
    def address_line(self) -> str:
        """`wardCode localityCode` of the first address; what is absent is left out."""
        return _joined(self.address[0].ward, self.address[0].locality) if self.address else ""


class _OrganisationAddress(Model):
    boundary_code: str | None = None
    city: str | None = None


class _Contact(Model):
    contact_mobile_number: str | None = None


class Organisation(Model):
    """A vendor or a community organisation."""

    id: Key
    org_address: Annotated[list[_OrganisationAddress], BeforeValidator(_read_list)] = Field(default_factory=list)
    contact_details: Annotated[list[_Contact], BeforeValidator(_read_list)] = Field(default_factory=list)

    @property
    def mobile_number(self) -> str | None:
        """The first contact's mobile number."""
        return self.contact_details[0].contact_mobile_number if self.contact_details else None

    @property
    def address_line(self) -> str:
        """`boundaryCode city` of the first address; what is absent is left out."""
        return _joined(self.org_address[0].boundary_code, self.org_address[0].city) if self.org_address else ""


def _joined(*parts: str | None) -> str:
    return " ".join(part for part in parts if part)


class AuditLog(Model):
    """One audited change of one table's row (digit-services.md §8); `change_date` is in epoch milliseconds."""

    id: Key
    object_id: Key
    entity_name: Key | None = None
    operation_type: Key | None = None
    change_date: EpochMs
    key_value_map: dict[str, Any] = Field(default_factory=dict)


# Master data (digit-services.md §10) ----------------------------------------------------------------------------------


class City(Model):
    """A tenant; `city_code` is the short code in its PI numbers."""

    tenant_id: Key = Field(validation_alias="code")
    name: Name = None
    city_code: Annotated[Key | None, IF_READABLE] = Field(default=None, validation_alias=AliasPath("city", "code"))

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return [("tenant_id", self.tenant_id)]


class HeadOfAccount(Model):
    """A head of account that funds payments, tried by ascending `sequence`; its beginning in epoch milliseconds."""

    code: Key
    name: Name = None
    sequence: int
    scheme_code: Annotated[Key | None, IF_READABLE] = None
    active: bool
    effective_from: Annotated[EpochMs | None, IF_READABLE] = None


class HeadCode(Model):
    """What a bill's line is for. `category` is expense, deduction or payable."""

    code: Key
    category: Key
    active: bool = True

    @property
    def is_deduction(self) -> bool:
        """Whether its lines go to a department's account instead of the bill's payee."""
        return self.category.lower() == "deduction"


class SpendingUnit(Model):
    """An SSU: who spends a city's funds at the treasury."""

    ssu_id: Key
    ddo_code: Key
    grantee_ag_code: Key
    active: bool


class UserRole(Model):
    """A role that somebody has in a tenant: a city, or the state for all of its cities."""

    code: str
    tenant_id: str | None = None


class User(Model):
    """Who is logged in, as the user service knows them."""

    uuid: Annotated[str, Field(min_length=1, max_length=MAX_KEY)]
    user_name: Annotated[str, Field(min_length=1, max_length=MAX_KEY)]
    active: bool = True
    roles: list[UserRole] = Field(default_factory=list)
