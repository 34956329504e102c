"""What binds a PI's rows: no column that is sent can be another, and no account moves to another row."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.keys import KEYRING
from support.ledger import opened

from ifms.errors import BadInputError, SealError, SignatureError
from ifms.ledger import beneficiaries, instructions
from ifms.ledger.bills import bills_of
from ifms.ledger.binding import check_instruction, open_account
from ifms.ledger.models import Beneficiary, PaymentInstruction

# What changes while a PI lives, or is for people to read: not in its signature.
ALIVE = {
    "id",
    "status",
    "attempts",
    "last_attempt",
    "pi_approved_id",
    "pi_approval_date",
    "pa_fin_year",
    "pa_bill_ref_number",
    "pa_token_number",
    "pa_token_date",
    "created_at",
    "error_message",
    "uncertain",
    "refusal",
    "refused_first",
    "absent_since",
    "held_back",
    "settled_by",
    "said_absent_at",
    "found_failed_at",
    "same_refusals",
    "unmatched_failures",
    "signature",
    "additional_details",
}
ALIVE_OF_EACH = {
    "id",
    "payment_instruction_id",
    "status",
    "status_message",
    "failed_on",
    "gender",
    "social_category",
}


@pytest.fixture(scope="module")
def stored(module_ledger_dsn: str) -> Iterator[tuple[PaymentInstruction, list[Beneficiary], list[str]]]:
    """A PI as it is read back, with its beneficiaries and bills."""
    with opened(module_ledger_dsn) as ledger:
        ledger.fund(10_000)
        written, _ = ledger.instruct(*ledger.payment(400))
        pi = ledger.db.transact(lambda c: instructions.find(c, [written.pi_number]))[written.pi_number]
        rows = ledger.db.transact(lambda c: beneficiaries.of(c, [pi.id]))[pi.id]
        yield pi, rows, ledger.db.transact(lambda c: bills_of(c, [pi]))[pi.id]


def another(value: object) -> Any:
    """Something else of the same kind."""
    match value:
        case None:
            return "another"
        case str():
            return value + "x"
        case Decimal():
            return value + Decimal("0.01")
        case int():
            return value + 1
        case uuid.UUID():
            return uuid.uuid4()
        case datetime():
            return value + timedelta(seconds=1)
        case list():
            return [*value, "line-x"]
    raise AssertionError(value)


def test_what_was_written_fits(stored):
    pi, rows, bills = stored
    assert check_instruction(KEYRING, pi, rows[::-1], bills) == {row.beneficiary_number: "0000000001" for row in rows}


@pytest.mark.parametrize("name", [f.name for f in fields(PaymentInstruction) if f.name not in ALIVE])
def test_no_column_of_the_pi_can_be_another(stored, name):
    pi, rows, bills = stored
    with pytest.raises((SignatureError, SealError), match="000|PI-SA"):
        check_instruction(KEYRING, replace(pi, **{name: another(getattr(pi, name))}), rows, bills)


@pytest.mark.parametrize("name", [f.name for f in fields(Beneficiary) if f.name not in ALIVE_OF_EACH])
def test_no_column_of_a_beneficiary_can_be_another(stored, name):
    pi, [first, second], bills = stored
    value = second.account_sealed if name == "account_sealed" else another(getattr(first, name))
    with pytest.raises((SignatureError, SealError)):
        check_instruction(KEYRING, pi, [replace(first, **{name: value}), second], bills)


def test_what_lives_does_not_count(stored):
    pi, rows, bills = stored
    changed = replace(pi, attempts=7, error_message="busy", uncertain=True, held_back=True)
    check_instruction(KEYRING, changed, [replace(row, status_message="paid") for row in rows], bills)


@pytest.mark.parametrize("change", ["one less", "one more", "another"])
def test_its_bills_and_its_beneficiaries_are_all_there_is(stored, change):
    pi, rows, bills = stored
    wrong = {"one less": bills[1:], "one more": [*bills, "bill-x"], "another": ["bill-x"]}[change]
    with pytest.raises(SignatureError, match=f"{pi.pi_number}.*does not fit"):
        check_instruction(KEYRING, pi, rows, wrong)
    with pytest.raises(SignatureError, match=f"{pi.pi_number}.*does not fit"):
        check_instruction(KEYRING, pi, rows[1:], bills)


def test_one_that_is_not_signed_is_named(stored):
    pi, rows, bills = stored
    with pytest.raises(SignatureError, match=f"{pi.pi_number}: it is not signed"):
        check_instruction(KEYRING, replace(pi, signature=None), rows, bills)


def test_an_account_does_not_open_in_another_pi_and_one_that_is_missing_is_named(stored):
    pi, [row, _], _ = stored
    assert open_account(KEYRING.sealer, pi, row) == "0000000001"
    for other in (replace(pi, pi_number="PI-SA/2024-25/999999"), replace(pi, tenant_id="od.sampleb")):
        with pytest.raises(SealError, match=row.beneficiary_number):
            open_account(KEYRING.sealer, other, row)
    with pytest.raises(BadInputError, match=row.beneficiary_number):
        open_account(KEYRING.sealer, pi, replace(row, account_sealed=None))
