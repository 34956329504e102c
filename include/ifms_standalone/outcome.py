"""What a cycle came to: its payment instructions, what became of what went wrong on purpose, and whether all agrees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ifms.ledger.invariants import find_violations
from ifms.money import grouped

SUCCESSFUL = "SUCCESSFUL"
_SHOWN = 100

_INSTRUCTIONS = """
    SELECT p.tenant_id, p.pi_number, p.payment_number, p.status, p.net_amount, coalesce(p.error_message, '') AS message,
           p.parent_pi_number AS corrects,
           CASE WHEN p.pi_type = 'ORIGINAL' THEN (
               SELECT f.pi_number FROM ifms.payment_instruction f
               WHERE (f.tenant_id, f.payment_number) = (p.tenant_id, p.payment_number) AND f.pi_type = 'ORIGINAL'
                 AND f.status = 'FAILED' AND f.created_at < p.created_at
               ORDER BY f.created_at DESC LIMIT 1) END AS instead_of,
           EXISTS (SELECT FROM ifms.fund_movement
                   WHERE payment_instruction_id = p.id AND kind IN ('RELEASE', 'REVERSAL')) AS money_back,
           CASE WHEN p.status = 'FAILED' THEN 0 ELSE coalesce((
               SELECT sum(amount) FROM ifms.beneficiary
               WHERE payment_instruction_id = p.id AND status = 'Payment Failed'), 0) END AS came_back
    FROM ifms.payment_instruction p
    WHERE p.created_at >= %(since)s OR p.id = ANY(%(open)s)
    ORDER BY p.created_at, p.pi_number
"""

_HELD = """
    SELECT tenant_id, payment_number, amount, coalesce(hold_message, 'it has no payment instruction') AS message
    FROM ifms.payment
    WHERE paid_by IS NULL
    ORDER BY raised_at, payment_number
"""

_FUNDS = """
    SELECT tenant_id, hoa_code, master_allotment_id,
           allotted_amount AS allotted, reserved_amount AS reserved, spent_amount AS spent,
           available_amount AS available
    FROM ifms.sanction
    ORDER BY tenant_id, hoa_code, master_allotment_id
"""

_ACCEPTED = """
    SELECT pi_number, net_amount FROM ifms.payment_instruction
    WHERE pi_type = 'ORIGINAL' AND status NOT IN ('PENDING', 'FAILED')
"""

_UNDELIVERED = """
    SELECT count(*), min(id), max(last_error) FROM ifms.outbox WHERE delivered_at IS NULL
"""

_RETURNED = """
    SELECT b.beneficiary_number || ': ' || coalesce(b.status_message, 'no reason given')
    FROM ifms.beneficiary b JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
    WHERE p.pi_number = %s AND b.status = 'Payment Failed' ORDER BY b.beneficiary_number
"""


@dataclass(frozen=True)
class Planted:
    """What was made to go wrong in the cycle, by PI numbers: one that its SSU rejected, one that a bank returned."""

    rejected: str | None = None
    returned: str | None = None


@dataclass(frozen=True)
class Books:
    """What the others say."""

    accepted: Mapping[str, Decimal] = field(default_factory=dict)
    """The net amounts, in rupees, of the bills that the treasury has accepted and not rejected, by number."""
    statuses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The statuses that each payment has on the platform, on any of its levels, by payment number."""


@dataclass(frozen=True)
class Scope:
    """Which payment instructions belong to a cycle: those made since its start, and those that were open then."""

    since: datetime
    open: list[UUID]

    @classmethod
    def from_now(cls, dsn: str) -> Scope:
        """Begin a cycle."""
        with psycopg.connect(dsn) as connection:
            since = connection.execute("SELECT now()").fetchone()
            rows = connection.execute("SELECT id FROM ifms.open_payment_instruction").fetchall()
        assert since is not None
        return cls(since[0], [row[0] for row in rows])


@dataclass(frozen=True)
class Instruction:
    """A payment instruction of the cycle; amounts in rupees.

    `corrects` is the original of a revised PI, `instead_of` the failed PI whose payment this one pays; `money_back`
    says whether its sanction has the money again.
    """

    tenant_id: str
    pi_number: str
    payment_number: str
    status: str
    net_amount: Decimal
    message: str = ""
    corrects: str | None = None
    instead_of: str | None = None
    money_back: bool = False
    came_back: Decimal = Decimal(0)
    """What a bank returned of it."""


@dataclass(frozen=True)
class Held:
    """A payment without an instruction, and why."""

    tenant_id: str
    payment_number: str
    amount: Decimal
    message: str


@dataclass(frozen=True)
class Funds:
    """A sanction's balances, in rupees."""

    tenant_id: str
    hoa_code: str
    master_allotment_id: str
    allotted: Decimal
    reserved: Decimal
    spent: Decimal
    available: Decimal


@dataclass(frozen=True)
class Outcome:
    """What the ledger says after a cycle, and where it disagrees with itself, the treasury's books or the platform."""

    instructions: list[Instruction]
    held: list[Held] = field(default_factory=list)
    funds: list[Funds] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    planted: Planted = Planted()
    reasons: list[str] = field(default_factory=list)
    """Whose money came back from the bank, and why."""

    @classmethod
    def of(cls, dsn: str, scope: Scope, planted: Planted, books: Books) -> Outcome:
        """Read it."""
        with psycopg.connect(dsn) as connection:
            parameters = {"since": scope.since, "open": scope.open}
            instructions = connection.cursor(row_factory=class_row(Instruction)).execute(_INSTRUCTIONS, parameters)
            broken = find_violations(connection)
            accepted: dict[str, Decimal] = dict(connection.execute(_ACCEPTED).fetchall())
            ours = instructions.fetchall()
            return cls(
                ours,
                connection.cursor(row_factory=class_row(Held)).execute(_HELD).fetchall(),
                connection.cursor(row_factory=class_row(Funds)).execute(_FUNDS).fetchall(),
                [
                    *(f"{each.invariant.name}: {row}" for each in broken for row in each.rows),
                    *_disagreements(accepted, books.accepted),
                    *_undelivered(connection),
                    *_otherwise_on_platform({each.payment_number for each in ours}, books.statuses),
                ],
                planted,
                [reason for (reason,) in connection.execute(_RETURNED, (planted.returned,))],
            )

    def complaints(self) -> list[str]:
        """Say why the cycle did not end as it should; empty if it did.

        As it should: there were payment instructions; all are SUCCESSFUL, but for the two that were made to go wrong:
        what was rejected is FAILED with its money back and another one instead, what came back from the bank is
        COMPLETED with a revision. No payment is left, the platform knows of all, and the sums agree.
        """
        if not self.instructions and not self.held:
            return ["no payment instruction came out of this cycle", *self.wrong]
        held = [f"payment {each.payment_number} of {each.tenant_id}: {each.message}" for each in self.held]
        return [*filter(None, map(self._complaint, self.instructions)), *held, *self.wrong]

    def _complaint(self, pi: Instruction) -> str | None:
        expected, follower = self._expected(pi), self._follower(pi.pi_number)
        if pi.status != expected:
            instead = "" if expected == SUCCESSFUL else f", not {expected}"
            return f"{pi.pi_number} is {pi.status}{instead}" + (f" ({pi.message})" if pi.message else "")
        if expected != SUCCESSFUL and follower is None:
            return f"{pi.pi_number} is {pi.status}, but no other payment instruction pays what it did not"
        if expected == "FAILED" and not pi.money_back:
            return f"{pi.pi_number} is FAILED, but its sanction has not got the money back"
        return None

    def _expected(self, pi: Instruction) -> str:
        return {self.planted.rejected: "FAILED", self.planted.returned: "COMPLETED"}.get(pi.pi_number, SUCCESSFUL)

    def _follower(self, number: str) -> Instruction | None:
        return next((each for each in self.instructions if number in (each.corrects, each.instead_of)), None)

    def show(self, console: Console) -> None:
        """Print the instructions, what went wrong on purpose, the payments without a PI, and the register."""
        self._show_instructions(console)
        for line in self.summary():
            console.print(line + "\n", markup=False, highlight=False)
        if self.held:
            _show_held(console, self.held)
        _show_funds(console, self.funds)

    def summary(self) -> list[str]:
        """Tell what was made to go wrong and what became of it, a line each."""
        by_number = {each.pi_number: each for each in self.instructions}
        lines = []
        if rejected := by_number.get(self.planted.rejected or ""):
            money = "its money is back" if rejected.money_back else "its money is not back"
            lines.append(
                f"Planted: the SSU rejected {rejected.pi_number}. It is {rejected.status}, {money} on the sanction; "
                f"payment {rejected.payment_number}: {self._what_follows(rejected, 'its new PI')}."
            )
        if returned := by_number.get(self.planted.returned or ""):
            reasons = "; ".join(self.reasons) or "not heard of"
            lines.append(
                f"Planted: a bank returned money of {returned.pi_number} ({reasons}), the account was corrected. "
                f"It is {returned.status}; {self._what_follows(returned, 'its revision')}."
            )
        return lines

    def _what_follows(self, pi: Instruction, name: str) -> str:
        follower = self._follower(pi.pi_number)
        return f"{name} {follower.pi_number} is {follower.status}" if follower else f"{name} is missing"

    def _remark(self, pi: Instruction) -> str:
        """Say what it has to do with another one, or why it failed."""
        if pi.corrects:
            return f"corrects {pi.corrects}"
        if pi.instead_of:
            return f"instead of {pi.instead_of}"
        follower = self._follower(pi.pi_number)
        return f"corrected by {follower.pi_number}" if follower and follower.corrects else pi.message

    def _show_instructions(self, console: Console) -> None:
        table = Table(title="Payment instructions of this cycle", title_justify="left")
        for column in ("city", "PI", "payment", "state"):
            table.add_column(column, overflow="fold")
        table.add_column("net, ₹", justify="right", no_wrap=True)
        table.add_column("came back, ₹", justify="right")
        table.add_column("remark", overflow="fold")
        for each in self.instructions[:_SHOWN]:
            as_it_should = "green" if each.status == SUCCESSFUL else "yellow"
            state = Text(each.status, style=as_it_should if each.status == self._expected(each) else "red")
            remark = escape(self._remark(each))
            came_back = grouped(each.came_back) if each.came_back else ""
            amounts = (grouped(each.net_amount), came_back)
            table.add_row(each.tenant_id, each.pi_number, each.payment_number, state, *amounts, remark)
        console.print(table)
        states = Counter(each.status for each in self.instructions)
        # What failed gives its money back, what a revision pays was spent by its original.
        spending = [each.net_amount for each in self.instructions if not each.money_back and not each.corrects]
        parts = ", ".join(f"{count} {status}" for status, count in states.most_common()) or "none"
        more = f" ({len(self.instructions) - _SHOWN} more than shown)" if len(self.instructions) > _SHOWN else ""
        total = f"together they spend ₹ {grouped(sum(spending, Decimal()))}"
        console.print(f"{len(self.instructions)} payment instructions{more}: {parts}; {total}\n", highlight=False)


def _undelivered(connection: psycopg.Connection) -> Iterator[str]:
    row = connection.execute(_UNDELIVERED).fetchone()
    if row and row[0]:
        yield f"the platform has not heard of {row[0]} changes, the first is message {row[1]} of the outbox: {row[2]}"


def _otherwise_on_platform(numbers: set[str], statuses: Mapping[str, frozenset[str]]) -> Iterator[str]:
    for number in sorted(numbers):
        found = statuses.get(number, frozenset({"unknown"}))
        if found != {SUCCESSFUL}:
            yield f"payment {number} is {' and '.join(sorted(found))} on the platform"


def _disagreements(ledger: Mapping[str, Decimal], treasury: Mapping[str, Decimal]) -> Iterator[str]:
    for number in sorted(ledger.keys() | treasury.keys()):
        ours, theirs = ledger.get(number), treasury.get(number)
        if ours != theirs:
            here, there = (f"₹ {amount}" if amount is not None else "nothing" for amount in (ours, theirs))
            yield f"{number}: the ledger has {here} accepted, the treasury {there}"


def _show_held(console: Console, held: list[Held]) -> None:
    table = Table(title="Payments without a payment instruction", title_justify="left")
    for column in ("city", "payment", "why"):
        table.add_column(column, overflow="fold")
    table.add_column("₹", justify="right", no_wrap=True)
    for each in held[:_SHOWN]:
        table.add_row(each.tenant_id, each.payment_number, escape(each.message), grouped(each.amount))
    console.print(table)


def _show_funds(console: Console, funds: list[Funds]) -> None:
    # Narrow enough for 80 columns: what folds is a number of a thing, never an amount.
    table = Table(
        title="Fund register, ₹",
        title_justify="left",
        show_footer=True,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("city", "all", no_wrap=True)
    table.add_column("head of account", overflow="fold")
    table.add_column("allotment", overflow="fold")
    for name in ("allotted", "reserved", "spent", "available"):
        total = sum((getattr(each, name) for each in funds), Decimal())
        table.add_column(name, grouped(total), justify="right", no_wrap=True)
    for each in funds:
        if each.spent or each.reserved:
            amounts = (grouped(amount) for amount in (each.allotted, each.reserved, each.spent, each.available))
            table.add_row(each.tenant_id, each.hoa_code, each.master_allotment_id, *amounts)
    console.print(table)
    untouched = sum(1 for each in funds if not each.spent and not each.reserved)
    if untouched:
        console.print(f"{untouched} more sanctions, of which nothing is spent, are in the sums.\n", highlight=False)
