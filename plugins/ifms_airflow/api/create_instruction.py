"""`_create` without a DAG run: the same services as ifms_pi and ifms_cor, on exactly one payment or one original.

What is sent was written before, by the service itself; a caller who can't wait any longer is told of the PENDING PI,
and the work goes on behind it. A process that ends meanwhile leaves what a killed task leaves: the next ifms_pi settles
it under the same number.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTimeError
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from ifms.cities import Cities
from ifms.errors import IfmsError, SweepError
from ifms.ledger import settings
from ifms.ledger.outbox import anything_due
from ifms.ledger.payments import release_holds
from ifms.ledger.runs import RunContext
from ifms.ledger.status_log import CallLog
from ifms.platform.client import PlatformClient
from ifms.queries import creation
from ifms.queries.creation import Row
from ifms.queries.instruction import Whole, load
from ifms.services import pa
from ifms.services.cor import Corrections, LeftOut
from ifms.services.correction_order import Order
from ifms.services.pi import NO_FUNDS, PaymentInstructions
from ifms.sweep.scope import Scope
from ifms.sweep.treasury_sweep import TreasurySweep
from ifms.treasury.client import TreasuryClient
from ifms_airflow.api import dag_runs
from ifms_airflow.api.digit import DigitError
from ifms_airflow.api.read_pool import Reads
from ifms_airflow.assets import OUTBOX
from ifms_airflow.hooks import LedgerHook, PlatformHook, TreasuryHook

SECONDS = 25.0
"""How long a caller waits: DIGIT's gateways give up after 30 s."""
AT_A_TIME = 4

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unpaid:
    """A payment that no sanction has the money for; its row of the ledger."""

    payment: Row


@dataclass(frozen=True)
class Revised:
    """A revised PI, and the failed beneficiaries of its original who are not in it, each with why."""

    whole: Whole
    left_out: list[LeftOut]


class Creator:
    """Makes PIs for callers who wait for them, so many at a time."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._opening = threading.Lock()
        self._open()

    def _open(self) -> None:
        """Threads of the pool start when there is work for them."""
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="ifms-create")

    def close(self) -> None:
        """Make no new call; what is under way is settled. Who calls afterwards begins anew."""
        with self._opening:
            self._stop.set()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._open()

    def pay(self, tenant_id: str, payment_number: str, by: str, person: str | None = None) -> Whole | Unpaid:
        """A PI for the payment, or its PENDING one settled. Raises DigitError that says why there is none.

        `person` is told to DIGIT as who made it.
        """
        before = self._originals(tenant_id, payment_number)
        alive = [row for row in before if row["status"] != "FAILED"]
        if any(row["status"] != "PENDING" for row in alive):
            raise DigitError(
                "PI_DUPLICATE_ERROR", f"payment {payment_number} has PI {alive[0]['pi_number']}, {alive[0]['status']}"
            )
        deadline = time.monotonic() + SECONDS
        problems = self._waited(lambda: self._pay(tenant_id, payment_number, by, person, pending=bool(alive)), deadline)
        known = {row["id"] for row in before} - {row["id"] for row in alive}
        while True:
            made = [row for row in self._originals(tenant_id, payment_number) if row["id"] not in known]
            if made:
                return self._whole(made[0]["id"])
            payment = self._payment(tenant_id, payment_number)
            if payment is not None and payment["hold_code"] == NO_FUNDS:
                return Unpaid(payment)
            if payment is not None and payment["hold_code"] is not None:
                raise DigitError(payment["hold_code"], payment["hold_message"])
            if problems is not None and problems:
                raise DigitError("UNKNOWN_ERROR", problems[0])
            if time.monotonic() > deadline:
                raise DigitError("UNKNOWN_ERROR", f"the PI of payment {payment_number} is still being made; search it")
            time.sleep(0.2)  # another run has the payment: what becomes of it is the answer

    def revise(self, order: Order, person: str | None = None) -> Revised:
        """A revised PI for failed beneficiaries of an original, or its PENDING one settled.

        Raises DigitError that says why there is none.
        """
        before = self._revisions(order)
        pending = [row for row in before if row["status"] == "PENDING"]
        if pending and order.named is not None and not _is_of(pending[0], order):
            raise DigitError(
                "REVISED_PI_GEN_ERROR",
                f"PI {order.pi_number} has {pending[0]['pi_number']} on its way, for {', '.join(pending[0]['paid'])}: "
                "wait for what becomes of it; nobody was revised",
            )
        again = tuple(row["pi_number"] for row in pending)
        left_out: list[LeftOut] = []
        deadline = time.monotonic() + SECONDS
        problems = self._waited(lambda: self._revise(order, person, again, left_out), deadline)
        known = {row["id"] for row in before} - {row["id"] for row in pending}
        made = [row for row in self._revisions(order) if row["id"] not in known]
        if made and (order.named is None or _is_of(made[0], order)):  # else another caller's, who chose otherwise
            return Revised(self._whole(made[0]["id"]), self._not_in_it(order, made[0]["pi_number"], left_out))
        message = problems[0] if problems else f"the revised PI of {order.pi_number} is still being made; search it"
        raise DigitError("REVISED_PI_GEN_ERROR", message)

    def original_of(self, tenant_id: str, pi_number: str) -> str:
        """The original that is revised when a screen names the PI that it shows, which may be a revision itself."""
        with self._reads.connection() as connection:
            return creation.original_of(connection, tenant_id, pi_number)

    # In a thread of the pool ------------------------------------------------------------------------------------------

    def _pay(self, tenant_id: str, payment_number: str, by: str, person: str | None, *, pending: bool) -> list[str]:
        with self._parts("PI", by, person) as (sweep, treasury, platform):
            found = list(platform.payments(tenant_id, numbers=[payment_number]))
            if not found:
                raise DigitError("PAYMENT_NOT_FIND_ERROR", f"payment {payment_number} of {tenant_id} does not exist")
            pa.remember(sweep, found)
            if not pending:
                sweep.db.transact(lambda c: release_holds(c, [payment_number], [tenant_id]))
            master = platform.master_data((tenant_id,))
            scope = Scope((tenant_id,), payments=(payment_number,))
            PaymentInstructions(sweep, treasury, platform, TreasuryHook().keyring, master, scope)()
        return sweep.problems

    def _revise(self, order: Order, person: str | None, again: tuple[str, ...], left_out: list[LeftOut]) -> list[str]:
        with self._parts("COR", order.by or "", person) as (sweep, treasury, platform):
            master = platform.master_data((order.tenant_id,))
            corrections = Corrections(sweep, treasury, platform, TreasuryHook().keyring, master)
            if again:
                corrections.send_again(Scope((order.tenant_id,), pi_numbers=again))
            else:
                corrections.correct([order])
                left_out += corrections.left_out
        return sweep.problems

    @contextmanager
    def _parts(
        self, service: str, by: str, person: str | None
    ) -> Iterator[tuple[TreasurySweep, TreasuryClient, PlatformClient]]:
        """A sweep with its connections; what ends it is read from its problems and from the ledger."""
        with ExitStack() as stack:
            calls = CallLog(TreasuryHook().sealer)
            pace = partial(LedgerHook().pace, stack, self._stop)
            treasury = stack.enter_context(TreasuryHook(on_exchange=calls.record_login, pace=pace).get_conn())
            platform = stack.enter_context(PlatformHook().get_conn())
            ledger = stack.enter_context(LedgerHook().ledger())
            sweep = TreasurySweep(
                ledger,
                service,
                RunContext(run_id=f"_create by {by}", person=person),
                calls=calls,
                workers=1,
                stop=self._stop,
            )
            try:
                with sweep:
                    ledger.transact(partial(settings.adopt, config=treasury.config))
                    yield sweep, treasury, platform
            except SweepError as error:
                if not sweep.problems:
                    sweep.problems.append(str(error))
            if ledger.transact(anything_due):
                dag_runs.emit(OUTBOX)

    # For the caller ---------------------------------------------------------------------------------------------------

    def _waited(self, work: Callable[[], list[str]], deadline: float) -> list[str] | None:
        """What the work says of problems; None when it did not end in time and goes on."""
        with self._opening:
            future: Future[list[str]] = self._pool.submit(work)
        try:
            return future.result(timeout=deadline - time.monotonic())
        except NotInTimeError:
            log.warning("_create goes on after its caller was answered")
            return None
        except CancelledError:
            return ["this server is being stopped; nothing was begun"]
        except IfmsError as error:
            return [str(error)]

    def _originals(self, tenant_id: str, payment_number: str) -> list[Row]:
        with self._reads.connection() as connection:
            return creation.originals(connection, tenant_id, payment_number)

    def _revisions(self, order: Order) -> list[Row]:
        with self._reads.connection() as connection:
            return creation.revisions(connection, order.tenant_id, order.pi_number)

    def _not_in_it(self, order: Order, revision: str, left_out: list[LeftOut]) -> list[LeftOut]:
        """Who has still failed and is in no later PI; why, as far as it was looked at."""
        reasons = {each.beneficiary_number: each.reason for each in left_out}
        with self._reads.connection() as connection:
            rows = creation.failed_outside(connection, order.pi_number, revision)
        otherwise = f"not in {revision}, which comes first" if order.named is None else "not chosen"
        return [
            LeftOut(row["beneficiary_number"], row["beneficiary_id"], reasons.get(row["beneficiary_number"], otherwise))
            for row in rows
        ]

    def _payment(self, tenant_id: str, payment_number: str) -> Row | None:
        with self._reads.connection() as connection:
            return creation.payment(connection, tenant_id, payment_number)

    def _whole(self, instruction_id: UUID) -> Whole:
        with self._reads.connection() as connection:
            return load(connection, [instruction_id], Cities.ALL)[0]  # whose, its caller has looked at


def _is_of(revision: Row, order: Order) -> bool:
    """Whether the revision pays exactly those whom the order names, and to the accounts that it wants."""
    return revision["paid"] == sorted(order.named or ()) and set(revision["same"] or ()) == set(order.same_account)
