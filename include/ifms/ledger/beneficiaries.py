"""A PI's beneficiaries: who is paid, what the bank says of each, and who has to be paid again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row

from ifms import clock
from ifms.errors import BadInputError, SealError, WireError
from ifms.ledger.binding import SealedRow, open_account, seal_account
from ifms.ledger.columns import as_recordset, columns_of
from ifms.ledger.database import Connection
from ifms.ledger.limits import DAYS_AHEAD, DAYS_BEFORE, RETURNABLE_DAYS
from ifms.ledger.models import Beneficiary, NewBeneficiary, PaymentInstruction
from ifms.ledger.statuses import BeneficiaryStatus
from ifms.ledger.write_batch import RowStatement, Target, write, write_row
from ifms.sealing import Sealer
from ifms.wire.bank import another_account, another_ifsc, mask_ifsc, same_utr

_FROM_ROW = [f.name for f in fields(NewBeneficiary) if f.name != "account_number"]
_NEW = ["payment_instruction_id", *_FROM_ROW, "account_sealed", "account_last4"]
# Every other one is a text.
_TYPES = {"payment_instruction_id": "uuid", "amount": "numeric", "line_item_ids": "text[]", "account_sealed": "bytea"}
_INSERT = f"""
    INSERT INTO ifms.beneficiary ({", ".join(_NEW)})
    SELECT {", ".join(_NEW)}
    FROM json_to_recordset(%s) AS made ({", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in _NEW)})
"""

_OF = (
    sql.SQL(
        """
        SELECT {} FROM ifms.beneficiary WHERE payment_instruction_id = ANY(%s)
        ORDER BY payment_instruction_id, beneficiary_number
        """
    )
    .format(columns_of(Beneficiary))
    .as_bytes()
)

_PAYEES = b"""
    SELECT payment_instruction_id, beneficiary_number, line_item_ids, utr_number, status, amount, name, ifsc,
           account_last4, account_sealed
    FROM ifms.beneficiary
    WHERE payment_instruction_id = ANY(%s) ORDER BY payment_instruction_id, beneficiary_number
"""

_SCROLLED = b"""
    UPDATE ifms.beneficiary b SET status = 'Payment Successful', status_message = reported.message,
           voucher_number = reported.voucher, voucher_date = reported.voucher_date, utr_number = reported.utr,
           utr_date = reported.utr_date, end_to_end_id = reported.end_to_end, updated_at = now()
    FROM unnest(%(pis)s::uuid[], %(numbers)s::text[], %(messages)s::text[], %(vouchers)s::text[],
                %(voucher_dates)s::date[], %(utrs)s::text[], %(utr_dates)s::date[], %(ends)s::text[])
        AS reported (pi, number, message, voucher, voucher_date, utr, utr_date, end_to_end)
    WHERE b.payment_instruction_id = reported.pi AND b.beneficiary_number = reported.number
      AND b.status IN ('Payment Initiated', 'Payment In Process')
    RETURNING b.payment_instruction_id, b.beneficiary_number
"""

# Keeps scrolls by another UTR than was told before, or on another account than was sent; whether each still waits for a
# person to settle it, and whether one has found out that it has paid.
_OTHER_TRANSFERS = b"""
    INSERT INTO ifms.other_transfer AS known (beneficiary_row, utr_number, voucher_number, voucher_date, not_as_sent)
    SELECT b.id, told.utr, told.voucher, told.voucher_date, told.not_as_sent
    FROM unnest(%(pis)s::uuid[], %(numbers)s::text[], %(utrs)s::text[], %(vouchers)s::text[], %(voucher_dates)s::date[],
                %(whys)s::text[]) AS told (pi, number, utr, voucher, voucher_date, not_as_sent)
    JOIN ifms.beneficiary b ON b.payment_instruction_id = told.pi AND b.beneficiary_number = told.number
    ON CONFLICT (beneficiary_row, ifms.utr_key(utr_number)) DO UPDATE SET last_told_at = now()
    RETURNING (SELECT b.payment_instruction_id FROM ifms.beneficiary b WHERE b.id = known.beneficiary_row),
              (SELECT b.beneficiary_number FROM ifms.beneficiary b WHERE b.id = known.beneficiary_row),
              known.settled_at IS NULL, known.has_paid IS TRUE
"""

_MOVED = RowStatement(
    """
    UPDATE ifms.beneficiary b SET status = {ends}, updated_at = now() {rows}
    WHERE b.payment_instruction_id = {pi} AND b.status = {starts}
    """,
    {"pi": "uuid", "starts": "text", "ends": "text"},
    key="pi",
)


def insert_beneficiaries(
    target: Target, made: Sequence[tuple[PaymentInstruction, Sequence[NewBeneficiary]]], sealer: Sealer
) -> None:
    """Write the beneficiaries of these PIs, their account numbers sealed, in the transaction that writes the PIs."""
    rows = [
        {name: getattr(row, name) for name in _FROM_ROW}
        | {
            "payment_instruction_id": pi.id,
            "account_sealed": seal_account(sealer, pi.tenant_id, pi.pi_number, row, row.account_number),
            "account_last4": row.account_last4,
        }
        for pi, beneficiaries in made
        for row in beneficiaries
    ]
    write(target, _INSERT, (as_recordset(rows),))


def of(connection: Connection, instruction_ids: Collection[UUID]) -> dict[UUID, list[Beneficiary]]:
    """The beneficiaries of each of these PIs, in the order of their numbers."""
    found: dict[UUID, list[Beneficiary]] = {i: [] for i in instruction_ids}
    with connection.cursor(row_factory=class_row(Beneficiary)) as cursor:
        cursor.execute(_OF, (list(instruction_ids),), prepare=True)
        for row in cursor:
            found[row.payment_instruction_id].append(row)
    return found


def by_id(connection: Connection, row_ids: Collection[UUID]) -> list[Beneficiary]:
    """The beneficiaries with these rows' ids."""
    columns = columns_of(Beneficiary)
    with connection.cursor(row_factory=class_row(Beneficiary)) as cursor:
        return cursor.execute(
            sql.SQL("SELECT {} FROM ifms.beneficiary WHERE id = ANY(%s)").format(columns), (list(row_ids),)
        ).fetchall()


def set_beneficiaries(target: Target, pi: PaymentInstruction, start: BeneficiaryStatus, end: BeneficiaryStatus) -> None:
    """Move every beneficiary of the PI that is `start` to `end`."""
    write_row(target, _MOVED, {"pi": pi.id, "starts": start, "ends": end})


def note_beneficiaries(target: Target, pi: PaymentInstruction, messages: Mapping[str, str]) -> None:
    """Keep what the treasury said of single beneficiaries, by beneficiary number."""
    if messages:
        write(
            target,
            """
            UPDATE ifms.beneficiary b SET status_message = reported.message, updated_at = now()
            FROM unnest(%s::text[], %s::text[]) AS reported (number, message)
            WHERE b.payment_instruction_id = %s AND b.beneficiary_number = reported.number
            """,
            (list(messages), list(messages.values()), pi.id),
        )


@dataclass(frozen=True)
class Scroll:
    """One beneficiary's debit scroll; dates are the treasury's (IST)."""

    beneficiary_number: str
    voucher_number: str
    voucher_date: date | None
    utr_number: str
    utr_date: date | None
    end_to_end_id: str | None
    message: str | None
    account_number: str | None = field(default=None, repr=False)
    ifsc: str | None = None


@dataclass(frozen=True)
class Payee:
    """A beneficiary by its PI and number, the lines of bills that it is paid for, and the UTR of its payment so far."""

    payment_instruction_id: UUID
    beneficiary_number: str
    line_item_ids: Sequence[str]
    utr_number: str | None = None


@dataclass(frozen=True)
class _Sent:
    """A beneficiary as it was sent, to compare a scroll with."""

    payment_instruction_id: UUID
    beneficiary_number: str
    line_item_ids: Sequence[str]
    utr_number: str | None
    status: BeneficiaryStatus
    amount: Decimal
    name: str
    ifsc: str
    account_last4: str
    account_sealed: bytes | None = field(repr=False)

    @property
    def payee(self) -> Payee:
        """Who it is."""
        return Payee(self.payment_instruction_id, self.beneficiary_number, self.line_item_ids, self.utr_number)


@dataclass(frozen=True)
class Tally:
    """How beneficiaries stand, and, where a reply has just been recorded, which of them it found paid, of whom.

    `under_another_utr` are those of whom an earlier reply has told another payment; nobody knows yet which counts.
    `not_as_sent` says of whom it tells another account or IFSC than was sent, or a voucher of a day that can't be, and
    what differs; by beneficiary number.
    """

    waiting: int
    failed: int
    newly_paid: Sequence[Payee] = field(default=(), compare=False, repr=False)
    everybody: Sequence[Payee] = field(default=(), compare=False, repr=False)
    under_another_utr: Sequence[Payee] = field(default=(), compare=False, repr=False)
    not_as_sent: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


def record_scrolls(
    connection: Connection,
    told: Sequence[tuple[PaymentInstruction, Sequence[Scroll]]],
    sealer: Sealer | None = None,
) -> list[Tally]:
    """Write the debit scrolls of PIs' beneficiaries, matched by number in any case; how each PI's stand, who is paid.

    A scroll that was told before changes nothing, and one for a beneficiary that has failed since does not revive it.
    One of another UTR than the beneficiary's changes nothing either, and is kept and told until a person has settled
    it: it may have been paid twice, or been paid though it is said to have failed. Nor does one that names another
    account or IFSC than was sent, unless a person has found out that it has paid: somebody else may have the money;
    that is kept and told as well where an earlier reply told the same transfer without it.
    Without a `sealer` only the last digits of accounts are compared.
    Raises WireError, and nothing is written, for a scroll of somebody who is no beneficiary of the PI.
    """
    pis = [pi for pi, _ in told]
    sent: dict[UUID, list[_Sent]] = {pi.id: [] for pi in pis}
    with connection.cursor(row_factory=class_row(_Sent)) as cursor:
        for row in cursor.execute(_PAYEES, (list(sent),), prepare=True):
            sent[row.payment_instruction_id].append(row)
    everybody = {pi: [row.payee for row in rows] for pi, rows in sent.items()}
    reported: dict[tuple[UUID, str], Scroll] = {}
    for pi, scrolls in told:
        known = {payee.beneficiary_number.casefold(): payee.beneficiary_number for payee in everybody[pi.id]}
        for scroll in scrolls:
            number = known.get(scroll.beneficiary_number.casefold())
            if number is None:
                who = repr(scroll.beneficiary_number)
                raise WireError(f"the reply about {pi.pi_number} names {who}, which is not in it")
            reported.setdefault((pi.id, number), scroll)  # the first of each
    differing = _not_as_sent(pis, sent, reported, sealer)
    kept = _keep(connection, {of: (reported[of], why) for of, why in differing.items()})
    differing = {of: why for of, why in differing.items() if not kept[of].has_paid}
    # Of one that has paid, though not on that day, the day is not known: FD asks about all that it may be.
    by_id = {pi.id: pi for pi in pis}
    taken = {
        of: replace(scroll, voucher_date=None) if vouchered(by_id[of[0]], scroll.voucher_date) else scroll
        for of, scroll in reported.items()
        if of not in differing
    }
    newly = connection.execute(
        _SCROLLED,
        {
            "pis": [pi for pi, _ in taken],
            "numbers": [number for _, number in taken],
            "messages": [s.message for s in taken.values()],
            "vouchers": [s.voucher_number for s in taken.values()],
            "voucher_dates": [s.voucher_date for s in taken.values()],
            "utrs": [s.utr_number for s in taken.values()],
            "utr_dates": [s.utr_date for s in taken.values()],
            "ends": [s.end_to_end_id for s in taken.values()],
        },
        prepare=True,
    ).fetchall()
    paid = set(newly)
    others = _under_another_utr(connection, everybody, reported)
    standing = tallies(connection, pis)
    return [
        replace(
            standing[pi.id],
            newly_paid=[payee for payee in everybody[pi.id] if (pi.id, payee.beneficiary_number) in paid],
            everybody=everybody[pi.id],
            under_another_utr=[payee for payee in everybody[pi.id] if (pi.id, payee.beneficiary_number) in others],
            not_as_sent={of[1]: why for of, why in differing.items() if of[0] == pi.id and kept[of].is_open},
        )
        for pi in pis
    ]


def any_has_its_money(connection: Connection, pi: PaymentInstruction) -> bool:
    """Whether this PI has paid somebody: a payment is booked as made, or as come back while others are not.

    Where each has come back, nobody has it.
    """
    row = connection.execute(
        """
        SELECT bool_or(status IN ('Payment Successful', 'Payment Failed')) AND bool_or(status <> 'Payment Failed')
        FROM ifms.beneficiary WHERE payment_instruction_id = %s
        """,
        (pi.id,),
    ).fetchone()
    return bool(row and row[0])


def _under_another_utr(
    connection: Connection, everybody: Mapping[UUID, Sequence[Payee]], reported: Mapping[tuple[UUID, str], Scroll]
) -> set[tuple[UUID, str]]:
    """Keep the scrolls of those who have another UTR already; whose of them nobody has settled."""
    others = {
        of: reported[of]
        for pi, payees in everybody.items()
        for payee in payees
        if payee.utr_number
        and (of := (pi, payee.beneficiary_number)) in reported
        and not same_utr(payee.utr_number, reported[of].utr_number)
    }
    kept = _keep(connection, {of: (scroll, None) for of, scroll in others.items()})
    return {of for of, transfer in kept.items() if transfer.is_open}


def _not_as_sent(
    pis: Sequence[PaymentInstruction],
    sent: Mapping[UUID, Sequence[_Sent]],
    reported: Mapping[tuple[UUID, str], Scroll],
    sealer: Sealer | None,
) -> dict[tuple[UUID, str], str]:
    """What is told otherwise than it was sent: of who waits for a scroll, and of who is paid by this very transfer."""
    found = {}
    for pi in pis:
        for row in sent[pi.id]:
            told = reported.get((pi.id, row.beneficiary_number))
            if told is None:
                continue
            why = None
            if row.status in (BeneficiaryStatus.INITIATED, BeneficiaryStatus.IN_PROCESS):
                why = vouchered(pi, told.voucher_date) or not_as_sent(pi, row, told.account_number, told.ifsc, sealer)
            elif row.status == BeneficiaryStatus.SUCCESSFUL and same_utr(row.utr_number or "", told.utr_number):
                why = not_as_sent(pi, row, told.account_number, told.ifsc, sealer)
            if why is not None:
                found[pi.id, row.beneficiary_number] = why
    return found


def vouchered(pi: PaymentInstruction, day: date | None) -> str | None:
    """Why a voucher of that day (IST) can't be of this PI; None when it can.

    FD asks by the voucher's day for what has come back, so many days long: of an older one's return nobody would hear.
    """
    return misdated(pi, day, RETURNABLE_DAYS)


def misdated(pi: PaymentInstruction, day: date | None, days_before: int = DAYS_BEFORE) -> str | None:
    """Why what is dated so (IST) can't have become of this PI; None when it can."""
    if day is None:
        return None
    if day > clock.to_ist(clock.now()).date() + timedelta(days=DAYS_AHEAD):
        return f"it is dated {day}, more than {DAYS_AHEAD} days ahead"
    billed = clock.to_ist(pi.bill_date).date()
    if day < billed - timedelta(days=days_before):
        return f"it is dated {day}, and the payment instruction {billed}"
    return None


def not_as_sent(
    pi: PaymentInstruction, row: SealedRow, account_number: str | None, ifsc: str | None, sealer: Sealer | None
) -> str | None:
    """What the treasury tells of a beneficiary otherwise than it was sent; what can't be compared is not otherwise.

    Without a `sealer`, or where the account does not open, its last four digits are compared.
    """
    ours = row.account_last4
    if sealer is not None and account_number:
        with suppress(BadInputError, SealError):  # never known here, or sealed by a key that is gone
            ours = open_account(sealer, pi, row)
    if account_number and another_account(account_number, ours):
        theirs = "".join(filter(str.isdigit, account_number))[-4:]
        if theirs == row.account_last4:
            return f"it names another account than was sent, though both end in {theirs}"
        return f"it names an account that ends in {theirs}, and one that ends in {row.account_last4} was sent"
    if ifsc and another_ifsc(ifsc, row.ifsc):
        return f"it names the IFSC {mask_ifsc(ifsc)}, and {mask_ifsc(row.ifsc)} was sent"
    return None


@dataclass(frozen=True)
class _Kept:
    """Whether a kept transfer waits for a person, or one has found out that it has paid."""

    is_open: bool
    has_paid: bool


def _keep(
    connection: Connection, transfers: Mapping[tuple[UUID, str], tuple[Scroll, str | None]]
) -> dict[tuple[UUID, str], _Kept]:
    """Keep the scrolls that a person must look at; what is told otherwise than it was sent, if that is why."""
    if not transfers:
        return {}
    kept = connection.execute(
        _OTHER_TRANSFERS,
        {
            "pis": [pi for pi, _ in transfers],
            "numbers": [number for _, number in transfers],
            "utrs": [scroll.utr_number for scroll, _ in transfers.values()],
            "vouchers": [scroll.voucher_number for scroll, _ in transfers.values()],
            "voucher_dates": [scroll.voucher_date for scroll, _ in transfers.values()],
            "whys": [why for _, why in transfers.values()],
        },
    )
    return {(pi, number): _Kept(is_open, has_paid) for pi, number, is_open, has_paid in kept}


@dataclass(frozen=True)
class Failure:
    """One beneficiary's payment that came back from the bank; dates are the treasury's (IST)."""

    voucher_date: date
    reason: str | None
    challan_number: str | None
    challan_date: date | None
    beneficiary_id: str | None = None
    account_number: str | None = field(default=None, repr=False)
    ifsc: str | None = None
    utr_number: str | None = None
    bill_ref_number: str | None = None
    account_end: str | None = None
    """The last four of an account whose number is not at hand."""

    @property
    def failed_on(self) -> date:
        """The day that the 90 days count from."""
        return self.challan_date or self.voucher_date

    @property
    def account_last4(self) -> str | None:
        """What may be shown of the account: nothing of one that is no longer than that."""
        number = self.account_number
        if number is None:
            return self.account_end
        return number[-4:] if len(number) > 4 else None


def record_failures(connection: Connection, failures: Mapping[UUID, Failure]) -> list[Beneficiary]:
    """Write the failures of beneficiaries (by row id); returns those of them that had not failed before."""
    columns = columns_of(Beneficiary)
    statement = sql.SQL(
        """
        UPDATE ifms.beneficiary SET status = 'Payment Failed', status_message = %(reason)s, failed_on = %(failed_on)s,
               challan_number = %(challan_number)s, challan_date = %(challan_date)s, updated_at = now()
        WHERE id = %(id)s AND status IN ('Payment Initiated', 'Payment In Process', 'Payment Successful')
        RETURNING {}
        """
    ).format(columns)
    newly: list[Beneficiary] = []
    with connection.cursor(row_factory=class_row(Beneficiary)) as cursor:
        for row_id, failure in failures.items():
            newly += cursor.execute(
                statement,
                {
                    "id": row_id,
                    "reason": failure.reason or "the treasury gave no reason",
                    "failed_on": failure.failed_on,
                    "challan_number": failure.challan_number,
                    "challan_date": failure.challan_date,
                },
            ).fetchall()
    return newly


def tallies(connection: Connection, pis: Collection[PaymentInstruction]) -> dict[UUID, Tally]:
    """How the beneficiaries of each of these PIs stand, by PI."""
    rows = connection.execute(
        """
        SELECT payment_instruction_id,
               count(*) FILTER (WHERE status NOT IN ('Payment Successful', 'Payment Failed')),
               count(*) FILTER (WHERE status = 'Payment Failed')
        FROM ifms.beneficiary WHERE payment_instruction_id = ANY(%s) GROUP BY payment_instruction_id
        """,
        ([pi.id for pi in pis],),
        prepare=True,
    )
    return {pi: Tally(waiting, failed) for pi, waiting, failed in rows}


def keep_account(
    connection: Connection, pi: PaymentInstruction, row: Beneficiary, number: str, ifsc: str, sealer: Sealer
) -> None:
    """Keep an account that was not known when the row was made, and what is shown of it where that is missing too."""
    if not row.ifsc:
        row = replace(row, ifsc=ifsc, account_last4=number[-4:])
    connection.execute(
        """
        UPDATE ifms.beneficiary SET account_sealed = %(sealed)s, account_last4 = %(last4)s, ifsc = %(ifsc)s
        WHERE id = %(id)s AND account_sealed IS NULL
        """,
        {
            "sealed": seal_account(sealer, pi.tenant_id, pi.pi_number, row, number),
            "last4": row.account_last4,
            "ifsc": row.ifsc,
            "id": row.id,
        },
    )


def hold(connection: Connection, pis: Collection[PaymentInstruction]) -> None:
    """Lock PIs and the payments that they pay: until the caller has committed, nobody else reckons with who is paid.

    Before anything is written of their beneficiaries: a failure that another run books meanwhile, of one who is paid by
    an earlier scroll, by no scroll, or by another PI of the payment, would not be seen, and all would be SUCCESSFUL.
    """
    for locked in (
        """
        SELECT FROM ifms.payment_instruction WHERE id = ANY(%s)
        ORDER BY tenant_id, payment_number, pi_number FOR NO KEY UPDATE
        """,
        """
        SELECT FROM ifms.payment WHERE (tenant_id, payment_number) IN (
            SELECT tenant_id, payment_number FROM ifms.payment_instruction WHERE id = ANY(%s))
        ORDER BY tenant_id, payment_number FOR NO KEY UPDATE
        """,
    ):
        connection.execute(locked, ([pi.id for pi in pis],), prepare=True)


def standing(connection: Connection, pis: Collection[PaymentInstruction]) -> list[Tally]:
    """How all beneficiaries of each PI's payment stand, each by the last PI that pays it; the caller holds them.

    One that has failed, or that a PI which the treasury has not accepted yet shall pay anew, counts as failed.
    """
    payments = [(pi.tenant_id, pi.payment_number) for pi in pis]
    asked = sorted(set(payments))
    rows = connection.execute(
        """
        SELECT tenant_id, payment_number,
               count(*) FILTER (WHERE last AND status IN ('Payment Initiated', 'Payment In Process')),
               count(*) FILTER (WHERE last AND status IN ('Payment Failed', 'Payment Pending'))
        FROM (SELECT p.tenant_id, p.payment_number, b.status,
                     row_number() OVER (PARTITION BY p.tenant_id, p.payment_number, b.beneficiary_number
                                        ORDER BY b.created_at DESC) = 1 AS last
              FROM unnest(%s::text[], %s::text[]) AS of (tenant_id, payment_number)
              JOIN ifms.payment_instruction p USING (tenant_id, payment_number)
              JOIN ifms.beneficiary b ON b.payment_instruction_id = p.id
              WHERE p.status <> 'FAILED') paying
        GROUP BY tenant_id, payment_number
        """,
        ([tenant for tenant, _ in asked], [number for _, number in asked]),
        prepare=True,
    )
    found = {(tenant, number): Tally(*stand) for tenant, number, *stand in rows}
    return [found.get(payment, Tally(0, 0)) for payment in payments]
