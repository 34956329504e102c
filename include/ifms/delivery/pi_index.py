"""Documents of the platform's index of PIs. Facts: digit-services.md §11 (ifms-pi-index-enrich).

No name, account, IFSC, phone or address of a beneficiary is in it, nor anything of the payment advice.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ifms.cities import Cities
from ifms.ledger.database import Connection
from ifms.queries import digit_document, stand_in
from ifms.queries.instruction import Whole, load


def documents(connection: Connection, pi_numbers: Collection[str]) -> dict[str, dict[str, Any]]:
    """The index's documents of these PIs, as they stand now, by their numbers; one that is none is left out."""
    found = connection.execute(
        "SELECT id FROM ifms.payment_instruction WHERE pi_number = ANY(%s)", (list(pi_numbers),)
    ).fetchall()
    return {
        whole.pi["pi_number"]: _document(whole) for whole in load(connection, [row[0] for row in found], Cities.ALL)
    }


def of_payments(connection: Connection, payments: Collection[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    """The index's documents of these payments, each (tenant, number): what stands in for a PI, else its first PI.

    The first PI has its payment's id: in the index it is written over what stood in for it.
    """
    waiting = stand_in.of_payments(connection, payments)
    found = {
        payment: digit_document.without_nulls(stand_in.head(row))
        | {"piType": "ORIGINAL", "parentPiNumber": "", "piErrorResp": stand_in.error(row) or ""}
        for payment, row in waiting.items()
    }
    paid = sorted(set(payments) - set(waiting))
    rows = connection.execute(
        """
        SELECT DISTINCT ON (p.tenant_id, p.payment_number) p.id FROM ifms.payment_instruction p
        JOIN ifms.payment y ON y.tenant_id = p.tenant_id AND y.payment_number = p.payment_number
        WHERE (y.tenant_id, y.payment_number) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
        ORDER BY p.tenant_id, p.payment_number, p.id = y.id DESC, p.created_at
        """,
        ([tenant for tenant, _ in paid], [number for _, number in paid]),
    ).fetchall()
    for whole in load(connection, [row[0] for row in rows], Cities.ALL):
        found[whole.pi["tenant_id"], whole.pi["payment_number"]] = _document(whole)
    return found


def _document(whole: Whole) -> dict[str, Any]:
    pi = whole.pi
    document = digit_document.head(pi) | {
        "piType": pi["pi_type"],
        "beneficiaryDetails": [digit_document.beneficiary(pi, row) for row in whole.beneficiaries],
    }
    return digit_document.without_nulls(document) | {  # the index wants these two even when there is nothing to say
        "parentPiNumber": pi["parent_pi_number"] or "",
        "piErrorResp": pi["error_message"] or "",
    }
