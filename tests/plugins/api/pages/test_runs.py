"""The page about how it runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from support.adapter import Adapter, Treasury
from support.failed import wage_bill

from ifms.errors import SweepError
from ifms.queries.health import Reach

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]


def test_it_says_what_ran_and_what_waits(api: Any, adapter: Adapter, treasury: Treasury):
    empty = api("viewer", cookie=True).get("/ifms/runs").text
    assert "has not run yet" in empty
    assert "Not called yet" in empty
    assert "Kept in the ledger" in empty
    wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    treasury.rule("PIS", "error", errorMsgs=[{"errorCode": "9", "errorMsg": "x"}])
    treasury.rule("PIS", "garbage")
    with pytest.raises(SweepError):
        adapter.run("PIS")
    page = api("viewer", cookie=True).get("/ifms/runs").text
    for text in ("Needs a look", "to look at", "Initiated", "Platform: "):
        assert text in page, text
    ledger = psycopg.connect(adapter.dsn, autocommit=True)
    with ledger:
        ledger.execute("INSERT INTO ifms.sweep_run (service_id, state) VALUES ('SHIP', 'running')")
        assert "calls to ship" in api("viewer", cookie=True).get("/ifms/runs").text
        ledger.execute("UPDATE ifms.treasury_call SET shipped_at = now()")
        assert "Elasticsearch has all" in api("viewer", cookie=True).get("/ifms/runs").text


@pytest.mark.parametrize(
    ("calls", "answered", "silent_for", "tone"),
    [(0, 0, None, "wait"), (50, 50, 0, "good"), (50, 20, 0, "busy"), (50, 20, 60, "busy"), (50, 0, None, "bad")],
)
def test_the_treasury_in_a_word(calls: int, answered: int, silent_for: int | None, tone: str):
    from ifms_airflow.api.pages.runs import treasury

    now = datetime(2024, 6, 1, tzinfo=UTC)
    last = None if silent_for is None else now - timedelta(seconds=silent_for)
    assert treasury(Reach(calls, answered, now if calls else None, last, None))[0] == tone


def test_shards_are_added_up():
    from ifms_airflow.api.pages.runs import last

    now = datetime(2024, 6, 1, tzinfo=UTC)
    shard = {
        "state": "success",
        "counts": {"done": 2},
        "started_at": now,
        "finished_at": now,
        "problems": [],
        "message": None,
    }
    other = shard | {
        "state": "failed",
        "counts": {"done": 3, "none": 0},
        "problems": ["x"],
        "message": "y",
        "finished_at": now + timedelta(seconds=9),
    }
    seen = last([shard, other])
    assert seen is not None
    assert (seen["state"], seen["counts"], seen["problems"]) == ("failed", {"done": 5}, ["x"])
    assert seen["took"] == timedelta(seconds=9)
    assert last([]) is None
