"""Adopting a bill that the treasury has and a restored ledger has lost: written here as what the treasury says it is.

Nothing is sent but questions. A person names the bill, its date, its payment and its allotment; whether that is so is
told by PIS (amount, number of beneficiaries) and PAG (who gets how much on which account) beside the platform's
payment. Whatever disagrees refuses the whole. What agrees is written in one transaction by the ledger's own steps:
reserved, spent, approved, IN PROCESS. From then on PD and FD follow it like any other.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, assert_never
from uuid import UUID

from ifms import clock
from ifms.errors import AdoptionRefusedError, BadInputError, TreasuryUnreachableError
from ifms.ledger import funds, instructions, payments, proposals, restores, status_log
from ifms.ledger.claims import Claim
from ifms.ledger.database import Connection
from ifms.ledger.instructions import NewInstruction, Original
from ifms.ledger.models import Funding, PaymentInstruction
from ifms.ledger.proposals import Act
from ifms.ledger.status_log import LogStatus
from ifms.ledger.statuses import PiStatus
from ifms.ledger.write_batch import Target, Writes
from ifms.platform.client import PlatformClient
from ifms.platform.masterdata import MasterData
from ifms.services import pa
from ifms.services.instruction_draft import Share, additional_details, draft, numbered, shares_of, works_of
from ifms.services.pag import Advice, PaymentAdvice
from ifms.services.pi import Instruction
from ifms.services.pis import InstructionStatus
from ifms.signing import Keyring
from ifms.sweep.status_poll import LEASE, StatusService, require_same
from ifms.sweep.treasury_sweep import TreasurySweep
from ifms.treasury.client import TreasuryClient
from ifms.treasury.outcome import Answered, NeverSent, Outcome, Rejected, Unknown
from ifms.wire.envelope import Reply, parse_rows
from ifms.wire.pag import AdvisedBeneficiary, AdvisedList
from ifms.wire.pis import PisRow


@dataclass(frozen=True)
class LostBill:
    """What a person knows of a bill; `bill_date` is an instant, of a day that is known alone its midnight in IST."""

    tenant_id: str
    pi_number: str
    bill_date: datetime
    payment_number: str
    master_allotment_id: str
    ssu_allotment_id: str
    allotment_serial_no: int
    reason: str
    person: str
    proposal: UUID | None = None
    """What another person has approved."""

    @classmethod
    def of_form(cls, form: Mapping[str, Any]) -> LostBill:
        """A form's fields. Raises BadInputError that names the one that is missing or can't be read."""
        names = ("tenant", "pi_number", "bill_date", "payment_number", "master_allotment_id", "ssu_allotment_id")
        wanted = (*names, "allotment_serial_no", "reason", "person")
        unknown = sorted(set(form) - set(wanted))
        if unknown:
            raise BadInputError(f"adopt: {unknown[0][:50]!r} is none of {', '.join(wanted)}")
        given = {}
        for name in wanted:
            value = form.get(name)
            text = " ".join(value.split()) if isinstance(value, str) else ""
            if name == "allotment_serial_no" and type(value) is int:
                text = str(value)
            if not text:
                raise BadInputError(f"adopt: {name} is missing, or is no text")
            given[name] = text
        if not (given["allotment_serial_no"].isascii() and given["allotment_serial_no"].isdecimal()):
            raise BadInputError("adopt: allotment_serial_no must be a whole number")
        return cls(
            given["tenant"],
            given["pi_number"],
            _instant(given["bill_date"]),
            given["payment_number"],
            given["master_allotment_id"],
            given["ssu_allotment_id"],
            int(given["allotment_serial_no"]),
            given["reason"],
            given["person"],
        )


def _instant(text: str) -> datetime:
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=clock.IST)
        except ValueError:
            continue
    raise BadInputError("adopt: bill_date must be like 2026-01-31, or 2026-01-31 14:05:09 (IST)")


@dataclass(frozen=True)
class _Owed:
    """What the platform says of the payment: who is paid, for which bills, and what people read on the PI."""

    shares: Sequence[Share]
    bill_ids: Sequence[str]
    details: Mapping[str, list[Any]]


@dataclass(frozen=True)
class _Known:
    """What the treasury says of the bill, and the beneficiary number of each share."""

    approved: PisRow
    advised: Advice
    numbers: Sequence[str]


@dataclass(frozen=True)
class Adoption:
    """Adopts bills in a sweep."""

    sweep: TreasurySweep
    treasury: TreasuryClient
    platform: PlatformClient
    keyring: Keyring
    master: MasterData

    def __call__(self, bill: LostBill) -> PaymentInstruction:
        """Adopt `bill`; the PI as it is written, IN PROCESS.

        Raises SecondPersonError when another person has to approve it first, AdoptionRefusedError, BadInputError,
        WireError or LedgerError that say what disagrees, or what has to come first; TreasuryUnreachableError when a
        service did not answer. Then nothing is written but the calls.
        """
        bill = self.sweep.db.transact(partial(_approved, bill=bill))
        pa.remember(self.sweep, self.platform.payments(bill.tenant_id, numbers=[bill.payment_number]))
        funding = self.sweep.db.transact(partial(self._known, bill=bill))
        owed = self._owed(bill)
        calls: list[Outcome] = []
        try:
            known = self._ask(_as_named(bill, funding, owed, self.treasury.config.purpose), owed, calls)
            pi = self.sweep.db.transact(
                partial(self._write, bill=bill, funding=funding, owed=owed, known=known, calls=calls)
            )
        except Exception:
            self.sweep.db.transact(partial(self._log_calls, calls=calls, pi=None))
            raise
        self.sweep.counts["adopted"] += 1
        return pi

    def _log_calls(self, target: Target, calls: Sequence[Outcome], pi: PaymentInstruction | None) -> None:
        """Whatever comes of it, the calls are kept; as the PI's own once there is one."""
        for outcome in calls:
            self.sweep.log_calls(target, outcome, instruction_id=None if pi is None else pi.id)

    # What is known ----------------------------------------------------------------------------------------------------

    def _known(self, connection: Connection, bill: LostBill) -> Funding:
        """The allotment, once nothing in the ledger speaks against the adoption."""
        if bill.pi_number in instructions.find(connection, [bill.pi_number]):
            raise AdoptionRefusedError(
                f"PI {bill.pi_number} is known here: only a bill that this ledger has lost is adopted"
            )
        restores.doubtful_payment(connection, bill.tenant_id, bill.payment_number)
        raised = payments.raised_at(connection, bill.tenant_id, bill.payment_number)
        made_on, raised_on = clock.to_ist(bill.bill_date).date(), clock.to_ist(raised).date()
        if made_on < raised_on:  # another payment of the same people may have the same accounts and amounts
            raise AdoptionRefusedError(
                f"PI {bill.pi_number} is of {made_on}, and payment {bill.payment_number} was raised on {raised_on}: "
                "it pays an earlier one"
            )
        return funds.named_funding(
            connection, bill.tenant_id, bill.master_allotment_id, bill.ssu_allotment_id, bill.allotment_serial_no
        )

    def _owed(self, bill: LostBill) -> _Owed:
        """The payment's payees on their accounts as when it was raised, whatever has been told of its lines since."""
        found = list(self.platform.payments(bill.tenant_id, numbers=[bill.payment_number]))
        if len(found) != 1:
            raise AdoptionRefusedError(f"the platform finds {len(found)} payments {bill.payment_number}, not one")
        payment = found[0].with_status("INITIATED", "PAYMENT_INITIATED")
        bills = self.platform.bills(bill.tenant_id, [row.bill_id for row in payment.bills])
        payees = shares_of(payment, bills, self.master)
        directory = self.platform.payee_directory(bill.tenant_id, payees)
        city = self.master.city(bill.tenant_id).name or bill.tenant_id
        ids = [row.bill_id for row in payment.bills]
        works = works_of(self.platform, bill.tenant_id, bills.values())
        details = additional_details(bills.values(), works, self.master)
        return _Owed(draft(city, payees, directory), ids, details)

    # What the treasury says -------------------------------------------------------------------------------------------

    def _ask(self, pi: PaymentInstruction, owed: _Owed, calls: list[Outcome]) -> _Known:
        """What PIS and PAG say of the bill, both about this very one, and who of the payment is which beneficiary."""
        pis, pag = InstructionStatus(), PaymentAdvice()
        reply = self._asked(pis, pi, calls)
        approved = pis.read(pi, reply, self.sweep.phrasebook)
        if approved is None:
            raise AdoptionRefusedError(
                f"PIS has no news of PI {pi.pi_number}: the SSU has not submitted it yet, or the treasury lacks it; "
                "try again later"
            )
        if not Instruction().is_whole(pi, approved):
            raise AdoptionRefusedError(f"PIS names no amount or no number of beneficiaries of PI {pi.pi_number}")
        require_same("the SSU", pi, approved.ssu_ia_id, pi.ssu_id)
        day = approved.jit_bill_date and approved.jit_bill_date[:10]
        require_same("the bill date", pi, day, clock.wire_date(pi.bill_date))
        known = replace(pi, pi_approved_id=approved.pmt_inst_id, pi_approval_date=approved.pay_inst_date)
        reply = self._asked(pag, known, calls)
        advised = pag.read(known, reply, self.sweep.phrasebook)
        if advised is None:
            raise AdoptionRefusedError(
                f"PAG has no advice of PI {pi.pi_number} yet, which names its beneficiaries: try again later"
            )
        return _Known(approved, advised, matched(pi.pi_number, owed.shares, advised_beneficiaries(pi, reply)))

    def _asked(self, service: StatusService[Any], pi: PaymentInstruction, calls: list[Outcome]) -> Reply:
        """The answer of a status service."""
        outcome = self.treasury.call(service.request(pi, self.treasury.config))
        self.sweep.record_outcome(outcome)
        calls.append(outcome)
        match outcome:
            case Answered(reply=reply):
                return reply
            case Rejected(errors=errors):
                texts = "; ".join(map(str, errors))
                raise AdoptionRefusedError(f"{service.service} says of PI {pi.pi_number}: {texts}")
            case NeverSent(reason=reason) | Unknown(reason=reason):
                raise TreasuryUnreachableError(f"{service.service} did not answer about PI {pi.pi_number}: {reason}")
            case _ as never:
                assert_never(never)

    # Writing ----------------------------------------------------------------------------------------------------------

    def _write(
        self,
        connection: Connection,
        bill: LostBill,
        funding: Funding,
        owed: _Owed,
        known: _Known,
        calls: Sequence[Outcome],
    ) -> PaymentInstruction:
        claim = Claim(uuid.uuid4(), LEASE)
        self._known(connection, bill)  # once more: it may have come otherwise meanwhile
        if bill.proposal is not None:
            context = self.sweep.context
            done_in = f"{context.dag_id}/{context.run_id}"
            given = proposals.fitting(connection, Act.ADOPT, bill.pi_number, parameters_of(bill), bill.proposal)
            proposals.use(
                connection,
                Act.ADOPT,
                bill.pi_number,
                given.parameters,
                bill.proposal,
                done_in=done_in,
                result=bill.pi_number,
            )
        else:
            proposals.require_none(connection, Act.ADOPT, bill.pi_number)
        payment = restores.claim_doubtful(connection, bill.tenant_id, bill.payment_number, claim)
        new = NewInstruction(
            pi_number=bill.pi_number,
            payment=payment,
            bill_date=bill.bill_date,
            purpose=self.treasury.config.purpose,
            beneficiaries=numbered(owed.shares, known.numbers),
            additional_details=owed.details,
            bill_ids=owed.bill_ids,
            adopted_by=bill.person,
        )
        message = f"adopted by {bill.person}: {bill.reason}"
        writes = Writes(connection)
        [pi] = instructions.create(writes, [Original(new, funding, claim, claim)], self.keyring)
        kind, pis, pag = Instruction(), InstructionStatus(), PaymentAdvice()

        self._log_calls(writes, calls, pi)

        def log(service: str, change: instructions.Change, message: str = message) -> PaymentInstruction:
            status_log.log_status(
                writes,
                pi,
                service,
                LogStatus.SUCCESS,
                message=message,
                to_status=change.status,
                sweep_run_id=self.sweep.run.id,
            )
            assert change.status is not None
            return replace(pi, status=change.status)

        found = f"found at the treasury by {pis.service}, {message}"
        pi = log(kind.service, kind.accepted(writes, pi, None, None, None), found)
        pi = log(pis.service, pis.apply(writes, pi, None, known.approved))
        pi = log(pag.service, pag.apply(writes, pi, claim, known.advised))
        writes.flush()
        return pi


def parameters_of(bill: LostBill) -> dict[str, Any]:
    """What a proposal to adopt it keeps: all that names the bill."""
    return {
        "tenant": bill.tenant_id,
        "bill_date": clock.wire_datetime(bill.bill_date),
        "payment_number": bill.payment_number,
        "master_allotment_id": bill.master_allotment_id,
        "ssu_allotment_id": bill.ssu_allotment_id,
        "allotment_serial_no": bill.allotment_serial_no,
    }


def _approved(connection: Connection, bill: LostBill) -> LostBill:
    """The bill in the names of both people, where it needs two. Raises SecondPersonError without the other one."""
    if bill.proposal is None:
        proposals.require_none(connection, Act.ADOPT, bill.pi_number)
        return bill
    found = proposals.fitting(connection, Act.ADOPT, bill.pi_number, parameters_of(bill), bill.proposal)
    return replace(bill, person=found.people, reason=found.reason)


def _as_named(bill: LostBill, funding: Funding, owed: _Owed, purpose: str) -> PaymentInstruction:
    """The PI that the ledger would have had, to ask the treasury about and to compare its answers with."""
    amount = sum((share.amount for share in owed.shares), Decimal(0))
    return PaymentInstruction(
        id=uuid.uuid4(),
        tenant_id=bill.tenant_id,
        pi_number=bill.pi_number,
        pi_type="ORIGINAL",
        parent_pi_number=None,
        payment_number=bill.payment_number,
        status=PiStatus.PENDING,
        sanction_id=funding.sanction_id,
        hoa_code=funding.hoa_code,
        ddo_code=funding.ddo_code,
        ssu_id=funding.ssu_id,
        grantee_code=funding.grantee_code,
        scheme_code=funding.scheme_code,
        master_allotment_id=funding.master_allotment_id,
        ssu_allotment_id=funding.ssu_allotment_id,
        allotment_serial_no=funding.allotment_serial_no,
        gross_amount=amount,
        net_amount=amount,
        beneficiary_count=len(owed.shares),
        bill_date=bill.bill_date,
        purpose=purpose,
        repayment_of=None,
        org_bill_ref_number=None,
        org_bill_date=None,
        attempts=0,
        last_attempt=None,
        pi_approved_id=None,
        pi_approval_date=None,
        pa_fin_year=None,
        pa_bill_ref_number=None,
        pa_token_number=None,
        pa_token_date=None,
        created_at=clock.now(),
    )


def advised_beneficiaries(pi: PaymentInstruction, reply: Reply) -> tuple[AdvisedBeneficiary, ...]:
    """Who is paid by PAG's advice. Raises WireError for a list that can't be read, AdoptionRefusedError for none."""
    rows = parse_rows(AdvisedList, reply)
    found = tuple(person for row in rows for person in row.benf_list)
    if not found:
        raise AdoptionRefusedError(f"PAG names no beneficiaries of PI {pi.pi_number}")
    return found


def matched(pi_number: str, shares: Sequence[Share], advised: Sequence[AdvisedBeneficiary]) -> list[str]:
    """The beneficiary number of each share, by account, IFSC and amount.

    Raises AdoptionRefusedError that names who is paid otherwise, and no account number.
    """
    twice = [number for number, times in Counter(row.benf_id.casefold() for row in advised).items() if times > 1]
    if twice:
        raise AdoptionRefusedError(f"PAG names beneficiary {twice[0]} of PI {pi_number} more than once")
    rows = {(row.benf_account_no, row.benf_bank_ifsc_code): row for row in advised}
    if len(rows) != len(advised):
        raise AdoptionRefusedError(f"PAG names an account of PI {pi_number} more than once")
    wrong, numbers = [], []
    for share in shares:
        row = rows.pop((share.payee.account_number, share.payee.ifsc), None)
        if row is None:
            wrong.append(f"the account of payee {share.payee.payee_id}, {share.amount}, is none that PAG names")
        elif row.amount != share.amount:
            wrong.append(f"payee {share.payee.payee_id} is owed {share.amount}, {row.benf_id} gets {row.amount}")
        else:
            numbers.append(row.benf_id)
    wrong += [f"{row.benf_id}, {row.amount}, is on an account of no payee" for row in rows.values()]
    if wrong:
        raise AdoptionRefusedError(f"PI {pi_number} is not what its payment owes: {'; '.join(wrong)}")
    return numbers
