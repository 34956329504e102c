"""COR: a revised PI for failed beneficiaries whose bank data has been corrected, or whose account is right as it is.

A person names the original PI, and may choose among its failed beneficiaries; else those are taken whose account has
been corrected, and the others stay as failed as they are, for a later revision. To the account that failed somebody is
paid again only when a person has chosen so by name. Each goes out with its account in the original, in the PI that
failed last, and now. What can't be corrected any more (90 days, or 30 April of the next financial year) can be paid
anew by a new original PI. Facts: treasury-jit.md §2 COR, user-stories.md §7 and §12, cor-and-fd.md §1.
"""

from __future__ import annotations

import uuid
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property, partial
from typing import cast

from ifms import clock
from ifms.errors import (
    BadInputError,
    ConflictError,
    CorrectionRefusedError,
    IfmsError,
    TreasuryError,
)
from ifms.ledger import beneficiaries, corrections, funds, instructions, proposals, status_log
from ifms.ledger.binding import check_instruction, open_account
from ifms.ledger.claims import Claim
from ifms.ledger.corrections import History, Try
from ifms.ledger.database import Connection
from ifms.ledger.instructions import Change
from ifms.ledger.models import Funding, NewBeneficiary, PaymentInstruction
from ifms.ledger.proposals import Act
from ifms.ledger.status_log import LogStatus
from ifms.ledger.statuses import BeneficiaryStatus
from ifms.ledger.write_batch import Writes
from ifms.platform.client import PlatformClient
from ifms.platform.masterdata import MasterData
from ifms.platform.payees import PayeeShare, PayeeType
from ifms.services.candidates import Account, Accounts, Candidates, PaymentNow
from ifms.services.correction_order import Order, approved, failed_of, give_up, listed, may_be_paid, too_late
from ifms.services.earlier_numbers import EarlierNumbers
from ifms.services.ftps import Paid, RevisedSuccess
from ifms.services.instruction_draft import sendable_address, sendable_mobile, sendable_name
from ifms.services.pi import Instruction, request_of, taken_over
from ifms.services.still_owed import Stored, unsettled
from ifms.signing import Keyring
from ifms.sweep.pipeline import drive
from ifms.sweep.scope import Scope
from ifms.sweep.status_poll import LEASE, of_scope, require_same, require_single_row
from ifms.sweep.submission import Ready, Receipt, Sender, accept, checked_receipt, decline
from ifms.sweep.takeover import drain_with_takeover
from ifms.sweep.treasury_sweep import TreasurySweep
from ifms.treasury.client import TreasuryClient
from ifms.wire.cor import Correction, CorRequest, CorRow
from ifms.wire.envelope import Reply, ReplyError, Service, parse_rows


@dataclass(frozen=True)
class LeftOut:
    """A failed beneficiary whom a revision leaves as failed as it was, and why."""

    beneficiary_number: str
    beneficiary_id: str
    reason: str


@dataclass(frozen=True)
class _Chosen:
    """Whom a revision pays: what was looked at before, and the three accounts."""

    histories: Mapping[str, History]
    accounts: Mapping[str, Accounts]


@dataclass(frozen=True)
class _Person:
    """A payee in the treasury's letters."""

    name: str
    mobile: str
    address: str


class Revision:
    """A revised PI, as `submission` sends it."""

    service = Service.COR
    asked_by = RevisedSuccess()

    def receipt(self, pi: PaymentInstruction, reply: Reply) -> Receipt:
        """The receipt in an answer. Raises WireError when it is not about `pi` or no acceptance."""
        rows = parse_rows(CorRow, reply)
        require_single_row(self.service, pi, len(rows))
        require_same("the bill", pi, rows[0].jit_cor_bill_no, pi.pi_number)
        return checked_receipt(self.service, pi, rows[0].success_code, rows[0].success_description)

    def is_whole(self, pi: PaymentInstruction, news: Paid) -> bool:
        """Whether FTPS names as many beneficiaries as the revision has; it tells no amounts."""
        return len(news.scrolls) == pi.beneficiary_count

    def accepted(
        self, writes: Writes, pi: PaymentInstruction, claim: Claim | None, receipt: Receipt | None, message: str | None
    ) -> Change:
        """INITIATED, its beneficiaries In Process (PIS and PAG are skipped); what it took over is COMPLETED."""
        beneficiaries.set_beneficiaries(writes, pi, BeneficiaryStatus.PENDING, BeneficiaryStatus.IN_PROCESS)
        change = accept(writes, pi, claim, receipt, message)
        taken_over(writes.flush(), pi, pi.parent_pi_number or "")
        return change

    def declined(
        self, writes: Writes, pi: PaymentInstruction, claim: Claim | None, errors: tuple[ReplyError, ...]
    ) -> Change:
        """FAILED; its beneficiaries are as failed as they were, and may be in another revision."""
        beneficiaries.set_beneficiaries(writes, pi, BeneficiaryStatus.PENDING, BeneficiaryStatus.FAILED)
        return decline(writes, pi, claim, errors, "CORRECTION_DECLINED")


@dataclass(frozen=True)
class Corrections:
    """One sweep of ifms_cor."""

    sweep: TreasurySweep
    treasury: TreasuryClient
    platform: PlatformClient
    keyring: Keyring
    master: MasterData
    left_out: list[LeftOut] = field(default_factory=list)
    """Whom the revisions made by `correct` have left out, where nobody was named."""

    @cached_property
    def candidates(self) -> Candidates:
        """What looks at accounts."""
        return Candidates(self.platform, self.keyring.sealer)

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
        """Correct what an operator asked for; what is refused is reported, and the run is not green."""
        for sender, wanted in ((self.revisions, False), (self.repayments, True)):
            ours = [order for order in orders if order.new_original is wanted]
            drive(self.sweep, self._ready(ours, asked_for=True), sender.send, sender.settle, sender.not_begun)

    def correct_due(self, scope: Scope) -> None:
        """Correct everybody who has failed and has another account now; the others wait, and nobody waits for them."""
        found = self.sweep.db.transact(partial(corrections.originals_with_failures, tenants=scope.tenant_list))
        orders = [Order(tenant, number) for tenant, number in found]
        sender = self.revisions
        drive(self.sweep, self._ready(orders, asked_for=False), sender.send, sender.settle, sender.not_begun)

    def send_again(self, scope: Scope) -> None:
        """Settle the revisions that stayed PENDING: the same number, the same content."""
        sender = self.revisions
        for fault in self.master.unread:
            self.sweep.add_problem(fault)

        def pending() -> Generator[Ready, None, None]:
            queue = instructions.UNSETTLED_REVISIONS
            for due in unsettled(self.sweep, queue, scope, self.platform, self.master):
                request = partial(self._request_again, stored=due.stored)
                ready = sender.again(due.item, partial(self.sweep.db.transact, request), self.earlier.withheld(due))
                if ready is not None:
                    yield ready

        def work() -> None:
            drive(self.sweep, pending(), sender.send, sender.settle, sender.not_begun)

        drain_with_takeover(self.sweep, instructions.UNSETTLED_REVISIONS, LEASE, of_scope(scope), work)

    def _ready(self, orders: Sequence[Order], *, asked_for: bool) -> Generator[Ready, None, None]:
        for order in orders:
            try:
                ready = self._prepared(order, asked_for=asked_for)
            except TreasuryError:  # no login: nobody's order can be sent, and none is written
                raise
            except CorrectionRefusedError as error:
                self.sweep.db.transact(partial(give_up, order=order, why=str(error)))
                if asked_for:
                    self.sweep.add_problem(str(error))
                else:
                    self.sweep.counts["waiting_for_correction"] += 1
            except IfmsError as error:
                self.sweep.add_problem(f"PI {order.pi_number}: {error}")
            else:
                if ready is not None:
                    yield ready

    def _prepared(self, order: Order, *, asked_for: bool) -> Ready | None:
        """Look up, check and write one correction; None when this very run has made it before.

        Raises CorrectionRefusedError that says why not.
        """
        if asked_for and not order.new_original:
            made = self.sweep.db.transact(
                partial(corrections.made_by_run, pi_number=order.pi_number, sweep_run_id=self.sweep.run.id)
            )
            if made is not None:
                self.sweep.add_warning(
                    f"PI {order.pi_number}: this run has made {made} for it before, and makes no second one; "
                    "to correct it once more, start a new run"
                )
                return None
        original, failed = self.sweep.db.transact(partial(failed_of, order=order))
        if order.new_original:
            return self._repayment(order, original, failed)
        chosen, left_out = self._choice(order, original, failed, asked_for=asked_for)
        accounts = {number: each.now for number, each in chosen.accounts.items()}
        order = self.sweep.db.transact(
            partial(approved, order=order, failed=failed, accounts=accounts, sealer=self.keyring.sealer)
        )
        self.treasury.login()
        self._check_earlier(original)
        number = self.platform.new_ids(self.platform.config.correction_id_name, original.tenant_id, 1)[0]
        unnamed = self._unnamed(original, {n: failed[n] for n in chosen.accounts})
        rows = [
            replace(
                self._new_row(failed[n].last, chosen.accounts[n].now, unnamed.get(n)),
                same_account_by=order.by if n in order.same_account else None,
            )
            for n in sorted(chosen.accounts)
        ]
        ready = self.sweep.db.transact(
            partial(self._write_revision, order=order, number=number, rows=rows, chosen=chosen)
        )
        if left_out:
            self.left_out.extend(LeftOut(n, failed[n].last.row.beneficiary_id, why) for n, why in left_out.items())
            self._count_left_out(order, number, left_out, said=asked_for)
        return ready

    def _repayment(self, order: Order, original: PaymentInstruction, failed: Mapping[str, History]) -> Ready:
        """A new original for failed beneficiaries, to the accounts that they have now."""
        payment = PaymentNow(self.platform, original)
        accounts, faults = self.candidates.accounts_now(original, failed, payment)
        accounts, left_out = self._taken(order, failed, payment, accounts, {}, faults, asked_for=True)
        failed = {number: failed[number] for number in accounts}
        order = self.sweep.db.transact(
            partial(approved, order=order, failed=failed, accounts=accounts, sealer=self.keyring.sealer)
        )
        self.treasury.login()
        self._check_earlier(original)
        number = self.platform.new_ids(self.platform.config.pi_id_name, original.tenant_id, 1)[0]
        unnamed = self._unnamed(original, failed)
        rows = [self._new_row(failed[n].last, accounts[n], unnamed.get(n)) for n in sorted(failed)]
        ready = self.sweep.db.transact(
            partial(self._write_repayment, order=order, number=number, rows=rows, looked_at=failed, accounts=accounts)
        )
        if left_out:
            self._count_left_out(order, number, left_out, said=True)
        return ready

    def _count_left_out(self, order: Order, number: str, left_out: Mapping[str, str], *, said: bool) -> None:
        self.sweep.counts["left_out"] += len(left_out)
        if said:
            self.sweep.add_warning(
                f"PI {order.pi_number}: {number} leaves out who can't be paid by it now: {listed(left_out)}"
            )

    # Whom a revision pays ---------------------------------------------------------------------------------------------

    def _choice(
        self, order: Order, original: PaymentInstruction, failed: Mapping[str, History], *, asked_for: bool
    ) -> tuple[_Chosen, dict[str, str]]:
        """Whom the revision pays, and whom it leaves out, with why.

        Raises CorrectionRefusedError when somebody who was named can't be revised so, or when nobody can.
        """
        payment = PaymentNow(self.platform, original)
        accounts, faults = self.candidates.accounts(original, failed, payment)
        faults |= {n: fault for n in accounts if (fault := _unreferenced(n, failed[n])) is not None}
        waiting = {n: why for n in accounts if (why := _unfit(accounts[n], on_purpose=n in order.same_account))}
        if order.named is None:
            late, others = self.sweep.db.transact(lambda c: (too_late(c, failed), may_be_paid(c, failed)))
            waiting |= late
            for number, other in others.items():
                if other.open_:  # it does not just wait: a person must settle it, whether its account is mended or not
                    waiting.pop(number, None)
                    faults[number] = f"beneficiary {number}: {other.why}"
                else:
                    waiting[number] = other.why
        now = {number: each.now for number, each in accounts.items()}
        taken, left_out = self._taken(order, failed, payment, now, waiting, faults, asked_for=asked_for)
        return _Chosen(failed, {number: accounts[number] for number in taken}), left_out

    def _taken(
        self,
        order: Order,
        failed: Mapping[str, History],
        payment: PaymentNow,
        now: Mapping[str, Account],
        waiting: Mapping[str, str],
        faults: Mapping[str, str],
        *,
        asked_for: bool,
    ) -> tuple[dict[str, Account], dict[str, str]]:
        """Who is paid, on which account of `now`; and who is left out, with why.

        `waiting` are those who just wait, `faults` those of whom somebody must mend something, by beneficiary number.
        Of those with one account the first is taken: the treasury takes an account once in a bill.

        Raises CorrectionRefusedError when somebody who was named would be left out, or when nobody is left.
        """
        kind, done = ("new original", "paid anew") if order.new_original else ("revision", "revised")
        taken: dict[str, Account] = {}
        sharing: dict[str, str] = {}
        stopped: dict[str, str] = {}
        to_mend: dict[str, str] = {}
        for number in sorted(failed.keys() - waiting.keys()):
            if (stop := payment.stopped(failed[number].last.row.line_item_ids)) is not None:
                stopped[number] = stop
            elif number in faults:
                to_mend[number] = faults[number]
            elif other := next((o for o, account in taken.items() if account.same_as(now[number])), None):
                sharing[number] = f"it has the same account as {other}, which takes another {kind}, after that one"
            else:
                taken[number] = now[number]
        if order.named is None:
            for fault in to_mend.values():
                self.sweep.add_problem(f"PI {order.pi_number}: {fault}")
        if stopped and not asked_for:
            self.sweep.add_warning(f"PI {order.pi_number}: not {done}: {listed(stopped)}")
        left_out = dict(sorted({**waiting, **stopped, **to_mend, **sharing}.items()))
        if left_out and (order.named is not None or not taken):
            nobody = f"; nobody was {done}" if len(failed) > 1 else ""
            raise CorrectionRefusedError(f"{order.where} is not {done}: {listed(left_out)}{nobody}")
        return taken, left_out

    def _check_earlier(self, original: PaymentInstruction) -> None:
        """Ask about the payment's FAILED numbers that the treasury may have.

        Raises ConflictError: one of them may pay what this correction would.
        """
        payment = (original.tenant_id, original.payment_number)
        found = self.sweep.db.transact(partial(instructions.failed_uncertain, payments=[payment]))
        doubt = self.earlier.doubt(found.get(payment, ())) if found else None
        if doubt is not None:
            raise ConflictError(f"nothing is corrected: {doubt[1]}")

    # Rows -------------------------------------------------------------------------------------------------------------

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

    def _new_row(self, last: Try, account: Account, person: _Person | None) -> NewBeneficiary:
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
            account_number=account.number,
            account_type=(account.detail.account_type or row.account_type).strip(),
            ifsc=account.ifsc,
            bank_account_id=account.detail.id,
            mobile=person.mobile,
            address=person.address,
            gender=row.gender,
            social_category=row.social_category,
        )

    # Writing ----------------------------------------------------------------------------------------------------------

    def _write_revision(
        self, connection: Connection, order: Order, number: str, rows: Sequence[NewBeneficiary], chosen: _Chosen
    ) -> Ready:
        changed = tuple(n for n in chosen.accounts if n not in order.same_account)
        narrowed = replace(order, beneficiary_numbers=changed)
        original, failed = self._still_failed(connection, narrowed, chosen.histories)
        self._use(connection, order, failed, {n: each.now for n, each in chosen.accounts.items()}, number)
        self._keep_accounts(connection, failed, chosen.accounts)
        claim = Claim(uuid.uuid4(), LEASE, person=self.sweep.context.person)
        bill_date = clock.now().replace(microsecond=0)
        revision = instructions.create_revision(connection, original, number, bill_date, rows, claim, self.keyring)
        if order.same_account:
            names = ", ".join(sorted(order.same_account))
            status_log.log_status(
                connection,
                revision,
                Service.COR,
                LogStatus.SAME_ACCOUNT,
                message=f"paid to the account that failed, on purpose, by {order.by}: {names}",
                sweep_run_id=self.sweep.run.id,
            )
        first = {n: accounts.first for n, accounts in chosen.accounts.items()}
        before = {n: accounts.before for n, accounts in chosen.accounts.items()}
        request = self._request(connection, original, revision, failed, first, before)
        [announced] = self.revisions.announce(connection, [(revision, request)])
        return Ready(revision, claim, request, announced)

    def _use(
        self,
        connection: Connection,
        order: Order,
        failed: Mapping[str, History],
        accounts: Mapping[str, Account],
        number: str,
    ) -> None:
        """Use up what was approved, as the PI is written. Raises what `approved` does."""
        if approved(connection, order, failed, accounts, self.keyring.sealer).proposal is None:
            return
        assert order.proposal is not None
        found = proposals.find(connection, order.proposal)
        assert found is not None
        context = self.sweep.context
        done_in = f"{context.dag_id}/{context.run_id}"
        act = Act(found.act)
        proposals.use(connection, act, order.pi_number, found.parameters, found.id, done_in=done_in, result=number)

    def _keep_accounts(
        self, connection: Connection, failed: Mapping[str, History], accounts: Mapping[str, Accounts]
    ) -> None:
        """Keep the accounts that only the audit log knew: a revision that is sent again names the same."""
        for number, known in accounts.items():
            for tried, account in ((failed[number].first, known.first), (failed[number].last, known.before)):
                if tried.row.account_sealed is None:
                    beneficiaries.keep_account(
                        connection,
                        tried.pi,
                        tried.row,
                        account.number,
                        account.ifsc,
                        self.keyring.sealer,
                    )

    def _write_repayment(
        self,
        connection: Connection,
        order: Order,
        number: str,
        rows: Sequence[NewBeneficiary],
        looked_at: Mapping[str, History],
        accounts: Mapping[str, Account],
    ) -> Ready:
        narrowed = replace(order, beneficiary_numbers=tuple(looked_at))
        original, failed = self._still_failed(connection, narrowed, looked_at)
        self._use(connection, order, failed, accounts, number)
        bill_date = clock.now().replace(microsecond=0)
        funding = self._funding(connection, original, rows, bill_date)
        claim = Claim(uuid.uuid4(), LEASE, person=self.sweep.context.person)
        pi = instructions.create_repayment(connection, original, funding, number, bill_date, rows, claim, self.keyring)
        request = request_of(pi, rows, {row.beneficiary_number: row.account_number for row in rows})
        [announced] = self.repayments.announce(connection, [(pi, request)])
        return Ready(pi, claim, request, announced)

    def _still_failed(
        self, connection: Connection, order: Order, looked_at: Mapping[str, History]
    ) -> tuple[PaymentInstruction, dict[str, History]]:
        """Those whom the order names, once more and under the original's lock: failed by the same PIs as before."""
        original, failed = failed_of(connection, order)
        if any(each.last.row.id != looked_at[number].last.row.id for number, each in failed.items()):
            raise ConflictError("one of its beneficiaries has failed once more meanwhile; run it again")
        return original, failed

    def _funding(
        self,
        connection: Connection,
        original: PaymentInstruction,
        rows: Sequence[NewBeneficiary],
        bill_date: datetime,
    ) -> Funding:
        amount = sum((row.amount for row in rows), Decimal(0))
        funding = funds.choose_funding(
            connection,
            original.tenant_id,
            amount,
            self.master.sources(original.tenant_id),
            financial_year=clock.financial_year_label(clock.financial_year(bill_date)),
            payment_number=original.payment_number,
        )
        if funding is None:
            why = f"no sanction of {original.tenant_id} has {amount} available to pay PI {original.pi_number}'s anew"
            raise CorrectionRefusedError("; ".join(filter(None, [why, self.master.why_not_paying])))
        return funding

    def _request_again(self, connection: Connection, stored: Stored) -> CorRequest:
        """The request of a stored revision: the same rows give the same content.

        Raises SignatureError or SealError when its rows are not what was signed, BadInputError for one that was never
        sent and comes too late now: what may have arrived is settled, however late it is.
        """
        revision = stored.pi
        check_instruction(self.keyring, revision, stored.rows, stored.bill_ids)
        original = instructions.lock(connection, revision.parent_pi_number or "")
        assert original is not None, "a revision has its original"
        earlier = corrections.histories(connection, original, before=revision.created_at)
        failed = {row.beneficiary_number: earlier[row.beneficiary_number] for row in stored.rows}
        if not revision.may_have_arrived and not revision.held_back and (late := too_late(connection, failed)):
            raise BadInputError(f"it was never sent: cancel it; {listed(late)}")
        first = {number: self._stored(history.first) for number, history in failed.items()}
        before = {number: self._stored(history.last) for number, history in failed.items()}
        return self._request(connection, original, revision, failed, first, before)

    def _stored(self, tried: Try) -> Account:
        return Account(open_account(self.keyring.sealer, tried.pi, tried.row), tried.row.ifsc)

    def _request(
        self,
        connection: Connection,
        original: PaymentInstruction,
        revision: PaymentInstruction,
        failed: Mapping[str, History],
        first: Mapping[str, Account],
        before: Mapping[str, Account],
    ) -> CorRequest:
        config = self.treasury.config
        rows = beneficiaries.of(connection, [revision.id])[revision.id]
        accounts = {row.beneficiary_number: self._stored(Try(revision, row)) for row in rows}
        on_purpose = {row.beneficiary_number for row in rows if row.same_account_by is not None}
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
                    same_account=number in on_purpose,
                )
                for number in accounts
            ),
        )


def _unfit(accounts: Accounts, *, on_purpose: bool) -> str | None:
    """Why somebody is not paid to the account that the registry has now; None when it is as was chosen."""
    if on_purpose and accounts.mended:
        return "the registry has another account by now than the one that failed: look at it, then choose anew"
    if not on_purpose and not accounts.mended:
        return (
            "the bank account is the one that failed; correct it in the registry first, "
            "or choose the same account on purpose"
        )
    return None


def _unreferenced(number: str, history: History) -> str | None:
    """Why a revision can't name the PI by which somebody failed; None when it can."""
    if history.last is history.first or history.last.pi.pa_bill_ref_number:
        return None
    return (
        f"beneficiary {number} failed in {history.last.pi.pi_number} before FTPS has told that one's bill reference, "
        "which the next revision names: it can be revised once ifms_ftps has got it"
    )
