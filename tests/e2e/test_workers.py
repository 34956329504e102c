"""One, two and then four Celery workers on one sweep, and one of the four is killed with all that it had started.

The others work on; when the leases of what the dead one had in its hands have run out, that is taken over. All of them
share the treasury's limit of calls a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from support import redis, workers
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.real_airflow import ledger_on, running, until
from support.simulators import Simulators
from support.workers import Crew

from ifms.ledger.rate_limit import BATCH_SECONDS
from ifms.sweep.pipeline import AHEAD, TOGETHER
from ifms_standalone import postgres

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}),
]

BILLS = 160
WORKERS = ("worker-1", "worker-2", "worker-3", "worker-4")
KILLED = WORKERS[1]
SHARDS = len(WORKERS) + 1  # the last one is begun after the death of a worker
AT_A_TIME = 2
SLOW_MS = 4000  # while workers are started: there must be work for all of them, however busy the machine is
QUICK_MS = 200  # four workers would make 40 calls a second, and two of them 20
CALLS_A_SECOND = 10
KILLED_AFTER_SECONDS = 4


@pytest.fixture
def ledger_server() -> Iterator[postgres.Server]:
    """A PostgreSQL for Airflow and the ledger."""
    with postgres.throwaway() as server:
        yield server


@pytest.fixture
def adapter(ledger_server: postgres.Server, simulators: Simulators) -> Adapter:
    """The adapter on the ledger that the workers work on."""
    return ledger_on(ledger_server, simulators)


@pytest.fixture
def crew(ledger_server: postgres.Server, simulators: Simulators, tmp_path: Path) -> Iterator[Crew]:
    """Airflow with its Celery executor, and no worker yet."""
    connections = simulators.connections(max_concurrency=AT_A_TIME, calls_per_second=CALLS_A_SECOND)
    with redis.running() as broker:
        # No run but the test's own: in the evening one that was due at nine would begin first.
        ours = {"IFMS_SHARDS": str(SHARDS), "IFMS_SCHEDULE_PI": "none"}
        settings = workers.settings(broker, ledger_server) | ours
        with running(ledger_server, connections, tmp_path / "run", "ifms_pi", settings) as made:
            yield Crew(made, ledger_server)


def shards_that_call(adapter: Adapter) -> list[int]:
    """The shards whose sweeps go on and have written a call to the treasury."""
    rows = adapter.rows(
        """
        SELECT DISTINCT r.shard FROM ifms.sweep_run r JOIN ifms.treasury_call c ON c.sweep_run_id = r.id
        WHERE r.service_id = 'PI' AND r.dag_id = 'ifms_pi' AND r.state = 'running' AND c.service_id = 'PI'
        """
    )
    return sorted(row["shard"] for row in rows)


def crowded(arrived: list[float]) -> float:
    """By how many calls the fullest stretch of time, whichever it is, has more than the limit's."""
    return max(
        last - first + 1 - (arrived[last] - arrived[first]) * CALLS_A_SECOND
        for first in range(len(arrived))
        for last in range(first, len(arrived))
    )


def rests(number: Callable[[], int]) -> Callable[[], bool]:
    """Whether a number stays the same for three seconds."""
    seen = [-1]

    def rested() -> bool:
        time.sleep(3)
        seen.append(number())
        return seen[-1] == seen[-2]

    return rested


def test_the_work_spreads_within_the_limit_and_a_killed_worker_s_is_taken_over(
    crew: Crew, adapter: Adapter, treasury: Treasury
):
    bill = {"type": "wage", "tenantId": "od.samplea", "payees": 1, "count": BILLS}
    adapter.simulators.ask_platform("POST", "bills", bill)
    adapter.run("VA")
    adapter.run("PA")
    treasury.settings(latency_ms=SLOW_MS)
    before = len(treasury.arrivals)
    crew.airflow.client.unpause("ifms_pi")
    crew.airflow.client.trigger("ifms_pi", "more-workers")

    def at_work() -> dict[str, int]:
        """The workers that work on the sweep, each with its shard."""
        calling = shards_that_call(adapter)
        return {name: shard for shard, name in crew.shards("more-workers").items() if shard in calling}

    for more in (WORKERS[:1], WORKERS[1:2], WORKERS[2:]):
        assert sorted(at_work()) == crew.up
        crew.start(*more)
        until(lambda: sorted(at_work()) == crew.up, f"the work does not spread over {', '.join(crew.up)}")
    shard_of = at_work()
    treasury.settings(latency_ms=QUICK_MS)
    time.sleep(KILLED_AFTER_SECONDS)
    assert at_work() == shard_of

    crew.kill(KILLED)
    assert len(treasury.accepted) < BILLS
    until(rests(lambda: len(treasury.accepted)), "the other workers do not come to an end of what is free")
    left = BILLS - len(treasury.accepted)
    assert left > 0, "the killed worker had something in its hands"
    assert adapter.rows("SELECT 1 FROM ifms.payment WHERE paid_by IS NULL AND claim_token IS NULL") == []
    # So what is under a claim now was the killed one's.
    with psycopg.connect(adapter.dsn) as connection:
        for table in ("payment", "payment_instruction"):
            connection.execute(f"UPDATE ifms.{table} SET claimed_until = now() WHERE claim_token IS NOT NULL")
    until(lambda: adapter.statuses() == {"INITIATED": BILLS}, "what the killed worker held is not taken over")

    sweeps = adapter.rows(
        """
        SELECT r.shard, r.state, extract(epoch FROM r.started_at)::float8 AS started, count(*) FILTER (
            WHERE c.service_id = 'PI' AND c.outcome = 'answered') AS answered
        FROM ifms.sweep_run r LEFT JOIN ifms.treasury_call c ON c.sweep_run_id = r.id
        WHERE r.service_id = 'PI' AND r.dag_id = 'ifms_pi' GROUP BY r.id ORDER BY r.started_at
        """
    )
    # The last two workers were started together: either may have begun first.
    assert sorted(sweep["shard"] for sweep in sweeps[: len(WORKERS)]) == sorted(shard_of.values())
    assert all(sweep["answered"] > 0 for sweep in sweeps[: len(WORKERS)]), "each worker has sent some"
    killed = next(sweep for sweep in sweeps if sweep["shard"] == shard_of[KILLED])
    assert killed["state"] == "running", "it had no time for a last word"
    assert sum(sweep["answered"] for sweep in sweeps) >= BILLS - AT_A_TIME
    until(lambda: not crew.is_well(KILLED), "the health check does not see that a worker is gone")
    assert crew.is_well(WORKERS[0])

    assert set(treasury.accepted.values()) == {1}
    assert {each["received"] for each in treasury.state["bills"]} == {1}, "no PI was even sent a second time"
    calls = treasury.state["calls"]
    assert calls["PI"] == BILLS
    in_its_hands = AHEAD * AT_A_TIME + TOGETHER  # and those that were written with the one that is next
    assert calls.get("PIS", 0) <= in_its_hands, "only what may have been sent was asked about"
    # A call may be as late for its turn as a batch of turns is long, and one of each thread's later, on a busy machine.
    late = CALLS_A_SECOND * BATCH_SECONDS + len(WORKERS) * AT_A_TIME
    assert crowded(sorted(treasury.arrivals[before:])) <= 1 + late, "together they made more calls than the limit"
    assert_money_is_right(adapter, treasury)
