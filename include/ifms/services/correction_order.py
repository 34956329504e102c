"""An order to correct failed payments: whether it can be followed, and what another person has approved of it.

Whom it names, until when they can be corrected (90 days, or 30 April of the next financial year), and on which accounts
the approval was given. Facts: user-stories.md §7 and §12.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from ifms import clock
from ifms.errors import CorrectionRefusedError, SealError
from ifms.ledger import corrections, failures, instructions, proposals
from ifms.ledger.corrections import History, correct_by
from ifms.ledger.database import Connection
from ifms.ledger.failures import PaidOtherwise
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.proposals import Act, Proposal
from ifms.ledger.statuses import PiStatus
from ifms.sealing import Sealer
from ifms.services.candidates import Account


@dataclass(frozen=True)
class Order:
    """What a person wants corrected: an original PI, and whom of its failed beneficiaries.

    Exactly those who are named: `beneficiary_numbers` to the other account that the registry has for them now,
    `same_account` to the account that failed, on purpose. Nobody named: all who have another account now.
    """

    tenant_id: str
    pi_number: str
    beneficiary_numbers: tuple[str, ...] | None = None
    new_original: bool = False
    same_account: tuple[str, ...] = ()
    by: str | None = None
    """Who asks; needed for `same_account`."""
    proposal: UUID | None = None
    """What another person has approved, where this needs one."""

    @property
    def where(self) -> str:
        """The PI with its city, as messages name it."""
        return f"PI {self.pi_number} of {self.tenant_id}"

    @property
    def named(self) -> tuple[str, ...] | None:
        """Everybody who is named; None: nobody is."""
        if self.beneficiary_numbers is None and not self.same_account:
            return None
        return (*(self.beneficiary_numbers or ()), *self.same_account)


def failed_of(connection: Connection, order: Order) -> tuple[PaymentInstruction, dict[str, History]]:
    """The original, locked, and the histories of its failed beneficiaries: those who are named, or all.

    Raises CorrectionRefusedError that names what forbids it.
    """
    original = instructions.lock(connection, order.pi_number)
    where = order.where
    if original is None or original.tenant_id != order.tenant_id:
        raise CorrectionRefusedError(f"{where} does not exist")
    if original.pi_type != "ORIGINAL":
        raise CorrectionRefusedError(f"{where} is a revised PI; name its original, {original.parent_pi_number}")
    if original.status not in (PiStatus.PARTIAL, PiStatus.COMPLETED):
        raise CorrectionRefusedError(f"{where} is {original.status}: only PARTIAL or COMPLETED can be corrected")
    _check_choice(order)
    under_way = corrections.revision_under_way(connection, original)
    if under_way is not None:
        raise CorrectionRefusedError(f"{where} has {under_way} on its way: wait for what becomes of it")
    known = corrections.histories(connection, original)
    returned = {number: history for number, history in known.items() if history.last.failed}
    failed = {number: history for number, history in returned.items() if _original_of(history) == original.pi_number}
    elsewhere = {number: _original_of(returned[number]) for number in returned.keys() - failed.keys()}
    if order.named is not None:
        for number in order.named:
            if number not in known:
                raise CorrectionRefusedError(f"{where} has no beneficiary {number}")
            if number in elsewhere:
                raise CorrectionRefusedError(
                    f"{where}: {number} was paid anew since, and failed once more: name {elsewhere[number]}"
                )
            if number not in failed:
                raise CorrectionRefusedError(
                    f"{where}: the payment of {number} has not failed (it is {known[number].last.row.status})"
                )
        failed = {number: failed[number] for number in order.named}
    if not failed:
        named = f"; who failed once more has since been paid anew: name {', '.join(sorted(set(elsewhere.values())))}"
        raise CorrectionRefusedError(
            f"{where} has no failed beneficiary that nobody has taken over{named if elsewhere else ''}"
        )
    if order.new_original or order.named is not None:
        _check_deadline(connection, order, failed)
        if paid := may_be_paid(connection, failed):
            why = {number: each.why for number, each in paid.items()}
            raise CorrectionRefusedError(f"{where} is not corrected: {listed(why)}")
    return original, failed


def _original_of(history: History) -> str:
    """The original PI whose correction pays somebody next: the last that paid, or the one whose revision did."""
    last = history.last.pi
    return last.parent_pi_number or last.pi_number


def parameters_of(order: Order, accounts: Mapping[str, Account], sealer: Sealer) -> dict[str, Any]:
    """What a proposal of this correction keeps: who, how, and each account.

    An account is kept as its approver sees it, and whole, sealed for this PI and beneficiary: two of one branch may end
    in the same four digits.
    """
    payees = {
        number: {
            "account": shown_account(each),
            "sealed": base64.b64encode(sealer.seal(each.number, _bound_to(order, number))).decode(),
        }
        for number, each in sorted(accounts.items())
    }
    return _asked(order) | {"payees": payees}


def _asked(order: Order) -> dict[str, Any]:
    return {
        "tenant": order.tenant_id,
        "beneficiaries": sorted(order.beneficiary_numbers or ()),
        "same_account": sorted(order.same_account),
        "new_original": order.new_original,
    }


def _bound_to(order: Order, beneficiary_number: str) -> bytes:
    return "\n".join(("proposal", order.tenant_id, order.pi_number, beneficiary_number)).encode()


def _is_kept(kept: object, order: Order, beneficiary_number: str, account: Account, sealer: Sealer) -> bool:
    """Whether what a proposal keeps of a beneficiary's account is this one; not when that can't be told any more."""
    match kept:
        case {"account": shown, "sealed": str(sealed)} if shown == shown_account(account):
            try:
                whole = sealer.open(base64.b64decode(sealed), _bound_to(order, beneficiary_number))
            except (SealError, ValueError):
                return False
            return whole == account.number.encode()
    return False


def shown_account(account: Account) -> str:
    """An account as an approver sees it."""
    return f"{account.ifsc} ********{account.number[-4:]}"


def acts_of(order: Order) -> tuple[Act, ...]:
    """The acts that a correction is, each of which may need a second person."""
    if order.new_original:
        return (Act.REPAYMENT,)
    return (Act.SAME_ACCOUNT, Act.CORRECTION) if order.same_account else (Act.CORRECTION,)


def needed(connection: Connection, order: Order, amount: Decimal) -> Act | None:
    """The act for which this correction, of this amount, needs a second person; None when it needs none."""
    said = proposals.policy(connection)
    return next((act for act in acts_of(order) if said.needs(act, amount)), None)


def approved(
    connection: Connection,
    order: Order,
    failed: Mapping[str, History],
    accounts: Mapping[str, Account],
    sealer: Sealer,
) -> Order:
    """The order in the names of both people, where it needs two.

    Raises SecondPersonError when it needs a proposal that was approved and has none that fits, CorrectionRefusedError
    when one would be paid to another account than was approved.
    """
    amount = sum((failed[number].last.row.amount for number in accounts), Decimal(0))
    act = needed(connection, order, amount)
    if order.proposal is None:
        if act is not None:
            proposals.require_none(connection, act, order.pi_number, amount)
        return order
    found: Proposal | None = proposals.find(connection, order.proposal)
    wanted = parameters_of(order, accounts, sealer)
    if found is not None and found.act in acts_of(order):
        kept = found.parameters.get("payees") or {}
        named = sorted(accounts.keys() & kept.keys())
        moved = [n for n in named if not _is_kept(kept[n], order, n, accounts[n], sealer)]
        wanted["payees"] |= {n: kept[n] for n in named}  # as it was sealed then
        if moved:
            raise CorrectionRefusedError(
                f"{order.where}: the account of {', '.join(moved)} is another one by now than was approved, "
                "or can't be compared with that any more (its log key is gone); look at it and propose it anew"
            )
    act = Act(found.act) if found is not None and found.act in acts_of(order) else acts_of(order)[0]
    found = proposals.fitting(connection, act, order.pi_number, wanted, order.proposal)
    return replace(order, by=found.people)


def give_up(connection: Connection, order: Order, why: str) -> None:
    """What was approved can't be done: say so of the proposal; nothing of one that is not of this very order."""
    found = None if order.proposal is None else proposals.find(connection, order.proposal)
    if found is None or found.act not in acts_of(order) or found.subject != order.pi_number:
        return
    if {name: value for name, value in found.parameters.items() if name != "payees"} == _asked(order):
        proposals.fail(connection, found.id, why)


def listed(reasons: Mapping[str, str]) -> str:
    """Reasons by beneficiary in one text, those of the same reason together."""
    together: dict[str, list[str]] = {}
    for number, reason in reasons.items():
        together.setdefault(reason, []).append(number)
    return "; ".join(f"{', '.join(numbers)}: {reason}" for reason, numbers in together.items())


def _check_choice(order: Order) -> None:
    """Raise CorrectionRefusedError for a choice that nobody could follow."""
    where, named = order.where, order.named or ()
    twice = sorted({number for number in named if named.count(number) > 1})
    if twice:
        raise CorrectionRefusedError(f"{where}: {', '.join(twice)} is named twice; nobody was revised")
    if order.same_account and order.new_original:
        raise CorrectionRefusedError(
            f"{where}: a new original pays to the account that the registry has, whichever it is: "
            "name them as beneficiaries, none as same account"
        )
    if order.same_account and not (order.by and order.by.strip()):
        raise CorrectionRefusedError(
            f"{where}: to the account that failed somebody is paid only by a person's choice, and nobody's name "
            "came with it"
        )


def _last_days(connection: Connection, failed: Mapping[str, History]) -> dict[str, date]:
    """Until when each of them can be corrected."""
    days = {n: h.last.row.failed_on for n, h in failed.items() if h.last.row.failed_on is not None}
    last_days = correct_by(connection, days.values())
    return {number: last_days[day] for number, day in days.items()}


def too_late(connection: Connection, failed: Mapping[str, History]) -> dict[str, str]:
    """Those who can't be corrected any more, and what to do instead."""
    today, instead = clock.to_ist(clock.now()).date(), "start ifms_cor with 'new original' to pay anew from a sanction"
    return {
        number: f"it could be corrected until {day} only; {instead}"
        for number, day in _last_days(connection, failed).items()
        if today > day
    }


def may_be_paid(connection: Connection, failed: Mapping[str, History]) -> dict[str, PaidOtherwise]:
    """Those of whom the treasury tells that another transfer has paid them, by number."""
    found = failures.may_be_paid(connection, [each.last.row.id for each in failed.values()])
    return {number: found[each.last.row.id] for number, each in failed.items() if each.last.row.id in found}


def _check_deadline(connection: Connection, order: Order, failed: Mapping[str, History]) -> None:
    """Raise CorrectionRefusedError for a revision that comes too late, or a new original that comes too early."""
    late = too_late(connection, failed)
    if late and not order.new_original:
        raise CorrectionRefusedError(f"{order.where} is not revised: {listed(late)}")
    in_time = {n: day for n, day in _last_days(connection, failed).items() if n not in late}
    if in_time and order.new_original:
        raise CorrectionRefusedError(
            f"{order.where}: {', '.join(sorted(in_time))} can still be corrected, until {min(in_time.values())}: "
            "a revised PI needs no new funds"
        )
