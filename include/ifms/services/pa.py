"""PA: a payment on the platform for each approved bill that has none.

The platform refuses a second payment for a bill only once it has stored the first, a little after answering; so a run
claims a bill before it asks, and the ledger binds each bill to one payment.
Facts: digit-services.md §2 (PA job) and §3.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from ifms import clock
from ifms.errors import (
    BadInputError,
    LedgerDataError,
    LedgerError,
    PaymentExistsError,
    PlatformError,
    PlatformRefusedError,
    PlatformReplyError,
)
from ifms.ledger.bills import (
    STORED_WITHIN,
    ClaimedBill,
    bills_elsewhere,
    bind_bills,
    claim_bills,
    give_up_bill,
    never_stored,
)
from ifms.ledger.claims import Claim
from ifms.ledger.database import Connection
from ifms.ledger.models import NewPayment as LedgerPayment
from ifms.ledger.payments import ToldOtherwise, note_bill_numbers, payments_due, remember_payments
from ifms.money import Tally, positive_rupees
from ifms.platform.client import PlatformClient
from ifms.platform.masterdata import CityList
from ifms.platform.models import Bill, NewPayment, Payment
from ifms.services.chosen import ChosenBills
from ifms.sweep.pipeline import drive
from ifms.sweep.run import Sweep
from ifms.sweep.scope import Scope

LEASE = timedelta(minutes=10)
SHOWN = 10  # bills without a workflow's state that a run names; the others it counts
_FIRST = datetime(2000, 1, 1, tzinfo=UTC)  # what the ledger can hold


@dataclass(frozen=True)
class _Due:
    """A bill that this run alone may create the payment of."""

    bill: Bill
    claimed: ClaimedBill
    claim: Claim


@dataclass(frozen=True)
class _Raised:
    """What became of one bill: its payment, or why there is none, and whether the request may have arrived.

    `exists`: the platform has a payment of it, which `payment` is where it is known. `late`: nothing was asked, because
    the claim had almost run out and another run might be asking.
    """

    payment: Payment | None = None
    fault: str | None = None
    unsure: bool = False
    exists: bool = False
    late: bool = False


def create_payments(sweep: Sweep, platform: PlatformClient, cities: CityList, scope: Scope) -> Tally:
    """Create the payments of the approved bills in `scope`; what waits for a PI now.

    These are the bills that were created in its period, or those that it names, whenever they were created.
    """
    for fault in cities.unread:
        sweep.add_problem(fault)
    chosen = None if scope.bills is None else ChosenBills(sweep, platform, cities, scope)

    stateless: list[Bill] = []

    def bills() -> Generator[_Due, None, None]:
        if chosen is not None:
            for tenant, found in chosen.payable():
                yield from _claimed(sweep, tenant, found, chosen)
            return
        for tenant in scope.cities(cities):
            # All of a city's bills are read before its first payment: each payment would shift the pages.
            found = []
            try:
                unpaid = platform.bills_to_pay(tenant, without_workflow=stateless.append)
                found.extend(bill for bill in unpaid if _in_scope(bill, scope))
            except PlatformError as error:
                sweep.add_problem(f"the bills of {tenant} could not all be read: {error}")
            yield from _claimed(sweep, tenant, found)
        _tell_stateless(sweep, [bill for bill in stateless if _in_scope(bill, scope)])

    # A copy that has fallen behind its lease asks for nothing: another may have asked, and the platform not stored it.
    needed = min(platform.config.timeout_seconds, LEASE.total_seconds() / 2)

    def call(due: _Due) -> _Raised:
        if due.claim.seconds_left < needed:
            return _Raised(late=True)
        try:
            return _Raised(platform.create_payment(NewPayment.for_bill(due.bill)))
        except PaymentExistsError:
            return _existing(platform, due)
        except BadInputError as error:  # it names the bill
            return _Raised(fault=str(error))
        except PlatformRefusedError as error:
            return _Raised(fault=f"{due.bill.label}: {error}")
        except PlatformError as error:
            return _Raised(fault=f"{due.bill.label}: {error}; looked at again after {LEASE}", unsure=True)

    def settle(due: _Due, raised: _Raised) -> None:
        bill = due.bill
        if raised.payment is not None:
            sweep.counts["payments_found" if raised.exists else "payments_created"] += 1
            remember(sweep, [raised.payment])
            number = raised.payment.payment_number or ""
            sweep.db.transact(lambda c: _bind(c, bill, number))
            if chosen is not None and not raised.exists:
                chosen.made(bill, raised.payment)
        elif not raised.unsure:
            sweep.db.transact(lambda c: give_up_bill(c, due.claimed, due.claim, duplicate=raised.exists))
            sweep.counts["refused_as_paid"] += raised.exists
        if raised.late:
            sweep.counts["fallen_behind"] += 1
            if chosen is not None:
                sweep.add_problem(f"{bill.label}: this run has fallen behind and did not ask; choose it again")
        elif chosen is not None and raised.exists:
            chosen.has_payment(bill)
        if raised.fault is not None:
            sweep.add_problem(raised.fault)

    def give_back(due: _Due) -> None:
        sweep.db.transact(lambda c: give_up_bill(c, due.claimed, due.claim))

    try:
        drive(sweep, bills(), call, settle, give_back)
    finally:
        if chosen is not None:
            chosen.report_payments()
    return sweep.db.transact(lambda c: payments_due(c, scope.cities(cities)))


def _existing(platform: PlatformClient, due: _Due) -> _Raised:
    """The platform has a payment of the bill: it is looked for once the bill has been called unpaid for long."""
    bill, since = due.bill, due.claimed.duplicate_since
    if since is None or clock.now() - since < STORED_WITHIN:
        return _Raised(exists=True)
    text = f"{bill.label}: the platform has called it unpaid for over {STORED_WITHIN} and refuses a second payment"
    try:
        found = [
            payment
            for payment in platform.payments(bill.tenant_id, bill_ids=[bill.id])
            if bill.id in {row.bill_id for row in payment.bills}
        ]
    except PlatformError as error:
        return _Raised(exists=True, fault=f"{text}; which the first is could not be read: {error}")
    if len(found) == 1 and found[0].status == "INITIATED" and found[0].cancelled is None:
        return _Raised(found[0], exists=True)
    shown = ", ".join(f"{payment.label} ({payment.status})" for payment in found) or "no payment is found"
    return _Raised(exists=True, fault=f"{text}: {shown}; ask the platform what became of it")


def _tell_stateless(sweep: Sweep, bills: Sequence[Bill]) -> None:
    """Approved by their status, and without a workflow's state, which the platform should have of each bill."""
    if not bills:
        return
    sweep.counts["without_workflow"] += len(bills)
    names = ", ".join(bill.label for bill in bills[:SHOWN])
    more = f" and {len(bills) - SHOWN} more" if len(bills) > SHOWN else ""
    sweep.add_problem(
        f"{names}{more}: the platform does not tell the state of the workflow, so no payment is made; "
        "see there whether it is approved"
    )


def _bind(connection: Connection, bill: Bill, payment_number: str) -> None:
    """The bill is paid by this payment, which people find by the bill's number."""
    bind_bills(connection, bill.tenant_id, {payment_number: [bill.id]})
    if bill.bill_number:
        note_bill_numbers(connection, bill.tenant_id, payment_number, [bill.bill_number])


def _claimed(
    sweep: Sweep, tenant: str, found: Sequence[Bill], chosen: ChosenBills | None = None
) -> Generator[_Due, None, None]:
    """The bills that nobody else is asking for; what is not taken when the sweep stops is given back."""
    ids = [bill.id for bill in found]
    if not ids:
        return
    try:
        claim, free = sweep.db.transact(lambda c: claim_bills(c, tenant, ids, LEASE))
    except LedgerDataError as error:
        sweep.add_problem(f"the bills of {tenant} could not be claimed: {error}")
        return
    if len(free) < len(ids):
        sweep.counts["asked_for_already"] += len(ids) - len(free)
        elsewhere = _tell_elsewhere(sweep, tenant, found)
        if chosen is not None:
            chosen.not_free(tenant, [bill for bill in found if bill.id not in free and bill.id not in elsewhere])
        for bill_id, number in sweep.db.transact(lambda c: never_stored(c, tenant, ids)):
            sweep.add_problem(
                f"bill {bill_id} of {tenant}: the platform announced payment {number} over {STORED_WITHIN} ago and "
                "still calls the bill unpaid; ask the platform what became of it"
            )
    due = [bill for bill in found if bill.id in free]
    taken = 0
    try:
        for bill in due:
            taken += 1
            yield _Due(bill, free[bill.id], claim)
    finally:
        for bill in due[taken:]:
            sweep.db.transact(partial(give_up_bill, bill=free[bill.id], claim=claim))


def _tell_elsewhere(sweep: Sweep, tenant: str, found: Sequence[Bill]) -> set[str]:
    """The ids of those that another city has in the ledger, which may have paid them: nobody asks for their payment."""
    bills = {bill.id: bill for bill in found}
    elsewhere = sweep.db.transact(lambda c: bills_elsewhere(c, tenant, bills))
    for bill_id, city, number in elsewhere:
        paid = (
            "which has no payment: ask the platform whose it is; a payment that is raised there by hand is taken up"
            if number is None
            else f"which payment {number} pays: ask the platform which city's it is; it is not paid once more"
        )
        sweep.add_problem(f"{bills[bill_id].label} is known here as bill {bill_id} of {city}, {paid}")
    return {bill_id for bill_id, *_ in elsewhere}


def remember(sweep: Sweep, payments: Iterable[Payment]) -> None:
    """Take payments of the platform into the ledger, so that ifms_pi finds them oldest first.

    Raises PlatformReplyError for what could not be read, once the others are taken.
    """
    known: list[LedgerPayment] = []
    unreadable: PlatformReplyError | None = None
    try:
        for payment in payments:
            try:
                known.append(_ledger_payment(payment))
            except BadInputError as error:
                sweep.add_problem(str(error))
    except PlatformReplyError as error:
        unreadable = error
    for changed in _taken_in(sweep, known):
        sweep.add_problem(_otherwise(changed))
    if unreadable is not None:
        raise unreadable


def _otherwise(changed: ToldOtherwise) -> str:
    told = changed.told
    payment = f"payment {told.payment_number} of {told.tenant_id} is now told"
    if changed.known_as is not None:
        city, number = changed.known_as
        return (
            f"{payment} as {told.payment_id}, which is known here as payment {number} of {city}: it is not paid once "
            "more; ask the platform which city and number are right"
        )
    return (
        f"{payment} with {told.amount} as {told.payment_id}, another amount or payment than was first seen so: the "
        "first one stands"
    )


def _taken_in(sweep: Sweep, known: Sequence[LedgerPayment]) -> Sequence[ToldOtherwise]:
    """Those that are known already otherwise; one that the ledger can't take does not stop the others."""
    try:
        return sweep.db.transact(lambda c: remember_payments(c, known))
    except LedgerError as error:
        if len(known) > 1:
            return [changed for each in known for changed in _taken_in(sweep, [each])]
        sweep.add_problem(f"payment {known[0].payment_number} of {known[0].tenant_id}: {error}")
        return []


def _ledger_payment(payment: Payment) -> LedgerPayment:
    if not payment.payment_number or payment.net_payable_amount is None:
        raise BadInputError(f"{payment.label} has no number or no amount to pay")
    amount = positive_rupees(payment.net_payable_amount, f"{payment.label}: the amount to pay")
    created = payment.audit_details.created_time if payment.audit_details else None
    return LedgerPayment(
        tenant_id=payment.tenant_id,
        payment_number=payment.payment_number,
        payment_id=payment.id,
        amount=amount,
        raised_at=_raised_at(payment, created),
    )


def _raised_at(payment: Payment, created: int | None) -> datetime | None:
    """When the payment was created, if that is told. Raises BadInputError for a time before there were any."""
    when = clock.from_epoch_ms(created) if created else None
    if when is not None and when < _FIRST:
        raise BadInputError(f"{payment.label} says that it was created in {when.year}; ask the platform what it is")
    return when


def _in_scope(bill: Bill, scope: Scope) -> bool:
    created = bill.audit_details.created_time if bill.audit_details else None
    return created is None or scope.covers(clock.from_epoch_ms(created))
