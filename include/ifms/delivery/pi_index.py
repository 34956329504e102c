"""Documents of the platform's index of PIs. Facts: digit-services.md §11 (ifms-pi-index-enrich).

No name, account, IFSC, phone or address of a beneficiary is in it, nor anything of the payment advice.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ifms.cities import Cities
from ifms.ledger.database import Connection
from ifms.queries import digit_document
from ifms.queries.instruction import Whole, load


def documents(connection: Connection, pi_numbers: Collection[str]) -> dict[str, dict[str, Any]]:
    """The index's documents of these PIs, as they stand now, by their numbers; one that is none is left out."""
    found = connection.execute(
        "SELECT id FROM ifms.payment_instruction WHERE pi_number = ANY(%s)", (list(pi_numbers),)
    ).fetchall()
    return {
        whole.pi["pi_number"]: _document(whole) for whole in load(connection, [row[0] for row in found], Cities.ALL)
    }


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
