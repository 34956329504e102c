"""COR: a revised PI for failed beneficiaries whose bank data has been corrected.

An operator names the original PI, or all that are due are taken. Only failed beneficiaries, each with its account in
the original, in the PI that failed last, and now. What can't be corrected any more (90 days, or 30 April of the next
financial year) can be paid anew by a new original PI. Facts: treasury-jit.md §2 COR, user-stories.md §7 and §12.
"""

from __future__ import annotations

import uuid
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property, partial
from typing import cast

from ifms import clock
from ifms.errors import (
    BadInputError,
    ClaimLostError,
    ConflictError,
    CorrectionRefusedError,
    IfmsError,
    TreasuryError,
)
from ifms.ledger import beneficiaries, corrections, funds, instructions
from ifms.ledger.claims import Claim
from ifms.ledger.corrections import History, Try, correct_by
from ifms.ledger.database import Connection
from ifms.ledger.instructions import Change
from ifms.ledger.models import Funding, NewBeneficiary, PaymentInstruction
from ifms.ledger.statuses import BeneficiaryStatus, PiStatus
from ifms.ledger.writes import Writes
from ifms.platform.accounts import account_at
from ifms.platform.client import PlatformClient
from ifms.platform.masterdata import MasterData
from ifms.platform.models import BankAccountDetail
from ifms.platform.payees import PayeeShare, PayeeType
from ifms.sealing import Sealer
from ifms.services.drafting import sendable_address, sendable_mobile, sendable_name, stopped_by_now
from ifms.services.earlier import EarlierNumbers
from ifms.services.ftps import Paid, RevisedSuccess
from ifms.services.pi import Instruction, request_of, taken_over
from ifms.services.poll import LEASE, claimed, echoed, of_scope, one_row
from ifms.services.scope import Scope
from ifms.services.sending import Ready, Receipt, Sender, accept, checked_receipt, decline
from ifms.services.sweep import Sweep
from ifms.treasury.client import TreasuryClient
from ifms.wire.bank import valid_account_number, valid_ifsc
from ifms.wire.cor import Correction, CorRequest, CorRow
from ifms.wire.envelope import Reply, ReplyError, Service, parse_rows


@dataclass(frozen=True)
class Order:
    """What an operator wants corrected: an original PI, and which of its failed beneficiaries (all when None)."""

    tenant_id: str
    pi_number: str
    beneficiary_numbers: tuple[str, ...] | None = None
    new_original: bool = False


@dataclass(frozen=True)
class _Account:
    """An account that money goes, or went, to."""

    number: str = field(repr=False)
    ifsc: str
    detail: BankAccountDetail | None = None


@dataclass(frozen=True)
class _Person:
    """A payee in the treasury's letters."""

    name: str
    mobile: str
    address: str


class Revision:
    """A revised PI, as `sending` sends it."""

    service = Service.COR
    asked_by = RevisedSuccess()

    def receipt(self, pi: PaymentInstruction, reply: Reply) -> Receipt:
        """The receipt in an answer. Raises WireError when it is not about `pi` or no acceptance."""
        rows = parse_rows(CorRow, reply)
        one_row(self.service, pi, len(rows))
        echoed("the bill", pi, rows[0].jit_cor_bill_no, pi.pi_number)
        return checked_receipt(self.service, pi, rows[0].success_code, rows[0].success_description)

    def is_whole(self, pi: PaymentInstruction, news: Paid) -> bool:
        """Whether FTPS names as many beneficiaries as the revision has; it tells no amounts."""
        return len(news.scrolls) == pi.beneficiary_count

    def accepted(
        self, writes: Writes, pi: PaymentInstruction, mine: Claim | None, receipt: Receipt | None, said: str | None
    ) -> Change:
        """INITIATED, its beneficiaries In Process (PIS and PAG are skipped); what it took over is COMPLETED."""
        beneficiaries.set_beneficiaries(writes, pi, BeneficiaryStatus.PENDING, BeneficiaryStatus.IN_PROCESS)
        change = accept(writes, pi, mine, receipt, said)
        taken_over(writes.flush(), pi, pi.parent_pi_number or "")
        return change

    def declined(
        self, writes: Writes, pi: PaymentInstruction, mine: Claim | None, errors: tuple[ReplyError, ...]
    ) -> Change:
        """FAILED; its beneficiaries are as failed as they were, and may be in another revision."""
        beneficiaries.set_beneficiaries(writes, pi, BeneficiaryStatus.PENDING, BeneficiaryStatus.FAILED)
        return decline(writes, pi, mine, errors, "CORRECTION_DECLINED")


@dataclass(frozen=True)
class Corrections:
    """One sweep of ifms_cor."""

    sweep: Sweep
    treasury: TreasuryClient
    platform: PlatformClient
    sealer: Sealer
    master: MasterData

    @cached_property
    def revisions(self) -> Sender:
        """What sends and settles revised PIs."""
        return Sender(self.sweep, self.treasury, Revision())

    @cached_property
    def earlier(self) -> EarlierNumbers:
        """What asks about earlier numbers of a payment."""
        return EarlierNumbers(self.sweep, self.treasury)

    @cached_property
    def repayments(self) -> Sender:
        """What sends and settles new originals."""
        return Sender(self.sweep, self.treasury, Instruction())

    def correct(self, orders: Sequence[Order]) -> None:
        """Correct what an operator asked for; what is refused is said, and the run is not green."""
        for sender, wanted in ((self.revisions, False), (self.repayments, True)):
            ours = [order for order in orders if order.new_original is wanted]
            self.sweep.drive(self._ready(ours, asked_for=True), sender.send, sender.settle, sender.not_begun)

    def correct_due(self, scope: Scope) -> None:
        """Correct every PI whose failed beneficiaries all have other bank data now; the others wait."""
        found = self.sweep.db.transact(partial(corrections.originals_with_failures, tenants=scope.tenant_list))
        orders = [Order(tenant, number) for tenant, number in found]
        sender = self.revisions
        self.sweep.drive(self._ready(orders, asked_for=False), sender.send, sender.settle, sender.not_begun)

    def send_again(self, scope: Scope) -> None:
        """Settle the revisions that stayed PENDING: the same number, the same content."""
        sender = self.revisions

        def pending() -> Generator[Ready, None, None]:
            for item in claimed(self.sweep, instructions.UNSETTLED_REVISIONS, scope):
                ready = sender.again(
                    item, partial(self.sweep.db.transact, partial(self._request_again, revision=item.pi))
                )
                if ready is not None:
                    yield ready

        def work() -> None:
            self.sweep.drive(pending(), sender.send, sender.settle, sender.not_begun)

        self.sweep.with_others(instructions.UNSETTLED_REVISIONS, LEASE, of_scope(scope), work)

    def _ready(self, orders: Sequence[Order], *, asked_for: bool) -> Generator[Ready, None, None]:
        for order in orders:
            try:
                yield self._prepared(order)
            except TreasuryError:  # no login: nobody's order can be sent, and none is written
                raise
            except ClaimLostError as error:
                self.sweep.remark(str(error))
            except CorrectionRefusedError as error:
                if asked_for:
                    self.sweep.problem(str(error))
                else:
                    self.sweep.counts["waiting_for_correction"] += 1
            except IfmsError as error:
                self.sweep.problem(f"PI {order.pi_number}: {error}")

    def _prepared(self, order: Order) -> Ready:
        """Look up, check and write one correction. Raises CorrectionRefusedError that says why not."""
        original, failed = self.sweep.db.transact(partial(self._failed, order=order))
        now_held = self._accounts_now(original, failed)
        before = {number: self._account_of(history.last) for number, history in failed.items()}
        first = {number: self._account_of(history.first) for number, history in failed.items()}
        unchanged = [n for n in failed if (now_held[n].number, now_held[n].ifsc) == (before[n].number, before[n].ifsc)]
        if unchanged and not order.new_original:
            raise CorrectionRefusedError(
                f"PI {order.pi_number}: the bank account of {', '.join(unchanged)} is the one that failed; "
                "correct it in the registry first, or name the beneficiaries to revise"
            )
        lines = [line for history in failed.values() for line in history.last.row.line_item_ids]
        if (hold := stopped_by_now(self.platform, original.tenant_id, original.payment_number, lines)) is not None:
            raise CorrectionRefusedError(f"PI {order.pi_number}: {hold[1]}")
        self.treasury.login()
        self._check_earlier(original)
        name = self.platform.config.pi_id_name if order.new_original else self.platform.config.correction_id_name
        number = self.platform.new_ids(name, original.tenant_id, 1)[0]
        unnamed = self._unnamed(original, failed)
        rows = [self._new_row(failed[n].last, now_held[n], unnamed.get(n)) for n in sorted(failed)]
        if order.new_original:
            return self.sweep.db.transact(partial(self._write_repayment, order=order, number=number, rows=rows))
        return self.sweep.db.transact(
            partial(self._write_revision, order=order, number=number, rows=rows, first=first, before=before)
        )

    def _check_earlier(self, original: PaymentInstruction) -> None:
        """Ask about the payment's FAILED numbers that the treasury may have.

        Raises ConflictError: one of them may pay what this correction would.
        """
        payment = (original.tenant_id, original.payment_number)
        found = self.sweep.db.transact(partial(instructions.failed_uncertain, payments=[payment]))
        doubt = self.earlier.doubt(found.get(payment, ())) if found else None
        if doubt is not None:
            raise ConflictError(f"nothing is corrected: {doubt[1]}")

    # What has failed --------------------------------------------------------------------------------------------------

    def _failed(self, connection: Connection, order: Order) -> tuple[PaymentInstruction, dict[str, History]]:
        """The original, locked, and the histories of the failed beneficiaries that are to be paid.

        Raises CorrectionRefusedError that names what forbids it.
        """
        original = instructions.lock(connection, order.pi_number)
        where = f"PI {order.pi_number} of {order.tenant_id}"
        if original is None or original.tenant_id != order.tenant_id:
            raise CorrectionRefusedError(f"{where} does not exist")
        if original.pi_type != "ORIGINAL":
            raise CorrectionRefusedError(f"{where} is a revised PI; name its original, {original.parent_pi_number}")
        if original.status not in (PiStatus.PARTIAL, PiStatus.COMPLETED):
            raise CorrectionRefusedError(f"{where} is {original.status}: only PARTIAL or COMPLETED can be corrected")
        under_way = corrections.revision_under_way(connection, original)
        if under_way is not None:
            raise CorrectionRefusedError(f"{where} has {under_way} on its way: wait for what becomes of it")
        known = corrections.histories(connection, original)
        failed = {number: history for number, history in known.items() if history.last.failed}
        if order.beneficiary_numbers is not None:
            for number in order.beneficiary_numbers:
                if number not in known:
                    raise CorrectionRefusedError(f"{where} has no beneficiary {number}")
                if number not in failed:
                    raise CorrectionRefusedError(
                        f"{where}: the payment of {number} has not failed (it is {known[number].last.row.status})"
                    )
            failed = {number: failed[number] for number in order.beneficiary_numbers}
        if not failed:
            raise CorrectionRefusedError(f"{where} has no failed beneficiary that nobody has taken over")
        self._check_deadline(connection, where, failed, new_original=order.new_original)
        return original, failed

    def _check_deadline(
        self, connection: Connection, where: str, failed: Mapping[str, History], *, new_original: bool
    ) -> None:
        today = clock.to_ist(clock.now()).date()
        days = {n: h.last.row.failed_on for n, h in failed.items() if h.last.row.failed_on is not None}
        last_days = correct_by(connection, days.values())
        until = {number: last_days[day] for number, day in days.items()}
        late = sorted(number for number, day in until.items() if today > day)
        if late and not new_original:
            raise CorrectionRefusedError(
                f"{where}: {', '.join(late)} could be corrected until {min(until[n] for n in late)} only; "
                "start ifms_cor with 'new original' to pay anew from a sanction"
            )
        in_time = sorted(number for number in until if number not in late)
        if in_time and new_original:
            raise CorrectionRefusedError(
                f"{where}: {', '.join(in_time)} can still be corrected, until {min(until[n] for n in in_time)}: "
                "a revised PI needs no new funds"
            )

    # Accounts ---------------------------------------------------------------------------------------------------------

    def _accounts_now(self, original: PaymentInstruction, failed: Mapping[str, History]) -> dict[str, _Account]:
        """The active primary account of each, as the registry has it now.

        Raises BadInputError that names the payee without a valid one.
        """
        payees = {number: history.last.row.beneficiary_id for number, history in failed.items()}
        held = self.platform.bank_accounts(original.tenant_id, sorted(set(payees.values())))
        accounts = {}
        for number, payee in payees.items():
            who = f"beneficiary {number} (payee {payee})"
            detail = held[payee].primary if payee in held else None
            if detail is None:
                raise BadInputError(f"{who} has no active primary bank account")
            accounts[number] = _Account(
                valid_account_number(detail.account_number, who), valid_ifsc(detail.ifsc, who), detail
            )
        return accounts

    def _account_of(self, tried: Try) -> _Account:
        """The account that a PI paid to: as it was sent, or, where that is not known here, by the audit log."""
        row = tried.row
        if row.account_sealed is not None:
            return _Account(self.sealer.open(row.account_sealed).decode(), row.ifsc)
        number, ifsc = account_at(self.platform, tried.pi.tenant_id, row.beneficiary_id, tried.pi.created_at)
        ifsc = valid_ifsc(ifsc or row.ifsc, f"beneficiary {row.beneficiary_number}, by the audit log,")
        sealed = self.sealer.seal(number)
        self.sweep.db.transact(
            partial(beneficiaries.keep_account, row_id=row.id, account_sealed=sealed, last4=number[-4:], ifsc=ifsc)
        )
        return _Account(number, ifsc)

    def _unnamed(self, original: PaymentInstruction, failed: Mapping[str, History]) -> dict[str, _Person]:
        """Name, mobile and address of those whose earlier rows have none: the Java adapter did not keep them."""
        rows = {number: history.last.row for number, history in failed.items() if not history.last.row.name}
        if not rows:
            return {}
        shares = {
            number: PayeeShare(row.beneficiary_id, cast("PayeeType", row.beneficiary_type), row.amount, ())
            for number, row in rows.items()
        }
        tenant = original.tenant_id
        directory = self.platform.payee_directory(tenant, shares.values())
        city = self.master.city(tenant).name or tenant
        found = {}
        for number, share in shares.items():
            payee = directory.payee(share)
            found[number] = _Person(sendable_name(payee), sendable_mobile(payee), sendable_address(payee, city))
        return found

    def _new_row(self, last: Try, account: _Account, person: _Person | None) -> NewBeneficiary:
        assert account.detail is not None, "the registry's account has its detail"
        row = last.row
        person = person or _Person(row.name, row.mobile, row.address)
        return NewBeneficiary(
            beneficiary_number=row.beneficiary_number,
            beneficiary_id=row.beneficiary_id,
            beneficiary_type=row.beneficiary_type,
            amount=row.amount,
            line_item_ids=tuple(row.line_item_ids),
            name=person.name,
            account_sealed=self.sealer.seal(account.number),
            account_last4=account.number[-4:],
            account_type=(account.detail.account_type or row.account_type).strip(),
            ifsc=account.ifsc,
            bank_account_id=account.detail.id,
            mobile=person.mobile,
            address=person.address,
        )

    # Writing ----------------------------------------------------------------------------------------------------------

    def _write_revision(
        self,
        connection: Connection,
        order: Order,
        number: str,
        rows: Sequence[NewBeneficiary],
        first: Mapping[str, _Account],
        before: Mapping[str, _Account],
    ) -> Ready:
        original, failed = self._still_failed(connection, order, rows)
        mine = Claim(uuid.uuid4(), LEASE)
        bill_date = clock.now().replace(microsecond=0)
        revision = instructions.create_revision(connection, original, number, bill_date, rows, mine)
        request = self._request(connection, original, revision, failed, first, before)
        return Ready(revision, mine, request, self.revisions.announce(connection, revision, request))

    def _write_repayment(
        self, connection: Connection, order: Order, number: str, rows: Sequence[NewBeneficiary]
    ) -> Ready:
        original, _ = self._still_failed(connection, order, rows)
        bill_date = clock.now().replace(microsecond=0)
        funding = self._funding(connection, original, rows, bill_date)
        mine = Claim(uuid.uuid4(), LEASE)
        pi = instructions.create_repayment(connection, original, funding, number, bill_date, rows, mine)
        request = request_of(pi, beneficiaries.of(connection, [pi.id])[pi.id], self.sealer)
        return Ready(pi, mine, request, self.repayments.announce(connection, pi, request))

    def _still_failed(
        self, connection: Connection, order: Order, rows: Sequence[NewBeneficiary]
    ) -> tuple[PaymentInstruction, dict[str, History]]:
        """What was looked at before the look-ups, once more and under the original's lock."""
        original, failed = self._failed(connection, order)
        if set(failed) != {row.beneficiary_number for row in rows}:
            raise ConflictError("other beneficiaries have failed meanwhile; run it again")
        return original, failed

    def _funding(
        self,
        connection: Connection,
        original: PaymentInstruction,
        rows: Sequence[NewBeneficiary],
        bill_date: datetime,
    ) -> Funding:
        amount = sum((row.amount for row in rows), Decimal(0))
        units = self.master.units.get(original.tenant_id, ())
        funding = funds.choose_funding(
            connection,
            original.tenant_id,
            amount,
            [(unit.ddo_code, head.code) for head in self.master.heads for unit in units],
            financial_year=clock.financial_year_label(clock.financial_year(bill_date)),
            payment_number=original.payment_number,
        )
        if funding is None:
            raise CorrectionRefusedError(
                f"no sanction of {original.tenant_id} has {amount} available to pay PI {original.pi_number}'s anew"
            )
        return funding

    def _request_again(self, connection: Connection, revision: PaymentInstruction) -> CorRequest:
        """The request of a stored revision: the same rows give the same content."""
        original = instructions.lock(connection, revision.parent_pi_number or "")
        assert original is not None, "a revision has its original"
        numbers = [row.beneficiary_number for row in beneficiaries.of(connection, [revision.id])[revision.id]]
        earlier = corrections.histories(connection, original, before=revision.created_at)
        failed = {number: earlier[number] for number in numbers}
        first = {number: self._stored(history.first) for number, history in failed.items()}
        before = {number: self._stored(history.last) for number, history in failed.items()}
        return self._request(connection, original, revision, failed, first, before)

    def _stored(self, tried: Try) -> _Account:
        assert tried.row.account_sealed is not None, "it was kept when the revision was first made"
        return _Account(self.sealer.open(tried.row.account_sealed).decode(), tried.row.ifsc)

    def _request(
        self,
        connection: Connection,
        original: PaymentInstruction,
        revision: PaymentInstruction,
        failed: Mapping[str, History],
        first: Mapping[str, _Account],
        before: Mapping[str, _Account],
    ) -> CorRequest:
        config = self.treasury.config
        rows = beneficiaries.of(connection, [revision.id])[revision.id]
        accounts = {row.beneficiary_number: self._stored(Try(revision, row)) for row in rows}
        return CorRequest(
            jit_cor_bill_no=revision.pi_number,
            jit_cor_bill_date=revision.bill_date,
            jit_cor_bill_dept_code=config.department_code,
            jit_org_bill_ref_no=original.pa_bill_ref_number or "",
            jit_org_bill_no=original.pi_number,
            jit_org_bill_date=original.bill_date,
            list_key=config.correction_list_key,
            beneficiary_details=tuple(
                Correction(
                    benef_id=number,
                    jit_cur_bill_ref_no=failed[number].last.pi.pa_bill_ref_number or "",
                    org_account_no=first[number].number,
                    org_ifsc=first[number].ifsc,
                    corrected_account_no=accounts[number].number,
                    corrected_ifsc=accounts[number].ifsc,
                    cur_account_no=before[number].number,
                    cur_ifsc=before[number].ifsc,
                )
                for number in accounts
            ),
        )
