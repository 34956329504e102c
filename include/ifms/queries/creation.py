"""What became of a payment, or of a correction, for whoever has asked for its payment instruction and waits."""

from __future__ import annotations

from typing import Any

from psycopg.rows import dict_row

from ifms.ledger.database import Connection

Row = dict[str, Any]


def payment(connection: Connection, tenant_id: str, payment_number: str) -> Row | None:
    """The payment's row, with why it has no PI yet, and as `stand_in` tells it."""
    found = _rows(
        connection,
        """
        SELECT *, ifms.without_numbers(hold_message) AS why, raised_at AS created_at,
               coalesce(held_since, polled_at, seen_at) AS updated_at
        FROM ifms.payment WHERE tenant_id = %s AND payment_number = %s
        """,
        tenant_id,
        payment_number,
    )
    return found[0] if found else None


def originals(connection: Connection, tenant_id: str, payment_number: str) -> list[Row]:
    """The payment's original PIs but its repayments, the newest first: `id`, `pi_number`, `status`."""
    return _rows(
        connection,
        """
        SELECT id, pi_number, status FROM ifms.payment_instruction
        WHERE tenant_id = %s AND payment_number = %s AND pi_type = 'ORIGINAL' AND repayment_of IS NULL
        ORDER BY created_at DESC
        """,
        tenant_id,
        payment_number,
    )


def original_of(connection: Connection, tenant_id: str, pi_number: str) -> str:
    """The number of the original whose revision a PI is; any other number as it is."""
    found = _rows(
        connection,
        "SELECT parent_pi_number FROM ifms.payment_instruction WHERE tenant_id = %s AND pi_number = %s",
        tenant_id,
        pi_number,
    )
    return str(found[0]["parent_pi_number"] or pi_number) if found else pi_number


def revisions(connection: Connection, tenant_id: str, pi_number: str) -> list[Row]:
    """The original's revised PIs, the newest first: `id`, `pi_number`, `status`, `paid`, `same`.

    `paid` are the numbers of its beneficiaries, `same` of those on the account that failed (None when there is none).
    """
    return _rows(
        connection,
        """
        SELECT p.id, p.pi_number, p.status, b.paid, b.same
        FROM ifms.payment_instruction p, LATERAL (
            SELECT array_agg(beneficiary_number ORDER BY beneficiary_number) AS paid,
                   array_agg(beneficiary_number) FILTER (WHERE same_account_by IS NOT NULL) AS same
            FROM ifms.beneficiary WHERE payment_instruction_id = p.id) b
        WHERE p.tenant_id = %s AND p.parent_pi_number = %s ORDER BY p.created_at DESC
        """,
        tenant_id,
        pi_number,
    )


def failed_outside(connection: Connection, pi_number: str, revision: str) -> list[Row]:
    """The original's failed beneficiaries who are not in `revision`: `beneficiary_number`, `beneficiary_id`."""
    return _rows(
        connection,
        """
        SELECT beneficiary_number, beneficiary_id FROM ifms.failed_beneficiary
        WHERE original_pi_number = %s AND pi_number <> %s ORDER BY beneficiary_number
        """,
        pi_number,
        revision,
    )


def _rows(connection: Connection, statement: str, *values: object) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.encode(), values).fetchall()
