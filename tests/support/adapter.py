"""The adapter without Airflow: the services on a real ledger and both simulators, as an operator would run them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from support.databases import as_worker
from support.simulators import Simulators

from ifms import clock
from ifms.delivery.kafka import Publisher
from ifms.delivery.notifications import NotificationSettings, notify
from ifms.delivery.payment_status import deliver
from ifms.ledger import session, settings
from ifms.ledger.database import Database
from ifms.ledger.limits import Limits
from ifms.ledger.rate_limit import Rate
from ifms.ledger.status_log import CallLog
from ifms.platform.client import PlatformClient
from ifms.sealing import Sealer
from ifms.services.cor import Corrections
from ifms.services.correction_order import Order
from ifms.services.fd import dates_to_ask, fetch_failures, voucher_dates
from ifms.services.ftfps import RevisedFailure
from ifms.services.ftps import RevisedSuccess
from ifms.services.pa import create_payments
from ifms.services.pag import PaymentAdvice
from ifms.services.pd import PaymentDetails
from ifms.services.pi import PaymentInstructions
from ifms.services.pis import InstructionStatus
from ifms.services.reconcile import reconcile
from ifms.services.va import fetch_allotments
from ifms.sweep.scope import Scope
from ifms.sweep.status_poll import Poll
from ifms.sweep.treasury_sweep import TreasurySweep
from ifms.treasury.client import TreasuryClient

STATUS_SERVICES: dict[str, Callable[[Sealer], Any]] = {
    "PIS": lambda _: InstructionStatus(),
    "PAG": PaymentAdvice,
    "PD": PaymentDetails,
    "FTPS": RevisedSuccess,
}
EVERYTHING = Scope()
CYCLE = ("VA", "PA", "PI", "PIS", "PAG", "PD")


@dataclass
class Adapter:
    """Runs sweeps; each opens its own connections and client, as a task does.

    `dsn` is the owner's; the sweeps log in as a worker.
    """

    dsn: str
    simulators: Simulators
    treasury_changes: dict[str, Any] = field(default_factory=dict)
    timeouts: session.Timeouts = session.NONE

    def run(self, service: str, scope: Scope = EVERYTHING, stop: threading.Event | None = None) -> TreasurySweep:
        """One sweep; raises what its task would end with. The sweep's counts and problems are on what it returns."""
        sweep = self.sweep(service, stop)
        with sweep:
            self.work(sweep, scope)
        return sweep

    def correct(self, *orders: Order) -> TreasurySweep:
        """One sweep of ifms_cor: what was asked for, or all that is due."""
        sweep = self.sweep("COR")
        with sweep:
            self.work(sweep, EVERYTHING, orders)
        return sweep

    def relay(self, again: list[int] | None = None) -> TreasurySweep:
        """One sweep of ifms_relay; `again`: messages that were set aside."""
        sweep = self.sweep("RELAY")
        with sweep, PlatformClient(self.simulators.platform_config()) as platform:
            deliver(sweep, platform, again=again)
        return sweep

    def notify(self, publisher: Publisher, notices: NotificationSettings, **options: Any) -> TreasurySweep:
        """One sweep of what others hear through Kafka."""
        sweep = self.sweep("NOTIFY")
        with sweep, PlatformClient(self.simulators.platform_config()) as platform:
            notify(sweep, platform, publisher, notices, **options)
        return sweep

    def reconcile(self, limits: Limits | None = None) -> TreasurySweep:
        """One sweep of ifms_reconcile."""
        sweep = self.sweep("RECONCILE")
        keyring = self.simulators.treasury_config(**self.treasury_changes).keyring
        with sweep, PlatformClient(self.simulators.platform_config()) as platform:
            reconcile(sweep, limits, keyring=keyring, platform=platform)
        return sweep

    def cycle(self) -> None:
        """VA, PA, PI, PIS, PAG, PD."""
        for service in CYCLE:
            self.run(service)

    def sweep(self, service: str, stop: threading.Event | None = None) -> TreasurySweep:
        """A sweep that has not begun; its connection ends with it."""
        config = self.simulators.treasury_config(**self.treasury_changes)
        calls = CallLog(config.keyring.sealer)
        return _Sweep(
            self._ledger(),
            service,
            calls=calls,
            workers=config.max_concurrency,
            stop=stop or threading.Event(),
        )

    def work(self, sweep: TreasurySweep, scope: Scope = EVERYTHING, orders: tuple[Order, ...] = ()) -> None:
        """What the operator of the sweep's service does inside it."""
        config = self.simulators.treasury_config(**self.treasury_changes)
        with (
            self._ledger() as turns,
            TreasuryClient(
                config,
                sweep.calls.record_login,
                login_pauses_seconds=(0.01,),
                pace=Rate(turns, config.account, config.calls_per_second, sweep.stop)
                if config.calls_per_second
                else None,
            ) as treasury,
            PlatformClient(self.simulators.platform_config()) as platform,
        ):
            sweep.db.transact(lambda c: settings.adopt(c, config))
            service, keyring = sweep.service_id, config.keyring
            if service in STATUS_SERVICES:
                Poll(sweep, STATUS_SERVICES[service](keyring.sealer), treasury, scope)()
                return
            if service == "FTFPS":
                Poll(sweep, RevisedFailure(keyring.sealer), treasury, scope)()
                return
            if service == "FD":
                until = scope.until or clock.now()
                every = scope.since or scope.until
                dates = voucher_dates(scope.since or until - timedelta(days=3), until) if every else dates_to_ask(sweep)
                fetch_failures(sweep, treasury, keyring.sealer, dates)
                return
            if service == "RELAY":
                deliver(sweep, platform)
                return
            if service == "PA":
                create_payments(sweep, platform, platform.city_list(scope.tenants), scope)
                return
            master = platform.master_data(scope.tenants)
            if service == "VA":
                fetch_allotments(sweep, treasury, master, scope)
            elif service == "COR":
                corrections = Corrections(sweep, treasury, platform, keyring, master)
                corrections.send_again(scope)
                if orders:
                    corrections.correct(orders)
                else:
                    corrections.correct_due(scope)
            else:
                PaymentInstructions(sweep, treasury, platform, keyring, master, scope)()

    def _ledger(self) -> Database:
        return Database(lambda: session.connect(as_worker(self.dsn), self.timeouts))

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """What a query finds."""
        with psycopg.connect(self.dsn, row_factory=dict_row) as connection:
            return connection.execute(query, values).fetchall()

    def statuses(self) -> Counter[str]:
        """How many PIs are in which status."""
        return Counter(row["status"] for row in self.rows("SELECT status FROM ifms.payment_instruction"))


class _Sweep(TreasurySweep):
    """A sweep that closes its connection at its end, so that no test waits for Python to do so."""

    def __exit__(self, *ending: Any) -> None:
        with closing(self.db):
            super().__exit__(*ending)


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
    def arrivals(self) -> list[float]:
        """When each HTTP call arrived, logins too; epoch seconds."""
        times: list[float] = self.simulators.ask_treasury("GET", "arrivals")["arrivals"]
        return times

    @property
    def accepted(self) -> dict[str, int]:
        """How often each bill was accepted."""
        state = self.state
        return {bill["number"]: bill["accepted"] for bill in [*state["bills"], *state["corrections"]]}


@pytest.fixture
def treasury(simulators: Simulators) -> Treasury:
    """The simulated treasury."""
    return Treasury(simulators)


def assert_money_is_right(adapter: Adapter, treasury: Treasury) -> None:
    """The invariants I1 to I4 of the ledger and the treasury together."""
    accepted = treasury.accepted
    rows = adapter.rows("SELECT pi_number, payment_number, status, pi_type, repayment_of FROM ifms.payment_instruction")
    known = {row["pi_number"]: row for row in rows}
    assert set(accepted) <= set(known), "I3: the treasury has a bill that nobody wrote"
    assert all(times == 1 for times in accepted.values()), "I1: a bill was accepted twice"
    first = {number for number, row in known.items() if row["pi_type"] == "ORIGINAL" and not row["repayment_of"]}
    per_payment = Counter(known[number]["payment_number"] for number in accepted if number in first)
    rejected = Counter(r["payment_number"] for r in rows if r["status"] == "FAILED" and r["pi_number"] in accepted)
    assert all(per_payment[p] - rejected[p] <= 1 for p in per_payment), "I1: a payment has two accepted bills"
    initiated = {row["pi_number"] for row in rows if row["status"] not in ("PENDING", "FAILED")}
    assert initiated <= set(accepted), "I3: a PI is INITIATED here and unknown there"
    twice = adapter.rows(
        """
        SELECT beneficiary_number FROM ifms.beneficiary WHERE status <> 'Payment Failed'
        GROUP BY beneficiary_number HAVING count(*) > 1
        """
    )
    assert twice == [], "I1: a beneficiary is paid twice"
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
