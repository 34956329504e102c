"""ifms_relay's operator: what the form's field means; the treasury is not needed."""

from __future__ import annotations

import pytest

from ifms.errors import BadInputError

pytestmark = pytest.mark.airflow


def ids(again):
    from ifms_airflow.operators import RelayOperator

    return RelayOperator(task_id="deliver", again=again)._ids()


@pytest.mark.parametrize("given", [[], [7], (7, 8)])
def test_a_list_of_ids(given):
    assert ids(given) == list(given)


@pytest.mark.parametrize("given", ["all", "[7]", "{{ params.again }}", 7, ["7"], [7.0], [True], [None], {"id": 7}])
def test_what_is_no_list_of_ids_is_refused(given):
    with pytest.raises(BadInputError, match="again must be a list of message ids"):
        ids(given)


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})
def test_delivers_without_a_treasury(run_dag, airflow_connections, adapter, sweeps, monkeypatch):
    adapter.cycle()
    monkeypatch.delenv("AIRFLOW_CONN_IFMS_TREASURY")
    run = run_dag("ifms_relay")
    assert run.state == "success"
    assert [row["counts"]["delivered"] for row in sweeps(run)] == [2]


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})
def test_a_platform_that_is_away_delays_and_drops_nothing(run_dag, airflow_connections, adapter, sweeps):
    adapter.cycle()
    airflow_connections.ask_platform("POST", "rules", {"service": "payment_update", "effect": "refuse"})
    run = run_dag("ifms_relay")
    assert run.state == "success"  # the next run, ten minutes later, tries again: no reason to call anybody
    [row] = sweeps(run)
    assert (row["counts"]["try_later"], row["counts"].get("delivered")) == (1, None)
    assert row["problems"]
    assert len(adapter.rows("SELECT id FROM ifms.outbox WHERE delivered_at IS NULL AND set_aside_at IS NULL")) == 2
