"""A proposed act shown before it is done, and done once another person has approved it: by the same code both times.

What the ledger does by itself (settling, another transfer, a sanction, a phrase) is done in the transaction that
writes the approval. What calls the treasury is done by a DAG run that shows the proposal, and looks at it once more
(`ifms.ledger.proposals.use`).
Facts: money-rules.md R13.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from ifms.errors import BadInputError, ConflictError
from ifms.ledger import failures, instructions, outbox, payments, phrases, proposals, restores, sanctions
from ifms.ledger.database import Connection
from ifms.ledger.proposals import Act, Approval, Proposal, Rehearsal
from ifms.services import correction_order, manual_settlement
from ifms.wire.bank import mask_long_numbers

BY_THE_LEDGER = frozenset({Act.SETTLE, Act.TRANSFER, Act.SANCTION, Act.PHRASE})
"""Done in the transaction of the approval; the others by a DAG run, or by the ledger's owner (`Act.RELEASE`)."""


@dataclass(frozen=True)
class Change:
    """Something that an act changes; `before` is None for what it adds."""

    what: str
    which: str
    before: str | None
    after: str


@dataclass(frozen=True)
class Payee:
    """Somebody whom an act is about, by the last four digits of the account."""

    beneficiary_number: str
    name: str
    amount: Decimal
    account: str
    status: str


@dataclass(frozen=True)
class Preview:
    """What an act will do."""

    changes: Sequence[Change] = ()
    payees: Sequence[Payee] = field(default=())

    @property
    def digest(self) -> str:
        """Of all of it: what is approved is what was shown."""
        shown = [[each.what, each.which, each.before, each.after] for each in self.changes]
        about = [[p.beneficiary_number, str(p.amount), p.account, p.status] for p in self.payees]
        return hashlib.sha256(json.dumps([shown, about]).encode()).hexdigest()


def propose(
    connection: Connection,
    act: Act,
    subject: str,
    parameters: Mapping[str, Any],
    *,
    tenant_id: str | None,
    reason: str,
    person: str,
    amount: Decimal | None = None,
) -> Proposal:
    """Propose an act that could be done now, in the caller's transaction.

    Raises what the act itself does when it can't be done, and what `proposals.propose` does.
    """
    subject = " ".join(subject.split()) if act is Act.PHRASE else subject  # as a phrase is kept
    if act is Act.SETTLE:
        verdict = manual_settlement.Verdict(parameters["verdict"])
        parameters = manual_settlement.proposed(connection, subject, verdict, parameters.get("seen"))
    made = proposals.propose(
        connection,
        act,
        subject,
        parameters,
        tenant_id=tenant_id,
        reason=mask_long_numbers(reason),
        person=person,
        amount=amount,
    )
    preview(connection, made)
    return made


def preview(connection: Connection, proposal: Proposal) -> Preview:
    """What approving it would do now: the act's own code, taken back. Calls nobody outside.

    Raises what the act itself does when it can't be done any more.
    """
    if proposal.act not in BY_THE_LEDGER:
        with proposals.rehearsal(connection) as dry:
            _begin(connection, proposal, dry)
        return Preview((), _payees(connection, proposal))
    before = _state(connection, proposal)
    payees = _payees(connection, proposal)
    with proposals.rehearsal(connection) as dry:
        _do(connection, proposal, dry)
        after = _state(connection, proposal)
    return Preview(tuple(_changes(before, after)), payees)


def approve(connection: Connection, proposal_id: UUID, person: str, *, shown: str) -> Proposal:
    """Approve what was shown (`Preview.digest`), and do it in the same transaction where the ledger does it by itself.

    Raises ConflictError when it would do something else by now, or is decided already; SecondPersonError for the person
    who proposed it; what the act does when it can't be done any more. Then nothing is changed.
    """
    approved = proposals.approve(connection, proposal_id, person)
    if preview(connection, approved).digest != shown:
        raise ConflictError(
            f"{approved.subject} has changed since this was shown: look at what would happen now; nothing was done"
        )
    if approved.act in BY_THE_LEDGER:
        _do(connection, approved, approved.id)
    done = proposals.find(connection, proposal_id)
    assert done is not None
    return done


def _begin(connection: Connection, proposal: Proposal, dry: Rehearsal) -> None:
    """What a run looks at in the ledger before it calls anybody. Raises what it does when it can't be done any more."""
    match Act(proposal.act):
        case Act.SAME_ACCOUNT | Act.REPAYMENT | Act.CORRECTION:
            correction_order.failed_of(connection, order_of(proposal))
        case Act.RESUBMISSION:
            city = proposal.parameters["tenant"]
            payments.release_holds(connection, [proposal.subject], [city], approval=dry)
            last = payments.last_pis(connection, [(city, proposal.subject)]).get((city, proposal.subject))
            if last != proposal.parameters["last_pi"]:
                raise ConflictError(
                    f"payment {proposal.subject} has had PI {last} since this was proposed: see what became of that, "
                    "then propose it anew"
                )
        case Act.ADOPT:
            if proposal.subject in instructions.find(connection, [proposal.subject]):
                raise ConflictError(f"PI {proposal.subject} is known here: only a bill that is lost is adopted")
        case Act.RELEASE:
            now = restores.doubt_about(connection, proposal.subject, proposal.parameters["tenant"])
            if now.named != proposal.parameters:
                raise ConflictError(
                    f"{proposal.subject} is in doubt otherwise than was proposed ({now.what}): propose it anew"
                )
        case act:
            raise BadInputError(f"{act} is done by the ledger itself")


def order_of(proposal: Proposal) -> correction_order.Order:
    """The correction that is proposed."""
    given = proposal.parameters
    return correction_order.Order(
        given["tenant"],
        proposal.subject,
        tuple(given["beneficiaries"]) or None,
        given["new_original"],
        tuple(given["same_account"]),
        by=proposal.proposed_by,
        proposal=proposal.id,
    )


def _do(connection: Connection, proposal: Proposal, approval: Approval) -> None:
    given, person = proposal.parameters, proposal.proposed_by
    match Act(proposal.act):
        case Act.SETTLE:
            manual_settlement.settle(
                connection,
                proposal.subject,
                manual_settlement.Verdict(given["verdict"]),
                reason=proposal.reason,
                person=person,
                typed=proposal.subject,
                as_seen=given.get("seen"),
                approval=approval,
            )
        case Act.TRANSFER:
            transfer = UUID(proposal.subject)
            if failures.not_paid(connection, transfer) != given:
                raise ConflictError(
                    f"transfer {transfer} is told otherwise by now than was proposed: look at it on the page Failures, "
                    "and propose it anew; nothing was done"
                )
            failures.settle_transfer(
                connection,
                transfer,
                has_paid=given["has_paid"],
                reason=proposal.reason,
                person=person,
                approval=approval,
            )
        case Act.SANCTION:
            sanctions.set_closed(
                connection,
                UUID(proposal.subject),
                closed=given["closed"],
                reason=proposal.reason,
                person=person,
                approval=approval,
            )
        case Act.PHRASE:
            phrases.add_phrase(
                connection,
                given["services"],
                proposal.subject,
                given["meaning"],
                reason=proposal.reason,
                added_by=person,
                approval=approval,
            )
        case act:
            raise BadInputError(f"{act} is not done by the ledger itself")


# What there is before and after ---------------------------------------------------------------------------------------

_MONEY = ("allotted_amount", "reserved_amount", "spent_amount", "available_amount")
_State = dict[tuple[str, str], str]


def _state(connection: Connection, proposal: Proposal) -> _State:
    """What the act may change, by what it is and which one; messages that wait to be told, too."""
    found: _State = {}

    def read(query: str, *values: object) -> list[tuple[Any, ...]]:
        return connection.execute(query, values).fetchall()

    sanction: object = None
    match Act(proposal.act):
        case Act.SETTLE:
            for pi_id, tenant, status, paid_from, payment in read(
                "SELECT id, tenant_id, status, sanction_id, payment_number FROM ifms.payment_instruction "
                "WHERE pi_number = %s",
                proposal.subject,
            ):
                sanction = paid_from
                found["pi", proposal.subject] = status
                for number, now in read(
                    "SELECT beneficiary_number, status FROM ifms.beneficiary WHERE payment_instruction_id = %s", pi_id
                ):
                    found["payee", number] = now
                for (hold,) in read(
                    "SELECT hold_code FROM ifms.payment WHERE (tenant_id, payment_number) = (%s, %s)", tenant, payment
                ):
                    found["hold", payment] = hold or "-"
                for message, topic, told in read(
                    "SELECT id, topic, payload ->> 'status' FROM ifms.outbox "
                    "WHERE topic = ANY(%s) AND ordering_key = %s AND delivered_at IS NULL ORDER BY id",
                    [outbox.PAYMENT_STATUS, *outbox.NOTICES],
                    f"{tenant}:{payment}",
                ):
                    found["message", f"{topic} #{message}"] = told or "-"
        case Act.TRANSFER:
            for utr, state, payee, step in read(
                "SELECT t.utr_number, t.state, b.beneficiary_number, "
                "CASE WHEN b.other_transfer IS NULL THEN b.next_step ELSE 'NOTHING' END "
                "FROM ifms.doubtful_transfer t LEFT JOIN ifms.failed_beneficiary b ON b.id = t.beneficiary_payment_id "
                "WHERE t.id = %s",
                UUID(proposal.subject),
            ):
                found["transfer", utr] = state
                if payee is not None:
                    found["next_step", payee] = step
        case Act.SANCTION:
            sanction = UUID(proposal.subject)
            for (closed,) in read("SELECT closed_at IS NOT NULL FROM ifms.sanction WHERE id = %s", sanction):
                found["sanction", proposal.subject] = "closed" if closed else "open"
        case Act.PHRASE:
            for answer in phrases.unknown_answers(connection):
                found["answer", answer.template] = f"{answer.waiting} PI"
        case _:
            pass
    if sanction is not None:
        for balances in read(
            "SELECT allotted_amount, reserved_amount, spent_amount, available_amount FROM ifms.sanction WHERE id = %s",
            sanction,
        ):
            found |= {("money", name): str(amount) for name, amount in zip(_MONEY, balances, strict=True)}
    return found


def _changes(before: _State, after: _State) -> Iterable[Change]:
    for key in dict.fromkeys([*before, *after]):
        what, which = key
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if what == "money":  # by how much: others move the same sanction meanwhile
            yield Change(what, which, None, f"{Decimal(new or 0) - Decimal(old or 0):+}")
        elif what == "message":
            yield Change(what, which.partition(" #")[0], None, new or "-")
        else:
            yield Change(what, which, old, "-" if new is None else new)


def _payees(connection: Connection, proposal: Proposal) -> tuple[Payee, ...]:
    """Whom it is about: those of the PI who are named, or all of them."""
    named, number = proposal.parameters.get("payees"), proposal.subject
    if proposal.act == Act.TRANSFER:
        named, number = [proposal.parameters["beneficiary_number"]], proposal.parameters["pi_number"]
    rows = connection.execute(
        """
        SELECT DISTINCT ON (b.beneficiary_number)
               b.beneficiary_number, b.name, b.amount, b.account_last4, b.status
        FROM ifms.beneficiary b JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
        WHERE (p.pi_number = %(number)s OR p.parent_pi_number = %(number)s OR p.payment_number = %(payment)s)
          AND (%(named)s::text[] IS NULL OR b.beneficiary_number = ANY(%(named)s))
          AND (%(tenant)s::text IS NULL OR p.tenant_id = %(tenant)s)
        ORDER BY b.beneficiary_number, b.created_at DESC, b.id
        """,
        {
            "number": number,
            "payment": proposal.subject if proposal.act == Act.RESUBMISSION else None,
            "named": None if named is None else list(named),
            "tenant": proposal.parameters.get("tenant"),
        },
    ).fetchall()
    accounts = {number: kept["account"] for number, kept in named.items()} if isinstance(named, dict) else {}
    return tuple(
        Payee(number, name, amount, accounts.get(number, "") or last4 or "", status)
        for number, name, amount, last4, status in rows
    )
