"""Polls the status of PIs (PIS, PAG, PD, FTPS, FTFPS): each due PI once, and what comes back moves it along or not.

Rules common to every status service (user-stories.md): every answer is kept; no response and no error ever changes a
PI's status, except a rejection told by PIS. What an error means the phrasebook says; one that it does not know changes
nothing, and the sweep is not green.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Generic, TypeVar, assert_never
from uuid import UUID

from ifms.errors import BadInputError, IfmsError, UnknownTextError, WireError
from ifms.ledger import beneficiaries, failures, instructions, phrases, status_log
from ifms.ledger.claims import Claim, Queue, claim, release
from ifms.ledger.database import TRANSIENT, Connection
from ifms.ledger.failure_matching import rematch
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.status_log import LogStatus
from ifms.ledger.write_batch import Writes
from ifms.sweep.pipeline import Answers, drive
from ifms.sweep.run import Sweep
from ifms.sweep.scope import Scope
from ifms.sweep.takeover import drain_with_takeover
from ifms.sweep.treasury_sweep import TreasurySweep
from ifms.treasury.client import TreasuryClient
from ifms.treasury.config import TreasuryConfig
from ifms.treasury.outcome import Answered, NeverSent, Outcome, Rejected, Unknown
from ifms.wire.bank import mask_long_numbers, quoted
from ifms.wire.envelope import Reply, ReplyError, Request, Service
from ifms.wire.phrasebook import Meaning, Phrasebook

LEASE = timedelta(minutes=10)
LARGE_REPLY = 2**20  # characters, as it came
REFUSED_RUNNING = 3  # sweeps with the same refusal until a person should look

News = TypeVar("News")

log = logging.getLogger("ifms.sweep")


class StatusService(ABC, Generic[News]):
    """One status service of the treasury: whom to ask about, what to ask, what the answer means."""

    service: Service
    queue: Queue

    @abstractmethod
    def request(self, pi: PaymentInstruction, config: TreasuryConfig) -> Request:
        """What is asked about `pi`."""

    @abstractmethod
    def read(self, pi: PaymentInstruction, reply: Reply, phrasebook: Phrasebook) -> News | None:
        """The news in an answer; None when nothing has happened yet.

        Raises WireError when it is not about `pi`, UnknownTextError for a text that decides and that nobody knows.
        """

    def record(self, connection: Connection, told: Sequence[tuple[PaymentInstruction, News]]) -> Sequence[News]:
        """Write what of the news changes beneficiaries, of several PIs together; the news as `apply` needs them."""
        return [news for _, news in told]

    @abstractmethod
    def apply(self, writes: Writes, pi: PaymentInstruction, claim: Claim, news: News) -> instructions.Change:
        """Write the news that were recorded, and give the PI back."""

    def follow(
        self, connection: Connection, changed: Sequence[tuple[PaymentInstruction, instructions.Change]]
    ) -> Sequence[instructions.Change]:
        """What the written changes of several PIs make due at once, a second step; the changes with it."""
        return [change for _, change in changed]

    def rejected(
        self,
        writes: Writes,
        pi: PaymentInstruction,
        claim: Claim,
        errors: tuple[ReplyError, ...],
    ) -> instructions.Change:
        """Write that the SSU has rejected the PI, and give it back. Only PIS tells of that."""
        raise TypeError(f"{self.service} tells of no rejections")


@dataclass(frozen=True)
class Claimed:
    """A PI under its claim."""

    pi: PaymentInstruction
    claim: Claim


@dataclass(frozen=True)
class _Unaskable:
    """A PI that the treasury can't be asked about as its row stands."""

    reason: str


@dataclass(frozen=True)
class _Read(Generic[News]):
    """What an answer was read as: its news if there is any, or why it can't be taken, and its unknown texts."""

    news: News | None = None
    fault: str | None = None
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Written:
    """What was written of an answer: the log's word, the change, the message, and what a person should see of it."""

    status: LogStatus
    change: instructions.Change | None = None
    message: str | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Poll(Generic[News]):
    """One sweep of one status service."""

    sweep: TreasurySweep
    service: StatusService[News]
    treasury: TreasuryClient
    scope: Scope

    def __call__(self) -> None:
        """Ask about every due PI in scope."""
        queue = self.service.queue

        def work() -> None:
            drive(
                self.sweep,
                claimed(self.sweep, queue, self.scope),
                self._call,
                self._settle,
                lambda item: give_back(self.sweep, queue, item),
                self._settle_together,
            )

        drain_with_takeover(self.sweep, queue, LEASE, of_scope(self.scope), work)

    def _call(self, item: Claimed) -> Outcome | _Unaskable:
        try:
            request = self.service.request(item.pi, self.treasury.config)
        except BadInputError as error:
            return _Unaskable(str(error))
        return self.treasury.call(request, until=item.claim.begin_by(0))

    def _set_aside(self, item: Claimed, reason: str) -> None:
        """One PI's row must not stop the others: its trouble is kept and reported, and it is given back."""

        def write(connection: Connection) -> None:
            instructions.note(connection, item.pi, item.claim, reason)
            status_log.log_status(
                connection,
                item.pi,
                self.service.service,
                LogStatus.NOT_SENT,
                message=reason,
                sweep_run_id=self.sweep.run.id,
            )

        self.sweep.db.transact(write)
        self.sweep.add_problem(f"PI {item.pi.pi_number} can't be asked about: {reason}")

    def _settle_together(
        self, answers: Answers[Claimed, Outcome | _Unaskable]
    ) -> Answers[Claimed, Outcome | _Unaskable]:
        """One transaction for answers that only move their own PI; returns those that have to be settled one by one.

        Whatever it can't take leaves nothing of it written: then each is settled by itself. Where the fate of its
        COMMIT can't be told, each is settled once all the same: what was committed has given its claim back.
        """
        ours, others = [], []
        for item, outcome in answers:
            if isinstance(outcome, Answered) and not item.pi.unmatched_failures and not _is_large(outcome):
                read = self._read(item.pi, outcome)
                if read.fault is None:
                    ours.append((item, outcome, read))
                    continue
            others.append((item, outcome))
        if len(ours) < 2:
            return answers
        # Runs that settle at once take what they share (a payment, a city's records) in the same order.
        ours.sort(key=lambda each: (each[0].pi.tenant_id, each[0].pi.payment_number, each[0].pi.pi_number))

        try:
            written = self.sweep.db.transact(lambda c: self._write(c, ours))
        except (IfmsError, *TRANSIENT) as error:  # whose it is, and why, is said when each is settled alone
            said = mask_long_numbers(str(error)[:1000])
            log.info("%s: %d are settled one by one: %s", self.service.service, len(ours), said)
            return answers
        for (item, outcome, _), each in zip(ours, written, strict=True):
            self.sweep.record_outcome(outcome)
            self._count(item, each)
        return others

    def _settle(self, item: Claimed, outcome: Outcome | _Unaskable) -> None:
        """One transaction: the exchanges, what they change, and the PI back in its queue."""
        if isinstance(outcome, _Unaskable):
            self._set_aside(item, outcome.reason)
            return
        self.sweep.record_outcome(outcome)
        read = self._read(item.pi, outcome)
        try:
            written = self._settled_alone(item, outcome, read)
        except WireError as error:  # seen only beside the PI's rows: what was written is rolled back, the call is kept
            written = self._settled_alone(item, outcome, _Read(fault=mask_long_numbers(str(error)[:1000])))
        self._count(item, written)

    def _settled_alone(self, item: Claimed, outcome: Outcome, read: _Read[News]) -> _Written:
        [written] = self.sweep.settled(
            lambda c: self._write(c, [(item, outcome, read)]),
            log=partial(self.sweep.log_calls, outcome=outcome, instruction_id=item.pi.id),
        )
        return written

    def _write(self, connection: Connection, answers: Sequence[tuple[Claimed, Outcome, _Read[News]]]) -> list[_Written]:
        """What was called, what the answers change, and their words in the log."""
        told = [(item.pi, read.news) for item, _, read in answers if read.news is not None]
        news = {pi.id: each for (pi, _), each in zip(told, self._recorded(connection, told), strict=True)}
        writes = Writes(connection)
        written = []
        for item, outcome, read in answers:
            self.sweep.log_calls(writes, outcome, instruction_id=item.pi.id)
            each = self._change(writes, item, outcome, replace(read, news=news.get(item.pi.id)))
            status_log.log_status(
                writes,
                item.pi,
                self.service.service,
                each.status,
                message=each.message,
                to_status=each.change.status if each.change else None,
                sweep_run_id=self.sweep.run.id,
            )
            written.append(each)
        return self._follow_up(writes.flush(), [item.pi for item, _, _ in answers], written)

    def _recorded(self, connection: Connection, told: Sequence[tuple[PaymentInstruction, News]]) -> Sequence[News]:
        return self.service.record(connection, told) if told else ()

    def _count(self, item: Claimed, written: _Written) -> None:
        self.sweep.counts[written.change.label if written.change else written.status.lower()] += 1
        if written.problem is not None:
            self.sweep.add_problem(f"PI {item.pi.pi_number}: {written.problem}")

    def _follow_up(
        self, connection: Connection, pis: Sequence[PaymentInstruction], written: Sequence[_Written]
    ) -> list[_Written]:
        """What the PIs' new statuses make due: a second step, and failures that could not be booked before."""
        moved = [
            (pi, each.change)
            for pi, each in zip(pis, written, strict=True)
            if each.change is not None and each.change.status is not None
        ]
        changes: dict[UUID, instructions.Change] = {}
        for (pi, _), change in zip(moved, self.service.follow(connection, moved) if moved else (), strict=True):
            changes[pi.id] = change
            self._log_second_step(connection, pi, change)
            if pi.unmatched_failures:
                rematch(connection, pi.pi_number, self.sweep.calls.sealer, self.sweep.run.id)
        return [replace(each, change=changes.get(pi.id, each.change)) for pi, each in zip(pis, written, strict=True)]

    def _log_second_step(self, connection: Connection, pi: PaymentInstruction, change: instructions.Change) -> None:
        if change.then is None or change.status is None:
            return
        status_log.log_status(
            connection,
            replace(pi, status=change.status),
            self.service.service,
            LogStatus.SUCCESS,
            message="all of its beneficiaries had failed before",
            to_status=change.then,
            sweep_run_id=self.sweep.run.id,
        )

    def _read(self, pi: PaymentInstruction, outcome: Outcome) -> _Read[News]:
        match outcome:
            case Answered(reply=reply):
                try:
                    return _Read(self.service.read(pi, reply, self.sweep.phrasebook))
                except UnknownTextError as error:
                    return _Read(fault=str(error), unknown=error.texts)
                except WireError as error:
                    return _Read(fault=str(error))
            case Unknown(reason=reason, understood=False):
                return _Read(fault=reason)
            case _:
                return _Read()

    def _change(self, writes: Writes, item: Claimed, outcome: Outcome, read: _Read[News]) -> _Written:
        """Write what the outcome changes."""
        pi, claim = item.pi, item.claim
        match outcome:
            case _ if read.fault is not None:
                self._note_unknown(writes, item, read.unknown, read.fault)
                return _Written(LogStatus.ERROR, message=read.fault, problem=read.fault)
            case Answered():
                if read.news is None:
                    instructions.note(writes, pi, claim, None)
                    return _Written(LogStatus.NO_NEWS)
                change = self.service.apply(writes, pi, claim, read.news)
                return _Written(LogStatus.SUCCESS, change, message=change.problem, problem=change.problem)
            case Rejected(errors=errors):
                return self._refused(writes, item, errors)
            case NeverSent(reason=reason):
                instructions.note(writes, pi, claim, reason)
                return _Written(LogStatus.NOT_SENT, message=reason)
            case Unknown(reason=reason):
                instructions.note(writes, pi, claim, reason)
                return _Written(LogStatus.NO_RESPONSE, message=reason)
            case _ as never:
                assert_never(never)

    def _refused(self, writes: Writes, item: Claimed, errors: tuple[ReplyError, ...]) -> _Written:
        """Write what an error means."""
        pi, claim, service = item.pi, item.claim, self.service.service
        message = "; ".join(map(str, errors))
        match self.sweep.phrasebook.errors(service, errors, pi.pi_number):
            case Meaning.REJECTED if beneficiaries.any_has_its_money(writes.connection, pi) or failures.told_of(
                writes.connection, pi.pi_number
            ):
                instructions.note(writes, pi, claim, message)
                problem_text = (
                    f"{service} says that it was rejected, though payments of it were told as made, or as come back: "
                    f"ask the treasury; it changes nothing: {message}"
                )
                return _Written(LogStatus.ERROR, message=message, problem=problem_text)
            case Meaning.REJECTED:
                own = self.sweep.phrasebook.own(service, errors, pi.pi_number)
                phrases.note_ended(writes.connection, pi.id, own)
                return _Written(LogStatus.REJECTED, self.service.rejected(writes, pi, claim, errors), message)
            case Meaning.NO_NEWS:
                instructions.note(writes, pi, claim, message)
                return _Written(LogStatus.NO_NEWS, message=message)
            case None:  # of no known meaning
                unknown = self.sweep.phrasebook.unmatched(service, errors, pi.pi_number)
                self._note_unknown(writes, item, unknown, message)
                problem_text = f"{service} says what nobody knows, and it changes nothing: {message}"
                return _Written(LogStatus.ERROR, message=message, problem=problem_text)
            case known:
                running = pi.same_refusals + 1 if pi.error_message == message else 1
                instructions.note(writes, pi, claim, message, same_refusals=running)
                problem = None
                if known is Meaning.UNKNOWN_BILL:
                    problem = f"the treasury has taken it, and {service} says that it does not know it: {message}"
                elif running >= REFUSED_RUNNING:
                    problem = f"{service} has refused it the same way {running} times running: {message}"
                return _Written(LogStatus.ERROR, message=message, problem=problem)

    def _note_unknown(self, writes: Writes, item: Claimed, texts: Sequence[str], message: str) -> None:
        answer = phrases.note_unknown(writes.flush(), self.service.service, texts, item.pi.pi_number) if texts else None
        instructions.note(writes, item.pi, item.claim, message, unknown_answer_id=answer)


def _is_large(outcome: Outcome) -> bool:
    """Whether what was called is so large that several of its kind in one statement would take too much memory."""
    replies = (call.encrypted_response or call.response_plain or "" for call in outcome.exchanges)
    return sum(map(len, replies)) > LARGE_REPLY


def of_scope(scope: Scope) -> dict[str, object]:
    """The conditions of a queue of PIs."""
    period = {"created_from": scope.since, "created_to": scope.until}
    return {"tenants": scope.tenant_list, **period, **scope.narrowing}


def claimed(sweep: Sweep, queue: Queue, scope: Scope) -> Generator[Claimed, None, None]:
    """The due PIs of `queue` in `scope`, claimed batch by batch; what is left when the sweep stops is given back."""
    for batch in claimed_batches(sweep, queue, scope):
        yield from one_by_one(sweep, queue, batch)


def one_by_one(sweep: Sweep, queue: Queue, batch: Sequence[Claimed]) -> Generator[Claimed, None, None]:
    """The PIs of a batch; what is left of it when the sweep stops is given back."""
    taken = 0
    try:
        for item in batch:
            taken += 1
            yield item
    finally:
        for item in batch[taken:]:
            sweep.ignore_lost_claim(partial(give_back, sweep, queue, item))


def claimed_batches(sweep: Sweep, queue: Queue, scope: Scope) -> Generator[list[Claimed], None, None]:
    """The due PIs of `queue` in `scope`, a batch at a time, each claimed when the one before it was taken."""
    while True:
        own_claim, batch = sweep.db.transact(
            lambda c: claim(
                c,
                queue,
                PaymentInstruction,
                limit=scope.share(sweep.workers * 4),
                lease=LEASE,
                sweep_started=sweep.run.started_at,
                shared_since=sweep.run.shared_since,
                **of_scope(scope),
            )
        )
        if not batch:
            return
        yield [Claimed(pi, own_claim) for pi in batch]


def give_back(sweep: Sweep, queue: Queue, item: Claimed) -> None:
    """Nothing was asked about this PI: it stays due."""
    sweep.db.transact(lambda c: release(c, queue, item.pi.id, item.claim, untouched=True))


def require_single_row(service: Service, pi: PaymentInstruction, rows: int) -> None:
    """Raises WireError unless the reply about `pi` has exactly one row."""
    if rows != 1:
        raise WireError(f"the {service} reply about {pi.pi_number} has {rows} rows instead of one")


def require_same(what: str, pi: PaymentInstruction, theirs: object, ours: object) -> None:
    """Raises WireError when the treasury names another `what` than we do; what it leaves out can't be compared."""
    if theirs is not None and theirs != ours:
        raise WireError(
            f"the reply about {pi.pi_number} names {what} {quoted(theirs)} where {ours!r} was sent: it changes nothing"
        )
