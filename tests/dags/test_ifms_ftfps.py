"""ifms_ftfps alone: a revised PI whose payment fails again can be revised again."""

from __future__ import annotations

import pytest
from support import failed

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]


def test_a_second_failure_is_booked_and_can_be_corrected(run_dag, airflow_connections, adapter, treasury, money):
    failed.paid_and_failed(adapter)
    failed.mend(adapter)
    adapter.correct()
    assert run_dag("ifms_ftfps").state == "success"  # not paid yet: nothing to ask about
    assert "FTFPS" not in treasury.state["calls"]

    adapter.run("FTPS")
    before = money()
    assert run_dag("ifms_ftfps").state == "success"
    assert money() == before  # no news

    failed.fail(adapter, "all", failed.revisions(adapter)[0]["pi_number"])
    assert run_dag("ifms_ftfps").state == "success"
    assert [row["status"] for row in failed.revisions(adapter)] == ["PARTIAL"]
    assert len(failed.failing(adapter)) == 1
    failed.mend(adapter, account="000099990002")
    assert run_dag("ifms_cor").state == "success"
    assert [row["status"] for row in failed.revisions(adapter)] == ["COMPLETED", "INITIATED"]
