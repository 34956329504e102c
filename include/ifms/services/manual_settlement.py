"""Ending a PI by hand: a person says what became of it at the treasury, or cancels it before it was sent.

Settled is a PENDING one; or one that is FAILED after its outcome was not known, and of which its status service never
says anything that is known: that the treasury lacks it, so that its payment may have another. Nothing is sent. The
person's name and reason stay in the status log, and on the PI.
"""

from __future__ import annotations

from enum import StrEnum

from ifms.errors import BadInputError, ConflictError
from ifms.ledger import beneficiaries, failures, instructions, outbox, payments, status_log
from ifms.ledger.database import Connection
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.proposals import Act, Approval, use
from ifms.ledger.status_log import LogStatus
from ifms.ledger.statuses import BeneficiaryStatus, Event, PiStatus
from ifms.ledger.write_batch import Writes
from ifms.services.cor import Revision
from ifms.services.pi import Instruction
from ifms.sweep.submission import refusal_of
from ifms.wire.envelope import ReplyError


class Verdict(StrEnum):
    """What a person knows of a PI."""

    ACCEPTED = "accepted"  # the treasury has it: its money is spent, and its status service is asked from now on
    NOT_THERE = "not at the treasury"  # its money is free, and its payment may have another


def settle(
    connection: Connection,
    pi_number: str,
    verdict: Verdict,
    *,
    reason: str,
    person: str,
    typed: str,
    as_seen: str | None = None,
    approval: Approval = None,
) -> PaymentInstruction:
    """Settle a PI as a person says, in the caller's transaction; `typed` is its number, typed once more.

    `as_seen` is `instructions.as_seen` of when the person, or who proposed it, began: that the treasury lacks it counts
    only while it was neither sent nor shown since; None: they look now.

    Where that needs a second person, `approval` is the proposal that one has approved, and is used up by this. Raises
    SecondPersonError without one, BadInputError without reason, name or the number, or for a PI that is not there,
    ConflictError for one that a person can't settle so, or of which a call is under way.
    """
    reason, person = _required(reason, person, "settling by hand")
    pi = _locked(connection, pi_number, typed)
    if not may_be_settled(pi):
        raise ConflictError(f"PI {pi_number} is {pi.status}: only a PENDING one is settled by hand")
    if pi.status is PiStatus.FAILED and verdict is Verdict.ACCEPTED:
        raise ConflictError(f"PI {pi_number} is FAILED: its money is given back, so it can't be accepted any more")
    _nobody_calls(connection, pi)
    if verdict is Verdict.NOT_THERE and failures.told_of(connection, pi_number):
        raise ConflictError(
            f"failed payments of PI {pi_number} were reported, so that the treasury has it: say that, or close them on "
            "the page Failures if they are of another bill; nothing was changed"
        )
    wanted = proposed(connection, pi_number, verdict)
    if verdict is Verdict.NOT_THERE and as_seen is not None and as_seen != wanted["seen"]:
        raise ConflictError(
            f"PI {pi_number} was sent, or shown by its status service, since somebody looked for it at the treasury: "
            "look there again, and say it anew; nothing was changed"
        )
    proposal = use(connection, Act.SETTLE, pi_number, wanted, approval)
    if proposal is not None:
        reason, person = proposal.reason, proposal.people
    kind = Revision() if pi.pi_type == "REVISED" else Instruction()
    message = f"settled by hand, {verdict}, by {person}: {reason}"
    instructions.settled_by(connection, pi, person, absent=verdict is Verdict.NOT_THERE)
    if pi.status is PiStatus.FAILED:
        status_log.log_status(connection, pi, kind.service, LogStatus.SETTLED_BY_HAND, message=message)
        return pi
    writes = Writes(connection)
    if verdict is Verdict.ACCEPTED:
        change = kind.accepted(writes, pi, None, None, message)
    else:
        change = kind.declined(writes, pi, None, (*refusal_of(pi), ReplyError(None, message)))
    status_log.log_status(writes, pi, kind.service, LogStatus.SETTLED_BY_HAND, message=message, to_status=change.status)
    writes.flush()
    return pi


def proposed(connection: Connection, pi_number: str, verdict: Verdict, as_seen: str | None = None) -> dict[str, str]:
    """The parameters of a proposal to settle it so; that the treasury lacks it is said of what was seen there, or is.

    `as_seen`: as `settle` takes it.
    """
    wanted = {"verdict": str(verdict)}
    if verdict is Verdict.NOT_THERE:
        wanted["seen"] = instructions.as_seen(connection, pi_number) if as_seen is None else as_seen
    return wanted


def may_be_settled(pi: PaymentInstruction) -> bool:
    """Whether a person may say what became of it: nothing else has."""
    doubtful = pi.status is PiStatus.FAILED and pi.uncertain and not pi.is_said_absent
    return pi.status is PiStatus.PENDING or doubtful


def cancel(connection: Connection, pi_number: str, *, reason: str, person: str, typed: str) -> PaymentInstruction:
    """Cancel a PENDING PI of which nothing can have arrived, in the caller's transaction; `typed` is its number again.

    It is FAILED, and its money is free. Its payment gets another PI once a person has it resubmitted; the beneficiaries
    of a revised PI, or of a repayment, are as failed as they were. The platform hears of a payment.

    Raises what `settle` does, and ConflictError for a PI of which a submission may have arrived.
    """
    reason, person = _required(reason, person, "cancelling")
    pi = _locked(connection, pi_number, typed)
    if pi.status is not PiStatus.PENDING:
        raise ConflictError(f"PI {pi_number} is {pi.status}: only a PENDING one is cancelled")
    _nobody_calls(connection, pi)
    if pi.held_back or pi.may_have_arrived:
        raise ConflictError(
            f"PI {pi_number} may have arrived at the treasury (its last attempt: {pi.last_attempt}), so it is not "
            "cancelled: ask the treasury, then settle it by hand"
        )
    service = (Revision() if pi.pi_type == "REVISED" else Instruction()).service
    message = f"cancelled before it was sent, by {person}: {reason}"
    writes = Writes(connection)
    change = instructions.advance(
        writes,
        pi,
        None,
        Event.CANCELLED,
        cancelled_by=person,
        error_code="PI_CANCELLED",
        error_message=message,
        claim_token=None,
        claimed_until=None,
    )
    if pi.pi_type == "ORIGINAL" and pi.repayment_of is None:
        instructions.free_payment(writes, pi, payments.CANCELLED, f"PI {pi_number} was {message}")
        outbox.enqueue_payment_status(writes, pi.tenant_id, pi.payment_number, "FAILED", "PAYMENT_FAILED")
    else:
        beneficiaries.set_beneficiaries(writes, pi, BeneficiaryStatus.PENDING, BeneficiaryStatus.FAILED)
    status_log.log_status(writes, pi, service, LogStatus.CANCELLED, message=message, to_status=change.status)
    writes.flush()
    return pi


def _required(reason: str, person: str, what: str) -> tuple[str, str]:
    reason, person = " ".join(reason.split()), person.strip()
    if not reason or not person:
        raise BadInputError(f"{what} needs a reason, and the name of who does it")
    return reason, person


def _locked(connection: Connection, pi_number: str, typed: str) -> PaymentInstruction:
    if typed.strip() != pi_number:
        raise BadInputError(f"type the number of the payment instruction, {pi_number}, to confirm: nothing was changed")
    pi = instructions.lock(connection, pi_number)
    if pi is None:
        raise BadInputError(f"PI {pi_number[:100]!r} is not known here")
    return pi


def _nobody_calls(connection: Connection, pi: PaymentInstruction) -> None:
    if instructions.call_under_way(connection, pi):
        raise ConflictError(f"a call about PI {pi.pi_number} is under way: wait until its sweep has settled it")
