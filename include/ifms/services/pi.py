"""PI: a payment instruction for each payment that has none, and an end for those that stayed PENDING.

Persist, send, record: a PI gets its number, its rows and its reserved money in one transaction before the treasury
hears of it; whatever happens then, the same number with the same content is sent again. A call that may have arrived is
unknown, not failed: PIS is asked first, then the same PI is sent again.
Facts: treasury-jit.md §2 PI, user-stories.md §2.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import assert_never

from ifms import clock, outbox
from ifms.errors import BadInputError, ConflictError, IfmsError, PlatformError, PlatformUnavailableError, WireError
from ifms.ledger import funds, history, instructions, payments
from ifms.ledger.bills import bind_bills
from ifms.ledger.claims import Claim, claim, release
from ifms.ledger.database import Connection
from ifms.ledger.history import LogStatus
from ifms.ledger.instructions import NewInstruction
from ifms.ledger.models import Beneficiary, Payment, PaymentInstruction
from ifms.ledger.statuses import BeneficiaryStatus, Event, PiStatus
from ifms.platform.client import PlatformClient
from ifms.platform.masterdata import MasterData
from ifms.sealing import Sealer
from ifms.services import pa
from ifms.services.drafting import BAD_PAYMENT, Draft, Drafter, numbered
from ifms.services.pis import InstructionStatus
from ifms.services.poll import LEASE, Claimed, claimed, echoed, one_row
from ifms.services.scope import Scope
from ifms.services.sweep import Sweep
from ifms.treasury.client import TreasuryClient
from ifms.treasury.outcome import Answered, NeverSent, Outcome, Rejected, Unknown
from ifms.wire.envelope import Service, bad_beneficiaries, is_duplicate, is_rejection, parse_rows
from ifms.wire.pi import PiBeneficiary, PiRequest, PiRow

NO_FUNDS = "PAYMENT_INSUFFICIENT_FUNDS"
ACCEPTED = "0"

BATCH = 64  # payments looked up at a time: few enough to hold, enough to share the look-ups
LOOK_UPS = 4  # cities looked up at a time


@dataclass(frozen=True)
class _Ready:
    """A PI about to be sent, and the call-log row that says so."""

    pi: PaymentInstruction
    claim: Claim
    request: PiRequest
    announced: uuid.UUID
    ask_first: bool = False


@dataclass(frozen=True)
class _Sent:
    """What PIS said, if it was asked, and what PI said, if it was sent."""

    pis: Outcome | None
    pi: Outcome | None


@dataclass(frozen=True)
class PaymentInstructions:
    """One sweep of ifms_pi."""

    sweep: Sweep
    treasury: TreasuryClient
    platform: PlatformClient
    sealer: Sealer
    master: MasterData
    scope: Scope

    @property
    def drafter(self) -> Drafter:
        """What turns payments into drafts."""
        return Drafter(self.platform, self.master)

    def __call__(self) -> None:
        """Settle what is PENDING, learn of new payments, and make a PI for each that has none, oldest first."""
        self.sweep.drive(self._pending(), self._send, self._settle, self._not_begun)
        if not self.sweep.stopping:
            self._discover()
            self.sweep.drive(self._new(), self._send, self._settle, self._not_begun)

    # What stayed PENDING ----------------------------------------------------------------------------------------------

    def _pending(self) -> Generator[_Ready, None, None]:
        """The PENDING PIs of earlier sweeps, each with the request that it was first sent with."""
        for item in claimed(self.sweep, instructions.UNSETTLED, self.scope):
            rows = self.sweep.db.transact(lambda c, i=item: instructions.beneficiaries(c, [i.pi.id]))  # type: ignore[misc]
            request = request_of(item.pi, rows[item.pi.id], self.sealer)
            announced = self.sweep.db.transact(lambda c, i=item, r=request: self._about_to_send(c, i, r))  # type: ignore[misc]
            yield _Ready(item.pi, item.claim, request, announced, ask_first=item.pi.last_attempt != "never_sent")

    def _about_to_send(self, connection: Connection, item: Claimed, request: PiRequest) -> uuid.UUID:
        instructions.attempt(connection, item.pi, item.claim)
        return self._announce(connection, item.pi, request)

    def _announce(self, connection: Connection, pi: PaymentInstruction, request: PiRequest) -> uuid.UUID:
        assert self.sweep.calls is not None
        return self.sweep.calls.announce(
            connection, Service.PI, pi.pi_number, request.to_wire(), pi.id, self.sweep.run.id
        )

    # New payments -----------------------------------------------------------------------------------------------------

    def _discover(self) -> None:
        """Take the platform's open payments into the ledger; one city's trouble is not the others'."""
        cities = self.scope.cities(self.master)
        silent: list[PlatformUnavailableError] = []
        for tenant in cities:
            try:
                pa.remember(self.sweep, self.platform.payments(tenant, statuses=["INITIATED"]))
            except PlatformError as error:
                self.sweep.problem(f"the payments of {tenant} could not be read: {error}")
                if isinstance(error, PlatformUnavailableError):
                    silent.append(error)
        if silent and len(silent) == len(cities):
            raise silent[0]

    def _new(self) -> Generator[_Ready, None, None]:
        """New PIs, written and reserved; while one batch is sent, the next one's payees are looked up."""
        with ThreadPoolExecutor(LOOK_UPS, thread_name_prefix="ifms-payees") as pool:
            upcoming = self._look_up(pool)
            try:
                while upcoming:
                    drafts = [d for group in upcoming for d in group.result()]
                    upcoming = self._look_up(pool)
                    for position, made in enumerate(drafts):
                        try:
                            ready = self._persist(made)
                        except GeneratorExit:
                            raise
                        except IfmsError as error:
                            self.sweep.problem(str(error))
                            continue
                        if ready is not None:
                            try:
                                yield ready
                            except GeneratorExit:
                                self._release(drafts[position + 1 :])
                                raise
            finally:
                for group in upcoming:
                    self._release(group.result())

    def _look_up(self, pool: ThreadPoolExecutor) -> list[Future[list[Draft]]]:
        """Claim the next payments, oldest first, and start looking up what their PIs need, city by city."""
        mine, batch = self.sweep.db.transact(
            lambda c: claim(
                c,
                payments.UNPAID,
                Payment,
                limit=BATCH,
                lease=LEASE,
                sweep_started=self.sweep.run.started_at,
                tenants=self.scope.tenant_list or [city.tenant_id for city in self.master.cities],
                raised_from=self.scope.since,
                raised_to=self.scope.until,
            )
        )
        by_city: dict[str, list[Payment]] = defaultdict(list)
        for payment in batch:
            by_city[payment.tenant_id].append(payment)
        return [pool.submit(self.drafter.drafts, tenant, rows, mine) for tenant, rows in by_city.items()]

    def _persist(self, made: Draft) -> _Ready | None:
        """Write the PI with its money reserved, or say why not; None when there is nothing to send."""
        if made.hold is not None:
            self._hold(made, *made.hold)
            return None
        try:
            return self.sweep.db.transact(lambda c: self._create(c, made))
        except (BadInputError, ConflictError) as error:
            self._hold(made, BAD_PAYMENT, f"payment {made.payment.payment_number}: {error}")
            return None

    def _create(self, connection: Connection, made: Draft) -> _Ready | None:
        tenant = made.payment.tenant_id
        preference = [(unit.ddo_code, head.code) for unit in self.master.units[tenant] for head in self.master.heads]
        bind_bills(connection, tenant, made.bill_ids, made.payment.payment_number)
        funding = funds.choose_funding(connection, tenant, made.amount, preference)
        if funding is None:
            self._no_funds(connection, made)
            return None
        mine = Claim(uuid.uuid4(), LEASE)
        new = NewInstruction(
            pi_number=made.pi_number,
            payment=made.payment,
            bill_date=clock.now().replace(microsecond=0),
            purpose=self.treasury.config.purpose,
            beneficiaries=numbered(made.shares, made.beneficiary_numbers, self.sealer),
            additional_details=made.details or {},
        )
        pi = instructions.create(connection, new, funding, made.claim, mine)
        rows = instructions.beneficiaries(connection, [pi.id])[pi.id]
        request = request_of(pi, rows, self.sealer)
        self.sweep.counts["created"] += 1
        return _Ready(pi, mine, request, self._announce(connection, pi, request))

    def _no_funds(self, connection: Connection, made: Draft) -> None:
        """Say once that the payment waits for funds; it gets its PI by itself when an allotment brings enough."""
        payment = made.payment
        message = f"no sanction of {payment.tenant_id} has {made.amount} available for payment {payment.payment_number}"
        unknown = funds.heads_unknown(connection, payment.tenant_id, [head.code for head in self.master.heads])
        if unknown:
            message += f"; sanctions under {', '.join(unknown)} are not used: no active head of account in master data"
        self.sweep.counts["waiting_for_funds"] += 1
        if payments.hold_payment(connection, payment, made.claim, NO_FUNDS, message):
            history.log_no_funds(connection, payment.tenant_id, payment.payment_number, message, self.sweep.run.id)
            if payment.hold_code != NO_FUNDS:
                outbox.tell_payment_status(connection, payment.tenant_id, payment.payment_number, "FAILED", NO_FUNDS)
            self.sweep.remark(message)

    def _hold(self, made: Draft, code: str, message: str) -> None:
        """Set the payment aside; the run is not green the first time, and later runs look again by themselves."""
        if self.sweep.db.transact(lambda c: payments.hold_payment(c, made.payment, made.claim, code, message)):
            self.sweep.problem(message)
        else:
            self.sweep.counts["still_on_hold"] += 1

    def _release(self, drafts: Iterable[Draft]) -> None:
        for made in drafts:
            self.sweep.db.transact(lambda c, m=made: release(c, "payment", m.payment.id, m.claim, untouched=True))  # type: ignore[misc]

    # Sending and settling ---------------------------------------------------------------------------------------------

    def _send(self, item: _Ready) -> _Sent:
        """Send the PI; one that may have arrived before is asked about first. Runs in a worker thread."""
        pis: Outcome | None = None
        if item.ask_first:
            pis = self.treasury.call(InstructionStatus().request(item.pi, self.treasury.config))
            if not _treasury_lacks(item.pi, pis):
                return _Sent(pis, None)
        if item.claim.seconds_left < self.treasury.config.timeout_seconds:
            return _Sent(pis, NeverSent("this sweep had fallen behind its lease: left to the next one", ()))
        return _Sent(pis, self.treasury.call(item.request))

    def _settle(self, item: _Ready, sent: _Sent) -> None:
        """One transaction: what was said, what it changes, and the PI back in its queue."""
        fault: str | None = None
        for outcome in (sent.pis, sent.pi):
            if outcome is not None:
                self.sweep.heard(outcome)

        def write(connection: Connection) -> str:
            if sent.pis is not None:
                self.sweep.log_calls(connection, sent.pis, instruction_id=item.pi.id)
            if sent.pi is not None:
                self.sweep.log_calls(connection, sent.pi, instruction_id=item.pi.id, announced=item.announced)
                return self._conclude(connection, item, sent.pi)
            assert sent.pis is not None
            assert self.sweep.calls is not None
            self.sweep.calls.withdraw(connection, item.announced)
            return self._conclude_from_status(connection, item, sent.pis)

        try:
            label = self.sweep.db.transact(write)
        except WireError as error:
            text = fault = str(error)
            label = self.sweep.db.transact(lambda c: self._not_understood(c, item, sent, text))
        self.sweep.counts[label] += 1
        match sent.pi or sent.pis:
            case Unknown(reason=reason, understood=False):
                fault = reason
        if fault is not None:
            self.sweep.problem(f"PI {item.pi.pi_number}: {fault}; it stays PENDING with its money reserved")

    def _conclude(self, connection: Connection, item: _Ready, outcome: Outcome) -> str:
        """What the treasury's answer to the PI itself changes. Raises WireError for an answer that is not about it."""
        pi = item.pi
        match outcome:
            case Answered(reply=reply):
                rows = parse_rows(PiRow, reply)
                one_row(Service.PI, pi, len(rows))
                echoed("the bill", pi, rows[0].jit_bill_no, pi.pi_number)
                if rows[0].success_code != ACCEPTED:
                    raise WireError(f"the PI reply about {pi.pi_number} has the success code {rows[0].success_code!r}")
                return self._accepted(
                    connection, item, LogStatus.SUCCESS, None, rows[0].success_code, rows[0].success_description
                )
            case Rejected(errors=errors) if is_duplicate(errors):
                return self._accepted(connection, item, LogStatus.DUPLICATE, "; ".join(map(str, errors)), None, None)
            case Rejected(errors=errors):
                return self._declined(connection, item, "; ".join(map(str, errors)), bad_beneficiaries(errors))
            case NeverSent(reason=reason):
                # Once a call may have arrived, only an answer settles it.
                doubt = item.ask_first
                instructions.settle_attempt(connection, pi, item.claim, "unknown" if doubt else "never_sent", reason)
                self._log(connection, pi, LogStatus.NOT_SENT, reason)
                return "not_sent"
            case Unknown(reason=reason):
                instructions.settle_attempt(connection, pi, item.claim, "unknown", reason)
                self._log(connection, pi, LogStatus.NO_RESPONSE, reason)
                return "outcome_unknown"
            case _ as never:
                assert_never(never)

    def _conclude_from_status(self, connection: Connection, item: _Ready, outcome: Outcome) -> str:
        """What PIS's answer about a PENDING PI changes, where the PI was not sent again."""
        match outcome:
            case Answered(reply=reply):
                InstructionStatus().read(item.pi, reply)
                return self._accepted(connection, item, LogStatus.SUCCESS, "found at the treasury by PIS", None, None)
            case Rejected(errors=errors) if is_rejection(errors, item.pi.pi_number):
                self._accepted(connection, item, LogStatus.SUCCESS, "found at the treasury by PIS", None, None)
                # INITIATED now and due at once: ifms_pis hears the rejection in its own words.
                return "accepted"
            case Rejected() | NeverSent() | Unknown():
                reason = outcome.reason if not isinstance(outcome, Rejected) else "; ".join(map(str, outcome.errors))
                instructions.settle_attempt(connection, item.pi, item.claim, "unknown", reason)
                self._log(connection, item.pi, LogStatus.NO_RESPONSE, reason, service=Service.PIS)
                return "outcome_unknown"
            case _ as never:
                assert_never(never)

    def _accepted(
        self,
        connection: Connection,
        item: _Ready,
        status: LogStatus,
        message: str | None,
        success_code: str | None,
        success_description: str | None,
    ) -> str:
        """INITIATED: the reserved money is spent, and the platform hears of it."""
        pi = item.pi
        instructions.set_beneficiaries(connection, pi, BeneficiaryStatus.PENDING, BeneficiaryStatus.INITIATED)
        change = instructions.advance(
            connection,
            pi,
            item.claim,
            Event.ACCEPTED,
            last_attempt="answered",
            success_code=success_code,
            success_description=success_description,
            error_message=message if status is LogStatus.DUPLICATE else None,
        )
        self._log(connection, pi, status, message, change.status)
        outbox.tell_payment_status(connection, pi.tenant_id, pi.payment_number, "INITIATED", "PAYMENT_INITIATED")
        return change.label

    def _declined(self, connection: Connection, item: _Ready, said: str, by_beneficiary: dict[str, str]) -> str:
        """FAILED: the reserved money is available again, and the payment may have a new PI once the cause is mended."""
        pi = item.pi
        instructions.note_beneficiaries(connection, pi, by_beneficiary)
        change = instructions.advance(
            connection,
            pi,
            item.claim,
            Event.DECLINED,
            last_attempt="rejected",
            error_code="PAYMENT_FAILED",
            error_message=said,
        )
        instructions.free_payment(connection, pi, "PI_DECLINED", f"PI {pi.pi_number} was declined: {said}")
        self._log(connection, pi, LogStatus.ERROR, said, change.status)
        outbox.tell_payment_status(connection, pi.tenant_id, pi.payment_number, "FAILED", "PAYMENT_FAILED")
        return change.label

    def _not_understood(self, connection: Connection, item: _Ready, sent: _Sent, fault: str) -> str:
        """Keep the call for inspection; the PI stays PENDING, because what the treasury did with it is not known."""
        for outcome, announced in ((sent.pis, None), (sent.pi, item.announced)):
            if outcome is not None:
                self.sweep.log_calls(connection, outcome, instruction_id=item.pi.id, announced=announced)
        instructions.settle_attempt(connection, item.pi, item.claim, "unknown", fault)
        self._log(connection, item.pi, LogStatus.ERROR, fault, service=Service.PI if sent.pi else Service.PIS)
        return "outcome_unknown"

    def _not_begun(self, item: _Ready) -> None:
        """The sweep was stopped before this PI was sent: the same number goes out in the next one."""
        outcome = "unknown" if item.ask_first else "never_sent"

        def write(connection: Connection) -> None:
            assert self.sweep.calls is not None
            self.sweep.calls.withdraw(connection, item.announced)
            instructions.settle_attempt(
                connection, item.pi, item.claim, outcome, "the sweep was stopped before it was sent"
            )

        self.sweep.db.transact(write)

    def _log(
        self,
        connection: Connection,
        pi: PaymentInstruction,
        status: LogStatus,
        message: str | None,
        to_status: PiStatus | None = None,
        *,
        service: Service = Service.PI,
    ) -> None:
        history.log_status(
            connection, pi, service, status, message=message, to_status=to_status, sweep_run_id=self.sweep.run.id
        )


def request_of(pi: PaymentInstruction, rows: Sequence[Beneficiary], sealer: Sealer) -> PiRequest:
    """The request of a stored PI: the same rows always give the same content (DESIGN.md, money rule 1)."""
    return PiRequest(
        jit_bill_no=pi.pi_number,
        jit_bill_date=pi.bill_date,
        jit_bill_ddo_code=pi.ddo_code,
        grantee_ag_code=pi.grantee_code,
        scheme_code=pi.scheme_code,
        hoa=pi.hoa_code,
        ssu_ia_id=pi.ssu_id,
        mst_allotment_dist_id=pi.master_allotment_id,
        ssu_allotment_id=pi.ssu_allotment_id,
        allotment_txn_sl_no=str(pi.allotment_serial_no),
        bill_gross_amount=pi.gross_amount,
        bill_net_amount=pi.net_amount,
        purpose=pi.purpose,
        beneficiary_details=tuple(
            PiBeneficiary(
                benef_id=row.beneficiary_number,
                benef_name=row.name,
                benf_acct_no=sealer.open(row.account_sealed).decode(),
                benf_bank_ifsc_code=row.ifsc,
                benf_mobile_no=row.mobile,
                benf_address=row.address,
                benf_account_type=row.account_type,
                benf_amount=row.amount,
            )
            for row in rows
        ),
    )


def _treasury_lacks(pi: PaymentInstruction, outcome: Outcome) -> bool:
    """Whether PIS says that the treasury does not have the PI: by an error about an unknown bill, or by empty data."""
    match outcome:
        case Answered(reply=reply):
            return not reply.data
        case Rejected(errors=errors):
            return not is_rejection(errors, pi.pi_number)
        case NeverSent() | Unknown():
            return False
        case _ as never:
            assert_never(never)
