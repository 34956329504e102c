"""The status services' operator: one class, five services, no guess about a sixth."""

from __future__ import annotations

import pytest
from support.simulators import LOG_KEY

from ifms.errors import ConfigurationError
from ifms.sealing import Sealer

pytestmark = pytest.mark.airflow

SEALER = Sealer.from_config(LOG_KEY)


@pytest.mark.parametrize("code", ["PIS", "PAG", "PD", "FTPS", "FTFPS"])
def test_each_service_asks_in_its_own_name(code):
    from ifms_airflow.operators import PollOperator
    from ifms_airflow.operators.poll import status_service

    assert status_service(code, SEALER).service == code
    assert PollOperator(task_id="poll", service=code).service_id == code


@pytest.mark.parametrize("code", ["pis", "VA", "FD", "", "PIS "])
def test_a_service_that_is_none_is_named(code):
    from ifms_airflow.operators.poll import status_service

    with pytest.raises(ConfigurationError, match=f"'{code}' is none of PIS, PAG, PD, FTPS, FTFPS"):
        status_service(code, SEALER)


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 1})
def test_one_city_without_the_others(run_dag, airflow_connections, adapter, sweeps):
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    run = run_dag("ifms_pis", conf={"tenants": ["od.samplea"]})
    assert run.state == "success"
    rows = adapter.rows("SELECT tenant_id, status FROM ifms.payment_instruction ORDER BY tenant_id")
    assert [tuple(row.values()) for row in rows] == [("od.samplea", "APPROVED"), ("od.sampleb", "INITIATED")]


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 1})
@pytest.mark.parametrize(("service", "after"), [("PIS", ("VA", "PA", "PI")), ("PD", ("VA", "PA", "PI", "PIS", "PAG"))])
def test_one_bad_reply_is_red_names_its_pi_and_stops_no_other(
    run_dag, airflow_connections, adapter, treasury, sweeps, service, after
):
    for each in after:
        adapter.run(each)
    numbers = [row["pi_number"] for row in adapter.rows("SELECT pi_number FROM ifms.payment_instruction ORDER BY 1")]
    before = adapter.statuses()
    treasury.rule(service, "html", bill_number=numbers[0])
    run = run_dag(f"ifms_{service.lower()}")
    assert run.state == "failed"
    [row] = sweeps(run)
    assert row["message"].startswith("SweepNeedsAttentionError: ")
    assert numbers[0] in row["problems"][0]
    assert (row["counts"]["done"], row["counts"]["problems"]) == (2, 1)
    assert [count for status, count in adapter.statuses().items() if status in before] == [1]
