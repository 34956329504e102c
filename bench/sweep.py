"""One sweep in a process of its own: it says "ready", reads its order as JSON from stdin, and writes what it measured.

Of its own, so that neither the imports nor another's work under the same interpreter lock are in the measurement.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import tracemalloc
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from ifms.ledger.database import Database
from ifms.ledger.history import CallLog
from ifms.ledger.rate import Rate
from ifms.ledger.writes import Target
from ifms.platform.client import PlatformClient
from ifms.platform.config import PlatformConfig
from ifms.sealing import Sealer
from ifms.services.pi import PaymentInstructions
from ifms.services.pis import InstructionStatus
from ifms.services.poll import Poll
from ifms.services.scope import Scope
from ifms.services.sweep import Sweep
from ifms.services.va import fetch_allotments
from ifms.treasury.client import TreasuryClient
from ifms.treasury.config import TreasuryConfig
from ifms.treasury.outcome import Exchange
from standalone.simulators import CLIENT_ID, CLIENT_SECRET


@dataclass(frozen=True)
class Order:
    """What to run: `service` is VA, PI or PIS; `traced` measures memory, and the time then means nothing.

    Without `logged` no call is kept, which only a measurement may do. `calls_per_second` is for all shards together.
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
    shard: int = 0
    shards: int = 1
    calls_per_second: float | None = None


@dataclass(frozen=True)
class Measured:
    """What a sweep took: seconds, what it counted, and the most bytes of Python objects at a time (when traced)."""

    seconds: float
    counts: dict[str, int]
    peak_bytes: int


class _NoLog(CallLog):
    """Keeps nothing."""

    def heard_login(self, exchange: Exchange) -> None:
        """Forget it."""

    def write(self, target: Target, exchanges: Iterable[Exchange], **about: Any) -> None:
        """Forget them."""


def run(order: Order) -> Measured:
    """Run one sweep as its operator in Airflow does, from its first connection to its last commit."""
    treasury_config = TreasuryConfig(
        order.treasury, CLIENT_ID, CLIENT_SECRET, order.public_key,
        log_key=order.log_key, max_concurrency=order.concurrency, calls_per_second=order.calls_per_second,
    )  # fmt: skip
    calls = (CallLog if order.logged else _NoLog)(Sealer.from_config(order.log_key))
    gc.collect()
    if order.traced:
        tracemalloc.start()
    started = time.perf_counter()
    with (
        _ledger(order) as db,
        _ledger(order) as turns,
        TreasuryClient(treasury_config, calls.heard_login, pace=_pace(turns, treasury_config)) as treasury,
        PlatformClient(PlatformConfig(order.platform)) as platform,
        Sweep(db, order.service, calls=calls, workers=order.concurrency) as sweep,
    ):
        scope = Scope(tenants=tuple(order.tenants), shard=order.shard, shards=order.shards)
        match order.service:
            case "PIS":
                Poll(sweep, InstructionStatus(), treasury, scope)()
            case "PI":
                master = platform.master_data(scope.tenants)
                PaymentInstructions(sweep, treasury, platform, calls.sealer, master, scope)()
            case "VA":
                fetch_allotments(sweep, treasury, platform.master_data(scope.tenants), scope)
            case unknown:
                raise ValueError(f"no sweep of service {unknown!r} is measured here")
    seconds = time.perf_counter() - started
    return Measured(seconds, dict(sweep.counts), tracemalloc.get_traced_memory()[1] if order.traced else 0)


def _ledger(order: Order) -> Database:
    return Database(lambda: psycopg.connect(order.dsn, options="-c timezone=UTC"))


def _pace(turns: Database, config: TreasuryConfig) -> Rate | None:
    return None if config.calls_per_second is None else Rate(turns, config.account, config.calls_per_second)


if __name__ == "__main__":
    print("ready", flush=True)  # noqa: T201  (all is imported; the order is waited for)
    json.dump(run(Order(**json.load(sys.stdin))).__dict__, sys.stdout)
