"""Sanctions and the movements of their money.

A sanction's balances change by rows of `fund_movement` and by nothing else: the database applies each movement in the
statement that writes it, and refuses a reservation of more than is available.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from psycopg import errors as pg
from psycopg import sql
from psycopg.rows import args_row, class_row

from ifms import clock
from ifms.errors import BadInputError, ClaimLostError, LedgerError
from ifms.ledger.claims import Claim, Queue, settle
from ifms.ledger.columns import columns_of
from ifms.ledger.database import REFUSED, Connection, refusal
from ifms.ledger.models import AllotmentKind, Funding, NewAllotment, Watermark
from ifms.ledger.write_batch import Target, write


class Movement(StrEnum):
    """What a PI does to its sanction."""

    RESERVE = "RESERVE"  # available -> reserved: the PI is written
    RELEASE = "RELEASE"  # reserved -> available: the treasury declined it
    DEBIT = "DEBIT"  # reserved -> spent: the treasury accepted it
    REVERSAL = "REVERSAL"  # spent -> available: the SSU rejected it


WATERMARKS = Queue(
    table="va_watermark",
    due="(%(tenants)s::text[] IS NULL OR q.tenant_id = ANY(%(tenants)s))",
    order="q.polled_at NULLS FIRST, q.id",
)


def open_watermarks(connection: Connection, marks: Iterable[tuple[str, str, str, str, str]]) -> None:
    """Make sure that each (tenant, head of account, DDO, grantee, SSU) has its row; those that have one keep it."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO ifms.va_watermark (tenant_id, hoa_code, ddo_code, grantee_code, ssu_id)
            VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
            """,
            list(marks),
        )


def watermarks(connection: Connection, tenants: Collection[str]) -> list[Watermark]:
    """The watermarks of these cities, unclaimed: for one who asks from further back and leaves them as they are."""
    columns = columns_of(Watermark)
    with connection.cursor(row_factory=class_row(Watermark)) as cursor:
        return cursor.execute(
            sql.SQL("SELECT {} FROM ifms.va_watermark WHERE tenant_id = ANY(%s) ORDER BY id").format(columns),
            (list(tenants),),
        ).fetchall()


def move_watermark(
    connection: Connection, mark: Watermark, claim: Claim, asked_at: datetime, since: datetime, *, back: bool = False
) -> None:
    """Remember that all from `since` up to `asked_at` has been fetched, and give the row back.

    It only ever grows, unless it is set `back`: from a time to come, which a wrong clock had made it.
    Raises ClaimLostError when another run has taken the row over.
    """
    moved = """fetched_until = CASE WHEN %(back)s THEN %(asked_at)s ELSE greatest(fetched_until, %(asked_at)s) END,
        asked_from = CASE WHEN fetched_until IS NULL OR asked_from IS NOT NULL THEN least(asked_from, %(since)s) END"""
    if not settle(connection, "va_watermark", mark.id, claim, moved, asked_at=asked_at, since=since, back=back):
        raise ClaimLostError(f"the watermark of {mark.tenant_id}, {mark.hoa_code} was taken over by another run")


@dataclass(frozen=True)
class Recorded:
    """What became of a reply's allotments."""

    new: int
    known: int
    waiting: tuple[NewAllotment, ...]  # their initial allotment has not been heard of
    overdrawn: tuple[str, ...]  # master allotment ids whose available money is now below zero
    conflicts: tuple[str, ...]  # told before with another kind, amount or grantee; the first telling stands
    added: Decimal = Decimal("0.00")  # rupees of the new ones, withdrawals taken off
    refused: tuple[str, ...] = ()  # what the database can't take, and why; nothing of it was written


def record_allotments(connection: Connection, allotments: Sequence[NewAllotment]) -> Recorded:
    """Count each allotment once: new sanctions, additions and withdrawals, in the caller's transaction.

    An addition or withdrawal whose sanction is not known yet is kept and counts as soon as its initial allotment comes.
    All are written together; only when the database refuses that (a sum beyond its columns), each by itself.
    """
    distinct = list(dict.fromkeys(allotments))
    doubled = len(allotments) - len(distinct)
    together = _attempted(connection, distinct)
    if isinstance(together, Recorded):
        return replace(together, known=together.known + doubled)
    # In the order in which they make sense one by one: a sanction before what is added to it, and that before what is
    # taken away.
    distinct.sort(key=lambda a: (_ORDER[a.kind], a.serial_no))
    recorded: list[Recorded] = []
    refused: list[str] = []
    for allotment in distinct:
        alone = _attempted(connection, [allotment])
        if isinstance(alone, Recorded):
            recorded.append(alone)
        else:
            refused.append(f"{allotment} is not recorded: {alone}")
    return Recorded(
        new=sum(each.new for each in recorded),
        known=sum(each.known for each in recorded) + doubled,
        waiting=tuple(allotment for each in recorded for allotment in each.waiting),
        overdrawn=tuple(sorted({master_id for each in recorded for master_id in each.overdrawn})),
        conflicts=tuple(text for each in recorded for text in each.conflicts),
        added=sum((each.added for each in recorded), Decimal("0.00")),
        refused=tuple(refused),
    )


def counted_elsewhere(
    connection: Connection, mark: Watermark, allotments: Sequence[NewAllotment]
) -> dict[NewAllotment, str]:
    """Which of these, all of `mark`, count on an open sanction of another city and not on its own, and of which city.

    Until the transaction ends, no other run counts anything of this unit and head of account.
    """
    if not allotments:
        return {}
    connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
        (f"ifms.allotment:{mark.ddo_code}:{mark.grantee_code}:{mark.hoa_code}",),
    )
    rows = connection.execute(
        """
        SELECT a.master_allotment_id, a.ssu_allotment_id, a.serial_no, min(a.tenant_id) FROM ifms.allotment a
        JOIN unnest(%(master)s::text[], %(ssu)s::text[], %(serial)s::integer[])
            AS told (master_allotment_id, ssu_allotment_id, serial_no)
            USING (master_allotment_id, ssu_allotment_id, serial_no)
        LEFT JOIN ifms.sanction s ON s.id = a.sanction_id  -- none: it waits, and counts nowhere
        WHERE (a.hoa_code, a.ddo_code, a.grantee_code) = (%(hoa)s, %(ddo)s, %(grantee)s)
        GROUP BY 1, 2, 3 HAVING bool_or(a.tenant_id <> %(tenant)s AND s.id IS NOT NULL AND s.closed_at IS NULL)
                            AND NOT bool_or(a.tenant_id = %(tenant)s)
        """,
        {
            "master": [a.master_allotment_id for a in allotments],
            "ssu": [a.ssu_allotment_id for a in allotments],
            "serial": [a.serial_no for a in allotments],
            "hoa": mark.hoa_code,
            "ddo": mark.ddo_code,
            "grantee": mark.grantee_code,
            "tenant": mark.tenant_id,
        },
    ).fetchall()
    theirs = {(row[0], row[1], row[2]): row[3] for row in rows}
    named = {a: (a.master_allotment_id, a.ssu_allotment_id, a.serial_no) for a in allotments}
    return {a: theirs[name] for a, name in named.items() if name in theirs}


_ORDER = {kind: place for place, kind in enumerate(AllotmentKind)}


def _attempted(connection: Connection, allotments: Sequence[NewAllotment]) -> Recorded | LedgerError:
    """What was recorded, or why the database refuses it: then nothing was written."""
    try:
        with connection.transaction():  # a savepoint of the caller's
            return _record(connection, allotments)
    except REFUSED as error:
        if isinstance(error, pg.IntegrityError) and not isinstance(error, pg.CheckViolation):
            raise  # no matter of one row's values
        return refusal(error)


def _record(connection: Connection, allotments: Sequence[NewAllotment]) -> Recorded:
    known_before = {a: _insert_allotment(connection, a) for a in allotments}
    new = [allotment for allotment, before in known_before.items() if before is None]
    conflicts = [
        f"{a} is told as {a.kind} of {a.amount} for grantee {a.grantee_code}, but was recorded as {before[0]} of "
        f"{before[1]} for {before[2]}; ask the treasury which is right"
        for a, before in known_before.items()
        if before is not None and before != (a.kind, a.amount, a.grantee_code)
    ]
    for allotment in new:
        if allotment.kind is AllotmentKind.INITIAL:
            _open_sanction(connection, allotment)
    waiting = []
    overdrawn = set()
    by_sanction: dict[tuple[str, ...], list[NewAllotment]] = {}
    for each in new:
        by_sanction.setdefault((each.tenant_id, each.hoa_code, each.ddo_code, each.master_allotment_id), []).append(
            each
        )
    for ours in by_sanction.values():
        available = _apply_waiting(connection, ours[0])
        if available is None:
            waiting += ours
        elif available < 0:
            overdrawn.add(ours[0].master_allotment_id)
    known = len(allotments) - len(new) - len(conflicts)
    added = sum((-a.amount if a.kind is AllotmentKind.WITHDRAWAL else a.amount for a in new), Decimal("0.00"))
    return Recorded(len(new), known, tuple(waiting), tuple(sorted(overdrawn)), tuple(conflicts), added)


def _insert_allotment(connection: Connection, allotment: NewAllotment) -> tuple[str, Decimal, str] | None:
    """Keep an allotment; None when it is new, else the kind, amount and grantee that it was first reported with."""
    values = asdict(allotment)
    cursor = connection.execute(
        """
        INSERT INTO ifms.allotment (tenant_id, hoa_code, ddo_code, grantee_code, ssu_id, scheme_code,
            master_allotment_id, ssu_allotment_id, serial_no, kind, amount, sanction_balance, allotment_date)
        VALUES (%(tenant_id)s, %(hoa_code)s, %(ddo_code)s, %(grantee_code)s, %(ssu_id)s, %(scheme_code)s,
            %(master_allotment_id)s, %(ssu_allotment_id)s, %(serial_no)s, %(kind)s, %(amount)s, %(sanction_balance)s,
            %(allotment_date)s)
        ON CONFLICT DO NOTHING
        """,
        values,
    )
    if cursor.rowcount == 1:
        return None
    first = connection.execute(
        """
        SELECT kind, amount, grantee_code FROM ifms.allotment
        WHERE (tenant_id, hoa_code, ddo_code, master_allotment_id, ssu_allotment_id, serial_no)
            = (%(tenant_id)s, %(hoa_code)s, %(ddo_code)s, %(master_allotment_id)s, %(ssu_allotment_id)s, %(serial_no)s)
        """,
        values,
    ).fetchone()
    assert first is not None, "an allotment is never deleted"
    return first[0], first[1], first[2]


def _open_sanction(connection: Connection, first: NewAllotment) -> None:
    connection.execute(
        """
        INSERT INTO ifms.sanction (tenant_id, hoa_code, ddo_code, ssu_id, grantee_code, scheme_code,
            master_allotment_id, financial_year, sanctioned_amount)
        VALUES (%(tenant_id)s, %(hoa_code)s, %(ddo_code)s, %(ssu_id)s, %(grantee_code)s, %(scheme_code)s,
            %(master_allotment_id)s, %(financial_year)s, %(sanctioned)s)
        ON CONFLICT DO NOTHING
        """,
        {
            **asdict(first),
            "financial_year": clock.financial_year_label(clock.financial_year(first.allotment_date)),
            "sanctioned": first.sanction_balance + first.amount,  # the treasury's balance is what is left after it
        },
    )


def _apply_waiting(connection: Connection, allotment: NewAllotment) -> Decimal | None:
    """Count every allotment of this sanction that does not count yet; the available money after it.

    None while the sanction is not known.
    """
    row = connection.execute(
        """
        SELECT id FROM ifms.sanction
        WHERE (tenant_id, hoa_code, ddo_code, master_allotment_id)
            = (%(tenant_id)s, %(hoa_code)s, %(ddo_code)s, %(master_allotment_id)s) FOR UPDATE
        """,
        asdict(allotment),
    ).fetchone()
    if row is None:
        return None
    connection.execute(
        """
        WITH attached AS (
            UPDATE ifms.allotment SET sanction_id = %(sanction)s
            WHERE sanction_id IS NULL AND (tenant_id, hoa_code, ddo_code, master_allotment_id)
                = (%(tenant_id)s, %(hoa_code)s, %(ddo_code)s, %(master_allotment_id)s)
            RETURNING id, kind, amount, serial_no
        )
        INSERT INTO ifms.fund_movement (sanction_id, kind, amount, allotment_id)
        SELECT %(sanction)s, CASE kind WHEN 'WITHDRAWAL' THEN 'WITHDRAWAL' ELSE 'ALLOTMENT' END, amount, id
        FROM attached WHERE amount > 0 ORDER BY kind = 'WITHDRAWAL', serial_no
        """,
        {**asdict(allotment), "sanction": row[0]},
    )
    available = connection.execute("SELECT available_amount FROM ifms.sanction WHERE id = %s", (row[0],)).fetchone()
    return Decimal(available[0]) if available else None


Source = tuple[str, str, str]
"""Which sanctions may pay: those of this DDO code, grantee code and head of account."""

_LOOKS = 1000  # each lost to another run that reserved money meanwhile


def choose_funding(
    connection: Connection,
    tenant_id: str,
    amount: Decimal,
    preference: Collection[Source],
    *,
    financial_year: str,
    payment_number: str | None = None,
) -> Funding | None:
    """The sanction that pays `amount` (sanction-choice.md §2); None when no one has it available.

    `preference` is which sanctions may pay, their heads in the order to try; `financial_year` is that of the PI's
    bill date, like 2026-27. Sanctions of that year come first, those of earlier years last, the latest year first, and
    only when `use_earlier_years` is set; a later year's, or a closed one, is never taken. In a head the most recently
    changed comes first: the one of which an allotment or a withdrawal was told last, of those told together the one
    with the latest date of the treasury's. Our own reservations and payments do not count as changes: whichever
    sanction was paid from last would be paid from again, and the choice would hang on the order in which sweeps ran. A
    sanction on which a PI of payment `payment_number` was declined comes after all others.

    The allotment named is the latest that is no withdrawal (digit-services.md §10). Every sanction that might pay is
    locked to the end of the caller's transaction.
    """
    for _ in range(_LOOKS):
        chosen = choose_fundings(
            connection, tenant_id, [(payment_number, amount)], preference, financial_year=financial_year
        )
        if chosen:
            return chosen[0]
        # None may mean that another run took the money while this one waited for the lock: look whether all did.
        if connection.execute(_ANY_FUNDED, _wanted(tenant_id, amount, preference, financial_year)).fetchone() is None:
            return None
    raise LedgerError(
        f"other runs take the money of {tenant_id}'s sanctions faster than it can be chosen; run it again"
    )


def choose_fundings(
    connection: Connection,
    tenant_id: str,
    payments: Sequence[tuple[str | None, Decimal]],
    preference: Collection[Source],
    *,
    financial_year: str,
) -> list[Funding]:
    """Like `choose_funding`, for payments (number and amount) of which each is reserved before the next one chooses.

    Ends at the first that no sanction pays once those before it are paid: whether it waits, `choose_funding` can tell.
    """
    wanted = _wanted(tenant_id, min(amount for _, amount in payments), preference, financial_year)
    numbers = [number for number, _ in payments if number is not None]
    declined = set(connection.execute(_DECLINED, {"tenant": tenant_id, "payments": numbers}, prepare=True).fetchall())
    with connection.cursor(row_factory=args_row(lambda free, *row: (free, Funding(*row)))) as cursor:
        found = cursor.execute(_FUNDED_IN_ORDER, wanted, prepare=True).fetchall()
    free = {funding.sanction_id: amount for amount, funding in found}
    chosen: list[Funding] = []
    for number, amount in payments:
        enough = [funding for _, funding in found if free[funding.sanction_id] >= amount]
        if not enough:
            break
        chosen.append(next((each for each in enough if (number, each.sanction_id) not in declined), enough[0]))
        free[chosen[-1].sanction_id] -= amount
    return chosen


def _wanted(tenant_id: str, amount: Decimal, preference: Collection[Source], financial_year: str) -> dict[str, object]:
    ddo_codes, grantee_codes, hoa_codes = zip(*preference, strict=True) if preference else ((), (), ())
    return {
        "tenant": tenant_id,
        "amount": amount,
        "ddo": list(ddo_codes),
        "grantee": list(grantee_codes),
        "hoa": list(hoa_codes),
        "financial_year": financial_year,
    }


def unused_with(connection: Connection, tenant_id: str, amount: Decimal, *, financial_year: str) -> list[str]:
    """The sanctions of a city that have `amount` and are not used, each with why: closed, or of an earlier year."""
    rows = connection.execute(
        f"""
        SELECT s.master_allotment_id, CASE WHEN s.closed_at IS NULL THEN 'of ' || s.financial_year ELSE 'closed' END
        FROM ifms.sanction s
        WHERE s.tenant_id = %(tenant)s AND s.available_amount >= %(amount)s AND s.financial_year <= %(financial_year)s
          AND NOT (s.closed_at IS NULL AND {IN_A_YEAR_OF_USE})
        ORDER BY 1, 2
        """.encode(),
        {"tenant": tenant_id, "amount": amount, "financial_year": financial_year},
    ).fetchall()
    return [f"{row[0]} ({row[1]})" for row in rows]


# The one row of settings is read once for a whole statement.
IN_A_YEAR_OF_USE = """s.financial_year <= %(financial_year)s AND s.financial_year >= (
            SELECT CASE WHEN use_earlier_years THEN '' ELSE %(financial_year)s END FROM ifms.setting)"""
_FUNDED = f"""
    JOIN unnest(%(ddo)s::text[], %(grantee)s::text[], %(hoa)s::text[]) AS p (ddo_code, grantee_code, hoa_code)
      ON (s.ddo_code, s.grantee_code, s.hoa_code) = (p.ddo_code, p.grantee_code, p.hoa_code)
    WHERE s.tenant_id = %(tenant)s AND s.closed_at IS NULL AND {IN_A_YEAR_OF_USE}
      AND s.available_amount >= %(amount)s AND s.available_amount - ifms.withheld(s) >= %(amount)s"""
_ANY_FUNDED = f"SELECT 1 FROM ifms.sanction s {_FUNDED} LIMIT 1".encode()
# Declined: FAILED without ever having been accepted, by the treasury's refusal. One that a person has settled or
# cancelled says nothing of its sanction, unless the treasury had refused it in words that settled nothing.
_DECLINED = b"""
    SELECT i.payment_number, i.sanction_id FROM ifms.payment_instruction i
    WHERE i.tenant_id = %(tenant)s AND i.payment_number = ANY(%(payments)s) AND i.status = 'FAILED'
      AND i.pi_type = 'ORIGINAL' AND i.cancelled_by IS NULL AND (i.settled_by IS NULL OR i.refusal IS NOT NULL)
      AND NOT EXISTS (SELECT FROM ifms.fund_movement m WHERE m.payment_instruction_id = i.id AND m.kind = 'DEBIT')
"""
_FUNDED_IN_ORDER = f"""
    SELECT s.available_amount - ifms.withheld(s), s.id, s.hoa_code, s.ddo_code, s.ssu_id, s.grantee_code,
           s.scheme_code, s.master_allotment_id, latest.ssu_allotment_id, latest.serial_no
    FROM ifms.sanction s
    CROSS JOIN LATERAL (
        SELECT ssu_allotment_id, serial_no FROM ifms.allotment
        WHERE sanction_id = s.id AND kind <> 'WITHDRAWAL' ORDER BY serial_no DESC, received_at DESC LIMIT 1) latest
    CROSS JOIN LATERAL (
        SELECT max(received_at) AS told, max(allotment_date) AS dated FROM ifms.allotment
        WHERE sanction_id = s.id) changed
    {_FUNDED}
    ORDER BY s.financial_year DESC, array_position(%(hoa)s::text[], s.hoa_code), changed.told DESC, changed.dated DESC,
             s.created_at DESC, s.id
    FOR UPDATE OF s
""".encode()


def move(target: Target, movement: Movement, moved: Sequence[tuple[UUID, UUID, Decimal]]) -> None:
    """Write a movement of each PI (its sanction, itself, its amount); the database changes the balances with it.

    Raises (through Database.transact) InsufficientFundsError for a reservation of more than is available, ConflictError
    for a movement made before, LedgerError for one without its pair (a debit without its reservation).
    """
    write(
        target,
        """
        INSERT INTO ifms.fund_movement (sanction_id, kind, payment_instruction_id, amount)
        SELECT sanction_id, %s, id, amount FROM unnest(%s::uuid[], %s::uuid[], %s::numeric[])
            AS moved (sanction_id, id, amount)
        """,
        (movement, *map(list, zip(*moved, strict=True))),
    )


def heads_unknown(connection: Connection, tenant_id: str, known: Collection[str]) -> list[str]:
    """The heads of account of a city's sanctions that are none of `known`: money that no PI is made from."""
    rows = connection.execute(
        "SELECT DISTINCT hoa_code FROM ifms.sanction WHERE tenant_id = %s AND hoa_code <> ALL(%s) ORDER BY 1",
        (tenant_id, list(known)),
    ).fetchall()
    return [row[0] for row in rows]


def units_unknown(connection: Connection, tenant_id: str, known: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
    """The spending units (DDO code, grantee code) that are none of `known` and of whose sanctions this city has money.

    No PI is made from it: it was theirs before master data were changed, or came by a mistake in them.
    """
    ddo_codes, grantee_codes = zip(*known, strict=True) if known else ((), ())
    return connection.execute(
        """
        SELECT DISTINCT ddo_code, grantee_code FROM ifms.sanction
        WHERE tenant_id = %s AND (ddo_code, grantee_code) NOT IN (SELECT * FROM unnest(%s::text[], %s::text[]))
          AND available_amount > 0 AND closed_at IS NULL ORDER BY 1, 2
        """,
        (tenant_id, list(ddo_codes), list(grantee_codes)),
    ).fetchall()


def named_funding(
    connection: Connection, tenant_id: str, master_allotment_id: str, ssu_allotment_id: str, serial_no: int
) -> Funding:
    """The allotment of these numbers, with its sanction. Raises BadInputError unless there is exactly one."""
    with connection.cursor(row_factory=class_row(Funding)) as cursor:
        found = cursor.execute(
            """
            SELECT s.id AS sanction_id, s.hoa_code, s.ddo_code, s.ssu_id, s.grantee_code, s.scheme_code,
                   s.master_allotment_id, a.ssu_allotment_id, a.serial_no AS allotment_serial_no
            FROM ifms.sanction s JOIN ifms.allotment a ON a.sanction_id = s.id AND a.kind <> 'WITHDRAWAL'
            WHERE (s.tenant_id, s.master_allotment_id, a.ssu_allotment_id, a.serial_no) = (%s, %s, %s, %s)
            """,
            (tenant_id, master_allotment_id, ssu_allotment_id, serial_no),
        ).fetchall()
    if len(found) != 1:
        raise BadInputError(
            f"{tenant_id} has {len(found)} allotments {master_allotment_id}/{ssu_allotment_id}/{serial_no}, not one: "
            "fetch allotments (ifms_va) first, or name another"
        )
    return found[0]
