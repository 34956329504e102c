"""Bills that an operator has chosen by their numbers: which of them may have their payment made, and why others not.

Facts: digit-services.md §2. Each number gets one line of what became of it.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field

from ifms.errors import BadInputError, PlatformError
from ifms.ledger.bills import payments_of_bills
from ifms.platform.client import PlatformClient
from ifms.platform.masterdata import CityList
from ifms.platform.models import Bill, Payment
from ifms.sweep.run import Sweep
from ifms.sweep.scope import Scope

MOST = 200

_APART = re.compile(r"[\s,]+")
_NUMBER = re.compile(r"[A-Za-z0-9/._-]{1,128}")


def bill_numbers(texts: Iterable[str]) -> tuple[str, ...]:
    """The bill numbers in a form's lines, several on a line apart by commas or blanks; each once, in their order.

    Raises BadInputError for none, for more than `MOST`, and for what can't be a bill's number.
    """
    numbers = list(dict.fromkeys(number for text in texts for number in _APART.split(text) if number))
    for number in numbers:
        if not _NUMBER.fullmatch(number):
            raise BadInputError(f"{number[:40]!r} is no bill number: they are like WB/2024-25/000001")
    if not 1 <= len(numbers) <= MOST:
        raise BadInputError(f"choose 1 to {MOST} bills, not {len(numbers)}")
    return tuple(numbers)


@dataclass
class ChosenBills:
    """The bills that the scope of a sweep names. What a bill's number led to is reported in one line each."""

    sweep: Sweep
    platform: PlatformClient
    cities: CityList
    scope: Scope
    _made: list[str] = field(default_factory=list)

    def payable(self) -> Generator[tuple[str, list[Bill]], None, None]:
        """City by city, the chosen bills that are approved and have no payment; the others are reported."""
        numbers = self.scope.bills or ()
        found: dict[str, list[Bill]] = {number: [] for number in numbers}
        unread: list[str] = []
        cities = self.scope.cities(self.cities)
        for tenant in cities:
            try:
                for bill in self.platform.bills_by_number(tenant, numbers):
                    found[bill.bill_number or ""].append(bill)
            except PlatformError as error:
                unread.append(tenant)
                self.sweep.add_problem(f"the bills of {tenant} could not all be read: {error}")
        by_city: dict[str, list[Bill]] = {tenant: [] for tenant in cities}
        for number, bills in found.items():
            if len(bills) == 1:
                by_city[bills[0].tenant_id].append(bills[0])
            elif bills:
                names = ", ".join(f"{bill.id} of {bill.tenant_id}" for bill in bills)
                self.sweep.add_problem(f"bill {number} is several bills ({names}): nothing is paid under this number")
            else:
                self.sweep.add_problem(f"bill {number} is not found in {self._where(cities, unread)}")
        for tenant, bills in by_city.items():
            if bills:
                yield tenant, [bill for bill in bills if self._may_be_paid(bill)]

    def _where(self, cities: Sequence[str], unread: Sequence[str]) -> str:
        where = ", ".join(cities) if self.scope.tenants else f"any of the {len(cities)} cities"
        return f"{where}; {', '.join(unread)} could not be read" if unread else where

    def _may_be_paid(self, bill: Bill) -> bool:
        if bill.payment_status is not None:
            self.has_payment(bill)
        elif bill.stopped is not None:
            workflow = f" ({bill.wf_status})" if bill.wf_status and bill.wf_status not in bill.stopped else ""
            self.sweep.add_problem(f"{bill.label} {bill.stopped}{workflow}: it gets no payment")
        elif bill.wf_status is None:
            self.sweep.add_problem(
                f"{bill.label}: the platform does not tell its workflow's state; choose it again later"
            )
        else:
            return True
        return False

    def not_free(self, tenant: str, bills: Sequence[Bill]) -> None:
        """These have a payment that the platform does not show yet, or another run is asking for it."""
        known = self.sweep.db.transact(lambda c: payments_of_bills(c, tenant, [bill.id for bill in bills]))
        for bill in bills:
            if bill.id in known:
                self._paid_already(bill, f"payment {known[bill.id]}")
            else:
                self.sweep.add_problem(
                    f"{bill.label}: another run is asking for its payment now; look again in a while"
                )

    def has_payment(self, bill: Bill) -> None:
        """The platform has a payment for it: say which."""
        try:
            payments = list(self.platform.payments(bill.tenant_id, bill_ids=[bill.id]))
        except PlatformError as error:
            self.sweep.add_problem(f"{bill.label} has a payment already; which one could not be read: {error}")
            return
        self._paid_already(bill, " and ".join(map(_shown, payments)) or "a payment that can't be found yet")

    def _paid_already(self, bill: Bill, payment: str) -> None:
        text = f"{bill.label} has {payment} already"
        if (self.sweep.context.try_number or 1) > 1:
            self.sweep.add_warning(text)  # it may be the try before this one that has made it
        else:
            self.sweep.add_problem(text)

    def made(self, bill: Bill, payment: Payment) -> None:
        """Its payment is made."""
        self._made.append(f"{bill.label}: payment {payment.payment_number} of {payment.net_payable_amount:.2f} is made")

    def report_payments(self) -> None:
        """Tell of the payments that were made; after the problems, of which the first names the run's failure."""
        for text in self._made:
            self.sweep.add_warning(text)


def _shown(payment: Payment) -> str:
    return f"payment {payment.payment_number or payment.id} ({payment.status})"
