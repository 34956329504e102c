"""One sweep in a process of its own: reads its order as JSON from stdin, writes what it measured as JSON to stdout.

Of its own, so that neither the imports nor another's work under the same interpreter lock are in the measurement.
"""

from __future__ import annotations

import base64
import gc
import json
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ifms.ledger import session
from ifms.ledger.database import Database
from ifms.ledger.status_log import CallLog
from ifms.ledger.write_batch import Target
from ifms.platform.client import PlatformClient
from ifms.platform.config import PlatformConfig
from ifms.sealing import Sealer
from ifms.services.cor import Corrections
from ifms.services.fd import dates_to_ask, fetch_failures
from ifms.services.ftps import RevisedSuccess
from ifms.services.pag import PaymentAdvice
from ifms.services.pd import PaymentDetails
from ifms.services.pi import PaymentInstructions
from ifms.services.pis import InstructionStatus
from ifms.services.va import fetch_allotments
from ifms.sweep.scope import Scope
from ifms.sweep.status_poll import Poll, StatusService
from ifms.sweep.treasury_sweep import TreasurySweep
from ifms.treasury.client import TreasuryClient
from ifms.treasury.config import TreasuryConfig
from ifms.treasury.outcome import Exchange
from ifms_standalone.simulators import CLIENT_ID, CLIENT_SECRET

POLLED: dict[str, Callable[[Sealer], StatusService[Any]]] = {
    "PIS": lambda _: InstructionStatus(),
    "PAG": PaymentAdvice,
    "PD": PaymentDetails,
    "FTPS": RevisedSuccess,
}
SIGNING_KEY = base64.b64encode(bytes(32)).decode()  # what is measured is thrown away


@dataclass(frozen=True)
class Order:
    """What to run: `service` is VA, PI, FD, COR or one of `POLLED`.

    `traced` measures memory, and the time then means nothing. Without `logged` no call is kept, which only a
    measurement may do.
    """

    service: str
    tenants: tuple[str, ...]
    dsn: str = field(repr=False)
    treasury: str
    platform: str
    public_key: str
    log_key: str = field(repr=False)
    concurrency: int = 16
    traced: bool = False
    logged: bool = True


@dataclass(frozen=True)
class Measured:
    """What a sweep took: seconds, what it counted, and the most bytes of Python objects at a time (when traced).

    `cpu_seconds` are its process's, without start and imports; `database_cpu_seconds` all of PostgreSQL's meanwhile.
    """

    seconds: float
    counts: dict[str, int]
    peak_bytes: int
    cpu_seconds: float
    database_cpu_seconds: float = 0.0


class _NoLog(CallLog):
    """Keeps nothing."""

    def record_login(self, exchange: Exchange) -> None:
        """Forget it."""

    def write(self, target: Target, exchanges: Iterable[Exchange], **about: Any) -> None:
        """Forget them."""


def run(order: Order) -> Measured:
    """Run one sweep as its operator in Airflow does, from its first connection to its last commit."""
    treasury_config = TreasuryConfig(
        order.treasury,
        CLIENT_ID,
        CLIENT_SECRET,
        order.public_key,
        log_key=order.log_key,
        signing_key=SIGNING_KEY,
        max_concurrency=order.concurrency,
    )
    calls = (CallLog if order.logged else _NoLog)(Sealer.from_config(order.log_key))
    gc.collect()
    if order.traced:
        tracemalloc.start()
    started, cpu = time.perf_counter(), time.process_time()
    with (
        Database(lambda: session.connect(order.dsn)) as db,
        TreasuryClient(treasury_config, calls.record_login) as treasury,
        PlatformClient(PlatformConfig(order.platform)) as platform,
        TreasurySweep(db, order.service, calls=calls, workers=order.concurrency) as sweep,
    ):
        scope, keyring = Scope(tenants=tuple(order.tenants)), treasury_config.keyring
        match order.service:
            case service if service in POLLED:
                Poll(sweep, POLLED[service](calls.sealer), treasury, scope)()
            case "PI":
                master = platform.master_data(scope.tenants)
                PaymentInstructions(sweep, treasury, platform, keyring, master, scope)()
            case "FD":
                fetch_failures(sweep, treasury, keyring.sealer, dates_to_ask(sweep))
            case "COR":
                master = platform.master_data(scope.tenants)
                Corrections(sweep, treasury, platform, keyring, master).correct_due(scope)
            case "VA":
                fetch_allotments(sweep, treasury, platform.master_data(scope.tenants), scope)
            case unknown:
                raise ValueError(f"no sweep of service {unknown!r} is measured here")
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return Measured(seconds, dict(sweep.counts), tracemalloc.get_traced_memory()[1] if order.traced else 0, cpu)


if __name__ == "__main__":
    json.dump(run(Order(**json.load(sys.stdin))).__dict__, sys.stdout)
