"""Sending what moves money: PI and COR. Persist, send, record; unknown is not failed (DESIGN.md, money rules 1 and 2).

Whatever is sent was written before, with its call announced; whatever comes back is settled in one transaction. What
may have arrived is asked about by its status service first, and then sent again: the same number, the same content.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, assert_never
from uuid import UUID

from ifms.errors import BadInputError, SealError, WireError
from ifms.ledger import beneficiaries, history, instructions
from ifms.ledger.claims import Claim
from ifms.ledger.database import Connection
from ifms.ledger.history import LogStatus
from ifms.ledger.instructions import Change
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.statuses import Event
from ifms.ledger.writes import Target, Writes
from ifms.services.poll import Claimed, StatusService
from ifms.services.sweep import Sweep
from ifms.treasury.client import TreasuryClient
from ifms.treasury.outcome import Answered, NeverSent, Outcome, Rejected, Unknown
from ifms.wire.bank import quoted
from ifms.wire.envelope import (
    Reply,
    ReplyError,
    Request,
    Service,
    bad_beneficiaries,
    is_duplicate,
    is_rejection,
    is_unknown_bill,
)

ACCEPTED = "0"


@dataclass(frozen=True)
class Receipt:
    """The treasury's word that it has a bill."""

    success_code: str
    success_description: str | None


class Kind(Protocol):
    """What is sent, and what its acceptance or refusal means."""

    @property
    def service(self) -> Service:
        """Its service code."""

    @property
    def asked_by(self) -> StatusService[Any]:
        """The status service that knows whether the treasury has it."""

    def receipt(self, pi: PaymentInstruction, reply: Reply) -> Receipt:
        """The receipt in an answer. Raises WireError when it is not about `pi` or no acceptance."""

    def accepted(
        self, writes: Writes, pi: PaymentInstruction, mine: Claim, receipt: Receipt | None, said: str | None
    ) -> Change:
        """The treasury has it; `said` when it told so by refusing it as a duplicate."""

    def declined(self, writes: Writes, pi: PaymentInstruction, mine: Claim, errors: tuple[ReplyError, ...]) -> Change:
        """The treasury refuses it."""


@dataclass(frozen=True)
class Ready:
    """A bill about to be sent, and the call-log row that says so; `ask_first` when it may have arrived before."""

    pi: PaymentInstruction
    claim: Claim
    request: Request
    announced: UUID
    ask_first: bool = False


@dataclass(frozen=True)
class Sent:
    """What its status service said, if it was asked, and what the treasury said to the bill, if it was sent."""

    status: Outcome | None
    bill: Outcome | None


@dataclass(frozen=True)
class Sender:
    """Sends bills of one kind in a sweep: `send`, `settle` and `not_begun` are for Sweep.drive."""

    sweep: Sweep
    treasury: TreasuryClient
    kind: Kind

    def announce(self, target: Target, pi: PaymentInstruction, request: Request) -> UUID:
        """Write that the request is about to be sent, in the transaction that makes it so."""
        assert self.sweep.calls is not None
        return self.sweep.calls.announce(
            target, self.kind.service, pi.pi_number, request.to_wire(), pi.id, self.sweep.run.id
        )

    def again(self, item: Claimed, request_of: Callable[[], Request]) -> Ready | None:
        """Get a PENDING bill of an earlier sweep ready, in a transaction of its own.

        None when its stored rows give no request any more (a sealing key that is not at hand): it is said, it stays
        PENDING, and the others are sent.
        """
        try:
            request = request_of()
        except (BadInputError, SealError) as error:
            reason = f"PI {item.pi.pi_number} can't be sent again: {error}"
            self.sweep.db.transact(lambda c: instructions.note(c, item.pi, item.claim, reason))
            self.sweep.problem(reason)
            return None

        def attempt(connection: Connection) -> UUID:
            writes = Writes(connection)
            instructions.attempt(writes, item.pi, item.claim)
            announced = self.announce(writes, item.pi, request)
            writes.flush()
            return announced

        announced = self.sweep.db.transact(attempt)
        return Ready(item.pi, item.claim, request, announced, ask_first=item.pi.last_attempt != "never_sent")

    def send(self, item: Ready) -> Sent:
        """Send the bill; one that may have arrived before is asked about first. Runs in a worker thread."""
        status: Outcome | None = None
        if item.ask_first:
            status = self._call(item, self.kind.asked_by.request(item.pi, self.treasury.config))
            if not _treasury_lacks(item.pi, status):
                return Sent(status, None)
            if self.sweep.stopping:
                return Sent(status, NeverSent("the sweep was stopped before it was sent again", ()))
        if item.claim.seconds_left < self.treasury.config.timeout_seconds:
            return Sent(status, NeverSent("this sweep had fallen behind its lease: left to the next one", ()))
        return Sent(status, self._call(item, item.request))

    def _call(self, item: Ready, request: Request) -> Outcome:
        return self.treasury.call(request, until=item.claim.begin_by(self.treasury.config.timeout_seconds))

    def settle(self, item: Ready, sent: Sent) -> None:
        """One transaction: what was said, what it changes, and the PI back in its queue."""
        for outcome in (sent.status, sent.bill):
            if outcome is not None:
                self.sweep.heard(outcome)
        fault: str | None = None
        try:
            label = self.sweep.db.transact(lambda c: self._record(c, item, sent, None))
        except WireError as error:
            text = fault = str(error)
            label = self.sweep.db.transact(lambda c: self._record(c, item, sent, text))
        self.sweep.counts[label] += 1
        match sent.bill or sent.status:
            case Unknown(reason=reason, understood=False):
                fault = reason
        if fault is not None:
            self.sweep.problem(f"PI {item.pi.pi_number}: {fault}; it stays PENDING with its money reserved")

    def not_begun(self, item: Ready) -> None:
        """The sweep was stopped before this one was sent: the same number goes out in the next one."""
        outcome = "unknown" if item.ask_first else "never_sent"

        def write(connection: Connection) -> None:
            self._withdraw(connection, item)
            instructions.settle_attempt(
                connection, item.pi, item.claim, outcome, "the sweep was stopped before it was sent"
            )

        self.sweep.db.transact(write)

    def _record(self, connection: Connection, item: Ready, sent: Sent, fault: str | None) -> str:
        writes = Writes(connection)
        label = self._write(writes, item, sent, fault)
        writes.flush()
        return label

    def _write(self, writes: Writes, item: Ready, sent: Sent, fault: str | None) -> str:
        if sent.status is not None:
            self.sweep.log_calls(writes, sent.status, instruction_id=item.pi.id)
        if sent.bill is not None and sent.bill.exchanges:
            self.sweep.log_calls(writes, sent.bill, instruction_id=item.pi.id, announced=item.announced)
        else:
            self._withdraw(writes, item)
        if fault is not None:
            # The call is kept for inspection; what the treasury did with it is not known.
            service = self.kind.service if sent.bill is not None else self.kind.asked_by.service
            return self._unsettled(writes, item, LogStatus.ERROR, fault, service)
        if sent.bill is not None:
            return self._conclude(writes, item, sent.bill)
        assert sent.status is not None
        return self._conclude_from_status(writes, item, sent.status)

    def _conclude(self, writes: Writes, item: Ready, outcome: Outcome) -> str:
        """What the treasury's answer to the bill changes. Raises WireError for an answer that is not about it."""
        match outcome:
            case Answered(reply=reply):
                return self._accepted(writes, item, LogStatus.SUCCESS, self.kind.receipt(item.pi, reply), None)
            case Rejected(errors=errors) if is_duplicate(errors):
                return self._accepted(writes, item, LogStatus.DUPLICATE, None, "; ".join(map(str, errors)))
            case Rejected(errors=errors):
                change = self.kind.declined(writes, item.pi, item.claim, errors)
                said = "; ".join(map(str, errors))
                self._log(writes, item.pi, self.kind.service, LogStatus.ERROR, said, change)
                return change.label
            case NeverSent(reason=reason):
                return self._unsettled(writes, item, LogStatus.NOT_SENT, reason, self.kind.service)
            case Unknown(reason=reason):
                return self._unsettled(writes, item, LogStatus.NO_RESPONSE, reason, self.kind.service)
            case _ as never:
                assert_never(never)

    def _conclude_from_status(self, writes: Writes, item: Ready, outcome: Outcome) -> str:
        """What the status service's answer about a PENDING bill changes, where the bill was not sent again."""
        match outcome:
            case Answered(reply=reply):
                self.kind.asked_by.read(item.pi, reply)
            case Rejected(errors=errors) if is_rejection(errors, item.pi.pi_number):
                pass  # so the treasury has it: INITIATED now, and due for its rejection at once
            case Rejected() | NeverSent() | Unknown():
                reason = outcome.reason if not isinstance(outcome, Rejected) else "; ".join(map(str, outcome.errors))
                return self._unsettled(writes, item, LogStatus.NO_RESPONSE, reason, self.kind.asked_by.service)
            case _ as never:
                assert_never(never)
        found = f"found at the treasury by {self.kind.asked_by.service}"
        change = self.kind.accepted(writes, item.pi, item.claim, None, None)
        self._log(writes, item.pi, self.kind.service, LogStatus.SUCCESS, found, change)
        return change.label

    def _accepted(
        self, writes: Writes, item: Ready, status: LogStatus, receipt: Receipt | None, said: str | None
    ) -> str:
        change = self.kind.accepted(writes, item.pi, item.claim, receipt, said)
        self._log(writes, item.pi, self.kind.service, status, said, change)
        return change.label

    def _unsettled(self, writes: Writes, item: Ready, status: LogStatus, reason: str, service: Service) -> str:
        """It stays PENDING. Once a call may have arrived, only an answer settles it, however later ones end."""
        never_sent = status is LogStatus.NOT_SENT and not item.ask_first
        outcome = "never_sent" if never_sent else "unknown"
        instructions.settle_attempt(writes, item.pi, item.claim, outcome, reason)
        self._log(writes, item.pi, service, status, reason, None)
        return "not_sent" if never_sent else "outcome_unknown"

    def _withdraw(self, target: Target, item: Ready) -> None:
        assert self.sweep.calls is not None
        self.sweep.calls.withdraw(target, item.announced)

    def _log(
        self,
        writes: Writes,
        pi: PaymentInstruction,
        service: Service,
        status: LogStatus,
        message: str | None,
        change: Change | None,
    ) -> None:
        history.log_status(
            writes,
            pi,
            service,
            status,
            message=message,
            to_status=change.status if change else None,
            sweep_run_id=self.sweep.run.id,
        )


def accept(target: Target, pi: PaymentInstruction, mine: Claim, receipt: Receipt | None, said: str | None) -> Change:
    """INITIATED, with the treasury's receipt; `said` is its text when it refused the bill as a duplicate."""
    return instructions.advance(
        target,
        pi,
        mine,
        Event.ACCEPTED,
        last_attempt="answered",
        success_code=receipt and receipt.success_code,
        success_description=receipt and receipt.success_description,
        error_message=said,
    )


def decline(target: Target, pi: PaymentInstruction, mine: Claim, errors: tuple[ReplyError, ...], code: str) -> Change:
    """FAILED, with what the treasury said of it and of single beneficiaries."""
    beneficiaries.note_beneficiaries(target, pi, bad_beneficiaries(errors))
    return instructions.advance(
        target,
        pi,
        mine,
        Event.DECLINED,
        last_attempt="rejected",
        error_code=code,
        error_message="; ".join(map(str, errors)),
    )


def checked_receipt(
    service: Service, pi: PaymentInstruction, success_code: str, success_description: str | None
) -> Receipt:
    """The receipt. Raises WireError for any success code but "0"."""
    if success_code != ACCEPTED:
        raise WireError(f"the {service} reply about {pi.pi_number} has the success code {quoted(success_code)}")
    return Receipt(success_code, success_description)


def _treasury_lacks(pi: PaymentInstruction, outcome: Outcome) -> bool:
    """Whether the treasury says that it does not have the bill: by the error for that, or by empty data.

    After any other error it may have it, and then a second sending could be answered as if it were refused.
    """
    match outcome:
        case Answered(reply=reply):
            return not reply.data
        case Rejected(errors=errors):
            return is_unknown_bill(errors) and not is_rejection(errors, pi.pi_number)
        case NeverSent() | Unknown():
            return False
        case _ as never:
            assert_never(never)
