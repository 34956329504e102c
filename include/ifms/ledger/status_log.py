"""Writes a PI's status log, and every call to the treasury."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import partial
from uuid import UUID, uuid4

from ifms.ledger.binding import context
from ifms.ledger.database import Connection, Database
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.statuses import PiStatus
from ifms.ledger.write_batch import Target, write
from ifms.sealing import Sealer
from ifms.treasury.outcome import AUTH, Exchange


class LogStatus(StrEnum):
    """The second half of the contract's status-log names (treasury-jit.md §1): STATUS_LOG_<service>_<this>."""

    SUCCESS = "SUCCESS"
    ERROR = "ERROR"
    NO_RESPONSE = "NO_RESPONSE"
    REJECTED = "REJECTED"
    NO_FUNDS = "NO_FUNDS"
    # Kept apart here, where the Java adapter put them under one of the names above.
    NO_NEWS = "NO_NEWS"  # answered, and nothing has happened yet
    NOT_SENT = "NOT_SENT"  # the call never reached the treasury
    DUPLICATE = "DUPLICATE"  # refused because the treasury has it already
    SETTLED_BY_HAND = "SETTLED_BY_HAND"  # a person has said what became of it
    CANCELLED = "CANCELLED"  # by a person, before it was sent
    SAME_ACCOUNT = "SAME_ACCOUNT"  # a person has chosen the account that failed


def log_status(
    target: Target,
    pi: PaymentInstruction,
    service_id: str,
    status: LogStatus,
    *,
    message: str | None = None,
    to_status: PiStatus | None = None,
    sweep_run_id: UUID | None = None,
) -> None:
    """Append one row to the PI's history; `to_status` when the call changed the PI's status."""
    write(
        target,
        """
        INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status,
            from_status, to_status, message, sweep_run_id)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            pi.id,
            pi.tenant_id,
            pi.payment_number,
            service_id,
            f"STATUS_LOG_{service_id}_{status}",
            pi.status if to_status else None,
            to_status,
            message,
            sweep_run_id,
        ),
    )


def log_no_funds(
    connection: Connection, tenant_id: str, payment_number: str, message: str, sweep_run_id: UUID | None
) -> None:
    """Append that a payment has no PI yet because no sanction has its amount."""
    connection.execute(
        """
        INSERT INTO ifms.status_log (tenant_id, payment_number, service_id, status, message, sweep_run_id)
        VALUES (%s, %s, 'PI', %s, %s, %s)
        """,
        (tenant_id, payment_number, f"STATUS_LOG_PI_{LogStatus.NO_FUNDS}", message, sweep_run_id),
    )


def may_log(connection: Connection) -> bool:
    """Whether the connection's login may write calls: who may not makes none."""
    row = connection.execute("SELECT has_table_privilege('ifms.treasury_call', 'INSERT')").fetchone()
    return row is not None and bool(row[0])


class CallLog:
    """Writes the calls to the treasury, sealing what is secret in them.

    A login is told by the worker thread that made it and written a little later by the thread that owns the ledger:
    no transaction's effect depends on it.
    """

    def __init__(self, sealer: Sealer) -> None:
        self.sealer = sealer
        self._logins: deque[tuple[UUID, Exchange]] = deque()

    def record_login(self, exchange: Exchange) -> None:
        """Take note of a login; from any thread."""
        self._logins.append((uuid4(), exchange))

    def write_logins(self, db: Database, sweep_run_id: UUID | None) -> None:
        """Write the logins recorded so far, in a transaction of their own."""
        while self._logins:
            login = self._logins[0]
            db.transact(partial(self._write, row=login, instruction_id=None, sweep_run_id=sweep_run_id))
            self._logins.popleft()

    def write(
        self,
        target: Target,
        exchanges: Iterable[Exchange],
        *,
        sweep_run_id: UUID | None = None,
        instruction_id: UUID | None = None,
        announced: UUID | None = None,
    ) -> None:
        """Write the calls of one outcome, in the transaction of its effect.

        `announced` is the row that `announce` wrote before the first of them was sent: it is completed, not doubled.
        """
        for exchange in exchanges:
            row = (announced or uuid4(), exchange)
            self._write(target, row=row, instruction_id=instruction_id, sweep_run_id=sweep_run_id)
            announced = None

    def announce(
        self, target: Target, service_id: str, calls: Sequence[tuple[PaymentInstruction, str]], sweep_run_id: UUID
    ) -> list[UUID]:
        """Write calls that are about to be sent, so that they are known even if this process dies with them under way.

        Each of `calls` is a PI and its request in plain; the rows' ids are in their order.
        """
        row_ids = [uuid4() for _ in calls]
        write(
            target,
            """
            INSERT INTO ifms.treasury_call
                (service_id, sweep_run_id, id, bill_number, payment_instruction_id, request_sealed)
            SELECT %s, %s, * FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::bytea[])
            """,
            (
                service_id,
                sweep_run_id,
                row_ids,
                [pi.pi_number for pi, _ in calls],
                [pi.id for pi, _ in calls],
                [
                    self.sealer.seal(plain, call_context("request_sealed", row_id, service_id, pi.pi_number))
                    for row_id, (pi, plain) in zip(row_ids, calls, strict=True)
                ],
            ),
        )
        return row_ids

    def withdraw(self, target: Target, announced: UUID) -> None:
        """An announced call that was not sent after all."""
        write(
            target,
            "UPDATE ifms.treasury_call SET outcome = 'never_sent', shipped_at = NULL, ship_error = NULL"
            " WHERE id = %s AND outcome IS NULL",
            (announced,),
        )

    def _write(
        self,
        target: Target,
        *,
        row: tuple[UUID, Exchange],
        instruction_id: UUID | None,
        sweep_run_id: UUID | None,
    ) -> None:
        row_id, exchange = row
        bill_number = AUTH if exchange.service_id == AUTH else exchange.bill_number

        def sealed(column: str, value: str | None) -> bytes | None:
            which = call_context(column, row_id, exchange.service_id, bill_number)
            return None if value is None else self.sealer.seal(value, which)

        write(
            target,
            """
            INSERT INTO ifms.treasury_call (id, service_id, bill_number, payment_instruction_id, sweep_run_id,
                request_sealed, rek_sealed, sek_sealed, auth_token_sealed, enc_request, enc_response, response_sealed,
                status_code, outcome, error_message, duration_ms, created_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (id) DO UPDATE SET
                rek_sealed = excluded.rek_sealed, sek_sealed = excluded.sek_sealed,
                auth_token_sealed = excluded.auth_token_sealed, enc_request = excluded.enc_request,
                enc_response = excluded.enc_response, response_sealed = excluded.response_sealed,
                status_code = excluded.status_code, outcome = excluded.outcome, error_message = excluded.error_message,
                duration_ms = excluded.duration_ms, shipped_at = NULL, ship_error = NULL
            """,
            (
                row_id,
                exchange.service_id,
                bill_number,
                instruction_id,
                sweep_run_id,
                sealed("request_sealed", exchange.request_plain),
                sealed("rek_sealed", exchange.rek),
                sealed("sek_sealed", exchange.sek),
                sealed("auth_token_sealed", exchange.auth_token),
                exchange.encrypted_request,
                exchange.encrypted_response,
                sealed("response_sealed", exchange.response_plain),
                exchange.status_code,
                exchange.outcome,
                exchange.error,
                exchange.duration_ms,
                exchange.started_at,
            ),
        )


def call_context(column: str, call_id: UUID | str, service_id: str, bill_number: str | None) -> bytes:
    """What a sealed text of a call is bound to: its column, and the call."""
    return context(f"treasury_call.{column}", call_id, service_id, bill_number or "")
