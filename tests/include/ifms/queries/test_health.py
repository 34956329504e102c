"""How it runs, from what sweeps leave."""

from __future__ import annotations

import psycopg
import pytest
from support.adapter import Adapter, Treasury
from support.failed import wage_bill

from ifms.cities import Cities
from ifms.errors import SweepError
from ifms.queries.health import SERVICES, Health, health

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})


def look(adapter: Adapter) -> Health:
    with psycopg.connect(adapter.dsn) as connection:
        return health(connection, Cities.ALL)


def test_a_new_ledger(adapter: Adapter):
    seen = look(adapter)
    assert all(seen.sweeps[service] == [] for service in SERVICES)
    assert seen.backlog == seen.held == []
    assert (seen.shipping.due, seen.shipping.set_aside, seen.shipping.oldest) == (0, 0, None)
    assert (seen.outbox, seen.reach.calls, seen.reach.median) == ([], 0, None)


def test_what_sweeps_leave(adapter: Adapter, treasury: Treasury):
    wage_bill(adapter)
    adapter.run("PA")
    adapter.run("PI")
    assert [row["hold_code"] for row in look(adapter).held] == ["PAYMENT_INSUFFICIENT_FUNDS"]
    adapter.run("VA")
    adapter.run("PI")
    treasury.rule("PIS", "refuse", mode="close")
    with pytest.raises(SweepError):
        adapter.run("PIS")
    seen = look(adapter)
    assert seen.held == []
    [pis] = seen.sweeps["PIS"]
    assert (pis["state"], pis["service_id"]) == ("failed", "PIS")
    [waits] = seen.backlog
    assert (waits.status, waits.pi_type, waits.waiting, waits.over_a_day) == ("INITIATED", "ORIGINAL", 1, 0)
    [platform] = seen.outbox
    assert (platform.topic, platform.set_aside) == ("payment_status", 0)
    assert platform.due >= 1
    assert platform.oldest is not None
    assert seen.reach.answered < seen.reach.calls
    assert seen.reach.last_answer is not None
    with psycopg.connect(adapter.dsn) as connection:
        calls = connection.execute("SELECT id, created_at FROM ifms.treasury_call ORDER BY created_at, id").fetchall()
        connection.execute("UPDATE ifms.treasury_call SET shipped_at = now() WHERE id = %s", calls[0][:1])
        connection.execute("UPDATE ifms.treasury_call SET ship_error = 'sample' WHERE id = %s", calls[1][:1])
    shipping = look(adapter).shipping
    assert (shipping.due, shipping.set_aside, shipping.oldest) == (len(calls) - 2, 1, calls[2][1])
