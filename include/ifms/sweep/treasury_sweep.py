"""A sweep that calls the treasury: its call log, the phrasebook, and whether the treasury can be reached at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Self, TypeVar
from uuid import UUID

from ifms.errors import LedgerError, SweepUnreachableError
from ifms.ledger import phrases
from ifms.ledger.database import Connection
from ifms.ledger.status_log import CallLog
from ifms.ledger.write_batch import Target
from ifms.sweep.run import Sweep
from ifms.treasury.outcome import Answered, NeverSent, Outcome, Rejected, Unknown
from ifms.wire.envelope import ReplyError, Service
from ifms.wire.phrasebook import Phrasebook

Done = TypeVar("Done")


@dataclass
class TreasurySweep(Sweep):
    """A sweep whose calls are logged, and whose answers are read by the phrasebook."""

    _: KW_ONLY
    calls: CallLog
    phrasebook: Phrasebook = field(init=False)
    """What the treasury's texts mean, the site's own phrases among them; from the sweep's beginning."""
    _failures_in_a_row: int = field(default=0, init=False)
    _unreachable: str | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        super().__enter__()
        self.phrasebook = self.db.transact(phrases.phrasebook)
        return self

    def record_outcome(self, outcome: Outcome) -> None:
        """Count a call's outcome; so many in a row that reached nobody end the sweep early."""
        match outcome:
            case Answered() | Rejected():
                self.counts["answered" if isinstance(outcome, Answered) else "refused"] += 1
                self._failures_in_a_row = 0
            case NeverSent(reason=reason):
                self.counts["never_sent"] += 1
                self._record_unreachable(reason)
            case Unknown(reason=reason, understood=understood):
                self.counts["unknown"] += 1
                if understood:
                    self._record_unreachable(reason)

    def log_calls(
        self,
        target: Target,
        outcome: Outcome,
        *,
        instruction_id: UUID | None = None,
        announced: UUID | None = None,
    ) -> None:
        """Write the exchanges of one outcome, in the transaction of its effect."""
        self.calls.write(
            target,
            outcome.exchanges,
            sweep_run_id=self.run.id,
            instruction_id=instruction_id,
            announced=announced,
        )

    def settled(self, settle: Callable[[Connection], Done], log: Callable[[Connection], None]) -> Done:
        """What `settle` gives, in one transaction; where the ledger refuses it, the calls are logged by `log` alone.

        So what the treasury said stays to be seen when another run has taken the row over. Raises LedgerError then.
        Where it was committed after all, though nobody could tell, `log` finds the calls written and leaves them.
        """
        try:
            return self.db.transact(settle)
        except LedgerError:
            self.db.transact(log)
            raise

    def note_unknown(self, service: Service, errors: Sequence[ReplyError]) -> None:
        """Count those texts of an error about no single PI that nobody understands."""
        texts = self.phrasebook.unmatched(service, errors, None)
        if texts:
            self.db.transact(lambda c: phrases.note_unknown(c, service, texts, None))

    @property
    def stopping(self) -> bool:
        """Whether no further call shall be made: on request, or because the treasury is out of reach."""
        return super().stopping or self._unreachable is not None

    def between_settlements(self) -> None:
        """Write the logins made meanwhile."""
        self.calls.write_logins(self.db, self.run.id)

    def ending(self) -> Exception | None:
        """What the task should end with; None when all is well."""
        if self._unreachable is not None:
            return SweepUnreachableError(f"{self._unreachable}; the rest is still due, run again when it is back")
        silent = self.counts["never_sent"] + self.counts["unknown"]
        spoken = self.counts["answered"] + self.counts["refused"]
        if silent and not spoken and not self.counts["problems"] and not self.stop.is_set():
            return SweepUnreachableError(f"none of {silent} call(s) was answered; run again when the treasury is back")
        return super().ending()

    def _record_unreachable(self, reason: str) -> None:
        self._failures_in_a_row += 1
        if self._failures_in_a_row >= 2 * self.workers and self._unreachable is None:
            self._unreachable = f"{self._failures_in_a_row} calls in a row reached nobody; the last: {reason}"
