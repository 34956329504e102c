"""Inquiries: ask the treasury and change nothing, for people who compare its answers with the ledger.

Only services that tell (VA, PIS). Each call is logged like a sweep's; what it says goes to the caller alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import assert_never

from ifms import clock
from ifms.errors import BadInputError, TreasuryError, TreasuryUnreachableError, WireError
from ifms.ledger import instructions, phrases
from ifms.ledger.database import Database
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.status_log import CallLog
from ifms.services.pis import InstructionStatus
from ifms.treasury.client import TreasuryClient
from ifms.treasury.outcome import Answered, NeverSent, Outcome, Rejected, Unknown
from ifms.wire.envelope import parse_rows
from ifms.wire.phrasebook import Meaning, Phrasebook
from ifms.wire.va import AllotmentType, VaRequest, VaRow

_TYPES = {
    AllotmentType.INITIAL: "Initial Allotment",
    AllotmentType.ADDITIONAL: "Additional Allotment",
    AllotmentType.WITHDRAWAL: "Withdrawal",
}


@dataclass(frozen=True)
class ReportedAllotment:
    """An allotment as the treasury tells it, under the names of the view `fund_register`; amounts in rupees."""

    hoa_code: str
    ddo_code: str
    grantee_code: str
    ssu_id: str
    scheme_code: str
    master_allotment_id: str
    ssu_allotment_id: str
    allotment_serial_no: int
    transaction_number: str
    transaction_type: str
    transaction_date: date
    transaction_amount: Decimal
    treasury_balance: Decimal


@dataclass(frozen=True)
class TreasuryStatus:
    """What the treasury says of a PI; `state` is None when it did not say."""

    pi_number: str
    outcome: str
    state: str | None
    pi_approved_id: str | None
    pi_approval_date: str | None
    message: str | None
    net_amount: Decimal
    ledger_status: str
    asked_at: datetime


@dataclass(frozen=True)
class TreasuryInquiry:
    """A session with the treasury in which nothing but questions is sent."""

    ledger: Database
    treasury: TreasuryClient
    calls: CallLog

    def allotments(self, units: Iterable[tuple[str, str, str]], since: datetime) -> list[ReportedAllotment]:
        """What was allotted since then to each (head of account, DDO, grantee), in the treasury's order.

        Raises BadInputError for what must not be sent, before anything is, and TreasuryError or one of its kinds for
        the first question without a good answer.
        """
        requests = [
            VaRequest(hoa=hoa, ddo_code=ddo, grantee_code=grantee, from_date=since)
            for hoa, ddo, grantee in dict.fromkeys(units)
        ]
        return [allotment for request in requests for allotment in self._allotments(request)]

    def _allotments(self, request: VaRequest) -> list[ReportedAllotment]:
        outcome = self.treasury.call(request)
        self._log(outcome)
        match outcome:
            case Answered(reply=reply):
                return [_allotment(request.hoa, row) for row in parse_rows(VaRow, reply)]
            case Rejected(errors=errors):
                raise TreasuryError(f"the treasury says to VA: {'; '.join(map(str, errors))}")
            case Unknown(reason=reason, understood=False):
                raise WireError(f"the treasury's answer to VA: {reason}")
            case Unknown(reason=reason) | NeverSent(reason=reason):
                raise TreasuryUnreachableError(f"no answer to VA: {reason}")
            case _ as never:
                assert_never(never)

    def statuses(self, pi_numbers: Collection[str]) -> list[TreasuryStatus]:
        """What PIS says of these PIs, in the order given; as many at a time as the connection allows.

        Raises BadInputError for a PI that the ledger does not have or that is a revised one, TreasuryError when no
        session can be had.
        """
        if isinstance(pi_numbers, str):
            raise BadInputError(f"pi_numbers must be a list of texts, not the text {pi_numbers[:100]!r}")
        numbers = list(dict.fromkeys(pi_numbers))
        known = self.ledger.transact(lambda c: instructions.find(c, numbers))
        if unknown := [number for number in numbers if number not in known]:
            raise BadInputError(f"the ledger has no payment instruction {', '.join(unknown[:10])}")
        if revised := [number for number in numbers if known[number].pi_type != "ORIGINAL"]:
            raise BadInputError(f"PIS knows originals only, and revised is {', '.join(revised[:10])}")
        if not numbers:
            return []
        self.treasury.login()
        service, answers = InstructionStatus(), {}
        phrasebook = self.ledger.transact(phrases.phrasebook)
        failure: BaseException | None = None
        with ThreadPoolExecutor(min(len(numbers), self.treasury.config.max_concurrency)) as pool:
            asked = {
                pool.submit(self.treasury.call, service.request(pi, self.treasury.config)): pi for pi in known.values()
            }
            for done in as_completed(asked):
                if done.cancelled():
                    continue
                if error := done.exception():
                    failure = failure or error
                    for each in asked:  # what is under way ends, and is logged like the others; no more is begun
                        each.cancel()
                    continue
                pi, outcome = asked[done], done.result()
                self._log(outcome, pi)
                answers[pi.pi_number] = _status(service, pi, outcome, phrasebook)
        if failure is not None:
            raise failure
        return [answers[number] for number in numbers]

    def _log(self, outcome: Outcome, pi: PaymentInstruction | None = None) -> None:
        self.ledger.transact(
            lambda c: self.calls.write(c, outcome.exchanges, instruction_id=None if pi is None else pi.id)
        )


def _allotment(hoa_code: str, row: VaRow) -> ReportedAllotment:
    serial = row.allotment_txn_sl_no
    if not (serial.isascii() and serial.isdigit() and len(serial) < 10):
        raise WireError("an allotment of the VA reply has no serial number")
    return ReportedAllotment(
        hoa_code=hoa_code,
        ddo_code=row.ddo_code,
        grantee_code=row.grantee_ag_code,
        ssu_id=row.ssu_id,
        scheme_code=row.scheme_code,
        master_allotment_id=row.mst_allotment_dist_id,
        ssu_allotment_id=row.ssu_allotment_id,
        allotment_serial_no=int(serial),
        transaction_number=f"{row.ssu_allotment_id}/{int(serial)}",
        transaction_type=_TYPES[row.allotment_txn_type],
        transaction_date=row.allotment_date,
        transaction_amount=row.allotment_amount,
        treasury_balance=row.available_balance,
    )


def _status(
    service: InstructionStatus, pi: PaymentInstruction, outcome: Outcome, phrasebook: Phrasebook
) -> TreasuryStatus:
    state = approved_id = approval_date = message = None
    match outcome:
        case Answered(reply=reply):
            name = "answered"
            try:
                news = service.read(pi, reply, phrasebook)
            except WireError as error:
                message = str(error)
            else:
                state = "WAITING" if news is None else "APPROVED"
                if news is not None:
                    approved_id, approval_date = news.pmt_inst_id, news.pay_inst_date
        case Rejected(errors=errors):
            name, message = "rejected", "; ".join(map(str, errors))
            rejected = phrasebook.errors(service.service, errors, pi.pi_number) is Meaning.REJECTED
            state = "REJECTED" if rejected else None
        case NeverSent(reason=reason):
            name, message = "never_sent", reason
        case Unknown(reason=reason):
            name, message = "unknown", reason
        case _ as never:
            assert_never(never)
    return TreasuryStatus(
        pi.pi_number, name, state, approved_id, approval_date, message, pi.net_amount, str(pi.status), clock.now()
    )
