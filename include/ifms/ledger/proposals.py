"""Acts that need a second person: which they are, what one person has proposed, and what another has said to it.

Who proposes, who approves, and when, is checked by the database once more (`ifms.proposal_goes_its_way`): its clock and
its row of settings decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from ifms.cities import Cities, condition
from ifms.errors import BadInputError, ConfigurationError, ConflictError, SecondPersonError
from ifms.ledger.columns import columns_of
from ifms.ledger.database import Connection

ACTS = "IFMS_SECOND_PERSON"
"""Environment variable of `ifms migrate`: the acts that need a second person, by commas; all when unset, or `none`."""
ABOVE = "IFMS_SECOND_PERSON_ABOVE"
"""Environment variable of `ifms migrate`: above how many rupees corrections and resubmissions do; never when unset."""
DAYS = "IFMS_PROPOSAL_DAYS"
"""Environment variable of `ifms migrate`: for how many days a proposal can be approved; 7 when unset."""
SINGLE = "IFMS_SINGLE_PERSON"
"""Environment variable of `ifms migrate`: `true` where one person may do both, and each such act says so."""


class Act(StrEnum):
    """What one person proposes and another approves."""

    SETTLE = "settle"  # what became of a PENDING PI, by hand
    TRANSFER = "transfer"  # that another transfer has not paid, by hand: who has failed is then paid again
    SAME_ACCOUNT = "same_account"  # a correction that pays to the account that failed
    REPAYMENT = "repayment"  # a new original for what can't be corrected any more
    ADOPT = "adopt"  # a bill that a restored ledger has lost
    RELEASE = "release"  # what is held back since a restore
    SANCTION = "sanction"  # closing one, or opening it again
    PHRASE = "phrase"  # what a text of the treasury means from now on
    CORRECTION = "correction"  # of more than the limit
    RESUBMISSION = "resubmission"  # of more than the limit


BY_AMOUNT = frozenset({Act.CORRECTION, Act.RESUBMISSION})
"""These need a second person from an amount on."""


@dataclass(frozen=True)
class Policy:
    """Which acts need a second person."""

    acts: Sequence[str] = tuple(Act)
    above_amount: Decimal | None = None
    proposal_days: int = 7
    single_person: bool = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Policy:
        """The settings in the environment. Raises ConfigurationError that names the one that can't be read."""
        acts, above, days, single = (environment.get(name, "").strip() for name in (ACTS, ABOVE, DAYS, SINGLE))
        named = [each.strip() for each in acts.split(",") if each.strip()] or list(Act)
        if named == ["none"]:
            named = []
        wrong = [each for each in named if each not in list(Act)]
        if wrong:
            raise ConfigurationError(f"{ACTS}: {wrong[0][:50]!r} is none of {', '.join(Act)}; or say none")
        if above and not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,2})?", above):
            raise ConfigurationError(f"{ABOVE} must be an amount in rupees, like 50000")
        if days and not (re.fullmatch(r"[0-9]{1,2}", days) and 1 <= int(days) <= 90):
            raise ConfigurationError(f"{DAYS} must be a number of days from 1 to 90")
        if single.lower() not in {"", "true", "false"}:
            raise ConfigurationError(f"{SINGLE} must be true or false")
        return cls(tuple(named), Decimal(above) if above else None, int(days or 7), single.lower() == "true")

    def needs(self, act: Act, amount: Decimal | None = None) -> bool:
        """Whether this act, of this amount, needs a second person."""
        if act in BY_AMOUNT:
            return act in self.acts and self.above_amount is not None and (amount or Decimal(0)) > self.above_amount
        return act in self.acts


def policy(connection: Connection) -> Policy:
    """What counts now."""
    with connection.cursor(row_factory=class_row(Policy)) as cursor:
        row = cursor.execute(
            "SELECT acts, above_amount, proposal_days, single_person FROM ifms.second_person"
        ).fetchone()
    assert row is not None
    return row


def say_policy(connection: psycopg.Connection, wanted: Policy) -> None:
    """Make the database's row equal to `wanted`; the owner alone may."""
    connection.execute(
        """
        UPDATE ifms.second_person SET acts = %s::text[], above_amount = %s, proposal_days = %s, single_person = %s
        """,
        (list(wanted.acts), wanted.above_amount, wanted.proposal_days, wanted.single_person),
    )


@dataclass(frozen=True)
class Proposal:
    """An act that somebody has proposed; `tenant_id` None: it is about all cities."""

    id: UUID
    act: str
    tenant_id: str | None
    subject: str
    parameters: dict[str, Any]
    amount: Decimal | None
    reason: str
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    single_person: bool
    refused_by: str | None
    refused_at: datetime | None
    refusal: str | None
    done_at: datetime | None
    done_in: str | None
    failed_at: datetime | None
    result: str | None

    def state(self, now: datetime) -> str:
        """How it stands: waiting, expired, refused, approved (and not done yet), done or failed."""
        if self.refused_at is not None:
            return "refused"
        if self.done_at is not None:
            return "done"
        if self.failed_at is not None:
            return "failed"
        if self.approved_at is not None:
            return "approved"
        return "expired" if now >= self.expires_at else "waiting"

    @property
    def about(self) -> str:
        """What it is about, as people know it: of a transfer, whose id is the subject, the PI and the beneficiary."""
        if self.act == Act.TRANSFER:
            return f"{self.parameters['pi_number']} {self.parameters['beneficiary_number']}"
        return self.subject

    @property
    def people(self) -> str:
        """Who does it: both names, or that it was one person alone."""
        if self.single_person:
            return f"{self.proposed_by}, who alone proposed and approved it ({SINGLE})"
        return f"{self.proposed_by}, approved by {self.approved_by}"


@dataclass
class Rehearsal:
    """A dry run: the act's own code in a savepoint that is taken back, which needs nobody's approval."""

    open: bool = True


@contextmanager
def rehearsal(connection: Connection) -> Iterator[Rehearsal]:
    """Whatever is written inside is refused as if it were committed, and taken back at the end."""
    dry = Rehearsal()
    try:
        with connection.transaction(force_rollback=True):
            yield dry
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    finally:
        dry.open = False


# Rows -----------------------------------------------------------------------------------------------------------------

_COLUMNS = columns_of(Proposal, "o")
# A release is of no city, as who approves it acts for all; whom it is about is of one all the same.
_CITY = "coalesce(o.tenant_id, o.parameters ->> 'tenant')"
_IN_SIGHT = sql.SQL(f"({_CITY} IS NULL OR {condition(_CITY)})")


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
    """Write down what somebody wants done.

    Raises BadInputError without reason or name, ConflictError while the same thing waits for an answer already.
    """
    reason, person = " ".join(reason.split()), person.strip()
    if not reason or not person:
        raise BadInputError("a proposal needs a reason, and the name of who makes it")
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 14))", (f"{act} {subject}",))
    # Payments of two cities may have one number: which is meant stands in the parameters.
    waits = connection.execute(
        """
        SELECT id, proposed_by FROM ifms.proposal
        WHERE act = %s AND subject = %s AND approved_at IS NULL AND refused_at IS NULL
          AND expires_at > clock_timestamp() AND parameters ->> 'tenant' IS NOT DISTINCT FROM %s
        """,
        (act, subject, parameters.get("tenant")),
    ).fetchone()
    if waits is not None:
        raise ConflictError(
            f"{waits[1]} has proposed this of {subject} already: proposal {waits[0]} waits for an answer"
        )
    row = connection.execute(
        """
        INSERT INTO ifms.proposal (act, tenant_id, subject, parameters, amount, reason, proposed_by)
        VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id
        """,
        (act, tenant_id, subject, Jsonb(dict(parameters)), amount, reason, person),
    ).fetchone()
    assert row is not None
    made = find(connection, row[0])
    assert made is not None
    return made


def find(
    connection: Connection, proposal_id: UUID, cities: Cities = Cities.ALL, *, lock: bool = False
) -> Proposal | None:
    """One proposal of these cities, or of all at once; locked if wanted."""
    query = sql.SQL("SELECT {} FROM ifms.proposal o WHERE o.id = %(id)s AND {} {}").format(
        _COLUMNS,
        _IN_SIGHT,
        sql.SQL("FOR UPDATE" if lock else ""),
    )
    with connection.cursor(row_factory=class_row(Proposal)) as cursor:
        return cursor.execute(query, {"id": proposal_id, "cities": cities.listed}).fetchone()


def listed(connection: Connection, cities: Cities, *, undecided: bool, limit: int = 200) -> list[Proposal]:
    """Proposals of these cities, and those of all at once, the newest first: those that wait, or the decided ones."""
    query = sql.SQL(
        """
        SELECT {} FROM ifms.proposal o
        WHERE {} (o.approved_at IS NULL AND o.refused_at IS NULL) AND {}
        ORDER BY o.proposed_at DESC, o.id DESC LIMIT %(limit)s
        """
    ).format(_COLUMNS, sql.SQL("" if undecided else "NOT"), _IN_SIGHT)
    with connection.cursor(row_factory=class_row(Proposal)) as cursor:
        return cursor.execute(query, {"cities": cities.listed, "limit": limit}).fetchall()


def approve(connection: Connection, proposal_id: UUID, person: str) -> Proposal:
    """Another person says yes. Raises SecondPersonError for the same one, ConflictError for what is decided or over."""
    found = _undecided(connection, proposal_id)
    person = person.strip()
    if not person:
        raise BadInputError("approving needs the name of who does it")
    one = person.casefold() == found.proposed_by.strip().casefold()
    if one and not policy(connection).single_person:
        raise SecondPersonError(
            f"{found.proposed_by} has proposed this: another person approves it ({SINGLE} lets one person do both)"
        )
    connection.execute(
        "UPDATE ifms.proposal SET approved_by = %s WHERE id = %s",
        (found.proposed_by if one else person, proposal_id),
    )
    decided = find(connection, proposal_id)
    assert decided is not None
    return decided


def refuse(connection: Connection, proposal_id: UUID, person: str, refusal: str) -> Proposal:
    """Somebody says no, or the proposer takes it back. Raises ConflictError for what is decided already."""
    person, refusal = person.strip(), " ".join(refusal.split())
    if not person or not refusal:
        raise BadInputError("refusing needs a reason, and the name of who does it")
    found = _undecided(connection, proposal_id, expired_too=True)
    connection.execute(
        "UPDATE ifms.proposal SET refused_by = %s, refusal = %s, refused_at = clock_timestamp() WHERE id = %s",
        (person, refusal, found.id),
    )
    decided = find(connection, proposal_id)
    assert decided is not None
    return decided


def refuse_all(connection: Connection, person: str, refusal: str) -> int:
    """Everything that waits for an answer gets this one; how many that were."""
    return connection.execute(
        """
        UPDATE ifms.proposal SET refused_by = %s, refusal = %s, refused_at = clock_timestamp()
        WHERE approved_at IS NULL AND refused_at IS NULL
        """,
        (person, refusal),
    ).rowcount


def _undecided(connection: Connection, proposal_id: UUID, *, expired_too: bool = False) -> Proposal:
    found = find(connection, proposal_id, lock=True)
    if found is None:
        raise BadInputError(f"proposal {proposal_id} is not known here")
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    state = found.state(row[0])
    if state == "expired" and not expired_too:
        raise ConflictError(f"proposal {proposal_id} has expired: whoever still wants it proposes it anew")
    if state not in {"waiting", "expired"}:
        by = found.refused_by if state == "refused" else found.approved_by
        raise ConflictError(f"proposal {proposal_id} is decided already, by {by}: nothing was changed")
    return found


# The door -------------------------------------------------------------------------------------------------------------

Approval = UUID | Rehearsal | None
"""What whoever does an act shows for it: the id of an approved proposal, that it is a dry run, or nothing."""


def use(
    connection: Connection,
    act: Act,
    subject: str,
    parameters: Mapping[str, Any],
    approval: Approval,
    *,
    amount: Decimal | None = None,
    done_in: str | None = None,
    result: str | None = None,
) -> Proposal | None:
    """Let an act through, in the transaction that does it: an approved proposal is used up by that, once.

    None where the act needs none. Raises SecondPersonError, before anything is done, where it needs one and this is
    none that was approved, that is of this very act, or that is not used up.
    """
    if isinstance(approval, Rehearsal):
        if not approval.open:
            raise SecondPersonError("a dry run is over: nothing was done")
        return None
    if approval is None:
        require_none(connection, act, subject, amount)
        return None
    found = fitting(connection, act, subject, parameters, approval)
    connection.execute(
        "UPDATE ifms.proposal SET done_at = clock_timestamp(), done_in = %s, result = %s WHERE id = %s",
        (done_in, result, found.id),
    )
    return found


# What was approved before a restore may have been done after the backup, and things have gone on since.
_LAST_RESTORE = "coalesce((SELECT max(restored_at) FROM ifms.restored), '-infinity')"


def approved_of(connection: Connection, act: Act, subject: str, parameters: Mapping[str, Any]) -> UUID | None:
    """The proposal to do just this to that which was approved and is not used up; None when there is none."""
    row = connection.execute(
        f"""
        SELECT id FROM ifms.proposal
        WHERE act = %s AND subject = %s AND parameters = %s
          AND approved_at IS NOT NULL AND done_at IS NULL AND failed_at IS NULL AND approved_at > {_LAST_RESTORE}
        ORDER BY approved_at DESC LIMIT 1
        """,
        (act, subject, Jsonb(dict(parameters))),
    ).fetchone()
    return None if row is None else row[0]


def used_by(connection: Connection, proposal_id: UUID, done_in: str) -> bool:
    """Whether this very run has used the proposal up before: it is tried again, and does it no second time."""
    row = connection.execute("SELECT done_in FROM ifms.proposal WHERE id = %s", (proposal_id,)).fetchone()
    return row is not None and row[0] == done_in


def require_none(connection: Connection, act: Act, subject: str, amount: Decimal | None = None) -> None:
    """Raise SecondPersonError when this act needs a second person."""
    if policy(connection).needs(act, amount):
        raise SecondPersonError(
            f"{subject}: this needs a second person ({act}): propose it on the adapter's pages, where another person "
            "approves it; nothing was done"
        )


def fitting(
    connection: Connection, act: Act, subject: str, parameters: Mapping[str, Any], proposal_id: UUID
) -> Proposal:
    """The approved proposal of this very act, locked. Raises SecondPersonError when it is none."""
    found = find(connection, proposal_id, lock=True)
    if found is None or (found.act, found.subject) != (act, subject) or found.parameters != dict(parameters):
        raise SecondPersonError(
            f"{subject}: proposal {proposal_id} is not of this act ({act}) as things stand: propose it anew; nothing "
            "was done"
        )
    [over, of_a_backup] = connection.execute(
        f"SELECT clock_timestamp() >= %s + interval '1 day', %s <= {_LAST_RESTORE}",
        (found.expires_at, found.approved_at),
    ).fetchall()[0]
    if found.approved_at is None:
        raise SecondPersonError(f"{subject}: proposal {proposal_id} is not approved; nothing was done")
    if found.done_at is not None or found.failed_at is not None:
        raise SecondPersonError(f"{subject}: proposal {proposal_id} is used up; nothing was done")
    if over:
        raise SecondPersonError(f"{subject}: proposal {proposal_id} has expired; nothing was done")
    if of_a_backup:
        raise SecondPersonError(
            f"{subject}: proposal {proposal_id} was approved before the ledger was restored, and may have been done "
            "since: propose it anew; nothing was done"
        )
    return found


def fail(connection: Connection, proposal_id: UUID, why: str) -> None:
    """An approved act was refused when it was to be done: it is over, and whoever wants it proposes anew."""
    connection.execute(
        """
        UPDATE ifms.proposal SET failed_at = clock_timestamp(), result = %s
        WHERE id = %s AND approved_at IS NOT NULL AND done_at IS NULL AND failed_at IS NULL
        """,
        (" ".join(why.split())[:2000] or "it was refused", proposal_id),
    )
