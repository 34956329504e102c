"""What stands in DIGIT's words for a payment that has no PI yet: its screens break on an empty answer.

The Java adapter saved a failed and inactive PI for it (waiting-payments.md §1). Here it is reckoned from the payment's
row and is nobody's PI: nothing was sent, no money is reserved. It is told under the payment's id, which the first PI of
the payment takes over.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from ifms import clock
from ifms.cities import Cities, condition
from ifms.errors import BadInputError
from ifms.ledger.database import Connection
from ifms.ledger.status_log import LogStatus
from ifms.ledger.statuses import PiStatus
from ifms.queries import digit_document
from ifms.queries.search import Criteria

Row = dict[str, Any]

AFTER = "payment:"
"""A cursor that begins so goes on after a stand-in."""

_NO_FUNDS = "PAYMENT_INSUFFICIENT_FUNDS"
_FROM = f"""
    FROM ifms.payment y
    WHERE y.paid_by IS NULL AND NOT EXISTS (
        SELECT FROM ifms.payment_instruction p WHERE p.tenant_id = y.tenant_id AND p.payment_number = y.payment_number)
      AND {condition("y.tenant_id")}
"""
_COLUMNS = """
    y.id, y.tenant_id, y.payment_number, y.amount, y.bill_numbers, y.hold_code,
    ifms.without_numbers(y.hold_message) AS why, y.raised_at AS created_at,
    coalesce(y.held_since, y.polled_at, y.seen_at) AS updated_at
"""


def wanted(criteria: Criteria) -> bool:
    """Whether a search is one that a stand-in answers: for a payment, by what names it, or for what FAILED."""
    if criteria.pi_type == "REVISED" or criteria.parent_pi_number is not None:
        return False
    if criteria.after is not None and not criteria.after.startswith(AFTER):
        return False  # among the PIs, which come after them
    named = (criteria.payment_number, criteria.ids, criteria.pi_numbers)
    return criteria.status == PiStatus.FAILED or any(each is not None for each in named)


def find(connection: Connection, criteria: Criteria, cities: Cities) -> list[Row]:
    """A page of the payments without a PI of these cities that meet the criteria, by when they were raised.

    Raises BadInputError for a cursor that is none.
    """
    where, values = _conditions(criteria, cities)
    direction = "ASC" if criteria.ascending else "DESC"
    if criteria.after is not None:
        values["after"] = _after(criteria.after)
        where += f""" AND (y.raised_at, y.id) {">" if criteria.ascending else "<"}
            (SELECT raised_at, id FROM ifms.payment WHERE id = %(after)s)"""
    return _rows(
        connection,
        f"""
        SELECT {_COLUMNS} {_FROM} {where} ORDER BY y.raised_at {direction}, y.id {direction}
        LIMIT %(limit)s OFFSET %(offset)s
        """,
        values | {"limit": criteria.limit, "offset": criteria.offset},
    )


def count(connection: Connection, criteria: Criteria, cities: Cities, most: int = 10_000) -> int:
    """How many meet the criteria, whatever the page; `most` + 1 stands for more than that."""
    where, values = _conditions(criteria, cities)
    [row] = _rows(
        connection,
        f"SELECT count(*) AS n FROM (SELECT {_FROM} {where} LIMIT %(limit)s) counted",
        values | {"limit": most + 1},
    )
    return int(row["n"])


def of_payments(connection: Connection, payments: Collection[tuple[str, str]]) -> dict[tuple[str, str], Row]:
    """The rows of those of these payments, each (tenant, number), that have no PI."""
    rows = _rows(
        connection,
        f"""
        SELECT {_COLUMNS} {_FROM}
          AND (y.tenant_id, y.payment_number) IN (SELECT * FROM unnest(%(tenants)s::text[], %(numbers)s::text[]))
        """,
        {"cities": None, "tenants": [tenant for tenant, _ in payments], "numbers": [number for _, number in payments]},
    )
    return {(row["tenant_id"], row["payment_number"]): row for row in rows}


def head(row: Row) -> dict[str, Any]:
    """What everybody hears of it: FAILED and inactive when something holds it, else PENDING."""
    amount = digit_document.number(row["amount"])
    held = row["hold_code"] is not None
    return {
        "id": str(row["id"]),
        "tenantId": row["tenant_id"],
        "jitBillNo": row["payment_number"],  # what it can be asked for by; no PI has such a number
        "muktaReferenceId": row["payment_number"],
        "numBeneficiaries": 0,
        "grossAmount": amount,
        "netAmount": amount,
        "piStatus": str(PiStatus.FAILED if held else PiStatus.PENDING),
        "isActive": not held,
        "additionalDetails": {"billNumber": list(row["bill_numbers"]), "referenceId": []},
        "beneficiaryDetails": [],
        "auditDetails": digit_document.audit(row),
    }


def error(row: Row) -> str | None:
    """Why it has no PI: the code that DIGIT knows, and the words."""
    return None if row["hold_code"] is None else f"{row['hold_code']}: {row['why']}"


def document(row: Row) -> dict[str, Any]:
    """It as an answer of `_search`: with one log entry and one empty advice, which the screens take from lists."""
    nobody = dict.fromkeys(
        (
            "paBillRefNumber",
            "paFinYear",
            "paAdviceId",
            "paAdviceDate",
            "paTokenNumber",
            "paTokenDate",
            "paErrorMsg",
            "additionalDetails",
        )
    )
    belongs = {"id": str(row["id"]), "tenantId": row["tenant_id"]}
    audit = digit_document.audit(row)
    return digit_document.without_nulls(
        head(row)
        | {
            "piErrorResp": error(row),
            "transactionDetails": [],
            "paDetails": [
                belongs
                | {"muktaReferenceId": row["payment_number"], "piId": str(row["id"])}
                | nobody
                | {"auditDetails": audit}
            ],
            "piStatusLogs": [
                {
                    "id": str(row["id"]),
                    "piId": str(row["id"]),
                    "serviceId": "PI",
                    "status": f"STATUS_LOG_PI_{_said(row)}",
                    "additionalDetails": None if row["why"] is None else {"message": row["why"]},
                    "auditDetails": audit | {"createdTime": clock.epoch_ms(row["updated_at"])},
                }
            ],
        }
    )


def _said(row: Row) -> LogStatus:
    if row["hold_code"] is None:
        return LogStatus.NOT_SENT
    return LogStatus.NO_FUNDS if row["hold_code"] == _NO_FUNDS else LogStatus.ERROR


def _conditions(criteria: Criteria, cities: Cities) -> tuple[str, dict[str, Any]]:
    wanted = ""
    values: dict[str, Any] = {"cities": cities.listed}
    for name, text, value in (
        ("tenant_id", "y.tenant_id = %(tenant_id)s", criteria.tenant_id),
        ("payment_number", "y.payment_number = %(payment_number)s", criteria.payment_number),
        ("numbers", "y.payment_number = ANY(%(numbers)s)", _list(criteria.pi_numbers)),
        ("ids", "y.id = ANY(%(ids)s)", _list(criteria.ids)),
        ("bill", "y.bill_numbers @> ARRAY[%(bill)s::text]", criteria.bill_number),
        ("status", "(CASE WHEN y.hold_code IS NULL THEN 'PENDING' ELSE 'FAILED' END) = %(status)s", criteria.status),
        ("active", "(y.hold_code IS NULL) = %(active)s", criteria.is_active),
    ):
        if value is not None:
            wanted += f" AND {text}"
            values[name] = value
    return wanted, values


def _list(values: Sequence[Any] | None) -> list[Any] | None:
    return None if values is None else list(values)


def _after(cursor: str) -> UUID:
    try:
        return UUID(cursor.removeprefix(AFTER))
    except ValueError:
        raise BadInputError("this page can't be found again; search anew") from None


def _rows(connection: Connection, statement: str, values: dict[str, Any]) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.encode(), values, prepare=False).fetchall()
