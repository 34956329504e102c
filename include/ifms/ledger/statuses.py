"""What may follow what: the life of a payment instruction and of its beneficiaries, as data.

The database holds a copy (table `status_transition`, written by `ifms migrate`) and refuses every other change; the
diagram in the docs is made from here. The texts are DIGIT's (http-api.md §6, digit-services.md §10) plus PENDING.
"""

from __future__ import annotations

from enum import StrEnum

from ifms.errors import LedgerError


class PiStatus(StrEnum):
    """Where a payment instruction stands."""

    PENDING = "PENDING"  # written and reserved here; what the treasury knows of it is not yet sure
    INITIATED = "INITIATED"  # the treasury has it
    APPROVED = "APPROVED"  # the SSU has submitted it
    IN_PROCESS = "IN PROCESS"  # the payment advice is made
    SUCCESSFUL = "SUCCESSFUL"  # every beneficiary has its debit scroll
    PARTIAL = "PARTIAL"  # some beneficiaries' payments failed
    COMPLETED = "COMPLETED"  # a revised PI has taken the failed ones over
    FAILED = "FAILED"  # declined by the treasury, rejected by the SSU, or cancelled before it was sent


class BeneficiaryStatus(StrEnum):
    """Where one beneficiary's money stands."""

    PENDING = "Payment Pending"
    INITIATED = "Payment Initiated"
    IN_PROCESS = "Payment In Process"
    SUCCESSFUL = "Payment Successful"
    FAILED = "Payment Failed"


class Event(StrEnum):
    """What changes a payment instruction: the treasury told us so, or, when it does not know it, a person."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    APPROVED = "approved"
    REJECTED = "rejected"
    ADVISED = "advised"
    PAID = "paid"
    SOME_FAILED = "some failed"
    SUPERSEDED = "superseded"


TRANSITIONS: dict[tuple[PiStatus, Event], PiStatus] = {
    (PiStatus.PENDING, Event.ACCEPTED): PiStatus.INITIATED,
    (PiStatus.PENDING, Event.DECLINED): PiStatus.FAILED,
    (PiStatus.PENDING, Event.CANCELLED): PiStatus.FAILED,
    (PiStatus.INITIATED, Event.APPROVED): PiStatus.APPROVED,
    (PiStatus.INITIATED, Event.REJECTED): PiStatus.FAILED,
    (PiStatus.APPROVED, Event.ADVISED): PiStatus.IN_PROCESS,
    (PiStatus.IN_PROCESS, Event.PAID): PiStatus.SUCCESSFUL,
    (PiStatus.IN_PROCESS, Event.SOME_FAILED): PiStatus.PARTIAL,
    # A revised PI skips approval and advice: FTPS and FTFPS follow its acceptance.
    (PiStatus.INITIATED, Event.PAID): PiStatus.SUCCESSFUL,
    (PiStatus.INITIATED, Event.SOME_FAILED): PiStatus.PARTIAL,
    (PiStatus.SUCCESSFUL, Event.SOME_FAILED): PiStatus.PARTIAL,
    (PiStatus.PARTIAL, Event.SUPERSEDED): PiStatus.COMPLETED,
}

BENEFICIARY_TRANSITIONS: frozenset[tuple[BeneficiaryStatus, BeneficiaryStatus]] = frozenset(
    {
        (BeneficiaryStatus.PENDING, BeneficiaryStatus.INITIATED),
        # A revision skips approval and advice; a declined one leaves its beneficiaries as failed as they were.
        (BeneficiaryStatus.PENDING, BeneficiaryStatus.IN_PROCESS),
        (BeneficiaryStatus.PENDING, BeneficiaryStatus.FAILED),
        (BeneficiaryStatus.INITIATED, BeneficiaryStatus.IN_PROCESS),
        (BeneficiaryStatus.IN_PROCESS, BeneficiaryStatus.SUCCESSFUL),
        (BeneficiaryStatus.INITIATED, BeneficiaryStatus.SUCCESSFUL),
        (BeneficiaryStatus.INITIATED, BeneficiaryStatus.FAILED),
        (BeneficiaryStatus.IN_PROCESS, BeneficiaryStatus.FAILED),
        (BeneficiaryStatus.SUCCESSFUL, BeneficiaryStatus.FAILED),
    }
)


def after(status: PiStatus, event: Event) -> PiStatus:
    """The status that `event` leads to from `status`.

    Raises LedgerError when the event may not happen there.
    """
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise LedgerError(f"a payment instruction that is {status} can't be {event}") from None


def transition_rows() -> set[tuple[str, str, str]]:
    """The rows of the table `status_transition`: (subject, from, to)."""
    rows = {("PAYMENT_INSTRUCTION", str(start), str(end)) for (start, _), end in TRANSITIONS.items()}
    return rows | {("BENEFICIARY", str(start), str(end)) for start, end in BENEFICIARY_TRANSITIONS}


def diagram() -> str:
    """The life of a payment instruction as a Mermaid state diagram; `docs/statuses.md` holds it."""
    names = {status: status.replace(" ", "_") for status in PiStatus}
    lines = ["stateDiagram-v2", f"    [*] --> {names[PiStatus.PENDING]}: written, money reserved"]
    lines += [f"    {names[start]} --> {names[end]}: {event}" for (start, event), end in TRANSITIONS.items()]
    ends = [status for status in PiStatus if all(start is not status for start, _ in TRANSITIONS)]
    return "\n".join([*lines, *(f"    {names[status]} --> [*]" for status in ends)])
