"""PA: a payment on the platform for each approved bill that has none.

The platform refuses a second payment for a bill, so a lost reply or two runs at once make no second one.
Facts: digit-services.md §2 (PA job) and §3.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass

from ifms import clock
from ifms.errors import BadInputError, PaymentExistsError, PlatformError
from ifms.ledger.models import NewPayment as LedgerPayment
from ifms.ledger.payments import payments_due, remember_payments
from ifms.platform.client import PlatformClient
from ifms.platform.masterdata import MasterData
from ifms.platform.models import Bill, NewPayment, Payment
from ifms.services.scope import Scope
from ifms.services.sweep import Sweep


@dataclass(frozen=True)
class _Raised:
    """What became of one bill: its payment, or why there is none."""

    payment: Payment | None = None
    already: bool = False
    fault: str | None = None


def create_payments(sweep: Sweep, platform: PlatformClient, master: MasterData, scope: Scope) -> bool:
    """Create the payments of the approved bills in `scope` (by their creation); whether payments wait for a PI now."""

    def bills() -> Generator[Bill, None, None]:
        for tenant in scope.cities(master):
            # All of a city's bills are read before its first payment: each payment would shift the pages.
            found: list[Bill] = []
            try:
                found.extend(bill for bill in platform.bills_to_pay(tenant) if _in_scope(bill, scope))
            except PlatformError as error:
                sweep.problem(f"the bills of {tenant} could not all be read: {error}")
            yield from found

    def call(bill: Bill) -> _Raised:
        try:
            return _Raised(platform.create_payment(NewPayment.for_bill(bill)))
        except PaymentExistsError:
            return _Raised(already=True)
        except (BadInputError, PlatformError) as error:
            return _Raised(fault=f"{bill.label}: {error}")

    def settle(bill: Bill, raised: _Raised) -> None:
        if raised.payment is not None:
            sweep.counts["payments_created"] += 1
            remember(sweep, [raised.payment])
        elif raised.already:
            sweep.counts["payments_existing"] += 1
        else:
            sweep.problem(raised.fault or f"{bill.label}: no payment was made")

    sweep.drive(bills(), call, settle, give_back=lambda bill: None)
    return sweep.db.transact(lambda c: payments_due(c, scope.cities(master)))


def remember(sweep: Sweep, payments: Iterable[Payment]) -> None:
    """Take payments of the platform into the ledger, so that ifms_pi finds them oldest first."""
    known: list[LedgerPayment] = []
    for payment in payments:
        try:
            known.append(_ledger_payment(payment))
        except BadInputError as error:
            sweep.problem(str(error))
    for changed in sweep.db.transact(lambda c: remember_payments(c, known)):
        sweep.problem(
            f"payment {changed.payment_number} of {changed.tenant_id} is now told with {changed.amount}, "
            "another amount than it was first seen with: the first one stands"
        )


def _ledger_payment(payment: Payment) -> LedgerPayment:
    if not payment.payment_number or payment.net_payable_amount is None or payment.net_payable_amount <= 0:
        raise BadInputError(f"{payment.label} has no number or no amount to pay")
    created = payment.audit_details.created_time if payment.audit_details else None
    return LedgerPayment(
        tenant_id=payment.tenant_id,
        payment_number=payment.payment_number,
        payment_id=payment.id,
        amount=payment.net_payable_amount,
        raised_at=clock.from_epoch_ms(created) if created else clock.now(),
    )


def _in_scope(bill: Bill, scope: Scope) -> bool:
    created = bill.audit_details.created_time if bill.audit_details else None
    return created is None or scope.covers(clock.from_epoch_ms(created))
