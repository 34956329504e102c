"""What a cycle came to: its payment instructions, the fund register, and whether the sums agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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

SUCCESSFUL = "SUCCESSFUL"
_SHOWN = 100

_INSTRUCTIONS = """
    SELECT tenant_id, pi_number, payment_number, status, net_amount, coalesce(error_message, '') AS message
    FROM ifms.payment_instruction
    WHERE created_at >= %(since)s OR id = ANY(%(open)s)
    ORDER BY created_at, pi_number
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

# A sanction's balances beside what its movements and its payment instructions say they must be. An accepted instruction
# has spent its amount, whatever became of it later, unless it was declined or rejected.
_BALANCES = """
    SELECT s.tenant_id, s.master_allotment_id,
           s.allotted_amount AS allotted, s.spent_amount AS spent, s.reserved_amount AS reserved,
           coalesce((SELECT sum(CASE kind WHEN 'ALLOTMENT' THEN amount ELSE -amount END) FROM ifms.fund_movement
                     WHERE sanction_id = s.id AND kind IN ('ALLOTMENT', 'WITHDRAWAL')), 0) AS moved,
           coalesce(sum(p.net_amount) FILTER (WHERE p.status NOT IN ('PENDING', 'FAILED')), 0) AS accepted,
           coalesce(sum(p.net_amount) FILTER (WHERE p.status = 'PENDING'), 0) AS pending
    FROM ifms.sanction s
    LEFT JOIN ifms.payment_instruction p ON p.sanction_id = s.id AND p.pi_type = 'ORIGINAL'
    GROUP BY s.id
    ORDER BY s.tenant_id, s.master_allotment_id
"""

_ACCEPTED = """
    SELECT pi_number, net_amount FROM ifms.payment_instruction
    WHERE pi_type = 'ORIGINAL' AND status NOT IN ('PENDING', 'FAILED')
"""


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
    """A payment instruction of the cycle; amounts in rupees."""

    tenant_id: str
    pi_number: str
    payment_number: str
    status: str
    net_amount: Decimal
    message: str


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
class _Balances:
    tenant_id: str
    master_allotment_id: str
    allotted: Decimal
    spent: Decimal
    reserved: Decimal
    moved: Decimal
    accepted: Decimal
    pending: Decimal

    def complaint(self) -> str | None:
        if (self.allotted, self.spent, self.reserved) == (self.moved, self.accepted, self.pending):
            return None
        return (
            f"sanction {self.master_allotment_id} of {self.tenant_id} has {self.allotted} allotted, {self.spent} spent "
            f"and {self.reserved} reserved, but its movements and payment instructions say {self.moved}, "
            f"{self.accepted} and {self.pending}"
        )


@dataclass(frozen=True)
class Outcome:
    """What the ledger says after a cycle, and where it disagrees with itself or with the treasury's books."""

    instructions: list[Instruction]
    held: list[Held]
    funds: list[Funds]
    wrong_sums: list[str]

    @classmethod
    def of(cls, dsn: str, scope: Scope, treasury: Mapping[str, Decimal]) -> Outcome:
        """Read it; `treasury` holds the net amounts of the bills that the treasury has accepted, by number."""
        with psycopg.connect(dsn) as connection:
            parameters = {"since": scope.since, "open": scope.open}
            balances = connection.cursor(row_factory=class_row(_Balances)).execute(_BALANCES).fetchall()
            accepted: dict[str, Decimal] = dict(connection.execute(_ACCEPTED).fetchall())
            return cls(
                connection.cursor(row_factory=class_row(Instruction)).execute(_INSTRUCTIONS, parameters).fetchall(),
                connection.cursor(row_factory=class_row(Held)).execute(_HELD).fetchall(),
                connection.cursor(row_factory=class_row(Funds)).execute(_FUNDS).fetchall(),
                [*filter(None, (each.complaint() for each in balances)), *_disagreements(accepted, treasury)],
            )

    def complaints(self) -> list[str]:
        """Say why the cycle did not end as it should; empty if it did.

        As it should: there were payment instructions, all are SUCCESSFUL, no payment is left, and the sums agree.
        """
        if not self.instructions and not self.held:
            return ["no payment instruction came out of this cycle", *self.wrong_sums]
        unpaid = [
            f"{each.pi_number} is {each.status}" + (f" ({each.message})" if each.message else "")
            for each in self.instructions
            if each.status != SUCCESSFUL
        ]
        held = [f"payment {each.payment_number} of {each.tenant_id}: {each.message}" for each in self.held]
        return [*unpaid, *held, *self.wrong_sums]

    def show(self, console: Console) -> None:
        """Print the instructions, the payments without one, and the register."""
        _show_instructions(console, self.instructions)
        if self.held:
            _show_held(console, self.held)
        _show_funds(console, self.funds)


def _disagreements(ledger: Mapping[str, Decimal], treasury: Mapping[str, Decimal]) -> Iterator[str]:
    for number in sorted(ledger.keys() | treasury.keys()):
        ours, theirs = ledger.get(number), treasury.get(number)
        if ours != theirs:
            here, there = (f"₹ {amount}" if amount is not None else "nothing" for amount in (ours, theirs))
            yield f"{number}: the ledger has {here} accepted, the treasury {there}"


def _show_instructions(console: Console, instructions: list[Instruction]) -> None:
    table = Table(title="Payment instructions of this cycle", title_justify="left")
    for column in ("city", "PI", "payment", "state"):
        table.add_column(column, overflow="fold")
    table.add_column("net, ₹", justify="right", no_wrap=True)
    for each in instructions[:_SHOWN]:
        state = Text(each.status, style="green" if each.status == SUCCESSFUL else "red")
        table.add_row(each.tenant_id, each.pi_number, each.payment_number, state, f"{each.net_amount:,}")
    console.print(table)
    states = Counter(each.status for each in instructions)
    total = sum((each.net_amount for each in instructions), Decimal())
    parts = ", ".join(f"{count} {status}" for status, count in states.most_common()) or "none"
    more = f" ({len(instructions) - _SHOWN} more than shown)" if len(instructions) > _SHOWN else ""
    console.print(f"{len(instructions)} payment instructions{more}: {parts}; together ₹ {total:,}\n", highlight=False)


def _show_held(console: Console, held: list[Held]) -> None:
    table = Table(title="Payments without a payment instruction", title_justify="left")
    for column in ("city", "payment", "why"):
        table.add_column(column, overflow="fold")
    table.add_column("₹", justify="right", no_wrap=True)
    for each in held[:_SHOWN]:
        table.add_row(each.tenant_id, each.payment_number, escape(each.message), f"{each.amount:,}")
    console.print(table)


def _show_funds(console: Console, funds: list[Funds]) -> None:
    # Narrow enough for 80 columns: what folds is a number of a thing, never an amount.
    table = Table(
        title="Fund register, ₹", title_justify="left", show_footer=True,
        box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True,
    )  # fmt: skip
    table.add_column("city", "all", no_wrap=True)
    table.add_column("head of account", overflow="fold")
    table.add_column("allotment", overflow="fold")
    for name in ("allotted", "reserved", "spent", "available"):
        total = sum((getattr(each, name) for each in funds), Decimal())
        table.add_column(name, f"{total:,}", justify="right", no_wrap=True)
    for each in funds:
        if each.spent or each.reserved:
            amounts = (f"{amount:,}" for amount in (each.allotted, each.reserved, each.spent, each.available))
            table.add_row(each.tenant_id, each.hoa_code, each.master_allotment_id, *amounts)
    console.print(table)
    untouched = sum(1 for each in funds if not each.spent and not each.reserved)
    if untouched:
        console.print(f"{untouched} more sanctions, of which nothing is spent, are in the sums.\n", highlight=False)
