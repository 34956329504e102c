"""PI: a payment instruction for each payment that has none, and an end for those that stayed PENDING.

A PI gets its number, its rows and its reserved money in one transaction before the treasury hears of it; how it is sent
and settled is in `submission`. Facts: treasury-jit.md §2 PI, user-stories.md §2.
"""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict, deque
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from itertools import islice

from ifms import clock
from ifms.errors import (
    BadInputError,
    ClaimLostError,
    ConflictError,
    IfmsError,
    LedgerDataError,
    PlatformError,
    PlatformUnavailableError,
)
from ifms.ledger import beneficiaries, funds, instructions, outbox, payments, restores, status_log
from ifms.ledger.bills import bind_bills
from ifms.ledger.binding import check_instruction, open_account
from ifms.ledger.claims import Claim, claim, release
from ifms.ledger.database import Connection
from ifms.ledger.instructions import Change, NewInstruction, Original
from ifms.ledger.models import Beneficiary, Funding, NewBeneficiary, Payment, PaymentInstruction
from ifms.ledger.statuses import BeneficiaryStatus
from ifms.ledger.write_batch import Writes
from ifms.platform.client import PlatformClient
from ifms.platform.masterdata import MasterData
from ifms.platform.models import Payment as PlatformPayment
from ifms.platform.portions import Portions
from ifms.services import pa
from ifms.services.earlier_numbers import EarlierNumbers
from ifms.services.instruction_draft import BAD_PAYMENT, Draft, Drafter, numbered
from ifms.services.pis import InstructionStatus
from ifms.services.still_owed import Stored, unsettled
from ifms.signing import Keyring
from ifms.sweep.pipeline import TOGETHER, drive
from ifms.sweep.scope import Scope
from ifms.sweep.status_poll import LEASE, of_scope, require_same, require_single_row
from ifms.sweep.submission import Ready, Receipt, Sender, accept, checked_receipt, decline
from ifms.sweep.takeover import await_discovery, await_others, drain_with_takeover, taken_by_others
from ifms.sweep.treasury_sweep import TreasurySweep
from ifms.treasury.client import TreasuryClient
from ifms.wire.envelope import Reply, ReplyError, Service, parse_rows
from ifms.wire.pi import PiBeneficiary, PiRequest, PiRow
from ifms.wire.pis import PisRow

NO_FUNDS = "PAYMENT_INSUFFICIENT_FUNDS"

BATCH = 64  # payments looked up at a time: few enough to hold, enough to share the look-ups
LOOK_UPS = 4  # cities looked up at a time

log = logging.getLogger("ifms.sweep")


class Instruction:
    """An original PI, as `submission` sends it."""

    service = Service.PI
    asked_by = InstructionStatus()

    def receipt(self, pi: PaymentInstruction, reply: Reply) -> Receipt:
        """The receipt in an answer. Raises WireError when it is not about `pi` or no acceptance."""
        rows = parse_rows(PiRow, reply)
        require_single_row(self.service, pi, len(rows))
        require_same("the bill", pi, rows[0].jit_bill_no, pi.pi_number)
        return checked_receipt(self.service, pi, rows[0].success_code, rows[0].success_description)

    def is_whole(self, pi: PaymentInstruction, news: PisRow) -> bool:
        """Whether PIS names the amount and the number of beneficiaries; that they are the PI's, it was read by."""
        return news.bill_net_amount is not None and news.total_number_of_beneficiary is not None

    def accepted(
        self, writes: Writes, pi: PaymentInstruction, claim: Claim | None, receipt: Receipt | None, message: str | None
    ) -> Change:
        """INITIATED: the reserved money is spent, and the platform hears of it."""
        beneficiaries.set_beneficiaries(writes, pi, BeneficiaryStatus.PENDING, BeneficiaryStatus.INITIATED)
        change = accept(writes, pi, claim, receipt, message)
        if pi.repayment_of is None:
            outbox.enqueue_payment_status(writes, pi.tenant_id, pi.payment_number, "INITIATED", "PAYMENT_INITIATED")
        else:
            taken_over(writes.flush(), pi, pi.repayment_of)
        return change

    def declined(
        self, writes: Writes, pi: PaymentInstruction, claim: Claim | None, errors: tuple[ReplyError, ...]
    ) -> Change:
        """FAILED: the money is available again, and the payment may have a new PI once the cause is mended."""
        message = "; ".join(map(str, errors))
        change = decline(writes, pi, claim, errors, "PAYMENT_FAILED")
        if pi.repayment_of is None:
            instructions.free_payment(writes, pi, payments.DECLINED, not_accepted(pi, message))
            outbox.enqueue_payment_status(writes, pi.tenant_id, pi.payment_number, "FAILED", "PAYMENT_FAILED")
        else:  # its beneficiaries are as failed as they were before, and may be paid by another
            beneficiaries.set_beneficiaries(writes, pi, BeneficiaryStatus.PENDING, BeneficiaryStatus.FAILED)
        return change


def not_accepted(pi: PaymentInstruction, message: str | None = None) -> str:
    """Why a payment waits whose last PI was declined; the treasury's words are the PI's, or `message`."""
    return f"PI {pi.pi_number} is not accepted by the treasury: {message or pi.error_message}"


def taken_over(connection: Connection, pi: PaymentInstruction, original_number: str) -> None:
    """A later PI pays failed beneficiaries of an original: what it took over is COMPLETED, and the platform hears."""
    instructions.supersede(connection, original_number, pi)
    rows = beneficiaries.of(connection, [pi.id])[pi.id]
    outbox.enqueue_line_statuses(
        connection,
        pi.tenant_id,
        pi.payment_number,
        [line for row in rows for line in row.line_item_ids],
        "INITIATED",
        status="INITIATED",
        reference_status="PAYMENT_INITIATED",
    )


@dataclass(frozen=True)
class PaymentInstructions:
    """One sweep of ifms_pi."""

    sweep: TreasurySweep
    treasury: TreasuryClient
    platform: PlatformClient
    keyring: Keyring
    master: MasterData
    scope: Scope

    @cached_property
    def drafter(self) -> Drafter:
        """What turns payments into drafts."""
        return Drafter(Portions(self.platform), self.master)

    @cached_property
    def sender(self) -> Sender:
        """What sends and settles."""
        return Sender(self.sweep, self.treasury, Instruction())

    @cached_property
    def earlier(self) -> EarlierNumbers:
        """What asks about earlier numbers of a payment."""
        return EarlierNumbers(self.sweep, self.treasury)

    @property
    def _unpaid(self) -> dict[str, object]:
        """The conditions of payments.UNPAID."""
        tenants = self.scope.tenant_list or [city.tenant_id for city in self.master.cities]
        period = {"raised_from": self.scope.since, "raised_to": self.scope.until}
        year = clock.financial_year_label(clock.financial_year(clock.now()))
        return {"tenants": tenants, "financial_year": year, **period, **self.scope.narrowing}

    def __call__(self) -> None:
        """Settle what is PENDING, learn of new payments, and make a PI for each that has none, oldest first."""
        sender = self.sender
        for fault in self.master.unread:
            self.sweep.add_problem(fault)

        def settle() -> None:
            drive(self.sweep, self._pending(), sender.send, sender.settle, sender.not_begun)

        def create() -> None:
            drive(self.sweep, self._new(), sender.send, sender.settle, sender.not_begun)

        sent = taken_by_others(self.sweep, instructions.UNSETTLED, LEASE, of_scope(self.scope))
        settle()
        if not self.sweep.stopping:
            self._discover()
            drain_with_takeover(
                self.sweep, payments.UNPAID, LEASE, self._unpaid, lambda: await_discovery(self.sweep, create)
            )
            # The other run may have made a PI of a payment before it let go: so PIs are awaited last.
            await_others(self.sweep, sent, settle)

    # What stayed PENDING ----------------------------------------------------------------------------------------------

    def _pending(self) -> Generator[Ready, None, None]:
        """The PENDING PIs of earlier sweeps, each with the request that it was first sent with."""
        for due in unsettled(self.sweep, instructions.UNSETTLED, self.scope, self.platform, self.master):
            ready = self.sender.again(due.item, partial(self._request_again, due.stored), self.earlier.withheld(due))
            if ready is not None:
                yield ready

    def _request_again(self, stored: Stored) -> PiRequest:
        """The request of a stored PI. Raises SignatureError or SealError when its rows are not what was signed."""
        accounts = check_instruction(self.keyring, stored.pi, stored.rows, stored.bill_ids)
        return request_of(stored.pi, stored.rows, accounts)

    # New payments -----------------------------------------------------------------------------------------------------

    def _discover(self) -> None:
        """Take the platform's open payments into the ledger; one city's trouble is not the others'."""
        cities = self.scope.cities(self.master)
        silent: list[PlatformUnavailableError] = []
        for tenant in cities:
            try:
                pa.remember(self.sweep, self._payments_of(tenant))
            except PlatformError as error:
                self.sweep.add_problem(f"the payments of {tenant} could not be read: {error}")
                if isinstance(error, PlatformUnavailableError):
                    silent.append(error)
        if silent and len(silent) == len(cities):
            raise silent[0]

    def _payments_of(self, tenant: str) -> Iterable[PlatformPayment]:
        """The city's payments that the platform knows no PI of; those that the scope names, whatever it thinks."""
        if self.scope.payments is not None:
            return self.platform.payments(tenant, numbers=self.scope.payments) if self.scope.payments else ()
        return self.platform.payments(tenant, statuses=self._unpaid_statuses)

    @cached_property
    def _unpaid_statuses(self) -> list[str]:
        """What the platform calls payments without a PI; a restored ledger may have forgotten FAILED ones."""
        return ["INITIATED", "FAILED"] if self.sweep.db.transact(restores.ever) else ["INITIATED"]

    def _new(self) -> Generator[Ready, None, None]:
        """New PIs, written and reserved; while one batch is sent, the next one's payees are looked up."""
        with ThreadPoolExecutor(LOOK_UPS, thread_name_prefix="ifms-payees") as pool:
            upcoming = self._look_up(pool)
            try:
                while upcoming:
                    self.treasury.login()  # one that is refused leaves no PI behind
                    drafts = [d for group in upcoming for d in group.result()]
                    upcoming = self._look_up(pool)
                    yield from self._made(drafts)
            finally:
                for group in upcoming:
                    self._release(group.result())

    def _look_up(self, pool: ThreadPoolExecutor) -> list[Future[list[Draft]]]:
        """Claim the next payments, oldest first, and start looking up what their PIs need, city by city."""
        own_claim, batch = self.sweep.db.transact(
            lambda c: claim(
                c,
                payments.UNPAID,
                Payment,
                limit=self.scope.share(BATCH),
                lease=LEASE,
                sweep_started=self.sweep.run.started_at,
                shared_since=self.sweep.run.shared_since,
                **self._unpaid,
            )
        )
        by_city: dict[str, list[Payment]] = defaultdict(list)
        for payment in batch:
            by_city[payment.tenant_id].append(payment)
        return [pool.submit(self.drafter.drafts, tenant, rows, own_claim) for tenant, rows in by_city.items()]

    def _spelled_otherwise(self, drafts: Sequence[Draft]) -> list[Draft]:
        """The drafts, with a hold for each whose payment may be paid by its number in other letters."""
        wanted = [(made.payment.tenant_id, made.payment.payment_number) for made in drafts if made.hold is None]
        found = self.sweep.db.transact(partial(payments.spelled_otherwise, payments=wanted)) if wanted else {}
        return [
            replace(made, hold=(BAD_PAYMENT, found[of]))
            if made.hold is None and (of := (made.payment.tenant_id, made.payment.payment_number)) in found
            else made
            for made in drafts
        ]

    def _doubtful(self, drafts: Sequence[Draft]) -> dict[tuple[str, str], list[PaymentInstruction]]:
        """Earlier PIs of these payments that FAILED after their outcome had not been known."""
        wanted = [(made.payment.tenant_id, made.payment.payment_number) for made in drafts if made.hold is None]
        return self.sweep.db.transact(partial(instructions.failed_uncertain, payments=wanted)) if wanted else {}

    def _declined(self, drafts: Sequence[Draft]) -> dict[tuple[str, str], tuple[PaymentInstruction, list[Beneficiary]]]:
        """The last PIs of these payments that were declined; of what is on hold alone, as a new payment has none.

        Whatever holds it by now: another hold may have come over the one that said so.
        """
        on_hold = [made.payment for made in drafts if made.hold is None and made.payment.hold_code is not None]
        wanted = [(payment.tenant_id, payment.payment_number) for payment in on_hold]
        return self.sweep.db.transact(partial(instructions.last_declined, payments=wanted)) if wanted else {}

    def _made(self, drafts: Sequence[Draft]) -> Generator[Ready, None, None]:
        """The PIs of these drafts: several written in one transaction, or, where one of them is refused, each alone."""
        drafts = self._spelled_otherwise(drafts)
        doubtful, declined = self._doubtful(drafts), self._declined(drafts)
        left, ready = deque(drafts), deque[Ready]()
        alone = 0  # so many of the next go alone: all of a group that was refused, or the one that money was short for
        try:
            while left:
                group = [] if alone else self._group(left, doubtful.keys() | declined.keys())
                if len(group) > 1:
                    ready.extend(self._persist_together(group))
                    for _ in ready:
                        left.popleft()
                    alone = len(group) - len(ready) if not ready else int(len(ready) < len(group))
                else:
                    made, alone = left.popleft(), max(alone - 1, 0)
                    of = made.payment.tenant_id, made.payment.payment_number
                    item = self._persist(made, doubtful.get(of), declined.get(of))
                    ready.extend(filter(None, [item]))
                while ready:
                    yield ready.popleft()
        except GeneratorExit:  # the sweep stops here
            for item in ready:
                self.sweep.ignore_lost_claim(partial(self.sender.not_begun, item))
            self._release(left)
            raise

    def _group(self, drafts: Iterable[Draft], unclear: Collection[tuple[str, str]]) -> list[Draft]:
        """The first drafts that nothing is to be asked or said about: PIs of one city, to be written together."""
        group: list[Draft] = []
        for made in islice(drafts, TOGETHER):
            payment = made.payment
            if made.hold is not None or (payment.tenant_id, payment.payment_number) in unclear:
                break
            if group and payment.tenant_id != group[0].payment.tenant_id:
                break
            group.append(made)
        return group

    def _persist_together(self, drafts: Sequence[Draft]) -> list[Ready]:
        """Write the PIs of these drafts, from the first on, as far as there is money; none where one is refused."""
        try:
            ready = self.sweep.db.transact(lambda c: self._create_together(c, drafts))
        except IfmsError as error:  # which of them it is, and why, is said when each is written alone
            log.info("PI: %d are written one by one: %s", len(drafts), error)
            return []
        self.sweep.counts["created"] += len(ready)
        return ready

    def _persist(
        self,
        made: Draft,
        earlier: Sequence[PaymentInstruction] | None = None,
        declined: tuple[PaymentInstruction, Sequence[Beneficiary]] | None = None,
    ) -> Ready | None:
        """Write the PI with its money reserved, or say why not; None when there is nothing to send.

        `earlier` are its payment's FAILED numbers that the treasury may have: they are asked about first. `declined` is
        its payment's last PI, which was declined: it is not sent again as it is.
        """
        try:
            return self._written(made, earlier, declined)
        except ClaimLostError as error:
            self.sweep.counts["claim_lost"] += 1
            log.warning("PI: %s", error)
        except IfmsError as error:
            self.sweep.add_problem(f"payment {made.payment.payment_number}: {error}")
        return None

    def _written(
        self,
        made: Draft,
        earlier: Sequence[PaymentInstruction] | None,
        declined: tuple[PaymentInstruction, Sequence[Beneficiary]] | None,
    ) -> Ready | None:
        if made.hold is not None:
            self._hold(made, *made.hold)
            return None
        try:
            if declined is not None and self._as_it_was(made, *declined):
                self._hold(made, payments.DECLINED, not_accepted(declined[0]))
                return None
            doubt = self.earlier.doubt(earlier) if earlier else None
            if doubt is not None:
                self._hold(made, *doubt)
                return None
            ready = self.sweep.db.transact(lambda c: self._create(c, made))
        except (BadInputError, ConflictError, LedgerDataError) as error:
            self._hold(made, BAD_PAYMENT, f"payment {made.payment.payment_number}: {error}")
            return None
        self.sweep.counts["created" if ready else "waiting_for_funds"] += 1
        return ready

    def _as_it_was(self, made: Draft, pi: PaymentInstruction, rows: Sequence[Beneficiary]) -> bool:
        """Whether it is the content of this PI: the same amounts on the same accounts."""
        ours = sorted((s.payee.account_number, s.payee.ifsc, s.amount) for s in made.shares)
        return ours == sorted(
            (open_account(self.keyring.sealer, pi, row), row.ifsc, row.amount)
            for row in rows
            if row.account_sealed is not None
        )

    def _create(self, connection: Connection, made: Draft) -> Ready | None:
        tenant, number = made.payment.tenant_id, made.payment.payment_number
        bill_date, year = _today()
        funding = funds.choose_funding(
            connection, tenant, made.amount, self.master.sources(tenant), financial_year=year, payment_number=number
        )
        if funding is None and self.master.unread_head is not None:
            raise BadInputError(f"{made.amount} is not available before: {self.master.why_not_paying}")
        if funding is None:
            bind_bills(connection, tenant, {number: made.bill_ids})
            self._no_funds(connection, made, year)
            return None
        [ready] = self._write(connection, [(made, funding)], bill_date)
        return ready

    def _create_together(self, connection: Connection, drafts: Sequence[Draft]) -> list[Ready]:
        tenant = drafts[0].payment.tenant_id
        bill_date, year = _today()
        wanted = [(made.payment.payment_number, made.amount) for made in drafts]
        fundings = funds.choose_fundings(connection, tenant, wanted, self.master.sources(tenant), financial_year=year)
        return self._write(connection, list(zip(drafts, fundings, strict=False)), bill_date) if fundings else []

    def _write(
        self, connection: Connection, funded: Sequence[tuple[Draft, Funding]], bill_date: datetime
    ) -> list[Ready]:
        """Write PIs of one city, about to be sent, each on its sanction."""
        originals = [
            Original(
                NewInstruction(
                    pi_number=made.pi_number,
                    payment=made.payment,
                    bill_date=bill_date,
                    purpose=self.treasury.config.purpose,
                    beneficiaries=numbered(made.shares, made.beneficiary_numbers),
                    additional_details=made.details or {},
                    bill_ids=made.bill_ids,
                ),
                funding,
                made.claim,
                Claim(uuid.uuid4(), LEASE, person=self.sweep.context.person),
            )
            for made, funding in funded
        ]
        writes = Writes(connection)
        pis = instructions.create(writes, originals, self.keyring)
        bills = [(pi, _first_request(pi, each.content.beneficiaries)) for pi, each in zip(pis, originals, strict=True)]
        announced = self.sender.announce(writes, bills)
        writes.flush()
        return [
            Ready(pi, original.claim, request, call)
            for (pi, request), original, call in zip(bills, originals, announced, strict=True)
        ]

    def _no_funds(self, connection: Connection, made: Draft, year: str) -> None:
        """Say once that the payment waits for funds; it gets its PI by itself when an allotment brings enough."""
        payment = made.payment
        message = f"no sanction of {payment.tenant_id} has {made.amount} available for payment {payment.payment_number}"
        unknown = funds.heads_unknown(connection, payment.tenant_id, [head.code for head in self.master.heads])
        units = [(unit.ddo_code, unit.grantee_ag_code) for unit in self.master.units[payment.tenant_id]]
        others = funds.units_unknown(connection, payment.tenant_id, units)
        unused = funds.unused_with(connection, payment.tenant_id, made.amount, financial_year=year)
        if unused:
            message += f"; it is on sanctions that are not used: {', '.join(unused)}"
        if unknown:
            message += f"; sanctions under {', '.join(unknown)} are not used: no active head of account in master data"
        if others:
            named = ", ".join(f"DDO {ddo} with grantee {grantee}" for ddo, grantee in others)
            message += f"; sanctions of {named} are not used: no active SSU of the city in master data has both"
        if payments.hold_payment(connection, payment, made.claim, NO_FUNDS, message, made.bill_numbers):
            status_log.log_no_funds(connection, payment.tenant_id, payment.payment_number, message, self.sweep.run.id)
            if payment.hold_code != NO_FUNDS:
                outbox.enqueue_payment_status(connection, payment.tenant_id, payment.payment_number, "FAILED", NO_FUNDS)
            self.sweep.add_warning(message)

    def _hold(self, made: Draft, code: str, message: str) -> None:
        """Set the payment aside; the run is not green the first time, and later runs look again by themselves."""
        if self.sweep.db.transact(
            lambda c: payments.hold_payment(c, made.payment, made.claim, code, message, made.bill_numbers)
        ):
            self.sweep.add_problem(message)
        else:
            self.sweep.counts["still_on_hold"] += 1

    def _release(self, drafts: Iterable[Draft]) -> None:
        for made in drafts:
            self.sweep.ignore_lost_claim(partial(self.sweep.db.transact, partial(_give_back, made=made)))


def _today() -> tuple[datetime, str]:
    """The bill date of a PI that is made now, to the second, and its financial year."""
    bill_date = clock.now().replace(microsecond=0)
    return bill_date, clock.financial_year_label(clock.financial_year(bill_date))


def _first_request(pi: PaymentInstruction, rows: Sequence[NewBeneficiary]) -> PiRequest:
    return request_of(pi, rows, {row.beneficiary_number: row.account_number for row in rows})


def request_of(
    pi: PaymentInstruction, rows: Sequence[Beneficiary | NewBeneficiary], accounts: Mapping[str, str]
) -> PiRequest:
    """The request of a PI: the same rows always give the same content (money-rules.md R1).

    `accounts` are the account numbers by beneficiary number.
    """
    rows = sorted(rows, key=lambda row: row.beneficiary_number)
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
                benf_acct_no=accounts[row.beneficiary_number],
                benf_bank_ifsc_code=row.ifsc,
                benf_mobile_no=row.mobile,
                benf_address=row.address,
                benf_account_type=row.account_type,
                benf_amount=row.amount,
            )
            for row in rows
        ),
    )


def _give_back(connection: Connection, made: Draft) -> None:
    release(connection, payments.UNPAID, made.payment.id, made.claim, untouched=True)
