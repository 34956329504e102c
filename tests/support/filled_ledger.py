"""A ledger in which about everything has happened that can happen to a payment: for tests that look at all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import failed
from support.adapter import Adapter, Treasury
from support.simulators import both

from ifms.errors import SweepError
from ifms.services.correction_order import Order


@dataclass(frozen=True)
class World:
    """The ledger, and the numbers of its PIs by what became of them."""

    adapter: Adapter
    numbers: dict[str, str]


@pytest.fixture(scope="module")
def world(module_ledger_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One PI for each end that a PI can have, and one that is PENDING, made by the sweeps; for a module's tests."""
    folder: Path = tmp_path_factory.mktemp("world")
    with both(folder, platform={"cities": 1, "bills_per_city": 0}) as simulators:
        simulators.ask_platform("POST", "settings", {"persist_ms": 0})  # it finds at once what it has just taken
        adapter = Adapter(module_ledger_dsn, simulators)
        yield World(adapter, _live(adapter, Treasury(simulators)))


def _live(adapter: Adapter, treasury: Treasury) -> dict[str, str]:
    numbers: dict[str, str] = {}

    def new(name: str, **options: Any) -> None:
        """The PI that the treasury has just heard of."""
        known = {row["pi_number"] for row in adapter.rows("SELECT pi_number FROM ifms.payment_instruction")}
        failed.wage_bill(adapter, **options)
        adapter.run("PA")
        _though_red(lambda: adapter.run("PI"))
        rows = adapter.rows("SELECT pi_number FROM ifms.payment_instruction")
        numbers[name] = next(row["pi_number"] for row in rows if row["pi_number"] not in known)

    def polled() -> None:
        for service in ("PIS", "PAG", "PD"):
            adapter.run(service)

    adapter.run("VA")
    new("rejected", payees=1)
    treasury.rule("PIS", "reject", bill_number=numbers["rejected"])
    new("repaid", payees=1)
    polled()
    treasury.clear()
    failed.fail(adapter, "all", numbers["repaid"])
    adapter.run("FD")
    failed.long_ago(adapter)
    adapter.correct(Order(failed.TENANT, numbers["repaid"], new_original=True))
    polled()
    for name in ("corrected", "partial"):
        new(name, payees=3)
        polled()
        failed.fail(adapter, 1, numbers[name])
        adapter.run("FD")
        if name == "corrected":
            failed.mend(adapter)
            adapter.correct(Order(failed.TENANT, numbers[name]))
            adapter.run("FTPS")
    new("paid", payees=2)
    polled()
    treasury.rule("PI", "error", errorMsg="Insufficient fund")
    new("declined", payees=1)
    treasury.clear()
    new("initiated", payees=2)
    adapter.simulators.ask_platform(
        "POST", "bills", {"type": "wage", "tenantId": failed.TENANT, "amounts": ["9999999999.00"]}
    )
    adapter.run("PA")
    _though_red(lambda: adapter.run("PI"))
    treasury.rule("PI", "lost_reply")
    treasury.rule("PIS", "lost_reply")
    new("pending", payees=2)
    treasury.clear()
    _deliver_all(adapter)
    for name, query in {
        "revision": "pi_type = 'REVISED'",
        "repayment": "repayment_of IS NOT NULL",
    }.items():
        [row] = adapter.rows(f"SELECT pi_number FROM ifms.payment_instruction WHERE {query}")
        numbers[name] = row["pi_number"]
    return numbers


def _though_red(sweep: Callable[[], object]) -> None:
    with suppress(SweepError):
        sweep()


def _deliver_all(adapter: Adapter) -> None:
    for _ in range(20):
        adapter.relay()
        if not adapter.rows("SELECT id FROM ifms.outbox WHERE delivered_at IS NULL"):
            return
    raise AssertionError("the platform does not hear")
