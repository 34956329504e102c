"""Sweeps in processes of their own share the treasury's limit of calls a second, by the treasury's own log."""

import pytest
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.processes import Job, at_once

from ifms.sweep.scope import Scope

pytestmark = [pytest.mark.tier("prove"), pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]

CALLS_A_SECOND = 10
PIS = 40


def test_the_limit_holds_across_processes_and_each_pi_is_asked_once(adapter: Adapter, treasury: Treasury):
    adapter.simulators.ask_platform(
        "POST", "bills", {"type": "wage", "tenantId": "od.samplea", "payees": 1, "count": PIS}
    )
    for service in ("VA", "PA"):
        adapter.run(service)
    adapter.treasury_changes = {"calls_per_second": CALLS_A_SECOND, "max_concurrency": 8}
    shards = [Scope(shard=shard, shards=4) for shard in range(4)]

    for service in ("PI", "PIS"):
        before = len(treasury.arrivals)
        endings = at_once(adapter, *(Job(service, shard) for shard in shards))
        assert [ending.error for ending in endings] == [None] * 4
        arrived = sorted(treasury.arrivals[before:])
        assert PIS < len(arrived) <= PIS + 4, "each PI once, and one login a process"
        started = "SELECT extract(epoch FROM min(started_at))::float8 AS at FROM ifms.sweep_run WHERE service_id = %s"
        began = adapter.rows(started, service)[0]["at"]
        late = [at - began - place / CALLS_A_SECOND for place, at in enumerate(arrived)]
        assert min(late) >= -0.01, "at no moment more calls had come than the limit allows"
    assert adapter.statuses() == {"APPROVED": PIS}
    assert {bill["received"] for bill in treasury.state["bills"]} == {1}
    assert_money_is_right(adapter, treasury)
