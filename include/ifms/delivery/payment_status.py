"""Delivers each change of a payment to the platform (ifms_relay), in order, at least once.

A message that the platform refuses for good is set aside and stays visible; what follows for the same payment waits.
What was cancelled on the platform stays so, but for what has happened to money in spite of it.
Facts: digit-services.md §3 (`_update`, statuses only, the asynchronous "Payment id is invalid").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Generator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any

from ifms.errors import (
    BadInputError,
    PaymentNotYetPersistedError,
    PlatformError,
    PlatformRefusedError,
    PlatformReplyError,
    PlatformUnavailableError,
)
from ifms.ledger import outbox
from ifms.ledger.claims import Claim
from ifms.ledger.database import Connection
from ifms.ledger.outbox import Message
from ifms.ledger.payments import lines_at_the_treasury, lines_paid
from ifms.platform.client import PlatformClient
from ifms.platform.models import CANCELLED, SUCCESSFUL, Payment, by_number
from ifms.platform.portions import Portions
from ifms.sweep.pipeline import drive
from ifms.sweep.run import Sweep

REFUSALS = 5  # tries until a refused message is set aside: the platform may not have stored the payment yet
BATCH = 64


class _Result(Enum):
    YES = "delivered"
    FALLEN_BEHIND = "fallen_behind"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class _Delivery:
    """A message under its claim, with the payment that it is about, or why that is not known."""

    message: Message
    claim: Claim
    payment: Payment | None
    history: Sequence[Mapping[str, Any]]
    fault: PlatformError | None = None
    ours: AbstractSet[str] = frozenset()  # lines whose money is under way or paid; known where something is cancelled
    paid: AbstractSet[str] | None = None  # lines that are in a PI; known where all of the payment is told as paid

    @property
    def would_revive(self) -> bool:
        """Whether somebody has cancelled its payment on the platform, and none of its money is under way or paid."""
        return self.payment is not None and self.payment.cancelled is not None and not self.ours


def deliver(sweep: Sweep, platform: PlatformClient, *, again: Collection[int] | None = None) -> None:
    """Deliver what is due; first let these messages that were set aside be tried `again` (all of them when empty)."""
    if again is not None:
        sweep.counts["sent_again"] += sweep.db.transact(lambda c: outbox.send_again(c, list(again) or None))

    portions = Portions(platform)

    def deliveries() -> Generator[_Delivery, None, None]:
        # Each key's next message only: a batch is delivered before the messages behind it are due.
        while True:
            claim, batch = sweep.db.transact(lambda c: outbox.claim_messages(c, BATCH))
            if not batch:
                return
            histories = sweep.db.transact(partial(outbox.history_by_message, messages=batch))
            whole = sorted({(m.tenant_id, m.payload["paymentNumber"]) for m in batch if _tells_paid(histories[m.id])})
            paid = sweep.db.transact(partial(lines_paid, payments=whole)) if whole else {}
            for looked_up in _with_payments(portions, batch, claim, histories):
                of = (looked_up.message.tenant_id, looked_up.message.payload["paymentNumber"])
                delivery = replace(looked_up, paid=paid.get(of))
                payment = delivery.payment
                if payment is None or not (payment.cancelled_lines or payment.cancelled):
                    yield delivery
                    continue
                tenant, number = delivery.message.tenant_id, delivery.message.payload["paymentNumber"]
                ours = sweep.db.transact(partial(lines_at_the_treasury, tenant_id=tenant, payment_number=number))
                yield replace(delivery, ours=ours)

    # A copy that has fallen behind its lease sends nothing: another may have told the platform something newer.
    needed = min(platform.config.timeout_seconds, outbox.LEASE.total_seconds() / 2)

    def call(delivery: _Delivery) -> PlatformError | BadInputError | _Result:
        if delivery.fault is not None:
            return delivery.fault
        if delivery.claim.seconds_left < needed:
            return _Result.FALLEN_BEHIND
        if delivery.would_revive:
            return _Result.CANCELLED
        assert delivery.payment is not None
        try:
            platform.update_payment(changed(delivery.payment, delivery.history, delivery.ours, delivery.paid))
        except (PlatformError, BadInputError) as error:  # of this payment as the platform has it: it stops no other
            return error
        return _Result.YES

    def settle(delivery: _Delivery, result: PlatformError | BadInputError | _Result) -> None:
        _settle(sweep, delivery, result)

    def give_back(delivery: _Delivery) -> None:
        sweep.db.transact(lambda c: outbox.give_back(c, delivery.message, delivery.claim))

    while not sweep.stopping:
        before = sweep.counts["delivered"] + sweep.counts["cancelled"]
        drive(sweep, deliveries(), call, settle, give_back)
        if (
            sweep.counts["delivered"] + sweep.counts["cancelled"] == before
        ):  # what was delivered may have freed the next message of its payment
            return


def _with_payments(
    portions: Portions,
    batch: Collection[Message],
    claim: Claim,
    histories: Mapping[int, Sequence[Mapping[str, Any]]],
) -> Generator[_Delivery, None, None]:
    """Each message with its payment, looked up city by city."""
    by_city: dict[str, list[Message]] = defaultdict(list)
    for message in batch:
        by_city[message.tenant_id].append(message)
    for tenant, messages in by_city.items():
        numbers = sorted({str(message.payload["paymentNumber"]) for message in messages})
        found: dict[str, Payment | PlatformError] = {}
        for some, answer in portions.ask(tenant, numbers, partial(_payments_of, tenant=tenant)):
            found |= dict.fromkeys(some, answer) if isinstance(answer, PlatformError) else answer
        for message in messages:
            told = found[str(message.payload["paymentNumber"])]
            if isinstance(told, PlatformError):
                yield _Delivery(message, claim, None, (), told)
            else:
                yield _Delivery(message, claim, told, histories[message.id])


def _payments_of(
    platform: PlatformClient, numbers: Sequence[str], *, tenant: str
) -> dict[str, Payment | PlatformError]:
    """By number each payment, or why it is not known. Raises PlatformError when nothing is known of any."""
    read: list[Payment] = []
    unread: PlatformReplyError | None = None
    try:
        read.extend(platform.payments(tenant, numbers=numbers))
    except PlatformReplyError as error:  # those that can be read were given before
        if not read:
            raise
        unread = error
    found: dict[str, Payment | PlatformError] = {**by_number(read)}
    for number in numbers:
        if number not in found:
            found[number] = unread or PaymentNotYetPersistedError(f"payment {number} is not found")
    return found


def _settle(sweep: Sweep, delivery: _Delivery, result: PlatformError | BadInputError | _Result) -> None:
    message = delivery.message
    what = f"message {message.id} about payment {message.payload['paymentNumber']}"

    def write(connection: Connection) -> str:
        match result:
            case PlatformRefusedError() | BadInputError() if message.attempts >= REFUSALS:
                outbox.set_aside(connection, message, delivery.claim, str(result))
                return "set_aside"
            case PlatformError() | BadInputError():
                outbox.try_later(connection, message, delivery.claim, str(result))
                return "try_later"
            case _Result.FALLEN_BEHIND:  # its claim runs out by itself, and the next run takes it
                pass
            case _Result.CANCELLED:
                outbox.close_undeliverable(
                    connection, message, delivery.claim, "the payment is cancelled on the platform"
                )
            case _Result.YES:
                outbox.delivered(connection, message, delivery.claim)
        return result.value

    label = sweep.db.transact(write)
    sweep.counts[label] += 1
    if label == "set_aside":
        sweep.add_problem(f"{what} was refused {message.attempts} times and is set aside: {result}")
    elif isinstance(result, PlatformUnavailableError):
        sweep.add_warning(f"{what}: {result}")


def _tells_paid(history: Sequence[Mapping[str, Any]]) -> bool:
    return any("lines" not in payload and payload["status"] == SUCCESSFUL for payload in history)


def changed(
    payment: Payment,
    history: Sequence[Mapping[str, Any]],
    ours: AbstractSet[str] = frozenset(),
    paid: AbstractSet[str] | None = None,
) -> Payment:
    """The payment as the last message of its `history` wants it: all of it, or single lines and what is above them.

    A line of zero rupees is told as settled, whatever becomes of the others. What is cancelled on the platform stays
    so, unless it is one of `ours`: the lines whose money is under way, or paid. Of one that came back it would say
    that it is still wanted, and it would be paid. A line that no PI pays (INACTIVE on its bill, in a payment of the
    adapter before this one) stays as it is where the whole payment is told as paid: the platform would count what it
    is of. `paid` are those that one pays.

    The statuses come from what was said so far, not from what the platform just told: it stores an update a little
    after it has answered, and what it tells meanwhile is old. Sending that back would undo the update.
    """
    cancelled = payment.lines_not_wanted - ours
    before = payment
    for payload in history:
        if "lines" not in payload:
            payment = payment.with_status(payload["status"], payload["referenceStatus"])
            continue
        wanted = set(payload["lines"])
        payment = payment.model_copy(deep=True)
        payment.status, payment.reference_status = payload["status"], payload["referenceStatus"]
        for bill in payment.bills:
            for detail in bill.bill_details:
                lines = [line for line in detail.payable_line_items if line.line_item_id in wanted]
                for line in lines:
                    line.status = payload["lineStatus"]
                if lines and payload["above"]:
                    detail.status = bill.status = payload["above"]
    payment = payment.with_nothing_owed()
    if unpaid := _paid_by_none(payment, paid) - cancelled:
        payment = _with_kept(payment, before, unpaid)
    return _with_kept(payment, before, cancelled, CANCELLED) if cancelled else payment


def _paid_by_none(payment: Payment, paid: AbstractSet[str] | None) -> frozenset[str]:
    """The lines that would be told as paid, and that no PI pays; none where no PI's lines are known."""
    lines = [line for bill in payment.bills for detail in bill.bill_details for line in detail.payable_line_items]
    if not paid or paid.isdisjoint(line.line_item_id for line in lines):
        return frozenset()
    told = {line.line_item_id for line in lines if line.status == SUCCESSFUL and line.paid_amount != 0}
    return frozenset(told - paid)


def _with_kept(payment: Payment, before: Payment, kept: AbstractSet[str], status: str | None = None) -> Payment:
    """The payment with these lines, but for those of zero rupees, of this status, or as they were before.

    Details and bills of no others are as before.
    """
    payment = payment.model_copy(deep=True)
    for bill, bill_before in zip(payment.bills, before.bills, strict=True):
        bill_kept = True
        for detail, detail_before in zip(bill.bill_details, bill_before.bill_details, strict=True):
            detail_kept = True
            for line, was in zip(detail.payable_line_items, detail_before.payable_line_items, strict=True):
                if line.line_item_id in kept:
                    line.status = was.status if line.paid_amount == 0 or status is None else status
                else:
                    detail_kept = False
            if detail_kept:
                detail.status = detail_before.status
            bill_kept = bill_kept and detail_kept
        if bill_kept:
            bill.status = bill_before.status
    return payment
