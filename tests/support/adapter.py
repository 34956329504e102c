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


@dataclass
class Treasury:
    """What the simulated treasury did, for assertions about money."""

    simulators: Simulators

    def rule(self, service: str, effect: str, **options: Any) -> None:
        """Let calls of `service` run into `effect`."""
        self.simulators.ask_treasury("POST", "rules", {"service": service, "effect": effect, **options})

    def clear(self) -> None:
        """Let everything go well again."""
        self.simulators.ask_treasury("DELETE", "rules")

    def settings(self, **changes: Any) -> None:
        """Change settings."""
        self.simulators.ask_treasury("POST", "settings", changes)

    @property
    def state(self) -> dict[str, Any]:
        """Bills, calls, logins."""
        state: dict[str, Any] = self.simulators.ask_treasury("GET", "state")
        return state

    @property
    def accepted(self) -> dict[str, int]:
        """How often each bill was accepted."""
        return {bill["number"]: bill["accepted"] for bill in self.state["bills"]}


@pytest.fixture
def treasury(simulators: Simulators) -> Treasury:
    """The simulated treasury."""
    return Treasury(simulators)


def assert_money_is_right(adapter: Adapter, treasury: Treasury) -> None:
    """The invariants I1 to I4 of the ledger and the treasury together."""
    accepted = treasury.accepted
    rows = adapter.rows("SELECT pi_number, payment_number, status FROM ifms.payment_instruction")
    known = {row["pi_number"]: row for row in rows}
    assert set(accepted) <= set(known), "I3: the treasury has a bill that nobody wrote"
    assert all(times == 1 for times in accepted.values()), "I1: a bill was accepted twice"
    per_payment = Counter(known[number]["payment_number"] for number in accepted)
    rejected = Counter(r["payment_number"] for r in rows if r["status"] == "FAILED" and r["pi_number"] in accepted)
    assert all(per_payment[p] - rejected[p] <= 1 for p in per_payment), "I1: a payment has two accepted bills"
    initiated = {row["pi_number"] for row in rows if row["status"] not in ("PENDING", "FAILED")}
    assert initiated <= set(accepted), "I3: a PI is INITIATED here and unknown there"
    wrong = adapter.rows(
        """
        SELECT s.id FROM ifms.sanction s
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(CASE kind WHEN 'ALLOTMENT' THEN amount WHEN 'WITHDRAWAL' THEN -amount END), 0) AS allotted,
                   coalesce(sum(CASE kind WHEN 'RESERVE' THEN amount WHEN 'RELEASE' THEN -amount
                                          WHEN 'DEBIT' THEN -amount END), 0) AS reserved,
                   coalesce(sum(CASE kind WHEN 'DEBIT' THEN amount WHEN 'REVERSAL' THEN -amount END), 0) AS spent
            FROM ifms.fund_movement WHERE sanction_id = s.id) m ON true
        WHERE (s.allotted_amount, s.reserved_amount, s.spent_amount) IS DISTINCT FROM (m.allotted, m.reserved, m.spent)
           OR s.available_amount <> m.allotted - m.reserved - m.spent
        """
    )
    assert wrong == [], "I2: a sanction's balances are not what its movements say"
