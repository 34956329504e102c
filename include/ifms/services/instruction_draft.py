"""From a payment to the content of its PI: who gets how much, on which account, in texts that the treasury takes.

Reads the platform, city by city with every look-up made once for all of a batch, and writes nothing.
Facts: digit-services.md §6.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from ifms.errors import BadInputError, PlatformError, PlatformReplyError
from ifms.ledger import models
from ifms.ledger.claims import Claim
from ifms.ledger.models import NewBeneficiary
from ifms.platform.client import PlatformClient
from ifms.platform.masterdata import MasterData
from ifms.platform.models import Bill, Payment, Works, by_number
from ifms.platform.payees import Payee, PayeeDirectory, PayeeShare, merge_by_payee, payable_lines, zero_lines
from ifms.platform.portions import Portions
from ifms.wire.bank import valid_account_number, valid_ifsc
from ifms.wire.text import transliterate

# The treasury publishes no limits; these keep the texts within the columns of the adapter before this one.
MAX_NAME = 100
MAX_ADDRESS = 200

# The platform answers a new payment before it has stored it (digit-services.md §3), and ifms_pi starts at once.
STORED_PAUSES_SECONDS = (0.2, 0.8, 2.0)

NOTHING_TO_PAY = "nothingToPay"  # the key of a PI's additionalDetails under which its bills' zero lines are noted

# Why a payment is on hold (ifms.payment.hold_code).
NO_UNIT = "SSU_NOT_CONFIGURED"
BAD_PAYMENT = "PAYMENT_NOT_PAYABLE"
PLATFORM_TROUBLE = "PLATFORM_TROUBLE"
CANCELLED = "PAYMENT_CANCELLED"
LINE_CANCELLED = "LINE_CANCELLED"  # some of its lines: the others are owed, and somebody has to see to them
NOT_APPROVED = "BILL_NOT_APPROVED"


def stopped(payment: Payment, bills: Mapping[str, Bill], ours: Collection[str] | None = None) -> tuple[str, str] | None:
    """Why the platform wants nothing of `payment` paid (any more): a hold's code and message; None when it does.

    With `ours` nothing of these lines: that others are cancelled, which nobody pays now, stops nothing.
    """
    if payment.cancelled is not None:
        return CANCELLED, f"{payment.label} {payment.cancelled} on the platform: it is paid once that is undone"
    cancelled = payment.cancelled_lines if ours is None else payment.cancelled_lines.intersection(ours)
    if cancelled:
        lines = ", ".join(sorted(cancelled))
        return LINE_CANCELLED, (
            f"line {lines} of {payment.label} is cancelled on the platform, and a payment is paid as it was raised or "
            "not at all: undo that, or cancel all of it and raise a bill for the other lines"
        )
    for row in payment.bills:
        bill = bills.get(row.bill_id)
        if bill is not None and bill.stopped is not None:
            return (
                NOT_APPROVED,
                f"{payment.label} pays {bill.label}, which {bill.stopped}: it is paid once that is undone",
            )
    return None


@dataclass(frozen=True)
class Share:
    """What one account gets, ready to be numbered."""

    payee: Payee
    amount: Decimal
    line_item_ids: tuple[str, ...]
    name: str
    address: str


def shares_of(payment: Payment, bills: Mapping[str, Bill], master: MasterData) -> list[PayeeShare]:
    """Who is to be paid by `payment`, merged by payee.

    Raises BadInputError that names the bill when it is unknown, its sums disagree or a head code is unknown.
    """
    lines = []
    for row in payment.bills:
        bill = bills.get(row.bill_id)
        if bill is None:
            raise BadInputError(f"{payment.label} pays bill {row.bill_id}, which the platform does not find")
        lines += payable_lines(bill, payment, master.head_codes)
    if not lines:
        raise BadInputError(f"{payment.label} has no line that is still to be paid")
    return merge_by_payee(lines)


def draft(tenant_name: str, shares: Sequence[PayeeShare], directory: PayeeDirectory) -> list[Share]:
    """The shares on their accounts, those on one account joined: the treasury refuses the same account twice.

    Raises BadInputError that names the payee for an account that is missing, masked, undecrypted or not valid, or a
    name or mobile number that can't be sent: then nothing of the PI is sent (money-rules.md R12).
    """
    by_account: dict[tuple[str, str], Share] = {}
    for share in shares:
        payee = directory.payee(share)
        who = f"payee {payee.payee_id}"
        account = (valid_account_number(payee.account_number, who), valid_ifsc(payee.ifsc, who))
        sendable_mobile(payee)
        if not payee.account_type.strip():
            raise BadInputError(f"{who} has an account without a type")
        first = by_account.get(account)
        if first is None:
            by_account[account] = Share(
                payee=payee,
                amount=share.amount,
                line_item_ids=share.line_item_ids,
                name=sendable_name(payee),
                address=sendable_address(payee, tenant_name),
            )
        else:
            by_account[account] = Share(
                payee=first.payee,
                amount=first.amount + share.amount,
                line_item_ids=(*first.line_item_ids, *share.line_item_ids),
                name=first.name,
                address=first.address,
            )
    return list(by_account.values())


def sendable_name(payee: Payee) -> str:
    """The account holder's name in the treasury's letters. Raises BadInputError for one that has none."""
    return transliterate(payee.name, MAX_NAME, f"payee {payee.payee_id}: the account holder's name")


def sendable_mobile(payee: Payee) -> str:
    """The mobile number. Raises BadInputError unless it has ten digits."""
    if not (payee.mobile.isascii() and payee.mobile.isdecimal() and len(payee.mobile) == 10):
        raise BadInputError(f"payee {payee.payee_id} has no mobile number of ten digits")
    return payee.mobile


def sendable_address(payee: Payee, city: str) -> str:
    """The address in the treasury's letters; the city's name where there is none."""
    return transliterate(payee.address.strip() or city, MAX_ADDRESS, f"payee {payee.payee_id}: the address")


def numbered(shares: Sequence[Share], numbers: Sequence[str]) -> list[NewBeneficiary]:
    """The shares as beneficiaries, each with its number."""
    return [
        NewBeneficiary(
            beneficiary_number=number,
            beneficiary_id=share.payee.payee_id,
            beneficiary_type=share.payee.payee_type,
            amount=share.amount,
            line_item_ids=share.line_item_ids,
            name=share.name,
            account_number=share.payee.account_number,
            account_type=share.payee.account_type.strip(),
            ifsc=share.payee.ifsc,
            bank_account_id=share.payee.bank_account_detail_id,
            mobile=share.payee.mobile,
            address=share.address,
            gender=share.payee.gender,
            social_category=share.payee.social_category,
        )
        for share, number in zip(shares, numbers, strict=True)
    ]


@dataclass(frozen=True)
class Draft:
    """A payment with the content of its PI and its numbers, or with why it has none (`hold`: code and message)."""

    payment: models.Payment
    claim: Claim
    shares: Sequence[Share] = ()
    pi_number: str = ""
    beneficiary_numbers: Sequence[str] = ()
    bill_ids: Sequence[str] = ()
    bill_numbers: Sequence[str] = ()
    """The bills' numbers, as far as the bills were found: of one with a hold, too."""
    details: Mapping[str, list[Any]] | None = None
    hold: tuple[str, str] | None = None

    @property
    def amount(self) -> Decimal:
        """What the payees get together, in rupees."""
        return sum((share.amount for share in self.shares), Decimal(0))


@dataclass(frozen=True)
class Drafter:
    """Makes drafts of payments; safe to use from several threads."""

    portions: Portions
    master: MasterData

    def drafts(self, tenant: str, rows: Sequence[models.Payment], claim: Claim) -> list[Draft]:
        """One draft for each of a city's payments, in their order; a payment's trouble is its own draft's `hold`."""
        missing = self._missing(tenant)
        if missing:
            hold = (NO_UNIT, f"the payments of {tenant} can't be made: {missing}")
            return [Draft(row, claim, hold=hold) for row in rows]
        drafts: list[Draft] = []
        for some, found in self.portions.ask(tenant, rows, partial(self._look_up, tenant=tenant, claim=claim)):
            if not isinstance(found, PlatformError):
                drafts += found
                continue
            text = f"of {tenant} could not be looked up on the platform: {found}"
            drafts += [
                Draft(row, claim, hold=(PLATFORM_TROUBLE, f"payment {row.payment_number} {text}")) for row in some
            ]
        place = {row.id: number for number, row in enumerate(rows)}
        return sorted(drafts, key=lambda made: place[made.payment.id])

    def _missing(self, tenant: str) -> str | None:
        if not self.master.units.get(tenant):
            return self.master.problems.get(tenant, "it has no active SSU in master data ifms.SSUDetails")
        if not self.master.paying:
            return self.master.why_not_paying or "there is no active head of account in master data ifms.HeadOfAccounts"
        return None

    def _look_up(
        self, platform: PlatformClient, rows: Sequence[models.Payment], *, tenant: str, claim: Claim
    ) -> list[Draft]:
        found = _stored(platform, tenant, rows)
        held: list[Draft] = []
        read = [payment for payment in found.values() if isinstance(payment, Payment)]
        bills = platform.bills(tenant, [bill.bill_id for payment in read for bill in payment.bills])
        due: list[tuple[models.Payment, Payment, list[PayeeShare]]] = []
        numbers_of = {row.payment_number: _bill_numbers(found.get(row.payment_number), bills) for row in rows}

        def hold(row: models.Payment, code: str, message: str) -> None:
            held.append(Draft(row, claim, bill_numbers=numbers_of[row.payment_number], hold=(code, message)))

        for row in rows:
            try:
                payment = _unchanged(row, found.get(row.payment_number))
                if (stop := stopped(payment, bills)) is not None:
                    hold(row, *stop)
                    continue
                due.append((row, payment, shares_of(payment, bills, self.master)))
            except BadInputError as error:
                hold(row, BAD_PAYMENT, str(error))
        directory = platform.payee_directory(tenant, [share for _, _, shares in due for share in shares])
        name = self.master.city(tenant).name or tenant
        ready: list[tuple[models.Payment, Payment, list[Share]]] = []
        for row, payment, payees in due:
            try:
                ready.append((row, payment, draft(name, payees, directory)))
            except BadInputError as error:
                hold(row, BAD_PAYMENT, f"payment {row.payment_number}: {error}")
        if not ready:
            return held
        config = platform.config
        pi_numbers = platform.new_ids(config.pi_id_name, tenant, len(ready))
        numbers = iter(platform.new_ids(config.beneficiary_id_name, tenant, sum(len(s) for _, _, s in ready)))
        works = works_of(platform, tenant, bills.values())
        return held + [
            Draft(
                payment=row,
                claim=claim,
                shares=shares,
                pi_number=pi_number,
                beneficiary_numbers=[next(numbers) for _ in shares],
                bill_ids=[bill.bill_id for bill in payment.bills],
                bill_numbers=numbers_of[row.payment_number],
                details=additional_details([bills[bill.bill_id] for bill in payment.bills], works, self.master),
            )
            for (row, payment, shares), pi_number in zip(ready, pi_numbers, strict=True)
        ]


def _stored(
    platform: PlatformClient, tenant: str, rows: Sequence[models.Payment]
) -> dict[str, Payment | PlatformReplyError]:
    """The platform's payments by number; a new one that it does not find yet is asked for again, a few times."""
    found: dict[str, Payment | PlatformReplyError] = {}
    wanted = [row.payment_number for row in rows]
    for pause in (*STORED_PAUSES_SECONDS, None):
        found |= by_number(platform.payments(tenant, numbers=wanted))
        wanted = [row.payment_number for row in rows if row.payment_number not in found and row.hold_code is None]
        if not wanted or pause is None:
            break
        time.sleep(pause)
    return found


def _bill_numbers(payment: Payment | PlatformReplyError | None, bills: Mapping[str, Bill]) -> list[str]:
    found = [bills.get(row.bill_id) for row in payment.bills] if isinstance(payment, Payment) else []
    return [bill.bill_number for bill in found if bill is not None and bill.bill_number]


def _unchanged(row: models.Payment, payment: Payment | PlatformReplyError | None) -> Payment:
    """The platform's payment as it is now.

    Raises BadInputError when it is gone, its amount has changed (F9), or its number names another or several payments.
    """
    if isinstance(payment, PlatformReplyError):
        raise BadInputError(str(payment))
    if payment is None:
        raise BadInputError(f"payment {row.payment_number} of {row.tenant_id} is not found on the platform any more")
    if payment.net_payable_amount != row.amount:
        raise BadInputError(
            f"{payment.label} was first seen with {row.amount} and now says {payment.net_payable_amount}: "
            "ask which is right"
        )
    if row.payment_id and payment.id != row.payment_id:
        raise BadInputError(
            f"{payment.label} was first seen as {row.payment_id} and is now {payment.id}: ask which of the two it is, "
            "then let it be resubmitted"
        )
    return payment


def works_of(platform: PlatformClient, tenant: str, bills: Iterable[Bill]) -> Mapping[str, Works]:
    """What the bills are for, for people to read on the PI; a PI is not worth less without it."""
    try:
        return platform.works(tenant, [bill.bill_number for bill in bills if bill.bill_number])
    except PlatformError:
        return {}


def additional_details(bills: Collection[Bill], works: Mapping[str, Works], master: MasterData) -> dict[str, list[Any]]:
    """The PI's additionalDetails: bill numbers and contract numbers, each once (digit-services.md §4).

    And, where there are some, the projects' numbers and names and the wards, as the calculator or the bills tell them,
    and the bills' lines of zero rupees with their payees: they are in no beneficiary.
    """
    numbers = sorted({bill.bill_number for bill in bills if bill.bill_number})
    known = [works[number] for number in numbers if number in works]
    details: dict[str, list[Any]] = {
        "billNumber": numbers,
        "referenceId": sorted({number for each in known for number in each.contract_numbers}),
    }
    told = {
        name: {text for bill in bills if (text := bill.detail(name))} for name in ("projectId", "projectName", "ward")
    }
    told["projectNumber"] = {number for each in known for number in each.project_numbers} or told.pop("projectId")
    details |= {name: sorted(told[name]) for name in ("projectNumber", "projectName", "ward") if told[name]}
    nothing = [
        {"lineItemId": line.line_item_id, "beneficiaryId": line.payee_id}
        for bill in bills
        for line in zero_lines(bill, master.head_codes)
    ]
    return details | {NOTHING_TO_PAY: nothing} if nothing else details
