"""What others must hear, written in the transaction of the change that they must hear of; ifms_relay delivers it."""

from __future__ import annotations

from psycopg.types.json import Jsonb

from ifms.ledger.database import Connection

PAYMENT_STATUS = "payment_status"


def tell_payment_status(
    connection: Connection, tenant_id: str, payment_number: str, status: str, reference_status: str
) -> None:
    """The platform shall set the payment, its bills, details and lines to `status` (digit-services.md §3).

    In order per payment: rows of one `ordering_key` are delivered by their id.
    """
    connection.execute(
        "INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload) VALUES (%s, %s, %s, %s)",
        (
            PAYMENT_STATUS,
            tenant_id,
            f"{tenant_id}:{payment_number}",
            Jsonb({"paymentNumber": payment_number, "status": status, "referenceStatus": reference_status}),
        ),
    )
