"""Earlier numbers of a payment: whether the treasury has one that FAILED here, before the payment gets another.

A PI that FAILED after its outcome had not been known may be at the treasury all the same; a further one would then pay
twice. So its status service is asked about each, every time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, assert_never

from ifms import clock
from ifms.errors import BadInputError, TreasuryError, WireError
from ifms.ledger import failures, instructions, phrases
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.payments import IN_DOUBT, TREASURY_SILENT
from ifms.services.ftps import RevisedSuccess
from ifms.services.pis import InstructionStatus
from ifms.services.still_owed import Unsettled
from ifms.sweep.status_poll import StatusService
from ifms.sweep.treasury_sweep import TreasurySweep
from ifms.treasury.client import TreasuryClient
from ifms.treasury.outcome import Answered, NeverSent, Outcome, Rejected, Unknown
from ifms.wire.phrasebook import Meaning


@dataclass(frozen=True)
class EarlierNumbers:
    """Asks about FAILED PIs in a sweep, from the thread that owns the ledger; each call is logged."""

    sweep: TreasurySweep
    treasury: TreasuryClient

    def doubt(self, earlier: Iterable[PaymentInstruction]) -> tuple[str, str] | None:
        """Why the payment of these PIs gets no further one now: a hold code and a message; None when it may."""
        for pi in earlier:
            service: StatusService[Any] = RevisedSuccess() if pi.pi_type == "REVISED" else InstructionStatus()
            try:
                request = service.request(pi, self.treasury.config)
            except BadInputError as error:  # its row lacks what is asked by: of an import
                return IN_DOUBT, f"{_named(pi)}, and {service.service} can't be asked ({error}); ask the treasury"
            try:
                outcome = self.treasury.call(request)
            except TreasuryError as error:  # no session: nothing was asked
                outcome = NeverSent(str(error), ())
            self.sweep.record_outcome(outcome)
            self.sweep.db.transact(partial(self.sweep.log_calls, outcome=outcome, instruction_id=pi.id))
            found = self._judged(pi, service, outcome)
            if found is not None:
                return found
        return None

    def withheld(self, due: Unsettled) -> str | None:
        """Why a PI of an earlier run is not sent now; None when it may be, as far as its payment is concerned."""
        if due.withheld is not None:
            return due.withheld
        doubt = self.doubt(due.earlier)
        return None if doubt is None else doubt[1]

    def _judged(self, pi: PaymentInstruction, service: StatusService[Any], outcome: Outcome) -> tuple[str, str] | None:
        name = _named(pi)
        if self.sweep.db.transact(partial(failures.told_of, pi_number=pi.pi_number)):
            return IN_DOUBT, (
                f"{name}, and failed payments of it were reported: the treasury has it; ask the treasury before "
                "anything else is paid"
            )
        match outcome:
            case Answered(reply=reply) if reply.data:
                self.sweep.db.transact(partial(instructions.found_failed, pi=pi))
                try:
                    service.read(pi, reply, self.sweep.phrasebook)
                    shows = "shows it: the treasury has it"
                except WireError as error:
                    shows = f"answers: {error}"
                return IN_DOUBT, f"{name}, and {service.service} {shows}; ask the treasury before anything else is paid"
            case Answered():
                answer = "has no news of it, which does not mean that the treasury lacks it"
            case Rejected(errors=errors):
                answer = f"says: {'; '.join(map(str, errors))}"
                meaning = self.sweep.phrasebook.errors(service.service, errors, pi.pi_number)
                if meaning is Meaning.REJECTED or (meaning is Meaning.UNKNOWN_BILL and pi.found_failed_at is None):
                    own = self.sweep.phrasebook.own(service.service, errors, pi.pi_number)
                    try:
                        self.sweep.db.transact(partial(phrases.note_ended, pi_id=pi.id, by=own))
                    except WireError as error:
                        return TREASURY_SILENT, f"{name}, and {service.service} {answer} ({error}); it is asked again"
                    return None
                if meaning is Meaning.TRY_LATER:
                    return TREASURY_SILENT, f"{name}, and {service.service} {answer}; it is asked again"
                texts = self.sweep.phrasebook.unmatched(service.service, errors, pi.pi_number)
                if texts:
                    self.sweep.db.transact(
                        partial(phrases.note_unknown, service=service.service, texts=texts, bill=pi.pi_number)
                    )
            case NeverSent(reason=reason) | Unknown(reason=reason):
                return TREASURY_SILENT, f"{name}, and {service.service} did not answer ({reason}); it is asked again"
            case _ as never:
                assert_never(never)
        if pi.is_said_absent:  # and nothing shows it
            return None
        if pi.found_failed_at is not None:  # what the treasury has once shown, no other word of its own takes back
            answer += f", but showed it on {clock.to_ist(pi.found_failed_at):%Y-%m-%d}"
        remedy = "ask the treasury: if it lacks it, say so with `ifms settle`; then let the payment be resubmitted"
        return IN_DOUBT, f"{name}, and {service.service} {answer}; {remedy}"


def _named(pi: PaymentInstruction) -> str:
    return f"PI {pi.pi_number} is FAILED here, but its outcome was once not known"
