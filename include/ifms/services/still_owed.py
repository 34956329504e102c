"""Whether the platform still wants a stored PI paid as it was written: asked before a PI of an earlier run is sent.

What is written stays what is sent (money-rules.md R1); but days may lie between, and the ledger is not the only witness
of what is owed. Facts: digit-services.md §2 and §3.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Self

from ifms.errors import BadInputError, PlatformError, PlatformReplyError
from ifms.ledger import beneficiaries, instructions
from ifms.ledger.bills import bills_of
from ifms.ledger.claims import Queue
from ifms.ledger.database import Connection
from ifms.ledger.models import Beneficiary, PaymentInstruction
from ifms.platform.client import PlatformClient
from ifms.platform.masterdata import MasterData
from ifms.platform.models import Bill, Payment, by_number
from ifms.platform.payees import PayableLine, payable_lines, payees_of_lines
from ifms.platform.portions import Portions
from ifms.services.instruction_draft import stopped
from ifms.sweep.run import Sweep
from ifms.sweep.scope import Scope
from ifms.sweep.status_poll import Claimed, claimed_batches, one_by_one


@dataclass(frozen=True)
class Stored:
    """A PI of an earlier run, its beneficiaries, and the bills of its payment."""

    pi: PaymentInstruction
    rows: Sequence[Beneficiary]
    bill_ids: Collection[str]

    @classmethod
    def read(cls, connection: Connection, pis: Sequence[PaymentInstruction]) -> list[Self]:
        """These PIs as they are stored, in their order."""
        rows = beneficiaries.of(connection, [pi.id for pi in pis])
        bills = bills_of(connection, pis)
        return [cls(pi, rows[pi.id], bills[pi.id]) for pi in pis]

    @property
    def lines(self) -> frozenset[str]:
        """The line items that it pays."""
        return frozenset(line for row in self.rows for line in row.line_item_ids)


@dataclass(frozen=True)
class Unsettled:
    """A PENDING PI of an earlier run under its claim, as it is stored.

    `withheld` is why it may not be sent again; `earlier` are its payment's FAILED numbers that the treasury may have,
    of a PI that itself has never been sent: they are asked about anew, since what they answered may be days old.
    """

    item: Claimed
    stored: Stored
    withheld: str | None
    earlier: Sequence[PaymentInstruction]


def unsettled(
    sweep: Sweep, queue: Queue, scope: Scope, platform: PlatformClient, master: MasterData
) -> Generator[Unsettled, None, None]:
    """The PENDING PIs of earlier runs, claimed, read and looked up batch by batch."""
    portions = Portions(platform)
    for batch in claimed_batches(sweep, queue, scope):
        pis = [item.pi for item in batch]
        read = sweep.db.transact(partial(Stored.read, pis=pis))
        unsent = [(pi.tenant_id, pi.payment_number) for pi in pis if not pi.may_have_arrived]
        failed = sweep.db.transact(partial(instructions.failed_uncertain, payments=unsent)) if unsent else {}
        stored = {each.pi.id: each for each in read}
        reasons = withheld(portions, master, read)
        for item in one_by_one(sweep, queue, batch):
            earlier = () if item.pi.may_have_arrived else failed.get((item.pi.tenant_id, item.pi.payment_number), ())
            yield Unsettled(item, stored[item.pi.id], reasons.get(item.pi.pi_number), earlier)


def withheld(portions: Portions, master: MasterData, stored: Sequence[Stored]) -> dict[str, str]:
    """Why PIs may not be sent now, by number: those that the platform no longer owes as they are, or can't be asked.

    One search of payments and one of bills for each city, unless something about one of them fails; and one of accounts
    where several payees are one beneficiary of a PI that has never been sent.
    """
    by_city: dict[str, list[Stored]] = defaultdict(list)
    for each in stored:
        by_city[each.pi.tenant_id].append(each)
    found: dict[str, str] = {}
    for tenant, ours in by_city.items():
        for some, told in portions.ask(tenant, ours, partial(_withheld_of, master=master, tenant=tenant)):
            if isinstance(told, PlatformError):
                why = f"its payment could not be read on the platform: {told}"
                found |= {each.pi.pi_number: why for each in some}
            else:
                found |= told
    return found


def _withheld_of(
    platform: PlatformClient, ours: Sequence[Stored], *, master: MasterData, tenant: str
) -> dict[str, str]:
    numbers = {each.pi.payment_number for each in ours}
    payments = by_number(platform.payments(tenant, numbers=sorted(numbers)))
    read = [payment for payment in payments.values() if isinstance(payment, Payment)]
    bills = platform.bills(tenant, [row.bill_id for payment in read for row in payment.bills])
    apart = _apart(platform, master, tenant, ours, bills)
    reasons = {each.pi.pi_number: why_not(each, payments.get(each.pi.payment_number), bills, master) for each in ours}
    return apart | {number: why for number, why in reasons.items() if why is not None}


def _apart(
    platform: PlatformClient, master: MasterData, tenant: str, ours: Sequence[Stored], bills: Mapping[str, Bill]
) -> dict[str, str]:
    """PIs that nobody has sent yet, of which a beneficiary is several payees who no longer have one account."""
    unsent = [each for each in ours if not each.pi.may_have_arrived and not each.pi.held_back]
    rows = [(each.pi, row) for each in unsent for row in each.rows if len(row.line_item_ids) > 1]  # one is one payee's
    lines = frozenset(line for _, row in rows for line in row.line_item_ids)
    whose: dict[str, str] = {}
    for bill in bills.values() if lines else ():
        with suppress(BadInputError):  # what is wrong with the bill is said by who looks at what it owes
            whose |= payees_of_lines([bill], master.head_codes, lines)
    payees_of = [(pi, row, sorted({whose[line] for line in row.line_item_ids if line in whose})) for pi, row in rows]
    joined = [(pi, row.beneficiary_number, payees) for pi, row, payees in payees_of if len(payees) > 1]
    if not joined:
        return {}
    held = platform.bank_accounts(tenant, sorted({payee for _, _, payees in joined for payee in payees}))
    found: dict[str, str] = {}
    for pi, number, payees in joined:
        details = [held[payee].primary if payee in held else None for payee in payees]
        if len({(detail.account_number, detail.ifsc) if detail is not None else None for detail in details}) > 1:
            found[pi.pi_number] = (
                f"beneficiary {number} is one payment to {', '.join(payees)}, whose accounts differ now: give them one "
                "account in the registry, or cancel this PI"
            )
    return found


def why_not(
    stored: Stored, payment: Payment | PlatformReplyError | None, bills: Mapping[str, Bill], master: MasterData
) -> str | None:
    """What of a PI the platform's payment and bills do not bear out; None when they owe just what it pays."""
    pi = stored.pi
    if payment is None:
        return f"payment {pi.payment_number} of {pi.tenant_id} is not found on the platform"
    if isinstance(payment, PlatformReplyError):
        return str(payment)
    if (hold := stopped(payment, bills, stored.lines)) is not None:
        return hold[1]
    whole = pi.pi_type == "ORIGINAL" and pi.repayment_of is None
    paid_bills = sorted(row.bill_id for row in payment.bills)
    # An import brings no bills: a correction of an imported PI is signed without.
    if paid_bills != sorted(stored.bill_ids) and (whole or stored.bill_ids):
        return f"{payment.label} pays the bills {', '.join(paid_bills)} on the platform, and others in the ledger"
    try:
        lines = {
            line.line_item_id: line
            for bill_id in paid_bills
            for line in payable_lines(_known(bills, bill_id, payment), payment, master.head_codes)
        }
    except BadInputError as error:
        return str(error)
    if whole:
        if payment.net_payable_amount != pi.net_amount:
            return f"{payment.label} is of {payment.net_payable_amount}, the PI of {pi.net_amount}"
        if left_out := lines.keys() - stored.lines:
            return f"line {', '.join(sorted(left_out))} of {payment.label} is not in the PI"
    faults = (_not_owed(row, lines, payment) for row in stored.rows)
    return next((fault for fault in faults if fault is not None), None)


def _known(bills: Mapping[str, Bill], bill_id: str, payment: Payment) -> Bill:
    if bill_id not in bills:
        raise BadInputError(f"{payment.label} pays bill {bill_id}, which the platform does not find")
    return bills[bill_id]


def _not_owed(row: Beneficiary, lines: Mapping[str, PayableLine], payment: Payment) -> str | None:
    ours = [lines[line] for line in row.line_item_ids if line in lines]
    who = f"beneficiary {row.beneficiary_number}"
    if len(ours) < len(row.line_item_ids):
        gone = sorted(set(row.line_item_ids) - lines.keys())
        return f"{who} is paid for line {', '.join(gone)}, which {payment.label} does not owe (any more)"
    owed = sum((line.amount for line in ours), Decimal(0))
    if owed != row.amount:
        return f"{who} gets {row.amount}, and {payment.label} owes {owed} for its lines"
    if row.beneficiary_id not in {line.payee_id for line in ours}:  # several payees may have one account
        return f"{who} is payee {row.beneficiary_id}, whom {payment.label} owes nothing for its lines"
    return None
