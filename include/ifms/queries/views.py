"""Questions to the views: which rows of one are asked for, as a statement and its values.

What the columns mean the database says itself, and docs/views.md after it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from ifms.errors import BadInputError
from ifms.ledger.statuses import BeneficiaryStatus, PiStatus
from ifms.queries.funds import KINDS

OPEN = (PiStatus.PENDING, PiStatus.INITIATED, PiStatus.APPROVED, PiStatus.IN_PROCESS)
NEXT_STEPS = ("CORRECT", "WAIT", "PAY ANEW")
BILL_TYPES = ("WAGE", "PURCHASE", "SUPERVISION", "MIXED")
STATES = ("OPEN", "MATCHED", "CLOSED")
TRANSFER_STATES = ("OPEN", "PAID", "NOT PAID")
_YEAR = re.compile(r"[0-9]{4}-[0-9]{2}", re.ASCII)


@dataclass(frozen=True)
class Question:
    """A statement for psycopg, and its values."""

    statement: str
    values: Mapping[str, Any]


def fund_register(
    financial_year: str | None = None,
    *,
    tenants: Collection[str] | None = None,
    hoa_codes: Collection[str] | None = None,
    transaction_types: Collection[str] | None = None,
    recorded_from: datetime | None = None,
    recorded_until: datetime | None = None,
) -> Question:
    """The register's rows in the order in which things happened."""
    return _question(
        "fund_register",
        "movement_id",
        ("financial_year = %({})s", _year(financial_year)),
        ("tenant_id = ANY(%({})s)", _texts("tenants", tenants)),
        ("hoa_code = ANY(%({})s)", _texts("hoa_codes", hoa_codes)),
        ("transaction_type = ANY(%({})s)", _texts("transaction_types", transaction_types, KINDS)),
        ("recorded_at >= %({})s", _instant("recorded_from", recorded_from)),
        ("recorded_at < %({})s", _instant("recorded_until", recorded_until)),
    )


def payment_instructions(
    financial_year: str | None = None,
    *,
    tenants: Collection[str] | None = None,
    statuses: Collection[str] | None = None,
    pi_numbers: Collection[str] | None = None,
    created_from: datetime | None = None,
    created_until: datetime | None = None,
) -> Question:
    """PIs, the oldest first."""
    return _question(
        "payment_instruction_summary",
        "created_at, id",
        ("financial_year = %({})s", _year(financial_year)),
        ("tenant_id = ANY(%({})s)", _texts("tenants", tenants)),
        ("status = ANY(%({})s)", _texts("statuses", statuses, tuple(PiStatus))),
        ("pi_number = ANY(%({})s)", _texts("pi_numbers", pi_numbers)),
        ("created_at >= %({})s", _instant("created_from", created_from)),
        ("created_at < %({})s", _instant("created_until", created_until)),
    )


def open_payment_instructions(
    *,
    tenants: Collection[str] | None = None,
    statuses: Collection[str] | None = None,
    older_than: timedelta | None = None,
) -> Question:
    """PIs that wait, the oldest first."""
    return _question(
        "open_payment_instruction",
        "created_at, id",
        ("tenant_id = ANY(%({})s)", _texts("tenants", tenants)),
        ("status = ANY(%({})s)", _texts("statuses", statuses, OPEN)),
        ("created_at < now() - %({})s::interval", older_than),
    )


def failed_beneficiaries(
    *,
    tenants: Collection[str] | None = None,
    next_steps: Collection[str] | None = None,
    days_left_at_most: int | None = None,
) -> Question:
    """Failed payments that nobody has taken over, the most urgent first."""
    return _question(
        "failed_beneficiary",
        "correct_by, beneficiary_number",
        ("tenant_id = ANY(%({})s)", _texts("tenants", tenants)),
        ("next_step = ANY(%({})s)", _texts("next_steps", next_steps, NEXT_STEPS)),
        ("days_left <= %({})s", days_left_at_most),
    )


def beneficiary_payments(
    financial_year: str | None = None,
    *,
    tenants: Collection[str] | None = None,
    statuses: Collection[str] | None = None,
    bill_types: Collection[str] | None = None,
    hoa_codes: Collection[str] | None = None,
    pi_numbers: Collection[str] | None = None,
    payment_numbers: Collection[str] | None = None,
    bill_numbers: Collection[str] | None = None,
    utr_numbers: Collection[str] | None = None,
    voucher_numbers: Collection[str] | None = None,
    voucher_from: date | None = None,
    voucher_until: date | None = None,
    created_from: datetime | None = None,
    created_until: datetime | None = None,
) -> Question:
    """Who is paid what, PI by PI, the oldest first."""
    return _question(
        "beneficiary_payment",
        "created_at, pi_number, beneficiary_number",
        ("financial_year = %({})s", _year(financial_year)),
        ("tenant_id = ANY(%({})s)", _texts("tenants", tenants)),
        ("status = ANY(%({})s)", _texts("statuses", statuses, tuple(BeneficiaryStatus))),
        ("bill_type = ANY(%({})s)", _texts("bill_types", bill_types, BILL_TYPES)),
        ("hoa_code = ANY(%({})s)", _texts("hoa_codes", hoa_codes)),
        ("pi_number = ANY(%({})s)", _texts("pi_numbers", pi_numbers)),
        ("payment_number = ANY(%({})s)", _texts("payment_numbers", payment_numbers)),
        ("bill_numbers && %({})s::text[]", _texts("bill_numbers", bill_numbers)),
        ("utr_number = ANY(%({})s)", _texts("utr_numbers", utr_numbers)),
        ("voucher_number = ANY(%({})s)", _texts("voucher_numbers", voucher_numbers)),
        ("voucher_date >= %({})s", _day("voucher_from", voucher_from)),
        ("voucher_date < %({})s", _day("voucher_until", voucher_until)),
        ("created_at >= %({})s", _instant("created_from", created_from)),
        ("created_at < %({})s", _instant("created_until", created_until)),
    )


def sanctions(
    financial_year: str | None = None,
    *,
    tenants: Collection[str] | None = None,
    hoa_codes: Collection[str] | None = None,
) -> Question:
    """Sanctions as they stand, city by city."""
    return _question(
        "sanction_summary",
        "tenant_id, financial_year, hoa_code, master_allotment_id, id",
        ("financial_year = %({})s", _year(financial_year)),
        ("tenant_id = ANY(%({})s)", _texts("tenants", tenants)),
        ("hoa_code = ANY(%({})s)", _texts("hoa_codes", hoa_codes)),
    )


def status_history(
    *,
    tenants: Collection[str] | None = None,
    pi_numbers: Collection[str] | None = None,
    payment_numbers: Collection[str] | None = None,
    services: Collection[str] | None = None,
    created_from: datetime | None = None,
    created_until: datetime | None = None,
) -> Question:
    """What has happened to payments and PIs, in the order in which it was written."""
    return _question(
        "status_history",
        "id",
        ("tenant_id = ANY(%({})s)", _texts("tenants", tenants)),
        ("pi_number = ANY(%({})s)", _texts("pi_numbers", pi_numbers)),
        ("payment_number = ANY(%({})s)", _texts("payment_numbers", payment_numbers)),
        ("service_id = ANY(%({})s)", _texts("services", services)),
        ("created_at >= %({})s", _instant("created_from", created_from)),
        ("created_at < %({})s", _instant("created_until", created_until)),
    )


def unmatched_failures(
    *,
    states: Collection[str] | None = None,
    tenants: Collection[str] | None = None,
    bill_numbers: Collection[str] | None = None,
) -> Question:
    """Reported failures that matched nothing, the first reported first."""
    return _question(
        "unmatched_failure",
        "first_told_at, id",
        ("state = ANY(%({})s)", _texts("states", states, STATES)),
        ("tenant_id = ANY(%({})s)", _texts("tenants", tenants)),
        ("bill_number = ANY(%({})s)", _texts("bill_numbers", bill_numbers)),
    )


def doubtful_transfers(
    *,
    states: Collection[str] | None = None,
    tenants: Collection[str] | None = None,
    pi_numbers: Collection[str] | None = None,
) -> Question:
    """Transfers told beside another one of the same beneficiary, the first told first."""
    return _question(
        "doubtful_transfer",
        "first_told_at, id",
        ("state = ANY(%({})s)", _texts("states", states, TRANSFER_STATES)),
        ("tenant_id = ANY(%({})s)", _texts("tenants", tenants)),
        ("pi_number = ANY(%({})s)", _texts("pi_numbers", pi_numbers)),
    )


def waiting_payments(*, tenants: Collection[str] | None = None, hold_codes: Collection[str] | None = None) -> Question:
    """Payments without a PI, the oldest first."""
    return _question(
        "waiting_payment",
        "raised_at, id",
        ("tenant_id = ANY(%({})s)", _texts("tenants", tenants)),
        ("hold_code = ANY(%({})s)", _texts("hold_codes", hold_codes)),
    )


def _question(view: str, order: str, *conditions: tuple[str, Any]) -> Question:
    """Only what is asked for is in the statement, so that PostgreSQL plans each question for its own index."""
    asked = [(text, f"v{place}", value) for place, (text, value) in enumerate(conditions) if value is not None]
    where = " AND ".join(text.format(name) for text, name, _ in asked) or "true"
    return Question(
        f"SELECT * FROM ifms.{view} WHERE {where} ORDER BY {order}",
        {name: value for _, name, value in asked},
    )


def _texts(name: str, given: Collection[str] | None, known: Collection[str] | None = None) -> list[str] | None:
    if given is None:
        return None
    if isinstance(given, str):
        raise BadInputError(f"{name} must be a list of texts, not the text {given[:100]!r}")
    texts = [str(each) for each in given]
    unknown = sorted(set(texts) - set(known)) if known is not None else []
    if known is not None and unknown:
        raise BadInputError(f"{name}: {', '.join(unknown)[:100]} is none of {', '.join(known)}")
    return texts


def _year(given: str | None) -> str | None:
    if given is not None and not _YEAR.fullmatch(given):
        raise BadInputError(f"financial_year {given[:100]!r} is not like 2024-25")
    return given


def _day(name: str, given: date | None) -> date | None:
    if isinstance(given, datetime):
        raise BadInputError(f"{name} must be a date (IST), not an instant")
    return given


def _instant(name: str, given: datetime | None) -> datetime | None:
    if given is not None and given.tzinfo is None:
        raise BadInputError(f"{name} has no time zone")
    return given
