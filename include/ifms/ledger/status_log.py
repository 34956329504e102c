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
from ifms.ledger.write_batch import RowStatement, Target, write, write_row
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


_ENTRY = RowStatement(
    """
    INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status, from_status,
        to_status, message, sweep_run_id)
    SELECT {pi}, {tenant}, {payment}, {service}, {status}, {was}, {to}, {message}, {run} {rows}
    """,
    dict.fromkeys(("tenant", "payment", "service", "status", "was", "to", "message"), "text")
    | {"pi": "uuid", "run": "uuid"},
)


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
    write_row(
        target,
        _ENTRY,
        {
            "pi": pi.id,
            "tenant": pi.tenant_id,
            "payment": pi.payment_number,
            "service": service_id,
            "status": f"STATUS_LOG_{service_id}_{status}",
            "was": pi.status if to_status else None,
            "to": to_status,
            "message": message,
            "run": sweep_run_id,
        },
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


_CALL_TYPES = {
    "id": "uuid",
    "service_id": "text",
    "bill_number": "text",
    "payment_instruction_id": "uuid",
    "sweep_run_id": "uuid",
    "request_sealed": "bytea",
    "rek_sealed": "bytea",
    "sek_sealed": "bytea",
    "auth_token_sealed": "bytea",
    "enc_request": "text",
    "enc_response": "text",
    "response_sealed": "bytea",
    "status_code": "integer",
    "outcome": "text",
    "error_message": "text",
    "duration_ms": "integer",
    "created_at": "timestamptz",
}
_INSERT_CALL = f"""
    INSERT INTO ifms.treasury_call ({", ".join(_CALL_TYPES)})
    SELECT {", ".join(f"{{{name}}}" for name in _CALL_TYPES)} {{rows}}
"""
# What was written by somebody who was stopped behind the COMMIT, or can't tell what became of it, comes once more.
_CALL = RowStatement(f"{_INSERT_CALL} ON CONFLICT (id) DO NOTHING", _CALL_TYPES)
_SAID_BEFORE = {
    "id",
    "service_id",
    "bill_number",
    "payment_instruction_id",
    "sweep_run_id",
    "request_sealed",
    "created_at",
}
_ANNOUNCED_CALL = RowStatement(
    f"""{_INSERT_CALL}
    ON CONFLICT (id) DO UPDATE SET shipped_at = NULL, ship_error = NULL,
        {", ".join(f"{name} = excluded.{name}" for name in _CALL_TYPES if name not in _SAID_BEFORE)}
    WHERE treasury_call.outcome IS NULL
    """,
    _CALL_TYPES,
    key="id",
)


class CallLog:
    """Writes the calls to the treasury, sealing what is secret in them.

    A login is told by the worker thread that made it and written a little later by the thread that owns the ledger:
    no transaction's effect depends on it.
    """

    def __init__(self, sealer: Sealer) -> None:
        self.sealer = sealer
        self._logins: deque[Exchange] = deque()

    def record_login(self, exchange: Exchange) -> None:
        """Take note of a login; from any thread."""
        self._logins.append(exchange)

    def write_logins(self, db: Database, sweep_run_id: UUID | None) -> None:
        """Write the logins recorded so far, in a transaction of their own."""
        while self._logins:
            login = self._logins[0]
            db.transact(partial(self.write, exchanges=[login], sweep_run_id=sweep_run_id))
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
        """Write the calls of one outcome, in the transaction of its effect; what is written already stays as it is.

        `announced` is the row that `announce` wrote before the first of them was sent: it is completed, not doubled.
        """
        for exchange in exchanges:
            self._write(target, exchange, instruction_id, sweep_run_id, announced)
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
        exchange: Exchange,
        instruction_id: UUID | None,
        sweep_run_id: UUID | None,
        announced: UUID | None,
    ) -> None:
        row_id = announced or exchange.id
        bill_number = AUTH if exchange.service_id == AUTH else exchange.bill_number

        def sealed(column: str, value: str | None) -> bytes | None:
            which = call_context(column, row_id, exchange.service_id, bill_number)
            return None if value is None else self.sealer.seal(value, which)

        write_row(
            target,
            _CALL if announced is None else _ANNOUNCED_CALL,
            {
                "id": row_id,
                "service_id": exchange.service_id,
                "bill_number": bill_number,
                "payment_instruction_id": instruction_id,
                "sweep_run_id": sweep_run_id,
                "request_sealed": sealed("request_sealed", exchange.request_plain),
                "rek_sealed": sealed("rek_sealed", exchange.rek),
                "sek_sealed": sealed("sek_sealed", exchange.sek),
                "auth_token_sealed": sealed("auth_token_sealed", exchange.auth_token),
                "enc_request": exchange.encrypted_request,
                "enc_response": exchange.encrypted_response,
                "response_sealed": sealed("response_sealed", exchange.response_plain),
                "status_code": exchange.status_code,
                "outcome": exchange.outcome,
                "error_message": exchange.error,
                "duration_ms": exchange.duration_ms,
                "created_at": exchange.started_at,
            },
        )


def call_context(column: str, call_id: UUID | str, service_id: str, bill_number: str | None) -> bytes:
    """What a sealed text of a call is bound to: its column, and the call."""
    return context(f"treasury_call.{column}", call_id, service_id, bill_number or "")
