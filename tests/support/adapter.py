"""The adapter without Airflow: the services on a real ledger and both simulators, as an operator would run them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from support.simulators import Simulators

from ifms.ledger.database import Database
from ifms.ledger.history import CallLog
from ifms.platform.client import PlatformClient
from ifms.sealing import Sealer
from ifms.services.pa import create_payments
from ifms.services.pag import PaymentAdvice
from ifms.services.pd import PaymentDetails
from ifms.services.pi import PaymentInstructions
from ifms.services.pis import InstructionStatus
from ifms.services.poll import Poll
from ifms.services.scope import Scope
from ifms.services.sweep import Sweep
from ifms.services.va import fetch_allotments
from ifms.treasury.client import TreasuryClient

STATUS_SERVICES: dict[str, Any] = {"PIS": InstructionStatus, "PAG": PaymentAdvice, "PD": PaymentDetails}
EVERYTHING = Scope()
CYCLE = ("VA", "PA", "PI", "PIS", "PAG", "PD")


@dataclass
class Adapter:
    """Runs sweeps; each opens its own connections and client, as a task does."""

    dsn: str
    simulators: Simulators
    treasury_changes: dict[str, Any] = field(default_factory=dict)

    def run(self, service: str, scope: Scope = EVERYTHING, stop: threading.Event | None = None) -> Sweep:
        """One sweep; raises what its task would end with. The sweep's counts and problems are on what it returns."""
        sweep = self.sweep(service, stop)
        with sweep:
            self.work(sweep, scope)
        return sweep

    def cycle(self) -> None:
        """VA, PA, PI, PIS, PAG, PD."""
        for service in CYCLE:
            self.run(service)

    def sweep(self, service: str, stop: threading.Event | None = None) -> Sweep:
        """A sweep that has not begun."""
        calls = CallLog(Sealer.from_config(self.simulators.treasury_config().log_key))
        config = self.simulators.treasury_config(**self.treasury_changes)
        return Sweep(
            Database(lambda: psycopg.connect(self.dsn, options="-c timezone=UTC")),
            service,
            calls=calls,
            workers=config.max_concurrency,
            stop=stop or threading.Event(),
        )

    def work(self, sweep: Sweep, scope: Scope = EVERYTHING) -> None:
        """What the operator of the sweep's service does inside it."""
        config = self.simulators.treasury_config(**self.treasury_changes)
        assert sweep.calls is not None
        with (
            TreasuryClient(config, sweep.calls.heard_login, login_pauses_seconds=(0.01,)) as treasury,
            PlatformClient(self.simulators.platform_config()) as platform,
        ):
            service = sweep.service_id
            if service in STATUS_SERVICES:
                Poll(sweep, STATUS_SERVICES[service](), treasury, scope)()
                return
            master = platform.master_data(scope.tenants)
            if service == "VA":
                fetch_allotments(sweep, treasury, master, scope)
            elif service == "PA":
                create_payments(sweep, platform, master, scope)
            else:
                PaymentInstructions(sweep, treasury, platform, sweep.calls.sealer, master, scope)()

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """What a query finds."""
        with psycopg.connect(self.dsn, row_factory=dict_row) as connection:
            return connection.execute(query, values).fetchall()

    def statuses(self) -> Counter[str]:
        """How many PIs are in which status."""
        return Counter(row["status"] for row in self.rows("SELECT status FROM ifms.payment_instruction"))


@pytest.fixture
def adapter(ledger_dsn: str, simulators: Simulators) -> Iterator[Adapter]:
    """The adapter on an empty ledger and both simulators."""
    return Adapter(ledger_dsn, simulators)
