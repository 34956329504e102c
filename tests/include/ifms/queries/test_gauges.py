"""Numbers for a monitoring system, on a real ledger: what waits, since when, and how long the treasury took."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from support.failed import wage_bill

from ifms.queries.gauges import latencies, waiting

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})


def test_an_empty_ledger_tells_every_name_with_nothing(ledger):
    told = ledger.db.read_snapshot(waiting)
    assert set(told.values()) == {0.0}
    assert {"backlog.pending.revised.oldest", "backlog.in_process.original.waiting", "outbox.due"} <= told.keys()


def test_what_waits_is_counted_and_has_an_age(adapter):
    for _ in range(2):
        wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    names = set()
    with psycopg.connect(adapter.dsn) as connection:
        told = waiting(connection)
        names |= told.keys()
        assert told["backlog.initiated.original.waiting"] == 2
        assert told["outbox.due"] == 2
        assert min(told[f"{what}.oldest"] for what in ("backlog.initiated.original", "outbox")) > 0
        assert told["calls.unshipped"] > told["treasury.silence"] >= 0
        assert (told["acceptance.payments"], told["acceptance.p95"] >= told["acceptance.median"] >= 0) == (2, True)
        run = connection.execute("SELECT id, started_at FROM ifms.sweep_run WHERE service_id = 'PI'").fetchone()
        took = latencies(connection, *run)
        assert 0 <= took["median"] <= took["p95"] <= took["max"]
        assert latencies(connection, run[0], datetime.now(UTC) + timedelta(days=1)) == {}
    with psycopg.connect(adapter.dsn) as connection:
        assert waiting(connection).keys() == names
