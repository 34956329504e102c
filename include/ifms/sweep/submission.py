"""Submits what moves money, PI and COR: persist, send, record; unknown is not failed (money-rules.md R1, R2).

Whatever is sent was written before, with its call announced; whatever comes back is settled in one transaction. Once a
submission may have arrived, only these end it: the treasury's acceptance (or, of a later submission, its refusal as a
duplicate); its status service showing it; its status service saying, after the treasury has refused it, that it does
not know this very bill, twice and `absence_hours` apart; a person (`manual_settlement`). Until then it is asked about
first, then sent again: the same number, the same content.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, assert_never
from uuid import UUID

from ifms import clock
from ifms.errors import (
    BadInputError,
    ClaimLostError,
    LedgerError,
    SealError,
    SignatureError,
    TreasuryError,
    UnknownTextError,
    WireError,
)
from ifms.ledger import beneficiaries, failures, instructions, phrases, status_log
from ifms.ledger.claims import Claim
from ifms.ledger.database import Connection
from ifms.ledger.failure_matching import rematch
from ifms.ledger.instructions import Change
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.status_log import LogStatus
from ifms.ledger.statuses import Event
from ifms.ledger.write_batch import Target, Writes
from ifms.sweep.status_poll import Claimed, StatusService
from ifms.sweep.treasury_sweep import TreasurySweep
from ifms.treasury.client import TreasuryClient
from ifms.treasury.outcome import Answered, NeverSent, Outcome, Rejected, Unknown
from ifms.wire.bank import mask_long_numbers, quoted, zero_long_numbers
from ifms.wire.envelope import Reply, ReplyError, Request, Service
from ifms.wire.phrasebook import Meaning, bad_beneficiaries

ACCEPTED = "0"

log = logging.getLogger("ifms.sweep")


@dataclass(frozen=True)
class Receipt:
    """The treasury's word that it has a bill."""

    success_code: str
    success_description: str | None


class SubmittableBill(Protocol):
    """What is sent, and what its acceptance or refusal means."""

    @property
    def service(self) -> Service:
        """Its service code."""

    @property
    def asked_by(self) -> StatusService[Any]:
        """The status service that knows whether the treasury has it."""

    def receipt(self, pi: PaymentInstruction, reply: Reply) -> Receipt:
        """The receipt in an answer. Raises WireError when it is not about `pi` or no acceptance."""

    def is_whole(self, pi: PaymentInstruction, news: Any) -> bool:  # noqa: ANN401  (what its own status service reads)
        """Whether what the status service shows has all that tells this very bill from another of its number."""

    def accepted(
        self, writes: Writes, pi: PaymentInstruction, claim: Claim | None, receipt: Receipt | None, message: str | None
    ) -> Change:
        """The treasury has it; `message` when it refused a duplicate. Without a claim: under the PI's lock."""

    def declined(
        self, writes: Writes, pi: PaymentInstruction, claim: Claim | None, errors: tuple[ReplyError, ...]
    ) -> Change:
        """The treasury does not have it, and refuses it or is not asked again. Without a claim: under its lock."""


@dataclass(frozen=True)
class Ready:
    """A bill about to be sent, and the call-log row that says so; `ask_first` when it may have arrived before."""

    pi: PaymentInstruction
    claim: Claim
    request: Request
    announced: UUID
    ask_first: bool = False
    withheld: str | None = None
    """Why it is asked about, and not sent: what it was made from has changed."""

    def was_sent_before(self, bill: Rejected) -> bool:
        """Whether an earlier submission may have arrived: then a duplicate is itself, and no refusal declines it."""
        return self.ask_first or bill.sent_before


@dataclass(frozen=True)
class Sent:
    """What its status service answered, if it was asked, and what the treasury answered to the bill, if it was sent.

    `after` is what the status service said once a first submission was refused as a duplicate.
    """

    status: Outcome | None
    bill: Outcome | None
    after: Outcome | None = None


@dataclass(frozen=True)
class _Concluded:
    """How an attempt ended: the sweep's word for it, and what a person should see of it."""

    label: str
    problem: str | None = None


@dataclass(frozen=True)
class Sender:
    """Sends bills of one kind in a sweep: `send`, `settle` and `not_begun` are for pipeline.drive."""

    sweep: TreasurySweep
    treasury: TreasuryClient
    kind: SubmittableBill

    def announce(self, target: Target, bills: Sequence[tuple[PaymentInstruction, Request]]) -> list[UUID]:
        """Write that these requests are about to be sent, in the transaction that makes it so."""
        calls = [(pi, request.to_wire()) for pi, request in bills]
        return self.sweep.calls.announce(target, self.kind.service, calls, self.sweep.run.id)

    def again(self, item: Claimed, request_of: Callable[[], Request], withheld: str | None = None) -> Ready | None:
        """Get a PENDING bill of an earlier sweep ready, in a transaction of its own.

        None when there is nothing to send: what the treasury answered before settles it, now that its words are known;
        or its stored rows give no request any more (they are not what was signed, or a key is not at hand): then it is
        said, it stays PENDING, and the others are sent. One that is `withheld`, for that reason, is not sent again; it
        is asked about if it may have arrived.
        """
        try:
            return None if self._settled_by_known_words(item) else self._ready_again(item, request_of, withheld)
        except ClaimLostError as lost:
            self.sweep.counts["claim_lost"] += 1
            log.warning("%s: %s", self.kind.service, lost)
        except (LedgerError, WireError) as error:  # this one's trouble is not the others'; its claim runs out
            self.sweep.add_problem(f"PI {item.pi.pi_number}: {error}")
        return None

    def _ready_again(self, item: Claimed, request_of: Callable[[], Request], withheld: str | None) -> Ready | None:
        maybe_there = item.pi.may_have_arrived
        try:
            request = request_of()
            if withheld is not None and not maybe_there:
                raise BadInputError(withheld)
        except (BadInputError, SealError, SignatureError) as error:
            reason = f"PI {item.pi.pi_number} can't be sent again: {error}"
            self.sweep.db.transact(lambda c: instructions.note(c, item.pi, item.claim, reason))
            self.sweep.add_problem(reason)
            return None
        only_asked = withheld is not None or self._may_only_be_asked_about(item.pi)

        def attempt(connection: Connection) -> UUID:
            writes = Writes(connection)
            instructions.attempt(writes, item.pi, item.claim, uncertain=maybe_there, only_asked=only_asked)
            [announced] = self.announce(writes, [(item.pi, request)])
            writes.flush()
            return announced

        announced = self.sweep.db.transact(attempt)
        return Ready(item.pi, item.claim, request, announced, maybe_there, withheld)

    def send(self, item: Ready) -> Sent:
        """Send the bill; one that may have arrived before is asked about first. Runs in a worker thread."""
        status: Outcome | None = None
        if item.ask_first or item.pi.held_back:
            status = self._ask(item)
            if item.withheld is not None or not self._may_be_sent_again(item.pi, status):
                return Sent(status, None)
            if self.sweep.stopping:
                return Sent(status, NeverSent("the sweep was stopped before it was sent again", ()))
        if item.claim.seconds_left < self.treasury.config.timeout_seconds:
            return Sent(status, NeverSent("this sweep had fallen behind its lease: left to the next one", ()))
        bill = self._call(item, item.request)
        if (
            isinstance(bill, Rejected)
            and not item.was_sent_before(bill)
            and self._meaning(item.pi, bill) is Meaning.DUPLICATE
        ):
            try:
                return Sent(status, bill, self._ask(item))
            except TreasuryError as error:  # the bill was answered all the same
                return Sent(status, bill, NeverSent(str(error), ()))
        return Sent(status, bill)

    def _ask(self, item: Ready) -> Outcome:
        return self._call(item, self.kind.asked_by.request(item.pi, self.treasury.config))

    def _call(self, item: Ready, request: Request) -> Outcome:
        try:
            return self.treasury.call(request, until=item.claim.begin_by(self.treasury.config.timeout_seconds))
        except TreasuryError:  # no session: nothing of this request was sent
            raise
        except Exception as error:  # whatever it was, the call may have arrived
            return Unknown(f"the call ended with {type(error).__name__}", (), understood=False)

    def _may_be_sent_again(self, pi: PaymentInstruction, status: Outcome) -> bool:
        """Whether the same bill goes out once more: its status service does not show it, and nobody has refused it.

        Neither the error for an unknown bill nor empty data proves that the treasury lacks it; but the same number can
        be taken only once. After any other error nothing is known of it.
        """
        if self._may_only_be_asked_about(pi):
            return False
        match status:
            case Answered(reply=reply):
                return not reply.data
            case Rejected():
                return self._status_meaning(pi, status) is Meaning.UNKNOWN_BILL
            case NeverSent() | Unknown():
                return False
            case _ as never:
                assert_never(never)

    def _may_only_be_asked_about(self, pi: PaymentInstruction) -> bool:
        """Whether it is not sent again whatever its status service says: held back, or refused and not just for now."""
        return pi.held_back or self._stands_refused(pi)

    # What texts mean --------------------------------------------------------------------------------------------------

    def _meaning(self, pi: PaymentInstruction, outcome: Rejected) -> Meaning | None:
        return self.sweep.phrasebook.errors(self.kind.service, outcome.errors, pi.pi_number)

    def _status_meaning(self, pi: PaymentInstruction, outcome: Rejected) -> Meaning | None:
        return self.sweep.phrasebook.errors(self.kind.asked_by.service, outcome.errors, pi.pi_number)

    def _stands_refused(self, pi: PaymentInstruction) -> bool:
        """Whether its last submission was refused, and not just for now."""
        return pi.refusal is not None and self._refused_as(pi) is not Meaning.TRY_LATER

    def _refused_as(self, pi: PaymentInstruction) -> Meaning | None:
        """What the standing refusal of its last submission means by what is known today."""
        return self.sweep.phrasebook.errors(self.kind.service, refusal_of(pi), pi.pi_number)

    def _number_is_taken(self, pi: PaymentInstruction) -> bool:
        """Whether its first submission was refused as a duplicate: something has its number that was not sent here."""
        return pi.refused_first and self._refused_as(pi) is Meaning.DUPLICATE

    # Settling ---------------------------------------------------------------------------------------------------------

    def settle(self, item: Ready, sent: Sent) -> None:
        """One transaction: the exchanges, what they change, and the PI back in its queue."""
        for outcome in (sent.status, sent.bill, sent.after):
            if outcome is not None:
                self.sweep.record_outcome(outcome)
        try:
            done = self._settled(item, sent, None)
        except WireError as error:
            done = self._settled(item, sent, error)
        self.sweep.counts[done.label] += 1
        if done.problem is not None:
            self.sweep.add_problem(f"PI {item.pi.pi_number}: {done.problem}; it stays PENDING with its money reserved")

    def _settled(self, item: Ready, sent: Sent, fault: WireError | None) -> _Concluded:
        return self.sweep.settled(
            lambda c: self._record(c, item, sent, fault), log=lambda c: self._log_calls(c, item, sent)
        )

    def not_begun(self, item: Ready) -> None:
        """The sweep was stopped before this one was sent: the same number goes out in the next one."""
        outcome = "unknown" if item.ask_first else "never_sent"

        def write(connection: Connection) -> None:
            self._withdraw(connection, item)
            instructions.settle_attempt(
                connection, item.pi, item.claim, outcome, "the sweep was stopped before it was sent"
            )

        self.sweep.db.transact(write)

    def _settled_by_known_words(self, item: Claimed) -> bool:
        """Settle a refusal whose words have been given a meaning since; True when that ended it.

        Refused for its content when it was sent for the only time: declined. Refused as a duplicate when it was sent
        again: accepted.
        """
        meaning = self._refused_as(item.pi) if item.pi.refusal is not None else None
        errors = refusal_of(item.pi)
        message = "; ".join(map(str, errors))
        if item.pi.held_back:
            return False
        if meaning is Meaning.CONTENT_ERROR and item.pi.refused_first:
            if self.sweep.db.transact(lambda c: failures.told_of(c, item.pi.pi_number)):
                return False
            word, status = "declined", LogStatus.ERROR
        elif meaning is Meaning.DUPLICATE and not item.pi.refused_first:
            word, status = "accepted", LogStatus.DUPLICATE
        else:
            return False

        def write(connection: Connection) -> None:
            writes = Writes(connection)
            if word == "declined":
                self._note_words(writes, item.pi, self.kind.service, errors)
                change = self.kind.declined(writes, item.pi, item.claim, errors)
            else:
                change = self.kind.accepted(writes, item.pi, item.claim, None, message)
            self._log(writes, item.pi, self.kind.service, status, message, change)
            writes.flush()

        self.sweep.db.transact(write)
        self.sweep.counts[word] += 1
        return True

    def _record(self, connection: Connection, item: Ready, sent: Sent, fault: WireError | None) -> _Concluded:
        writes = Writes(connection)
        done = self._write(writes, item, sent, fault)
        writes.flush()
        if item.pi.unmatched_failures:  # told while it was PENDING: it may take them now
            rematch(connection, item.pi.pi_number, self.sweep.calls.sealer, self.sweep.run.id)
        return done

    def _log_calls(self, target: Target, item: Ready, sent: Sent) -> None:
        if sent.status is not None:
            self.sweep.log_calls(target, sent.status, instruction_id=item.pi.id)
        if sent.bill is not None and sent.bill.exchanges:
            self.sweep.log_calls(target, sent.bill, instruction_id=item.pi.id, announced=item.announced)
        elif sent.bill is None or isinstance(sent.bill, NeverSent):
            self._withdraw(target, item)
        if sent.after is not None:
            self.sweep.log_calls(target, sent.after, instruction_id=item.pi.id)

    def _write(self, writes: Writes, item: Ready, sent: Sent, fault: WireError | None) -> _Concluded:
        self._log_calls(writes, item, sent)
        if fault is not None:
            return self._not_understood(writes, item, sent, fault)
        if sent.bill is not None:
            return self._conclude(writes, item, sent.bill, sent.after)
        assert sent.status is not None
        return self._conclude_from_status(writes, item, sent.status)

    def _not_understood(self, writes: Writes, item: Ready, sent: Sent, fault: WireError) -> _Concluded:
        """A reply that can't be about this bill: the call is kept; what the treasury did with the bill is not known."""
        by_bill = sent.bill is not None and sent.after is None
        service = self.kind.service if by_bill else self.kind.asked_by.service
        unknown = fault.texts if isinstance(fault, UnknownTextError) else ()
        columns: dict[str, object] = {}
        if sent.after is not None and isinstance(sent.bill, Rejected):
            columns = self._refusal(item, sent.bill)
        label = self._unsettled(writes, item, LogStatus.ERROR, str(fault), service, unknown, **columns)
        return _Concluded(label, str(fault))

    def _conclude(self, writes: Writes, item: Ready, bill: Outcome, after: Outcome | None) -> _Concluded:
        """What the treasury's answer to the bill changes. Raises WireError for an answer that is not about it."""
        service = self.kind.service
        match bill:
            case Answered(reply=reply):
                return self._accepted(writes, item, LogStatus.SUCCESS, self.kind.receipt(item.pi, reply), None)
            case Rejected(errors=errors):
                meaning, message = self._meaning(item.pi, bill), "; ".join(map(str, errors))
                if meaning is Meaning.DUPLICATE and item.was_sent_before(bill):
                    return self._accepted(writes, item, LogStatus.DUPLICATE, None, message)
                if meaning is Meaning.DUPLICATE and after is not None and self._shows_it(item.pi, after):
                    return self._accepted(writes, item, LogStatus.DUPLICATE, None, message)
                if meaning is Meaning.CONTENT_ERROR and not item.was_sent_before(bill):
                    self._note_words(writes, item.pi, service, errors)
                    change = self.kind.declined(writes, item.pi, item.claim, errors)
                    self._log(writes, item.pi, service, LogStatus.ERROR, message, change)
                    return _Concluded(change.label)
                problem = f"refused: {message}"
                if meaning is Meaning.DUPLICATE:
                    problem = (
                        f"the treasury has its number already, by something that was not sent from here: {message}"
                    )
                unknown = self.sweep.phrasebook.unmatched(service, errors, item.pi.pi_number)
                columns = self._refusal(item, bill)
                label = self._unsettled(writes, item, LogStatus.ERROR, problem, service, unknown, **columns)
                return _Concluded(label, problem)
            case NeverSent(reason=reason):
                return _Concluded(self._unsettled(writes, item, LogStatus.NOT_SENT, reason, service))
            case Unknown(reason=reason, understood=understood):
                # What an earlier submission was refused for says nothing about this one.
                columns = {"refusal": None, "refused_first": False, "absent_since": None}
                label = self._unsettled(writes, item, LogStatus.NO_RESPONSE, reason, service, (), **columns)
                return _Concluded(label, None if understood else reason)
            case _ as never:
                assert_never(never)

    def _refusal(self, item: Ready, bill: Rejected) -> dict[str, object]:
        """The columns of a refusal that settles nothing: asked about from now on, and not sent again."""
        errors = [{"code": error.code, "text": zero_long_numbers(error.message)} for error in bill.errors]
        return {"refusal": errors, "refused_first": not item.was_sent_before(bill), "absent_since": None}

    def _shows_it(self, pi: PaymentInstruction, outcome: Outcome) -> bool:
        """Whether the status service shows this very bill, with its amount and count. Raises WireError for another."""
        if not isinstance(outcome, Answered):
            return False
        news = self.kind.asked_by.read(pi, outcome.reply, self.sweep.phrasebook)
        return news is not None and self.kind.is_whole(pi, news)

    def _conclude_from_status(self, writes: Writes, item: Ready, status: Outcome) -> _Concluded:
        """What the status service's answer about a PENDING bill changes, where the bill was not sent again."""
        pi, service = item.pi, self.kind.asked_by.service
        match status:
            case Answered(reply=reply):
                news = self.kind.asked_by.read(pi, reply, self.sweep.phrasebook)
                if news is not None and (self.kind.is_whole(pi, news) or not self._number_is_taken(pi)):
                    return self._found(writes, item)
                what = "shows no amount or count of it" if news is not None else "has no news of it"
                return self._still_waiting(writes, item, LogStatus.NO_NEWS, f"{service} {what}", absent_since=None)
            case Rejected(errors=errors):
                message = "; ".join(map(str, errors))
                match self._status_meaning(pi, status):
                    case Meaning.REJECTED:  # so the treasury has it: INITIATED now, and due for its rejection at once
                        return self._found(writes, item)
                    case Meaning.UNKNOWN_BILL:
                        return self._absent(writes, item, errors)
                    case None:
                        unknown = self.sweep.phrasebook.unmatched(service, errors, pi.pi_number)
                        problem = f"{service} says what nobody knows: {message}"
                        label = self._unsettled(
                            writes, item, LogStatus.ERROR, problem, service, unknown, absent_since=None
                        )
                        return _Concluded(label, problem)
                    case Meaning.TRY_LATER:  # it says nothing of the bill
                        return self._still_waiting(writes, item, LogStatus.ERROR, message)
                return self._still_waiting(writes, item, LogStatus.ERROR, message, absent_since=None)
            case NeverSent(reason=reason):
                return self._still_waiting(writes, item, LogStatus.NO_RESPONSE, reason)
            case Unknown(reason=reason, understood=understood):
                columns = {} if understood else {"absent_since": None}
                label = self._unsettled(writes, item, LogStatus.NO_RESPONSE, reason, service, (), **columns)
                return _Concluded(label, None if understood else reason)
            case _ as never:
                assert_never(never)

    def _found(self, writes: Writes, item: Ready) -> _Concluded:
        found = f"found at the treasury by {self.kind.asked_by.service}"
        change = self.kind.accepted(writes, item.pi, item.claim, None, None)
        self._log(writes, item.pi, self.kind.service, LogStatus.SUCCESS, found, change)
        return _Concluded(change.label)

    def _absent(self, writes: Writes, item: Ready, errors: tuple[ReplyError, ...]) -> _Concluded:
        """Its status service does not know the bill that the treasury has refused: the second time, that ends it."""
        pi, now, text = item.pi, clock.now(), "; ".join(map(str, errors))
        apart = timedelta(hours=self.treasury.config.absence_hours)
        refused = self._stands_refused(pi) and not self._number_is_taken(pi) and not pi.held_back
        over = refused and pi.absent_since is not None and now - pi.absent_since >= apart
        if over and failures.told_of(writes.connection, pi.pi_number):
            reason = f"{self.kind.asked_by.service} does not know it, but failed payments of it were reported: {text}"
            return self._still_waiting(writes, item, LogStatus.ERROR, reason, absent_since=pi.absent_since)
        if over:
            self._note_words(writes, pi, self.kind.asked_by.service, errors)
            change = self.kind.declined(writes, pi, item.claim, refusal_of(pi))
            message = (
                f"refused, and {self.kind.asked_by.service} does not know it since {pi.absent_since:%Y-%m-%d}: {text}"
            )
            self._log(writes, pi, self.kind.service, LogStatus.ERROR, message, change)
            return _Concluded(change.label)
        absent_since = (pi.absent_since or now) if refused else None
        reason = f"{self.kind.asked_by.service} does not know it: {text}"
        return self._still_waiting(writes, item, LogStatus.ERROR, reason, absent_since=absent_since)

    def _still_waiting(
        self, writes: Writes, item: Ready, status: LogStatus, reason: str, **columns: object
    ) -> _Concluded:
        """PENDING as before; red while a refusal stands, its number is taken, it is withheld, or not cleared."""
        pi = item.pi
        problem = None
        if pi.held_back:
            problem = f"the ledger was restored, and it is not cleared (`ifms after-restore clear`): {reason}"
        elif self._stands_refused(pi):
            problem = f"refused: {'; '.join(map(str, refusal_of(pi)))}; {reason}"
        elif item.withheld is not None:
            problem = f"it is not sent again: {item.withheld}; {reason}"
        label = self._unsettled(writes, item, status, problem or reason, self.kind.asked_by.service, (), **columns)
        return _Concluded(label, problem)

    def _accepted(
        self, writes: Writes, item: Ready, status: LogStatus, receipt: Receipt | None, message: str | None
    ) -> _Concluded:
        change = self.kind.accepted(writes, item.pi, item.claim, receipt, message)
        self._log(writes, item.pi, self.kind.service, status, message, change)
        return _Concluded(change.label)

    def _unsettled(
        self,
        writes: Writes,
        item: Ready,
        status: LogStatus,
        reason: str,
        service: Service,
        unknown: Sequence[str] = (),
        **columns: object,
    ) -> str:
        """It stays PENDING. Once a call may have arrived, only an answer settles it, however later ones end."""
        never_sent = status is LogStatus.NOT_SENT and not item.ask_first
        outcome = "never_sent" if never_sent else "unknown"
        if unknown:
            noted = phrases.note_unknown(writes.flush(), service, unknown, item.pi.pi_number)
            columns["unknown_answer_id"] = noted
        instructions.settle_attempt(writes, item.pi, item.claim, outcome, reason, **columns)
        self._log(writes, item.pi, service, status, reason, None)
        return "not_sent" if never_sent else "outcome_unknown"

    def _note_words(
        self, writes: Writes, pi: PaymentInstruction, service: Service, errors: tuple[ReplyError, ...]
    ) -> None:
        """Note by which of the site's own phrases it ends. Raises WireError when one does not count any more."""
        phrases.note_ended(writes.connection, pi.id, self.sweep.phrasebook.own(service, errors, pi.pi_number))

    def _withdraw(self, target: Target, item: Ready) -> None:
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
        status_log.log_status(
            writes,
            pi,
            service,
            status,
            message=message,
            to_status=change.status if change else None,
            sweep_run_id=self.sweep.run.id,
        )


def refusal_of(pi: PaymentInstruction) -> tuple[ReplyError, ...]:
    """What the treasury answered to the PI's last submission, where that settled nothing."""
    return tuple(ReplyError(error["code"], error["text"] or "") for error in pi.refusal or ())


def accept(
    target: Target, pi: PaymentInstruction, claim: Claim | None, receipt: Receipt | None, message: str | None
) -> Change:
    """INITIATED, with the treasury's receipt; `message` is its text when it refused the bill as a duplicate."""
    return instructions.advance(
        target,
        pi,
        claim,
        Event.ACCEPTED,
        last_attempt="answered",
        success_code=receipt and receipt.success_code,
        success_description=receipt and receipt.success_description,
        error_message=message,
    )


def decline(
    target: Target, pi: PaymentInstruction, claim: Claim | None, errors: tuple[ReplyError, ...], code: str
) -> Change:
    """FAILED, with what the treasury answered about it and about single beneficiaries."""
    beneficiaries.note_beneficiaries(target, pi, bad_beneficiaries(errors))
    return instructions.advance(
        target,
        pi,
        claim,
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
    return Receipt(success_code, success_description and mask_long_numbers(success_description))
