"""Failures that match no payment instruction: kept until somebody has seen to them."""

from __future__ import annotations

from ifms.ledger.beneficiaries import Failure
from ifms.ledger.database import Connection


def keep_unmatched(
    connection: Connection, bill_number: str, failure: Failure, account_sealed: bytes | None, why: str
) -> bool:
    """Keep a reported failure that could not be booked; True when it was not known before."""
    row = connection.execute(
        """
        INSERT INTO ifms.unmatched_failure AS known (bill_number, beneficiary_id, voucher_date, account_sealed,
            account_last4, ifsc, utr_number, challan_number, challan_date, reason, why_unmatched)
        VALUES (%(bill)s, %(beneficiary)s, %(voucher_date)s, %(sealed)s, %(last4)s, %(ifsc)s, %(utr)s, %(challan)s,
            %(challan_date)s, %(reason)s, %(why)s)
        ON CONFLICT (bill_number, beneficiary_id, voucher_date, challan_number, utr_number, account_last4, ifsc)
        DO UPDATE SET last_told_at = now(), why_unmatched = excluded.why_unmatched
        RETURNING xmax = 0  -- inserted, not updated
        """,
        {
            "bill": bill_number,
            "beneficiary": failure.beneficiary_id or "",
            "voucher_date": failure.voucher_date,
            "sealed": account_sealed,
            "last4": _last4(failure),
            "ifsc": failure.ifsc,
            "utr": failure.utr_number,
            "challan": failure.challan_number,
            "challan_date": failure.challan_date,
            "reason": failure.reason,
            "why": why,
        },
    ).fetchone()
    return bool(row and row[0])


def now_matched(connection: Connection, bill_number: str, failure: Failure) -> None:
    """A failure that had matched nothing has been booked after all."""
    connection.execute(
        """
        UPDATE ifms.unmatched_failure SET matched_at = now()
        WHERE matched_at IS NULL
          AND (bill_number, beneficiary_id, voucher_date, challan_number, utr_number, account_last4)
              IS NOT DISTINCT FROM (%s, %s, %s, %s, %s, %s)
        """,
        (
            bill_number,
            failure.beneficiary_id or "",
            failure.voucher_date,
            failure.challan_number,
            failure.utr_number,
            _last4(failure),
        ),
    )


def _last4(failure: Failure) -> str | None:
    """What may be shown of the account: nothing of one that is no longer than that."""
    number = failure.account_number
    return number[-4:] if number and len(number) > 4 else None
