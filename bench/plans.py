"""How what is asked often finds its rows: the plan of each look-up, on a ledger of a million PIs.

The look-ups are the adapter's own: each function is run on a connection that has PostgreSQL explain every statement
before it is run, all of it rolled back. As in `reading`, the rows are true in one sense only: how many of which kind.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql
from rich.table import Table

from ifms.cities import Cities
from ifms.ledger import beneficiaries, claims, failures, instructions, invariants, outbox, payments
from ifms.ledger.beneficiaries import Failure, Scroll
from ifms.ledger.claims import Queue
from ifms.ledger.limits import Limits
from ifms.ledger.models import Payment, PaymentInstruction
from ifms.ledger.statuses import BeneficiaryStatus, PiStatus
from ifms.ledger.write_batch import Writes
from ifms.queries import overview
from ifms.sweep.pipeline import TOGETHER

LARGE = ("payment_instruction", "payment", "reported_failure", "outbox", "beneficiary", "status_log")
LEASE = timedelta(minutes=10)
MANY = ("INITIATED originals", "payments without a PI")
TIMES = 7  # more than the five after which a statement is prepared
ALLOWED = 0.1
"""Seconds: for who asks every two seconds, and for each batch that is claimed."""


@dataclass(frozen=True)
class LookUp:
    """One look-up: by which index it should go (one of these), how PostgreSQL would do it, how long it took."""

    what: str
    indexes: tuple[str, ...]
    plan: str
    seconds: float

    @property
    def by_index(self) -> bool:
        """Whether it goes by its index, and reads no large table from end to end."""
        return any(re.search(rf"\b{name}\b", self.plan) for name in self.indexes) and not any(
            f"Seq Scan on {table}" in self.plan for table in LARGE
        )


class _Explained(psycopg.Cursor[Any]):
    """A cursor that keeps the plan of what it runs."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:  # noqa: ANN401  (as psycopg has it)
        text = query if isinstance(query, bytes) else _bytes(query, self.connection)
        with psycopg.Cursor(self.connection) as cursor:
            cursor.execute(b"EXPLAIN " + text, params, prepare=False)
            plans: list[str] = self.connection.plans  # type: ignore[attr-defined]
            plans.append("\n".join(row[0] for row in cursor))
        return super().execute(query, params, **options)


def _bytes(query: object, connection: psycopg.Connection[Any]) -> bytes:
    return query.as_bytes(connection) if isinstance(query, sql.Composable) else str(query).encode()


def measure(dsn: str) -> list[LookUp]:
    """Run and explain each look-up on the filled ledger of `dsn`; nothing is kept."""
    found = []
    with psycopg.connect(dsn) as connection:
        for what, indexes, work in _look_ups():
            connection.cursor_factory = _Explained
            connection.plans = []  # type: ignore[attr-defined]
            work(connection)
            plan = "\n".join(connection.plans)  # type: ignore[attr-defined]
            connection.rollback()
            connection.cursor_factory = psycopg.Cursor
            seconds = max(_timed(connection, work) for _ in range(TIMES))
            found.append(LookUp(what, indexes, plan, seconds))
    return found


def table(found: list[LookUp], instructions_: int) -> Table:
    """All of them, one row each."""
    made = Table(title=f"How rows are found among {instructions_:,} PIs, payments, failures and messages")
    for heading in ("what", "by"):
        made.add_column(heading)
    made.add_column("slowest", justify="right")
    made.add_column("")
    for each in found:
        good = each.by_index and each.seconds <= ALLOWED
        made.add_row(
            each.what,
            " or ".join(each.indexes),
            f"{each.seconds * 1000:.1f} ms",
            "[green]ok[/]" if good else "[red]not so[/]",
        )
    return made


def _timed(connection: psycopg.Connection[Any], work: Callable[[psycopg.Connection[Any]], object]) -> float:
    started = time.perf_counter()
    work(connection)
    seconds = time.perf_counter() - started
    connection.rollback()
    return seconds


_DUE = "payment_instruction_due"
_FAILURES_KEY = "reported_failure_once"
_PIS: dict[str, object] = {"tenants": None, "created_from": None, "created_to": None}
_PAYMENTS: dict[str, object] = {
    "tenants": None,
    "raised_from": None,
    "raised_to": None,
    "financial_year": "2026-27",
}
_FAILURE = Failure(date(2026, 6, 1), None, "C7", None, beneficiary_id="BN-7", utr_number="UTR7")


def _look_ups() -> Iterator[tuple[str, tuple[str, ...], Callable[[psycopg.Connection[Any]], object]]]:
    started = datetime.now(UTC)
    for name, queue, indexes, row, conditions in _queues():
        yield (
            f"claim: {name}",
            indexes,
            partial(claims.claim, queue=queue, row=row, limit=64, lease=LEASE, sweep_started=started, **conditions),
        )
        # Of those that are few, their own index does as well.
        few = () if name in MANY else indexes
        yield (
            f"held: {name}",
            (f"{queue.table}_claimed", *few),
            partial(claims.held, queue=queue, lease=LEASE, sweep_started=started, **conditions),
        )
    number, open_ones = "PI-SA/000000007", "reported_failure_open"
    matches = partial(failures.now_matched, bill_number=number, failure=_FAILURE)
    yield "a failure that matches now", (open_ones, _FAILURES_KEY), matches
    yield "a bill's failures that match nothing", (open_ones,), partial(failures.unmatched, bill_number=number)
    yield "bills whose failures can be matched now", (open_ones,), failures.matchable_bills
    yield "claim: messages", ("outbox_due",), partial(outbox.claim_messages, limit=64)
    yield "whether a message is due", ("outbox_due",), outbox.anything_due
    yield "how fast PIs were accepted lately", ("status_log_by_time",), partial(overview.accepted, cities=Cities.ALL)
    without = [rule for rule in invariants.INVARIANTS if rule.name == "payments_get_instructions"]
    broken = partial(invariants.broken, rules=without, values=invariants.parameters(Limits()))
    yield "payments that have no PI for long", ("payment_due", "payment_waiting_in_city"), broken
    yield "how payments stand, and who is held meanwhile", ("payment_instruction_by_payment",), _standing
    yield "whose scrolls have come", ("beneficiary_payment_instruction_id_beneficiary_number_key",), _scrolls
    yield "PIs that change together", ("payment_instruction_pkey",), _changes


def _queues() -> Iterator[tuple[str, Queue, tuple[str, ...], type, dict[str, object]]]:
    for status in (PiStatus.PENDING, PiStatus.INITIATED, PiStatus.APPROVED, PiStatus.IN_PROCESS):
        yield f"{status} originals", instructions.queue(status, "ORIGINAL"), (_DUE,), PaymentInstruction, _PIS
    for status in (PiStatus.PENDING, PiStatus.INITIATED):
        queue = instructions.queue(status, "REVISED")
        yield f"{status} revisions", queue, (_DUE, "one_revision_at_a_time"), PaymentInstruction, _PIS
    may_come_back = ("payment_instruction_returnable",)
    yield "revisions that may come back", instructions.RETURNABLE, may_come_back, PaymentInstruction, _PIS
    yield "payments without a PI", payments.UNPAID, ("payment_due",), Payment, _PAYMENTS


def _some(connection: psycopg.Connection[Any]) -> list[PaymentInstruction]:
    """As many PIs as a sweep settles together."""
    numbers = [f"PI-SA/{number:09d}" for number in range(7, 20 * TOGETHER, 20)]
    return list(instructions.find(connection, numbers).values())


def _standing(connection: psycopg.Connection[Any]) -> None:
    beneficiaries.hold(connection, _some(connection))
    beneficiaries.standing(connection, _some(connection))


def _scrolls(connection: psycopg.Connection[Any]) -> None:
    pis = _some(connection)
    scrolls = [Scroll(f"BN-{pi.pi_number}", "V1", None, "UTR1", None, None, "paid") for pi in pis]
    beneficiaries.record_scrolls(connection, [(pi, [scroll]) for pi, scroll in zip(pis, scrolls, strict=True)])


def _changes(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "SELECT set_config('session_replication_role', 'replica', true)"
    )  # their money is on no sanction
    pis, mine, writes = _some(connection), claims.Claim(uuid4(), LEASE), Writes(connection)
    held = "UPDATE ifms.payment_instruction SET claim_token = %s WHERE id = ANY(%s)"
    connection.execute(held, (mine.token, [pi.id for pi in pis]))
    for pi in pis:
        instructions.note(writes, pi, mine, "sample")
        beneficiaries.set_beneficiaries(writes, pi, BeneficiaryStatus.INITIATED, BeneficiaryStatus.IN_PROCESS)
    writes.flush()


# The ledger -----------------------------------------------------------------------------------------------------------


def fill(dsn: str, instructions_: int) -> None:
    """Fill an empty ledger: so many PIs, payments, failures and messages; one beneficiary each.

    One PI of twenty waits for the SSU, a batch of them in the hands of a run; few failures have matched nothing, few
    messages are undelivered.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        tables = [f"ifms.{name}" for name in LARGE]
        later = connection.execute(
            """
            SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
            LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid
            WHERE i.indrelid = ANY(%s::regclass[]) AND c.oid IS NULL
            """,
            (tables,),
        ).fetchall()
        for name, _ in later:
            connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(*name.split("."))))
        for statement in _ROWS:
            connection.execute(statement.encode(), {"n": instructions_, "token": uuid4()})
        for _, definition in later:
            connection.execute(definition.encode())
        for name in tables:
            connection.execute(f"VACUUM ANALYZE {name}".encode())


_ROWS = (
    """
    INSERT INTO ifms.payment_instruction (tenant_id, pi_number, pi_type, parent_pi_number, payment_number, status,
        sanction_id, hoa_code, ddo_code, ssu_id, grantee_code, scheme_code, master_allotment_id, ssu_allotment_id,
        allotment_serial_no, gross_amount, net_amount, beneficiary_count, bill_date, financial_year, purpose,
        org_bill_ref_number, org_bill_date, polled_at, failures_polled_at, created_at, updated_at, pa_token_number,
        paid_at, claim_token, claimed_until)
    SELECT 'od.city' || n %% 100, 'PI-SA/' || lpad(n::text, 9, '0'),
           CASE WHEN revised THEN 'REVISED' ELSE 'ORIGINAL' END,
           CASE WHEN revised THEN 'PI-SA/' || lpad((n - 1)::text, 9, '0') END, 'EP/' || lpad(n::text, 9, '0'),
           CASE WHEN n %% 1000 = 1 THEN 'PENDING' WHEN n %% 20 = 2 THEN 'INITIATED' WHEN n %% 200 = 3 THEN 'APPROVED'
                WHEN n %% 200 = 4 THEN 'IN PROCESS' WHEN n %% 2000 = 100 THEN 'INITIATED'
                WHEN n %% 500 = 0 THEN 'FAILED' ELSE 'SUCCESSFUL' END,
           gen_random_uuid(), 'h', 'd', 's', 'g', 'c', 'm', 'a', 0, 100, 100, 1, at, '2026-27', 'x',
           CASE WHEN revised THEN 'r' END, CASE WHEN revised THEN at END, at, at, at, at,
           CASE WHEN revised AND n %% 2000 <> 100 THEN '1' END, CASE WHEN revised AND n %% 2000 <> 100 THEN at END,
           CASE WHEN held THEN %(token)s::uuid END, CASE WHEN held THEN now() + interval '5 minutes' END
    FROM (SELECT n, n %% 100 = 0 AS revised, n %% 20 = 2 AND n <= 1280 AS held,
                 now() - (%(n)s - n) * (interval '3 years' / %(n)s) AS at
          FROM generate_series(1, %(n)s) n) made
    """,
    """
    INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status, from_status,
        to_status, created_at)
    SELECT id, tenant_id, payment_number, 'PI', 'x', 'PENDING', 'INITIATED', created_at
    FROM ifms.payment_instruction ORDER BY created_at
    """,
    """
    INSERT INTO ifms.beneficiary (payment_instruction_id, beneficiary_number, beneficiary_id, beneficiary_type, amount,
        line_item_ids, name, account_last4, account_type, ifsc, bank_account_id, mobile, address, status)
    SELECT id, 'BN-' || pi_number, 'p', 'IND', 100, ARRAY['l'], 'x', '0001', 'SAVINGS', 'SAMP0000001', 'a', '9', 'x',
           'Payment Successful'
    FROM ifms.payment_instruction
    """,
    """
    INSERT INTO ifms.payment (tenant_id, payment_number, payment_id, amount, paid_by, raised_at, polled_at)
    SELECT p.tenant_id, p.payment_number, '', 100, CASE WHEN p.status <> 'FAILED' THEN p.id END, p.created_at,
           p.created_at
    FROM ifms.payment_instruction p
    """,
    """
    INSERT INTO ifms.reported_failure (bill_number, beneficiary_id, voucher_date, challan_number, utr_number,
        why_unmatched, matched_at)
    SELECT 'PI-SA/' || lpad(n::text, 9, '0'), 'BN-' || n, '2026-06-01', 'C' || n, 'UTR' || n, 'sample',
           CASE WHEN n %% 1000 <> 7 THEN now() END
    FROM generate_series(1, %(n)s) n
    """,
    """
    INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload, delivered_at, created_at)
    SELECT 'payment_status', 't', 't:EP/' || lpad((n / 3)::text, 9, '0'), '{}',
           CASE WHEN n %% 1000 <> 7 THEN now() END, now()
    FROM generate_series(1, %(n)s) n
    """,
)
