"""What a correction must know: which payments of a PI have failed, and by which PIs they were tried before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row

from ifms.ledger.columns import columns_of
from ifms.ledger.database import Connection
from ifms.ledger.models import Beneficiary, PaymentInstruction
from ifms.ledger.statuses import BeneficiaryStatus, PiStatus


def correct_by(connection: Connection, days: Collection[date]) -> dict[date, date]:
    """The last day (IST) on which a payment that failed on each of `days` can be corrected.

    90 days later, or 30 April of the next financial year if that is earlier (treasury-jit.md §4, the 90-day rule), or
    what the connection has instead. The rule is the database's, `ifms.correct_by`, and written nowhere else.
    """
    rows = connection.execute("SELECT day, ifms.correct_by(day) FROM unnest(%s::date[]) AS day", (list(set(days)),))
    return dict(rows.fetchall())


@dataclass(frozen=True)
class Try:
    """One PI by which a beneficiary was, or is, to be paid."""

    pi: PaymentInstruction
    row: Beneficiary

    @property
    def failed(self) -> bool:
        """Whether the bank gave the money back."""
        return self.row.status is BeneficiaryStatus.FAILED


@dataclass(frozen=True)
class History:
    """A beneficiary of an original PI, with every PI that the treasury took it in, the earliest first."""

    first: Try
    tries: tuple[Try, ...]

    @property
    def last(self) -> Try:
        """The latest of them."""
        return self.tries[-1]


def originals_with_failures(connection: Connection, tenants: Collection[str] | None) -> list[tuple[str, str]]:
    """(tenant, original PI) of every beneficiary whose last payment failed and whom nobody has taken over."""
    rows = connection.execute(
        """
        SELECT DISTINCT p.tenant_id, p.pi_number
        FROM ifms.failed_beneficiary f JOIN ifms.payment_instruction p ON p.pi_number = f.original_pi_number
        WHERE p.status IN ('PARTIAL', 'COMPLETED') AND (%(t)s::text[] IS NULL OR p.tenant_id = ANY(%(t)s))
        ORDER BY 1, 2
        """,
        {"t": None if tenants is None else list(tenants)},
    ).fetchall()
    return [(row[0], row[1]) for row in rows]


def histories(
    connection: Connection, original: PaymentInstruction, before: datetime | None = None
) -> dict[str, History]:
    """The beneficiaries of an original PI by number, with their PIs made `before` then; declined ones do not count."""
    columns = columns_of(Beneficiary, "b")
    with connection.cursor(row_factory=class_row(Beneficiary)) as cursor:
        rows = cursor.execute(
            sql.SQL(
                """
                SELECT {} FROM ifms.beneficiary b
                WHERE b.beneficiary_number IN (
                    SELECT beneficiary_number FROM ifms.beneficiary WHERE payment_instruction_id = %(original)s)
                  AND (%(before)s::timestamptz IS NULL OR b.created_at < %(before)s)
                ORDER BY b.created_at, b.beneficiary_number
                """
            ).format(columns),
            {"original": original.id, "before": before},
        ).fetchall()
    names = columns_of(PaymentInstruction)
    with connection.cursor(row_factory=class_row(PaymentInstruction)) as cursor:
        pis = {
            pi.id: pi
            for pi in cursor.execute(
                sql.SQL("SELECT {} FROM ifms.payment_instruction WHERE id = ANY(%s)").format(names),
                (list({row.payment_instruction_id for row in rows}),),
            )
        }
    tries: dict[str, list[Try]] = {}
    for row in rows:
        pi = pis[row.payment_instruction_id]
        if pi.status is not PiStatus.FAILED:
            tries.setdefault(row.beneficiary_number, []).append(Try(pi, row))
    return {
        number: History(next(each for each in made if each.pi.id == original.id), tuple(made))
        for number, made in tries.items()
    }


def revision_under_way(connection: Connection, original: PaymentInstruction) -> str | None:
    """The number of the revision or repayment of an original that is still on its way; None when there is none."""
    row = connection.execute(
        """
        SELECT pi_number FROM ifms.payment_instruction
        WHERE (parent_pi_number = %(number)s AND status IN ('PENDING', 'INITIATED'))
           OR (repayment_of = %(number)s AND status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS'))
        LIMIT 1
        """,
        {"number": original.pi_number},
    ).fetchone()
    return None if row is None else str(row[0])


def made_by_run(connection: Connection, pi_number: str, sweep_run_id: UUID) -> str | None:
    """The revision of an original that the DAG run of this sweep has made before and the treasury has not declined.

    A run is tried again, or cleared by a person: what its form asked for is done once. None outside Airflow.
    """
    row = connection.execute(
        """
        SELECT p.pi_number
        FROM ifms.payment_instruction p
        JOIN ifms.treasury_call c ON c.payment_instruction_id = p.id AND c.service_id = 'COR'
        JOIN ifms.sweep_run made ON made.id = c.sweep_run_id AND made.started_at <= p.created_at
        JOIN ifms.sweep_run mine ON (mine.dag_id, mine.run_id) = (made.dag_id, made.run_id)
        WHERE p.parent_pi_number = %s AND p.status <> 'FAILED' AND mine.id = %s
        ORDER BY p.created_at DESC LIMIT 1
        """,
        (pi_number, sweep_run_id),
    ).fetchone()
    return None if row is None else str(row[0])
