"""The ledger beside a small model of it: whatever happens to allotments, PIs and corrections, both say the same.

What the treasury says is made up step by step; what it changes is written by the services' own functions on the real
database. After each step balances, statuses and who may be paid again are the model's, and no invariant is broken.
"""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.databases import as_worker
from support.keys import KEYRING
from support.ledger import DDO, GRANTEE, LEASE, TENANT, Ledger, allotment, beneficiary, create, new_instruction

from ifms import clock
from ifms.errors import IfmsError
from ifms.ledger import beneficiaries, funds, instructions, status_log
from ifms.ledger.beneficiaries import Failure, Scroll
from ifms.ledger.claims import Claim
from ifms.ledger.database import Connection, Database
from ifms.ledger.failure_matching import book
from ifms.ledger.instructions import Change
from ifms.ledger.invariants import find_violations
from ifms.ledger.models import AllotmentKind, Funding, NewBeneficiary, PaymentInstruction
from ifms.ledger.status_log import LogStatus
from ifms.ledger.write_batch import Writes
from ifms.services.cor import Revision
from ifms.services.ftps import Paid, RevisedSuccess
from ifms.services.manual_settlement import Verdict, settle
from ifms.services.pag import Advice, PaymentAdvice
from ifms.services.pd import PaymentDetails, Scrolls
from ifms.services.pi import Instruction
from ifms.services.pis import InstructionStatus
from ifms.sweep.status_poll import StatusService
from ifms.wire.envelope import ReplyError
from ifms.wire.pag import PagRow
from ifms.wire.pis import PisRow

SEED = int(os.environ.get("IFMS_TEST_SEED") or random.SystemRandom().randrange(2**32))
UNDER_WAY = {"REVISED": {"PENDING", "INITIATED"}, "REPAYMENT": {"PENDING", "INITIATED", "APPROVED", "IN PROCESS"}}
OPEN = {"Payment Initiated", "Payment In Process"}
_numbers = count(1)

rupees = st.integers(1, 500).map(Decimal)
picks = st.integers(0, 10**6)
some = st.integers(1, 7)  # a bit for each of up to three beneficiaries


def applied(service: StatusService[Any], writes: Writes, row: Any, mine: Claim, news: Any) -> instructions.Change:
    """As a sweep writes the news of one PI."""
    [recorded] = service.record(writes.connection, [(row, news)])
    change = service.apply(writes, row, mine, recorded)
    [followed] = service.follow(writes.flush(), [(row, change)])
    return followed


@dataclass
class Pi:
    """What the model knows of a PI; `rows` in the order of their numbers."""

    number: str
    kind: str
    rows: dict[str, str]
    amounts: dict[str, Decimal]
    payment: str
    follows: str | None = None
    status: str = "PENDING"
    uncertain: bool = False
    """A submission may have arrived: only a fact settles it."""

    @property
    def amount(self) -> Decimal:
        return sum(self.amounts.values(), Decimal(0))

    def chosen(self, bits: int) -> list[str]:
        """Some of the beneficiaries, at least one."""
        return [n for place, n in enumerate(self.rows) if bits >> place & 1] or list(self.rows)[:1]

    def move(self, start: str, end: str) -> None:
        self.rows = {n: end if status == start else status for n, status in self.rows.items()}

    @property
    def waiting(self) -> bool:
        return any(status in OPEN for status in self.rows.values())


@dataclass
class Model:
    allotted: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    spent: Decimal = Decimal(0)
    pis: dict[str, Pi] = field(default_factory=dict)

    @property
    def available(self) -> Decimal:
        return self.allotted - self.reserved - self.spent

    def last(self) -> dict[str, Pi]:
        """By beneficiary: the latest PI that was not declined or rejected."""
        return {number: pi for pi in self.pis.values() if pi.status != "FAILED" for number in pi.rows}

    def failing(self) -> dict[str, Pi]:
        """Who may be paid again, with the PI that failed last."""
        return {n: pi for n, pi in self.last().items() if pi.rows[n] == "Payment Failed"}

    def under_way(self, original: str) -> list[str]:
        return [p.number for p in self.pis.values() if p.follows == original and p.status in UNDER_WAY[p.kind]]

    def take_over(self, original: str) -> None:
        failing = self.failing()
        for pi in self.pis.values():
            ours = pi.number == original or (pi.kind == "REVISED" and pi.follows == original)
            if ours and pi.status == "PARTIAL" and all(failing.get(n) is not pi for n in pi.rows):
                pi.status = "COMPLETED"


class LedgerBesideItsModel(RuleBasedStateMachine):
    """Each walk has a head of account and a sanction of its own, in one database."""

    dsn = ""

    def __init__(self) -> None:
        super().__init__()
        self.database = Database(lambda: psycopg.connect(as_worker(self.dsn)))
        self.ledger = Ledger(self.dsn, self.database)
        self.reading = psycopg.connect(self.dsn, autocommit=True)
        self.master, self.head = f"{next(_numbers) + 1000}", f"{next(_numbers):027d}"
        self.model = Model()
        self.serial = count(1)
        self.lines: dict[
            str, tuple[str, ...]
        ] = {}  # by beneficiary number: a line keeps its id however often it is paid

    def teardown(self) -> None:
        self.database.close()
        self.reading.close()

    # What happens ----------------------------------------------------------------------------------------------------

    @initialize(amount=st.integers(300, 1500).map(Decimal))
    def first_allotment(self, amount: Decimal) -> None:
        self._allot(AllotmentKind.INITIAL, amount, 0)

    @rule(amount=rupees)
    def more_is_allotted(self, amount: Decimal) -> None:
        self._allot(AllotmentKind.ADDITIONAL, amount, next(self.serial))

    @rule(amount=st.integers(1, 200).map(Decimal))
    def some_is_withdrawn(self, amount: Decimal) -> None:
        self._allot(AllotmentKind.WITHDRAWAL, amount, next(self.serial))

    @rule(amounts=st.lists(st.integers(1, 200).map(Decimal), min_size=1, max_size=3))
    def a_payment_gets_its_pi(self, amounts: list[Decimal]) -> None:
        payment, claim = self.ledger.payment(sum(amounts))
        self._instruct(payment, claim, [beneficiary(amount) for amount in amounts])

    @precondition(lambda self: self._unpaid())
    @rule(pick=picks)
    def a_payment_whose_pi_failed_gets_another(self, pick: int) -> None:
        old = self._pick(pick, self._unpaid())
        payment, claim = self.ledger.claim_payment(old.payment)
        again = [replace(beneficiary(a), line_item_ids=self.lines[n]) for n, a in old.amounts.items()]
        self._instruct(payment, claim, again)

    @precondition(lambda self: self._in("PENDING"))
    @rule(pick=picks, accepted=st.booleans() | st.just(True))
    def the_treasury_answers(self, pick: int, accepted: bool) -> None:
        pi = self._pick(pick, self._in("PENDING"))
        kind = Revision() if pi.kind == "REVISED" else Instruction()
        refusal = (ReplyError(None, "Sample refusal"),)

        def answer() -> None:
            self._change(
                pi,
                kind.service,
                lambda w, row, mine: (
                    kind.accepted(w, row, mine, None, None) if accepted else kind.declined(w, row, mine, refusal)
                ),
            )

        if pi.uncertain and not accepted:
            with pytest.raises(IfmsError, match="may have arrived"):
                answer()
            return
        answer()
        self._settled(pi, accepted=accepted)

    @precondition(lambda self: self._in("PENDING"))
    @rule(pick=picks)
    def an_answer_is_lost(self, pick: int) -> None:
        pi = self._pick(pick, self._in("PENDING"))

        def lose(writes: Writes, row: PaymentInstruction, mine: Claim) -> Change:
            instructions.settle_attempt(writes, row, mine, "unknown", "no whole reply")
            return Change(None, "outcome_unknown")

        self._change(pi, "PI", lose)
        pi.uncertain = True

    @precondition(lambda self: self._unknown())
    @rule(pick=picks, there=st.booleans())
    def a_person_says_what_became_of_it(self, pick: int, there: bool) -> None:
        pi = self._pick(pick, self._unknown())
        verdict = Verdict.ACCEPTED if there else Verdict.NOT_THERE
        self.database.transact(
            lambda c: settle(c, pi.number, verdict, reason="by its books", person="sample", typed=pi.number)
        )
        self._settled(pi, accepted=there)

    def _settled(self, pi: Pi, *, accepted: bool) -> None:
        if pi.kind != "REVISED":
            self.model.reserved -= pi.amount
            self.model.spent += pi.amount if accepted else 0
        if accepted:
            pi.status = "INITIATED"
            pi.move("Payment Pending", "Payment In Process" if pi.kind == "REVISED" else "Payment Initiated")
            if pi.follows:
                self.model.take_over(pi.follows)
        else:
            pi.status = "FAILED"
            if pi.kind != "ORIGINAL":
                pi.move("Payment Pending", "Payment Failed")

    @precondition(lambda self: self._in("INITIATED", "ORIGINAL", "REPAYMENT"))
    @rule(pick=picks, approved=st.booleans() | st.just(True))
    def the_ssu_decides(self, pick: int, approved: bool) -> None:
        pi = self._pick(pick, self._in("INITIATED", "ORIGINAL", "REPAYMENT"))
        service = InstructionStatus()
        news = PisRow(pmt_inst_id="1", pay_inst_date="2024-06-03")
        refusal = (ReplyError(None, f"{pi.number} is rejected"),)
        self._change(
            pi,
            service.service,
            lambda w, row, mine: (
                service.apply(w, row, mine, news) if approved else service.rejected(w, row, mine, refusal)
            ),
        )
        pi.status = "APPROVED" if approved else "FAILED"
        if not approved:
            self.model.spent -= pi.amount
            if pi.kind == "REPAYMENT":
                pi.move("Payment Initiated", "Payment Failed")

    @precondition(lambda self: self._in("APPROVED"))
    @rule(pick=picks)
    def the_advice_is_made(self, pick: int) -> None:
        pi = self._pick(pick, self._in("APPROVED"))
        news = PagRow(
            fin_year="2024", advice_id="1", advice_date="d", online_bill_ref_no="1", token_number="1", token_date="d"
        )
        self._change(pi, "PAG", lambda w, row, mine: applied(PaymentAdvice(), w, row, mine, Advice(news)))
        pi.status = "IN PROCESS"
        pi.move("Payment Initiated", "Payment In Process")

    @precondition(lambda self: self._payable())
    @rule(pick=picks, bits=some)
    def debit_scrolls_come(self, pick: int, bits: int) -> None:
        pi = self._pick(pick, self._payable())
        scrolls = tuple(Scroll(n, "1", None, f"UTR{n}", None, None, "paid") for n in pi.chosen(bits))
        if pi.kind == "REVISED":
            self._change(
                pi, "FTPS", lambda w, row, mine: applied(RevisedSuccess(), w, row, mine, Paid(scrolls, "1", "1", "d"))
            )
        else:
            self._change(pi, "PD", lambda w, row, mine: applied(PaymentDetails(), w, row, mine, Scrolls(scrolls)))
        for number in pi.chosen(bits):
            pi.rows[number] = "Payment Successful" if pi.rows[number] in OPEN else pi.rows[number]
        if not pi.waiting:
            pi.status = "PARTIAL" if "Payment Failed" in pi.rows.values() else "SUCCESSFUL"

    @precondition(lambda self: self._returnable())
    @rule(pick=picks, bits=some)
    def banks_return_money(self, pick: int, bits: int) -> None:
        pi = self._pick(pick, self._returnable())
        numbers = pi.chosen(bits)
        # Lately: whom nobody corrects in time is told by an invariant.
        failure = Failure(clock.now().date(), "Sample reason", None, None)

        def write(connection: Connection) -> None:
            row = instructions.lock(connection, pi.number)
            rows = beneficiaries.of(connection, [row.id])[row.id]
            change = book(connection, row, [(b, failure) for b in rows if b.beneficiary_number in numbers], None)
            status_log.log_status(connection, row, "FD", LogStatus.SUCCESS, to_status=change and change.status)

        self.database.transact(write)
        newly = [n for n in numbers if pi.rows[n] != "Payment Failed"]
        pi.rows |= dict.fromkeys(newly, "Payment Failed")
        underway = pi.status == "IN PROCESS" or (pi.kind == "REVISED" and pi.status == "INITIATED")
        if newly and (pi.status == "SUCCESSFUL" or (underway and not pi.waiting)):
            pi.status = "PARTIAL"

    @precondition(lambda self: self._correctable())
    @rule(pick=picks, bits=some, anew=st.booleans())
    def failed_payments_are_made_again(self, pick: int, bits: int, anew: bool) -> None:
        original, numbers = self._pick(pick, list(self._correctable().items()))
        old = self.model.pis[original]
        numbers = [n for place, n in enumerate(numbers) if bits >> place & 1] or numbers[:1]
        amounts = {n: old.amounts[n] for n in numbers}
        rows = [replace(beneficiary(a, beneficiary_number=n), line_item_ids=self.lines[n]) for n, a in amounts.items()]
        number, mine = f"COR-SA/2024-25/{next(_numbers):06d}", Claim(uuid.uuid4(), LEASE)
        total = sum(amounts.values(), Decimal(0))

        def write(connection: Connection) -> bool:
            row = instructions.lock(connection, original)
            if not anew:
                instructions.create_revision(connection, row, number, row.bill_date, rows, mine, KEYRING)
                return True
            funding = self._funding(connection, total)
            if funding is not None:
                instructions.create_repayment(connection, row, funding, number, row.bill_date, rows, mine, KEYRING)
            return funding is not None

        assert self.database.transact(write) is (not anew or self.model.available >= total)
        if not anew or self.model.available >= total:
            kind = "REPAYMENT" if anew else "REVISED"
            self._made(Pi(number, kind, dict.fromkeys(numbers, "Payment Pending"), amounts, old.payment, original))

    # What must be so after each step -----------------------------------------------------------------------------------

    @invariant()
    def both_say_the_same(self) -> None:
        if not self.model.allotted and not self.model.pis:
            return
        assert self.ledger.balances(self.master) == (
            self.model.allotted,
            self.model.reserved,
            self.model.spent,
            self.model.available,
        )
        numbers = list(self.model.pis)
        statuses = self.reading.execute(
            "SELECT pi_number, status FROM ifms.payment_instruction WHERE pi_number = ANY(%s)", (numbers,)
        )
        assert dict(statuses.fetchall()) == {n: pi.status for n, pi in self.model.pis.items()}
        rows = self.reading.execute(
            """SELECT p.pi_number, b.beneficiary_number, b.status FROM ifms.beneficiary b
            JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id WHERE p.pi_number = ANY(%s)""",
            (numbers,),
        ).fetchall()
        assert {(pi, n): status for pi, n, status in rows} == {
            (pi.number, n): status for pi in self.model.pis.values() for n, status in pi.rows.items()
        }
        again = self.reading.execute(
            "SELECT beneficiary_number, pi_number FROM ifms.failed_beneficiary WHERE pi_number = ANY(%s)", (numbers,)
        ).fetchall()
        assert dict(again) == {n: pi.number for n, pi in self.model.failing().items()}

    @invariant()
    def no_invariant_is_broken(self) -> None:
        assert find_violations(self.reading) == []

    # ----------------------------------------------------------------------------------------------------------------

    def _pick(self, pick: int, things: list) -> object:
        return things[pick % len(things)]

    def _in(self, status: str, *kinds: str) -> list[Pi]:
        return [p for p in self.model.pis.values() if p.status == status and (not kinds or p.kind in kinds)]

    def _unknown(self) -> list[Pi]:
        """PENDING, and no call about them is under way."""
        return [p for p in self._in("PENDING") if p.uncertain]

    def _payable(self) -> list[Pi]:
        return self._in("IN PROCESS") + self._in("INITIATED", "REVISED")

    def _returnable(self) -> list[Pi]:
        return self._payable() + [p for s in ("SUCCESSFUL", "PARTIAL", "COMPLETED") for p in self._in(s)]

    def _unpaid(self) -> list[Pi]:
        """Of each payment that no PI pays, the first PI."""
        firsts = [p for p in self.model.pis.values() if p.kind == "ORIGINAL"]
        paid = {p.payment for p in firsts if p.status != "FAILED"}
        return list({p.payment: p for p in firsts if p.payment not in paid}.values())

    def _correctable(self) -> dict[str, list[str]]:
        """By original: the beneficiaries that may be paid again now."""
        found: dict[str, list[str]] = {}
        for number, pi in sorted(self.model.failing().items()):
            original = pi.follows if pi.kind == "REVISED" else pi.number
            if self.model.pis[original].status in ("PARTIAL", "COMPLETED") and not self.model.under_way(original):
                found.setdefault(original, []).append(number)
        return found

    def _allot(self, kind: AllotmentKind, amount: Decimal, serial: int) -> None:
        told = allotment(
            kind=kind, amount=amount, serial_no=serial, master_allotment_id=self.master, hoa_code=self.head
        )
        assert self.ledger.allot(told).new == 1
        self.model.allotted += -amount if kind is AllotmentKind.WITHDRAWAL else amount

    def _funding(self, connection: Connection, amount: Decimal) -> Funding | None:
        return funds.choose_funding(connection, TENANT, amount, [(DDO, GRANTEE, self.head)], financial_year="2024-25")

    def _instruct(self, payment: object, claim: Claim, rows: list[NewBeneficiary]) -> None:
        new = new_instruction(payment, rows)
        mine = Claim(uuid.uuid4(), LEASE)

        def write(connection: Connection) -> PaymentInstruction | None:
            funding = self._funding(connection, payment.amount)
            return None if funding is None else create(connection, new, funding, claim, mine)

        made = self.database.transact(write)
        assert (made is not None) is (self.model.available >= payment.amount)
        if made is not None:
            named = {row.beneficiary_number: row.amount for row in new.beneficiaries}
            pending = dict.fromkeys(named, "Payment Pending")
            self.lines |= {row.beneficiary_number: row.line_item_ids for row in new.beneficiaries}
            self._made(Pi(new.pi_number, "ORIGINAL", pending, named, payment.payment_number))

    def _made(self, pi: Pi) -> None:
        self.model.pis[pi.number] = pi
        if pi.kind != "REVISED":
            self.model.reserved += pi.amount

    def _change(self, pi: Pi, service: str, change: Callable) -> None:
        """One transaction of a sweep: the claim, the call, what it changes, and the log."""

        def write(connection: Connection) -> None:
            mine = Claim(uuid.uuid4(), LEASE)
            connection.execute(
                "UPDATE ifms.payment_instruction SET claim_token = %s WHERE pi_number = %s", (mine.token, pi.number)
            )
            row = instructions.lock(connection, pi.number)
            connection.execute(
                "INSERT INTO ifms.treasury_call (id, service_id, payment_instruction_id, outcome) VALUES (%s, %s, %s, %s)",
                (uuid.uuid4(), service, row.id, "answered"),
            )
            writes = Writes(connection)
            done = change(writes, row, mine)
            status_log.log_status(writes, row, service, LogStatus.SUCCESS, to_status=done.status)
            writes.flush()

        self.database.transact(write)


@pytest.mark.tier("prove")
def test_the_ledger_does_what_its_model_does(ledger_dsn):
    print(f"IFMS_TEST_SEED={SEED}")  # noqa: T201  (shown when it fails)
    LedgerBesideItsModel.dsn = ledger_dsn

    @seed(SEED)
    def machine() -> LedgerBesideItsModel:
        return LedgerBesideItsModel()

    long = settings.get_current_profile_name() == "long"
    chosen = settings() if long else settings(max_examples=12, stateful_step_count=25)
    run_state_machine_as_test(
        machine,
        settings=settings(
            chosen, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=True
        ),
    )
