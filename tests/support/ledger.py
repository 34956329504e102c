"""Rows for tests of the ledger: an allotment, a payment, a payment instruction, each by the ledger's own functions."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import psycopg
import pytest
from support.databases import as_worker
from support.keys import KEYRING

from ifms.ledger import funds, instructions, payments
from ifms.ledger.claims import Claim, claim
from ifms.ledger.database import Connection, Database
from ifms.ledger.instructions import NewInstruction, Original
from ifms.ledger.models import (
    AllotmentKind,
    Funding,
    NewAllotment,
    NewBeneficiary,
    NewPayment,
    Payment,
    PaymentInstruction,
)

LEASE = timedelta(minutes=10)
TENANT = "od.samplea"
HEAD = "999900000000000000000000001"
DDO = "SAMPLEDDO01"
GRANTEE = "SAMPLEGRANTEE1"
SOURCE = (DDO, GRANTEE, HEAD)  # which sanctions pay here

_numbers = count(1)


@dataclass
class Ledger:
    """An empty ledger and quick ways to fill it: `db` logs in as a worker, `connect` as the owner."""

    dsn: str
    db: Database

    def connect(self) -> Connection:
        """A connection of its own."""
        return psycopg.connect(self.dsn, autocommit=True)

    def one(self, query: str, *values: object) -> Any:
        """The first column of the only row."""
        with self.connect() as connection:
            rows = connection.execute(query, values).fetchall()
        assert len(rows) == 1, rows
        return rows[0][0]

    def row(self, query: str, *values: object) -> tuple[Any, ...]:
        """The only row."""
        with self.connect() as connection:
            rows = connection.execute(query, values).fetchall()
        assert len(rows) == 1, rows
        return tuple(rows[0])

    def allot(self, *allotments: NewAllotment) -> funds.Recorded:
        """Record allotments in one transaction."""
        return self.db.transact(lambda c: funds.record_allotments(c, allotments))

    def fund(self, amount: int | str | Decimal, master: str = "900") -> uuid.UUID:
        """A sanction with `amount` available; its id."""
        self.allot(allotment(amount=Decimal(amount), master_allotment_id=master))
        return self.one("SELECT id FROM ifms.sanction WHERE master_allotment_id = %s", master)

    def balances(self, master: str = "900") -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """Allotted, reserved, spent, available."""
        return self.row(
            "SELECT allotted_amount, reserved_amount, spent_amount, available_amount "
            "FROM ifms.sanction WHERE master_allotment_id = %s",
            master,
        )

    def payment(self, amount: int | str | Decimal, number: str | None = None) -> tuple[Payment, Claim]:
        """A payment, claimed as ifms_pi does."""
        number = number or f"EP/0/2024-25/06/01/{next(_numbers):06d}"
        new = NewPayment(TENANT, number, str(uuid.uuid4()), Decimal(amount), datetime(2024, 6, 1, tzinfo=UTC))
        self.db.transact(lambda c: payments.remember_payments(c, [new]))
        return self.claim_payment(number)

    def claim_payment(self, number: str) -> tuple[Payment, Claim]:
        """Claim one known payment."""
        mine = Claim(uuid.uuid4(), LEASE)
        with self.connect() as connection:
            connection.execute(
                "UPDATE ifms.payment SET claim_token = %s WHERE payment_number = %s", (mine.token, number)
            )
            row = connection.execute(
                "SELECT id, tenant_id, payment_number, payment_id, amount, hold_code, hold_message "
                "FROM ifms.payment WHERE payment_number = %s",
                (number,),
            ).fetchone()
        assert row is not None
        return Payment(*row), mine

    def instruct(
        self, payment: Payment, payment_claim: Claim, beneficiaries: Sequence[NewBeneficiary] | None = None
    ) -> tuple[PaymentInstruction, Claim]:
        """Write a PI for a claimed payment, on whatever sanction has the money."""
        mine = Claim(uuid.uuid4(), LEASE)
        new = new_instruction(payment, beneficiaries)

        def write(connection: Connection) -> PaymentInstruction:
            funding = funds.choose_funding(connection, TENANT, payment.amount, [SOURCE], financial_year="2024-25")
            assert funding is not None
            return create(connection, new, funding, payment_claim, mine)

        return self.db.transact(write), mine

    def claimed(self, pi: PaymentInstruction) -> tuple[PaymentInstruction, Claim]:
        """The PI as the sweep of its status claims it."""
        status = self.one("SELECT status FROM ifms.payment_instruction WHERE id = %s", pi.id)
        mine, rows = self.db.transact(
            lambda c: claim(
                c,
                instructions.queue(status, "ORIGINAL"),
                PaymentInstruction,
                limit=100,
                lease=LEASE,
                sweep_started=datetime.now(UTC) + timedelta(days=1),
                tenants=None,
                created_from=None,
                created_to=None,
            )
        )
        return next(row for row in rows if row.id == pi.id), mine


def allotment(**changes: Any) -> NewAllotment:
    """An initial allotment of 1,000 under sanction 900."""
    values: dict[str, Any] = {
        "tenant_id": TENANT,
        "hoa_code": HEAD,
        "ddo_code": DDO,
        "grantee_code": GRANTEE,
        "ssu_id": "1",
        "scheme_code": "13145",
        "master_allotment_id": "900",
        "ssu_allotment_id": "800",
        "serial_no": 0,
        "kind": AllotmentKind.INITIAL,
        "amount": Decimal(1000),
        "sanction_balance": Decimal(5000),
        "allotment_date": date(2024, 5, 11),
    }
    return NewAllotment(**(values | changes))


def create(
    connection: Connection, new: NewInstruction, funding: Funding, payment_claim: Claim, claim: Claim
) -> PaymentInstruction:
    """Write one original PI."""
    [pi] = instructions.create(connection, [Original(new, funding, payment_claim, claim)], KEYRING)
    return pi


def new_instruction(
    payment: Payment, beneficiaries: Sequence[NewBeneficiary] | None = None, parts: int = 2
) -> NewInstruction:
    """A PI's content whose amount is the payment's, for these beneficiaries or in `parts` of them."""
    share = (payment.amount / parts).quantize(Decimal("0.01"))
    amounts = [share] * (parts - 1) + [payment.amount - share * (parts - 1)]
    return NewInstruction(
        pi_number=f"PI-SA/2024-25/{next(_numbers):06d}",
        payment=payment,
        bill_date=datetime(2024, 6, 1, 10, tzinfo=UTC),
        purpose="MUKTA",
        beneficiaries=beneficiaries or [beneficiary(amount) for amount in amounts],
        additional_details={"billNumber": ["WB/2024-25/000001"]},
        bill_ids=[f"bill of {payment.payment_number}"],
    )


def beneficiary(amount: Decimal, beneficiary_number: str | None = None) -> NewBeneficiary:
    """One sample payee."""
    number = next(_numbers)
    return NewBeneficiary(
        beneficiary_number=beneficiary_number or f"BN-SA/{number:06d}",
        beneficiary_id=f"payee-{number}",
        beneficiary_type="IND",
        amount=amount,
        line_item_ids=(f"line-{number}",),
        name=f"Sample Payee {number}",
        account_number="0000000001",
        account_type="SAVINGS",
        ifsc="SAMP0000001",
        bank_account_id=f"account-{number}",
        mobile="9999999999",
        address="Sample Ward 1",
    )


def copy_instructions(connection: Connection, changes: Mapping[str, object] | str) -> None:
    """Insert a copy of each PI, with another id and other values (a mapping, or JSON); its bills' columns reckon anew."""
    names = connection.execute(
        """
        SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
        WHERE attrelid = 'ifms.payment_instruction'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        """
    ).fetchone()
    assert names is not None
    connection.execute(
        f"""
        INSERT INTO ifms.payment_instruction ({names[0]}) SELECT {names[0]} FROM (
            SELECT (jsonb_populate_record(p, jsonb_build_object('id', gen_random_uuid()) || %s::jsonb)).*
            FROM ifms.payment_instruction p) copied
        """.encode(),
        (changes if isinstance(changes, str) else json.dumps(changes),),
    )


@pytest.fixture
def ledger(ledger_dsn: str) -> Iterator[Ledger]:
    """An empty ledger."""
    with opened(ledger_dsn) as ledger:
        yield ledger


@contextmanager
def opened(dsn: str) -> Iterator[Ledger]:
    """The ledger that is there."""
    connect: Callable[[], Connection] = lambda: psycopg.connect(as_worker(dsn))  # noqa: E731
    with Database(connect) as db:
        yield Ledger(dsn, db)
