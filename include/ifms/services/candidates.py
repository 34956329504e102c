"""Whose failed payment can be revised now: each one's account in its earlier PIs, and in the registry today."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ifms.errors import BadInputError, PlatformReplyError, SealError
from ifms.ledger.binding import open_account
from ifms.ledger.corrections import History, Try
from ifms.ledger.models import PaymentInstruction
from ifms.platform.accounts import account_at
from ifms.platform.client import PlatformClient
from ifms.platform.models import BankAccount, BankAccountDetail, Bill, HeadCode, Payment, by_number
from ifms.platform.payees import payees_of_lines
from ifms.sealing import Sealer
from ifms.services.instruction_draft import stopped
from ifms.wire.bank import valid_account_number, valid_ifsc


@dataclass(frozen=True)
class Account:
    """An account that money goes, or went, to."""

    number: str = field(repr=False)
    ifsc: str
    detail: BankAccountDetail | None = None

    def same_as(self, other: Account) -> bool:
        """Whether both are one account: its number and its IFSC."""
        return (self.number, self.ifsc) == (other.number, other.ifsc)


@dataclass(frozen=True)
class Accounts:
    """A failed beneficiary's three: in the original, in the PI that failed last, and in the registry now."""

    first: Account
    before: Account
    now: Account

    @property
    def mended(self) -> bool:
        """Whether the registry has another account now than the one that failed."""
        return not self.now.same_as(self.before)


@dataclass(frozen=True)
class PaymentNow:
    """An original's payment and its bills as the platform has them now; asked when first needed, and once."""

    platform: PlatformClient
    original: PaymentInstruction

    @cached_property
    def _payment(self) -> Payment | None:
        number = self.original.payment_number
        found = by_number(self.platform.payments(self.original.tenant_id, numbers=[number])).get(number)
        if isinstance(found, PlatformReplyError):
            raise found
        return found

    @cached_property
    def _bills(self) -> dict[str, Bill]:
        ids = [row.bill_id for row in self._payment.bills] if self._payment is not None else []
        return self.platform.bills(self.original.tenant_id, ids)

    def stopped(self, lines: Collection[str]) -> str | None:
        """Why the platform wants nothing of these lines paid any more; what it does not find stops nothing.

        Raises PlatformReplyError when its payment's number names two.
        """
        hold = stopped(self._payment, self._bills, lines) if self._payment is not None else None
        return None if hold is None else hold[1]

    def payees(self, lines: Collection[str], head_codes: Mapping[str, HeadCode]) -> list[str]:
        """Whose these lines are, each payee once. Raises BadInputError where that can't be told."""
        found = payees_of_lines(self._bills.values(), head_codes, lines)
        if missing := sorted(set(lines) - found.keys()):
            raise BadInputError(
                f"the platform has line {', '.join(missing)} in no bill of payment {self.original.payment_number}"
            )
        return sorted(set(found.values()))


@dataclass(frozen=True)
class Candidates:
    """Looks at what failed beneficiaries were, and would be, paid to; writes nothing."""

    platform: PlatformClient
    sealer: Sealer

    @cached_property
    def _head_codes(self) -> Mapping[str, HeadCode]:
        return self.platform.head_codes()

    def accounts(
        self, original: PaymentInstruction, failed: Mapping[str, History], payment: PaymentNow | None = None
    ) -> tuple[dict[str, Accounts], dict[str, str]]:
        """The accounts of each by beneficiary number; of those who can't be paid as they stand, why not.

        `payment` is the original's, of a caller that asks about it, too.
        """
        accounts: dict[str, Accounts] = {}
        held, faults = self.accounts_now(original, failed, payment)
        for number, now in held.items():
            history = failed[number]
            try:
                before = self.account_of(history.last)
                first = before if history.first is history.last else self.account_of(history.first)
            except (BadInputError, SealError) as error:
                faults[number] = f"beneficiary {number}: {error}"
            else:
                accounts[number] = Accounts(first, before, now)
        return accounts, faults

    def accounts_now(
        self, original: PaymentInstruction, failed: Mapping[str, History], payment: PaymentNow | None = None
    ) -> tuple[dict[str, Account], dict[str, str]]:
        """The active primary account of each, as the registry has it; of those without a valid one, what is wrong.

        Payees who had one account are one beneficiary: they can be paid only while they have one account still.
        """
        payees, faults = self._payees(failed, payment or PaymentNow(self.platform, original))
        ids = sorted({payee for theirs in payees.values() for payee in theirs})
        held = self.platform.bank_accounts(original.tenant_id, ids)
        accounts: dict[str, Account] = {}
        for number, theirs in payees.items():
            try:
                each = [_account_now(held.get(payee), f"beneficiary {number} (payee {payee})") for payee in theirs]
            except BadInputError as error:
                faults[number] = str(error)
                continue
            if all(account.same_as(each[0]) for account in each):
                accounts[number] = each[0]
            else:
                faults[number] = (
                    f"beneficiary {number} is one payment to {', '.join(theirs)}, whose accounts differ now, so none "
                    "of these can take it: give them one account in the registry until it is paid"
                )
        return accounts, faults

    def _payees(
        self, failed: Mapping[str, History], payment: PaymentNow
    ) -> tuple[dict[str, list[str]], dict[str, str]]:
        """The payees of each, first whom the row names; of those whose payees can't be told, why not."""
        payees: dict[str, list[str]] = {}
        faults: dict[str, str] = {}
        for number, history in failed.items():
            row = history.last.row
            others: list[str] = []
            if len(row.line_item_ids) > 1:  # one line is one payee's
                try:
                    others = payment.payees(row.line_item_ids, self._head_codes)
                except BadInputError as error:
                    faults[number] = f"beneficiary {number} (payee {row.beneficiary_id} and maybe others): {error}"
                    continue
            payees[number] = [row.beneficiary_id, *(payee for payee in others if payee != row.beneficiary_id)]
        return payees, faults

    def account_of(self, tried: Try) -> Account:
        """The account that a PI paid to: as it was sent, or, where that is not known here, by the audit log.

        Raises BadInputError that names the payee whose account nobody knows any more.
        """
        row = tried.row
        if row.account_sealed is not None:
            return Account(open_account(self.sealer, tried.pi, row), row.ifsc)
        number, ifsc = account_at(self.platform, tried.pi.tenant_id, row.beneficiary_id, tried.pi.created_at)
        who = f"beneficiary {row.beneficiary_number}, by the audit log,"
        return Account(number, valid_ifsc(ifsc or row.ifsc, who))


def _account_now(held: BankAccount | None, who: str) -> Account:
    detail = held.primary if held is not None else None
    if detail is None:
        raise BadInputError(f"{who} has no active primary bank account")
    return Account(valid_account_number(detail.account_number, who), valid_ifsc(detail.ifsc, who), detail)
