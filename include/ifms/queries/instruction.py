"""Payment instructions with all that belongs to them: what one page shows of one, what DIGIT is sent of several."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from ifms import clock
from ifms.cities import Cities, condition
from ifms.errors import SealError
from ifms.ledger import beneficiaries, instructions
from ifms.ledger.binding import open_account
from ifms.ledger.database import Connection
from ifms.ledger.limits import overdue
from ifms.sealing import Sealer
from ifms.wire.bank import mask_long_numbers

Row = dict[str, Any]

# Words of the treasury's and of banks', which may quote an account number.
_FREE_TEXTS = {"error_message", "hold_message", "message", "status_message", "success_description"}

# What waits, and for which service: the one that is asked when somebody wants to know now.
NEXT_SERVICE = {
    ("ORIGINAL", "PENDING"): "PI",
    ("REVISED", "PENDING"): "PI",
    ("ORIGINAL", "INITIATED"): "PIS",
    ("ORIGINAL", "APPROVED"): "PAG",
    ("ORIGINAL", "IN PROCESS"): "PD",
    ("REVISED", "INITIATED"): "FTPS",
    ("REVISED", "SUCCESSFUL"): "FTFPS",
    ("REVISED", "PARTIAL"): "FTFPS",
    ("REVISED", "COMPLETED"): "FTFPS",
}
"""What waits, and for which service: the one that is asked when somebody wants to know now."""


@dataclass(frozen=True)
class Whole:
    """A PI's row and the rows of other tables that belong to it, each as its table has it; without account numbers."""

    pi: Row
    beneficiaries: list[Row]
    movements: list[Row]
    log: list[Row]

    @property
    def next_service(self) -> str | None:
        """The service whose answer it waits for; None when nothing can be asked about it alone."""
        return NEXT_SERVICE.get((self.pi["pi_type"], self.pi["status"]))

    @property
    def overdue(self) -> bool:
        """Whether it has been where it stands for longer than it should."""
        return overdue(self.pi["pi_type"], self.pi["status"], self.pi["status_since"], clock.now())

    @property
    def failed(self) -> list[Row]:
        """Its beneficiaries whose payment failed and whom nobody has taken over."""
        return [row for row in self.beneficiaries if row["waits_for_correction"]]


def load(connection: Connection, ids: Collection[UUID], cities: Cities) -> list[Whole]:
    """The PIs of these cities with these ids, in the order given; an id that is none's is left out."""
    pis = _rows(
        connection,
        f"SELECT * FROM ifms.payment_instruction WHERE id = ANY(%(ids)s) AND {condition('tenant_id')}",
        {"ids": list(ids), "cities": cities.listed},
    )
    by_id = {row["id"]: row for row in pis}
    wanted = [each for each in ids if each in by_id]
    beneficiaries = _rows(
        connection,
        """
        SELECT b.id, b.payment_instruction_id, b.beneficiary_number, b.beneficiary_id, b.beneficiary_type, b.amount,
               b.line_item_ids, b.name, b.account_last4, b.account_type, b.ifsc, b.bank_account_id, b.status,
               b.status_message, b.voucher_number, b.voucher_date, b.utr_number, b.utr_date, b.end_to_end_id,
               b.challan_number, b.challan_date, b.failed_on, b.created_at, b.updated_at,
               ifms.correct_by(b.failed_on) AS correct_by,
               b.status = 'Payment Failed' AND b.failed_on IS NOT NULL
                   AND EXISTS (SELECT FROM ifms.failed_beneficiary f WHERE f.id = b.id) AS waits_for_correction
        FROM ifms.beneficiary b WHERE b.payment_instruction_id = ANY(%s) ORDER BY b.beneficiary_number
        """,
        wanted,
    )
    movements = _rows(
        connection, "SELECT * FROM ifms.fund_movement WHERE payment_instruction_id = ANY(%s) ORDER BY id", wanted
    )
    log = _rows(
        connection, "SELECT * FROM ifms.status_log WHERE payment_instruction_id = ANY(%s) ORDER BY id DESC", wanted
    )
    parts = (_by_pi(beneficiaries), _by_pi(movements), _by_pi(log))
    return [Whole(by_id[i], *(part.get(i, []) for part in parts)) for i in wanted]


def by_number(connection: Connection, pi_number: str, cities: Cities) -> Whole | None:
    """The PI with this number; None when there is none, or none of these cities."""
    row = connection.execute("SELECT id FROM ifms.payment_instruction WHERE pi_number = %s", (pi_number,)).fetchone()
    return None if row is None else next(iter(load(connection, [row[0]], cities)), None)


@dataclass(frozen=True)
class Around:
    """What a PI's page shows besides the PI: its relatives, its calls (facts only) and what holds its payment back."""

    original: Row | None
    """Of a revision or a repayment: the PI whose failed payments it pays."""
    later: list[Row]
    """Its revisions, repayments and successors, the oldest first."""
    calls: list[Row]
    payment: Row | None
    alive: bool
    """Whether the payment has another PI that is not FAILED."""
    correctable_until: date | None
    """The first day on which one of its failed payments can no longer be corrected, less one; None without any."""
    busy: str | None
    """The number of the revision or repayment under way of the original."""
    sanction_year: str | None
    """The financial year in whose register its movements are; None for a revision, which moves nothing."""
    head_name: str | None
    city_name: str | None


def around(connection: Connection, whole: Whole, cities: Cities) -> Around:
    """What of these cities belongs on the page of one PI."""
    pi = whole.pi
    root = pi["parent_pi_number"] or pi["repayment_of"] or pi["pi_number"]
    family = _rows(
        connection,
        f"""
        SELECT pi_number, pi_type, parent_pi_number, repayment_of, status, net_amount, created_at
        FROM ifms.payment_instruction
        WHERE (pi_number = %(root)s OR parent_pi_number = %(root)s OR repayment_of = %(root)s
               OR (tenant_id = %(tenant)s AND payment_number = %(payment)s)) AND {condition("tenant_id")}
        ORDER BY created_at, pi_number
        """,
        {"root": root, "tenant": pi["tenant_id"], "payment": pi["payment_number"], "cities": cities.listed},
    )
    calls = _rows(
        connection,
        """
        SELECT id, service_id, outcome, status_code, error_message, duration_ms, created_at FROM ifms.treasury_call
        WHERE payment_instruction_id = %s ORDER BY created_at DESC LIMIT 100
        """,
        pi["id"],
    )
    payment = _rows(
        connection,
        "SELECT * FROM ifms.payment WHERE tenant_id = %(tenant)s AND payment_number = %(payment)s",
        {"tenant": pi["tenant_id"], "payment": pi["payment_number"]},
    )
    sanction = connection.execute(
        "SELECT financial_year FROM ifms.sanction WHERE id = ANY(%s)", ([m["sanction_id"] for m in whole.movements],)
    ).fetchone()
    named = dict(
        connection.execute(
            "SELECT kind, name FROM ifms.display_name WHERE (kind, code) IN (('HEAD', %s), ('CITY', %s))",
            (pi["hoa_code"], pi["tenant_id"]),
        ).fetchall()
    )
    days = [row["correct_by"] for row in whole.failed]
    others = [row for row in family if row["pi_number"] != pi["pi_number"]]
    original = next((row for row in others if row["pi_number"] == root), None)
    return Around(
        original=original,
        later=[row for row in others if row is not original],
        calls=calls,
        payment=payment[0] if payment else None,
        alive=any(row["status"] != "FAILED" and row["pi_type"] == pi["pi_type"] for row in others),
        correctable_until=min(days, default=None),
        busy=next((row["pi_number"] for row in family if _under_way(row, corrected_as(pi))), None),
        sanction_year=sanction[0] if sanction else None,
        head_name=named.get("HEAD"),
        city_name=named.get("CITY"),
    )


def pi_of_call(connection: Connection, call_id: UUID, cities: Cities) -> Row | None:
    """Number and city of the PI that a call was about; None for no call, one about no PI, or a PI of another city."""
    rows = _rows(
        connection,
        f"""
        SELECT p.pi_number, p.tenant_id FROM ifms.treasury_call c
        JOIN ifms.payment_instruction p ON p.id = c.payment_instruction_id
        WHERE c.id = %(call)s AND {condition("p.tenant_id")}
        """,
        {"call": call_id, "cities": cities.listed},
    )
    return rows[0] if rows else None


@dataclass(frozen=True)
class Outcome:
    """What a DAG run did about one PI."""

    pi_number: str
    made: bool
    """Whether the run has made the PI."""
    submitted: bool
    """Whether the treasury has taken it in this run."""
    uncertain: bool
    """Whether a submission may have arrived without being settled, as the PI stands now."""
    message: str | None
    """The last words of the run about it."""


def outcomes(connection: Connection, pi: Row, dag_id: str, run_id: str, cities: Cities) -> list[Outcome]:
    """What a DAG run did about the PIs of the payment of `pi`, as far as they are of these cities; by their numbers."""
    rows = _rows(
        connection,
        f"""
        SELECT p.pi_number, p.created_at >= (
                   SELECT min(started_at) FROM ifms.sweep_run WHERE (dag_id, run_id) = (%(dag)s, %(run)s)) AS made,
               bool_or(l.to_status IS NOT DISTINCT FROM 'INITIATED') AS submitted,
               (p.uncertain OR p.last_attempt IS DISTINCT FROM 'never_sent') AND p.status = 'PENDING' AS uncertain,
               (array_agg(l.message ORDER BY l.id DESC))[1] AS message
        FROM ifms.status_log l
        JOIN ifms.sweep_run r ON r.id = l.sweep_run_id AND (r.dag_id, r.run_id) = (%(dag)s, %(run)s)
        JOIN ifms.payment_instruction p ON p.id = l.payment_instruction_id
        WHERE l.tenant_id = %(tenant)s AND l.payment_number = %(payment)s AND {condition("p.tenant_id")}
        GROUP BY p.id ORDER BY p.pi_number
        """,
        {
            "dag": dag_id,
            "run": run_id,
            "tenant": pi["tenant_id"],
            "payment": pi["payment_number"],
            "cities": cities.listed,
        },
    )
    return [Outcome(**row) for row in rows]


def corrected_as(pi: Row) -> str:
    """The number that a correction names: the original's, whose revisions a revision's failures belong to, too."""
    return str(pi["parent_pi_number"] or pi["pi_number"])


def account_numbers(
    connection: Connection, pi_number: str, sealer: Sealer, cities: Cities
) -> dict[UUID, str | SealError | None]:
    """The account numbers of a PI's beneficiaries by row; None where none was ever known, else why it does not open.

    None at all of a PI of another city.
    """
    pi = instructions.find(connection, [pi_number])[pi_number]
    if pi.tenant_id not in cities:
        return {}
    found: dict[UUID, str | SealError | None] = {}
    for row in beneficiaries.of(connection, [pi.id])[pi.id]:
        try:
            found[row.id] = None if row.account_sealed is None else open_account(sealer, pi, row)
        except SealError as error:
            found[row.id] = error
    return found


def _under_way(row: Row, original: str) -> bool:
    if row["parent_pi_number"] == original:
        return row["status"] in ("PENDING", "INITIATED")
    return row["repayment_of"] == original and row["status"] in ("PENDING", "INITIATED", "APPROVED", "IN PROCESS")


def _rows(connection: Connection, statement: str, given: object) -> list[Row]:
    values: Mapping[str, object] | tuple[object] = given if isinstance(given, Mapping) else (given,)
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(statement.encode(), values).fetchall()
    for row in found:
        for name in _FREE_TEXTS & row.keys():
            row[name] = row[name] and mask_long_numbers(row[name])
    return found


def _by_pi(rows: list[Row]) -> dict[UUID, list[Row]]:
    found: dict[UUID, list[Row]] = {}
    for row in rows:
        found.setdefault(row["payment_instruction_id"], []).append(row)
    return found
