"""A ledger that was restored from a backup: what it may have forgotten, and what somebody has found out about that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from psycopg import sql
from psycopg.rows import args_row, class_row

from ifms.errors import AdoptionRefusedError, BadInputError
from ifms.ledger.claims import Claim
from ifms.ledger.columns import columns_of
from ifms.ledger.database import Connection
from ifms.ledger.models import Payment
from ifms.ledger.proposals import Act, Approval, refuse_all, use


class Kind(StrEnum):
    """What a restored ledger may have forgotten of a number; each is asked about, and cleared, by itself."""

    PAYMENT = "PAYMENT"  # its PI
    PENDING = "PENDING PI"  # that the treasury declined it, and what replaced it
    FAILED = "FAILED BENEFICIARIES"  # who has been paid by a revision, or anew


@dataclass(frozen=True)
class InDoubt:
    """Something of which the ledger may have forgotten a PI."""

    number: str  # of a payment or a PI, as `kind` says
    tenant_id: str
    kind: Kind
    what: str  # in words

    @property
    def named(self) -> dict[str, str]:
        """The parameters of a proposal to clear it."""
        return {"tenant": self.tenant_id, "kind": str(self.kind)}


@dataclass(frozen=True)
class Restored:
    """A restore, the last sweep that the ledger remembers, and how many PENDING PIs are held back."""

    id: int
    restored_at: datetime
    last_known: datetime | None
    held_back: int


def begin(connection: Connection, os_user: str) -> Restored:
    """Note that the ledger was restored just now: what is older and has no PI here gets none until it is cleared.

    A PENDING PI may have been sent since, or been declined and replaced by another that is not known here: it is asked
    about, and not sent again before it is cleared. Claims are of processes that are no more. What was proposed may have
    been done since, and nobody has looked at what there is now: it is refused, and has to be proposed anew. From now on
    the ledger is at home where it is.
    """
    _is_at_home(connection, "restored from a backup", os_user)
    row = connection.execute(
        """
        INSERT INTO ifms.restored (last_known, os_user) VALUES ((SELECT max(started_at) FROM ifms.sweep_run), %s)
        RETURNING id, restored_at, last_known
        """,
        (os_user,),
    ).fetchone()
    assert row is not None
    held_back = connection.execute(
        """
        UPDATE ifms.payment_instruction SET last_attempt = 'unknown', uncertain = true, held_back = true,
               absent_since = NULL, claim_token = NULL, claimed_until = NULL
        WHERE status = 'PENDING'
        """
    ).rowcount
    for table in ("payment_instruction", "payment", "bill", "va_watermark", "outbox"):
        connection.execute(
            sql.SQL(
                "UPDATE ifms.{} SET claim_token = NULL, claimed_until = NULL WHERE claimed_until IS NOT NULL"
            ).format(sql.Identifier(table))
        )
    refuse_all(connection, os_user, "the ledger was restored from a backup since this was proposed: propose it anew")
    return Restored(row[0], row[1], row[2], held_back)


def ever(connection: Connection) -> bool:
    """Whether the ledger was ever restored: then the platform may know payments that it has forgotten."""
    row = connection.execute("SELECT EXISTS (SELECT FROM ifms.restored)").fetchone()
    return bool(row and row[0])


def nothing_lost(connection: Connection, reason: str, os_user: str) -> str:
    """The ledger was moved with all that was ever committed in it: it is at home where it is. Returns that place.

    Raises BadInputError, and nothing is changed, when it has not moved.
    """
    row = connection.execute(
        "SELECT ifms.place(), ifms.place() = (SELECT place FROM ifms.home ORDER BY id DESC LIMIT 1)"
    ).fetchone()
    assert row is not None
    if row[1]:
        raise BadInputError(f"this ledger has not moved, it is at home where it is: {row[0]}")
    _is_at_home(connection, reason, os_user)
    return str(row[0])


def _is_at_home(connection: Connection, reason: str, os_user: str) -> None:
    connection.execute(
        "INSERT INTO ifms.home (place, reason, os_user) VALUES (ifms.place(), %s, %s)", (reason, os_user)
    )


def in_doubt(connection: Connection) -> list[InDoubt]:
    """All that the ledger may have forgotten a PI of and that is not cleared, by city and number."""
    with connection.cursor(row_factory=args_row(lambda *row: InDoubt(row[0], row[1], Kind(row[2]), row[3]))) as cursor:
        return cursor.execute(_IN_DOUBT).fetchall()


_IN_DOUBT = b"""
        SELECT payment_number, tenant_id, 'PAYMENT',
               'payment of ' || amount || ', raised ' || date_trunc('second', raised_at)
        FROM ifms.payment y WHERE paid_by IS NULL AND ifms.in_doubt(y)
        UNION ALL
        SELECT pi_number, tenant_id, 'FAILED BENEFICIARIES',
               'PI with failed beneficiaries, which may have been corrected'
        FROM ifms.payment_instruction p
        WHERE pi_type = 'ORIGINAL' AND status IN ('PARTIAL', 'COMPLETED') AND ifms.in_doubt(p)
          AND EXISTS (SELECT FROM ifms.failed_beneficiary f WHERE f.original_pi_number = p.pi_number)
        UNION ALL
        SELECT pi_number, tenant_id, 'PENDING PI',
               'PENDING PI of ' || net_amount || ' for payment ' || payment_number
               || ', which may have been declined and replaced'
        FROM ifms.payment_instruction WHERE status = 'PENDING' AND held_back
        ORDER BY 2, 1, 3
"""


def doubt_about(connection: Connection, number: str, tenant_id: str | None = None) -> InDoubt:
    """What is in doubt under this number, in whichever city or in this one; of several kinds the first by name.

    Raises BadInputError when nothing is, or when two cities have payments of one number.
    """
    doubts = [each for each in in_doubt(connection) if each.number == number and tenant_id in (None, each.tenant_id)]
    cities = sorted({each.tenant_id for each in doubts})
    if not cities:
        of = f"{number!r} of {tenant_id}" if tenant_id else repr(number)
        raise BadInputError(f"{of} is not in doubt since a restore: `ifms after-restore list` names what is")
    if len(cities) > 1:
        raise BadInputError(f"{number!r} is in doubt in {' and '.join(cities)}: name the city (--tenant)")
    return doubts[0]


def clear(
    connection: Connection,
    number: str,
    reason: str,
    os_user: str,
    approval: Approval = None,
    *,
    tenant_id: str | None = None,
) -> None:
    """Somebody knows that this payment, or these failed beneficiaries, have no PI at the treasury but those known here.

    A PENDING PI that was held back is asked about again, and sent again if the treasury lacks it; what it leaves failed
    later is another question. Raises BadInputError, and nothing is changed, for a number that is not in doubt, or is in
    two cities while `tenant_id` names none;
    SecondPersonError where it needs a proposal that another person has approved, and `approval` is none.
    """
    doubt = doubt_about(connection, number, tenant_id)
    proposal = use(connection, Act.RELEASE, number, doubt.named, approval)
    if proposal is not None:
        reason, os_user = proposal.reason, f"{proposal.people}, by {os_user}"
    connection.execute(
        """
        INSERT INTO ifms.restore_cleared (restored_id, tenant_id, number, kind, reason, os_user)
        SELECT id, %s, %s, %s, %s, %s FROM ifms.restored ON CONFLICT DO NOTHING
        """,
        (doubt.tenant_id, number, doubt.kind, reason, os_user),
    )
    if doubt.kind is not Kind.PENDING:
        return
    connection.execute(
        """
        UPDATE ifms.payment_instruction SET held_back = false, polled_at = NULL
        WHERE (tenant_id, pi_number) = (%s, %s) AND status = 'PENDING' AND held_back
        """,
        (doubt.tenant_id, number),
    )


def doubtful_payment(connection: Connection, tenant_id: str, payment_number: str) -> Payment:
    """A payment that the ledger may have lost a PI of, locked until the caller's transaction ends.

    Raises AdoptionRefusedError for any other: one that is not known, has a live PI, or is not in doubt.
    """
    columns = columns_of(Payment, "y")
    query = sql.SQL(
        "SELECT {} FROM ifms.payment y WHERE (y.tenant_id, y.payment_number) = (%s, %s) FOR UPDATE OF y"
    ).format(columns)
    with connection.cursor(row_factory=class_row(Payment)) as cursor:
        payment = cursor.execute(query, (tenant_id, payment_number)).fetchone()
    if payment is None:
        raise AdoptionRefusedError(f"payment {payment_number!r} of {tenant_id} is not known here, nor on the platform")
    row = connection.execute(
        """
        SELECT ifms.in_doubt(y), i.pi_number, i.status, y.claimed_until >= clock_timestamp()
        FROM ifms.payment y LEFT JOIN ifms.payment_instruction i ON i.id = y.paid_by WHERE y.id = %s
        """,
        (payment.id,),
    ).fetchone()
    assert row is not None
    doubtful, live, status, claimed = row
    if live is not None:
        settle = "; if the treasury lacks that one, settle it by hand first" if status == "PENDING" else ""
        raise AdoptionRefusedError(f"payment {payment_number} has PI {live}, {status}{settle}")
    if not doubtful:
        raise AdoptionRefusedError(
            f"payment {payment_number} is not in doubt: only what a restored ledger has lost is adopted"
        )
    if claimed:
        raise AdoptionRefusedError(f"a run of ifms_pi is at work on payment {payment_number}: try again when it ended")
    return payment


def claim_doubtful(connection: Connection, tenant_id: str, payment_number: str, claim: Claim) -> Payment:
    """The same, under the claim of who is about to write its PI in this transaction."""
    payment = doubtful_payment(connection, tenant_id, payment_number)
    connection.execute("UPDATE ifms.payment SET claim_token = %s WHERE id = %s", (claim.token, payment.id))
    return payment
