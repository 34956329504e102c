"""What PIS, PAG and PD have in common: each due PI is asked about once, and what comes back moves it along or not.

Rules common to every status service (user-stories.md): every answer is kept; no response and no error ever changes a
PI's status, except a rejection told by PIS.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Generic, TypeVar, assert_never

from ifms.errors import BadInputError, WireError
from ifms.ledger import history, instructions
from ifms.ledger.claims import Claim, Queue, claim, release
from ifms.ledger.database import Connection
from ifms.ledger.history import LogStatus
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.writes import Writes
from ifms.services.scope import Scope
from ifms.services.sweep import Sweep
from ifms.treasury.client import TreasuryClient
from ifms.treasury.config import TreasuryConfig
from ifms.treasury.outcome import Answered, NeverSent, Outcome, Rejected, Unknown
from ifms.wire.bank import mask_long_numbers, quoted
from ifms.wire.envelope import Reply, ReplyError, Request, Service

LEASE = timedelta(minutes=10)

News = TypeVar("News")


class StatusService(ABC, Generic[News]):
    """One status service of the treasury: whom to ask about, what to ask, what the answer means."""

    service: Service
    queue: Queue

    @abstractmethod
    def request(self, pi: PaymentInstruction, config: TreasuryConfig) -> Request:
        """What is asked about `pi`."""

    @abstractmethod
    def read(self, pi: PaymentInstruction, reply: Reply) -> News | None:
        """The news in an answer; None when nothing has happened yet. Raises WireError when it is not about `pi`."""

    @abstractmethod
    def apply(self, writes: Writes, pi: PaymentInstruction, mine: Claim, news: News) -> instructions.Change:
        """Write the news, and give the PI back."""

    def refused(
        self,
        writes: Writes,
        pi: PaymentInstruction,
        mine: Claim,
        errors: tuple[ReplyError, ...],
    ) -> instructions.Change | None:
        """Write what an error changes; None when it changes nothing, as with every service but PIS."""
        return None


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
class Poll(Generic[News]):
    """One sweep of one status service."""

    sweep: Sweep
    service: StatusService[News]
    treasury: TreasuryClient
    scope: Scope

    def __call__(self) -> None:
        """Ask about every due PI in scope."""
        queue = self.service.queue

        def work() -> None:
            self.sweep.drive(
                claimed(self.sweep, queue, self.scope),
                self._call,
                self._settle,
                lambda item: give_back(self.sweep, queue, item),
            )

        self.sweep.with_others(queue, LEASE, of_scope(self.scope), work)

    def _call(self, item: Claimed) -> Outcome | _Unaskable:
        try:
            request = self.service.request(item.pi, self.treasury.config)
        except BadInputError as error:
            return _Unaskable(str(error))
        return self.treasury.call(request, until=item.claim.begin_by(0))

    def _set_aside(self, item: Claimed, reason: str) -> None:
        """One PI's row must not stop the others: its trouble is kept and said, and it is given back."""

        def write(connection: Connection) -> None:
            instructions.note(connection, item.pi, item.claim, reason)
            history.log_status(
                connection,
                item.pi,
                self.service.service,
                LogStatus.NOT_SENT,
                message=reason,
                sweep_run_id=self.sweep.run.id,
            )

        self.sweep.db.transact(write)
        self.sweep.problem(f"PI {item.pi.pi_number} can't be asked about: {reason}")

    def _settle(self, item: Claimed, outcome: Outcome | _Unaskable) -> None:
        """One transaction: what was said, what it changes, and the PI back in its queue."""
        if isinstance(outcome, _Unaskable):
            self._set_aside(item, outcome.reason)
            return
        self.sweep.heard(outcome)
        news, fault = self._read(item.pi, outcome)

        def write(connection: Connection) -> str:
            writes = Writes(connection)
            self.sweep.log_calls(writes, outcome, instruction_id=item.pi.id)
            status, change, message = self._change(writes, item, outcome, news, fault)
            history.log_status(
                writes,
                item.pi,
                self.service.service,
                status,
                message=message,
                to_status=change.status if change else None,
                sweep_run_id=self.sweep.run.id,
            )
            writes.flush()
            return change.label if change else status.lower()

        try:
            label = self.sweep.db.transact(write)
        except WireError as error:  # seen only beside the PI's rows: what was written is rolled back, the call is kept
            fault = mask_long_numbers(str(error)[:1000])
            label = self.sweep.db.transact(write)
        self.sweep.counts[label] += 1
        if fault is not None:
            self.sweep.problem(f"PI {item.pi.pi_number}: {fault}")

    def _read(self, pi: PaymentInstruction, outcome: Outcome) -> tuple[News | None, str | None]:
        match outcome:
            case Answered(reply=reply):
                try:
                    return self.service.read(pi, reply), None
                except WireError as error:
                    return None, str(error)
            case Unknown(reason=reason, understood=False):
                return None, reason
            case _:
                return None, None

    def _change(
        self, writes: Writes, item: Claimed, outcome: Outcome, news: News | None, fault: str | None
    ) -> tuple[LogStatus, instructions.Change | None, str | None]:
        """Write what the outcome changes; the log's word for it, the change, and the message for the info band."""
        pi, mine = item.pi, item.claim
        match outcome:
            case _ if fault is not None:
                instructions.note(writes, pi, mine, fault)
                return LogStatus.ERROR, None, fault
            case Answered():
                if news is None:
                    instructions.note(writes, pi, mine, None)
                    return LogStatus.NO_NEWS, None, None
                return LogStatus.SUCCESS, self.service.apply(writes, pi, mine, news), None
            case Rejected(errors=errors):
                said = "; ".join(str(error) for error in errors)
                change = self.service.refused(writes, pi, mine, errors)
                if change is not None:
                    return LogStatus.REJECTED, change, said
                instructions.note(writes, pi, mine, said)
                return LogStatus.ERROR, None, said
            case NeverSent(reason=reason):
                instructions.note(writes, pi, mine, reason)
                return LogStatus.NOT_SENT, None, reason
            case Unknown(reason=reason):
                instructions.note(writes, pi, mine, reason)
                return LogStatus.NO_RESPONSE, None, reason
            case _ as never:
                assert_never(never)


def of_scope(scope: Scope) -> dict[str, object]:
    """The conditions of a queue of PIs."""
    period = {"created_from": scope.since, "created_to": scope.until}
    return {"tenants": scope.tenant_list, **period, **scope.narrowing}


def claimed(sweep: Sweep, queue: Queue, scope: Scope) -> Generator[Claimed, None, None]:
    """The due PIs of `queue` in `scope`, claimed batch by batch; what is left when the sweep stops is given back."""
    while True:
        mine, batch = sweep.db.transact(
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
        taken = 0
        try:
            for pi in batch:
                taken += 1
                yield Claimed(pi, mine)
        finally:
            for pi in batch[taken:]:
                sweep.unless_lost(partial(give_back, sweep, queue, Claimed(pi, mine)))


def give_back(sweep: Sweep, queue: Queue, item: Claimed) -> None:
    """Nothing was asked about this PI: it stays due."""
    sweep.db.transact(lambda c: release(c, queue, item.pi.id, item.claim, untouched=True))


def one_row(service: Service, pi: PaymentInstruction, rows: int) -> None:
    """Raises WireError unless the reply about `pi` has exactly one row."""
    if rows != 1:
        raise WireError(f"the {service} reply about {pi.pi_number} has {rows} rows instead of one")


def echoed(what: str, pi: PaymentInstruction, told: object, ours: object) -> None:
    """Raises WireError when the treasury names another `what` than we do; what it leaves out can't be compared."""
    if told is not None and told != ours:
        raise WireError(
            f"the reply about {pi.pi_number} names {what} {quoted(told)} where {ours!r} was sent: it changes nothing"
        )
